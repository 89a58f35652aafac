// SPDX-License-Identifier: Apache-2.0

// This file writes an explanation as text that is read at a glance; as JSON it is
// written by explain_json.go.

package main

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"seismo/engine"
	"seismo/internal/display"
	"seismo/signals"
)

// marks are the words before each part of an expression.
var marks = [...]string{engine.False: "[false]", engine.True: "[true]", engine.NotEvaluated: "[skipped]", engine.NotRecorded: "[unknown]"}

// writeText prints the explanations, then what came near.
func (a *answer) writeText(to io.Writer) error {
	w := bufio.NewWriter(to)
	near := a.near.List()
	switch {
	case a.f.id != 0 && a.f.one:
	case a.f.id != 0:
		fmt.Fprintf(w, "event   %d  %s\n", a.f.id, a.lines[a.f.id])
		fmt.Fprintf(w, "fired   %d of %s\n", len(a.traces), count(a.f.program.Signals(), "signal"))
		a.unknownText(w)
	case a.fired > 0:
		fmt.Fprintf(w, "fired on %d of %s; the first:\n\n", a.fired, count(a.events, "event"))
	default:
		fmt.Fprintf(w, "did not fire on any of %s%s\n", count(a.events, "event"), a.whyNever())
	}
	for i, t := range a.traces {
		if i > 0 || a.f.id != 0 && !a.f.one {
			fmt.Fprintln(w)
		}
		a.trace(w, t)
	}
	if len(near) > 0 && a.fired == 0 {
		a.nearText(w, near)
	}
	return w.Flush()
}

// count returns n things in words.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// whyNever says why nothing came near, as far as it holds for all events.
func (a *answer) whyNever() string {
	switch {
	case slices.Contains(a.f.program.Disabled(), a.f.wanted):
		return ": an override disables the signal"
	case len(a.near.List()) == 0 && a.f.top > 0:
		return ", and no event met a part of it"
	}
	return ""
}

func (a *answer) nearText(w io.Writer, near []engine.NearMiss) {
	fmt.Fprintf(w, "\nnearest\n")
	for i, n := range near {
		met := fmt.Sprintf("%d of %d terms met", n.Met, n.Terms())
		if n.Unknown > 0 {
			met += fmt.Sprintf(", %d unknown", n.Unknown)
		}
		if a.f.id == 0 {
			fmt.Fprintf(w, "%3d  %s  event %d  %s\n", i+1, met, n.Event, a.lines[n.Event])
		} else {
			fmt.Fprintf(w, "%3d  %s  %s  %s\n", i+1, met, display.Text(a.definition(n.Signal).Name), shortened(n.Trace.Reason))
		}
	}
	if a.f.id == 0 || len(a.traces) == 0 {
		fmt.Fprintf(w, "\nthe first of them:\n\n")
		a.trace(w, near[0].Trace)
	}
}

// maxReason bounds the characters of a reason where many stand below each other.
const maxReason = 200

// shortened returns the beginning of a reason, safe to show.
func shortened(reason string) string {
	n := 0
	for i := range reason {
		if n++; n > maxReason {
			return display.Text(reason[:i]) + "…"
		}
	}
	return display.Text(reason)
}

func (a *answer) definition(i uint32) *signals.Definition { return &a.f.program.Definitions()[i] }

// verdicts are the words for whether a signal fires.
var verdicts = [...]string{engine.False: "does not fire", engine.True: "fires", engine.NotRecorded: "unknown"}

func (a *answer) trace(w io.Writer, t *engine.Trace) {
	d := a.definition(t.Signal)
	fmt.Fprintf(w, "signal  %s (%s) %s\n", display.Text(d.Name), d.Severity, display.Text(d.ID))
	fmt.Fprintf(w, "event   %d  %s\n", t.Event, a.lines[t.Event])
	fmt.Fprintf(w, "result  %s: %s\n", verdicts[t.Fires], display.Text(t.Reason))
	a.storedText(w, d, t)
	fmt.Fprintln(w)
	node(w, t.Root, 0, "")
	for _, s := range t.Suppress {
		fmt.Fprintf(w, "\nsuppressed if\n")
		node(w, s, 0, "")
	}
}

// storedText says what the database tells of the signal on this event.
func (a *answer) storedText(w io.Writer, d *signals.Definition, t *engine.Trace) {
	for _, m := range a.stored {
		if !strings.EqualFold(m.Signal, d.ID) {
			continue
		}
		same := "this revision"
		if m.Revision != d.Revision {
			same = fmt.Sprintf("revision %s, now it is %s", display.Text(m.Revision), d.Revision)
		}
		fmt.Fprintf(w, "stored  it fired when the event was recorded (%s):\n", same)
		for _, p := range m.Proof {
			seen := ": absent"
			switch {
			case p.Computed():
				seen = ""
			case !p.Absent:
				seen = ": " + quoted(p.Value)
			}
			when := ""
			if p.Event != t.Event {
				when = fmt.Sprintf(", event %d at %s", p.Event, clockOf(p.Time))
			}
			fmt.Fprintf(w, "          %s%s%s\n", display.Text(p.Text), seen, when)
		}
	}
}

// unknownText names the signals that fired when the event was recorded and are not
// among those at hand: they may be right there, of another set.
func (a *answer) unknownText(w io.Writer) {
	for _, m := range a.stored {
		same := func(d signals.Definition) bool { return strings.EqualFold(d.ID, m.Signal) }
		if !slices.ContainsFunc(a.f.program.Definitions(), same) {
			fmt.Fprintf(w, "stored  %s fired when the event was recorded; it is not among these signals (--signals names others)\n", quoted(m.Name))
		}
	}
}

func clockOf(ns int64) string { return time.Unix(0, ns).UTC().Format("2006-01-02 15:04:05.000") }

func quoted(v string) string { return `"` + display.Text(v) + `"` }

// node writes one part of an expression, and those in it below, indented. said is
// what was noted of the part before it: of parts that are left out for one reason
// the first says it.
func node(w io.Writer, n *engine.TraceNode, depth int, said string) {
	indent := strings.Repeat("  ", depth)
	what := n.Text
	if n.Op != engine.TraceTerm {
		what = string(n.Op)
	}
	fmt.Fprintf(w, "%-10s%s%s\n", marks[n.Truth], indent, display.Text(what))
	below := strings.Repeat(" ", 10+4) + indent
	if n.Note != "" && (n.Note != said || n.Truth != engine.NotEvaluated) {
		fmt.Fprintf(w, "%s%s\n", below, display.Text(n.Note))
	}
	if n.Term != nil && n.Latch == nil {
		fmt.Fprintf(w, "%s%s\n", below, seen(n.Term))
	}
	if n.Latch != nil {
		fmt.Fprintf(w, "%smet before by event %d at %s\n", below, n.Latch.Event, clockOf(n.Latch.Time))
		for _, p := range n.Latch.Items {
			if n.Op == engine.TraceGroup {
				fmt.Fprintf(w, "%s  %s: ", below, display.Text(p.Text))
			} else {
				fmt.Fprintf(w, "%s  ", below)
			}
			if p.Absent {
				fmt.Fprintln(w, "absent")
				continue
			}
			fmt.Fprintln(w, quoted(p.Value))
		}
	}
	said = ""
	for _, kid := range n.Kids {
		node(w, kid, depth+1, said)
		said = kid.Note
	}
}

// seen says what a term was judged on.
func seen(t *engine.TermTrace) string {
	whose := "of the " + string(t.From)
	switch t.From {
	case engine.FromLate:
		whose = "of the process, where it arrived late"
	case engine.FromAncestor:
		whose = "of the ancestry"
		if p := t.Ancestor; p != nil {
			whose = fmt.Sprintf("of an ancestor, %d up: %s pid %d", p.Steps, display.Text(p.Path), p.PID)
		}
	}
	if t.Reads != nil {
		parts := make([]string, len(t.Reads))
		for i, r := range t.Reads {
			parts[i] = display.Text(r.Name) + " " + listed(r.Values, r.Cut)
			if r.Absent {
				parts[i] = display.Text(r.Name) + " absent"
			}
		}
		return strings.Join(parts, ", ")
	}
	if t.Absent && t.Own == signals.AnyField {
		return "in no value " + whose
	}
	if t.Absent {
		return "absent from " + strings.TrimPrefix(whose, "of ")
	}
	text := "no value"
	if len(t.Values) > 0 {
		text = listed(t.Values, t.Cut)
	}
	text += " " + whose
	if t.Literal != "" {
		text += ", meets " + quoted(t.Literal)
	}
	return text
}

// listed returns values one after the other; more says that these are not all.
func listed(values []string, more bool) string {
	parts := make([]string, len(values))
	for i, v := range values {
		parts[i] = quoted(v)
	}
	text := strings.Join(parts, ", ")
	if more {
		text += " …"
	}
	return text
}
