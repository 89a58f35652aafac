// SPDX-License-Identifier: Apache-2.0

// This file keeps which terms the values of the event at hand and its process are
// known to meet, so that the literals of a term are not compared again for each
// signal that has it. A column that holds no literal a signal waits for is searched
// when the first of its terms is asked for.

package engine

import "seismo/internal/event"

// truth is what the search has found of the terms for one event.
type truth struct {
	round   uint32
	judged  uint64              // the judge's round that it is of
	met     []uint32            // by term: the round in which a key of it was met
	columns []uint32            // by column of event scope: the round in which it was searched
	column  []uint32            // by term: 1 + its column; 0 if nothing is known of it
	short   map[uint32][]uint32 // by term that is knownMet: its short literals, atoms
	own     bool                // the columns of own fields were searched
	process bool                // the terms of a.terms are in met
}

// begin forgets what was known.
func (t *truth) begin(m *Matcher) {
	if t.round++; t.round == 0 {
		clear(t.met)
		clear(t.columns)
		t.round = 1
	}
	t.judged, t.own, t.process = m.judge.round, false, false
}

// prepare makes what follows from the program.
func (t *truth) prepare(p *Program) {
	x := p.tables
	t.met, t.columns, t.column = make([]uint32, len(p.terms)), make([]uint32, len(x.columns)), make([]uint32, len(p.terms))
	for i := range p.terms {
		term := &p.terms[i]
		if x.known[i] == knownNothing {
			continue
		}
		if x.known[i] == knownMet {
			t.keepShort(p, uint32(i))
		}
		if term.own == "" {
			if c, ok := x.ofField[term.field]; ok {
				t.column[i] = c + 1
			}
		} else if key, ok := x.ownName.find(x, []byte(term.own)); ok {
			t.column[i] = key - x.named + 1
		}
	}
}

// keepShort notes the short literals of term i.
func (t *truth) keepShort(p *Program, i uint32) {
	if t.short == nil {
		t.short = map[uint32][]uint32{}
	}
	of := &p.terms[i]
	for _, ref := range p.atomRefs[of.from:of.to] {
		if p.isShort(of, &p.atoms[ref]) {
			t.short[i] = append(t.short[i], ref)
		}
	}
}

// meet notes that a key of term i was met, and reports whether it is the first.
func (t *truth) meet(i uint32) bool {
	if t.met[i] == t.round {
		return false
	}
	t.met[i] = t.round
	return true
}

func (t *truth) searched(column uint32) { t.columns[column] = t.round }

// holds is judge.holds for term i, with the help of what the search has found.
func (m *Matcher) holds(i uint32) bool {
	t, f := &m.p.terms[i], &m.finder
	if m.judge.round != f.truth.judged || f.truth.column[i] == 0 {
		return m.judge.holds(t, nil)
	}
	m.judge.work++
	if t.onEvent && !t.kinds.Has(m.judge.event.Kind) {
		return false
	}
	m.searchFor(t, f.truth.column[i]-1)
	met, known := f.truth.met[i] == f.truth.round, m.p.tables.known[i]
	switch {
	case known == knownMet && !met:
		m.judge.only = f.truth.short[i]
		holds := m.judge.holds(t, nil)
		m.judge.only = nil
		return holds
	case met && known == knownFalse:
		return m.judge.holds(t, nil)
	}
	return met != t.negate
}

// searchFor sees to it that column c, which t is on, has been searched for the event
// at hand.
func (m *Matcher) searchFor(t *term, c uint32) {
	f, x := &m.finder, m.p.tables
	switch {
	case t.scope != event.ScopeEvent:
		if !f.truth.process {
			f.truth.process = true
			for _, term := range m.armed(m.judge.event).terms {
				f.truth.meet(term)
			}
		}
		return
	case t.own != "":
		if f.truth.own {
			return
		}
		f.hits.begin(len(x.keys) / 2)
		m.searchOwn(m.judge.event)
	default:
		if f.truth.columns[c] == f.truth.round {
			return
		}
		f.hits.begin(len(x.keys) / 2)
		m.searchEvent(&x.columns[c], m.judge.event, x.columns[c].field)
		f.truth.searched(c)
	}
	for _, key := range f.hits.keys {
		for _, term := range x.terms[x.postings[key]:x.postings[key+1]] {
			f.truth.meet(term)
		}
	}
}
