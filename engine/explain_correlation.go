// SPDX-License-Identifier: Apache-2.0

// This file explains a correlation on an event: which of its rules fire on it, how much
// was counted so far, and whether that is enough. It counts on copies of the groups.

package engine

import (
	"fmt"
	"slices"
	"strings"

	"seismo/internal/event"
	"seismo/signals"
)

// correlationTrace is what is found of a correlation on the event at hand.
type correlationTrace struct {
	fires  bool
	rules  []uint32 // places in correlation.rules of those that fire on it
	counts []string // of the groups that it counts for, in words
}

// explainCorrelation is Explain for a correlation.
func (x *Explainer) explainCorrelation(signal uint32, o ExplainOptions) *Trace {
	e, p := x.m.judge.event, x.m.p
	t := &Trace{Signal: signal, Event: e.ID, Time: e.Time, Ordinal: e.Ordinal, Kind: e.Kind, Op: e.Op}
	k, q := p.correlation.find(signal)
	t.Root = &TraceNode{Op: TraceTerm, Text: p.asks(q)}
	switch {
	case p.isDisabled(signal):
		t.Reason, t.Root.Truth = "an override disables the signal", NotEvaluated
		return t
	case o.Forgotten:
		t.Fires, t.Root.Truth = NotRecorded, NotRecorded
		t.Reason = "it depends on the matches of other signals on other events; the proof of a stored match tells of them"
		return t
	}
	found := x.correlates(k, o)
	t.Root.Note = strings.Join(found.counts, "; ")
	for r, rule := range q.rules {
		kid := &TraceNode{Op: TraceTerm, Text: p.definitions[rule].Name, Note: "does not fire on this event"}
		if slices.Contains(found.rules, uint32(r)) {
			kid.Truth, kid.Note = True, "fires on this event"
		}
		t.Root.Kids = append(t.Root.Kids, kid)
	}
	switch {
	case found.fires && q.closes:
		t.Fires, t.Reason = True, "a window closes by the time of this event, and there were few enough"
	case found.fires:
		t.Fires, t.Reason = True, "this event completes it"
	case len(found.rules) == 0:
		t.Reason = "none of its rules fires on this event"
	case len(found.counts) == 0:
		t.Reason = "the event lacks a field that the correlation needs"
	case q.closes:
		t.Reason = "it is judged when the window closes"
	default:
		t.Reason = "not enough in the timespan"
	}
	if t.Root.Truth = t.Fires; t.Fires == True {
		t.Near = Nearness{Met: 1}
	} else {
		t.Near = Nearness{Met: min(1, len(found.rules)), Unmet: 1}
	}
	return t
}

// find returns the correlation that a signal is, and its place in the plan.
func (p *correlationPlan) find(signal uint32) (uint32, *correlation) {
	k := slices.IndexFunc(p.list, func(q correlation) bool { return q.signal == signal })
	return uint32(k), &p.list[k]
}

// correlates counts the event at hand for correlation k, on copies of its groups.
func (x *Explainer) correlates(k uint32, o ExplainOptions) (found correlationTrace) {
	p := x.m.p
	q := &p.correlation.list[k]
	e := x.m.judge.event
	for r, rule := range q.rules {
		if x.firesOn(rule, o) {
			found.rules = append(found.rules, uint32(r))
		}
	}
	c := newCorrelator(p.correlation)
	c.occurred = 1
	if q.closes {
		for _, g := range x.m.correlator.groups.windows {
			if g.of == k && g.closes <= e.Time && !g.spent && q.holds(x.m.correlator.groups.count(g)) {
				found.fires = true
			}
		}
	}
	at := &occurrence{time: e.Time, id: e.ID, ordinal: e.Ordinal, on: e, event: e}
	for n := range found.rules {
		r := found.rules[len(found.rules)-1-n]
		if q.typ == signals.ValueCount {
			if at.read(&c.values, &q.field[r], at.recordOf(q.rules[r]), maxCountedValues); c.values.len() == 0 {
				continue
			}
		}
		c.keys(at, k, r, func(key []byte) {
			if c.groups.of[string(key)] == nil {
				if g := x.m.correlator.groups.of[string(key)]; g != nil && (!q.closes || g.closes > e.Time) {
					c.groups.restore(k, x.m.correlator.groups.copyOf(g))
				}
			}
			c.add(c.groupOf(k, key, e.Time), at, r)
		})
	}
	for _, g := range c.touched {
		n := c.groups.count(g)
		found.fires = found.fires || !q.closes && q.holds(n)
		if q.chain {
			n = len(q.chainOf(g))
		}
		values, _ := keyValues(g.key, len(q.groupBy))
		text := fmt.Sprintf("%d with this event", n)
		if len(values) > 0 {
			text = fmt.Sprintf("%s of %s", text, cutText(strings.Join(values, ", ")))
		}
		if g.spent || q.closes && q.hopeless(n) {
			text = "too many already"
		}
		found.counts = append(found.counts, text)
	}
	return found
}

// firesOn reports whether a signal that a correlation refers to fires on the event at
// hand.
func (x *Explainer) firesOn(signal uint32, o ExplainOptions) bool {
	p := x.m.p
	if p.correlationOf(signal) == nil {
		rule := Explainer{m: x.m}
		return rule.Explain(signal, o).Fires == True
	}
	if p.isDisabled(signal) {
		return false
	}
	k, _ := p.correlation.find(signal)
	return x.correlates(k, o).fires
}

// nearCorrelation is Nearness for a correlation.
func (x *Explainer) nearCorrelation(signal uint32, o ExplainOptions) (Nearness, bool) {
	if x.m.p.isDisabled(signal) {
		return Nearness{}, false
	}
	t := x.explainCorrelation(signal, o)
	return t.Near, t.Near.Met > 0
}

// settleExplained judges the correlations on the event at hand at once: who explains
// the next one is to see what this one left.
func (m *Matcher) settleExplained(b *event.Batch, e *event.Event) {
	m.correlator.only = append(m.correlator.only[:0], e)
	m.settleCorrelations(b)
	m.correlator.only = m.correlator.only[:0]
}

// asks says what q asks for, as in "event_count of failed_login by User: gte 5 in 10m".
func (p *Program) asks(q *correlation) string {
	return fmt.Sprintf("%s: %s in %s", p.subject(q), countsText(q.counts), spanText(q.timespan))
}
