// SPDX-License-Identifier: Apache-2.0

// This file finds ended processes by looking, for systems that do not tell.

package process

import (
	"errors"
	"fmt"
	"io/fs"

	"seismo/internal/event"
)

// Sweep ends every process that /proc no longer shows, or shows with another
// start: its pid is another's by now. The exit code is not known, and the end
// is stamped now (Unix time, nanoseconds), the end of the stretch it lies in. It
// serves systems without the proc connector; without /proc it does nothing. It
// returns how many processes it ended.
func (t *Table) Sweep(b *event.Batch, now int64) (int, error) {
	if t.proc == nil {
		return 0, nil
	}
	// Where not even the boot time can be read, nothing seems to run.
	if _, err := t.proc.bootTime(); err != nil {
		return 0, fmt.Errorf("look for ended processes: %w", err)
	}
	n := 0
	for en := t.living.first; en != nil; {
		next := en.after
		if en.key.host == "" && en.start <= now && t.vanished(en) {
			t.end(en, now, 0, true)
			n++
		}
		en = next
	}
	t.finish(b)
	return n, nil
}

// vanished reports whether en ended by what /proc shows.
func (t *Table) vanished(en *entry) bool {
	s, err := t.proc.stat(en.key.pid)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return true
	case err != nil:
		return false // not allowed, or a bad read: that shows nothing
	case s.zombie():
		return true
	case en.ticks != 0:
		return s.ticks != en.ticks
	}
	start, err := t.proc.started(s.ticks)
	if err != nil {
		return false
	}
	if start > en.start+slack {
		return true // btime is early, so this start surely is later
	}
	en.ticks = s.ticks
	return false
}
