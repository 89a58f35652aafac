// SPDX-License-Identifier: Apache-2.0

// This file holds the frozen tables for comparisons that are anchored: a hash table
// for whole values, and radix tries for how a value begins or ends. Values and
// literals are folded. Unanchored literals are in gram.go.

package engine

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// hashBytes hashes v. It is the same on every machine: the tables of a signals.bin
// are built on it.
func hashBytes[T text](v T) uint64 {
	const k0, k1 = 0x9e3779b97f4a7c15, 0xd6e8feb86659fd93
	h := uint64(len(v))*k1 ^ k0
	b := []byte(v)
	for ; len(b) >= 8; b = b[8:] {
		hi, lo := bits.Mul64(h^binary.LittleEndian.Uint64(b), k1)
		h = hi ^ lo
	}
	var tail uint64
	for i, c := range b {
		tail |= uint64(c) << (8 * i)
	}
	hi, lo := bits.Mul64(h^tail^k0, k1)
	return hi ^ lo
}

// hashTable finds the key of a whole value. Slots are a power of two in number and
// at most half of them are taken, so that a search ends. A slot is two words: the
// upper half of the hash, and the key plus 1, 0 if it is free.
type hashTable struct {
	slots    []uint32
	min, max uint32 // lengths of the literals
}

// newHashTable returns a table of the keys given, whose literals must be distinct.
func newHashTable(keys []uint32, x *tables) hashTable {
	size := 4
	for size < 2*len(keys) {
		size *= 2
	}
	t := hashTable{slots: make([]uint32, 2*size), min: ^uint32(0)}
	slots := t.slots
	for _, key := range keys {
		lit := x.literal(key)
		t.min, t.max = min(t.min, uint32(len(lit))), max(t.max, uint32(len(lit)))
		h := hashBytes(lit)
		at := int(uint32(h)) & (size - 1)
		for slots[2*at+1] != 0 {
			at = (at + 1) & (size - 1)
		}
		slots[2*at], slots[2*at+1] = uint32(h>>32), key+1
	}
	return t
}

// find returns the key of v.
func (t *hashTable) find(x *tables, v []byte) (uint32, bool) {
	if n := uint32(len(v)); n < t.min || n > t.max {
		return 0, false
	}
	h := hashBytes(v)
	mask := uint32(len(t.slots)/2 - 1)
	for at := uint32(h) & mask; ; at = (at + 1) & mask {
		tag, key := t.slots[2*at], t.slots[2*at+1]
		if key == 0 {
			return 0, false
		}
		if tag == uint32(h>>32) && string(x.literal(key-1)) == string(v) {
			return key - 1, true
		}
	}
}

// trieTable is a radix trie. A node is nodeWords words: where its label stands in
// the text of the tables, the label's length, its first child, the number of its
// children, and the key plus 1 that ends there, 0 if none does. Children of a node
// stand together, behind it; node 0 is the root, whose label is empty. lead holds
// for each node the byte that its label is entered by: the first one, or in a trie
// of ends the last one.
type trieTable struct {
	nodes []uint32
	lead  []byte
}

const nodeWords = 5

// newTrie makes a trie of the keys given, whose literals must be distinct and stand
// in the order of their bytes (reversed, for a trie of ends).
func newTrie(keys []uint32, x *tables, ends bool) (nodes []uint32, lead []byte) {
	// part is the literals of one node: keys[from:to], which agree in depth bytes.
	type part struct{ from, to, depth int }
	at := func(i, depth int) byte {
		lit := x.literal(keys[i])
		if ends {
			return lit[len(lit)-1-depth]
		}
		return lit[depth]
	}
	size := func(i int) int { return len(x.literal(keys[i])) }
	queue := []part{{0, len(keys), 0}}
	nodes, lead = make([]uint32, nodeWords), []byte{0}
	for n := 0; n < len(queue); n++ {
		q := queue[n]
		if q.from < q.to && size(q.from) == q.depth {
			nodes[n*nodeWords+4] = keys[q.from] + 1
			q.from++
		}
		nodes[n*nodeWords+2] = uint32(len(queue))
		for from := q.from; from < q.to; {
			c, to := at(from, q.depth), from+1
			for to < q.to && at(to, q.depth) == c {
				to++
			}
			// The first and the last of sorted literals differ before any two do.
			depth := q.depth + 1
			for depth < size(from) && depth < size(to-1) && at(from, depth) == at(to-1, depth) {
				depth++
			}
			lit := x.keys[2*keys[from]]
			label := lit + uint32(q.depth)
			if ends {
				label = lit + uint32(size(from)-depth)
			}
			nodes = append(nodes, label, uint32(depth-q.depth), 0, 0, 0)
			lead = append(lead, c)
			queue = append(queue, part{from, to, depth})
			from = to
		}
		nodes[n*nodeWords+3] = uint32(len(queue)) - nodes[n*nodeWords+2]
	}
	return nodes, lead
}

// begins notes each key that v begins with.
func (t *trieTable) begins(x *tables, v []byte, h *hits) {
	node := t.nodes[:nodeWords]
	for {
		if node[4] != 0 {
			h.add(node[4] - 1)
		}
		if len(v) == 0 || node[3] == 0 {
			return
		}
		i := bytes.IndexByte(t.lead[node[2]:node[2]+node[3]], v[0])
		if i < 0 {
			return
		}
		at := (node[2] + uint32(i)) * nodeWords
		node = t.nodes[at : at+nodeWords]
		n := int(node[1])
		if len(v) < n || string(v[:n]) != string(x.text[node[0]:int(node[0])+n]) {
			return
		}
		v = v[n:]
	}
}

// ends notes each key that v ends with.
func (t *trieTable) ends(x *tables, v []byte, h *hits) {
	node := t.nodes[:nodeWords]
	for {
		if node[4] != 0 {
			h.add(node[4] - 1)
		}
		if len(v) == 0 || node[3] == 0 {
			return
		}
		i := bytes.IndexByte(t.lead[node[2]:node[2]+node[3]], v[len(v)-1])
		if i < 0 {
			return
		}
		at := (node[2] + uint32(i)) * nodeWords
		node = t.nodes[at : at+nodeWords]
		n := int(node[1])
		if len(v) < n || string(v[len(v)-n:]) != string(x.text[node[0]:int(node[0])+n]) {
			return
		}
		v = v[:len(v)-n]
	}
}
