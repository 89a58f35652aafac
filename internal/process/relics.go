// SPDX-License-Identifier: Apache-2.0

// This file keeps relics, each the bytes of a process that ended a while ago, one
// behind the other. They hold no pointers: the garbage collector passes them over.
// What a relic says is in relic.go.

package process

import (
	"encoding/binary"
	"math"
	"unsafe"

	"seismo/internal/event"
)

// relics has the relics in the order they were made. The zero value is ready.
type relics struct {
	chunks []*chunk        // the oldest first
	first  uint16          // number of chunks[0]; numbers begin again
	at     int             // where the oldest relic begins in chunks[0]
	newest map[int32]place // by pid: its instance that ended last
	peak   int             // greatest size of newest since it was made
	n      int             // relics, those that were taken not counted
	bytes  int             // what they occupy, with those taken that lie between others
	spare  *chunk

	scratch []byte
}

// place is where a relic is: the number of its chunk, and its offset there.
type place uint32

func placeOf(number uint16, at int) place { return place(number)<<16 | place(at) }
func (p place) number() uint16            { return uint16(p >> 16) }
func (p place) offset() int               { return int(uint16(p)) }

// chunk is a run of relics, with what they have in common.
type chunk struct {
	data     []byte // of each: whether it was taken, its length in 2 bytes, and its text
	time     int64  // that times are told from
	serial   uint64 // that serials are told from
	kin      []kin
	settings []*setting
	extra    int // bytes of these two
}

// kin is what a process descends from.
type kin struct {
	entry *entry         // counts the process in its kids
	image *event.Process // the parent of its images
}

const (
	chunkSize  = 32 << 10
	relicHead  = 3
	relicIndex = 20 // bytes: the share of a relic in the index at most
	maxChunks  = math.MaxUint16
	// lately is how many settings and kin of a chunk are looked through for one that is
	// there already.
	lately = 16
)

// add keeps r, the relic of the newest instance of its pid that ended, or reports that
// it is too long.
func (s *relics) add(r *relic) bool {
	pid := r.entry.key.pid
	r.older, r.hasOlder = s.newest[pid]
	for fresh := len(s.chunks) == 0; ; fresh = true {
		if fresh && !s.begin(r) {
			return false
		}
		c := s.chunks[len(s.chunks)-1]
		extra := c.extra
		s.scratch = r.append(append(s.scratch[:0], 0, 0, 0), c)
		s.bytes += c.extra - extra
		at, size := len(c.data), len(s.scratch)
		if at+size > chunkSize {
			if at > 0 {
				continue
			}
			s.end()
			return false
		}
		binary.LittleEndian.PutUint16(s.scratch[1:], uint16(size))
		c.data = append(c.data, s.scratch...)
		s.bytes += size + relicIndex
		s.n++
		if s.newest == nil {
			s.newest = make(map[int32]place)
		}
		s.newest[pid] = placeOf(s.first+uint16(len(s.chunks)-1), at)
		s.peak = max(s.peak, len(s.newest))
		return true
	}
}

// begin appends a chunk, in which times are told from those of r, or reports that there
// are as many as may be.
func (s *relics) begin(r *relic) bool {
	if len(s.chunks) == maxChunks {
		return false
	}
	c := s.spare
	if s.spare = nil; c == nil {
		c = &chunk{data: make([]byte, 0, chunkSize)}
	}
	c.time, c.serial = r.entry.end, r.entry.serial
	s.chunks = append(s.chunks, c)
	return true
}

// end takes back the last chunk, which is empty.
func (s *relics) end() {
	c := s.chunks[len(s.chunks)-1]
	s.bytes -= c.extra
	s.chunks = s.chunks[:len(s.chunks)-1]
	s.scratch = nil // it may have become very long
}

// has reports whether p is still kept.
func (s *relics) has(p place) (*chunk, bool) {
	i := int(p.number() - s.first)
	if i >= len(s.chunks) || i == 0 && p.offset() < s.at {
		return nil, false
	}
	return s.chunks[i], true
}

// take takes out the relics of pid, the newest first. They are good until the next is
// added.
func (s *relics) take(pid int32) (found []relic) {
	p, ok := s.newest[pid]
	if !ok {
		return nil
	}
	delete(s.newest, pid)
	for ok {
		c, kept := s.has(p)
		if !kept {
			break
		}
		r := c.read(p.offset())
		c.data[p.offset()] = 1
		s.n--
		found = append(found, r)
		p, ok = r.older, r.hasOlder
	}
	s.pass()
	return found
}

// oldest returns the oldest relic; there must be one.
func (s *relics) oldest() relic { return s.chunks[0].read(s.at) }

// drop forgets the oldest relic, which is r.
func (s *relics) drop(r *relic) {
	pid := r.entry.key.pid
	if p, ok := s.newest[pid]; ok && p == placeOf(s.first, s.at) {
		delete(s.newest, pid)
	}
	s.chunks[0].data[s.at] = 1
	s.n--
	s.pass()
}

// pass goes on to the oldest relic that was not taken. Chunks before it go.
func (s *relics) pass() {
	for len(s.chunks) > 0 {
		c := s.chunks[0]
		for s.at < len(c.data) && c.data[s.at] != 0 {
			size := int(binary.LittleEndian.Uint16(c.data[s.at+1:]))
			s.bytes -= size + relicIndex
			s.at += size
		}
		if s.at < len(c.data) {
			return
		}
		s.bytes -= c.extra
		clear(c.kin)
		clear(c.settings)
		*c = chunk{data: c.data[:0], kin: c.kin[:0], settings: c.settings[:0]}
		s.spare = c
		s.chunks[0] = nil
		s.chunks, s.first, s.at = s.chunks[1:], s.first+1, 0
	}
}

// shrink gives back the memory of an index that was much greater once: a map keeps the
// room of its greatest size.
func (s *relics) shrink() {
	if s.peak < 1<<14 || len(s.newest) > s.peak/8 {
		return
	}
	smaller := make(map[int32]place, len(s.newest))
	for pid, p := range s.newest {
		smaller[pid] = p
	}
	s.newest, s.peak = smaller, len(smaller)
}

// kinOf returns the index of k in c.
func (c *chunk) kinOf(k kin) uint64 {
	for i := len(c.kin) - 1; i >= max(0, len(c.kin)-lately); i-- {
		if c.kin[i] == k {
			return uint64(i)
		}
	}
	c.kin = append(c.kin, k)
	c.extra += int(unsafe.Sizeof(k))
	return uint64(len(c.kin) - 1)
}

// settingOf returns the index of s in c. fresh says that it was made for the relic.
func (c *chunk) settingOf(s *setting, fresh bool) uint64 {
	for i := len(c.settings) - 1; i >= max(0, len(c.settings)-lately); i-- {
		if c.settings[i] == s {
			return uint64(i)
		}
	}
	c.settings = append(c.settings, s)
	c.extra += int(unsafe.Sizeof(s))
	if fresh {
		c.extra += int(unsafe.Sizeof(*s))
	}
	return uint64(len(c.settings) - 1)
}
