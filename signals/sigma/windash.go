// SPDX-License-Identifier: Apache-2.0

// This file holds the modifier windash: programs of Windows take several characters
// for the one that begins an option.

package sigma

import (
	"unicode"
	"unicode/utf8"
)

// dashes are the characters that windash takes for the same (specification 2.1): the
// hyphen, the slash, the en dash, the em dash and the horizontal bar.
var dashes = [...]string{"-", "/", "\u2013", "\u2014", "\u2015"}

// dashed returns v with a part of its own for each character that begins a word and is
// one of dashes: no word character stands before it, and one behind it. A wildcard is
// no word character.
func dashed(v template) template {
	var out template
	for _, p := range v {
		if p.kind != partText {
			out = append(out, p)
			continue
		}
		from, word := 0, false // word: the character before is one
		for i, r := range p.text {
			n := utf8.RuneLen(r)
			if n < 0 {
				n = 1 // a byte that is not UTF-8
			}
			if !word && isDash(r) && i+n < len(p.text) {
				if next, _ := utf8.DecodeRuneInString(p.text[i+n:]); wordCharacter(next) {
					out = out.addText(p.text[from:i])
					out = append(out, part{kind: partDash})
					from = i + n
				}
			}
			word = wordCharacter(r)
		}
		out = out.addText(p.text[from:])
	}
	return out
}

func isDash(r rune) bool {
	switch r {
	case '-', '/', '\u2013', '\u2014', '\u2015':
		return true
	}
	return false
}

func wordCharacter(r rune) bool {
	return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r)
}

// maxDashed is the number of texts that the dashes of one value may make; 5 dashes make
// 3,125. Beyond, one regular expression says the same.
const maxDashed = 3000

// maxDashedGlobs is the same for values with wildcards inside, each of which takes an
// automaton: 3 dashes make 125.
const maxDashedGlobs = 125

// permutations returns v with every combination of characters for its dashes; ok is
// false if they are more than maxDashed.
func permutations(v template) (all []template, ok bool) {
	n := 1
	for _, p := range v {
		if p.kind != partDash {
			continue
		}
		if n *= len(dashes); n > maxDashed {
			return nil, false
		}
	}
	all = []template{nil}
	for _, p := range v {
		if p.kind != partDash {
			for i := range all {
				all[i] = all[i].add(p)
			}
			continue
		}
		next := make([]template, 0, len(all)*len(dashes))
		for _, head := range all {
			for _, d := range dashes {
				next = append(next, head.clone().addText(d))
			}
		}
		all = next
	}
	return all, true
}
