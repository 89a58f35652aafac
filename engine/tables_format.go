// SPDX-License-Identifier: Apache-2.0

// This file writes the frozen tables as a section of signals.bin, and reads them.
// All of it but the text of the literals is 32-bit words, little endian; what is read
// is checked where it stands and used as it is.
//
// The words are: 12 sizes and numbers (see tableHeader), columnWords words for each
// column, then keys, postings, terms, waits, signals, known, always, checked, late and
// the slots of the own names, then the tables of each column in turn. The text follows.

package engine

import (
	"encoding/binary"
	"math/bits"

	"seismo/internal/event"
	"seismo/signals"
)

const columnWords = 17

// tableHeader returns what stands before the columns.
func (x *tables) tableHeader() [12]uint32 {
	return [12]uint32{uint32(len(x.columns)), uint32(len(x.keys)), uint32(len(x.terms)), uint32(len(x.signals)), uint32(len(x.always)),
		uint32(len(x.checked)), uint32(len(x.late)), uint32(len(x.ownName.slots)), x.ownName.min, x.ownName.max, x.named, uint32(len(x.known))}
}

// appendTo appends the section to b. The name of an own column is a literal of the
// text, too.
func (x *tables) appendTo(b []byte) []byte {
	for _, w := range x.tableHeader() {
		b = binary.LittleEndian.AppendUint32(b, w)
	}
	for i := range x.columns {
		c := &x.columns[i]
		b = appendWords(b, []uint32{uint32(c.field), c.slots, c.present, c.whole.min, c.whole.max, uint32(len(c.whole.slots)),
			uint32(len(c.begins.nodes)), uint32(len(c.ends.nodes)), uint32(len(c.grams.bitmap)), uint32(len(c.grams.starts)),
			uint32(len(c.grams.entries)), c.grams.shift, c.grams.coarse, uint32(len(c.lengths)), uint32(len(c.probes)), c.group, 0})
	}
	for _, words := range [][]uint32{x.keys, x.postings, x.terms, x.waits, x.signals, x.known, x.always, x.checked, x.late, x.ownName.slots} {
		b = appendWords(b, words)
	}
	for i := range x.columns {
		c := &x.columns[i]
		for _, words := range [][]uint32{c.whole.slots, c.begins.nodes, c.ends.nodes, c.grams.bitmap, c.grams.starts, c.grams.entries, c.lengths, c.probes} {
			b = appendWords(b, words)
		}
	}
	return append(b, x.text...)
}

func appendWords(b []byte, words []uint32) []byte {
	for _, w := range words {
		b = binary.LittleEndian.AppendUint32(b, w)
	}
	return b
}

// tableReader hands out the words of a section. bad says what is wrong with it.
type tableReader struct {
	words []uint32
	p     *Program
	x     *tables
	table string
	terms uint32 // of the tables: terms, or leaves of alone signals
	bad   string
}

// fail notes what is wrong, if it is the first thing.
func (r *tableReader) fail(what string) {
	if r.bad == "" {
		r.bad = what
	}
}

// take returns the next n words; nil, and a fault, if there are not so many.
func (r *tableReader) take(n uint32) []uint32 {
	if r.bad != "" || uint64(n) > uint64(len(r.words)) {
		r.fail("it ends too early")
		return nil
	}
	if n == 0 {
		return nil
	}
	words := r.words[:n:n]
	r.words = r.words[n:]
	return words
}

// decodeTables reads the section b, called table, for p, whose other tables are
// complete; what waits in them are the given number of terms. The tables keep nothing
// of b.
func decodeTables(b []byte, p *Program, table string, terms int) (*tables, *fault) {
	r := &tableReader{p: p, x: &tables{}, table: table, terms: uint32(terms)}
	if x := r.read(b); r.bad == "" {
		return x, nil
	}
	return nil, faultf(table, 0, "%s", r.bad)
}

func (r *tableReader) read(b []byte) *tables {
	x := r.x
	r.words = make([]uint32, len(b)/4)
	for i := range r.words {
		r.words[i] = binary.LittleEndian.Uint32(b[4*i:])
	}
	all := len(r.words)
	head := r.take(12)
	if r.bad != "" {
		return x
	}
	if head[11] != r.terms {
		r.fail("it is for another number of terms")
		return x
	}
	if uint64(head[0])*columnWords > uint64(len(r.words)) {
		r.fail("it has more columns than words")
		return x
	}
	columns := r.take(head[0] * columnWords)
	x.keys = r.take(head[1])
	x.postings = r.take(head[1]/2 + 1)
	x.terms, x.waits, x.signals = r.take(head[2]), r.take(r.terms+1), r.take(head[3])
	x.known, x.always, x.checked, x.late = r.take(r.terms), r.take(head[4]), r.take(head[5]), r.take(head[6])
	x.ownName = hashTable{r.take(head[7]), head[8], head[9]}
	x.named = head[10]
	x.columns = make([]column, head[0])
	for i := range x.columns {
		r.column(&x.columns[i], columns[i*columnWords:(i+1)*columnWords])
	}
	if r.bad != "" {
		return x
	}
	x.text = append([]byte(nil), b[4*(all-len(r.words)):]...)
	if r.check(); r.bad == "" {
		x.route()
	}
	return x
}

// column takes the tables of c, whose sizes are w.
func (r *tableReader) column(c *column, w []uint32) {
	c.field, c.slots, c.present = event.Field(w[0]), w[1], w[2]
	c.whole = hashTable{r.take(w[5]), w[3], w[4]}
	c.begins.nodes, c.ends.nodes = r.take(w[6]), r.take(w[7])
	c.grams = gramTable{bitmap: r.take(w[8]), starts: r.take(w[9]), entries: r.take(w[10]), shift: w[11], coarse: w[12]}
	c.lengths, c.probes = r.take(w[13]), r.take(w[14])
	c.group = w[15]
	groups := 1
	if r.table == tableAlone {
		groups = len(r.p.logsources)
	}
	if w[0] > 0xffff || uint64(w[15]) >= uint64(groups) || w[16] != 0 {
		r.fail("a column has a field that there is not")
	}
}

// check checks every index of the tables.
func (r *tableReader) check() {
	x := r.x
	n := uint32(len(x.keys) / 2)
	if len(x.keys)%2+len(x.signals)%2+len(x.always)%2+len(x.checked)%2+len(x.late)%2 != 0 {
		r.fail("a table of pairs has half a pair")
		return
	}
	for k := range n {
		if off, size := x.keys[2*k], x.keys[2*k+1]; uint64(off)+uint64(size) > uint64(len(x.text)) {
			r.fail("a literal does not stand in the text")
		}
	}
	if !rising(x.postings, len(x.terms)) || !rising(x.waits, len(x.signals)/2) {
		r.fail("the terms of a literal, or the signals of a term, do not stand in the table")
	}
	for _, t := range x.terms {
		if t >= r.terms {
			r.fail("a term that there is not")
		}
	}
	for _, known := range x.known {
		if known&0xff > knownPresent || r.table != tableAlone && known > knownMet || known>>8 != 0 && (r.table != tableAlone || known>>24 != 0) {
			r.fail("a term is known in a way that there is not")
		}
	}
	for _, pairs := range [][]uint32{x.signals, x.always, x.checked} {
		for i := 0; i < len(pairs); i += 2 {
			r.signal(pairs[i])
		}
	}
	for i := 0; i < len(x.late); i += 2 {
		if x.late[i] > 0xffff || event.Describe(event.Field(x.late[i])).Name == "" {
			r.fail("a late field that there is not")
		}
		r.signal(x.late[i+1])
	}
	if r.bad != "" { // what follows reads the literals
		return
	}
	r.checkOwn(n)
	for i := range x.columns {
		r.checkColumn(&x.columns[i], n)
	}
}

func (r *tableReader) signal(i uint32) {
	if int64(i) >= int64(len(r.p.signals)) {
		r.fail("a signal that there is not")
	}
}

// rising reports whether offsets rises from 0 to last.
func rising(offsets []uint32, last int) bool {
	before := uint32(0)
	for i, at := range offsets {
		if at < before || i == 0 && at != 0 {
			return false
		}
		before = at
	}
	return len(offsets) > 0 && int64(before) == int64(last)
}

// checkOwn gives the own columns, which come first, their names. There are n keys.
func (r *tableReader) checkOwn(n uint32) {
	x := r.x
	own := uint32(0)
	for int(own) < len(x.columns) && x.columns[own].field == event.NoField {
		own++
	}
	if uint64(x.named)+uint64(own) != uint64(n) {
		r.fail("the names of own fields are not the last literals")
		return
	}
	if r.table == tableAlone && (int(own) != len(x.columns) || len(x.ownName.slots) > 0) {
		r.fail("a column of the registry, or a table of names")
		return
	}
	for i := range own {
		if x.columns[i].own = x.literal(x.named + i); x.columns[i].own == "" || i > 0 && !follows(&x.columns[i], &x.columns[i-1]) {
			r.fail("the own fields are not in order")
		}
	}
	r.checkHash(&x.ownName, n)
	for i := 1; i < len(x.ownName.slots); i += 2 {
		if key := x.ownName.slots[i]; key != 0 && key-1 < x.named {
			r.fail("the name of an own field is another literal")
		}
	}
}

// follows reports whether c, an own column, stands behind before.
func follows(c, before *column) bool {
	return c.group > before.group || c.group == before.group && c.own > before.own
}

// checkColumn checks c and fills what follows from its field. There are n keys.
func (r *tableReader) checkColumn(c *column, n uint32) {
	in := event.Describe(c.field)
	c.typ, c.scope = typeOf(c.own, in), in.Scope
	if c.own == "" && in.Name == "" {
		r.fail("a column has a field that there is not")
	}
	if c.present > n {
		r.fail("a key that there is not")
	}
	r.checkHash(&c.whole, n)
	r.checkTrie(&c.begins, n, false)
	r.checkTrie(&c.ends, n, true)
	r.checkGrams(&c.grams, n)
	for _, length := range c.lengths {
		if length > 32 && (length < is6 || length > is6+128) {
			r.fail("a prefix has a length that there is not")
		}
	}
	if len(c.lengths) > 0 && len(c.whole.slots) == 0 || len(c.probes)%2 != 0 {
		r.fail("a column lacks a table")
		return
	}
	for i := 0; i < len(c.probes); i += 2 {
		if a := c.probes[i]; int64(a) >= int64(len(r.p.atoms)) || r.p.atoms[a].cond != signals.InList || c.probes[i+1] >= n {
			r.fail("a list that there is not")
		}
	}
}

func (r *tableReader) checkHash(t *hashTable, n uint32) {
	if len(t.slots) == 0 {
		return
	}
	if slots := len(t.slots) / 2; len(t.slots)%2 != 0 || slots&(slots-1) != 0 {
		r.fail("a hash table has a size that is no power of two")
		return
	}
	free := false
	for i := 1; i < len(t.slots); i += 2 {
		free = free || t.slots[i] == 0
		if t.slots[i] > n {
			r.fail("a key that there is not")
		}
	}
	if !free {
		r.fail("a hash table has no free slot")
	}
}

// checkTrie checks t and fills its lead.
func (r *tableReader) checkTrie(t *trieTable, n uint32, ends bool) {
	if len(t.nodes) == 0 {
		return
	}
	if len(t.nodes)%nodeWords != 0 || t.nodes[1] != 0 {
		r.fail("a trie has a wrong size")
		return
	}
	count := uint32(len(t.nodes) / nodeWords)
	t.lead = make([]byte, count)
	next := uint32(1)
	for i := range count {
		w := t.nodes[i*nodeWords : (i+1)*nodeWords]
		switch {
		case w[2] != next || w[3] > count-next || w[3] > 0 && w[2] <= i:
			r.fail("the children of a trie's node do not follow it")
			return
		case w[4] > n:
			r.fail("a key that there is not")
		case i > 0 && w[1] == 0, uint64(w[0])+uint64(w[1]) > uint64(len(r.x.text)):
			r.fail("a label does not stand in the text")
			return
		case i > 0 && ends:
			t.lead[i] = r.x.text[w[0]+w[1]-1]
		case i > 0:
			t.lead[i] = r.x.text[w[0]]
		}
		next += w[3]
	}
	if next != count {
		r.fail("a trie has nodes without parent")
	}
}

func (r *tableReader) checkGrams(t *gramTable, n uint32) {
	if len(t.bitmap)+len(t.starts)+len(t.entries) == 0 {
		return
	}
	log := 32 - int(t.shift)
	if t.shift > 27 || t.coarse > 31 || log < int(t.coarse) || len(t.bitmap) != 1<<log/32 || bits.OnesCount(uint(len(t.starts)-1)) != 1 ||
		len(t.starts)-1 != 1<<(log-int(t.coarse)) || len(t.entries)%3 != 0 || !rising(t.starts, len(t.entries)/3) {
		r.fail("a gram filter has a wrong size")
		return
	}
	for e := t.entries; len(e) > 0; e = e[3:] {
		if e[1] >= n || uint64(e[2])+gramSize > uint64(r.x.keys[2*e[1]+1]) {
			r.fail("a gram that no literal has")
			return
		}
	}
	t.fillSieve()
}
