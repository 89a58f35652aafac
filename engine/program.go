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
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"seismo/internal/celenv"
	"seismo/internal/event"
	"seismo/internal/namedlist"
	"seismo/internal/pattern"
	"seismo/signals"
)

// Program is a set of compiled signals. It never changes.
type Program struct {
	definitions   []signals.Definition // without Pos, Expr and SuppressExprs
	signals       []signal             // signals[i] is the program of definitions[i]
	suppressRoots []uint32             // indexes into nodes, see signal.from
	nodes         []node
	kids          []uint32 // indexes into nodes, see node.from
	terms         []term
	atomRefs      []uint32 // indexes into atoms, see term.from
	atoms         []atom
	residues      []residue
	correlations  []signals.Correlation // see signal.correlation
	logsources    []signals.Logsource   // of the alone signals, sorted, each once
	correlation   *correlationPlan      // nil: there are none
	memory        memoryPlan            // what signals remember, see items.go
	tables        *tables               // what signals wait for, see tables.go
	alone         *alonePlan            // how alone signals are found and judged, see alone.go
	digest        [32]byte
	signature     *signature // nil: none

	// What atoms compare with, parsed; see atom.aux.
	prefixes []netip.Prefix
	globs    []*pattern.Glob
	regexes  []*pattern.Regex
	// patternMemory is about the bytes that globs and regexes take.
	patternMemory int
	listNames     []string          // sorted, each once
	lists         []*namedlist.List // by listNames; those that With did not give are empty

	// What With gave; nil where it gave nothing.
	origin   *Program // the program as it was loaded
	missing  []bool   // by listNames: With did not give it. nil: all of them
	disabled []bool   // by signal
}

// signal is where one signal begins.
type signal struct {
	root     uint32 // index into nodes
	kinds    event.KindSet
	from, to uint32 // suppressRoots[from:to]

	alone, silent bool
	group         uint32 // alone: index into logsources
	correlation   uint32 // 1 + index into correlations; 0 if it is none
}

// isText reports whether s is judged with the memory of its process.
func (s *signal) isText() bool { return !s.alone && s.correlation == 0 }

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
	part                 signals.DatePart
	negate, cased, group bool
	from, to             uint32 // atomRefs[from:to]
	onEvent              bool   // on an event object, not on the process
	valueType            event.Type
	scope                event.Scope
	residue              uint32 // Residual: index into residues; its atoms are guards, which may be on other fields
}

// atom is a signals.Atom. What it compares with is parsed: aux is an index into
// prefixes (Is and InCIDR on an address), globs (Glob and PathGlob), regexes (Regex)
// or lists (InList) of the program, or the place of the other field in the names of the
// plan of alone signals (IsField and the like).
type atom struct {
	own, literal string
	number       int64
	aux          uint32
	field        event.Field
	cond         signals.Condition
	part         signals.DatePart
	cased        bool
}

// residue is a signals.Residue. How it is planned and evaluated is in residue.go.
type residue struct {
	text    string
	checked string // the bytes of its syntax tree
	fields  []event.Field
	own     []string
	cost    uint64
	program *celenv.Program
}

// onEvent reports whether r reads a field of the event.
func (r *residue) onEvent() bool {
	return len(r.own) > 0 || slices.ContainsFunc(r.fields, func(f event.Field) bool { return event.Describe(f).Scope == event.ScopeEvent })
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
		residues:    make([]residue, len(s.Residues)),
	}
	for i := range s.Definitions {
		p.definitions[i] = plainDefinition(&s.Definitions[i])
	}
	logsources := make([]signals.Logsource, len(s.Signals))
	for i := range s.Signals {
		p.buildSignal(&p.signals[i], &s.Signals[i])
		logsources[i] = s.Signals[i].Logsource
	}
	p.groupLogsources(logsources)
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
			negate: t.Negate, cased: t.Cased, group: t.Group, part: t.Part, from: from, to: uint32(len(p.atomRefs)), residue: t.Residue}
	}
	for i, a := range s.Atoms {
		p.atoms[i] = atom{own: a.Own, literal: a.Literal, number: a.Number, field: a.Field, cond: a.Cond, cased: a.Cased, part: a.Part}
	}
	for i := range s.Residues {
		r := &s.Residues[i]
		p.residues[i] = residue{text: r.Text, checked: string(r.Checked), fields: cloneOrNil(r.Fields), own: cloneOrNil(r.Own), cost: r.Cost}
	}
	f := p.finish()
	if f == nil {
		p.tables, f = buildTables(p)
	}
	if f == nil {
		p.alone, f = buildAlone(p)
	}
	if f != nil {
		return nil, fmt.Errorf("build program: %s %d%s: %s", f.table, f.index, p.nameOf(f), f.what)
	}
	b, digest := p.encode()
	if len(b) > maxFile {
		return nil, fmt.Errorf("build program: %d bytes compiled, the limit is %d", len(b), maxFile)
	}
	p.digest = digest
	return p, nil
}

// buildSignal makes to of s, without its logsource.
func (p *Program) buildSignal(to *signal, s *signals.Signal) {
	from := uint32(len(p.suppressRoots))
	p.suppressRoots = append(p.suppressRoots, s.Suppress...)
	*to = signal{root: s.Root, kinds: s.Kinds, from: from, to: uint32(len(p.suppressRoots)), alone: s.Alone, silent: s.Silent}
	if s.Correlation == nil {
		return
	}
	c := *s.Correlation
	c.Rules, c.Field, c.Counts, c.GroupBy = cloneOrNil(c.Rules), cloneOrNil(c.Field), cloneOrNil(c.Counts), cloneOrNil(c.GroupBy)
	for i, names := range c.GroupBy {
		c.GroupBy[i] = cloneOrNil(names)
	}
	p.correlations = append(p.correlations, c)
	to.root, to.correlation = 0, uint32(len(p.correlations))
}

// groupLogsources gives each alone signal its group; all has the logsource of each
// signal. One that is not alone has none: checkSignals refuses it by the flag that is
// left in group.
func (p *Program) groupLogsources(all []signals.Logsource) {
	p.logsources = nil
	for i := range p.signals {
		if p.signals[i].alone {
			p.logsources = append(p.logsources, all[i])
		}
	}
	slices.SortFunc(p.logsources, compareLogsources)
	p.logsources = slices.Compact(p.logsources)
	for i := range p.signals {
		s := &p.signals[i]
		if s.group = 0; s.alone {
			at, _ := slices.BinarySearchFunc(p.logsources, all[i], compareLogsources)
			s.group = uint32(at)
		} else if all[i] != (signals.Logsource{}) {
			s.group = noGroup
		}
	}
}

// noGroup marks a signal that has a logsource and is not alone.
const noGroup = ^uint32(0)

func compareLogsources(a, b signals.Logsource) int {
	return cmp.Or(cmp.Compare(a.Product, b.Product), cmp.Compare(a.Category, b.Category), cmp.Compare(a.Service, b.Service))
}

// correlationOf returns what signal i counts if it is a correlation, else nil.
func (p *Program) correlationOf(i uint32) *signals.Correlation {
	if c := p.signals[i].correlation; c != 0 {
		return &p.correlations[c-1]
	}
	return nil
}

// plainDefinition returns a copy of d as signals.bin keeps it: without place and
// syntax trees, with a language, and with nil for an empty list.
func plainDefinition(d *signals.Definition) signals.Definition {
	c := *d
	c.Pos, c.Expr, c.SuppressExprs, c.Correlation, c.Original = signals.Position{}, nil, nil, nil, nil
	if c.Language == "" {
		c.Language = signals.LanguageSignal
	}
	for _, list := range definitionLists(&c) {
		*list = cloneOrNil(*list)
	}
	return c
}

// cloneOrNil returns a copy of s, nil if it is empty.
func cloneOrNil[E any](s []E) []E {
	if len(s) == 0 {
		return nil
	}
	return slices.Clone(s)
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
	Signals, Nodes, Terms, Atoms, Residues int
}

// Stats returns the sizes of p.
func (p *Program) Stats() Stats {
	return Stats{Signals: len(p.signals), Nodes: len(p.nodes), Terms: len(p.terms), Atoms: len(p.atoms), Residues: len(p.residues)}
}
