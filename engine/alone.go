// SPDX-License-Identifier: Apache-2.0

// This file holds the plan of alone signals: those that are judged on the event at hand
// alone, in the words of the log that it belongs to. What such a signal waits for is
// decided in alone_index.go, its expression is made into code in alone_code.go, what an
// event says is in view.go, and which signals it concerns in route.go; alone_find.go
// finds and judges.

package engine

import (
	"cmp"
	"slices"

	"seismo/signals"
)

// alonePlan is what alone signals are found and judged with. It never changes.
//
// Signals of one logsource are a group, and each group has leaves and columns of its
// own: an event is searched for the literals of the signals that are for it, and of no
// others.
type alonePlan struct {
	tables  *tables // what waits in them are leaves
	members [][]uint32
	leaves  []leaf
	named   []uint32 // by term of an alone signal: its place in names, or anyName
	latest  []uint32 // by term of an alone signal: the last leaf of it, see leafOf
	names   []string // own names that leaves read, sorted, without AnyField
	starts  []int32  // by signal: where its code begins
	code    []instruction
	idle    [][]uint32 // by group: the signals that wait for nothing
	// columnOf has for each column of the tables its place in names.
	columnOf []uint32
	searched []bool // by column: a signal waits in it
}

// leaf is a term as the signals of one group have it.
type leaf struct {
	term   uint32
	group  uint32
	before uint32   // the leaf of the same term in a group before this one
	column uint32   // 1 + the column that it is looked for in; 0: none
	known  uint8    // what its keys say of it
	negate bool     //
	chance uint16   // about how often it is met, before it is negated, of 65,535
	short  []uint32 // the atoms that are too short to be looked for, if it is knownMet or knownNothing
	first  byteSet  // with what they begin
	varies bool     // what a value meets depends on other values of the view, or on lists
}

const (
	anyName = ^uint32(0)     // AnyField
	noName  = ^uint32(0) - 1 // a name that no leaf of the route reads
)

// groupMembers returns for each group the signals of it.
func (p *Program) groupMembers() [][]uint32 {
	members := make([][]uint32, len(p.logsources))
	for i := range p.signals {
		if s := &p.signals[i]; s.alone {
			members[s.group] = append(members[s.group], uint32(i))
		}
	}
	return members
}

// newAlonePlan lists the leaves of p's alone signals, group by group, each as it is met
// first.
func newAlonePlan(p *Program) *alonePlan {
	a := &alonePlan{members: p.groupMembers()}
	if len(a.members) == 0 {
		return a
	}
	seen := make([]uint32, len(p.terms)) // by term: 1 + the group
	for g, members := range a.members {
		for _, i := range members {
			a.addLeaves(p, uint32(g), p.signals[i].root, seen)
		}
	}
	for i := range a.leaves {
		t := &p.terms[a.leaves[i].term]
		if t.own != signals.AnyField {
			a.names = append(a.names, t.own)
		}
		if readsOther(t.cond) {
			for _, ref := range p.atomRefs[t.from:t.to] {
				a.names = append(a.names, p.atoms[ref].literal)
			}
		}
	}
	slices.Sort(a.names)
	a.names = slices.Compact(a.names)
	a.named, a.latest = make([]uint32, len(p.terms)), make([]uint32, len(p.terms))
	for i := range a.leaves {
		t := &p.terms[a.leaves[i].term]
		a.named[a.leaves[i].term] = a.nameOf(t.own)
		a.leaves[i].before, a.latest[a.leaves[i].term] = a.latest[a.leaves[i].term], uint32(i)
		if readsOther(t.cond) {
			for _, ref := range p.atomRefs[t.from:t.to] {
				if at := a.nameOf(p.atoms[ref].literal); p.atoms[ref].aux != at { // a report may be made while others match
					p.atoms[ref].aux = at
				}
			}
		}
	}
	return a
}

func (a *alonePlan) addLeaves(p *Program, group, i uint32, seen []uint32) {
	n := &p.nodes[i]
	if n.op == signals.NodeTerm {
		if seen[n.term] != group+1 {
			seen[n.term] = group + 1
			a.leaves = append(a.leaves, leaf{term: n.term, group: group, negate: p.terms[n.term].negate})
		}
		return
	}
	for _, kid := range p.kids[n.from:n.to] {
		a.addLeaves(p, group, kid, seen)
	}
}

// leafOf returns the leaf of a term that signals of group have.
func (a *alonePlan) leafOf(term, group uint32) uint32 {
	at := a.latest[term]
	for a.leaves[at].group != group {
		at = a.leaves[at].before
	}
	return at
}

// nameOf returns the place of an own name that some leaf reads.
func (a *alonePlan) nameOf(own string) uint32 {
	if own == signals.AnyField {
		return anyName
	}
	at, ok := slices.BinarySearch(a.names, own)
	if !ok {
		return noName
	}
	return uint32(at)
}

// buildAlone makes the plan of p, whose other tables are complete: as it is read from a
// signals.bin, so that there is no other form of it.
func buildAlone(p *Program) (*alonePlan, *fault) {
	x, _ := buildAloneIndex(p)
	return decodeAlone(x.appendTo(nil), p)
}

// decodeAlone reads the section b for p, whose other tables are complete.
func decodeAlone(b []byte, p *Program) (*alonePlan, *fault) {
	a := newAlonePlan(p)
	x, f := decodeTables(b, p, tableAlone, len(a.leaves))
	if f != nil {
		return nil, f
	}
	if what := a.adopt(p, x); what != "" {
		return nil, faultf(tableAlone, 0, "%s", what)
	}
	a.compile(p)
	return a, nil
}

// adopt takes x as the tables of a. It returns what is wrong with them, or "": a table
// that is wrong may cost matches, but it must not lead to a leaf of another group or to
// a signal that is not alone.
func (a *alonePlan) adopt(p *Program, x *tables) string {
	a.tables = x
	if len(x.checked) > 0 || len(x.late) > 0 {
		return "signals that wait for a process"
	}
	a.columnOf, a.searched = make([]uint32, len(x.columns)), make([]bool, len(x.columns))
	for c := range x.columns {
		at := a.nameOf(x.columns[c].own)
		if at == noName {
			return "a column that no term reads"
		}
		a.columnOf[c] = at
	}
	for i := 0; i < len(x.signals); i += 2 {
		if !p.signals[x.signals[i]].alone {
			return "a signal that is not judged alone"
		}
	}
	a.idle = make([][]uint32, len(a.members))
	for i := 0; i < len(x.always); i += 2 {
		s := &p.signals[x.always[i]]
		if !s.alone {
			return "a signal that is not judged alone"
		}
		a.idle[s.group] = append(a.idle[s.group], x.always[i])
	}
	for i := range a.leaves {
		l := &a.leaves[i]
		t := &p.terms[l.term]
		l.known, l.chance = uint8(x.known[i]), uint16(x.known[i]>>8)
		l.varies = readsOther(t.cond) || t.cond == signals.InList
		if l.known == knownMet || l.known == knownNothing {
			l.short = p.shortAtoms(t)
			for _, ref := range l.short {
				l.first.add(p.atoms[ref].literal[0])
			}
		}
		if l.known == knownNothing {
			continue
		}
		if l.known == knownPresent && x.waits[i] == x.waits[i+1] {
			continue
		}
		at, ok := slices.BinarySearchFunc(x.columns, column{group: l.group, own: t.own}, func(c, want column) int {
			return cmp.Or(cmp.Compare(c.group, want.group), cmp.Compare(c.own, want.own))
		})
		if !ok {
			return "a term without the column that it is looked for in"
		}
		l.column = uint32(at) + 1
		if x.waits[i] < x.waits[i+1] {
			a.searched[at] = true
		}
	}
	return a.checkPostings()
}

// checkPostings checks that the keys of a column meet leaves that are looked for in it.
func (a *alonePlan) checkPostings() string {
	x := a.tables
	for k := range x.postings[1:] {
		for _, id := range x.terms[x.postings[k]:x.postings[k+1]] {
			if a.leaves[id].column == 0 {
				return "a literal of a term that is not looked for"
			}
		}
	}
	return ""
}

// shortAtoms returns the atoms of t that are too short to be looked for.
func (p *Program) shortAtoms(t *term) (short []uint32) {
	for _, ref := range p.atomRefs[t.from:t.to] {
		if isShortAlone(t, &p.atoms[ref]) {
			short = append(short, ref)
		}
	}
	return short
}

// isShortAlone reports whether a, an atom of t, is a literal that is too short for the
// gram filter.
func isShortAlone(t *term, a *atom) bool {
	return a.cond == signals.Contains && !t.cased && a.literal != "" && len(a.literal) < gramSize
}
