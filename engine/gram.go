// SPDX-License-Identifier: Apache-2.0

// This file holds the gram filter: the frozen table that finds, in one pass over a
// folded value, every literal that stands anywhere in it. Each literal waits at one
// of its 4-byte grams, the rarest. A bitmap of hashed grams that fits in the first
// caches passes over nearly all positions of a value; where it does not, the
// literals of the gram's bucket are compared in full.

package engine

import (
	"encoding/binary"
	"math"
	"math/bits"
)

const (
	gramSize = 4 // bytes of a gram; shorter literals are not looked for
	gramMul  = 0x9e3779b1
	sieveMul = 0x85ebca6b
	// gramSpread is how many bits of the bitmap there are for a gram: the share of
	// positions that pass without reason is its inverse.
	gramSpread = 32
	maxGramLog = 24 // of the bits of the bitmap
)

// gramTable is the frozen filter. The upper bits of a gram's hash are its bit in the
// bitmap, and the uppermost of those its bucket. Bucket b holds the entries
// starts[b] to starts[b+1] of three words: gram, key, offset of the gram in the
// key's literal.
type gramTable struct {
	bitmap  []uint32
	starts  []uint32
	entries []uint32
	sieve   []uint32 // a bitmap of another hash, not stored: most of what passes the first without reason ends here
	shift   uint32   // of the hash, to the bit
	coarse  uint32   // of the bit, to the bucket
}

func gramAt(lit string, i int) uint32 {
	return uint32(lit[i]) | uint32(lit[i+1])<<8 | uint32(lit[i+2])<<16 | uint32(lit[i+3])<<24
}

// newGramTable makes a filter for the keys given, whose literals have gramSize bytes
// or more. The order of the keys decides ties.
func newGramTable(keys []uint32, literal func(key uint32) string) gramTable {
	chosen := chooseGrams(keys, literal)
	log := bits.Len(uint(len(keys)*gramSpread - 1))
	log = min(max(log, 10), maxGramLog)
	bucketLog := min(max(bits.Len(uint(len(keys))), 1), log)
	t := gramTable{shift: uint32(32 - log), coarse: uint32(log - bucketLog),
		bitmap: make([]uint32, 1<<log/32), starts: make([]uint32, 1<<bucketLog+1), entries: make([]uint32, 3*len(keys))}
	bucket := func(gram uint32) uint32 { return gram * gramMul >> t.shift >> t.coarse }
	for i, key := range keys {
		gram := gramAt(literal(key), int(chosen[i]))
		bit := gram * gramMul >> t.shift
		t.bitmap[bit/32] |= 1 << (bit % 32)
		t.starts[bucket(gram)+1]++
	}
	for b := 1; b < len(t.starts); b++ {
		t.starts[b] += t.starts[b-1]
	}
	next := append([]uint32(nil), t.starts...)
	for i, key := range keys {
		gram := gramAt(literal(key), int(chosen[i]))
		at := 3 * next[bucket(gram)]
		next[bucket(gram)]++
		t.entries[at], t.entries[at+1], t.entries[at+2] = gram, key, chosen[i]
	}
	t.fillSieve()
	return t
}

// fillSieve makes the sieve of the entries.
func (t *gramTable) fillSieve() {
	t.sieve = make([]uint32, len(t.bitmap))
	for i := 0; i < len(t.entries); i += 3 {
		bit := t.entries[i] * sieveMul >> t.shift
		t.sieve[bit/32] |= 1 << (bit % 32)
	}
}

// sifts reports whether gram may be one of t's, of those that passed the bitmap.
func (t *gramTable) sifts(gram uint32) bool {
	bit := gram * sieveMul >> (t.shift & 31)
	return t.sieve[bit>>5]>>(bit&31)&1 != 0
}

// chooseGrams returns for each key the offset of the gram that it waits at: rare as
// text goes, rare among the literals, and not yet the place of many others, so
// that no value can be made to meet long buckets at every byte.
func chooseGrams(keys []uint32, literal func(key uint32) string) []uint32 {
	const counters = 1 << 20 // hashed: two grams that share one only look more frequent
	among := make([]uint16, counters)
	place := func(gram uint32) uint32 { return gram * gramMul >> 12 }
	for _, key := range keys {
		lit := literal(key)
		for i := 0; i+gramSize <= len(lit); i++ {
			if c := &among[place(gramAt(lit, i))]; *c < math.MaxUint16 {
				*c++
			}
		}
	}
	waiting := make([]uint16, counters)
	chosen := make([]uint32, len(keys))
	for k, key := range keys {
		lit := literal(key)
		best, bestScore := 0, math.Inf(-1)
		for i := 0; i+gramSize <= len(lit); i++ {
			gram := gramAt(lit, i)
			at := place(gram)
			score := rarity(lit[i:i+gramSize]) - math.Log2(float64(among[at])) - 2*math.Log2(1+float64(waiting[at]))
			if score > bestScore {
				best, bestScore = i, score
			}
		}
		chosen[k] = uint32(best)
		if c := &waiting[place(gramAt(lit, best))]; *c < math.MaxUint16 {
			*c++
		}
	}
	return chosen
}

// scan notes each key whose literal stands in v.
func (t *gramTable) scan(x *tables, v []byte, h *hits) {
	bitmap, shift := t.bitmap, t.shift&31
	i := 0
	// Four positions for each load of eight bytes, and one branch for the four.
	for ; i+8 <= len(v); i += 4 {
		w := binary.LittleEndian.Uint64(v[i:])
		a := uint32(w) * gramMul >> shift
		b := uint32(w>>8) * gramMul >> shift
		c := uint32(w>>16) * gramMul >> shift
		d := uint32(w>>24) * gramMul >> shift
		// What passed, in the lowest bit.
		pa := bitmap[a>>5] >> (a & 31)
		pb := bitmap[b>>5] >> (b & 31)
		pc := bitmap[c>>5] >> (c & 31)
		pd := bitmap[d>>5] >> (d & 31)
		if (pa|pb|pc|pd)&1 == 0 {
			continue
		}
		if pa&1 != 0 && t.sifts(uint32(w)) {
			t.compare(x, v, i, uint32(w), a, h)
		}
		if pb&1 != 0 && t.sifts(uint32(w>>8)) {
			t.compare(x, v, i+1, uint32(w>>8), b, h)
		}
		if pc&1 != 0 && t.sifts(uint32(w>>16)) {
			t.compare(x, v, i+2, uint32(w>>16), c, h)
		}
		if pd&1 != 0 && t.sifts(uint32(w>>24)) {
			t.compare(x, v, i+3, uint32(w>>24), d, h)
		}
	}
	for ; i+gramSize <= len(v); i++ {
		gram := binary.LittleEndian.Uint32(v[i:])
		bit := gram * gramMul >> shift
		if bitmap[bit>>5]>>(bit&31)&1 != 0 {
			t.compare(x, v, i, gram, bit, h)
		}
	}
}

// compare notes each key that waits at gram, which stands in v at offset at, and
// whose literal stands around it.
func (t *gramTable) compare(x *tables, v []byte, at int, gram, bit uint32, h *hits) {
	b := bit >> (t.coarse & 31)
	entries := t.entries[3*t.starts[b] : 3*t.starts[b+1]]
	for ; len(entries) >= 3; entries = entries[3:] {
		if entries[0] != gram || h.has(entries[1]) {
			continue
		}
		key, from := entries[1], at-int(entries[2])
		off, n := x.keys[2*key], int(x.keys[2*key+1])
		if from >= 0 && from+n <= len(v) && string(v[from:from+n]) == string(x.text[off:int(off)+n]) {
			h.add(key)
		}
	}
}
