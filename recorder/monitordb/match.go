// SPDX-License-Identifier: Apache-2.0

// This file writes which signals there are and which fired: definitions once,
// counts always, matches with their proof up to a limit.

package monitordb

import (
	"context"
	"database/sql/driver"
	"encoding/hex"
	"fmt"
	"strconv"
	"unicode/utf8"

	"seismo/internal/display"
	"seismo/internal/event"
	"seismo/signals"
)

// matches is what the writer knows of signals.
type matches struct {
	definitions []int64 // rows of the loaded signals, by Tag.Signal
	perProcess  *cache[defProc, int]
	hours       map[defHour]*hourCount // what this transaction adds

	insertMatch, countProcess, findHour, addHour *statement
}

type defProc struct{ definition, proc int64 }
type defHour struct{ definition, hour int64 }

// hourCount counts the matches of a signal in an hour.
type hourCount struct {
	before        int64 // match rows stored before this transaction
	matches, rows int64 // added by it
	last          int64 // greatest event id
}

// microsecondsPerHour turns ids of events into hours.
const microsecondsPerHour = 3_600_000_000

func (m *matches) prepare(c *conn, cacheSize int) (err error) {
	if cacheSize == 0 {
		cacheSize = perProcCache
	}
	m.perProcess = newCache[defProc, int](cacheSize)
	m.hours = map[defHour]*hourCount{}
	for _, p := range []struct {
		to  **statement
		sql string
	}{
		{&m.insertMatch, "INSERT INTO signal_match (event, kind, definition, proc, proof) VALUES (?, ?, ?, ?, ?)"},
		{&m.countProcess, "SELECT count(*) FROM signal_match WHERE definition = ? AND proc = ?"},
		{&m.findHour, "SELECT stored FROM signal_count WHERE definition = ? AND hour = ?"},
		{&m.addHour, `INSERT INTO signal_count (definition, hour, matches, stored, last) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (definition, hour) DO UPDATE SET matches = matches + excluded.matches,
			stored = stored + excluded.stored, last = max(last, excluded.last)`},
	} {
		if *p.to, err = c.prepare(p.sql); err != nil {
			return err
		}
	}
	return nil
}

// reset forgets what a transaction that failed has counted.
func (m *matches) reset() {
	m.perProcess.reset()
	clear(m.hours)
}

// SetDefinitions says which signals the tags of the batches to come refer to:
// Tag.Signal is an index into defs. Definitions that are new are stored; those
// of defs are marked active, all others not. digest names the program.
func (db *DB) SetDefinitions(ctx context.Context, defs []signals.Definition, digest string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("store definitions in %s: %w", db.path, err)
	}
	rows := make([]int64, len(defs))
	err := db.transaction("store definitions in", func() error {
		if err := db.conn.exec("UPDATE signal_definition SET active = 0"); err != nil {
			return err
		}
		now := db.opts.Now().UnixNano()
		for i := range defs {
			id, err := db.storeDefinition(&defs[i], now)
			if err != nil {
				return fmt.Errorf("signal %s: %w", defs[i].ID, err)
			}
			rows[i] = id
		}
		_, err := db.conn.one("INSERT INTO signal_load (time, digest, definitions) VALUES (?, ?, ?) RETURNING id", now, digest, int64(len(defs)))
		return err
	})
	if err == nil {
		db.mu.Lock()
		db.match.definitions = rows
		db.mu.Unlock()
	}
	return err
}

// storeDefinition writes d if it is new, marks it active and returns its row.
func (db *DB) storeDefinition(d *signals.Definition, now int64) (int64, error) {
	list := func(l []string) driver.Value { return string(appendStrings(nil, l)) }
	row, err := db.conn.one(`INSERT INTO signal_definition (uuid, revision, name, description, severity, status,
		techniques, platforms, labels, refs, false_positives, author, response, text, loaded, active)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)
		ON CONFLICT (uuid, revision) DO UPDATE SET active = 1 RETURNING id`,
		d.ID, d.Revision, textValue(d.Name), textValue(d.Description), d.Severity.String(), d.Status,
		list(d.Techniques), list(d.Platforms), list(d.Labels), list(d.References), list(d.FalsePositives),
		textValue(d.Author), textValue(d.Response), textValue(d.Text), now)
	if err != nil {
		return 0, err
	}
	if row == nil {
		return 0, fmt.Errorf("no row was given back")
	}
	id, _ := row[0].(int64)
	return id, nil
}

// writeTag counts the match t of e and stores it if the limits allow.
func (db *DB) writeTag(e *event.Event, proc driver.Value, t *event.Tag) error {
	m := &db.match
	if int(t.Signal) >= len(m.definitions) {
		return fmt.Errorf("event %d: tag of signal %d, but there are definitions of %d", e.ID, t.Signal, len(m.definitions))
	}
	definition := m.definitions[t.Signal]
	key := defHour{definition, int64(e.ID) / microsecondsPerHour}
	hour := m.hours[key]
	if hour == nil {
		n, _, err := m.findHour.number(key.definition, key.hour)
		if err != nil {
			return err
		}
		hour = &hourCount{before: n}
		m.hours[key] = hour
	}
	hour.matches++
	hour.last = max(hour.last, int64(e.ID))
	if limit := int64(db.opts.MatchesPerHour); limit > 0 && hour.before+hour.rows >= limit {
		return nil
	}
	if room, err := db.roomForProcess(definition, proc); err != nil || !room {
		return err
	}
	if _, err := m.insertMatch.do(int64(e.ID), int64(e.Kind), definition, proc, string(appendProof(nil, t.Proof))); err != nil {
		return fmt.Errorf("match of event %d: %w", e.ID, err)
	}
	hour.rows++
	return nil
}

// roomForProcess reports whether one more match of the definition may be stored
// for the process, and counts it if so. Events without a process have nothing in
// common: for them only the limit of the hour holds.
func (db *DB) roomForProcess(definition int64, proc driver.Value) (bool, error) {
	m, limit := &db.match, db.opts.MatchesPerProcess
	id, known := proc.(int64)
	if !known || limit <= 0 {
		return true, nil
	}
	of := defProc{definition, id}
	stored, ok := m.perProcess.get(of)
	if !ok {
		n, _, err := m.countProcess.number(definition, id)
		if err != nil {
			return false, err
		}
		stored = int(n)
	}
	room := stored < limit
	if room {
		stored++
	}
	m.perProcess.put(of, stored)
	return room, nil
}

// writeCounts adds what the transaction counted to the table.
func (db *DB) writeCounts() error {
	for key, h := range db.match.hours {
		if _, err := db.match.addHour.do(key.definition, key.hour, h.matches, h.rows, h.last); err != nil {
			return err
		}
	}
	clear(db.match.hours)
	return nil
}

// Bounds of a stored proof: a signal has seldom more than a dozen terms, and the
// full text of each is in its definition.
const (
	maxProofItems = 64
	maxProofText  = 512
)

// appendProof appends the proof as a JSON array of objects; numbers beyond 53
// bits are strings, as in the output of replay.
func appendProof(dst []byte, proof []event.ProofItem) []byte {
	dst = append(dst, '[')
	for i := range proof[:min(len(proof), maxProofItems)] {
		p := &proof[i]
		var term [8]byte
		for b := range term {
			term[b] = byte(p.Term >> (56 - 8*b))
		}
		dst = append(member(dst, ""), '{')
		dst = display.AppendJSON(member(dst, "term"), hex.EncodeToString(term[:]))
		dst = display.AppendJSON(member(dst, "text"), cut(p.Text, maxProofText))
		dst = display.AppendJSON(member(dst, "event"), strconv.FormatInt(int64(p.Event), 10))
		if p.Field != event.NoField {
			dst = display.AppendJSON(member(dst, "field"), event.Describe(p.Field).Name)
		}
		if p.Own != "" {
			dst = display.AppendJSON(member(dst, "own"), p.Own)
		}
		if p.Absent {
			dst = append(member(dst, "absent"), "true"...)
		} else {
			dst = display.AppendJSON(member(dst, "value"), cut(p.Value, event.MaxProofValue))
		}
		if p.Literal != "" {
			dst = display.AppendJSON(member(dst, "literal"), cut(p.Literal, maxProofText))
		}
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

// cut returns the first n bytes of s, less those of a character cut in two.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
