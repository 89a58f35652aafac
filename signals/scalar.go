// SPDX-License-Identifier: Apache-2.0

// This file finds out where the characters of a YAML value stand in its file.
// The YAML package gives the place of a value's first character and the value
// with its lines joined, its indentation cut and its escapes resolved; here the
// value is read a second time, with places. A reading that does not give the
// same value is not used: then every place is that of the value's beginning.

package signals

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// scalarPieces returns the pieces of n.Value, which stands in lines. joined says
// that YAML made one line of several.
func scalarPieces(lines []string, n *yaml.Node) (pieces []piece, joined bool) {
	r := scalarReader{lines: lines, line: n.Line - 1, column: n.Column, want: n.Value}
	if r.line >= 0 && r.line < len(lines) && len(lines[r.line]) <= maxText {
		before, _ := splitAt(lines[r.line], n.Column)
		r.col = len(before)
		switch {
		case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
			r.block(n.Style&yaml.FoldedStyle != 0)
		case n.Style&yaml.SingleQuotedStyle != 0:
			r.move(1)
			r.flow('\'')
		case n.Style&yaml.DoubleQuotedStyle != 0:
			r.move(1)
			r.flow('"')
		default:
			r.flow(0)
		}
	}
	if r.got.String() != n.Value || len(r.pieces) == 0 || r.pieces[0].off != 0 {
		return []piece{{line: max(1, n.Line), column: max(1, n.Column), point: true}}, n.Style&yaml.LiteralStyle == 0 && r.joined
	}
	return r.pieces, r.joined
}

// scalarReader reads a value again.
type scalarReader struct {
	lines     []string
	line, col int    // the next byte, both from 0
	column    int    // the next character, from 1
	want      string // the value, to tell what YAML made of the ends of lines
	got       strings.Builder
	pieces    []piece
	joined    bool
}

// piece says that what is written next stands at the reader's place.
func (r *scalarReader) piece() {
	r.pieces = append(r.pieces, piece{off: r.got.Len(), line: r.line + 1, column: r.column})
}

// move goes n bytes on in the line.
func (r *scalarReader) move(n int) {
	r.column += utf8.RuneCountInString(r.lines[r.line][r.col : r.col+n])
	r.col += n
}

// start goes to byte n of the line.
func (r *scalarReader) start(n int) {
	r.col, r.column = 0, 1
	r.move(n)
}

// breaks writes the blanks and ends of lines that the value has next.
func (r *scalarReader) breaks() {
	for r.got.Len() < len(r.want) {
		c := r.want[r.got.Len()]
		if c != ' ' && c != '\n' {
			return
		}
		r.got.WriteByte(c)
	}
}

// block reads a literal (|) or folded (>) value, whose header is on the reader's
// line.
func (r *scalarReader) block(folded bool) {
	indent := -1
	for r.line++; r.line < len(r.lines) && r.got.Len() < len(r.want); r.line++ {
		line := r.lines[r.line]
		text := strings.TrimLeft(line, " ")
		if text == "" {
			if !folded {
				r.start(len(line))
				r.piece()
				r.got.WriteByte('\n')
			}
			continue
		}
		rest := r.want[r.got.Len():]
		if indent < 0 {
			// The value's first line tells how much of the blanks is indentation.
			first, _, _ := strings.Cut(strings.TrimLeft(rest, "\n"), "\n")
			indent = max(0, len(line)-len(text)-(len(first)-len(strings.TrimLeft(first, " "))))
		}
		if len(line) < indent {
			return
		}
		r.start(indent)
		line = line[indent:]
		if folded && len(r.pieces) > 0 {
			for r.got.Len() < len(r.want) && !strings.HasPrefix(r.want[r.got.Len():], line) {
				c := r.want[r.got.Len()]
				if c != ' ' && c != '\n' {
					return
				}
				r.joined = r.joined || c == ' '
				r.got.WriteByte(c)
			}
		}
		r.piece()
		r.got.WriteString(line)
		if !folded && r.got.Len() < len(r.want) {
			r.got.WriteByte('\n')
		}
	}
	if folded {
		r.breaks()
	}
}

// flow reads a plain value (quote 0) or one between quotes.
func (r *scalarReader) flow(quote byte) {
	r.piece()
	for r.got.Len() < len(r.want) {
		rest := r.lines[r.line][r.col:]
		blanks := len(rest) - len(strings.TrimLeft(rest, " \t"))
		switch {
		case blanks == len(rest) || quote == '"' && rest == `\`: // a backslash joins lines without a blank
			if !r.nextLine() {
				return
			}
		case blanks > 0:
			r.copy(rest[:blanks])
		case quote == '\'' && strings.HasPrefix(rest, "''"):
			r.got.WriteByte('\'')
			r.move(2)
			r.piece()
		case quote == '"' && rest[0] == '\\':
			if !r.escape(rest) {
				return
			}
		case quote != 0 && rest[0] == quote:
			return
		default:
			_, n := utf8.DecodeRuneInString(rest)
			r.copy(rest[:n])
		}
	}
}

// copy writes s, which stands here, and moves behind it.
func (r *scalarReader) copy(s string) {
	r.got.WriteString(s)
	r.move(len(s))
}

// nextLine moves to the next line of a flow value that has text; what YAML made
// of the ends of lines is read from the value.
func (r *scalarReader) nextLine() bool {
	for r.line++; r.line < len(r.lines); r.line++ {
		if text := strings.TrimLeft(r.lines[r.line], " \t"); text != "" {
			r.start(len(r.lines[r.line]) - len(text))
			r.breaks()
			r.piece()
			r.joined = true
			return true
		}
	}
	return false
}

// escape reads the escape of a double-quoted value that rest begins with.
func (r *scalarReader) escape(rest string) bool {
	n, hex := 2, 0
	switch rest[1] {
	case 'x':
		hex = 2
	case 'u':
		hex = 4
	case 'U':
		hex = 8
	}
	if hex == 0 {
		i := strings.IndexByte(`0abtnvfre "/\N_LP`, rest[1])
		if rest[1] == '\t' {
			i = strings.IndexByte(`0abtn`, 't')
		}
		if i < 0 {
			return false
		}
		r.got.WriteRune([]rune{0, 7, 8, 9, 10, 11, 12, 13, 27, ' ', '"', '/', '\\', 0x85, 0xa0, 0x2028, 0x2029}[i])
	} else {
		if n += hex; n > len(rest) {
			return false
		}
		v, err := strconv.ParseUint(rest[2:n], 16, 32)
		if err != nil {
			return false
		}
		r.got.WriteRune(rune(v))
	}
	r.move(n)
	r.piece()
	return true
}
