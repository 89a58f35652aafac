// SPDX-License-Identifier: Apache-2.0

// This file reads stored events back, in the order of their ids and in batches,
// as they were when they were judged. How the rows of one table become events is
// in events_row.go, their processes are in events_process.go, and which fields
// come back at all is in events_fields.go.

package monitordb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"seismo/internal/event"
)

// EventQuery says which stored events are wanted. The zero value asks for all of
// them.
type EventQuery struct {
	From, To event.ID         // both included; a To of 0 means no end
	Kinds    event.KindSet    // an empty set means every kind
	Process  event.ProcessKey // only events of this image; 0 means any
	Batch    int              // events of one batch at most; 0 means DefaultEventBatch
}

// DefaultEventBatch is the number of events that [Reader.Events] puts into a batch.
const DefaultEventBatch = 500

// ErrNoEvent says that no event with an id is stored.
var ErrNoEvent = errors.New("no event with this id is stored")

// Events returns the stored events that q asks for in the order of their ids, in
// batches of a bounded number and size. A batch is filled anew each time around
// and belongs to the reader; processes are kept and shared by their key, and may
// be kept by the caller. Between two batches no transaction is open, so that a
// recorder can empty its log; events that are stored meanwhile are met if their
// ids are still to come.
//
// After an error, which is yielded with a nil batch, the sequence ends. It wraps
// [ErrNotDatabase] if a row is not as seismo writes it.
//
// What the events have is told by [Stored] and [StoredOwn]. An event's time is
// that of its id, in microseconds: where several events had one stamp it is later
// by as many microseconds. The batch's platform is that of the latest recorder,
// and empty if none noted its start. There are no tags: [Reader.Matches] has them.
func (r *Reader) Events(ctx context.Context, q EventQuery) iter.Seq2[*event.Batch, error] {
	return func(yield func(*event.Batch, error) bool) {
		f := fetcher{r: r, q: q, size: q.Batch, batch: event.NewBatch(0)}
		if f.size <= 0 {
			f.size = DefaultEventBatch
		}
		if f.q.To == 0 {
			f.q.To = math.MaxInt64
		}
		if f.q.Kinds == 0 {
			f.q.Kinds = event.AllKinds
		}
		for more := true; more; {
			var err error
			if more, err = f.next(ctx); err != nil {
				yield(nil, fmt.Errorf("events of %s: %w", r.path, err))
				return
			}
			if f.batch.Len() > 0 && !yield(f.batch, nil) {
				return
			}
		}
	}
}

// Event returns a batch that holds the stored event id alone. The error wraps
// [ErrNoEvent] if there is none.
func (r *Reader) Event(ctx context.Context, id event.ID) (*event.Batch, error) {
	for b, err := range r.Events(ctx, EventQuery{From: id, To: id}) {
		return b, err
	}
	return nil, fmt.Errorf("event %d of %s: %w", id, r.path, ErrNoEvent)
}

// fetcher reads one batch after the other.
type fetcher struct {
	r       *Reader
	q       EventQuery // From moves on
	size    int
	batch   *event.Batch
	tx      *sql.Tx
	procs   processes
	proc    int64  // row of q.Process
	where   string // platform of the recorder
	started bool   // proc and where are known

	logsources map[string]*event.Logsource // by what is stored of them
}

// maxBatchBytes bounds the values of one batch. A batch that would hold more is
// read again with half the events.
const maxBatchBytes = event.MaxArena

// errTooLarge says that a batch would hold more than it may.
var errTooLarge = errors.New("more bytes than a batch may hold")

// next fills the batch with the events that follow and reports whether there may
// be more. One transaction sees all of them at one moment.
func (f *fetcher) next(ctx context.Context) (more bool, err error) {
	f.batch.Reset()
	before, err := sqlite.Limit(f.r.conn, sqlite3.SQLITE_LIMIT_LENGTH, maxBatchBytes)
	if err != nil {
		return false, err
	}
	defer sqlite.Limit(f.r.conn, sqlite3.SQLITE_LIMIT_LENGTH, before)
	if f.tx, err = f.r.conn.BeginTx(ctx, &sql.TxOptions{ReadOnly: true}); err != nil {
		return false, err
	}
	defer f.tx.Rollback()
	if more, err = f.fill(ctx); err != nil && ctx.Err() == nil && strange(err) && !errors.Is(err, ErrNotDatabase) {
		err = fmt.Errorf("%w (%w)", ErrNotDatabase, err)
	}
	return more, err
}

func (f *fetcher) fill(ctx context.Context) (more bool, err error) {
	if !f.started {
		if found, err := f.start(ctx); err != nil || !found {
			return false, err
		}
	}
	for {
		last, n, err := f.page(ctx)
		if err != nil || n == 0 {
			return false, err
		}
		if err = f.rows(ctx, last); errors.Is(err, errTooLarge) {
			f.batch.Reset()
			if n == 1 {
				return false, fmt.Errorf("event %d: its values are larger than any that seismo stores: %w", last, ErrNotDatabase)
			}
			f.size = (n + 1) / 2
			continue
		}
		if err != nil {
			return false, err
		}
		slices.SortFunc(f.batch.Events(), func(a, b *event.Event) int { return int(min(max(a.ID-b.ID, -1), 1)) })
		f.q.From = last + 1
		return n == f.size && last < f.q.To, nil
	}
}

// start finds what holds for all batches; it reports false if nothing can be
// found because the process that is asked for is not stored.
func (f *fetcher) start(ctx context.Context) (found bool, err error) {
	if f.q.Process != 0 {
		err := f.tx.QueryRowContext(ctx, "SELECT id FROM proc WHERE key = ?", int64(f.q.Process)).Scan(&f.proc)
		if errors.Is(err, sql.ErrNoRows) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	var platform sql.NullString
	err = f.tx.QueryRowContext(ctx, "SELECT platform FROM host ORDER BY id DESC LIMIT 1").Scan(&platform)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return false, err
	}
	f.where, f.started = platform.String, true
	return true, nil
}

// sources are the tables that q asks for.
func (f *fetcher) sources() []eventSource {
	return slices.DeleteFunc(slices.Clone(eventSources), func(s eventSource) bool { return !f.q.Kinds.Has(s.kind) })
}

// page returns the greatest of the ids that the next batch takes, and how many
// they are. SQLite merges the tables, each of which is read in the order of its
// ids: no more of them is read than asked for.
func (f *fetcher) page(ctx context.Context) (last event.ID, n int, err error) {
	var parts []string
	for _, s := range f.sources() {
		parts = append(parts, "SELECT t."+s.id+" AS n FROM "+s.table+" t WHERE t."+s.id+" BETWEEN ?1 AND ?2"+f.ofProcess(s))
	}
	if len(parts) == 0 {
		return 0, 0, nil
	}
	query := "SELECT max(n), count(*) FROM (" + strings.Join(parts, " UNION ALL ") + " ORDER BY n LIMIT ?3)"
	var greatest sql.NullInt64
	err = f.tx.QueryRowContext(ctx, query, int64(f.q.From), int64(f.q.To), f.size).Scan(&greatest, &n)
	return event.ID(greatest.Int64), n, err
}

// ofProcess restricts a table to the process that is asked for.
func (f *fetcher) ofProcess(s eventSource) string {
	if f.proc == 0 {
		return ""
	}
	return fmt.Sprintf(" AND t.%s = %d", s.proc, f.proc)
}
