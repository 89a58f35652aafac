// SPDX-License-Identifier: Apache-2.0

package monitordb

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"modernc.org/sqlite"

	"seismo/internal/event"
)

// A new database has the settings that the format promises, can be read by its
// owner alone, and leaves no log behind when it is closed.
func TestNewDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "monitor.db")
	db := openDB(t, path, Options{})
	write(t, db, everyKind(db.IDs()))
	for _, suffix := range []string{"", walSuffix, shmSuffix} {
		in, err := os.Stat(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if in.Mode().Perm() != 0o600 {
			t.Errorf("mode of monitor.db%s is %o, want 600", suffix, in.Mode().Perm())
		}
	}
	for pragma, want := range map[string]string{"application_id": "1936025971", "user_version": "4", "auto_vacuum": "2",
		"page_size": "4096", "journal_mode": "wal"} {
		wantRows(t, path, "PRAGMA "+pragma, want)
	}
	for pragma, want := range map[string]int64{"synchronous": 2, "cache_size": 700} {
		if got, err := db.conn.number("PRAGMA " + pragma); err != nil || got != want {
			t.Errorf("PRAGMA %s of the writer is %d, %v; want %d", pragma, got, err, want)
		}
	}
	if !sqlite.OFDLockingEnabled() {
		t.Error("open file description locks are off")
	}
	if db.SetAside() != "" {
		t.Errorf("SetAside() = %q", db.SetAside())
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{walSuffix, shmSuffix} {
		if _, err := os.Stat(path + suffix); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("after Close monitor.db%s is there (%v)", suffix, err)
		}
	}
}

// No byte of a path is taken for a parameter or an escape.
func TestPathsAreTakenLiterally(t *testing.T) {
	for _, name := range []string{"a?mode=ro&vfs=x.db", "b#c.db", "d%41e.db", "f g+h&i=j.db", "é\xff.db", `k\l".db`, ":memory:", "file:m.db"} {
		dir := t.TempDir()
		path := filepath.Join(dir, name)
		db := openDB(t, path, Options{})
		write(t, db, everyKind(db.IDs()))
		if err := db.Close(); err != nil {
			t.Fatalf("Close of %q: %v", name, err)
		}
		wantRows(t, path, "SELECT count(*) FROM file_events", "2")
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.Name() != name && !strings.HasPrefix(e.Name(), name+"-") {
				t.Errorf("Open(%q) made %q", name, e.Name())
			}
		}
	}
	if _, err := Open("x\x00.db", Options{}); err == nil {
		t.Error("Open of a path with a NUL: no error")
	}
}

// What is not a plain file in a directory that exists is refused, and rights
// that others have are taken away.
func TestOpenRefusesPlaces(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "target.db")
	if err := os.WriteFile(target, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link.db")
	walled := filepath.Join(dir, "walled.db")
	for from, to := range map[string]string{link: target, walled + walSuffix: target} {
		if err := os.Symlink(to, from); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "folder.db"), 0o700); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		link:                             "no regular file",
		walled:                           "no regular file",
		filepath.Join(dir, "folder.db"):  "no regular file",
		filepath.Join(dir, "no", "m.db"): "its directory",
		filepath.Join(target, "m.db"):    "target.db",
	} {
		db, err := Open(path, Options{})
		if err == nil {
			db.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("Open(%s): %v; want an error with the path and %q", path, err, want)
		}
	}
	if in, err := os.Stat(target); err != nil || in.Size() != 0 {
		t.Errorf("the target of the links was written to: %v, %v", in, err)
	}
	loose := filepath.Join(dir, "loose.db")
	if err := os.WriteFile(loose, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	openDB(t, loose, Options{})
	if in, err := os.Stat(loose); err != nil || in.Mode().Perm() != 0o600 {
		t.Errorf("mode of a file that was 666 is %v after Open", in.Mode())
	}
}

// sound returns the path of a database with some events in it, closed.
func sound(t testing.TB) string {
	t.Helper()
	db := newDB(t)
	for range 20 {
		write(t, db, everyKind(db.IDs()))
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return db.path
}

// A file that can not be used is set aside as it is, a new database is begun,
// and the loss is told; the reader refuses it by name.
func TestSetAside(t *testing.T) {
	edit := func(f func(b []byte) []byte) func(t *testing.T, path string) {
		return func(t *testing.T, path string) {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, f(b), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	pragma := func(sql string) func(t *testing.T, path string) {
		return func(t *testing.T, path string) {
			c, err := dial(path, "_dqs=0")
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(c.exec(sql), c.close()); err != nil {
				t.Fatal(err)
			}
		}
	}
	tests := []struct {
		name  string
		harm  func(t *testing.T, path string)
		as    string
		reads error // what OpenReader says; nil: it finds nothing wrong at once
	}{
		{"not a database", edit(func([]byte) []byte { return []byte(strings.Repeat("no database ", 1000)) }), "damaged", ErrNotDatabase},
		{"five bytes", edit(func([]byte) []byte { return []byte("hello") }), "damaged", ErrNotDatabase},
		{"truncated", edit(func(b []byte) []byte { return b[:len(b)/2] }), "damaged", ErrNotDatabase},
		{"truncated in the first page", edit(func(b []byte) []byte { return b[:3000] }), "damaged", ErrNotDatabase},
		{"a page zeroed", edit(func(b []byte) []byte { clear(b[8*4096 : 9*4096]); return b }), "damaged", nil},
		{"a page of noise", edit(func(b []byte) []byte { copy(b[20*4096:], strings.Repeat("\xa5\x5a", 2048)); return b }), "damaged", nil},
		{"marks in the header lost", edit(func(b []byte) []byte { clear(b[68:72]); return b }), "damaged", ErrNotDatabase},
		{"empty with a log", func(t *testing.T, path string) {
			if err := errors.Join(os.Truncate(path, 0), os.WriteFile(path+walSuffix, []byte("log"), 0o600)); err != nil {
				t.Fatal(err)
			}
		}, "damaged", ErrNotDatabase},
		{"newer", pragma("PRAGMA user_version = 5"), "newer", ErrVersion},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := sound(t)
			tt.harm(t, path)
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			r, err := OpenReader(path)
			if err == nil {
				r.Close()
			}
			if !errors.Is(err, tt.reads) {
				t.Errorf("OpenReader: %v; want %v", err, tt.reads)
			}
			refused := ErrNotDatabase
			if tt.as == "newer" {
				refused = ErrVersion
			}
			if err := os.Chmod(path, 0o640); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(path, Options{Refuse: true}); !errors.Is(err, refused) {
				t.Errorf("Open with Refuse: %v; want %v", err, refused)
			}
			if in, err := os.Stat(path); err != nil || in.Mode().Perm() != 0o640 {
				t.Errorf("a file that was refused: %v, %v; want it where and as it was", in, err)
			}
			db := openDB(t, path, Options{})
			want := path + "." + tt.as + "-20261122T130000Z"
			if db.SetAside() != want {
				t.Fatalf("SetAside() = %q, want %q", db.SetAside(), want)
			}
			if after, err := os.ReadFile(want); err != nil || string(after) != string(before) {
				t.Errorf("the file set aside was changed (%v)", err)
			}
			write(t, db, everyKind(db.IDs()))
			rows := ask(t, path, "SELECT reason, end_time, count, detail FROM losses ORDER BY end_time_raw DESC LIMIT 1")
			if begin := event.LossSetAside + "|2026-11-22 13:00:00.000|1|set aside as monitor.db." + tt.as; !strings.HasPrefix(rows[0], begin) {
				t.Errorf("losses: %q, want it to begin with %q", rows[0], begin)
			}
			wantRows(t, path, "SELECT count(*) FROM file_events", "2")
		})
	}
}

// Two files set aside in the same second keep their own names.
func TestSetAsideTwice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "monitor.db")
	for _, want := range []string{"Z", "Z-2", "Z-3"} {
		if err := os.WriteFile(path, []byte("junk"), 0o600); err != nil {
			t.Fatal(err)
		}
		db := openDB(t, path, Options{})
		if !strings.HasSuffix(db.SetAside(), want) {
			t.Errorf("SetAside() = %q, want it to end in %q", db.SetAside(), want)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A sound database of another program is left alone.
func TestForeignDatabaseIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "monitor.db")
	c, err := dial(path, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.exec("CREATE TABLE precious (x)"), c.close()); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile(path)
	if _, err := Open(path, Options{}); !errors.Is(err, ErrNotDatabase) || !strings.Contains(err.Error(), path) {
		t.Errorf("Open: %v; want ErrNotDatabase with the path", err)
	}
	if _, err := OpenReader(path); !errors.Is(err, ErrNotDatabase) {
		t.Errorf("OpenReader: %v; want ErrNotDatabase", err)
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
		t.Errorf("the file was changed (%v)", err)
	}
}

// A database whose making was cut short is made anew in the same place.
func TestUnfinishedDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "monitor.db")
	c, err := dial(path, writerParams)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.exec("BEGIN; CREATE TABLE x (y); DROP TABLE x; COMMIT"), c.close()); err != nil {
		t.Fatal(err)
	}
	db := openDB(t, path, Options{})
	if db.SetAside() != "" {
		t.Errorf("SetAside() = %q", db.SetAside())
	}
	write(t, db, everyKind(db.IDs()))
}

// What was seen last counts for recorders that told of their start, and a clean
// end is told from another.
func TestLastSeen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "monitor.db")
	now := testClock()
	o := Options{Now: func() time.Time { now = now.Add(time.Second); return now }}
	step := func(want LastSeen, host bool) {
		t.Helper()
		db := openDB(t, path, o)
		if got := db.LastSeen(); got != want {
			t.Errorf("LastSeen() = %+v, want %+v", got, want)
		}
		if host {
			if err := db.NoteHost(context.Background(), Host{Time: now.UnixNano(), Name: "h"}); err != nil {
				t.Fatal(err)
			}
		}
		write(t, db, everyKind(db.IDs()))
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	step(LastSeen{}, false) // a replay
	step(LastSeen{}, true)
	stopped := now.UnixNano()
	step(LastSeen{stopped, true}, false) // a replay again
	step(LastSeen{stopped, true}, true)
	db := openDB(t, path, o)
	if err := db.NoteHost(context.Background(), Host{}); err != nil {
		t.Fatal(err)
	}
	if err := db.NoteLoss(context.Background(), event.Loss{Reason: event.LossNotSeen, From: stopped, To: now.UnixNano(), Unit: "times"}); err != nil {
		t.Fatal(err)
	}
	last := now.UnixNano()
	db.host = 0 // ends without a word, as if killed
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	step(LastSeen{last, false}, false)
	wantRows(t, path, "SELECT count(*) FROM losses WHERE reason = 'not_recording'", "1")
}
