// SPDX-License-Identifier: Apache-2.0

// This file holds globs: their language and the automaton that matches them.

package pattern

import (
	"slices"
	"strings"

	"seismo/internal/ascii"
)

// Glob is a pattern that the whole of a value must match:
//
//   - any bytes, also none; in a path glob none that is / or \
//     ?    any one byte; in a path glob none that is / or \
//     **   in a path glob any bytes, also none; in a glob the same as *
//     [*]  the character *, and so [?] and [[]
//     [u+] any one character of UTF-8; in a path glob none that is / or \
//
// Every other byte stands for itself, the backslash too: it is the separator of
// Windows paths. A set such as [a-z] is refused, and so is a [ that stands alone.
// A ? is one byte, not one character: é takes two. What [u+] takes for a character
// is a byte that does not continue one (0x80 to 0xBF) and those behind it that do.
type Glob struct {
	// The automaton has a state for each number of items (bytes and ?) that are
	// met; a star lets the state behind it stay as it is. All states of a value are
	// kept as the bits of words, and a byte moves all of them at once: there is
	// nothing to go back to (as Baeza-Yates and Gonnet's shift-and).
	class [256]uint8 // of a byte: bytes of one class are the same to the pattern
	words int        // of 64 states
	// moves has, by class and word, the states that a byte of the class leads into
	// and those that it lets stay.
	moves []move
	items int
	open  bool // ends in a star for any byte: once all items are met it matches

	begins, ends string
	contains     []string
}

type move struct{ into, stay uint64 }

// maxWords is enough for the states of a glob of MaxText bytes.
const maxWords = MaxText/64 + 1

// item is what one byte of a value must meet.
type item struct {
	any  bool // ? or [u+]
	rune bool // [u+]
	char byte // unless any
}

// continues reports whether c is a byte of UTF-8 within a character.
func continues(c byte) bool { return c&0xc0 == 0x80 }

// anyRune is how a glob writes one character; ASCII letters are folded before.
const anyRune = "[u+]"

// star says what may stand behind a number of items.
type star uint8

const (
	noStar   star = iota
	nameStar      // any bytes but separators
	anyStar       // any bytes
)

// ParseGlob reads a glob, with path one whose stars stop at separators. Unless
// cased, ASCII letters match in both cases, and text may have them in either.
// The error wraps [ErrPattern] and is an [*Error].
func ParseGlob(text string, path, cased bool) (*Glob, error) {
	if err := checkLength(text); err != nil {
		return nil, err
	}
	if !cased {
		text = ascii.Fold(text)
	}
	items, stars, err := scanGlob(text, path)
	if err != nil {
		return nil, err
	}
	g := &Glob{items: len(items), words: len(items)/64 + 1, open: stars[len(items)] == anyStar}
	g.compile(items, stars, path, cased)
	g.literals(items, stars)
	return g, nil
}

// scanGlob takes text apart: stars[i] stands behind the first i items.
func scanGlob(text string, path bool) (items []item, stars []star, _ error) {
	stars = []star{noStar}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '*':
			s := nameStar
			if !path || i+1 < len(text) && text[i+1] == '*' {
				s = anyStar
			}
			stars[len(items)] = max(stars[len(items)], s)
			continue
		case '?':
			items = append(items, item{any: true})
		case '[':
			if strings.HasPrefix(text[i:], anyRune) {
				items = append(items, item{any: true, rune: true})
				i += len(anyRune) - 1
				break
			}
			const hint = "[*] stands for the character *, [?] for ? and [[] for [; a choice is a list of globs"
			if i+2 >= len(text) || text[i+2] != ']' || text[i+1] != '*' && text[i+1] != '?' && text[i+1] != '[' {
				return nil, nil, refuse(i, hint, "a glob has no sets of characters")
			}
			items = append(items, item{char: text[i+1]})
			i += 2
		default:
			items = append(items, item{char: c})
		}
		stars = append(stars, noStar)
	}
	return items, stars, nil
}

// compile fills in the automaton.
func (g *Glob) compile(items []item, stars []star, path, cased bool) {
	var classes []byte // the byte of each class but 0, which is all bytes that the pattern does not name
	classOf := func(c byte) uint8 {
		if g.class[c] == 0 {
			classes = append(classes, c)
			g.class[c] = uint8(len(classes))
		}
		return g.class[c]
	}
	if path {
		classOf('/')
		classOf('\\')
	}
	for _, it := range items {
		// All 256 bytes can not be classes of their own beside class 0; the last
		// one to come is then class 0 itself, which is empty.
		if !it.any && len(classes) < 255 {
			classOf(it.char)
		}
	}
	inside := g.runeClass(items, &classes)
	if !cased {
		for c := byte('A'); c <= 'Z'; c++ {
			g.class[c] = g.class[ascii.Lower(c)]
		}
	}
	g.moves = make([]move, (len(classes)+1)*g.words)
	for class := range len(classes) + 1 {
		separator := path && (class == 1 || class == 2)
		row := g.moves[class*g.words:][:g.words]
		for i, it := range items {
			if it.any && !separator && !(it.rune && inside[class]) || !it.any && int(g.class[it.char]) == class {
				row[(i+1)/64].into |= 1 << ((i + 1) % 64)
			}
			if it.rune && inside[class] { // the rest of the character
				row[(i+1)/64].stay |= 1 << ((i + 1) % 64)
			}
		}
		for i, s := range stars {
			if s == anyStar || s == nameStar && !separator {
				row[i/64].stay |= 1 << (i % 64)
			}
		}
	}
}

// runeClass tells by class whether its bytes continue a character. If an item is a
// character, it first gives the bytes that do, and that no literal names, a class of
// their own; classes has room for it, or there is at most one such byte, which is
// then alone in class 0.
func (g *Glob) runeClass(items []item, classes *[]byte) (inside [256]bool) {
	if !slices.ContainsFunc(items, func(it item) bool { return it.rune }) {
		return inside
	}
	own := uint8(0)
	for c := 0x80; c <= 0xbf; c++ {
		if g.class[c] != 0 {
			continue
		}
		if own == 0 && len(*classes) < 255 {
			*classes = append(*classes, byte(c))
			own = uint8(len(*classes))
		}
		g.class[c] = own
	}
	for c := range 256 {
		if continues(byte(c)) {
			inside[g.class[c]] = true
		}
	}
	return inside
}

// literals fills in what every match has.
func (g *Glob) literals(items []item, stars []star) {
	var run []byte
	from := 0
	flush := func(to int) {
		switch {
		case len(run) == 0:
			return
		case from == 0 && stars[0] == noStar:
			g.begins = string(run)
			if to == len(items) && stars[to] == noStar {
				g.ends = g.begins
			}
		case to == len(items) && stars[to] == noStar:
			g.ends = string(run)
		default:
			g.contains = append(g.contains, string(run))
		}
		run = nil
	}
	for i, it := range items {
		if it.any || stars[i] != noStar {
			flush(i)
			from = i
		}
		if it.any {
			from = i + 1
			continue
		}
		run = append(run, ascii.Lower(it.char))
	}
	flush(len(items))
}

// Needs returns the literal parts that every match has, ASCII letters in lower
// case, also those of a cased glob: what it begins with, what it ends with, and
// what it contains besides, in the order of the pattern. Empty means that nothing
// is known. A glob without * and ? begins and ends with the same, its whole text.
// The caller must not change what is returned.
func (g *Glob) Needs() (begins, ends string, contains []string) {
	return g.begins, g.ends, g.contains
}

// Weight returns about the bytes of memory that g takes.
func (g *Glob) Weight() int { return 512 + 16*len(g.moves) }

// Match reports whether the whole of v matches.
func (g *Glob) Match(v []byte) bool { return matchGlob(g, v) }

// MatchString reports whether the whole of s matches.
func (g *Glob) MatchString(s string) bool { return matchGlob(g, s) }

func matchGlob[T []byte | string](g *Glob, v T) bool {
	if len(v) < g.items {
		return false
	}
	// Cheaper than the automaton where the pattern begins with a star.
	tail := v[len(v)-len(g.ends):]
	for i := range len(tail) {
		if ascii.Lower(tail[i]) != g.ends[i] {
			return false
		}
	}
	if g.words > 1 {
		return matchWide(g, v)
	}
	states, all := uint64(1), uint64(1)<<g.items
	done := uint64(0) // states that need not see the rest
	if g.open {
		done = all
	}
	for i := range len(v) {
		if states&done != 0 {
			return true
		}
		m := g.moves[g.class[v[i]]]
		states = states<<1&m.into | states&m.stay
		if states == 0 {
			return false
		}
	}
	return states&all != 0
}

// matchWide is matchGlob for more states than one word has.
func matchWide[T []byte | string](g *Glob, v T) bool {
	var all [maxWords]uint64
	states := all[:g.words]
	states[0] = 1
	last, bit := g.items/64, uint64(1)<<(g.items%64)
	for i := range len(v) {
		if g.open && states[last]&bit != 0 {
			return true
		}
		row := g.moves[int(g.class[v[i]])*g.words:][:g.words]
		carry, some := uint64(0), uint64(0)
		for w, m := range row {
			s := states[w]
			states[w] = (s<<1|carry)&m.into | s&m.stay
			carry = s >> 63
			some |= states[w]
		}
		if some == 0 {
			return false
		}
	}
	return states[last]&bit != 0
}
