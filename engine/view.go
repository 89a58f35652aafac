// SPDX-License-Identifier: Apache-2.0

// This file holds views: what an event says, under the names that rules of its log
// use. An event that names its logs is one view of all its own fields. One of a typed
// source is a view of its fields of the registry, under the names that package taxonomy
// gives them, and then a view of each of its records alone.

package engine

import (
	"strconv"
	"time"

	"seismo/internal/ascii"
	"seismo/internal/event"
)

// view is one view of the event at hand.
type view struct {
	values []viewValue
	head   []uint32 // by name: 1 + the first of its values; 0: there are none
	tail   []uint32 // by name, if it has values: 1 + the last of them
	sets   []byteSet
	arena  []byte // of folded values, and of those that the event does not hold as text
}

// viewValue is one value. Of a name that no rule reads it is only one of AnyField.
type viewValue struct {
	name   uint32
	next   uint32 // 1 + the next value of the name
	folded bool
	raw    []byte
	lower  []byte // raw with ASCII letters in lower case, if folded
	null   bool   // there is no value, only the field: see event.NullSuffix
	entry  *cachedValue
	bytes  uint32 // 1 + the place of the bytes of lower in view.sets; 0: they are not known
}

// clear makes v empty.
func (v *view) clear() {
	for i := range v.values {
		if name := v.values[i].name; name < noName {
			v.head[name] = 0
		}
	}
	v.values, v.sets, v.arena = v.values[:0], v.sets[:0], v.arena[:0]
}

// maxViewValues bounds the values of one view: an event of more, of one name or of
// many, is cut.
const maxViewValues = 1 << 16

// add appends a value of name, which may be noName. raw is not copied.
func (v *view) add(name uint32, raw []byte) {
	if len(v.values) >= maxViewValues {
		return
	}
	v.values = append(v.values, viewValue{name: name, raw: raw})
	if name >= noName {
		return
	}
	n := uint32(len(v.values))
	if v.head[name] == 0 {
		v.head[name] = n
	} else {
		v.values[v.tail[name]-1].next = n
	}
	v.tail[name] = n
}

// lower returns value i folded.
func (v *view) lower(i uint32) []byte {
	value := &v.values[i]
	if !value.folded {
		from := len(v.arena)
		v.arena = ascii.AppendFolded(v.arena, value.raw)
		value.lower, value.folded = v.arena[from:len(v.arena):len(v.arena)], true
	}
	return value.lower
}

// byteSet is a set of bytes.
type byteSet [4]uint64

func (s *byteSet) add(c byte) { s[c/64] |= 1 << (c % 64) }

// bytesIn returns the bytes of v.
func bytesIn(v []byte) byteSet {
	var a, b, c, d byteSet // four, so that no byte waits for the one before it
	for ; len(v) >= 4; v = v[4:] {
		a.add(v[0])
		b.add(v[1])
		c.add(v[2])
		d.add(v[3])
	}
	for _, one := range v {
		a.add(one)
	}
	for i := range a {
		a[i] |= b[i] | c[i] | d[i]
	}
	return a
}

// meets reports whether s and o have a byte in common.
func (s *byteSet) meets(o *byteSet) bool {
	return s[0]&o[0]|s[1]&o[1]|s[2]&o[2]|s[3]&o[3] != 0
}

// bytes returns which bytes value i has once it is folded.
func (v *view) bytes(i uint32) *byteSet {
	lower, value := v.lower(i), &v.values[i]
	if value.bytes == 0 {
		v.sets = append(v.sets, bytesIn(lower))
		value.bytes = uint32(len(v.sets))
	}
	return &v.sets[value.bytes-1]
}

// keepArena bounds the memory that a view holds on to, in bytes: an event of very long
// values must not stay in memory.
const keepArena = 1 << 20

// forget drops the event that v was of.
func (v *view) forget() {
	v.clear()
	clear(v.values[:cap(v.values)])
	if cap(v.arena) > keepArena {
		v.arena = nil
	}
}

// addField appends the values that e has of f, a field of the registry, as text.
func (v *view) addField(name uint32, e *event.Event, f event.Field) {
	in := event.Describe(f)
	process := in.Scope != event.ScopeEvent && e.Process != nil
	switch in.Type {
	case event.String:
		if process {
			if s, ok := e.Process.Text(f); ok {
				v.addText(name, s)
			}
		} else if s, ok := e.Text(f); ok {
			v.add(name, s)
		}
	case event.List:
		if process {
			for _, s := range e.Process.List(f) {
				v.addText(name, s)
			}
			return
		}
		for s := range e.Elements(f) {
			v.add(name, s)
		}
	case event.Hash:
		v.addJoined(name, e, f, process)
	case event.Address:
		if a, ok := e.Addr(f); ok {
			from := len(v.arena)
			v.arena = a.AppendTo(v.arena)
			v.add(name, v.arena[from:len(v.arena):len(v.arena)])
		}
	default:
		n, ok := e.Int(f)
		if process {
			n, ok = e.Process.Int(f)
		}
		if ok {
			from := len(v.arena)
			v.arena = appendNumber(v.arena, n, in.Type)
			v.add(name, v.arena[from:len(v.arena):len(v.arena)])
		}
	}
}

// addText is add for a text that the process holds.
func (v *view) addText(name uint32, s string) {
	from := len(v.arena)
	v.arena = append(v.arena, s...)
	v.add(name, v.arena[from:len(v.arena):len(v.arena)])
}

// addJoined appends the hashes of a field as one text.
func (v *view) addJoined(name uint32, e *event.Event, f event.Field, process bool) {
	from, some := len(v.arena), false
	separate := func() {
		if some {
			v.arena = append(v.arena, ',')
		}
		some = true
	}
	if process {
		for _, s := range e.Process.List(f) {
			separate()
			v.arena = append(v.arena, s...)
		}
	} else {
		for s := range e.Elements(f) {
			separate()
			v.arena = append(v.arena, s...)
		}
	}
	if some {
		v.add(name, v.arena[from:len(v.arena):len(v.arena)])
	}
}

// appendNumber is numberText without memory of its own.
func appendNumber(b []byte, n int64, typ event.Type) []byte {
	switch typ {
	case event.Identifier:
		return strconv.AppendUint(b, uint64(n), 10)
	case event.Time:
		return time.Unix(0, n).UTC().AppendFormat(b, time.RFC3339Nano)
	}
	return strconv.AppendInt(b, n, 10)
}
