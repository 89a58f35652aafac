// SPDX-License-Identifier: Apache-2.0

// This file writes which signals are in force: each definition once, what the
// overrides of the host make of it, and the loads that were tried.

package monitordb

import (
	"context"
	"database/sql/driver"
	"fmt"

	"seismo/signals"
)

// Load is a set of signals that comes into force.
type Load struct {
	Definitions []signals.Definition // as they were written
	Digest      string               // names the program
	Overrides   []Override
	Missing     []MissingList
	Source      string // where the signals come from, for a person
	// Change counts what differs from the set before; nil at a start.
	Change *Change
}

// Override is what the host's overrides make of a signal.
type Override struct {
	Signal   int               // index into Load.Definitions
	Disabled bool              // it never fires
	Severity *signals.Severity // that it fires with; nil: that of its definition
	Reason   string
}

// MissingList is a list that a signal names and that is not there.
type MissingList struct {
	Signal int    // index into Load.Definitions
	List   string // its name
	Place  string // where it was looked for
}

// Change counts the signals in which a set differs from the one before.
type Change struct{ Added, Removed, Changed int }

// maxLoads bounds the rows of table signal_load.
const maxLoads = 10_000

// SetDefinitions is [DB.SetSignals] without anything beside the definitions.
func (db *DB) SetDefinitions(ctx context.Context, defs []signals.Definition, digest string) error {
	return db.SetSignals(ctx, Load{Definitions: defs, Digest: digest})
}

// SetSignals says which signals the tags of the batches to come refer to:
// Tag.Signal is an index into l.Definitions. Definitions that are new are stored;
// those of l are marked active, all others not. Suspensions that last end.
func (db *DB) SetSignals(ctx context.Context, l Load) error {
	rows := make([]int64, len(l.Definitions))
	severities := make([]driver.Value, len(l.Definitions))
	err := db.note(ctx, "store definitions in", func() error {
		now := db.opts.Now().UnixNano()
		ended := now
		if db.host == 0 { // what lasts was left by a recorder that was killed
			var err error
			if ended, err = db.conn.number("SELECT time FROM pulse"); err != nil {
				return err
			}
		}
		if err := db.endSuspensions(ended); err != nil {
			return err
		}
		if err := db.conn.exec(`UPDATE signal_definition SET active = 0, enabled = 1, severity_now = NULL, override_reason = NULL
			WHERE active OR NOT enabled; DELETE FROM list_missing`); err != nil {
			return err
		}
		for i := range l.Definitions {
			id, err := db.storeDefinition(&l.Definitions[i], now)
			if err != nil {
				return fmt.Errorf("signal %s: %w", l.Definitions[i].ID, err)
			}
			rows[i] = id
		}
		for _, o := range l.Overrides {
			severity, err := db.storeOverride(o, rows)
			if err != nil {
				return err
			}
			severities[o.Signal] = severity
		}
		for _, m := range l.Missing {
			if m.Signal < 0 || m.Signal >= len(rows) {
				return fmt.Errorf("a missing list of signal %d, but there are definitions of %d", m.Signal, len(rows))
			}
			if _, err := db.conn.one("INSERT INTO list_missing (definition, list, place) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
				rows[m.Signal], textValue(m.List), textValue(m.Place)); err != nil {
				return err
			}
		}
		return db.insertLoad(l, now, "")
	})
	if err == nil {
		db.mu.Lock()
		db.match.definitions, db.match.severities = rows, severities
		db.mu.Unlock()
	}
	return err
}

// NoteFailedLoad notes that signals from source could not be loaded and why;
// those in force stay.
func (db *DB) NoteFailedLoad(ctx context.Context, source string, cause error) error {
	return db.note(ctx, "note a load in", func() error {
		return db.insertLoad(Load{Source: source}, db.opts.Now().UnixNano(), cause.Error())
	})
}

func (db *DB) insertLoad(l Load, now int64, failure string) error {
	var added, removed, changed, cause driver.Value
	if l.Change != nil {
		added, removed, changed = int64(l.Change.Added), int64(l.Change.Removed), int64(l.Change.Changed)
	}
	if failure != "" {
		cause = textValue(failure)
	}
	id, err := db.conn.number(`INSERT INTO signal_load (time, digest, definitions, source, added, removed, changed, error)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
		now, l.Digest, int64(len(l.Definitions)), textValue(l.Source), added, removed, changed, cause)
	if err == nil {
		_, err = db.conn.one("DELETE FROM signal_load WHERE id <= ?", id-maxLoads)
	}
	return err
}

// storeDefinition writes d if it is new, marks it active and returns its row.
func (db *DB) storeDefinition(d *signals.Definition, now int64) (int64, error) {
	list := func(l []string) driver.Value { return string(appendStrings(nil, l)) }
	row, err := db.conn.one(`INSERT INTO signal_definition (uuid, revision, name, description, severity, status,
		techniques, platforms, labels, refs, false_positives, author, response, text, language, suppress, loaded, active)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)
		ON CONFLICT (uuid, revision) DO UPDATE SET active = 1 RETURNING id`,
		d.ID, d.Revision, textValue(d.Name), textValue(d.Description), d.Severity.String(), d.Status,
		list(d.Techniques), list(d.Platforms), list(d.Labels), list(d.References), list(d.FalsePositives),
		textValue(d.Author), textValue(d.Response), textValue(d.Text), d.Language, list(d.Suppress), now)
	if err != nil {
		return 0, err
	}
	if row == nil {
		return 0, fmt.Errorf("no row was given back")
	}
	id, _ := row[0].(int64)
	return id, nil
}

// storeOverride writes o and returns the severity that matches get from it.
func (db *DB) storeOverride(o Override, rows []int64) (driver.Value, error) {
	if o.Signal < 0 || o.Signal >= len(rows) {
		return nil, fmt.Errorf("an override of signal %d, but there are definitions of %d", o.Signal, len(rows))
	}
	var severity driver.Value
	if o.Severity != nil {
		severity = o.Severity.String()
	}
	enabled := int64(1)
	if o.Disabled {
		enabled = 0
	}
	_, err := db.conn.one("UPDATE signal_definition SET enabled = ?, severity_now = ?, override_reason = ? WHERE id = ?",
		enabled, severity, textValue(o.Reason), rows[o.Signal])
	return severity, err
}
