// SPDX-License-Identifier: Apache-2.0

// This file reads domain names: labels, pointers, and their text.

package dns

import "errors"

// What is wrong with a message. Errors of [Parse] wrap one of them.
var (
	ErrShort = errors.New("the message ends too early")
	ErrName  = errors.New("malformed name")
	ErrOther = errors.New("not a standard query or its answer")
)

// Limits of a name: RFC 1035, section 2.3.4, and as many pointers as there can be labels.
const (
	maxNameWire = 255 // bytes, lengths and the root's included
	maxJumps    = 128
	// MaxNameText bounds the text of a name: each byte of a label is at most \DDD.
	MaxNameText = 4 * maxNameWire
)

// appendName appends the text of the name at off in msg to dst and returns the
// offset behind the name. Pointers must lead backwards, to where this name has not
// been, so that no name is read for ever.
//
// The text has no dot at its end; the root is ".". Letters keep their case. Bytes
// that are not printable are \DDD, and \ . ; " are written with a \ before them
// (RFC 1035, section 5.1): the text of two different names always differs.
func appendName(dst, msg []byte, off int) (text []byte, next int, err error) {
	start, size, jumps, end := len(dst), 1, 0, -1
	lowest := off
	for {
		if off >= len(msg) {
			return dst[:start], 0, ErrShort
		}
		n := int(msg[off])
		switch {
		case n == 0:
			if end < 0 {
				end = off + 1
			}
			if len(dst) == start {
				dst = append(dst, '.')
			}
			return dst, end, nil
		case n >= 0xc0:
			if off+1 >= len(msg) {
				return dst[:start], 0, ErrShort
			}
			to := (n&0x3f)<<8 | int(msg[off+1])
			if end < 0 {
				end = off + 2
			}
			if jumps++; to >= lowest || jumps > maxJumps {
				return dst[:start], 0, ErrName
			}
			off, lowest = to, to
		case n >= 0x40: // no kind of label that is in use (RFC 6891, section 5)
			return dst[:start], 0, ErrName
		default:
			if size += n + 1; size > maxNameWire {
				return dst[:start], 0, ErrName
			}
			if off+1+n > len(msg) {
				return dst[:start], 0, ErrShort
			}
			if len(dst) > start {
				dst = append(dst, '.')
			}
			dst = appendEscaped(dst, msg[off+1:off+1+n], true)
			off += 1 + n
		}
	}
}

// appendEscaped appends raw with what is not printable as \DDD and a \ before
// characters that mean something in our text. label is set for a part of a name,
// where dots and blanks are escaped as well.
func appendEscaped(dst, raw []byte, label bool) []byte {
	for _, c := range raw {
		switch {
		case c == '\\' || c == '"' || label && (c == '.' || c == ';'):
			dst = append(dst, '\\', c)
		case c < ' ' || c >= 0x7f || label && c == ' ':
			dst = append(dst, '\\', '0'+c/100, '0'+c/10%10, '0'+c%10)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}
