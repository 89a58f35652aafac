// SPDX-License-Identifier: Apache-2.0

// This file builds messages and packets for the tests, in its own way.

package dns

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
)

// wire writes names and numbers of a message.
type wire []byte

func (w wire) u16(vs ...int) wire {
	for _, v := range vs {
		w = binary.BigEndian.AppendUint16(w, uint16(v))
	}
	return w
}

func (w wire) u32(v uint32) wire { return binary.BigEndian.AppendUint32(w, v) }

// name writes the labels between the dots of text, which has no escapes.
func (w wire) name(text string) wire {
	for label := range strings.SplitSeq(strings.TrimSuffix(text, "."), ".") {
		if label != "" {
			w = append(append(w, byte(len(label))), label...)
		}
	}
	return append(w, 0)
}

// rr writes a record whose owner is the question's name.
func (w wire) rr(typ, class int, data []byte) wire {
	return append(w.u16(0xc00c, typ, class).u32(300).u16(len(data)), data...)
}

const (
	queryFlags  = 0x0100
	answerFlags = 0x8180
)

// head writes a header and the question for name.
func head(id, flags, answers int, name string, typ, class int) wire {
	return wire{}.u16(id, flags, 1, answers, 0, 0).name(name).u16(typ, class)
}

// udp4 wraps payload in UDP and IPv4 with the options given.
func udp4(src, dst string, options, payload []byte) []byte {
	s, d := netip.MustParseAddrPort(src), netip.MustParseAddrPort(dst)
	u := wire{}.u16(int(s.Port()), int(d.Port()), 8+len(payload), 0)
	return ip4(s.Addr(), d.Addr(), protoUDP, 0x4000, options, append(u, payload...))
}

// tcp4 wraps payload in TCP, with options of its own, and IPv4.
func tcp4(src, dst string, seq uint32, payload []byte) []byte {
	s, d := netip.MustParseAddrPort(src), netip.MustParseAddrPort(dst)
	return ip4(s.Addr(), d.Addr(), protoTCP, 0x4000, nil, tcp(s, d, seq, payload))
}

func tcp(s, d netip.AddrPort, seq uint32, payload []byte) []byte {
	t := wire{}.u16(int(s.Port()), int(d.Port())).u32(seq).u32(0).u16(0x8018, 0xffff, 0, 0)
	return append(append(t, make([]byte, 12)...), payload...)
}

func ip4(src, dst netip.Addr, proto, fragment int, options, payload []byte) []byte {
	n := 20 + len(options)
	p := wire{byte(0x40 | n/4), 0}.u16(n+len(payload), 7, fragment)
	p = append(append(append(p, 64, byte(proto), 0, 0), src.AsSlice()...), dst.AsSlice()...)
	return append(append(p, options...), payload...)
}

// ip6 wraps payload in IPv6; next is the number of what it is.
func ip6(src, dst netip.Addr, next int, payload []byte) []byte {
	p := append(wire{0x60, 0, 0, 0}.u16(len(payload)), byte(next), 64)
	return append(append(append(p, src.AsSlice()...), dst.AsSlice()...), payload...)
}

// laterFragment stands for the extension header of a fragment that is not the first.
const laterFragment = 1<<8 | extFragment

// extended wraps what is of the transport in IPv6 with extension headers, which are of 8
// and 16 bytes in turn.
func extended(transport int, payload []byte, headers ...int) []byte {
	next := transport
	for i, h := range slices.Backward(headers) {
		header := append(wire{byte(next), byte(i % 2)}.u16(0), 0, 0, 0, 0)
		switch {
		case h == laterFragment:
			header[2], header[3] = 0, 9 // one unit of eight bytes, and more come
		case h == extFragment:
			header[1], header[3] = 99, 1 // its second byte means nothing; more come
		case i%2 == 1:
			header = append(header, make([]byte, 8)...)
		}
		payload, next = append(header, payload...), h&0xff
	}
	return ip6(netip.MustParseAddr("2001:db8::9"), netip.MustParseAddr("2001:db8::53"), next, payload)
}

func udp6(src, dst string, payload []byte) []byte {
	s, d := netip.MustParseAddrPort(src), netip.MustParseAddrPort(dst)
	u := wire{}.u16(int(s.Port()), int(d.Port()), 8+len(payload), 0)
	return ip6(s.Addr(), d.Addr(), protoUDP, append(u, payload...))
}

func tcp6(src, dst string, seq uint32, payload []byte) []byte {
	s, d := netip.MustParseAddrPort(src), netip.MustParseAddrPort(dst)
	return ip6(s.Addr(), d.Addr(), protoTCP, tcp(s, d, seq, payload))
}

// prefixed puts the length before a message, as TCP has it.
func prefixed(msg []byte) []byte { return append(wire{}.u16(len(msg)), msg...) }
