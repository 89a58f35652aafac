// SPDX-License-Identifier: Apache-2.0

// This file reads what became of the signals of a recorder: loads, overrides, missing
// lists, suspensions and cost. It is a part of the status of reader.go.

package monitordb

import (
	"context"
	"database/sql"
	"errors"
)

// SignalState is what a database tells of the signals in force. It is empty in a
// database of schema version 1.
type SignalState struct {
	Load       LoadState // the latest, good or not
	Overridden []SignalOverride
	Suspended  []SignalSuspended // those that last
	Dearest    []SignalCost      // at most 5, by falling work
	Missing    []SignalList
}

// LoadState is a load of signals.
type LoadState struct {
	Time                    int64 // Unix time, nanoseconds; 0 if there was none
	Source                  string
	Reload                  bool // while recording
	Signals                 int
	Added, Removed, Changed int
	Error                   string // why the signals before stayed in force
}

// SignalOverride is what overrides.yml made of a signal.
type SignalOverride struct {
	ID, Name, Severity, Reason string
	Enabled                    bool
}

// SignalSuspended is a signal that is not judged.
type SignalSuspended struct {
	ID, Name, Reason string
	Since            int64 // Unix time, nanoseconds
	Work             int64 // work units for each event before
}

// SignalCost is what a signal cost over all runs.
type SignalCost struct {
	ID, Name                      string
	Candidates, Evaluations, Work int64
}

// SignalList is a list that a signal names and that is not there.
type SignalList struct{ ID, Name, List, Place string }

func (s *SignalState) read(ctx context.Context, tx *sql.Tx) error {
	var version int
	if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil || version < 2 {
		return err
	}
	l := &s.Load
	err := tx.QueryRowContext(ctx, `SELECT time, ifnull(source, ''), added IS NOT NULL OR error IS NOT NULL, definitions,
		ifnull(added, 0), ifnull(removed, 0), ifnull(changed, 0), ifnull(error, '') FROM signal_load ORDER BY id DESC LIMIT 1`).
		Scan(&l.Time, &l.Source, &l.Reload, &l.Signals, &l.Added, &l.Removed, &l.Changed, &l.Error)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	for _, list := range []struct {
		query string
		scan  func(*sql.Rows) error
	}{
		{`SELECT uuid, ifnull(name, ''), coalesce(severity_now, severity, ''), ifnull(override_reason, ''), enabled FROM signal_definition
			WHERE active AND (NOT enabled OR severity_now IS NOT NULL) ORDER BY uuid`, func(r *sql.Rows) error {
			var o SignalOverride
			err := r.Scan(&o.ID, &o.Name, &o.Severity, &o.Reason, &o.Enabled)
			s.Overridden = append(s.Overridden, o)
			return err
		}},
		{`SELECT d.uuid, ifnull(d.name, ''), u.reason, u.since, u.work FROM suspension u JOIN signal_definition d ON d.id = u.definition
			WHERE u.until IS NULL ORDER BY u.id`, func(r *sql.Rows) error {
			var u SignalSuspended
			err := r.Scan(&u.ID, &u.Name, &u.Reason, &u.Since, &u.Work)
			s.Suspended = append(s.Suspended, u)
			return err
		}},
		{`SELECT d.uuid, ifnull(d.name, ''), c.candidates, c.evaluations, c.work FROM signal_stats c JOIN signal_definition d ON d.id = c.definition
			WHERE d.active AND c.work > 0 ORDER BY c.work DESC, d.uuid LIMIT 5`, func(r *sql.Rows) error {
			var c SignalCost
			err := r.Scan(&c.ID, &c.Name, &c.Candidates, &c.Evaluations, &c.Work)
			s.Dearest = append(s.Dearest, c)
			return err
		}},
		{`SELECT d.uuid, ifnull(d.name, ''), m.list, m.place FROM list_missing m JOIN signal_definition d ON d.id = m.definition
			ORDER BY m.list, d.uuid`, func(r *sql.Rows) error {
			var m SignalList
			err := r.Scan(&m.ID, &m.Name, &m.List, &m.Place)
			s.Missing = append(s.Missing, m)
			return err
		}},
	} {
		if err := eachRow(ctx, tx, list.query, list.scan); err != nil {
			return err
		}
	}
	return nil
}

// eachRow gives the rows of query to scan, one by one.
func eachRow(ctx context.Context, tx *sql.Tx, query string, scan func(*sql.Rows) error) error {
	rows, err := tx.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
