// SPDX-License-Identifier: Apache-2.0

// This file is told when something is mounted or unmounted. What is done then is in
// mounts_linux.go.

package audit

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// leastMountRest is the time between two looks at the mounts, each time twice as
	// long while changes go on, and mountEvery the longest: thousands can be made in one
	// second.
	leastMountRest = 10 * time.Millisecond
	mountEvery     = time.Second
	// noticeTime is what it takes until a change is noticed: the wake-up of a thread on
	// a busy host, and a step of the coarse clock that records are stamped with.
	noticeTime = 20 * time.Millisecond
)

// mountNotice waits for changes of the mounts of this mount namespace. The kernel marks
// the file of them readable in a special way when one is made or taken away (fs/proc_namespace.c,
// mounts_poll): between changes nothing runs. The runtime waits for the file, not
// pollset: the kernel tells of a change once for each open file, and of two sets, one in
// the other, the outer one would take the news.
type mountNotice struct {
	file *os.File
	conn syscall.RawConn
	from atomic.Int64 // since when mounts may have changed, Unix time, nanoseconds; 0: they have not
	stop chan struct{}
	once sync.Once
	done chan struct{}
}

// openMountNotice begins to wait. wake is called from another goroutine when from is set.
func openMountNotice(wake func()) (*mountNotice, error) {
	fd, err := unix.Open("/proc/self/mountinfo", unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("watch what is mounted: %w", err)
	}
	n := &mountNotice{file: os.NewFile(uintptr(fd), "/proc/self/mountinfo"), stop: make(chan struct{}), done: make(chan struct{})}
	if n.conn, err = n.file.SyscallConn(); err != nil {
		n.file.Close()
		return nil, fmt.Errorf("watch what is mounted: %w", err)
	}
	go n.wait(wake)
	return n, nil
}

// wait notes changes until close.
func (n *mountNotice) wait(wake func()) {
	defer close(n.done)
	first, rest := true, leastMountRest
	var last time.Time
	// One call for all of the time: a new one would forget what has come before it.
	n.conn.Read(func(uintptr) bool { // ends by close
		if first {
			first = false
			return false
		}
		now := time.Now()
		from := now.Add(-noticeTime)
		if now.Sub(last) < rest+noticeTime {
			from = last.Add(-noticeTime) // it came while nobody looked
		}
		if rest = min(2*rest, mountEvery); now.Sub(last) >= 2*mountEvery {
			rest = leastMountRest
		}
		last = now
		n.from.CompareAndSwap(0, from.UnixNano())
		wake()
		select {
		case <-n.stop:
			return true
		case <-time.After(rest):
			return false
		}
	})
}

// again has the mounts looked at once more, in a second.
func (n *mountNotice) again(wake func()) {
	from := time.Now().UnixNano()
	time.AfterFunc(mountEvery, func() {
		n.from.CompareAndSwap(0, from)
		wake()
	})
}

// close ends the wait. It may be called twice.
func (n *mountNotice) close() {
	if n == nil {
		return
	}
	n.once.Do(func() {
		close(n.stop)
		n.file.Close()
		<-n.done
	})
}
