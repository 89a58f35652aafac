// SPDX-License-Identifier: Apache-2.0

// This file judges correlations a second time, in the plainest way: every match is
// kept until its group fires or begins anew, and all of them are looked at each time.
// A random test compares the two.

package engine

import (
	"cmp"
	"slices"
	"strings"

	"seismo/internal/event"
	"seismo/signals"
)

// countedMatch is a match of a rule that counts for a group.
type countedMatch struct {
	time  int64
	event event.ID
	occ   int // the occurrence: one event, or the end of one window
	rule  int
	value string
}

// countedGroup has all matches of a group in the order in which they came.
type countedGroup struct {
	key     []string
	matches []countedMatch
	newest  int64
	begin   int64 // of a window that is closed
}

// correlatedFire is a correlation that fired: on which event, for which group, with which
// count and matches.
type correlatedFire struct {
	signal  uint32
	key     string
	count   int
	matches []countedMatch
}

// naiveCorrelator judges a set of correlations, by signal; each refers to lower
// signals only, so that they can be judged in that order.
type naiveCorrelator struct {
	of     []*signals.Correlation
	groups []map[string]*countedGroup
	occ    int
}

func newNaiveCorrelator(of []*signals.Correlation) *naiveCorrelator {
	n := &naiveCorrelator{of: of}
	for range of {
		n.groups = append(n.groups, map[string]*countedGroup{})
	}
	return n
}

// countedEvent is an event as the naive correlator sees it.
type countedEvent struct {
	id     event.ID
	time   int64
	fired  []uint32
	fields map[string][]string
}

// batch judges events as those of one batch, and returns what fires on each, by id.
func (n *naiveCorrelator) batch(events []countedEvent) map[event.ID][]correlatedFire {
	events = slices.Clone(events)
	slices.SortStableFunc(events, func(a, b countedEvent) int { return cmp.Compare(a.time, b.time) })
	out := map[event.ID][]correlatedFire{}
	for _, e := range events {
		out[e.id] = append(n.closeUntil(e.time), n.occur(e)...)
	}
	return out
}

func (n *naiveCorrelator) occur(e countedEvent) (fires []correlatedFire) {
	n.occ++
	fired := map[uint32]bool{}
	for _, i := range e.fired {
		fired[i] = true
	}
	for i, c := range n.of {
		if c == nil {
			continue
		}
		got := n.count(uint32(i), c, e, fired)
		if len(got) > 0 {
			fired[uint32(i)] = true
			fires = append(fires, got...)
		}
	}
	return fires
}

func (n *naiveCorrelator) count(i uint32, c *signals.Correlation, e countedEvent, fired map[uint32]bool) (fires []correlatedFire) {
	touched := map[string]bool{}
	for r, rule := range c.Rules {
		if !fired[rule] {
			continue
		}
		values := []string{""}
		if c.Type == signals.ValueCount {
			if values = foldedValues(e.fields[c.Field[r]]); len(values) == 0 {
				continue
			}
		}
		for _, key := range groupKeys(c, r, e) {
			g := n.groupOf(i, c, key, e.time)
			touched[strings.Join(key, "\x00")] = true
			for _, v := range values {
				g.matches = append(g.matches, countedMatch{e.time, e.id, n.occ, r, v})
			}
		}
	}
	if atClose(c) {
		return nil
	}
	for key := range touched {
		g := n.groups[i][key]
		var window []countedMatch
		for _, m := range g.matches {
			if m.time > g.newest-c.Timespan {
				window = append(window, m)
			}
		}
		if count := countOf(c, window); boundsHold(c, count) {
			fires = append(fires, correlatedFire{i, strings.Join(g.key, ", "), count, window})
			delete(n.groups[i], key)
		}
	}
	return fires
}

// groupOf finds a group, begins it anew if a match at t is too old for it, and opens
// it if there is none.
func (n *naiveCorrelator) groupOf(i uint32, c *signals.Correlation, key []string, t int64) *countedGroup {
	joined := strings.Join(key, "\x00")
	g := n.groups[i][joined]
	if g != nil && t <= g.newest-c.Timespan {
		g = nil
	}
	if g == nil {
		g = &countedGroup{key: key, newest: t, begin: t}
		n.groups[i][joined] = g
	}
	if !atClose(c) {
		g.newest = max(g.newest, t)
	}
	return g
}

// closeUntil judges the windows that close until now, in their order.
func (n *naiveCorrelator) closeUntil(now int64) (fires []correlatedFire) {
	for {
		first, at, end := "", -1, int64(0)
		for i := range n.of {
			if n.of[i] == nil || !atClose(n.of[i]) {
				continue
			}
			for key, g := range n.groups[i] {
				closes := g.begin + n.of[i].Timespan
				if closes > now {
					continue
				}
				if at < 0 || closes < end || closes == end && (i > at || i == at && key < first) {
					first, at, end = key, i, closes
				}
			}
		}
		if at < 0 {
			return fires
		}
		c, g := n.of[at], n.groups[at][first]
		delete(n.groups[at], first)
		count := countOf(c, g.matches)
		if !boundsHold(c, count) {
			continue
		}
		fires = append(fires, correlatedFire{uint32(at), strings.Join(g.key, ", "), count, g.matches})
		fields := map[string][]string{}
		for i, names := range c.GroupBy {
			for _, name := range names {
				if _, ok := fields[name]; !ok {
					fields[name] = []string{g.key[i]}
				}
			}
		}
		last := g.matches[0]
		for _, m := range g.matches {
			if m.time > last.time || m.time == last.time && m.event > last.event {
				last = m
			}
		}
		fires = append(fires, n.occur(countedEvent{last.event, end, []uint32{uint32(at)}, fields})...)
	}
}

// groupKeys returns the combinations of the group-by values of e for rule r.
func groupKeys(c *signals.Correlation, r int, e countedEvent) [][]string {
	keys := [][]string{nil}
	for _, names := range c.GroupBy {
		var next [][]string
		for _, key := range keys {
			for _, v := range foldedValues(e.fields[names[r]]) {
				next = append(next, append(slices.Clone(key), v))
			}
		}
		keys = next
	}
	return keys
}

func foldedValues(values []string) (out []string) {
	for _, v := range values {
		if v = asciiLower(v); !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

func atClose(c *signals.Correlation) bool {
	upper, lower := false, false
	for _, n := range c.Counts {
		upper = upper || n.Op == signals.CountLess || n.Op == signals.CountLessEqual
		lower = lower || n.Op == signals.CountGreater || n.Op == signals.CountGreaterEqual || n.Op == signals.CountEqual
	}
	return upper && !lower
}

// countOf counts what c asks for among matches, those of a window.
func countOf(c *signals.Correlation, window []countedMatch) int {
	different := map[any]bool{}
	for _, m := range window {
		switch c.Type {
		case signals.EventCount:
			different[m.occ] = true
		case signals.ValueCount:
			different[m.value] = true
		case signals.Temporal:
			different[c.Rules[m.rule]] = true
		}
	}
	if c.Type != signals.TemporalOrdered {
		return len(different)
	}
	return longestChain(c, window)
}

// longestChain returns the length of the longest chain: the events by time, then as they
// came, each meets a later rule than the one before.
func longestChain(c *signals.Correlation, window []countedMatch) int {
	window = slices.Clone(window)
	slices.SortStableFunc(window, func(a, b countedMatch) int { return cmp.Compare(a.time, b.time) })
	var longest func(from, rule, last int) int
	longest = func(from, rule, last int) int {
		best := 0
		for i := from; i < len(window); i++ {
			if m := window[i]; m.rule >= rule && m.occ != last {
				best = max(best, 1+longest(i+1, m.rule+1, m.occ))
			}
		}
		return best
	}
	return longest(0, 0, -1)
}

func boundsHold(c *signals.Correlation, n int) bool {
	counts := c.Counts
	if len(counts) == 0 {
		different := map[uint32]bool{}
		for _, r := range c.Rules {
			different[r] = true
		}
		all := len(different)
		if c.Type == signals.TemporalOrdered {
			all = len(c.Rules)
		}
		counts = []signals.Count{{Op: signals.CountGreaterEqual, N: uint64(all)}}
	}
	for _, b := range counts {
		ok := false
		switch v := uint64(n); b.Op {
		case signals.CountGreater:
			ok = v > b.N
		case signals.CountGreaterEqual:
			ok = v >= b.N
		case signals.CountLess:
			ok = v < b.N
		case signals.CountLessEqual:
			ok = v <= b.N
		case signals.CountEqual:
			ok = v == b.N
		case signals.CountNotEqual:
			ok = v != b.N
		}
		if !ok {
			return false
		}
	}
	return true
}
