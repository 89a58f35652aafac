// SPDX-License-Identifier: Apache-2.0

// This file ties an expression's text to the file that it stands in: which line
// and column a byte of the text has there. How YAML's forms of a value lead to
// the pieces is in scalar.go.

package signals

import (
	"fmt"
	"sort"
	"strings"
	"unicode/utf8"
)

// source is the text of an expression and where it stands. Its zero pieces are
// the text itself, line by line.
type source struct {
	file  string
	lines []string // of the file
	text  string   // of the expression
	// pieces are the stretches of text that stand in the file as they are, by
	// rising offset; the first has offset 0.
	pieces []piece
	// last is the place found last: places are asked for in rising order, and
	// counting goes on from there.
	last struct{ piece, off, column int }

	diags Diagnostics
}

// piece is a stretch of an expression's text, from offset off to that of the
// next piece, that stands in the file from line and column on.
type piece struct {
	off, line, column int
	point             bool // the whole stretch is shown at line and column
}

// newSource returns the source of an expression that is a file of its own.
func newSource(file, text string) *source {
	s := &source{file: file, text: text, lines: splitLines(text)}
	off := 0
	for i, line := range strings.SplitAfter(text, "\n") {
		s.pieces = append(s.pieces, piece{off: off, line: i + 1, column: 1})
		off += len(line)
	}
	return s
}

// splitLines cuts text into lines without their ends.
func splitLines(text string) []string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		lines[i] = strings.TrimSuffix(l, "\r")
	}
	return lines
}

// at returns the place of the byte at offset off of the text.
func (s *source) at(off int) Position {
	i := sort.Search(len(s.pieces), func(i int) bool { return s.pieces[i].off > off }) - 1
	p := s.pieces[i]
	if p.point {
		return Position{s.file, p.line, p.column}
	}
	from, column := p.off, p.column
	if s.last.piece == i && s.last.column > 0 && s.last.off <= off {
		from, column = s.last.off, s.last.column
	}
	column += utf8.RuneCountInString(s.text[from:off])
	s.last.piece, s.last.off, s.last.column = i, off, column
	return Position{s.file, p.line, column}
}

func (s *source) line(n int) string {
	if n < 1 || n > len(s.lines) {
		return ""
	}
	return s.lines[n-1]
}

// maxDiags bounds the diagnostics of one expression or file: a file of noise
// must not fill the screen, nor the memory.
const maxDiags = 100

// report notes a diagnostic about n bytes of the text at offset off.
func (s *source) report(off, n int, hint, format string, args ...any) {
	width := 1
	if off+n <= len(s.text) {
		width = max(1, utf8.RuneCountInString(s.text[off:off+n]))
	}
	s.reportAt(s.at(off), width, hint, format, args...)
}

func (s *source) reportAt(pos Position, width int, hint, format string, args ...any) {
	if len(s.diags) > maxDiags {
		return
	}
	d := Diagnostic{Pos: pos, Message: fmt.Sprintf(format, args...), Hint: hint, Line: s.line(pos.Line), Width: width}
	if len(s.diags) == maxDiags {
		d.Message, d.Hint = fmt.Sprintf("more than %d errors; the rest is not shown", maxDiags), ""
	}
	s.diags = append(s.diags, d)
}
