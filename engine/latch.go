// SPDX-License-Identifier: Apache-2.0

// This file holds the form in which a latch keeps its proof: one string, since
// there may be a million of them.

package engine

import (
	"encoding/binary"

	"seismo/internal/event"
)

// maxLatchText bounds the proof of one latch: that of a branch with the 2,000 terms
// that an expression may have, each with a value and a literal of the largest size.
const maxLatchText = 4 << 20

// latchText returns the proof items of it, an item, as a latch keeps them. All of
// them are on one event. The form is: the event's id (varint), its time less the id
// in nanoseconds (varint), its ordinal (uvarint), and for each term its place in
// it.terms, times two, plus 1 if the field was absent (uvarint); the length of the
// value (uvarint) and the value; the length of the literal (uvarint) and the literal.
func (p *Program) latchText(it *item, items []event.ProofItem) string {
	var b []byte
	for n := range items {
		proof := &items[n]
		if n == 0 {
			b = binary.AppendVarint(b, int64(proof.Event))
			b = binary.AppendVarint(b, proof.Time-1000*int64(proof.Event))
			b = binary.AppendUvarint(b, proof.Ordinal)
		}
		place := uint64(2 * p.placeOf(it, proof.Term))
		if proof.Absent {
			place++
		}
		b = binary.AppendUvarint(b, place)
		for _, s := range [2]string{proof.Value, proof.Literal} {
			b = binary.AppendUvarint(b, uint64(len(s)))
			b = append(b, s...)
		}
	}
	return string(b)
}

// placeOf returns where in it.terms the term with the given id stands.
func (p *Program) placeOf(it *item, id uint64) int {
	for place, t := range it.terms {
		if p.terms[t].id == id {
			return place
		}
	}
	return 0 // not reached: the proof is made of the terms of it
}

// latchReader reads the parts of a latch's proof. The first fault ends it.
type latchReader struct {
	text string
	bad  bool
}

func (r *latchReader) uvarint() uint64 {
	var n uint64
	for shift := 0; shift < 64; shift += 7 {
		if r.text == "" {
			break
		}
		c := r.text[0]
		r.text = r.text[1:]
		n |= uint64(c&0x7f) << shift
		if c < 0x80 {
			if c == 0 && shift > 0 || shift == 63 && c > 1 { // not the shortest form; too large
				break
			}
			return n
		}
	}
	r.bad = true
	return 0
}

func (r *latchReader) varint() int64 {
	n := r.uvarint()
	return int64(n>>1) ^ -int64(n&1)
}

// string returns a text of at most limit bytes.
func (r *latchReader) string(limit int) string {
	n := r.uvarint()
	if r.bad || n > uint64(limit) || n > uint64(len(r.text)) {
		r.bad = true
		return ""
	}
	s := r.text[:n]
	r.text = r.text[n:]
	return s
}

// latchHead is the event of a latch.
type latchHead struct {
	event   event.ID
	time    int64
	ordinal uint64
}

func (r *latchReader) head() latchHead {
	var h latchHead
	h.event = event.ID(r.varint())
	h.time = r.varint() + 1000*int64(h.event)
	h.ordinal = r.uvarint()
	return h
}

// latchTerm is one term of a latch.
type latchTerm struct {
	place          uint64 // in item.terms
	absent         bool
	value, literal string
}

func (r *latchReader) term() latchTerm {
	var t latchTerm
	n := r.uvarint()
	t.place, t.absent = n/2, n%2 == 1
	t.value = r.string(event.MaxProofValue)
	t.literal = r.string(maxLiteral)
	return t
}

// appendItems appends to items the proof of item k that a latch keeps as text.
func (p *Program) appendItems(items []event.ProofItem, k uint32, text string) []event.ProofItem {
	it := &p.memory.items[k]
	r := latchReader{text: text}
	head := r.head()
	for r.text != "" {
		part := r.term()
		t := &p.terms[it.terms[part.place]]
		items = append(items, event.ProofItem{Term: t.id, Text: t.text, Event: head.event, Time: head.time, Ordinal: head.ordinal,
			Field: t.field, Own: t.own, Value: part.value, Absent: part.absent, Literal: part.literal})
	}
	return items
}

// validLatch reports whether text, which comes from outside, is the proof of an item
// of the given number of terms.
func validLatch(text string, terms int) bool {
	r := latchReader{text: text}
	r.head()
	parts := 0
	for ; r.text != "" && !r.bad; parts++ {
		if part := r.term(); part.place >= uint64(terms) {
			return false
		}
	}
	return !r.bad && parts > 0
}
