// SPDX-License-Identifier: Apache-2.0

// This file cuts the line of a diagnostic around its caret.

package signals

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"seismo/internal/display"
)

// maxQuoted is the number of characters of a file's text that a message repeats.
const maxQuoted = 60

// quote returns s between double quotes, cut and escaped, for a message.
func quote(s string) string {
	n := 0
	for i := range s {
		if n++; n > maxQuoted {
			return strconv.Quote(s[:i] + "…")
		}
	}
	return strconv.Quote(s)
}

// The columns that a quoted line may take, and how many of them stay before the
// caret when the line is cut.
const (
	maxColumns    = 120
	columnsBefore = 50
)

// excerpt returns line as it is shown, and under it the line with the caret at
// the given column, which counts characters from 1. Tabs stay tabs in both, so
// that they line up whatever the terminal's stops are; every other character is
// counted as one column, an escaped one as its escape's length. A long line is
// cut around the caret.
func excerpt(line string, column int) (text, caret string) {
	before, after := splitAt(line, column)
	if n := utf8.RuneCountInString(before); n+utf8.RuneCountInString(after) > maxColumns && n > columnsBefore {
		_, before = splitAt(before, n-columnsBefore+1)
		before = "…" + before
	}
	cut := maxColumns - min(utf8.RuneCountInString(before), maxColumns)
	if utf8.RuneCountInString(after) > cut {
		after, _ = splitAt(after, cut+1)
		after += "…"
	}
	shown, under := appendShown(nil, before)
	shown, _ = appendShown(shown, after)
	return string(shown), string(under) + "^"
}

// appendShown appends s as it is shown, and returns beside it blanks, and tabs
// for tabs, that take as many columns.
func appendShown(dst []byte, s string) (shown, blanks []byte) {
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if r == '\t' {
			dst, blanks = append(dst, '\t'), append(blanks, '\t')
		} else {
			columns := 0
			dst, columns = display.AppendRune(dst, r, s[:n])
			blanks = append(blanks, strings.Repeat(" ", columns)...)
		}
		s = s[n:]
	}
	return dst, blanks
}

// splitAt cuts s before its character number column, counted from 1; at its end
// if it has fewer.
func splitAt(s string, column int) (before, after string) {
	n := 1
	for i := range s {
		if n == column {
			return s[:i], s[i:]
		}
		n++
	}
	return s, ""
}
