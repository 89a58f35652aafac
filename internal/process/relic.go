// SPDX-License-Identifier: Apache-2.0

// This file keeps processes that ended a while ago in a small form, as bytes. An event
// that comes late has them made again, under the same keys: what was published is equal,
// at another pointer. Where the bytes are is in relics.go.

package process

import (
	"encoding/binary"
	"slices"

	"seismo/internal/event"
)

// relic is an entry that ended, its latest image and, where that was executed in a fork,
// the image of the fork: most commands have these two. As bytes it takes about 80 and
// the command line, where they take 1,000.
type relic struct {
	entry     entry // without its image and the lists and chains that it was in
	older     place // of the instance of the pid before, if it hasOlder
	hasOlder  bool
	container string // that was heard of late

	is       relicBits
	setting  *setting
	fresh    bool           // the setting was made for this relic
	parent   *event.Process // of both images
	id, fork event.ProcessKey
	start    int64
	forked   int64 // when the fork was
	ticks    uint64
	ppid     int32
	maker    int32  // PPID of the fork's image
	text     []byte // see appendCommand
}

// relicBits say what there is of a relic, and what it was.
type relicBits uint64

const (
	hasImage relicBits = 1 << iota
	hasFork            // and with it an image
	hasArgs
	hasOlder
	hasKin
	hasContainer
	isRunning // the image was
	isForked
	isInferred
	endNoCode // the entry
	endSaid
	endForkSeen
	endBlind
	endReferred
)

func bit(b relicBits, set bool) relicBits {
	if set {
		return b
	}
	return 0
}

// freshPart is the part of Options.EndedBytes, as a divisor, that ended processes
// may take whole: those that ended last are those that late events mean.
const freshPart = 8

// pack makes relics of the processes that ended first, so that the others fit the
// part of EndedBytes that they may take whole. What does not have the usual form
// stays as it is.
func (t *Table) pack() {
	for en := t.ended.first; en != nil && t.fresh > t.o.EndedBytes/freshPart; en = t.ended.first {
		t.unlist(en)
		if !t.bury(en) {
			en.cost = cost(en)
			t.bytes += int(en.cost)
			t.packed.push(en)
		}
	}
}

// bury puts a relic in the place of en, if en has the form for it: nothing descends from
// it, and it is the oldest instance of its pid, so that those of a pid which are relics
// are older than those which are not.
func (t *Table) bury(en *entry) bool {
	if en.kids > 0 || en.older != nil || en.key.host != "" {
		return false
	}
	if !t.describe(en) || !t.relics.add(&t.relic) {
		return false
	}
	if q := t.index.get(en.key); q == en {
		t.index.remove(en.key)
	} else {
		for q.older != en {
			q = q.older
		}
		q.older = nil
	}
	delete(t.contained, en)
	t.freeEntry(en)
	return true
}

// describe makes t.relic that of en, or reports that en has not the form for it.
func (t *Table) describe(en *entry) bool {
	r := &t.relic
	*r = relic{entry: *en}
	var ok bool
	r.container, ok = t.contained[en]
	r.is = bit(hasContainer, ok) | bit(hasKin, en.parent != nil) | bit(endNoCode, en.noCode) | bit(endSaid, en.said) |
		bit(endForkSeen, en.forkSeen) | bit(endBlind, en.blind) | bit(endReferred, en.referred)
	p := en.image
	if p == nil {
		return true
	}
	if p.PID != en.key.pid || p.Host != "" || p.Boot != t.o.Boot || p.Windows != nil {
		return false
	}
	fork := p.Previous
	if fork != nil && !t.remade(fork, p.Parent, en) {
		return false
	}
	text, ok := appendCommand(t.scratch[:0], p)
	if t.scratch = text; cap(text) > maxScratch {
		t.scratch = nil
	}
	if !ok {
		return false
	}
	r.text, r.parent, r.id, r.start, r.ticks, r.ppid = text, p.Parent, p.ID, p.Start, p.StartTicks, p.PPID
	r.setting, r.fresh = t.settingOf(p)
	if fork != nil {
		r.fork, r.forked, r.maker = fork.ID, fork.Start, fork.PPID
	}
	r.is |= hasImage | bit(hasFork, fork != nil) | bit(hasKin, p.Parent != nil) | bit(hasArgs, p.Args != nil) |
		bit(isRunning, p.SeenRunning) | bit(isForked, p.Forked) | bit(isInferred, p.Inferred)
	return true
}

// append appends r to b, which belongs to c. Times and serials are told from others that
// are near, which takes few bytes.
func (r *relic) append(b []byte, c *chunk) []byte {
	en := &r.entry
	is := r.is | bit(hasOlder, r.hasOlder)
	b = binary.AppendUvarint(b, uint64(is))
	b = binary.AppendUvarint(b, uint64(uint32(en.key.pid)))
	if is&hasOlder != 0 {
		b = binary.LittleEndian.AppendUint32(b, uint32(r.older))
	}
	b = binary.AppendVarint(b, en.end-c.time)
	b = binary.AppendVarint(b, en.start-en.end)
	b = binary.AppendVarint(b, int64(en.serial-c.serial))
	for _, v := range []uint64{en.ticks, uint64(uint32(en.ppid)), uint64(uint32(en.maker)), uint64(uint32(en.code)),
		uint64(en.marks), uint64(en.shown), uint64(en.makerMarks)} {
		b = binary.AppendUvarint(b, v)
	}
	if is&hasKin != 0 {
		b = binary.AppendUvarint(b, c.kinOf(kin{en.parent, r.parent}))
	}
	if is&hasContainer != 0 {
		b = binary.AppendUvarint(b, uint64(len(r.container)))
		b = append(b, r.container...)
	}
	if is&hasImage == 0 {
		return b
	}
	b = binary.LittleEndian.AppendUint64(b, uint64(r.id))
	b = binary.AppendVarint(b, r.start-en.start)
	b = binary.AppendUvarint(b, r.ticks)
	b = binary.AppendUvarint(b, uint64(uint32(r.ppid)))
	b = binary.AppendUvarint(b, c.settingOf(r.setting, r.fresh))
	if is&hasFork != 0 {
		b = binary.LittleEndian.AppendUint64(b, uint64(r.fork))
		b = binary.AppendVarint(b, r.forked-en.start)
		b = binary.AppendUvarint(b, uint64(uint32(r.maker)))
	}
	return append(b, r.text...)
}

// read returns the relic at an offset of c. Its text is c's.
func (c *chunk) read(at int) (r relic) {
	d := decoder{c.data[at+relicHead : at+int(binary.LittleEndian.Uint16(c.data[at+1:]))]}
	en := &r.entry
	r.is = relicBits(d.uvarint())
	en.ended = true
	en.noCode, en.said, en.forkSeen = r.is&endNoCode != 0, r.is&endSaid != 0, r.is&endForkSeen != 0
	en.blind, en.referred = r.is&endBlind != 0, r.is&endReferred != 0
	en.key.pid = int32(d.uvarint())
	if r.hasOlder = r.is&hasOlder != 0; r.hasOlder {
		r.older = place(binary.LittleEndian.Uint32(d.bytes(4)))
	}
	en.end = c.time + d.varint()
	en.start = en.end + d.varint()
	en.serial = c.serial + uint64(d.varint())
	en.ticks, en.ppid, en.maker, en.code = d.uvarint(), int32(d.uvarint()), int32(d.uvarint()), int32(d.uvarint())
	en.marks, en.shown, en.makerMarks = uint16(d.uvarint()), uint16(d.uvarint()), uint16(d.uvarint())
	if r.is&hasKin != 0 {
		k := c.kin[d.uvarint()]
		en.parent, r.parent = k.entry, k.image
	}
	if r.is&hasContainer != 0 {
		r.container = string(d.bytes(int(d.uvarint())))
	}
	if r.is&hasImage == 0 {
		return r
	}
	r.id = event.ProcessKey(binary.LittleEndian.Uint64(d.bytes(8)))
	r.start, r.ticks, r.ppid = en.start+d.varint(), d.uvarint(), int32(d.uvarint())
	r.setting = c.settings[d.uvarint()]
	if r.is&hasFork != 0 {
		r.fork = event.ProcessKey(binary.LittleEndian.Uint64(d.bytes(8)))
		r.forked, r.maker = en.start+d.varint(), int32(d.uvarint())
	}
	r.text = d.rest
	return r
}

// decoder reads what append wrote.
type decoder struct{ rest []byte }

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.rest)
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) bytes(n int) []byte {
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

// head returns the newest instance of key, nil if there is none. Instances that are
// relics are made entries again first: something means one of them. They are then of
// those that ended last.
func (t *Table) head(key pidKey) *entry {
	if key.host == "" && t.relics.n > 0 {
		var below *entry
		found := t.relics.take(key.pid)
		for i := range found {
			en := t.exhume(&found[len(found)-1-i]) // the oldest first
			en.older, below = below, en
			t.keepEnded(en)
		}
		if below != nil {
			t.addOldest(below)
		}
	}
	return t.index.get(key)
}

// addOldest adds en, with those before it, behind the entries that its pid has.
func (t *Table) addOldest(en *entry) {
	q := t.index.get(en.key)
	if q == nil {
		t.index.set(en.key, en)
		return
	}
	for q.older != nil {
		q = q.older
	}
	q.older = en
}

// exhume makes an entry of r, in no list and no chain.
func (t *Table) exhume(r *relic) *entry {
	en := t.newEntry()
	*en = r.entry
	if r.is&hasImage != 0 {
		en.image = t.imageOf(r)
	}
	if r.is&hasContainer != 0 {
		t.contain(en, r.container)
	}
	return en
}

// imageOf makes the image of r again.
func (t *Table) imageOf(r *relic) *event.Process {
	s, pid := r.setting, r.entry.key.pid
	p := &event.Process{
		ID: r.id, Parent: r.parent, PID: pid, PPID: r.ppid, Boot: t.o.Boot,
		Start: r.start, StartTicks: r.ticks,
		SeenRunning: r.is&isRunning != 0, Forked: r.is&isForked != 0, Inferred: r.is&isInferred != 0,
		Path: s.path, Cwd: s.cwd, TTY: s.tty, ContainerID: s.container,
		UserName: s.userName, GroupName: s.groupName, LoginUserName: s.loginName,
		UserID: s.userID, GroupID: s.groupID, LoginUserID: s.loginID, Session: s.session, Hash: s.hash,
	}
	line, args := command(string(r.text))
	if p.CommandLine = line; r.is&hasArgs != 0 {
		p.Args = args
	}
	if r.is&hasFork != 0 {
		p.Previous = forkImage(r.parent, r.fork, r.forked, pid, r.maker)
	}
	return p
}

// dropRelic forgets the oldest relic. Its keys go to Batch.Ended.
func (t *Table) dropRelic() {
	r := t.relics.oldest()
	t.relics.drop(&r)
	if r.is&hasImage != 0 {
		t.gone = append(t.gone, r.id)
	}
	if r.is&hasFork != 0 {
		t.gone = append(t.gone, r.fork)
	}
	t.disown(&r.entry)
}

// remade reports whether forkImage makes fork again, an image of en with the
// parent that the image after it has.
func (t *Table) remade(fork, parent *event.Process, en *entry) bool {
	return fork.Forked && fork.Previous == nil && parent != nil && fork.Parent == parent && fork.PID == en.key.pid && fork.Windows == parent.Windows &&
		fork.Path == parent.Path && fork.CommandLine == parent.CommandLine && fork.Cwd == parent.Cwd && fork.UserID == parent.UserID &&
		fork.Session == parent.Session && fork.TTY == parent.TTY && fork.ContainerID == parent.ContainerID && len(fork.Args) == len(parent.Args) && slices.Equal(fork.Hash, parent.Hash)
}

// appendCommand appends the lengths of p's arguments, each as a varint after their
// number, and its command line, which must be the arguments joined by blanks.
func appendCommand(b []byte, p *event.Process) (text []byte, ok bool) {
	b = binary.AppendUvarint(b, uint64(len(p.Args)))
	n := max(len(p.Args)-1, 0) // blanks
	for _, a := range p.Args {
		b = binary.AppendUvarint(b, uint64(len(a)))
		n += len(a)
	}
	if n != len(p.CommandLine) {
		return b, false
	}
	at := 0
	for i, a := range p.Args {
		if i > 0 {
			if p.CommandLine[at] != ' ' {
				return b, false
			}
			at++
		}
		if p.CommandLine[at:at+len(a)] != a {
			return b, false
		}
		at += len(a)
	}
	return append(b, p.CommandLine...), true
}

// command returns what appendCommand wrote.
func command(text string) (line string, args []string) {
	number := func() int {
		v, shift := 0, 0
		for {
			c := text[0]
			text = text[1:]
			v |= int(c&0x7f) << shift
			if c < 0x80 {
				return v
			}
			shift += 7
		}
	}
	args = make([]string, number())
	ends := make([]int, len(args))
	for i := range ends {
		ends[i] = number()
	}
	rest := text
	for i, n := range ends {
		args[i] = rest[:n]
		rest = rest[min(n+1, len(rest)):]
	}
	return text, args
}

// forkImage makes the image that a fork by maker at the time start began: that of
// its parent, under a pid and key of its own.
func forkImage(parent *event.Process, id event.ProcessKey, start int64, pid, maker int32) *event.Process {
	p := *parent
	p.ID = id
	p.Parent, p.Previous = parent, nil
	p.PID, p.PPID = pid, maker
	p.Start, p.StartTicks, p.SeenRunning = start, 0, false
	p.Forked, p.Inferred = true, false
	return &p
}
