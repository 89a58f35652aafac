// SPDX-License-Identifier: Apache-2.0

// This file writes and reads what was collected from which moment on: the table
// collection.

package monitordb

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
)

// Collection is what is collected from a moment on.
type Collection struct {
	Start  int64  // Unix time, nanoseconds
	Source string // unicast, multicast, plugin or log
	Reason string // start, signals, rules or source
	Kinds  []string
	Paths  []string // folders that are watched
	Calls  []string // system calls that rules ask for
	Own    []string // own names that are kept of every event; "*" alone: all
	Rules  []string // in force
	Unmet  []string // sentences on what signals need and is not collected
}

// maxCollections bounds the rows of table collection.
const maxCollections = 10_000

// lists are the lists of c in the order of the columns.
func (c *Collection) lists() []*[]string {
	return []*[]string{&c.Kinds, &c.Paths, &c.Calls, &c.Own, &c.Rules, &c.Unmet}
}

// NoteCollection notes that c is collected from now on. Old rows go.
func (db *DB) NoteCollection(ctx context.Context, c Collection) error {
	return db.note(ctx, "note what is collected in", func() error {
		var texts [6]string
		for i, list := range c.lists() {
			texts[i] = string(appendStrings(nil, *list))
		}
		id, err := db.conn.number(`INSERT INTO collection (start, source, reason, kinds, paths, calls, own, rules, unmet)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`, c.Start, textValue(c.Source), textValue(c.Reason),
			texts[0], texts[1], texts[2], texts[3], texts[4], texts[5])
		if err == nil {
			_, err = db.conn.one("DELETE FROM collection WHERE id <= ?", id-maxCollections)
		}
		return err
	})
}

// collectionVersion is the version of the schema that has table collection.
const collectionVersion = 4

// read reads the latest row; Start is 0 if there is none.
func (c *Collection) read(ctx context.Context, tx *sql.Tx) error {
	var version int
	if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil || version < collectionVersion {
		return err
	}
	var texts [6]string
	err := tx.QueryRowContext(ctx, `SELECT start, source, reason, kinds, paths, calls, own, rules, unmet FROM collection
		ORDER BY id DESC LIMIT 1`).Scan(&c.Start, &c.Source, &c.Reason, &texts[0], &texts[1], &texts[2], &texts[3], &texts[4], &texts[5])
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	for i, list := range c.lists() {
		var values []any // bytes that are not UTF-8 are objects
		if err := json.Unmarshal([]byte(texts[i]), &values); err != nil {
			return fmt.Errorf("what is collected: %w: %w", err, ErrNotDatabase)
		}
		for _, v := range values {
			text, ok := v.(string)
			if !ok {
				text = fmt.Sprint(v)
			}
			*list = append(*list, text)
		}
	}
	return nil
}
