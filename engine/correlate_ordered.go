// SPDX-License-Identifier: Apache-2.0

// This file counts what temporal_ordered asks for: the longest chain of different
// events, each after the one before, that met rules in the order in which they are
// written. Beside the matches a group keeps, for each length of a chain and the rule
// that it ends with, when the latest such chain began: what a match changes of that
// does not depend on how many there are.

package engine

import (
	"cmp"
	"math"
	"slices"
)

// never is where no chain began.
const never = math.MinInt64

// newStarts returns the starts of a group without matches. If q asks for all rules,
// starts[r] is of the chain of the rules up to r; else starts[n*rules+r] is of chains
// of n+1 rules that end with r.
func newStarts(q *correlation) []int64 {
	n := len(q.rules)
	if !q.chain {
		n *= n
	}
	return slices.Repeat([]int64{never}, n)
}

// step takes a match of rule r at time t into starts. Of the matches of one event the
// one with the highest rule comes first: none of them goes on with another.
func (q *correlation) step(starts []int64, r uint32, t int64) {
	if q.chain {
		if r > 0 {
			t = starts[r-1]
		}
		starts[r] = max(starts[r], t)
		return
	}
	rules := uint32(len(q.rules))
	starts[r] = max(starts[r], t)
	for n := uint32(1); n <= r; n++ {
		began := slices.Max(starts[(n-1)*rules : (n-1)*rules+r])
		starts[n*rules+r] = max(starts[n*rules+r], began)
	}
}

// restart makes the starts of g anew: a match came late.
func (q *correlation) restart(g *tally) {
	for i := range g.starts {
		g.starts[i] = never
	}
	for i := range g.matches {
		q.step(g.starts, g.matches[i].rule, g.matches[i].time)
	}
	g.stale = false
}

// longest returns the length of the longest chain that begins in the window of g.
func (q *correlation) longest(g *tally) int {
	rules := len(q.rules)
	alive := func(t int64) bool { return t != never && (q.closes || !outside(t, g.newest, q.timespan)) }
	if q.chain {
		if alive(g.starts[rules-1]) {
			return rules
		}
		return 0 // it is all the same how far it came
	}
	for n := rules; n > 0; n-- {
		if slices.ContainsFunc(g.starts[(n-1)*rules:n*rules], alive) {
			return n
		}
	}
	return 0
}

// chainOf returns the matches of the longest chain in the window of g.
func (q *correlation) chainOf(g *tally) []match {
	type end struct{ length, at int } // the longest chain that ends with a rule, and its last match
	ends := make([]end, len(q.rules))
	previous := make([]int, len(g.matches))
	best := end{}
	for i := range g.matches {
		r := g.matches[i].rule
		before := end{0, -1}
		for _, e := range ends[:r] {
			if e.length > before.length {
				before = e
			}
		}
		previous[i] = before.at
		if before.length+1 > ends[r].length {
			ends[r] = end{before.length + 1, i}
		}
		if ends[r].length > best.length {
			best = ends[r]
		}
	}
	chain := make([]match, best.length)
	for n, at := best.length-1, best.at; n >= 0; n, at = n-1, previous[at] {
		chain[n] = g.matches[at]
	}
	return chain
}

// sortMatches sorts matches by time; of those of one time the order stays.
func sortMatches(of []match) {
	slices.SortStableFunc(of, func(a, b match) int { return cmp.Compare(a.time, b.time) })
}
