// SPDX-License-Identifier: Apache-2.0

// This file ends the reading side of the live source of kernel_linux.go: what
// was under way when it was closed is read, and what can not be is counted.

package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"time"

	"golang.org/x/sys/unix"
	"seismo/internal/event"
)

const (
	// drainTime bounds the reading of what is under way at the end. Behind a
	// reader that was stalled lie the socket's buffer and two queues of the
	// kernel, each as long as backlog_limit: about a second's work.
	drainTime = 5 * time.Second
	// drainQuiet is how long nothing must come where the kernel sends no echo.
	drainQuiet = 20 * time.Millisecond
	// echoWait is how long an echo is waited for: the kernel tries to send to a
	// full socket for half a second (kernel/audit.c, UNICAST_RETRIES).
	echoWait = time.Second
	// echoType is the record of an echo. It is the only one of user space that
	// the kernel takes while auditing is off (kernel/audit.c, audit_receive_msg).
	echoType = unix.AUDIT_USER_AVC
	echoText = "seismo: end of recording"
)

// drainRest reads what the kernel had queued when the rules were taken away.
func (k *Kernel) drainRest() error {
	err := k.drainQueues()
	now := time.Now()
	k.noteGap(k.gaps.Settle(), now.UnixNano())
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

// drainQueues reads until an echo comes alone: a record of our own, sent by the
// control socket. Nothing else tells when all has been read. The kernel keeps
// what it failed to send to a full socket in queues that its count leaves out,
// and looks at them only when there is a new record; and where it dropped the
// last ones, only the serial of a later one shows that they are missing.
func (k *Kernel) drainQueues() error {
	end := time.Now().Add(drainTime)
	for time.Now().Before(end) {
		if err := k.control.Echo(echoText); err != nil {
			return k.drainUntilQuiet(end)
		}
		before, echoes := k.stats.Received, k.echoes
		until := time.Now().Add(echoWait)
		for k.echoes == echoes && time.Now().Before(until) {
			if err := k.drainSocket(end, openWait); err != nil {
				return err
			}
		}
		if k.echoes > echoes && k.stats.Received == before+1 {
			return nil
		}
	}
	return k.tellUndrained()
}

// drainUntilQuiet reads until the kernel counts no record and nothing has come
// for a while. It serves where an echo is refused: CAP_AUDIT_WRITE is missing.
func (k *Kernel) drainUntilQuiet(end time.Time) error {
	for time.Now().Before(end) {
		before := k.stats.Received
		if err := k.drainSocket(end, drainQuiet); err != nil {
			return err
		}
		if st, err := k.control.Status(); err == nil && st.Backlog == 0 && k.stats.Received == before {
			return nil
		}
	}
	return k.tellUndrained()
}

// drainSocket waits up to wait for a record and reads what is there.
func (k *Kernel) drainSocket(end time.Time, wait time.Duration) error {
	if len(k.socket.stash) == 0 {
		ready, err := poll([]unix.PollFd{{Fd: int32(k.socket.fd), Events: unix.POLLIN}}, wait)
		if err != nil || !ready {
			return err
		}
	}
	for more := true; more && time.Now().Before(end); {
		var err error
		if more, err = k.readSocket(time.Now()); err != nil {
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

// isEcho reports whether m is a record that we sent ourselves: the kernel says
// whose it is, in front of the text.
func (k *Kernel) isEcho(m message) bool {
	if m.typ != echoType {
		return false
	}
	_, body, _ := bytes.Cut(m.data, []byte("): "))
	return bytes.HasPrefix(body, fmt.Appendf(nil, "pid=%d ", os.Getpid())) && bytes.Contains(body, []byte("msg='"+echoText+"'"))
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
