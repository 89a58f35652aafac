// SPDX-License-Identifier: Apache-2.0

// This file enters the processes that run already, all at the start and single
// ones later. Reading /proc itself is in procfs.go.

package process

import (
	"fmt"
	"io/fs"
	"slices"
	"strconv"

	"seismo/internal/event"
)

// Bootstrap enters the processes that ProcFS shows, parents first, and appends a
// create event with process.seen_running for each that Options.Stored does not
// have. Those it has keep their ancestors, also those that ended meanwhile. The events have the time of the look, by the boot time and /proc/uptime;
// process.start_time has the start. It returns how many processes were entered.
//
// Kernel threads are entered, so that they are found as parents, but have no
// event: neither path nor command line is theirs. Zombies are left out, as is a
// process that ends while it is read, and one that the table has already.
func (t *Table) Bootstrap(b *event.Batch) (int, error) {
	if t.o.ProcFS == nil {
		return 0, nil
	}
	proc := t.proc
	if proc == nil {
		proc = newProcFS(t.o.ProcFS)
	}
	all, err := proc.all()
	if err != nil {
		return 0, fmt.Errorf("list running processes: %w", err)
	}
	found, err := proc.now()
	if err != nil {
		return 0, fmt.Errorf("list running processes: %w", err)
	}
	// btime has whole seconds: what was under way may bear a later stamp.
	t.found = found + bootError
	if b.Platform == "" {
		b.Platform = "linux"
	}
	n := 0
	for _, f := range parentsFirst(all) {
		if head := t.head(pidKey{"", f.pid}); head != nil && !head.ended {
			continue
		}
		en := t.enterFacts(f, true)
		n++
		if f.kernelThread {
			continue
		}
		en.referred = true
		if p := t.stored(f); p != nil {
			en.image = shortenChain(p) // nobody has seen the one that was made of f
			continue
		}
		t.publishFound(b, en, f, found)
	}
	t.finish(b)
	return n, nil
}

// stored returns what f shows as an earlier run stored it, nil if that is not sure. The start
// in /proc is that of the pid, at its fork, so every image of the pid began after
// it, and what an earlier owner of the pid ran began before. Of an exec of the
// same program while nobody recorded nothing shows: it is taken for the same image.
func (t *Table) stored(f *facts) *event.Process {
	if t.o.Stored == nil {
		return nil
	}
	p := t.o.Stored(f.pid)
	if p == nil || p.PID != f.pid || p.Boot != t.o.Boot || p.Start < f.start-slack || !samePath([]byte(f.exe), p.Path) {
		return nil
	}
	return p
}

// all reads every process, in the order of their pids.
func (p *procFS) all() ([]*facts, error) {
	entries, err := fs.ReadDir(p.fs, ".")
	if err != nil {
		return nil, err
	}
	if _, err := p.bootTime(); err != nil {
		return nil, err
	}
	var pids []int32
	for _, d := range entries {
		if pid, err := strconv.ParseInt(d.Name(), 10, 32); err == nil && pid > 0 {
			pids = append(pids, int32(pid))
		}
	}
	slices.Sort(pids)
	all := make([]*facts, 0, len(pids))
	for _, pid := range pids {
		f, err := p.read(pid)
		if err != nil || f.zombie() {
			continue // ended meanwhile, or is ending
		}
		all = append(all, &f)
	}
	return all, nil
}

func (s *stat) zombie() bool { return s.state == 'Z' || s.state == 'X' }

// parentsFirst orders processes so that each stands after its parent. all is
// ordered by pid.
func parentsFirst(all []*facts) []*facts {
	byPID := make(map[int32]*facts, len(all))
	for _, f := range all {
		byPID[f.pid] = f
	}
	ordered := make([]*facts, 0, len(all))
	done := make(map[int32]bool, len(all))
	var path []*facts
	for _, f := range all {
		// done is set on the way up: pids that were used again between two
		// reads may seem to be each other's parents.
		for f != nil && !done[f.pid] {
			done[f.pid] = true
			path = append(path, f)
			f = byPID[f.ppid]
		}
		for i := len(path) - 1; i >= 0; i-- {
			ordered = append(ordered, path[i])
		}
		path = path[:0]
	}
	return ordered
}

func (t *Table) publishFound(b *event.Batch, en *entry, f *facts, now int64) {
	e := b.Add(event.KindProcess, event.OpCreate)
	e.Time, e.PID, e.PPID, e.Process = now, f.pid, f.ppid, en.image
	if f.cut {
		e.Flags |= event.Truncated
	}
	setID(e, event.UserID, f.uid)
	setID(e, event.UserEffectiveID, f.euid)
	setID(e, event.UserLoginID, f.loginUID)
	t.nameUsers(e)
}

func setID(e *event.Event, f event.Field, id int64) {
	if id != event.NoID {
		e.SetInt(f, id)
	}
}

// enterFacts enters a process that /proc shows.
func (t *Table) enterFacts(f *facts, found bool) *entry {
	en := t.enter(pidKey{"", f.pid}, f.start)
	en.ticks, en.ppid = f.ticks, f.ppid
	p := &event.Process{
		ID:          t.key(byTicks, "", uint64(uint32(f.pid)), f.ticks, hashPath(f.exe)),
		PID:         f.pid,
		PPID:        f.ppid,
		Boot:        t.o.Boot,
		Start:       f.start,
		SeenRunning: found,
		Inferred:    !found,
		UserID:      event.NoID,
		GroupID:     event.NoID,
		LoginUserID: event.NoID,
		Session:     event.NoID,
	}
	t.complete(p, f)
	// A parent that began after its child has only the pid of the true one.
	if pe := t.parentEntry("", f.ppid, f.pid, f.start, 0); pe != nil && (pe.ticks == 0 || pe.ticks <= f.ticks) {
		t.adopt(en, pe)
		if en.parent != nil {
			p.Parent = t.asParent(pe, f.start)
		}
	}
	en.image = p
	return en
}

// maxLooks bounds how many unknown ancestors are sought at once.
const maxLooks = 64

// look enters the process that /proc shows for pid, if it ran at the time when.
// It returns nil if there is none.
func (t *Table) look(pid int32, when int64) *entry {
	if t.proc == nil || t.depth >= maxLooks {
		return nil
	}
	f, err := t.proc.read(pid)
	if err != nil || f.zombie() || f.start > when+slack {
		return nil
	}
	if head := t.head(pidKey{"", pid}); head != nil && head.ticks == f.ticks && head.image != nil {
		if head.ended {
			t.revive(head) // only its main thread had ended
		}
		return head
	}
	t.depth++
	defer func() { t.depth-- }()
	return t.enterFacts(&f, false)
}
