// SPDX-License-Identifier: Apache-2.0

// This file holds what is known of programs, and who waits for it.
//
// A program is known by the path that the kernel gives it and by the device and
// inode of every file that its exec went through; two execs that are alike in all
// that ran the same file. That the file holds what it held is known in one of two
// ways: the kernel tells of every change (a watch on the file, set before it was
// last looked at), or the file is looked at after the exec.
//
// Not noticed are changes that go around the file system: writes to the block device
// below it, or to the layers below an overlay. Of file systems that others can
// change over a network no watch is taken.

package imagehash

import (
	"hash/maphash"
	"time"

	"seismo/internal/event"
	"seismo/internal/recent"
)

// Bounds of what the client keeps. A program takes about 300 bytes and a watch 1 KB
// of the kernel's.
const (
	maxEntries   = 2048
	maxWaiting   = 4096 // processes
	maxQueue     = 1024 // programs
	maxStrangers = 1024 // watches that no answer told of yet
	maxRetired   = 256  // watches that wait for their end; beyond it nothing new is asked
)

// entry is a program.
type entry struct {
	recent.Links[*entry]
	key   uint64
	path  string
	files []event.FileID

	hashes  []string // nil: it has none, or none that is known
	file    File
	at      int64 // when file was last seen as it is
	watch   *watch
	state   entryState
	mustGet bool // the file is not in the cache: looking at it is not enough
	read    bool // the request under way may read
	id      uint32
	asked   *waiter // whose process the request under way names; also in waiters

	tries   int // answers in a row that brought nothing
	retryAt time.Time
	waiters []*waiter
}

type entryState uint8

const (
	idle entryState = iota
	queued
	underWay
)

// waiter is a process that has no hash yet.
type waiter struct {
	process *event.Process
	time    int64 // of its exec
}

// watch is the kernel's promise to tell of changes of one file.
type watch struct {
	number  int32
	users   int
	changed bool
}

// queue is a queue of entries in which one can be taken back to the front.
type queue []*entry

func (q *queue) push(e *entry) { *q = append(*q, e) }

func (q *queue) pop() *entry {
	e := (*q)[0]
	(*q)[0] = nil
	if *q = (*q)[1:]; len(*q) == 0 {
		*q = nil
	}
	return e
}

// Known returns the hashes of the program that e, an exec, began, nil if they are not
// known now. The list is shared: nobody may change it.
func (c *Client) Known(e *event.Event) []string {
	if e.Host != "" {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	path, _ := e.Text(event.ProcessPath)
	c.scratch = e.AppendProgramFiles(c.scratch[:0])
	n := c.find(path, c.scratch)
	if n == nil || n.hashes == nil || len(c.scratch) == 0 {
		return nil
	}
	c.noteChanges(e.Time)
	if !n.trusted(e.Time) {
		return nil
	}
	c.stats.Known++
	c.order.Touch(n)
	return n.hashes
}

// stampLag is how much earlier than an exec its stamp may be: the kernel's coarse
// clock has steps of up to 10 ms, and audit cuts it to whole milliseconds.
const stampLag = int64(11 * time.Millisecond)

// noteChanges takes what the kernel has to tell of changes up to the time t.
func (c *Client) noteChanges(t int64) {
	if c.o.Watch == nil || c.drained > t+stampLag {
		return
	}
	c.drained = time.Now().UnixNano()
	if c.o.Watch.Changed(c.changed) {
		for number, w := range c.watches {
			w.changed = true
			c.retired = append(c.retired, number)
		}
		c.doubt = c.asked
	}
}

// changed notes that the file of the watch changed. Its program is looked at when it
// runs again.
func (c *Client) changed(number int32) {
	w := c.watches[number]
	switch {
	case w == nil && len(c.watches) >= maxEntries+maxStrangers:
		c.doubt = c.asked
		return
	case w == nil: // perhaps the answer that brings this watch is still under way
		w = &watch{number: number}
		c.watches[number] = w
	case w.changed:
		return
	}
	w.changed = true
	c.retired = append(c.retired, number)
}

// retire ends the watches that nobody needs. It waits until no answer is under way:
// one may bring a watch that it found there.
func (c *Client) retire() {
	if len(c.flight) > 0 {
		return
	}
	for _, number := range c.retired {
		if w := c.watches[number]; w != nil && (w.changed || w.users == 0) {
			delete(c.watches, number)
			c.o.Watch.Forget(number)
		}
	}
	c.retired = c.retired[:0]
}

// trusted reports whether n's file surely held what it held when it was looked at
// at the time t: the watch tells of all that happened since then, and before that
// nothing happened since the file's last change.
func (n *entry) trusted(t int64) bool {
	return n.watch != nil && !n.watch.changed && n.heldAt(t)
}

// heldAt reports whether the file was already at the time t what it was when it was
// looked at. Stamps of execs are in whole milliseconds, and early.
func (n *entry) heldAt(t int64) bool { return t >= n.at || n.file.CTime/1e6 <= t/1e6 }

// find returns the entry of a program, nil if there is none.
func (c *Client) find(path []byte, files []event.FileID) *entry {
	n := c.entries[c.keyOf(path, files)]
	if n == nil || n.path != string(path) || len(n.files) != len(files) {
		return nil
	}
	for i, f := range files {
		if n.files[i] != f {
			return nil
		}
	}
	return n
}

func (c *Client) keyOf(path []byte, files []event.FileID) uint64 {
	h := maphash.Bytes(c.seed, path)
	for i := range files {
		h = h*0x9e3779b97f4a7c15 ^ maphash.Comparable(c.seed, files[i])
	}
	return h
}

// Seen asks for the hashes of processes that begin in b and have none.
func (c *Client) Seen(b *event.Batch) {
	locked := false
	for _, e := range b.Events() {
		p := e.Process
		if e.Kind != event.KindProcess || e.Op != event.OpCreate || p == nil || len(p.Hash) > 0 || e.Host != "" ||
			len(p.Path) == 0 || len(p.Path) > MaxPath {
			continue
		}
		if !locked {
			c.mu.Lock()
			defer c.mu.Unlock()
			locked = true
		}
		if c.closed {
			return
		}
		c.want(e, p)
	}
	if locked {
		notify(c.wake)
	}
}

// want has p wait for its hash.
func (c *Client) want(e *event.Event, p *event.Process) {
	c.stats.Asked++
	c.scratch = e.AppendProgramFiles(c.scratch[:0])
	if len(c.scratch) > MaxFiles {
		c.scratch = c.scratch[:0] // they can not be told apart
	}
	n := c.find([]byte(p.Path), c.scratch)
	if n == nil {
		n = c.enter(p.Path, c.scratch)
	}
	w := &waiter{p, e.Time}
	c.noteChanges(w.time)
	switch {
	case n == nil, c.waiting >= maxWaiting, n.state == idle && len(c.looks)+len(c.reads) >= maxQueue:
		c.shed(1, "more programs were started than are looked at")
		return
	case time.Now().Before(n.retryAt):
		c.stats.Missed[Gone]++
		return
	case n.hashes != nil && len(n.files) > 0 && n.trusted(w.time):
		c.waiting++
		c.give(n, w)
		return
	}
	c.waiting++
	n.waiters = append(n.waiters, w)
	c.order.Touch(n)
	if n.state == idle {
		c.enqueue(n)
	}
}

// enter makes the entry of a program; nil if there are too many that somebody waits
// for.
func (c *Client) enter(path string, files []event.FileID) *entry {
	if len(c.entries) >= maxEntries {
		old := c.order.Oldest()
		for i := 0; old != nil && old.state != idle && i < 64; i++ {
			c.order.Touch(old)
			old = c.order.Oldest()
		}
		if old == nil || old.state != idle {
			return nil
		}
		c.drop(old)
	}
	n := &entry{key: c.keyOf([]byte(path), files), path: path, files: append([]event.FileID(nil), files...)}
	if other := c.entries[n.key]; other != nil {
		if other.state != idle {
			return nil
		}
		c.drop(other)
	}
	c.entries[n.key] = n
	c.order.Push(n)
	return n
}

// drop forgets n, which nobody waits for.
func (c *Client) drop(n *entry) {
	c.unwatch(n)
	c.order.Remove(n)
	delete(c.entries, n.key)
}

func (c *Client) unwatch(n *entry) {
	if w := n.watch; w != nil {
		if w.users--; w.users == 0 && !w.changed {
			c.retired = append(c.retired, w.number)
		}
		n.watch = nil
	}
}

// setWatch gives n the watch that the answer to request id brought.
func (c *Client) setWatch(n *entry, number int32, id uint32) {
	if n.watch != nil && n.watch.number == number {
		return
	}
	c.unwatch(n)
	if number == 0 || c.o.Watch == nil {
		return
	}
	w := c.watches[number]
	if w == nil {
		w = &watch{number: number}
		c.watches[number] = w
	}
	if id <= c.doubt && !w.changed {
		w.changed = true
		c.retired = append(c.retired, number)
	}
	w.users++
	n.watch = w
}

// enqueue puts n with those whose file is to be read if nothing of it is known, else
// with those whose file is to be looked at.
func (c *Client) enqueue(n *entry) {
	n.state = queued
	n.read = n.mustGet || len(n.files) > 0 && !c.mayHave(n)
	if n.read {
		c.reads.push(n)
	} else {
		c.looks.push(n)
	}
}

func (c *Client) mayHave(n *entry) bool {
	for _, f := range n.files {
		if c.cache.MayHave(f.Inode) {
			return true
		}
	}
	return false
}

// give tells the hash of w's process.
func (c *Client) give(n *entry, w *waiter) {
	c.stats.Late++
	c.out = append(c.out, late{w.process, n.hashes, max(time.Now().UnixNano(), w.time)})
	notify(c.told)
}
