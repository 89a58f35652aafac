// SPDX-License-Identifier: Apache-2.0

// This file waits for packets through the Go runtime. A thread that blocks in poll(2) by
// itself has the runtime's monitor wake up to take its processor away, and look what
// happens every 20 µs for a while: at 10 queries a second that cost more than all that is
// done with them.

package dns

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// packetWait waits for a packet socket, or until the reader is to end. Both are looked at
// through an epoll instance that the runtime waits for, the socket only while somebody
// waits: each packet would otherwise wake the runtime even while we pause.
type packetWait struct {
	epfd    int
	file    *os.File // over epfd
	conn    syscall.RawConn
	fd, end int
	found   [2]unix.EpollEvent
}

// openPacketWait waits for fd and end, which it does not own.
func openPacketWait(fd, end int) (_ *packetWait, err error) {
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make a set of descriptors: %w", err)
	}
	if err := unix.SetNonblock(epfd, true); err != nil { // or os.NewFile would not give it to the runtime
		return nil, errors.Join(fmt.Errorf("make a set of descriptors: %w", err), unix.Close(epfd))
	}
	w := &packetWait{epfd: epfd, file: os.NewFile(uintptr(epfd), "epoll"), fd: fd, end: end}
	w.conn, err = w.file.SyscallConn()
	if err == nil {
		err = w.control(unix.EPOLL_CTL_ADD, end, unix.EPOLLIN)
	}
	if err == nil {
		err = w.control(unix.EPOLL_CTL_ADD, fd, unix.EPOLLONESHOT)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make a set of descriptors: %w", err), w.file.Close())
	}
	return w, nil
}

func (w *packetWait) close() error { return w.file.Close() }

// control changes the set. It never waits, as wait does not where it asks what is ready:
// the runtime, which would wake its monitor to see that a call ends, is not told.
func (w *packetWait) control(op, fd int, events uint32) error {
	e := unix.EpollEvent{Events: events, Fd: int32(fd)}
	_, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(w.epfd), uintptr(op), uintptr(fd), uintptr(unsafe.Pointer(&e)), 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// wait waits until a packet is there, or until the reader is to end, which ended says.
func (w *packetWait) wait() (ended bool, err error) {
	// The kernel takes the socket out of the set with the first packet that it tells.
	if err := w.control(unix.EPOLL_CTL_MOD, w.fd, unix.EPOLLIN|unix.EPOLLONESHOT); err != nil {
		return false, fmt.Errorf("wait for packets: %w", err)
	}
	var failed error
	err = w.conn.Read(func(uintptr) bool {
		n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(w.epfd), uintptr(unsafe.Pointer(&w.found[0])), uintptr(len(w.found)), 0, 0, 0)
		if errno == unix.EINTR {
			return true // the reader looks, and comes back
		}
		if errno != 0 {
			failed = errno
			return true
		}
		for _, e := range w.found[:n] {
			ended = ended || int(e.Fd) == w.end
		}
		return n > 0
	})
	if err = errors.Join(err, failed); err != nil {
		return false, fmt.Errorf("wait for packets: %w", err)
	}
	return ended, nil
}
