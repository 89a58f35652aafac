// SPDX-License-Identifier: Apache-2.0

package pollset

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A Set waits until one of its descriptors is readable. They are looked at through
// an epoll instance that the runtime itself waits for, and only while somebody
// waits: the runtime would otherwise wake for every record that comes.
type Set struct {
	epfd  int
	file  *os.File // over epfd
	conn  syscall.RawConn
	waker int   // the descriptor that ends every wait
	timer int   // readable when the time of a wait is over
	fds   []int // the others
	armed bool  // the others are looked at
	found [4]unix.EpollEvent
}

// Open returns a set in which waker is always looked at. The caller closes it
// before its descriptors.
func Open(waker int) (_ *Set, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("make a set of descriptors: %w", err)
		}
	}()
	timer, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		return nil, err
	}
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, errors.Join(err, unix.Close(timer))
	}
	if err := unix.SetNonblock(epfd, true); err != nil { // or os.NewFile would not give it to the runtime
		return nil, errors.Join(err, unix.Close(timer), unix.Close(epfd))
	}
	p := &Set{epfd: epfd, file: os.NewFile(uintptr(epfd), "epoll"), waker: waker, timer: timer}
	if p.conn, err = p.file.SyscallConn(); err == nil {
		err = p.control(unix.EPOLL_CTL_ADD, waker, unix.EPOLLIN)
	}
	if err == nil {
		err = p.control(unix.EPOLL_CTL_ADD, timer, unix.EPOLLIN)
	}
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// Close ends the set, not what is in it. It may be called of nil.
func (p *Set) Close() error {
	if p == nil {
		return nil
	}
	return errors.Join(p.file.Close(), unix.Close(p.timer))
}

func (p *Set) control(op, fd int, events uint32) error {
	e := unix.EpollEvent{Events: events, Fd: int32(fd)}
	_, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(p.epfd), uintptr(op), uintptr(fd), uintptr(unsafe.Pointer(&e)), 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// setTimer makes the timer readable in d, and not before; never, where d is negative.
func (p *Set) setTimer(d time.Duration) error {
	var at unix.ItimerSpec // 0 means never
	if d >= 0 {
		at.Value = unix.NsecToTimespec(int64(max(d, 1)))
	}
	_, _, errno := unix.RawSyscall6(unix.SYS_TIMERFD_SETTIME, uintptr(p.timer), 0, uintptr(unsafe.Pointer(&at)), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// ready returns what is ready of the whole set, without waiting.
func (p *Set) ready() ([]unix.EpollEvent, error) {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.epfd), uintptr(unsafe.Pointer(&p.found[0])), uintptr(len(p.found)), 0, 0, 0)
	switch errno {
	case 0:
		return p.found[:n], nil
	case unix.EINTR:
		return nil, nil
	}
	return nil, errno
}

// Watch makes fds the descriptors that are waited for, beside the waker. One that was
// closed has left the set by itself.
func (p *Set) Watch(fds ...int) error {
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
func (p *Set) arm(on bool) error {
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

// Wait waits up to d until a descriptor is readable, without end where d is negative. woken says that the waker is.
func (p *Set) Wait(d time.Duration) (ready, woken bool, err error) {
	if err := p.arm(true); err != nil {
		return false, false, err
	}
	ready, woken, err = p.look(d)
	// The others must not wake anybody while what comes gathers.
	return ready, woken, errors.Join(err, p.arm(false))
}

// Rest waits for d, or until the waker is readable.
func (p *Set) Rest(d time.Duration) (woken bool, err error) {
	_, woken, err = p.look(d)
	return woken, err
}

// look waits up to d for what is armed.
func (p *Set) look(d time.Duration) (ready, woken bool, err error) {
	if err := p.setTimer(d); err != nil {
		return false, false, fmt.Errorf("wait for descriptors: %w", err)
	}
	var failed error
	over := false
	err = p.conn.Read(func(uintptr) bool {
		var found []unix.EpollEvent
		if found, failed = p.ready(); failed != nil {
			return true
		}
		for _, e := range found {
			over = over || int(e.Fd) == p.timer
			ready = ready || int(e.Fd) != p.timer
			woken = woken || int(e.Fd) == p.waker
		}
		return ready || over
	})
	if err = errors.Join(err, failed); err != nil {
		return false, false, fmt.Errorf("wait for descriptors: %w", err)
	}
	return ready, woken, nil
}
