// SPDX-License-Identifier: Apache-2.0

// This file says what a program is made of and what its signals will cost: what
// "seismo compile --report" prints. It is worked out anew from the program, whose
// tables do not keep the reasons.

package engine

import (
	"fmt"
	"slices"
	"strings"

	"seismo/internal/event"
	"seismo/signals"
)

// Report describes a program. Its JSON form is that of "seismo compile --report
// --json".
type Report struct {
	Signals int            `json:"signals"`
	Terms   int            `json:"terms"`
	Atoms   int            `json:"atoms"`
	Columns []ColumnReport `json:"columns"`
	// OwnColumns are those of signals that are judged on one event alone, by the name
	// that their log has for a field: the tables of all logs together.
	OwnColumns []ColumnReport  `json:"own_columns"`
	Bytes      int             `json:"table_bytes"` // of all tables, in signals.bin and in memory
	Sliced     []string        `json:"sliced"`      // dictionaries that were too large for a trie
	Always     int             `json:"always"`      // signals that wait for nothing on some kind of event
	Each       []SignalReport  `json:"each"`
	Residues   []ResidueReport `json:"residues"`
	Kinds      []string        `json:"kinds"` // that the signals need
	Paths      []string        `json:"paths"` // of files that must be watched, or their beginnings
	Own        []string        `json:"own"`   // fields under the source's own names
}

// ColumnReport describes the frozen tables of one field.
type ColumnReport struct {
	Field    string         `json:"field"`
	Literals map[string]int `json:"literals"` // by how they are compared
	Bytes    int            `json:"bytes"`
}

// SignalReport says what one signal waits for.
type SignalReport struct {
	ID       string       `json:"id"`
	Name     string       `json:"name"`
	Kinds    []KindReport `json:"kinds"`
	Remember bool         `json:"remembers"` // something of a process from event to event
	Work     uint64       `json:"work"`      // estimated work units for an event of its kinds, see SignalStatistics
}

// KindReport says what a signal waits for on one kind of event.
type KindReport struct {
	Kind string `json:"kind"`
	// Terms are those of which one must be met; none if the signal is judged on every
	// event of the kind.
	Terms []string `json:"terms"`
	// Share is about the share of events on which one is met, as far as is known
	// without looking at any.
	Share float64 `json:"share"`
}

// ResidueReport describes a part of a CEL expression that is evaluated as such.
type ResidueReport struct {
	Text   string   `json:"text"`
	Guards []string `json:"guards"` // of which one must be met before it is evaluated; none: always
	Cost   uint64   `json:"cost"`   // bound on its work units
}

// Report returns the report on p. It takes about as long as compiling p's tables.
func (p *Program) Report() Report {
	x, b := buildIndex(p)
	r := Report{Signals: len(p.signals), Terms: len(p.terms), Atoms: len(p.atoms), Sliced: b.sliced, Bytes: len(p.tables.appendTo(nil))}
	for i := range x.columns {
		r.Columns = append(r.Columns, x.columns[i].report(b))
	}
	r.Bytes += len(p.alone.tables.appendTo(nil))
	ix := &index{p: p, triggers: make([][]trigger, len(p.terms)), partial: make([]bool, len(p.terms)), byTerm: make([]need, len(p.terms))}
	for i := range p.terms {
		ix.lookAt(uint32(i))
	}
	alone := newAloneIndex(p)
	columns, sliced := p.aloneColumns()
	r.OwnColumns, r.Sliced = columns, append(r.Sliced, sliced...)
	for i := range p.signals {
		var s SignalReport
		switch of := &p.signals[i]; {
		case of.correlation != 0:
			s = SignalReport{ID: p.definitions[i].ID, Name: p.definitions[i].Name, Remember: true, Work: 1}
		case of.alone:
			s = alone.report(ix, uint32(i))
		default:
			s = ix.report(uint32(i))
		}
		if slices.ContainsFunc(s.Kinds, func(k KindReport) bool { return len(k.Terms) == 0 }) {
			r.Always++
		}
		r.Each = append(r.Each, s)
	}
	for i := range p.terms {
		if t := &p.terms[i]; t.cond == signals.Residual {
			residue := ResidueReport{Text: p.residues[t.residue].text, Cost: p.residues[t.residue].cost}
			for _, ref := range p.atomRefs[t.from:t.to] {
				residue.Guards = append(residue.Guards, p.atomText(ref))
			}
			r.Residues = append(r.Residues, residue)
		}
	}
	d := p.Demand()
	for _, k := range event.Kinds() {
		if d.Kinds.Has(k) {
			r.Kinds = append(r.Kinds, k.String())
		}
	}
	r.Paths, r.Own = d.Paths, d.Own
	return r
}

// report describes c, which b made.
func (c *column) report(b *tableBuilder) ColumnReport {
	words := len(c.whole.slots) + len(c.begins.nodes) + len(c.ends.nodes) + len(c.grams.bitmap) + len(c.grams.starts) +
		len(c.grams.entries) + len(c.lengths) + len(c.probes)
	return ColumnReport{Field: columnName(c.field, c.own), Literals: b.numbers[columnName(c.field, c.own)],
		Bytes: 4*words + len(c.begins.lead) + len(c.ends.lead)}
}

// aloneColumns describes the tables of alone signals, by own name, and names the
// dictionaries that were too large for a trie.
func (p *Program) aloneColumns() (columns []ColumnReport, sliced []string) {
	x, b := buildAloneIndex(p)
	at := map[string]int{}
	for i := range x.columns {
		c := &x.columns[i]
		j, ok := at[c.own]
		if !ok {
			j = len(columns)
			at[c.own] = j
			one := c.report(b) // the numbers are those of all groups
			one.Field, one.Bytes = c.own, 0
			columns = append(columns, one)
		}
		columns[j].Bytes += c.report(b).Bytes
	}
	slices.SortFunc(columns, func(a, b ColumnReport) int { return strings.Compare(a.Field, b.Field) })
	slices.Sort(b.sliced)
	return columns, slices.Compact(b.sliced)
}

// report describes signal i.
func (ix *index) report(i uint32) SignalReport {
	p := ix.p
	d := &p.definitions[i]
	s := SignalReport{ID: d.ID, Name: d.Name, Remember: p.remembers(i)}
	work := ix.work(p.signals[i].root)
	share := 0.0
	for slot, n := range ix.needs(i) {
		if n.state == needsMore {
			continue
		}
		k := KindReport{Kind: event.Kind(slot).String(), Share: n.price}
		if event.Kind(slot) == publication {
			k.Kind = "process (published)"
		}
		if n.state == needsOne {
			for _, t := range n.terms {
				k.Terms = append(k.Terms, p.terms[t].text)
			}
			slices.Sort(k.Terms)
			k.Terms = slices.Compact(k.Terms)
		}
		share = max(share, n.price)
		s.Kinds = append(s.Kinds, k)
	}
	s.Work = uint64(share*float64(work)) + 1
	return s
}

// report describes alone signal i, whatever the kind of the event.
func (ix *aloneIndex) report(text *index, i uint32) SignalReport {
	p := ix.p
	s := SignalReport{ID: p.definitions[i].ID, Name: p.definitions[i].Name}
	n := ix.needs(p.signals[i].root, p.signals[i].group)
	k := KindReport{Kind: "event of its logs", Share: n.price}
	if n.state == needsOne {
		for _, at := range n.terms {
			k.Terms = append(k.Terms, p.terms[ix.plan.leaves[at].term].text)
		}
		slices.Sort(k.Terms)
		k.Terms = slices.Compact(k.Terms)
	}
	s.Kinds = []KindReport{k}
	s.Work = uint64(k.Share*float64(text.work(p.signals[i].root))) + 1
	return s
}

// usualLength is the length of a value that costs are estimated for, in bytes.
const usualLength = 128

// work estimates the work units of judging all terms under node i once.
func (ix *index) work(i uint32) uint64 {
	sum := uint64(0)
	ix.p.eachTerm(i, func(t *term) {
		switch {
		case t.cond == signals.Residual:
			sum += ix.p.residues[t.residue].cost
		case t.cond == signals.Regex:
			for _, ref := range ix.p.atomRefs[t.from:t.to] {
				sum += 1 + usualLength/32 + usualLength*uint64(ix.p.regexes[ix.p.atoms[ref].aux].Size())/64
			}
		default:
			sum += uint64(t.to-t.from) * (1 + usualLength/32)
		}
	})
	return sum
}

// atomText returns an atom as a signal would write it.
func (p *Program) atomText(ref uint32) string {
	a := &p.atoms[ref]
	value := fmt.Sprintf("%q", a.literal)
	if typ := typeOf(a.own, event.Describe(a.field)); typ == event.Integer || typ == event.Identifier || typ == event.Time {
		value = numberText(a.number, typ)
	}
	cased := ""
	if a.cased {
		cased = " cased"
	}
	return strings.TrimSpace(columnName(a.field, a.own) + " " + a.cond.String() + cased + " " + value)
}
