// SPDX-License-Identifier: Apache-2.0

// This file reads the text of one JSON object (RFC 8259) into a flat list of nodes,
// without maps and without an allocation a value. What the nodes mean is decided in
// forms.go.

package jsonl

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"unicode/utf8"
)

// ErrMalformed is wrapped by the errors about a text that is no JSON object, or one
// beyond the limits.
var ErrMalformed = errors.New("malformed JSON")

// The limits of one object. The greatest of 53,563 recorded Windows events has 66
// fields and is nested 3 deep.
const (
	maxDepth  = 32
	maxFields = 2000 // keys and array elements, at every depth
)

// kind is what a node is.
type kind uint8

const (
	kindString kind = iota
	kindNumber
	kindTrue
	kindFalse
	kindNull
	kindObject
	kindArray
)

// node is one value of the object: a member with its key, or an element of an array.
// The members of an object follow it in the list; next is the index behind the last.
type node struct {
	key  []byte // unescaped; nil for an element
	val  []byte // unescaped, or the literal of a number, true or false
	kind kind
	next int32
}

// scanner reads objects. Its nodes and what they hold are valid until the next parse;
// keys and values without escapes lie in the text that was parsed.
type scanner struct {
	in    []byte
	pos   int
	depth int
	nodes []node
	text  []byte // unescaped strings
}

// parse reads the object that in begins with, and white space behind it.
func (s *scanner) parse(in []byte) error {
	s.in, s.pos, s.depth, s.nodes, s.text = in, 0, 0, s.nodes[:0], s.text[:0]
	s.space()
	if s.pos >= len(in) || in[s.pos] != '{' {
		return s.fail("an object begins with '{'")
	}
	if err := s.value(nil); err != nil {
		return err
	}
	s.space()
	if s.pos < len(in) {
		return s.fail("more follows the object")
	}
	return nil
}

// fail returns an error about the byte at hand.
func (s *scanner) fail(what string) error {
	if s.pos >= len(s.in) {
		return fmt.Errorf("column %d: the object is cut off: %s: %w", s.pos+1, what, ErrMalformed)
	}
	return fmt.Errorf("column %d: %q: %s: %w", s.pos+1, s.in[s.pos], what, ErrMalformed)
}

func (s *scanner) space() {
	for s.pos < len(s.in) {
		switch s.in[s.pos] {
		case ' ', '\t', '\r', '\n':
			s.pos++
		default:
			return
		}
	}
}

// value reads the value at hand and appends its node, and those in it.
func (s *scanner) value(key []byte) error {
	if s.pos >= len(s.in) {
		return s.fail("a value is missing")
	}
	at := len(s.nodes)
	if at > maxFields { // the object itself is a node as well
		return s.fail(fmt.Sprintf("more than %d fields", maxFields))
	}
	switch c := s.in[s.pos]; c {
	case '"':
		v, err := s.str()
		if err != nil {
			return err
		}
		s.nodes = append(s.nodes, node{key: key, val: v, kind: kindString, next: int32(at + 1)})
		return nil
	case '{', '[':
		return s.container(key, c)
	case 't':
		return s.literal(key, "true", kindTrue)
	case 'f':
		return s.literal(key, "false", kindFalse)
	case 'n':
		return s.literal(key, "null", kindNull)
	}
	from := s.pos
	if err := s.number(); err != nil {
		return err
	}
	s.nodes = append(s.nodes, node{key: key, val: s.in[from:s.pos], kind: kindNumber, next: int32(at + 1)})
	return nil
}

func (s *scanner) literal(key []byte, word string, k kind) error {
	if !bytes.HasPrefix(s.in[s.pos:], []byte(word)) {
		return s.fail("no value begins so")
	}
	s.nodes = append(s.nodes, node{key: key, val: s.in[s.pos : s.pos+len(word)], kind: k, next: int32(len(s.nodes) + 1)})
	s.pos += len(word)
	return nil
}

// container reads an object or an array, after what opens it.
func (s *scanner) container(key []byte, open byte) error {
	if s.depth++; s.depth > maxDepth {
		return s.fail(fmt.Sprintf("nested more than %d deep", maxDepth))
	}
	at := len(s.nodes)
	k, closing := kindObject, byte('}')
	if open == '[' {
		k, closing = kindArray, ']'
	}
	s.nodes = append(s.nodes, node{key: key, kind: k})
	s.pos++
	s.space()
	if s.pos < len(s.in) && s.in[s.pos] == closing {
		s.pos++
	} else if err := s.members(k, closing); err != nil {
		return err
	}
	s.nodes[at].next = int32(len(s.nodes))
	s.depth--
	return nil
}

// members reads what an object or array holds, at least one, and its closing.
func (s *scanner) members(k kind, closing byte) error {
	for {
		var key []byte
		if k == kindObject {
			if s.pos >= len(s.in) || s.in[s.pos] != '"' {
				return s.fail("a key in quotes is missing")
			}
			var err error
			if key, err = s.str(); err != nil {
				return err
			}
			s.space()
			if s.pos >= len(s.in) || s.in[s.pos] != ':' {
				return s.fail("':' is missing")
			}
			s.pos++
			s.space()
		}
		if err := s.value(key); err != nil {
			return err
		}
		s.space()
		if s.pos >= len(s.in) {
			return s.fail("its closing is missing")
		}
		switch s.in[s.pos] {
		case closing:
			s.pos++
			return nil
		case ',':
			s.pos++
			s.space()
		default:
			return s.fail("',' or the closing is missing")
		}
	}
}

// number passes over a number; its text is the value.
func (s *scanner) number() error {
	if s.pos < len(s.in) && s.in[s.pos] == '-' {
		s.pos++
	}
	switch {
	case s.pos < len(s.in) && s.in[s.pos] == '0':
		s.pos++
	case !s.digits():
		return s.fail("no value begins so")
	}
	if s.pos < len(s.in) && s.in[s.pos] == '.' {
		if s.pos++; !s.digits() {
			return s.fail("a digit is missing")
		}
	}
	if s.pos < len(s.in) && s.in[s.pos]|0x20 == 'e' {
		s.pos++
		if s.pos < len(s.in) && (s.in[s.pos] == '+' || s.in[s.pos] == '-') {
			s.pos++
		}
		if !s.digits() {
			return s.fail("a digit is missing")
		}
	}
	return nil
}

// digits passes over digits and reports whether there was one.
func (s *scanner) digits() bool {
	from := s.pos
	for s.pos < len(s.in) && s.in[s.pos]-'0' <= 9 {
		s.pos++
	}
	return s.pos > from
}

// str reads the string at hand. Without escapes it lies in the text.
func (s *scanner) str() ([]byte, error) {
	s.pos++
	from := s.pos
	s.plain()
	if s.pos < len(s.in) && s.in[s.pos] == '"' {
		v := s.in[from:s.pos:s.pos]
		s.pos++
		return v, nil
	}
	start := len(s.text)
	s.text = append(s.text, s.in[from:s.pos]...)
	for s.pos < len(s.in) {
		switch c := s.in[s.pos]; {
		case c == '"':
			s.pos++
			return s.text[start:len(s.text):len(s.text)], nil
		case c == '\\':
			if s.pos+1 < len(s.in) {
				if plain := unescaped[s.in[s.pos+1]]; plain != 0 {
					s.text = append(s.text, plain)
					s.pos += 2
					continue
				}
			}
			if err := s.unicode(); err != nil {
				return nil, err
			}
		case c < ' ':
			return nil, s.fail("a control character in a string is written as an escape")
		default:
			at := s.pos
			s.plain()
			s.text = append(s.text, s.in[at:s.pos]...)
		}
	}
	return nil, s.fail("the end of a string is missing")
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// plain passes over the bytes of a string that stand for themselves: all but quotes,
// backslashes and controls. Eight are looked at in one step (a byte loop took 1.9x
// the time of BenchmarkDecode).
func (s *scanner) plain() {
	in, pos := s.in, s.pos
	for ; len(in)-pos >= 8; pos += 8 {
		w := binary.LittleEndian.Uint64(in[pos:])
		quote, slash := w^(ones*'"'), w^(ones*'\\')
		// A byte is zero, or below 0x20, where the subtraction borrows into its high
		// bit; borrows go upward only, so the lowest hit is a true one.
		hit := ((quote-ones)&^quote | (slash-ones)&^slash | (w-ones*' ')&^w) & highs
		if hit != 0 {
			s.pos = pos + bits.TrailingZeros64(hit)/8
			return
		}
	}
	for pos < len(in) && in[pos] != '"' && in[pos] != '\\' && in[pos] >= ' ' {
		pos++
	}
	s.pos = pos
}

// unescaped is what the escapes of two characters stand for, by the second.
var unescaped = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// unicode reads the escape at hand, \uXXXX or two of them, and appends what it stands
// for to s.text. Half a surrogate pair stands for U+FFFD.
func (s *scanner) unicode() error {
	if s.pos+1 >= len(s.in) {
		s.pos = len(s.in)
		return s.fail("the end of a string is missing")
	}
	if s.in[s.pos+1] != 'u' {
		return s.fail("no escape is written so")
	}
	r, ok := s.unit(s.pos)
	if !ok {
		return s.fail("\\u needs four hex digits")
	}
	s.pos += 6
	if r >= 0xd800 && r < 0xdc00 {
		if low, ok := s.unit(s.pos); ok && low >= 0xdc00 && low < 0xe000 {
			r = 0x10000 + (r-0xd800)<<10 + (low - 0xdc00)
			s.pos += 6
		}
	}
	s.text = utf8.AppendRune(s.text, r) // U+FFFD for a surrogate
	return nil
}

// unit returns the UTF-16 unit that the escape \uXXXX at pos stands for.
func (s *scanner) unit(pos int) (rune, bool) {
	if pos+6 > len(s.in) || s.in[pos] != '\\' || s.in[pos+1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range s.in[pos+2 : pos+6] {
		switch {
		case c-'0' <= 9:
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}
