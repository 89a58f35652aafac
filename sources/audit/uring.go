// SPDX-License-Identifier: Apache-2.0

// This file makes the events of operations that a process had io_uring carry out.

package audit

import (
	"strconv"

	"seismo/internal/event"
)

// decodeUring makes the event of an operation of io_uring: a system call event
// called io_uring_ and the operation. The record has no architecture, no program
// and no arguments, and names of files are not in its PATH records, only inodes
// (kernel/auditsc.c, audit_log_uring). So the path is that of the directory that
// the operation was in, where that is known, and the arguments are the inodes:
// parent=DEVICE:INODE of the directory, then inode=DEVICE:INODE of the file.
func (d *Decoder) decodeUring(b *event.Batch) *event.Event {
	d.flags |= d.who.readSyscall(d.uring)
	e := b.Add(event.KindSyscall, event.OpCall)
	d.value = append(d.value[:0], "io_uring_"...)
	op := findField(d.uring.Body, "uring_op")
	if n, ok := parseUint(op, 10); ok && n < uint64(len(uringOpNames)) {
		d.value = append(d.value, uringOpNames[n]...)
	} else {
		d.value = append(d.value, op...)
	}
	e.SetText(event.SyscallName, d.value)
	if d.who.has&hasExit != 0 {
		e.SetInt(event.SyscallResult, d.who.exit)
	}
	d.readItems()
	var parent, file *item
	for i := range d.items {
		switch it := &d.items[i]; {
		case it.has&itemInode == 0:
		case it.typ == nameParent:
			parent = it
		default:
			file = it
		}
	}
	d.appendInode(e, "parent=", parent)
	d.appendInode(e, "inode=", file)
	if parent != nil {
		if p, ok := d.ask(noFD, true, parent.dev, parent.inode, true); ok {
			e.SetText(event.SyscallPath, p)
		}
	}
	return e
}

// appendInode adds an argument that says which file it is.
func (d *Decoder) appendInode(e *event.Event, what string, it *item) {
	if it == nil {
		return
	}
	d.value = append(append(append(d.value[:0], what...), it.dev...), ':')
	d.value = strconv.AppendUint(d.value, it.inode, 10)
	e.AppendElement(event.SyscallArguments, d.value)
}
