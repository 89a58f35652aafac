// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"path"
	"path/filepath"
	"testing"

	"seismo/engine"
	"seismo/fixtures"
	"seismo/internal/event"
	"seismo/recorder"
	"seismo/recorder/daemon"
	"seismo/recorder/monitordb"
	"seismo/rules"
	"seismo/signals"
)

// tagSink notes which signals fired on which events.
type tagSink map[event.ID]map[uint32][]event.ProofItem

func (s tagSink) Write(_ context.Context, batches []*event.Batch) error {
	for _, b := range batches {
		for _, e := range b.Events() {
			s[e.ID] = map[uint32][]event.ProofItem{}
			for _, t := range e.Tags {
				s[e.ID][t.Signal] = t.Proof
			}
		}
	}
	return nil
}

// What is said of a stored event, from the database alone, is never wrong: a signal
// that fired is not said to be false, nor one that did not to be true; with the
// stored match at hand it is seen again that it fired. That holds for every event of
// the shipped fixtures and every shipped signal.
func TestStoredEventsAreExplained(t *testing.T) {
	defs, err := signals.LoadFS(rules.FS)
	if err != nil {
		t.Fatal(err)
	}
	p, err := build(defs)
	if err != nil {
		t.Fatal(err)
	}
	cases, err := fixtures.Load(fixtures.FS)
	if err != nil {
		t.Fatal(err)
	}
	ctx, file := context.Background(), filepath.Join(t.TempDir(), "monitor.db")
	db, err := openDB(ctx, file, &daemon.Signals{Program: p, Written: p.Definitions()}, monitordb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	tags := tagSink{}
	for _, c := range cases {
		for _, f := range c.Files {
			_, err := runLog(ctx, logRun{name: path.Join(c.Dir, f.Name), format: c.Format, data: bytes.NewReader(f.Data), program: p,
				ids: db.IDs(), sinks: []recorder.Sink{db, tags}})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := monitordb.OpenReader(file)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	count := map[engine.Truth]int{}
	events := 0
	for b, err := range r.Events(ctx, monitordb.EventQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		p.NewMatcher().MatchExplaining(b, func(x *engine.Explainer) {
			events++
			e := x.Event()
			for i := range uint32(p.Signals()) {
				proof, fired := tags[e.ID][i]
				trace := x.Explain(i, engine.ExplainOptions{Known: knownOfStored, Forgotten: true, Latches: proof})
				count[trace.Fires]++
				if trace.Fires == engine.True && !fired || trace.Fires != engine.True && fired {
					t.Errorf("event %d, %s: fired: %t, Explain says %s: %s", e.ID, p.Definitions()[i].Name, fired, trace.Fires, trace.Reason)
				}
			}
		})
	}
	if events != len(tags) {
		t.Errorf("%d events came back of %d", events, len(tags))
	}
	if count[engine.True] < 50 || count[engine.False] < 1000 {
		t.Errorf("%d explanations say true, %d false, %d unknown: too few to show anything", count[engine.True], count[engine.False], count[engine.NotRecorded])
	}
	t.Logf("%d events, %d true, %d false, %d unknown", events, count[engine.True], count[engine.False], count[engine.NotRecorded])
}
