// SPDX-License-Identifier: Apache-2.0

// Package engine knows the compiled form of signals, and finds which signals an
// event fires.
//
// [Build] makes a [Program] from the lowered signals of package signals. A
// program is written as signals.bin with [Program.WriteTo] or [WriteFile] and
// read with [Load] or [LoadFile]; it never changes, and any number of goroutines
// may share it. Each of them judges events with a [Matcher] of its own.
package engine

import (
	"fmt"
	"net/netip"
	"slices"

	"seismo/internal/event"
	"seismo/signals"
)

// Program is a set of compiled signals. It never changes.
type Program struct {
	definitions []signals.Definition // without Pos and Expr
	signals     []signal             // signals[i] is the program of definitions[i]
	nodes       []node
	kids        []uint32 // indexes into nodes, see node.from
	terms       []term
	atomRefs    []uint32 // indexes into atoms, see term.from
	atoms       []atom
	prefixes    []netip.Prefix // of the address atoms, see atom.prefix
	digest      [32]byte
}

// signal is where one signal begins.
type signal struct {
	root  uint32 // index into nodes
	kinds event.KindSet
}

// node is a signals.Node whose children stand in Program.kids.
type node struct {
	op       signals.NodeOp
	term     uint32 // NodeTerm: index into terms
	from, to uint32 // else: kids[from:to]
}

// term is a signals.Term whose atoms stand in Program.atomRefs, with what the
// registry says of its field.
type term struct {
	id                   uint64
	text, own            string
	kinds                event.KindSet
	field                event.Field
	cond                 signals.Condition
	negate, cased, group bool
	from, to             uint32 // atomRefs[from:to]
	onEvent              bool   // on an event object, not on the process
	valueType            event.Type
	scope                event.Scope
}

// atom is a signals.Atom. Addresses are parsed.
type atom struct {
	own, literal string
	number       int64
	prefix       uint32 // Is and InCIDR on an address: index into prefixes
	field        event.Field
	cond         signals.Condition
	cased        bool
}

// Build compiles s. It copies what it needs; s may be changed afterwards. An
// error names the signal or the table of s that breaks a rule or a limit of the
// compiled form.
func Build(s *signals.Set) (*Program, error) {
	p := &Program{
		definitions: make([]signals.Definition, len(s.Definitions)),
		signals:     make([]signal, len(s.Signals)),
		nodes:       make([]node, len(s.Nodes)),
		terms:       make([]term, len(s.Terms)),
		atoms:       make([]atom, len(s.Atoms)),
	}
	for i := range s.Definitions {
		p.definitions[i] = plainDefinition(&s.Definitions[i])
	}
	for i, sig := range s.Signals {
		p.signals[i] = signal{sig.Root, sig.Kinds}
	}
	for i := range s.Nodes {
		n := &s.Nodes[i]
		from := uint32(len(p.kids))
		p.kids = append(p.kids, n.Kids...)
		p.nodes[i] = node{n.Op, n.Term, from, uint32(len(p.kids))}
		if n.Op != signals.NodeTerm {
			p.nodes[i].term = 0
		}
	}
	for i := range s.Terms {
		t := &s.Terms[i]
		from := uint32(len(p.atomRefs))
		p.atomRefs = append(p.atomRefs, t.Atoms...)
		p.terms[i] = term{id: t.ID, text: t.Text, own: t.Own, kinds: t.Kinds, field: t.Field, cond: t.Cond,
			negate: t.Negate, cased: t.Cased, group: t.Group, from: from, to: uint32(len(p.atomRefs))}
	}
	for i, a := range s.Atoms {
		p.atoms[i] = atom{own: a.Own, literal: a.Literal, number: a.Number, field: a.Field, cond: a.Cond, cased: a.Cased}
	}
	if f := p.finish(); f != nil {
		return nil, fmt.Errorf("build program: %s %d%s: %s", f.table, f.index, p.nameOf(f), f.what)
	}
	b, digest := p.encode()
	if len(b) > maxFile {
		return nil, fmt.Errorf("build program: %d bytes compiled, the limit is %d", len(b), maxFile)
	}
	p.digest = digest
	return p, nil
}

// plainDefinition returns a copy of d as signals.bin keeps it: without place and
// syntax tree, and with nil for an empty list.
func plainDefinition(d *signals.Definition) signals.Definition {
	c := *d
	c.Pos, c.Expr = signals.Position{}, nil
	for _, list := range definitionLists(&c) {
		if *list = slices.Clone(*list); len(*list) == 0 {
			*list = nil
		}
	}
	return c
}

// nameOf returns the name or text of the entry that f is about, for a message.
func (p *Program) nameOf(f *fault) string {
	switch {
	case (f.table == tableDefinitions || f.table == tableSignals) && f.index < len(p.definitions):
		return fmt.Sprintf(" (%.80q)", p.definitions[f.index].Name)
	case f.table == tableTerms && f.index < len(p.terms):
		return fmt.Sprintf(" (%.80q)", p.terms[f.index].text)
	}
	return ""
}

// Signals returns the number of signals.
func (p *Program) Signals() int { return len(p.signals) }

// Definitions returns the definitions, sorted by id: the one at index i is that
// of the signal i of a tag. They carry neither place nor syntax tree. The slice
// is shared: do not change it.
func (p *Program) Definitions() []signals.Definition { return p.definitions }

// Digest identifies the program: it is the SHA-256 that stands at the end of its
// signals.bin, over everything before it.
func (p *Program) Digest() [32]byte { return p.digest }

// Stats are the sizes of a program.
type Stats struct {
	Signals, Nodes, Terms, Atoms int
}

// Stats returns the sizes of p.
func (p *Program) Stats() Stats {
	return Stats{Signals: len(p.signals), Nodes: len(p.nodes), Terms: len(p.terms), Atoms: len(p.atoms)}
}

// Demand returns what the signals of p need of a source: the kinds of event that
// they fire on or have a term on, the own names that they read, and the paths,
// or beginnings of paths, that positive terms on file paths name. A path is in
// lower case unless its term is cased; whoever watches it must find how the file
// system spells it.
func (p *Program) Demand() event.Demand {
	var d event.Demand
	for _, s := range p.signals {
		d.Kinds |= s.kinds
	}
	for i := range p.terms {
		t := &p.terms[i]
		if t.onEvent && t.kinds != event.AllKinds {
			d.Kinds |= t.kinds
		}
		if t.own != "" {
			d.Own = append(d.Own, t.own)
		}
		if t.negate || t.own != "" || t.field != event.FilePath && t.field != event.FileTargetPath {
			continue
		}
		for _, ref := range p.atomRefs[t.from:t.to] {
			if a := &p.atoms[ref]; a.cond == signals.Is || a.cond == signals.BeginsWith {
				d.Paths = append(d.Paths, a.literal)
			}
		}
	}
	slices.Sort(d.Own)
	d.Own = slices.Compact(d.Own)
	slices.Sort(d.Paths)
	d.Paths = slices.Compact(d.Paths)
	return d
}
