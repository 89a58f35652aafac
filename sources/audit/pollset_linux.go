// SPDX-License-Identifier: Apache-2.0

// This file waits for descriptors through the Go runtime. A thread that blocks in
// ppoll(2) by itself keeps its place in the scheduler until the runtime's monitor
// takes it away, and the monitor then looks every 20 µs for a while: at 40 waits a
// second that was a fifth of the recorder's processor time. A goroutine that the
// runtime parks costs none of it.

package audit

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// pollset waits until one of its descriptors is readable. They are looked at through
// an epoll instance that the runtime itself waits for, and only while somebody
// waits: the runtime would otherwise wake for every record that comes.
type pollset struct {
	epfd  int
	file  *os.File // over epfd
	conn  syscall.RawConn
	waker int   // the descriptor that ends every wait
	fds   []int // the others
	armed bool  // the others are looked at
}

// openPollset returns a set in which waker is always looked at. The caller closes it
// before its descriptors.
func openPollset(waker int) (*pollset, error) {
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make a set of descriptors: %w", err)
	}
	if err := unix.SetNonblock(epfd, true); err != nil { // or os.NewFile would not give it to the runtime
		return nil, errors.Join(fmt.Errorf("make a set of descriptors: %w", err), unix.Close(epfd))
	}
	p := &pollset{epfd: epfd, file: os.NewFile(uintptr(epfd), "epoll"), waker: waker}
	if p.conn, err = p.file.SyscallConn(); err == nil {
		err = p.control(unix.EPOLL_CTL_ADD, waker, unix.EPOLLIN)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make a set of descriptors: %w", err), p.file.Close())
	}
	return p, nil
}

func (p *pollset) close() error { return p.file.Close() }

func (p *pollset) control(op, fd int, events uint32) error {
	return unix.EpollCtl(p.epfd, op, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)})
}

// watch makes fds the descriptors that are waited for, beside the waker. One that was
// closed has left the set by itself.
func (p *pollset) watch(fds ...int) error {
	if slices.Equal(fds, p.fds) {
		return nil
	}
	for _, fd := range p.fds {
		err := p.control(unix.EPOLL_CTL_DEL, fd, 0)
		if err != nil && !errors.Is(err, unix.EBADF) && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("wait no longer for descriptor %d: %w", fd, err)
		}
	}
	p.fds = append(p.fds[:0], fds...)
	for _, fd := range fds {
		if err := p.control(unix.EPOLL_CTL_ADD, fd, unix.EPOLLONESHOT); err != nil {
			return fmt.Errorf("wait for descriptor %d: %w", fd, err)
		}
	}
	p.armed = false
	return nil
}

// arm has the descriptors beside the waker looked at, once, or not.
func (p *pollset) arm(on bool) error {
	events := uint32(unix.EPOLLONESHOT)
	if on {
		events |= unix.EPOLLIN
	}
	for _, fd := range p.fds {
		if err := p.control(unix.EPOLL_CTL_MOD, fd, events); err != nil {
			return fmt.Errorf("wait for descriptor %d: %w", fd, err)
		}
	}
	p.armed = on
	return nil
}

// wait waits up to d until a descriptor is readable. woken says that the waker is.
func (p *pollset) wait(d time.Duration) (ready, woken bool, err error) {
	if err := p.arm(true); err != nil {
		return false, false, err
	}
	ready, woken, err = p.look(d)
	// The others must not wake anybody while what comes gathers.
	return ready, woken, errors.Join(err, p.arm(false))
}

// rest waits for d, or until the waker is readable.
func (p *pollset) rest(d time.Duration) (woken bool, err error) {
	_, woken, err = p.look(d)
	return woken, err
}

// look waits up to d for what is armed.
func (p *pollset) look(d time.Duration) (ready, woken bool, err error) {
	if err := p.file.SetReadDeadline(time.Now().Add(max(d, 0))); err != nil {
		return false, false, fmt.Errorf("wait for audit records: %w", err)
	}
	var found [4]unix.EpollEvent
	var failed error
	err = p.conn.Read(func(uintptr) bool {
		n, err := unix.EpollWait(p.epfd, found[:], 0)
		if err != nil && !errors.Is(err, unix.EINTR) {
			failed = err
			return true
		}
		for _, e := range found[:max(n, 0)] {
			ready = true
			woken = woken || int(e.Fd) == p.waker
		}
		return ready
	})
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return false, false, nil
	}
	if err = errors.Join(err, failed); err != nil {
		return false, false, fmt.Errorf("wait for audit records: %w", err)
	}
	return ready, woken, nil
}
