// SPDX-License-Identifier: Apache-2.0

// This file cuts the input into the texts of objects: an object a line, or, in an
// array or where it is printed over several lines, from one brace to the other.

package jsonl

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// maxLine bounds the text of one object, its end counted.
const maxLine = 1 << 20

// readSize is how much is read in one step where there is room.
const readSize = 128 << 10

// lines cuts an input into objects. What next returns lies in its buffer and is valid
// until it is called again.
type lines struct {
	in       io.Reader
	buf      []byte
	pos, end int    // what is buffered and not yet handed out
	line     uint64 // 1-based number of the line that pos lies in
	err      error  // what ended the input; io.EOF at its end
	begun    bool
	array    bool   // within an array of objects
	element  uint64 // objects of the array so far
	skip     bool   // the rest of the line belongs to what was refused
}

// errInput is an error that ends the input, as distinct from one about an object.
type errInput struct{ error }

func (e errInput) Unwrap() error { return e.error }

// next returns the text of the next object and its ordinal: the number of the line
// that it begins in or, in an array, of the element. An error that is no errInput is
// about what stands at that line: it was passed over.
func (l *lines) next() (text []byte, ordinal uint64, err error) {
	if !l.begun {
		l.begun, l.line = true, 1
		if err := l.begin(); err != nil {
			return nil, 1, err
		}
	}
	if l.skip {
		if err := l.skipLine(); err != nil {
			return nil, l.line, err
		}
	}
	for heading := true; heading; {
		if err := l.passSpace(); err != nil {
			return nil, l.line, err
		}
		heading = l.passHeading()
	}
	ordinal = l.line
	if l.array {
		l.element++
		ordinal = l.element
	}
	if c := l.buf[l.pos]; c != '{' {
		l.skip = true
		return nil, ordinal, fmt.Errorf("%q: an object begins with '{': %w", c, ErrMalformed)
	}
	whole := l.array
	if !whole {
		if whole, err = l.printedOver(); err != nil {
			return nil, ordinal, err
		}
	}
	if whole {
		text, err = l.object()
	} else {
		text, err = l.oneLine()
	}
	return text, ordinal, err
}

// begin looks at the first bytes for what can not be read.
func (l *lines) begin() error {
	for l.end-l.pos < 4 && l.fill() {
	}
	head := l.buf[l.pos:l.end]
	switch {
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		l.pos += 3
	case bytes.HasPrefix(head, []byte("\xff\xfe")), bytes.HasPrefix(head, []byte("\xfe\xff")),
		len(head) >= 2 && (head[0] == '{' || head[0] == '[') && head[1] == 0:
		return errInput{errors.New("it is UTF-16: write it as UTF-8 (PowerShell: Set-Content -Encoding utf8)")}
	}
	return nil
}

// fill reads more and reports whether there was more. It makes room by moving what
// is buffered to the front, and grows the buffer to hold one object.
func (l *lines) fill() bool {
	if l.err != nil {
		return false
	}
	if l.pos > 0 && len(l.buf)-l.end < readSize {
		l.end = copy(l.buf, l.buf[l.pos:l.end])
		l.pos = 0
	}
	if len(l.buf)-l.end < readSize {
		grown := make([]byte, max(2*readSize, 2*len(l.buf)))
		copy(grown, l.buf[:l.end])
		l.buf = grown
	}
	const maxEmpty = 100 // reads of nothing, as package bufio takes them
	for range maxEmpty {
		n, err := l.in.Read(l.buf[l.end:])
		l.end += n
		if err != nil {
			l.err = err
		}
		if n > 0 || err != nil {
			return n > 0
		}
	}
	l.err = io.ErrNoProgress
	return false
}

// passSpace passes over what stands between objects: white space, and the brackets
// and commas of an array. At the end of the input it returns that.
func (l *lines) passSpace() error {
	for {
		for ; l.pos < l.end; l.pos++ {
			switch l.buf[l.pos] {
			case '\n':
				l.line++
			case ' ', '\t', '\r':
			case '[':
				if l.array {
					return nil
				}
				l.array, l.element = true, 0
			case ',', ']':
				if !l.array {
					return nil
				}
				l.array = l.buf[l.pos] == ','
			default:
				return nil
			}
		}
		if !l.fill() {
			return errInput{l.err}
		}
	}
}

// passHeading passes over a line "Record 17", as evtx_dump writes before each object,
// and reports whether there was one.
func (l *lines) passHeading() bool {
	const heading, longest = "Record ", 32
	for l.end-l.pos < longest && l.buf[l.pos] == heading[0] && bytes.IndexByte(l.buf[l.pos:l.end], '\n') < 0 && l.fill() {
	}
	line, _, ended := bytes.Cut(l.buf[l.pos:min(l.end, l.pos+longest)], []byte{'\n'})
	number, ok := bytes.CutPrefix(bytes.TrimRight(line, "\r"), []byte(heading))
	if _, digits := decimal(number); !ok || !digits || !ended {
		return false
	}
	l.pass(len(line) + 1)
	return true
}

// skipLine passes over the rest of a line.
func (l *lines) skipLine() error {
	for {
		if i := bytes.IndexByte(l.buf[l.pos:l.end], '\n'); i >= 0 {
			l.pos += i + 1
			l.line++
			l.skip = false
			return nil
		}
		l.pos = l.end
		if !l.fill() {
			return errInput{l.err}
		}
	}
}

// printedOver reports whether the object at hand is printed over several lines:
// nothing but white space stands behind its opening.
func (l *lines) printedOver() (bool, error) {
	for i := 1; ; i++ {
		if l.pos+i >= l.end && !l.fill() {
			return false, nil
		}
		switch l.buf[l.pos+i] {
		case '\n':
			return true, nil
		case ' ', '\t', '\r':
			if i >= 64 {
				return false, nil
			}
		default:
			return false, nil
		}
	}
}

func errLong() error {
	return fmt.Errorf("an object longer than %d bytes: %w", maxLine, ErrMalformed)
}

// oneLine returns the rest of the line.
func (l *lines) oneLine() ([]byte, error) {
	seen := 0
	for {
		if i := bytes.IndexByte(l.buf[l.pos+seen:l.end], '\n'); i >= 0 {
			text := l.buf[l.pos : l.pos+seen+i]
			l.pos += seen + i + 1
			l.line++
			if len(text) >= maxLine {
				return nil, errLong()
			}
			return text, nil
		}
		seen = l.end - l.pos
		if seen >= maxLine {
			l.skip = true
			return nil, errLong()
		}
		if !l.fill() {
			text := l.buf[l.pos:l.end]
			l.pos = l.end
			return text, nil
		}
	}
}

// object returns the text from the brace at hand to the one that closes it. A line
// that begins with a brace while it is open begins another object: this one was cut
// off.
func (l *lines) object() ([]byte, error) {
	depth, quoted := 0, false
	for i := 0; ; i++ {
		if l.pos+i >= l.end {
			if i >= maxLine {
				l.skip = true
				l.pass(i)
				return nil, errLong()
			}
			if !l.fill() {
				l.pass(i)
				return nil, fmt.Errorf("the object is cut off: %w", ErrMalformed)
			}
		}
		c := l.buf[l.pos+i]
		switch {
		case quoted && c == '\\':
			i++
		case quoted && c == '\n':
			l.pass(i)
			l.skip = true
			return nil, fmt.Errorf("the end of a string is missing: %w", ErrMalformed)
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{':
			if i > 0 && l.buf[l.pos+i-1] == '\n' {
				l.pass(i)
				return nil, fmt.Errorf("another object begins within the object: %w", ErrMalformed)
			}
			depth++
		case c == '}':
			if depth--; depth == 0 {
				from := l.pos
				l.pass(i + 1)
				if i+1 >= maxLine {
					return nil, errLong()
				}
				return l.buf[from : from+i+1], nil
			}
		}
	}
}

// pass passes over n bytes, or what there is.
func (l *lines) pass(n int) {
	n = min(n, l.end-l.pos)
	l.line += uint64(bytes.Count(l.buf[l.pos:l.pos+n], []byte{'\n'}))
	l.pos += n
}

// buffered reports whether a whole line is at hand.
func (l *lines) buffered() bool {
	return l.err != nil || bytes.IndexByte(l.buf[l.pos:l.end], '\n') >= 0
}
