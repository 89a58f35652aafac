// SPDX-License-Identifier: Apache-2.0

// This file makes the proof of a match: the terms of the first true branch that
// fires, in text order, with the values they were true on.

package engine

import (
	"strconv"
	"time"
	"unicode/utf8"

	"seismo/internal/event"
	"seismo/signals"
)

// proof returns the proof for the expression at root, one of whose true branches
// has a class in wanted.
func (m *Matcher) proof(root uint32, wanted branchSet) []event.ProofItem {
	m.fill(root)
	var items []event.ProofItem
	m.first(root, wanted, &items)
	return items
}

// first appends the terms of the first true branch of node i whose class is in
// wanted, and returns that class. There must be one. What the event at hand meets
// goes before what an earlier one met; m.fill has noted what there is.
func (m *Matcher) first(i uint32, wanted branchSet, items *[]event.ProofItem) branchSet {
	n := &m.p.nodes[i]
	kids := m.p.kids[n.from:n.to]
	if m.remembers && m.sets[i]&wanted&^latched == 0 {
		if k, ok := m.p.memory.itemOf(i); ok {
			*items = m.p.appendItems(*items, k, m.latches.at.proof(k))
			return latched
		}
	}
	switch n.op {
	case signals.NodeTerm:
		*items = append(*items, m.item(&m.p.terms[n.term]))
		return m.sets[i]
	case signals.NodeAnd:
		return m.firstOfAll(kids, wanted, items)
	case signals.NodeGroup:
		return m.firstInGroup(kids[0], wanted, items)
	}
	for _, kid := range kids {
		if m.sets[kid]&wanted != 0 {
			return m.first(kid, wanted, items)
		}
	}
	return 0 // not reached: the set of an OR is that of its kids
}

// firstInGroup is first for a group whose expression is node i.
func (m *Matcher) firstInGroup(i uint32, wanted branchSet, items *[]event.ProofItem) branchSet {
	inside := wanted & onProcess
	if wanted&onThisEvent != 0 {
		inside |= negatedOnly | onThisEvent
	}
	remembers := m.remembers
	m.remembers = false
	s := grouped(m.first(i, inside, items))
	m.remembers = remembers
	return s
}

// proofOf returns the proof of item k, which the event at hand meets, as a latch
// keeps it.
func (m *Matcher) proofOf(k uint32) string {
	it := &m.p.memory.items[k]
	remembers := m.remembers
	m.remembers = false
	m.fill(it.node)
	var items []event.ProofItem
	m.first(it.node, onThisEvent, &items)
	m.remembers = remembers
	return m.p.latchText(it, items)
}

// firstOfAll is first for an AND: of each kid it takes the first branch that
// leaves, with what was taken of the kids before and what the kids after have, a
// branch that is wanted.
func (m *Matcher) firstOfAll(kids []uint32, wanted branchSet, items *[]event.ProofItem) branchSet {
	// suffix[base+k] is what the last k kids have.
	base := len(m.suffix)
	m.suffix = append(m.suffix, onProcess)
	for k := range kids {
		m.suffix = append(m.suffix, join(m.suffix[base+k], m.sets[kids[len(kids)-1-k]]))
	}
	taken := onProcess
	for k, kid := range kids {
		after := m.suffix[base+len(kids)-1-k]
		var fit branchSet
		for c := onProcess; c <= onThisEvent; c <<= 1 {
			if join(join(taken, c), after)&wanted != 0 {
				fit |= c
			}
		}
		taken = join(taken, m.first(kid, fit, items))
	}
	m.suffix = m.suffix[:base]
	return taken
}

// item returns what t, which holds, was true on.
func (m *Matcher) item(t *term) event.ProofItem {
	w := witness{term: t}
	m.judge.holds(t, &w)
	e := m.judge.event
	item := event.ProofItem{Term: t.id, Text: t.text, Event: e.ID, Time: e.Time, Ordinal: e.Ordinal,
		Field: t.field, Own: t.own, Value: w.value, Absent: w.absent}
	if w.atom != nil && !t.negate {
		item.Literal = w.literal()
	}
	return item
}

// witness is what a term was judged on: the value that met an atom, or else the
// first value seen. A nil witness takes no note.
type witness struct {
	term   *term
	value  string // at most event.MaxProofValue bytes
	seen   bool   // value is set
	atom   *atom  // that was met; nil if none was
	absent bool   // the field has no value
}

// sawText notes that v met a, or met no atom if a is nil.
func sawText[T text](w *witness, v T, a *atom) {
	if w == nil || a == nil && w.seen {
		return
	}
	w.value, w.seen, w.atom = string(v[:cut(v)]), true, a
}

// cut returns how many bytes of v a proof keeps: as many as it may, without a
// part of a UTF-8 sequence at the end.
func cut[T text](v T) int {
	if len(v) <= event.MaxProofValue {
		return len(v)
	}
	n := event.MaxProofValue
	for back := 1; back < utf8.UTFMax && back <= n; back++ {
		if utf8.RuneStart(v[n-back]) {
			if r, size := utf8.DecodeRuneInString(string(v[n-back : min(len(v), n-back+utf8.UTFMax)])); r != utf8.RuneError && size > back {
				return n - back
			}
			break
		}
	}
	return n
}

// sawNumber is sawText for a number.
func (w *witness) sawNumber(v int64, a *atom) {
	if w == nil {
		return
	}
	w.value, w.seen, w.atom = numberText(v, w.term.valueType), true, a
}

// literal returns the literal of the atom that was met, as text.
func (w *witness) literal() string {
	switch {
	case w.atom.cond == signals.Exists:
		return ""
	case w.atom.cond == signals.InList:
		return w.atom.literal
	case w.term.valueType == event.Integer, w.term.valueType == event.Identifier, w.term.valueType == event.Time:
		return numberText(w.atom.number, w.term.valueType)
	}
	return w.atom.literal
}

func numberText(v int64, typ event.Type) string {
	switch typ {
	case event.Identifier:
		return strconv.FormatUint(uint64(v), 10)
	case event.Time:
		return time.Unix(0, v).UTC().Format(time.RFC3339Nano)
	}
	return strconv.FormatInt(v, 10)
}
