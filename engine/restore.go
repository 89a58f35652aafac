// SPDX-License-Identifier: Apache-2.0

// This file puts a saved memory into a matcher, and hands the memory of one matcher
// to that of another program. Writing is in state.go.

package engine

import (
	"bufio"
	"fmt"
	"hash/crc32"
	"io"

	"seismo/internal/event"
)

// LoadState puts what SaveState wrote in the place of what m remembers. What the
// program of m does not remember is left out: terms and groups that it does not have
// or that need no memory any more, late values that no term reads, and correlations
// that it does not have with the same id and revision.
//
// If there is an error m is as it was. It wraps [ErrStateFormat], [ErrStateVersion],
// [ErrStateRegistry] or [ErrStateDamaged] where the bytes are at fault.
func (m *Matcher) LoadState(r io.Reader) error {
	s := stateReader{r: bufio.NewReaderSize(io.LimitReader(r, maxState), 1<<16), sum: crc32.New(castagnoli)}
	latches, late := m.emptyTables()
	s.header()
	through := event.ID(s.u64())
	if through < 0 {
		s.fail("its last event is %d", through)
	}
	m.readLatches(&s, &latches)
	m.readLate(&s, &late)
	groups := newGroupTable(m.p.correlation)
	groups.limits = m.correlator.groups.limits
	m.readCorrelations(&s, &groups)
	sum := s.sum.Sum32()
	if got := s.u32(); s.err == nil && got != sum {
		s.fail("its checksum is %08x, it should be %08x", sum, got)
	}
	if s.err == nil {
		if _, err := s.r.ReadByte(); err == nil {
			s.fail("there is more behind its end")
		} else if err != io.EOF {
			s.err = err
		}
	}
	if s.err != nil {
		return fmt.Errorf("load the memory of signals: %w", s.err)
	}
	m.latches, m.late, m.correlator.groups, m.through = latches, late, groups, through
	return nil
}

// emptyTables returns the tables of a matcher that remembers nothing, with the
// limits of m's.
func (m *Matcher) emptyTables() (latchTable, lateTable) {
	latches, late := newLatchTable(len(m.p.memory.items)), newLateTable()
	latches.limits, late.limits = m.latches.limits, m.late.limits
	late.changes = m.late.changes + 1
	return latches, late
}

func (s *stateReader) header() {
	var magic [len(stateMagic)]byte
	s.read(magic[:])
	if string(magic[:]) != stateMagic {
		s.err = ErrStateFormat
	}
	if v := s.u32(); s.err == nil && v != stateVersion {
		s.err = fmt.Errorf("version %d, this seismo knows %d: %w", v, stateVersion, ErrStateVersion)
	}
	if f := s.u64(); s.err == nil && f != event.Fingerprint() {
		s.err = fmt.Errorf("registry %016x, this seismo has %016x: %w", f, event.Fingerprint(), ErrStateRegistry)
	}
}

// savedItem is an item of a file: its number of terms, and its number in the
// program plus 1, or 0 if that does not remember it.
type savedItem struct {
	terms  uint32
	number uint32
}

func (m *Matcher) readLatches(s *stateReader, t *latchTable) {
	var items []savedItem
	last := uint64(0)
	for i := range s.count("items", maxTerms+maxNodes) {
		if s.err != nil {
			return
		}
		id := s.u64()
		if i > 0 && id <= last {
			s.fail("item %016x does not come after item %016x", id, last)
		}
		last = id
		it := savedItem{terms: s.u32()}
		if k, ok := m.p.memory.byID[id]; ok && len(m.p.memory.items[k].terms) == int(it.terms) {
			it.number = k + 1
		}
		items = append(items, it)
	}
	seen := map[event.ProcessKey]bool{}
	for range s.count("processes", maxLatches) {
		key := event.ProcessKey(s.u64())
		if seen[key] {
			s.fail("process %d stands twice", key)
		}
		seen[key] = true
		var met [maxProcessLatches]uint32
		n := s.count("latches of a process", maxProcessLatches)
		if n == 0 {
			s.fail("process %d has no latches", key)
		}
		for i := range n {
			m.readLatch(s, t, key, items, met[:i+1])
		}
		if s.err != nil {
			return
		}
	}
}

// readLatch reads one latch of process key; met are the items of those before it,
// and gets its own.
func (m *Matcher) readLatch(s *stateReader, t *latchTable, key event.ProcessKey, items []savedItem, met []uint32) {
	n := s.u32()
	text := s.text("a proof", maxLatchText)
	if s.err != nil {
		return
	}
	if int64(n) >= int64(len(items)) {
		s.fail("item %d of %d", n, len(items))
		return
	}
	for _, other := range met[:len(met)-1] {
		if other == n {
			s.fail("process %d has item %d twice", key, n)
			return
		}
	}
	met[len(met)-1] = n
	it := items[n]
	if !validLatch(text, int(it.terms)) {
		s.fail("what process %d has of item %d is no proof", key, n)
		return
	}
	if it.number > 0 {
		r := latchReader{text: text}
		t.add(key, it.number-1, text, r.head().time)
	}
}

func (m *Matcher) readLate(s *stateReader, t *lateTable) {
	var fields []event.Info
	for i := range s.count("fields", len(t.fields)) {
		name := s.text("a field's name", 256)
		in, ok := event.Lookup(name)
		if s.err == nil && (!ok || in.Name != name || in.Scope != event.ScopeProcess) {
			s.fail("%.80q is no field of a process", name)
		}
		if s.err == nil && i > 0 && fields[i-1].Name >= name {
			s.fail("field %s does not come after field %s", name, fields[i-1].Name)
		}
		fields = append(fields, in)
	}
	read := map[event.Field]bool{}
	for _, f := range m.p.memory.late {
		read[f] = true
	}
	for range s.count("processes with late values", maxLateProcesses) {
		key := event.ProcessKey(s.u64())
		if t.of[key] != nil {
			s.fail("process %d stands twice", key)
		}
		var values []lateValue
		last := event.NoField
		for range s.count("late values of a process", len(fields)) {
			v, ok := s.lateValue(fields)
			if !ok {
				break
			}
			if v.field <= last {
				s.fail("late values of process %d out of order", key)
			}
			if last = v.field; read[v.field] {
				values = append(values, v)
			}
		}
		if s.err != nil {
			return
		}
		if len(values) > 0 {
			t.set(key, values, 0)
		}
	}
}

// lateValue reads one value of one of fields.
func (s *stateReader) lateValue(fields []event.Info) (lateValue, bool) {
	n := s.u32()
	if s.err == nil && int64(n) >= int64(len(fields)) {
		s.fail("field %d of %d", n, len(fields))
	}
	if s.err != nil {
		return lateValue{}, false
	}
	v := lateValue{field: fields[n].Field}
	switch fields[n].Type {
	case event.List, event.Hash:
		v.list = []string{}
		bytes := 0
		for range s.count("elements", maxLateList) {
			element := s.text("an element", maxLateText)
			if bytes += len(element); bytes > maxLateText {
				s.fail("a list of more than %d bytes", maxLateText)
			}
			if s.err != nil {
				return v, false
			}
			v.list = append(v.list, element)
		}
	case event.Integer, event.Identifier, event.Time:
		v.number = int64(s.u64())
	default:
		v.text = s.text("a late value", maxLateText)
	}
	return v, s.err == nil
}

// TakeOver moves to m, which has judged nothing, what old remembers: old remembers
// nothing afterwards. Terms and groups that the program of m does not remember are
// left out, and so are late values that it does not read; what stands unchanged in a
// signal of both programs is kept with its proof, and what an unchanged correlation
// counted goes on.
func (m *Matcher) TakeOver(old *Matcher) {
	items := make([]uint32, len(old.p.memory.items)) // by number: that in m plus 1, or 0
	for k := range items {
		it := &old.p.memory.items[k]
		if n, ok := m.p.memory.byID[it.id]; ok && len(m.p.memory.items[n].terms) == len(it.terms) {
			items[k] = n + 1
		}
	}
	for r := range old.latches.order.All() {
		for _, l := range r.latches {
			if n := items[l.item]; n > 0 {
				reader := latchReader{text: l.proof}
				m.latches.add(r.key, n-1, l.proof, reader.head().time)
			}
		}
	}
	read := make([]bool, len(m.late.fields))
	for _, f := range m.p.memory.late {
		read[f] = true
	}
	for v := range old.late.order.All() {
		var values []lateValue
		for i := range v.values {
			if read[v.values[i].field] {
				values = append(values, v.values[i])
			}
		}
		if len(values) > 0 {
			m.late.set(v.key, values, 0)
		}
	}
	m.late.changes += old.late.changes
	m.latches.evicted.merge(old.latches.evicted)
	m.late.evicted.merge(old.late.evicted)
	old.latches, old.late = old.emptyTables()
	m.through = max(m.through, old.through)
	m.takeOverCorrelations(old)
}
