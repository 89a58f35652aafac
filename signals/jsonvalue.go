// SPDX-License-Identifier: Apache-2.0

// This file ties a value of JSON to its place in its file, and writes it back. It is
// read in jsontree.go.

package signals

import (
	"strconv"
	"unicode/utf8"

	"seismo/internal/display"
)

// jsonValue is a value of a document and where it stands.
type jsonValue struct {
	*jsonNode
	src  *source
	path string // JSON pointer
}

// under returns the value of a key; ok is false if there is none or it is null.
func (v jsonValue) under(key string) (jsonValue, bool) {
	n := v.member(key)
	return jsonValue{n, v.src, v.path + pointer([]string{key})}, n != nil
}

// list returns the values of the list v.
func (v jsonValue) list() []jsonValue {
	all := make([]jsonValue, len(v.kids))
	for i := range v.kids {
		all[i] = jsonValue{&v.kids[i], v.src, v.path + pointer([]string{strconv.Itoa(i)})}
	}
	return all
}

// pos returns the place of v.
func (v jsonValue) pos() Position {
	v.src.last.piece, v.src.last.off, v.src.last.column = int(v.piece), int(v.from), int(v.column)
	return v.src.at(int(v.from))
}

// textSource returns the string n of src as a source of its own: the places of its
// text are those in src's file.
func textSource(src *source, n *jsonNode) *source {
	s := &source{file: src.file, lines: src.lines, text: n.text}
	src.last.piece, src.last.off, src.last.column = int(n.piece), int(n.from), int(n.column)
	next := int(n.piece) + 1 // of src, where another piece begins
	off := 0                 // in n.text
	fresh := true
	for i := int(n.from) + 1; i < int(n.to)-1; {
		for next < len(src.pieces) && src.pieces[next].off <= i {
			next, fresh = next+1, true
		}
		escaped := src.text[i] == '\\'
		if fresh || escaped {
			pos := src.at(i)
			s.pieces = append(s.pieces, piece{off: off, line: pos.Line, column: pos.Column, point: escaped})
		}
		fresh = escaped
		if escaped {
			c, n := jsonEscape(src.text[i:])
			i, off = i+n, off+utf8.RuneLen(c)
		} else {
			i, off = i+1, off+1
		}
	}
	if len(s.pieces) == 0 || fresh { // the closing quote, where what is missing is missed
		pos := src.at(int(n.to) - 1)
		s.pieces = append(s.pieces, piece{off: off, line: pos.Line, column: pos.Column})
	}
	return s
}

// appendJSON appends n with two blanks for each level, in ASCII.
func (n *jsonNode) appendJSON(b []byte, indent string) []byte {
	switch n.kind {
	case jsonString:
		return display.AppendJSON(b, n.text)
	case jsonArray, jsonObject:
	case jsonNull:
		return append(b, "null"...)
	default:
		return append(b, n.text...)
	}
	brackets := "[]"
	if n.kind == jsonObject {
		brackets = "{}"
	}
	b = append(b, brackets[0])
	for i := range n.kids {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(b, '\n'), indent+"  "...)
		if n.kind == jsonObject {
			b = append(display.AppendJSONKey(b, n.keys[i]), ' ')
		}
		b = n.kids[i].appendJSON(b, indent+"  ")
	}
	if len(n.kids) > 0 {
		b = append(append(b, '\n'), indent...)
	}
	return append(b, brackets[1])
}
