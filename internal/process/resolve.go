// SPDX-License-Identifier: Apache-2.0

// This file finds what an event means by a pid: which instance of the pid, and
// which image of that instance.

package process

import (
	"bytes"
	"strings"

	"seismo/internal/event"
)

// serialWindow is how far the serials of events that are handled one after the
// other may lie apart; 63,030 recorded records were out of order by one at most
// (two processors, live).
const serialWindow = 4096

// at returns the instance of key that ran at the time when. gone says that it
// had ended by then, and no later one is known. nil means that none is known
// that was there already.
//
// Where two instances are possible within the slack of the stamps, it is the
// one that surely ran: stamps are early, never late. An event that is new by
// its serial and yet older than all instances was stamped by a clock that has
// been set back: it belongs to the one that runs.
func (t *Table) at(key pidKey, when int64, serial uint64) (en *entry, gone bool) {
	head := t.head(key)
	for en := head; en != nil; en = en.older {
		if when < en.start-slack {
			continue
		}
		if when < en.start { // by the slack; a pid may even be used thrice within it
			for o := en.older; o != nil && when <= o.end; o = o.older {
				if when >= o.start {
					return o, false
				}
			}
		}
		return en, en.ended && when > en.end+slack
	}
	if head != nil && !head.ended && (serial == 0 || serial+serialWindow > t.serial) {
		return head, false
	}
	return nil, false
}

// instance returns the entry of the process that e was done by. It makes one
// where none is known.
func (t *Table) instance(e *event.Event) *entry {
	key := pidKey{e.Host, e.PID}
	head := t.head(key)
	en, gone := t.at(key, e.Time, e.Serial)
	switch {
	case head == nil,
		en == head && gone && !same(en, e),
		en != nil && !en.ended && t.reused(en, e):
		en = t.enter(key, e.Time)
	case en == nil, gone && en != head:
		en = t.enterPast(key, e.Time)
	case gone:
		t.revive(en)
	}
	if e.PPID > 0 {
		en.ppid = e.PPID
	}
	t.touch(en)
	return en
}

// same reports whether e, which happened after the end of en was seen, looks as
// if en went on: the main thread may have ended alone. An exec never does.
func same(en *entry, e *event.Event) bool {
	if en.image == nil || e.Kind == event.KindProcess && e.Op == event.OpCreate || e.Flags&event.Untrusted != 0 {
		return false
	}
	path, ok := e.Text(event.ProcessPath)
	return ok && samePath(path, en.image.Path) && (e.PPID == en.ppid || e.PPID == 1)
}

// reused reports whether e shows that the pid of en belongs to another process
// by now, where nothing tells of forks and exits. A parent changes when the
// first one ends; it is then pid 1, or rarely another that collects orphans,
// which is taken for a new process if the image is new as well.
func (t *Table) reused(en *entry, e *event.Event) bool {
	if t.told && en.key.host == "" || e.PPID <= 1 || en.ppid == 0 || e.PPID == en.ppid || e.Flags&event.Untrusted != 0 {
		return false
	}
	if e.Kind == event.KindProcess && e.Op == event.OpCreate {
		return !precedes(en, e)
	}
	path, ok := e.Text(event.ProcessPath)
	return ok && en.image != nil && en.image.Path != "" && !samePath(path, en.image.Path) && !precedes(en, e)
}

// precedes reports whether e happened before the latest image of en began. The
// serial decides among events of one stamp, and against a clock set back.
func precedes(en *entry, e *event.Event) bool {
	p := en.image
	if p == nil || e.Time > p.Start {
		return false
	}
	if en.serial != 0 && e.Serial != 0 {
		return e.Serial < en.serial
	}
	return e.Time < p.Start
}

// imageAt returns the image that en ran when e happened, or nil if none is
// known. The image of a fork is made now: something refers to it.
func (t *Table) imageAt(en *entry, e *event.Event) *event.Process {
	p := t.latest(en)
	if p == nil || p.Previous == nil {
		return p
	}
	if !precedes(en, e) {
		return byProgram(p, e)
	}
	for p = p.Previous; p.Previous != nil && e.Time < p.Start; {
		p = p.Previous
	}
	return byProgram(p, e)
}

// byProgram returns the image that e, a load, was done by, where p is the one by time.
// A load has a fine stamp and no serial, an exec the stamp of the tick before it: a
// program that loads and executes another within a tick seems to have loaded after its
// exec. So it is the program that says which of the images that began within the
// slack it was.
func byProgram(p *event.Process, e *event.Event) *event.Process {
	if e.Kind != event.KindImage {
		return p
	}
	path, ok := e.Text(event.ProcessPath)
	for q := p; ok && q != nil; q = q.Previous {
		if samePath(path, q.Path) {
			return q
		}
		if q.Start < e.Time-slack {
			break
		}
	}
	return p
}

// imageBy returns the image that en ran at the time when.
func (t *Table) imageBy(en *entry, when int64) *event.Process {
	p := t.latest(en)
	for p != nil && p.Previous != nil && when < p.Start {
		p = p.Previous
	}
	return p
}

// latest returns the latest image of en, or nil if none is known.
func (t *Table) latest(en *entry) *event.Process {
	if en.image == nil && en.forkSeen {
		en.image = t.forked(en)
	}
	return en.image
}

// parentEntry returns the entry of the parent of a process that ran at the time
// when, or nil if it is not known. Live, /proc is asked.
func (t *Table) parentEntry(host string, ppid, pid int32, when int64, serial uint64) *entry {
	if ppid <= 0 || ppid == pid {
		return nil
	}
	if en, gone := t.at(pidKey{host, ppid}, when, serial); en != nil && !gone {
		return en
	}
	if host != "" {
		return nil
	}
	return t.look(ppid, when)
}

// parentImage returns the image of en's parent when e happened, or nil.
func (t *Table) parentImage(en *entry, e *event.Event) *event.Process {
	if en.parent == nil {
		t.adopt(en, t.parentEntry(e.Host, e.PPID, e.PID, e.Time, e.Serial))
	}
	if en.parent == nil {
		return nil
	}
	return t.asParent(en.parent, e.Time)
}

// deleted is what Linux appends to the path of a file that is no longer there.
const deleted = " (deleted)"

func samePath(path []byte, known string) bool {
	return string(bytes.TrimSuffix(path, []byte(deleted))) == strings.TrimSuffix(known, deleted)
}
