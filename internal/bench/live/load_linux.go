// SPDX-License-Identifier: Apache-2.0

// This file is the load: a process of its own that does what it is told and says
// what it did. What it does and what is expected of that is in load.go.

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// runLoad reads an order from in, does it, and writes to out what was done.
func runLoad(in io.Reader, out io.Writer) error {
	var o order
	if err := json.NewDecoder(in).Decode(&o); err != nil {
		return fmt.Errorf("read the order: %w", err)
	}
	m, err := modeOf(o.Mode)
	if err != nil {
		return err
	}
	l := &load{order: o, mode: m}
	if len(m.Ops) == 0 {
		time.Sleep(time.Duration(o.Seconds * float64(time.Second)))
		return json.NewEncoder(out).Encode(done{Seconds: o.Seconds})
	}
	if err := l.listen(); err != nil {
		return fmt.Errorf("open the socket that is connected to: %w", err)
	}
	d, err := l.run()
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(d)
}

// load is one run of a mode.
type load struct {
	order
	mode     mode
	listener int
	port     uint16
	next     atomic.Int64 // the serial number that is due next

	mu    sync.Mutex
	peers []uint16
	began []int64
	late  time.Duration
	err   error
}

// workers do operations side by side, so that one that is held up by the kernel does
// not hold up the next.
const workers = 2

// overtime is how often as long as ordered a load may take that does not reach its
// rate.
const overtime = 3

// run does the operations. They begin at times that are fixed from the start: one
// that is late makes none after it later.
func (l *load) run() (done, error) {
	total, limit := int64(1)<<40, time.Duration(l.Seconds*float64(time.Second))
	if l.mode.Rate > 0 {
		total, limit = int64(l.Seconds*l.mode.Rate), overtime*limit
	}
	cpu := usedByUs()
	start := time.Now()
	clock := monotonic()
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			runtime.LockOSThread() // it sleeps in the kernel, and ends with its thread
			l.failed(withoutChildSignals())
			var buf [64]byte
			for time.Since(start) <= limit && !l.failed(nil) { // what is taken up is done
				n := l.next.Add(1) - 1
				if n >= total {
					return
				}
				if l.mode.Rate > 0 {
					due := clock + int64(float64(n)/l.mode.Rate*1e9)
					sleepUntil(due)
					l.noteLate(time.Duration(monotonic() - due))
				}
				l.failed(l.do(int(n), buf[:]))
			}
		})
	}
	wg.Wait()
	if l.err != nil {
		return done{}, l.err
	}
	took := time.Since(start)
	return done{Ops: int(min(l.next.Load(), total)), Seconds: took.Seconds(), CPU: usedByUs() - cpu, Late: int64(l.late),
		Port: l.port, Peers: l.peers, Began: l.began}, nil
}

// withoutChildSignals keeps the signal that a program has ended from this thread: a
// call that it breaks off is begun again, and recorded twice.
func withoutChildSignals() error {
	var set unix.Sigset_t
	set.Val[0] = 1 << (unix.SIGCHLD - 1)
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &set, nil); err != nil {
		return fmt.Errorf("block SIGCHLD: %w", err)
	}
	return nil
}

// failed notes err, if it is the first, and reports whether there is one.
func (l *load) failed(err error) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.err = err
	}
	return l.err != nil
}

func (l *load) noteLate(by time.Duration) {
	l.mu.Lock()
	l.late = max(l.late, by)
	l.mu.Unlock()
}

func (l *load) do(n int, buf []byte) error {
	switch l.mode.op(n) {
	case opConn:
		return l.connect(n)
	case opFile:
		return l.file(n, buf)
	case opTrue:
		return l.start("/bin/true", n)
	case opFork:
		return l.start(l.Fork, n)
	}
	return l.start(l.Tiny, n)
}

// start runs a program with the mark and the serial number, and waits for its end.
// syscall.ForkExec shares our memory with the child until it runs the program.
func (l *load) start(program string, n int) error {
	if l.Times {
		l.mu.Lock()
		for len(l.began) <= n {
			l.began = append(l.began, 0)
		}
		l.began[n] = time.Now().UnixNano()
		l.mu.Unlock()
	}
	pid, err := syscall.ForkExec(program, []string{program, l.Mark, strconv.Itoa(n)}, &syscall.ProcAttr{})
	if err != nil {
		return fmt.Errorf("start %s: %w", program, err)
	}
	var status unix.WaitStatus
	for {
		_, err = unix.Wait4(pid, &status, 0, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err == nil && status.ExitStatus() != 0 {
		err = fmt.Errorf("status %#x", int(status))
	}
	if err != nil {
		return fmt.Errorf("run %s: %w", program, err)
	}
	return nil
}

// listen opens the socket that all connections go to, whatever address below 127.
func (l *load) listen() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{}); err != nil {
		return err
	}
	if err := unix.Listen(fd, 128); err != nil {
		return err
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		return err
	}
	l.listener, l.port = fd, uint16(name.(*unix.SockaddrInet4).Port)
	return nil
}

// connect makes a connection to the address of the serial number and takes one. Both
// ends are closed with a reset, so that no ports stay behind.
func (l *load) connect(n int) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("make a socket: %w", err)
	}
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: int(l.port), Addr: addressOf(n)}); err != nil {
		return fmt.Errorf("connect to %v:%d: %w", addressOf(n), l.port, err)
	}
	other, from, err := unix.Accept4(l.listener, unix.SOCK_CLOEXEC)
	if err != nil {
		return fmt.Errorf("accept: %w", err)
	}
	l.mu.Lock()
	l.peers = append(l.peers, uint16(from.(*unix.SockaddrInet4).Port))
	l.mu.Unlock()
	reset := unix.Linger{Onoff: 1}
	return errors.Join(unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &reset),
		unix.SetsockoptLinger(other, unix.SOL_SOCKET, unix.SO_LINGER, &reset), unix.Close(fd), unix.Close(other))
}

// file makes, writes, renames and removes a file in the watched folder.
func (l *load) file(n int, buf []byte) error {
	from := filepath.Join(l.Watched, fileName(l.Mark, n, false))
	to := filepath.Join(l.Watched, fileName(l.Mark, n, true))
	fd, err := unix.Open(from, unix.O_CREAT|unix.O_WRONLY|unix.O_TRUNC|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return fmt.Errorf("create %s: %w", from, err)
	}
	_, err = unix.Write(fd, buf)
	if err := errors.Join(err, unix.Close(fd), unix.Rename(from, to), unix.Unlink(to)); err != nil {
		return fmt.Errorf("write, rename and remove %s: %w", from, err)
	}
	return nil
}

// usedByUs returns the processor time of this process and of those it waited for, in
// nanoseconds.
func usedByUs() (sum int64) {
	for _, who := range []int{unix.RUSAGE_SELF, unix.RUSAGE_CHILDREN} {
		var u unix.Rusage
		if unix.Getrusage(who, &u) == nil {
			sum += u.Utime.Nano() + u.Stime.Nano()
		}
	}
	return sum
}

func monotonic() int64 {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &t) != nil {
		return 0
	}
	return t.Nano()
}

// sleepUntil sleeps until the monotonic clock shows at. The runtime's own timers
// are of a millisecond where nothing else runs, which is too coarse here.
func sleepUntil(at int64) {
	t := unix.NsecToTimespec(at)
	for errors.Is(unix.ClockNanosleep(unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, &t, nil), unix.EINTR) {
	}
}
