// SPDX-License-Identifier: Apache-2.0

// This file finds signals that the engine can not look for: it finds the signals to
// judge on an event by what the event's values are, begin with, end with or contain
// (package engine, index.go). A signal that can be true, or has something to remember,
// without any such literal is judged on every event of a kind.

package signals

import (
	"maps"
	"slices"
	"strings"

	"seismo/internal/event"
	"seismo/internal/pattern"
)

// shortFragment is the number of bytes up to which a text that stands anywhere in a
// value is in so many values that nothing waits for it.
const shortFragment = 3

// need says what an event must have for something to be true of it.
type need uint8

// In this order the greatest of several is what an OR of them needs, and of two that
// are not impossible the least is what an AND needs.
const (
	impossible need = iota // it is true of no event
	literal                // one of some literals
	nothing                // whatever the event has, it can be true
)

// coster finds what the parts of a signal need.
type coster struct {
	never  map[part]bool
	memory bool // different events can meet its parts
}

// either returns what p needs, which is an AND or OR of parts that need what of says.
func either(p part, of func(part) need) need {
	least, greatest := nothing, impossible
	for _, k := range flatten(p.expr, p.negate, nil) {
		n := of(k)
		least, greatest = min(least, n), max(greatest, n)
	}
	if isAnd(p) {
		return least
	}
	return greatest
}

// isAnd reports whether p, an AND or OR, is an AND once NOT is pushed down.
func isAnd(p part) bool { return (p.expr.Op == ExprAnd) != p.negate }

// true returns what p needs to be true on an event of kind k.
func (c coster) true(p part, k event.Kind) need {
	switch e := p.expr; {
	case c.never[p]:
		return impossible
	case e.Op == ExprTerm:
		return termNeed(p, k)
	case e.Op == ExprNot:
		return c.true(part{e.Kids[0], !p.negate}, k)
	case e.Op == ExprGroup:
		return c.true(part{e.Kids[0], p.negate}, k)
	}
	return either(p, func(q part) need { return c.true(q, k) })
}

func termNeed(p part, k event.Kind) need {
	t := p.expr.Term
	switch {
	case eventTerm(t) && !termKinds(t).Has(k):
		return impossible
	case t.Negate != p.negate || !findable(t):
		return nothing
	}
	return literal
}

// met returns what an event of kind k needs to meet a positive term or a group of p.
// With memory the rest of p can have been met before, or be met later.
func (c coster) met(p part, k event.Kind) need {
	switch e := p.expr; {
	case c.never[p]:
		return impossible
	case e.Op == ExprTerm:
		if !eventTerm(e.Term) || e.Term.Negate != p.negate {
			return impossible
		}
		return termNeed(p, k)
	case e.Op == ExprNot:
		return c.met(part{e.Kids[0], !p.negate}, k)
	case e.Op == ExprGroup:
		if !hasEventTerm(e) {
			return impossible
		}
		return c.true(p, k)
	}
	some := impossible
	for _, q := range flatten(p.expr, p.negate, nil) {
		some = max(some, c.met(q, k))
	}
	if some == impossible || !isAnd(p) || c.memory {
		return some
	}
	return min(some, c.true(p, k))
}

// published returns what a process needs for a branch without terms on the event.
func (c coster) published(p part) need {
	switch e := p.expr; {
	case c.never[p]:
		return impossible
	case e.Op == ExprTerm:
		if eventTerm(e.Term) {
			return impossible
		}
		return termNeed(p, event.KindProcess)
	case e.Op == ExprNot:
		return c.published(part{e.Kids[0], !p.negate})
	case e.Op == ExprGroup:
		return c.published(part{e.Kids[0], p.negate})
	}
	return either(p, c.published)
}

func hasEventTerm(e *Expr) bool {
	if e.Op == ExprTerm {
		return eventTerm(e.Term)
	}
	return slices.ContainsFunc(e.Kids, hasEventTerm)
}

// remembered returns the positive terms and groups of p, by their form, and whether
// some branch of p joins two of them: then different events can meet it.
func remembered(p part) (items map[string]bool, joined bool) {
	switch e := p.expr; e.Op {
	case ExprTerm, ExprGroup:
		if hasEventTerm(e) && positiveOnEvent(p) {
			items = map[string]bool{exprForm(p, false): true}
		}
		return items, false
	case ExprNot:
		return remembered(part{e.Kids[0], !p.negate})
	}
	items = map[string]bool{}
	with := 0
	for _, q := range flatten(p.expr, p.negate, nil) {
		more, both := remembered(q)
		if joined = joined || both; len(more) > 0 {
			with++
		}
		maps.Copy(items, more)
	}
	return items, joined || isAnd(p) && with > 1 && len(items) > 1
}

// findable reports whether each comparison of t, not negated, has a literal.
func findable(t *TermExpr) bool {
	if t.Own {
		return true // at least that it is there is looked for
	}
	switch t.Cond {
	case Residual:
		return len(t.Residue.Guards) > 0 && !slices.ContainsFunc(t.Residue.Guards, func(a Atom) bool {
			return !findable(&TermExpr{Field: a.Field, Own: a.Own != "", Cond: a.Cond, Values: []Value{{Text: a.Literal}}})
		})
	case Is, InCIDR, InList:
		return true
	case Exists, Less, LessEqual, Greater, GreaterEqual:
		return false
	}
	if event.Describe(t.Field).Type == event.Address {
		return false // addresses are looked for by value, not by their text
	}
	return !slices.ContainsFunc(t.Values, func(v Value) bool { return !findablePart(t.Cond, v.Text) })
}

// findablePart reports whether what meets text under c has a literal.
func findablePart(c Condition, text string) bool {
	switch c {
	case Regex:
		r, err := pattern.ParseRegex(text, false)
		return err != nil || len(r.Needs()) > 0 && !slices.ContainsFunc(r.Needs(), func(s string) bool { return len(s) <= shortFragment })
	case BeginsWith, EndsWith:
		return true
	case Glob, PathGlob:
		g, err := pattern.ParseGlob(text, c == PathGlob, false)
		if err != nil {
			return true // not this file's to say
		}
		begins, ends, contains := g.Needs()
		for _, part := range contains {
			if len(part) > shortFragment {
				return true
			}
		}
		return begins != "" || ends != ""
	}
	return len(text) > shortFragment
}

// cost names a signal that is judged on every event of some kind.
func (l *linter) cost(d *Definition, width int) {
	p := part{expr: d.Expr}
	_, memory := remembered(p)
	c := coster{l.never, memory}
	var on []string
	if c.published(p) == nothing {
		on = append(on, "every process")
	}
	var kinds event.KindSet
	for _, k := range event.Kinds() {
		if c.met(p, k) == nothing {
			kinds |= event.SetOf(k)
		}
	}
	if kinds != 0 {
		on = append(on, "every "+eventText(kinds))
	}
	if len(on) > 0 {
		l.warn("no-literal", d.Expr.Pos, width, "a term without NOT that the rest is joined to by AND, with is, begins with, ends with, or contains of 4 bytes or more, lets the engine leave out the others",
			"signal can be true without any text that the engine can look for: it is judged on %s", strings.Join(on, " and "))
	}
}
