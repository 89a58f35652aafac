// SPDX-License-Identifier: Apache-2.0

// This file holds the dictionary of literals that a program is compiled with: one
// for each column and anchor, dropped once the frozen tables of tables.go are made
// from it. Nothing of it is left when events are judged.

package engine

import (
	"cmp"
	"slices"
	"sort"
	"strings"

	"github.com/derekparker/trie/v3"

	"seismo/internal/event"
	"seismo/signals"
)

// The bounds of one trie; larger dictionaries are sorted slices. A key of the usual
// length takes 2 to 4 KB while compiling, a byte of a key up to 170 (measured for
// v3.2.0).
const (
	maxTrieKeys  = 20_000
	maxTrieBytes = 512 << 10 // of all keys
)

// dict numbers the distinct literals of one column and anchor, in the order of
// their bytes; in that of their reversed bytes if they are compared from the end.
type dict struct {
	literals []string // by number
	reversed bool
	trie     *trie.Trie[uint32] // numbers by encoded literal; nil if there are too many
}

// newDict makes a dictionary of literals, of which some may be equal.
func newDict(literals []string, reversed bool) *dict {
	d := &dict{literals: slices.Clone(literals), reversed: reversed}
	slices.SortFunc(d.literals, d.compare)
	d.literals = slices.Compact(d.literals)
	bytes := 0
	for _, lit := range d.literals {
		bytes += len(lit)
	}
	if len(d.literals) > maxTrieKeys || bytes > maxTrieBytes {
		return d
	}
	d.trie = trie.New[uint32]()
	for i, lit := range d.literals {
		d.trie.Add(d.encode(lit), uint32(i))
	}
	return d
}

func (d *dict) compare(a, b string) int {
	if !d.reversed {
		return cmp.Compare(a, b)
	}
	for i := 1; i <= len(a) && i <= len(b); i++ {
		if x, y := a[len(a)-i], b[len(b)-i]; x != y {
			return cmp.Compare(x, y)
		}
	}
	return cmp.Compare(len(a), len(b))
}

// encode writes lit as the key of the trie, which compares runes and keeps NUL for
// itself: byte b is the rune b+1, the last byte first if reversed.
func (d *dict) encode(lit string) string {
	var b strings.Builder
	b.Grow(2 * len(lit))
	for i := range len(lit) {
		at := i
		if d.reversed {
			at = len(lit) - 1 - i
		}
		b.WriteRune(rune(lit[at]) + 1)
	}
	return b.String()
}

// find returns the number of lit.
func (d *dict) find(lit string) (uint32, bool) {
	if d.trie == nil {
		i, ok := slices.BinarySearchFunc(d.literals, lit, d.compare)
		return uint32(i), ok
	}
	n, ok := d.trie.Find(d.encode(lit))
	if !ok {
		return 0, false
	}
	return n.Val(), true
}

// implied returns the numbers of the other literals that no value can meet without
// meeting lit: those that begin with it (end with it, if reversed).
func (d *dict) implied(lit string) []uint32 {
	var out []uint32
	if d.trie != nil {
		for _, i := range d.trie.PrefixSearchIter(d.encode(lit)) {
			if d.literals[i] != lit {
				out = append(out, i)
			}
		}
		slices.Sort(out)
		return out
	}
	has := strings.HasPrefix
	if d.reversed {
		has = strings.HasSuffix
	}
	// What begins with lit stands together, behind it.
	from := sort.Search(len(d.literals), func(i int) bool { return d.compare(d.literals[i], lit) > 0 })
	for i := from; i < len(d.literals) && has(d.literals[i], lit); i++ {
		out = append(out, uint32(i))
	}
	return out
}

// Implied is a literal that adds nothing beside another one in the same list of
// values.
type Implied struct {
	Literal uint32 // index of the atom that adds nothing
	By      uint32 // index of the shorter one that is met whenever it is
}

// ImpliedLiterals returns which of atoms are implied by another one on the same
// field with the same condition (begins with or ends with) and the same case, in
// rising order; of several that imply one, the shortest.
func ImpliedLiterals(atoms []signals.Atom) []Implied {
	type place struct {
		field event.Field
		own   string
		cond  signals.Condition
		cased bool
	}
	places := map[place][]uint32{}
	for i, a := range atoms {
		if a.Cond == signals.BeginsWith || a.Cond == signals.EndsWith {
			at := place{a.Field, a.Own, a.Cond, a.Cased}
			places[at] = append(places[at], uint32(i))
		}
	}
	by := map[uint32]uint32{}
	for at, members := range places {
		literals := make([]string, len(members))
		for i, m := range members {
			literals[i] = atoms[m].Literal
		}
		d := newDict(literals, at.cond == signals.EndsWith)
		first := map[string]uint32{}
		for _, m := range members {
			if _, ok := first[atoms[m].Literal]; !ok {
				first[atoms[m].Literal] = m
			}
		}
		for _, m := range members {
			for _, i := range d.implied(atoms[m].Literal) {
				longer := first[d.literals[i]]
				if old, ok := by[longer]; !ok || len(atoms[m].Literal) < len(atoms[old].Literal) {
					by[longer] = m
				}
			}
		}
	}
	out := make([]Implied, 0, len(by))
	for lit, shorter := range by {
		out = append(out, Implied{lit, shorter})
	}
	slices.SortFunc(out, func(a, b Implied) int { return cmp.Compare(a.Literal, b.Literal) })
	return out
}
