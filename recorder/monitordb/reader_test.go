// SPDX-License-Identifier: Apache-2.0

package monitordb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"seismo/internal/event"
)

func reader(t testing.TB, path string) *Reader {
	t.Helper()
	r, err := OpenReader(path)
	if err != nil {
		t.Fatalf("OpenReader(%q): %v", path, err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return r
}

// run returns the names and rows of a query as text.
func run(r *Reader, query string, o QueryOptions) (names, rows []string, cut bool, err error) {
	cut, err = r.Query(context.Background(), query, o, func(c []string) error { names = c; return nil },
		func(v []any) error { rows = append(rows, line(v)); return nil })
	return names, rows, cut, err
}

func TestQuery(t *testing.T) {
	r := reader(t, smallDB(t))
	tests := []struct {
		name, query string
		limit       int
		names, rows string
		cut         bool
	}{
		{"values of each type", "SELECT 1 AS i, 2.5 AS f, 'x' AS t, x'ff00' AS b, NULL AS n", 0, "i f t b n", "1|2.5|x|x'ff00'|NULL", false},
		{"names that come twice", "SELECT 1 AS a, 2 AS a", 0, "a a", "1|2", false},
		{"the order stays", "SELECT value FROM json_each('[3,1,2]') ORDER BY value DESC", 0, "value", "3 2 1", false},
		{"cut at the limit", "SELECT value FROM json_each('[1,2,3]') ORDER BY 1", 2, "value", "1 2", true},
		{"as many as the limit", "SELECT value FROM json_each('[1,2,3]') ORDER BY 1", 3, "value", "1 2 3", false},
		{"an own limit", "SELECT value FROM json_each('[1,2,3]') ORDER BY 1 LIMIT 1", 2, "value", "1", false},
		{"no row", "SELECT pid FROM file_events WHERE 0", 5, "pid", "", false},
		{"with", "with x(a) as (values (1),(2)) select a from x", 0, "a", "1 2", false},
		{"values", "VALUES (1, 'a')", 0, "column1 column2", "1|a", false},
		{"pragma", "PRAGMA application_id", 0, "application_id", "1936025971", false},
		{"comments and semicolons", "-- first;\n/* ; */ SELECT ';' AS \"a;b\", `b` FROM (SELECT 1 AS b) ; -- last ; \n ;", 0, "a;b b", ";|1", false},
		{"comment at the end", "SELECT 1 AS a -- no more", 0, "a", "1", false},
		{"comment without end", "SELECT 1 AS a /* no more", 0, "a", "1", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			names, rows, cut, err := run(r, tt.query, QueryOptions{Limit: tt.limit})
			if err != nil || strings.Join(names, " ") != tt.names || strings.Join(rows, " ") != tt.rows || cut != tt.cut {
				t.Errorf("Query(%q, limit %d) = %q, %q, %t, %v; want %q, %q, %t", tt.query, tt.limit, names, rows, cut, err, tt.names, tt.rows, tt.cut)
			}
		})
	}
}

// A file with our marks and other tables in it is told from one that can not be
// read right now.
func TestStatusOfAStrangeDatabase(t *testing.T) {
	for name, change := range map[string]string{
		"a table is missing":     "DROP TABLE host",
		"a column is missing":    "ALTER TABLE stats RENAME COLUMN parsed TO readable",
		"a number that is none":  "UPDATE pulse SET time = 'soon'",
		"a negative of a count":  "INSERT INTO stats (time, received) VALUES (1, -1)",
		"a null where none goes": "INSERT INTO stats (time) VALUES (1)",
	} {
		t.Run(name, func(t *testing.T) {
			path := smallDB(t)
			c, err := dial(path, "")
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(c.exec("PRAGMA legacy_alter_table = 1; "+change), c.close()); err != nil {
				t.Fatal(err)
			}
			if s, err := reader(t, path).Status(context.Background()); !errors.Is(err, ErrNotDatabase) {
				t.Errorf("Status after %q = %+v, %v; want ErrNotDatabase", change, s, err)
			}
		})
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := reader(t, smallDB(t)).Status(ctx); err == nil || errors.Is(err, ErrNotDatabase) {
		t.Errorf("Status that was cancelled: %v; want another error", err)
	}
}

// What is more than one reading statement is refused, and nothing is changed by
// what SQLite itself would let through.
func TestQueryRefuses(t *testing.T) {
	path := smallDB(t)
	r := reader(t, path)
	other := filepath.Join(t.TempDir(), "other.db")
	tests := []struct {
		query, want string
		statement   bool
	}{
		{"", "no statement", true},
		{" ; -- x", "no statement", true},
		{"SELECT 1; SELECT 2", "a second statement", true},
		{"SELECT '; '' ;' ; DROP TABLE file", "a second statement", true},
		{"DELETE FROM file", "DELETE", true},
		{"ATTACH '" + other + "' AS x", "ATTACH", true},
		{"VACUUM INTO '" + other + "'", "VACUUM", true},
		{"SELECT 1\x00; DROP TABLE file", "NUL", true},
		{"WITH x AS (SELECT 1) DELETE FROM file", "syntax error", false},
		{"SELECT 1) DELETE FROM file; --", "syntax error", false},
		{"SELECT absent FROM file_events", "no such column", false},
		{"SELECT \"pidd\" FROM file_events", "no such column", false}, // no text in double quotes
		{"SELECT load_extension('x')", "", false},
		{"PRAGMA user_version = 7", "readonly", false},
		{"EXPLAIN", "incomplete input", false},
	}
	for _, tt := range tests {
		_, rows, _, err := run(r, tt.query, QueryOptions{Limit: 10})
		if err == nil || !strings.Contains(err.Error(), tt.want) || errors.Is(err, ErrStatement) != tt.statement {
			t.Errorf("Query(%q) = %q, %v; want an error with %q (ErrStatement: %t)", tt.query, rows, err, tt.want, tt.statement)
		}
	}
	// Even with the pragma undone the connection only reads.
	if _, _, _, err := run(r, "PRAGMA query_only = 0", QueryOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.conn.ExecContext(context.Background(), "DELETE FROM file"); err == nil {
		t.Error("DELETE through the reader's connection: no error")
	}
	if _, err := r.conn.ExecContext(context.Background(), "ATTACH '"+other+"' AS x"); err == nil {
		t.Error("ATTACH through the reader's connection: no error")
	}
	if _, err := os.Stat(other); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a query made another file: %v", err)
	}
	wantRows(t, path, "SELECT count(*) FROM file", "2")
}

// A statement that takes too long is ended, also one that would be long between
// two rows, and the reader can be asked again.
func TestQueryDeadline(t *testing.T) {
	r := reader(t, smallDB(t))
	long := "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n WHERE x = 1 OR x < 0"
	_, _, _, err := run(r, long, QueryOptions{Timeout: 50 * time.Millisecond, Limit: 5})
	if err == nil || !strings.Contains(err.Error(), "longer than 50ms") {
		t.Errorf("Query without an end: %v; want an error about the time", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(20*time.Millisecond, cancel)
	_, err = r.Query(ctx, long, QueryOptions{}, func([]string) error { return nil }, func([]any) error { return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Query with a context that ends: %v; want context.Canceled", err)
	}
	if _, rows, _, err := run(r, "SELECT 7", QueryOptions{Timeout: time.Minute}); err != nil || len(rows) != 1 || rows[0] != "7" {
		t.Errorf("Query after a deadline = %q, %v; want 7", rows, err)
	}
}

// An answer larger than what is held is handed on in parts; an error of the
// taker ends it.
func TestQueryLargeAnswer(t *testing.T) {
	r := reader(t, smallDB(t))
	query := fmt.Sprintf("WITH RECURSIVE n(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n WHERE x < 40) SELECT x, zeroblob(%d) FROM n", 1<<20)
	begun, count := 0, 0
	stop := errors.New("enough")
	take := func(v []any) error {
		if count++; v[0] != int64(count) {
			t.Fatalf("row %d is %v", count, v[0])
		}
		return nil
	}
	if _, err := r.Query(context.Background(), query, QueryOptions{}, func([]string) error { begun++; return nil }, take); err != nil || begun != 1 || count != 40 {
		t.Errorf("Query of 40 MB: %v, names told %d times, %d rows; want 1 and 40", err, begun, count)
	}
	_, err := r.Query(context.Background(), query, QueryOptions{}, func([]string) error { return nil }, func([]any) error { return stop })
	if !errors.Is(err, stop) {
		t.Errorf("Query with a taker that fails: %v; want its error", err)
	}
}

func TestOpenReaderWithoutDatabase(t *testing.T) {
	dir := t.TempDir()
	if _, err := OpenReader(filepath.Join(dir, "monitor.db")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("OpenReader of no file: %v; want fs.ErrNotExist", err)
	}
	if _, err := OpenReader(dir); !errors.Is(err, ErrNotDatabase) {
		t.Errorf("OpenReader of a directory: %v; want ErrNotDatabase", err)
	}
	empty := filepath.Join(dir, "empty.db")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenReader(empty); !errors.Is(err, ErrNotDatabase) {
		t.Errorf("OpenReader of an empty file: %v; want ErrNotDatabase", err)
	}
	if in, err := os.Stat(empty); err != nil || in.Size() != 0 {
		t.Errorf("OpenReader wrote to an empty file: %v, %v", in, err)
	}
}

// Readers in this process see whole batches while the recorder writes.
func TestReadersWhileWriting(t *testing.T) {
	db := newDB(t)
	const perBatch, batches, readers = 50, 60, 3
	write(t, db, event.NewBatch(0))
	var wg sync.WaitGroup
	done := make(chan struct{})
	for range readers {
		r := reader(t, db.path)
		wg.Go(func() {
			seen := 0
			for last := false; !last; {
				select {
				case <-done:
					last = true
				default:
				}
				_, rows, _, err := run(r, "SELECT count(*) FROM file_events", QueryOptions{})
				var n int
				if err == nil {
					_, err = fmt.Sscan(rows[0], &n)
				}
				if err != nil || n%perBatch != 0 || n < seen {
					t.Errorf("a reader counts %d after %d: %v", n, seen, err)
					return
				}
				seen = n
			}
			if seen != perBatch*batches {
				t.Errorf("a reader counts %d at the end, want %d", seen, perBatch*batches)
			}
		})
	}
	ids := db.IDs()
	for i := range batches {
		b := event.NewBatch(perBatch)
		for n := range perBatch {
			e := b.Add(event.KindFile, event.OpWrite)
			e.Time = base + int64(i*perBatch+n)*1e6
			e.SetString(event.FilePath, fmt.Sprintf("/tmp/%d/%d", i, n))
		}
		ids.Assign(b)
		write(t, db, b)
	}
	close(done)
	wg.Wait()
}

// A reader in a transaction does not hold up the end of the recorder, and takes
// nothing away: the log stays for the next one.
func TestCloseWithReader(t *testing.T) {
	db := newDB(t)
	write(t, db, everyKind(db.IDs()))
	r := reader(t, db.path)
	tx, err := r.conn.BeginTx(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if err := tx.QueryRow("SELECT count(*) FROM file").Scan(&n); err != nil || n != 2 {
		t.Fatalf("count in the transaction: %d, %v", n, err)
	}
	write(t, db, everyKind(db.IDs()))
	if err := db.Close(); err != nil {
		t.Errorf("Close with a reader inside a transaction: %v", err)
	}
	if _, wal := sizes(db.path); wal == 0 {
		t.Error("the log is gone under the reader")
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	again := openDB(t, db.path, Options{})
	write(t, again, everyKind(again.IDs()))
	wantRows(t, db.path, "SELECT count(*) FROM file_events", "6")
}
