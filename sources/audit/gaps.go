// SPDX-License-Identifier: Apache-2.0

// This file finds missing events by their serials.

package audit

import "math/bits"

// maxGap is the largest jump of the serials that is taken for lost events. A
// larger one is another numbering: the machine was booted, or the log was cut.
const maxGap = 100_000

// gapWindow is how many serials an event may be late before it counts as
// missing. Measured: events begin at most one serial out of order on two loaded
// cores; a task that is held up between getting a serial and writing its records
// is later.
const gapWindow = 1024

// Gaps counts the serials that are missing in a stream. The kernel numbers the
// events of a boot without a gap, so on a stream that nothing filters a missing
// serial is a lost event. Events may come a little out of order: a serial counts
// as missing when it is 1024 behind the newest, or at [Gaps.Settle].
//
// The zero value is ready. It is for one goroutine.
type Gaps struct {
	started bool
	top     uint32 // the newest serial
	newest  int64  // the newest time
	whole   int64  // the newest time when a serial that is missing was passed over first
	behind  uint32 // how many serials before top are watched, at most gapWindow-1
	seen    [gapWindow / 64]uint64
}

// Observe takes the serial and the time (Unix, nanoseconds) of an event, once or
// more often. It returns how many serials are newly known to be missing, and
// whether the numbering began anew: then nothing is known about what lies
// between. Serials run over from 2^32-1 to 0.
func (g *Gaps) Observe(serial uint64, time int64) (missing uint64, restart bool) {
	s := uint32(serial)
	if !g.started {
		g.begin(s, time)
		return 0, false
	}
	step := int32(s - g.top)
	switch {
	case step > maxGap, step < -maxGap:
		g.passOver()
		missing = g.Settle()
		g.begin(s, time)
		return missing, true
	case step > 0:
		if step > 1 {
			g.passOver()
		}
		for range step {
			missing += g.advance()
		}
		g.mark(s)
	case uint32(-step) <= g.behind:
		g.mark(s)
	case time > g.newest:
		// Far behind, yet newer: not a late event but another boot.
		missing = g.Settle()
		g.begin(s, time)
		return missing, true
	}
	g.newest = max(g.newest, time)
	return missing, false
}

// passOver notes the time when serials are passed over, unless some are missing already.
func (g *Gaps) passOver() {
	if g.Pending() == 0 {
		g.whole = g.newest
	}
}

// Settle counts the missing serials that have been waited for until now, and
// waits no longer. Call it when the stream has been silent for a while, and at
// its end.
func (g *Gaps) Settle() (missing uint64) {
	if !g.started {
		return 0
	}
	for i := uint32(1); i <= g.behind; i++ {
		if s := g.top - i; !g.has(s) {
			missing++
			g.mark(s)
		}
	}
	return missing
}

// Pending returns how many serials are being waited for.
func (g *Gaps) Pending() int {
	if !g.started {
		return 0
	}
	n := int(g.behind) + 1
	for _, w := range g.seen {
		n -= bits.OnesCount64(w)
	}
	return n
}

func (g *Gaps) begin(s uint32, time int64) {
	*g = Gaps{started: true, top: s, newest: time, whole: g.whole}
	g.mark(s)
}

// advance makes the next serial the newest, not seen yet, and returns 1 if the
// one that falls out of the window was never seen.
func (g *Gaps) advance() (missing uint64) {
	g.top++
	if g.behind < gapWindow-1 {
		g.behind++
	} else if !g.has(g.top) { // same place as top-gapWindow
		missing = 1
	}
	g.seen[g.top%gapWindow/64] &^= 1 << (g.top % 64)
	return missing
}

func (g *Gaps) mark(s uint32)     { g.seen[s%gapWindow/64] |= 1 << (s % 64) }
func (g *Gaps) has(s uint32) bool { return g.seen[s%gapWindow/64]&(1<<(s%64)) != 0 }
