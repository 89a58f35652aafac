// SPDX-License-Identifier: Apache-2.0

// This file writes which signals fired: counts always, matches with their proof
// up to a limit. Which signals there are is written in load.go.

package monitordb

import (
	"database/sql/driver"
	"encoding/hex"
	"fmt"
	"strconv"
	"unicode/utf8"

	"seismo/internal/display"
	"seismo/internal/event"
)

// matches is what the writer knows of signals.
type matches struct {
	definitions []int64        // rows of the loaded signals, by Tag.Signal
	severities  []driver.Value // that they fire with, in the same order; nil: that of the definition
	perProcess  *cache[defProc, int]
	hours       map[defHour]*hourCount // what this transaction adds

	insertMatch, countProcess, findHour, addHour, addFigures *statement
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
		{&m.insertMatch, "INSERT INTO signal_match (event, kind, definition, proc, proof, severity) VALUES (?, ?, ?, ?, ?, ?)"},
		{&m.countProcess, "SELECT count(*) FROM signal_match WHERE definition = ? AND proc = ?"},
		{&m.findHour, "SELECT stored FROM signal_count WHERE definition = ? AND hour = ?"},
		{&m.addHour, `INSERT INTO signal_count (definition, hour, matches, stored, last) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (definition, hour) DO UPDATE SET matches = matches + excluded.matches,
			stored = stored + excluded.stored, last = max(last, excluded.last)`},
		{&m.addFigures, `INSERT INTO signal_stats (definition, candidates, skipped, evaluations, suppressed, work) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (definition) DO UPDATE SET candidates = candidates + excluded.candidates, skipped = skipped + excluded.skipped,
			evaluations = evaluations + excluded.evaluations, suppressed = suppressed + excluded.suppressed, work = work + excluded.work`},
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
	if _, err := m.insertMatch.do(int64(e.ID), int64(e.Kind), definition, proc, string(appendProof(nil, t.Proof)),
		m.severities[t.Signal]); err != nil {
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
		} else if !p.Computed() {
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
