// SPDX-License-Identifier: Apache-2.0

// This file holds which files an exec went through, as the kernel numbered them.

package event

import "encoding/binary"

// FileID names a file of a running system: the device of its file system, in the
// form that unix.Mkdev gives, and its inode. Inodes are used again.
type FileID struct{ Dev, Inode uint64 }

const fileIDSize = 16

// AddProgramFile notes the next file of an exec, in the order of the kernel: scripts,
// the program that was started in the end, its loader. All of an event must be
// added with no value set in between.
func (e *Event) AddProgramFile(f FileID) {
	b := e.batch
	if e.programLen == 0 {
		e.programFrom = uint32(len(b.arena))
	}
	b.arena = binary.LittleEndian.AppendUint64(b.arena, f.Dev)
	b.arena = binary.LittleEndian.AppendUint64(b.arena, f.Inode)
	e.programLen += fileIDSize
}

// AppendProgramFiles appends the files that the exec e went through to dst. A source
// that does not tell them adds none.
func (e *Event) AppendProgramFiles(dst []FileID) []FileID {
	if e.programLen == 0 {
		return dst
	}
	for raw := e.batch.arena[e.programFrom : e.programFrom+e.programLen]; len(raw) >= fileIDSize; raw = raw[fileIDSize:] {
		dst = append(dst, FileID{binary.LittleEndian.Uint64(raw), binary.LittleEndian.Uint64(raw[8:])})
	}
	return dst
}
