// SPDX-License-Identifier: Apache-2.0

// This file puts the records of a stream together into groups, one for each
// audit event. What a group holds is in group.go; missing serials are counted in
// gaps.go.

package audit

import (
	"bytes"
	"time"

	"seismo/internal/event"
)

// Limits bound what a [Reassembler] keeps, whatever a log or a flood of events
// holds. A zero field stands for its default.
type Limits struct {
	RecordBytes int           // bytes of one record, body and enriched part; default 64 KiB
	EventBytes  int           // bytes of one event; default 1 MiB
	Records     int           // records of one event, EXECVE not counted; default 512
	AllRecords  int           // records of one event; default 4096
	Open        int           // events open at once; default 4096
	TotalBytes  int           // memory of all open events; default 64 MiB
	Age         time.Duration // when Expire emits an open event; default 2 s
	Settle      time.Duration // the same for records that mostly come alone; default 50 ms
}

// withDefaults fills in the defaults.
func (l Limits) withDefaults() Limits {
	set := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	set(&l.RecordBytes, 64<<10)
	set(&l.EventBytes, 1<<20)
	set(&l.Records, 512)
	set(&l.AllRecords, 4096)
	set(&l.Open, 4096)
	set(&l.TotalBytes, 64<<20)
	if l.Age <= 0 {
		l.Age = 2 * time.Second
	}
	if l.Settle <= 0 {
		l.Settle = 50 * time.Millisecond
	}
	return l
}

// How many events of the same host may begin before an open one is taken for
// finished, so that logs without EOE records, and records that come alone, need
// no clock. Measured: records of one event lie at most 3 newer events apart on
// two loaded cores and 8 in the logs of others; a task that is held up while it
// writes its records falls behind further, which EOE makes up for.
const (
	windowAlone = 16   // records that mostly come alone
	windowPlain = 64   // no EOE seen from this host
	windowOther = 256  // no SYSCALL record yet
	windowCall  = 1024 // a SYSCALL record whose EOE is due
)

// maxNodes bounds the hosts that are told apart in one stream.
const maxNodes = 4096

// maxSpareBytes bounds the memory that a reassembler keeps for reuse.
const maxSpareBytes = 4 << 20

// ReassemblerStats counts what a [Reassembler] did.
type ReassemblerStats struct {
	Open       int    // events open now
	OpenBytes  int    // memory that they hold
	Records    uint64 // records pushed
	Events     uint64 // events emitted
	Incomplete uint64 // of those, events with event.Incomplete
	CutRecords uint64 // records that a limit dropped, or shortened
	Expired    uint64 // events emitted for their age
	Evicted    uint64 // events emitted early because too many were open
}

// Reassembler puts records together into groups. Records belong to one event if
// host, time and serial are the same. A group is emitted at its EOE record; where
// none comes, when enough newer events have begun (in number: so a file gives the
// same groups in the same order always), at its age, or at the end of the input.
// No group waits for an older one.
//
// A reassembler is for one goroutine. After warm-up it allocates nothing for
// common events.
type Reassembler struct {
	limits Limits
	stats  ReassemblerStats

	// The open events in the order they began; keys has what is needed to find
	// one, so that the search stays in few cache lines.
	keys []groupKey
	open []*Group

	nodes []*node
	last  *node // of the newest record

	ready []*Group // complete, from next on
	next  int

	spare      []*Group
	spareBytes int
}

// node is a host of the stream.
type node struct {
	name     []byte
	begun    uint64 // events
	open     int    // events
	sendsEOE bool
}

type groupKey struct {
	serial uint64
	time   int64
	node   *node
	due    uint64 // the event is emitted when node.begun gets here
}

// NewReassembler returns an empty reassembler.
func NewReassembler(limits Limits) *Reassembler {
	a := &Reassembler{limits: limits.withDefaults()}
	a.last = &node{}
	a.nodes = append(a.nodes, a.last)
	return a
}

// Push adds one record; its bytes are copied. now is the reading of a monotonic
// clock from any start; a caller that reads a file gives 0 always.
//
// Groups that are complete wait for [Reassembler.Pop] without a limit: pop until
// nil after each Push.
func (a *Reassembler) Push(h Header, r Record, now time.Duration) {
	a.stats.Records++
	n := a.nodeOf(h.Node)
	i := a.find(n, h.Time, h.Serial)
	begun := i < 0
	if begun {
		i = a.begin(n, h, now)
	}
	g := a.open[i]
	before := g.held()
	a.addBounded(g, r)
	a.stats.OpenBytes += g.held() - before
	switch {
	case r.Type == TypeEOE:
		n.sendsEOE = true
		a.complete(i)
	case begun && r.Type >= 1200 && r.Type <= 1299:
		a.complete(i) // auditd makes these itself, with serials of its own
	case begun:
		a.keys[i].due = n.begun + windowOf(g)
		a.completeDue(n)
	default:
		// Nothing has begun, so nothing else is due.
		a.keys[i].due = max(a.keys[i].due, n.begun+windowOf(g))
	}
	for len(a.open) > 0 && (len(a.open) > a.limits.Open || a.stats.OpenBytes > a.limits.TotalBytes) {
		a.open[0].own.evicted = true
		a.stats.Evicted++
		a.complete(0)
	}
}

// addBounded adds r to g as far as the limits allow.
func (a *Reassembler) addBounded(g *Group, r Record) {
	cut := false
	if l := a.limits.RecordBytes; len(r.Body)+len(r.Enriched) > l {
		cut = true
		r.Body = r.Body[:min(l, len(r.Body))]
		if r.Enriched != nil {
			r.Enriched = r.Enriched[:l-len(r.Body)]
		}
	}
	if r.Type == TypeExecve && len(g.own.buf)+len(r.Body)+len(r.Enriched) > a.limits.EventBytes {
		if n := g.dropMiddle(a.limits.EventBytes/2, a.limits.EventBytes/4*3); n > 0 {
			g.Flags |= event.Truncated
			a.stats.CutRecords += uint64(n)
		}
	}
	// EOE is taken always: it ends the event.
	if r.Type != TypeEOE && (len(g.own.buf)+len(r.Body)+len(r.Enriched) > a.limits.EventBytes ||
		len(g.Records) >= a.limits.AllRecords ||
		r.Type != TypeExecve && len(g.Records)-g.own.execves >= a.limits.Records) {
		cut = true
	} else {
		g.add(r)
	}
	if cut {
		g.Flags |= event.Truncated
		a.stats.CutRecords++
	}
}

// nodeOf returns the host called name.
func (a *Reassembler) nodeOf(name []byte) *node {
	if bytes.Equal(a.last.name, name) {
		return a.last
	}
	for _, n := range a.nodes {
		if bytes.Equal(n.name, name) {
			a.last = n
			return n
		}
	}
	if len(a.nodes) >= maxNodes {
		a.forgetNodes()
	}
	a.last = &node{name: bytes.Clone(name)}
	a.nodes = append(a.nodes, a.last)
	return a.last
}

// forgetNodes drops the hosts without an open event. What is forgotten is only
// whether they send EOE records.
func (a *Reassembler) forgetNodes() {
	kept := a.nodes[:0]
	for _, n := range a.nodes {
		if n.open > 0 {
			kept = append(kept, n)
		}
	}
	clear(a.nodes[len(kept):])
	a.nodes = kept
}

// find returns the place of the open event that a record belongs to, or -1. The
// newest are the likeliest.
func (a *Reassembler) find(n *node, time int64, serial uint64) int {
	for i := len(a.keys) - 1; i >= 0; i-- {
		if k := &a.keys[i]; k.serial == serial && k.time == time && k.node == n {
			return i
		}
	}
	return -1
}

// begin opens an event and returns its place.
func (a *Reassembler) begin(n *node, h Header, now time.Duration) int {
	var g *Group
	if last := len(a.spare) - 1; last >= 0 {
		g = a.spare[last]
		a.spare = a.spare[:last]
		a.spareBytes -= g.held()
	} else {
		g = &Group{Records: make([]Record, 0, firstRecords)}
	}
	g.Time, g.Serial, g.Node = h.Time, h.Serial, n.name
	g.own = assembly{buf: g.own.buf, node: n, since: now, alone: true}
	n.begun++
	n.open++
	a.stats.OpenBytes += g.held()
	a.keys = append(a.keys, groupKey{h.Serial, h.Time, n, 0})
	a.open = append(a.open, g)
	return len(a.open) - 1
}

// windowOf returns how many newer events g waits for.
func windowOf(g *Group) uint64 {
	switch {
	case g.own.alone:
		return windowAlone
	case !g.own.node.sendsEOE:
		return windowPlain
	case !g.own.call:
		return windowOther
	}
	return windowCall
}

// completeDue emits the events of n for which enough newer ones have begun.
func (a *Reassembler) completeDue(n *node) {
	for i := 0; i < len(a.keys); {
		if k := &a.keys[i]; k.node == n && k.due <= n.begun {
			a.complete(i)
		} else {
			i++
		}
	}
}

// complete moves open event i to those that are ready.
func (a *Reassembler) complete(i int) {
	g := a.open[i]
	a.keys = append(a.keys[:i], a.keys[i+1:]...)
	a.open = append(a.open[:i], a.open[i+1:]...)
	g.own.node.open--
	a.stats.OpenBytes -= g.held()
	g.finish()
	if g.Flags&event.Incomplete != 0 {
		a.stats.Incomplete++
	}
	a.stats.Events++
	if a.next == len(a.ready) {
		a.ready, a.next = a.ready[:0], 0
	}
	a.ready = append(a.ready, g)
}

// Pop returns the next complete group, in the order they were completed, or nil.
// It belongs to the caller until [Reassembler.Release].
func (a *Reassembler) Pop() *Group {
	if a.next == len(a.ready) {
		return nil
	}
	g := a.ready[a.next]
	a.ready[a.next] = nil
	a.next++
	return g
}

// Release takes back the memory of a group that Pop returned; neither it nor its
// records may be used any more. A group that is not released is left to the
// garbage collector.
func (a *Reassembler) Release(g *Group) {
	if g == nil || g.own.spare {
		return
	}
	g.own = assembly{buf: g.own.buf[:0], spare: true}
	clear(g.Records)
	g.Time, g.Serial, g.Node, g.Records, g.Flags = 0, 0, nil, g.Records[:0], 0
	if a.spareBytes+g.held() <= maxSpareBytes {
		a.spare = append(a.spare, g)
		a.spareBytes += g.held()
	}
}

// Expire emits the events that are too old at now, the reading of the clock that
// Push was given. Call it when the source has nothing more at hand: what waits to
// be read may belong to an old event.
func (a *Reassembler) Expire(now time.Duration) {
	for i := 0; i < len(a.open); {
		g := a.open[i]
		age := a.limits.Age
		if g.own.alone {
			age = a.limits.Settle
		}
		if now-g.own.since < age {
			i++
			continue
		}
		if !g.own.alone {
			a.stats.Expired++
		}
		a.complete(i)
	}
}

// Flush emits all open events, oldest first: the input has ended.
func (a *Reassembler) Flush() {
	for len(a.open) > 0 {
		a.complete(0)
	}
}

// Stats returns the counters.
func (a *Reassembler) Stats() ReassemblerStats {
	s := a.stats
	s.Open = len(a.open)
	return s
}
