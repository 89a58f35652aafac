// SPDX-License-Identifier: Apache-2.0

// This file finds what can never be true, and what always is, whatever the events
// are. It claims only what holds with the memory that signals have; what it does not
// see through it calls neither. Which comparisons of one field exclude each other is
// in lintconflict.go.

package signals

import (
	"strings"

	"seismo/internal/event"
)

// truth is what is known of an expression beforehand.
type truth struct {
	never bool
	// everywhere says that it is true of every process, by terms on the process alone.
	everywhere bool
	always     event.KindSet // true on every event of these kinds, by terms on the event
	meets      event.KindSet // and every one of them meets a term without NOT, or a group
}

// place says where an expression stands.
type place struct {
	group bool // in a group: all terms are judged on one event
	// beside says that another part, joined by AND, has a positive term on the event:
	// then what the expression remembers can be of an earlier event.
	beside bool
}

// truth returns what is known of p, and says where parts of it make it so.
func (l *linter) truth(p part, at place) truth {
	known := l.truthOf(p, at)
	if known.never {
		l.never[p] = true
	}
	return known
}

func (l *linter) truthOf(p part, at place) truth {
	switch e := p.expr; e.Op {
	case ExprTerm:
		return l.termTruth(e.Term, p.negate != e.Term.Negate, at)
	case ExprNot:
		return l.truth(part{e.Kids[0], !p.negate}, at)
	case ExprGroup:
		in := l.truth(part{e.Kids[0], p.negate}, place{group: true})
		in.meets = in.always
		return in
	case ExprAnd, ExprOr:
		if (e.Op == ExprAnd) != p.negate {
			return l.conjunction(flatten(e, p.negate, nil), at)
		}
		return l.disjunction(flatten(e, p.negate, nil), at)
	}
	return truth{}
}

func (l *linter) conjunction(parts []part, at place) truth {
	positive := 0
	for _, p := range parts {
		if positiveOnEvent(p) {
			positive++
		}
	}
	all := truth{everywhere: true, always: event.AllKinds}
	for _, p := range parts {
		k := l.truth(p, place{at.group, at.beside || positive > 1})
		whole := func(t truth) event.KindSet { // with what every process meets
			if t.everywhere {
				return event.AllKinds
			}
			return t.always
		}
		all = truth{
			never:      all.never || k.never,
			everywhere: all.everywhere && k.everywhere,
			always:     whole(all) & whole(k),
			meets:      all.meets&whole(k) | k.meets&whole(all),
		}
	}
	if all.everywhere {
		all.always = 0
	}
	for _, c := range l.conflicts(parts, false, at, positive <= 1 && !at.beside) {
		all = truth{never: true}
		l.warn("always-false", c.term.Pos, c.term.nameWidth, c.hint, "never true: %s", c.why)
	}
	return all
}

func (l *linter) disjunction(parts []part, at place) truth {
	all := truth{never: true}
	for _, p := range parts {
		k := l.truth(p, at)
		all = truth{all.never && k.never, all.everywhere || k.everywhere, all.always | k.always, all.meets | k.meets}
	}
	// It is always true if none of its parts being true is a contradiction.
	for _, c := range l.conflicts(parts, true, at, true) {
		l.warn("always-true", c.term.Pos, c.term.nameWidth, "", "always true: whatever the value, and without one, %s or %s is met", c.other.Text, c.term.Text)
		if eventTerm(c.term) {
			all.always |= termKinds(c.term)
		} else {
			all.everywhere = true
		}
	}
	if at.group {
		all.meets = all.always
	}
	return all
}

// positiveOnEvent reports whether an event can meet a positive term or a group of p.
func positiveOnEvent(p part) bool {
	switch e := p.expr; e.Op {
	case ExprTerm:
		return eventTerm(e.Term) && e.Term.Negate == p.negate
	case ExprGroup:
		return true
	case ExprNot, ExprAnd, ExprOr:
		for _, k := range e.Kids {
			if positiveOnEvent(part{k, p.negate != (e.Op == ExprNot)}) {
				return true
			}
		}
		return false
	}
	return true
}

// termTruth returns what is known of t by itself, negated or not.
func (l *linter) termTruth(t *TermExpr, negate bool, at place) truth {
	met, why := comparedTruth(t)
	if met == sometimes {
		return truth{}
	}
	if (met == atNoTime) != negate {
		l.warn("always-false", t.Pos, t.nameWidth, "", "never true: %s", why)
		return truth{never: true}
	}
	if !eventTerm(t) {
		l.warn("always-true", t.Pos, t.nameWidth, "", "always true: %s", why)
		return truth{everywhere: true}
	}
	known := truth{always: termKinds(t)}
	if !t.implied {
		l.warn("always-true", t.Pos, t.nameWidth, "", "true on every %s: %s", eventText(known.always), why)
	}
	if !negate || at.group {
		known.meets = known.always
	}
	return known
}

// when says how often a comparison is met.
type when uint8

const (
	sometimes when = iota
	atNoTime
	atAllTimes
)

// comparedTruth says when what t compares is met, leaving its NOT aside, if that
// follows from the field alone.
func comparedTruth(t *TermExpr) (when, string) {
	if t.Own || t.AnyKind {
		return sometimes, ""
	}
	name := event.Describe(t.Field).Name
	if isOperation(t.Field) {
		if t.Cond == Exists {
			return atAllTimes, name + " is never absent"
		}
		return operationTruth(t)
	}
	if strings.HasSuffix(name, "_name") || strings.HasSuffix(name, ".name") {
		return nameTruth(t)
	}
	return sometimes, ""
}

func operationTruth(t *TermExpr) (when, string) {
	if t.Cond > EndsWith {
		return sometimes, ""
	}
	met := newCover(!t.Cased, termAtoms(t))
	all, none := true, true
	for _, op := range operationsOf(t.Field) {
		_, ok := met.implied(Atom{Field: t.Field, Cond: Is, Cased: t.Cased, Literal: op.String()}, nil)
		all, none = all && ok, none && !ok
	}
	switch {
	case all:
		return atAllTimes, "every operation meets " + t.Text
	case none:
		return atNoTime, "no operation meets " + t.Text
	}
	return sometimes, ""
}

// nameTruth knows that the name of a file has no slash.
func nameTruth(t *TermExpr) (when, string) {
	switch t.Field {
	case event.ProcessName, event.ParentName, event.AncestryName, event.FileName:
	default:
		return sometimes, ""
	}
	if t.Cond > EndsWith {
		return sometimes, ""
	}
	for _, v := range t.Values {
		if !strings.Contains(v.Text, "/") {
			return sometimes, ""
		}
	}
	path := strings.TrimSuffix(t.name(), "name") + "path"
	return atNoTime, t.name() + " is what follows the last slash; " + path + " has all of it"
}

// eventText names events of kinds.
func eventText(kinds event.KindSet) string {
	if kinds == event.AllKinds {
		return "event"
	}
	return strings.ReplaceAll(kindsText(kinds), " ", " and ") + " event"
}
