// SPDX-License-Identifier: Apache-2.0

package monitordb

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"seismo/signals"
)

// oldDatabase makes a database of schema version 1 with a match.
func oldDatabase(t *testing.T, path string) {
	t.Helper()
	if err := create(path); err != nil {
		t.Fatal(err)
	}
	c, err := dial(path, writerParams)
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(migrations[0](c), c.exec(fmt.Sprintf(`INSERT INTO signal_definition (uuid, revision, name, severity, loaded, active) VALUES ('u', 'r', 'old', 'low', 1, 1);
		INSERT INTO signal_match (event, kind, definition, proof) VALUES (1000000, 2, 1, '[]');
		INSERT INTO signal_load (time, digest, definitions) VALUES (7, 'd', 1);
		CREATE VIEW losses AS SELECT since AS end_time_raw, reason, count, unit, detail FROM loss;
		PRAGMA application_id = %d; PRAGMA user_version = 1`, applicationID)), c.close())
	if err != nil {
		t.Fatal(err)
	}
}

// A database of version 1 can be read as it is, and is brought to version 3 when it
// is opened for writing: nothing of it is lost.
func TestMigrateFromVersion1(t *testing.T) {
	path := filepath.Join(t.TempDir(), "monitor.db")
	oldDatabase(t, path)
	if s := status(t, path); s.Signals != 1 || s.Load.Time != 0 {
		t.Errorf("status of version 1: %+v; want one signal and no load", s)
	}
	db := openDB(t, path, Options{Refuse: true})
	wantRows(t, path, "PRAGMA user_version", "4")
	wantRows(t, path, "SELECT signal_name, severity FROM signal_matches", "old|low")
	wantRows(t, path, "SELECT signal_name, enabled, work FROM signal_counts", "old|1|0")
	setDefinitions(t, db, definitions(1))
	if err := db.AddSignalFigures(context.Background(), []SignalFigures{{Signal: 0, Work: 5}}); err != nil {
		t.Fatal(err)
	}
	wantRows(t, path, "SELECT signal_name, active, work FROM signal_counts ORDER BY work", "old|0|0", "signal 0|1|5")
}

func status(t *testing.T, path string) Status {
	t.Helper()
	r, err := OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	s, err := r.Status(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// What overrides make of signals, the lists they lack and the loads that were tried
// are told by the status; a match keeps the severity that it fired with.
func TestSetSignals(t *testing.T) {
	ctx := context.Background()
	db := newDB(t)
	defs := definitions(3)
	low, high := signals.Low, signals.High
	load := Load{Definitions: defs, Digest: "d1", Source: "signals.bin",
		Overrides: []Override{{Signal: 0, Severity: &low, Reason: "here only a test"}, {Signal: 2, Disabled: true}},
		Missing:   []MissingList{{Signal: 1, List: "bad-hosts", Place: "/home/lists/bad-hosts.txt"}}}
	if err := db.SetSignals(ctx, load); err != nil {
		t.Fatal(err)
	}
	tagged(t, db, 1, nil, base)
	s := status(t, db.path)
	want := SignalState{Load: LoadState{Time: s.Load.Time, Source: "signals.bin", Signals: 3},
		Overridden: []SignalOverride{{ID: defs[0].ID, Name: defs[0].Name, Severity: "low", Reason: "here only a test", Enabled: true},
			{ID: defs[2].ID, Name: defs[2].Name, Severity: defs[2].Severity.String()}},
		Missing: []SignalList{{ID: defs[1].ID, Name: defs[1].Name, List: "bad-hosts", Place: "/home/lists/bad-hosts.txt"}}}
	if !reflect.DeepEqual(s.SignalState, want) {
		t.Errorf("status after the first load: %+v\nwant %+v", s.SignalState, want)
	}
	load.Overrides, load.Missing, load.Change = []Override{{Signal: 0, Severity: &high}}, nil, &Change{Added: 1, Changed: 2}
	if err := db.SetSignals(ctx, load); err != nil {
		t.Fatal(err)
	}
	tagged(t, db, 1, nil, base+1e9)
	wantRows(t, db.path, "SELECT severity FROM signal_matches ORDER BY id", "low", "high")
	wantRows(t, db.path, "SELECT severity, enabled FROM signal_counts ORDER BY signal_id", "high|1", defs[1].Severity.String()+"|1", defs[2].Severity.String()+"|1")
	if err := db.NoteFailedLoad(ctx, "signals.bin", errors.New("it is damaged")); err != nil {
		t.Fatal(err)
	}
	s = status(t, db.path)
	if l := s.Load; l.Error != "it is damaged" || !l.Reload || s.Signals != 3 || len(s.Missing) != 0 {
		t.Errorf("status after a load that failed: %+v", s)
	}
	for _, bad := range []Load{{Overrides: []Override{{Signal: 3}}}, {Missing: []MissingList{{Signal: -1}}}} {
		bad.Definitions = defs
		if err := db.SetSignals(ctx, bad); err == nil || !strings.Contains(err.Error(), "definitions of 3") {
			t.Errorf("SetSignals(%+v) = %v; want an error", bad, err)
		}
	}
	tagged(t, db, 1, nil, base+2e9) // the set before is still in force
	wantRows(t, db.path, "SELECT severity FROM signal_matches ORDER BY id", "low", "high", "high")
}

// Figures add up over sets and runs; a suspension ends with its signal, its set or
// its recorder, at the latest when that wrote last.
func TestSignalCost(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "monitor.db")
	db := openDB(t, path, Options{})
	setDefinitions(t, db, definitions(2))
	add := func(f ...SignalFigures) {
		t.Helper()
		if err := db.AddSignalFigures(ctx, f); err != nil {
			t.Fatal(err)
		}
	}
	suspend := func(s ...Suspension) {
		t.Helper()
		if err := db.NoteSuspensions(ctx, s); err != nil {
			t.Fatal(err)
		}
	}
	note := func() {
		t.Helper()
		if err := db.NoteHost(ctx, Host{Time: base}); err != nil {
			t.Fatal(err)
		}
	}
	note()
	add(SignalFigures{Signal: 0, Candidates: 10, Skipped: 1, Evaluations: 9, Suppressed: 2, Work: 100}, SignalFigures{Signal: 1, Work: 7})
	add(SignalFigures{Signal: 0, Candidates: 1, Evaluations: 1, Work: 10})
	wantRows(t, path, "SELECT candidates, skipped, evaluations, suppressed, work FROM signal_counts ORDER BY signal_id", "11|1|10|2|110", "0|0|0|0|7")
	suspend(Suspension{Signal: 1, Begin: true, Time: base, Work: 99, Reason: "why"}, Suspension{Signal: 0, Begin: true, Time: base + 1e9, Work: 5, Reason: "too"},
		Suspension{Signal: 1, Time: base + 3e9})
	wantRows(t, path, "SELECT signal_name, end_time_raw - begin_time_raw, work_per_event, reason FROM suspensions ORDER BY begin_time",
		"signal 1|3000|99|why", "signal 0|NULL|5|too")
	if s := status(t, path); len(s.Suspended) != 1 || s.Suspended[0].Name != "signal 0" || len(s.Dearest) != 2 || s.Dearest[0].Work != 110 {
		t.Errorf("status: %+v; want signal 0 suspended and the dearest", s.SignalState)
	}
	setDefinitions(t, db, definitions(1)) // another set: suspensions of the one before are over
	wantRows(t, path, "SELECT count(*) FROM suspensions WHERE end_time IS NULL", "0")
	suspend(Suspension{Signal: 0, Begin: true, Time: base})
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	wantRows(t, path, "SELECT count(*) FROM suspensions WHERE end_time IS NULL", "0")

	db = openDB(t, path, Options{})
	setDefinitions(t, db, definitions(1))
	note()
	suspend(Suspension{Signal: 0, Begin: true, Time: base})
	db.host = 0 // killed: nothing of the stop is noted
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	wantRows(t, path, "SELECT count(*) FROM suspensions WHERE end_time IS NULL", "1")
	db = openDB(t, path, Options{})
	setDefinitions(t, db, definitions(2))
	wantRows(t, path, "SELECT count(*) FROM suspensions WHERE end_time IS NULL", "0")
	add(SignalFigures{Signal: 1, Work: 1})
	wantRows(t, path, "SELECT work FROM signal_counts ORDER BY signal_id", "110", "8")
	if err := db.AddSignalFigures(ctx, []SignalFigures{{Signal: 2}}); err == nil {
		t.Error("figures of a signal that is not there: no error")
	}
	if err := db.NoteSuspensions(ctx, []Suspension{{Signal: -1}}); err == nil {
		t.Error("a suspension of a signal that is not there: no error")
	}
}
