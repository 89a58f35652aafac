// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"cmp"
	"slices"

	"seismo/signals"
)

// MissingList is a list that a signal refers to and that [Program.With] was not given.
type MissingList struct {
	Signal uint32 // index in the program
	List   string
}

// MissingLists returns the lists that signals refer to, in their suppress expressions
// too, and that the program was not given: they are empty. They are sorted by signal
// and name, each once.
func (p *Program) MissingLists() []MissingList {
	_, missing := p.Lists()
	if len(missing) == 0 {
		return nil
	}
	var found []MissingList
	var walk func(signal, node uint32)
	walk = func(signal, node uint32) {
		n := &p.nodes[node]
		if n.op != signals.NodeTerm {
			for _, kid := range p.kids[n.from:n.to] {
				walk(signal, kid)
			}
			return
		}
		t := &p.terms[n.term]
		for _, ref := range p.atomRefs[t.from:t.to] {
			a := &p.atoms[ref]
			if a.cond == signals.InList && slices.Contains(missing, a.literal) {
				found = append(found, MissingList{signal, a.literal})
			}
		}
	}
	for i := range p.signals {
		s := &p.signals[i]
		if s.correlation != 0 {
			continue
		}
		walk(uint32(i), s.root)
		for _, root := range p.suppressRoots[s.from:s.to] {
			walk(uint32(i), root)
		}
	}
	slices.SortFunc(found, func(a, b MissingList) int {
		return cmp.Or(cmp.Compare(a.Signal, b.Signal), cmp.Compare(a.List, b.List))
	})
	return slices.Compact(found)
}
