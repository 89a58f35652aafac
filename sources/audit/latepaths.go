// SPDX-License-Identifier: Apache-2.0

// This file puts paths right at the end of a batch, by what the batch told of
// directories after an event was decoded: a tree that was removed before anybody could
// look at it, a directory that was renamed between an event and the look at it, a
// process that had another root by then.

package audit

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"seismo/internal/event"
)

const (
	// maxPathNotes bounds what is noted of the paths of a batch. What is beyond stays as
	// it was decoded.
	maxPathNotes = 8192
	// maxLateSteps bounds the directories that are gone through at the end of a batch,
	// maxDepth those above one file.
	maxLateSteps = 1 << 16
	maxDepth     = 64
)

// How the path of an event was found.
const (
	pathTold    = iota // the records have it
	pathAsked          // somebody was asked what a descriptor is
	pathMissing        // nobody knew the directory, but the record says its inode
	pathLost           // it is partial for another reason
)

// pathNote is what is noted of a path of an event.
type pathNote struct {
	e      *event.Event
	serial uint64 // of e: a batch may use it again for another
	target bool   // it is the target path
	how    uint8
	view   uint32   // what the process saw when it was asked, see view; 0: what we see
	at     int64    // when it was asked, Unix time, nanoseconds
	dir    inodeKey // the directory that it is in, or, of a file that was named by descriptor, the file
	self   bool     // dir is the file
	keyed  bool     // dir is known
	name   textSpan // as the process gave it
}

// dirRename is a rename of a directory.
type dirRename struct {
	e      *event.Event
	serial uint64
	view   uint32
}

// viewTurn is a call by which a process may have got another view.
type viewTurn struct {
	pid    int32
	serial uint64
	at     int64 // Unix time, nanoseconds
}

// latePaths is what is noted of one batch.
type latePaths struct {
	notes   []pathNote
	renames []dirRename
	turns   []viewTurn
	text    []byte
	path    []byte      // scratch
	spare   []byte      // scratch
	order   []int32     // scratch
	facts   [2]dirFacts // of this batch, of the one before

	asked bool   // somebody was asked since this was set to false
	view  uint32 // of the process that was asked about last

	steps   int
	serials []uint64 // of all facts, in order
	memo    pathMemo
}

// pathMemo is the last path that was found by facts. It counts between two facts.
type pathMemo struct {
	set   bool
	pid   int32
	dir   inodeKey
	epoch int // facts before
	ok    bool
	path  []byte
}

// notePath notes how a path of e was found. name is what the process gave, parent the
// item of the directory that it is in, it that of the file; either may be nil.
func (l *latePaths) notePath(e *event.Event, serial uint64, target bool, how uint8, name []byte, it, parent *item) {
	if l == nil || how == pathTold || len(l.notes) >= maxPathNotes {
		return
	}
	n := pathNote{e: e, serial: serial, target: target, how: how, view: l.view}
	if how == pathAsked {
		n.at = time.Now().UnixNano()
		l.asked = true
	}
	switch {
	case len(name) == 0:
		n.dir, n.self = keyOf(it)
		n.keyed = n.self
		if n.self && how == pathLost {
			n.how = pathMissing
		}
	case isName(baseName(name)):
		n.dir, n.keyed = keyOf(parent)
	}
	if n.how == pathMissing && !n.keyed {
		n.how = pathLost
	}
	from := len(l.text)
	l.text = append(l.text, name...)
	n.name = textSpan{uint32(from), uint32(len(l.text))}
	l.notes = append(l.notes, n)
}

// findDir returns the path that a directory has now, in the view of the process of e.
type findDir func(e *event.Event, dev string, inode uint64) (string, bool)

// settle puts the paths of the batch right and forgets them.
func (l *latePaths) settle(find findDir) {
	if len(l.notes) > 0 {
		l.complete(find)
		for _, t := range l.turns {
			l.turned(t)
		}
		l.undoRenames()
	}
	clear(l.notes)
	clear(l.renames)
	l.notes, l.renames, l.turns, l.text = l.notes[:0], l.renames[:0], l.turns[:0], l.text[:0]
	l.asked, l.view = false, 0
	old := l.facts[1]
	l.facts[1] = l.facts[0]
	l.facts[0] = dirFacts{old.list[:0], old.text[:0], old.head}
	clear(l.facts[0].head)
}

// complete finds the directories that nobody knew, and those that another one was taken
// for: whoever was asked about a descriptor may have seen the inode when it had been used
// again.
func (l *latePaths) complete(find findDir) {
	l.steps, l.memo.set = 0, false
	l.index()
	for i := 0; i < len(l.notes); {
		e, serial := l.notes[i].e, l.notes[i].serial
		missing, whole := false, true
		for ; i < len(l.notes) && l.notes[i].e == e && l.notes[i].serial == serial; i++ {
			n := &l.notes[i]
			another := n.how == pathAsked && n.keyed && l.bornAfter(n.dir, n.serial)
			if (another || n.how == pathMissing) && e.Serial == serial && e.Kind == event.KindFile {
				name := l.text[n.name.from:n.name.to]
				if path, ok := l.pathOf(find, n); ok {
					if n.self {
						l.path = append(l.path[:0], path...)
					} else {
						l.path = AppendPath(l.path[:0], path, baseName(name))
					}
					putPath(e, n.target, l.path)
					n.how, n.at, missing = pathAsked, time.Now().UnixNano(), true
				} else if another {
					n.how = pathLost
					putPath(e, n.target, name)
					e.SetString(event.FilePathStatus, "partial")
				}
			}
			whole = whole && n.how == pathAsked
		}
		if missing && whole {
			e.Unset(event.FilePathStatus)
		}
	}
}

// pathOf returns the path of the directory of n. The result is valid until the next call.
func (l *latePaths) pathOf(find findDir, n *pathNote) ([]byte, bool) {
	epoch, _ := slices.BinarySearch(l.serials, n.serial+1)
	m := &l.memo
	if !m.set || m.pid != n.e.PID || m.dir != n.dir || m.epoch != epoch {
		m.set, m.pid, m.dir, m.epoch = true, n.e.PID, n.dir, epoch
		m.path, m.ok = l.climb(m.path[:0], find, n, n.dir, maxDepth)
	}
	n.view = l.view
	return m.path, m.ok
}

// climb appends the path that dir had at the time of n.
func (l *latePaths) climb(dst []byte, find findDir, n *pathNote, dir inodeKey, depth int) ([]byte, bool) {
	if l.steps++; depth == 0 || l.steps > maxLateSteps {
		return dst, false
	}
	if !l.bornAfter(dir, n.serial) { // else another directory has its inode now
		if path, ok := find(n.e, deviceName(dir.dev), dir.inode); ok {
			return append(dst, path...), true
		}
	}
	f := l.fact(dir, n.serial)
	if f == nil {
		return dst, false
	}
	dst, ok := l.climb(dst, find, n, f.parent, depth-1)
	if !ok {
		return dst, false
	}
	if len(dst) > 1 {
		dst = append(dst, '/')
	}
	return append(dst, l.nameOf(f)...), true
}

// turned makes the paths partial that were asked for when their process had got another
// view than it had at the time of its event.
func (l *latePaths) turned(t viewTurn) {
	for i := range l.notes {
		n := &l.notes[i]
		if n.how != pathAsked || n.view == 0 || n.e.PID != t.pid || n.serial >= t.serial || n.at < t.at || n.e.Serial != n.serial {
			continue
		}
		n.how = pathLost
		putPath(n.e, n.target, l.text[n.name.from:n.name.to])
		n.e.SetString(event.FilePathStatus, "partial")
	}
}

// undoRenames gives the paths of events before a rename of a directory, that were asked
// for after it, the name that the directory had then. The latest events come first: the
// paths of each rename are right before it is undone for those before it. Each path is
// put once, however many renames there are: whoever renames in a loop would fill the
// memory of the batch.
func (l *latePaths) undoRenames() {
	if len(l.renames) == 0 {
		return
	}
	slices.SortStableFunc(l.renames, func(a, b dirRename) int { return cmp.Compare(b.serial, a.serial) })
	l.order = l.order[:0]
	for i := range l.notes {
		l.order = append(l.order, int32(i))
	}
	slices.SortStableFunc(l.order, func(a, b int32) int { return cmp.Compare(l.notes[b].serial, l.notes[a].serial) })
	for _, i := range l.order {
		n := &l.notes[i]
		if n.how != pathAsked || n.e.Serial != n.serial {
			continue
		}
		path, _ := n.e.Text(fieldOf(n.target))
		changed := false
		for j := range l.renames {
			r := &l.renames[j]
			if r.serial <= n.serial {
				break
			}
			if n.at < r.e.Time || n.view != r.view {
				continue
			}
			if was, rest, ok := r.undo(path); ok {
				l.spare = append(append(l.spare[:0], was...), rest...)
				l.path, l.spare = l.spare, l.path
				path, changed = l.path, true
			}
		}
		if changed {
			putPath(n.e, n.target, path)
		}
	}
}

// undo returns what path was called before r, in two parts, if it is, or lies in, what was
// renamed.
func (r *dirRename) undo(path []byte) (was, rest []byte, ok bool) {
	if r.e.Serial != r.serial || r.e.Kind != event.KindFile || r.e.Has(event.FilePathStatus) {
		return nil, nil, false
	}
	was, ok1 := r.e.Text(event.FilePath)
	is, ok2 := r.e.Text(event.FileTargetPath)
	if !ok1 || !ok2 || len(was) == 0 || was[0] != '/' {
		return nil, nil, false
	}
	rest, ok = bytes.CutPrefix(path, is)
	return was, rest, ok && (len(rest) == 0 || rest[0] == '/')
}

func fieldOf(target bool) event.Field {
	if target {
		return event.FileTargetPath
	}
	return event.FilePath
}

// putPath sets a path of e anew, or takes it away if it is empty.
func putPath(e *event.Event, target bool, path []byte) {
	if len(path) == 0 {
		e.Unset(fieldOf(target))
	} else {
		e.SetText(fieldOf(target), path)
	}
	if target {
		return
	}
	if len(path) == 0 {
		e.Unset(event.FileName)
		e.Unset(event.FileExtension)
		return
	}
	name := baseName(path)
	e.SetText(event.FileName, name)
	if ext, ok := extension(name); ok {
		e.SetText(event.FileExtension, ext)
	} else {
		e.Unset(event.FileExtension)
	}
}
