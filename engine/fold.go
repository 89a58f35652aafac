// SPDX-License-Identifier: Apache-2.0

// This file compares values with literals. Folding is of ASCII letters only: a
// byte outside A-Z stands for itself, whatever the text's encoding. Nothing here
// allocates, for values as bytes (of an event) and as strings (of a process).

package engine

// text is a value as an event or a process holds it.
type text interface{ []byte | string }

// lower folds an ASCII letter.
func lower(c byte) byte {
	if c-'A' < 26 {
		return c + ('a' - 'A')
	}
	return c
}

// isFolded reports whether s holds no upper-case ASCII letter.
func isFolded(s string) bool {
	for i := range len(s) {
		if lower(s[i]) != s[i] {
			return false
		}
	}
	return true
}

// matchesAt reports whether v holds lit at offset at; unless cased, v is folded
// and lit must be. The caller has checked that v is long enough.
func matchesAt[T text](v T, at int, lit string, cased bool) bool {
	if cased {
		return string(v[at:at+len(lit)]) == lit
	}
	for i := range len(lit) {
		if lower(v[at+i]) != lit[i] {
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
	for at := 0; at+len(lit) <= len(v); at++ {
		if matchesAt(v, at, lit, cased) {
			return true
		}
	}
	return false
}
