// SPDX-License-Identifier: Apache-2.0

// This file lets ids of events go on where those in the database end.

package monitordb

import (
	"fmt"

	"seismo/internal/event"
)

// IDs returns the giver of ids for events that this database is to store: no id
// is given that an event in it has. One goroutine uses it; it asks the database
// about ids that lie among those that were stored before this call.
func (db *DB) IDs() *event.IDs {
	db.mu.Lock()
	defer db.mu.Unlock()
	return &event.IDs{Floor: db.floor, Taken: db.taken}
}

// greatestID returns the greatest id of an event in the database.
func greatestID(c *conn) (event.ID, error) {
	top, err := c.number("SELECT max(event) FROM proc")
	if err != nil {
		return 0, fmt.Errorf("greatest event id: %w", err)
	}
	for _, t := range eventTables() {
		n, err := c.number("SELECT max(id) FROM " + t)
		if err != nil {
			return 0, fmt.Errorf("greatest event id: %w", err)
		}
		top = max(top, n)
	}
	return event.ID(top), nil
}

// taken reports whether an event in the database has the id. If the database
// can not answer, it says no: the write that follows tells the error.
func (db *DB) taken(id event.ID) bool {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.conn == nil {
		return false
	}
	_, found, err := db.st.taken.number(int64(id))
	return err == nil && found
}
