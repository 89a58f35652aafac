// SPDX-License-Identifier: Apache-2.0

// This file writes the filter that the kernel runs on every packet of the host: a
// program for the classic packet filter that lets messages over port 53 through.

package dns

import "math"

// instruction is one of a packet filter's (struct sock_filter of linux/filter.h).
type instruction struct {
	code   uint16
	jt, jf uint8 // instructions to pass over
	k      uint32
}

// Codes of instructions, and what the kernel knows of a packet beside its bytes.
const (
	loadByte    = 0x30 // A = byte at k
	loadHalf    = 0x28 // A = two bytes at k
	loadHalfX   = 0x48 // A = two bytes at X+k
	loadByteX   = 0x50 // A = byte at X+k
	loadHeaderX = 0xb1 // X = 4 * low half of the byte at k
	jumpEqual   = 0x15
	jumpGreater = 0x2d // A > X
	jumpBits    = 0x45 // A & k
	shiftRight  = 0x74
	and         = 0x54
	addX        = 0x0c
	addK        = 0x04
	shiftLeft   = 0x64
	moveToX     = 0x07
	setA        = 0x00 // A = k
	setX        = 0x01 // X = k
	store       = 0x02 // word k of the memory = A
	recall      = 0x60 // A = word k of the memory
	jump        = 0x05 // pass k instructions over
	give        = 0x06 // so many bytes of the packet

	ancillary    = 0xfffff000 // SKF_AD_OFF
	ofProtocol   = ancillary + 0
	ofPacketType = ancillary + 4
	ofHardware   = ancillary + 28

	outgoing = 4   // PACKET_OUTGOING
	loopback = 772 // ARPHRD_LOOPBACK

	etherIPv4 = 0x0800
	etherIPv6 = 0x86dd
	etherVLAN = 0x8100
)

// maxPacket bounds the bytes that are taken of a packet: more than any server sends
// over UDP unless it is asked to (RFC 9715), and the first messages of a segment.
const maxPacket = 8192

// filter returns the program. Packets begin with the Internet header (a packet socket
// of type SOCK_DGRAM), or with a VLAN tag where the device did not take it off. Of a
// packet over the loopback device, which passes twice, the way out is taken; of TCP,
// segments with payload; no later fragments.
func filter() []instruction {
	var f program
	f.op(loadHalf, ofHardware)
	f.when(jumpEqual, loopback, func() {
		f.op(loadByte, ofPacketType)
		f.dropUnless(jumpEqual, outgoing)
	})
	f.op(loadHalf, ofProtocol)
	f.when(jumpEqual, etherIPv4, func() { f.ipv4(0) })
	f.when(jumpEqual, etherIPv6, func() { f.ipv6(0) })
	f.dropUnless(jumpEqual, etherVLAN)
	f.op(loadHalf, 2)
	f.when(jumpEqual, etherIPv4, func() { f.ipv4(4) })
	f.when(jumpEqual, etherIPv6, func() { f.ipv6(4) })
	f.op(give, 0)
	return f.code
}

// program is a filter that is being written.
type program struct{ code []instruction }

func (f *program) op(code uint16, k uint32) { f.code = append(f.code, instruction{code: code, k: k}) }

// from returns how many instructions a jump at at passes over to go on here. The program
// is the same at every start: one that is too long is a mistake of whoever wrote it.
func (f *program) from(at int) uint8 {
	over := len(f.code) - at - 1
	if over > math.MaxUint8 {
		panic("dns: a jump of the packet filter is too far")
	}
	return uint8(over)
}

// when runs body if the test holds, and passes it over otherwise.
func (f *program) when(code uint16, k uint32, body func()) {
	at := len(f.code)
	f.op(code, k)
	body()
	f.code[at].jf = f.from(at)
}

func (f *program) dropUnless(code uint16, k uint32) {
	f.code = append(f.code, instruction{code: code, jt: 1, k: k}, instruction{code: give})
}

func (f *program) keepIf(code uint16, k uint32) {
	f.when(code, k, func() { f.op(give, maxPacket) })
}

// ipv4 ends the program for a packet whose Internet header is at byte at.
func (f *program) ipv4(at uint32) {
	f.op(loadHalf, at+6)
	f.when(jumpBits, 0x1fff, func() { f.op(give, 0) })
	f.op(loadHeaderX, at)
	f.op(loadByte, at+9)
	f.when(jumpEqual, protoUDP, func() {
		f.op(loadHalfX, at)
		f.keepIf(jumpEqual, port)
		f.op(loadHalfX, at+2)
		f.keepIf(jumpEqual, port)
		f.op(give, 0)
	})
	f.dropUnless(jumpEqual, protoTCP)
	f.op(loadHalfX, at)
	f.unless(jumpEqual, port, func() {
		f.op(loadHalfX, at+2)
		f.dropUnless(jumpEqual, port)
	})
	f.op(loadByteX, at+12) // length of the TCP header in the upper half, in words
	f.op(shiftRight, 2)
	f.op(and, 0x3c)
	f.op(addX, 0)
	f.op(moveToX, 0)
	f.op(loadHalf, at+2)
	f.keepIf(jumpGreater, 0)
	f.op(give, 0)
}

// ipv6 is ipv4 for the other header.
func (f *program) ipv6(at uint32) {
	f.op(loadByte, at+6)
	f.when(jumpEqual, protoUDP, func() {
		f.op(loadHalf, at+40)
		f.keepIf(jumpEqual, port)
		f.op(loadHalf, at+42)
		f.keepIf(jumpEqual, port)
		f.op(give, 0)
	})
	f.when(jumpEqual, protoTCP, func() {
		f.op(setX, 40)
		f.tcp6(at)
	})
	f.whenAny([]uint32{extHopByHop, extRouting, extFragment, extDestination}, func() { f.extended(at) })
	f.op(give, 0)
}

// extended ends the program for a packet of IPv6 with headers before that of the
// transport; A is the number of the first. They are passed over here: whoever sends many
// such packets has them dropped at the price of the filter, not of a copy each.
func (f *program) extended(at uint32) {
	f.op(store, 0)
	f.op(setX, 40)
	for range maxExtensions {
		f.op(recall, 0)
		over := -1
		f.when(jumpEqual, extFragment, func() {
			f.op(loadHalfX, at+2)
			f.when(jumpBits, 0xfff8, func() { f.op(give, 0) })
			f.op(loadByteX, at)
			f.op(store, 0)
			f.op(setA, 0)
			over = len(f.code)
			f.op(jump, 0)
		})
		f.whenAny([]uint32{extHopByHop, extRouting, extDestination}, func() {
			f.op(loadByteX, at)
			f.op(store, 0)
			f.op(loadByteX, at+1)
			f.op(shiftLeft, 3)
			f.code[over].k = uint32(len(f.code) - over - 1)
			f.op(addK, 8)
			f.op(addX, 0)
			f.op(moveToX, 0)
		})
	}
	f.op(recall, 0)
	f.when(jumpEqual, protoUDP, func() {
		f.op(loadHalfX, at)
		f.keepIf(jumpEqual, port)
		f.op(loadHalfX, at+2)
		f.keepIf(jumpEqual, port)
		f.op(give, 0)
	})
	f.dropUnless(jumpEqual, protoTCP)
	f.tcp6(at)
}

// tcp6 ends the program for a segment of TCP at byte at+X of a packet of IPv6.
func (f *program) tcp6(at uint32) {
	f.op(loadHalfX, at)
	f.unless(jumpEqual, port, func() {
		f.op(loadHalfX, at+2)
		f.dropUnless(jumpEqual, port)
	})
	f.op(loadByteX, at+12)
	f.op(shiftRight, 2)
	f.op(and, 0x3c)
	f.op(addX, 0)
	f.op(moveToX, 0)
	f.op(loadHalf, at+4)
	f.op(addK, 40)
	f.keepIf(jumpGreater, 0)
	f.op(give, 0)
}

// whenAny runs body if A is one of ks, and passes it over otherwise.
func (f *program) whenAny(ks []uint32, body func()) {
	for i, k := range ks {
		f.code = append(f.code, instruction{code: jumpEqual, jt: uint8(len(ks) - 1 - i), k: k})
	}
	last := len(f.code) - 1
	body()
	f.code[last].jf = f.from(last)
}

// unless runs body if the test does not hold, and passes it over otherwise.
func (f *program) unless(code uint16, k uint32, body func()) {
	at := len(f.code)
	f.op(code, k)
	body()
	f.code[at].jt = f.from(at)
}
