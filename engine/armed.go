// SPDX-License-Identifier: Apache-2.0

// This file keeps what the values of a process say about the candidates among its
// events: they are looked up once, when its first event is judged, since they do not
// change but by late values. The search itself is in candidates.go.

package engine

import (
	"slices"

	"seismo/internal/event"
)

// armedProcess is what is kept of one process.
type armedProcess struct {
	process  *event.Process
	complete bool     // armed is filled, not only kin
	armed    []uint32 // signal, slots: those that the process makes candidates, once each
	depth    int      // how many processes its ancestry has, itself counted; only with kin
	kin      []uint32 // the keys of ancestor columns that it or an ancestor meets
	terms    []uint32 // the terms whose keys it or, for ancestor columns, an ancestor meets
}

// The size of the cache in processes, of which armedWays share a place, and in bytes
// of what is kept of them: command lines that are full of literals must not fill
// the memory.
const (
	armedWays     = 4
	minArmed      = 256
	maxArmed      = 4096
	maxArmedBytes = 16 << 20
)

// size returns about how many bytes a keeps.
func (a *armedProcess) size() int { return 4 * (cap(a.armed) + cap(a.kin) + cap(a.terms)) }

// armedCache keeps what is armed for the processes whose events were judged lately.
// It grows with their number up to maxArmed; then it forgets the ones that were
// there first. It holds on to the processes it knows.
type armedCache struct {
	entries []armedProcess
	next    []uint8 // by place: the way that is given up next
	used    int
	bytes   int // of all entries, also of those that are free
}

// place returns the entries that process id may be in.
func (c *armedCache) place(id event.ProcessKey) (ways []armedProcess, at int) {
	places := len(c.entries) / armedWays
	at = int(uint64(id)*0x9e3779b97f4a7c15>>32) & (places - 1)
	return c.entries[at*armedWays : (at+1)*armedWays], at
}

// get returns the entry of p, or nil. It is valid until the next put.
func (c *armedCache) get(p *event.Process) *armedProcess {
	if c.used == 0 {
		return nil
	}
	ways, _ := c.place(p.ID)
	for i := range ways {
		if ways[i].process == p {
			return &ways[i]
		}
	}
	return nil
}

// put returns an empty entry for p, which must have none.
func (c *armedCache) put(p *event.Process) *armedProcess {
	if len(c.entries) == 0 {
		c.resize(minArmed)
	}
	for {
		ways, at := c.place(p.ID)
		for i := range ways {
			if ways[i].process == nil {
				c.used++
				return ways[i].begin(p)
			}
		}
		if len(c.entries) >= maxArmed || c.used < len(c.entries)/2 {
			c.next[at] = (c.next[at] + 1) % armedWays
			return ways[c.next[at]].begin(p)
		}
		c.resize(2 * len(c.entries))
	}
}

func (a *armedProcess) begin(p *event.Process) *armedProcess {
	a.process, a.complete, a.armed, a.kin, a.terms = p, false, a.armed[:0], a.kin[:0], a.terms[:0]
	return a
}

// keepKin keeps keys with a, an empty entry.
func (c *armedCache) keepKin(a *armedProcess, keys []uint32) {
	before := a.size()
	a.kin = append(a.kin, keys...)
	c.bytes += a.size() - before
}

func (c *armedCache) resize(n int) {
	old := c.entries
	c.entries, c.next, c.used = make([]armedProcess, n), make([]uint8, n/armedWays), 0
	for i := range old {
		if p := old[i].process; p != nil {
			*c.put(p) = old[i]
		}
	}
	c.bytes = 0
	for i := range c.entries {
		c.bytes += c.entries[i].size()
	}
}

// drop forgets process id.
func (c *armedCache) drop(id event.ProcessKey) {
	if c.used == 0 {
		return
	}
	ways, _ := c.place(id)
	for i := range ways {
		if p := ways[i].process; p != nil && p.ID == id {
			ways[i].process = nil
			c.used--
		}
	}
}

// dropEnded forgets the processes of events that say that they ended: what comes later is
// little, and their memory is wanted.
func (c *armedCache) dropEnded(events []*event.Event) {
	for _, e := range events {
		if e.Kind != event.KindProcess || e.Op != event.OpEnd || e.Process == nil {
			continue
		}
		for q := e.Process; q != nil && q.PID == e.Process.PID; q = q.Previous {
			c.drop(q.ID)
		}
	}
}

// clear forgets all processes.
func (c *armedCache) clear() {
	if c.used > 0 {
		for i := range c.entries {
			c.entries[i].process = nil
		}
		c.used = 0
	}
}

// shrink forgets all processes if too much is kept of them.
func (c *armedCache) shrink() {
	if c.bytes > maxArmedBytes {
		*c = armedCache{}
	}
}

// settle is called before and after the events of a batch: it drops what is kept of
// processes that ended or expired, and what late values have changed apart from
// those events.
func (m *Matcher) settle(ended []event.ProcessKey) {
	f := &m.finder
	changed := f.lateSeen != m.late.changes || f.lostSeen != m.late.evicted.count
	f.lateSeen, f.lostSeen = m.late.changes, m.late.evicted.count
	if changed && (ended == nil || len(f.lateKin) > 0) {
		f.cache.clear()
		return
	}
	for _, id := range ended {
		f.cache.drop(id)
	}
}

// armed returns what the process of e makes candidates.
func (m *Matcher) armed(e *event.Event) *armedProcess {
	f, x := &m.finder, m.p.tables
	p := e.Process
	if p == nil {
		f.temp.begin(nil)
		if len(x.process)+len(x.kin)+len(x.checked) > 0 {
			m.armEvent(e)
		}
		return &f.temp
	}
	a := f.cache.get(p)
	if a != nil && a.complete {
		return a
	}
	f.cache.shrink()
	f.hits.begin(len(x.keys) / 2)
	if len(x.kin) > 0 {
		m.searchKin(p)
	}
	kin := len(f.hits.keys)
	for _, c := range x.process {
		m.searchProcess(&x.columns[c], p)
	}
	if a = f.cache.get(p); a == nil {
		a = f.cache.put(p)
		f.cache.keepKin(a, f.hits.keys[:kin])
	}
	a.complete = true
	before := a.size()
	m.arm(a, true)
	f.cache.bytes += a.size() - before
	return a
}

// armEvent fills temp for an event without process: what its record says of the
// process stands for it.
func (m *Matcher) armEvent(e *event.Event) {
	f, x := &m.finder, m.p.tables
	f.hits.begin(len(x.keys) / 2)
	for _, columns := range [2][]uint32{x.process, x.kin} {
		for _, c := range columns {
			m.searchEvent(&x.columns[c], e, (&term{field: x.columns[c].field}).ownField())
		}
	}
	m.arm(&f.temp, false)
}

// arm fills a.armed from the keys met. If check is set, the signals that the
// process rules out are left out: those that remember something never are.
func (m *Matcher) arm(a *armedProcess, check bool) {
	f, x := &m.finder, m.p.tables
	for _, key := range f.hits.keys {
		for _, t := range x.terms[x.postings[key]:x.postings[key+1]] {
			// What the event has met already may be of a term on both of them.
			if !f.truth.meet(t) && x.known[t] != knownNothing {
				continue
			}
			a.terms = append(a.terms, t)
			for waits := x.signals[2*x.waits[t] : 2*x.waits[t+1]]; len(waits) >= 2; waits = waits[2:] {
				f.touch(waits[0], waits[1])
			}
		}
	}
	f.truth.process = true
	for all := x.checked; len(all) >= 2; all = all[2:] {
		f.touch(all[0], all[1])
	}
	f.looked += uint64(len(f.touched))
	for _, i := range f.touched {
		slots := f.armedAt[i]
		f.armedAt[i] = 0
		if f.judges(i, slots) && (!check || m.p.remembers(i) || m.mayBe(i)) {
			a.armed = append(a.armed, i, slots)
		}
	}
	f.touched = f.touched[:0]
}

// mayBe reports whether what the process is leaves signal i possible. The work is
// the signal's; one that is suspended is not asked.
func (m *Matcher) mayBe(i uint32) bool {
	if m.account.isPaused(i) {
		return true
	}
	work := m.judge.work
	may := m.possible(m.p.signals[i].root)
	m.account.worked(i, m.judge.work-work)
	return may
}

func (f *finder) touch(i uint32, slots slotSet) {
	if f.armedAt[i] == 0 {
		f.touched = append(f.touched, i)
	}
	f.armedAt[i] |= slots
}

// searchProcess searches a value of process, parent or ancestor scope; p is the
// ancestor then.
func (m *Matcher) searchProcess(c *column, p *event.Process) {
	switch c.typ {
	case event.String:
		if v, ok := m.judge.textOf(p, c.field); ok {
			searchText(m, c, v)
		}
	case event.List, event.Hash:
		for _, v := range m.judge.listOf(p, c.field) {
			searchText(m, c, v)
		}
	default:
		if v, ok := m.judge.intOf(p, c.field); ok {
			m.searchNumber(c, v)
		}
	}
}

// searchKin adds to the hits the keys of ancestor columns that p or an ancestor of it
// meets. What was found for an ancestor before is taken from it, and what is found
// now is kept for each on the way.
func (m *Matcher) searchKin(p *event.Process) {
	f, x := &m.finder, m.p.tables
	f.chain = f.chain[:0]
	depth := 0
	for q := range p.Ancestry() {
		known := f.cache.get(q)
		if known != nil && (q == p || len(f.chain)+known.depth < event.MaxAncestry) {
			for _, key := range known.kin {
				f.hits.add(key)
			}
			depth = known.depth
			break
		}
		f.chain = append(f.chain, q)
	}
	// Where the walk was cut off, its farther ones see ancestors that p does not.
	whole := len(f.chain) < event.MaxAncestry
	for i, q := range slices.Backward(f.chain) {
		for _, c := range x.kin {
			m.searchProcess(&x.columns[c], q)
		}
		if depth++; i == 0 || whole && f.cache.get(q) == nil {
			a := f.cache.put(q)
			a.depth = depth
			f.cache.keepKin(a, f.hits.keys)
		}
	}
	clear(f.chain)
}

// dropStale drops what late values have changed since the event before. Those of
// one process change what is kept of others only if a term reads the field of
// parents or ancestors.
func (m *Matcher) dropStale(e *event.Event) {
	f := &m.finder
	evicted := f.lostSeen != m.late.evicted.count
	f.lateSeen, f.lostSeen = m.late.changes, m.late.evicted.count
	others := evicted || e.Process == nil || (m.judge.inherited || !m.judge.arrived) && len(f.lateKin) > 0
	if m.judge.arrived {
		others = others || slices.ContainsFunc(f.lateKin, e.Late)
	}
	if others {
		f.cache.clear()
		return
	}
	f.cache.drop(e.Process.ID)
}

// lateKin returns the fields that terms read of parents or ancestors.
func (m *Matcher) lateKin() []event.Field {
	var fields []event.Field
	add := func(f event.Field) {
		if scope := event.Describe(f).Scope; scope == event.ScopeParent || scope == event.ScopeAncestor {
			fields = append(fields, event.ProcessField(f))
		}
	}
	for i := range m.p.terms {
		add(m.p.terms[i].field)
	}
	for i := range m.p.residues {
		for _, f := range m.p.residues[i].fields {
			add(f)
		}
	}
	slices.Sort(fields)
	return slices.Compact(fields)
}
