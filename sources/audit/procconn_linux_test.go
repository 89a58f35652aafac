// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"seismo/internal/event"
)

// procMessage builds a message of the process event connector; words are those
// of the event's union.
func procMessage(what uint32, time uint64, words ...uint32) message {
	raw := make([]byte, procUnion+24)
	binary.NativeEndian.PutUint32(raw[cnIndex:], cnIdxProc)
	binary.NativeEndian.PutUint32(raw[procWhat:], what)
	binary.NativeEndian.PutUint64(raw[procTime:], time)
	for i, w := range words {
		binary.NativeEndian.PutUint32(raw[procUnion+4*i:], w)
	}
	return message{data: raw[unix.SizeofNlMsghdr:]}
}

func fork(time uint64, parent, child, thread uint32) message {
	return procMessage(procEventFork, time, parent, parent, thread, child)
}

func exit(time uint64, pid, thread, status uint32) message {
	return procMessage(procEventExit, time, thread, pid, status)
}

func execMessage(time uint64, pid uint32) message {
	return procMessage(procEventExec, time, pid, pid)
}

func TestProcConnectorTake(t *testing.T) {
	tests := []struct {
		name  string
		in    []message
		until int64 // exits up to here, by the clock of the messages, are released at the end
		want  string
	}{
		{"a fork and an end with a code", []message{fork(1, 10, 20, 20), exit(2, 20, 20, 3<<8)}, 0, "fork 20 of 10 at 101; end 20 with 3 at 102"},
		{"an end by a signal, with and without a core", []message{exit(1, 20, 20, 9), exit(2, 21, 21, 0x80|11)}, 0, "end 20 with 137 at 101; end 21 with 139 at 102"},
		{"threads are not told", []message{fork(1, 10, 10, 11), exit(2, 10, 11, 1<<8)}, 99, ""},
		{"an end with code 0 is held", []message{exit(1, 20, 20, 0)}, 0, ""},
		{"and released", []message{exit(1, 20, 20, 0)}, 1, "end 20 with 0 at 101"},
		{"an exec after it: a thread took the leader's place", []message{exit(1, 20, 20, 0), execMessage(2, 20)}, 999, "exec 20 at 102"},
		{"the exec of another process does not matter", []message{exit(1, 20, 20, 0), execMessage(2, 21)}, 999, "exec 21 at 102; end 20 with 0 at 101"},
		{"a fork that uses the pid again comes after the end", []message{exit(1, 20, 20, 0), fork(2, 10, 20, 20)}, 0, "end 20 with 0 at 101; fork 20 of 10 at 102"},
		{"another kind of event", []message{procMessage(4, 1, 20, 20)}, 999, ""},
		{"a message that is cut", []message{{data: exit(1, 20, 20, 5<<8).data[:40]}}, 999, ""},
		{"nothing at all", []message{{}}, 999, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := &procConnector{offset: 100}
			var changes []event.Change
			for _, m := range tt.in {
				changes = p.take(changes, m)
			}
			changes = p.release(changes, tt.until)
			var got []string
			for _, c := range changes {
				if c.Exec {
					got = append(got, fmt.Sprintf("exec %d at %d", c.PID, c.Time))
				} else if c.Exit {
					got = append(got, fmt.Sprintf("end %d with %d at %d", c.PID, c.Code, c.Time))
				} else {
					got = append(got, fmt.Sprintf("fork %d of %d at %d", c.PID, c.Parent, c.Time))
				}
			}
			if text := strings.Join(got, "; "); text != tt.want {
				t.Errorf("changes = %q, want %q", text, tt.want)
			}
		})
	}
}

// The clock is set back by an hour while exits are held: neither they nor those
// after them wait for that hour.
func TestProcConnectorHoldsThroughAClockStep(t *testing.T) {
	p := &procConnector{offset: 7200e9}
	changes := p.take(nil, exit(1e9, 20, 20, 0))
	p.offset -= 3600e9
	changes = p.take(changes, exit(2e9, 21, 21, 0))
	changes = p.release(changes, 2e9)
	if len(p.held) != 0 || len(changes) != 2 {
		t.Fatalf("after the hold %d exits are told and %d held; want 2 and 0", len(changes), len(p.held))
	}
	for i, want := range []int64{3601e9, 3602e9} { // by the clock as it is now
		if got := changes[i].Time; got != want {
			t.Errorf("exit %d is stamped %d; want %d", i, got, want)
		}
	}
}

func TestProcConnectorClock(t *testing.T) {
	var p procConnector
	mono := p.setClock()
	if wall := time.Now().UnixNano(); mono+p.offset > wall+1e9 || mono+p.offset < wall-60e9 {
		t.Errorf("the monotonic clock and its offset make %d; the wall clock says %d", mono+p.offset, wall)
	}
}

func FuzzProcConnectorTake(f *testing.F) {
	f.Add(exit(1, 20, 20, 0).data)
	f.Add(fork(1, 10, 20, 20).data)
	f.Fuzz(func(t *testing.T, data []byte) {
		p := &procConnector{}
		changes := p.take(nil, message{data: data})
		if n := len(changes) + len(p.held); n > 1 {
			t.Errorf("one message made %d changes", n)
		}
	})
}

// What another program sends to our socket is not believed; what the kernel
// sends is.
func TestNetlinkSocketBelievesTheKernelOnly(t *testing.T) {
	s, _, err := openNetlink(unix.NETLINK_ROUTE, 0, 4, maxMessage, 1<<16)
	if err != nil {
		t.Skipf("NOT RUN, no netlink socket: %v", err)
	}
	defer s.close()
	other, _, err := openNetlink(unix.NETLINK_ROUTE, 0, 1, maxMessage, 1<<16)
	if err != nil {
		t.Fatal(err)
	}
	defer other.close()
	forged := make([]byte, unix.SizeofNlMsghdr+4)
	binary.NativeEndian.PutUint32(forged, uint32(len(forged)))
	binary.NativeEndian.PutUint16(forged[4:], 1300)
	if err := unix.Sendto(other.fd, forged, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Pid: s.port}); err != nil {
		t.Skipf("NOT RUN, the kernel does not let one program send to another: %v", err)
	}
	request := make([]byte, unix.SizeofNlMsghdr+unix.SizeofRtGenmsg)
	binary.NativeEndian.PutUint32(request, uint32(len(request)))
	binary.NativeEndian.PutUint16(request[4:], unix.RTM_GETLINK)
	binary.NativeEndian.PutUint16(request[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	if err := unix.Sendto(s.fd, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		t.Fatal(err)
	}
	var types []uint16
	read := 0
	for range 100 {
		n, err := s.receive(4, func(m message) { types = append(types, m.typ) })
		if err != nil {
			t.Fatal(err)
		}
		if read += n; n == 0 {
			break
		}
	}
	if slices.Contains(types, 1300) || !slices.Contains(types, unix.RTM_NEWLINK) || read <= len(types) {
		t.Errorf("%d messages read, types %v given; want the forged one read and not given, and the kernel's answer", read, types)
	}
}

// Answers reach go-libaudit's client; the records between them are kept.
func TestEventSocketKeepsRecords(t *testing.T) {
	s := &eventSocket{netlinkSocket: &netlinkSocket{}}
	for i := range maxStash + 3 {
		s.keep(message{typ: 1300, data: []byte{byte(i)}})
	}
	if len(s.stash) != maxStash || s.lost != 3 {
		t.Errorf("%d records kept, %d lost; want %d and 3", len(s.stash), s.lost, maxStash)
	}
	var got []byte
	more, err := s.read(func(m message) { got = append(got, m.data...) })
	if len(got) != maxStash || got[5] != 5 || !more || !errors.Is(err, unix.ENOBUFS) || len(s.stash) != 0 || s.lost != 0 {
		t.Errorf("read gave %d records, %v, %v; want the kept ones, in order, more, and that some were dropped", len(got), more, err)
	}
}

// A descriptor of this process resolves by device and inode, and nothing else
// does.
func TestDirResolver(t *testing.T) {
	path := t.TempDir()
	dir, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := dir.Stat()
	if err != nil {
		t.Fatal(err)
	}
	st := info.Sys().(*syscall.Stat_t)
	dev := fmt.Sprintf("%02x:%02x", unix.Major(st.Dev), unix.Minor(st.Dev))
	pid, fd := int32(os.Getpid()), int32(dir.Fd())
	r := newDirResolver()
	check := func(name string, pid, fd int32, dev string, inode uint64, want string) {
		t.Helper()
		got, ok := r.resolve(pid, fd, dev, inode)
		if got != want || ok != (want != "") {
			t.Errorf("%s: resolve(%d, %d, %s, %d) = %q, %v; want %q", name, pid, fd, dev, inode, got, ok, want)
		}
	}
	check("another inode", pid, fd, dev, st.Ino+1, "")
	check("another device", pid, fd, "ff:fe", st.Ino, "")
	check("no device to check by", pid, fd, "", st.Ino, "")
	check("a process that is gone", 1<<30, fd, dev, st.Ino, "")
	check("the descriptor", pid, fd, dev, st.Ino, path)
	check("a process that is gone, of a directory that is known", 1<<30, fd, dev, st.Ino, path)
	moved := filepath.Join(t.TempDir(), "moved")
	if err := os.Rename(path, moved); err != nil {
		t.Fatal(err)
	}
	check("a directory that was renamed", pid, fd, dev, st.Ino, moved)
	for i := range uint64(maxDirs) {
		r.remember(dirKey{dev: "00:01", inode: i}, "/x")
	}
	if len(r.known) != maxDirs || r.order.Len() != maxDirs {
		t.Errorf("%d directories known, %d in order, want %d", len(r.known), r.order.Len(), maxDirs)
	}
	check("a directory that was forgotten", 1<<30, fd, dev, st.Ino, "")
	dir.Close()
}
