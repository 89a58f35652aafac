// SPDX-License-Identifier: Apache-2.0

package monitordb

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"seismo/internal/event"
)

// tagged writes n tagged file events of process p, a millisecond apart, from
// time at on.
func tagged(t testing.TB, db *DB, n int, p *event.Process, at int64) {
	t.Helper()
	ids := db.IDs()
	b := event.NewBatch(n)
	for i := range n {
		e := b.Add(event.KindFile, event.OpWrite)
		e.Time, e.Process = at+int64(i)*1e6, p
		e.Tags = append(e.Tags, event.Tag{Proof: []event.ProofItem{{Term: 1, Text: "x", Value: "y"}}})
	}
	ids.Assign(b)
	write(t, db, b)
}

// Matches are counted without limit and stored up to the limits, over batches
// and runs; what is not stored is told as a loss.
func TestMatchLimits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "monitor.db")
	open := func() *DB {
		db := openDB(t, path, Options{MatchesPerProcess: 3, MatchesPerHour: 10})
		setDefinitions(t, db, definitions(1))
		return db
	}
	db := open()
	p := process(1, "/bin/sh", "sh")
	tagged(t, db, 2, p, base)
	tagged(t, db, 2, p, base+1e9)
	wantRows(t, path, "SELECT matches, stored FROM signal_counts", "4|3")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = open()
	tagged(t, db, 5, p, base+2e9)
	wantRows(t, path, "SELECT matches, stored FROM signal_counts", "9|3")
	for i := range 5 {
		tagged(t, db, 3, process(10+i, "/bin/sh", "sh"), base+int64(3+i)*1e9)
	}
	wantRows(t, path, "SELECT matches, stored FROM signal_counts", "24|10")
	wantRows(t, path, "SELECT count(*) FROM signal_matches", "10")
	wantRows(t, path, "SELECT reason, count, unit, detail, begin_time FROM losses", "matches_over_limit|14|matches|signal 0|2020-11-10 08:00:00.000")
	tagged(t, db, 1, process(20, "/bin/sh", "sh"), base+3600e9) // the next hour
	wantRows(t, path, "SELECT matches, stored, last_match FROM signal_counts", "25|11|2020-11-10 09:14:56.155")
}

// Events without a process are not of one process: only the limit of the hour
// holds for them.
func TestMatchLimitsWithoutProcess(t *testing.T) {
	db := openDB(t, filepath.Join(t.TempDir(), "monitor.db"), Options{MatchesPerProcess: 3, MatchesPerHour: 10})
	setDefinitions(t, db, definitions(1))
	tagged(t, db, 4, nil, base)
	tagged(t, db, 2, nil, base+1e9)
	wantRows(t, db.path, "SELECT matches, stored FROM signal_counts", "6|6")
	tagged(t, db, 7, nil, base+2e9)
	wantRows(t, db.path, "SELECT matches, stored FROM signal_counts", "13|10")
}

// A negative limit is none.
func TestNoMatchLimit(t *testing.T) {
	db := openDB(t, filepath.Join(t.TempDir(), "monitor.db"), Options{MatchesPerProcess: -1, MatchesPerHour: -1})
	setDefinitions(t, db, definitions(1))
	tagged(t, db, 1200, process(1, "/bin/sh", "sh"), base)
	wantRows(t, db.path, "SELECT matches, stored FROM signal_counts", "1200|1200")
}

// A definition is stored once; a new revision is a new row, and only those of
// the last load are active.
func TestDefinitions(t *testing.T) {
	db := newDB(t)
	defs := definitions(2)
	setDefinitions(t, db, defs)
	setDefinitions(t, db, defs)
	defs[1].Revision, defs[1].Name = "ffff", "signal 1, edited"
	setDefinitions(t, db, defs[1:])
	wantRows(t, db.path, "SELECT signal_name, revision, active FROM signal_counts ORDER BY 1",
		"signal 0|000000000000abc0|0", "signal 1|000000000000abc1|0", "signal 1, edited|ffff|1")
	wantRows(t, db.path, "SELECT definitions, digest FROM signal_load", "2|digest", "2|digest", "1|digest")
	// Tag.Signal is an index into the last load.
	tagged(t, db, 1, nil, base)
	wantRows(t, db.path, "SELECT signal_name, severity, techniques, process_table_id FROM signal_matches", `signal 1, edited|high|["T1059.004"]|NULL`)
}

// The proof is valid JSON, bounded, with every byte of a value told.
func TestProof(t *testing.T) {
	db := newDB(t)
	setDefinitions(t, db, definitions(1))
	a := newAdder(db.IDs())
	e := a.add(event.KindFile, event.OpWrite, nil)
	items := make([]event.ProofItem, 100)
	items[0] = event.ProofItem{Term: 0xdead, Text: strings.Repeat("é", 600), Event: 1 << 60, Field: event.FilePath, Value: "a\x1b\"\xff", Literal: "b"}
	items[1] = event.ProofItem{Text: "y", Own: "key", Absent: true}
	e.Tags = append(e.Tags, event.Tag{Proof: items})
	write(t, db, a.b)
	var proof []map[string]any
	row := ask(t, db.path, "SELECT proof FROM signal_matches")
	if err := json.Unmarshal([]byte(row[0]), &proof); err != nil {
		t.Fatalf("proof %q: %v", row[0], err)
	}
	if len(proof) != maxProofItems || len(proof[0]["text"].(string)) > maxProofText {
		t.Errorf("proof has %d items, the first text %d bytes; want %d and at most %d", len(proof), len(proof[0]["text"].(string)), maxProofItems, maxProofText)
	}
	proof[0]["text"] = "…"
	want := `map[event:1152921504606846976 field:file.path literal:b term:000000000000dead text:… value:map[hex:611b22ff]]`
	if got := fmt.Sprint(proof[0]); got != want {
		t.Errorf("first item of the proof: %s, want %s", got, want)
	}
	if proof[1]["absent"] != true || proof[1]["own"] != "key" || proof[1]["value"] != nil {
		t.Errorf("second item of the proof: %v", proof[1])
	}
}

// The ledgers are stored as they are told, the last of them is the status, and
// old rows go.
func TestStats(t *testing.T) {
	db := newDB(t)
	ctx := context.Background()
	setDefinitions(t, db, definitions(2))
	write(t, db, everyKind(db.IDs()))
	for i := range 3 {
		s := Stats{Time: base + int64(i), Input: "audit", Source: event.SourceStats{Received: 1 << 40, Parsed: 1<<40 - 5, Malformed: 5, KernelLost: 1, SerialGaps: 2, Overruns: 3, LeftOut: 4},
			Assembled: 100, Stored: 90, Filtered: 5, Dropped: 3, InFlight: 2, RSS: 1 << 25, CPU: 17, Queue: 4, Detail: "x"}
		if err := db.WriteStats(ctx, s); err != nil {
			t.Fatal(err)
		}
	}
	r, err := OpenReader(db.path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	s, err := r.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	st := s.Stats
	if st.Time != base+2 || st.Source.Received != st.Source.Parsed+st.Source.Malformed || st.Source.Received != 1<<40 ||
		st.Assembled != st.Stored+st.Filtered+st.Dropped+st.InFlight || st.Assembled != 100 || st.Queue != 4 || st.CPU != 17 || st.Source.LeftOut != 4 {
		t.Errorf("Status: last statistics %+v", st)
	}
	if len(s.Kinds) != len(event.Kinds()) || s.Signals != 2 || s.Processes != 3 || s.Losses != 2 || s.LatestLoss != event.LossOversize || s.LatestLossUnit != "events" {
		t.Errorf("Status: %+v", s)
	}
	stored := uint64(0)
	for _, k := range s.Kinds {
		stored += k.Stored
	}
	wantRows(t, db.path, "SELECT count(*) FROM combined_events", fmt.Sprint(stored))
	if err := db.conn.exec("UPDATE stats SET id = id + 20000 WHERE id = 3"); err != nil {
		t.Fatal(err)
	}
	if err := db.WriteStats(ctx, Stats{Time: base}); err != nil {
		t.Fatal(err)
	}
	wantRows(t, db.path, "SELECT id FROM stats", "20003", "20004")
}
