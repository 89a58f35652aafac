// SPDX-License-Identifier: Apache-2.0

// This file writes batches of events, each call in one transaction.

package monitordb

import (
	"context"
	"database/sql/driver"
	"fmt"
	"strings"

	"seismo/internal/event"
)

// statements are the prepared statements of the writer; those of the
// dictionaries and of matches are with them.
type statements struct {
	begin, commit, rollback                                            *statement
	insertProc, fillProc, findProc, insertEnd, insertAttr, insertExtra *statement
	insertEvent                                                        [len(tables)]*statement
	insertLoss, addTally, setPulse, setPosition, taken                 *statement
}

func (st *statements) prepare(c *conn) (err error) {
	list := []struct {
		to  **statement
		sql string
	}{
		{&st.begin, "BEGIN IMMEDIATE"},
		{&st.commit, "COMMIT"},
		{&st.rollback, "ROLLBACK"},
		{&st.insertProc, insertProcSQL()},
		{&st.fillProc, fillProcSQL()},
		{&st.findProc, "SELECT id FROM proc WHERE key = ?"},
		{&st.insertEnd, "INSERT INTO proc_end (id, proc, exit_code, end_time, identity, serial, flags) VALUES (?, ?, ?, ?, ?, ?, ?)"},
		{&st.insertAttr, "INSERT INTO proc_attr (id, proc, hash, container, serial, flags) VALUES (?, ?, ?, ?, ?, ?)"},
		{&st.insertExtra, "INSERT INTO extra (id, doc) VALUES (?, ?)"},
		{&st.insertLoss, "INSERT INTO loss (since, until, reason, kind, count, unit, detail, noted) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"},
		{&st.addTally, `INSERT INTO tally (kind, stored, first, last) VALUES (?, ?, ?, ?)
			ON CONFLICT (kind) DO UPDATE SET stored = stored + excluded.stored,
			first = min(first, excluded.first), last = max(last, excluded.last)`},
		{&st.setPulse, "UPDATE pulse SET time = ?"},
		{&st.setPosition, setPositionSQL},
		{&st.taken, takenSQL()},
	}
	for k := range tables {
		if tables[k] != nil {
			list = append(list, struct {
				to  **statement
				sql string
			}{&st.insertEvent[k], insertEventSQL(event.Kind(k))})
		}
	}
	for _, p := range list {
		if *p.to, err = c.prepare(p.sql); err != nil {
			return err
		}
	}
	return nil
}

// kindTally is what one transaction adds to table tally.
type kindTally struct{ stored, first, last int64 }

// Write stores the events of batches that were not discarded, the processes that
// they refer to, their tags, and the losses, in one transaction: when it returns
// nil they are durable, otherwise none of them is stored. Every event must have
// its id. Write reads the batches only.
//
// A process that is told of for the second time (the same log replayed again)
// keeps its first row.
func (db *DB) Write(ctx context.Context, batches []*event.Batch) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("write to %s: %w", db.path, err)
	}
	return db.transaction("write to", func() error {
		for _, b := range batches {
			db.dict.platform(b.Platform)
			for _, e := range b.Events() {
				if err := db.writeEvent(e); err != nil {
					return err
				}
			}
			for _, l := range b.Losses {
				if err := db.insertLoss(l); err != nil {
					return err
				}
			}
		}
		if err := db.writeCounts(); err != nil {
			return err
		}
		if err := db.writePosition(batches); err != nil {
			return err
		}
		return db.writeTally()
	})
}

// transaction runs f in a transaction. doing is for the error.
func (db *DB) transaction(doing string, f func() error) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.conn == nil {
		return fmt.Errorf("%s %s: %w", doing, db.path, ErrClosed)
	}
	if _, err := db.st.begin.run(); err != nil {
		return fmt.Errorf("%s %s: %w", doing, db.path, err)
	}
	err := f()
	if err == nil && db.host != 0 {
		_, err = db.st.setPulse.do(db.opts.Now().UnixNano())
	}
	if err == nil {
		_, err = db.st.commit.run()
	}
	if err != nil {
		// Some errors have ended the transaction already; then this one fails.
		_, _ = db.st.rollback.run()
		db.forget()
		return fmt.Errorf("%s %s: %w", doing, db.path, err)
	}
	return nil
}

// forget drops all that is remembered of rows, some of which were rolled back.
func (db *DB) forget() {
	db.dict.reset()
	db.procs.reset()
	db.match.reset()
	clear(db.tally[:])
}

// writeEvent stores e and what it refers to. An event that is discarded but
// tagged is stored: its match refers to it.
func (db *DB) writeEvent(e *event.Event) error {
	if e.Verdict == event.Discard && len(e.Tags) == 0 {
		return nil
	}
	if e.ID < 1 {
		return fmt.Errorf("event of kind %s with serial %d has no id", e.Kind, e.Serial)
	}
	var proc driver.Value
	var err error
	switch {
	case e.Kind == event.KindProcess && e.Op == event.OpCreate:
		if proc, err = db.created(e); err != nil {
			return err
		}
	default:
		if proc, err = db.proc(e.Process, 0); err != nil {
			return err
		}
		switch {
		case e.Kind == event.KindProcess && e.Op == event.OpEnd:
			err = db.ended(e, proc)
		case e.Kind == event.KindProcess:
			err = db.updated(e, proc)
		default:
			err = db.insertEvent(e, proc)
		}
		if err != nil {
			return err
		}
	}
	if err := db.insertExtra(e, db.dict.separators); err != nil {
		return err
	}
	db.floor = max(db.floor, e.ID) // too high after a rollback, which does no harm
	t := &db.tally[e.Kind]
	t.stored++
	if id := int64(e.ID); t.stored == 1 {
		t.first, t.last = id, id
	} else {
		t.first, t.last = min(t.first, id), max(t.last, id)
	}
	for i := range e.Tags {
		if err := db.writeTag(e, proc, &e.Tags[i]); err != nil {
			return err
		}
	}
	return nil
}

func (db *DB) writeTally() error {
	for k := range db.tally {
		t := &db.tally[k]
		if t.stored == 0 {
			continue
		}
		if _, err := db.st.addTally.do(int64(k), t.stored, t.first, t.last); err != nil {
			return err
		}
		*t = kindTally{}
	}
	return nil
}

func (db *DB) insertLoss(l event.Loss) error {
	_, err := db.st.insertLoss.do(l.From, l.To, l.Reason, int64(l.Kind), int64(l.Count), l.Unit,
		textValue(l.Detail), db.opts.Now().UnixNano())
	return err
}

// takenSQL asks whether a number is the id of an event, of whatever kind.
func takenSQL() string {
	parts := []string{"SELECT 1 FROM proc WHERE event = ?1"}
	for _, t := range eventTables() {
		parts = append(parts, "SELECT 1 FROM "+t+" WHERE id = ?1")
	}
	return strings.Join(parts, " UNION ALL ") + " LIMIT 1"
}
