// SPDX-License-Identifier: Apache-2.0

// This file measures how near a signal came to firing on an event, and ranks what
// came nearest.

package engine

import (
	"cmp"
	"slices"

	"seismo/internal/event"
	"seismo/signals"
)

// Nearness counts the terms of that branch of an expression that came nearest to
// being true: the one with the fewest terms that are not met, of those the one with
// the fewest that are not known, of those the one with the most terms.
type Nearness struct {
	Met     int // true on this event or an earlier one
	Unknown int // not recorded
	Unmet   int // false
}

// Terms returns the number of terms of the branch.
func (n Nearness) Terms() int { return n.Met + n.Unknown + n.Unmet }

// Compare orders by what came nearest: fewest terms unmet, then fewest not known,
// then the greatest share of terms that are met. It returns a negative number if n
// is nearer than o.
func (n Nearness) Compare(o Nearness) int {
	return cmp.Or(cmp.Compare(n.Unmet, o.Unmet), cmp.Compare(n.Unknown, o.Unknown), cmp.Compare(o.Met*n.Terms(), n.Met*o.Terms()))
}

func (n Nearness) add(o Nearness) Nearness {
	return Nearness{n.Met + o.Met, n.Unknown + o.Unknown, n.Unmet + o.Unmet}
}

// near returns how near node i is to being true.
func (x *Explainer) near(i uint32, remembered bool) Nearness { return x.nearest(i, remembered, nil) }

// nearest is near that appends to lacks, unless it is nil, the texts of the terms of
// that branch that are not met.
func (x *Explainer) nearest(i uint32, remembered bool, lacks *[]string) Nearness {
	p := x.m.p
	n := &p.nodes[i]
	kids := p.kids[n.from:n.to]
	switch n.op {
	case signals.NodeAnd:
		var out Nearness
		for _, kid := range kids {
			out = out.add(x.nearest(kid, remembered, lacks))
		}
		return out
	case signals.NodeOr:
		best := kids[0]
		out := x.near(best, remembered)
		for _, kid := range kids[1:] {
			of := x.near(kid, remembered)
			if c := of.Compare(out); c < 0 || c == 0 && of.Met > out.Met {
				best, out = kid, of
			}
		}
		if lacks != nil {
			x.nearest(best, remembered, lacks)
		}
		return out
	}
	var out Nearness
	switch {
	case n.op == signals.NodeTerm && x.alone:
		out = x.nearAloneTerm(n.term)
	case n.op == signals.NodeTerm:
		out = x.nearTerm(&p.terms[n.term])
	default:
		out = x.near(kids[0], false)
	}
	if out.Met == out.Terms() {
		return out
	}
	if remembered && x.remembers() {
		if k, ok := p.memory.itemOf(i); ok && x.latch(k) != nil {
			return Nearness{Met: out.Terms()}
		}
	}
	if lacks != nil && n.op == signals.NodeGroup {
		x.nearest(kids[0], false, lacks)
	} else if lacks != nil && out.Unmet > 0 {
		*lacks = append(*lacks, p.terms[n.term].text)
	}
	return out
}

func (x *Explainer) nearTerm(t *term) Nearness {
	switch e := x.m.judge.event; {
	case !t.concerns(e.Kind):
	case !x.known(t):
		return Nearness{Unknown: 1}
	case x.m.judge.holds(t, nil):
		return Nearness{Met: 1}
	}
	return Nearness{Unmet: 1}
}

// NearMiss is an event on which a signal did not fire.
type NearMiss struct {
	Nearness
	Signal uint32
	Event  event.ID
	Time   int64 // of the event, Unix time, nanoseconds
	Trace  *Trace
}

// compare orders by nearness, then by time and id of the event, then by signal.
func (n *NearMiss) compare(o *NearMiss) int {
	return cmp.Or(n.Nearness.Compare(o.Nearness), cmp.Compare(n.Time, o.Time), cmp.Compare(n.Event, o.Event), cmp.Compare(n.Signal, o.Signal))
}

// RankNearMisses sorts list, the nearest first: fewest terms unmet, fewest not known,
// the greatest share met, earliest event, signals in the order of the program. It
// returns the first top of them.
func RankNearMisses(list []NearMiss, top int) []NearMiss {
	slices.SortFunc(list, func(a, b NearMiss) int { return a.compare(&b) })
	return list[:min(len(list), max(top, 0))]
}

// NearMisses keeps those that came nearest of any number of events.
type NearMisses struct {
	Top  int // how many to keep
	list []NearMiss
}

// Consider explains the signal on the event at hand of x and keeps the explanation
// if it did not fire and is among the nearest, which it reports. Where no term is met
// nothing is near.
func (n *NearMisses) Consider(x *Explainer, signal uint32, o ExplainOptions) (kept bool) {
	near, ok := x.Nearness(signal, o)
	if !ok || near.Met == 0 || n.Top <= 0 {
		return false
	}
	e := x.Event()
	miss := NearMiss{Nearness: near, Signal: signal, Event: e.ID, Time: e.Time}
	if len(n.list) == n.Top && miss.compare(&n.list[len(n.list)-1]) >= 0 {
		return false
	}
	if miss.Trace = x.Explain(signal, o); miss.Trace.Fires == True {
		return false
	}
	n.list = RankNearMisses(append(n.list, miss), n.Top)
	return true
}

// List returns what was kept, the nearest first.
func (n *NearMisses) List() []NearMiss { return n.list }
