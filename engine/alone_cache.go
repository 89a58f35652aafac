// SPDX-License-Identifier: Apache-2.0

// This file keeps what was found in values that come again: most values of a log are
// among those that it had shortly before. A value is known by its bytes and by the
// route and name that it was searched for, so that what is kept is what a search of it
// would find.

package engine

import (
	"encoding/binary"
	"math/bits"
)

// The bounds of the cache. Values that are longer, or that meet more, are searched each
// time. A full cache takes about 2 MB.
const (
	cacheSets      = 1024
	cacheWays      = 2
	maxCachedBytes = 512
	maxCachedKeys  = 64
	maxAsked       = 64
)

// cachedValue is a value that was searched.
type cachedValue struct {
	route *route // nil: the entry is free
	hash  uint64
	text  []byte
	keys  []uint32 // that it meets in the columns of its name in which a signal waits
	asked []uint32 // leaves it was compared with: twice the leaf, and 1 if it met it
	name  uint32
	round uint32 // of the view that it was in last
	found bool   // keys is filled
	clean bool   // it meets nothing in the columns on AnyField in which a signal waits
}

// valueCache is the cache of one matcher.
type valueCache struct{ entries []cachedValue }

// clear forgets all values.
func (c *valueCache) clear() { c.entries = nil }

// of returns the entry of a value, which is empty if the value is new, or nil if there
// is none for it. It stays that of the value until the round is over.
func (c *valueCache) of(r *route, name uint32, v []byte, round uint32) *cachedValue {
	if len(v) > maxCachedBytes {
		return nil
	}
	if c.entries == nil {
		c.entries = make([]cachedValue, cacheSets*cacheWays)
	}
	hash := sketch(v) ^ uint64(name)*0x9e3779b97f4a7c15
	at := hash >> 40 % cacheSets * cacheWays
	ways := c.entries[at : at+cacheWays]
	for i := range ways {
		e := &ways[i]
		if e.hash == hash && e.route == r && e.name == name && string(e.text) == string(v) {
			e.round = round
			return e
		}
	}
	// The way that was used longer ago is given up, unless this view has both.
	e := &ways[0]
	if round-ways[1].round > round-e.round {
		e = &ways[1]
	}
	if e.route != nil && e.round == round {
		return nil
	}
	*e = cachedValue{route: r, hash: hash, text: append(e.text[:0], v...), keys: e.keys[:0], asked: e.asked[:0], name: name, round: round}
	return e
}

// sketch hashes the length of v and some of its bytes: values that agree in those only
// take the place of each other.
func sketch(v []byte) uint64 {
	n := len(v)
	if n < 24 {
		return hashBytes(v)
	}
	h := uint64(n)
	for _, at := range [4]int{0, n / 2, n - 16, n - 8} {
		h = (bits.RotateLeft64(h, 29) ^ binary.LittleEndian.Uint64(v[at:])) * 0x9e3779b97f4a7c15
	}
	return h
}

// entryOf returns the entry of value i of the view at hand, or nil.
func (f *aloneFinder) entryOf(i uint32) *cachedValue {
	v := &f.view.values[i]
	if v.entry == nil {
		v.entry = f.cache.of(f.route, v.name, v.raw, f.round)
	}
	return v.entry
}

// searchNamed looks the values of a name up in the columns in which signals wait.
func (m *Matcher) searchNamed(n *routeName) {
	f, x := &m.logs, m.p.alone.tables
	for _, c := range n.columns {
		f.columns[c] = f.round
	}
	at := f.view.head[n.name] - 1
	if f.view.values[at].next != 0 {
		for at := at + 1; at != 0; at = f.view.values[at-1].next {
			for _, c := range n.columns {
				m.searchValue(&x.columns[c], at-1)
			}
		}
		return
	}
	e := f.entryOf(at)
	if e != nil && e.found {
		for _, key := range e.keys {
			f.hits.add(key)
		}
		return
	}
	// The columns are of this name alone, and this is its one value: all keys that are
	// added are the value's.
	before := len(f.hits.keys)
	for _, c := range n.columns {
		m.searchValue(&x.columns[c], at)
	}
	if keys := f.hits.keys[before:]; e != nil && len(keys) <= maxCachedKeys {
		e.keys, e.found = append(e.keys[:0], keys...), true
	}
}

// searchEverywhere looks all values of the view at hand up in the columns on AnyField in
// which signals wait.
func (m *Matcher) searchEverywhere() {
	f := &m.logs
	f.fresh = f.fresh[:0]
	for i := range f.view.values {
		if e := f.view.values[i].entry; !f.view.values[i].null && (e == nil || !e.clean) { // to look for more of them costs more than it saves
			f.fresh = append(f.fresh, uint32(i))
			f.view.lower(uint32(i))
		}
	}
	before := len(f.hits.keys)
	for _, c := range f.route.any {
		f.columns[c] = f.round
		m.searchAny(c, f.fresh)
	}
	if len(f.hits.keys) > before {
		return // which of them met it is not worth to know
	}
	for _, i := range f.fresh {
		if e := f.view.values[i].entry; e != nil {
			e.clean = true
		}
	}
}

// compares is direct, with the help of what is kept of the value.
func (m *Matcher) compares(id uint32, l *leaf) bool {
	f := &m.logs
	name := m.p.alone.named[l.term]
	if name >= noName {
		return m.direct(l)
	}
	at := f.view.head[name]
	if at == 0 {
		return false
	}
	value := &f.view.values[at-1]
	e := value.entry
	if e == nil || value.next != 0 || l.varies {
		return m.direct(l)
	}
	for _, known := range e.asked {
		if known>>1 == id {
			return known&1 != 0
		}
	}
	met := m.direct(l)
	if len(e.asked) < maxAsked {
		known := id << 1
		if met {
			known |= 1
		}
		e.asked = append(e.asked, known)
	}
	return met
}

// direct reports by comparison whether a value of the view at hand meets l: its short
// literals if only those are left to be asked, else all.
func (m *Matcher) direct(l *leaf) bool {
	if l.known == knownNothing || l.known == knownMet {
		return m.meetsShort(l)
	}
	return m.viewMeets(l.term, nil)
}
