// SPDX-License-Identifier: Apache-2.0

// This file talks with the helper: what is asked when, what an answer means, and
// when a helper that hangs is given up.

package imagehash

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"seismo/internal/event"
)

const (
	// maxFlight bounds the requests that are under way: the helper answers one after
	// the other.
	maxFlight = 32
	// patience is how long the helper may say nothing while it is asked: a file
	// system that does not answer holds it.
	patience = 5 * time.Second
	// restartAfter is the time from one start of a helper to the next; where none can
	// be started it doubles each time, up to restartMax.
	restartAfter = time.Minute
	restartMax   = time.Hour
	// avoidHung is how long nothing is asked of a device that held two helpers within
	// this time, and of a program that held one.
	avoidHung = 10 * time.Minute
	maxHung   = 64
	// maxTries is how often a program is asked for in a row without a hash, for one
	// process after the other; then those that wait get none, and it rests.
	maxTries = 3
	restMin  = time.Second
	restMax  = time.Minute
)

// run keeps a helper until the client is closed.
func (c *Client) run() {
	rest := restartAfter
	for {
		began := time.Now()
		what := "can not be started, which is tried again: "
		h, err := c.o.Start()
		if err != nil {
			rest = min(2*rest, restartMax)
		} else {
			what = "ended and is started again: "
			rest = restartAfter
			c.count(func(s *Stats) { s.Starts++ })
			err = c.serve(h)
		}
		if err == nil {
			return // closed
		}
		c.mu.Lock()
		c.lose(event.Loss{Reason: event.LossNotSeen, Kind: event.KindProcess, Count: 1, Unit: "times",
			Detail: "the helper that hashes programs " + what + err.Error()})
		c.mu.Unlock()
		select {
		case <-c.done:
			return
		case <-time.After(rest - time.Since(began)):
		}
	}
}

func (c *Client) count(f func(*Stats)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.stats)
}

// serve asks h until it ends, which is an error, or the client is closed.
func (c *Client) serve(h Helper) error {
	ended := make(chan error, 1)
	heard := make(chan struct{}, 1)
	go func() { ended <- c.listen(h, heard) }()
	last := time.Now() // when the helper was heard last, or had nothing to do
	timer := time.NewTimer(patience)
	defer timer.Stop()
	var out []byte
	var failure error
	for failure == nil {
		var wait time.Duration
		out, wait = c.requests(out[:0], &last)
		if len(out) > 0 {
			h.SetWriteDeadline(time.Now().Add(patience))
			if _, err := h.Write(out); err != nil {
				failure = fmt.Errorf("ask: %w", err)
				break
			}
		}
		timer.Reset(wait)
		select {
		case <-c.done:
			h.Close()
			<-ended
			c.abandon(false)
			return nil
		case failure = <-ended:
			ended <- failure
		case <-heard:
			last = time.Now()
		case <-c.wake:
		case <-timer.C:
		}
		if failure == nil && c.hangs(last) {
			failure = fmt.Errorf("it said nothing for %v", patience)
		}
	}
	hang := false
	select {
	case failure = <-ended: // what it said, or that it ended, is the cause
		h.Close()
	default:
		hang = c.hangs(last)
		h.Close()
		<-ended
	}
	c.abandon(hang)
	return failure
}

// hangs reports whether the helper is asked and has said nothing since last for too
// long.
func (c *Client) hangs(last time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.flight) > 0 && time.Since(last) >= patience
}

// listen takes answers until the helper ends or says something impossible.
func (c *Client) listen(h Helper, heard chan struct{}) error {
	r := bufio.NewReaderSize(h, 16<<10)
	buf := make([]byte, maxFrame)
	var a Answer
	for {
		frame, err := readFrame(r, buf)
		if errors.Is(err, io.EOF) {
			return errors.New("it has ended")
		} else if err != nil {
			return err
		}
		if err := ParseAnswer(frame, &a); err != nil {
			return err
		}
		if err := c.answered(&a); err != nil {
			return err
		}
		if r.Buffered() == 0 || a.Status <= Busy {
			notify(heard)
		}
	}
}

// requests appends the requests that may be made now. wait is when to ask again.
func (c *Client) requests(dst []byte, last *time.Time) (out []byte, wait time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	rate := float64(c.o.PerSecond)
	c.tokens = min(rate, c.tokens+rate*now.Sub(c.tokensAt).Seconds())
	c.tokensAt = now
	if len(c.flight) == 0 {
		*last = now
	}
	if c.closed {
		return dst, patience
	}
	c.retire()
	for len(c.flight) < maxFlight && len(c.retired) < maxRetired {
		var n *entry
		switch {
		case len(c.looks) > 0:
			n = c.looks.pop()
		case len(c.reads) > 0 && c.tokens >= 1:
			n = c.reads.pop()
			c.tokens--
		default:
			return dst, c.patienceFor(now)
		}
		if c.avoids(n, now) {
			c.fail(n, Failed)
			continue
		}
		dst = c.request(dst, n)
	}
	return dst, patience
}

// patienceFor returns how long to wait for something to happen by itself.
func (c *Client) patienceFor(now time.Time) time.Duration {
	switch {
	case len(c.reads) > 0:
		return max(time.Millisecond, time.Duration((1-c.tokens)/float64(c.o.PerSecond)*1e9))
	case len(c.flight) > 0:
		return patience
	}
	return time.Hour
}

// request appends the request for n. It names the process that came last: it is the
// likeliest to run still.
func (c *Client) request(dst []byte, n *entry) []byte {
	c.asked++
	n.state, n.id = underWay, c.asked
	n.asked = n.waiters[len(n.waiters)-1]
	c.flight = append(c.flight, n)
	p := n.asked.process
	return AppendRequest(dst, &Request{ID: n.id, PID: p.PID, Read: n.read, Want: c.o.Want, Time: n.asked.time,
		Max: c.o.MaxBytes, Files: n.files, Path: n.path})
}

// hang is when and how often a device held a helper.
type hang struct {
	at    time.Time
	times int
}

// avoids reports whether n lies on a device that held helpers lately.
func (c *Client) avoids(n *entry, now time.Time) bool {
	if len(n.files) == 0 {
		return false
	}
	h := c.hung[imageOf(n.files).Dev]
	return h.times > 1 && now.Sub(h.at) < avoidHung
}

// held notes that the program of n held a helper.
func (c *Client) held(n *entry) {
	c.stats.Hangs++
	now := time.Now()
	n.retryAt = now.Add(avoidHung)
	if len(n.files) == 0 {
		return
	}
	dev := imageOf(n.files).Dev
	h, known := c.hung[dev]
	if !known && len(c.hung) >= maxHung {
		clear(c.hung)
	}
	if now.Sub(h.at) >= avoidHung {
		h.times = 0
	}
	c.hung[dev] = hang{now, h.times + 1}
}

// imageOf returns which of the files of an exec is the program that ran in the end.
// The kernel names scripts first, then the program, then its loader, if it has one;
// so of a script that a program without a loader runs, this is the script.
func imageOf(files []event.FileID) event.FileID { return files[max(len(files)-2, 0)] }

// answered takes an answer. The error wraps [ErrProtocol] where nobody asked for it.
func (c *Client) answered(a *Answer) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a.Status <= Busy || c.closed {
		return nil
	}
	i := slices.IndexFunc(c.flight, func(n *entry) bool { return n.id == a.ID })
	if i < 0 {
		return fmt.Errorf("answer %d to nothing that was asked: %w", a.ID, ErrProtocol)
	}
	n := c.flight[i]
	if a.Status == Looked && n.read || a.Status == Hashed && (!n.read || a.Sums.Have != c.o.Want || a.File.Size > c.o.MaxBytes) {
		return fmt.Errorf("answer %d to another question: %w", a.ID, ErrProtocol)
	}
	c.flight = slices.Delete(c.flight, i, i+1)
	if n.read && a.Status != Hashed && a.Status != Changed && a.Status != Failed {
		c.tokens++ // nothing was read
	}
	n.mustGet = false
	switch a.Status {
	case Hashed:
		c.stats.Reads++
		c.stats.ReadBytes += uint64(a.File.Size)
		if a.File.CTime < a.At-settled && a.File.MTime < a.At-settled {
			c.cache.Put(a.File, a.Sums)
		}
		c.learned(n, a, a.Sums.elements(c.o.Want))
	case Looked:
		c.stats.Looks++
		if s, ok := c.cache.Get(a.File); ok {
			c.learned(n, a, s.elements(c.o.Want))
		} else {
			n.mustGet = true
			c.enqueue(n)
		}
	default:
		c.fail(n, a.Status)
	}
	return nil
}

// settled is how old the last change of a file must be for its hash to be kept: the
// kernel's clock has steps of up to 10 ms, and a change in the same step would not
// show.
const settled = int64(50 * time.Millisecond)

// learned gives the hashes of n to the processes that they are surely of, and asks
// again for the others.
func (c *Client) learned(n *entry, a *Answer, hashes []string) {
	n.hashes, n.file, n.at, n.tries = hashes, a.File, a.At, 0
	n.state = idle
	if len(n.files) == 0 { // nothing tells its processes from those of another file there
		c.setWatch(n, 0, a.ID)
	} else {
		c.setWatch(n, a.Watch, a.ID)
	}
	c.noteChanges(time.Now().UnixNano())
	rest := n.waiters[:0]
	for _, w := range n.waiters {
		switch {
		case w == n.asked && (a.Running || n.heldAt(w.time)), len(n.files) > 0 && w.time < n.at && n.heldAt(w.time), n.trusted(w.time):
			c.give(n, w)
		case w == n.asked:
			c.miss(1, Changed)
		default:
			rest = append(rest, w)
		}
	}
	c.remain(n, rest)
}

// remain has those who still wait for n's hash ask again.
func (c *Client) remain(n *entry, rest []*waiter) {
	clear(n.waiters[len(rest):])
	n.waiters, n.asked = rest, nil
	if len(rest) == 0 {
		n.waiters, n.state = nil, idle
		return
	}
	c.enqueue(n)
}

func (c *Client) miss(n int, why Status) {
	c.stats.Missed[why] += uint64(n)
	c.waiting -= n
}

// fail notes that nothing was learned of n. Its other processes may bring more; after
// some tries nobody is asked for a while.
func (c *Client) fail(n *entry, why Status) {
	c.setWatch(n, 0, 0)
	n.hashes = nil
	n.tries++
	rest := slices.DeleteFunc(n.waiters, func(w *waiter) bool { return w == n.asked })
	if n.asked != nil {
		c.miss(1, why)
	}
	if n.tries%maxTries == 0 || why == TooLarge || why == Failed {
		c.miss(len(rest), why)
		clear(rest)
		rest = rest[:0]
		n.retryAt = time.Now().Add(min(restMax, restMin<<min(n.tries/maxTries, 6)))
	}
	c.remain(n, rest)
}

// abandon takes back what the helper that ended was asked. One that hung was held by
// the oldest.
func (c *Client) abandon(hang bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	flight := c.flight
	c.flight = nil
	for i, n := range flight {
		if hang && i == 0 {
			n.asked = nil // whoever waits for it, none is asked again
			c.fail(n, Failed)
			c.held(n)
			continue
		}
		if n.asked = nil; len(n.waiters) == 0 { // the client is closed
			n.state = idle
			continue
		}
		c.enqueue(n)
	}
}
