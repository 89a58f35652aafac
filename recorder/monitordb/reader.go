// SPDX-License-Identifier: Apache-2.0

// This file opens a monitor.db for questions. Questions in SQL are in query.go.

package monitordb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// readerParams open the database for reading only. The schema of a file that
// somebody else made is not trusted: its views can call no function with an
// effect.
const readerParams = "mode=ro&_query_only=1&_defensive=1&_dqs=0&_busy_timeout=5000&_pragma=trusted_schema(0)" +
	"&_pragma=cell_size_check(1)&_pragma=cache_size(-2048)&_pragma=mmap_size(0)"

// Reader asks a monitor.db. It changes nothing in it, and may be used while a
// recorder writes, in this process or another. One goroutine uses it at a time.
type Reader struct {
	path string
	pool *sql.DB
	conn *sql.Conn
}

// OpenReader opens the monitor.db at path for reading; what a recorder that was
// killed left in the write-ahead log is read too. The error wraps fs.ErrNotExist,
// [ErrNotDatabase] or [ErrVersion] where that is the reason, or
// fs.ErrPermission.
func OpenReader(path string) (*Reader, error) {
	in, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open %s: no database there; has anything been recorded? (%w)", path, fs.ErrNotExist)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	if !in.Mode().IsRegular() {
		return nil, fmt.Errorf("open %s: no regular file (%s): %w", path, in.Mode().Type(), ErrNotDatabase)
	}
	if in.Size() == 0 { // SQLite would take away a log that stands beside it
		return nil, fmt.Errorf("open %s: an empty file: %w", path, ErrNotDatabase)
	}
	if err := mayRead(path); err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	err = check(path, readerParams)
	params := readerParams
	if unwritable(err) {
		// SQLite can not make the index of the log (-shm) here, as on a read-only
		// medium. Without a log there is nothing to index, and nobody writes.
		if _, wal := sizes(path); wal > 0 {
			return nil, fmt.Errorf("open %s: it has a write-ahead log, which can be read only where its directory can be written: copy %s and %s%s elsewhere (%w)",
				path, path, path, walSuffix, err)
		}
		params = "immutable=1&" + readerParams
		err = check(path, params)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return openPool(path, params)
}

// unwritable reports whether err is what SQLite says where it can not make files
// beside the database.
func unwritable(err error) bool {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	code := e.Code() & 0xff
	return code == sqlite3.SQLITE_CANTOPEN || code == sqlite3.SQLITE_READONLY
}

// check opens the database and sees that it is a monitor.db of this version.
func check(path, params string) error {
	c, err := dial(path, params)
	if err != nil {
		return notDatabase(err)
	}
	defer c.close()
	version, err := identify(c)
	if err != nil {
		return notDatabase(err)
	}
	if version == 0 {
		return fmt.Errorf("an empty database: %w", ErrNotDatabase)
	}
	return nil
}

func notDatabase(err error) error {
	if damaged(err) {
		return fmt.Errorf("%w (%w)", ErrNotDatabase, err)
	}
	return err
}

func openPool(path, params string) (*Reader, error) {
	dsn, err := source(path, params)
	if err != nil {
		return nil, err
	}
	connector, err := sqlite.NewConnector(dsn)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	r := &Reader{path: path, pool: sql.OpenDB(connector)}
	r.pool.SetMaxOpenConns(1)
	if r.conn, err = r.pool.Conn(context.Background()); err == nil {
		_, err = sqlite.Limit(r.conn, sqlite3.SQLITE_LIMIT_ATTACHED, 0)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), r.Close())
	}
	return r, nil
}

// Close ends the reader.
func (r *Reader) Close() error {
	var err error
	if r.conn != nil {
		err = r.conn.Close()
	}
	if err := errors.Join(err, r.pool.Close()); err != nil && !errors.Is(err, sql.ErrConnDone) {
		return fmt.Errorf("close %s: %w", r.path, err)
	}
	return nil
}

// KindCount says how many events of a kind were stored since the database was
// begun, and the times of the first and last of them.
type KindCount struct {
	Kind        string
	Stored      uint64
	First, Last time.Time
}

// Status is what a database tells of its recorder.
type Status struct {
	Path             string
	File, WAL        int64 // bytes
	Host             Host  // of the latest start; zero if none was noted
	Stopped          int64 // when that recorder closed the database, Unix time in nanoseconds; 0 if it did not
	LastWrite        int64 // when a recorder wrote last, Unix time in nanoseconds
	Stats            Stats // the latest row; zero if there is none
	Kinds            []KindCount
	Processes        int64
	Signals          int64  // definitions that are active
	Matches          int64  // all that fired
	StoredMatches    int64  // those of them that have a row
	Losses           int64  // rows of the view losses
	LatestLoss       string // the one noted last; of matches over a limit only where there is no other
	LatestLossTime   int64  // its end, Unix time in nanoseconds
	LatestLossDetail string
	LatestLossCount  int64 // 0: not known
	LatestLossUnit   string
	Collection       Collection // in force, or that of the end; Start is 0 if none was noted
	SignalState
}

// Status returns the latest figures that the recorder stored. The error wraps
// [ErrNotDatabase] if the tables are not those of a monitor.db, whatever the marks
// in the file's header say.
func (r *Reader) Status(ctx context.Context) (Status, error) {
	s := Status{Path: r.path}
	s.File, s.WAL = sizes(r.path)
	tx, err := r.conn.BeginTx(ctx, &sql.TxOptions{ReadOnly: true}) // one moment for all figures
	if err != nil {
		return s, fmt.Errorf("status of %s: %w", r.path, err)
	}
	defer tx.Rollback()
	if err := s.read(ctx, tx); err != nil {
		if ctx.Err() == nil && strange(err) {
			err = fmt.Errorf("%w (%w)", ErrNotDatabase, err)
		}
		return s, fmt.Errorf("status of %s: %w", r.path, err)
	}
	return s, nil
}

// strange reports whether err, of a statement of ours, says that the database is
// not as we make them: that it is damaged, lacks a table or a column, or holds a
// value of another type.
func strange(err error) bool {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return true
	}
	return e.Code()&0xff == sqlite3.SQLITE_ERROR || damaged(err)
}

func (s *Status) read(ctx context.Context, tx *sql.Tx) error {
	var failed error // the first error: the others would say the same again
	row := func(query string, to ...any) {
		if failed == nil {
			failed = tx.QueryRowContext(ctx, query).Scan(to...)
		}
		if errors.Is(failed, sql.ErrNoRows) {
			failed = nil
		}
	}
	h, st := &s.Host, &s.Stats
	row("SELECT time, ifnull(stop, 0), machine_id, name, platform, kernel, time_zone, boot_id, version, program FROM host ORDER BY id DESC LIMIT 1",
		&h.Time, &s.Stopped, &h.MachineID, &h.Name, &h.Platform, &h.Kernel, &h.TimeZone, &h.BootID, &h.Version, &h.Program)
	row("SELECT time FROM pulse", &s.LastWrite)
	row(`SELECT time, source, received, parsed, malformed, kernel_lost, serial_gaps, overruns, incomplete,
			assembled, stored, filtered, dropped, in_flight, tags, rss, cpu, queue, detail FROM stats ORDER BY id DESC LIMIT 1`,
		&st.Time, &st.Input, &st.Source.Received, &st.Source.Parsed, &st.Source.Malformed, &st.Source.KernelLost,
		&st.Source.SerialGaps, &st.Source.Overruns, &st.Source.Incomplete, &st.Assembled, &st.Stored, &st.Filtered,
		&st.Dropped, &st.InFlight, &st.Tags, &st.RSS, &st.CPU, &st.Queue, &st.Detail)
	var version int
	if row("PRAGMA user_version", &version); version >= collectionVersion {
		row("SELECT ifnull(left_out, 0) FROM stats ORDER BY id DESC LIMIT 1", &st.Source.LeftOut)
	}
	row("SELECT ifnull(max(id), 0) FROM proc", &s.Processes)
	row("SELECT count(*) FROM signal_definition WHERE active", &s.Signals)
	row("SELECT ifnull(sum(matches), 0), ifnull(sum(stored), 0) FROM signal_count", &s.Matches, &s.StoredMatches)
	row("SELECT count(*) FROM losses", &s.Losses)
	latest := []any{&s.LatestLoss, &s.LatestLossTime, &s.LatestLossDetail, &s.LatestLossCount, &s.LatestLossUnit}
	row("SELECT reason, end_time_raw * 1000000, ifnull(detail, ''), ifnull(count, 0), ifnull(unit, '') FROM losses ORDER BY end_time_raw DESC LIMIT 1", latest...)
	row("SELECT reason, until, ifnull(detail, ''), ifnull(count, 0), ifnull(unit, '') FROM loss ORDER BY id DESC LIMIT 1", latest...)
	if failed != nil {
		return failed
	}
	if err := s.SignalState.read(ctx, tx); err != nil {
		return err
	}
	if err := s.Collection.read(ctx, tx); err != nil {
		return err
	}
	rows, err := tx.QueryContext(ctx, "SELECT k.name, t.stored, t.first, t.last FROM tally t JOIN kind k ON k.id = t.kind ORDER BY t.kind")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var k KindCount
		var first, last int64
		if err := rows.Scan(&k.Kind, &k.Stored, &first, &last); err != nil {
			return err
		}
		k.First, k.Last = time.UnixMicro(first).UTC(), time.UnixMicro(last).UTC()
		s.Kinds = append(s.Kinds, k)
	}
	return rows.Err()
}
