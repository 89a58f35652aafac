// SPDX-License-Identifier: Apache-2.0

// This file is the reading side of the live source of kernel_linux.go.

package audit

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	"seismo/internal/event"
)

const (
	// idleWait is how long Read waits for the first record: its caller has other
	// things to do now and then.
	idleWait = 250 * time.Millisecond
	// openWait is the same while something is held that waits for the clock.
	openWait = 50 * time.Millisecond
	// statusEvery is the time between two looks at the kernel's counters.
	statusEvery = 2 * time.Second
	// settleAfter is how long it must be quiet before a missing serial is missing:
	// records come out of order by less than this.
	settleAfter = time.Second
	// maxReads bounds the socket reads of one Read.
	maxReads = 256
	// maxReadBytes bounds the records of one Read: whoever runs programs with
	// long arguments must not fill the memory while a disk is slow.
	maxReadBytes = 4 << 20

	auditReplace = unix.AUDIT_REPLACE
)

// Read appends what happened to b: it waits for the first record, up to a
// quarter of a second, lets the others of the moment gather, and takes all that
// is there or as much as fits. It returns nil with nothing appended when nothing
// happened. When ctx is done it returns at once, with ctx's error; when the
// kernel gave the role to somebody else, or somebody asks for it, with an error
// that wraps [ErrReplaced]. After Close it gives what was left, then io.EOF.
//
// Times of events are the kernel's coarse clock when the call began (4 ms steps
// at 250 Hz); times of changes are exact. So an exec may seem to be up to a few
// milliseconds older than the fork before it. Every fork that precedes an event
// of b is among b's changes, or was in a batch before.
func (k *Kernel) Read(ctx context.Context, b *event.Batch) error {
	stop := context.AfterFunc(ctx, k.waker.wake)
	defer stop()
	k.mu.Lock()
	defer k.mu.Unlock()
	b.Platform = "linux"
	if k.closed {
		return k.readRest(b)
	}
	if !k.more && !k.closing.Load() {
		if err := k.gather(k.patience(b)); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if k.closing.Load() {
		return nil // Close waits for us
	}
	err := k.take(b)
	k.hand(b)
	return err
}

// patience returns how long to wait for something new.
func (k *Kernel) patience(b *event.Batch) time.Duration {
	switch {
	case b.Len() > 0 || len(b.Changes) > 0 || len(b.Losses) > 0:
		return k.gatherTime // somebody waits for what b holds
	case k.reassembler.Stats().Open > 0 || k.procs != nil && len(k.procs.held) > 0:
		return openWait
	}
	return idleWait
}

// gather waits up to wait for the first message, then lets others come. One
// wake-up for many records is what makes reading cheap.
func (k *Kernel) gather(wait time.Duration) error {
	fds := []unix.PollFd{{Fd: int32(k.waker.fd), Events: unix.POLLIN}, {Fd: int32(k.socket.fd), Events: unix.POLLIN}}
	if k.procs != nil {
		fds = append(fds, unix.PollFd{Fd: int32(k.procs.fd), Events: unix.POLLIN})
	}
	if len(k.socket.stash) > 0 {
		return nil
	}
	ready, err := poll(fds, wait)
	if err != nil || !ready {
		return err
	}
	if fds[0].Revents == 0 {
		if _, err := poll(fds[:1], k.gatherTime); err != nil {
			return err
		}
	}
	if fds[0].Revents != 0 {
		k.waker.clear()
	}
	return nil
}

// poll waits up to wait until one of fds is ready.
func poll(fds []unix.PollFd, wait time.Duration) (ready bool, err error) {
	end := time.Now().Add(wait)
	for {
		left := unix.NsecToTimespec(int64(max(0, time.Until(end))))
		n, err := unix.Ppoll(fds, &left, nil)
		if err == nil {
			return n > 0, nil
		}
		if !errors.Is(err, unix.EINTR) {
			return false, fmt.Errorf("wait for audit records: %w", err)
		}
	}
}

// take reads both sockets into b. The records come first, so that the forks
// read after them include all that they depend on.
func (k *Kernel) take(b *event.Batch) error {
	now := time.Now()
	k.more = true
	var err error
	for range maxReads {
		var more bool
		more, err = k.readSocket(now)
		k.decodeReady(b)
		if err != nil || !more {
			k.more = false
			break
		}
		if b.Full(k.batchEvents) || k.bytes >= maxReadBytes {
			break
		}
	}
	k.bytes = 0
	if !k.more {
		k.reassembler.Expire(now.Sub(k.began))
		k.decodeReady(b)
	}
	var procErr error
	b.Changes, procErr = k.readProcs(b.Changes, now, &b.Sweep)
	k.tellCut(now)
	if !k.more && k.gaps.Pending() > 0 && now.Sub(k.lastPush) >= settleAfter {
		k.noteGap(k.gaps.Settle(), now.UnixNano()) // nothing late comes any more
	}
	if now.Sub(k.status.at) >= statusEvery {
		k.watchStatus(now)
	}
	k.lastRead = now.UnixNano()
	return errors.Join(err, procErr, k.replaced)
}

// readSocket reads records once and hands them to the reassembler.
func (k *Kernel) readSocket(now time.Time) (more bool, err error) {
	since := now.Sub(k.began)
	more, err = k.socket.read(func(m message) { k.push(m, since) })
	if errors.Is(err, unix.ENOBUFS) {
		k.stats.Overruns++
		k.lose(event.Loss{From: k.lastRead, To: now.UnixNano(), Reason: event.LossOverrun, Count: 1, Unit: "times",
			Detail: "the audit socket's buffer ran over"})
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("read audit records: %w", err)
	}
	if n := k.socket.lost; n > 0 {
		k.socket.lost = 0
		k.lose(event.Loss{From: k.lastRead, To: now.UnixNano(), Reason: event.LossOverrun, Count: uint64(n), Unit: "records",
			Detail: "more records came while the role was taken than are kept"})
	}
	return more, nil
}

// push takes one message of the kernel.
func (k *Kernel) push(m message, since time.Duration) {
	if m.typ < firstEventType {
		return // a late answer
	}
	if m.typ == auditReplace {
		k.replaced = fmt.Errorf("another process asks for the audit role: %w", ErrReplaced)
		return
	}
	k.stats.Received++
	k.bytes += len(m.data)
	if m.cut {
		k.cut++
	}
	h, r, err := ParsePayload(m.typ, m.data)
	if err != nil {
		k.stats.Malformed++
		k.malformed++
		return
	}
	k.stats.Parsed++
	r.Ordinal = k.stats.Received
	k.noteGap(k.missing(h), h.Time)
	if k.closed && k.isEcho(m) {
		k.echoes++
		return
	}
	if !k.closed && isRuleRemoval(m) && !k.ownRemovals.one(h.Time) {
		k.lose(event.Loss{From: h.Time, To: h.Time, Reason: event.LossNotSeen, Count: 1, Unit: "times",
			Detail: "an audit rule of ours was removed, by somebody else or with its folder: what it asked for is no longer seen"})
	}
	k.lastRecord = max(k.lastRecord, h.Time)
	k.lastPush = k.began.Add(since)
	k.reassembler.Push(h, r, since)
}

// isRuleRemoval reports whether m tells that a rule with our key was removed
// (kernel/auditfilter.c, audit_log_rule_change; kernel/audit_tree.c).
func isRuleRemoval(m message) bool {
	return m.typ == unix.AUDIT_CONFIG_CHANGE && bytes.Contains(m.data, []byte(" op=remove_rule ")) &&
		bytes.Contains(m.data, []byte(` key="`+RuleKey+`" `))
}

// missing returns how many events are newly known to be missing before the one
// with header h. The numbering of a running kernel never begins anew: a jump that
// is too far to be watched is missing whole.
func (k *Kernel) missing(h Header) uint64 {
	top := k.gaps.top
	missing, restart := k.gaps.Observe(h.Serial, h.Time)
	if jump := int32(uint32(h.Serial) - top); restart && jump > 0 {
		missing += uint64(jump) - 1
	}
	return missing
}

// noteGap tells of serials that are known to be missing at time to.
func (k *Kernel) noteGap(missing uint64, to int64) {
	if missing == 0 {
		return
	}
	k.stats.SerialGaps += missing
	k.lose(event.Loss{From: k.lastRead, To: max(to, k.lastRead), Reason: event.LossSerialGap, Count: missing, Unit: "events"})
}

// lose notes a loss; one that goes on from read to read stays one row a batch.
func (k *Kernel) lose(l event.Loss) {
	for i := range k.losses {
		if p := &k.losses[i]; p.Reason == l.Reason && p.Unit == l.Unit && p.Detail == l.Detail {
			p.From, p.To, p.Count = min(p.From, l.From), max(p.To, l.To), p.Count+l.Count
			return
		}
	}
	k.losses = append(k.losses, l)
}

// tellCut tells of the records that could not be parsed or were cut.
func (k *Kernel) tellCut(now time.Time) {
	to := now.UnixNano()
	if k.malformed > 0 {
		k.lose(event.Loss{From: k.lastRead, To: to, Reason: event.LossMalformed, Count: k.malformed, Unit: "records"})
	}
	cut := k.reassembler.Stats().CutRecords
	k.cut, k.cutBefore = k.cut+cut-k.cutBefore, cut
	if k.cut > 0 {
		k.lose(event.Loss{From: k.lastRead, To: to, Reason: event.LossOversize, Count: k.cut, Unit: "records"})
	}
	k.malformed, k.cut = 0, 0
}

// decodeReady appends the complete groups to b.
func (k *Kernel) decodeReady(b *event.Batch) (groups int) {
	for g := k.reassembler.Pop(); g != nil; g = k.reassembler.Pop() {
		before := b.Len()
		k.decoder.decodeGuarded(g, b, "kernel")
		k.stats.Assembled += uint64(b.Len() - before)
		if k.dirs != nil {
			for _, e := range b.Events()[before:] {
				k.dirs.learn(e)
			}
		}
		k.reassembler.Release(g)
		groups++
		if k.closed && b.Full(k.batchEvents) {
			break
		}
	}
	return groups
}

// readProcs appends forks and exits to changes and sets sweep if some are lost.
func (k *Kernel) readProcs(changes []event.Change, now time.Time, sweep *bool) ([]event.Change, error) {
	if k.procs == nil {
		return changes, nil
	}
	changes, overrun, err := k.procs.read(changes)
	if overrun {
		*sweep = true
		k.lose(event.Loss{From: k.lastRead, To: now.UnixNano(), Reason: event.LossOverrun, Kind: event.KindProcess,
			Unit: "times", Count: 1, Detail: "the process event socket's buffer ran over: forks and exits are missing"})
	}
	return changes, err
}

// hand moves what is told beside events to b and publishes the figures.
func (k *Kernel) hand(b *event.Batch) {
	b.Losses = append(b.Losses, k.losses...)
	k.losses = k.losses[:0]
	k.stats.Incomplete = k.reassembler.Stats().Incomplete
	k.statsMu.Lock()
	k.published = k.stats
	k.statsMu.Unlock()
}

// statusWatch is what is remembered of the kernel's counters.
type statusWatch struct {
	at   time.Time
	lost uint32
}

// watchStatus looks at the kernel's own counters and at who has the role.
func (k *Kernel) watchStatus(now time.Time) {
	from := k.status.at.UnixNano()
	k.status.at = now
	if now.UnixNano()-k.lastRecord > int64(statusEvery) {
		k.noteGap(k.gaps.Settle(), now.UnixNano())
	}
	st, err := k.control.Status()
	if err != nil {
		k.lose(event.Loss{From: from, To: now.UnixNano(), Reason: event.LossKernel, Unit: "records",
			Detail: "the kernel's counter could not be read: " + err.Error()})
		// An answer that comes late would be taken for the next one.
		if fresh, err := openControl(); err == nil {
			k.control.Close()
			k.control = fresh
		}
		return
	}
	if lost := lostSince(k.status.lost, st.Lost); lost > 0 {
		k.stats.KernelLost += lost
		k.lose(event.Loss{From: from, To: now.UnixNano(), Reason: event.LossKernel, Count: lost, Unit: "records"})
	}
	k.status.lost = st.Lost
	if k.closed {
		return
	}
	if st.settings[settingEnabled] == 0 {
		k.lose(event.Loss{From: from, To: now.UnixNano(), Reason: event.LossNotSeen, Unit: "events",
			Detail: "auditing was switched off by somebody else"})
	}
	if st.PID != uint32(os.Getpid()) {
		k.replaced = fmt.Errorf("the kernel sends audit records to process %d (%s): %w", st.PID, processName(st.PID), ErrReplaced)
	}
}

// lostSince returns by how much the kernel's counter of lost records rose. It
// has 32 bits and runs over; whoever may can set it to 0.
func lostSince(before, now uint32) uint64 {
	rose := now - before
	if rose > 1<<31 {
		return uint64(now) // it was set to 0 in between
	}
	return uint64(rose)
}

// waker ends a poll from another goroutine.
type waker struct {
	mu sync.Mutex
	fd int
}

func (w *waker) open() error {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return fmt.Errorf("make an event descriptor: %w", err)
	}
	w.fd = fd
	return nil
}

// wake makes fd readable. It may be called at any time, also after close.
func (w *waker) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fd > 0 {
		one := binary.NativeEndian.AppendUint64(nil, 1)
		unix.Write(w.fd, one) // fails only if it is awake already
	}
}

func (w *waker) clear() {
	var count [8]byte
	unix.Read(w.fd, count[:]) // fails only if it was not awake
}

func (w *waker) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fd > 0 {
		unix.Close(w.fd)
		w.fd = 0
	}
}
