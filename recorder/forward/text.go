// SPDX-License-Identifier: Apache-2.0

// This file writes events and matches as lines for people.

package forward

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"seismo/internal/display"
	"seismo/internal/event"
	"seismo/signals"
)

// Text writes one line for each match, and with Events one for each event.
type Text struct {
	W           io.Writer
	Definitions []signals.Definition // Tag.Signal is an index into it
	Events      bool
	// PerSecond bounds the event lines of one second of the clock; what is left
	// out is counted, and said before the first line of a later second. 0 means
	// no bound. Matches are always written.
	PerSecond int

	second  int64
	written int
	skipped int
}

// SetDefinitions says what the tags of the batches to come refer to.
func (t *Text) SetDefinitions(defs []signals.Definition) { t.Definitions = defs }

// Write implements recorder.Sink.
func (t *Text) Write(_ context.Context, batches []*event.Batch) error {
	for _, b := range batches {
		for _, e := range b.Events() {
			if err := t.event(e); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *Text) event(e *event.Event) error {
	if t.Events && t.room() {
		if _, err := fmt.Fprintln(t.W, Line(e)); err != nil {
			return err
		}
	}
	for i := range e.Tags {
		if _, err := io.WriteString(t.W, t.match(e, &e.Tags[i])); err != nil {
			return err
		}
	}
	return nil
}

// room reports whether one more event line may be written in this second.
func (t *Text) room() bool {
	if t.PerSecond == 0 {
		return true
	}
	if now := time.Now().Unix(); now != t.second {
		if t.skipped > 0 {
			fmt.Fprintf(t.W, "… %d more events in that second\n", t.skipped)
		}
		t.second, t.written, t.skipped = now, 0, 0
	}
	if t.written >= t.PerSecond {
		t.skipped++
		return false
	}
	t.written++
	return true
}

func (t *Text) match(e *event.Event, tag *event.Tag) string {
	name, severity := fmt.Sprintf("signal %d", tag.Signal), ""
	if int(tag.Signal) < len(t.Definitions) {
		d := &t.Definitions[tag.Signal]
		name, severity = d.Name, d.Severity.String()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s MATCH %s %s\n    %s\n", clock(e.Time), strings.ToUpper(severity), display.Text(name), Line(e))
	for i := range tag.Proof {
		b.WriteString("    because " + because(&tag.Proof[i]) + "\n")
	}
	return b.String()
}

// because says of one item of a proof which term was met by which value. Of a term that
// is cut, since rules have lists of hundreds of values, the one that was met is said.
func because(p *event.ProofItem) string {
	term := cut(p.Text)
	switch {
	case p.Computed():
		return term
	case p.Absent:
		return term + ": absent"
	}
	said := term + `: "` + display.Text(p.Value) + `"`
	if p.Literal != "" && term != display.Text(p.Text) {
		said += `, meets "` + display.Text(p.Literal) + `"`
	}
	return said
}

func clock(ns int64) string { return time.Unix(0, ns).UTC().Format("2006-01-02 15:04:05.000") }

// maxShown bounds the characters shown of one value.
const maxShown = 160

// Line returns what e says, as one line that is safe on a terminal.
func Line(e *event.Event) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %-8s %-11s", clock(e.Time), e.Kind, e.Op)
	who := func() {
		if path, ok := e.Text(event.ProcessPath); ok {
			fmt.Fprintf(&b, " by %s", display.Text(string(path)))
		}
	}
	switch e.Kind {
	case event.KindProcess:
		line, ok := e.Text(event.ProcessCommandLine)
		if !ok {
			line, _ = e.Text(event.ProcessPath)
		}
		fmt.Fprintf(&b, " %s", cut(string(line)))
		if e.Process != nil && e.Process.SeenRunning && e.Op == event.OpCreate {
			b.WriteString(" (was running)")
		}
		if parent, ok := e.Text(event.ParentPath); ok {
			fmt.Fprintf(&b, " under %s", display.Text(string(parent)))
		}
		if code, ok := e.Int(event.ProcessExitCode); ok {
			fmt.Fprintf(&b, " exit %d", code)
		}
	case event.KindFile:
		path, _ := e.Text(event.FilePath)
		fmt.Fprintf(&b, " %s", cut(string(path)))
		if target, ok := e.Text(event.FileTargetPath); ok {
			fmt.Fprintf(&b, " to %s", cut(string(target)))
		}
		who()
	case event.KindNetwork:
		if a, ok := e.Addr(event.NetworkAddress); ok {
			port, _ := e.Int(event.NetworkPort)
			fmt.Fprintf(&b, " %s port %d", a, port)
		} else if path, ok := e.Text(event.NetworkPath); ok {
			fmt.Fprintf(&b, " %s", cut(string(path)))
		}
		if proto, ok := e.Text(event.NetworkProtocol); ok {
			fmt.Fprintf(&b, " %s", display.Text(string(proto)))
		}
		who()
	default:
		for _, f := range eventFields[e.Kind] {
			if f.Kinds != event.AllKinds && f.Type == event.String {
				if v, ok := e.Text(f.Field); ok {
					fmt.Fprintf(&b, " %s", cut(string(v)))
				}
			}
		}
		who()
	}
	if e.PID != 0 || e.Logsource == nil { // a record may name no process
		fmt.Fprintf(&b, " pid %d", e.PID)
	}
	return b.String()
}

func cut(s string) string {
	n := 0
	for i := range s {
		if n++; n > maxShown {
			return display.Text(s[:i]) + "…"
		}
	}
	return display.Text(s)
}
