// SPDX-License-Identifier: Apache-2.0

// This file finds the process that has a socket open, by the links below
// /proc/PID/fd.

package dns

import (
	"fmt"
	"slices"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// maxHot bounds the processes that are looked at first: those that asked before.
	maxHot = 16
	// nearFDs is how far around the descriptor that a process used last is looked first:
	// the kernel gives the lowest number that is free.
	nearFDs = 8
	// maxLinks bounds the links that one look through all processes reads.
	maxLinks = 50_000
	// resolverTime is how old the list of local name servers may be.
	resolverTime = 10 * time.Second
)

// hot is a process that asked, and the descriptor it used.
type hot struct{ pid, fd int32 }

// finder looks for sockets in processes. One goroutine uses it.
type finder struct {
	proc      int // descriptor of /proc
	diag      *diag
	hot       []hot // the latest first
	resolvers map[int32]bool
	servers   []uint32 // inodes of the sockets on port 53, in order
	looked    time.Time
	buf       [8 << 10]byte
	links     int
}

func openFinder() (*finder, error) {
	d, err := openDiag()
	if err != nil {
		return nil, err
	}
	fd, err := unix.Open("/proc", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		_ = d.close() // nothing was written to it
		return nil, fmt.Errorf("open /proc: %w", err)
	}
	return &finder{proc: fd, diag: d}, nil
}

func (f *finder) close() {
	_ = f.diag.close() // neither has anything to lose
	_ = unix.Close(f.proc)
}

// near looks in the processes that asked before, close to the descriptor they used.
// It removes from want, inode to user, what it finds, and calls each with it.
func (f *finder) near(want map[uint32]uint32, each func(inode uint32, pid int32)) {
	for i := 0; i < len(f.hot) && len(want) > 0; i++ {
		h := f.hot[i]
		base := strconv.AppendInt(nil, int64(h.pid), 10)
		base = append(base, "/fd/"...)
		for fd := max(h.fd-nearFDs, 0); fd <= h.fd+nearFDs && len(want) > 0; fd++ {
			inode, ok := f.link(f.proc, string(strconv.AppendInt(base, int64(fd), 10)))
			if _, wanted := want[inode]; ok && wanted {
				delete(want, inode)
				f.hot[i].fd = fd
				each(inode, h.pid)
			}
		}
	}
}

// everywhere looks in all processes: those of the users that the sockets are of first,
// the newest first.
func (f *finder) everywhere(want map[uint32]uint32, each func(inode uint32, pid int32)) {
	f.links = 0
	pids := f.pids()
	users := make(map[uint32]bool)
	for _, uid := range want {
		users[uid] = true
	}
	for _, ofUsers := range []bool{true, false} {
		for _, pid := range pids {
			if len(want) == 0 || f.links >= maxLinks {
				return
			}
			var st unix.Stat_t
			if unix.Fstatat(f.proc, strconv.Itoa(int(pid)), &st, 0) != nil || users[st.Uid] != ofUsers {
				continue
			}
			f.scan(pid, func(fd int32, inode uint32) {
				if _, wanted := want[inode]; wanted {
					delete(want, inode)
					f.heat(hot{pid, fd})
					each(inode, pid)
				}
			})
		}
	}
}

// heat puts h in front of the processes that are looked at first.
func (f *finder) heat(h hot) {
	f.hot = slices.DeleteFunc(f.hot, func(o hot) bool { return o.pid == h.pid })
	if len(f.hot) >= maxHot {
		f.hot = f.hot[:maxHot-1]
	}
	f.hot = slices.Insert(f.hot, 0, h)
}

// pids returns the processes that run, the highest number first.
func (f *finder) pids() []int32 {
	var pids []int32
	f.names(f.proc, func(name string) {
		if pid, err := strconv.ParseInt(name, 10, 32); err == nil {
			pids = append(pids, int32(pid))
		}
	})
	slices.Sort(pids)
	slices.Reverse(pids)
	return pids
}

// scan calls each with the sockets that process pid has open. One that has ended has
// none.
func (f *finder) scan(pid int32, each func(fd int32, inode uint32)) {
	dir, err := unix.Openat(f.proc, strconv.Itoa(int(pid))+"/fd", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer unix.Close(dir)
	f.names(dir, func(name string) {
		fd, err := strconv.ParseInt(name, 10, 32)
		if err != nil || f.links >= maxLinks {
			return
		}
		f.links++
		if inode, ok := f.link(dir, name); ok {
			each(int32(fd), inode)
		}
	})
}

// names calls each with the names in a directory.
func (f *finder) names(dir int, each func(string)) {
	if _, err := unix.Seek(dir, 0, 0); err != nil {
		return
	}
	var names []string
	for {
		n, err := unix.ReadDirent(dir, f.buf[:])
		if err != nil || n <= 0 {
			return
		}
		_, _, names = unix.ParseDirent(f.buf[:n], -1, names[:0])
		for _, name := range names {
			each(name)
		}
	}
}

// link reads the link of a descriptor and returns the inode of the socket it is.
func (f *finder) link(dir int, name string) (inode uint32, ok bool) {
	path, err := unix.BytePtrFromString(name)
	if err != nil {
		return 0, false
	}
	var text [64]byte
	// It does not wait, so the runtime need not know of it (internal/pollset).
	n, _, errno := unix.RawSyscall6(unix.SYS_READLINKAT, uintptr(dir), uintptr(unsafe.Pointer(path)),
		uintptr(unsafe.Pointer(&text[0])), uintptr(len(text)), 0, 0)
	const head = "socket:["
	if errno != 0 || n < uintptr(len(head)+2) || string(text[:len(head)]) != head {
		return 0, false
	}
	v, err := strconv.ParseUint(string(text[len(head):n-1]), 10, 32)
	return uint32(v), err == nil
}

// stale reports whether it is time to look for the local name servers again.
func (f *finder) stale(now time.Time) bool { return now.Sub(f.looked) >= resolverTime }

// lookForServers finds out which processes are name servers of this host: they have a
// socket on port 53. A change makes a new map.
func (f *finder) lookForServers(now time.Time) {
	f.looked = now
	var servers []uint32
	want := make(map[uint32]uint32)
	err := f.diag.bound(port, func(s socket) {
		if s.inode != 0 && len(servers) < maxHot*4 {
			servers = append(servers, s.inode)
			want[s.inode] = s.uid
		}
	})
	slices.Sort(servers)
	if err != nil || slices.Equal(servers, f.servers) {
		return // as before, as far as can be known
	}
	f.servers, f.resolvers = servers, make(map[int32]bool)
	kept := slices.Clone(f.hot) // servers are not those that ask
	f.everywhere(want, func(_ uint32, pid int32) { f.resolvers[pid] = true })
	f.hot = kept
}
