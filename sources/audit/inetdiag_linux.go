// SPDX-License-Identifier: Apache-2.0

// This file asks the kernel which sockets there are and what ends they have
// (NETLINK_SOCK_DIAG, include/uapi/linux/inet_diag.h). What is asked, and who
// waits for it, is in ends_linux.go.

package audit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"seismo/internal/sockdiag"
)

// Of include/uapi/linux/inet_diag.h.
const (
	diagReqBytecode   = 1  // INET_DIAG_REQ_BYTECODE
	diagOpJump        = 1  // INET_DIAG_BC_JMP
	diagOpRemote      = 8  // INET_DIAG_BC_D_COND
	diagCondSize      = 12 // an operation and a struct inet_diag_hostcond without address
	diagJumpSize      = 4
	stateListen       = 1 << 10 // TCP_LISTEN
	stateAllButListen = 0xfff &^ stateListen
)

// maxDiagBytes bounds what is read of one answer: about 7,000 sockets.
const maxDiagBytes = 512 << 10

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
func (d *sockDiag) each(q diagQuery, end time.Time, use func(sockdiag.Socket)) error {
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

func (d *sockDiag) readAll(q diagQuery, end time.Time, use func(sockdiag.Socket)) error {
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
		if done, err := sockdiag.Scan(d.buf[:n], d.seq, use); done || err != nil {
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
	size := unix.SizeofNlMsghdr + sockdiag.RequestSize
	if len(code) > 0 {
		size += unix.SizeofNlAttr + len(code)
	}
	ne := binary.NativeEndian
	dst = ne.AppendUint32(dst, uint32(size))
	dst = ne.AppendUint16(dst, sockdiag.ByFamily)
	dst = ne.AppendUint16(dst, unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	dst = ne.AppendUint32(dst, seq)
	dst = ne.AppendUint32(dst, 0)
	dst = append(dst, q.family, q.protocol, 0, 0)
	dst = ne.AppendUint32(dst, q.states)
	dst = append(dst, make([]byte, sockdiag.RequestSize-8)...)
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
