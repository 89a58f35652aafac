// SPDX-License-Identifier: Apache-2.0

// This file makes file events: which of the PATH records says what the call did,
// and where the file is. How paths are joined is in path.go.

package audit

import (
	"bytes"

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
	for _, body := range d.paths {
		d.items = append(d.items, readItem(body))
	}
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

// The open flags that say that the file may be written (include/uapi/asm-generic/fcntl.h).
const (
	openAccess   = 03
	openReadOnly = 00
	openCreate   = 0100
	openTruncate = 01000
)

// decodeFile makes the event of a successful call on a file.
func (d *Decoder) decodeFile(b *event.Batch, c call) *event.Event {
	d.readItems()
	var e *event.Event
	switch c.act {
	case actOpen:
		it, op := d.openItem(c)
		e = b.Add(event.KindFile, op)
		d.setFile(e, it, c, c.dir)
	case actCreate:
		e = b.Add(event.KindFile, event.OpCreate)
		d.setFile(e, d.lastOf(nameCreate), c, c.dir)
	case actDelete:
		e = b.Add(event.KindFile, event.OpDelete)
		d.setFile(e, d.lastOf(nameDelete), c, c.dir)
	case actRename:
		e = b.Add(event.KindFile, event.OpRename)
		to := d.lastOf(nameCreate)
		d.setFile(e, d.renamed(to), c, c.dir)
		d.setTarget(e, to, c)
	case actLink:
		e = b.Add(event.KindFile, event.OpLink)
		d.setFile(e, d.firstItem(), c, c.dir)
		d.setTarget(e, d.lastOf(nameCreate), c)
	case actSymlink:
		e = b.Add(event.KindFile, event.OpLink)
		d.setSymlink(e, c)
	case actTruncate:
		e = b.Add(event.KindFile, event.OpWrite)
		d.setFile(e, d.firstItem(), c, c.dir)
	default:
		e = b.Add(event.KindFile, event.OpPermission)
		it := d.firstItem()
		d.setFile(e, it, c, c.dir)
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

// openItem returns the item that a call of the open family is about, and what
// it did: create if the file was not there, write if it was opened for writing or
// truncated, open otherwise.
func (d *Decoder) openItem(c call) (*item, event.Op) {
	if it := d.lastOf(nameCreate); it != nil {
		return it, event.OpCreate
	}
	flags := d.oflag // openat2 has its own record
	switch {
	case c.flags != none:
		flags = d.who.arg(c.flags)
	case c.name == "creat":
		flags = 01 | openCreate | openTruncate
	}
	if flags&openAccess != openReadOnly || flags&openTruncate != 0 {
		return d.firstItem(), event.OpWrite
	}
	return d.firstItem(), event.OpOpen
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
func (d *Decoder) setFile(e *event.Event, it *item, c call, dir int8) {
	if it == nil {
		d.flags |= event.Incomplete
		return
	}
	path, whole, ok := d.resolve(d.path[:0], it, c, dir)
	d.path = path
	d.setPath(e, whole, ok)
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
func (d *Decoder) setTarget(e *event.Event, it *item, c call) {
	if it == nil {
		d.flags |= event.Incomplete
		return
	}
	path, whole, ok := d.resolve(d.path2[:0], it, c, c.dir2)
	d.path2 = path
	if ok {
		e.SetText(event.FileTargetPath, path)
	}
	if !whole {
		e.SetString(event.FilePathStatus, "partial")
	}
}

// setSymlink sets the paths of a new symbolic link. What it points to is a text
// that is relative to the link's own directory.
func (d *Decoder) setSymlink(e *event.Event, c call) {
	link := d.lastOf(nameCreate)
	d.setTarget(e, link, c)
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
		}
		d.setPath(e, whole, true)
		return
	}
	d.flags |= event.Incomplete
}

// resolve appends to dst the path that it means in call c, in which argument dir
// (or none) holds the directory. whole is false if the path could not be made
// absolute, ok if there is no path at all.
func (d *Decoder) resolve(dst []byte, it *item, c call, dir int8) (path []byte, whole, ok bool) {
	fd, hasFD := d.descriptor(dir)
	if it.name == nil || string(it.name) == "(null)" || string(it.name) == `""` {
		// The call names an open file: fchmod, or AT_EMPTY_PATH.
		if c.fd != none {
			fd, hasFD = d.descriptor(c.fd)
		}
		if p, known := d.ask(fd, hasFD, it.dev, it.inode, it.has&itemInode != 0); known {
			return AppendPath(dst, nil, p), true, true
		}
		return dst, false, false
	}
	d.name = AppendValue(d.name[:0], it.name)
	if isAbsolute(d.name) {
		return AppendPath(dst, nil, d.name), true, true
	}
	parent := d.parentOf(it, c)
	switch {
	case hasFD:
		// The PARENT item is the descriptor's directory only for a bare name.
		var dev []byte
		var inode uint64
		known := parent != nil && parent.has&itemInode != 0 && bytes.IndexByte(d.name, '/') < 0
		if known {
			dev, inode = parent.dev, parent.inode
		}
		if p, found := d.ask(fd, true, dev, inode, known); found {
			return AppendPath(dst, p, d.name), true, true
		}
	case d.cwd != nil:
		d.dir = AppendValue(d.dir[:0], d.cwd)
		if isAbsolute(d.dir) {
			return AppendPath(dst, d.dir, d.name), true, true
		}
	case parent != nil && parent.name != nil && bytes.IndexByte(d.name, '/') < 0:
		d.dir = AppendValue(d.dir[:0], parent.name)
		if isAbsolute(d.dir) {
			return AppendPath(dst, d.dir, d.name), true, true
		}
	}
	return append(dst, d.name...), false, true
}

// parentOf returns the PARENT item that belongs to it: the kernel writes them
// before the others, in the order of the call's paths. What a link is made of
// has none.
func (d *Decoder) parentOf(it *item, c call) *item {
	if c.act == actLink && it.typ != nameCreate {
		return nil
	}
	var parent *item
	for i := range d.items {
		switch {
		case d.items[i].typ == nameParent && (parent == nil || it.typ == nameCreate):
			parent = &d.items[i]
		case &d.items[i] == it:
			return parent
		}
	}
	return parent
}

// atFDCWD stands for the working directory where a call takes a descriptor.
const atFDCWD = -100

// descriptor returns argument n as a descriptor; false if there is none, or if it
// stands for the working directory.
func (d *Decoder) descriptor(n int8) (int32, bool) {
	if n == none || d.who.args[n] == nil {
		return 0, false
	}
	fd := int32(uint32(d.who.arg(n))) // an int, whatever the upper half says
	return fd, fd != atFDCWD
}

// ask asks the hook for the path of a descriptor.
func (d *Decoder) ask(fd int32, hasFD bool, dev []byte, inode uint64, known bool) ([]byte, bool) {
	if d.opts.ResolveDir == nil || !hasFD || d.who.pid <= 0 || d.who.pid > 1<<30 {
		return nil, false
	}
	text := ""
	if known {
		text = string(dev)
	}
	p, ok := d.opts.ResolveDir(int32(d.who.pid), fd, text, inode)
	return []byte(p), ok && len(p) > 0 && p[0] == '/'
}

func isAbsolute(path []byte) bool { return len(path) > 0 && path[0] == '/' }
