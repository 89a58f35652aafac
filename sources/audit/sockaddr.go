// SPDX-License-Identifier: Apache-2.0

// This file decodes the socket addresses of SOCKADDR records.

package audit

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
)

// Address families by their Linux numbers (include/linux/socket.h).
const (
	FamilyUnspec  = 0
	FamilyUnix    = 1
	FamilyInet    = 2
	FamilyInet6   = 10
	FamilyNetlink = 16
	FamilyPacket  = 17
)

// maxSockaddr is the size of struct sockaddr_storage: the kernel takes no longer
// address from a process.
const maxSockaddr = 128

// Sockaddr is a decoded saddr= value. It is made to be used again and again:
// [Sockaddr.Parse] overwrites all of it.
type Sockaddr struct {
	Family uint16
	Addr   netip.AddrPort // FamilyInet and FamilyInet6, without a zone
	Scope  uint32         // FamilyInet6: the interface of a link-local address, 0 if none is given
	// Path is, for FamilyUnix, the path of the socket, or '@' and the name of an
	// abstract one; empty if it has no name. It is valid until the next Parse.
	Path   []byte
	Port   uint32 // FamilyNetlink: the port id; the kernel's is 0
	Groups uint32 // FamilyNetlink

	raw [maxSockaddr + 1]byte
}

// Parse decodes v, the hex digits of a saddr= value: a struct sockaddr as the
// process gave it to the kernel, in the byte order of the machine that wrote the
// record. Of a family other than the named ones only the number is told.
//
// If v is no hex number of 2 to 128 bytes, or too short for its family, s is
// empty and the error wraps [ErrMalformed]. Parse allocates nothing otherwise.
func (s *Sockaddr) Parse(v []byte) error {
	s.Family, s.Addr, s.Scope, s.Path, s.Port, s.Groups = 0, netip.AddrPort{}, 0, nil, 0, 0
	if len(v) < 4 || len(v) > 2*maxSockaddr || len(v)%2 != 0 {
		return fmt.Errorf("socket address %.40q: %d hex digits, not an even number from 4 to %d: %w", v, len(v), 2*maxSockaddr, ErrMalformed)
	}
	// The first byte stays free for the '@' of an abstract name.
	b := s.raw[1 : 1+len(v)/2]
	for i := range b {
		hi, lo := fromHex(v[2*i]), fromHex(v[2*i+1])
		if hi|lo > 0xf {
			return fmt.Errorf("socket address %.40q: a byte that is no hex digit: %w", v, ErrMalformed)
		}
		b[i] = hi<<4 | lo
	}
	// Families are below 256, so the zero byte tells the byte order.
	var order binary.ByteOrder = binary.LittleEndian
	if b[0] == 0 && b[1] != 0 {
		order = binary.BigEndian
	}
	family, need := order.Uint16(b), 0
	switch family {
	case FamilyInet:
		need = 8
	case FamilyInet6:
		need = 24
	case FamilyNetlink:
		need = 12
	}
	if len(b) < need {
		return fmt.Errorf("socket address %.40q: %d bytes, too few for family %d: %w", v, len(b), family, ErrMalformed)
	}
	s.Family = family
	s.decode(b, order)
	return nil
}

// decode fills the fields of the family from b, which is long enough for it.
func (s *Sockaddr) decode(b []byte, order binary.ByteOrder) {
	switch s.Family {
	case FamilyInet:
		s.Addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:8])), binary.BigEndian.Uint16(b[2:]))
	case FamilyInet6:
		s.Addr = netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[8:24])), binary.BigEndian.Uint16(b[2:]))
		if len(b) >= 28 {
			s.Scope = order.Uint32(b[24:])
		}
	case FamilyNetlink:
		s.Port, s.Groups = order.Uint32(b[4:]), order.Uint32(b[8:])
	case FamilyUnix:
		s.decodeUnix(len(b))
	}
}

// decodeUnix finds the path in the n bytes of the address. A path ends at its
// NUL, and what a process left after it is not part of it. An abstract name
// begins with a NUL and may hold others; those at its end are taken for padding.
func (s *Sockaddr) decodeUnix(n int) {
	path := s.raw[3 : 1+n]
	if len(path) == 0 {
		return
	}
	if path[0] != 0 {
		if i := bytes.IndexByte(path, 0); i >= 0 {
			path = path[:i]
		}
		s.Path = path
		return
	}
	if name := bytes.TrimRight(path, "\x00"); len(name) > 0 {
		name[0] = '@'
		s.Path = name
	}
}

// fromHex returns the value of a hex digit of either case, or 0xff.
func fromHex(c byte) byte {
	if c >= 'a' && c <= 'f' {
		return c - 'a' + 10
	}
	return upperHex[c]
}
