// SPDX-License-Identifier: Apache-2.0

// This file decodes the string values of audit records. The record grammar is in
// record.go and fields.go; sockaddr values are in sockaddr.go.

package audit

import "fmt"

// AppendString decodes the audit string value v, appends its bytes to dst and
// returns the extended slice.
//
// The kernel writes a string in one of two forms (kernel/audit.c,
// audit_log_n_untrustedstring): between double quotes if every byte is in
// 0x21-0x7e and none is '"', and as upper-case hex digits otherwise. (null)
// stands for a missing string and appends nothing.
//
// If v has neither form, the error wraps [ErrMalformed] and dst is returned
// unchanged. v is not retained. AppendString allocates only when dst has less
// than len(v) bytes to spare.
func AppendString(dst, v []byte) ([]byte, error) {
	if len(v) >= 2 && v[0] == '"' && v[len(v)-1] == '"' {
		in := v[1 : len(v)-1]
		if !plain(in) {
			return dst, fmt.Errorf("string %.40q: a byte between the quotes that the kernel writes in hex: %w", v, ErrMalformed)
		}
		return append(dst, in...), nil
	}
	if string(v) == "(null)" {
		return dst, nil
	}
	if out, ok := appendHex(dst, v); ok {
		return out, nil
	}
	if len(v)%2 != 0 {
		return dst, fmt.Errorf("string %.40q: neither quoted nor an even number of hex digits (%d bytes): %w", v, len(v), ErrMalformed)
	}
	return dst, fmt.Errorf("string %.40q: neither quoted nor upper-case hex digits: %w", v, ErrMalformed)
}

// AppendValue appends the text that the value v of a string field stands for.
// It is for records whose writer is not the kernel, or not known to be: what is
// between double quotes is taken as it is and never decoded, hex digits outside
// of quotes are decoded as libaudit writes them (an even number, letters in upper
// case), (null) appends nothing, and anything else stands for itself.
//
// Use it only for fields that hold strings: a plain number is hex digits too.
func AppendValue(dst, v []byte) []byte {
	if len(v) > 0 && (v[0] == '"' || v[0] == '\'') {
		return append(dst, Unquote(v)...)
	}
	if string(v) == "(null)" {
		return dst
	}
	if out, ok := appendHex(dst, v); ok {
		return out
	}
	return append(dst, v...)
}

// appendHex appends the bytes that the upper-case hex digits v stand for. ok is
// false, and dst unchanged, if v has an odd number of bytes, none, or others.
func appendHex(dst, v []byte) ([]byte, bool) {
	if len(v) == 0 || len(v)%2 != 0 {
		return dst, false
	}
	n := len(dst)
	for i := 0; i < len(v); i += 2 {
		hi, lo := upperHex[v[i]], upperHex[v[i+1]]
		if hi|lo > 0xf {
			return dst[:n], false
		}
		dst = append(dst, hi<<4|lo)
	}
	return dst, true
}

// upperHex is the value of a hex digit as the kernel writes it; 0xff for a byte
// that is none.
var upperHex = func() (t [256]byte) {
	for i := range t {
		t[i] = 0xff
	}
	for i, c := range "0123456789ABCDEF" {
		t[c] = byte(i)
	}
	return t
}()

// plain reports whether the kernel would write b in quotes: every byte is in
// 0x21-0x7e and none is '"'.
func plain(b []byte) bool {
	for _, c := range b {
		if c < 0x21 || c > 0x7e || c == '"' {
			return false
		}
	}
	return true
}
