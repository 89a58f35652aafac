// SPDX-License-Identifier: Apache-2.0

// This file puts the records of several rings into the order of their times. A
// process that moves to another processor between its exec and its first mapping
// leaves the two in different rings.

package imageload

import "math"

// settle is how old a record must be to be taken: one of another ring that is older
// has been written by then. The kernel stamps a record and writes it with preemption
// off, within microseconds; a virtual processor may be held up a little longer.
const settle = int64(2_000_000) // nanoseconds

// ripe reports whether a record stamped when can be taken. One of the future was
// stamped by a clock that has been set back since, and waits for nothing.
func ripe(when, now int64) bool { return when <= now-settle || when > now }

// merge hands the records of lanes that can be taken to take, in the order of their
// times, each lane's in its own order, until full or none is left. With all set,
// every record can be taken. bad is told of what could not be read.
func merge(lanes []*lane, now int64, all bool, c *counters, full func() bool, take func(*lane), bad func(*lane, error)) {
	ready := func(l *lane) bool {
		for {
			if err := l.load(c); err != nil {
				c.malformed++
				bad(l, err)
				continue
			}
			return l.has && (all || ripe(l.rec.time, now))
		}
	}
	for !full() {
		var first *lane
		next := int64(math.MaxInt64) // time of the first record of another lane
		for _, l := range lanes {
			switch {
			case !ready(l):
			case first == nil:
				first = l
			case l.rec.time < first.rec.time:
				first, next = l, first.rec.time
			default:
				next = min(next, l.rec.time)
			}
		}
		if first == nil {
			return
		}
		for !full() && ready(first) && first.rec.time <= next {
			take(first)
			first.take()
		}
	}
}
