// SPDX-License-Identifier: Apache-2.0

// This file is the plain evaluator: it walks the expression of every signal of
// an event's kind. It is written to be obviously right; faster ways are measured
// against it and must agree with it. One term is judged in judge.go, the proof
// of a match is made in proof.go.

package engine

import (
	"slices"

	"seismo/internal/event"
	"seismo/signals"
)

// Matcher judges events with a program. It is for one goroutine.
//
// Terms are judged on the event at hand and its process. Nothing is remembered:
// a signal whose terms are met by different events of a process does not fire,
// and one on the process alone that fired when it was created fires again when a
// late value of it arrives.
type Matcher struct {
	p        *Program
	judge    judge
	routed   bool
	platform string     // that the routes are for
	routes   [][]uint32 // the signals to judge, by kind of event

	matches, evaluations []uint64 // by signal

	sets   []branchSet // by node, while a proof is made
	suffix []branchSet // a stack, while a proof is made
}

// NewMatcher returns a matcher for p that has counted nothing.
func (p *Program) NewMatcher() *Matcher {
	return &Matcher{
		p:           p,
		judge:       judge{p: p},
		matches:     make([]uint64, len(p.signals)),
		evaluations: make([]uint64, len(p.signals)),
	}
}

// Program returns the program that m judges with.
func (m *Matcher) Program() *Program { return m.p }

// Counts returns how often each signal fired since the matcher was made, by the
// index of the signal. The slice is the caller's.
func (m *Matcher) Counts() []uint64 { return slices.Clone(m.matches) }

// Evaluations returns how often each signal was judged since the matcher was
// made, by the index of the signal. The slice is the caller's.
func (m *Matcher) Evaluations() []uint64 { return slices.Clone(m.evaluations) }

// Match judges every event of b with every signal that is for its kind and for
// b's platform; a batch whose platform is not known is judged by the signals of
// all platforms. For each signal that fires, in the order of the program, the
// event gets a tag with the proof, and the verdict Keep. The proofs copy what
// they say and may be kept. An event on which nothing fires costs no allocation.
func (m *Matcher) Match(b *event.Batch) {
	m.route(b.Platform)
	for _, e := range b.Events() {
		if int(e.Kind) >= len(m.routes) {
			continue
		}
		m.judge.event, m.judge.process = e, e.Process
		wanted := wantedOn(e)
		for _, i := range m.routes[e.Kind] {
			m.evaluations[i]++
			root := m.p.signals[i].root
			if m.branches(root)&wanted == 0 {
				continue
			}
			m.matches[i]++
			e.Tags = append(e.Tags, event.Tag{Signal: i, Proof: m.proof(root, wanted)})
			e.Verdict = event.Keep
		}
	}
	m.judge.event, m.judge.process = nil, nil
}

// route finds the signals of a platform, by the kind of event.
func (m *Matcher) route(platform string) {
	if m.routed && m.platform == platform {
		return
	}
	kinds := event.Kinds()
	m.routed, m.platform = true, platform
	m.routes = make([][]uint32, int(kinds[len(kinds)-1])+1)
	for i, s := range m.p.signals {
		of := m.p.definitions[i].Platforms
		if platform != "" && len(of) > 0 && !slices.Contains(of, platform) {
			continue
		}
		for _, k := range kinds {
			if s.kinds.Has(k) {
				m.routes[k] = append(m.routes[k], uint32(i))
			}
		}
	}
}

// branchSet says which classes of branch are true. A branch is one way through
// an expression: all parts of an AND, one part of an OR. Its class decides
// whether it lets the signal fire, so an expression need not be multiplied out
// into its branches: the classes of the parts give those of the whole.
type branchSet uint8

// The classes, each above those it wins over when parts are joined.
const (
	onProcess   branchSet = 1 << iota // terms on the process only
	negatedOnly                       // a negated event term, but no positive one
	onThisEvent                       // the event meets a positive event term or a group
)

// wantedOn returns the classes of branch that fire on e: an event must itself
// meet something, and a branch on the process alone fires when the process, or
// a late value of it, is published.
func wantedOn(e *event.Event) branchSet {
	if e.Kind == event.KindProcess && (e.Op == event.OpCreate || e.Op == event.OpUpdate) {
		return onThisEvent | onProcess
	}
	return onThisEvent
}

// join returns the classes of the branches made of one branch of a and one of b.
func join(a, b branchSet) branchSet {
	if a == 0 || b == 0 {
		return 0
	}
	joined := (a | b) & onThisEvent
	const upToNegated = onProcess | negatedOnly
	if a&upToNegated != 0 && b&upToNegated != 0 {
		joined |= (a | b) & negatedOnly
	}
	return joined | a&b&onProcess
}

// grouped returns the classes of a group whose expression has those of s. A
// group with any event term, negated or not, is met by the event as a whole.
func grouped(s branchSet) branchSet {
	if s&^onProcess != 0 {
		return s&onProcess | onThisEvent
	}
	return s
}

// branches returns the classes of the true branches of node i on the event at
// hand. Once one is found that fires anyway, an OR leaves out the others.
func (m *Matcher) branches(i uint32) branchSet {
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
	return grouped(m.branches(kids[0]))
}

// term returns the class of the term at index i if it is true, else none.
func (m *Matcher) term(i uint32) branchSet {
	t := &m.p.terms[i]
	switch {
	case !m.judge.holds(t, nil):
		return 0
	case !t.onEvent:
		return onProcess
	case t.negate:
		return negatedOnly
	}
	return onThisEvent
}
