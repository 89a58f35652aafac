// SPDX-License-Identifier: Apache-2.0

// This file reads forks and exits from the kernel's process event connector.
// Audit rules could tell of them too, at many times the cost and without the
// exit code of a process that a signal ended.

package audit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
	"seismo/internal/event"
)

// ErrNoProcEvents: the kernel gives no fork and exit events. Recording goes on
// without; processes are then looked up in /proc, and end without exit code.
var ErrNoProcEvents = errors.New("no process events")

// A message is a netlink header, struct cn_msg (linux/connector.h) and struct
// proc_event (linux/cn_proc.h); these are offsets in it.
const (
	cnIndex   = 16
	procWhat  = 36
	procTime  = 44
	procUnion = 52

	forkParentTgid = procUnion + 4
	forkChildPid   = procUnion + 8
	forkChildTgid  = procUnion + 12
	exitPid        = procUnion
	exitTgid       = procUnion + 4
	exitCode       = procUnion + 8

	cnIdxProc  = 1
	procListen = 1 // PROC_CN_MCAST_LISTEN

	procEventNone = 0
	procEventFork = 1
	procEventExec = 2
	procEventExit = 0x80000000

	maxProcMessage = 256 // bytes; today's have 92
)

// procBuffer is the room asked for in the kernel, in bytes, which doubles it
// (socket(7)). A fork or exit costs 768 there: it holds those of 20,000 programs,
// more than the kernel keeps records of while nobody reads, so that a stop costs
// ends no earlier than programs.
const procBuffer = 16 << 20

// procConnector reads process events.
type procConnector struct {
	*netlinkSocket
	offset int64  // Unix time less the monotonic clock, nanoseconds
	told   uint64 // messages that were read
	// held are exits with code 0 that may prove to be none, see take. Their times
	// are of the monotonic clock: wall time may be set back while they wait.
	held []event.Change
}

// openProcConnector begins to listen. The error wraps [ErrNoProcEvents].
func openProcConnector() (*procConnector, error) {
	fail := func(err error) error {
		if errors.Is(err, unix.EPERM) {
			err = errors.New("CAP_NET_ADMIN is missing")
		}
		return fmt.Errorf("listen for forks and exits: %v: %w", err, ErrNoProcEvents)
	}
	nl, _, err := openNetlink(unix.NETLINK_CONNECTOR, cnIdxProc, recvBatch, maxProcMessage, procBuffer)
	if err != nil {
		return nil, fail(err)
	}
	p := &procConnector{netlinkSocket: nl}
	p.setClock()
	if err := p.start(); err != nil {
		return nil, fail(errors.Join(err, p.close()))
	}
	return p, nil
}

// setClock learns how the monotonic clock of the events relates to wall time,
// which is set and slewed, and returns the reading of the former. Where the
// recorder was held up between two looks at the clocks, it looks again.
func (p *procConnector) setClock() (mono int64) {
	for range 4 {
		before := monotonic()
		wall := time.Now().UnixNano()
		mono = monotonic()
		p.offset = wall - before
		if mono-before < int64(100*time.Microsecond) {
			break
		}
	}
	return mono
}

// monotonic reads the clock of the events. (It cannot fail on Linux.)
func monotonic() int64 {
	var ts unix.Timespec
	// It does not wait, so the runtime need not know of it (internal/pollset).
	unix.RawSyscall(unix.SYS_CLOCK_GETTIME, unix.CLOCK_MONOTONIC, uintptr(unsafe.Pointer(&ts)), 0)
	return ts.Nano()
}

// start asks for the events and waits for the kernel's answer.
func (p *procConnector) start() error {
	if err := p.filter(); err != nil {
		return fmt.Errorf("attach the filter: %w", err)
	}
	const size = unix.SizeofNlMsghdr + 20 + 4
	msg := make([]byte, size)
	put := binary.NativeEndian.PutUint32
	put(msg, size)
	binary.NativeEndian.PutUint16(msg[4:], unix.NLMSG_DONE)
	put(msg[12:], p.port)
	put(msg[cnIndex:], cnIdxProc)
	put(msg[cnIndex+4:], 1) // CN_VAL_PROC
	binary.NativeEndian.PutUint16(msg[cnIndex+16:], 4)
	put(msg[procWhat:], procListen)
	if err := unix.Sendto(p.fd, msg, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: cnIdxProc}); err != nil {
		return err
	}
	// A kernel without the connector's process events takes the request and says
	// nothing. One that has them acknowledges at once.
	deadline := time.Now().Add(500 * time.Millisecond)
	for acked := false; !acked; {
		left := time.Until(deadline)
		if left <= 0 {
			return errors.New("the kernel does not answer (no CONFIG_PROC_EVENTS, or not the first namespace)")
		}
		if _, err := unix.Poll([]unix.PollFd{{Fd: int32(p.fd), Events: unix.POLLIN}}, int(left/time.Millisecond)+1); err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		var refusal error
		if _, err := p.receive(1, func(m message) {
			w, ok := procWord(m, procWhat)
			if code, has := procWord(m, procUnion); ok && has && w == procEventNone {
				acked = true
				if code != 0 {
					refusal = unix.Errno(code)
				}
			}
		}); err != nil && !errors.Is(err, unix.ENOBUFS) {
			return err
		}
		if refusal != nil {
			return refusal
		}
	}
	return nil
}

// filter keeps events of threads and of other kinds from waking us: it passes
// acknowledgements, execs, forks of a thread group leader and ends of one.
func (p *procConnector) filter() error {
	load := func(at uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
	}
	is := func(what uint32, then, otherwise uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: then, Jf: otherwise, K: bigEndian(what)}
	}
	tax := unix.SockFilter{Code: unix.BPF_MISC | unix.BPF_TAX}
	same := func(then, otherwise uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_X, Jt: then, Jf: otherwise}
	}
	program := []unix.SockFilter{
		0:  load(procWhat),
		1:  is(procEventNone, 11, 0),
		2:  is(procEventExec, 10, 0),
		3:  is(procEventExit, 5, 0),
		4:  is(procEventFork, 0, 9),
		5:  load(forkChildPid),
		6:  tax,
		7:  load(forkChildTgid),
		8:  same(4, 5),
		9:  load(exitPid),
		10: tax,
		11: load(exitTgid),
		12: same(0, 1),
		13: {Code: unix.BPF_RET | unix.BPF_K, K: maxProcMessage}, // pass
		14: {Code: unix.BPF_RET | unix.BPF_K, K: 0},              // drop
	}
	return unix.SetsockoptSockFprog(p.fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
		&unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]})
}

// bigEndian returns the number that the filter sees where the kernel wrote v.
func bigEndian(v uint32) uint32 {
	var raw [4]byte
	binary.NativeEndian.PutUint32(raw[:], v)
	return binary.BigEndian.Uint32(raw[:])
}

// procWord returns the word of m that lies at offset at of the whole message.
func procWord(m message, at int) (uint32, bool) {
	at -= unix.SizeofNlMsghdr // m.data is without it
	if len(m.data) < at+4 {
		return 0, false
	}
	return binary.NativeEndian.Uint32(m.data[at:]), true
}

// exitHold is how long an exit with code 0 is held back. When a thread that is
// not the leader calls execve(2), the kernel ends the leader first, which looks
// like the end of the process with code 0; the exec follows at once (fs/exec.c,
// de_thread).
const exitHold = 50 * time.Millisecond

// read appends the forks and exits that are there to changes. overrun says that
// the kernel dropped some. An exit with code 0 comes [exitHold] late, but before
// a fork that uses its pid again.
//
// The end of a leader whose threads live on is taken for the end of the process.
func (p *procConnector) read(changes []event.Change) (_ []event.Change, overrun bool, err error) {
	now := p.setClock()
	for {
		n, err := p.receive(recvBatch, func(m message) { changes = p.take(changes, m) })
		p.told += uint64(n)
		if errors.Is(err, unix.ENOBUFS) {
			overrun = true
			continue
		}
		if err != nil {
			return changes, overrun, fmt.Errorf("read process events: %w", err)
		}
		if n < recvBatch {
			return p.release(changes, now-int64(exitHold)), overrun, nil
		}
	}
}

// release appends the held exits up to until, of the monotonic clock, to changes.
func (p *procConnector) release(changes []event.Change, until int64) []event.Change {
	n := 0
	for n < len(p.held) && p.held[n].Time <= until {
		n++
	}
	for _, end := range p.held[:n] {
		changes = append(changes, p.stamped(end))
	}
	p.held = slices.Delete(p.held, 0, n)
	return changes
}

// stamped returns a held exit with its wall time.
func (p *procConnector) stamped(end event.Change) event.Change {
	end.Time += p.offset
	return end
}

// take appends what m tells to changes, or holds it back.
func (p *procConnector) take(changes []event.Change, m message) []event.Change {
	if len(m.data) < forkChildTgid+4-unix.SizeofNlMsghdr {
		return changes
	}
	word := func(at int) uint32 {
		v, _ := procWord(m, at)
		return v
	}
	what := word(procWhat)
	if word(cnIndex) != cnIdxProc {
		return changes
	}
	stamp := p.offset + int64(binary.NativeEndian.Uint64(m.data[procTime-unix.SizeofNlMsghdr:]))
	switch what {
	case procEventFork:
		pid := int32(word(forkChildTgid))
		if int32(word(forkChildPid)) != pid {
			return changes // a thread
		}
		if i := p.heldExit(pid); i >= 0 {
			changes = append(changes, p.stamped(p.held[i]))
			p.held = slices.Delete(p.held, i, i+1)
		}
		return append(changes, event.Change{Time: stamp, PID: pid, Parent: int32(word(forkParentTgid))})
	case procEventExec:
		if i := p.heldExit(int32(word(exitTgid))); i >= 0 {
			p.held = slices.Delete(p.held, i, i+1)
		}
		return append(changes, event.Change{Time: stamp, PID: int32(word(exitTgid)), Exec: true})
	case procEventExit:
		pid := int32(word(exitTgid))
		if int32(word(exitPid)) != pid {
			return changes
		}
		end := event.Change{Time: stamp, PID: pid, Exit: true, Code: exitStatus(word(exitCode))}
		if end.Code != 0 {
			return append(changes, end)
		}
		end.Time -= p.offset
		p.held = append(p.held, end)
	}
	return changes
}

// heldExit returns the place of the held exit of pid, or -1.
func (p *procConnector) heldExit(pid int32) int {
	return slices.IndexFunc(p.held, func(c event.Change) bool { return c.PID == pid })
}

// exitStatus turns a wait status into the exit code, or 128 plus the signal.
func exitStatus(status uint32) int32 {
	if signal := status & 0x7f; signal != 0 {
		return 128 + int32(signal)
	}
	return int32(status >> 8 & 0xff)
}
