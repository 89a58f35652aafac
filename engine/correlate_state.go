// SPDX-License-Identifier: Apache-2.0

// This file writes and reads what correlations remember, as a part of
// process_state.bin (docs/format/process-state.md), and hands it to another program. A
// correlation goes on as long as its definition has the same id and revision.

package engine

import (
	"cmp"
	"slices"

	"seismo/internal/event"
	"seismo/signals"
)

// correlationID names a correlation over programs.
type correlationID struct{ id, revision string }

func (p *Program) correlationID(q *correlation) correlationID {
	d := &p.definitions[q.signal]
	return correlationID{d.ID, d.Revision}
}

// correlationsByID returns the correlations of p, as indexes into its plan.
func (p *Program) correlationsByID() map[correlationID]uint32 {
	of := map[correlationID]uint32{}
	if p.correlation != nil {
		for k := range p.correlation.list {
			of[p.correlationID(&p.correlation.list[k])] = uint32(k)
		}
	}
	return of
}

// sameShape reports whether what q remembers has a meaning for r, of the same
// definition: another program may have other signals of the names it refers to.
func (q *correlation) sameShape(r *correlation) bool {
	return q.typ == r.typ && len(q.rules) == len(r.rules) && q.different == r.different && slices.Equal(q.slots, r.slots) &&
		len(q.groupBy) == len(r.groupBy) && q.timespan == r.timespan && q.closes == r.closes
}

// A saved correlation is its type, the numbers of its rules and group-by fields, and
// its timespan, so that a reader can check what it does not know.
func (m *Matcher) saveCorrelations(s *stateWriter) {
	c := &m.correlator
	var order []int
	for k := range c.groups.orders {
		if c.groups.orders[k].Oldest() != nil {
			order = append(order, k)
		}
	}
	slices.SortFunc(order, func(a, b int) int {
		x, y := m.p.correlationID(&c.plan.list[a]), m.p.correlationID(&c.plan.list[b])
		return cmp.Or(cmp.Compare(x.id, y.id), cmp.Compare(x.revision, y.revision))
	})
	s.u32(uint32(len(order)))
	for _, k := range order {
		q := &c.plan.list[k]
		id := m.p.correlationID(q)
		s.text(id.id)
		s.text(id.revision)
		flags := uint32(q.typ)
		if q.closes {
			flags |= savedCloses
		}
		s.u32(flags)
		s.u32(uint32(len(q.rules)))
		s.u32(uint32(len(q.groupBy)))
		s.u64(uint64(q.timespan))
		n := 0
		for range c.groups.orders[k].All() {
			n++
		}
		s.u32(uint32(n))
		for g := range c.groups.orders[k].All() {
			c.saveGroup(s, q, g)
		}
	}
}

// savedCloses marks a correlation whose windows have an end, savedSpent a group whose
// upper bound is passed.
const (
	savedCloses = 1 << 8
	savedSpent  = 1 << 31
)

func (c *correlator) saveGroup(s *stateWriter, q *correlation, g *tally) {
	c.groups.trim(g)
	s.text(g.key[4:])
	s.u64(uint64(g.newest))
	n := uint32(c.groups.size(g))
	if g.spent {
		n = savedSpent
	}
	s.u32(n)
	for i := range g.matches {
		at := &g.matches[i]
		if g.spent || q.typ == signals.Temporal && at.value == 0 {
			continue
		}
		s.u64(uint64(at.time))
		s.u64(uint64(at.id))
		s.u64(at.ordinal)
		s.u32(at.rule)
		if q.typ == signals.ValueCount {
			s.text(g.values[at.value].text)
		}
	}
}

// The limits of a correlation in a file.
const (
	maxSavedID           = 4096 // bytes of an id or a revision
	maxSavedCorrelations = maxSignals
)

// readCorrelations reads what saveCorrelations wrote into the empty table t.
func (m *Matcher) readCorrelations(s *stateReader, t *groupTable) {
	known := m.p.correlationsByID()
	last := correlationID{}
	matches := 0
	for i := range s.count("correlations", maxSavedCorrelations) {
		id := correlationID{s.text("the id of a correlation", maxSavedID), s.text("the revision of a correlation", maxSavedID)}
		if i > 0 && cmp.Or(cmp.Compare(last.id, id.id), cmp.Compare(last.revision, id.revision)) >= 0 {
			s.fail("correlation %.80q does not come after correlation %.80q", id.id, last.id)
		}
		last = id
		saved := s.correlation()
		k, ok := known[id]
		if s.err != nil {
			return
		}
		into := t
		if !ok || !saved.sameShapeAs(&t.list[k]) {
			k, into = 0, nil
		}
		seen := map[string]bool{}
		for range s.count("groups of a correlation", maxGroups) {
			g := s.group(&saved, &matches)
			if s.err == nil && seen[g.key] {
				s.fail("a group of correlation %.80q stands twice", id.id)
			}
			if s.err != nil {
				return
			}
			seen[g.key] = true
			if into != nil {
				into.restore(k, g)
			}
		}
	}
}

// savedCorrelation is what a file tells of a correlation.
type savedCorrelation struct {
	typ            signals.CorrelationType
	closes         bool
	rules, groupBy int
	timespan       int64
}

func (c *savedCorrelation) sameShapeAs(q *correlation) bool {
	return c.typ == q.typ && c.closes == q.closes && c.rules == len(q.rules) && c.groupBy == len(q.groupBy) && c.timespan == q.timespan
}

func (s *stateReader) correlation() savedCorrelation {
	flags := s.u32()
	c := savedCorrelation{typ: signals.CorrelationType(flags), closes: flags&savedCloses != 0}
	if s.err == nil && (!c.typ.Valid() || flags&^(savedCloses|0xff) != 0) {
		s.fail("correlation type %#x", flags)
	}
	c.rules, c.groupBy = s.count("rules", maxCorrelationRules), s.count("group-by fields", maxCorrelationFields)
	if c.timespan = int64(s.u64()); s.err == nil && (c.timespan <= 0 || c.rules == 0) {
		s.fail("a correlation of %d rules over %d ns", c.rules, c.timespan)
	}
	return c
}

// savedGroup is a group as a file has it; key is without the correlation.
type savedGroup struct {
	key     string
	newest  int64
	spent   bool
	matches []match
	values  []string // of the matches, for ValueCount
}

// group reads a group of c. all counts the matches of the file.
func (s *stateReader) group(c *savedCorrelation, all *int) (g savedGroup) {
	g.key = s.text("the values of a group", maxCorrelationFields*(maxKeyValue+2))
	if _, ok := keyValues("    "+g.key, c.groupBy); s.err == nil && !ok {
		s.fail("%.80q is no %d values of a group", g.key, c.groupBy)
	}
	g.newest = int64(s.u64())
	n := s.u32()
	if g.spent = n == savedSpent; g.spent {
		n = 0
	}
	limit := maxGroupMatches
	if c.typ == signals.Temporal {
		limit = c.rules
	}
	if *all += int(n); s.err == nil && (int64(n) > int64(limit) || *all > maxMatches+maxGroups) {
		s.fail("%d matches of a group, %d in all", n, *all)
	}
	if s.err == nil && (n == 0 || g.spent) && (!g.spent || !c.closes) {
		s.fail("a group without matches")
	}
	for range n {
		if s.err != nil {
			return g
		}
		m := match{time: int64(s.u64()), id: event.ID(s.u64()), ordinal: s.u64(), rule: s.u32()}
		switch {
		case s.err != nil:
		case int64(m.rule) >= int64(c.rules):
			s.fail("rule %d of %d", m.rule, c.rules)
		case len(g.matches) > 0 && c.typ != signals.Temporal && m.time < g.matches[len(g.matches)-1].time:
			s.fail("matches of a group out of order")
		case !c.closes && (m.time > g.newest || outside(m.time, g.newest, c.timespan)),
			c.closes && (outside(m.time, g.newest, c.timespan) || m.time >= after(g.newest, c.timespan)):
			s.fail("a match at %d outside of the window of its group at %d", m.time, g.newest)
		}
		g.matches = append(g.matches, m)
		if c.typ == signals.ValueCount {
			g.values = append(g.values, s.text("a value", maxKeyValue))
		}
	}
	return g
}

// restore makes a group of correlation k of what was saved.
func (t *groupTable) restore(k uint32, saved savedGroup) {
	q := &t.list[k]
	g := t.put(k, string(appendKeyHead(nil, k))+saved.key)
	g.newest, g.spent = saved.newest, saved.spent
	if q.closes {
		g.closes = after(g.newest, q.timespan)
		t.schedule(g)
	}
	for i, m := range saved.matches {
		if q.typ == signals.ValueCount {
			m.value = t.value(g, []byte(saved.values[i]))
		}
		t.add(g, m)
	}
	t.room(saved.newest)
}

// copyOf returns what restore makes g of.
func (t *groupTable) copyOf(g *tally) savedGroup {
	saved := savedGroup{key: g.key[4:], newest: g.newest, spent: g.spent}
	for _, at := range g.matches {
		switch t.list[g.of].typ {
		case signals.Temporal:
			if at.value == 0 {
				continue
			}
		case signals.ValueCount:
			saved.values = append(saved.values, g.values[at.value].text)
		}
		saved.matches = append(saved.matches, at)
	}
	return saved
}

// takeOverCorrelations moves to m what the correlations of old remember, as far as m
// has them unchanged.
func (m *Matcher) takeOverCorrelations(old *Matcher) {
	from, to := &old.correlator.groups, &m.correlator.groups
	known := m.p.correlationsByID()
	var moved []*tally // by the time that they were last touched
	into := map[*tally]uint32{}
	for k := range from.orders {
		q := &from.list[k]
		next, ok := known[old.p.correlationID(q)]
		if !ok || !q.sameShape(&to.list[next]) {
			continue
		}
		for g := range from.orders[k].All() {
			into[g], moved = next, append(moved, g)
		}
	}
	slices.SortStableFunc(moved, func(a, b *tally) int { return cmp.Compare(a.touched, b.touched) })
	for _, g := range moved {
		to.restore(into[g], from.copyOf(g))
	}
	to.evicted.merge(from.evicted)
	old.correlator = newCorrelator(old.p.correlation)
}
