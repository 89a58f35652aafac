// SPDX-License-Identifier: Apache-2.0

package monitordb

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"seismo/internal/event"
)

// A process that an event refers to gets a row, with its ancestors; an image
// that was only forked gets none for its successor's sake.
func TestProcessesAreWrittenWhenNeeded(t *testing.T) {
	db := newDB(t)
	a := newAdder(db.IDs())
	top := process(0, "/sbin/init", "init")
	mid := process(1, "/bin/sh", "sh")
	mid.Parent = top
	fork := process(2, "/bin/sh", "sh")
	fork.Parent, fork.Forked = mid, true
	leaf := process(3, "/bin/ls", "ls")
	leaf.Parent, leaf.Previous = mid, fork
	a.add(event.KindFile, event.OpWrite, leaf).SetString(event.FilePath, "/tmp/x")
	write(t, db, a.b)
	const tree = "SELECT process_name, parent_path, previous_process_table_id, learned FROM processes ORDER BY process_table_id"
	wantRows(t, db.path, tree, "init|NULL|NULL|exec", "sh|/sbin/init|NULL|exec", "ls|/bin/sh|NULL|exec")

	// Now something refers to the forked image, and the next image links to it.
	b := newAdder(db.IDs())
	b.add(event.KindFile, event.OpWrite, fork).SetString(event.FilePath, "/tmp/y")
	next := process(4, "/bin/cat", "cat")
	next.Parent, next.Previous = mid, fork
	b.add(event.KindProcess, event.OpCreate, next)
	write(t, db, b.b)
	wantRows(t, db.path, tree, "init|NULL|NULL|exec", "sh|/sbin/init|NULL|exec", "ls|/bin/sh|NULL|exec",
		"sh|/bin/sh|NULL|fork", "cat|/bin/sh|4|exec")
}

// A create event that comes after other events of its process fills in the row;
// one that comes twice changes nothing.
func TestLateCreateFillsTheRow(t *testing.T) {
	db := newDB(t)
	early := process(5, "", "")
	early.Args, early.CommandLine, early.Inferred = nil, "", true
	full := process(5, "/bin/ls", "ls", "-l")
	a := newAdder(db.IDs())
	a.add(event.KindFile, event.OpWrite, early).SetString(event.FilePath, "/tmp/x")
	create := a.add(event.KindProcess, event.OpCreate, full)
	write(t, db, a.b)
	b := newAdder(db.IDs())
	b.add(event.KindProcess, event.OpCreate, process(5, "/bin/other", "other"))
	write(t, db, b.b)
	wantRows(t, db.path, "SELECT id, process_path, process_command_line, learned FROM process_events",
		fmt.Sprintf("%d|/bin/ls|ls -l|exec", create.ID))
	wantRows(t, db.path, "SELECT process_path FROM file_events", "/bin/ls")
}

// A chain of ancestors longer than anything real ends, and a create event
// without a process is stored all the same.
func TestUnusualProcesses(t *testing.T) {
	db := newDB(t)
	var p *event.Process
	for i := range 2 * maxDepth {
		q := process(i, "/bin/sh", "sh")
		q.Parent = p
		p = q
	}
	a := newAdder(db.IDs())
	a.add(event.KindFile, event.OpOpen, p).SetString(event.FilePath, "/tmp/x")
	e := a.add(event.KindProcess, event.OpCreate, nil)
	e.PID = 77
	e.SetString(event.ProcessPath, "/bin/date")
	e.AppendElement(event.ProcessArgs, []byte("date"))
	a.add(event.KindProcess, event.OpEnd, nil)
	write(t, db, a.b)
	wantRows(t, db.path, "SELECT count(*) FROM proc", fmt.Sprint(maxDepth+2))
	wantRows(t, db.path, "SELECT pid, process_path FROM process_events", "77|/bin/date")
	wantRows(t, db.path, "SELECT operation, pid FROM combined_events WHERE operation = 'end'", "end|NULL")
}

// A line that begins with the program's path or name is stored without it, and read
// whole everywhere; lines that are the same may differ in what is stored of them.
func TestCommandLinesAreStoredWithoutThePath(t *testing.T) {
	path := filepath.Join(t.TempDir(), "monitor.db")
	db := openDB(t, path, Options{})
	tests := []struct {
		name, path string
		args       []string
		stored     string // line, args and head
	}{
		{"the path", "/usr/bin/id", []string{"/usr/bin/id", "-u"}, " -u|1|1"},
		{"the path, in another folder", "/bin/id", []string{"/bin/id", "-u"}, " -u|1|1"},
		{"the name", "/usr/bin/id", []string{"id", "-u"}, " -u|1|2"},
		{"the name, in another folder", "/opt/id", []string{"id", "-u"}, " -u|1|2"},
		{"the same line of another program", "/usr/bin/busybox", []string{"id", "-u"}, "id -u|1|NULL"},
		{"nothing but the name", "/usr/bin/ls", []string{"ls"}, "|1|2"},
		{"the beginning of the name", "/usr/bin/lsof", []string{"ls"}, "ls|1|NULL"},
		{"a login shell", "/bin/bash", []string{"-bash"}, "-bash|1|NULL"},
		{"a blank in the path", "/opt/my tool", []string{"/opt/my tool", "x"}, `/opt/my tool x|["/opt/my tool","x"]|NULL`},
		{"no UTF-8 after the path", "/bin/cat", []string{"/bin/cat", "\xff"}, `x'2f62696e2f63617420ff'|["/bin/cat",{"hex":"ff"}]|NULL`},
		{"no UTF-8 in the folder", "/\xff/cat", []string{"cat", "x"}, " x|1|2"},
		{"nothing of it known", "", []string{"id"}, "id|1|NULL"},
		{"an empty name", "/bin/", []string{"", "x"}, " x|1|NULL"},
	}
	a := newAdder(db.IDs())
	for i, tt := range tests {
		a.add(event.KindProcess, event.OpCreate, process(i+1, tt.path, tt.args...))
	}
	write(t, db, a.b)
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			of := fmt.Sprintf("WHERE p.pid = %d", 1001+i)
			wantRows(t, path, "SELECT c.line, c.args, c.head FROM proc p JOIN command c ON c.id = p.command "+of, tt.stored)
			whole := strings.Join(tt.args, " ")
			for _, q := range []string{
				"SELECT process_command_line FROM process_events p ",
				"SELECT detail FROM combined_events p ",
			} {
				if got := ask(t, path, q+of); len(got) != 1 || got[0] != whole {
					t.Errorf("%s: %q, want %q", q, got, whole)
				}
			}
		})
	}
}

// Whatever the size of the in-memory dictionaries, the rows are the same: what
// was forgotten is found again in the database.
func TestEvictionFindsTheSameRows(t *testing.T) {
	dump := func(size int) []string {
		path := filepath.Join(t.TempDir(), "monitor.db")
		db := openDB(t, path, Options{cacheSize: size})
		setDefinitions(t, db, definitions(1))
		m, ids := newMix(20), db.IDs()
		for range 5 {
			b := event.NewBatch(100)
			b.Platform = "linux"
			m.fill(b, 100)
			ids.Assign(b)
			for i, e := range b.Events() {
				if i%9 == 0 {
					e.Tags = append(e.Tags, event.Tag{})
				}
			}
			write(t, db, b)
		}
		var all []string
		for _, q := range []string{"SELECT * FROM combined_events ORDER BY id", "SELECT * FROM processes ORDER BY process_id",
			"SELECT * FROM signal_matches", "SELECT count(*) FROM str", "SELECT count(*) FROM path", "SELECT count(*) FROM identity"} {
			all = append(all, ask(t, path, q)...)
		}
		return all
	}
	small, large := dump(2), dump(0)
	if len(small) < 500 || strings.Join(small, "\n") != strings.Join(large, "\n") {
		t.Errorf("a database written with dictionaries of 2 entries differs from one with the default (%d and %d rows): %s",
			len(small), len(large), firstDifference(strings.Join(small, "\n"), strings.Join(large, "\n")))
	}
}

// A batch that fails is not stored in part, and what was remembered of it is
// forgotten: the same values are stored with the next one.
func TestFailedWriteLeavesNothing(t *testing.T) {
	db := newDB(t)
	setDefinitions(t, db, definitions(1))
	fill := func() *adder {
		a := newAdder(&event.IDs{})
		p := process(1, "/bin/new", "new", "command")
		e := a.add(event.KindFile, event.OpWrite, p)
		e.SetString(event.FilePath, "/new/path")
		e.Tags = append(e.Tags, event.Tag{})
		return a
	}
	bad := fill()
	bad.b.Losses = append(bad.b.Losses, event.Loss{Reason: event.LossKernel, Unit: "records"})
	bad.add(event.KindFile, event.OpWrite, nil).ID = bad.b.Events()[0].ID // the same id twice
	if err := db.Write(context.Background(), []*event.Batch{bad.b}); err == nil {
		t.Fatal("Write of two events with one id: no error")
	}
	for _, table := range []string{"file", "proc", "path", "str", "command", "identity", "loss", "signal_match", "signal_count", "tally"} {
		wantRows(t, db.path, "SELECT count(*) FROM "+table, "0")
	}
	write(t, db, fill().b)
	wantRows(t, db.path, "SELECT file, process_path, user_name FROM file_events", "/new/path|/bin/new|ann")
	wantRows(t, db.path, "SELECT matches, stored FROM signal_counts", "1|1")
	wantRows(t, db.path, "SELECT kind, stored FROM tally", "2|1")
}

// Mistakes of a caller are errors that say so, and store nothing.
func TestWriteRefuses(t *testing.T) {
	db := newDB(t)
	ids := &event.IDs{}
	noID := newAdder(ids)
	noID.add(event.KindFile, event.OpWrite, nil).ID = 0
	noDefinition := newAdder(ids)
	e := noDefinition.add(event.KindFile, event.OpWrite, nil)
	e.Tags = append(e.Tags, event.Tag{Signal: 3})
	for _, tt := range []struct {
		name  string
		batch *event.Batch
		want  string
	}{
		{"an event without an id", noID.b, "has no id"},
		{"a tag without a definition", noDefinition.b, "tag of signal 3"},
	} {
		err := db.Write(context.Background(), []*event.Batch{tt.batch})
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), db.path) {
			t.Errorf("Write of %s: %v; want an error with %q and the path", tt.name, err, tt.want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := db.Write(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Write with a context that is done: %v", err)
	}
	wantRows(t, db.path, "SELECT count(*) FROM combined_events", "0")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"Write":    db.Write(context.Background(), nil),
		"NoteLoss": db.NoteLoss(context.Background(), event.Loss{}),
		"Close":    db.Close(),
	} {
		if closed := errors.Is(err, ErrClosed); closed != (what != "Close") {
			t.Errorf("%s after Close: %v", what, err)
		}
	}
}

// A discarded event is not stored, unless a signal fired on it; several batches
// of one call are stored together.
func TestDiscard(t *testing.T) {
	db := newDB(t)
	setDefinitions(t, db, definitions(1))
	ids := db.IDs()
	var batches []*event.Batch
	for i := range 4 {
		a := newAdder(ids)
		e := a.add(event.KindFile, event.OpWrite, nil)
		e.SetString(event.FilePath, fmt.Sprintf("/tmp/%d", i))
		if i > 0 {
			e.Verdict = event.Discard
		}
		if i == 2 {
			e.Tags = append(e.Tags, event.Tag{})
		}
		batches = append(batches, a.b)
	}
	write(t, db, batches...)
	wantRows(t, db.path, "SELECT file FROM file_events ORDER BY file", "/tmp/0", "/tmp/2")
	wantRows(t, db.path, "SELECT stored FROM tally", "2")
}

// Events stamped alike, out of order, and those of a second run over the same
// time get different ids, over all tables.
func TestIDsAreUniqueOverRuns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "monitor.db")
	for run := range 3 {
		db := openDB(t, path, Options{})
		ids := db.IDs()
		for i := range 5 {
			b := event.NewBatch(20)
			p := process(run*10+i, "/bin/sh", "sh")
			for n, k := range []event.Kind{event.KindProcess, event.KindFile, event.KindNetwork, event.KindRecord, event.KindProcess, event.KindFile} {
				op := event.Ops(k)[0]
				if n == 4 {
					op = event.OpEnd
				}
				e := b.Add(k, op)
				e.Time, e.Process = base-int64(i%2)*1e6, p
			}
			ids.Assign(b)
			write(t, db, b)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	wantRows(t, path, "SELECT count(*), count(DISTINCT id) FROM combined_events", "90|90")
	wantRows(t, path, "SELECT DISTINCT timestamp FROM combined_events ORDER BY 1", "2020-11-10 08:14:56.154", "2020-11-10 08:14:56.155")
}

// A disk that is full fails the write and no more: nothing of the batch is
// stored, and the same batch is stored when there is room.
func TestFullDisk(t *testing.T) {
	db := newDB(t)
	m, ids := newMix(20), db.IDs()
	fill := func() *event.Batch {
		b := event.NewBatch(1000)
		b.Platform = "linux"
		m.fill(b, 1000)
		ids.Assign(b)
		return b
	}
	write(t, db, fill())
	pages, err := db.conn.number("PRAGMA page_count")
	if err != nil {
		t.Fatal(err)
	}
	if err := db.conn.exec(fmt.Sprintf("PRAGMA max_page_count = %d", pages+5)); err != nil {
		t.Fatal(err)
	}
	b := fill()
	for range 2 {
		if err := db.Write(context.Background(), []*event.Batch{b}); err == nil || !strings.Contains(err.Error(), "full") {
			t.Fatalf("Write to a full database: %v; want an error that it is full", err)
		}
		wantRows(t, db.path, "SELECT count(*) FROM combined_events", "1000")
	}
	if err := db.conn.exec("PRAGMA max_page_count = 1000000"); err != nil {
		t.Fatal(err)
	}
	write(t, db, b)
	wantRows(t, db.path, "SELECT count(*), (SELECT sum(stored) FROM tally) FROM combined_events", "2000|2000")
	wantRows(t, db.path, "PRAGMA integrity_check", "ok")
}
