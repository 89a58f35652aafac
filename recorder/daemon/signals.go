// SPDX-License-Identifier: Apache-2.0

// This file holds the signals that a recorder works with as they were found: the
// program, and what the host has beside it. When they are loaded again is in
// reload.go.

package daemon

import (
	"fmt"

	"seismo/engine"
	"seismo/recorder/monitordb"
	"seismo/signals"
)

// Signals is a program with what it was made of.
type Signals struct {
	Program   *engine.Program      // with lists and overrides
	Written   []signals.Definition // as they are without overrides, in the order of the program
	Source    string               // for a person
	Overrides []signals.Override
	Missing   []MissingList
}

// MissingList is a list that a signal names and that is not there.
type MissingList struct {
	Signal int    // index in the program
	List   string // its name
	Place  string // where it was looked for
}

// String says it in one line.
func (m MissingList) String() string {
	return fmt.Sprintf("list %s is not there and counts as empty: looked for %s", m.List, m.Place)
}

// Loaded returns s as the database takes it.
func (s *Signals) Loaded() monitordb.Load {
	l := monitordb.Load{Definitions: s.Written, Digest: fmt.Sprintf("%x", s.Program.Digest()), Source: s.Source}
	byID := make(map[string]int, len(s.Written))
	for i := range s.Written {
		byID[s.Written[i].ID] = i
	}
	for _, o := range s.Overrides {
		if i, known := byID[o.ID]; known {
			l.Overrides = append(l.Overrides, monitordb.Override{Signal: i, Disabled: o.Disabled, Severity: o.Severity, Reason: o.Reason})
		}
	}
	for _, m := range s.Missing {
		l.Missing = append(l.Missing, monitordb.MissingList{Signal: m.Signal, List: m.List, Place: m.Place})
	}
	return l
}

// change counts the signals of s that differ from those of old: in their
// definition, or in what overrides make of it.
func (s *Signals) change(old *Signals) monitordb.Change {
	type inForce struct {
		revision string
		severity signals.Severity
		disabled bool
	}
	state := func(s *Signals) map[string]inForce {
		byID := make(map[string]inForce, len(s.Written))
		for _, d := range s.Program.Definitions() {
			byID[d.ID] = inForce{revision: d.Revision, severity: d.Severity}
		}
		for _, i := range s.Program.Disabled() {
			d := s.Program.Definitions()[i]
			f := byID[d.ID]
			f.disabled = true
			byID[d.ID] = f
		}
		return byID
	}
	before, now := state(old), state(s)
	var c monitordb.Change
	for id, f := range now {
		was, known := before[id]
		switch {
		case !known:
			c.Added++
		case was != f:
			c.Changed++
		}
	}
	for id := range before {
		if _, known := now[id]; !known {
			c.Removed++
		}
	}
	return c
}
