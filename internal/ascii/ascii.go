// SPDX-License-Identifier: Apache-2.0

// Package ascii holds the one way in which seismo takes upper and lower case for
// the same: ASCII letters fold, and every other byte stands for itself, whatever
// the text's encoding.
package ascii

import "encoding/binary"

// Text is a value as an event or a process holds it.
type Text interface{ []byte | string }

// Lower returns c, an ASCII capital as its small letter.
func Lower(c byte) byte {
	if c-'A' < 26 {
		return c + ('a' - 'A')
	}
	return c
}

// IsFolded reports whether s holds no ASCII capital.
func IsFolded(s string) bool {
	for i := range len(s) {
		if Lower(s[i]) != s[i] {
			return false
		}
	}
	return true
}

// Fold returns s with its ASCII letters in lower case: s itself if it has no
// capital.
func Fold(s string) string {
	if IsFolded(s) {
		return s
	}
	return string(AppendFolded(make([]byte, 0, len(s)), s))
}

// AppendFolded appends v with its ASCII letters in lower case to dst, eight bytes
// at a time, and returns the extended slice.
func AppendFolded[T Text](dst []byte, v T) []byte {
	from := len(dst)
	dst = append(dst, v...)
	b := dst[from:]
	const ones = 0x0101010101010101
	for ; len(b) >= 8; b = b[8:] {
		w := binary.LittleEndian.Uint64(b)
		low := w &^ (0x80 * ones)
		// The high bit of a byte of atLeastA says that its low seven bits are 'A' or more,
		// that of aboveZ that they are more than 'Z'; no sum reaches the next byte.
		atLeastA := low + (0x80-'A')*ones
		aboveZ := low + (0x7f-'Z')*ones
		upper := atLeastA &^ aboveZ &^ w & (0x80 * ones)
		binary.LittleEndian.PutUint64(b, w|upper>>2)
	}
	if len(b) > 0 && len(dst)-from >= 8 {
		// The last eight bytes again: what is folded stays as it is.
		last := dst[len(dst)-8:]
		w := binary.LittleEndian.Uint64(last)
		low := w &^ (0x80 * ones)
		upper := (low + (0x80-'A')*ones) &^ (low + (0x7f-'Z')*ones) &^ w & (0x80 * ones)
		binary.LittleEndian.PutUint64(last, w|upper>>2)
		return dst
	}
	for i, c := range b {
		b[i] = Lower(c)
	}
	return dst
}

// Equal reports whether a and b are the same once they are folded. It allocates
// nothing.
func Equal[A, B Text](a A, b B) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if Lower(a[i]) != Lower(b[i]) {
			return false
		}
	}
	return true
}
