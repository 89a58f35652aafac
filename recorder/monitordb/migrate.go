// SPDX-License-Identifier: Apache-2.0

// This file makes the tables and views, and brings older databases to the
// version of this program.

package monitordb

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"

	"seismo/internal/event"
)

// applicationID marks a file as a monitor.db in the header field that SQLite has
// for it: "seis" as a big-endian number.
const applicationID = 0x73656973

// schemaVersion is the version that this program writes (PRAGMA user_version).
const schemaVersion = 4

//go:embed schema.sql schema-2.sql schema-3.sql schema-4.sql views/*.sql
var sqlFiles embed.FS

// migrations[v] brings a database of version v to version v+1. A step that was
// released is never changed.
var migrations = [schemaVersion]func(c *conn) error{
	0: script("schema.sql"),
	1: script("schema-2.sql"), // signals: overrides, lists, cost
	2: script("schema-3.sql"), // facts of processes that only Windows has
	3: script("schema-4.sql"), // what was collected
}

// script returns the step that runs the statements of the file called name.
func script(name string) func(c *conn) error {
	return func(c *conn) error {
		text, err := fs.ReadFile(sqlFiles, name)
		if err != nil {
			return err
		}
		return c.exec(string(text))
	}
}

// migrate brings the database from version v to schemaVersion, all or nothing. A
// change of the views needs a new version too.
func migrate(c *conn, v int64) error {
	err := c.exec("BEGIN IMMEDIATE")
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	old := v
	for ; err == nil && v < schemaVersion; v++ {
		if err = migrations[v](c); err != nil {
			err = fmt.Errorf("migrate from version %d: %w", v, err)
		}
	}
	if err == nil && old < schemaVersion {
		err = createViews(c)
	}
	if err == nil {
		err = writeNames(c)
	}
	if err == nil && old < schemaVersion {
		err = c.exec(fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, schemaVersion))
	}
	if err == nil {
		err = c.exec("COMMIT")
	}
	if err != nil {
		_ = c.exec("ROLLBACK") // fails if the error has ended the transaction already
	}
	return err
}

// createViews replaces all views by those of this program.
func createViews(c *conn) error {
	names, err := fs.Glob(sqlFiles, "views/*.sql")
	if err != nil {
		return err
	}
	for {
		row, err := c.one("SELECT name FROM sqlite_schema WHERE type = 'view' LIMIT 1")
		if err != nil {
			return fmt.Errorf("drop views: %w", err)
		}
		if row == nil {
			break
		}
		name, _ := row[0].(string)
		if err := c.exec(`DROP VIEW "` + strings.ReplaceAll(name, `"`, `""`) + `"`); err != nil {
			return fmt.Errorf("drop view %q: %w", name, err)
		}
	}
	for _, name := range names {
		text, err := fs.ReadFile(sqlFiles, name)
		if err != nil {
			return err
		}
		if err := c.exec(string(text)); err != nil {
			return fmt.Errorf("create the views of %s: %w", name, err)
		}
	}
	return nil
}

// writeNames stores the names of kinds and operations, which the views show; new
// ones come without a new version.
func writeNames(c *conn) error {
	add := func(table string, id int64, name string) error {
		_, err := c.one("INSERT INTO "+table+" (id, name) VALUES (?, ?) ON CONFLICT DO NOTHING", id, name)
		return err
	}
	for _, k := range event.Kinds() {
		if err := add("kind", int64(k), k.String()); err != nil {
			return fmt.Errorf("name of kind %s: %w", k, err)
		}
		for _, o := range event.Ops(k) {
			if err := add("operation", int64(o), o.String()); err != nil {
				return fmt.Errorf("name of operation %s: %w", o, err)
			}
		}
	}
	return nil
}
