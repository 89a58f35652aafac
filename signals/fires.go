// SPDX-License-Identifier: Apache-2.0

// This file says on which events a signal can fire as signals are judged in this
// version: every term on the event at hand and its process.

package signals

import "seismo/internal/event"

// firing says by which branches an expression can be true, and on which events.
// A branch is one way through the expression: all parts of an AND, one part of an
// OR. It fires on an event that meets a term without NOT, or a group; without
// terms on the event it fires when the process is published; else never.
type firing struct {
	met     event.KindSet // branches with a term that the event meets, or a group
	negated event.KindSet // branches whose terms on the event all have NOT
	process bool          // branches without terms on the event
}

// firesOn returns how e, negated if negate, can be true.
func firesOn(e *Expr, negate bool) firing {
	switch e.Op {
	case ExprTerm:
		switch kinds := termKinds(e.Term); {
		case !eventTerm(e.Term):
			return firing{process: true}
		case e.Term.Negate == negate:
			return firing{met: kinds}
		default:
			return firing{negated: kinds}
		}
	case ExprNot:
		return firesOn(e.Kids[0], !negate)
	case ExprGroup:
		f := firesOn(e.Kids[0], negate)
		return firing{met: f.met | f.negated, process: f.process}
	}
	all := firesOn(e.Kids[0], negate)
	for _, k := range e.Kids[1:] {
		f := firesOn(k, negate)
		if (e.Op == ExprOr) != negate {
			all = firing{all.met | f.met, all.negated | f.negated, all.process || f.process}
		} else {
			all = all.and(f)
		}
	}
	return all
}

func (a firing) and(b firing) firing {
	both := firing{
		met:     a.met&(b.met|b.negated) | b.met&a.negated,
		negated: a.negated & b.negated,
		process: a.process && b.process,
	}
	if a.process {
		both.met |= b.met
		both.negated |= b.negated
	}
	if b.process {
		both.met |= a.met
		both.negated |= a.negated
	}
	return both
}
