// SPDX-License-Identifier: Apache-2.0

// This file reads addresses in values. The standard library's reader makes an error
// for each text that is none, and with it garbage.

package engine

import (
	"bytes"
	"net/netip"
)

// parseAddress reads an address of IPv4 or IPv6 as text. One of IPv4 in IPv6 form is
// unmapped; a zone, as in fe80::1%eth0, is passed over.
func parseAddress(v []byte) (netip.Addr, bool) {
	if bytes.IndexByte(v[:min(len(v), 5)], ':') < 0 {
		raw, ok := parseFour(v)
		return netip.AddrFrom4(raw), ok
	}
	if i := bytes.IndexByte(v, '%'); i >= 0 {
		if i+1 == len(v) {
			return netip.Addr{}, false
		}
		v = v[:i]
	}
	raw, ok := parseSix(v)
	return netip.AddrFrom16(raw).Unmap(), ok
}

// parseFour reads four numbers of at most 255, without leading zeros.
func parseFour(v []byte) (raw [4]byte, ok bool) {
	for i := range raw {
		if i > 0 {
			if len(v) == 0 || v[0] != '.' {
				return raw, false
			}
			v = v[1:]
		}
		n, at := 0, 0
		for ; at < len(v) && at < 4 && v[at]-'0' < 10; at++ {
			n = 10*n + int(v[at]-'0')
		}
		if at == 0 || at > 3 || n > 255 || at > 1 && v[0] == '0' {
			return raw, false
		}
		raw[i], v = byte(n), v[at:]
	}
	return raw, len(v) == 0
}

// parseSix reads groups of hexadecimal digits, of which one run of zeros may be left
// out, and whose last two may be an IPv4 address.
func parseSix(v []byte) (raw [16]byte, ok bool) {
	gap, n := -1, 0 // where zeros were left out; bytes read
	if len(v) >= 2 && v[0] == ':' && v[1] == ':' {
		if gap, v = 0, v[2:]; len(v) == 0 {
			return raw, true
		}
	}
	for n < 16 {
		group, at := 0, 0
		for ; at < len(v) && at < 4; at++ {
			digit := hexDigit(v[at])
			if digit < 0 {
				break
			}
			group = group<<4 | digit
		}
		if at == 0 {
			return raw, false
		}
		if at < len(v) && v[at] == '.' {
			four, ok := parseFour(v)
			if !ok || n > 12 || gap < 0 && n != 12 {
				return raw, false
			}
			copy(raw[n:], four[:])
			n, v = n+4, nil
			break
		}
		raw[n], raw[n+1] = byte(group>>8), byte(group)
		n += 2
		if v = v[at:]; len(v) == 0 {
			break
		}
		if v[0] != ':' || len(v) == 1 {
			return raw, false
		}
		if v = v[1:]; v[0] == ':' {
			if gap >= 0 {
				return raw, false
			}
			if gap, v = n, v[1:]; len(v) == 0 {
				break
			}
		}
	}
	switch {
	case len(v) > 0, n == 16 && gap >= 0, n < 16 && gap < 0:
		return raw, false
	case n < 16:
		moved := n - gap
		copy(raw[16-moved:], raw[gap:n])
		clear(raw[gap : 16-moved])
	}
	return raw, true
}

func hexDigit(c byte) int {
	switch {
	case c-'0' < 10:
		return int(c - '0')
	case c|0x20-'a' < 6:
		return int(c|0x20-'a') + 10
	}
	return -1
}

// meetsNetwork reports whether v is an address in prefix.
func meetsNetwork(prefix netip.Prefix, v []byte) bool {
	addr, ok := parseAddress(v)
	return ok && prefix.Contains(addr)
}
