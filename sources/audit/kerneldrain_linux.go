// SPDX-License-Identifier: Apache-2.0

// This file ends the reading side of the live source of kernel_linux.go: what
// was under way when it was closed is read, and what can not be is counted.

package audit

import (
	"errors"
	"io"
	"math"
	"time"

	"golang.org/x/sys/unix"
	"seismo/internal/event"
)

const (
	// drainTime bounds the reading of what is under way at the end. Behind a
	// reader that was stalled lie the socket's buffer and two queues of the
	// kernel, each as long as backlog_limit: about a second's work.
	drainTime = 5 * time.Second
	// drainQuiet is how long nothing must come where the kernel sends no mark, and
	// drainText where auditd stands between it and us.
	drainQuiet = 20 * time.Millisecond
	drainText  = 200 * time.Millisecond
	// drainPoll is how long one wait for a mark lasts.
	drainPoll = 50 * time.Millisecond
)

// drainRest reads what the kernel had queued when the rules were taken away.
func (k *Kernel) drainRest() error {
	err := k.drainQueues()
	now := time.Now()
	k.noteGap(k.gaps.Settle(), k.gaps.newest)
	k.tellDowntime(now, true)
	k.reassembler.Flush()
	sweep := false // nobody goes on after this source
	var procErr error
	k.changes, procErr = k.readProcs(k.changes, now, &sweep)
	if k.procs != nil {
		k.changes = k.procs.release(k.changes, math.MaxInt64)
	}
	k.tellCut(now)
	return errors.Join(err, procErr)
}

// drainQueues reads until a mark comes alone. Nothing else tells when all has been
// read. The kernel keeps what it failed to send to a full socket in queues that its
// count leaves out, and looks at them only when there is a new record; and where it
// dropped the last ones, only the serial of a later one shows that they are missing.
func (k *Kernel) drainQueues() error {
	end := time.Now().Add(drainTime)
	if k.options.Feed != nil {
		return k.drainUntilQuiet(end, drainText)
	}
	for time.Now().Before(end) {
		before := k.stats.Received
		if err := k.sendMark(); err != nil {
			return k.drainUntilQuiet(end, drainQuiet)
		}
		met, err := k.awaitMark(end)
		if err != nil || met && k.stats.Received == before+1 {
			return err
		}
	}
	return k.tellUndrained()
}

// drainUntilQuiet reads until the kernel counts no record and nothing has come
// for a while. It serves where a mark is refused: CAP_AUDIT_WRITE is missing.
func (k *Kernel) drainUntilQuiet(end time.Time, quiet time.Duration) error {
	for time.Now().Before(end) {
		before := k.stats.Received
		if err := k.drainFeed(end, quiet); err != nil {
			return err
		}
		if k.ended {
			return nil
		}
		if st, err := k.control.Status(); err == nil && st.Backlog == 0 && k.stats.Received == before {
			return nil
		}
	}
	return k.tellUndrained()
}

// drainFeed waits up to wait for a record and reads what is there.
func (k *Kernel) drainFeed(end time.Time, wait time.Duration) error {
	fds := []unix.PollFd{{Fd: int32(k.feed.waitFD()), Events: unix.POLLIN}} // -1 is waited for in vain
	if !k.more && !k.ended && wait > 0 {
		if _, err := poll(fds, wait); err != nil {
			return err
		}
	}
	for k.more = true; k.more && time.Now().Before(end); {
		var err error
		if k.more, err = k.readFeed(time.Now()); err != nil {
			return err
		}
	}
	return nil
}

// tellUndrained tells that the time was over before all was read.
func (k *Kernel) tellUndrained() error {
	k.lose(event.Loss{From: k.lastRead, To: time.Now().UnixNano(), Reason: event.LossNotSeen, Unit: "records",
		Detail: "the recorder stopped before it had read all that was under way"})
	return nil
}

// readRest appends what Close left over to b.
func (k *Kernel) readRest(b *event.Batch) error {
	b.Changes = append(b.Changes, k.changes...)
	told := len(k.changes) + len(k.losses)
	k.changes = nil
	groups := k.decodeReady(b)
	k.hand(b)
	if groups+told == 0 {
		return io.EOF
	}
	return nil
}
