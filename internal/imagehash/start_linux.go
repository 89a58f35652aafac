// SPDX-License-Identifier: Apache-2.0

// This file starts helpers, and reads what the kernel tells of the files that they
// looked at.

package imagehash

import (
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// maxStuck bounds the helpers that were killed and are still there: a read that the
// disk does not answer can not be ended.
const maxStuck = 4

// Starter starts helpers: the same program again, with the arguments Args.
type Starter struct {
	Args  []string
	notes int // inotify, -1 without; a plain descriptor: os.File would have reads of it wait
	stuck atomic.Int32
	buf   []byte
}

// NewStarter returns a starter, which is the [Watcher] of the helpers that it starts.
// Where the system has no more room for watches, err says so and there is no watcher;
// the starter works all the same.
func NewStarter(args ...string) (s *Starter, w Watcher, err error) {
	// What this process was started with must not be passed on.
	_ = unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC) // not before Linux 5.11
	s = &Starter{Args: args, notes: -1, buf: make([]byte, 16<<10)}
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		return s, nil, fmt.Errorf("watch for changes of programs: %w", err)
	}
	s.notes = fd
	return s, s, nil
}

// child is a helper that runs.
type child struct {
	*os.File
	end func()
}

// Close ends the helper.
func (c *child) Close() error {
	err := c.File.Close()
	c.end()
	return err
}

// spawn makes the process of a helper that talks through talk.
func (s *Starter) spawn(talk int) (*os.Process, error) {
	none, err := unix.Open(os.DevNull, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(none)
	null := uintptr(none)
	pid, err := syscall.ForkExec("/proc/self/exe", append([]string{"seismo"}, s.Args...), &syscall.ProcAttr{
		Dir:   "/",
		Env:   []string{"GOMAXPROCS=1", "GOGC=50", "GOTRACEBACK=none"},
		Files: []uintptr{null, null, null, uintptr(talk), uintptr(s.notes)},
		// A session of its own: what a terminal sends to stop the recorder is not
		// for the helper, which ends with its socket.
		Sys: &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setsid: true},
	})
	if err != nil {
		return nil, err
	}
	return os.FindProcess(pid)
}

// Start starts a helper. One that could not confine itself is not started.
func (s *Starter) Start() (Helper, error) {
	if err := Unconfined(); err != nil {
		return nil, fmt.Errorf("start the hash helper: %w", err)
	}
	if s.stuck.Load() >= maxStuck {
		return nil, fmt.Errorf("%d helpers were killed and do not end", maxStuck)
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("start the hash helper: %w", err)
	}
	defer unix.Close(pair[1])
	if err := unix.SetNonblock(pair[0], true); err != nil {
		return nil, errors.Join(err, unix.Close(pair[0]))
	}
	ours := os.NewFile(uintptr(pair[0]), "hash helper")
	type result struct {
		p   *os.Process
		err error
	}
	started := make(chan result, 1)
	ended := make(chan struct{})
	s.stuck.Add(1)
	go func() {
		// The kernel kills a child when the thread that made it ends: this one
		// stays for as long as the child runs.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(ended)
		defer s.stuck.Add(-1)
		p, err := s.spawn(pair[1])
		started <- result{p, err}
		if err == nil {
			p.Wait()
		}
	}()
	r := <-started
	if r.err != nil {
		ours.Close()
		return nil, fmt.Errorf("start the hash helper: %w", r.err)
	}
	return &child{File: ours, end: func() {
		select {
		case <-ended: // it ended with its socket
			return
		case <-time.After(endsAfter):
		}
		r.p.Kill()
		select {
		case <-ended:
		case <-time.After(endsAfter): // a file system holds it
		}
	}}, nil
}

// endsAfter is how long is waited for a helper to end, once its socket is closed and
// once it is killed.
const endsAfter = 500 * time.Millisecond

// Changed calls f with the watch of each file that changed since the last call.
func (s *Starter) Changed(f func(watch int32)) (lost bool) {
	for {
		n, errno := s.readNotes()
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 || n < unix.SizeofInotifyEvent {
			return lost || errno != 0 && errno != unix.EAGAIN
		}
		lost = eachChange(s.buf[:n], f) || lost
	}
}

// readNotes reads what the kernel has to tell. It is asked with every batch of programs
// and never waits, so the Go runtime is not told: it would wake its monitor each time to
// see that the call ends, which cost more than all the rest of a known program's hash.
func (s *Starter) readNotes() (int, syscall.Errno) {
	n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(s.notes), uintptr(unsafe.Pointer(&s.buf[0])), uintptr(len(s.buf)))
	return int(n), errno
}

// eachChange reads events as inotify(7) gives them.
func eachChange(b []byte, f func(watch int32)) (lost bool) {
	for len(b) >= unix.SizeofInotifyEvent {
		number, mask, size := int32(le.Uint32(b)), le.Uint32(b[4:]), le.Uint32(b[12:])
		switch {
		case mask&unix.IN_Q_OVERFLOW != 0:
			lost = true
		case mask&^unix.IN_IGNORED != 0: // alone it is the end of a watch that was ended
			f(number)
		}
		b = b[min(unix.SizeofInotifyEvent+int(size), len(b)):]
	}
	return lost
}

// Forget ends a watch.
func (s *Starter) Forget(number int32) {
	_, _ = unix.InotifyRmWatch(s.notes, uint32(number)) // one whose file is gone has ended
}

// Close ends all watches.
func (s *Starter) Close() error { return unix.Close(s.notes) }
