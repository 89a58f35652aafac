// SPDX-License-Identifier: Apache-2.0

// This file is the source on Linux: one goroutine reads packets and joins them, one
// looks for processes, and Read hands on what is complete.

package dns

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"seismo/internal/event"
)

const (
	tick     = 250 * time.Millisecond // how often it is looked what is due, while something is open
	maxRead  = 1000                   // events of one Read
	lossTime = time.Second            // losses are told this often at most
	// Looking through all processes may take one part in ownerShare of the time, and after
	// looks that found nothing less and less, down to one in maxShare.
	ownerShare = 20
	maxShare   = 320
	// A host is busy if more than busyPackets came in busyTime. It is then read every
	// busyPause, which a name server in the network is seldom nearer than.
	busyPackets = 50
	busyTime    = 100 * time.Millisecond
	busyPause   = 5 * time.Millisecond
	// busyReads bounds the batches that are read between two pauses: a flood takes no more
	// than a part of a processor.
	busyReads = 8
)

// Source sees the name queries of this host's interfaces and their answers. Its
// events have the process id of who asked, where that is known, and no process.
type Source struct {
	gather  time.Duration
	start   time.Time
	capture *capture
	diag    *diag // of the goroutine that reads packets
	finder  *finder

	wake, seek chan struct{} // something to read; to look for
	stop       chan struct{}
	stopping   sync.Once
	working    sync.WaitGroup
	closeErr   error

	// What follows belongs to the goroutine that reads packets.
	streams streams
	message Message
	asked   bool          // there is something to seek
	packets int           // since
	since   time.Duration //
	before  bool          // it was busy before that

	mu        sync.Mutex
	table     *table
	hints     hints
	sockets   sockets
	waiting   waiters
	wanted    map[uint32]uint32 // inode to user: not looked for yet
	resolvers map[int32]bool
	done      []*exchange
	doneBytes int
	doneSince time.Duration
	losses    losses
	dropsSeen int64 // Unix time, nanoseconds
	stats     event.SourceStats
	scratch   []byte
	ended     bool
	failure   error
}

// Open begins to take name queries. The error wraps [ErrPrivilege] and names the
// capability where one is missing.
func Open(o Options) (*Source, error) {
	s := &Source{gather: o.Gather, start: time.Now(), wake: make(chan struct{}, 1), seek: make(chan struct{}, 1), stop: make(chan struct{}),
		wanted: make(map[uint32]uint32), dropsSeen: time.Now().UnixNano()}
	if s.gather == 0 {
		s.gather = defaultGather
	}
	s.table = newTable(s.deliver)
	var err error
	if s.diag, err = openDiag(); err != nil {
		return nil, err
	}
	if s.finder, err = openFinder(); err != nil {
		return nil, errors.Join(err, s.diag.close())
	}
	s.finder.lookForServers(time.Now())
	s.resolvers = s.finder.resolvers
	if s.capture, err = openCapture(); err != nil {
		s.finder.close()
		return nil, errors.Join(err, s.diag.close())
	}
	s.work("the reader of packets", s.readPackets)
	s.work("the search for processes", s.seekOwners)
	return s, nil
}

// work runs f until the source is closed; if it ends before, so does the source.
func (s *Source) work(name string, f func() error) {
	s.working.Add(1)
	go func() {
		defer s.working.Done()
		err := func() (err error) {
			defer func() {
				if p := recover(); p != nil {
					err = fmt.Errorf("panic: %v", p)
				}
			}()
			return f()
		}()
		if err != nil {
			s.mu.Lock()
			s.failure = errors.Join(s.failure, fmt.Errorf("%s: %w", name, err))
			s.mu.Unlock()
			poke(s.wake)
		}
	}()
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (s *Source) now() time.Duration { return time.Since(s.start) }

func (s *Source) readPackets() error {
	for reads := 1; ; reads++ {
		more, err := s.capture.read(s.packet)
		if !more {
			return err
		}
		if s.asked {
			s.asked = false
			poke(s.seek)
		}
		if s.busy() && (!s.capture.full || reads >= busyReads) {
			time.Sleep(busyPause)
			reads = 0
		}
	}
}

// busy reports whether many packets come, now or in the stretch of time before.
func (s *Source) busy() bool {
	if now := s.now(); now-s.since >= busyTime {
		s.before = s.packets > busyPackets && now-s.since < 2*busyTime
		s.packets, s.since = 0, now
	}
	return s.before || s.packets > busyPackets
}

// packet takes one packet.
func (s *Source) packet(c captured) {
	s.packets++
	p, ok := readPacket(c.ether, c.data)
	if !ok {
		return // damaged headers: whoever it is for drops it as well
	}
	if p.proto == protoTCP {
		s.streams.messages(&p, func(msg []byte, whole bool) { s.take(&p, c, msg, whole) })
		if n := s.streams.lost; n > 0 {
			s.streams.lost = 0
			s.mu.Lock()
			s.losses.add(&s.losses.unread, n, event.LossMalformed, "records", c.time, c.time, func() string { return unreadDetail })
			s.mu.Unlock()
			poke(s.wake)
		}
		return
	}
	s.take(&p, c, p.payload, true)
}

// take takes the message msg of the packet p.
func (s *Source) take(p *packet, c captured, msg []byte, whole bool) {
	m := &s.message
	err := m.Parse(msg)
	if from := p.src.Port(); err == nil && (m.Answer && from != port || !m.Answer && p.dst.Port() != port) {
		err = fmt.Errorf("query or answer in the wrong direction: %w", ErrOther)
	}
	now := s.now()
	s.mu.Lock()
	s.stats.Received++
	if err != nil {
		s.stats.Malformed++
		t, detail := &s.losses.malformed, func() string { return badMessage(p, err) }
		if !whole {
			t, detail = &s.losses.unread, func() string { return unreadDetail }
		}
		s.losses.add(t, 1, event.LossMalformed, "records", c.time, c.time, detail)
		s.mu.Unlock()
		poke(s.wake)
		return
	}
	s.stats.Parsed++
	idle := s.table.size() == 0
	var e *exchange
	if m.Answer {
		s.table.answer(p, m, c.time, now)
	} else if e = s.table.query(p, m, c.time, now); e != nil {
		e.local, e.known = c.out, !c.out
	}
	s.mu.Unlock()
	if idle {
		poke(s.wake)
	}
	if e != nil && c.out {
		s.ask(e, c.iface, now)
	}
}

const unreadDetail = "messages over TCP of which too little was seen to know what they ask for"

// ask asks which socket sent the query e, and has its process looked for.
func (s *Source) ask(e *exchange, iface int, now time.Duration) {
	sock, ok := s.diag.owner(e.proto, e.client, e.server, iface)
	if !ok {
		return // it may be learned from a connect
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if f, ok := s.sockets.get(sock.inode, now); ok {
		s.own(e, f)
		return
	}
	s.waiting.sweep(now)
	if s.waiting.put(sock.inode, e) {
		s.wanted[sock.inode] = sock.uid
		s.asked = true
	}
}

// own notes that e's socket was found. mu is held.
func (s *Source) own(e *exchange, f found) {
	if e.known {
		return // it was told already
	}
	e.pid, e.how, e.known = f.pid, f.how, true
	s.hints.used(e)
	s.table.settle(e)
}

// Seen is shown the batches of the main source, for the connects in them. It keeps
// nothing of b and does not wait.
func (s *Source) Seen(b *event.Batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hints.see(b)
}

// deliver queues a complete exchange. mu is held.
func (s *Source) deliver(e *exchange) {
	if len(s.done) >= maxDone || s.doneBytes > maxBytes {
		s.losses.add(&s.losses.shed, 1, event.LossShed, "events", e.time, e.time, func() string { return "name queries came faster than they were read" })
		return
	}
	if len(s.done) == 0 {
		s.doneSince = s.now()
	}
	s.doneBytes += e.size()
	if s.done = append(s.done, e); len(s.done) == 1 || len(s.done) == maxRead {
		poke(s.wake)
	}
}

// Read appends what is complete to b. It waits until something is, ctx is done or the
// source is closed: then it returns what there is, and io.EOF after the last.
func (s *Source) Read(ctx context.Context, b *event.Batch) error {
	for {
		wait, done, err := s.collect(b)
		if done || err != nil {
			return err
		}
		var due <-chan time.Time // never, where nothing is open
		if wait > 0 {
			due = time.After(wait)
		}
		select {
		case <-s.wake:
		case <-due:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// collect appends what is ready to b, or returns how long to wait at most, 0 for as
// long as nothing comes.
func (s *Source) collect(b *event.Batch) (wait time.Duration, done bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	s.table.expire(now, s.guess)
	ends := s.ended || s.failure != nil
	if tell := ends || now-s.losses.told >= lossTime; tell {
		s.count()
		if s.losses.any {
			s.losses.told = now
			s.losses.tell(b)
			done = true
		}
	}
	if n := min(len(s.done), maxRead); n > 0 && (done || ends || n == maxRead || now-s.doneSince >= s.gather) {
		for _, e := range s.done[:n] {
			s.scratch = e.fill(b, s.scratch)
			s.doneBytes -= e.size()
		}
		left := copy(s.done, s.done[n:])
		clear(s.done[left:])
		s.done, s.doneSince = s.done[:left], now
		s.stats.Assembled += uint64(n)
		done = true
	}
	switch {
	case done:
		b.Platform = "linux"
		return 0, true, nil
	case s.failure != nil:
		return 0, true, s.failure
	case s.ended:
		return 0, true, io.EOF
	case len(s.done) > 0:
		return max(s.gather-(now-s.doneSince), time.Millisecond), false, nil
	case s.table.size() > 0 || s.losses.any:
		return tick, false, nil
	}
	return 0, false, nil
}

// count moves what kernel and table lost to the losses. mu is held.
func (s *Source) count() {
	now := time.Now().UnixNano()
	l := &s.losses
	n := uint64(0)
	if !s.ended {
		n = s.capture.drops()
	}
	s.stats.Overruns += min(n, 1)
	l.add(&l.dropped, n, event.LossOverrun, "records", s.dropsSeen, now, func() string { return "packets over port 53 came faster than they were read" })
	l.add(&l.evicted, s.table.evicted, event.LossShed, "times", s.dropsSeen, now, func() string {
		return fmt.Sprintf("more than %d name queries at once, or %d MB of answers: the oldest were stored without waiting for theirs", maxOpen, maxBytes>>20)
	})
	l.add(&l.flooded, s.table.flooded, event.LossShed, "events", s.dropsSeen, now, func() string {
		return fmt.Sprintf("answers that nobody asked for, beyond %d in a second or %d for a query", maxAlone, maxSecond)
	})
	s.table.evicted, s.table.flooded, s.dropsSeen = 0, 0, now
}

// Stats counts messages, and the events that were handed on.
func (s *Source) Stats() event.SourceStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

// Close ends the source. What was seen can still be read; queries that wait for an
// answer are told as they are.
func (s *Source) Close() error {
	s.stopping.Do(func() {
		s.mu.Lock()
		s.count() // while the socket is there
		s.mu.Unlock()
		close(s.stop)
		s.closeErr = s.capture.stop()
		s.working.Wait()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.closeErr = errors.Join(s.closeErr, s.diag.close(), s.capture.close())
		s.table.flush(s.guess)
		s.ended = true
		poke(s.wake)
	})
	return s.closeErr
}
