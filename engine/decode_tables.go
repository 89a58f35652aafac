// SPDX-License-Identifier: Apache-2.0

// This file reads the sections of a signals.bin, each into its table. The file as a
// whole is read in decode.go.

package engine

import (
	"encoding/binary"
	"math"

	"seismo/internal/event"
	"seismo/signals"
)

// readStrings checks the strings: each after the one before, the first empty.
// That makes their order the only one possible.
func (d *decoder) readStrings(*Program) {
	sec := &d.sections[sectionStrings]
	d.blob = string(sec.bytes[4*sec.entries:])
	d.used = make([]bool, sec.entries)
	if sec.entries == 0 {
		d.fail(sectionStrings, 0, "no strings")
		return
	}
	before, from := "", uint32(0)
	for i := range sec.entries {
		to := binary.LittleEndian.Uint32(d.entry(sectionStrings, i))
		switch {
		case to < from || uint64(to) > uint64(len(d.blob)):
			d.fail(sectionStrings, i, "string ends at %d, the one before at %d, all of them at %d", to, from, len(d.blob))
			return
		case i == 0 && to != 0:
			d.fail(sectionStrings, i, "the first string is not the empty one")
			return
		case i > 0 && d.blob[from:to] <= before:
			d.fail(sectionStrings, i, "%.80q does not come after %.80q", d.blob[from:to], before)
			return
		}
		before, from = d.blob[from:to], to
	}
	if int(from) != len(d.blob) {
		d.fail(sectionStrings, sec.entries-1, "%d bytes after the last string", len(d.blob)-int(from))
	}
	d.used[0] = true
}

// str returns the string at index ref for entry i of section s.
func (d *decoder) str(s, i int, ref uint32) string {
	if int64(ref) >= int64(len(d.used)) {
		d.fail(s, i, "string %d of %d", ref, len(d.used))
		return ""
	}
	d.used[ref] = true
	if ref == 0 {
		return ""
	}
	le := binary.LittleEndian
	return d.blob[le.Uint32(d.entry(sectionStrings, int(ref)-1)):le.Uint32(d.entry(sectionStrings, int(ref)))]
}

// take returns the index of the first of the next n entries of lists, which
// belong to entry i of section s, or false if there are not so many left.
func (d *decoder) take(s, i int, n uint32) (int, bool) {
	if left := d.sections[sectionLists].entries - d.list; int64(n) > int64(left) {
		d.fail(s, i, "a list of %d entries, %d are left", n, left)
		return 0, false
	}
	from := d.list
	d.list += int(n)
	return from, true
}

// takeRefs appends the next n entries of lists to refs.
func (d *decoder) takeRefs(s, i int, n uint32, refs []uint32) []uint32 {
	from, ok := d.take(s, i, n)
	if !ok {
		return refs
	}
	raw := d.sections[sectionLists].bytes[4*from:]
	for range n {
		refs = append(refs, binary.LittleEndian.Uint32(raw))
		raw = raw[4:]
	}
	return refs
}

// takeStrings returns the next n entries of lists, which are strings; nil if n is 0.
// The result is a part of d.texts, which never has less room.
func (d *decoder) takeStrings(s, i int, n uint32) []string {
	from, ok := d.take(s, i, n)
	if !ok || n == 0 {
		return nil
	}
	at := len(d.texts)
	raw := d.sections[sectionLists].bytes[4*from:]
	for range n {
		d.texts = append(d.texts, d.str(s, i, binary.LittleEndian.Uint32(raw)))
		raw = raw[4:]
	}
	return d.texts[at:len(d.texts):len(d.texts)]
}

// roomFor returns an empty slice with room for n; nil for none, as append leaves it.
func roomFor[E any](n int) []E {
	if n == 0 {
		return nil
	}
	return make([]E, 0, n)
}

// sum returns the sum of the numbers at offset at of the entries of section s, at
// most the number of entries in lists: it is the memory to take for lists.
func (d *decoder) sum(s int, at ...int) int {
	total := uint64(0)
	for i := range d.sections[s].entries {
		for _, k := range at {
			total += uint64(binary.LittleEndian.Uint32(d.entry(s, i)[k:]))
		}
	}
	return int(min(total, uint64(d.sections[sectionLists].entries)))
}

func (d *decoder) readDefinitions(p *Program) {
	d.texts = make([]string, 0, d.sum(sectionDefinitions, 56, 60, 64, 68, 72, 76, 80))
	p.definitions = make([]signals.Definition, d.sections[sectionDefinitions].entries)
	for i := range p.definitions {
		raw := d.entry(sectionDefinitions, i)
		def := &p.definitions[i]
		word := func(k int) uint32 { return binary.LittleEndian.Uint32(raw[4*k:]) }
		for k, s := range definitionStrings(def) {
			*s = d.str(sectionDefinitions, i, word(k))
		}
		if word(12) > uint32(signals.Critical) {
			d.fail(sectionDefinitions, i, "severity %d is unknown", word(12))
			return
		}
		if word(13) >= uint32(len(languages)) {
			d.fail(sectionDefinitions, i, "language %d is unknown", word(13))
			return
		}
		def.Severity, def.Language = signals.Severity(word(12)), languages[word(13)]
		for k, list := range definitionLists(def) {
			n := word(14 + k)
			*list = d.takeStrings(sectionDefinitions, i, n)
		}
		if d.err != nil {
			return
		}
	}
}

func (d *decoder) readAtoms(p *Program) {
	le := binary.LittleEndian
	p.atoms = make([]atom, d.sections[sectionAtoms].entries)
	for i := range p.atoms {
		raw := d.entry(sectionAtoms, i)
		if raw[3]&(1<<partShift-1)&^flagCased != 0 {
			d.fail(sectionAtoms, i, "flags %#x are unknown", raw[3])
		}
		p.atoms[i] = atom{
			field: event.Field(le.Uint16(raw)), cond: signals.Condition(raw[2]), cased: raw[3]&flagCased != 0, part: signals.DatePart(raw[3] >> partShift),
			own: d.str(sectionAtoms, i, le.Uint32(raw[4:])), literal: d.str(sectionAtoms, i, le.Uint32(raw[8:])),
			number: int64(le.Uint64(raw[12:])),
		}
		if d.err != nil {
			return
		}
	}
}

func (d *decoder) readTerms(p *Program) {
	le := binary.LittleEndian
	p.terms = make([]term, d.sections[sectionTerms].entries)
	p.atomRefs = roomFor[uint32](d.sum(sectionTerms, 20))
	for i := range p.terms {
		raw := d.entry(sectionTerms, i)
		if raw[27]&(1<<partShift-1)&^(flagCased|flagNegate|flagGroup) != 0 {
			d.fail(sectionTerms, i, "flags %#x are unknown", raw[27])
		}
		n, from := le.Uint32(raw[20:]), uint32(len(p.atomRefs))
		p.atomRefs = d.takeRefs(sectionTerms, i, n, p.atomRefs)
		p.terms[i] = term{
			id: le.Uint64(raw), text: d.str(sectionTerms, i, le.Uint32(raw[8:])), own: d.str(sectionTerms, i, le.Uint32(raw[12:])),
			kinds: event.KindSet(le.Uint32(raw[16:])), field: event.Field(le.Uint16(raw[24:])), cond: signals.Condition(raw[26]),
			cased: raw[27]&flagCased != 0, negate: raw[27]&flagNegate != 0, group: raw[27]&flagGroup != 0, part: signals.DatePart(raw[27] >> partShift),
			from: from, to: from + n, residue: le.Uint32(raw[28:]),
		}
		if d.err != nil {
			return
		}
	}
}

func (d *decoder) readNodes(p *Program) {
	le := binary.LittleEndian
	p.nodes = make([]node, d.sections[sectionNodes].entries)
	kids := 0
	for i := range p.nodes {
		if raw := d.entry(sectionNodes, i); le.Uint32(raw) != uint32(signals.NodeTerm) {
			kids = min(kids+int(le.Uint32(raw[4:])), d.sections[sectionLists].entries)
		}
	}
	p.kids = roomFor[uint32](kids)
	for i := range p.nodes {
		raw := d.entry(sectionNodes, i)
		op, arg := le.Uint32(raw), le.Uint32(raw[4:])
		if op > uint32(signals.NodeGroup) {
			d.fail(sectionNodes, i, "operation %d is unknown", op)
			return
		}
		from := uint32(len(p.kids))
		p.nodes[i] = node{op: signals.NodeOp(op), from: from, to: from}
		if op == uint32(signals.NodeTerm) {
			p.nodes[i].term = arg
			continue
		}
		if p.kids = d.takeRefs(sectionNodes, i, arg, p.kids); d.err != nil {
			return
		}
		p.nodes[i].to = from + arg
	}
}

func (d *decoder) readResidues(p *Program) {
	le := binary.LittleEndian
	p.residues = make([]residue, d.sections[sectionResidues].entries)
	d.texts = make([]string, 0, d.sum(sectionResidues, 20))
	var numbers []uint32
	for i := range p.residues {
		raw := d.entry(sectionResidues, i)
		r := &p.residues[i]
		*r = residue{text: d.str(sectionResidues, i, le.Uint32(raw)), checked: d.str(sectionResidues, i, le.Uint32(raw[4:])), cost: le.Uint64(raw[8:])}
		numbers = d.takeRefs(sectionResidues, i, le.Uint32(raw[16:]), numbers[:0])
		for _, n := range numbers {
			if n > math.MaxUint16 {
				d.fail(sectionResidues, i, "field %d is unknown", n)
			}
			r.fields = append(r.fields, event.Field(n))
		}
		r.own = d.takeStrings(sectionResidues, i, le.Uint32(raw[20:]))
		if d.err != nil {
			return
		}
	}
}

func (d *decoder) readSignals(p *Program) {
	le := binary.LittleEndian
	p.signals = make([]signal, d.sections[sectionSignals].entries)
	p.suppressRoots = roomFor[uint32](d.sum(sectionSignals, 8))
	logsources := make([]signals.Logsource, len(p.signals))
	correlations := 0
	for i := range p.signals {
		raw := d.entry(sectionSignals, i)
		n, from, flags := le.Uint32(raw[8:]), uint32(len(p.suppressRoots)), le.Uint32(raw[12:])
		if flags&^(flagAlone|flagSilent|flagCorrelation) != 0 {
			d.fail(sectionSignals, i, "flags %#x are unknown", flags)
		}
		for k, word := range logsourceWords(&logsources[i]) {
			*word = d.str(sectionSignals, i, le.Uint32(raw[16+4*k:]))
		}
		if p.suppressRoots = d.takeRefs(sectionSignals, i, n, p.suppressRoots); d.err != nil {
			return
		}
		p.signals[i] = signal{root: le.Uint32(raw), kinds: event.KindSet(le.Uint32(raw[4:])), from: from, to: from + n,
			alone: flags&flagAlone != 0, silent: flags&flagSilent != 0}
		if flags&flagCorrelation != 0 {
			correlations++
			p.signals[i].correlation = uint32(correlations)
		}
	}
	if have := d.sections[sectionCorrelations].entries; have != correlations {
		d.fail(sectionCorrelations, min(have, correlations), "%d entries for %d correlations", have, correlations)
		return
	}
	p.groupLogsources(logsources)
}

// readCorrelations reads what correlations count, in the order of the signals.
func (d *decoder) readCorrelations(p *Program) {
	le := binary.LittleEndian
	p.correlations = roomFor[signals.Correlation](d.sections[sectionCorrelations].entries)
	for i := range d.sections[sectionCorrelations].entries {
		raw := d.entry(sectionCorrelations, i)
		typ, rules, groups, field, counts := le.Uint32(raw), le.Uint32(raw[12:]), le.Uint32(raw[16:]), le.Uint32(raw[20:]), le.Uint32(raw[24:])
		if typ > math.MaxUint8 || rules > maxCorrelationRules || groups > maxCorrelationFields || field > 1 || counts > maxCorrelationCounts {
			d.fail(sectionCorrelations, i, "type %d of %d rules, %d group-by fields, %d fields and %d counts", typ, rules, groups, field, counts)
			return
		}
		c := signals.Correlation{Type: signals.CorrelationType(typ), Timespan: int64(le.Uint64(raw[4:]))}
		c.Rules = d.takeRefs(sectionCorrelations, i, rules, nil)
		for range groups {
			d.texts = make([]string, 0, rules)
			c.GroupBy = append(c.GroupBy, d.takeStrings(sectionCorrelations, i, rules))
		}
		d.texts = make([]string, 0, rules)
		c.Field = d.takeStrings(sectionCorrelations, i, field*rules)
		words := d.takeRefs(sectionCorrelations, i, 3*counts, nil)
		if d.err != nil {
			return
		}
		for ; len(words) > 0; words = words[3:] {
			if words[0] > math.MaxUint8 {
				d.fail(sectionCorrelations, i, "comparison %d is unknown", words[0])
				return
			}
			c.Counts = append(c.Counts, signals.Count{Op: signals.CountOp(words[0]), N: uint64(words[1]) | uint64(words[2])<<32})
		}
		p.correlations = append(p.correlations, c)
	}
}

// checkEnd checks that nothing was left over.
func (d *decoder) checkEnd(*Program) {
	for i, used := range d.used {
		if !used {
			d.fail(sectionStrings, i, "nothing refers to this string")
		}
	}
	if n := d.sections[sectionLists].entries; d.list != n {
		d.fail(sectionLists, d.list, "%d entries belong to no list", n-d.list)
	}
}
