// SPDX-License-Identifier: Apache-2.0

// This file makes the processes: from an exec, from what another event says,
// and from a fork. How long their chains may grow is in chain.go.

package process

import (
	"cmp"

	"seismo/internal/event"
)

// exec publishes the image that e, a successful execve, began. It has the
// parent of the image before it, whoever the parent is by now.
func (t *Table) exec(e *event.Event) {
	en := t.instance(e)
	en.shown++
	if t.foundSince(en, e) {
		if path, ok := e.Text(event.ProcessPath); ok && samePath(path, en.image.Path) && t.sameLine(e, en.image) {
			en.serial = e.Serial
			t.attach(e, en, en.image)
			return
		}
	}
	prev := t.imageAt(en, e)
	late := prev != en.image
	if prev != nil && t.foundSince(en, e) {
		prev = nil // a later image than this one, seen in /proc before this exec was heard of
	}
	p := t.build(e, en, byExec)
	t.lineUp(p, prev, en, e)
	switch {
	case !late:
		t.show(en, p, e.Serial)
	case en.image.Inferred && en.image.Path == p.Path:
		t.gone = append(t.gone, en.image.ID) // it was inferred because p came late
		en.shown--
		t.show(en, p, e.Serial)
	default:
		t.gone = append(t.gone, p.ID) // heard of after the image that replaced it
	}
	t.attach(e, en, p)
}

// foundSince reports whether the image of en was found running after e, which
// was still under way then.
func (t *Table) foundSince(en *entry, e *event.Event) bool {
	return en.image != nil && en.image.SeenRunning && e.Time <= t.found
}

func (t *Table) sameLine(e *event.Event, p *event.Process) bool {
	line, ok := e.Text(event.ProcessCommandLine)
	return !ok || string(line) == p.CommandLine
}

// lineUp links p to the image before it and to its parent. What neither the
// record nor /proc says of its container it takes from them: a cgroup is
// inherited.
func (t *Table) lineUp(p, prev *event.Process, en *entry, e *event.Event) {
	if prev == nil {
		p.Parent = t.parentImage(en, e)
	} else {
		if prev.Parent == nil && prev.PPID == e.PPID {
			if parent := t.parentImage(en, e); parent != nil {
				prev = withParent(prev, parent) // known only now
			}
		}
		p.Previous = t.shorten(prev)
		p.Parent = p.Previous.Parent
	}
	switch {
	case p.ContainerID != "":
		return
	case p.Previous != nil:
		p.ContainerID = p.Previous.ContainerID
	case p.Parent != nil:
		p.ContainerID = p.Parent.ContainerID
	}
	if p.ContainerID == "" {
		p.ContainerID = t.containerOfLate(en)
	}
}

// refer gives e, which began no image, its process.
func (t *Table) refer(e *event.Event) *entry {
	en := t.instance(e)
	p := t.imageAt(en, e)
	switch {
	case p == nil:
		p = t.infer(e, en)
		t.lineUp(p, nil, en, e)
		t.show(en, p, e.Serial)
	case p == en.image && t.missedExec(e, en):
		before := p
		p = t.infer(e, en)
		en.shown++
		t.lineUp(p, before, en, e)
		t.show(en, p, e.Serial)
	}
	if p.Inferred && p.Path == "" && t.proc != nil && e.Host == "" {
		e.Flags |= event.Incomplete
		t.noteOrphan(e)
	}
	t.attach(e, en, p)
	return en
}

// show makes p the latest image of en.
func (t *Table) show(en *entry, p *event.Process, serial uint64) {
	en.image, en.serial, en.referred, en.said = p, serial, false, false
	t.recost(en)
}

// missedExec reports whether e was done by another program than the table has
// for en: an exec was missed. User space may write what it likes into its
// records, so those show nothing; nor do loads, see byProgram.
func (t *Table) missedExec(e *event.Event, en *entry) bool {
	if e.Flags&event.Untrusted != 0 || e.Kind == event.KindImage || en.serial != 0 && precedes(en, e) || t.foundSince(en, e) {
		return false
	}
	path, ok := e.Text(event.ProcessPath)
	return ok && len(path) > 0 && !samePath(path, en.image.Path)
}

// attach sets the process of e, an image of en.
func (t *Table) attach(e *event.Event, en *entry, p *event.Process) {
	e.Process = p
	if p == en.image {
		t.noteReferred(en)
	}
}

// noteReferred notes that the latest image of en, and with it its ancestors, are
// referred to: their ends are told.
func (t *Table) noteReferred(en *entry) {
	for !en.referred {
		en.referred = true
		if en.ended && !en.said {
			t.ending = append(t.ending, en)
		}
		p := en.parent
		if p == nil || p.image == nil || en.image.Parent == nil || p.image.ID != en.image.Parent.ID {
			return
		}
		en = p
	}
}

// forked makes the process of a fork, or returns nil if its parent is not known:
// the image that the parent ran then, under a pid and key of its own. It is made
// late, when something refers to it, since the parent's exec may be told after
// the fork. Stamps of execs are early by up to a tick: without marks of execs
// (event.Change), where a parent forked and executed within one, the image after
// the exec is taken.
func (t *Table) forked(en *entry) *event.Process {
	if en.parent == nil {
		t.adopt(en, t.parentEntry("", en.maker, en.key.pid, en.start, 0))
	}
	if en.parent == nil {
		return nil
	}
	parent := t.imageAtFork(en, en.parent)
	if parent == nil {
		return nil
	}
	id := t.key(byFork, en.key.host, uint64(en.start), uint64(uint32(en.key.pid)), 0)
	return forkImage(parent, id, en.start, en.key.pid, en.maker)
}

// infer makes the process of e from what e says of it and, live, from what
// /proc still shows, if that is the same process and program.
func (t *Table) infer(e *event.Event, en *entry) *event.Process {
	p := t.build(e, en, byEvent)
	p.Inferred = true
	if en.image == nil && en.forkSeen {
		p.Start = en.start
	}
	if t.proc == nil || e.Host != "" {
		return p
	}
	f, err := t.proc.read(en.key.pid)
	if err != nil || f.start > e.Time+slack || p.Path != "" && !samePath([]byte(f.exe), p.Path) {
		return p
	}
	en.ticks = f.ticks
	t.complete(p, &f)
	if en.image == nil {
		p.Start = f.start
		p.ID = t.key(byTicks, "", uint64(uint32(p.PID)), f.ticks, hashPath(f.exe))
	}
	return p
}

// complete fills what p lacks from /proc.
func (t *Table) complete(p *event.Process, f *facts) {
	p.StartTicks = f.ticks
	p.Path = cmp.Or(p.Path, f.exe)
	p.TTY = cmp.Or(p.TTY, f.tty)
	p.ContainerID = cmp.Or(p.ContainerID, f.container)
	if p.Args == nil && p.CommandLine == "" {
		p.Args, p.CommandLine = f.args, f.line
	}
	p.Cwd = cmp.Or(p.Cwd, f.cwd)
	if p.PPID == 0 {
		p.PPID = f.ppid
	}
	fill(&p.UserID, f.uid)
	fill(&p.GroupID, f.gid)
	fill(&p.LoginUserID, f.loginUID)
	fill(&p.Session, f.session)
	t.nameProcess(p)
}

func fill(id *int64, v int64) {
	if *id == event.NoID {
		*id = v
	}
}

// nameProcess gives the ids of p their names where the source gave none.
func (t *Table) nameProcess(p *event.Process) {
	if t.o.Users == nil {
		return
	}
	if p.UserName == "" && p.UserID != event.NoID {
		p.UserName, _ = t.o.Users.UserName(p.UserID)
	}
	if p.GroupName == "" && p.GroupID != event.NoID {
		p.GroupName, _ = t.o.Users.GroupName(p.GroupID)
	}
	if p.LoginUserName == "" && p.LoginUserID != event.NoID {
		p.LoginUserName, _ = t.o.Users.UserName(p.LoginUserID)
	}
}

// build makes a process from what e says of it, without links.
func (t *Table) build(e *event.Event, en *entry, tag byte) *event.Process {
	p := &event.Process{
		ID:   t.key(tag, e.Host, uint64(e.Time/1e6), e.Serial, uint64(uint32(e.PID))),
		PID:  e.PID,
		PPID: en.ppid,
		Host: e.Host,
		Boot: t.o.Boot,

		Start:         e.Time,
		Path:          t.text(e, event.ProcessPath),
		Cwd:           t.text(e, event.ProcessCwd),
		TTY:           t.tty(e),
		ContainerID:   t.text(e, event.ProcessContainerID),
		UserName:      t.text(e, event.ProcessUserName),
		GroupName:     t.text(e, event.ProcessGroupName),
		LoginUserName: t.text(e, event.ProcessLoginUserName),
		UserID:        number(e, event.ProcessUserID),
		GroupID:       number(e, event.ProcessGroupID),
		LoginUserID:   number(e, event.ProcessLoginUserID),
		Session:       number(e, event.ProcessSession),
	}
	p.CommandLine, p.Args = t.arguments(e)
	if e.Has(event.ProcessHash) {
		for v := range e.Elements(event.ProcessHash) {
			p.Hash = append(p.Hash, string(v))
		}
	} else if tag == byExec && t.o.Hashes != nil {
		p.Hash = t.o.Hashes.Known(e)
	}
	p.Windows = event.MakeWindowsFacts(func(f event.Field) string { return t.text(e, f) })
	if start, ok := e.Int(event.ProcessStartTime); ok {
		p.Start = start
	}
	t.nameProcess(p)
	return p
}

func (t *Table) text(e *event.Event, f event.Field) string {
	v, _ := e.Text(f)
	return t.names.of(v)
}

// tty returns the terminal of e's process, named as /dev does.
func (t *Table) tty(e *event.Event) string {
	v, _ := e.Text(event.ProcessTTY)
	t.scratch = appendTTY(t.scratch[:0], v)
	return t.names.of(t.scratch)
}

func number(e *event.Event, f event.Field) int64 {
	if v, ok := e.Int(f); ok {
		return v
	}
	return event.NoID
}
