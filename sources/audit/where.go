// SPDX-License-Identifier: Apache-2.0

// This file finds where a file is that a PATH record names: what the name is
// relative to, and whom the decoder asks about that.

package audit

import "bytes"

// resolve appends to dst the path of it in call c. whole is false if the path
// could not be made absolute, or is only a name for another; ok is false if there
// is no path at all.
func (d *Decoder) resolve(dst []byte, it *item, c call, s side) (path []byte, whole, ok bool) {
	d.how = pathTold
	fd, hasFD := d.descriptor(s.dir)
	if it.nameless() {
		// The call names an open file: fchmod, or AT_EMPTY_PATH.
		if c.fd != none {
			fd, hasFD = d.descriptor(c.fd)
		}
		d.name = d.name[:0]
		if p, known := d.ask(fd, hasFD, it.dev, it.inode, it.has&itemInode != 0); known {
			d.how = pathAsked
			return AppendPath(dst, nil, p), true, true
		}
		return dst, false, false
	}
	d.name = AppendValue(d.name[:0], it.name)
	name := d.name
	if isAbsolute(name) {
		rest, n, how := splitProcSelf(name, d.who.pid)
		switch how {
		case selfNot:
			return AppendPath(dst, nil, name), true, true
		case selfRoot:
			return AppendPath(dst, slash, rest), true, true
		case selfFD:
			if path, ok := d.below(dst, n, rest, it, s.parent); ok {
				return path, true, true
			}
			return AppendPath(dst, nil, name), false, true
		}
		name, hasFD = rest, false // in the working directory
	}
	switch {
	case hasFD:
		if path, ok := d.below(dst, fd, name, it, s.parent); ok {
			return path, true, true
		}
	case d.cwd != nil:
		d.dir = AppendValue(d.dir[:0], d.cwd)
		if isAbsolute(d.dir) {
			return AppendPath(dst, d.dir, name), true, true
		}
	case s.parent != nil && s.parent.name != nil && bytes.IndexByte(name, '/') < 0:
		d.dir = AppendValue(d.dir[:0], s.parent.name)
		if isAbsolute(d.dir) {
			return AppendPath(dst, d.dir, name), true, true
		}
	}
	return append(dst, d.name...), false, true
}

var slash = []byte("/")

// below appends the path of it, called name below what descriptor fd refers to, and
// says in d.how what came of it.
func (d *Decoder) below(dst []byte, fd int32, name []byte, it, parent *item) (path []byte, ok bool) {
	if path, ok = d.askDirectory(dst, fd, name, it, parent); ok {
		d.how = pathAsked
	} else if parent != nil && len(name) > 0 {
		d.how = pathMissing
	}
	return path, ok
}

// askDirectory is the part of below that asks.
// What the records say of inodes decides: that of the directory that holds the
// file, which the PARENT item has, or else that of the file.
func (d *Decoder) askDirectory(dst []byte, fd int32, name []byte, it, parent *item) ([]byte, bool) {
	if len(name) == 0 {
		p, ok := d.ask(fd, true, it.dev, it.inode, it.has&itemInode != 0)
		return AppendPath(dst, nil, p), ok
	}
	base := baseName(name)
	switch {
	case parent == nil || parent.has&itemInode == 0:
		if it.has&itemInode != 0 {
			if p, ok := d.askBelow(fd, name, it); ok {
				return AppendPath(dst, nil, p), true
			}
		}
		if bytes.IndexByte(name, '/') >= 0 {
			break
		}
		if p, ok := d.ask(fd, true, nil, 0, false); ok {
			return AppendPath(dst, p, name), true
		}
	case len(base) == len(name):
		if p, ok := d.ask(fd, true, parent.dev, parent.inode, true); ok {
			return AppendPath(dst, p, name), true
		}
	case len(base) > 0 && string(base) != "." && string(base) != "..":
		p, ok := d.ask(noFD, true, parent.dev, parent.inode, true)
		if !ok {
			p, ok = d.askBelow(fd, dirName(name), parent)
		}
		if ok {
			return AppendPath(dst, p, base), true
		}
	}
	return dst, false
}

// sideOf returns what the name of it is relative to in a call with one name.
func (d *Decoder) sideOf(it *item, c call) side {
	return side{c.dir, d.parentOf(it)}
}

// secondSide is that of the second name of a call in which only that has a PARENT
// item: a link.
func (d *Decoder) secondSide(c call) side { return side{c.dir2, d.lastOf(nameParent)} }

// renameOrder is the order in which a kernel writes the PARENT items of a rename.
// It takes both names in one expression, so the compiler decides (fs/namei.c,
// renameat2): gcc takes the new one first.
type renameOrder uint8

const (
	orderUnknown renameOrder = iota
	orderOldFirst
	orderNewFirst
)

// renameSides returns the sides of a rename from an old to a new name. Where two
// directories are named, what tells which is which is, in this order: the names,
// if they have directories in them; what the descriptors are now; the order in
// this kernel, as an earlier rename has shown it. Otherwise neither is believed.
func (d *Decoder) renameSides(c call, from, to *item) (old, made side) {
	old, made = side{dir: c.dir}, side{dir: c.dir2}
	a, b := d.firstOf(nameParent), d.lastOf(nameParent)
	if a == nil || a == b || a.has&b.has&itemInode == 0 || a.inode == b.inode {
		old.parent, made.parent = a, b
		return old, made
	}
	order := d.orderByName(a, b, from, to)
	if order != orderUnknown {
		d.order = order
	} else if order = d.orderByDescriptor(a, b, old.dir, made.dir); order == orderUnknown {
		order = d.order
	}
	switch order {
	case orderOldFirst:
		old.parent, made.parent = a, b
	case orderNewFirst:
		old.parent, made.parent = b, a
	}
	return old, made
}

// orderByName compares the names of two PARENT items with those of the files: that
// of a PARENT item is the name of the file up to its last slash.
func (d *Decoder) orderByName(a, b, from, to *item) renameOrder {
	if from == nil || to == nil {
		return orderUnknown
	}
	is := func(parent, file *item) bool {
		d.dir, d.name = AppendValue(d.dir[:0], parent.name), AppendValue(d.name[:0], file.name)
		return isAbsolute(d.name) && len(d.dir) == len(d.name)-len(baseName(d.name)) && bytes.HasPrefix(d.name, d.dir)
	}
	aOld, bOld, aNew, bNew := is(a, from), is(b, from), is(a, to), is(b, to)
	switch {
	case aOld && bNew && !bOld && !aNew:
		return orderOldFirst
	case bOld && aNew && !aOld && !bNew:
		return orderNewFirst
	}
	return orderUnknown
}

// orderByDescriptor asks which of two PARENT items the descriptors are.
func (d *Decoder) orderByDescriptor(a, b *item, old, made int8) renameOrder {
	is := func(n int8, it *item) bool {
		fd, ok := d.descriptor(n)
		if ok {
			_, ok = d.askBelow(fd, dot, it)
		}
		return ok
	}
	switch {
	case is(old, a), is(made, b):
		return orderOldFirst
	case is(old, b), is(made, a):
		return orderNewFirst
	}
	return orderUnknown
}

var dot = []byte(".")

// parentOf returns the PARENT item that belongs to it: the kernel writes them
// before the others, in the order of the call's paths.
func (d *Decoder) parentOf(it *item) *item {
	var parent *item
	for i := range d.items {
		switch {
		case d.items[i].typ == nameParent && (parent == nil || it != nil && it.typ == nameCreate):
			parent = &d.items[i]
		case &d.items[i] == it:
			return parent
		}
	}
	return parent
}

// sawDirs tells the hook which directories path, that of it, has shown: the one
// that holds it and, unless it went, itself.
func (d *Decoder) sawDirs(it *item, s side, path []byte, gone bool) {
	if d.opts.SawDir == nil {
		return
	}
	if p := s.parent; p != nil && p.has&itemInode != 0 {
		d.opts.SawDir(p.dev, p.inode, dirName(path))
	}
	if !gone && it.has&(itemInode|itemMode) == itemInode|itemMode && it.mode&modeType == modeDirectory {
		d.opts.SawDir(it.dev, it.inode, path)
	}
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

// noFD asks by device and inode alone.
const noFD = -1

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

// askBelow asks the hook for the path of it, which is rel below a descriptor.
func (d *Decoder) askBelow(fd int32, rel []byte, it *item) ([]byte, bool) {
	if d.opts.ResolveBelow == nil || d.who.pid <= 0 || d.who.pid > 1<<30 {
		return nil, false
	}
	p, ok := d.opts.ResolveBelow(int32(d.who.pid), fd, string(rel), string(it.dev), it.inode)
	return []byte(p), ok && len(p) > 0 && p[0] == '/'
}

func isAbsolute(path []byte) bool { return len(path) > 0 && path[0] == '/' }

// How a name leads through what /proc shows of the process itself.
const (
	selfNot  = iota
	selfRoot // below its root
	selfCwd  // below its working directory
	selfFD   // below a descriptor
)

// splitProcSelf takes apart a name such as /proc/self/fd/3/x, which leads over a
// link of the kernel's to what process pid has open: n is the descriptor, rest
// what is below it. /proc/PID of another process is left alone: what its links
// lead to is not in the records.
func splitProcSelf(name []byte, pid int64) (rest []byte, n int32, how int) {
	switch {
	case hasPrefix(name, "/dev/fd/"):
		rest = name[len("/dev/"):]
	case hasPrefix(name, "/proc/self/"):
		rest = name[len("/proc/self/"):]
	case hasPrefix(name, "/proc/thread-self/"):
		rest = name[len("/proc/thread-self/"):]
	case hasPrefix(name, "/proc/"):
		v, end, ok := parseDecimal(name, len("/proc/"))
		if !ok || int64(v) != pid || end >= len(name) || name[end] != '/' {
			return nil, 0, selfNot
		}
		rest = name[end+1:]
	default:
		return nil, 0, selfNot
	}
	first := rest
	if i := bytes.IndexByte(rest, '/'); i >= 0 {
		first, rest = rest[:i], bytes.TrimLeft(rest[i:], "/")
	} else {
		rest = nil
	}
	switch string(first) {
	case "root":
		return rest, 0, selfRoot
	case "cwd":
		return rest, 0, selfCwd
	case "fd":
		v, end, ok := parseDecimal(rest, 0)
		if !ok || v > 1<<30 || end < len(rest) && rest[end] != '/' {
			return nil, 0, selfNot
		}
		return bytes.TrimLeft(rest[end:], "/"), int32(v), selfFD
	}
	return nil, 0, selfNot
}
