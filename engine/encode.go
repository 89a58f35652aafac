// SPDX-License-Identifier: Apache-2.0

// This file writes a program in the form of signals.bin. The layout is in
// format.go.

package engine

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"iter"
	"slices"

	"seismo/internal/event"
	"seismo/signals"
)

// WriteTo writes p to w as a signals.bin. The same program gives the same bytes.
// It returns the number of bytes written.
func (p *Program) WriteTo(w io.Writer) (int64, error) {
	b, sum := p.encode()
	if p.signature != nil && sum == p.digest {
		b = p.signature.appendTo(b)
	}
	n, err := w.Write(b)
	if err != nil {
		return int64(n), fmt.Errorf("write signals.bin: %w", err)
	}
	return int64(n), nil
}

// encode returns p as a signals.bin, and the checksum at its end.
func (p *Program) encode() ([]byte, [checksumSize]byte) {
	b := make([]byte, tablesAt, tablesAt+p.roughSize())
	copy(b, magic)
	le := binary.LittleEndian
	le.PutUint32(b[8:], formatVersion)
	le.PutUint32(b[12:], numSections)
	le.PutUint64(b[16:], event.Fingerprint())

	table := p.stringTable()
	for s, add := range [numSections]func([]byte, *stringTable) ([]byte, int){
		sectionStrings:      addStrings,
		sectionLists:        p.addLists,
		sectionDefinitions:  p.addDefinitions,
		sectionAtoms:        p.addAtoms,
		sectionTerms:        p.addTerms,
		sectionNodes:        p.addNodes,
		sectionResidues:     p.addResidues,
		sectionSignals:      p.addSignals,
		sectionCorrelations: p.addCorrelations,
		sectionTables:       p.addTables,
		sectionAlone:        p.addAlone,
	} {
		from := len(b)
		var entries int
		b, entries = add(b, table)
		entry := b[headerSize+s*sectionEntry:]
		le.PutUint32(entry, uint32(s+1))
		le.PutUint32(entry[4:], uint32(entries))
		le.PutUint64(entry[8:], uint64(from))
		le.PutUint64(entry[16:], uint64(len(b)-from))
	}
	le.PutUint64(b[24:], uint64(len(b)+checksumSize))
	sum := sha256.Sum256(b)
	return append(b, sum[:]...), sum
}

// roughSize guesses the bytes of the sections without the strings.
func (p *Program) roughSize() int {
	return 4*(len(p.kids)+len(p.atomRefs)) + 24*len(p.atoms) + 32*len(p.terms) + 8*len(p.nodes) + 512*len(p.definitions)
}

// stringTable is every string of a program once, sorted, and where each stands.
type stringTable struct {
	sorted []string
	at     map[string]uint32
}

func (p *Program) stringTable() *stringTable {
	t := &stringTable{at: map[string]uint32{"": 0}}
	for i := range p.definitions {
		d := &p.definitions[i]
		for _, s := range definitionStrings(d) {
			t.at[*s] = 0
		}
		for _, list := range definitionLists(d) {
			for _, s := range *list {
				t.at[s] = 0
			}
		}
	}
	for i := range p.atoms {
		t.at[p.atoms[i].own], t.at[p.atoms[i].literal] = 0, 0
	}
	for i := range p.terms {
		t.at[p.terms[i].own], t.at[p.terms[i].text] = 0, 0
	}
	for i := range p.residues {
		r := &p.residues[i]
		t.at[r.text], t.at[r.checked] = 0, 0
		for _, s := range r.own {
			t.at[s] = 0
		}
	}
	for i := range p.logsources {
		for _, s := range logsourceWords(&p.logsources[i]) {
			t.at[*s] = 0
		}
	}
	for i := range p.correlations {
		for s := range correlationNames(&p.correlations[i]) {
			t.at[s] = 0
		}
	}
	t.sorted = make([]string, 0, len(t.at))
	for s := range t.at {
		t.sorted = append(t.sorted, s)
	}
	slices.Sort(t.sorted)
	for i, s := range t.sorted {
		t.at[s] = uint32(i)
	}
	return t
}

// addStrings appends where each string ends, and then the strings.
func addStrings(b []byte, t *stringTable) ([]byte, int) {
	end := uint32(0)
	for _, s := range t.sorted {
		end += uint32(len(s))
		b = binary.LittleEndian.AppendUint32(b, end)
	}
	for _, s := range t.sorted {
		b = append(b, s...)
	}
	return b, len(t.sorted)
}

// addLists appends the lists of definitions, terms, nodes, residues, signals and
// correlations one after the other.
func (p *Program) addLists(b []byte, t *stringTable) ([]byte, int) {
	from := len(b)
	le := binary.LittleEndian
	for i := range p.definitions {
		for _, list := range definitionLists(&p.definitions[i]) {
			for _, s := range *list {
				b = le.AppendUint32(b, t.at[s])
			}
		}
	}
	for _, ref := range p.atomRefs {
		b = le.AppendUint32(b, ref)
	}
	for _, kid := range p.kids {
		b = le.AppendUint32(b, kid)
	}
	for i := range p.residues {
		for _, f := range p.residues[i].fields {
			b = le.AppendUint32(b, uint32(f))
		}
		for _, s := range p.residues[i].own {
			b = le.AppendUint32(b, t.at[s])
		}
	}
	for _, root := range p.suppressRoots {
		b = le.AppendUint32(b, root)
	}
	for i := range p.correlations {
		c := &p.correlations[i]
		for _, rule := range c.Rules {
			b = le.AppendUint32(b, rule)
		}
		for s := range correlationNames(c) {
			b = le.AppendUint32(b, t.at[s])
		}
		for _, n := range c.Counts {
			b = le.AppendUint32(b, uint32(n.Op))
			b = le.AppendUint64(b, n.N)
		}
	}
	return b, (len(b) - from) / 4
}

func (p *Program) addDefinitions(b []byte, t *stringTable) ([]byte, int) {
	le := binary.LittleEndian
	for i := range p.definitions {
		d := &p.definitions[i]
		for _, s := range definitionStrings(d) {
			b = le.AppendUint32(b, t.at[*s])
		}
		b = le.AppendUint32(b, uint32(d.Severity))
		b = le.AppendUint32(b, uint32(languageNumber(d.Language)))
		for _, list := range definitionLists(d) {
			b = le.AppendUint32(b, uint32(len(*list)))
		}
	}
	return b, len(p.definitions)
}

func (p *Program) addAtoms(b []byte, t *stringTable) ([]byte, int) {
	le := binary.LittleEndian
	for i := range p.atoms {
		a := &p.atoms[i]
		b = le.AppendUint16(b, uint16(a.field))
		b = append(b, byte(a.cond), bitIf(a.cased, flagCased)|byte(a.part)<<partShift)
		b = le.AppendUint32(b, t.at[a.own])
		b = le.AppendUint32(b, t.at[a.literal])
		b = le.AppendUint64(b, uint64(a.number))
	}
	return b, len(p.atoms)
}

func (p *Program) addTerms(b []byte, st *stringTable) ([]byte, int) {
	le := binary.LittleEndian
	for i := range p.terms {
		t := &p.terms[i]
		b = le.AppendUint64(b, t.id)
		b = le.AppendUint32(b, st.at[t.text])
		b = le.AppendUint32(b, st.at[t.own])
		b = le.AppendUint32(b, uint32(t.kinds))
		b = le.AppendUint32(b, t.to-t.from)
		b = le.AppendUint16(b, uint16(t.field))
		b = append(b, byte(t.cond), bitIf(t.cased, flagCased)|bitIf(t.negate, flagNegate)|bitIf(t.group, flagGroup)|byte(t.part)<<partShift)
		b = le.AppendUint32(b, t.residue)
	}
	return b, len(p.terms)
}

func (p *Program) addNodes(b []byte, _ *stringTable) ([]byte, int) {
	le := binary.LittleEndian
	for i := range p.nodes {
		n := &p.nodes[i]
		b = le.AppendUint32(b, uint32(n.op))
		if n.op == signals.NodeTerm {
			b = le.AppendUint32(b, n.term)
		} else {
			b = le.AppendUint32(b, n.to-n.from)
		}
	}
	return b, len(p.nodes)
}

func (p *Program) addSignals(b []byte, t *stringTable) ([]byte, int) {
	le := binary.LittleEndian
	for i := range p.signals {
		s := &p.signals[i]
		b = le.AppendUint32(b, s.root)
		b = le.AppendUint32(b, uint32(s.kinds))
		b = le.AppendUint32(b, s.to-s.from)
		b = le.AppendUint32(b, uint32(bitIf(s.alone, flagAlone)|bitIf(s.silent, flagSilent)|bitIf(s.correlation != 0, flagCorrelation)))
		var l signals.Logsource
		if s.alone {
			l = p.logsources[s.group]
		}
		for _, word := range logsourceWords(&l) {
			b = le.AppendUint32(b, t.at[*word])
		}
	}
	return b, len(p.signals)
}

// logsourceWords returns the words of l in the order of signals.bin.
func logsourceWords(l *signals.Logsource) [3]*string {
	return [3]*string{&l.Product, &l.Category, &l.Service}
}

// correlationNames returns the names of fields in c, in the order of signals.bin.
func correlationNames(c *signals.Correlation) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, names := range c.GroupBy {
			for _, s := range names {
				if !yield(s) {
					return
				}
			}
		}
		for _, s := range c.Field {
			if !yield(s) {
				return
			}
		}
	}
}

func (p *Program) addCorrelations(b []byte, _ *stringTable) ([]byte, int) {
	le := binary.LittleEndian
	for i := range p.correlations {
		c := &p.correlations[i]
		b = le.AppendUint32(b, uint32(c.Type))
		b = le.AppendUint64(b, uint64(c.Timespan))
		b = le.AppendUint32(b, uint32(len(c.Rules)))
		b = le.AppendUint32(b, uint32(len(c.GroupBy)))
		b = le.AppendUint32(b, uint32(bitIf(len(c.Field) > 0, 1)))
		b = le.AppendUint32(b, uint32(len(c.Counts)))
	}
	return b, len(p.correlations)
}

// addAlone appends the tables of the alone signals.
func (p *Program) addAlone(b []byte, _ *stringTable) ([]byte, int) {
	from := len(b)
	b = p.alone.tables.appendTo(b)
	return b, len(b) - from
}

func (p *Program) addResidues(b []byte, t *stringTable) ([]byte, int) {
	le := binary.LittleEndian
	for i := range p.residues {
		r := &p.residues[i]
		b = le.AppendUint32(b, t.at[r.text])
		b = le.AppendUint32(b, t.at[r.checked])
		b = le.AppendUint64(b, r.cost)
		b = le.AppendUint32(b, uint32(len(r.fields)))
		b = le.AppendUint32(b, uint32(len(r.own)))
	}
	return b, len(p.residues)
}

// addTables appends the tables for the search of literals.
func (p *Program) addTables(b []byte, _ *stringTable) ([]byte, int) {
	from := len(b)
	b = p.tables.appendTo(b)
	return b, len(b) - from
}

func bitIf(set bool, bit byte) byte {
	if set {
		return bit
	}
	return 0
}
