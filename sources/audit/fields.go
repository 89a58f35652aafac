// SPDX-License-Identifier: Apache-2.0

// This file finds the key=value pairs of a record's body. What a value means is
// in string.go and sockaddr.go.

package audit

import "bytes"

// Scanner yields the key=value pairs of a record's body in order. Nothing is
// copied: keys and values are parts of the body. A key that stands twice is
// yielded twice; the first is the one to believe, since the kernel writes its
// own fields before any text of a process.
type Scanner struct {
	body  []byte
	start int // where the word of the next pair begins
	key   int // where its key begins; start, or after a "("
	eq    int // its "="; len(body) if there is no further pair
}

// ScanFields returns a scanner over body: the body of a record, its enriched
// part, or the text between the quotes of msg='…'.
func ScanFields(body []byte) Scanner {
	s := Scanner{body: body}
	s.seek(0)
	return s
}

// Next returns the next pair; ok is false when there is none. The value is raw,
// its quotes are kept ([Unquote], [AppendString], [AppendValue] drop them):
//
//   - in double quotes, to the next double quote: neither the kernel nor libaudit
//     escapes inside of them;
//   - in single quotes, to the next one, but to the last one of the body for
//     msg=, whose text is a user's and holds pairs of its own;
//   - in braces, to the closing brace (SADDR={ … } of an enriched record);
//   - else to the next blank, without a comma or closing parenthesis that old
//     records set after it, (hostname=?, addr=?), and with the words after it
//     that begin with a letter or digit and belong to no key: op=change password.
//
// Words outside of pairs (avc:  denied  { read } for) are passed over. What is
// cut short, as by a limit of the record's length, ends at the end of the body.
func (s *Scanner) Next() (key, value []byte, ok bool) {
	b := s.body
	if s.eq >= len(b) {
		return nil, nil, false
	}
	key = b[s.key:s.eq]
	from := s.eq + 1
	if from == len(b) {
		s.eq = len(b)
		return key, b[from:], true
	}
	switch c := b[from]; c {
	case '"', '\'', '{':
		end := endOfQuoted(key, b, from)
		s.seek(end)
		return key, b[from:end], true
	}
	end := from
	for end < len(b) && b[end] != ' ' {
		end++
	}
	s.seek(end)
	if s.start == end+1 && b[end-1] != ',' && b[end-1] != ')' {
		return key, b[from:end], true // nearly all
	}
	if s.start > end+1 && end > from {
		return key, b[from:endOfWords(b, from, end, s.start)], true
	}
	return key, b[from:trimClosing(b, from, end)], true
}

// seek finds the next word with a key and an "=" at or after i.
func (s *Scanner) seek(i int) {
	b := s.body
	for i < len(b) {
		c := b[i]
		if c == ' ' || c == ',' {
			i++
			continue
		}
		s.start = i
		if c == '(' {
			i++
		}
		s.key = i
		for i < len(b) && b[i] != '=' && b[i] != ' ' {
			i++
		}
		if i < len(b) && b[i] == '=' {
			if i > s.key {
				s.eq = i
				return
			}
			for i < len(b) && b[i] != ' ' { // "=x" is a word without a key
				i++
			}
		}
	}
	s.start, s.key, s.eq = len(b), len(b), len(b)
}

// endOfQuoted returns where the value ends that begins at from with a quote or
// brace.
func endOfQuoted(key, b []byte, from int) int {
	rest := b[from+1:]
	n := -1
	switch c := b[from]; {
	case c == '{':
		n = bytes.IndexByte(rest, '}')
	case c == '\'' && string(key) == "msg":
		n = bytes.LastIndexByte(rest, '\'')
	default:
		n = bytes.IndexByte(rest, c)
	}
	if n < 0 {
		return len(b)
	}
	return from + 1 + n + 1
}

// endOfWords returns where the value b[from:end] ends if the words without a
// key after it, before limit, are taken to it.
func endOfWords(b []byte, from, end, limit int) int {
	value := trimClosing(b, from, end)
	if value != end {
		return value // a comma or parenthesis ends it
	}
	for i := end; i < limit; {
		for i < limit && b[i] == ' ' {
			i++
		}
		if i == limit || !isWordByte(b[i]) {
			break
		}
		for i < limit && b[i] != ' ' {
			i++
		}
		end = i
	}
	return trimClosing(b, from, end)
}

// trimClosing drops the comma and the unopened parentheses at the end of
// b[from:end]: (hostname=?, addr=?, terminal=ssh res=success)
func trimClosing(b []byte, from, end int) int {
	if end > from && b[end-1] == ',' {
		end--
	}
	if end > from && b[end-1] == ')' && bytes.IndexByte(b[from:end], '(') < 0 {
		for end > from && b[end-1] == ')' {
			end--
		}
	}
	return end
}

func isWordByte(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9'
}

// Unquote returns what stands between the quotes, single or double, of a raw
// value, and other values as they are. A quote that was cut off at the end may
// be missing.
func Unquote(v []byte) []byte {
	if len(v) == 0 || v[0] != '"' && v[0] != '\'' {
		return v
	}
	if n := len(v); n > 1 && v[n-1] == v[0] {
		return v[1 : n-1]
	}
	return v[1:]
}
