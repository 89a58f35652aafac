// SPDX-License-Identifier: Apache-2.0

// This file writes records and rings as the kernel does, for the tests.

package imageload

import (
	"fmt"
	"strings"

	"seismo/internal/event"
)

// sec is the time that the tests count milliseconds from.
const sec = int64(1_800_000_000_000_000_000)

func at(ms int64) int64 { return sec + ms*1_000_000 }

// seal puts header and time around the body of a record.
func seal(kind uint32, misc uint16, when int64, body []byte) []byte {
	raw := native.AppendUint32(nil, kind)
	raw = native.AppendUint16(raw, misc)
	raw = native.AppendUint16(raw, uint16(headerSize+len(body)+trailerSize))
	raw = append(raw, body...)
	return native.AppendUint64(raw, uint64(when))
}

// name ends a name as the kernel does: by NUL, padded to eight bytes.
func name(s string) []byte { return append([]byte(s), make([]byte, 8-len(s)%8)...) }

// file is a mapping of a file, of minor device 1 of major 254.
func file(when int64, pid int32, inode uint64, path string) []byte {
	return mapAs(when, pid, 254<<32|1, inode, 5, name(path))
}

// mapAs is a mapping with all that the tests vary.
func mapAs(when int64, pid int32, device, inode uint64, prot uint32, path []byte) []byte {
	b := native.AppendUint32(nil, uint32(pid))
	b = native.AppendUint32(b, uint32(pid))
	b = native.AppendUint64(b, 0x7f0000001000)
	b = native.AppendUint64(b, 4096)
	b = native.AppendUint64(b, 0)
	b = native.AppendUint32(b, uint32(device>>32))
	b = native.AppendUint32(b, uint32(device))
	b = native.AppendUint64(b, inode)
	b = native.AppendUint64(b, 7)
	b = native.AppendUint32(b, prot)
	b = native.AppendUint32(b, 2)
	return seal(typeMmap2, 2, when, append(b, path...))
}

// made gives the file of a mapping another generation.
func made(raw []byte, generation uint64) []byte {
	native.PutUint64(raw[headerSize+48:], generation)
	return raw
}

func comm(when int64, pid int32, misc uint16) []byte {
	b := native.AppendUint32(nil, uint32(pid))
	b = native.AppendUint32(b, uint32(pid))
	return seal(typeComm, misc, when, append(b, name("sh")...))
}

func execOf(when int64, pid int32) []byte { return comm(when, pid, miscCommExec) }

// task is a fork (kind 7) or an exit of a thread.
func task(kind uint32, when int64, pid, tid int32) []byte {
	b := native.AppendUint32(nil, uint32(pid))
	b = native.AppendUint32(b, 1)
	b = native.AppendUint32(b, uint32(tid))
	b = native.AppendUint32(b, 1)
	return seal(kind, 0, when, native.AppendUint64(b, uint64(when)))
}

func exitOf(when int64, pid int32) []byte { return task(typeExit, when, pid, pid) }

func lost(when int64, n uint64) []byte {
	return seal(typeLost, 0, when, native.AppendUint64(native.AppendUint64(nil, 99), n))
}

// kernel writes into a lane's ring as the kernel does: what does not fit is lost, and
// the next record that fits has one before it that says how many were.
type kernel struct {
	*lane
	missing uint64 // lost and not told
	total   uint64 // lost in all
}

// newKernel returns the writer of a ring of size bytes whose first position is from.
func newKernel(cpu, size int, from uint64) *kernel {
	return &kernel{lane: &lane{cpu: cpu, last: sec, ring: ring{data: make([]byte, size), head: from, tail: from}}}
}

func (k *kernel) write(raw []byte) (fits bool) {
	all := raw
	if k.missing > 0 {
		all = append(lost(recordTime(raw), k.missing), raw...)
	}
	if k.head-k.tail+uint64(len(all)) > uint64(len(k.data)) {
		k.missing++
		k.total++
		return false
	}
	k.missing = 0
	for _, c := range all {
		k.data[k.head%uint64(len(k.data))] = c
		k.head++
	}
	return true
}

// newReader returns a reader of the rings of ks.
func newReader(ks ...*kernel) *reader {
	r := &reader{seen: newTracker(), max: 1000}
	for _, k := range ks {
		r.lanes = append(r.lanes, k.lane)
	}
	return r
}

// show writes events and losses, a line each, times in milliseconds.
func show(b *event.Batch) string {
	var s strings.Builder
	for _, e := range b.Events() {
		path, _ := e.Text(event.ImagePath)
		fmt.Fprintf(&s, "%d: %v %v %d %s", (e.Time-sec)/1_000_000, e.Kind, e.Op, e.PID, path)
		if program, ok := e.Text(event.ProcessPath); ok {
			fmt.Fprintf(&s, " by %s", program)
		}
		if e.Flags&event.Truncated != 0 {
			s.WriteString(" cut")
		}
		s.WriteString("\n")
	}
	for _, l := range b.Losses {
		fmt.Fprintf(&s, "%d to %d: %s %v %d %s: %s\n", (l.From-sec)/1_000_000, (l.To-sec)/1_000_000, l.Reason, l.Kind, l.Count, l.Unit, l.Detail)
	}
	return s.String()
}
