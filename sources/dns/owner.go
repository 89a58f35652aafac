// SPDX-License-Identifier: Apache-2.0

// This file keeps what helps to find the process that asked: which process a socket
// was found in, and which processes connected to name servers, as the main source
// tells it. It knows no kernel; owner_linux.go does.

package dns

import (
	"net/netip"
	"slices"
	"time"

	"seismo/internal/event"
)

// The values of dns.attribution.
const (
	exact    = "exact"
	resolver = "resolver"
	unknown  = "unknown"
)

// Limits of what is remembered of processes.
const (
	maxHints   = 1024
	maxCached  = 4096
	cacheTime  = 30 * time.Second // a socket may go on to another process
	hintBefore = int64(time.Second)
	maxFitting = 32 // among more connects nothing is sure, and looking is dear
	// maxGuesses bounds the guesses of a second: each looks at all that is open.
	maxGuesses  = 500
	sweepTime   = 250 * time.Millisecond
	noProcessID = 0
)

// hint is a connect to a name server that the main source told of.
type hint struct {
	time   int64
	pid    int32
	proto  uint8 // 0: not known
	server netip.AddrPort
}

// use is a socket whose process is known.
type use struct {
	time   int64
	pid    int32
	proto  uint8
	client netip.AddrPort
	server netip.AddrPort
}

// hints are the connects of the last time, and the sockets that they may belong to.
type hints struct {
	connects [maxHints]hint
	uses     [maxHints]use
	nextHint int
	nextUse  int
	guesses  int // since
	since    int64
}

// see takes the connects of a batch.
func (h *hints) see(b *event.Batch) {
	for _, e := range b.Events() {
		if e.Kind != event.KindNetwork || e.Op != event.OpConnect || e.PID == noProcessID {
			continue
		}
		if p, ok := e.Int(event.NetworkDestinationPort); !ok || p != port {
			continue
		}
		a, ok := e.Addr(event.NetworkDestinationAddress)
		if !ok {
			continue
		}
		c := hint{time: e.Time, pid: e.PID, server: netip.AddrPortFrom(a, port)}
		switch v, _ := e.Text(event.NetworkProtocol); string(v) {
		case "tcp":
			c.proto = protoTCP
		case "udp":
			c.proto = protoUDP
		}
		h.connects[h.nextHint%maxHints] = c
		h.nextHint++
	}
}

// used notes that e's socket is known to belong to its process.
func (h *hints) used(e *exchange) {
	for i := range h.uses { // one connect may be followed by many queries
		if u := &h.uses[i]; u.client == e.client && u.pid == e.pid && u.server == e.server && e.time-u.time < hintBefore {
			return
		}
	}
	h.uses[h.nextUse%maxHints] = use{e.time, e.pid, e.proto, e.client, e.server}
	h.nextUse++
}

// guess returns the process that connected to e's server just before e, 0 if none did or
// if it is not sure that it was this one: another process connected as well, or there are
// more sockets that nobody is known of, among others, than connects. It counts on being
// asked in the order of time: an earlier query has taken the connect that was its own.
func (h *hints) guess(e *exchange, others []*exchange) (pid int32) {
	if d := e.time - h.since; d <= -int64(time.Second) || d >= int64(time.Second) {
		h.since, h.guesses = e.time, 0
	}
	if h.guesses++; h.guesses > maxGuesses {
		return 0
	}
	rivals := []*exchange{e} // one a socket
	for _, o := range others {
		if d := o.time - e.time; o.local && o.pid == 0 && o.proto == e.proto && o.server == e.server && d > -hintBefore && d < hintBefore &&
			!slices.ContainsFunc(rivals, func(r *exchange) bool { return r.client == o.client }) {
			if rivals = append(rivals, o); len(rivals) > maxFitting {
				return 0
			}
		}
	}
	taken := [maxHints]bool{}
	free, fitting := 0, 0
	for i := range h.connects {
		c := &h.connects[i]
		if c.pid == noProcessID || !slices.ContainsFunc(rivals, c.fits) {
			continue
		}
		if fitting++; fitting > maxFitting {
			return 0
		}
		if h.claimed(c, e, &taken) {
			continue
		}
		free++
		if c.fits(e) {
			if pid != 0 && c.pid != pid {
				return 0
			}
			pid = c.pid
		}
	}
	if len(rivals) > free {
		return 0
	}
	return pid
}

// fits reports whether the connect c may have been that of e's socket. Audit stamps with
// the coarse clock, which is behind, so a connect never seems to be after its query.
func (c *hint) fits(e *exchange) bool {
	return c.server == e.server && (c.proto == 0 || c.proto == e.proto) &&
		c.time >= e.time-hintBefore && c.time <= e.time
}

// claimed reports whether another socket of the same process accounts for c. Each
// socket accounts for one connect.
func (h *hints) claimed(c *hint, e *exchange, taken *[maxHints]bool) bool {
	for i := range h.uses {
		u := &h.uses[i]
		if u.pid == c.pid && u.server == c.server && u.client != e.client && !taken[i] && (c.proto == 0 || c.proto == u.proto) &&
			c.time >= u.time-hintBefore && c.time <= u.time {
			taken[i] = true
			return true
		}
	}
	return false
}

// found is where a socket was found.
type found struct {
	pid int32
	how string // a value of dns.attribution
	at  time.Duration
}

// sockets remembers in which process sockets were found, by inode.
type sockets struct{ byInode map[uint32]found }

func (s *sockets) get(inode uint32, now time.Duration) (found, bool) {
	f, ok := s.byInode[inode]
	if ok && now-f.at > cacheTime {
		delete(s.byInode, inode)
		return found{}, false
	}
	return f, ok
}

func (s *sockets) put(inode uint32, where found) {
	if len(s.byInode) >= maxCached {
		for i, f := range s.byInode {
			if where.at-f.at > cacheTime/10 {
				delete(s.byInode, i)
			}
		}
	}
	if s.byInode == nil || len(s.byInode) >= maxCached {
		s.byInode = make(map[uint32]found)
	}
	s.byInode[inode] = where
}

// waiters are the exchanges that wait for the process of their socket, by its inode.
type waiters struct {
	byInode map[uint32][]*exchange
	n       int
	swept   time.Duration
}

// put has e wait; false if too many do.
func (w *waiters) put(inode uint32, e *exchange) bool {
	if w.n >= 2*maxOpen {
		return false
	}
	if w.byInode == nil {
		w.byInode = make(map[uint32][]*exchange)
	}
	w.byInode[inode] = append(w.byInode[inode], e)
	w.n++
	return true
}

// take returns those that wait for inode, and forgets them.
func (w *waiters) take(inode uint32) []*exchange {
	list := w.byInode[inode]
	delete(w.byInode, inode)
	w.n -= len(list)
	return list
}

// sweep forgets those that wait no more, if they are many: a socket that no process
// shows may be looked for much longer than a query waits.
func (w *waiters) sweep(now time.Duration) {
	if w.n < maxOpen || now-w.swept < sweepTime {
		return
	}
	w.swept = now
	for inode, list := range w.byInode {
		kept := slices.DeleteFunc(list, func(e *exchange) bool { return e.known })
		if w.n -= len(list) - len(kept); len(kept) == 0 {
			delete(w.byInode, inode)
		} else {
			w.byInode[inode] = kept
		}
	}
}
