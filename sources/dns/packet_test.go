// SPDX-License-Identifier: Apache-2.0

package dns

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

// around is what the kernel knows of a packet beside its bytes.
type around struct{ ether, kind, hardware uint32 }

// run interprets a packet filter, as Documentation/networking/filter.rst of the kernel
// describes it: what reads behind the end of the packet drops it.
func run(t *testing.T, code []instruction, p []byte, of around) uint32 {
	t.Helper()
	var a, x uint32
	var memory [16]uint32
	for pc, steps := 0, 0; ; pc, steps = pc+1, steps+1 {
		if pc >= len(code) || steps > len(code) {
			t.Fatalf("the program runs away at %d", pc)
		}
		op := code[pc]
		at, size := uint64(op.k), uint64(0)
		switch op.code {
		case loadByte, loadHalf:
			size = map[uint16]uint64{loadByte: 1, loadHalf: 2}[op.code]
			if op.k >= ancillary {
				a = map[uint32]uint32{ofProtocol: of.ether, ofPacketType: of.kind, ofHardware: of.hardware}[op.k]
				continue
			}
		case loadByteX, loadHalfX:
			at += uint64(x)
			size = map[uint16]uint64{loadByteX: 1, loadHalfX: 2}[op.code]
		case loadHeaderX:
			if at >= uint64(len(p)) {
				return 0
			}
			x = 4 * uint32(p[at]&15)
			continue
		case jumpEqual, jumpGreater, jumpBits:
			holds := map[uint16]bool{jumpEqual: a == op.k, jumpGreater: a > x, jumpBits: a&op.k != 0}[op.code]
			pc += int(op.jf)
			if holds {
				pc += int(op.jt) - int(op.jf)
			}
			continue
		case shiftRight:
			a >>= op.k
			continue
		case and:
			a &= op.k
			continue
		case addX:
			a += x
			continue
		case addK:
			a += op.k
			continue
		case shiftLeft:
			a <<= op.k
			continue
		case moveToX:
			x = a
			continue
		case setA:
			a = op.k
			continue
		case setX:
			x = op.k
			continue
		case store:
			memory[op.k] = a
			continue
		case recall:
			a = memory[op.k]
			continue
		case jump:
			pc += int(op.k)
			continue
		case give:
			return op.k
		default:
			t.Fatalf("instruction %d has the code %#x, which the program has no name for", pc, op.code)
		}
		if at+size > uint64(len(p)) {
			return 0
		}
		if a = uint32(p[at]); size == 2 {
			a = uint32(binary.BigEndian.Uint16(p[at:]))
		}
	}
}

// What the filter lets through is read, and only that.
func TestFilterAndPackets(t *testing.T) {
	const there, back = "192.0.2.9:4711", "192.0.2.53:53"
	const there6, back6 = "[2001:db8::9]:4711", "[2001:db8::53]:53"
	q := []byte(head(1, queryFlags, 0, "www.test", 1, 1))
	v4, v6 := around{etherIPv4, outgoing, 1}, around{etherIPv6, 0, 1}
	tagged := func(ether int, p []byte) []byte { return append(wire{}.u16(42, ether), p...) }
	fragment := func(offset int) []byte {
		return ip4(netip.MustParseAddr("192.0.2.9"), netip.MustParseAddr("192.0.2.53"), protoUDP, offset, nil,
			append(wire{}.u16(4711, 53, 8+len(q), 0), q...))
	}
	from6, to6 := netip.MustParseAddrPort(there6), netip.MustParseAddrPort(back6)
	query := append(wire{}.u16(4711, 53, 8+len(q), 0), q...)
	tests := []struct {
		name string
		p    []byte
		of   around
		want string // ends and size of the payload; empty: dropped
	}{
		{"a query", udp4(there, back, nil, q), v4, "192.0.2.9:4711 192.0.2.53:53 26"},
		{"an answer", udp4(back, there, nil, q), v4, "192.0.2.53:53 192.0.2.9:4711 26"},
		{"IPv4 options", udp4(there, back, make([]byte, 24), q), v4, "192.0.2.9:4711 192.0.2.53:53 26"},
		{"padding of the device behind the packet", append(udp4(there, back, nil, q), 0, 0, 0), v4, "192.0.2.9:4711 192.0.2.53:53 26"},
		{"a first fragment", fragment(0x2000), v4, "192.0.2.9:4711 192.0.2.53:53 26"},
		{"a later fragment that looks like a query", fragment(0x0010), v4, ""},
		{"TCP with payload", tcp4(there, back, 1, prefixed(q)), v4, "192.0.2.9:4711 192.0.2.53:53 28"},
		{"TCP answer", tcp4(back, there, 1, prefixed(q)), v4, "192.0.2.53:53 192.0.2.9:4711 28"},
		{"TCP without payload", tcp4(there, back, 1, nil), v4, ""},
		{"another port", udp4("192.0.2.9:5353", "192.0.2.53:5353", nil, q), v4, ""},
		{"another port of TCP", tcp4("192.0.2.9:1", "192.0.2.53:443", 1, q), v4, ""},
		{"another transport", ip4(netip.MustParseAddr(there[:9]), netip.MustParseAddr(back[:10]), 132, 0, nil, wire{}.u16(4711, 53, 30, 0)), v4, ""},
		{"IPv6", udp6(there6, back6, q), v6, "[2001:db8::9]:4711 [2001:db8::53]:53 26"},
		{"an answer over IPv6", udp6(back6, there6, q), v6, "[2001:db8::53]:53 [2001:db8::9]:4711 26"},
		{"TCP over IPv6", tcp6(there6, back6, 1, prefixed(q)), v6, "[2001:db8::9]:4711 [2001:db8::53]:53 28"},
		{"TCP answer over IPv6", tcp6(back6, there6, 1, prefixed(q)), v6, "[2001:db8::53]:53 [2001:db8::9]:4711 28"},
		{"TCP over IPv6 without payload", tcp6(there6, back6, 1, nil), v6, ""},
		{"another port over IPv6", udp6("[::1]:5355", "[::1]:5355", q), v6, ""},
		{"an extension header", extended(protoUDP, query, extHopByHop), v6, "[2001:db8::9]:4711 [2001:db8::53]:53 26"},
		{"routing", extended(protoUDP, query, extRouting), v6, "[2001:db8::9]:4711 [2001:db8::53]:53 26"},
		{"a first fragment of IPv6", extended(protoUDP, query, extFragment), v6, "[2001:db8::9]:4711 [2001:db8::53]:53 26"},
		{"all extension headers", extended(protoUDP, query, 0, 60, 43, 44, 60), v6, "[2001:db8::9]:4711 [2001:db8::53]:53 26"},
		{"one extension header too many", extended(protoUDP, query, 0, 60, 43, 44, 60, 60), v6, ""},
		{"an extension header before another port", extended(protoUDP, wire{}.u16(4711, 5353, 9, 0, 1), extHopByHop), v6, ""},
		{"a later fragment of IPv6", extended(protoUDP, query, laterFragment), v6, ""},
		{"a later fragment behind options", extended(protoUDP, query, extHopByHop, laterFragment), v6, ""},
		{"extension headers before TCP", extended(protoTCP, tcp(from6, to6, 1, prefixed(q)), 60, 0), v6, "[2001:db8::9]:4711 [2001:db8::53]:53 28"},
		{"extension headers before TCP without payload", extended(protoTCP, tcp(from6, to6, 1, nil), 60, 0), v6, ""},
		{"an extension header before another transport", extended(132, query, 60), v6, ""},
		{"an authentication header", extended(protoUDP, query, 51), v6, ""},
		{"an extension header that goes on behind the end", ip6(from6.Addr(), to6.Addr(), 60, append(wire{17, 255, 7: 0}, query...)), v6, ""},
		{"half an extension header", ip6(from6.Addr(), to6.Addr(), 60, wire{17, 0, 1}), v6, ""},
		{"a VLAN tag before an extension header", tagged(etherIPv6, extended(protoUDP, query, extDestination)), around{etherVLAN, 0, 1}, "[2001:db8::9]:4711 [2001:db8::53]:53 26"},
		{"a VLAN tag", tagged(etherIPv4, udp4(there, back, nil, q)), around{etherVLAN, outgoing, 1}, "192.0.2.9:4711 192.0.2.53:53 26"},
		{"a VLAN tag before options", tagged(etherIPv4, udp4(there, back, make([]byte, 8), q)), around{etherVLAN, 0, 1}, "192.0.2.9:4711 192.0.2.53:53 26"},
		{"a VLAN tag before IPv6 and TCP", tagged(etherIPv6, tcp6(there6, back6, 1, prefixed(q))), around{etherVLAN, 0, 1}, "[2001:db8::9]:4711 [2001:db8::53]:53 28"},
		{"a VLAN tag before something else", tagged(0x0806, udp4(there, back, nil, q)), around{etherVLAN, 0, 1}, ""},
		{"another protocol", udp4(there, back, nil, q), around{0x0806, 0, 1}, ""},
		{"loopback, on its way out", udp4(there, back, nil, q), around{etherIPv4, outgoing, loopback}, "192.0.2.9:4711 192.0.2.53:53 26"},
		{"loopback, on its way in", udp4(there, back, nil, q), around{etherIPv4, 0, loopback}, ""},
		{"half a header", udp4(there, back, nil, q)[:19], v4, ""},
		{"nothing", nil, v4, ""},
	}
	code := filter()
	t.Logf("the filter has %d instructions", len(code))
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := run(t, code, tt.p, tt.of)
			if (n > 0) != (tt.want != "") || n != 0 && n != maxPacket {
				t.Errorf("the filter gives %d bytes of %x", n, tt.p)
			}
			if n == 0 {
				return
			}
			p, ok := readPacket(uint16(tt.of.ether), tt.p)
			if got := fmt.Sprintf("%v %v %d", p.src, p.dst, len(p.payload)); !ok || got != tt.want {
				t.Errorf("readPacket(%x) = %s, %v; want %s", tt.p, got, ok, tt.want)
			}
		})
	}
}

// Messages over TCP are found in the segments, whatever else is in them.
func TestStreams(t *testing.T) {
	msg := func(name string) []byte { return head(1, queryFlags, 0, name, 1, 1) }
	type segment struct {
		seq  int
		data []byte
	}
	a, b := prefixed(msg("a")), prefixed(msg("bb"))
	long := prefixed(append(msg("long"), make([]byte, 2*maxPart)...))
	var bytewise []segment
	for i := range b {
		bytewise = append(bytewise, segment{1 + i, b[i : i+1]})
	}
	tests := []struct {
		name     string
		segments []segment
		want     string // first bytes behind the header of each message, - where it is not whole
	}{
		{"one message", []segment{{1, a}}, "a"},
		{"two messages in a segment", []segment{{1, append(append([]byte{}, a...), b...)}}, "a bb"},
		{"a length that stands alone", []segment{{1, a[:2]}, {3, a[2:]}}, "a"},
		{"a message that goes on, and one behind it", []segment{{1, b[:18]}, {19, append(append([]byte{}, b[18:]...), a...)}}, "bb a"},
		{"a message over three segments", []segment{{1, b[:18]}, {19, b[18:19]}, {20, b[19:]}, {1 + len(b), a}}, "bb a"},
		{"a message in single bytes", append(bytewise, segment{1 + len(b), a}), "bb a"},
		{"a long message that goes on, and one behind it", []segment{{1, long[:300]}, {301, long[300:301]}, {302, append(append([]byte{}, long[301:]...), a...)}}, "long- a"},
		{"the rest never comes", []segment{{1, b[:18]}}, ""},
		{"a segment in between is missing: the next is read as if it began", []segment{{1, b[:18]}, {1000, a}}, "bb- a"},
		{"one byte", []segment{{1, a[:1]}}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var s streams
			var got []string
			for _, seg := range tt.segments {
				p, ok := readPacket(etherIPv4, tcp4("192.0.2.9:4711", "192.0.2.53:53", uint32(seg.seq), seg.data))
				if !ok {
					t.Fatalf("segment %x is not read", seg.data)
				}
				s.messages(&p, func(m []byte, whole bool) {
					name, _, err := appendName(nil, m, headerSize)
					if err != nil {
						name = []byte(err.Error())
					}
					if !whole {
						name = append(name, '-')
					}
					got = append(got, string(name))
				})
			}
			if g := strings.Join(got, " "); g != tt.want {
				t.Errorf("messages %q, want %q", g, tt.want)
			}
		})
	}
	var s streams
	for i := range 10 * maxStreams {
		p := packet{src: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 1}), 9), payload: []byte{9, 9}}
		s.messages(&p, func([]byte, bool) {})
	}
	if len(s.open) > maxStreams || s.lost != 9*maxStreams {
		t.Errorf("%d connections are remembered and %d messages lost, want at most %d and %d", len(s.open), s.lost, maxStreams, 9*maxStreams)
	}
}

// No packet makes the reader panic, what it returns lies within the packet, and the filter
// lets it through if it is over port 53.
func FuzzPacket(f *testing.F) {
	q := []byte(head(1, queryFlags, 0, "www.test", 1, 1))
	f.Add(uint16(etherIPv4), udp4("192.0.2.9:4711", "192.0.2.53:53", nil, q))
	f.Add(uint16(etherIPv6), tcp6("[2001:db8::9]:4711", "[2001:db8::53]:53", 1, prefixed(q)))
	f.Add(uint16(etherVLAN), append([]byte{0, 1, 8, 0}, udp4("192.0.2.9:4711", "192.0.2.53:53", nil, q)...))
	f.Add(uint16(etherIPv6), extended(protoUDP, append(wire{}.u16(4711, 53, 8+len(q), 0), q...), extHopByHop, extFragment, extDestination))
	f.Add(uint16(etherVLAN), append([]byte{0, 1, 0x86, 0xdd}, extended(protoUDP, append(wire{}.u16(4711, 53, 8+len(q), 0), q...), extRouting, laterFragment)...))
	code := filter()
	f.Fuzz(func(t *testing.T, ether uint16, in []byte) {
		p, ok := readPacket(ether, in)
		if !ok {
			return
		}
		about := p.src.Port() == port || p.dst.Port() == port
		if given := run(t, code, in, around{uint32(ether), outgoing, 1}) > 0; given != about {
			t.Errorf("the filter gives %v of %#x, %x; readPacket reads %v to %v", given, ether, in, p.src, p.dst)
		}
		if len(p.payload) == 0 || len(p.payload) > len(in)-28 {
			t.Errorf("readPacket(%#x, %x): payload of %d bytes", ether, in, len(p.payload))
		}
		var s streams
		sum := 0
		s.messages(&p, func(m []byte, whole bool) { sum += len(m) + 2 })
		if sum > len(p.payload) {
			t.Errorf("the messages of %x have %d bytes, there are %d", p.payload, sum, len(p.payload))
		}
	})
}
