// SPDX-License-Identifier: Apache-2.0

// This file makes file events: which of the PATH records says what the call did,
// and what is kept of it. Where the file is is found in where.go, paths are joined in
// path.go.

package audit

import (
	"bytes"
	"strconv"

	"seismo/internal/event"
)

// item is one PATH record.
type item struct {
	name  []byte // raw; nil without
	dev   []byte
	typ   nameType
	has   uint8
	inode uint64
	mode  uint64
	owner int64
}

const (
	itemInode = 1 << iota
	itemMode
	itemOwner
)

// nameType is the nametype= of a PATH record.
type nameType uint8

const (
	nameUnknown nameType = iota // also: the record has none (kernels before 3.11)
	nameNormal
	nameParent
	nameCreate
	nameDelete
)

// readItems reads the PATH records. Only some events need them: for an exec they
// say nothing that is not in SYSCALL, and they are a third of its bytes.
func (d *Decoder) readItems() {
	last := -1 // the last file with a name
	for i, body := range d.paths {
		it := readItem(body)
		if it.typ != nameParent && !it.nameless() {
			last = i
		}
		d.items = append(d.items, it)
	}
	// Those that follow are what a file system that is made of others does in these
	// within the call (overlayfs: the copy of a file, the mark of one that is gone).
	if last >= 0 {
		d.items = d.items[:last+1]
	}
}

// nameless reports whether the kernel gave no name: the call names an open file, or the
// kernel has made the call on its own.
func (it *item) nameless() bool {
	return it.name == nil || string(it.name) == "(null)" || string(it.name) == `""`
}

// readItem reads the body of a PATH record.
func readItem(body []byte) item {
	var it item
	for s := ScanFields(body); ; {
		k, v, ok := s.Next()
		if !ok {
			return it
		}
		switch string(k) {
		case "name":
			if it.name == nil {
				it.name = v
			}
		case "inode":
			if n, ok := parseUint(v, 10); ok && it.has&itemInode == 0 {
				it.inode, it.has = n, it.has|itemInode
			}
		case "dev":
			if it.dev == nil {
				it.dev = v
			}
		case "mode":
			if n, ok := parseUint(v, 8); ok && it.has&itemMode == 0 {
				it.mode, it.has = n, it.has|itemMode
			}
		case "ouid":
			if n, ok := parseInt(v); ok && it.has&itemOwner == 0 {
				it.owner, it.has = n, it.has|itemOwner
			}
		case "nametype", "objtype": // objtype: kernels before 4.3
			switch string(Unquote(v)) {
			case "NORMAL":
				it.typ = nameNormal
			case "PARENT":
				it.typ = nameParent
			case "CREATE":
				it.typ = nameCreate
			case "DELETE":
				it.typ = nameDelete
			}
			return it // what follows are capabilities and security labels
		}
	}
}

// The open flags that say what an open did (include/uapi/asm-generic/fcntl.h).
const (
	openAccess   = 03
	openReadOnly = 00
	openCreate   = 0100
	openTruncate = 01000
	openPath     = 010000000
	openUnnamed  = 020000000 // of O_TMPFILE
)

// The type bits of st_mode.
const (
	modeType      = 0170000
	modeDirectory = 0040000
)

// side is what a name of a call is relative to: the argument with the directory,
// and the PARENT item of that directory, nil if there is none.
type side struct {
	dir    int8
	parent *item
}

// decodeFile makes the event of a successful call on a file.
func (d *Decoder) decodeFile(b *event.Batch, c call) *event.Event {
	d.readItems()
	var e *event.Event
	switch c.act {
	case actOpen:
		it, op := d.openItem(c)
		e = b.Add(event.KindFile, op)
		d.setFile(e, it, c, d.sideOf(it, c))
	case actCreate:
		e = b.Add(event.KindFile, event.OpCreate)
		it := d.lastOf(nameCreate)
		d.setFile(e, it, c, d.sideOf(it, c))
	case actDelete:
		e = b.Add(event.KindFile, event.OpDelete)
		it := d.lastOf(nameDelete)
		d.setFile(e, it, c, d.sideOf(it, c))
	case actRename:
		e = d.decodeRename(b, c)
	case actLink:
		e = b.Add(event.KindFile, event.OpLink)
		d.setFile(e, d.firstItem(), c, side{dir: c.dir})
		d.setTarget(e, d.lastOf(nameCreate), c, d.secondSide(c))
	case actSymlink:
		e = b.Add(event.KindFile, event.OpLink)
		d.setSymlink(e, c)
	case actTruncate:
		e = b.Add(event.KindFile, event.OpWrite)
		it := d.firstItem()
		d.setFile(e, it, c, d.sideOf(it, c))
	default:
		e = b.Add(event.KindFile, event.OpPermission)
		it := d.firstItem()
		d.setFile(e, it, c, d.sideOf(it, c))
		if c.act == actMode && c.mode != none && d.who.args[c.mode] != nil {
			mode := int64(d.who.arg(c.mode) & 07777)
			if it != nil && it.has&itemMode != 0 {
				mode |= int64(it.mode &^ 07777)
			}
			e.SetInt(event.FileMode, mode)
		}
	}
	return e
}

// decodeRename makes the event of a rename, or the two of an exchange of names.
// The flag that says so is the fifth argument, which is in no record; but only an
// exchange makes two names.
func (d *Decoder) decodeRename(b *event.Batch, c call) *event.Event {
	e := b.Add(event.KindFile, event.OpRename)
	made := d.lastOf(nameCreate)
	first := d.firstOf(nameCreate)
	from, to := d.renameSides(c, d.renamed(first), first)
	if first != made && first.inode != made.inode {
		back := b.Add(event.KindFile, event.OpRename)
		d.setFile(back, d.renamed(made), c, to)
		d.setTarget(back, made, c, from)
		made = first
	}
	d.setFile(e, d.renamed(made), c, from)
	d.setTarget(e, made, c, to)
	return e
}

// openItem returns the item that a call of the open family is about, and what
// it did: create if the file was not there, write if it was opened for writing or
// truncated, open otherwise. With O_TMPFILE the item has the name of the directory
// and the inode of the new file, which has no name.
func (d *Decoder) openItem(c call) (*item, event.Op) {
	if it := d.lastOf(nameCreate); it != nil {
		return it, event.OpCreate
	}
	flags := d.openFlags(c)
	switch {
	case flags&openUnnamed != 0:
		return d.firstItem(), event.OpCreate
	case flags&openPath == 0 && (flags&openAccess != openReadOnly || flags&openTruncate != 0):
		return d.firstItem(), event.OpWrite
	}
	return d.firstItem(), event.OpOpen
}

// openFlags returns the flags of a call of the open family.
func (d *Decoder) openFlags(c call) uint64 {
	switch {
	case c.flags != none:
		return d.who.arg(c.flags)
	case c.name == "creat":
		return 01 | openCreate | openTruncate
	}
	return d.oflag // openat2 has its own record
}

// firstItem returns the first item that is no directory named only on the way,
// or the first of all, or nil.
func (d *Decoder) firstItem() *item {
	for i := range d.items {
		if d.items[i].typ != nameParent {
			return &d.items[i]
		}
	}
	if len(d.items) > 0 {
		return &d.items[0]
	}
	return nil
}

func (d *Decoder) firstOf(t nameType) *item {
	for i := range d.items {
		if d.items[i].typ == t {
			return &d.items[i]
		}
	}
	return nil
}

func (d *Decoder) lastOf(t nameType) *item {
	for i := len(d.items) - 1; i >= 0; i-- {
		if d.items[i].typ == t {
			return &d.items[i]
		}
	}
	return nil
}

// renamed returns the item with the old name of the file that is now called
// what to says. A file that was replaced has a DELETE item as well; the one that
// moved has the same inode in both.
func (d *Decoder) renamed(to *item) *item {
	var first *item
	for i := range d.items {
		it := &d.items[i]
		if it.typ != nameDelete {
			continue
		}
		if to != nil && it.has&to.has&itemInode != 0 && it.inode == to.inode && !bytes.Equal(it.name, to.name) {
			return it
		}
		if first == nil {
			first = it
		}
	}
	return first
}

// setFile sets what the item says of the file that the event is about.
func (d *Decoder) setFile(e *event.Event, it *item, c call, s side) {
	if it == nil {
		d.flags |= event.Incomplete
		return
	}
	path, whole, ok := d.resolve(d.path[:0], it, c, s)
	d.path = path
	unnamed := false
	if c.act == actOpen && e.Op == event.OpCreate && it.typ != nameCreate && it.has&itemInode != 0 {
		// Files without a name are called so by the kernel (fs/dcache.c, d_mark_tmpfile).
		d.value = strconv.AppendUint(append(d.value[:0], '#'), it.inode, 10)
		d.path, d.path2 = AppendPath(d.path2[:0], path, d.value), path
		unnamed = true
	} else if whole && ok {
		d.sawDirs(it, s, path, e.Op == event.OpDelete || e.Op == event.OpRename)
	}
	d.setPath(e, whole, ok)
	d.noteItem(e, it, s, false, whole, unnamed)
	if it.has&itemInode != 0 {
		e.SetInt(event.FileInode, int64(it.inode))
	}
	if it.has&itemMode != 0 {
		e.SetInt(event.FileMode, int64(it.mode))
	}
	if it.has&itemOwner != 0 {
		e.SetInt(event.FileOwner, it.owner)
	}
}

// setPath sets the path fields to what is in d.path.
func (d *Decoder) setPath(e *event.Event, whole, ok bool) {
	if ok {
		e.SetText(event.FilePath, d.path)
		name := baseName(d.path)
		e.SetText(event.FileName, name)
		if ext, ok := extension(name); ok {
			e.SetText(event.FileExtension, ext)
		}
	}
	if !whole {
		e.SetString(event.FilePathStatus, "partial")
	}
}

// setTarget sets the target path: the new name of a rename or link.
func (d *Decoder) setTarget(e *event.Event, it *item, c call, s side) {
	if it == nil {
		d.flags |= event.Incomplete
		return
	}
	path, whole, ok := d.resolve(d.path2[:0], it, c, s)
	d.path2 = path
	if whole && ok {
		d.sawDirs(it, s, path, false)
	}
	if ok {
		e.SetText(event.FileTargetPath, path)
	}
	if !whole {
		e.SetString(event.FilePathStatus, "partial")
	}
	d.noteItem(e, it, s, true, whole, false)
}

// noteItem notes for the end of the batch how the path of it was found, and what it
// tells of a directory. unnamed says that the item has the name of another file.
func (d *Decoder) noteItem(e *event.Event, it *item, s side, target, whole, unnamed bool) {
	if d.late == nil {
		return
	}
	how := d.how
	if !whole && (how != pathMissing || unnamed) {
		how = pathLost
	}
	if unnamed {
		d.late.notePath(e, d.serial, target, how, d.name, nil, s.parent)
	} else {
		d.late.notePath(e, d.serial, target, how, d.name, it, s.parent)
	}
	if s.parent == nil || it.typ != nameCreate && it.typ != nameDelete {
		return
	}
	made := it.typ == nameCreate
	d.late.noteDir(d.serial, it, s.parent, d.name, made, made && e.Op == event.OpCreate)
}

// setSymlink sets the paths of a new symbolic link. What it points to is a text
// that is relative to the link's own directory.
func (d *Decoder) setSymlink(e *event.Event, c call) {
	link := d.lastOf(nameCreate)
	d.setTarget(e, link, c, d.secondSide(c))
	if link != nil && link.has&itemInode != 0 {
		e.SetInt(event.FileInode, int64(link.inode))
	}
	for i := range d.items {
		it := &d.items[i]
		if it.typ == nameParent || it.typ == nameCreate || it.name == nil || isMissing(it.name) {
			continue
		}
		d.name = AppendValue(d.name[:0], it.name)
		whole := true
		if isAbsolute(d.name) || isAbsolute(d.path2) {
			d.path = AppendPath(d.path[:0], dirName(d.path2), d.name)
		} else {
			d.path, whole = append(d.path[:0], d.name...), false
			d.late.notePath(e, d.serial, false, pathLost, nil, nil, nil)
		}
		d.setPath(e, whole, true)
		return
	}
	d.flags |= event.Incomplete
}
