// SPDX-License-Identifier: Apache-2.0

// Package display makes bytes that come from events, rules and files safe to
// show: on a terminal, where a control character could move the cursor or a
// bidirectional control could reorder a line, and as JSON.
package display

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"unicode"
	"unicode/utf8"
)

// Text returns s as one line that is safe on a terminal. What a terminal would
// act on or not show (controls, bidirectional and other format characters, blanks
// other than the plain one) and bytes that are not UTF-8 become escapes in the
// style of Go: \n, \x1b, \u202e.
func Text(s string) string {
	for i, r := range s {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			b := []byte(s[:i])
			for s = s[i:]; len(s) > 0; {
				r, n := utf8.DecodeRuneInString(s)
				b, _ = AppendRune(b, r, s[:n])
				s = s[n:]
			}
			return string(b)
		}
	}
	return s
}

// AppendRune appends r, whose bytes are raw, to dst as Text shows it, and returns
// the number of columns that it takes.
func AppendRune(dst []byte, r rune, raw string) ([]byte, int) {
	before := len(dst)
	switch {
	case r == utf8.RuneError && len(raw) == 1:
		dst = fmt.Appendf(dst, `\x%02x`, raw[0])
	case unicode.IsPrint(r):
		return append(dst, raw...), 1
	case r == '\n':
		dst = append(dst, `\n`...)
	case r == '\t':
		dst = append(dst, `\t`...)
	case r == '\r':
		dst = append(dst, `\r`...)
	case r < 0x80:
		dst = fmt.Appendf(dst, `\x%02x`, r)
	case r < 0x10000:
		dst = fmt.Appendf(dst, `\u%04x`, r)
	default:
		dst = fmt.Appendf(dst, `\U%08x`, r)
	}
	return dst, len(dst) - before
}

// AppendJSON appends v as a JSON string of ASCII characters only. Bytes that are
// not UTF-8 can not be told in a JSON string: v then becomes {"hex":"…"}.
func AppendJSON(dst []byte, v string) []byte {
	const digits = "0123456789abcdef"
	if !utf8.ValidString(v) {
		dst = append(dst, `{"hex":"`...)
		dst = hex.AppendEncode(dst, []byte(v))
		return append(dst, `"}`...)
	}
	dst = append(dst, '"')
	for _, r := range v {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r == '\n':
			dst = append(dst, '\\', 'n')
		case r == '\t':
			dst = append(dst, '\\', 't')
		case r == '\r':
			dst = append(dst, '\\', 'r')
		case r >= 0x20 && r < 0x7f:
			dst = append(dst, byte(r))
		case r < 0x10000:
			dst = append(dst, '\\', 'u', digits[r>>12], digits[r>>8&15], digits[r>>4&15], digits[r&15])
		default: // as a surrogate pair
			r -= 0x10000
			for _, u := range [2]rune{0xd800 + r>>10, 0xdc00 + r&0x3ff} {
				dst = append(dst, '\\', 'u', digits[u>>12], digits[u>>8&15], digits[u>>4&15], digits[u&15])
			}
		}
	}
	return append(dst, '"')
}

// Key returns what name is called as the key of a JSON object. A key must be a
// string: a name that is not UTF-8 is escaped as [Text] does it.
func Key(name string) string {
	if !utf8.ValidString(name) {
		return Text(name)
	}
	return name
}

// AppendJSONKey appends [Key] of name and a colon.
func AppendJSONKey(dst []byte, name string) []byte {
	return append(AppendJSON(dst, Key(name)), ':')
}

// WriteJSON writes v, a value that package encoding/json can marshal, and a line
// end to w, as ASCII characters only.
func WriteJSON(w io.Writer, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	safe := make([]byte, 0, len(raw)+1)
	for len(raw) > 0 {
		r, n := utf8.DecodeRune(raw)
		if r < utf8.RuneSelf && r != 0x7f {
			safe = append(safe, raw[0])
		} else { // outside of strings JSON is ASCII, so this is inside of one
			quoted := AppendJSON(nil, string(r))
			safe = append(safe, quoted[1:len(quoted)-1]...)
		}
		raw = raw[n:]
	}
	_, err = w.Write(append(safe, '\n'))
	return err
}
