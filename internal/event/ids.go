// SPDX-License-Identifier: Apache-2.0

// This file gives events their ids.

package event

// IDs gives each event an id: its own time in microseconds of Unix time, moved
// up to the next free number. Events stamped alike keep their order, and ids of
// events that came out of order still tell their own time. The zero value is
// ready; one goroutine uses it.
type IDs struct {
	// Floor is the greatest id that was given before this IDs was made; Taken
	// is asked about ids up to it. A nil Taken means that none is taken.
	Floor ID
	Taken func(ID) bool

	// next holds, for each millisecond seen lately, the first id that is free
	// in it or after it. Audit stamps have no finer grain.
	next map[int64]ID
	ring []int64
	pos  int
}

// idWindow is the number of milliseconds whose free ids are remembered. Records
// come out of order by a few milliseconds, so this is ample for a live source;
// an event older than the window costs a question to Taken.
const idWindow = 1 << 13

// Assign gives every event of b that has none its id.
func (g *IDs) Assign(b *Batch) {
	for _, e := range b.events {
		if e.ID == 0 {
			e.ID = g.Next(e.Time)
		}
	}
}

// Next returns the id of an event at time t, Unix time in nanoseconds.
func (g *IDs) Next(t int64) ID {
	if g.next == nil {
		g.next = make(map[int64]ID)
	}
	id := ID(t / 1000)
	if id < 1 {
		id = 1
	}
	for {
		ms := int64(id) / 1000
		free, seen := g.next[ms]
		if seen && free > id {
			id = free
			if int64(id)/1000 != ms {
				continue // this millisecond is full: look in the one after it
			}
		}
		if id <= g.Floor && g.Taken != nil && g.Taken(id) {
			id++
			continue
		}
		if !seen {
			g.remember(ms)
		}
		g.next[ms] = id + 1
		return id
	}
}

// remember notes that ms is in next, and forgets the millisecond noted longest
// ago. Without Taken nobody else knows which ids are given, so all are kept:
// about 50 bytes for each millisecond of a replay.
func (g *IDs) remember(ms int64) {
	if g.Taken == nil {
		return
	}
	if len(g.ring) < idWindow {
		g.ring = append(g.ring, ms)
		return
	}
	old := g.ring[g.pos]
	g.Floor = max(g.Floor, g.next[old])
	delete(g.next, old)
	g.ring[g.pos] = ms
	g.pos = (g.pos + 1) % idWindow
}
