// SPDX-License-Identifier: Apache-2.0

// This file finds what every match of a regular expression must hold although it is no
// literal: a long run of characters of one class, or a certain byte with one of a few
// behind it. Most values have neither, and to see that takes far fewer steps than the
// automaton of search.go does.

package pattern

import (
	"bytes"
	"regexp/syntax"
	"unicode/utf8"
)

// factor is what a match must hold. The zero value asks for nothing.
type factor struct {
	run       ByteSet // bytes, runLength of which stand one after the other
	runLength int     // 0: there is no run

	pair  bool
	first byte    // that is followed by a byte
	then  ByteSet // of these
}

const (
	shortestRun = 16 // a shorter run is found too often to be worth a look
	maxThen     = 16 // bytes of factor.then
)

// factorOf returns what every match of re, which is simplified, must hold.
func factorOf(re *syntax.Regexp) (f factor) {
	switch re.Op {
	case syntax.OpCapture, syntax.OpPlus:
		return factorOf(re.Sub[0])
	case syntax.OpConcat:
	default:
		return f
	}
	inRow := 0 // the elements up to this one that are the same class
	for i, sub := range re.Sub {
		if inner := factorOf(sub); inner.runLength > f.runLength {
			f.run, f.runLength = inner.run, inner.runLength
		} else if inner.pair && !f.pair {
			f.pair, f.first, f.then = true, inner.first, inner.then
		}
		set, ok := asciiClass(sub)
		if !ok {
			inRow = 0
			continue
		}
		if inRow++; inRow > 1 && !sub.Equal(re.Sub[i-1]) {
			inRow = 1
		}
		if inRow >= shortestRun && inRow > f.runLength {
			f.run, f.runLength = set, inRow
		}
		if i == 0 || f.pair {
			continue
		}
		if c, ok := lastByte(re.Sub[i-1]); ok && set.len() <= maxThen {
			f.pair, f.first, f.then = true, c, set
		}
	}
	return f
}

// asciiClass returns the bytes of re if it is a class of ASCII characters.
func asciiClass(re *syntax.Regexp) (set ByteSet, ok bool) {
	if re.Op != syntax.OpCharClass {
		return set, false
	}
	for i := 0; i < len(re.Rune); i += 2 {
		if re.Rune[i+1] >= utf8.RuneSelf {
			return ByteSet{}, false
		}
		for c := re.Rune[i]; c <= re.Rune[i+1]; c++ {
			set.add(byte(c))
		}
	}
	return set, true
}

// lastByte returns the byte that every match of re ends with, if it is one of ASCII.
func lastByte(re *syntax.Regexp) (byte, bool) {
	if re.Op != syntax.OpLiteral || re.Flags&syntax.FoldCase != 0 {
		return 0, false
	}
	c := re.Rune[len(re.Rune)-1]
	return byte(c), c < utf8.RuneSelf
}

// in reports whether v holds what f asks for.
func (f *factor) in(v []byte) bool {
	return (f.runLength == 0 || f.hasRun(v)) && (!f.pair || f.hasPair(v))
}

// hasRun reports whether v has a run. Of each runLength bytes a run has one, so the
// others are looked at only around it.
func (f *factor) hasRun(v []byte) bool {
	n := f.runLength
	for at := n - 1; at < len(v); {
		from := at
		for from > at-n && f.run.has(v[from]) {
			from--
		}
		if from == at-n {
			return true
		}
		at = from + n // v[from] is no part of a run: the next one ends there at the soonest
	}
	return false
}

func (f *factor) hasPair(v []byte) bool {
	for {
		i := bytes.IndexByte(v, f.first)
		if i < 0 || i+1 >= len(v) {
			return false
		}
		if v = v[i+1:]; f.then.has(v[0]) {
			return true
		}
	}
}
