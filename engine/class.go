// SPDX-License-Identifier: Apache-2.0

// This file is the algebra of branches: which ways through an expression are true
// on an event, and what makes them so. What a process remembers is in memory.go,
// one term is judged in judge.go, the proof of a match is made in proof.go.

package engine

import (
	"seismo/internal/event"
	"seismo/signals"
)

// branchSet says which classes of branch are true. A branch is one way through
// an expression: all parts of an AND, one part of an OR. Its class decides
// whether it lets the signal fire, so an expression need not be multiplied out
// into its branches: the classes of the parts give those of the whole.
type branchSet uint8

// The classes, each above those it wins over when parts are joined.
const (
	onProcess   branchSet = 1 << iota // terms on the process only
	negatedOnly                       // a negated event term, but no positive one
	latched                           // positive event terms or groups, all of them met by earlier events
	onThisEvent                       // the event at hand meets a positive event term or a group

	// standing are the classes that a late value of the process can complete.
	standing = onProcess | latched
)

// join returns the classes of the branches made of one branch of a and one of b:
// a class of either stands if the other has one that is not above it.
func join(a, b branchSet) branchSet {
	if a == 0 || b == 0 {
		return 0
	}
	return (a | b) &^ (max(a&-a, b&-b) - 1)
}

// grouped returns the classes of a group whose expression has those of s. A
// group with any event term, negated or not, is met by the event as a whole.
func grouped(s branchSet) branchSet {
	if s&^onProcess != 0 {
		return s&onProcess | onThisEvent
	}
	return s
}

// firing returns the classes of branch that let the expression at root fire on
// the event at hand, or 0 if none of its true branches has one of them.
func (m *Matcher) firing(root uint32) branchSet {
	if m.judge.arrived {
		wanted := onThisEvent
		all := m.fill(root)
		if all&standing != 0 && m.fillBefore(root)&standing == 0 {
			wanted |= standing
		}
		if all&wanted == 0 {
			return 0
		}
		return wanted
	}
	wanted := onThisEvent
	if e := m.judge.event; e.Kind == event.KindProcess && e.Op == event.OpCreate {
		wanted |= onProcess
	}
	if m.branches(root)&wanted == 0 {
		return 0
	}
	return wanted
}

// fillBefore is fill without the late values that the event at hand brings.
func (m *Matcher) fillBefore(root uint32) branchSet {
	m.judge.judgeBefore(true)
	s := m.fill(root)
	m.judge.judgeBefore(false)
	return s
}

// branches returns the classes of the true branches of node i on the event at
// hand. Once one is found that fires anyway, an OR leaves out the others.
func (m *Matcher) branches(i uint32) branchSet {
	if m.remembers {
		if k, ok := m.p.memory.itemOf(i); ok {
			return m.recall(k)
		}
	}
	n := &m.p.nodes[i]
	kids := m.p.kids[n.from:n.to]
	switch n.op {
	case signals.NodeTerm:
		return m.term(n.term)
	case signals.NodeAnd:
		all := onProcess
		for _, kid := range kids {
			if all = join(all, m.branches(kid)); all == 0 {
				return 0
			}
		}
		return all
	case signals.NodeOr:
		var found branchSet
		for _, kid := range kids {
			if found |= m.branches(kid); found&onThisEvent != 0 {
				return found
			}
		}
		return found
	}
	return grouped(m.alone(kids[0]))
}

// alone is branches for an expression that is judged on the event at hand alone:
// inside a group, and where nothing is remembered.
func (m *Matcher) alone(i uint32) branchSet {
	remembers := m.remembers
	m.remembers = false
	s := m.branches(i)
	m.remembers = remembers
	return s
}

// term returns the class of the term at index i if it is true, else none.
func (m *Matcher) term(i uint32) branchSet {
	t := &m.p.terms[i]
	switch {
	case !m.holds(i):
		return 0
	case !t.onEvent:
		return onProcess
	case t.negate:
		return negatedOnly
	}
	return onThisEvent
}

// fill notes for each node under i the classes of its true branches, all of them.
func (m *Matcher) fill(i uint32) branchSet {
	if m.sets == nil {
		m.sets = make([]branchSet, len(m.p.nodes))
	}
	n := &m.p.nodes[i]
	kids := m.p.kids[n.from:n.to]
	var s branchSet
	switch n.op {
	case signals.NodeTerm:
		s = m.term(n.term)
	case signals.NodeAnd:
		s = onProcess
		for _, kid := range kids {
			s = join(s, m.fill(kid))
		}
	case signals.NodeOr:
		for _, kid := range kids {
			s |= m.fill(kid)
		}
	case signals.NodeGroup:
		remembers := m.remembers
		m.remembers = false
		s = grouped(m.fill(kids[0]))
		m.remembers = remembers
	}
	if m.remembers && s&onThisEvent == 0 {
		if k, ok := m.p.memory.itemOf(i); ok && m.latches.at.has(k) {
			s |= latched
		}
	}
	m.sets[i] = s
	return s
}
