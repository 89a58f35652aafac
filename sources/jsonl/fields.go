// SPDX-License-Identifier: Apache-2.0

// This file holds the fields of the event at hand by name, as they are gathered from
// the nodes of an object.

package jsonl

import (
	"hash/maphash"

	"seismo/internal/event"
)

// field is a value under the name that rules call it by. A name that has several
// values stands several times.
type field struct {
	name, value []byte
	hash        uint32 // of the name
	next        int16  // the field before it of the same bucket; -1 for none
}

const buckets = 256

// fields is the list of fields in the order of the record, with an index. The slices
// in it belong to the scanner or to names.
type fields struct {
	list  []field
	heads [buckets]int16 // of each bucket, the last field; -1 for none
	seed  maphash.Seed
	names []byte // names put together from several keys
	size  int    // bytes of the names, once for each value, and of the values
}

// maxSize bounds what the fields of one object take: a long key stands once in the
// object, but with each value that it has.
const maxSize = 4 << 20

func (f *fields) reset() {
	f.list, f.names, f.size = f.list[:0], f.names[:0], 0
	for i := range f.heads {
		f.heads[i] = -1
	}
}

// add appends a value of name, whatever there is of it already.
// Once maxSize is passed it appends nothing: over tells.
func (f *fields) add(name, value []byte) { f.addHashed(name, value, f.hash(name)) }

func (f *fields) hash(name []byte) uint32 { return uint32(maphash.Bytes(f.seed, name)) }

// addHashed is add for a name whose hash is known.
func (f *fields) addHashed(name, value []byte, h uint32) {
	if f.size += len(name) + len(value); f.over() {
		return
	}
	b := &f.heads[h%buckets]
	f.list = append(f.list, field{name, value, h, *b})
	*b = int16(len(f.list) - 1)
}

func (f *fields) over() bool { return f.size > maxSize }

// has reports whether name has a value.
func (f *fields) has(name []byte) bool { return f.hasHashed(name, f.hash(name)) }

func (f *fields) hasHashed(name []byte, h uint32) bool {
	for i := f.heads[h%buckets]; i >= 0; i = f.list[i].next {
		if f.list[i].hash == h && string(f.list[i].name) == string(name) {
			return true
		}
	}
	return false
}

// get returns the first value of name; nil if there is none.
func (f *fields) get(name string) []byte {
	var v []byte
	for i := f.heads[uint32(maphash.String(f.seed, name))%buckets]; i >= 0; i = f.list[i].next {
		if string(f.list[i].name) == name {
			if v = f.list[i].value; v == nil {
				v = empty
			}
		}
	}
	return v
}

// first returns the first value of the first of the names that has one.
func (f *fields) first(names ...string) []byte {
	for _, name := range names {
		if v := f.get(name); v != nil {
			return v
		}
	}
	return nil
}

// empty is a value of no bytes, as distinct from none.
var empty = []byte{}

// join returns prefix, a dot and key. It is valid until reset.
func (f *fields) join(prefix, key []byte) []byte {
	if len(prefix) == 0 {
		return key
	}
	return f.build(prefix, '.', key)
}

// addNull notes that name is there without a value.
func (f *fields) addNull(name []byte) {
	if name = f.build(name, event.NullSuffix[0], []byte(event.NullSuffix[1:])); !f.has(name) {
		f.add(name, empty)
	}
}

// underscore is join with an underscore between.
func (f *fields) underscore(prefix, key []byte) []byte {
	if len(prefix) == 0 {
		return key
	}
	return f.build(prefix, '_', key)
}

func (f *fields) build(prefix []byte, between byte, key []byte) []byte {
	if f.size += len(prefix); f.over() {
		return key
	}
	from := len(f.names)
	f.names = append(append(append(f.names, prefix...), between), key...)
	return f.names[from:len(f.names):len(f.names)]
}
