// SPDX-License-Identifier: Apache-2.0

// This file holds the modifiers that encode a value: the forms of UTF-16 and Base64.

package sigma

import (
	"encoding/base64"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// maxEncoded is the number of bytes of an encoded text, over all steps of a chain.
const maxEncoded = 16 << 10

// encode returns what m makes of v: one value, or for base64offset three.
func encode(v template, m modifier) ([]template, error) {
	if m == modBase64 || m == modBase64Offset {
		text, ok := v.plain()
		if !ok {
			return nil, fmt.Errorf("%s of a value with wildcards", m)
		}
		if len(text) > maxEncoded {
			return nil, fmt.Errorf("%s of %d bytes, at most %d are taken", m, len(text), maxEncoded)
		}
		if m == modBase64 {
			return []template{textValue(base64.StdEncoding.EncodeToString([]byte(text)))}, nil
		}
		return offsets(text)
	}
	out := make(template, 0, len(v))
	for _, p := range v {
		switch p.kind {
		case partText:
			wide, err := utf16Text(p.text, m == modUTF16BE)
			if err != nil {
				return nil, fmt.Errorf("%s of %w", m, err)
			}
			p.text = wide
		case partOne:
			return nil, fmt.Errorf("%s of a value with the wildcard ?: a character is two bytes or four there", m)
		}
		out = append(out, p)
	}
	if m == modUTF16 {
		out = append(template{{kind: partText, text: "\xff\xfe"}}, out...) // the byte order mark, little endian
	}
	return []template{out}, nil
}

func utf16Text(s string, bigEndian bool) (string, error) {
	if !utf8.ValidString(s) {
		return "", fmt.Errorf("bytes that are no text")
	}
	if len(s) > maxEncoded {
		return "", fmt.Errorf("%d bytes, at most %d are taken", len(s), maxEncoded)
	}
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		if bigEndian {
			b = append(b, byte(u>>8), byte(u))
		} else {
			b = append(b, byte(u), byte(u>>8))
		}
	}
	return string(b), nil
}

// offsets returns what of the Base64 form of a longer text is sure to be there if text
// begins 0, 1 or 2 bytes behind a group of three, without the characters that also hold
// bits of its neighbours. Base64 has 4 characters for 3 bytes, 6 bits in each.
func offsets(text string) ([]template, error) {
	var out []template
	for before := range 3 {
		all := base64.StdEncoding.EncodeToString(append(make([]byte, before), text...))
		first := (before*8 + 5) / 6 // the first character without bits of a neighbour
		end := (before + len(text)) * 8 / 6
		if first >= end {
			return nil, fmt.Errorf("base64offset of %d bytes: no character of the Base64 form is sure", len(text))
		}
		out = append(out, textValue(all[first:end]))
	}
	return out, nil
}
