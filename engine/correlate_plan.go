// SPDX-License-Identifier: Apache-2.0

// This file plans the correlations of a program: in which order they are judged, which
// signals feed them, and how what they ask for is counted. What they remember is in
// correlate_group.go, how an event is judged in correlate.go.

package engine

import (
	"fmt"
	"math"
	"slices"

	"seismo/internal/event"
	"seismo/signals"
)

// correlationPlan is what the correlations of a program are judged with. It never
// changes. A nil one has none.
type correlationPlan struct {
	list   []correlation // each after those that it refers to
	from   []uint32      // feeds[from[i]:from[i+1]] are those of signal i
	feeds  []feed        // by signal, each sorted
	silent []bool        // by signal
	closes bool          // some correlation is judged when a window closes
}

// feed says which correlation, as an index into correlationPlan.list (high half), a
// signal feeds, and as which of its rules (low half).
type feed uint64

func (f feed) correlation() uint32 { return uint32(f >> 32) }
func (f feed) rule() uint32        { return uint32(f) }

// correlation is a signals.Correlation, made ready.
type correlation struct {
	signal    uint32 // that it is
	typ       signals.CorrelationType
	rules     []uint32 // signals
	slots     []uint32 // by rule: its number among the different rules
	different int      // rules
	timespan  int64
	groupBy   [][]fieldName // by field, by rule
	field     []fieldName   // by rule; only ValueCount has it
	counts    []signals.Count
	// closes says that it is judged when a window closes, since nothing but the end of
	// the window tells that there were few.
	closes bool
	// chain says that only all rules in their order will do: then it is enough to know
	// where the latest chain began. Only TemporalOrdered has it.
	chain bool
}

// fieldName is a name as a correlation uses it.
type fieldName struct {
	name  string
	field event.Field // of the registry that is called so, or NoField
}

// planCorrelations plans the correlations in of, which has by signal nil or what it
// is. silent tells by signal whether it is silent. It returns a nil plan if there are
// none, and says of which signal what is wrong.
func planCorrelations(of []*signals.Correlation, silent []bool) (_ *correlationPlan, wrong int, what string) {
	order, wrong := orderCorrelations(of)
	if wrong >= 0 {
		return nil, wrong, "the correlation leads back to itself"
	}
	if len(order) == 0 {
		return nil, -1, ""
	}
	p := &correlationPlan{list: make([]correlation, len(order)), from: make([]uint32, len(of)+1), silent: slices.Clone(silent)}
	fed := make([][]feed, len(of))
	for k, i := range order {
		if what := checkCorrelation(of[i], len(of)); what != "" {
			return nil, i, what
		}
		q := &p.list[k]
		*q = makeCorrelation(uint32(i), of[i])
		p.closes = p.closes || q.closes
		for r, rule := range q.rules {
			fed[rule] = append(fed[rule], feed(uint64(k)<<32|uint64(r)))
		}
	}
	for i, feeds := range fed {
		p.feeds = append(p.feeds, feeds...)
		p.from[i+1] = uint32(len(p.feeds))
	}
	return p, -1, ""
}

// feedsOf returns what signal i feeds.
func (p *correlationPlan) feedsOf(i uint32) []feed {
	if int(i)+1 >= len(p.from) {
		return nil
	}
	return p.feeds[p.from[i]:p.from[i+1]]
}

// own appends the names that correlations read fields by.
func (p *correlationPlan) own(names []string) []string {
	if p == nil {
		return names
	}
	add := func(of []fieldName) {
		for _, n := range of {
			names = append(names, n.name)
		}
	}
	for i := range p.list {
		for _, of := range p.list[i].groupBy {
			add(of)
		}
		add(p.list[i].field)
	}
	return names
}

// orderCorrelations returns the correlations of of, each after those that it refers
// to, or else in the order of signals; wrong is one that leads back to itself, or -1.
func orderCorrelations(of []*signals.Correlation) (order []int, wrong int) {
	waits := make([]int, len(of)) // for so many correlations
	fed := make([][]int, len(of))
	left := 0
	for i, c := range of {
		if c == nil {
			continue
		}
		left++
		for _, r := range c.Rules {
			if int(r) < len(of) && of[r] != nil {
				waits[i]++
				fed[r] = append(fed[r], i)
			}
		}
		if waits[i] == 0 {
			order = append(order, i)
		}
	}
	for k := 0; k < len(order); k++ {
		for _, i := range fed[order[k]] {
			if waits[i]--; waits[i] == 0 {
				order = append(order, i)
			}
		}
	}
	if len(order) == left {
		return order, -1
	}
	for i, c := range of {
		if c != nil && waits[i] > 0 {
			return nil, i
		}
	}
	return nil, -1 // not reached
}

// The limits of one correlation. A temporal_ordered that does not ask for all of its
// rules takes room for the square of their number in each group.
const (
	maxCorrelationRules  = 1000
	maxOrderedRules      = 64
	maxCorrelationFields = 16
	maxCorrelationCounts = 16
)

// checkCorrelation says what is wrong with c, which stands among n signals.
func checkCorrelation(c *signals.Correlation, n int) string {
	switch {
	case !c.Type.Valid():
		return fmt.Sprintf("correlation type %d is not known", c.Type)
	case len(c.Rules) == 0 || len(c.Rules) > maxCorrelationRules:
		return fmt.Sprintf("a correlation of %d rules: it has 1 to %d", len(c.Rules), maxCorrelationRules)
	case c.Timespan <= 0:
		return fmt.Sprintf("a timespan of %d ns", c.Timespan)
	case len(c.GroupBy) > maxCorrelationFields:
		return fmt.Sprintf("%d group-by fields, the limit is %d", len(c.GroupBy), maxCorrelationFields)
	case len(c.Counts) > maxCorrelationCounts:
		return fmt.Sprintf("%d bounds, the limit is %d", len(c.Counts), maxCorrelationCounts)
	case (c.Type == signals.ValueCount) != (len(c.Field) > 0) || len(c.Field) > 0 && len(c.Field) != len(c.Rules):
		return fmt.Sprintf("%d names of the field to count for %d rules of a %s", len(c.Field), len(c.Rules), c.Type)
	case len(c.Counts) == 0 && (c.Type == signals.EventCount || c.Type == signals.ValueCount):
		return fmt.Sprintf("a %s without a bound", c.Type)
	}
	for _, r := range c.Rules {
		if int64(r) >= int64(n) {
			return fmt.Sprintf("rule %d of %d signals", r, n)
		}
	}
	for i, names := range c.GroupBy {
		if len(names) != len(c.Rules) {
			return fmt.Sprintf("group-by field %d has %d names for %d rules", i, len(names), len(c.Rules))
		}
	}
	for _, count := range c.Counts {
		if !count.Op.Valid() {
			return fmt.Sprintf("comparison %d of a bound is not known", count.Op)
		}
	}
	if q := makeCorrelation(0, c); q.typ == signals.TemporalOrdered && !q.chain && len(q.rules) > maxOrderedRules {
		return fmt.Sprintf("a temporal_ordered with a condition and %d rules, the limit is %d", len(q.rules), maxOrderedRules)
	}
	return ""
}

// makeCorrelation makes c, which was checked, ready.
func makeCorrelation(signal uint32, c *signals.Correlation) correlation {
	q := correlation{signal: signal, typ: c.Type, rules: slices.Clone(c.Rules), timespan: c.Timespan, counts: slices.Clone(c.Counts)}
	slot := map[uint32]uint32{}
	for _, r := range q.rules {
		n, ok := slot[r]
		if !ok {
			n = uint32(len(slot))
			slot[r] = n
		}
		q.slots = append(q.slots, n)
	}
	q.different = len(slot)
	for _, names := range c.GroupBy {
		q.groupBy = append(q.groupBy, fieldNames(names))
	}
	q.field = fieldNames(c.Field)
	if len(q.counts) == 0 {
		all := q.different
		if q.typ == signals.TemporalOrdered {
			all = len(q.rules)
		}
		q.counts = []signals.Count{{Op: signals.CountGreaterEqual, N: uint64(all)}}
	}
	q.closes = closesWindow(q.counts)
	q.chain = q.typ == signals.TemporalOrdered && !q.closes && q.holds(len(q.rules))
	for n := 0; n < len(q.rules) && q.chain; n++ {
		q.chain = !q.holds(n)
	}
	return q
}

func fieldNames(names []string) []fieldName {
	var out []fieldName
	for _, name := range names {
		in, ok := event.Lookup(name)
		if !ok {
			in.Field = event.NoField
		}
		out = append(out, fieldName{name, in.Field})
	}
	return out
}

// closesWindow reports whether only the end of a window tells that all of counts hold:
// there is an upper bound and no lower one.
func closesWindow(counts []signals.Count) bool {
	upper := false
	for _, c := range counts {
		switch c.Op {
		case signals.CountLess, signals.CountLessEqual:
			upper = true
		case signals.CountGreater, signals.CountGreaterEqual, signals.CountEqual:
			return false
		}
	}
	return upper
}

// holds reports whether all bounds hold for n.
func (q *correlation) holds(n int) bool {
	for _, c := range q.counts {
		if !holdsCount(c, uint64(n)) {
			return false
		}
	}
	return true
}

func holdsCount(c signals.Count, n uint64) bool {
	switch c.Op {
	case signals.CountGreater:
		return n > c.N
	case signals.CountGreaterEqual:
		return n >= c.N
	case signals.CountLess:
		return n < c.N
	case signals.CountLessEqual:
		return n <= c.N
	case signals.CountEqual:
		return n == c.N
	}
	return n != c.N
}

// hopeless reports whether an upper bound is passed: a window that only grows will
// not hold any more.
func (q *correlation) hopeless(n int) bool {
	for _, c := range q.counts {
		if (c.Op == signals.CountLess || c.Op == signals.CountLessEqual) && !holdsCount(c, uint64(n)) {
			return true
		}
	}
	return false
}

// outside reports whether time t lies span or more before end: the window that ends
// there is open on its left.
func outside(t, end, span int64) bool {
	return end > t && uint64(end)-uint64(t) >= uint64(span)
}

// after returns t plus span, at most the last time there is.
func after(t, span int64) int64 {
	if t > math.MaxInt64-span {
		return math.MaxInt64
	}
	return t + span
}
