// SPDX-License-Identifier: Apache-2.0

// This file acts on forks and exits as the kernel tells them. They come through
// another queue than the events, so either may be first.

package process

import (
	"time"

	"seismo/internal/event"
)

// bootError bounds the error of a start computed from /proc: the boot time there
// (btime) has whole seconds.
const bootError = int64(1500 * time.Millisecond)

// fork notes that c.Parent made c.PID. Nothing is allocated but the entry: the
// image is its parent's until something refers to it.
func (t *Table) fork(c *event.Change) {
	key := pidKey{"", c.PID}
	if en := t.head(key); en != nil && joins(en, c.Time) {
		if en.image == nil {
			t.linkFork(en, c)
		} else {
			// What is published stays as it is.
			en.start, en.forkSeen = min(en.start, c.Time), true
		}
		return
	}
	t.linkFork(t.enter(key, c.Time), c)
}

// joins reports whether a fork at the time when began en, which was first seen
// by an event, by its exit, or in /proc.
func joins(en *entry, when int64) bool {
	switch {
	case en.forkSeen, en.ended && when > en.end+slack:
		return false
	case en.blind:
		return when >= en.start-slack
	case en.ticks != 0:
		return when <= en.start+bootError
	}
	return when <= en.start+slack
}

func (t *Table) linkFork(en *entry, c *event.Change) {
	en.start, en.forkSeen, en.blind, en.ppid, en.maker = c.Time, true, false, c.Parent, c.Parent
	p, gone := t.at(pidKey{"", c.Parent}, c.Time, 0)
	if p == nil || gone || en.parent != nil {
		return
	}
	t.adopt(en, p)
	t.touch(p)
	en.makerMarks = p.marks
}

// mark counts an exec. Stamps of execs are too coarse to tell whether a fork was
// before or after; marks and forks come in order.
func (t *Table) mark(c *event.Change) {
	if en, gone := t.at(pidKey{"", c.PID}, c.Time, 0); en != nil && !gone {
		en.marks++
	}
}

// imageAtFork returns the image that parent ran when it forked en, as a parent
// to link to, or nil if none is known. The marks say which; where some marks or
// events were lost, so that they contradict the stamps, the stamps do.
func (t *Table) imageAtFork(en, parent *entry) *event.Process {
	p := t.asParent(parent, en.start)
	if parent.marks == 0 || p == nil {
		return p
	}
	q, next := parent.image, (*event.Process)(nil)
	for back := int16(parent.shown - en.makerMarks); back > 0 && q != nil; back-- {
		q, next = q.Previous, q
	}
	if q == nil || next == nil || en.start+slack < q.Start || next.Start < en.start-slack {
		return p
	}
	return shortenChain(q)
}

// exit notes the end of c.PID. The exit of a process that was never seen is
// kept all the same: its fork and its events may still be under way.
func (t *Table) exit(c *event.Change) {
	key := pidKey{"", c.PID}
	en, gone := t.at(key, c.Time, 0)
	switch {
	case en == nil && t.head(key) == nil, gone && !en.noCode:
		en = t.enter(key, 0)
		en.blind = true
		if en.older != nil {
			en.start = en.older.end + 1
		}
	case en == nil:
		return
	case en.ended:
		if en.noCode && !en.said {
			en.end, en.code, en.noCode = c.Time, c.Code, c.NoCode
		}
		return
	}
	t.end(en, c.Time, c.Code, c.NoCode)
}

// ends notes the end that e, an event of the source's own, tells.
func (t *Table) ends(e *event.Event) {
	en := t.refer(e)
	code, ok := e.Int(event.ProcessExitCode)
	t.end(en, e.Time, int32(code), !ok)
	en.said = true
}
