// SPDX-License-Identifier: Apache-2.0

// This file finds which alone signals events of a log concern, and which of the
// event's names they read. That is worked out once for each set of logs, and kept.

package engine

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"strings"

	"seismo/internal/event"
	"seismo/internal/taxonomy"
)

// route is what an event of some logs is judged by. It is of one matcher.
type route struct {
	groups []uint32
	names  nameTable
	idle   []idleSignal
	any    []uint32 // columns on AnyField in which a signal waits
	all    bool     // some leaf reads AnyField
	typed  [][]typedName
	plain  []uint32 // all signals of the groups, in rising order: what the plain mode judges
}

// idleSignal is a signal that no literal is looked for of. If leaf is not 0 it can not
// be true unless leaf-1 is, which has short literals only.
type idleSignal struct{ signal, leaf uint32 }

// routeName is an own name that the signals of a route read.
type routeName struct {
	text    string
	name    uint32   // in alonePlan.names
	columns []uint32 // in which a signal waits for a value of the name
	null    bool     // the name is one of event.NullSuffix
}

// typedName is a field of the registry that events of a kind have under a name.
type typedName struct {
	at    uint32 // index into route.names.names, or noName
	field event.Field
}

// nameTable finds names by their text.
type nameTable struct {
	names []routeName
	slots []uint32 // 1 + index into names
	mask  uint32

	// Records of one sort have the same names in the same order: what stood at each
	// place before is tried first.
	before []placedName
	at     int
}

// placedName is the name at one place of the record before.
type placedName struct {
	text [maxPlaced]byte
	size uint8
	is   *routeName // nil if no signal of the route reads it
}

// The bounds of what is known of the record before.
const (
	maxPlaced = 23 // bytes of a name
	maxPlaces = 64
)

// next is find for the name at the next place of a record.
func (t *nameTable) next(v []byte) *routeName {
	at := t.at
	if t.at++; at >= maxPlaces {
		return t.find(v)
	}
	if at < len(t.before) {
		if b := &t.before[at]; b.size > 0 && string(b.text[:b.size]) == string(v) {
			return b.is
		}
	} else {
		t.before = append(t.before, placedName{})
	}
	is := t.find(v)
	if b := &t.before[at]; len(v) <= maxPlaced {
		b.size, b.is = uint8(copy(b.text[:], v)), is
	}
	return is
}

func newNameTable(names []routeName) nameTable {
	size := 8
	for size < 4*len(names) {
		size *= 2
	}
	t := nameTable{names: names, slots: make([]uint32, size), mask: uint32(size - 1)}
	for i := range names {
		at := hashName([]byte(names[i].text)) & t.mask
		for t.slots[at] != 0 {
			at = (at + 1) & t.mask
		}
		t.slots[at] = uint32(i) + 1
	}
	return t
}

// find returns the name that v is, or nil.
func (t *nameTable) find(v []byte) *routeName {
	for at := hashName(v) & t.mask; ; at = (at + 1) & t.mask {
		i := t.slots[at]
		if i == 0 {
			return nil
		}
		if n := &t.names[i-1]; n.text == string(v) {
			return n
		}
	}
}

// hashName hashes the length, the first and the last bytes of a name: those of fields
// seldom differ in the middle alone.
func hashName(v []byte) uint32 {
	n := len(v)
	h := uint64(n)
	switch {
	case n >= 8:
		h ^= binary.LittleEndian.Uint64(v) ^ bits.RotateLeft64(binary.LittleEndian.Uint64(v[n-8:]), 23)
	case n >= 4:
		h ^= uint64(binary.LittleEndian.Uint32(v))<<32 ^ uint64(binary.LittleEndian.Uint32(v[n-4:]))<<8
	case n > 0:
		h ^= uint64(v[0])<<40 ^ uint64(v[n/2])<<24 ^ uint64(v[n-1])<<8
	}
	return uint32(h * 0x9e3779b97f4a7c15 >> 40)
}

// The sizes of the caches of routes. A source that makes a set of logs anew for each
// event makes matching slow, but does not fill the memory.
//
// The recorded Windows events have 51 routes under the 3,179 public rules, which take
// 0.4 MB; a set of logs of all categories takes some 100 KB.
const (
	maxRouteBytes = 8 << 20
	maxPointers   = 8192
)

// routes keeps the routes of one matcher.
type routes struct {
	last      *event.Logsource
	lastRoute *route
	of        map[*event.Logsource]*route
	byGroups  map[string]*route
	size      int // bytes of the routes in byGroups, about
	key       []byte
	groups    []uint32
}

func (r *routes) clear() {
	*r = routes{of: map[*event.Logsource]*route{}, byGroups: map[string]*route{}}
}

// routeOf returns the route of events of l, nil if no signal is for them.
func (m *Matcher) routeOf(l *event.Logsource) *route {
	r := &m.logs.routes
	if l == r.last && r.lastRoute != nil {
		return r.lastRoute
	}
	found, ok := r.of[l]
	if !ok {
		if found = m.makeRoute(l); len(r.of) >= maxPointers {
			clear(r.of)
		}
		r.of[l] = found
	}
	r.last, r.lastRoute = l, found
	return found
}

// makeRoute finds the route of events of l among those of equal logs, or makes it.
func (m *Matcher) makeRoute(l *event.Logsource) *route {
	r := &m.logs.routes
	r.key, r.groups = r.key[:0], r.groups[:0]
	for g := range m.p.logsources {
		if of := &m.p.logsources[g]; l.Includes(of.Product, of.Category, of.Service) {
			r.key = binary.LittleEndian.AppendUint32(r.key, uint32(g))
			r.groups = append(r.groups, uint32(g))
		}
	}
	if len(r.groups) == 0 {
		return nil
	}
	found := r.byGroups[string(r.key)]
	if found == nil {
		found = m.newRoute(slices.Clone(r.groups))
		if r.size += found.size() + len(r.key); r.size > maxRouteBytes {
			clear(r.byGroups)
			clear(r.of) // those keep routes as well
			r.size = found.size() + len(r.key)
		}
		r.byGroups[string(r.key)] = found
	}
	return found
}

// size returns about the bytes that r takes.
func (r *route) size() int {
	n := 4*(len(r.groups)+len(r.idle)+len(r.any)+len(r.plain)+len(r.names.slots)) + 48*len(r.names.names) + 40*maxPlaces
	for i := range r.names.names {
		n += 4 * len(r.names.names[i].columns)
	}
	for _, names := range r.typed {
		n += 24 + 8*len(names)
	}
	return n
}

func (m *Matcher) newRoute(groups []uint32) *route {
	a := m.p.alone
	r := &route{groups: groups}
	reads := make([]bool, len(a.names))
	for _, g := range groups {
		for _, i := range a.members[g] {
			if !m.logs.barred[i] {
				r.plain = append(r.plain, i)
				m.namesUnder(m.p.signals[i].root, reads, &r.all)
			}
		}
		for _, i := range a.idle[g] {
			if !m.logs.barred[i] {
				r.idle = append(r.idle, idleSignal{i, a.gateOf(i)})
			}
		}
	}
	slices.Sort(r.plain)
	var names []routeName
	at := make([]int, len(a.names))
	for i, read := range reads {
		if read {
			at[i] = len(names)
			names = append(names, routeName{text: a.names[i], name: uint32(i), null: strings.HasSuffix(a.names[i], event.NullSuffix)})
		}
	}
	for c := range a.tables.columns {
		col := &a.tables.columns[c]
		switch name := a.columnOf[c]; {
		case !a.searched[c] || !slices.Contains(groups, col.group):
		case name == anyName:
			r.any = append(r.any, uint32(c))
		case reads[name]:
			n := &names[at[name]]
			n.columns = append(n.columns, uint32(c))
		}
	}
	r.names = newNameTable(names)
	r.typed = make([][]typedName, len(m.routes))
	for _, k := range event.Kinds() {
		r.typed[k] = r.typedNames(k)
	}
	return r
}

// namesUnder notes which names the leaves under node i read.
func (m *Matcher) namesUnder(i uint32, reads []bool, all *bool) {
	a := m.p.alone
	m.p.eachTerm(i, func(t *term) {
		if at := a.nameOf(t.own); at == anyName {
			*all = true
		} else {
			reads[at] = true
		}
		if readsOther(t.cond) {
			for _, ref := range m.p.atomRefs[t.from:t.to] {
				reads[m.p.atoms[ref].aux] = true
			}
		}
	})
}

// typedNames returns what events of kind k of a typed source say under the names of r.
// Where every value counts, the fields that no name of r reads are among them.
func (r *route) typedNames(k event.Kind) []typedName {
	var names []typedName
	read := map[event.Field]bool{}
	for i := range r.names.names {
		if f, ok := taxonomy.Field(k, r.names.names[i].text); ok && event.Describe(f).Scope != event.ScopeAncestor {
			names = append(names, typedName{uint32(i), f})
			read[f] = true
		}
	}
	if !r.all {
		return names
	}
	for _, in := range event.Fields() {
		if in.Kinds.Has(k) && in.Scope != event.ScopeAncestor && !read[in.Field] && !strings.HasSuffix(in.Name, ".operation") {
			names = append(names, typedName{noName, in.Field})
		}
	}
	return names
}
