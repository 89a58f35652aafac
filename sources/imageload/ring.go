// SPDX-License-Identifier: Apache-2.0

// This file takes records out of the ring that the kernel writes them into.

package imageload

import "fmt"

// ring is the memory that the kernel writes records into, one after the other, each
// from where the one before ended; a record may go over the end of the memory and on
// at its beginning. Positions count bytes since the ring was made and only grow.
type ring struct {
	data    []byte // a power of two of bytes
	head    uint64 // the kernel has written up to here
	tail    uint64 // read up to here: the kernel may write over what is before it
	scratch []byte // a record that goes over the end, in one piece
}

// next returns the record at the tail, which is valid until the kernel is told that
// it was read. It returns nil where there is none. An error says that the bytes at
// the tail are none: nothing up to the head can be read then.
func (r *ring) next() ([]byte, error) {
	left := r.head - r.tail
	if left == 0 {
		return nil, nil
	}
	if left > uint64(len(r.data)) || left < headerSize || r.tail%8 != 0 {
		return nil, fmt.Errorf("ring of %d bytes at %d: the kernel says that it has written up to %d", len(r.data), r.tail, r.head)
	}
	// A header never goes over the end: all lengths are multiples of its own.
	at := int(r.tail & uint64(len(r.data)-1))
	size := int(native.Uint16(r.data[at+6:]))
	if size < leastSize || size%8 != 0 || uint64(size) > left {
		return nil, fmt.Errorf("ring of %d bytes at %d: a record of %d bytes where %d are written", len(r.data), r.tail, size, left)
	}
	if at+size <= len(r.data) {
		return r.data[at : at+size : at+size], nil
	}
	r.scratch = append(append(r.scratch[:0], r.data[at:]...), r.data[:at+size-len(r.data)]...)
	return r.scratch, nil
}

// lane is a ring with its next record read, and the account of its losses.
type lane struct {
	ring
	cpu  int
	rec  record // the record at the tail, if has
	size int    // its bytes
	has  bool

	last     int64  // time of the last record, or of the opening: Unix time, nanoseconds
	recorded uint64 // records lost, by the records of the ring that tell of it
	told     uint64 // of all that were lost, in Batch.Losses
}

// load reads up to the next record that tells something; has says whether there is one.
// Each record that it passes is counted.
func (l *lane) load(c *counters) error {
	for !l.has {
		raw, err := l.next()
		if err != nil {
			c.received++
			l.tail = l.head
			return err
		}
		if raw == nil {
			return nil
		}
		c.received++
		l.rec, err = parse(raw)
		l.size = len(raw)
		switch {
		case err != nil:
			l.tail += uint64(l.size)
			return fmt.Errorf("record of type %d and %d bytes: %w", native.Uint32(raw), len(raw), err)
		case l.rec.what == nothing:
			c.parsed++
			l.take()
		default:
			c.parsed++
			l.has = true
		}
	}
	return nil
}

// take moves on behind the record that was read.
func (l *lane) take() {
	l.last = l.rec.time
	l.tail += uint64(l.size)
	l.has = false
}

// lose returns how many of total lost records were not told yet, and notes them as told.
func (l *lane) lose(total uint64) uint64 {
	if total <= l.told {
		return 0
	}
	n := total - l.told
	l.told = total
	return n
}
