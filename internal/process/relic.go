// SPDX-License-Identifier: Apache-2.0

// This file keeps the images of processes that ended a while ago in a small form.
// An event that comes late has them made again, under the same keys: what was
// published is equal, at another pointer.

package process

import (
	"encoding/binary"
	"slices"
	"unsafe"

	"seismo/internal/event"
)

// relic is the latest image of an entry that ended and, where that was executed
// in a fork, the image of the fork: most commands have these two. It takes about
// a third of what they do.
type relic struct {
	setting  *setting
	parent   *event.Process // of both images
	text     string         // see appendCommand
	id, fork event.ProcessKey
	start    int64
	forked   int64 // when the fork was; fork is 0 where there is none
	ticks    uint64
	ppid     int32
	maker    int32 // PPID of the fork's image
	is       imageBits
}

// imageBits say how an image was learned of.
type imageBits uint8

const (
	isRunning imageBits = 1 << iota
	isForked
	isInferred
	hasArgs
)

func bit(b imageBits, set bool) imageBits {
	if set {
		return b
	}
	return 0
}

// setting is what the commands of one place and user have in common. A relic
// refers to it.
type setting struct {
	path, cwd, tty, container, host   string
	userName, groupName, loginName    string
	userID, groupID, loginID, session int64
	hash                              []string
}

// settingSlots is how many settings are found again; another one in the same slot
// takes the place of the first, so hostile input costs copies, not memory.
const settingSlots = 256

// freshPart is the part of Options.EndedBytes, as a divisor, that ended processes
// may take whole: those that ended last are those that late events mean.
const freshPart = 8

// pack makes relics of the processes that ended first, so that the others fit the
// part of EndedBytes that they may take whole. What does not have the usual form
// stays as it is.
func (t *Table) pack() {
	for en := t.ended.first; en != nil && t.fresh > t.o.EndedBytes/freshPart; en = t.ended.first {
		t.unlist(en)
		fresh := en.kids == 0 && t.bury(en)
		if en.cost = cost(en); fresh {
			en.cost += int32(unsafe.Sizeof(setting{}))
		}
		t.bytes += int(en.cost)
		t.packed.push(en)
	}
}

// bury makes a relic of en's images, if they have the form for it. It reports
// whether the relic has a setting of its own.
func (t *Table) bury(en *entry) (fresh bool) {
	p := en.image
	if p == nil || p.PID != en.key.pid || p.Host != en.key.host || p.Boot != t.o.Boot || p.Windows != nil {
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
	r := t.newRelic()
	*r = relic{parent: p.Parent, text: string(text), id: p.ID, start: p.Start, ticks: p.StartTicks, ppid: p.PPID}
	r.setting, fresh = t.settingOf(p)
	if fork != nil {
		r.fork, r.forked, r.maker = fork.ID, fork.Start, fork.PPID
	}
	r.is = bit(isRunning, p.SeenRunning) | bit(isForked, p.Forked) | bit(isInferred, p.Inferred) | bit(hasArgs, p.Args != nil)
	en.image, en.relic = nil, r
	return fresh
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

// settingOf returns the setting of p: one that is known or a new one, fresh.
func (t *Table) settingOf(p *event.Process) (s *setting, fresh bool) {
	h := uint32(p.UserID)*31 + uint32(len(p.Cwd))
	for i := max(len(p.Path)-12, 0); i < len(p.Path); i++ {
		h = (h ^ uint32(p.Path[i])) * 16777619
	}
	slot := &t.settings[h%uint32(len(t.settings))]
	if *slot == nil || !(*slot).of(p) {
		*slot = &setting{path: p.Path, cwd: p.Cwd, tty: p.TTY, container: p.ContainerID, host: p.Host,
			userName: p.UserName, groupName: p.GroupName, loginName: p.LoginUserName,
			userID: p.UserID, groupID: p.GroupID, loginID: p.LoginUserID, session: p.Session, hash: p.Hash}
		fresh = true
	}
	return *slot, fresh
}

// of reports whether p has the setting s.
func (s *setting) of(p *event.Process) bool {
	return s.path == p.Path && s.cwd == p.Cwd && s.tty == p.TTY && s.container == p.ContainerID && s.host == p.Host &&
		s.userName == p.UserName && s.groupName == p.GroupName && s.loginName == p.LoginUserName &&
		s.userID == p.UserID && s.groupID == p.GroupID && s.loginID == p.LoginUserID && s.session == p.Session &&
		slices.Equal(s.hash, p.Hash) && (s.hash == nil) == (p.Hash == nil)
}

// whole makes the images of en again, if it has them as a relic: something means
// it. It is then one of those that ended last.
func (t *Table) whole(en *entry) *entry {
	r := en.relic
	if r == nil {
		return en
	}
	t.unlist(en)
	en.image, en.relic = t.exhume(en, r), nil
	t.freeRelic(r)
	t.keepEnded(en)
	return en
}

func (t *Table) exhume(en *entry, r *relic) *event.Process {
	s := r.setting
	p := &event.Process{
		ID: r.id, Parent: r.parent, PID: en.key.pid, PPID: r.ppid, Host: s.host, Boot: t.o.Boot,
		Start: r.start, StartTicks: r.ticks,
		SeenRunning: r.is&isRunning != 0, Forked: r.is&isForked != 0, Inferred: r.is&isInferred != 0,
		Path: s.path, Cwd: s.cwd, TTY: s.tty, ContainerID: s.container,
		UserName: s.userName, GroupName: s.groupName, LoginUserName: s.loginName,
		UserID: s.userID, GroupID: s.groupID, LoginUserID: s.loginID, Session: s.session, Hash: s.hash,
	}
	line, args := command(r.text)
	if p.CommandLine = line; r.is&hasArgs != 0 {
		p.Args = args
	}
	if r.fork != 0 {
		p.Previous = forkImage(r.parent, r.fork, r.forked, en.key.pid, r.maker)
	}
	return p
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

func (t *Table) newRelic() *relic {
	if n := len(t.relics); n > 0 {
		r := t.relics[n-1]
		t.relics = t.relics[:n-1]
		return r
	}
	return new(relic)
}

// freeRelic keeps the memory of r for the next one.
func (t *Table) freeRelic(r *relic) {
	*r = relic{}
	if len(t.relics) < maxSpare {
		t.relics = append(t.relics, r)
	}
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
	if en.relic != nil {
		t.freeRelic(en.relic)
	}
	*en = entry{}
	if len(t.spare) < maxSpare {
		t.spare = append(t.spare, en)
	}
}

// maxSpare bounds the entries and relics that are kept for reuse: at full speed as
// many begin as end in between.
const maxSpare = 512
