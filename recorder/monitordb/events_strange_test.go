// SPDX-License-Identifier: Apache-2.0

package monitordb

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"seismo/internal/event"
)

// Rows that seismo can not have written are refused by name.
func TestEventsOfAStrangeDatabase(t *testing.T) {
	tests := []struct{ name, change, want string }{
		{"an operation of another kind", "UPDATE file SET op = 2", "operation 2"},
		{"an operation that is none", "UPDATE file SET op = 300", "operation 300"},
		{"flags", "UPDATE network SET flags = 999", "flags 999"},
		{"an address that is none", "UPDATE str SET s = 'nowhere' WHERE s = '192.0.2.7'", "no address"},
		{"a number that is none", "UPDATE file SET mode = 'x' WHERE mode IS NOT NULL", "no integer"},
		{"a list that is none", "UPDATE syscall SET arguments = '[1]'", "no list"},
		{"a document that is none", "UPDATE extra SET doc = '{'", "extra"},
		{"a process that is its own parent", "UPDATE proc SET parent = id", "its own ancestor"},
		{"parents in a ring", "UPDATE proc SET parent = (SELECT max(id) FROM proc)", "its own ancestor"},
		{"a table that is missing", "DROP TABLE dns", "no such table"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := smallDB(t)
			c, err := dial(path, "")
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(c.exec("PRAGMA legacy_alter_table = 1; "+tt.change), c.close()); err != nil {
				t.Fatal(err)
			}
			var failed error
			for _, err := range reader(t, path).Events(context.Background(), EventQuery{}) {
				failed = err
			}
			if !errors.Is(failed, ErrNotDatabase) || !strings.Contains(failed.Error(), tt.want) {
				t.Errorf("Events after %q: %v; want ErrNotDatabase and %q", tt.change, failed, tt.want)
			}
		})
	}
}

// A proof that seismo can not have written is refused, whatever it is.
func TestMatchesOfAStrangeDatabase(t *testing.T) {
	for name, proof := range map[string]string{
		"no JSON":             "[{",
		"no list":             `{"term":"00"}`,
		"a term that is none": `[{"term":"x","event":"1"}]`,
		"an event that is":    `[{"term":"01","event":"soon"}]`,
		"a value that is":     `[{"term":"01","event":"1","value":7}]`,
		"bytes that are none": `[{"term":"01","event":"1","value":{"hex":"0"}}]`,
		"more than are kept":  "[" + strings.Repeat(`{"term":"01","event":"1"},`, 64) + `{"term":"01","event":"1"}]`,
	} {
		t.Run(name, func(t *testing.T) {
			path := smallDB(t)
			c, err := dial(path, "")
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(c.exec("UPDATE signal_match SET proof = '"+proof+"'"), c.close()); err != nil {
				t.Fatal(err)
			}
			if m, err := reader(t, path).Matches(context.Background(), event.ID(base/1000+2000)); !errors.Is(err, ErrNotDatabase) {
				t.Errorf("Matches with proof %s = %+v, %v; want ErrNotDatabase", proof, m, err)
			}
		})
	}
}

// Whatever stands in a column, reading ends, and an error says that it is the
// database's fault.
func TestEventsOfMangledColumns(t *testing.T) {
	sound, err := os.ReadFile(smallDB(t))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "monitor.db")
	columns := ask(t, writeFile(t, path, sound), `SELECT m.name || ' SET ' || c.name FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = 'table'
		AND m.name IN ('str', 'path', 'command', 'identity', 'proc', 'proc_end', 'proc_attr', 'file', 'network', 'registry', 'image', 'driver', 'dns', 'security', 'syscall', 'record', 'extra', 'host', 'signal_match', 'signal_definition')`)
	values := []string{"NULL", "-1", "0", "1", "300", "9223372036854775807", "1e300", "''", "'x'", "x'00ff'", "'[]'", "'[1,{}]'", "'{}'", `'{"own":[[1,2,3]]}'`,
		`'{"process":{"process.pid":"x"}}'`, `'{"late":{"file.path":"x"}}'`, `'{"process":{"process.args":{}}}'`, `'{"records":[-1]}'`, "'[[[[['", "zeroblob(100000)"}
	refused := 0
	rapid.Check(t, func(rt *rapid.T) {
		writeFile(t, path, sound)
		c, err := dial(path, "")
		if err != nil {
			rt.Fatal(err)
		}
		change := "UPDATE OR IGNORE " + rapid.SampledFrom(columns).Draw(rt, "column") + " = " + rapid.SampledFrom(values).Draw(rt, "value")
		_ = c.exec(change) // some columns take no such value
		if err := c.close(); err != nil {
			rt.Fatal(err)
		}
		r, err := OpenReader(path)
		if err != nil {
			rt.Fatal(err)
		}
		defer r.Close()
		for b, err := range r.Events(context.Background(), EventQuery{Batch: 7}) {
			if err != nil {
				if refused++; !errors.Is(err, ErrNotDatabase) {
					rt.Errorf("%s: %v; want ErrNotDatabase", change, err)
				}
				break
			}
			for _, e := range b.Events() {
				show(e)
				if _, err := r.Matches(context.Background(), e.ID); err != nil && !errors.Is(err, ErrNotDatabase) {
					rt.Errorf("%s: matches of event %d: %v; want ErrNotDatabase", change, e.ID, err)
				}
			}
		}
	})
	if refused == 0 {
		t.Error("nothing was refused: no column was mangled")
	}
}

func writeFile(t *testing.T, path string, b []byte) string {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
