// SPDX-License-Identifier: Apache-2.0

// This file reads one record of the ring (linux/perf_event.h, enum
// perf_event_type). Each begins with a header of type, flags and length, and ends
// with its time, since the event asks for PERF_SAMPLE_TIME and sample_id_all.

package imageload

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// Types of records. Forks and exits come whether or not they are asked for.
const (
	typeLost  = 2  // PERF_RECORD_LOST
	typeComm  = 3  // PERF_RECORD_COMM
	typeExit  = 4  // PERF_RECORD_EXIT
	typeMmap2 = 10 // PERF_RECORD_MMAP2

	miscCommExec = 0x2000 // PERF_RECORD_MISC_COMM_EXEC: the name changed by an exec
	protExec     = 4      // PROT_EXEC
)

// Lengths in bytes: of the header, of the time at the end, and of what is between
// them at least.
const (
	headerSize  = 8
	trailerSize = 8
	leastSize   = headerSize + trailerSize

	lostSize = 16 // id, lost
	commSize = 8  // pid, tid, then the name
	exitSize = 24 // pid, ppid, tid, ptid, time
	mmapSize = 64 // see parseMap, then the path
)

var (
	errShort   = errors.New("record is shorter than its type asks for")
	errNoName  = errors.New("name has no end")
	errNoBytes = errors.New("name is empty")
)

// what says what a record tells; nothing stands for records that tell nothing here.
type what uint8

const (
	nothing what = iota
	mapping      // pid mapped a file or memory to execute it
	execed       // pid began to run another program
	exited       // the process pid ended
	missed       // lost records did not fit
)

// record is what a record says. path lies in the memory of the record.
type record struct {
	what   what
	time   int64 // Unix time, nanoseconds
	pid    int32 // of the process, not of the thread
	device uint64
	inode  uint64 // 0 for memory without a file
	made   uint64 // generation of the inode: another for each file that gets its number
	path   []byte
	lost   uint64
}

// The kernel writes records in the order of the machine.
var native = binary.NativeEndian

// recordTime returns the time of a record of at least leastSize bytes.
func recordTime(raw []byte) int64 { return int64(native.Uint64(raw[len(raw)-trailerSize:])) }

// parse reads a record of at least leastSize bytes. A record that tells nothing
// here, and one of a type that is not known, is no error.
func parse(raw []byte) (record, error) {
	r := record{time: recordTime(raw)}
	misc := native.Uint16(raw[4:])
	body := raw[headerSize : len(raw)-trailerSize]
	switch native.Uint32(raw) {
	case typeMmap2:
		return parseMap(r, body)
	case typeComm:
		if len(body) < commSize {
			return r, errShort
		}
		if misc&miscCommExec != 0 {
			r.what, r.pid = execed, int32(native.Uint32(body))
		}
	case typeExit:
		if len(body) < exitSize {
			return r, errShort
		}
		if pid := native.Uint32(body); pid == native.Uint32(body[8:]) { // the first thread
			r.what, r.pid = exited, int32(pid)
		}
	case typeLost:
		if len(body) < lostSize {
			return r, errShort
		}
		r.what, r.lost = missed, native.Uint64(body[8:])
	}
	return r, nil
}

// parseMap reads what stands between header and time of a mapping: pid, tid, address,
// length, offset, device (major, minor), inode, its generation, protection, flags, and
// the path, ended by NUL and padded to eight bytes.
func parseMap(r record, body []byte) (record, error) {
	if len(body) < mmapSize {
		return r, errShort
	}
	path, _, ended := bytes.Cut(body[mmapSize:], []byte{0})
	switch {
	case !ended:
		return r, errNoName
	case len(path) == 0:
		return r, errNoBytes
	case native.Uint32(body[56:])&protExec == 0:
		return r, nil // the kernel tells only of executable ones unless it is asked for more
	}
	r.pid = int32(native.Uint32(body))
	r.device = uint64(native.Uint32(body[32:]))<<32 | uint64(native.Uint32(body[36:]))
	r.inode, r.made = native.Uint64(body[40:]), native.Uint64(body[48:])
	r.path = path
	if r.inode == 0 && r.device == 0 && every(path) {
		return r, nil
	}
	r.what = mapping
	return r, nil
}

// every reports whether path is what the kernel maps into each process that it
// starts. Paths of files begin with a slash.
func every(path []byte) bool {
	switch string(path) {
	case "[vdso]", "[vsyscall]", "[vectors]", "[sigpage]":
		return true
	}
	return false
}

// cut reports whether path stands for one that the kernel could not give
// (kernel/events/core.c, perf_event_mmap_event).
func cut(path []byte) bool {
	return string(path) == "//toolong" || string(path) == "//enomem"
}
