// SPDX-License-Identifier: Apache-2.0

// This file is the memory of a matcher: which items the events of a process met
// (latches). What can be latched is in items.go, late values are in late.go, and
// how memory is saved, restored and handed on is in state.go and takeover.go.

package engine

import (
	"fmt"

	"seismo/internal/event"
	"seismo/internal/recent"
)

// The limits of what is remembered. A latch takes about 140 bytes if its process has
// no other (BenchmarkMemory).
const (
	maxProcessLatches = 64
	maxLatches        = 1_000_000
	maxLatchBytes     = 128 << 20 // of their proofs
)

// latch says that an event met an item. The first event that did so counts.
type latch struct {
	item  uint32 // index into memoryPlan.items
	proof string // see appendProof
}

// remembered is what one process remembers. A nil one remembers nothing.
type remembered struct {
	key     event.ProcessKey
	latches []latch // the oldest first; never empty
	recent.Links[*remembered]
}

// has reports whether item k is latched.
func (r *remembered) has(k uint32) bool { return r.proof(k) != "" }

// proof returns the proof of item k, which is never empty, or "".
func (r *remembered) proof(k uint32) string {
	if r != nil {
		for i := range r.latches {
			if r.latches[i].item == k {
				return r.latches[i].proof
			}
		}
	}
	return ""
}

// latchTable holds the latches of all processes, in the order in which these were
// last touched: that of an event of theirs.
type latchTable struct {
	limits struct{ process, all, bytes int }

	of           map[event.ProcessKey]*remembered
	order        recent.List[*remembered]
	count, bytes int
	evicted      losses

	at      *remembered    // of the process at hand, nil if it has none
	miss    *event.Process // a process that was found to have none,
	missAt  uint64         // when this many were made
	made    uint64         // entries of the table
	round   uint32         // of the event at hand
	judged  []uint32       // by item: the round that its class is of
	class   []branchSet    // by item, while it is judged in this round
	pending []uint32       // the items that the event at hand is to latch
}

func newLatchTable(items int) latchTable {
	t := latchTable{of: map[event.ProcessKey]*remembered{}, judged: make([]uint32, items), class: make([]branchSet, items)}
	t.limits.process, t.limits.all, t.limits.bytes = maxProcessLatches, maxLatches, maxLatchBytes
	return t
}

// losses counts what was forgotten for want of room, and when.
type losses struct {
	count    uint64
	from, to int64 // time of the events that it made room for
}

func (l *losses) add(n int, time int64) {
	if n == 0 {
		return
	}
	if l.count == 0 {
		l.from, l.to = time, time
	}
	l.count += uint64(n)
	l.from, l.to = min(l.from, time), max(l.to, time)
}

// merge adds what other counts to l.
func (l *losses) merge(other losses) {
	if other.count > 0 {
		l.add(int(other.count), other.from)
		l.from, l.to = min(l.from, other.from), max(l.to, other.to)
	}
}

// tell adds l to b and begins to count anew.
func (l *losses) tell(b *event.Batch, unit, detail string) {
	b.Losses = append(b.Losses, event.Loss{From: l.from, To: l.to, Reason: event.LossLatches, Count: l.count, Unit: unit, Detail: detail})
	*l = losses{}
}

// look finds what the process of e remembers. A process that remembers nothing
// takes over what the nearest image before it does: an exec goes on with it.
func (t *latchTable) look(e *event.Event) {
	t.at = nil
	if t.round++; t.round == 0 { // the numbers have run out: no class may look fresh
		clear(t.judged)
		t.round = 1
	}
	p := e.Process
	if p == nil || len(t.of) == 0 || p == t.miss && t.missAt == t.made {
		return
	}
	if t.at = t.of[p.ID]; t.at == nil {
		for q := range images(p) {
			if t.at = t.of[q.ID]; t.at != nil {
				delete(t.of, q.ID)
				t.at.key = p.ID
				t.of[p.ID] = t.at
				t.made++
				break
			}
		}
	}
	if t.at == nil {
		t.miss, t.missAt = p, t.made
		return
	}
	t.order.Touch(t.at)
}

// maxImages bounds a walk along the images that a process had before.
const maxImages = 256

// images returns the images of p's process before p, the nearest first.
func images(p *event.Process) func(func(*event.Process) bool) {
	return func(yield func(*event.Process) bool) {
		n := 0
		for q := p.Previous; q != nil && q != p && n < maxImages && yield(q); n++ {
			q = q.Previous
		}
	}
}

// add latches item k for process key, at the time of an event.
func (t *latchTable) add(key event.ProcessKey, k uint32, proof string, time int64) {
	r := t.of[key]
	if r == nil {
		r = &remembered{key: key}
		t.of[key] = r
		t.made++
		t.order.Push(r)
	}
	if len(r.latches) >= t.limits.process {
		t.evicted.add(t.forgetFirst(r), time)
	}
	r.latches = append(r.latches, latch{k, proof})
	t.count++
	t.bytes += len(proof)
	for (t.count > t.limits.all || t.bytes > t.limits.bytes) && t.order.Oldest() != r {
		t.evicted.add(t.drop(t.order.Oldest().key), time)
	}
	for (t.count > t.limits.all || t.bytes > t.limits.bytes) && len(r.latches) > 1 {
		t.evicted.add(t.forgetFirst(r), time)
	}
}

// forgetFirst drops the oldest latch of r and returns 1.
func (t *latchTable) forgetFirst(r *remembered) int {
	t.count--
	t.bytes -= len(r.latches[0].proof)
	copy(r.latches, r.latches[1:])
	r.latches[len(r.latches)-1] = latch{}
	r.latches = r.latches[:len(r.latches)-1]
	return 1
}

// drop forgets process key and returns how many latches it had.
func (t *latchTable) drop(key event.ProcessKey) int {
	r := t.of[key]
	if r == nil {
		return 0
	}
	delete(t.of, key)
	t.order.Remove(r)
	if t.at == r {
		t.at = nil
	}
	for i := range r.latches {
		t.bytes -= len(r.latches[i].proof)
	}
	t.count -= len(r.latches)
	return len(r.latches)
}

// recall returns the classes of item k on the event at hand: what the event meets
// counts before what earlier ones met.
func (m *Matcher) recall(k uint32) branchSet {
	t := &m.latches
	if t.judged[k] != t.round {
		t.judged[k] = t.round
		s := m.alone(m.p.memory.items[k].node)
		if s&onThisEvent == 0 && t.at.has(k) {
			s |= latched
		}
		t.class[k] = s
	}
	return t.class[k]
}

// note judges the items of signal i on the event at hand, and keeps those that it
// is the first to meet for latchPending.
func (m *Matcher) note(i uint32) {
	if m.judge.process == nil {
		return
	}
	t := &m.latches
	for _, k := range m.p.memory.ofSignal[i] {
		if t.judged[k] == t.round {
			continue // this, or another signal that shares the item, noted it
		}
		if m.recall(k)&onThisEvent != 0 && !t.at.has(k) {
			t.pending = append(t.pending, k)
		}
	}
}

// latchPending latches what the event at hand is the first of its process to meet.
// Until then each signal was judged on what there was before the event.
func (m *Matcher) latchPending() {
	t := &m.latches
	if len(t.pending) == 0 {
		return
	}
	e := m.judge.event
	for _, k := range t.pending {
		if proof := m.proofOf(k); len(proof) <= maxLatchText {
			t.add(e.Process.ID, k, proof, e.Time)
		} else {
			t.evicted.add(1, e.Time)
		}
	}
	t.pending = t.pending[:0]
	e.Verdict = event.Keep
}

// forget drops what was remembered of the processes that b says have ended, and
// adds to b what was lost for want of room.
func (m *Matcher) forget(b *event.Batch) {
	for _, key := range b.Ended {
		m.latches.drop(key)
		m.late.drop(key)
	}
	if m.latches.evicted.count > 0 {
		limits := m.latches.limits
		m.latches.evicted.tell(b, "latches", fmt.Sprintf("signals remember at most %d terms and groups of a process, %d in all, and %d MB of what met them",
			limits.process, limits.all, limits.bytes>>20))
	}
	if m.late.evicted.count > 0 {
		limits := m.late.limits
		m.late.evicted.tell(b, "processes", fmt.Sprintf("late values are remembered of at most %d processes, and %d MB of them", limits.processes, limits.bytes>>20))
	}
}

// Forget drops what is remembered of the processes for which alive is false: after
// a restart, of those that ended while nobody watched.
func (m *Matcher) Forget(alive func(event.ProcessKey) bool) {
	for key := range m.latches.of {
		if !alive(key) {
			m.latches.drop(key)
		}
	}
	for key := range m.late.of {
		if !alive(key) {
			m.late.drop(key)
		}
	}
}
