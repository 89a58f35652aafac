// SPDX-License-Identifier: Apache-2.0

// This file says how often the garbage collector runs. Each run costs the same
// whatever it frees, so a small heap may grow by much before the next, a large one by
// little: a recorder is to be small, and cheap where it is small anyway.

package daemon

import (
	"runtime/debug"
	"runtime/metrics"
)

const (
	// heapGoal is the size in bytes up to which the heap may grow before it is cleared.
	heapGoal = 14 << 20
	// minGC and maxGC bound how much it may grow, in percent of what was in use after
	// the last run. At 2,000 programs a second 9 MB are in use, and 1 KB is allocated for
	// a program: the goal of 14 MB has it run every 2.5 s, for 6 ms, a twentieth of what
	// the recorder takes; 20 MB had it run every 4 s, for a peak that was 5 MB higher.
	minGC, maxGC = 30, 200
	// gcStep is the difference in percent below which nothing is changed: each change
	// stops the program for a moment.
	gcStep = 15
)

// gcPercent returns by how much, in percent, a heap of live bytes may grow.
func gcPercent(live uint64) int {
	if live == 0 || live >= heapGoal {
		return minGC
	}
	return int(min(max((heapGoal-live)*100/live, minGC), maxGC))
}

// collector follows the size of the heap.
type collector struct {
	now  int // percent in force
	live []metrics.Sample
}

func newCollector() *collector {
	c := &collector{now: minGC, live: []metrics.Sample{{Name: "/gc/heap/live:bytes"}}}
	debug.SetGCPercent(minGC)
	return c
}

// follow adapts the collector to what is in use now.
func (c *collector) follow() {
	metrics.Read(c.live)
	if c.live[0].Value.Kind() != metrics.KindUint64 { // a later Go may not have the figure
		return
	}
	if want := gcPercent(c.live[0].Value.Uint64()); want < c.now || want-c.now >= gcStep {
		c.now = want
		debug.SetGCPercent(want)
	}
}
