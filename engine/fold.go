// SPDX-License-Identifier: Apache-2.0

// This file compares values with literals. Folding is of ASCII letters only: a
// byte outside A-Z stands for itself, whatever the text's encoding. Nothing here
// allocates, for values as bytes (of an event) and as strings (of a process).

package engine

import (
	"bytes"
	"strings"

	"seismo/internal/ascii"
)

// text is a value as an event or a process holds it.
type text = ascii.Text

// matchesAt reports whether v holds lit at offset at; unless cased, v is folded
// and lit must be. The caller has checked that v is long enough.
func matchesAt[T text](v T, at int, lit string, cased bool) bool {
	if cased {
		return string(v[at:at+len(lit)]) == lit
	}
	for i := range len(lit) {
		if ascii.Lower(v[at+i]) != lit[i] {
			return false
		}
	}
	return true
}

func is[T text](v T, lit string, cased bool) bool {
	return len(v) == len(lit) && matchesAt(v, 0, lit, cased)
}

func beginsWith[T text](v T, lit string, cased bool) bool {
	return len(v) >= len(lit) && matchesAt(v, 0, lit, cased)
}

func endsWith[T text](v T, lit string, cased bool) bool {
	return len(v) >= len(lit) && matchesAt(v, len(v)-len(lit), lit, cased)
}

func contains[T text](v T, lit string, cased bool) bool {
	if lit == "" {
		return true
	}
	first := lit[0]
	if cased || first-'a' >= 26 {
		for at := 0; ; at++ {
			next := indexByte(v[at:], first)
			if at += next; next < 0 || at+len(lit) > len(v) {
				return false
			}
			if matchesAt(v, at, lit, cased) {
				return true
			}
		}
	}
	for at := 0; at+len(lit) <= len(v); at++ {
		if v[at]|0x20 == first && matchesAt(v, at, lit, cased) {
			return true
		}
	}
	return false
}

// indexByte returns where v holds c first, or -1.
func indexByte[T text](v T, c byte) int {
	switch v := any(&v).(type) { // a pointer, so that nothing escapes
	case *string:
		return strings.IndexByte(*v, c)
	case *[]byte:
		return bytes.IndexByte(*v, c)
	}
	return -1
}
