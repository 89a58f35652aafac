// SPDX-License-Identifier: Apache-2.0

// Package imageload tells which files processes map to execute them: programs,
// the dynamic loader, libraries, plugins, and memory that has no file.
//
// On Linux it reads the mapping records of perf_event_open(2): one event that
// counts nothing for each processor, whose ring the kernel writes a record into
// for every mapping that may be executed. It needs no probe, no audit rule and no
// wake-up for each record; what did not fit the kernel counts. [Open] begins,
// [Source.Read] gives events of kind image. Other systems have no such source:
// there Open fails with [ErrUnsupported].
//
// The grammar of the records (record.go), the ring (ring.go), the order of records
// of several rings (merge.go) and what makes an event of them (reader.go, track.go)
// know no system.
package imageload

import "errors"

// The reasons why mappings can not be had. Errors that wrap them name what is missing.
var (
	// ErrUnsupported: this system or kernel tells of no mappings.
	ErrUnsupported = errors.New("image loads are not told here")
	// ErrPrivilege: the kernel refuses.
	ErrPrivilege = errors.New("missing privilege")
)

// Options say how mappings are taken.
type Options struct {
	// BatchEvents is the number of events at which a batch is full; 0 stands for 1,000.
	BatchEvents int
	// RingBytes is the room for records of each processor, a power of two of at least
	// two pages; 0 stands for 512 KiB, on hosts of more than 32 processors for less: 16 MiB
	// in all, but 64 KiB at least.
	RingBytes int
}

const defaultBatchEvents = 1000

// Room for records. A start of a small program is 7 records, 700 bytes: 512 KiB are
// those of 700 programs for each processor, 350 ms at 2,000 programs a second on one.
const (
	defaultRingBytes = 512 << 10
	leastRingBytes   = 64 << 10
	allRingBytes     = 16 << 20
)

// ringBytes returns the room for each of n processors.
func (o *Options) ringBytes(n int) int {
	if o.RingBytes > 0 {
		return o.RingBytes
	}
	size := defaultRingBytes
	for size > leastRingBytes && size*n > allRingBytes {
		size /= 2
	}
	return size
}
