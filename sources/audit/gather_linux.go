// SPDX-License-Identifier: Apache-2.0

// This file waits: for the first record, for those that come with it, and for what
// is held back by the clock.

package audit

import (
	"context"
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
// about as much as 20 records, so there are few of them, as far as nobody waits for
// what the records tell.
type gatherer struct {
	fixed time.Duration // if not 0, nothing is chosen
	rate  float64       // records a second, of the last second or so
	at    time.Time     // of the last read
	flows bool          // the last read found something
	halt  bool          // and it ended in the middle of an event

	prompt   float64   // short waits that may be had now
	promptAt time.Time // when they were counted
}

// The waits. A match of high severity is to be stored within 50 ms where that costs
// little; the delay of others is counted from their time on. What comes after a time of quiet is read
// almost at once, but only a few times a second: from then on it costs as much as it
// tells.
const (
	gatherPrompt = 8 * time.Millisecond // what one cause brings mostly comes within it
	gatherRest   = 2 * time.Millisecond // what is missing of an event follows at once
	gatherBusy   = 10 * time.Millisecond
	gatherUsual  = 50 * time.Millisecond
	gatherSparse = 35 * time.Millisecond

	busyRate    = 40_000 // records a second: in 10 ms they fill half a megabyte
	sparseRate  = 300    // up to here 28 reads a second are less than 1 % of a processor
	promptRate  = 4      // short waits a second on average
	promptBurst = 8
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

// found takes in whether a read found something, and whether it ended in the middle of
// an event.
func (g *gatherer) found(something, half bool) {
	g.flows, g.halt = something, half && !g.halt
}

// wait returns how long records gather now.
func (g *gatherer) wait() time.Duration {
	switch {
	case g.fixed > 0:
		return g.fixed
	case g.halt:
		return gatherRest
	case g.rate >= busyRate:
		return gatherBusy
	case g.rate >= sparseRate:
		return gatherUsual
	}
	return gatherSparse
}

// waitAfterQuiet returns how long they gather when something came, at now, after a
// time in which nothing did.
func (g *gatherer) waitAfterQuiet(now time.Time) time.Duration {
	if g.fixed > 0 {
		return g.fixed
	}
	if g.promptAt.IsZero() {
		g.prompt = promptBurst
	} else {
		g.prompt = min(promptBurst, g.prompt+promptRate*now.Sub(g.promptAt).Seconds())
	}
	g.promptAt = now
	if g.prompt < 1 {
		return g.wait()
	}
	g.prompt--
	return gatherPrompt
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

// begun reports whether the records of an event have begun to come since, on the clock
// of Push, and are not complete.
func (a *Reassembler) begun(since time.Duration) bool {
	for _, g := range a.open {
		if !g.own.alone && g.own.since >= since {
			return true
		}
	}
	return false
}

// gatherRecords waits up to wait for the first message, then lets others come. One
// wake-up for many records is what makes reading cheap: while they come all the time,
// nobody waits for the first of them.
func (k *Kernel) gatherRecords(wait time.Duration) error {
	fds := k.waited[:0]
	if fd := k.feed.waitFD(); fd >= 0 && !k.ended {
		fds = append(fds, fd)
	}
	if k.procs != nil {
		fds = append(fds, k.procs.fd)
	}
	k.waited = fds
	if err := k.pollset.Watch(fds...); err != nil {
		return err
	}
	var ready, woken bool
	var err error
	if k.gather.flows {
		woken, err = k.pollset.Rest(k.gather.wait())
	} else if ready, woken, err = k.pollset.Wait(wait); err == nil && ready && !woken {
		woken, err = k.pollset.Rest(k.gather.waitAfterQuiet(time.Now()))
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

// waking ends the wait of a read whose context is done. The same context comes again and
// again, and is told once.
type waking struct {
	done <-chan struct{}
	stop func() bool
}

// by has w woken when ctx is done, and no longer by a context before it.
func (a *waking) by(ctx context.Context, w *waker) {
	if a.stop != nil && ctx.Done() == a.done {
		return
	}
	a.end()
	a.done, a.stop = ctx.Done(), context.AfterFunc(ctx, w.wake)
}

func (a *waking) end() {
	if a.stop != nil {
		a.stop()
		a.stop = nil
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
