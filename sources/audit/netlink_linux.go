// SPDX-License-Identifier: Apache-2.0

// This file holds the socket that the kernel's audit records arrive on. It is
// our own under go-libaudit's client, because the kernel sends records to the
// socket that asked for the role, and because one read a record is what makes
// audit readers slow: here a call takes up to 64 records.

package audit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"syscall"
	"time"
	"unsafe"

	libaudit "github.com/elastic/go-libaudit/v2"
	"golang.org/x/sys/unix"
)

const (
	// recvBatch is the number of messages that one recvmmsg takes.
	recvBatch = 64
	// maxMessage is the room for one message: the kernel cuts a record at 8,970
	// bytes (MAX_AUDIT_MESSAGE_LENGTH) and puts a header of 16 before it.
	maxMessage = 9216
	// eventBuffer is the room asked for in the kernel, in bytes; the kernel
	// doubles it and takes memory only for what waits. What it holds is what a
	// stalled reader does not lose: 16 MB held about 4 s at 900 execs/s, and the
	// kernel's own queue behind it hardly helps (Linux 6.18: measured while the
	// recorder was stopped).
	eventBuffer = 32 << 20
	// firstEventType is the least type of a record (AUDIT_USER; LOGIN is 1006);
	// what is below are requests and their answers (include/uapi/linux/audit.h).
	firstEventType = 1005
	// maxStash bounds the records that come while an answer is waited for.
	maxStash = 8192
)

// mmsghdr is struct mmsghdr of recvmmsg(2), which x/sys lacks.
type mmsghdr struct {
	hdr unix.Msghdr
	n   uint32
}

// netlinkSocket reads messages of the kernel in batches into memory that it
// allocates once.
type netlinkSocket struct {
	fd    int
	port  uint32
	size  int // of one buffer
	buf   []byte
	iovs  []unix.Iovec
	names []unix.RawSockaddrNetlink
	hdrs  []mmsghdr
}

// openNetlink opens a socket of the given netlink protocol and multicast
// groups, with n buffers of size bytes and room for rcvbuf bytes in the kernel.
// forced says whether that room is had: it needs CAP_NET_ADMIN.
func openNetlink(proto int, groups uint32, n, size, rcvbuf int) (s *netlinkSocket, forced bool, err error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, proto)
	if err != nil {
		return nil, false, err
	}
	forced = true
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, rcvbuf); err != nil {
		forced = false
		// Without the privilege the kernel gives what net.core.rmem_max allows.
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, rcvbuf); err != nil {
			return nil, false, errors.Join(fmt.Errorf("set the receive buffer: %w", err), unix.Close(fd))
		}
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups}); err != nil {
		return nil, false, errors.Join(fmt.Errorf("bind: %w", err), unix.Close(fd))
	}
	s = &netlinkSocket{fd: fd, size: size, buf: make([]byte, n*size), iovs: make([]unix.Iovec, n),
		names: make([]unix.RawSockaddrNetlink, n), hdrs: make([]mmsghdr, n)}
	if addr, err := unix.Getsockname(fd); err == nil {
		if nl, ok := addr.(*unix.SockaddrNetlink); ok {
			s.port = nl.Pid
		}
	}
	for i := range s.hdrs {
		s.iovs[i].Base = &s.buf[i*size]
		s.iovs[i].SetLen(size)
		s.hdrs[i].hdr.Name = (*byte)(unsafe.Pointer(&s.names[i]))
		s.hdrs[i].hdr.Iov = &s.iovs[i]
		s.hdrs[i].hdr.SetIovlen(1)
	}
	return s, forced, nil
}

func (s *netlinkSocket) close() error { return unix.Close(s.fd) }

func (s *netlinkSocket) waitFD() int { return s.fd }

// read hands the messages that are there to use, as many as fit into one call.
func (s *netlinkSocket) read(use func(message)) (more bool, err error) {
	n, err := s.receive(recvBatch, use)
	return n == recvBatch, err
}

// receive reads what is there, at most n messages, without waiting, and hands
// each that the kernel itself sent to use. It returns how many were read: fewer
// than n means that the queue is empty. The error is ENOBUFS when the kernel
// dropped messages; the socket can be read on.
func (s *netlinkSocket) receive(n int, use func(message)) (int, error) {
	n = min(n, len(s.hdrs))
	for i := range n {
		s.hdrs[i].hdr.Namelen = unix.SizeofSockaddrNetlink
		s.hdrs[i].hdr.Flags = 0
	}
	// It does not wait, so the runtime need not know of it (internal/pollset).
	got, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&s.hdrs[0])),
		uintptr(n), unix.MSG_DONTWAIT, 0, 0)
	switch errno {
	case 0:
	case unix.EAGAIN, unix.EINTR:
		return 0, nil
	default:
		return 0, errno
	}
	for i := range int(got) {
		// A port number of 0 is the kernel; anybody may send to our socket.
		length := int(s.hdrs[i].n)
		if s.names[i].Pid != 0 || s.hdrs[i].hdr.Namelen < unix.SizeofSockaddrNetlink || length < unix.SizeofNlMsghdr {
			continue
		}
		// The length in an audit message's header does not always count the
		// header itself: the length read is what counts.
		msg := s.buf[i*s.size : i*s.size+length]
		use(message{typ: binary.NativeEndian.Uint16(msg[4:]), data: msg[unix.SizeofNlMsghdr:],
			cut: s.hdrs[i].hdr.Flags&unix.MSG_TRUNC != 0})
	}
	return int(got), nil
}

// eventSocket is the socket that holds the audit role. It serves go-libaudit's
// client as its NetlinkSendReceiver while the role is taken, and is read in
// batches afterwards.
type eventSocket struct {
	*netlinkSocket
	seq   uint32
	stash []message // records that came while an answer was waited for
	lost  int       // records beyond maxStash
}

// openEventSocket opens the socket. warning is empty if its buffer has the
// size asked for.
func openEventSocket() (s *eventSocket, warning string, err error) {
	nl, forced, err := openNetlink(unix.NETLINK_AUDIT, 0, recvBatch, maxMessage, eventBuffer)
	if err != nil {
		return nil, "", fmt.Errorf("open the audit event socket: %w", refused(err))
	}
	if !forced {
		warning = smallBuffer
	}
	return &eventSocket{netlinkSocket: nl}, warning, nil
}

const smallBuffer = "CAP_NET_ADMIN is missing: the socket's receive buffer is small, so that records are lost when many come at once, and forks and exits are not told"

// Send sends a request of go-libaudit's client and returns its number.
func (s *eventSocket) Send(msg syscall.NetlinkMessage) (uint32, error) {
	return s.send(msg, 0)
}

// SendNoWait is Send without waiting for room.
func (s *eventSocket) SendNoWait(msg syscall.NetlinkMessage) (uint32, error) {
	return s.send(msg, unix.MSG_DONTWAIT)
}

func (s *eventSocket) send(msg syscall.NetlinkMessage, flags int) (uint32, error) {
	s.seq++
	raw := make([]byte, unix.SizeofNlMsghdr, unix.SizeofNlMsghdr+len(msg.Data))
	binary.NativeEndian.PutUint32(raw, uint32(unix.SizeofNlMsghdr+len(msg.Data)))
	binary.NativeEndian.PutUint16(raw[4:], msg.Header.Type)
	binary.NativeEndian.PutUint16(raw[6:], msg.Header.Flags)
	binary.NativeEndian.PutUint32(raw[8:], s.seq)
	binary.NativeEndian.PutUint32(raw[12:], s.port)
	return s.seq, unix.Sendto(s.fd, append(raw, msg.Data...), flags, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
}

// answerWait is how long Receive waits for an answer: go-libaudit's client
// sleeps 50 ms whenever there is none at once.
const answerWait = 20 * time.Millisecond

// Receive returns the next answer of the kernel. Records that come before it
// are kept for the batched reads. parse gets the whole message.
func (s *eventSocket) Receive(nonBlocking bool, parse libaudit.NetlinkParser) (found []syscall.NetlinkMessage, err error) {
	for {
		n, rerr := s.receive(1, func(m message) {
			if m.typ >= firstEventType {
				s.keep(m)
				return
			}
			// The header lies in front of the data in the same buffer.
			found, err = parse(s.buf[:unix.SizeofNlMsghdr+len(m.data)])
		})
		if rerr != nil {
			return nil, rerr
		}
		if found != nil || err != nil {
			return found, err
		}
		if n > 0 {
			continue
		}
		timeout := -1
		if nonBlocking {
			timeout = int(answerWait / time.Millisecond)
		}
		ready, perr := unix.Poll([]unix.PollFd{{Fd: int32(s.fd), Events: unix.POLLIN}}, timeout)
		if perr != nil && !errors.Is(perr, unix.EINTR) {
			return nil, perr
		}
		if perr == nil && ready == 0 {
			return nil, unix.EAGAIN
		}
	}
}

func (s *eventSocket) keep(m message) {
	if len(s.stash) >= maxStash {
		s.lost++
		return
	}
	m.data = append([]byte(nil), m.data...)
	s.stash = append(s.stash, m)
}

// read hands the records that are there to use, the kept ones first. more says
// that there may be others.
func (s *eventSocket) read(use func(message)) (more bool, err error) {
	if len(s.stash) > 0 || s.lost > 0 {
		for _, m := range s.stash {
			use(m)
		}
		if s.stash = nil; s.lost > 0 {
			s.lost, err = 0, unix.ENOBUFS
		}
		return true, err
	}
	return s.netlinkSocket.read(use)
}

// Close closes the socket. go-libaudit's client calls it.
func (s *eventSocket) Close() error { return s.netlinkSocket.close() }
