// SPDX-License-Identifier: Apache-2.0

// This file says what the signals of a program need of a source.

package engine

import (
	"slices"

	"seismo/internal/event"
	"seismo/internal/taxonomy"
	"seismo/signals"
)

// maxDemandList is the number of values up to which a named list of paths is
// watched: each becomes a path of its own.
const maxDemandList = 256

// Demand returns what the signals of p that are not disabled need of a source: the
// kinds of event that they fire on or have a term on, the own names that they read,
// and the paths, or beginnings of paths, that positive terms on file paths name. A
// path is in lower case unless its term is cased; whoever watches it must find how
// the file system spells it. What only a suppress expression reads adds own names,
// nothing else: without the signal's own event it is of no use. A signal that reads
// every value of single records asks for all own names.
func (p *Program) Demand() event.Demand {
	var d event.Demand
	fires, suppresses := make([]bool, len(p.nodes)), make([]bool, len(p.nodes))
	for i, s := range p.signals {
		if p.isDisabled(uint32(i)) {
			continue
		}
		if s.alone {
			p.demandAlone(&d, &p.signals[i])
			continue
		}
		d.Kinds |= s.kinds
		if s.correlation != 0 {
			continue
		}
		fires[s.root] = true
		for _, root := range p.suppressRoots[s.from:s.to] {
			suppresses[root] = true
		}
	}
	asked := make([]bool, len(p.terms)) // and is not only read by a suppress expression
	// Children come before their parents.
	for i := len(p.nodes) - 1; i >= 0; i-- {
		if !fires[i] && !suppresses[i] {
			continue
		}
		n := &p.nodes[i]
		for _, kid := range p.kids[n.from:n.to] {
			fires[kid] = fires[kid] || fires[i]
			suppresses[kid] = suppresses[kid] || suppresses[i]
		}
		if n.op == signals.NodeTerm {
			asked[n.term] = asked[n.term] || fires[i]
			d.Own = p.appendOwn(d.Own, &p.terms[n.term])
		}
	}
	for i := range p.terms {
		if asked[i] {
			p.demandTerm(&d, &p.terms[i])
		}
	}
	d.Own = p.correlation.own(d.Own)
	slices.Sort(d.Own)
	d.Own = slices.Compact(d.Own)
	slices.Sort(d.Paths)
	d.Paths = slices.Compact(d.Paths)
	return d
}

// appendOwn appends the own names that t reads.
func (p *Program) appendOwn(own []string, t *term) []string {
	if t.cond == signals.Residual {
		return append(own, p.residues[t.residue].own...)
	}
	if t.own != "" {
		own = append(own, t.own)
	}
	return own
}

// demandTerm adds the kinds and paths that t needs.
func (p *Program) demandTerm(d *event.Demand, t *term) {
	if t.onEvent && t.kinds != event.AllKinds {
		d.Kinds |= t.kinds
	}
	if t.negate {
		return
	}
	for _, ref := range p.atomRefs[t.from:t.to] {
		a := &p.atoms[ref]
		if a.own != "" || !isFilePath(a.field) {
			continue
		}
		p.demandPath(d, a)
	}
}

// demandPath adds the paths that a, a comparison with the path of a file, names.
func (p *Program) demandPath(d *event.Demand, a *atom) {
	switch a.cond {
	case signals.Is, signals.BeginsWith:
		d.Paths = append(d.Paths, a.literal)
	case signals.Glob, signals.PathGlob:
		if begins, _, _ := p.globs[a.aux].Needs(); begins != "" {
			d.Paths = append(d.Paths, begins)
		}
	case signals.InList:
		if l := p.lists[a.aux]; l.Len() <= maxDemandList {
			d.Paths = l.AppendValues(d.Paths, a.cased)
		}
	}
}

// demandAlone adds what s, an alone signal, needs of typed sources: the kinds of its
// logsource, the paths that its terms on files name, and what it reads of single
// records. Which kinds a record comes with is not known before it is there.
func (p *Program) demandAlone(d *event.Demand, s *signal) {
	l := p.logsources[s.group]
	kinds, records := taxonomy.Kinds(l.Product, l.Category, l.Service)
	if d.Kinds |= kinds; records {
		d.Kinds |= s.kinds
	}
	p.eachTerm(s.root, func(t *term) {
		if records {
			p.demandOwn(d, t)
		}
		if !t.negate && (kinds.Has(event.KindFile) && namesFile(t.own) || records && t.own == recordPath) {
			for _, ref := range p.atomRefs[t.from:t.to] {
				p.demandPath(d, &p.atoms[ref])
			}
		}
	})
}

// recordPath is the name that audit's records of type PATH have the path of a file
// under.
const recordPath = "name"

// namesFile reports whether name reads a path of a file event.
func namesFile(name string) bool {
	f, ok := taxonomy.Field(event.KindFile, name)
	return ok && isFilePath(f)
}

func isFilePath(f event.Field) bool {
	return f == event.FilePath || f == event.FileTargetPath || f == event.FileResultPath
}

// demandOwn adds the own names that t, a term of an alone signal, reads of a record.
func (p *Program) demandOwn(d *event.Demand, t *term) {
	if t.own == signals.AnyField {
		d.AllOwn = true
		return
	}
	d.Own = append(d.Own, t.own)
	if readsOther(t.cond) {
		for _, ref := range p.atomRefs[t.from:t.to] {
			d.Own = append(d.Own, p.atoms[ref].literal)
		}
	}
}
