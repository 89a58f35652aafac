// SPDX-License-Identifier: Apache-2.0

// This file says on how many processors at a time the program's own code runs. On one,
// a batch goes from the reader to the matcher to the writer without another thread being
// woken, which where little happens costs more than the work itself; on several, one reads
// while another writes.

package daemon

import (
	"runtime"
	"time"
)

const (
	// maxWidth is the number of processors that are used at most: reader, matcher and
	// writer, sources beside and the garbage collector have no more to do at a time.
	maxWidth = 4
	// wideAbove and narrowBelow are parts of one processor, in percent, beyond which
	// more are used, and below which one is enough after all.
	wideAbove, narrowBelow = 40, 25
	// calmLooks is how many looks in a row must find little use until then.
	calmLooks = 5
)

// width follows how much processor time is used.
type width struct {
	all  int // processors that may be used, from the environment or the machine
	now  int // that are
	used time.Duration
	at   time.Time
	calm int // looks in a row that found little use
}

// newWidth begins with all processors: a start has much to do at once.
func newWidth(used time.Duration, at time.Time) *width {
	w := &width{all: min(runtime.GOMAXPROCS(0), maxWidth), used: used, at: at}
	w.set(w.all)
	return w
}

// follow takes in how much processor time was used until now.
func (w *width) follow(used time.Duration, at time.Time) {
	passed := at.Sub(w.at)
	if passed <= 0 {
		return
	}
	percent := int(100 * (used - w.used) / passed)
	w.used, w.at = used, at
	if percent >= narrowBelow {
		w.calm = 0
	} else {
		w.calm++
	}
	switch {
	case percent > wideAbove:
		w.set(w.all)
	case w.calm >= calmLooks:
		w.set(1)
	}
}

// set changes it; each change stops the program for a moment.
func (w *width) set(n int) {
	if n != w.now {
		w.now = n
		runtime.GOMAXPROCS(n)
	}
}
