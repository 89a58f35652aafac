// SPDX-License-Identifier: Apache-2.0

// This file waits: for the first record, for those that come with it, and for what
// is held back by the clock.

package audit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"seismo/internal/event"
)

const (
	// idleWait is how long Read waits for the first record: its caller has other
	// things to do now and then.
	idleWait = time.Second
	// askEvery is how often a feed is asked that cannot be waited for.
	askEvery = 250 * time.Millisecond
)

// gatherer chooses how long records gather before they are read: a wake-up costs
// about as much as 20 records, so the fewer the records, the longer the wait, as far
// as nobody waits for what they tell.
type gatherer struct {
	fixed time.Duration // if not 0, nothing is chosen
	rate  float64       // records a second, of the last second or so
	at    time.Time     // of the last read
}

// The waits by rate. 100 ms are kept for hosts where little happens: the promise is
// that a match is stored within the batch delay and 50 ms, the batch delay counts
// from when the event is read, and at such rates few events are in a batch.
const (
	gatherBusy   = 10 * time.Millisecond
	gatherMiddle = 40 * time.Millisecond
	gatherSparse = 100 * time.Millisecond

	busyRate   = 40_000 // records a second: in 10 ms they fill half a megabyte
	sparseRate = 200
)

// noted takes in how many records were read at now.
func (g *gatherer) noted(records uint64, now time.Time) {
	passed := now.Sub(g.at).Seconds()
	g.at = now
	if passed <= 0 {
		return
	}
	weight := min(1, passed)
	g.rate += weight * (float64(records)/passed - g.rate)
}

// wait returns how long records gather now.
func (g *gatherer) wait() time.Duration {
	switch {
	case g.fixed > 0:
		return g.fixed
	case g.rate >= busyRate:
		return gatherBusy
	case g.rate >= sparseRate:
		return gatherMiddle
	}
	return gatherSparse
}

// patience returns how long to wait for something new.
func (k *Kernel) patience(b *event.Batch, now time.Time) time.Duration {
	if b.Len() > 0 || len(b.Changes) > 0 || len(b.Losses) > 0 {
		return k.gather.wait() // somebody waits for what b holds
	}
	wait := idleWait
	if due, ok := k.reassembler.due(); ok {
		wait = min(wait, due-now.Sub(k.began))
	}
	if k.procs != nil && len(k.procs.held) > 0 {
		wait = min(wait, time.Duration(k.procs.held[0].Time-monotonic())+exitHold)
	}
	if k.feed.waitFD() < 0 {
		wait = min(wait, askEvery)
	}
	return max(wait, time.Millisecond)
}

// due returns when Expire has something to do next, on the clock of Push. The
// deadline of a group never moves back by more than Push moves it on.
func (a *Reassembler) due() (at time.Duration, ok bool) {
	for _, g := range a.open {
		age := a.limits.Age
		if g.own.alone {
			age = a.limits.Settle
		}
		if t := g.own.since + age; !ok || t < at {
			at, ok = t, true
		}
	}
	return at, ok
}

// gatherRecords waits up to wait for the first message, then lets others come. One
// wake-up for many records is what makes reading cheap.
func (k *Kernel) gatherRecords(wait time.Duration) error {
	fds := k.waited[:0]
	if fd := k.feed.waitFD(); fd >= 0 && !k.ended {
		fds = append(fds, fd)
	}
	if k.procs != nil {
		fds = append(fds, k.procs.fd)
	}
	k.waited = fds
	if err := k.pollset.watch(fds...); err != nil {
		return err
	}
	ready, woken, err := k.pollset.wait(wait)
	if err == nil && ready && !woken {
		woken, err = k.pollset.rest(k.gather.wait())
	}
	if woken {
		k.waker.clear()
	}
	return err
}

// poll waits up to wait until one of fds is ready. It is for what is done once: it
// keeps a thread.
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
