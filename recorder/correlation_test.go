// SPDX-License-Identifier: Apache-2.0

package recorder_test

import (
	"context"
	"slices"
	"testing"

	"seismo/engine"
	"seismo/internal/event"
	"seismo/recorder"
	"seismo/signals"
)

// few is a program whose second signal fires when there were fewer than so many events
// with a path within an hour.
func few(t *testing.T, than uint64) *engine.Program {
	t.Helper()
	set := signals.Set{
		Definitions: []signals.Definition{{ID: "1", Name: "path", Severity: signals.Low, Text: "syscall.path exists", Revision: "1"},
			{ID: "2", Name: "few", Severity: signals.Low, Language: signals.LanguageSigma, Text: "correlation:", Revision: "2"}},
		Signals: []signals.Signal{{Kinds: event.SetOf(event.KindSyscall), Silent: true},
			{Correlation: &signals.Correlation{Rules: []uint32{0}, Timespan: 3600e9, Counts: []signals.Count{{Op: signals.CountLess, N: than}}}}},
		Nodes: []signals.Node{{Op: signals.NodeTerm}},
		Terms: []signals.Term{{ID: 1, Text: "syscall.path exists", Field: event.SyscallPath, Kinds: event.SetOf(event.KindSyscall), Cond: signals.Exists, Atoms: []uint32{0}}},
		Atoms: []signals.Atom{{Field: event.SyscallPath, Cond: signals.Exists}},
	}
	p, err := engine.Build(&set)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// tagged notes the serials of the events that have a tag.
type tagged struct {
	sink
	serials []uint64
}

func (k *tagged) Write(ctx context.Context, batches []*event.Batch) error {
	for _, b := range batches {
		for _, e := range b.Events() {
			if len(e.Tags) > 0 {
				k.serials = append(k.serials, e.Serial)
			}
		}
	}
	return k.sink.Write(ctx, batches)
}

// At the end of a log a correlation that waits for the end of its window fires on the
// last event; a live source has no last event.
func TestTheEndOfALogClosesWindows(t *testing.T) {
	tests := []struct {
		name  string
		steps []step
		than  uint64
		live  bool
		want  []uint64
	}{
		{"one batch", []step{{events: 3, text: 1}}, 4, false, []uint64{3}},
		{"the last of several batches", []step{{events: 3, text: 1}, {events: 2}, {events: 4}}, 4, false, []uint64{9}},
		{"a loss after the last event", []step{{events: 3, text: 1}, {events: 2}, {loss: event.LossMalformed}, {loss: event.LossMalformed}}, 4, false, []uint64{5}},
		{"a loss between", []step{{events: 3, text: 1}, {loss: event.LossMalformed}, {events: 2}}, 4, false, []uint64{5}},
		{"there were too many", []step{{events: 3, text: 1}, {events: 2}}, 3, false, nil},
		{"nothing was counted", []step{{events: 3}, {events: 2}}, 3, false, nil},
		{"a live source", []step{{events: 3, text: 1}, {events: 2}}, 4, true, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := &tagged{}
			r := newRecorder(t, recorder.Config{Source: newScript(tt.steps...), Sinks: []recorder.Sink{k}, Program: few(t, tt.than), Live: tt.live, BatchSize: 2})
			if err := r.Run(context.Background()); err != nil {
				t.Fatal(err)
			}
			events, losses := uint64(0), 0
			for _, st := range tt.steps {
				events += uint64(st.events)
				if st.loss != "" {
					losses++
				}
			}
			s := r.Stats()
			ledger(t, s)
			if !slices.Equal(k.sink.serials, upTo(events)) || len(k.losses) != losses || s.Stored != events {
				t.Errorf("written %v and %d losses, stored %d; want 1 to %d, once, and %d losses", k.sink.serials, len(k.losses), s.Stored, events, losses)
			}
			if !slices.Equal(k.serials, tt.want) || s.Tags != uint64(len(tt.want)) || s.Tagged != s.Tags {
				t.Errorf("tags on %v, counted %d on %d events; want %v", k.serials, s.Tags, s.Tagged, tt.want)
			}
		})
	}
}
