// SPDX-License-Identifier: Apache-2.0

// This file reads JSON strictly, with the place of every value. The places of what
// stands in a text, and writing, are in jsonvalue.go; what the documents mean is in
// original.go.

package signals

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"seismo/internal/display"
)

// jsonKind is what a value of JSON is.
type jsonKind uint8

const (
	jsonNull jsonKind = iota
	jsonBool
	jsonNumber
	jsonString
	jsonArray
	jsonObject
)

func (k jsonKind) String() string {
	return [...]string{"null", "true or false", "a number", "a text", "a list", "an object"}[k]
}

// jsonNode is one value. Numbers stay as they were written, so that writing one
// back changes nothing.
type jsonNode struct {
	kind jsonKind
	text string     // of a string what it stands for, of a number and a truth as written
	keys []string   // of an object, as many as kids, each once
	kids []jsonNode // of an array and an object, in the order of the file

	from, to      int32 // in the source's text
	piece, column int32 // of from, as source.at found them
}

// member returns the value under key of an object; nil if there is none, or if it
// is null.
func (n *jsonNode) member(key string) *jsonNode {
	for i, k := range n.keys {
		if k == key {
			if n.kids[i].kind == jsonNull {
				return nil
			}
			return &n.kids[i]
		}
	}
	return nil
}

// The bounds of a JSON document.
const (
	maxJSONDepth = 64
	maxJSONNodes = 600_000 // a node takes about a hundred bytes
)

// jsonReader reads one JSON text. It reports to src, and stops at the first error.
type jsonReader struct {
	src   *source
	off   int
	nodes int
	base  string   // pointer to the text as a whole
	path  []string // keys and indexes that lead to what is being read
}

// parseJSON reads the text of src, which is to be one value. base is the pointer to
// it, for messages.
func parseJSON(src *source, base string) (n jsonNode, ok bool) {
	r := &jsonReader{src: src, base: base}
	if r.space(); !r.value(&n, 0) {
		return jsonNode{}, false
	}
	if r.space(); r.off < len(src.text) {
		return n, r.fail("", "something follows the end of the JSON value")
	}
	return n, true
}

// fail reports what is wrong at the place that has been reached.
func (r *jsonReader) fail(hint, format string, args ...any) bool {
	message := "JSON: " + fmt.Sprintf(format, args...)
	path := r.path
	if len(path) > 0 && path[len(path)-1] == "" { // a key that has not been read
		path = path[:len(path)-1]
	}
	if at := r.base + pointer(path); at != "" {
		message += " (in " + display.Text(at) + ")"
	}
	r.src.report(r.off, 1, hint, "%s", message)
	return false
}

// pointer returns path as a JSON pointer (RFC 6901), cut if it is long.
func pointer(path []string) string {
	var b strings.Builder
	for _, p := range path {
		b.WriteByte('/')
		b.WriteString(strings.NewReplacer("~", "~0", "/", "~1").Replace(p))
		if b.Len() > 200 {
			return b.String()[:200] + "…"
		}
	}
	return b.String()
}

func (r *jsonReader) space() {
	for r.off < len(r.src.text) && isBlank(r.src.text[r.off]) {
		r.off++
	}
}

// value reads the value that stands here into n.
func (r *jsonReader) value(n *jsonNode, depth int) bool {
	if r.nodes++; r.nodes > maxJSONNodes {
		return r.fail("split the file", "more than %d values", maxJSONNodes)
	}
	if r.off >= len(r.src.text) {
		return r.fail("", "a value is missing at the end")
	}
	r.src.at(r.off)
	*n = jsonNode{from: int32(r.off), piece: int32(r.src.last.piece), column: int32(r.src.last.column)}
	ok := false
	switch c := r.src.text[r.off]; {
	case c == '{' || c == '[':
		if depth >= maxJSONDepth {
			return r.fail("", "lists and objects inside of each other more than %d deep", maxJSONDepth)
		}
		ok = r.list(n, c == '{', depth)
	case c == '"':
		n.kind = jsonString
		n.text, ok = r.text()
	case c == '-' || isDigit(c):
		n.kind = jsonNumber
		n.text, ok = r.number()
	default:
		ok = r.word(n)
	}
	n.to = int32(r.off)
	return ok
}

// word reads true, false or null.
func (r *jsonReader) word(n *jsonNode) bool {
	rest := r.src.text[r.off:]
	for _, w := range []struct {
		text string
		kind jsonKind
	}{{"true", jsonBool}, {"false", jsonBool}, {"null", jsonNull}} {
		if strings.HasPrefix(rest, w.text) {
			n.kind, n.text = w.kind, w.text
			r.off += len(w.text)
			return true
		}
	}
	_, size := utf8.DecodeRuneInString(rest)
	return r.fail("", "expected a value, found %s", quote(rest[:size]))
}

// list reads an array or an object, whose opening bracket stands here.
func (r *jsonReader) list(n *jsonNode, object bool, depth int) bool {
	n.kind = jsonArray
	end := byte(']')
	if object {
		n.kind, end = jsonObject, '}'
	}
	r.off++
	var seen map[string]bool // only for large objects
	r.path = append(r.path, "")
	defer func() { r.path = r.path[:len(r.path)-1] }()
	for r.space(); ; r.space() {
		if r.off < len(r.src.text) && r.src.text[r.off] == end && len(n.kids) == 0 {
			r.off++
			return true
		}
		key := strconv.Itoa(len(n.kids))
		if object {
			var ok bool
			r.path[len(r.path)-1] = ""
			if key, ok = r.key(n, &seen); !ok {
				return false
			}
		}
		r.path[len(r.path)-1] = key
		n.kids = append(n.kids, jsonNode{})
		if !r.value(&n.kids[len(n.kids)-1], depth+1) {
			return false
		}
		r.space()
		switch {
		case r.off >= len(r.src.text):
			return r.fail("", "%s is not closed", n.kind)
		case r.src.text[r.off] == end:
			r.off++
			return true
		case r.src.text[r.off] != ',':
			return r.fail("", `expected "," or "%c"`, end)
		}
		r.off++
	}
}

// key reads a key of the object n, and the colon behind it.
func (r *jsonReader) key(n *jsonNode, seen *map[string]bool) (string, bool) {
	if r.off >= len(r.src.text) || r.src.text[r.off] != '"' {
		return "", r.fail("", "expected a key between double quotes")
	}
	start := r.off
	key, ok := r.text()
	if !ok {
		return "", false
	}
	twice := false
	if len(n.keys) < 16 {
		for _, k := range n.keys {
			twice = twice || k == key
		}
	} else {
		if *seen == nil {
			*seen = map[string]bool{}
			for _, k := range n.keys {
				(*seen)[k] = true
			}
		}
		twice = (*seen)[key]
		(*seen)[key] = true
	}
	if twice {
		r.off = start
		return "", r.fail("", "key %s stands twice in one object", quote(key))
	}
	n.keys = append(n.keys, key)
	if r.space(); r.off >= len(r.src.text) || r.src.text[r.off] != ':' {
		return "", r.fail("", `expected ":" behind key %s`, quote(key))
	}
	r.off++
	r.space()
	return key, true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// number reads a number in the form of RFC 8259.
func (r *jsonReader) number() (string, bool) {
	text, start := r.src.text, r.off
	digits := func() int {
		from := r.off
		for r.off < len(text) && isDigit(text[r.off]) {
			r.off++
		}
		return r.off - from
	}
	if text[r.off] == '-' {
		r.off++
	}
	first := r.off
	n := digits()
	good := n > 0 && (n == 1 || text[first] != '0')
	if good && r.off < len(text) && text[r.off] == '.' {
		r.off++
		good = digits() > 0
	}
	if good && r.off < len(text) && (text[r.off] == 'e' || text[r.off] == 'E') {
		if r.off++; r.off < len(text) && (text[r.off] == '+' || text[r.off] == '-') {
			r.off++
		}
		good = digits() > 0
	}
	if !good {
		r.off = start
		return "", r.fail("", "a number that JSON does not have")
	}
	return text[start:r.off], true
}

// text reads the string that begins here and returns what it stands for.
func (r *jsonReader) text() (string, bool) {
	start := r.off
	r.off++
	from := r.off
	var b []byte
	for r.off < len(r.src.text) {
		switch c := r.src.text[r.off]; {
		case c == '"':
			plain := r.src.text[from:r.off]
			r.off++
			if b == nil {
				return plain, true
			}
			return string(append(b, plain...)), true
		case c < ' ':
			return "", r.fail(`a line end inside of a text is written \n`, "byte %#02x inside of a text", c)
		case c == '\\':
			b = append(b, r.src.text[from:r.off]...)
			ch, n := jsonEscape(r.src.text[r.off:])
			if n == 0 {
				return "", r.fail(`a backslash is written \\`, "unknown escape")
			}
			b = utf8.AppendRune(b, ch)
			r.off += n
			from = r.off
		default:
			r.off++
		}
	}
	r.off = start
	return "", r.fail("", "a text is not closed")
}

// jsonEscape returns the character of the escape that s begins with, and its
// length; 0 if it is none. Half of a surrogate pair is none: it could not be
// written back.
func jsonEscape(s string) (rune, int) {
	if len(s) < 2 {
		return 0, 0
	}
	if i := strings.IndexByte(`"\/bfnrt`, s[1]); i >= 0 {
		return rune("\"\\/\b\f\n\r\t"[i]), 2
	}
	unit := func(s string) (rune, bool) {
		if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
			return 0, false
		}
		v, err := strconv.ParseUint(s[2:6], 16, 16)
		return rune(v), err == nil
	}
	first, ok := unit(s)
	switch {
	case !ok:
		return 0, 0
	case !utf16.IsSurrogate(first):
		return first, 6
	}
	second, _ := unit(s[6:])
	if c := utf16.DecodeRune(first, second); c != utf8.RuneError {
		return c, 12
	}
	return 0, 0
}
