// SPDX-License-Identifier: Apache-2.0

// This file finds the DNS messages in a packet: Internet and transport headers, and
// the lengths that stand before messages on TCP.

package dns

import (
	"encoding/binary"
	"net/netip"
)

// Protocol numbers of the transports.
const (
	protoTCP = 6
	protoUDP = 17
	port     = 53
)

// Numbers of the IPv6 headers that may stand before the transport's (RFC 8200).
const (
	extHopByHop    = 0
	extRouting     = 43
	extFragment    = 44
	extDestination = 60
	// maxExtensions bounds how many of them one packet may have. RFC 8200 has each once,
	// that for destinations twice.
	maxExtensions = 5
)

// packet is what the headers of one packet say.
type packet struct {
	src, dst netip.AddrPort
	proto    uint8
	seq      uint32 // TCP: number of the first byte of payload
	payload  []byte
}

// readPacket reads b, a packet of type ether: it begins with an Internet header or with
// one VLAN tag before it. It reports false for everything that holds no payload over UDP
// or TCP: later fragments, headers that contradict themselves.
func readPacket(ether uint16, b []byte) (p packet, ok bool) {
	if ether == etherVLAN && len(b) >= 4 {
		ether, b = binary.BigEndian.Uint16(b[2:]), b[4:]
	}
	var src, dst netip.Addr
	var head, total int
	switch {
	case ether == etherIPv4 && len(b) >= 20 && b[0]>>4 == 4:
		head, total = int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
		if head < 20 || binary.BigEndian.Uint16(b[6:])&0x1fff != 0 {
			return p, false
		}
		src, dst = netip.AddrFrom4([4]byte(b[12:])), netip.AddrFrom4([4]byte(b[16:]))
		p.proto = b[9]
	case ether == etherIPv6 && len(b) >= 40 && b[0]>>4 == 6:
		head, total = 40, 40+int(binary.BigEndian.Uint16(b[4:]))
		src, dst = netip.AddrFrom16([16]byte(b[8:])), netip.AddrFrom16([16]byte(b[24:]))
		if p.proto, head, ok = passExtensions(b, head); !ok {
			return p, false
		}
	default:
		return p, false
	}
	if total = min(total, len(b)); head > total {
		return p, false
	}
	ok = p.transport(src, dst, b[head:total])
	return p, ok
}

// passExtensions returns the number of the header of the IPv6 packet b that follows those
// that it knows, and where it begins. ok is false for later fragments.
func passExtensions(b []byte, at int) (next uint8, _ int, ok bool) {
	next = b[6]
	for range maxExtensions {
		switch next {
		case extHopByHop, extRouting, extDestination, extFragment:
		default:
			return next, at, true
		}
		if at+8 > len(b) {
			return 0, 0, false
		}
		size := 8 + 8*int(b[at+1])
		if next == extFragment { // its second byte has no meaning
			size = 8
			if binary.BigEndian.Uint16(b[at+2:])&0xfff8 != 0 {
				return 0, 0, false
			}
		}
		next = b[at]
		at += size
	}
	return next, at, true // what is no transport then is not taken
}

func (p *packet) transport(src, dst netip.Addr, b []byte) bool {
	if len(b) < 8 {
		return false
	}
	p.src = netip.AddrPortFrom(src, binary.BigEndian.Uint16(b))
	p.dst = netip.AddrPortFrom(dst, binary.BigEndian.Uint16(b[2:]))
	switch p.proto {
	case protoUDP:
		if n := int(binary.BigEndian.Uint16(b[4:])); n >= 8 && n < len(b) {
			b = b[:n]
		}
		p.payload = b[8:]
	case protoTCP:
		if len(b) < 20 {
			return false
		}
		head := int(b[12]>>4) * 4
		if head < 20 || head > len(b) {
			return false
		}
		p.seq, p.payload = binary.BigEndian.Uint32(b[4:]), b[head:]
	default:
		return false
	}
	return len(p.payload) > 0
}

// streams remembers of TCP connections that a message goes on behind the last segment.
type streams struct {
	open map[flow]rest
	// lost counts beginnings of messages that were forgotten before the rest came.
	lost uint64
}

type flow struct{ src, dst netip.AddrPort }

// rest is what is known of the bytes that come next: so many belong to a message that
// was handed on already, or part, with its length in front, is what came of the message
// that they belong to.
type rest struct {
	seq  uint32
	skip int
	part []byte
}

const (
	// maxStreams bounds the connections that are remembered; beyond it all are forgotten.
	maxStreams = 256
	// maxPart bounds what is kept of a message until more of it comes: every question
	// fits, with the length and the header before it, however its sender cuts it.
	maxPart = 2 + headerSize + maxNameWire + 4
)

// messages calls each with every message of the segment p and of what was kept of those
// before. whole is false for one of which only the first part is given.
func (s *streams) messages(p *packet, each func(msg []byte, whole bool)) {
	key := flow{p.src, p.dst}
	b, end := p.payload, p.seq+uint32(len(p.payload))
	if r, ok := s.open[key]; ok {
		delete(s.open, key)
		switch {
		case r.seq != p.seq:
			if len(r.part) > 2 { // what followed it did not come
				each(r.part[2:], false)
			}
		case r.skip > len(b):
			s.remember(key, rest{seq: end, skip: r.skip - len(b)})
			return
		case r.skip > 0:
			b = b[r.skip:]
		default:
			b = append(r.part, b...)
		}
	}
	for len(b) > 0 {
		n := maxPart // is not known
		if len(b) >= 2 {
			n = 2 + int(binary.BigEndian.Uint16(b))
		}
		switch {
		case n <= len(b):
			each(b[2:n], true)
			b = b[n:]
		case len(b) < maxPart:
			s.remember(key, rest{seq: end, part: append([]byte(nil), b...)})
			return
		default:
			each(b[2:], false)
			s.remember(key, rest{seq: end, skip: n - len(b)})
			return
		}
	}
}

func (s *streams) remember(key flow, r rest) {
	if s.open == nil || len(s.open) >= maxStreams {
		for _, r := range s.open {
			s.lost += uint64(min(len(r.part), 1))
		}
		s.open = make(map[flow]rest)
	}
	s.open[key] = r
}
