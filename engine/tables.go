// SPDX-License-Identifier: Apache-2.0

// This file holds the frozen tables: what signals wait for, by the column it is
// looked for in. They are made by index.go, written and read by tables_format.go,
// and walked by candidates.go. The structures of a column are in anchored.go and
// gram.go.

package engine

import (
	"cmp"
	"slices"

	"seismo/internal/event"
)

// anchor is how a literal is compared with a value.
type anchor uint8

const (
	anchorIs anchor = iota
	anchorBegins
	anchorEnds
	anchorContains
	anchorNumber  // the eight bytes of a number
	anchorAddress // the bytes of a masked address, then the prefix length
	anchorPresent // any value; no literal
	anchorList    // a value of a named list; no literal
	numAnchors
)

var anchorNames = [numAnchors]string{"is", "begins with", "ends with", "contains", "number", "address", "exists", "in list"}

func (a anchor) String() string { return anchorNames[a] }

// slotSet is a set of slots: what a signal may do with an event, one bit each. Slot
// k is to fire on, or remember something of, an event of kind k because the event
// itself meets a term; slot publication is to fire because a process, or a late
// value of it, was published.
type slotSet = uint32

const publication = event.KindNone

// tables are the frozen tables of a program. They never change.
type tables struct {
	columns []column
	ofField map[event.Field]uint32 // the column of a field
	ofSlot  [][]uint32             // by slot: the columns of event scope that an event of the slot's kind is searched in
	process []uint32               // the columns of process and parent scope
	kin     []uint32               // the columns of ancestor scope
	ownName hashTable              // from the name of an own field to its key, which is named plus the column
	named   uint32
	ownFor  slotSet // the slots of all own columns

	// A key is a literal of a column. Its text is text[keys[2k]:][:keys[2k+1]]; the
	// terms that it meets are terms[postings[k]:postings[k+1]].
	keys     []uint32
	postings []uint32
	terms    []uint32
	text     []byte

	// The signals that wait for term t are signals[2*waits[t]:2*waits[t+1]]: signal,
	// slots.
	waits   []uint32
	signals []uint32
	known   []uint32 // by term: what its keys say of it

	always  []uint32 // signal, slots: those that wait for nothing
	checked []uint32 // signal, slots: likewise, but a process may rule them out
	late    []uint32 // field, signal: the signals with a term on a field that can arrive late
}

// What the keys of a term say of it, once its column has been searched.
const (
	knownNothing = iota
	knownFalse   // if none was met, it is not met
	knownWhole   // and if one was, it is met
	knownMet     // if one was, it is met; if none was, only its short literals are left
	knownPresent // of a leaf: it is not met if the field has no value
)

// column is a field, or a field under the source's own name, with the frozen
// tables of the literals looked for in it. A table without literals is empty.
type column struct {
	group uint32 // of alone signals; 0 in the tables of the others
	field event.Field
	own   string // and field is NoField
	typ   event.Type
	scope event.Scope
	slots slotSet // that its keys are for

	whole   hashTable // is, number, address
	begins  trieTable
	ends    trieTable
	grams   gramTable
	lengths []uint32 // of the prefixes in whole: 32 times 8 + bits for IPv6, bits for IPv4, see addressLength
	probes  []uint32 // atom, key: the lists to ask for each value
	present uint32   // key plus 1 that any value meets
}

// literal returns the literal of a key.
func (x *tables) literal(key uint32) string {
	off, n := x.keys[2*key], x.keys[2*key+1]
	return string(x.text[off : off+n])
}

// is6 marks the prefix length of an IPv6 address.
const is6 = 0x100

// trigger is something that a signal can wait for.
type trigger struct {
	group   uint32 // see column
	field   event.Field
	own     string
	at      anchor
	literal string // folded; encoded for anchorNumber and anchorAddress
	atom    uint32 // anchorList: whose list
}

// waiting is a trigger with a term that it is of.
type waiting struct {
	trigger
	term uint32
}

func (w *waiting) compare(o *waiting) int {
	return cmp.Or(cmp.Compare(w.group, o.group), cmp.Compare(w.field, o.field), cmp.Compare(w.own, o.own), cmp.Compare(w.at, o.at),
		cmp.Compare(w.literal, o.literal), cmp.Compare(w.atom, o.atom), cmp.Compare(w.term, o.term))
}

// tableBuilder makes the tables of a program.
type tableBuilder struct {
	x       *tables
	texts   map[string]uint32         // where a literal stands in the text already
	sliced  []string                  // dictionaries that were too large for a trie
	numbers map[string]map[string]int // of keys, by column and anchor
}

// freeze makes the tables of literals. It sorts all. If they are grouped two columns
// may have one name, and there is no table of names.
func (x *tables) freeze(all []waiting, grouped bool) *tableBuilder {
	b := &tableBuilder{x: x, texts: map[string]uint32{}, numbers: map[string]map[string]int{}}
	slices.SortFunc(all, func(a, b waiting) int { return a.compare(&b) })
	for from := 0; from < len(all); {
		to := from + 1
		for to < len(all) && all[to].group == all[from].group && all[to].field == all[from].field && all[to].own == all[from].own {
			to++
		}
		b.addColumn(all[from:to])
		from = to
	}
	b.nameColumns(grouped)
	x.postings = append(x.postings, uint32(len(x.terms)))
	x.route()
	return b
}

// addColumn makes the column of all, which are sorted.
func (b *tableBuilder) addColumn(all []waiting) {
	x := b.x
	in := event.Describe(all[0].field)
	c := column{group: all[0].group, field: all[0].field, own: all[0].own, typ: typeOf(all[0].own, in), scope: in.Scope}
	var whole []uint32
	for from := 0; from < len(all); {
		to := from + 1
		for to < len(all) && all[to].at == all[from].at {
			to++
		}
		part := all[from:to]
		keys := b.addKeys(part)
		b.count(&part[0], len(keys))
		switch part[0].at {
		case anchorIs, anchorNumber:
			whole = append(whole, keys...)
		case anchorAddress:
			whole = append(whole, keys...)
			c.lengths = addressLengths(part)
		case anchorBegins:
			c.begins.nodes, c.begins.lead = newTrie(keys, x, false)
		case anchorEnds:
			c.ends.nodes, c.ends.lead = newTrie(keys, x, true)
		case anchorContains:
			c.grams = newGramTable(keys, x.literal)
		case anchorPresent:
			c.present = keys[0] + 1
		case anchorList:
			for _, key := range keys {
				c.probes = append(c.probes, x.keys[2*key], key) // addKeys put the atom there
				x.keys[2*key] = 0
			}
		}
		from = to
	}
	if len(whole) > 0 {
		c.whole = newHashTable(whole, x)
	}
	for i := range all {
		waits := x.signals[2*x.waits[all[i].term] : 2*x.waits[all[i].term+1]]
		for j := 1; j < len(waits); j += 2 {
			c.slots |= waits[j]
		}
	}
	x.columns = append(x.columns, c)
}

// count notes that there are n keys of w's column and anchor.
func (b *tableBuilder) count(w *waiting, n int) {
	name := columnName(w.field, w.own)
	if b.numbers[name] == nil {
		b.numbers[name] = map[string]int{}
	}
	b.numbers[name][w.at.String()] += n
}

// addKeys makes the keys of all, which are on one column and anchor and sorted, and
// returns them in the order that the anchor's table wants.
func (b *tableBuilder) addKeys(all []waiting) []uint32 {
	x := b.x
	literals := make([]string, len(all))
	for i := range all {
		literals[i] = all[i].literal
	}
	var d *dict
	if at := all[0].at; at <= anchorContains {
		d = newDict(literals, at == anchorEnds)
		if d.trie == nil {
			b.sliced = append(b.sliced, columnName(all[0].field, all[0].own)+" "+at.String())
		}
	}
	first := uint32(len(x.keys) / 2)
	var runs [][]waiting
	for from := 0; from < len(all); {
		to := from + 1
		for to < len(all) && all[to].literal == all[from].literal && all[to].atom == all[from].atom {
			to++
		}
		runs = append(runs, all[from:to])
		from = to
	}
	ordered := make([][]waiting, len(runs))
	for i, run := range runs {
		at := uint32(i)
		if d != nil {
			at, _ = d.find(run[0].literal)
		}
		ordered[at] = run
	}
	keys := make([]uint32, len(ordered))
	for i, run := range ordered {
		keys[i] = first + uint32(i)
		off := b.place(run[0].literal)
		if run[0].at == anchorList {
			off = run[0].atom
		}
		x.keys = append(x.keys, off, uint32(len(run[0].literal)))
		x.postings = append(x.postings, uint32(len(x.terms)))
		for i, w := range run {
			if i == 0 || run[i-1].term != w.term {
				x.terms = append(x.terms, w.term)
			}
		}
	}
	return keys
}

// place returns where lit stands in the text of the tables.
func (b *tableBuilder) place(lit string) uint32 {
	if at, ok := b.texts[lit]; ok {
		return at
	}
	at := uint32(len(b.x.text))
	b.texts[lit] = at
	b.x.text = append(b.x.text, lit...)
	return at
}

// addressLengths returns the lengths of prefixes among all, each once.
func addressLengths(all []waiting) []uint32 {
	var lengths []uint32
	for i := range all {
		lit := all[i].literal
		n := uint32(lit[len(lit)-1])
		if len(lit) == 17 {
			n |= is6
		}
		lengths = append(lengths, n)
	}
	slices.Sort(lengths)
	return slices.Compact(lengths)
}

// nameColumns makes the table of the own names. Their columns are the first ones.
func (b *tableBuilder) nameColumns(grouped bool) {
	x := b.x
	x.named = uint32(len(x.keys) / 2)
	var keys []uint32
	for i := range x.columns {
		if own := x.columns[i].own; own != "" {
			keys = append(keys, x.named+uint32(i))
			x.keys = append(x.keys, b.place(own), uint32(len(own)))
			x.postings = append(x.postings, uint32(len(x.terms)))
		}
	}
	if len(keys) > 0 && !grouped {
		x.ownName = newHashTable(keys, x)
	}
}

// route fills what follows from the columns.
func (x *tables) route() {
	kinds := event.Kinds()
	x.ofField = map[event.Field]uint32{}
	x.ofSlot = make([][]uint32, int(kinds[len(kinds)-1])+1)
	for i := range x.columns {
		c := &x.columns[i]
		if c.own == "" {
			x.ofField[c.field] = uint32(i)
		}
		switch {
		case c.own != "":
			x.ownFor |= c.slots
		case c.scope == event.ScopeAncestor:
			x.kin = append(x.kin, uint32(i))
		case c.scope != event.ScopeEvent:
			x.process = append(x.process, uint32(i))
		default:
			for slot := range x.ofSlot {
				if c.slots>>slot&1 != 0 {
					x.ofSlot[slot] = append(x.ofSlot[slot], uint32(i))
				}
			}
		}
	}
}

// columnName returns how signals spell a column.
func columnName(f event.Field, own string) string {
	if own != "" {
		return "record.'" + own + "'"
	}
	return event.Describe(f).Name
}
