// SPDX-License-Identifier: Apache-2.0

// This file judges a term on the view at hand by direct comparison: what the search
// can not tell, all terms in the plain mode, and the proof of a match.

package engine

import (
	"bytes"
	"strings"
	"unsafe"

	"seismo/internal/event"
	"seismo/internal/namedlist"
	"seismo/signals"
)

// viewMeets reports whether a value of the view at hand meets an atom of term i, which
// may be negated: that is for the caller. If w is not nil it gets the value and the
// atom, or else the first value.
func (m *Matcher) viewMeets(i uint32, w *witness) bool {
	t := &m.p.terms[i]
	return m.viewMeetsAny(i, m.p.atomRefs[t.from:t.to], w)
}

// viewMeetsAny is viewMeets for some atoms of the term.
func (m *Matcher) viewMeetsAny(i uint32, refs []uint32, w *witness) bool {
	v, t := &m.logs.view, &m.p.terms[i]
	name := m.p.alone.named[i]
	if name == anyName {
		absent := true
		for at := range v.values {
			if v.values[at].null {
				continue
			}
			if absent = false; m.valueMeets(t, refs, uint32(at), w) {
				return true
			}
		}
		if w != nil {
			w.absent = absent
		}
		return false
	}
	if w != nil {
		w.absent = v.head[name] == 0
	}
	for at := v.head[name]; at != 0; at = v.values[at-1].next {
		if m.valueMeets(t, refs, at-1, w) {
			return true
		}
	}
	return false
}

// valueMeets reports whether value at of the view at hand meets any of refs.
func (m *Matcher) valueMeets(t *term, refs []uint32, at uint32, w *witness) bool {
	value := &m.logs.view.values[at]
	for _, ref := range refs {
		a := &m.p.atoms[ref]
		if m.atomMeets(a, value, at) {
			sawText(w, value.raw, a)
			return true
		}
	}
	sawText(w, value.raw, nil)
	return false
}

// atomMeets reports whether value, which is value at of the view at hand, meets a.
func (m *Matcher) atomMeets(a *atom, value *viewValue, at uint32) bool {
	j, raw := &m.judge, value.raw
	j.work += 1 + uint64(len(raw))/32
	if a.part != signals.NoPart {
		return meetsDate(a, raw)
	}
	switch a.cond {
	case signals.Is, signals.Contains, signals.BeginsWith, signals.EndsWith:
		if !a.cased {
			raw = m.logs.view.lower(at)
		}
		return compareTexts(a.cond, raw, a.literal)
	case signals.Exists:
		return true
	case signals.Less, signals.LessEqual, signals.Greater, signals.GreaterEqual:
		return meetsNumber(a, raw)
	case signals.InCIDR:
		return meetsNetwork(j.p.prefixes[a.aux], raw)
	case signals.Glob, signals.PathGlob:
		return j.p.globs[a.aux].Match(raw)
	case signals.Regex:
		r := j.p.regexes[a.aux]
		if needs, has := r.Bytes(), m.logs.view.bytes(at); needs[0]&^has[0]|needs[1]&^has[1] != 0 {
			return false
		}
		if needs := r.Needs(); len(needs) > 0 && !holdsAny(m.logs.view.lower(at), needs) {
			return false
		}
		j.work += uint64(len(raw)) * uint64(r.Size()) / 64
		return j.regexes.match(j.p, a.aux, raw)
	case signals.InList:
		return namedlist.Has(j.p.lists[a.aux], raw, a.cased)
	}
	return m.fieldMeets(a, at)
}

// meetsShort reports whether a value of the view at hand holds one of the literals of l
// that are too short to be looked for.
func (m *Matcher) meetsShort(l *leaf) bool {
	v := &m.logs.view
	name := m.p.alone.named[l.term]
	if name == anyName {
		for at := range v.values {
			if m.valueHolds(l, uint32(at)) {
				return true
			}
		}
		return false
	}
	for at := v.head[name]; at != 0; at = v.values[at-1].next {
		if m.valueHolds(l, at-1) {
			return true
		}
	}
	return false
}

// mayHold reports whether a value of the view at hand has a byte that a literal of l,
// which are all short, begins with.
func (m *Matcher) mayHold(l *leaf) bool {
	v := &m.logs.view
	name := m.p.alone.named[l.term]
	if name == anyName {
		return true
	}
	for at := v.head[name]; at != 0; at = v.values[at-1].next {
		if v.bytes(at - 1).meets(&l.first) {
			return true
		}
	}
	return false
}

func (m *Matcher) valueHolds(l *leaf, at uint32) bool {
	v := &m.logs.view
	has := v.bytes(at)
	if !has.meets(&l.first) {
		return false
	}
	lower := v.lower(at)
	m.judge.work += uint64(len(l.short)) * (1 + uint64(len(lower))/32)
	for _, ref := range l.short {
		lit := m.p.atoms[ref].literal
		if has[lit[0]/64]>>(lit[0]%64)&1 != 0 && strings.Contains(asString(lower), lit) {
			return true
		}
	}
	return false
}

// compareTexts compares v with lit; both are folded, or the comparison is cased.
func compareTexts(cond signals.Condition, v []byte, lit string) bool {
	switch cond {
	case signals.Is:
		return string(v) == lit
	case signals.BeginsWith:
		return len(v) >= len(lit) && string(v[:len(lit)]) == lit
	case signals.EndsWith:
		return len(v) >= len(lit) && string(v[len(v)-len(lit):]) == lit
	}
	return strings.Contains(asString(v), lit)
}

// asString returns v as a string that is valid as long as v does not change.
func asString(v []byte) string { return unsafe.String(unsafe.SliceData(v), len(v)) }

// holdsAny reports whether v holds any of literals.
func holdsAny(v []byte, literals []string) bool {
	for _, lit := range literals {
		if strings.Contains(asString(v), lit) {
			return true
		}
	}
	return false
}

// fieldMeets reports whether value at compares with any value of the field that a
// names.
func (m *Matcher) fieldMeets(a *atom, at uint32) bool {
	v := &m.logs.view
	of := func(i uint32) []byte {
		if a.cased {
			return v.values[i].raw
		}
		return v.lower(i)
	}
	value := of(at)
	for i := v.head[a.aux]; i != 0; i = v.values[i-1].next {
		other := of(i - 1)
		m.judge.work += 1 + uint64(len(other))/32
		met := false
		switch a.cond {
		case signals.IsField:
			met = bytes.Equal(value, other)
		case signals.ContainsField:
			met = bytes.Contains(value, other)
		case signals.BeginsWithField:
			met = bytes.HasPrefix(value, other)
		case signals.EndsWithField:
			met = bytes.HasSuffix(value, other)
		}
		if met {
			return true
		}
	}
	return false
}

// aloneTrue reports whether node i is true on the view at hand, by direct comparison.
func (m *Matcher) aloneTrue(i uint32) bool {
	n := &m.p.nodes[i]
	if n.op == signals.NodeTerm {
		m.judge.work++
		return m.viewMeets(n.term, nil) != m.p.terms[n.term].negate
	}
	for _, kid := range m.p.kids[n.from:n.to] {
		if met := m.aloneTrue(kid); met == (n.op == signals.NodeOr) {
			return met
		}
	}
	return n.op != signals.NodeOr
}

// aloneProof returns the proof for the expression at root of a signal of group, which is
// true on the view at hand: the terms of its first true branch in text order.
func (m *Matcher) aloneProof(root, group uint32) []event.ProofItem {
	m.logs.proved = m.proved(m.logs.proved[:0], root, group)
	items := make([]event.ProofItem, len(m.logs.proved))
	for k, i := range m.logs.proved {
		items[k] = m.aloneItem(i)
	}
	return items
}

// proved appends the terms of the first true branch of node i.
func (m *Matcher) proved(terms []uint32, i, group uint32) []uint32 {
	n := &m.p.nodes[i]
	if n.op == signals.NodeTerm {
		return append(terms, n.term)
	}
	for _, kid := range m.p.kids[n.from:n.to] {
		if n.op != signals.NodeOr {
			terms = m.proved(terms, kid, group)
		} else if m.nodeHolds(kid, group) {
			return m.proved(terms, kid, group)
		}
	}
	return terms
}

// nodeHolds is aloneTrue with the help of what the search has found.
func (m *Matcher) nodeHolds(i, group uint32) bool {
	if m.options.DisableSignalsTrie {
		return m.aloneTrue(i)
	}
	n := &m.p.nodes[i]
	if n.op == signals.NodeTerm {
		return m.leafHolds(m.p.alone.leafOf(n.term, group))
	}
	for _, kid := range m.p.kids[n.from:n.to] {
		if met := m.nodeHolds(kid, group); met == (n.op == signals.NodeOr) {
			return met
		}
	}
	return n.op != signals.NodeOr
}

// aloneItem returns what term i, which is true, was true on.
func (m *Matcher) aloneItem(i uint32) event.ProofItem {
	t := &m.p.terms[i]
	w := witness{term: t}
	m.viewMeets(i, &w)
	e := m.judge.event
	item := event.ProofItem{Term: t.id, Text: t.text, Event: e.ID, Time: e.Time, Ordinal: e.Ordinal, Own: t.own, Value: w.value, Absent: w.absent}
	if w.atom != nil && !t.negate {
		item.Literal = m.aloneLiteral(&w)
	}
	return item
}

// aloneLiteral returns what the value of w met, as text.
func (m *Matcher) aloneLiteral(w *witness) string {
	if w.atom.part != signals.NoPart {
		return numberText(w.atom.number, event.Integer)
	}
	return w.literal()
}
