// SPDX-License-Identifier: Apache-2.0

// This file finds the candidates: the signals that could fire on the event at hand
// or remember something of it. Values of the event are looked up in the frozen
// tables (tables.go) each time; what the values of a process say is kept with the
// process (armed.go). A candidate is then judged in full; one that is missing here
// would be a match lost.

package engine

import (
	"encoding/binary"
	"math/bits"

	"seismo/internal/ascii"
	"seismo/internal/event"
	"seismo/internal/namedlist"
	"seismo/signals"
)

// hits are the keys that values met, each once.
type hits struct {
	keys  []uint32
	stamp []uint32 // by key: the round in which it was met last
	round uint32
}

// begin forgets the keys, for a table with n of them.
func (h *hits) begin(n int) {
	h.keys = h.keys[:0]
	if h.round++; h.round == 0 || len(h.stamp) < n {
		h.stamp = make([]uint32, n)
		h.round = 1
	}
}

func (h *hits) has(key uint32) bool { return h.stamp[key] == h.round }

func (h *hits) add(key uint32) {
	if h.stamp[key] != h.round {
		h.stamp[key] = h.round
		h.keys = append(h.keys, key)
	}
}

// signalSet is a set of signals that lists them in rising order without sorting.
type signalSet struct {
	words []uint64
	full  []uint64 // a bit for each word that is not zero
}

func newSignalSet(n int) signalSet {
	words := (n + 63) / 64
	return signalSet{make([]uint64, words), make([]uint64, (words+63)/64)}
}

func (s *signalSet) add(i uint32) {
	s.words[i/64] |= 1 << (i % 64)
	s.full[i/4096] |= 1 << (i / 64 % 64)
}

// drain appends to out the members that are in mask too, and empties s.
func (s *signalSet) drain(out []uint32, mask []uint64) []uint32 {
	for i, full := range s.full {
		for ; full != 0; full &= full - 1 {
			at := i*64 + bits.TrailingZeros64(full)
			w := s.words[at] & mask[at]
			s.words[at] = 0
			for ; w != 0; w &= w - 1 {
				out = append(out, uint32(at*64+bits.TrailingZeros64(w)))
			}
		}
		s.full[i] = 0
	}
	return out
}

// finder is the state of a matcher for the search of candidates.
type finder struct {
	ready    bool
	platform string
	routed   [][]uint64 // by kind: the signals that are judged on its events
	idle     [][]uint32 // by slot: those of them that wait for nothing
	hits     hits
	truth    truth
	found    signalSet
	out      []uint32
	scratch  []byte // the folded value at hand
	cache    armedCache
	temp     armedProcess // for an event without process
	armedAt  []slotSet    // by signal, while a process is armed
	touched  []uint32     // the signals of armedAt that are not zero
	looked   uint64       // how many signals were asked whether a process rules them out
	chain    []*event.Process
	lateSeen uint64
	lostSeen uint64
	lateKin  []event.Field // the fields that may arrive late and are read of parents or ancestors
}

// find returns, in rising order, the signals that could fire on the event at hand
// or remember something of it. The slice is valid until the next call.
func (m *Matcher) find(e *event.Event) []uint32 {
	if int(e.Kind) >= len(m.routes) {
		return nil // no kind: nothing is routed there, and nothing was learned from it
	}
	if m.options.DisableSignalsTrie || m.p.tables == nil {
		return m.routes[e.Kind]
	}
	f, x := &m.finder, m.p.tables
	if !f.ready || f.platform != m.platform {
		m.prepareFinder()
	}
	if f.lateSeen != m.late.changes || f.lostSeen != m.late.evicted.count {
		m.dropStale(e)
	}
	if len(m.routes[e.Kind]) == 0 {
		return nil
	}
	slots := slotSet(1) << e.Kind
	if e.Kind == event.KindProcess && e.Op == event.OpCreate {
		slots |= 1 << publication
	}
	for rest := slots; rest != 0; rest &= rest - 1 {
		for _, i := range f.idle[bits.TrailingZeros32(rest)] {
			f.found.add(i)
		}
	}
	f.truth.begin(m)
	f.hits.begin(len(x.keys) / 2)
	for _, c := range x.ofSlot[e.Kind] {
		m.searchEvent(&x.columns[c], e, x.columns[c].field)
		f.truth.searched(c)
	}
	if x.ownFor&slots != 0 {
		m.searchOwn(e)
	}
	for _, key := range f.hits.keys {
		for _, t := range x.terms[x.postings[key]:x.postings[key+1]] {
			if !f.truth.meet(t) {
				continue
			}
			for waits := x.signals[2*x.waits[t] : 2*x.waits[t+1]]; len(waits) >= 2; waits = waits[2:] {
				if waits[1]&slots != 0 {
					f.found.add(waits[0])
				}
			}
		}
	}
	armed := m.armed(e).armed
	for ; len(armed) >= 2; armed = armed[2:] {
		if armed[1]&slots != 0 {
			f.found.add(armed[0])
		}
	}
	if m.judge.arrived {
		m.addLate(e)
	}
	f.out = f.found.drain(f.out[:0], f.routed[e.Kind])
	return f.out
}

// addLate adds the signals whose truth the late values of e can change.
func (m *Matcher) addLate(e *event.Event) {
	late := m.p.tables.late
	for len(late) >= 2 {
		field := event.Field(late[0])
		arrived := e.Late(field)
		for len(late) >= 2 && event.Field(late[0]) == field {
			if arrived {
				m.finder.found.add(late[1])
			}
			late = late[2:]
		}
	}
}

// prepareFinder makes what follows from the program and the platform.
func (m *Matcher) prepareFinder() {
	f, x, n := &m.finder, m.p.tables, len(m.p.signals)
	if !f.ready {
		f.found = newSignalSet(n)
		f.armedAt = make([]slotSet, n)
		f.lateKin = m.lateKin()
		f.truth.prepare(m.p)
	}
	f.ready, f.platform = true, m.platform
	f.cache.clear()
	f.routed, f.idle = make([][]uint64, len(m.routes)), make([][]uint32, len(m.routes))
	for k, route := range m.routes {
		f.routed[k] = make([]uint64, (n+63)/64)
		for _, i := range route {
			f.routed[k][i/64] |= 1 << (i % 64)
		}
	}
	for all := x.always; len(all) >= 2; all = all[2:] {
		for slot := range f.idle {
			if all[1]>>slot&1 != 0 && f.judges(all[0], 1<<slot) {
				f.idle[slot] = append(f.idle[slot], all[0])
			}
		}
	}
}

// judges reports whether signal i is judged on events of any of slots.
func (f *finder) judges(i uint32, slots slotSet) bool {
	for ; slots != 0; slots &= slots - 1 {
		kind := event.Kind(bits.TrailingZeros32(slots))
		if kind == publication {
			kind = event.KindProcess
		}
		if f.routed[kind][i/64]>>(i%64)&1 != 0 {
			return true
		}
	}
	return false
}

// searchOwn searches the values that the source delivered under own names. Of equal
// names in one record only the first counts, but the others do no harm here.
func (m *Matcher) searchOwn(e *event.Event) {
	x := m.p.tables
	m.finder.truth.own = true
	for own := range e.Own() {
		if key, ok := x.ownName.find(x, own.Name); ok {
			searchText(m, &x.columns[key-x.named], own.Value)
		}
	}
}

// searchEvent searches the event's value of field, which is c's field or, on an event
// without process, the one that stands for it.
func (m *Matcher) searchEvent(c *column, e *event.Event, field event.Field) {
	switch c.typ {
	case event.String:
		if v, ok := e.Text(field); ok {
			searchText(m, c, v)
		}
	case event.List, event.Hash:
		for v := range e.Elements(field) {
			searchText(m, c, v)
		}
	case event.Address:
		m.searchAddress(c, e)
	default:
		if v, ok := e.Int(field); ok {
			m.searchNumber(c, v)
		}
	}
}

// searchText searches one text in all tables of c.
func searchText[T text](m *Matcher, c *column, v T) {
	f, x := &m.finder, m.p.tables
	if c.present != 0 {
		f.hits.add(c.present - 1)
	}
	for probes := c.probes; len(probes) >= 2; probes = probes[2:] {
		a := &m.p.atoms[probes[0]]
		has := false
		if c.typ == event.Hash {
			has = namedlist.HasHash(m.p.lists[a.aux], v, a.cased)
		} else {
			has = namedlist.Has(m.p.lists[a.aux], v, a.cased)
		}
		if has {
			f.hits.add(probes[1])
		}
	}
	f.scratch = ascii.AppendFolded(f.scratch[:0], v)
	c.search(x, f.scratch, &f.hits)
}

// search notes the keys of literals that v, which is folded, meets.
func (c *column) search(x *tables, v []byte, h *hits) {
	c.searchAnchored(x, v, h)
	if len(c.grams.bitmap) > 0 {
		c.grams.scan(x, v, h)
	}
}

// searchAnchored is search without the literals that may stand anywhere.
func (c *column) searchAnchored(x *tables, v []byte, h *hits) {
	if len(c.whole.slots) > 0 {
		if key, ok := c.whole.find(x, v); ok {
			h.add(key)
		}
	}
	if len(c.begins.nodes) > 0 {
		c.begins.begins(x, v, h)
	}
	if len(c.ends.nodes) > 0 {
		c.ends.ends(x, v, h)
	}
}

func (m *Matcher) searchNumber(c *column, v int64) {
	f, x := &m.finder, m.p.tables
	for probes := c.probes; len(probes) >= 2; probes = probes[2:] {
		l := m.p.lists[m.p.atoms[probes[0]].aux]
		if c.typ == event.Identifier && l.HasIdentifier(uint64(v)) || c.typ != event.Identifier && l.HasInteger(v) {
			f.hits.add(probes[1])
		}
	}
	if len(c.whole.slots) > 0 {
		f.scratch = binary.LittleEndian.AppendUint64(f.scratch[:0], uint64(v))
		if key, ok := c.whole.find(x, f.scratch); ok {
			f.hits.add(key)
		}
	}
}

func (m *Matcher) searchAddress(c *column, e *event.Event) {
	f, x := &m.finder, m.p.tables
	v, ok := e.Addr(c.field)
	if !ok {
		return
	}
	for probes := c.probes; len(probes) >= 2; probes = probes[2:] {
		if m.p.lists[m.p.atoms[probes[0]].aux].HasAddress(v) {
			f.hits.add(probes[1])
		}
	}
	for _, n := range c.lengths {
		if v.Is4() == (n&is6 != 0) {
			continue
		}
		prefix, err := v.Prefix(int(n &^ is6))
		if err != nil {
			continue
		}
		if v.Is4() {
			raw := prefix.Addr().As4()
			f.scratch = append(f.scratch[:0], raw[:]...)
		} else {
			raw := prefix.Addr().As16()
			f.scratch = append(f.scratch[:0], raw[:]...)
		}
		f.scratch = append(f.scratch, byte(n))
		if key, ok := c.whole.find(x, f.scratch); ok {
			f.hits.add(key)
		}
	}
}

// possible reports whether the expression under node i can be true for the process
// at hand, whatever events come: every term on events is taken as true.
func (m *Matcher) possible(i uint32) bool {
	n := &m.p.nodes[i]
	kids := m.p.kids[n.from:n.to]
	switch n.op {
	case signals.NodeTerm:
		t := &m.p.terms[n.term]
		return t.onEvent || m.holds(n.term)
	case signals.NodeOr:
		for _, kid := range kids {
			if m.possible(kid) {
				return true
			}
		}
		return false
	}
	for _, kid := range kids {
		if !m.possible(kid) {
			return false
		}
	}
	return true
}
