// SPDX-License-Identifier: Apache-2.0

// Package namedlist holds named lists: many values that signals refer to by one
// name, in files of their own. They are no part of signals.bin: a program is given
// them when it has been loaded, and can be given others. This file holds a list and
// what is asked of it; read.go reads one.
package namedlist

import (
	"hash/maphash"
	"math/bits"
	"net/netip"
	"slices"
	"strconv"

	"seismo/internal/ascii"
	"seismo/internal/event"
)

// The limits of a named list.
const (
	maxValues = 1_000_000
	maxValue  = 1024      // bytes
	maxFile   = 128 << 20 // bytes
	maxName   = 64        // bytes
)

// List is a named list. It never changes, and any number of goroutines may share it.
//
// Every value is held as text, compared as "is" does. Those that are an address or a
// prefix are held as that too, for address fields, and those that are a whole number
// for number fields.
type List struct {
	name  string
	bytes []byte   // all values, one after the other
	ends  []uint32 // in bytes, by value
	// table is an open-addressing hash table of the values' indexes plus 1, by their
	// folded text; its length is a power of two, and half of it or more is empty. The
	// seed is random: who writes a list must not be able to make its values collide.
	table   []uint32
	seed    maphash.Seed
	lengths [maxValue/64 + 1]uint64 // a bit for each length that a value has
	numbers []int64                 // sorted
	large   []uint64                // sorted; numbers above those of an int64
	ip4     []prefixes4             // by falling number of bits
	ip6     []prefixes6
}

// prefixes4 are the IPv4 prefixes of one length, masked and sorted.
type prefixes4 struct {
	bits  int
	first []uint32
}

// prefixes6 are the IPv6 prefixes of one length, masked and sorted.
type prefixes6 struct {
	bits  int
	first []address6
}

// address6 is an IPv6 address, in an order that is that of its numbers.
type address6 struct{ high, low uint64 }

// ValidName reports whether name is that of a list: 1 to 64 of the characters
// a-z, 0-9, - and _, the first a letter or a digit.
func ValidName(name string) bool {
	for i := range len(name) {
		c := name[i]
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || i > 0 && (c == '-' || c == '_')) {
			return false
		}
	}
	return 0 < len(name) && len(name) <= maxName
}

// Empty returns a list called name that has no values.
func Empty(name string) *List { return &List{name: name} }

// Name returns the name of l.
func (l *List) Name() string { return l.name }

// Len returns the number of different values, spellings in other case counted.
func (l *List) Len() int { return len(l.ends) }

// value returns value i, which is not to be changed.
func (l *List) value(i uint32) []byte {
	from := uint32(0)
	if i > 0 {
		from = l.ends[i-1]
	}
	return l.bytes[from:l.ends[i]]
}

// AppendValues appends the values of l; unless cased, with ASCII letters folded.
func (l *List) AppendValues(to []string, cased bool) []string {
	for i := range l.ends {
		v := string(l.value(uint32(i)))
		if !cased {
			v = ascii.Fold(v)
		}
		to = append(to, v)
	}
	return to
}

// hash returns the hash of v, which has at most maxValue bytes, with ASCII
// letters folded.
func hash[T ascii.Text](seed maphash.Seed, v T) uint64 {
	var folded [maxValue]byte
	for i := range len(v) {
		folded[i] = ascii.Lower(v[i])
	}
	return maphash.Bytes(seed, folded[:len(v)])
}

// Has reports whether v is a value of l, with ASCII letters folded unless cased.
// It allocates nothing.
func Has[T ascii.Text](l *List, v T, cased bool) bool {
	if len(v) > maxValue || l.lengths[len(v)/64]&(1<<(len(v)%64)) == 0 {
		return false
	}
	mask := uint64(len(l.table) - 1)
	for at := hash(l.seed, v) & mask; l.table[at] != 0; at = (at + 1) & mask {
		w := l.value(l.table[at] - 1)
		if len(w) == len(v) && (cased && string(v) == string(w) || !cased && ascii.Equal(v, w)) {
			return true
		}
	}
	return false
}

// HasHash reports whether v, an element of a hash field, is a value of l, which
// may hold it as NAME=hex or as bare hex.
func HasHash[T ascii.Text](l *List, v T, cased bool) bool {
	if Has(l, v, cased) {
		return true
	}
	for i := range min(len(v), len("IMPHASH")+1) {
		if v[i] == '=' {
			return len(v)-i-1 == hashDigits(v[:i]) && Has(l, v[i+1:], cased)
		}
	}
	return false
}

// hashDigits returns the number of hex digits of the hash called name, 0 if it is
// not known.
func hashDigits[T ascii.Text](name T) int {
	switch {
	case ascii.Equal(name, "md5"), ascii.Equal(name, "imphash"):
		return 32
	case ascii.Equal(name, "sha1"):
		return 40
	case ascii.Equal(name, "sha256"):
		return 64
	}
	return 0
}

// HasInteger reports whether n is a value of l.
func (l *List) HasInteger(n int64) bool {
	_, ok := slices.BinarySearch(l.numbers, n)
	return ok
}

// HasIdentifier reports whether n, a number without sign, is a value of l.
func (l *List) HasIdentifier(n uint64) bool {
	if bits.Len64(n) < 64 {
		return l.HasInteger(int64(n))
	}
	_, ok := slices.BinarySearch(l.large, n)
	return ok
}

// HasValue reports whether value, the text of a value of a field of type typ, is in l.
// Text is compared with ASCII letters folded.
func (l *List) HasValue(typ event.Type, value string) bool {
	switch typ {
	case event.Hash:
		return HasHash(l, value, false)
	case event.Address:
		a, err := netip.ParseAddr(value)
		return err == nil && l.HasAddress(a)
	case event.Integer:
		n, err := strconv.ParseInt(value, 10, 64)
		return err == nil && l.HasInteger(n)
	case event.Identifier:
		n, err := strconv.ParseUint(value, 10, 64)
		return err == nil && l.HasIdentifier(n)
	}
	return Has(l, value, false)
}

// HasAddress reports whether a is a value of l or lies in a prefix of it. An IPv4
// address in IPv6 form is the IPv4 address; a zone does not count.
func (l *List) HasAddress(a netip.Addr) bool {
	if a = a.Unmap(); a.Is4() {
		n := number4(a)
		for _, p := range l.ip4 {
			if _, ok := slices.BinarySearch(p.first, n&mask4(p.bits)); ok {
				return true
			}
		}
		return false
	}
	n := number6(a)
	for _, p := range l.ip6 {
		if _, ok := slices.BinarySearchFunc(p.first, n.masked(p.bits), address6.compare); ok {
			return true
		}
	}
	return false
}
