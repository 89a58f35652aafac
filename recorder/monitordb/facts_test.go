// SPDX-License-Identifier: Apache-2.0

package monitordb

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"seismo/internal/event"
)

// windowsEvents is a process and what it did, as a source of Windows tells it.
func windowsEvents(ids *event.IDs) *event.Batch {
	b := event.NewBatch(2)
	b.Platform = "windows"
	p := process(9, `C:\Windows\System32\cmd.exe`)
	p.Windows = &event.WindowsFacts{OriginalFileName: "Cmd.Exe", IntegrityLevel: "High", LogonID: "0x3e7", GUID: "{1}"}
	for i, k := range []event.Kind{event.KindProcess, event.KindNetwork} {
		e := b.Add(k, event.Ops(k)[0])
		e.Time, e.Process = base+int64(i)*1e6, p
		e.Logsource = &event.Logsource{Products: []string{"windows"}, Categories: []string{k.String()}}
		e.AddOwn(0, []byte("Image"), []byte(p.Path))
		if k == event.KindNetwork {
			e.SetString(event.NetworkDestinationHost, "evil.example")
			e.SetString(event.NetworkInitiated, "true") // as the operation says: not stored
		}
	}
	ids.Assign(b)
	return b
}

// What only Windows says of a process and a connection can be asked for.
func TestViewsShowFactsOfWindows(t *testing.T) {
	db := newDB(t)
	write(t, db, windowsEvents(db.IDs()))
	wantRows(t, db.path, "SELECT original_file_name, integrity_level, logon_id, guid, company IS NULL FROM process_events", "Cmd.Exe|High|0x3e7|{1}|1")
	wantRows(t, db.path, "SELECT more_fields, own_fields FROM network_events",
		`{"network.destination_host":"evil.example"}|[[0,"Image","C:\\Windows\\System32\\cmd.exe"]]`)
}

// Events of a database of version 2, which has no such facts, can be read.
func TestEventsOfVersion2(t *testing.T) {
	path := filepath.Join(t.TempDir(), "monitor.db")
	db := openDB(t, path, Options{})
	write(t, db, windowsEvents(db.IDs()))
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	c, err := dial(path, writerParams)
	if err != nil {
		t.Fatal(err)
	}
	for {
		row, err := c.one("SELECT name FROM sqlite_schema WHERE type = 'view' LIMIT 1")
		if err != nil {
			t.Fatal(err)
		}
		if row == nil {
			break
		}
		if err := c.exec(fmt.Sprintf("DROP VIEW %s", row[0])); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.exec("ALTER TABLE proc DROP COLUMN facts; PRAGMA user_version = 2"); err != nil {
		t.Fatal(err)
	}
	if err := c.close(); err != nil {
		t.Fatal(err)
	}
	n := 0
	for b, err := range reader(t, path).Events(context.Background(), EventQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range b.Events() {
			n++
			if v, _ := e.Text(event.ProcessPath); string(v) != `C:\Windows\System32\cmd.exe` || e.Has(event.ProcessGUID) {
				t.Errorf("event %d: process.path %q, process.guid %t", e.ID, v, e.Has(event.ProcessGUID))
			}
			if e.Logsource == nil || e.Logsource.Categories[0] != e.Kind.String() {
				t.Errorf("event %d: logs %+v", e.ID, e.Logsource)
			}
		}
	}
	if n != 2 {
		t.Errorf("%d events, want 2", n)
	}
}
