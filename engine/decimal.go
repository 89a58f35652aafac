// SPDX-License-Identifier: Apache-2.0

// This file compares texts as decimal numbers. Numbers without an exponent are
// compared digit by digit, so that no number is too long to be exact.

package engine

import (
	"bytes"
	"cmp"
	"strconv"
	"unsafe"

	"seismo/signals"
)

// decimal is a number as it was written: its digits before the point without leading
// zeros, and those behind it without trailing ones. If exponent is set text is all of
// it.
type decimal struct {
	negative        bool
	whole, fraction []byte
	exponent        bool
	text            []byte
}

// parseDecimal reads [+-] digits [. digits] [e [+-] digits]; on one side of the point
// digits may be missing. The result refers to v.
func parseDecimal(v []byte) (d decimal, ok bool) {
	d.text = v
	if len(v) > 0 && (v[0] == '-' || v[0] == '+') {
		d.negative = v[0] == '-'
		v = v[1:]
	}
	n := digits(v)
	d.whole, v = bytes.TrimLeft(v[:n], "0"), v[n:]
	if len(v) > 0 && v[0] == '.' {
		m := digits(v[1:])
		d.fraction, v = bytes.TrimRight(v[1:1+m], "0"), v[1+m:]
		n += m
	}
	if n == 0 {
		return d, false
	}
	if len(v) > 0 && v[0]|0x20 == 'e' {
		d.exponent = true
		if v = v[1:]; len(v) > 0 && (v[0] == '-' || v[0] == '+') {
			v = v[1:]
		}
		n := digits(v)
		if n == 0 {
			return d, false
		}
		v = v[n:]
	}
	if len(d.whole)+len(d.fraction) == 0 {
		d.negative, d.exponent = false, false // zero, however it is written
	}
	return d, len(v) == 0
}

// digits returns how many digits v begins with.
func digits(v []byte) int {
	n := 0
	for n < len(v) && v[n]-'0' < 10 {
		n++
	}
	return n
}

// compare returns -1, 0 or 1 as d is less than, equal to or more than o. Where one of
// them has an exponent they are compared as floating-point numbers of 64 bits.
func (d *decimal) compare(o *decimal) int {
	if d.exponent || o.exponent {
		return cmp.Compare(d.float(), o.float())
	}
	if d.negative != o.negative {
		if d.negative {
			return -1
		}
		return 1
	}
	c := cmp.Compare(len(d.whole), len(o.whole))
	if c == 0 {
		c = bytes.Compare(d.whole, o.whole)
	}
	if c == 0 {
		c = bytes.Compare(d.fraction, o.fraction)
	}
	if d.negative {
		return -c
	}
	return c
}

// float returns d rounded; what is too large is infinite.
func (d *decimal) float() float64 {
	f, _ := strconv.ParseFloat(unsafe.String(unsafe.SliceData(d.text), len(d.text)), 64)
	return f
}

// meetsNumber reports whether v is a number that compares with the literal of a as the
// condition of a says.
func meetsNumber(a *atom, v []byte) bool {
	have, ok := parseDecimal(v)
	if !ok {
		return false
	}
	want, ok := parseDecimal(unsafe.Slice(unsafe.StringData(a.literal), len(a.literal)))
	return ok && satisfies(a.cond, have.compare(&want))
}

// satisfies reports whether a value that compares with another as c, which is less
// than, equal to or more than 0, meets cond.
func satisfies(cond signals.Condition, c int) bool {
	switch cond {
	case signals.Is:
		return c == 0
	case signals.Less:
		return c < 0
	case signals.LessEqual:
		return c <= 0
	case signals.Greater:
		return c > 0
	case signals.GreaterEqual:
		return c >= 0
	}
	return false
}
