// SPDX-License-Identifier: Apache-2.0

// Package event is the ground of seismo: what an event is, which kinds and
// operations there are, and what their fields are called. It imports nothing of
// ours; every other package imports it.
//
// A [Batch] owns the memory of its events. Values are copied in, and what the
// accessors return is valid until the batch is reset. A [Process] is different:
// it is never changed once published, and may be kept for ever.
package event

import (
	"encoding/binary"
	"iter"
	"net/netip"
)

// ID is the number of an event: its wall time in microseconds of Unix time,
// moved up to the next number that is free.
type ID int64

// Verdict is what becomes of an event. It says nothing about its tags.
type Verdict uint8

// The verdicts.
const (
	Record  Verdict = iota // store it, as every event by default
	Keep                   // store it whatever a filter or shedding says
	Discard                // do not store it
)

// Flags say what is known about an event as a whole.
type Flags uint8

// The flags.
const (
	Incomplete Flags = 1 << iota // the source lacked a record that belongs to the event
	Truncated                    // a value was cut at a limit
	Duplicate                    // a record had a key twice; the first was taken
	Untrusted                    // user space wrote the record, not the kernel
)

// Event is one thing that happened. Its fields are read with Text, Int, Addr
// and Elements; process-scope fields come from Process once that is set.
type Event struct {
	Kind    Kind
	Op      Op
	Verdict Verdict
	Flags   Flags
	ID      ID     // given by [IDs], before the event is judged
	Time    int64  // Unix time, nanoseconds, as the source stamped it
	Serial  uint64 // the source's own number; audit: unique within a boot
	Ordinal uint64 // 1-based ordinal of the first record in its input
	PID     int32  // of the process that acted; 0 if the event has none
	PPID    int32  // of its parent; 0 if the source does not say
	Host    string // the computer, where the record names it
	Process *Process
	Tags    []Tag
	// Logsource is set by sources whose records say which logs they belong to. All that
	// such a record delivered is then in the own fields, each value of a name counts, and
	// Sigma rules are judged on those alone. Where it is nil the kind of the event tells.
	Logsource *Logsource

	batch              *Batch
	set, text          uint64 // a bit for each slot that holds a value; that holds bytes
	values             [numSlots]value
	ownFrom, ownTo     uint32
	typesFrom, typesTo uint32

	programFrom, programLen uint32 // see AddProgramFile
}

// value is what one slot holds: a number, or the offset (high half) and length
// (low half) of a stretch of the batch's arena.
type value int64

func (v value) span() span { return span{uint32(v >> 32), uint32(v)} }

func (s span) value() value { return value(uint64(s.off)<<32 | uint64(s.len)) }

func (e *Event) reset() {
	tags := e.Tags[:0]
	for i := range e.Tags {
		e.Tags[i] = Tag{}
	}
	*e = Event{Tags: tags}
}

// slot returns where e holds f, or false if an event of e's kind has no such slot.
func (e *Event) slot(f Field) (uint8, bool) {
	if f >= numFields {
		return 0, false
	}
	s := theRegistry.slots[f]
	if s == noSlot || theRegistry.fieldAt[e.Kind][s] != f {
		return 0, false
	}
	return s, true
}

func (e *Event) put(slot uint8, s span) {
	e.values[slot] = s.value()
	e.set |= 1 << slot
	e.text |= 1 << slot
}

// at returns the slot that holds e's value of f, or false if e has none. What
// the record said of the process counts only until the process is known; but what
// an update says of it is a late value, which the process itself does not have.
func (e *Event) at(f Field) (uint8, bool) {
	s, ok := e.slot(f)
	if !ok || e.set&(1<<s) == 0 {
		return 0, false
	}
	if e.Process != nil && theRegistry.infos[f].Scope != ScopeEvent && !e.isUpdate() {
		return 0, false
	}
	return s, true
}

func (e *Event) isUpdate() bool { return e.Kind == KindProcess && e.Op == OpUpdate }

// Late reports whether e is an update of its process that brings a value of f, a
// field of process scope. Text, Int and Elements then return it.
func (e *Event) Late(f Field) bool {
	_, ok := e.at(f)
	return ok && e.isUpdate() && theRegistry.infos[f].Scope == ScopeProcess
}

func (e *Event) mustSlot(f Field) uint8 {
	s, ok := e.slot(f)
	if !ok {
		panic("event: a " + e.Kind.String() + " event has no field " + Describe(f).Name)
	}
	return s
}

// SetText sets a string field to a copy of v. It panics if events of e's kind
// have no field f: that is a mistake of the source's code, not of its input.
func (e *Event) SetText(f Field, v []byte) {
	e.put(e.mustSlot(f), e.batch.put(v))
}

// SetString is SetText for a string.
func (e *Event) SetString(f Field, v string) {
	b := e.batch
	e.put(e.mustSlot(f), span{uint32(len(b.arena)), uint32(len(v))})
	b.arena = append(b.arena, v...)
}

// SetTextFunc sets a string field to what add appends. add must only append to
// the slice it is given and return it.
func (e *Event) SetTextFunc(f Field, add func([]byte) []byte) {
	s := e.mustSlot(f)
	b := e.batch
	from := len(b.arena)
	b.arena = add(b.arena)
	e.put(s, span{uint32(from), uint32(len(b.arena) - from)})
}

// SetInt sets an integer or time field.
func (e *Event) SetInt(f Field, v int64) {
	s := e.mustSlot(f)
	e.values[s] = value(v)
	e.set |= 1 << s
	e.text &^= 1 << s
}

// Unset takes the value of a field away again.
func (e *Event) Unset(f Field) {
	s := e.mustSlot(f)
	e.set &^= 1 << s
	e.text &^= 1 << s
}

// SetAddr sets an address field; an IPv4 address in IPv6 form is unmapped.
func (e *Event) SetAddr(f Field, a netip.Addr) {
	s := e.mustSlot(f)
	if a = a.Unmap(); a.Is4() {
		raw := a.As4()
		e.put(s, e.batch.put(raw[:]))
		return
	}
	raw := a.As16()
	e.put(s, e.batch.put(raw[:]))
}

// AppendElement adds one element to a list or hash field. The elements of one
// field must be added one after the other, with no other value set in between.
func (e *Event) AppendElement(f Field, v []byte) {
	s := e.mustSlot(f)
	b := e.batch
	at := span{off: uint32(len(b.arena))}
	if e.set&(1<<s) != 0 {
		at = e.values[s].span()
	}
	b.arena = binary.AppendUvarint(b.arena, uint64(len(v)))
	b.arena = append(b.arena, v...)
	at.len = uint32(len(b.arena)) - at.off
	e.put(s, at)
}

// Has reports whether e has a value for f, whatever its scope.
func (e *Event) Has(f Field) bool {
	if _, ok := e.at(f); ok {
		return true
	}
	if f < numFields && theRegistry.opField[f] {
		return theRegistry.infos[f].Kinds.Has(e.Kind)
	}
	switch f {
	case NetworkInitiated:
		return e.initiated() != nil
	case FileResultPath:
		return e.Has(e.resultPath())
	}
	if Describe(f).Scope != ScopeEvent && e.Process != nil {
		return e.Process.Has(f)
	}
	return false
}

var trueText, falseText = []byte("true"), []byte("false")

// resultPath returns the field that file.result_path is of e.
func (e *Event) resultPath() Field {
	if e.Has(FileTargetPath) {
		return FileTargetPath
	}
	return FilePath
}

// initiated returns what the operation says of network.initiated, nil if nothing.
func (e *Event) initiated() []byte {
	switch e.Op {
	case OpConnect:
		return trueText
	case OpAccept:
		return falseText
	}
	return nil
}

// Text returns the value of a string field, or of an operation field, as it was
// delivered. The bytes are valid until the batch is reset. For an ancestor
// field use Ancestry.
func (e *Event) Text(f Field) ([]byte, bool) {
	if s, ok := e.at(f); ok {
		if e.text&(1<<s) == 0 {
			return nil, false // a number
		}
		return e.batch.bytes(e.values[s].span()), true
	}
	if f < numFields && theRegistry.opField[f] && theRegistry.infos[f].Kinds.Has(e.Kind) {
		return opBytes[e.Op], true
	}
	switch f {
	case NetworkInitiated:
		v := e.initiated()
		return v, v != nil
	case FileResultPath:
		return e.Text(e.resultPath())
	}
	if e.Process != nil {
		if v, ok := e.Process.Text(f); ok {
			return []byte(v), true
		}
	}
	return nil, false
}

var opBytes = func() (b [numOps][]byte) {
	for i := range b {
		b[i] = []byte(opNames[i])
	}
	return b
}()

// Int returns the value of an integer, identifier or time field.
func (e *Event) Int(f Field) (int64, bool) {
	if s, ok := e.at(f); ok {
		return int64(e.values[s]), e.text&(1<<s) == 0
	}
	if e.Process != nil {
		return e.Process.Int(f)
	}
	return 0, false
}

// Addr returns the value of an address field.
func (e *Event) Addr(f Field) (netip.Addr, bool) {
	if s, ok := e.at(f); ok {
		return netip.AddrFromSlice(e.batch.bytes(e.values[s].span()))
	}
	return netip.Addr{}, false
}

// Elements returns the elements of a list or hash field in order.
func (e *Event) Elements(f Field) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		if s, ok := e.at(f); ok {
			raw := e.batch.bytes(e.values[s].span())
			for len(raw) > 0 {
				n, w := binary.Uvarint(raw)
				if !yield(raw[w : w+int(n) : w+int(n)]) {
					return
				}
				raw = raw[w+int(n):]
			}
			return
		}
		if e.Process != nil {
			for _, v := range e.Process.List(f) {
				if !yield([]byte(v)) {
					return
				}
			}
		}
	}
}

// AddRecordType notes the type of one record that the event was made of. All
// types of an event must be added before those of the next event of the batch.
func (e *Event) AddRecordType(t uint16) {
	b := e.batch
	if e.typesFrom == e.typesTo {
		e.typesFrom = uint32(len(b.types))
		e.typesTo = e.typesFrom
	}
	b.types = append(b.types, t)
	e.typesTo++
}

// RecordTypes returns the types of the records that the event was made of, in
// order. Their names belong to the source (audit.TypeName).
func (e *Event) RecordTypes() []uint16 { return e.batch.types[e.typesFrom:e.typesTo] }

// AddOwn keeps a field of the event's record number record (an index into
// RecordTypes) under the source's own name. All own fields of an event must be
// added before those of the next event of the batch.
func (e *Event) AddOwn(record int, name, v []byte) {
	b := e.batch
	if e.ownFrom == e.ownTo {
		e.ownFrom = uint32(len(b.own))
		e.ownTo = e.ownFrom
	}
	b.own = append(b.own, ownPair{uint16(record), b.put(name), b.put(v)})
	e.ownTo++
}

// OwnField is one field of a record under the source's own name.
type OwnField struct {
	Record      int // index into RecordTypes
	Name, Value []byte
}

// Own returns the source's own fields that were kept, in their order.
func (e *Event) Own() iter.Seq[OwnField] {
	return func(yield func(OwnField) bool) {
		if e.batch == nil {
			return
		}
		for _, p := range e.batch.own[e.ownFrom:e.ownTo] {
			if !yield(OwnField{int(p.record), e.batch.bytes(p.key), e.batch.bytes(p.value)}) {
				return
			}
		}
	}
}
