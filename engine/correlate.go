// SPDX-License-Identifier: Apache-2.0

// This file judges correlations: signals that fire on how many matches of others there
// are in a stretch of time. docs/correlations.md says what they mean. Their plan is in
// correlate_plan.go, what they remember in correlate_group.go, the end of windows in
// correlate_window.go, the fields they read in correlate_fields.go, and their proof in
// correlate_proof.go.

package engine

import (
	"cmp"
	"slices"

	"seismo/internal/event"
	"seismo/signals"
)

// correlator judges the correlations of one matcher.
//
// What fired is noted for each event, and judged at the end of its batch by time and
// then in the order of the batch: events that are out of order count as if they were
// in order, as long as a batch has them. One that comes in a later batch is late: it
// has its place among the matches by its time, and is judged for the window that ends
// with the newest match of its group. A match that is a whole timespan older than that
// begins its group anew: the clock was set back, or another log begins.
type correlator struct {
	plan   *correlationPlan // nil: there are none
	groups groupTable
	// pending is what fired on the events of the batch.
	pending []pendingEvent
	fired   []firedSignal
	records []firedSignal // of the event at hand, those that fired on one record
	order   []orderedEvent
	only    []*event.Event // of the batch, see settleExplained; none: all of them

	occurred uint64   // occurrences judged so far
	work     []feed   // of the occurrence at hand, sorted
	touched  []*tally // by it, of the correlation at hand
	groupBy  []valueList
	values   valueList
	spelled  valueList
	key      []byte
	swept    int // correlation that was swept last
}

// pendingEvent is an event and what fired on it that feeds correlations:
// correlator.fired[from:to].
type pendingEvent struct {
	event    *event.Event
	from, to uint32
}

// orderedEvent is an event of the batch; pending is an index into correlator.pending
// or -1.
type orderedEvent struct {
	event   *event.Event
	pending int
}

// firedSignal is a signal and the record of the event that it fired on; -1: it fired
// on the event as a whole.
type firedSignal struct {
	signal uint32
	record int32
}

// occurrence is a match that is counted, or the end of a window.
type occurrence struct {
	time    int64
	id      event.ID
	ordinal uint64
	on      *event.Event  // that gets the tags
	event   *event.Event  // whose values count; nil for the end of a window:
	closed  *correlation  // then this is its correlation,
	values  []string      // and these are its group-by values
	fired   []firedSignal // sorted
}

// recordOf returns the record that a rule fired on: its fields are those that count.
func (o *occurrence) recordOf(signal uint32) int32 { return recordOf(o.fired, signal) }

// recordOf returns the record that a signal fired on; fired is sorted.
func recordOf(fired []firedSignal, signal uint32) int32 {
	at, ok := slices.BinarySearchFunc(fired, signal, func(f firedSignal, s uint32) int { return cmp.Compare(f.signal, s) })
	if !ok {
		return -1
	}
	return fired[at].record
}

func newCorrelator(p *correlationPlan) correlator {
	return correlator{plan: p, groups: newGroupTable(p)}
}

// noteRecord notes that signal i fires on a record of the event at hand.
func (c *correlator) noteRecord(i uint32, record int32) {
	if c.plan != nil && record >= 0 && len(c.plan.feedsOf(i)) > 0 {
		c.records = append(c.records, firedSignal{i, record})
	}
}

// correlate notes that the signals fired, Silent ones included, fired on the event at
// hand. They are judged by settleCorrelations.
func (m *Matcher) correlate(fired []uint32) {
	c := &m.correlator
	if c.plan == nil || len(fired) == 0 {
		return
	}
	from := len(c.fired)
	slices.SortFunc(c.records, func(a, b firedSignal) int { return cmp.Compare(a.signal, b.signal) })
	for _, i := range fired {
		if len(c.plan.feedsOf(i)) > 0 {
			c.fired = append(c.fired, firedSignal{i, recordOf(c.records, i)})
		}
	}
	c.records = c.records[:0]
	if len(c.fired) > from {
		c.pending = append(c.pending, pendingEvent{m.judge.event, uint32(from), uint32(len(c.fired))})
	}
}

// settleCorrelations judges the correlations on what fired on the events of b, and
// adds what had to be forgotten to its losses.
func (m *Matcher) settleCorrelations(b *event.Batch) {
	c := &m.correlator
	if c.plan == nil {
		return
	}
	if len(c.pending) > 0 || len(c.groups.windows) > 0 {
		c.sortEvents(b)
		for _, o := range c.order {
			m.closeWindows(o.event, o.event.Time)
			if o.pending >= 0 {
				e, p := o.event, c.pending[o.pending]
				m.occur(&occurrence{time: e.Time, id: e.ID, ordinal: e.Ordinal, on: e, event: e, fired: c.fired[p.from:p.to]})
			}
		}
		clear(c.order)
		clear(c.pending)
		c.order, c.pending, c.fired = c.order[:0], c.pending[:0], c.fired[:0]
	}
	if n := b.Len(); n > 0 {
		c.swept = (c.swept + 1) % len(c.plan.list)
		c.groups.sweep(uint32(c.swept), b.Events()[n-1].Time, 64)
	}
	c.groups.tell(b)
}

// sortEvents puts the events that count into c.order, by time and then as they stand in
// b: all of them if the end of a window may be waited for.
func (c *correlator) sortEvents(b *event.Batch) {
	pending, sorted, events := 0, true, b.Events()
	if len(c.only) > 0 {
		events = c.only
	}
	for _, e := range events {
		o := orderedEvent{e, -1}
		if pending < len(c.pending) && c.pending[pending].event == e {
			o.pending = pending
			pending++
		} else if !c.plan.closes {
			continue
		}
		sorted = sorted && (len(c.order) == 0 || c.order[len(c.order)-1].event.Time <= e.Time)
		c.order = append(c.order, o)
	}
	if !sorted {
		slices.SortStableFunc(c.order, func(a, b orderedEvent) int { return cmp.Compare(a.event.Time, b.event.Time) })
	}
}

// occur judges the correlations that what fired feeds, and those that they feed in
// turn.
func (m *Matcher) occur(o *occurrence) {
	c := &m.correlator
	c.work = c.work[:0]
	for _, f := range o.fired {
		c.work = append(c.work, c.plan.feedsOf(f.signal)...)
	}
	slices.Sort(c.work)
	for at := 0; at < len(c.work); {
		k, from := c.work[at].correlation(), at
		for at < len(c.work) && c.work[at].correlation() == k {
			at++
		}
		q := &c.plan.list[k]
		if m.p.isDisabled(q.signal) || !m.count(o, k, c.work[from:at]) {
			continue
		}
		if feeds := c.plan.feedsOf(q.signal); len(feeds) > 0 {
			c.work = append(c.work, feeds...)
			slices.Sort(c.work[at:])
		}
	}
	c.groups.room(o.time)
}

// count counts the matches of rules for correlation k, and reports whether it fires.
func (m *Matcher) count(o *occurrence, k uint32, rules []feed) (fires bool) {
	c := &m.correlator
	q := &c.plan.list[k]
	if !m.account.candidate(q.signal) {
		return false
	}
	c.occurred++
	c.touched = c.touched[:0]
	for n := range rules {
		r := rules[len(rules)-1-n].rule() // the highest first, see correlation.step
		if q.typ == signals.ValueCount {
			if o.read(&c.values, &q.field[r], o.recordOf(q.rules[r]), maxCountedValues); c.values.len() == 0 {
				continue
			}
		}
		c.keys(o, k, r, func(key []byte) {
			c.add(c.groupOf(k, key, o.time), o, r)
		})
	}
	if len(c.touched) > 0 {
		o.on.Verdict = event.Keep
	}
	for _, g := range c.touched {
		n := c.groups.count(g)
		m.account.evaluated(q.signal, 1)
		switch {
		case q.closes:
			if !g.spent && q.hopeless(n) {
				c.groups.clear(g)
				g.spent = true
			}
		case q.holds(n):
			m.fire(o, g, n)
			c.groups.drop(g)
			fires = true
		}
	}
	return fires
}

// groupOf returns the group with the key given, which a match at time t is counted for,
// and makes it if there is none.
func (c *correlator) groupOf(k uint32, key []byte, t int64) *tally {
	q, table := &c.plan.list[k], &c.groups
	g := table.of[string(key)]
	if g == nil {
		table.sweep(k, t, 2)
		g = table.put(k, string(key))
		g.newest = t
	} else if outside(t, g.newest, q.timespan) { // begins anew
		table.clear(g)
		g.newest, g.spent = t, false
		if g.place >= 0 {
			table.unschedule(g)
		}
	}
	if q.closes && g.place < 0 {
		g.closes = after(t, q.timespan)
		table.schedule(g)
	}
	if !q.closes {
		g.newest = max(g.newest, t)
	}
	if g.touched != c.occurred {
		g.touched = c.occurred
		table.orders[k].Touch(g)
		c.touched = append(c.touched, g)
	}
	return g
}

// add counts an occurrence, a match of rule r, for g: an event once, and each of its
// values once.
func (c *correlator) add(g *tally, o *occurrence, r uint32) {
	if g.spent {
		return
	}
	at := match{time: o.time, id: o.id, ordinal: o.ordinal, rule: r}
	switch c.plan.list[g.of].typ {
	case signals.EventCount:
		if g.counted == c.occurred {
			return
		}
		g.counted = c.occurred
	case signals.ValueCount:
		c.addValues(g, at)
		return
	}
	c.groups.add(g, at)
}

// addValues counts the values at hand, those of at, for g.
func (c *correlator) addValues(g *tally, at match) {
	var one [maxKeyValue]byte
	for i := 0; i < c.values.len() && !g.spent; i++ {
		text := appendValue(one[:0], c.values.at(i))
		if n, ok := g.valueAt[string(text)]; ok && g.values[n].counted == c.occurred {
			continue
		}
		at.value = c.groups.value(g, text)
		g.values[at.value].counted = c.occurred
		c.groups.add(g, at)
	}
}

// closeWindows judges the groups whose window closes at or before now; what fires is
// left on e.
func (m *Matcher) closeWindows(e *event.Event, now int64) {
	c := &m.correlator
	for len(c.groups.windows) > 0 && c.groups.windows[0].closes <= now {
		g := c.groups.windows[0]
		q := &c.plan.list[g.of]
		n := 0
		if !g.spent {
			n = c.groups.count(g)
		}
		if g.spent || !q.holds(n) || m.p.isDisabled(q.signal) {
			c.groups.drop(g)
			continue
		}
		values, _ := keyValues(g.key, len(q.groupBy))
		last := c.lastMatch(g)
		o := occurrence{time: g.closes, id: last.id, ordinal: last.ordinal, on: e, closed: q, values: values, fired: []firedSignal{{q.signal, -1}}}
		c.occurred++
		m.fire(&o, g, n)
		c.groups.drop(g)
		m.occur(&o)
	}
}

// lastMatch returns the newest match of g.
func (c *correlator) lastMatch(g *tally) (last match) {
	found := false
	for _, m := range g.matches {
		if c.plan.list[g.of].typ == signals.Temporal && m.value == 0 {
			continue
		}
		if !found || m.time > last.time || m.time == last.time && m.id > last.id {
			last, found = m, true
		}
	}
	return last
}

// fire leaves the match of the correlation of g, which counted n, on the event of o.
// Several groups that fire on one event make one match.
func (m *Matcher) fire(o *occurrence, g *tally, n int) {
	c := &m.correlator
	q := &c.plan.list[g.of]
	if c.plan.silent[q.signal] {
		m.account.matched(q.signal)
		return
	}
	proof := m.correlationProof(o, g, n)
	e := o.on
	e.Verdict = event.Keep
	for i := range e.Tags {
		if t := &e.Tags[i]; t.Signal == q.signal {
			t.Proof = append(t.Proof, proof[:min(len(proof), max(0, maxCorrelationProof-len(t.Proof)))]...)
			return
		}
	}
	e.Tags = append(e.Tags, event.Tag{Signal: q.signal, Proof: proof})
	m.account.matched(q.signal)
}

// Waiting reports whether m waits for the end of a window: the end of the input closes
// it, see Flush.
func (m *Matcher) Waiting() bool { return len(m.correlator.groups.windows) > 0 }

// Flush closes the windows that still wait for their end, after the last event of an
// input, and leaves what fires on the last event of b, which m judged before. b must
// not be empty.
func (m *Matcher) Flush(b *event.Batch) {
	if n := b.Len(); n > 0 && m.Waiting() {
		m.closeWindows(b.Events()[n-1], endOfTime)
		m.correlator.groups.tell(b)
	}
}

const endOfTime = 1<<63 - 1
