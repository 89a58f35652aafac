// SPDX-License-Identifier: Apache-2.0

// This file says on which events a signal can fire, as package engine decides it
// (its eval.go): by the class of the branch that is true. What can never be true
// for other reasons is found in linttruth.go and left out here.

package signals

import "seismo/internal/event"

// firing says by which branches an expression can be true, and on events of which
// kinds. A branch is one way through the expression: all parts of an AND, one part
// of an OR. Its class is the highest of its parts':
//
//   - process: terms on the process only. It fires when the process is published.
//   - negated: terms on the event as well, all with NOT. It does not fire.
//   - latched: positive terms or groups, all of them met by earlier events. It
//     fires only if a late value of the process completes it.
//   - now: the event itself meets a positive term or a group. It fires.
//
// Terms with NOT are judged on the event at hand, so they bound the kinds of every
// class; positive ones can have been met by an event of any kind before.
type firing struct {
	process, negated, latched, now event.KindSet
}

// fires returns the kinds of event that a signal with these branches can fire on.
// late says that a late value of its process could make a difference.
func (f firing) fires(late bool) event.KindSet {
	kinds := f.now
	if published := event.SetOf(event.KindProcess); f.process != 0 || late && f.latched&published != 0 {
		kinds |= published
	}
	return kinds
}

// any returns the kinds on which some branch can be true.
func (f firing) any() event.KindSet { return f.process | f.negated | f.latched | f.now }

// and returns the branches made of one branch of a and one of b.
func (a firing) and(b firing) firing {
	low := func(f firing) event.KindSet { return f.process | f.negated }
	return firing{
		process: a.process & b.process,
		negated: a.negated&low(b) | b.negated&a.process,
		latched: a.latched&(low(b)|b.latched) | b.latched&low(a),
		now:     a.now&b.any() | b.now&a.any(),
	}
}

func (a firing) or(b firing) firing {
	return firing{a.process | b.process, a.negated | b.negated, a.latched | b.latched, a.now | b.now}
}

// firer finds the firing of expressions.
type firer struct {
	available event.KindSet     // the kinds of event that there are
	never     func(p part) bool // which parts are never true; nil: none is known
}

// on returns how p can be true. In a group nothing is remembered.
func (r firer) on(p part, group bool) firing {
	e := p.expr
	if r.never != nil && r.never(p) {
		return firing{}
	}
	switch e.Op {
	case ExprTerm:
		return r.term(e.Term, p.negate != e.Term.Negate, group)
	case ExprNot:
		return r.on(part{e.Kids[0], !p.negate}, group)
	case ExprGroup:
		f := r.on(part{e.Kids[0], p.negate}, true)
		if f.now |= f.negated; f.now != 0 && !group {
			f.latched = event.AllKinds
		}
		f.negated = 0
		return f
	case ExprAnd, ExprOr:
		all := r.on(part{e.Kids[0], p.negate}, group)
		for _, k := range e.Kids[1:] {
			if f := r.on(part{k, p.negate}, group); (e.Op == ExprOr) != p.negate {
				all = all.or(f)
			} else {
				all = all.and(f)
			}
		}
		return all
	}
	// What it is made of is not known here.
	return firing{process: event.AllKinds, negated: r.available, latched: event.AllKinds, now: r.available}
}

func (r firer) term(t *TermExpr, negate, group bool) firing {
	kinds := termKinds(t) & r.available
	switch {
	case !eventTerm(t):
		return firing{process: event.AllKinds}
	case negate:
		return firing{negated: kinds}
	case group || kinds == 0:
		return firing{now: kinds}
	}
	return firing{now: kinds, latched: event.AllKinds}
}
