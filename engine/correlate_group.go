// SPDX-License-Identifier: Apache-2.0

// This file holds what correlations remember: by correlation and group-by values the
// matches of a window, and what was counted of them so far. What temporal_ordered
// keeps beside them is in correlate_ordered.go.

package engine

import (
	"fmt"
	"slices"
	"sort"

	"seismo/internal/event"
	"seismo/internal/recent"
	"seismo/signals"
)

// The limits of what is remembered. A match takes 32 bytes, a group about 300.
const (
	maxMatches      = 1_000_000
	maxMatchBytes   = 64 << 20
	maxGroupMatches = 100_001 // so that the largest bound there is can be exceeded
	maxGroups       = 200_000
)

// What a match and a group take, about, without their texts.
const (
	matchBytes = 32
	valueBytes = 96 // a value that is counted
	groupBytes = 256
	indexBytes = 192 // what a group of ValueCount takes more
)

// match is a match of a rule that feeds a correlation.
type match struct {
	time    int64
	id      event.ID
	ordinal uint64
	rule    uint32 // index into correlation.rules
	value   uint32 // ValueCount: index into group.values. Temporal: 1 if there is a match
}

// tally is what a correlation remembers for one combination of group-by values.
type tally struct {
	of  uint32 // correlation: index into correlationPlan.list
	key string // see correlator.key
	// matches are those of the window by time, then in the order in which they arrived:
	// of EventCount one for each event, of ValueCount one for each event and value. Of
	// Temporal they are the newest of each different rule, by its slot.
	matches []match
	newest  int64       // time of the newest match; if it closes, of the first
	closes  int64       // the end of its window, if it closes
	spent   bool        // an upper bound is passed: nothing is kept until the window closes
	place   int         // in correlator.windows
	values  []seenValue // ValueCount: of the matches; those with n 0 are free
	valueAt map[string]uint32
	free    []uint32
	starts  []int64 // TemporalOrdered: see step
	stale   bool    // starts is to be made anew
	bytes   int     // of all this, about

	touched uint64 // the occurrence that it was last touched by
	counted uint64 // EventCount: the occurrence that was last counted
	recent.Links[*tally]
}

// seenValue is a value and how many matches have it.
type seenValue struct {
	text    string
	n       uint32
	counted uint64 // the occurrence that was last counted
}

// groupTable holds the groups of all correlations.
type groupTable struct {
	list   []correlation // of the plan
	limits struct{ all, bytes, group, groups int }

	of     map[string]*tally
	orders []recent.List[*tally] // by correlation: in the order in which they were last touched
	heap   []uint32              // of room
	// windows is a heap of the groups whose window closes, see before.
	windows        []*tally
	matches, bytes int
	evicted        losses
}

func newGroupTable(p *correlationPlan) groupTable {
	t := groupTable{of: map[string]*tally{}}
	if p != nil {
		t.list, t.orders = p.list, make([]recent.List[*tally], len(p.list))
	}
	t.limits.all, t.limits.bytes, t.limits.group, t.limits.groups = maxMatches, maxMatchBytes, maxGroupMatches, maxGroups
	return t
}

// grow notes that g takes n bytes more, or less.
func (t *groupTable) grow(g *tally, n int) {
	g.bytes += n
	t.bytes += n
}

// put makes a group of correlation k with the key given.
func (t *groupTable) put(k uint32, key string) *tally {
	q := &t.list[k]
	g := &tally{of: k, key: key, place: -1}
	t.of[key] = g
	t.orders[k].Push(g)
	t.grow(g, groupBytes+len(key))
	switch q.typ {
	case signals.ValueCount:
		g.valueAt = map[string]uint32{}
		t.grow(g, indexBytes)
	case signals.Temporal:
		g.matches = make([]match, q.different)
		t.matches += q.different
		t.grow(g, matchBytes*q.different)
	case signals.TemporalOrdered:
		g.starts = newStarts(q)
		t.grow(g, 8*len(g.starts))
	}
	return g
}

// drop forgets g.
func (t *groupTable) drop(g *tally) {
	delete(t.of, g.key)
	t.orders[g.of].Remove(g)
	t.bytes -= g.bytes
	t.matches -= len(g.matches)
	if g.place >= 0 {
		t.unschedule(g)
	}
}

// clear forgets the matches of g.
func (t *groupTable) clear(g *tally) {
	if t.list[g.of].typ == signals.Temporal {
		clear(g.matches)
		return
	}
	t.matches -= len(g.matches)
	t.grow(g, -matchBytes*len(g.matches))
	g.matches = nil
	for _, v := range g.values {
		if v.n > 0 {
			t.grow(g, -valueBytes-len(v.text))
		}
	}
	g.values, g.free = nil, nil
	clear(g.valueAt)
	for i := range g.starts {
		g.starts[i] = never
	}
	g.stale = false
}

// add puts m among the matches of g in its place. A group over its limit loses its
// oldest match.
func (t *groupTable) add(g *tally, m match) {
	q := &t.list[g.of]
	if q.typ == signals.Temporal {
		at := &g.matches[q.slots[m.rule]]
		if at.value == 0 || m.time >= at.time {
			*at = m
			at.value = 1
		}
		return
	}
	n := len(g.matches)
	if n == 0 || g.matches[n-1].time <= m.time {
		g.matches = append(g.matches, m)
		if q.typ == signals.TemporalOrdered && !g.stale {
			q.step(g.starts, m.rule, m.time)
		}
	} else {
		at := sort.Search(n, func(i int) bool { return g.matches[i].time > m.time })
		g.matches = slices.Insert(g.matches, at, m)
		g.stale = true
	}
	t.matches++
	t.grow(g, matchBytes)
	switch {
	case len(g.matches) <= t.limits.group:
	case q.closes: // how many there were is not known any more: that there were few is not said
		t.evicted.add(len(g.matches), m.time)
		t.clear(g)
		g.spent = true
	default:
		t.evicted.add(1, m.time)
		t.forget(g, 1)
	}
}

// forget drops the n oldest matches of g, which is of no Temporal.
func (t *groupTable) forget(g *tally, n int) {
	for _, m := range g.matches[:n] {
		if g.valueAt == nil {
			break
		}
		if v := &g.values[m.value]; v.n == 1 {
			delete(g.valueAt, v.text)
			t.grow(g, -valueBytes-len(v.text))
			*v = seenValue{}
			g.free = append(g.free, m.value)
		} else {
			v.n--
		}
	}
	g.matches = g.matches[n:]
	t.matches -= n
	t.grow(g, -matchBytes*n)
}

// value returns the place of a value among those of g, one more time.
func (t *groupTable) value(g *tally, text []byte) uint32 {
	if at, ok := g.valueAt[string(text)]; ok {
		g.values[at].n++
		return at
	}
	at := uint32(len(g.values))
	if n := len(g.free); n > 0 {
		at = g.free[n-1]
		g.free = g.free[:n-1]
	} else {
		g.values = append(g.values, seenValue{})
	}
	g.values[at] = seenValue{text: string(text), n: 1}
	g.valueAt[g.values[at].text] = at
	t.grow(g, valueBytes+len(text))
	return at
}

// trim forgets the matches of g that lie before the window that ends with its newest.
func (t *groupTable) trim(g *tally) {
	q := &t.list[g.of]
	switch {
	case q.closes:
		return
	case q.typ == signals.Temporal:
		for i := range g.matches {
			if !q.inWindow(g, &g.matches[i]) {
				g.matches[i] = match{}
			}
		}
		return
	}
	n := 0
	for n < len(g.matches) && outside(g.matches[n].time, g.newest, q.timespan) {
		n++
	}
	if n > 0 {
		t.forget(g, n)
	}
}

// count returns what is counted in the window of g.
func (t *groupTable) count(g *tally) int {
	q := &t.list[g.of]
	t.trim(g)
	switch q.typ {
	case signals.ValueCount:
		return len(g.valueAt)
	case signals.Temporal:
		return t.size(g)
	case signals.TemporalOrdered:
		if g.stale {
			q.restart(g)
		}
		return q.longest(g)
	}
	return len(g.matches)
}

// inWindow reports whether m, a match of a Temporal, is one and lies in the window.
func (q *correlation) inWindow(g *tally, m *match) bool {
	return m.value != 0 && (q.closes || !outside(m.time, g.newest, q.timespan))
}

// full reports whether more is remembered than the limits say.
func (t *groupTable) full() bool {
	return t.matches > t.limits.all || t.bytes > t.limits.bytes || len(t.of) > t.limits.groups
}

// room forgets groups, the ones touched longest ago first, until the limits hold
// again. It makes room for an event of the given time.
func (t *groupTable) room(time int64) {
	if !t.full() {
		return
	}
	// One event may be counted by all correlations: looking through them for each group
	// that goes would take the square of their number.
	heap := t.heap[:0]
	for k := range t.orders {
		if t.orders[k].Oldest() != nil {
			heap = append(heap, uint32(k))
		}
	}
	t.heap = heap
	for i := len(heap)/2 - 1; i >= 0; i-- {
		t.sink(heap, i)
	}
	for t.full() && len(heap) > 0 {
		order := &t.orders[heap[0]]
		oldest := order.Oldest()
		t.evicted.add(max(1, t.size(oldest)), time)
		t.drop(oldest)
		if order.Oldest() == nil {
			heap[0] = heap[len(heap)-1]
			heap = heap[:len(heap)-1]
		}
		t.sink(heap, 0)
	}
}

// sink moves element i of a heap of correlations, the one with the group touched longest
// ago at its top, down to its place.
func (t *groupTable) sink(heap []uint32, i int) {
	touched := func(i int) uint64 { return t.orders[heap[i]].Oldest().touched }
	for {
		first := i
		for kid := 2*i + 1; kid <= 2*i+2 && kid < len(heap); kid++ {
			if touched(kid) < touched(first) {
				first = kid
			}
		}
		if first == i {
			return
		}
		heap[i], heap[first] = heap[first], heap[i]
		i = first
	}
}

// size returns the number of matches of g.
func (t *groupTable) size(g *tally) int {
	if t.list[g.of].typ != signals.Temporal {
		return len(g.matches)
	}
	n := 0
	for i := range g.matches {
		n += int(g.matches[i].value)
	}
	return n
}

// lateness is how much longer than its timespan a group is kept that nothing is heard
// of, in nanoseconds: an event that comes so late still finds it.
const lateness = 60e9

// sweep forgets up to n groups of correlation k that nothing was heard of for a whole
// timespan and the lateness before now.
func (t *groupTable) sweep(k uint32, now int64, n int) {
	q := &t.list[k]
	if q.closes {
		return
	}
	for ; n > 0; n-- {
		g := t.orders[k].Oldest()
		if g == nil || !outside(g.newest, now, after(q.timespan, lateness)) {
			return
		}
		t.drop(g)
	}
}

// tell adds to b what was forgotten for want of room.
func (t *groupTable) tell(b *event.Batch) {
	if t.evicted.count == 0 {
		return
	}
	l := t.limits
	loss := event.Loss{From: t.evicted.from, To: t.evicted.to, Reason: event.LossCorrelation, Count: t.evicted.count, Unit: "matches",
		Detail: fmt.Sprintf("correlations remember at most %d matches of a group, %d in all, %d groups, and %d MB", l.group, l.all, l.groups, l.bytes>>20)}
	b.Losses = append(b.Losses, loss)
	t.evicted = losses{}
}
