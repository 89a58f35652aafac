// SPDX-License-Identifier: Apache-2.0

// This file asks the kernel which sockets there are and what ends they have
// (NETLINK_SOCK_DIAG, include/uapi/linux/inet_diag.h). What is asked, and who
// waits for it, is in ends_linux.go.

package audit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// Of include/uapi/linux/sock_diag.h and inet_diag.h.
const (
	sockDiagByFamily  = 20
	diagReqSize       = 56 // struct inet_diag_req_v2
	diagMsgSize       = 72 // struct inet_diag_msg
	diagReqBytecode   = 1  // INET_DIAG_REQ_BYTECODE
	diagOpJump        = 1  // INET_DIAG_BC_JMP
	diagOpRemote      = 8  // INET_DIAG_BC_D_COND
	diagCondSize      = 12 // an operation and a struct inet_diag_hostcond without address
	diagJumpSize      = 4
	stateListen       = 1 << 10 // TCP_LISTEN
	stateAllButListen = 0xfff &^ stateListen
	allStates         = 0xffffffff
)

// maxDiagBytes bounds what is read of one answer: about 7,000 sockets.
const maxDiagBytes = 512 << 10

// diagSocket is a socket of IP as the kernel tells it.
type diagSocket struct {
	local, remote netip.AddrPort
	inode         uint32
}

// diagQuery says which sockets are asked for.
type diagQuery struct {
	family, protocol uint8
	states           uint32
	remotePorts      []uint16 // of any of these; empty: all
}

// sockDiag is a socket to ask by. One goroutine uses it.
type sockDiag struct {
	fd  int
	seq uint32
	buf []byte
}

func openSockDiag() (*sockDiag, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, fmt.Errorf("open a socket to ask for sockets: %w", err)
	}
	return &sockDiag{fd: fd, buf: make([]byte, 32<<10)}, nil
}

func (d *sockDiag) close() error { return unix.Close(d.fd) }

// each asks the kernel and calls use with each socket. It waits until end at most.
// After an error the rest of the answer may still be due, and the kernel refuses
// to begin another: then the next question is asked by a new socket.
func (d *sockDiag) each(q diagQuery, end time.Time, use func(diagSocket)) error {
	err := d.readAll(q, end, use)
	if err == nil {
		return nil
	}
	if fresh, openErr := openSockDiag(); openErr == nil {
		unix.Close(d.fd)
		d.fd = fresh.fd
	}
	return err
}

func (d *sockDiag) readAll(q diagQuery, end time.Time, use func(diagSocket)) error {
	d.seq++
	if err := unix.Sendto(d.fd, appendDiagRequest(nil, q, d.seq), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("ask for sockets: %w", err)
	}
	for size := 0; ; {
		left := unix.NsecToTimeval(max(int64(time.Until(end)), int64(time.Millisecond)))
		if err := unix.SetsockoptTimeval(d.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &left); err != nil {
			return fmt.Errorf("ask for sockets: %w", err)
		}
		n, _, err := unix.Recvfrom(d.fd, d.buf, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read which sockets there are: %w", err)
		}
		if size += n; size > maxDiagBytes {
			return fmt.Errorf("read which sockets there are: more than %d bytes", maxDiagBytes)
		}
		if done, err := scanDiag(d.buf[:n], d.seq, use); done || err != nil {
			return err
		}
		if !time.Now().Before(end) {
			return fmt.Errorf("read which sockets there are: %w", unix.ETIMEDOUT)
		}
	}
}

// appendDiagRequest appends the message that asks q.
func appendDiagRequest(dst []byte, q diagQuery, seq uint32) []byte {
	code := diagBytecode(q.remotePorts)
	size := unix.SizeofNlMsghdr + diagReqSize
	if len(code) > 0 {
		size += unix.SizeofNlAttr + len(code)
	}
	ne := binary.NativeEndian
	dst = ne.AppendUint32(dst, uint32(size))
	dst = ne.AppendUint16(dst, sockDiagByFamily)
	dst = ne.AppendUint16(dst, unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	dst = ne.AppendUint32(dst, seq)
	dst = ne.AppendUint32(dst, 0)
	dst = append(dst, q.family, q.protocol, 0, 0)
	dst = ne.AppendUint32(dst, q.states)
	dst = append(dst, make([]byte, diagReqSize-8)...)
	if len(code) > 0 {
		dst = ne.AppendUint16(dst, uint16(unix.SizeofNlAttr+len(code)))
		dst = ne.AppendUint16(dst, diagReqBytecode)
		dst = append(dst, code...)
	}
	return dst
}

// diagBytecode is the program by which the kernel chooses: the remote port is one
// of ports. An operation that is met goes on behind itself, here to a jump to the
// end, which accepts; one that is not goes on to the next, and at last four bytes
// beyond the end, which refuses (net/ipv4/inet_diag.c, inet_diag_bc_run).
func diagBytecode(ports []uint16) []byte {
	var code []byte
	ne := binary.NativeEndian
	for i, port := range ports {
		code = append(code, diagOpRemote, diagCondSize)
		code = ne.AppendUint16(code, diagCondSize+diagJumpSize)
		code = append(code, unix.AF_UNSPEC, 0, 0, 0) // any address
		code = ne.AppendUint32(code, uint32(port))
		if left := len(ports) - 1 - i; left > 0 {
			code = append(code, diagOpJump, diagJumpSize)
			code = ne.AppendUint16(code, uint16(left*(diagCondSize+diagJumpSize)))
		}
	}
	return code
}

// scanDiag calls use with each socket of the messages in p that answer seq. done
// says that no more will come.
func scanDiag(p []byte, seq uint32, use func(diagSocket)) (done bool, err error) {
	ne := binary.NativeEndian
	for len(p) >= unix.SizeofNlMsghdr {
		size := int(ne.Uint32(p))
		if size < unix.SizeofNlMsghdr || size > len(p) {
			return true, fmt.Errorf("an answer on sockets: message of %d bytes in %d", size, len(p))
		}
		typ, mine, body := ne.Uint16(p[4:]), ne.Uint32(p[8:]) == seq, p[unix.SizeofNlMsghdr:size]
		p = p[min(len(p), (size+3)&^3):]
		switch {
		case !mine: // the end of an answer that was not waited for
		case typ == unix.NLMSG_DONE:
			return true, nil
		case typ == unix.NLMSG_ERROR:
			if len(body) < 4 {
				return true, errors.New("an answer on sockets: an error without a number")
			}
			return true, fmt.Errorf("ask for sockets: %w", unix.Errno(-int32(ne.Uint32(body))))
		case typ == sockDiagByFamily && len(body) >= diagMsgSize:
			use(parseDiag(body))
		}
	}
	return false, nil
}

// parseDiag reads a struct inet_diag_msg.
func parseDiag(b []byte) diagSocket {
	address := func(a []byte) netip.Addr {
		if b[0] == unix.AF_INET {
			return netip.AddrFrom4([4]byte(a))
		}
		return netip.AddrFrom16([16]byte(a[:16]))
	}
	return diagSocket{
		local:  netip.AddrPortFrom(address(b[8:24][:addressSize(b[0])]), binary.BigEndian.Uint16(b[4:])),
		remote: netip.AddrPortFrom(address(b[24:40][:addressSize(b[0])]), binary.BigEndian.Uint16(b[6:])),
		inode:  binary.NativeEndian.Uint32(b[68:]),
	}
}

func addressSize(family uint8) int {
	if family == unix.AF_INET {
		return 4
	}
	return 16
}
