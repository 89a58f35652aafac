// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"seismo/engine"
	"seismo/internal/config"
	"seismo/internal/event"
	"seismo/recorder/monitordb"
)

// What signals cost reaches the database once, whatever how often it is written; a
// signal that is suspended is named in the log and in the status, and no longer when
// it is judged again.
func TestSignalFigures(t *testing.T) {
	ctx := context.Background()
	db, err := monitordb.Open(filepath.Join(t.TempDir(), "monitor.db"), monitordb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	var said bytes.Buffer
	s := signalsOf(t, nil, [3]string{"1", "dear", "low"})
	l := &life{Options: Options{Log: zerolog.New(&said), Config: config.Config{SignalWorkLimit: 1}}, db: db, signals: s}
	if err := db.SetSignals(ctx, s.Loaded()); err != nil {
		t.Fatal(err)
	}
	m := s.Program.NewMatcherWith(engine.MatcherOptions{Live: true, BudgetPerEvent: 1, DisableSignalsTrie: true})
	judge := func(events int) {
		t.Helper()
		path := []byte("/" + strings.Repeat("x", 4000)) // long: a comparison costs more than 1
		for range events {
			b := event.NewBatch(1)
			e := b.Add(event.KindFile, event.OpWrite)
			e.Time = 5e9
			e.SetText(event.FilePath, path)
			m.Match(b)
		}
		for range 2 { // nothing counts twice
			if err := l.writeFigures(ctx, m); err != nil {
				t.Fatal(err)
			}
		}
	}
	status := func() monitordb.Status {
		t.Helper()
		r, err := monitordb.OpenReader(db.Path())
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		st, err := r.Status(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return st
	}
	judge(10)
	st := status()
	if len(st.Dearest) != 1 || st.Dearest[0].Evaluations != 10 || st.Dearest[0].Candidates != 10 || st.Dearest[0].Work <= 10 {
		t.Errorf("after 10 events: %+v; want 10 evaluations and their work", st.Dearest)
	}
	judge(engine.WindowEvents)
	if st := status(); len(st.Suspended) != 1 || st.Suspended[0].Name != "dear" || !strings.Contains(st.Suspended[0].Reason, "signalWorkLimit is 1") {
		t.Errorf("suspended: %+v; want the signal", st.Suspended)
	}
	if !strings.Contains(said.String(), `"signal":"dear"`) {
		t.Errorf("the log does not name the signal: %s", said.String())
	}
	judge(65 * engine.WindowEvents)
	if !strings.Contains(said.String(), "judged again") {
		t.Errorf("the log does not say that the signal is judged again: %s", said.String())
	}
	now := m.Statistics()[0]
	if st = status(); st.Dearest[0].Evaluations != int64(now.Evaluations) || st.Dearest[0].Work != int64(now.Work) || now.Skipped == 0 {
		t.Errorf("in the database %+v; want as the matcher has it: %+v", st.Dearest[0], now)
	}
}
