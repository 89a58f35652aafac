// SPDX-License-Identifier: Apache-2.0

// This file writes the records of an answer as text.

package dns

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
)

// maxRaw bounds the bytes of a record without a form of its own, and those of the
// strings of a TXT record, that are written.
const (
	maxRaw = 256
	maxTXT = 2048
)

// appendRecord appends the record at off in msg to dst, ended by ';', and returns the
// offset behind it. A record whose data do not have the form of its type is written as
// one of an unknown type (RFC 3597, section 5). It fails where the record is not whole.
func appendRecord(dst, msg []byte, off int) (text []byte, next int, err error) {
	start := len(dst)
	dst, off, err = appendName(dst, msg, off) // of no interest: the query is known, aliases follow
	dst = dst[:start]
	if err != nil {
		return dst, 0, fmt.Errorf("owner of a record: %w", err)
	}
	if off+10 > len(msg) {
		return dst, 0, fmt.Errorf("record: %w", ErrShort)
	}
	typ, class := binary.BigEndian.Uint16(msg[off:]), binary.BigEndian.Uint16(msg[off+2:])
	size := int(binary.BigEndian.Uint16(msg[off+8:]))
	if off += 10; off+size > len(msg) {
		return dst, 0, fmt.Errorf("data of a record: %w", ErrShort)
	}
	r := rdata{msg: msg[:off+size], off: off}
	if class != classIN || typ != typeA && typ != typeAAAA {
		dst = append(appendType(dst, class, typ), ' ')
	}
	from := len(dst)
	if dst = r.append(dst, typ); r.bad || r.off != off+size {
		dst = appendRaw(dst[:from], msg[off:off+size])
		if class == classIN && (typ == typeA || typ == typeAAAA) {
			dst = append(appendType(dst[:from], class, typ), ' ')
			dst = appendRaw(dst, msg[off:off+size])
		}
	}
	return append(dst, ';'), off + size, nil
}

// appendRaw appends data in the form for unknown types: \# LENGTH HEX.
func appendRaw(dst, data []byte) []byte {
	dst = strconv.AppendInt(append(dst, `\# `...), int64(len(data)), 10)
	if len(data) == 0 {
		return dst
	}
	dst = append(dst, ' ')
	if len(data) > maxRaw {
		return append(hex.AppendEncode(dst, data[:maxRaw]), "…"...)
	}
	return hex.AppendEncode(dst, data)
}

// rdata reads the data of one record, which end with msg. Names in it may point to
// what lies before.
type rdata struct {
	msg []byte
	off int
	bad bool
}

// append appends the data of a record of type typ. What has no form is left unread.
func (r *rdata) append(dst []byte, typ uint16) []byte {
	switch typ {
	case typeA:
		return r.addr(dst, 4)
	case typeAAAA:
		return r.addr(dst, 16)
	case typeNS, typeCNAME, typePTR, typeDNAME:
		return r.name(dst)
	case typeMX:
		return r.name(append(r.number(dst, 2), ' '))
	case typeSRV:
		return r.name(append(r.numbers(dst, 2, 2, 2), ' '))
	case typeSOA:
		dst = append(r.name(dst), ' ')
		dst = append(r.name(dst), ' ')
		return r.numbers(dst, 4, 4, 4, 4, 4)
	case typeTXT, typeSPF:
		return r.strings(dst)
	case typeDS:
		dst = append(r.numbers(dst, 2, 1, 1), ' ')
		return r.hexRest(dst)
	case typeSVCB, typeHTTPS:
		return r.service(dst)
	}
	r.bad = true
	return dst
}

func (r *rdata) take(n int) []byte {
	if r.bad || n > len(r.msg)-r.off {
		r.bad = true
		return nil
	}
	r.off += n
	return r.msg[r.off-n : r.off]
}

func (r *rdata) uint(size int) (v uint64) {
	for _, c := range r.take(size) {
		v = v<<8 | uint64(c)
	}
	return v
}

func (r *rdata) number(dst []byte, size int) []byte { return strconv.AppendUint(dst, r.uint(size), 10) }

func (r *rdata) numbers(dst []byte, sizes ...int) []byte {
	for i, s := range sizes {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = r.number(dst, s)
	}
	return dst
}

func (r *rdata) addr(dst []byte, size int) []byte {
	a, ok := netip.AddrFromSlice(r.take(size))
	if !ok {
		r.bad = true
		return dst
	}
	return a.AppendTo(dst)
}

func (r *rdata) name(dst []byte) []byte {
	if r.bad {
		return dst
	}
	dst, next, err := appendName(dst, r.msg, r.off)
	r.off, r.bad = next, err != nil
	return dst
}

// strings appends the strings of a TXT record, each between quotes.
func (r *rdata) strings(dst []byte) []byte {
	from := len(dst)
	for r.off < len(r.msg) && !r.bad {
		s := r.take(int(r.uint(1)))
		if r.bad || len(dst)-from > maxTXT {
			continue // the rest is still looked at: it has to be whole
		}
		if len(dst) > from {
			dst = append(dst, ' ')
		}
		dst = append(appendEscaped(append(dst, '"'), s, false), '"')
		if len(dst)-from > maxTXT {
			dst = append(dst, "…"...)
		}
	}
	return dst
}

func (r *rdata) hexRest(dst []byte) []byte { return r.hex(dst, r.take(len(r.msg)-r.off)) }

func (r *rdata) hex(dst, v []byte) []byte {
	if len(v) > maxRaw {
		return append(hex.AppendEncode(dst, v[:maxRaw]), "…"...)
	}
	return hex.AppendEncode(dst, v)
}

// service appends the data of SVCB and HTTPS records (RFC 9460): priority, target, and
// of the parameters the protocols, the port and the addresses; others as keyN=hex.
func (r *rdata) service(dst []byte) []byte {
	dst = r.name(append(r.number(dst, 2), ' '))
	for r.off < len(r.msg) && !r.bad {
		key := r.uint(2)
		p := rdata{msg: r.take(int(r.uint(2)))}
		if r.bad {
			break
		}
		dst = append(dst, ' ')
		switch key {
		case 1:
			dst = p.join(append(dst, "alpn="...), func(dst []byte) []byte {
				return appendEscaped(dst, p.take(int(p.uint(1))), true)
			})
		case 3:
			dst = p.number(append(dst, "port="...), 2)
		case 4:
			dst = p.join(append(dst, "ipv4hint="...), func(dst []byte) []byte { return p.addr(dst, 4) })
		case 6:
			dst = p.join(append(dst, "ipv6hint="...), func(dst []byte) []byte { return p.addr(dst, 16) })
		default:
			dst = append(strconv.AppendUint(append(dst, "key"...), key, 10), '=')
			dst = p.hexRest(dst)
		}
		r.bad = r.bad || p.bad || p.off != len(p.msg)
	}
	return dst
}

// join appends what one appends until the data end, with commas between.
func (r *rdata) join(dst []byte, one func([]byte) []byte) []byte {
	for first := true; r.off < len(r.msg) && !r.bad; first = false {
		if !first {
			dst = append(dst, ',')
		}
		dst = one(dst)
	}
	return dst
}
