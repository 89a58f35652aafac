// SPDX-License-Identifier: Apache-2.0

// This file is the reading side of the live source of kernel_linux.go.

package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
	"seismo/internal/event"
)

const (
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

// Read appends what happened to b: it waits for the first record, up to a second,
// lets the others of the moment gather, and takes all that is there or as much as
// fits. It returns nil with nothing appended when nothing happened. When ctx is done
// it returns at once, with ctx's error; when the role is lost and records cannot be
// had by another way, with an error that wraps [ErrReplaced]. After Close, and at the
// end of a log or stream, it gives what was left, then io.EOF.
//
// Times of events are the kernel's coarse clock when the call began (4 ms steps
// at 250 Hz); times of changes are exact. So an exec may seem to be up to a few
// milliseconds older than the fork before it. Every fork that precedes an event
// of b is among b's changes, or was in a batch before.
func (k *Kernel) Read(ctx context.Context, b *event.Batch) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	b.Platform = "linux"
	if k.closed {
		k.waking.end()
		return k.readRest(b)
	}
	k.waking.by(ctx, &k.waker)
	if !k.more && ctx.Err() == nil && !k.closing.Load() {
		if err := k.gatherRecords(k.patience(b, time.Now())); err != nil {
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
	if err == nil && k.ended && k.reassembler.Stats().Open == 0 {
		// Nobody closes a source that has ended by itself.
		return k.close()
	}
	return err
}

// take reads what is there into b. The records come first, so that the forks
// read after them include all that they depend on.
func (k *Kernel) take(b *event.Batch) error {
	now := time.Now()
	before, told := k.stats.Received, k.told()
	k.more = true
	k.watchMounts()
	var err, procErr error
	if k.dirs != nil && k.dirs.views.differ() {
		// Who began sees what its parent sees.
		b.Changes, procErr = k.readProcs(b.Changes, now, &b.Sweep)
	}
	for range maxReads {
		var more bool
		more, err = k.readFeed(now)
		k.decodeReady(b)
		if err != nil || !more && !k.askedAgain() {
			k.more = false
			break
		}
		if b.Full(k.batchEvents) || k.bytes >= maxReadBytes {
			break
		}
	}
	k.bytes = 0
	if !k.more {
		k.gather.noted(k.stats.Received-before, now)
		k.reassembler.Expire(now.Sub(k.began))
		k.decodeReady(b)
	}
	if procErr == nil {
		b.Changes, procErr = k.readProcs(b.Changes, now, &b.Sweep)
	}
	k.gather.found(k.told() > told && k.feed.waitFD() >= 0, k.reassembler.begun(now.Sub(k.began)))
	k.tellCut(now)
	if !k.more && k.gaps.Pending() > 0 && now.Sub(k.lastPush) >= settleAfter {
		k.noteGap(k.gaps.Settle(), k.gaps.newest) // nothing late comes any more
	}
	k.tellDowntime(now, false)
	k.lookOnce(b, now)
	k.watch(now)
	k.lastRead = now.UnixNano()
	if !k.more {
		b.Until = k.lastRead
	}
	return errors.Join(err, procErr, k.replaced)
}

// told returns how much has come: records, forks and exits.
func (k *Kernel) told() uint64 {
	if k.procs == nil {
		return k.stats.Received
	}
	return k.stats.Received + k.procs.told
}

// askedAgain reports whether a process was asked for a path since it was called last.
// What was renamed meanwhile is told by records that are there now: they are still to
// go into the same batch, see latePaths.
func (k *Kernel) askedAgain() bool {
	if k.dirs == nil || !k.dirs.late.asked {
		return false
	}
	k.dirs.late.asked = false
	return true
}

// readFeed reads records once and hands them to the reassembler.
func (k *Kernel) readFeed(now time.Time) (more bool, err error) {
	if k.ended {
		return false, nil
	}
	since := now.Sub(k.began)
	more, err = k.feed.read(func(m message) { k.push(m, since) })
	switch {
	case errors.Is(err, unix.ENOBUFS):
		k.stats.Overruns++
		k.lose(event.Loss{From: k.lastRead, To: now.UnixNano(), Reason: event.LossOverrun, Count: 1, Unit: "times",
			Detail: "the audit socket's buffer ran over"})
		return true, nil
	case errors.Is(err, io.EOF):
		k.ended = true
		k.reassembler.Flush()
		return false, nil
	case err != nil:
		return false, fmt.Errorf("read audit records: %w", err)
	}
	return more, nil
}

// push takes one message.
func (k *Kernel) push(m message, since time.Duration) {
	var h Header
	var r Record
	var err error
	switch {
	case m.line:
		h, r, err = ParseLine(m.data)
	case m.typ < firstEventType:
		return // a late answer
	case m.typ == auditReplace:
		k.handover.asked(m.data)
		return
	default:
		h, r, err = ParsePayload(m.typ, m.data)
	}
	if err == nil && k.handover.repeats(h, r) {
		return
	}
	k.stats.Received++
	k.bytes += len(m.data)
	if m.cut {
		k.cut++
	}
	if err != nil {
		k.stats.Malformed++
		k.malformed++
		return
	}
	k.stats.Parsed++
	r.Ordinal = k.stats.Received
	if m.line && !k.isHere(h.Node) {
		k.strange++ // its pids are not ours
		return
	}
	if r.Type < 1200 || r.Type > 1299 { // auditd numbers its own by itself
		k.downtime.seen(h)
		k.noteGap(k.missing(h), h.Time)
	}
	if k.handover.isMark(r, h.Serial) || isOwnMark(r) {
		return
	}
	k.noteChange(h, r)
	k.lastRecord = max(k.lastRecord, h.Time)
	k.lastPush = k.began.Add(since)
	k.reassembler.Push(h, r, since)
}

// isHere reports whether a record of text is of this host: those of others may be in
// the same stream where auditd collects them.
func (k *Kernel) isHere(node []byte) bool {
	if len(node) == 0 || string(node) == k.hostID {
		return true
	}
	short := func(name string) string { s, _, _ := strings.Cut(name, "."); return s }
	return k.hostID != "" && short(string(node)) == short(k.hostID)
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

// noteGap tells of serials that are known to be missing at time to. By the times of the
// events: these may have waited long to be read.
func (k *Kernel) noteGap(missing uint64, to int64) {
	if missing == 0 {
		return
	}
	k.stats.SerialGaps += missing
	from := k.gaps.whole
	k.lose(event.Loss{From: from, To: max(to, from), Reason: event.LossSerialGap, Count: missing, Unit: "events",
		Detail: "audit events that have a number and did not come"})
}

// lose notes a loss; one that goes on from read to read stays one row a batch.
func (k *Kernel) lose(l event.Loss) { k.losses = event.AddLoss(k.losses, l) }

// tellDowntime tells of what was missed before this recording.
func (k *Kernel) tellDowntime(now time.Time, final bool) {
	loss, missing, again := k.downtime.tell(now, final)
	if missing {
		k.lose(loss)
	}
	if again {
		k.say(true, "the kernel's numbering of events has begun anew within one boot: how many events were missed is not known")
	}
}

// tellCut tells of the records that could not be parsed, were cut, or are not ours.
func (k *Kernel) tellCut(now time.Time) {
	to := now.UnixNano()
	if k.malformed > 0 {
		k.lose(event.Loss{From: k.lastRead, To: to, Reason: event.LossMalformed, Count: k.malformed, Unit: "records",
			Detail: "audit records that could not be read"})
	}
	cut := k.reassembler.Stats().CutRecords
	k.cut, k.cutBefore = k.cut+cut-k.cutBefore, cut
	if k.cut > 0 {
		k.lose(event.Loss{From: k.lastRead, To: to, Reason: event.LossOversize, Count: k.cut, Unit: "records",
			Detail: "audit records that were left out or cut: their events are larger than what is kept of one"})
	}
	if k.strange > 0 {
		k.lose(event.Loss{From: k.lastRead, To: to, Reason: event.LossNotSeen, Count: k.strange, Unit: "records",
			Detail: "records of other hosts came by the same way; they are not recorded"})
	}
	k.malformed, k.cut, k.strange = 0, 0, 0
}

// decodeReady appends the complete groups to b.
func (k *Kernel) decodeReady(b *event.Batch) (groups int) {
	ourselves := false
	for g := k.reassembler.Pop(); g != nil; g = k.reassembler.Pop() {
		before := b.Len()
		k.decoder.decodeGuarded(g, b, string(k.way))
		for _, e := range b.Events()[before:] {
			if k.dirs != nil {
				k.dirs.learn(e)
			}
			ourselves = ourselves || k.isOwn(e)
		}
		k.stats.Assembled += uint64(b.Len() - before)
		k.position.handed(g)
		k.reassembler.Release(g)
		groups++
		if k.closed && b.Full(k.batchEvents) {
			break
		}
	}
	if ourselves {
		n := b.Len()
		b.Keep(func(e *event.Event) bool { return !k.isOwn(e) })
		k.stats.Assembled -= uint64(n - b.Len())
	}
	return groups
}

// isOwn reports whether e is what we did ourselves and the kernel would not have told
// whoever has the role. Where our own rules see to it there is none; where rules are
// left alone, writing it down would make the next.
func (k *Kernel) isOwn(e *event.Event) bool {
	return k.way != WayUnicast && int(e.PID) == os.Getpid() && e.Kind != event.KindSecurity && e.Kind != event.KindRecord
}

// readProcs appends forks and exits to changes and sets sweep if some are lost.
func (k *Kernel) readProcs(changes []event.Change, now time.Time, sweep *bool) ([]event.Change, error) {
	if k.procs == nil {
		return changes, nil
	}
	before := len(changes)
	changes, overrun, err := k.procs.read(changes)
	if k.dirs != nil {
		k.dirs.views.forked(changes[before:])
		if overrun {
			k.dirs.views.sweep()
		}
	}
	if overrun {
		*sweep = true
		k.lose(event.Loss{From: k.lastRead, To: now.UnixNano(), Reason: event.LossOverrun, Kind: event.KindProcess,
			Unit: "times", Count: 1, Detail: "the process event socket's buffer ran over: forks and exits are missing"})
	}
	return changes, err
}

// hand moves what is told beside events to b and publishes the figures.
func (k *Kernel) hand(b *event.Batch) {
	k.ends.settle()
	if k.dirs != nil {
		k.dirs.settle()
	}
	b.Losses = append(b.Losses, k.losses...)
	k.losses = k.losses[:0]
	if p := k.position.after(k.reassembler, &k.gaps); p.Serial != 0 {
		k.downtime.keep(&p)
		b.Position = p
	}
	k.stats.Incomplete, k.stats.LeftOut = k.reassembler.Stats().Incomplete, k.decoder.Dropped()
	k.publicMu.Lock()
	k.published = k.stats
	k.publicMu.Unlock()
}
