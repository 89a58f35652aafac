// SPDX-License-Identifier: Apache-2.0

// This file answers for lint whether a value that meets one comparison meets one of
// others too. Look-ups take the length of a literal, not the number of the others:
// lists are long.

package signals

import (
	"math"
	"net/netip"
	"slices"
	"strings"

	"seismo/internal/ascii"
	"seismo/internal/event"
)

// owner says whose a comparison of a cover is: which of the terms that were added,
// and which of its values.
type owner struct{ term, value int }

// cover holds the comparisons of some terms on one field.
type cover struct {
	// loose says that the case of letters is left out of all comparisons: then
	// what is not implied can not be met.
	loose bool
	texts map[coverKey]owner
	// lengths are those of the literals in texts, by condition, sorted once by ready.
	lengths [InCIDR + 1][]int
	grams   [1 << 10]bool // of the first two bytes of what texts contain
	exists  *owner
	below   *bound // values up to it are met
	above   *bound // values from it on are met
}

type coverKey struct {
	cond    Condition
	cased   bool
	literal string
	number  int64
}

type bound struct {
	at int64
	by owner
}

// newCover returns the cover of terms.
func newCover(loose bool, terms ...[]Atom) *cover {
	c := &cover{loose: loose, texts: map[coverKey]owner{}}
	for i, atoms := range terms {
		for j, a := range atoms {
			c.add(a, owner{i, j})
		}
	}
	for cond := range c.lengths {
		slices.Sort(c.lengths[cond])
		c.lengths[cond] = slices.Compact(c.lengths[cond])
	}
	return c
}

func (c *cover) add(a Atom, by owner) {
	switch a.Cond {
	case Exists:
		if c.exists == nil {
			c.exists = &by
		}
		return
	case Less, LessEqual:
		if n, ok := highest(a); ok && (c.below == nil || n > c.below.at) {
			c.below = &bound{n, by}
		}
	case Greater, GreaterEqual:
		if n, ok := lowest(a); ok && (c.above == nil || n < c.above.at) {
			c.above = &bound{n, by}
		}
	}
	k := c.key(a)
	if _, ok := c.texts[k]; ok {
		return
	}
	c.texts[k] = by
	if int(a.Cond) < len(c.lengths) {
		c.lengths[a.Cond] = append(c.lengths[a.Cond], lengthOf(a))
	}
	if a.Cond == Contains && len(a.Literal) > 1 {
		c.grams[gram(k.literal)] = true
	}
}

// lengthOf returns what literals are looked up by: bytes, or the bits of a network.
func lengthOf(a Atom) int {
	if a.Cond == InCIDR {
		return netip.MustParsePrefix(a.Literal).Bits()
	}
	return len(a.Literal)
}

func gram(s string) int { return (int(s[0])<<5 ^ int(s[1])) & (1<<10 - 1) }

func (c *cover) key(a Atom) coverKey {
	k := coverKey{a.Cond, a.Cased, a.Literal, a.Number}
	if c.loose {
		k.cased, k.literal = false, ascii.Fold(a.Literal)
	}
	return k
}

// highest returns the greatest number that meets a, of condition < or <=.
func highest(a Atom) (int64, bool) {
	if a.Cond == LessEqual {
		return a.Number, true
	}
	return a.Number - 1, a.Number != math.MinInt64
}

// lowest returns the least number that meets a, of condition > or >=.
func lowest(a Atom) (int64, bool) {
	if a.Cond == GreaterEqual {
		return a.Number, true
	}
	return a.Number + 1, a.Number != math.MaxInt64
}

// implied returns a comparison of c that every value meeting a meets. In a loose
// cover a is to be a text that a value equals or begins or ends with: without a
// result no such value meets any. self, if not nil, is the owner of a, whose own
// comparison does not count; of two that imply each other the first is kept.
func (c *cover) implied(a Atom, self *owner) (owner, bool) {
	accept := func(by owner, same bool) bool {
		return self == nil || by != *self && (!same || by.before(*self))
	}
	if by, ok := c.texts[c.key(a)]; ok && accept(by, true) {
		return by, true
	}
	if c.exists != nil && a.Cond != Residual && accept(*c.exists, false) {
		return *c.exists, true
	}
	switch a.Cond {
	case InCIDR:
		return c.network(a, accept)
	case Less, LessEqual, Greater, GreaterEqual:
		return c.numbers(a, accept)
	case Is:
		switch event.Describe(a.Field).Type {
		case event.Integer, event.Identifier, event.Time:
			return c.numbers(a, accept)
		case event.Address:
			if by, ok := c.network(a, accept); ok {
				return by, true
			}
		}
	}
	if by, ok := c.text(a, false, ascii.Fold(a.Literal), accept); ok || c.loose {
		return by, ok
	}
	// A comparison in which case counts is implied by one in which it does, or where
	// there are no letters.
	if a.Cased || strings.IndexFunc(a.Literal, isLetter) < 0 {
		return c.text(a, true, a.Literal, accept)
	}
	return owner{}, false
}

func isLetter(r rune) bool { return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' }

func (o owner) before(p owner) bool { return o.term < p.term || o.term == p.term && o.value < p.value }

// text looks for what is implied by a, whose literal in the case of cased is lit.
func (c *cover) text(a Atom, cased bool, lit string, accept func(owner, bool) bool) (owner, bool) {
	find := func(cond Condition, part string) (owner, bool) {
		by, ok := c.texts[coverKey{cond, cased, part, 0}]
		return by, ok && accept(by, cond == a.Cond && len(part) == len(lit))
	}
	if a.Cond > EndsWith {
		return owner{}, false
	}
	if a.Cond == Is {
		if by, ok := find(Is, lit); ok {
			return by, true
		}
	}
	if a.Cond == Is || a.Cond == BeginsWith {
		for _, n := range c.lengths[BeginsWith] {
			if n > len(lit) {
				break
			}
			if by, ok := find(BeginsWith, lit[:n]); ok {
				return by, true
			}
		}
	}
	if a.Cond == Is || a.Cond == EndsWith {
		for _, n := range c.lengths[EndsWith] {
			if n > len(lit) {
				break
			}
			if by, ok := find(EndsWith, lit[len(lit)-n:]); ok {
				return by, true
			}
		}
	}
	for i := 0; i < len(lit); i++ {
		for _, n := range c.lengths[Contains] {
			if i+n > len(lit) || n > 1 && !c.grams[gram(lit[i:])] {
				break
			}
			if by, ok := find(Contains, lit[i:i+n]); ok {
				return by, true
			}
		}
	}
	return owner{}, false
}

// network looks for a network that the address or network of a lies in.
func (c *cover) network(a Atom, accept func(owner, bool) bool) (owner, bool) {
	var p netip.Prefix
	if a.Cond == InCIDR {
		p = netip.MustParsePrefix(a.Literal)
	} else {
		ip := netip.MustParseAddr(a.Literal)
		p = netip.PrefixFrom(ip, ip.BitLen())
	}
	for _, bits := range c.lengths[InCIDR] {
		if bits > p.Bits() {
			break
		}
		wide := netip.PrefixFrom(p.Addr(), bits).Masked().String()
		by, ok := c.texts[coverKey{cond: InCIDR, literal: wide}]
		if ok && accept(by, a.Cond == InCIDR && bits == p.Bits()) {
			return by, true
		}
	}
	return owner{}, false
}

// numbers looks for bounds that the numbers of a lie within.
func (c *cover) numbers(a Atom, accept func(owner, bool) bool) (owner, bool) {
	low, high, ok := int64(math.MinInt64), int64(math.MaxInt64), true
	switch a.Cond {
	case Is:
		low, high = a.Number, a.Number
	case Less, LessEqual:
		high, ok = highest(a)
	default:
		low, ok = lowest(a)
	}
	switch {
	case !ok:
	case c.below != nil && high <= c.below.at && accept(c.below.by, a.Cond != Is && high == c.below.at):
		return c.below.by, true
	case c.above != nil && low >= c.above.at && accept(c.above.by, a.Cond != Is && low == c.above.at):
		return c.above.by, true
	case c.below != nil && c.above != nil && (c.below.at >= c.above.at || c.below.at+1 == c.above.at) &&
		accept(c.below.by, false) && accept(c.above.by, false):
		return c.below.by, true // all numbers are met
	}
	return owner{}, false
}

// impliesAll reports whether each of atoms implies a comparison of c, and names
// that of the last.
func (c *cover) impliesAll(atoms []Atom) (by owner, ok bool) {
	for _, a := range atoms {
		if by, ok = c.implied(a, nil); !ok {
			return owner{}, false
		}
	}
	return by, ok
}
