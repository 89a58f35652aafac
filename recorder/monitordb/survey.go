// SPDX-License-Identifier: Apache-2.0

// This file keeps which processes ran some time ago: with the processes that were
// stored since, they are all that may still run, so that a start need not look through
// months of processes (running.go).

package monitordb

import (
	"context"
	"fmt"
	"strconv"

	"seismo/internal/event"
)

// Survey says which processes ran at a moment.
type Survey struct {
	// Top is what [DB.LastProcess] said before that moment.
	Top int64
	// Running are the images that ran, of those stored up to Top. Others do no harm.
	Running []event.ProcessKey
}

const (
	lastProcessSQL = "SELECT max(id) FROM proc"
	setSurveySQL   = `INSERT INTO survey (id, top, running) VALUES (1, ?, ?)
	ON CONFLICT (id) DO UPDATE SET top = excluded.top, running = excluded.running`
)

// LastProcess returns the number of the process that was stored last, 0 if there is
// none.
func (db *DB) LastProcess() (int64, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.conn == nil {
		return 0, fmt.Errorf("look up the last process of %s: %w", db.path, ErrClosed)
	}
	n, err := db.conn.number(lastProcessSQL)
	if err != nil {
		return 0, fmt.Errorf("look up the last process of %s: %w", db.path, err)
	}
	return n, nil
}

// NoteSurvey stores s in place of the survey before. The ends of all processes that had
// ended when it was made must be stored.
func (db *DB) NoteSurvey(ctx context.Context, s Survey) error {
	return db.note(ctx, "note what runs in", func() error {
		list := []byte{'['}
		for _, key := range s.Running {
			id, ok := db.procs.get(key)
			if !ok {
				var err error
				if id, ok, err = db.st.findProc.number(int64(key)); err != nil {
					return err
				}
			}
			if !ok || id > s.Top {
				continue // nothing refers to it, or it is found by its number
			}
			if len(list) > 1 {
				list = append(list, ',')
			}
			list = strconv.AppendInt(list, id, 10)
		}
		_, err := db.conn.one(setSurveySQL, s.Top, string(append(list, ']')))
		return err
	})
}
