// SPDX-License-Identifier: Apache-2.0

// This file writes processes: a row when a process begins or when something
// refers to it, and what is learned of it later.

package monitordb

import (
	"database/sql/driver"
	"fmt"
	"strings"

	"seismo/internal/display"
	"seismo/internal/event"
)

// How a process was learned of; the numbers are stored.
const (
	learnedExec = iota
	learnedRunning
	learnedFork
	learnedInferred
)

func learned(p *event.Process) int64 {
	switch {
	case p.SeenRunning:
		return learnedRunning
	case p.Inferred:
		return learnedInferred
	case p.Forked:
		return learnedFork
	}
	return learnedExec
}

// maxDepth bounds how far up the ancestors one event makes rows.
const maxDepth = 256

// Columns of proc in the order of the arguments of insertProc and fillProc.
var procColumns = []string{"key", "learned", "event", "start", "pid", "ppid", "parent", "previous",
	"exe", "command", "cwd", "identity", "event_identity", "session", "tty", "boot", "host",
	"container", "hash", "ticks", "serial", "flags", "facts"}

func insertProcSQL() string {
	return "INSERT INTO proc (" + strings.Join(procColumns, ", ") + ") VALUES (" +
		strings.TrimSuffix(strings.Repeat("?, ", len(procColumns)), ", ") + ") ON CONFLICT DO NOTHING"
}

// fillProcSQL completes the row of a process whose create event came after other
// events of it.
func fillProcSQL() string {
	return "UPDATE proc SET " + strings.Join(procColumns, " = ?, ") + " = ? WHERE id = ? AND event IS NULL"
}

// proc returns the row of p, which is made if it is not there.
func (db *DB) proc(p *event.Process, depth int) (driver.Value, error) {
	if p == nil || depth > maxDepth {
		return nil, nil
	}
	if id, ok := db.procs.get(p.ID); ok {
		return id, nil
	}
	id, _, err := db.insertProc(p, nil, depth)
	return id, err
}

// insertProc writes the row of p and returns its number and whether it is new.
// e is the event that p began with, nil if the row is written for another
// event's sake.
func (db *DB) insertProc(p *event.Process, e *event.Event, depth int) (driver.Value, bool, error) {
	s := db.st.insertProc
	if err := db.setProc(s, p, e, depth); err != nil {
		return nil, false, err
	}
	r, err := s.run()
	if err != nil {
		return nil, false, fmt.Errorf("process %d (pid %d): %w", p.ID, p.PID, err)
	}
	id, fresh := int64(0), true
	if n, _ := r.RowsAffected(); n == 1 {
		id, err = r.LastInsertId()
	} else {
		fresh = false
		id, _, err = db.st.findProc.number(int64(p.ID))
	}
	if err != nil {
		return nil, false, fmt.Errorf("process %d (pid %d): %w", p.ID, p.PID, err)
	}
	db.procs.put(p.ID, id)
	return id, fresh, nil
}

// setProc gives s the columns of p.
func (db *DB) setProc(s *statement, p *event.Process, e *event.Event, depth int) error {
	d := &db.dict
	parent, err := db.proc(p.Parent, depth+1)
	if err != nil {
		return err
	}
	previous, err := db.previous(p, depth+1)
	if err != nil {
		return err
	}
	s.set(0, int64(p.ID), learned(p), nil, orNull(p.Start), int64(p.PID), nil, parent, previous)
	if p.PPID != 0 && (p.Parent == nil || p.Parent.PID != p.PPID || parent == nil) {
		s.set(5, int64(p.PPID))
	}
	s.set(12, nil)
	s.set(20, nil, int64(0))
	if e != nil {
		if sameMillisecond(p.Start, e.ID) {
			s.set(3, nil)
		}
		who, err := d.eventIdentity(e)
		if err != nil {
			return err
		}
		s.set(2, int64(e.ID))
		s.set(12, who)
		s.set(20, orNull(int64(e.Serial)), int64(e.Flags))
	}
	s.set(13, nil)
	if p.Session != event.NoID {
		s.set(13, p.Session)
	}
	s.set(19, orNull(int64(p.StartTicks)))
	for _, c := range []struct {
		at   int
		text string
		id   func(string) (driver.Value, error)
	}{
		{8, p.Path, d.pathOrNull}, {10, p.Cwd, d.strOrNull}, {14, p.TTY, d.strOrNull}, {15, p.Boot, d.strOrNull},
		{16, p.Host, d.strOrNull}, {17, p.ContainerID, d.strOrNull}, {18, joinHashes(p.Hash), d.strOrNull},
	} {
		id, err := c.id(c.text)
		if err != nil {
			return err
		}
		s.set(c.at, id)
	}
	command, err := d.command(p)
	if err != nil {
		return err
	}
	s.set(9, command)
	who, err := d.processIdentity(p)
	if err != nil {
		return err
	}
	s.set(11, who)
	s.set(len(procColumns)-1, windowsFacts(p.Windows))
	return nil
}

// windowsFacts returns the column facts.
func windowsFacts(w *event.WindowsFacts) driver.Value {
	if w == nil {
		return nil
	}
	doc := []byte{'{'}
	p := event.Process{Windows: w}
	for _, f := range event.WindowsFields() {
		if v, ok := p.Text(f); ok {
			doc = display.AppendJSON(member(doc, event.Describe(f).Name), v)
		}
	}
	return string(append(doc, '}'))
}

// previous returns the row of the image that p replaced. An image that was only
// forked, to exec at once, is not worth a row: it has one only if something else
// referred to it.
func (db *DB) previous(p *event.Process, depth int) (driver.Value, error) {
	if q := p.Previous; q != nil && q.Forked {
		if id, ok := db.procs.get(q.ID); ok {
			return id, nil
		}
		return nil, nil
	}
	return db.proc(p.Previous, depth)
}

// created writes the process that e tells the beginning of.
func (db *DB) created(e *event.Event) (driver.Value, error) {
	p := e.Process
	if p == nil {
		p = processOf(e)
	}
	id, seen := db.procs.get(p.ID)
	if !seen {
		v, fresh, err := db.insertProc(p, e, 0)
		if err != nil || fresh {
			return v, err
		}
		id = v.(int64)
	}
	s := db.st.fillProc
	if err := db.setProc(s, p, e, 0); err != nil {
		return nil, err
	}
	s.set(len(procColumns), id)
	if _, err := s.run(); err != nil {
		return nil, fmt.Errorf("process %d (pid %d): %w", p.ID, p.PID, err)
	}
	return id, nil
}

// sameMillisecond reports whether t, Unix time in nanoseconds, need not be stored
// beside id: the id is a few microseconds off where events have the same stamp.
func sameMillisecond(t int64, id event.ID) bool { return t/1e6 == int64(id)/1e3 }

// ended writes that the process of e ended.
func (db *DB) ended(e *event.Event, proc driver.Value) error {
	who, err := db.dict.eventIdentity(e)
	if err != nil {
		return err
	}
	s := db.st.insertEnd
	s.set(0, int64(e.ID), proc, nil, nil, who, orNull(int64(e.Serial)), int64(e.Flags))
	if n, ok := e.Int(event.ProcessExitCode); ok {
		s.set(2, n)
	}
	if t, ok := e.Int(event.ProcessEndTime); ok && !sameMillisecond(t, e.ID) {
		s.set(3, t)
	}
	_, err = s.run()
	return err
}

// updated writes what was learned of the process of e after it began; late values
// that have no column are in table extra.
func (db *DB) updated(e *event.Event, proc driver.Value) error {
	var hash, container driver.Value
	var err error
	if e.Process != nil && e.Late(event.ProcessHash) {
		if hash, err = db.dict.strOrNull(joinHashes(elements(e, event.ProcessHash))); err != nil {
			return err
		}
	}
	if v, _ := e.Text(event.ProcessContainerID); e.Process != nil && e.Late(event.ProcessContainerID) {
		if container, err = db.dict.str(v); err != nil {
			return err
		}
	}
	_, err = db.st.insertAttr.do(int64(e.ID), proc, hash, container, orNull(int64(e.Serial)), int64(e.Flags))
	return err
}

// joinHashes returns a list of NAME=hex as it is stored: joined by commas, or as
// a JSON array if that could not be taken apart again.
func joinHashes(list []string) string {
	for _, h := range list {
		if h == "" || h[0] == '[' || strings.IndexByte(h, ',') >= 0 {
			return string(appendStrings(nil, list))
		}
	}
	return strings.Join(list, ",")
}
