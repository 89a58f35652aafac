// SPDX-License-Identifier: Apache-2.0

// This file writes and reads the memory of a matcher: process_state.bin, whose
// form is described in docs/format/process-state.md.

package engine

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"slices"

	"seismo/internal/event"
)

// What can be wrong with a saved memory. Errors of [Matcher.LoadState] wrap one of
// them, or an error of reading.
var (
	// ErrStateFormat says that the file is something else.
	ErrStateFormat = errors.New("not the saved memory of signals")
	// ErrStateDamaged says that the file was cut short or changed, or was not written
	// by seismo.
	ErrStateDamaged = errors.New("the saved memory of signals is damaged")
	// ErrStateVersion says that the file has another format version.
	ErrStateVersion = errors.New("the saved memory of signals is of another format version")
	// ErrStateRegistry says that the file was written with another list of fields.
	ErrStateRegistry = errors.New("the saved memory of signals is of another field registry")
)

const (
	stateMagic   = "\x7fSEIMEM\n"
	stateVersion = 3
	maxState     = 512 << 20 // bytes

	// The limits of a late value in a file. An event has less room than that.
	maxLateText = event.MaxArena
	maxLateList = 1 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// SaveState writes what m remembers to w, for LoadState. The same memory gives the
// same bytes. The error is that of w.
func (m *Matcher) SaveState(w io.Writer) error {
	sum := crc32.New(castagnoli)
	buffered := bufio.NewWriterSize(w, 1<<16)
	s := stateWriter{w: io.MultiWriter(buffered, sum)}
	s.b = append(s.b, stateMagic...)
	s.u32(stateVersion)
	s.u64(event.Fingerprint())
	s.u64(uint64(m.through))
	m.saveLatches(&s)
	m.saveLate(&s)
	m.saveCorrelations(&s)
	s.flush()
	s.w = buffered
	s.u32(sum.Sum32())
	s.flush()
	if s.err == nil {
		s.err = buffered.Flush()
	}
	if s.err != nil {
		return fmt.Errorf("save the memory of signals: %w", s.err)
	}
	return nil
}

func (m *Matcher) saveLatches(s *stateWriter) {
	items := m.p.memory.items
	used := make([]bool, len(items))
	for r := range m.latches.order.All() {
		for _, l := range r.latches {
			used[l.item] = true
		}
	}
	var order []uint32
	for k := range items {
		if used[k] {
			order = append(order, uint32(k))
		}
	}
	slices.SortFunc(order, func(a, b uint32) int {
		if items[a].id < items[b].id {
			return -1
		}
		return 1
	})
	number := make([]uint32, len(items))
	s.u32(uint32(len(order)))
	for n, k := range order {
		number[k] = uint32(n)
		s.u64(items[k].id)
		s.u32(uint32(len(items[k].terms)))
	}
	s.u32(uint32(len(m.latches.of)))
	for r := range m.latches.order.All() {
		s.u64(uint64(r.key))
		s.u32(uint32(len(r.latches)))
		for _, l := range r.latches {
			s.u32(number[l.item])
			s.text(l.proof)
		}
	}
}

func (m *Matcher) saveLate(s *stateWriter) {
	used := map[event.Field]bool{}
	for v := range m.late.order.All() {
		for i := range v.values {
			used[v.values[i].field] = true
		}
	}
	var names []string
	for f := range used {
		names = append(names, event.Describe(f).Name)
	}
	slices.Sort(names)
	number := map[event.Field]uint32{}
	s.u32(uint32(len(names)))
	for n, name := range names {
		in, _ := event.Lookup(name)
		number[in.Field] = uint32(n)
		s.text(name)
	}
	s.u32(uint32(len(m.late.of)))
	for v := range m.late.order.All() {
		s.u64(uint64(v.key))
		s.u32(uint32(len(v.values)))
		for i := range v.values {
			value := &v.values[i]
			s.u32(number[value.field])
			switch event.Describe(value.field).Type {
			case event.List, event.Hash:
				s.u32(uint32(len(value.list)))
				for _, e := range value.list {
					s.text(e)
				}
			case event.Integer, event.Identifier, event.Time:
				s.u64(uint64(value.number))
			default:
				s.text(value.text)
			}
		}
	}
}

// stateWriter writes the parts of a file. The first error ends it.
type stateWriter struct {
	w   io.Writer
	b   []byte // not yet written
	err error
}

func (s *stateWriter) u32(n uint32) { s.b = binary.LittleEndian.AppendUint32(s.room(4), n) }

func (s *stateWriter) u64(n uint64) { s.b = binary.LittleEndian.AppendUint64(s.room(8), n) }

func (s *stateWriter) text(v string) {
	s.u32(uint32(len(v)))
	s.b = append(s.room(len(v)), v...)
}

// room returns the bytes that are not yet written, with room for n more if n is small.
func (s *stateWriter) room(n int) []byte {
	if len(s.b)+n > 1<<14 {
		s.flush()
	}
	return s.b
}

func (s *stateWriter) flush() {
	if s.err == nil {
		_, s.err = s.w.Write(s.b)
	}
	s.b = s.b[:0]
}

// stateReader reads the parts of a file. The first error ends it: what is read
// then is zero.
type stateReader struct {
	r   *bufio.Reader
	sum hash.Hash32
	err error
	b   [8]byte
}

// fail notes what is wrong, unless something was before.
func (s *stateReader) fail(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf("%w: %s", ErrStateDamaged, fmt.Sprintf(format, args...))
	}
}

func (s *stateReader) read(b []byte) {
	if s.err != nil {
		clear(b)
		return
	}
	_, err := io.ReadFull(s.r, b)
	switch {
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		s.fail("it ends early")
		clear(b)
	case err != nil:
		s.err = err
		clear(b)
	default:
		s.sum.Write(b)
	}
}

func (s *stateReader) u32() uint32 {
	s.read(s.b[:4])
	return binary.LittleEndian.Uint32(s.b[:4])
}

func (s *stateReader) u64() uint64 {
	s.read(s.b[:8])
	return binary.LittleEndian.Uint64(s.b[:8])
}

// count returns a number of things, at most limit.
func (s *stateReader) count(what string, limit int) int {
	n := s.u32()
	if uint64(n) > uint64(limit) {
		s.fail("%d %s, the limit is %d", n, what, limit)
		return 0
	}
	return int(n)
}

// text returns a text of at most limit bytes. It takes memory as the bytes come.
func (s *stateReader) text(what string, limit int) string {
	n := s.count("bytes of "+what, limit)
	var all []byte
	for n > 0 && s.err == nil {
		part := min(n, 1<<16)
		all = append(all, make([]byte, part)...)
		s.read(all[len(all)-part:])
		n -= part
	}
	if s.err != nil {
		return ""
	}
	return string(all)
}
