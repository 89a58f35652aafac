// SPDX-License-Identifier: Apache-2.0

// This file holds what the table keeps of one process, and the index and lists
// it is kept in. How the instance that an event means is found is in resolve.go.

package process

import (
	"unsafe"

	"seismo/internal/event"
)

// entry is one process from fork to end: one instance of its pid, with all the
// images that it ran.
type entry struct {
	key    pidKey
	image  *event.Process // the latest; nil: none was seen, and nothing referred to the fork's
	parent *entry         // counted in its kids
	older  *entry         // the instance of the pid before this one

	before, after *entry
	in            *list

	start, end int64  // Unix time, nanoseconds
	serial     uint64 // of the event that showed the latest image
	ticks      uint64 // field 22 of /proc/PID/stat; 0: not known
	ppid       int32  // as last heard
	maker      int32  // if forkSeen, pid of the process that forked it
	code       int32  // exit code
	kids       int32  // entries whose parent this is
	cost       int32  // bytes, while in Table.ended or packed

	// Marks of execs so far, and execs shown by events. At a fork the child
	// notes its maker's marks: that many execs came before it.
	marks, shown, makerMarks uint16

	ended, noCode, said bool // said: the end event was made
	forkSeen            bool
	blind               bool // known by its exit only: start is a lower bound
	referred            bool // the latest image was published, or something refers to it
	removed             bool // no longer in the table
}

// list is a doubly linked list of entries, oldest first.
type list struct {
	first, last *entry
	n           int
}

func (l *list) push(en *entry) {
	en.in, en.before, en.after = l, l.last, nil
	if l.last != nil {
		l.last.after = en
	} else {
		l.first = en
	}
	l.last = en
	l.n++
}

func (l *list) remove(en *entry) {
	if en.before != nil {
		en.before.after = en.after
	} else {
		l.first = en.after
	}
	if en.after != nil {
		en.after.before = en.before
	} else {
		l.last = en.before
	}
	en.in, en.before, en.after = nil, nil, nil
	l.n--
}

// touch notes that something referred to en: it is forgotten last.
func (t *Table) touch(en *entry) {
	if en.in == &t.living && t.living.last != en {
		t.living.remove(en)
		t.living.push(en)
	}
}

// enter adds the newest instance of key. One that still seemed to run has ended
// unseen.
func (t *Table) enter(key pidKey, start int64) *entry {
	en := t.newEntry()
	en.key, en.start, en.older = key, start, t.head(key)
	if en.older != nil && !en.older.ended {
		t.end(en.older, max(start, en.older.start), 0, true)
	}
	t.index.set(key, en)
	t.living.push(en)
	return en
}

// enterPast adds an instance of key that ended before a later one, which is in
// the table, began.
func (t *Table) enterPast(key pidKey, start int64) *entry {
	newer := t.head(key)
	for newer.older != nil && newer.older.start > start {
		newer = newer.older
	}
	en := t.newEntry()
	en.key, en.start, en.older = key, start, newer.older
	newer.older = en
	t.living.push(en)
	t.end(en, max(start, newer.start), 0, true)
	return en
}

// end notes that en ended. Its end event is made when the batch is finished.
func (t *Table) end(en *entry, when int64, code int32, noCode bool) {
	if en.ended || en.removed {
		return
	}
	en.ended, en.end, en.code, en.noCode = true, when, code, noCode
	t.living.remove(en)
	t.keepEnded(en)
	t.ending = append(t.ending, en)
}

// keepEnded puts en, which is in no list, with the ended.
func (t *Table) keepEnded(en *entry) {
	en.cost = cost(en)
	t.bytes += int(en.cost)
	t.fresh += int(en.cost)
	t.ended.push(en)
}

// recost notes that en has more images than when it ended.
func (t *Table) recost(en *entry) {
	if en.in != &t.ended && en.in != &t.packed {
		return
	}
	before := en.cost
	en.cost = cost(en)
	t.bytes += int(en.cost - before)
	if en.in == &t.ended {
		t.fresh += int(en.cost - before)
	}
}

// unlist takes en out of the list that it is in.
func (t *Table) unlist(en *entry) {
	switch en.in {
	case &t.ended:
		t.fresh -= int(en.cost)
		fallthrough
	case &t.packed:
		t.bytes -= int(en.cost)
	}
	if en.in != nil {
		en.in.remove(en)
	}
}

// revive takes back the end of en: something that it did later was seen. The
// main thread of a process may end before the others do.
func (t *Table) revive(en *entry) {
	t.unlist(en)
	en.ended, en.said, en.noCode, en.code, en.end = false, false, false, 0, 0
	t.living.push(en)
}

// cost is about what en occupies, in bytes.
func cost(en *entry) int32 {
	n := int(unsafe.Sizeof(entry{})) + 32 // 32: its share of the index
	for p := en.image; p != nil && p.PID == en.key.pid; p = p.Previous {
		n += int(unsafe.Sizeof(event.Process{}))
		if p.Windows != nil {
			n += int(unsafe.Sizeof(event.WindowsFacts{})) // their texts are shared
		}
		if !p.Forked {
			n += len(p.CommandLine) + 16*len(p.Args)
		}
	}
	return int32(min(n, 1<<30))
}

// maxLineage bounds the chain of parents of an entry; keepLineage is what is
// left when it is cut. A process that forks and ends, for ever, has no end of
// ancestors.
const (
	maxLineage  = 256
	keepLineage = 128
)

// adopt makes parent the parent of en, which has none. It refuses a parent that
// descends from en: hostile records may name each as the other's parent.
func (t *Table) adopt(en, parent *entry) {
	n := 0
	var cut *entry
	for q := parent; q != nil; q = q.parent {
		if q == en {
			return
		}
		if n++; n == keepLineage {
			cut = q
		}
	}
	if parent == nil {
		return
	}
	if n >= maxLineage {
		before := t.held.n
		t.disown(cut)
		t.cut += uint64(before - t.held.n)
		t.cutAt = en.start
	}
	en.parent = parent
	parent.kids++
}

// disown cuts the link from en to its parent. A parent that was only kept for
// en goes, and so may the parent's parent.
func (t *Table) disown(en *entry) {
	for p := en.parent; p != nil; p = en.parent {
		en.parent = nil
		p.kids--
		if p.kids > 0 || p.in != &t.held {
			return
		}
		t.unindex(p)
		en = p
	}
}

// remove takes en out of the table.
func (t *Table) remove(en *entry) {
	t.unindex(en)
	t.disown(en)
}

// unindex takes en out of index and lists. The keys of its images go to
// Batch.Ended.
func (t *Table) unindex(en *entry) {
	t.unlist(en)
	delete(t.contained, en)
	en.removed = true
	for p := en.image; p != nil && p.PID == en.key.pid; p = p.Previous {
		t.gone = append(t.gone, p.ID)
	}
	if head := t.index.get(en.key); head == en {
		if en.older == nil {
			t.index.remove(en.key)
		} else {
			t.index.set(en.key, en.older)
		}
	} else {
		for q := head; q != nil; q = q.older {
			if q.older == en {
				q.older = en.older
				break
			}
		}
	}
	en.older = nil
}

// newEntry returns an empty entry.
func (t *Table) newEntry() *entry {
	if n := len(t.spare); n > 0 {
		en := t.spare[n-1]
		t.spare = t.spare[:n-1]
		return en
	}
	return new(entry)
}

// freeEntry keeps the memory of en, to which nothing refers any more, for the next
// one.
func (t *Table) freeEntry(en *entry) {
	*en = entry{}
	if len(t.spare) < maxSpare {
		t.spare = append(t.spare, en)
	}
}

// maxSpare bounds the entries that are kept for reuse: at full speed as
// many begin as end in between.
const maxSpare = 512
