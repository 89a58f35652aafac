// SPDX-License-Identifier: Apache-2.0

// This file follows processes that records name themselves: by a GUID, as Sysmon
// does, or by the pid that a record of their start told. Nothing is looked up and
// nothing is guessed: what no record named belongs to no process.

package process

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"

	"seismo/internal/event"
	"seismo/internal/recent"
)

// The limits of a [Named]. Beyond them the processes that no record named for
// longest are forgotten.
const (
	maxNamed      = 100_000
	maxNamedBytes = 64 << 20 // of their texts
)

// Naming is what a record says of the process that acted and of its parent. The
// zero value of each part says nothing.
type Naming struct {
	Host              string
	GUID, ParentGUID  []byte // as the source wrote them
	PID, ParentPID    int32
	ParentPath        []byte
	ParentCommandLine []byte
	ParentUser        []byte
	Boot              string
}

// Named knows the processes of one input that records name. The zero value is ready.
// One goroutine uses it. A process is identified by computer and GUID or, where the
// source has none, by computer, pid and the time of the record that told its start;
// never by a pid alone.
type Named struct {
	byID    map[nameKey]*named
	byPID   map[pidKey]*named // the latest of each pid
	order   recent.List[*named]
	n, size int
	gone    []event.ProcessKey
	guid    []byte
}

type nameKey struct{ host, guid string }

// named is one process that is remembered.
type named struct {
	recent.Links[*named]
	key     nameKey // guid is empty: known by its pid only
	pid     pidKey
	process *event.Process
	size    int
}

// Identify gives e, whose fields are set, its process. A create event makes one; of
// others the process is made of what they say, if they name it by GUID. An event that
// names no process that is known keeps none.
func (t *Named) Identify(e *event.Event, n *Naming) {
	guid := t.normal(n.GUID)
	create := e.Kind == event.KindProcess && e.Op == event.OpCreate
	var known *named
	if guid != nil {
		known = t.byID[nameKey{n.Host, string(guid)}]
	} else if n.PID > 0 {
		if known = t.byPID[pidKey{n.Host, n.PID}]; known != nil && !t.meant(known, e, create) {
			known = nil
		}
	}
	switch {
	case known != nil && (!create || !known.process.Inferred):
		t.touch(known)
	case create && n.PID > 0, guid != nil:
		known = t.enter(e, n, string(guid), create)
	case create: // nothing else can name it: it is this event's alone
		e.Process = t.made(e, n, "", true)
		t.gone = append(t.gone, e.Process.ID)
	}
	if known != nil {
		e.Process = known.process
	}
}

// sameStart is how far two records of the start of one process may lie apart: Sysmon
// and the Security log write one each.
const sameStart = 2e9

// meant reports whether e, which names a pid only, means the process known by it.
func (t *Named) meant(known *named, e *event.Event, create bool) bool {
	p := known.process
	path, ok := e.Text(event.ProcessPath)
	same := !ok || string(path) == p.Path
	if create {
		return same && !p.Inferred && e.Time-p.Start < sameStart && p.Start-e.Time < sameStart
	}
	return same && !p.Inferred && e.Time >= p.Start
}

// normal returns guid in lower case and without braces, or nil if it names nothing.
func (t *Named) normal(guid []byte) []byte {
	guid = bytes.TrimSuffix(bytes.TrimPrefix(guid, []byte("{")), []byte("}"))
	if len(guid) < 8 || len(guid) > 256 || len(bytes.Trim(guid, "0-")) == 0 {
		return nil
	}
	t.guid = append(t.guid[:0], guid...)
	for i, c := range t.guid {
		if c >= 'A' && c <= 'Z' {
			t.guid[i] = c + 'a' - 'A'
		}
	}
	return t.guid
}

func (t *Named) touch(k *named) { t.order.Touch(k) }

// enter makes the process of e and remembers it.
func (t *Named) enter(e *event.Event, n *Naming, guid string, create bool) *named {
	k := &named{key: nameKey{n.Host, guid}, pid: pidKey{n.Host, n.PID}, process: t.made(e, n, guid, create)}
	t.insert(k)
	return k
}

// made makes the process of e.
func (t *Named) made(e *event.Event, n *Naming, guid string, create bool) *event.Process {
	p := carried(e)
	p.Host, p.Boot, p.PID, p.PPID, p.Start, p.Inferred = n.Host, n.Boot, n.PID, n.ParentPID, e.Time, !create
	p.ID = nameOf(p, guid, e.Ordinal)
	if create {
		p.Parent = t.parent(e, n)
	}
	return p
}

// parent returns the parent that a create event names, nil if it names none.
func (t *Named) parent(e *event.Event, n *Naming) *event.Process {
	guid := t.normal(n.ParentGUID)
	var known *named
	if guid != nil {
		known = t.byID[nameKey{n.Host, string(guid)}]
	} else if known = t.byPID[pidKey{n.Host, n.ParentPID}]; known != nil && (n.ParentPID <= 0 || known.process.Start > e.Time ||
		len(n.ParentPath) > 0 && string(n.ParentPath) != known.process.Path) {
		known = nil
	}
	if known != nil {
		t.touch(known)
		return shortenChain(known.process)
	}
	if len(n.ParentPath) == 0 && len(n.ParentCommandLine) == 0 {
		return nil
	}
	p := &event.Process{Host: n.Host, Boot: n.Boot, PID: n.ParentPID, Path: string(n.ParentPath), CommandLine: string(n.ParentCommandLine),
		UserName: string(n.ParentUser), UserID: event.NoID, GroupID: event.NoID, LoginUserID: event.NoID, Session: event.NoID, Inferred: true}
	p.ID = nameOf(p, string(guid), e.Ordinal)
	if guid != nil {
		t.insert(&named{key: nameKey{n.Host, string(guid)}, pid: pidKey{n.Host, 0}, process: p})
	} else { // nothing tells whether the next to name that pid means it
		t.gone = append(t.gone, p.ID)
	}
	return p
}

// insert remembers k, in place of what its names meant before.
func (t *Named) insert(k *named) {
	if t.byID == nil {
		t.byID, t.byPID = map[nameKey]*named{}, map[pidKey]*named{}
	}
	if k.key.guid != "" {
		if old := t.byID[k.key]; old != nil {
			t.forget(old, old.process.ID != k.process.ID)
		}
		t.byID[k.key] = k
	} else if old := t.byPID[k.pid]; old != nil && old.key.guid == "" {
		t.forget(old, true)
	}
	if k.pid.pid > 0 && !k.process.Inferred {
		t.byPID[k.pid] = k
	}
	p := k.process
	k.size = len(p.Path) + len(p.CommandLine) + len(p.Cwd) + len(p.UserName)
	t.order.Push(k)
	t.n++
	t.size += k.size
	for t.n > maxNamed || t.size > maxNamedBytes && t.n > 1 {
		t.forget(t.order.Oldest(), true)
	}
}

// forget drops k; gone says that nothing is known under its id any more.
func (t *Named) forget(k *named, gone bool) {
	t.order.Remove(k)
	t.n--
	t.size -= k.size
	if t.byID[k.key] == k {
		delete(t.byID, k.key)
	}
	if t.byPID[k.pid] == k {
		delete(t.byPID, k.pid)
	}
	if gone {
		t.gone = append(t.gone, k.process.ID)
	}
}

// Gone appends to b.Ended the keys of the processes that were forgotten.
func (t *Named) Gone(b *event.Batch) {
	b.Ended = append(b.Ended, t.gone...)
	t.gone = t.gone[:0]
}

// nameOf derives the key of p, as [Table] does: from its host, its GUID and whether its
// start was seen or, without a GUID, from its host, pid, start in milliseconds, program
// and command line, and the ordinal of the record if it has no pid either.
func nameOf(p *event.Process, guid string, ordinal uint64) event.ProcessKey {
	s := []byte{'n'}
	if p.Inferred {
		s[0] = 'm'
	}
	text := func(v string) {
		s = binary.LittleEndian.AppendUint32(s, uint32(len(v)))
		s = append(s, v...)
	}
	text(p.Host)
	text(guid)
	if guid == "" {
		text(p.Path)
		text(p.CommandLine)
		s = binary.LittleEndian.AppendUint32(s, uint32(p.PID))
		s = binary.LittleEndian.AppendUint64(s, uint64(p.Start/1e6))
		if p.PID == 0 {
			s = binary.LittleEndian.AppendUint64(s, ordinal)
		}
	}
	sum := sha256.Sum256(s)
	return event.ProcessKey(max(binary.LittleEndian.Uint64(sum[:8]), 1))
}

// carried returns the process that the fields of e tell of, without links.
func carried(e *event.Event) *event.Process {
	text := func(f event.Field) string { v, _ := e.Text(f); return string(v) }
	p := &event.Process{Path: text(event.ProcessPath), CommandLine: text(event.ProcessCommandLine), Cwd: text(event.ProcessCwd),
		UserName: text(event.ProcessUserName), GroupName: text(event.ProcessGroupName), LoginUserName: text(event.ProcessLoginUserName),
		TTY: text(event.ProcessTTY), ContainerID: text(event.ProcessContainerID),
		UserID: number(e, event.ProcessUserID), GroupID: number(e, event.ProcessGroupID),
		LoginUserID: number(e, event.ProcessLoginUserID), Session: number(e, event.ProcessSession),
		Windows: event.MakeWindowsFacts(text)}
	for v := range e.Elements(event.ProcessArgs) {
		p.Args = append(p.Args, string(v))
	}
	for v := range e.Elements(event.ProcessHash) {
		p.Hash = append(p.Hash, string(v))
	}
	return p
}
