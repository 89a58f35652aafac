// SPDX-License-Identifier: Apache-2.0

// This file explains alone signals: on that view of the event on which such a signal
// fires, or else on the one on which it comes nearest.

package engine

import (
	"seismo/internal/event"
)

// explainAlone fills t for an alone signal.
func (x *Explainer) explainAlone(t *Trace) {
	p := x.m.p
	s := &p.signals[t.Signal]
	v := verdict{x: x, t: t}
	if out := v.outside(); out != "" {
		t.Root, t.Fires, t.Reason = x.skipped(s.root, ""), False, out
		return
	}
	t.Root, t.Fires, t.Reason = x.skipped(s.root, ""), False, "the event has no record that it could be judged on"
	seen := false
	x.eachAlone(t.Signal, func() bool {
		near := x.near(s.root, false)
		if seen && near.Compare(t.Near) >= 0 {
			return true
		}
		seen = true
		root := x.node(s.root, false)
		t.Root, t.Near = root.trace, near
		switch {
		case root.low != 0:
			t.Fires, t.Reason = True, "it is true of this event alone"
		case root.high != 0:
			t.Fires, t.Reason = NotRecorded, "it depends on what was not recorded: "+list(unknownIn(t.Root, nil))
		default:
			var lacks []string
			x.nearest(s.root, false, &lacks)
			t.Fires, t.Reason = False, "not met: "+list(lacks)
		}
		return root.low == 0
	})
}

// nearAlone is Nearness for an alone signal.
func (x *Explainer) nearAlone(signal uint32) (n Nearness, ok bool) {
	x.eachAlone(signal, func() bool {
		if near := x.near(x.m.p.signals[signal].root, false); !ok || near.Compare(n) < 0 {
			n, ok = near, true
		}
		return true
	})
	return n, ok
}

// eachAlone makes each view that an alone signal is asked about the one at hand, and
// calls visit until it returns false.
func (x *Explainer) eachAlone(signal uint32, visit func() bool) {
	m := x.m
	m.turnTo(m.platform)
	x.alone = true
	defer func() { x.alone = false }()
	group := m.p.signals[signal].group
	for range m.eachView(m.judge.event) {
		asked := false
		for _, g := range m.logs.route.groups {
			asked = asked || g == group
		}
		if asked && !visit() {
			return
		}
	}
}

// aloneTerm is term for a term of an alone signal.
func (x *Explainer) aloneTerm(i uint32) explained {
	t := &x.m.p.terms[i]
	out := explained{trace: &TraceNode{Op: TraceTerm, Text: t.text}}
	if !x.aloneKnown(i) {
		out.high = onThisEvent
		out.trace.Note = "the value is not stored"
		return out
	}
	w := witness{term: t}
	if x.m.viewMeets(i, &w) != t.negate {
		out.low, out.high = onThisEvent, onThisEvent
	}
	trace := &TermTrace{ID: t.id, Own: t.own, Absent: w.absent, From: FromEvent}
	switch {
	case w.atom != nil:
		trace.Values, trace.Cut, trace.Literal = []string{w.value}, len(w.value) >= event.MaxProofValue, x.m.aloneLiteral(&w)
	case !w.absent:
		trace.Values, trace.Cut = x.viewValues(i)
	}
	out.trace.Term = trace
	return out
}

// aloneKnown reports whether what term i is judged on is known.
func (x *Explainer) aloneKnown(i uint32) bool {
	if x.o.Known == nil {
		return true
	}
	t, e := &x.m.p.terms[i], x.m.judge.event
	if r := x.m.logs.route; e.Logsource == nil && x.m.logs.record < 0 && int(e.Kind) < len(r.typed) {
		for _, n := range r.typed[e.Kind] {
			if n.at != noName && r.names.names[n.at].text == t.own {
				return x.o.Known(e, n.field, "")
			}
		}
		return true // no field of such events is called so
	}
	return x.o.Known(e, event.NoField, t.own)
}

// viewValues returns the first values that term i is judged on, and whether there are
// more values or bytes.
func (x *Explainer) viewValues(i uint32) (values []string, more bool) {
	v := &x.m.logs.view
	name := x.m.p.alone.named[i]
	room := event.MaxProofValue
	for at := range v.values {
		if name != anyName && v.values[at].name != name {
			continue
		}
		if len(values) == maxTraceValues || room <= 0 {
			return values, true
		}
		raw := v.values[at].raw
		short := raw[:min(cut(raw), room)]
		room -= len(short)
		more = more || len(short) < len(raw)
		values = append(values, string(short))
	}
	return values, more
}

// nearAloneTerm is nearTerm for a term of an alone signal.
func (x *Explainer) nearAloneTerm(i uint32) Nearness {
	switch {
	case !x.aloneKnown(i):
		return Nearness{Unknown: 1}
	case x.m.viewMeets(i, nil) != x.m.p.terms[i].negate:
		return Nearness{Met: 1}
	}
	return Nearness{Unmet: 1}
}
