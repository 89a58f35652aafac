// SPDX-License-Identifier: Apache-2.0

// Package sockdiag reads what the Linux kernel says of its sockets of IP, in answer to
// a question over netlink (sock_diag(7), include/uapi/linux/inet_diag.h). What is asked,
// and how long an answer is waited for, its users know.
package sockdiag

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"syscall"
)

// Of include/uapi/linux/sock_diag.h and inet_diag.h.
const (
	ByFamily    = 20         // the type of questions and answers, SOCK_DIAG_BY_FAMILY
	RequestSize = 56         // of a struct inet_diag_req_v2, in bytes
	AllStates   = 0xffffffff // a mask of states that leaves none out
	answerSize  = 72         // of a struct inet_diag_msg, in bytes
)

// Of include/uapi/linux/netlink.h and socket.h.
const (
	headerSize   = 16
	typeError    = 2
	typeDone     = 3
	flagMulti    = 2
	familyOfIPv4 = 2
)

// Socket is a socket as the kernel tells of it.
type Socket struct {
	Local, Remote netip.AddrPort
	UID           uint32 // of its owner
	Inode         uint32 // 0: it is no process's any more
}

// Scan calls use with each socket of the netlink messages in p that answer question
// number seq. done says that no more will come. The error is a [syscall.Errno] where
// the kernel refuses.
func Scan(p []byte, seq uint32, use func(Socket)) (done bool, err error) {
	ne := binary.NativeEndian
	for len(p) >= headerSize {
		size := int(ne.Uint32(p))
		if size < headerSize || size > len(p) {
			return true, fmt.Errorf("an answer on sockets: message of %d bytes in %d", size, len(p))
		}
		typ, flags, mine, body := ne.Uint16(p[4:]), ne.Uint16(p[6:]), ne.Uint32(p[8:]) == seq, p[headerSize:size]
		p = p[min(len(p), (size+3)&^3):]
		switch {
		case !mine: // the end of an answer that was not waited for
		case typ == typeDone:
			return true, nil
		case typ == typeError:
			if len(body) < 4 {
				return true, errors.New("an answer on sockets: an error without a number")
			}
			if e := syscall.Errno(-int32(ne.Uint32(body))); e != 0 {
				return true, fmt.Errorf("ask for sockets: %w", e)
			}
			return true, nil
		case typ == ByFamily && len(body) >= answerSize:
			use(parse(body))
			if flags&flagMulti == 0 {
				return true, nil
			}
		}
	}
	return false, nil
}

// parse reads a struct inet_diag_msg.
func parse(b []byte) Socket {
	address := func(a []byte) netip.Addr {
		if b[0] == familyOfIPv4 {
			return netip.AddrFrom4([4]byte(a[:4]))
		}
		return netip.AddrFrom16([16]byte(a[:16]))
	}
	be, ne := binary.BigEndian, binary.NativeEndian
	return Socket{
		Local:  netip.AddrPortFrom(address(b[8:24]), be.Uint16(b[4:])),
		Remote: netip.AddrPortFrom(address(b[24:40]), be.Uint16(b[6:])),
		UID:    ne.Uint32(b[64:]), Inode: ne.Uint32(b[68:]),
	}
}
