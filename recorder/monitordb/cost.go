// SPDX-License-Identifier: Apache-2.0

// This file writes what signals did and cost, and when one was suspended for it.

package monitordb

import (
	"context"
	"fmt"
)

// SignalFigures is what a signal did and cost in a stretch of time.
type SignalFigures struct {
	Signal      int    // index into the definitions of the set in force
	Candidates  uint64 // events that could have met it
	Skipped     uint64 // of those, the ones it was not judged on: it was suspended
	Evaluations uint64 // events it was judged on
	Suppressed  uint64 // events it would have fired on but for a suppress expression
	Work        uint64 // work units
}

// AddSignalFigures adds figures to the sums of the signals in force.
func (db *DB) AddSignalFigures(ctx context.Context, figures []SignalFigures) error {
	if len(figures) == 0 {
		return nil
	}
	return db.note(ctx, "store signal figures in", func() error {
		for _, f := range figures {
			row, err := db.definitionRow(f.Signal)
			if err != nil {
				return err
			}
			if _, err := db.match.addFigures.do(row, int64(f.Candidates), int64(f.Skipped), int64(f.Evaluations),
				int64(f.Suppressed), int64(f.Work)); err != nil {
				return err
			}
		}
		return nil
	})
}

// definitionRow returns the row of the signal at index i; db.mu is held.
func (db *DB) definitionRow(i int) (int64, error) {
	if i < 0 || i >= len(db.match.definitions) {
		return 0, fmt.Errorf("signal %d, but there are definitions of %d", i, len(db.match.definitions))
	}
	return db.match.definitions[i], nil
}

// Suspension says that a signal is no longer judged for what it costs, or is
// judged again.
type Suspension struct {
	Signal int    // index into the definitions of the set in force
	Begin  bool   // else the end
	Time   int64  // Unix time, nanoseconds
	Work   uint64 // work units for each event, on average, before it began
	Reason string // of a beginning, for a person
}

// NoteSuspensions writes the rows of changes, in their order.
func (db *DB) NoteSuspensions(ctx context.Context, changes []Suspension) error {
	if len(changes) == 0 {
		return nil
	}
	return db.note(ctx, "note suspensions in", func() error {
		for _, s := range changes {
			row, err := db.definitionRow(s.Signal)
			if err != nil {
				return err
			}
			if s.Begin {
				_, err = db.conn.one("INSERT INTO suspension (definition, since, work, reason) VALUES (?, ?, ?, ?)",
					row, s.Time, int64(s.Work), textValue(s.Reason))
			} else {
				_, err = db.conn.one("UPDATE suspension SET until = max(since, ?) WHERE definition = ? AND until IS NULL", s.Time, row)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// endSuspensions ends those that last; a transaction is open.
func (db *DB) endSuspensions(at int64) error {
	_, err := db.conn.one("UPDATE suspension SET until = max(since, ?) WHERE until IS NULL", at)
	return err
}
