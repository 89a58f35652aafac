// SPDX-License-Identifier: Apache-2.0

// This file keeps how far a live recording is in the numbering of its source.

package monitordb

import (
	"fmt"

	"seismo/internal/event"
)

const setPositionSQL = `INSERT INTO position (id, boot, serial, open, time) VALUES (1, ?, ?, ?, ?)
	ON CONFLICT (id) DO UPDATE SET boot = excluded.boot, serial = excluded.serial, open = excluded.open, time = excluded.time`

// writePosition stores the position of the newest of batches that has one, in the
// transaction of their events.
func (db *DB) writePosition(batches []*event.Batch) error {
	for i := len(batches) - 1; i >= 0; i-- {
		if p := batches[i].Position; p.Serial != 0 {
			_, err := db.st.setPosition.do(textValue(p.Boot), int64(p.Serial), int64(p.Open), p.Time)
			return err
		}
	}
	return nil
}

// Position returns how far the last live recording got, as far as it is stored: zero if
// none said.
func (db *DB) Position() (event.Position, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	var p event.Position
	if db.conn == nil {
		return p, fmt.Errorf("read how far %s is: %w", db.path, ErrClosed)
	}
	row, err := db.conn.one("SELECT boot, serial, open, time FROM position")
	if err != nil {
		return p, fmt.Errorf("read how far %s is: %w", db.path, err)
	}
	if row == nil {
		return p, nil
	}
	serial, _ := row[1].(int64)
	open, _ := row[2].(int64)
	p.Time, _ = row[3].(int64)
	p.Boot, _ = row[0].(string)
	p.Serial, p.Open = uint64(max(serial, 0)), uint64(max(open, 0))
	return p, nil
}
