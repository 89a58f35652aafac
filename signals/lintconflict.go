// SPDX-License-Identifier: Apache-2.0

// This file finds two terms on one field that exclude each other. What follows from
// that is in linttruth.go; that one comparison is met wherever another one is, is
// found out in lintcover.go.

package signals

import (
	"cmp"
	"fmt"
	"math"
	"strings"

	"seismo/internal/event"
)

// conflict says that two terms exclude each other.
type conflict struct {
	term, other *TermExpr
	why, hint   string
}

// sided is a term of a conjunction, and whether it is negated there.
type sided struct {
	term   *TermExpr
	negate bool
	atoms  []Atom
}

// fieldKey tells fields apart, those of the source too.
type fieldKey struct {
	field event.Field
	own   string
}

func keyOf(t *TermExpr) fieldKey {
	if t.Own {
		return fieldKey{own: t.Property}
	}
	return fieldKey{field: t.Field}
}

// byField returns the terms among parts, by their field, in the order in which the
// fields stand first. turned says that each is to be taken for its opposite.
func (l *linter) byField(parts []part, turned bool) (fields [][]sided) {
	at := map[fieldKey]int{}
	for _, p := range parts {
		if p.expr.Op != ExprTerm || p.expr.Term.Cond == Residual {
			continue
		}
		t := p.expr.Term
		i, ok := at[keyOf(t)]
		if !ok {
			i = len(fields)
			at[keyOf(t)] = i
			fields = append(fields, nil)
		}
		fields[i] = append(fields[i], sided{t, (t.Negate != p.negate) != turned, l.atomsOf(t)})
	}
	return fields
}

// conflicts returns one pair of terms for each field whose terms among parts can not
// all be true, turned if their opposites are meant. alone says that no more than one
// of them can have been met by another event than that at hand.
func (l *linter) conflicts(parts []part, turned bool, at place, alone bool) (found []conflict) {
	if len(parts) < 2 {
		return nil
	}
	all := l.byField(parts, turned)
	for _, terms := range all {
		t := terms[0].term
		// Without a group terms on the event are sure to meet on one event only if all
		// but one have NOT, and not where an update of the process can be that event.
		if eventTerm(t) && !at.group && !turned && (!alone || termKinds(t).Has(event.KindProcess)) {
			continue
		}
		var positive, negative []sided
		for _, s := range terms {
			if s.negate {
				negative = append(negative, s)
			} else {
				positive = append(positive, s)
			}
		}
		if len(positive) == 0 || len(terms) < 2 {
			continue
		}
		c, ok := opposites(positive, negative)
		if !ok && singleValued(t) {
			c, ok = excluded(positive, negative)
		}
		if ok {
			found = append(found, c)
		}
	}
	if at.group && !turned {
		found = append(found, l.foreign(all)...)
	}
	return found
}

// opposites finds a positive term all of whose values meet a negated one.
func opposites(positive, negative []sided) (conflict, bool) {
	if len(negative) == 0 {
		return conflict{}, false
	}
	not := newCover(false, atomsOf(negative)...)
	for _, p := range positive {
		if by, ok := not.impliesAll(p.atoms); ok {
			n := negative[by.term]
			return pair(p, n, "what meets %s does not meet %s", p.text(false), n.text(true)), true
		}
	}
	return conflict{}, false
}

func atomsOf(terms []sided) (atoms [][]Atom) {
	for _, s := range terms {
		atoms = append(atoms, s.atoms)
	}
	return atoms
}

// text writes the term, negated or not.
func (s sided) text(negate bool) string {
	if negate == s.term.Negate {
		return s.term.Text
	}
	var b strings.Builder
	s.term.print(&b, negate)
	return b.String()
}

const maxCompared = 16 // terms on one field of one AND that are compared with each other

// singleValued reports whether t is on a field with at most one value.
func singleValued(t *TermExpr) bool {
	info := event.Describe(t.Field)
	return !t.Own && info.Scope != event.ScopeAncestor && info.Type != event.List && info.Type != event.Hash
}

// excluded finds that no single value meets all of positive and none of negative.
func excluded(positive, negative []sided) (conflict, bool) {
	positive = positive[:min(len(positive), maxCompared)]
	if c, ok := outOfRange(positive, negative); ok {
		return c, true
	}
	for i, a := range positive {
		if a.term.Cond == Is {
			if c, ok := noCandidate(a, positive, negative); ok {
				return c, true
			}
			continue
		}
		if a.term.Cond != BeginsWith && a.term.Cond != EndsWith && a.term.Cond != InCIDR {
			continue
		}
		for _, b := range positive[:i] {
			if b.term.Cond == a.term.Cond && !overlap(a.atoms, b.atoms) {
				return pair(b, a, "%s has one value, which can not meet both %s and %s", a.term.name(), b.term.Text, a.term.Text), true
			}
		}
	}
	return conflict{}, false
}

// overlap reports whether a value can meet one of a and one of b, both of condition
// begins with, ends with or in cidr: then one of the two lies within the other.
func overlap(a, b []Atom) bool {
	return meetsSome(a, newCover(true, b)) || meetsSome(b, newCover(true, a))
}

func meetsSome(atoms []Atom, c *cover) bool {
	for _, a := range atoms {
		if _, ok := c.implied(a, nil); ok {
			return true
		}
	}
	return false
}

// noCandidate finds that each value of a, of condition is, meets not all other terms.
func noCandidate(a sided, positive, negative []sided) (conflict, bool) {
	not := newCover(false, atomsOf(negative)...)
	var others []sided
	var may []*cover
	for _, p := range positive {
		if p.term != a.term && (p.term.Cond <= EndsWith || ordered(p.term.Cond) || p.term.Cond == InCIDR) {
			others, may = append(others, p), append(may, newCover(!a.term.Cased || !p.term.Cased, p.atoms))
		}
	}
	var last sided
	for _, candidate := range a.atoms {
		if by, ok := not.implied(candidate, nil); ok {
			last = negative[by.term]
			continue
		}
		left := true
		for i := range may {
			if _, ok := may[i].implied(candidate, nil); !ok {
				last, left = others[i], false
				break
			}
		}
		if left {
			return conflict{}, false
		}
	}
	c := pair(a, last, "%s has one value, which can not meet both %s and %s", a.term.name(), a.text(false), last.text(last.negate))
	if last.term.Cond == Is && !last.negate {
		c.hint = "several values stand in one list: is ('a', 'b')"
	}
	return c, true
}

// outOfRange finds bounds that leave no number between them.
func outOfRange(positive, negative []sided) (conflict, bool) {
	low, high := int64(math.MinInt64), int64(math.MaxInt64)
	var lows, highs sided
	narrow := func(s sided, from, to int64, ok bool) {
		if ok && from > low {
			low, lows = from, s
		}
		if ok && to < high {
			high, highs = to, s
		}
	}
	for _, s := range append(positive[:len(positive):len(positive)], negative...) {
		if !ordered(s.term.Cond) || len(s.atoms) != 1 {
			continue
		}
		a := s.atoms[0]
		below := a.Cond == Less || a.Cond == LessEqual
		if s.negate { // there is a value, since another term asks for one
			a.Cond = map[Condition]Condition{Less: GreaterEqual, LessEqual: Greater, Greater: LessEqual, GreaterEqual: Less}[a.Cond]
			below = !below
		}
		if below {
			to, ok := highest(a)
			narrow(s, math.MinInt64, to, ok)
		} else {
			from, ok := lowest(a)
			narrow(s, from, math.MaxInt64, ok)
		}
	}
	if low <= high || lows.term == nil || highs.term == nil {
		return conflict{}, false
	}
	return pair(lows, highs, "no number meets both %s and %s", lows.text(lows.negate), highs.text(highs.negate)), true
}

// pair makes a conflict of a and b that is shown at that which stands later.
func pair(a, b sided, format string, args ...any) conflict {
	if p, q := a.term.Pos, b.term.Pos; cmp.Or(p.Line-q.Line, p.Column-q.Column) > 0 {
		a, b = b, a
	}
	return conflict{term: b.term, other: a.term, why: fmt.Sprintf(format, args...)}
}

// foreign finds, in a group, a term that asks for a field together with operations
// that do not have it.
func (l *linter) foreign(fields [][]sided) (found []conflict) {
	asked := map[event.Field]sided{} // the operations, by their field
	for _, terms := range fields {
		for _, s := range terms {
			if isOperation(s.term.Field) && s.term.Cond == Is && !s.negate {
				asked[s.term.Field] = s
			}
		}
	}
	for _, terms := range fields {
		for _, s := range terms {
			only := onlyWith(s.term.Field)
			if s.negate || len(only) == 0 {
				continue
			}
			op, ok := asked[operationOf(s.term.Field)]
			if !ok {
				continue
			}
			with := newCover(true, op.atoms)
			has := false
			for _, o := range only {
				_, met := with.implied(Atom{Field: op.term.Field, Cond: Is, Literal: o.String()}, nil)
				has = has || met
			}
			if !has {
				found = append(found, pair(op, s, "events of the operations of %s have no %s", op.term.Text, s.term.name()))
			}
		}
	}
	return found
}
