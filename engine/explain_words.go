// SPDX-License-Identifier: Apache-2.0

// This file decides an explanation and puts the reason into words.

package engine

import (
	"fmt"
	"strings"

	"seismo/internal/event"
)

// verdict is what an explanation is decided on.
type verdict struct {
	x         *Explainer
	t         *Trace
	low, high branchSet // of the expression: true for sure, could be true
	suppress  []explained
}

// decide sets whether the signal fires, and the reason.
func (v *verdict) decide() {
	if out := v.outside(); out != "" {
		v.t.Fires, v.t.Reason = False, out
		return
	}
	fires := v.low & v.wanted(v.low)
	if fires == 0 && v.high&v.wanted(v.high) == 0 {
		v.t.Fires, v.t.Reason = False, v.whyNot()
		return
	}
	for i, s := range v.suppress {
		if s.low != 0 {
			v.t.Fires, v.t.Reason = False, "suppressed by "+v.t.Suppress[i].label()
			return
		}
	}
	if fires == 0 {
		v.t.Fires, v.t.Reason = NotRecorded, "it depends on what was not recorded: "+list(unknownIn(v.t.Root, nil))
		return
	}
	for i, s := range v.suppress {
		if s.high != 0 {
			v.t.Fires = NotRecorded
			v.t.Reason = "it is true, but whether it is suppressed depends on what was not recorded: " + list(unknownIn(v.t.Suppress[i], nil))
			return
		}
	}
	v.t.Fires, v.t.Reason = True, v.why(fires)
}

// outside says why the signal is not asked about the event at all, or "".
func (v *verdict) outside() string {
	x, p := v.x, v.x.m.p
	s, e := &p.signals[v.t.Signal], x.m.judge.event
	switch {
	case p.isDisabled(v.t.Signal):
		return "an override disables the signal"
	case x.foreign(v.t.Signal):
		return fmt.Sprintf("the signal is for %s, and the event is of %s", strings.Join(p.definitions[v.t.Signal].Platforms, " and "), x.m.platform)
	case x.offLogs(v.t.Signal):
		return x.offLogsReason(v.t.Signal)
	case !s.alone && !s.kinds.Has(e.Kind):
		return fmt.Sprintf("a %s event can not meet it: it asks for a %s event", e.Kind, kindList(s.kinds))
	}
	return ""
}

// wanted returns the classes that let the signal fire, if those of its true branches
// are set.
func (v *verdict) wanted(set branchSet) branchSet {
	m := v.x.m
	wanted := onThisEvent
	switch e := m.judge.event; {
	case m.judge.arrived:
		m.remembers = v.x.remembers()
		if set&standing != 0 && m.fillBefore(m.p.signals[v.t.Signal].root)&standing == 0 {
			wanted |= standing
		}
		m.remembers = false
	case e.Kind == event.KindProcess && e.Op == event.OpCreate:
		wanted |= onProcess
	}
	return wanted
}

// why says why it fires; fires are the classes that let it.
func (v *verdict) why(fires branchSet) string {
	switch {
	case fires&onThisEvent != 0:
		return "it is true, and this event meets a part of it"
	case v.x.m.judge.arrived:
		return "a late value of the process made it true"
	}
	return "terms on the process only: they are true, and the process is published by this event"
}

// whyNot says why it does not fire, although it is for such events.
func (v *verdict) whyNot() string {
	switch {
	case v.low&latched != 0:
		return "it is true, but no part of it was met by this event: what earlier events met does not fire alone"
	case v.low&negatedOnly != 0:
		return "it is true, but of the event only by NOT: the event must meet a term without NOT, or a group"
	case v.low&onProcess != 0 && v.x.m.judge.arrived:
		return "it is true of the process, and was so before the late value arrived"
	case v.low&onProcess != 0:
		return "it is true, but of the process only: that fires when the process is published, on its create event"
	case v.high&latched != 0:
		return "no part of it was met by this event: what earlier events met, which is not stored, does not fire alone"
	}
	v.x.m.remembers = v.x.remembers()
	var lacks []string
	v.x.nearest(v.x.m.p.signals[v.t.Signal].root, true, &lacks)
	return "not met: " + list(lacks)
}

// maxReasons bounds the parts that a reason names.
const maxReasons = 3

// list joins the texts of parts.
func list(texts []string) string {
	more := ""
	if len(texts) > maxReasons {
		texts, more = texts[:maxReasons], fmt.Sprintf("; and %d more", len(texts)-maxReasons)
	}
	return strings.Join(texts, "; ") + more
}

// unknownIn appends the texts of the terms under n that are not known.
func unknownIn(n *TraceNode, to []string) []string {
	if n.Truth != NotRecorded {
		return to
	}
	if n.Op == TraceTerm {
		return append(to, n.Text)
	}
	from := len(to)
	for _, kid := range n.Kids {
		to = unknownIn(kid, to)
	}
	if len(to) == from { // a group that earlier events may have met
		to = append(to, n.label())
	}
	return to
}

// label names n in a few words.
func (n *TraceNode) label() string {
	if n.Op == TraceTerm {
		return n.Text
	}
	var parts []string
	for _, kid := range n.Kids {
		parts = append(parts, kid.label())
	}
	if n.Op == TraceGroup {
		return "group(" + strings.Join(parts, "") + ")"
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return "(" + strings.Join(parts, " "+string(n.Op)+" ") + ")"
}
