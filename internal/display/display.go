// SPDX-License-Identifier: Apache-2.0

// Package display makes bytes that come from events, rules and files safe to
// show: on a terminal, where a control character could move the cursor or a
// bidirectional control could reorder a line, and as JSON.
package display

import (
	"encoding/hex"
	"encoding/json"
	"io"
	"unicode/utf8"
)

// unsafe reports whether r must not reach a terminal as it is: C0 and C1
// controls, DEL, line and paragraph separators, and the characters that change
// the direction of text or have no width (Unicode TR36, "bidi controls").
func unsafeRune(r rune) bool {
	switch {
	case r < 0x20, r >= 0x7f && r < 0xa0:
		return true
	case r == 0x061c, r >= 0x200b && r <= 0x200f, r >= 0x2028 && r <= 0x202e, r >= 0x2060 && r <= 0x206f, r == 0xfeff:
		return true
	case r >= 0xe0000 && r <= 0xe007f, r >= 0xfff9 && r <= 0xfffb:
		return true
	}
	return false
}

// Text returns s as one line that is safe on a terminal: what is unsafe, and
// bytes that are not UTF-8, become escapes in the style of Go (\n, \x1b, \u202e).
func Text(s string) string {
	for i, r := range s {
		if unsafeRune(r) || r == utf8.RuneError {
			return string(appendText([]byte(s[:i]), s[i:]))
		}
	}
	return s
}

func appendText(dst []byte, s string) []byte {
	const digits = "0123456789abcdef"
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			dst = append(dst, '\\', 'x', digits[s[0]>>4], digits[s[0]&15])
		case !unsafeRune(r):
			dst = append(dst, s[:n]...)
		case r == '\n':
			dst = append(dst, `\n`...)
		case r == '\t':
			dst = append(dst, `\t`...)
		case r == '\r':
			dst = append(dst, `\r`...)
		case r < 0x100:
			dst = append(dst, '\\', 'x', digits[r>>4], digits[r&15])
		case r < 0x10000:
			dst = append(dst, '\\', 'u', digits[r>>12], digits[r>>8&15], digits[r>>4&15], digits[r&15])
		default:
			dst = append(dst, '\\', 'U', '0', '0')
			for shift := 20; shift >= 0; shift -= 4 {
				dst = append(dst, digits[r>>shift&15])
			}
		}
		s = s[n:]
	}
	return dst
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
