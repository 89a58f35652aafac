// SPDX-License-Identifier: Apache-2.0

// This file finds and judges the alone signals of an event: each view of it in turn is
// searched for the literals that signals of its logs wait for, and the few that met one
// are judged. How one term is judged on a view is in alone_judge.go.

package engine

import (
	"bytes"
	"slices"

	"seismo/internal/event"
	"seismo/internal/namedlist"
	"seismo/internal/taxonomy"
)

// aloneFinder is the state of a matcher for its alone signals.
type aloneFinder struct {
	ready    bool
	platform string
	version  *Program // that barred and routes are of
	barred   []bool   // by signal: it is disabled, or of another platform
	routes   routes
	typed    []typedRoute // by kind and operation
	records  *event.Logsource

	view  view
	route *route // of the view at hand

	cache      valueCache
	fresh      []uint32 // the values of the view at hand that are searched for AnyField
	round      uint32   // of the view at hand
	hits       hits     // the keys that its values met
	any        hits     // likewise, of all values as one
	columns    []uint32 // by column: the round in which it was searched
	met        []uint32 // by leaf: the round in which a key of it was met
	waited     []uint32 // by signal: the round in which a leaf that it waits for was met
	candidates []uint32
	fired      []uint32 // on the event at hand
	proved     []uint32 // terms, while a proof is made
	record     int32    // that the view at hand is of; -1: it is of the whole event
}

// typedRoute is the route of events of a kind and operation.
type typedRoute struct {
	known bool
	route *route
}

// maxOps is more than there are operations.
const maxOps = 256

// prepare makes what follows from the program. Without alone signals it is empty.
func (f *aloneFinder) prepare(p *Program) {
	a := p.alone
	if a == nil || len(a.members) == 0 {
		return
	}
	f.ready = true
	f.view.head, f.view.tail = make([]uint32, len(a.names)), make([]uint32, len(a.names))
	f.hits.begin(len(a.tables.keys) / 2)
	f.columns, f.met = make([]uint32, len(a.tables.columns)), make([]uint32, len(a.leaves))
	f.waited, f.barred = make([]uint32, len(p.signals)), make([]bool, len(p.signals))
}

// turnTo makes platform the one of the events at hand.
func (m *Matcher) turnTo(platform string) {
	f := &m.logs
	if f.version == m.p && f.platform == platform {
		return
	}
	f.version, f.platform = m.p, platform
	for i := range f.barred {
		of := m.p.definitions[i].Platforms
		f.barred[i] = m.p.isDisabled(uint32(i)) || platform != "" && len(of) > 0 && !slices.Contains(of, platform)
	}
	f.routes.clear()
	f.cache.clear()
	f.typed, f.records = nil, taxonomy.Records(platform)
}

// matchAlone judges the alone signals on e, tags it, and adds to m.fired those that
// fired.
func (m *Matcher) matchAlone(platform string, e *event.Event) {
	f := &m.logs
	if !f.ready {
		return
	}
	m.turnTo(platform)
	f.fired = f.fired[:0]
	for range m.eachView(e) {
		m.matchView()
	}
	if len(f.fired) == 0 {
		return
	}
	m.fired = append(m.fired, f.fired...)
	if len(m.fired) > 1 {
		slices.Sort(m.fired)
		slices.SortFunc(e.Tags, func(a, b event.Tag) int { return int(a.Signal) - int(b.Signal) })
	}
}

// eachView makes each view of e in turn the one at hand, but those that no signal is
// for.
func (m *Matcher) eachView(e *event.Event) func(func() bool) {
	return func(yield func() bool) {
		f := &m.logs
		f.record = -1
		if e.Logsource != nil {
			if f.route = m.routeOf(e.Logsource); f.route != nil {
				m.viewOwn(e)
				yield()
			}
			return
		}
		if f.route = m.typedRoute(e); f.route != nil {
			m.viewFields(e)
			if !yield() {
				return
			}
		}
		if f.records == nil {
			return
		}
		if f.route = m.routeOf(f.records); f.route == nil {
			return
		}
		// A program may forge a second value of a name in the record that it writes or that
		// tells of it; otherwise a source gives more values than one on purpose.
		once := e.Flags&(event.Untrusted|event.Duplicate) != 0
		record := -1
		for own := range e.Own() {
			if own.Record != record {
				if record >= 0 && !yield() {
					return
				}
				record, f.route.names.at = own.Record, 0
				f.record = int32(record)
				f.view.clear()
			}
			f.addOwn(own.Name, own.Value, once)
		}
		if record >= 0 {
			yield()
		}
	}
}

// typedRoute returns the route of e, an event of a typed source.
func (m *Matcher) typedRoute(e *event.Event) *route {
	if taxonomy.Local(e) {
		return m.routeOf(nil)
	}
	f := &m.logs
	at := int(e.Kind)*maxOps + int(e.Op)
	if at >= len(f.typed) {
		f.typed = append(f.typed, make([]typedRoute, at+1-len(f.typed))...)
	}
	if t := &f.typed[at]; !t.known {
		*t = typedRoute{true, m.routeOf(taxonomy.Of(f.platform, e.Kind, e.Op))}
	}
	return f.typed[at].route
}

// viewOwn makes all own fields of e the view at hand.
func (m *Matcher) viewOwn(e *event.Event) {
	f := &m.logs
	f.view.clear()
	f.route.names.at = 0
	for own := range e.Own() {
		f.addOwn(own.Name, own.Value, false)
	}
}

// addOwn adds an own field to the view at hand. If once is set only the first value of a
// name counts under it: those behind it may be forged.
func (f *aloneFinder) addOwn(name, value []byte, once bool) {
	n := f.route.names.next(name)
	switch {
	case n != nil && (!once || f.view.head[n.name] == 0):
		before := len(f.view.values)
		if f.view.add(n.name, value); n.null && len(f.view.values) > before {
			f.view.values[before].null = true
		}
	case f.route.all && !bytes.HasSuffix(name, []byte(event.NullSuffix)): // which is no value
		f.view.add(noName, value)
	}
}

// viewFields makes the fields of the registry that e has the view at hand.
func (m *Matcher) viewFields(e *event.Event) {
	f := &m.logs
	f.view.clear()
	if int(e.Kind) >= len(f.route.typed) {
		return
	}
	for _, n := range f.route.typed[e.Kind] {
		name := uint32(noName)
		if n.at != noName {
			name = f.route.names.names[n.at].name
		}
		f.view.addField(name, e, n.field)
	}
}

// matchView judges the signals of the view at hand.
func (m *Matcher) matchView() {
	f := &m.logs
	if f.round++; f.round == 0 { // the numbers have run out: nothing may look fresh
		clear(f.columns)
		clear(f.met)
		clear(f.waited)
		f.cache.clear()
		f.round = 1
	}
	if m.options.DisableSignalsTrie {
		for _, i := range f.route.plain {
			m.judgeAlone(i, true)
		}
		return
	}
	f.candidates = f.candidates[:0]
	for _, w := range f.route.idle {
		if w.leaf == 0 || m.mayHold(&m.p.alone.leaves[w.leaf-1]) {
			f.candidates = append(f.candidates, w.signal)
		}
	}
	f.hits.begin(0)
	m.search()
	for _, i := range f.candidates {
		m.judgeAlone(i, false)
	}
}

// search looks the values of the view at hand up in the columns in which signals wait.
func (m *Matcher) search() {
	f := &m.logs
	r := f.route
	for i := range r.names.names {
		n := &r.names.names[i]
		if len(n.columns) > 0 && f.view.head[n.name] != 0 {
			m.searchNamed(n)
		}
	}
	if len(r.any) > 0 {
		m.searchEverywhere()
	}
	m.meet(true)
}

// searchColumn searches column c, in which no signal waits, when a leaf asks for it.
func (m *Matcher) searchColumn(c uint32) {
	f, a := &m.logs, m.p.alone
	f.hits.keys = f.hits.keys[:0]
	f.columns[c] = f.round
	if name := a.columnOf[c]; name == anyName {
		f.fresh = f.fresh[:0]
		for i := range f.view.values {
			if !f.view.values[i].null {
				f.fresh = append(f.fresh, uint32(i))
				f.view.lower(uint32(i))
			}
		}
		m.searchAny(c, f.fresh)
	} else {
		for at := f.view.head[name]; at != 0; at = f.view.values[at-1].next {
			m.searchValue(&a.tables.columns[c], at-1)
		}
	}
	m.meet(false)
}

// searchAny searches values of the view at hand, which have been folded, in column c,
// which is on AnyField.
func (m *Matcher) searchAny(c uint32, values []uint32) {
	f, x := &m.logs, m.p.alone.tables
	col := &x.columns[c]
	anchored := col.present != 0 || len(col.probes)+len(col.whole.slots)+len(col.begins.nodes)+len(col.ends.nodes) > 0
	if anchored {
		for _, i := range values {
			m.searchAnchored(col, i)
		}
	}
	// The folded values lie one behind the other: what none of them has is found out
	// at once. What is met there may reach over the end of a value.
	if grams := &col.grams; len(grams.entries) > 0 && grams.anyIn(x, f.view.arena, &f.any) {
		for _, i := range values {
			grams.scan(x, f.view.lower(i), &f.hits)
		}
	}
}

// fewLiterals are so few that a search for each is faster than the gram filter.
const fewLiterals = 3

// anyIn reports whether v holds any of t's literals. h is for the search.
func (t *gramTable) anyIn(x *tables, v []byte, h *hits) bool {
	if len(t.entries) > 3*fewLiterals {
		h.begin(len(x.keys) / 2)
		t.scan(x, v, h)
		return len(h.keys) > 0
	}
	for e := t.entries; len(e) >= 3; e = e[3:] {
		off, n := x.keys[2*e[1]], x.keys[2*e[1]+1]
		if bytes.Contains(v, x.text[off:off+n]) {
			return true
		}
	}
	return false
}

// searchValue looks value i up in c.
func (m *Matcher) searchValue(c *column, i uint32) {
	m.searchAnchored(c, i)
	if f := &m.logs; len(c.grams.bitmap) > 0 {
		c.grams.scan(m.p.alone.tables, f.view.lower(i), &f.hits)
	}
}

// searchAnchored is searchValue without the literals that may stand anywhere.
func (m *Matcher) searchAnchored(c *column, i uint32) {
	f := &m.logs
	if c.present != 0 {
		f.hits.add(c.present - 1)
	}
	for probes := c.probes; len(probes) >= 2; probes = probes[2:] {
		if a := &m.p.atoms[probes[0]]; namedlist.Has(m.p.lists[a.aux], f.view.values[i].raw, a.cased) {
			f.hits.add(probes[1])
		}
	}
	c.searchAnchored(m.p.alone.tables, f.view.lower(i), &f.hits)
}

// meet notes the leaves that the keys met are of and, if wait is set, the signals that
// wait for them.
func (m *Matcher) meet(wait bool) {
	f, x := &m.logs, m.p.alone.tables
	for _, key := range f.hits.keys {
		for _, leaf := range x.terms[x.postings[key]:x.postings[key+1]] {
			if f.met[leaf] == f.round {
				continue
			}
			f.met[leaf] = f.round
			if !wait {
				continue
			}
			for waits := x.signals[2*x.waits[leaf] : 2*x.waits[leaf+1]]; len(waits) >= 2; waits = waits[2:] {
				if i := waits[0]; f.waited[i] != f.round {
					f.waited[i] = f.round
					if !f.barred[i] {
						f.candidates = append(f.candidates, i)
					}
				}
			}
		}
	}
}

// judgeAlone judges signal i on the view at hand, and tags the event if it fires. If
// plain is set it does without what the search has found.
func (m *Matcher) judgeAlone(i uint32, plain bool) {
	f := &m.logs
	if slices.Contains(f.fired, i) || !m.account.candidate(i) {
		return
	}
	work := m.judge.work
	var fires bool
	if plain {
		fires = m.aloneTrue(m.p.signals[i].root)
	} else {
		fires = m.run(m.p.alone.starts[i])
	}
	if fires {
		m.fireAlone(i)
	}
	m.account.evaluated(i, m.judge.work-work)
}

// fireAlone tags the event at hand with signal i, which is true on the view at hand.
func (m *Matcher) fireAlone(i uint32) {
	e, s := m.judge.event, &m.p.signals[i]
	m.logs.fired = append(m.logs.fired, i)
	m.correlator.noteRecord(i, m.logs.record)
	if e.Verdict = event.Keep; !s.silent {
		e.Tags = append(e.Tags, event.Tag{Signal: i, Proof: m.aloneProof(s.root, s.group)})
	}
	m.account.matched(i)
}

// run runs the code that begins at pc, and reports whether it accepts.
func (m *Matcher) run(pc int32) bool {
	f, a := &m.logs, m.p.alone
	for pc >= 0 {
		in := &a.code[pc]
		var holds bool
		if in.column != 0 {
			if m.judge.work++; f.columns[in.column-1] != f.round {
				m.searchColumn(in.column - 1)
			}
			holds = f.met[in.leaf] == f.round
		} else {
			holds = m.leafHolds(in.leaf)
		}
		if holds {
			pc = in.yes
		} else {
			pc = in.no
		}
	}
	return pc == accept
}

// leafHolds reports whether a leaf is true on the view at hand.
func (m *Matcher) leafHolds(id uint32) bool {
	f, l := &m.logs, &m.p.alone.leaves[id]
	m.judge.work++
	switch l.known {
	case knownNothing, knownPresent:
		return m.compares(id, l) != l.negate
	}
	if f.columns[l.column-1] != f.round {
		m.searchColumn(l.column - 1)
	}
	met := f.met[id] == f.round
	switch l.known {
	case knownMet:
		met = met || m.compares(id, l)
	case knownFalse:
		met = met && m.compares(id, l)
	}
	return met != l.negate
}
