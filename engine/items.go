// SPDX-License-Identifier: Apache-2.0

// This file finds what signals have to remember of earlier events. It looks at
// the program alone; what a process remembers is in memory.go.

package engine

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"seismo/internal/event"
	"seismo/signals"
)

// item is something that an event of a process can meet and that the process
// then remembers: a positive term on the event outside of a group, or a group
// with a term on the event. Items that signals share are one.
type item struct {
	// id is that of the term, or a hash of the group's structure and the ids of its
	// terms. It stays the same over edits of anything else.
	id   uint64
	node uint32 // index into Program.nodes
	// terms are the terms of the item, each once, in text order: indexes into
	// Program.terms. A latch names a term by its place here.
	terms []uint32
}

// memoryPlan says which signals remember what. Only a signal that joins by AND two
// different items, or an item and a term whose value may come late, remembers
// anything: each other one fires on a single event.
type memoryPlan struct {
	items    []item
	ofNode   []uint32   // by node: 1 + index into items, 0 if it is none; nil without items
	ofSignal [][]uint32 // by signal: its items, each once; empty if it remembers nothing
	byID     map[uint64]uint32
	// late are the fields of process scope that terms read, of the process itself, its
	// parent or its ancestors: late values of others are not kept.
	late []event.Field
}

// itemOf returns the item that node i is, if it is one outside of a group.
func (p *memoryPlan) itemOf(i uint32) (uint32, bool) {
	k := p.ofNode[i]
	return k - 1, k != 0
}

// finishMemory fills p.memory. The tables of p are checked.
func (p *Program) finishMemory() *fault {
	b := planner{p: p, seen: make([]bool, len(p.nodes)), holds: make([]holding, len(p.nodes)), hashes: map[uint32]uint64{}}
	plan := memoryPlan{byID: map[uint64]uint32{}, ofSignal: make([][]uint32, len(p.signals))}
	for i := range p.signals {
		if !p.signals[i].isText() {
			continue
		}
		if root := p.signals[i].root; b.look(root).joins {
			if plan.ofNode == nil {
				plan.ofNode = make([]uint32, len(p.nodes))
			}
			b.round++
			plan.ofSignal[i] = b.collect(&plan, root, nil)
		}
	}
	plan.late = p.lateFields()
	p.memory = plan
	return nil
}

// planner looks at the expressions of a program.
type planner struct {
	p      *Program
	seen   []bool // by node
	holds  []holding
	hashes map[uint32]uint64 // ids of groups, by node
	// Which items, and which terms, were taken lately: by their number.
	itemTaken, termTaken []int
	round, groups        int // of signals, of items
}

// take notes that number n was taken in a round, and reports whether that is new.
func (b *planner) take(taken *[]int, n uint32, round int) bool {
	if int(n) >= len(*taken) {
		*taken = append(*taken, make([]int, int(n)+1-len(*taken))...)
	}
	if (*taken)[n] == round {
		return false
	}
	(*taken)[n] = round
	return true
}

// holding says which items stand under a node, as far as it matters.
type holding struct {
	some  bool   // there is one
	many  bool   // there are two that differ
	late  bool   // there is a positive term on the process whose value may come late
	joins bool   // an AND joins two that differ, or one and such a term
	event bool   // there is a term on the event, in a group or not
	node  uint32 // if some: a node that is one
}

// look returns what node i holds. It visits every node once.
func (b *planner) look(i uint32) holding {
	if b.seen[i] {
		return b.holds[i]
	}
	n := &b.p.nodes[i]
	h := holding{node: i}
	switch n.op {
	case signals.NodeTerm:
		t := &b.p.terms[n.term]
		h.event = t.onEvent
		h.some = t.onEvent && !t.negate
		h.late = b.p.mayBeLate(t)
	case signals.NodeGroup:
		kid := b.look(b.p.kids[n.from])
		h.event, h.late = kid.event, kid.late && !kid.event
		h.some = h.event
	default:
		h = b.lookAtKids(n)
	}
	b.seen[i], b.holds[i] = true, h
	return h
}

func (b *planner) lookAtKids(n *node) holding {
	var h holding
	holders := 0
	for _, kid := range b.p.kids[n.from:n.to] {
		k := b.look(kid)
		// An item of one child and a late value of another make a branch together.
		h.joins = h.joins || k.joins || n.op == signals.NodeAnd && (h.some && k.late || h.late && k.some)
		h.event = h.event || k.event
		h.late = h.late || k.late
		if !k.some {
			continue
		}
		holders++
		if !h.some {
			h.some, h.node = true, k.node
		}
		h.many = h.many || k.many || b.id(h.node) != b.id(k.node)
	}
	h.joins = h.joins || n.op == signals.NodeAnd && holders > 1 && h.many
	return h
}

// mayBeLate reports whether a late value can make t true. One with NOT can only
// become false by it.
func (p *Program) mayBeLate(t *term) bool {
	if t.onEvent || t.negate {
		return false
	}
	if t.cond == signals.Residual {
		return slices.ContainsFunc(p.residues[t.residue].fields, event.MayBeLate)
	}
	return event.MayBeLate(t.field)
}

// id returns the id of the item that node i is.
func (b *planner) id(i uint32) uint64 {
	n := &b.p.nodes[i]
	if n.op == signals.NodeTerm {
		return b.p.terms[n.term].id
	}
	id, ok := b.hashes[i]
	if !ok {
		sum := sha256.Sum256(b.p.appendShape(nil, i))
		id = binary.BigEndian.Uint64(sum[:8])
		b.hashes[i] = id
	}
	return id
}

// appendShape appends the form of node i whose SHA-256 begins with the id of a
// group (64 bits, big endian): of each node its operation, one byte, and then the
// id of the term, 64 bits big endian, or the number of children, 32 bits big
// endian, and the children.
func (p *Program) appendShape(to []byte, i uint32) []byte {
	n := &p.nodes[i]
	to = append(to, byte(n.op))
	if n.op == signals.NodeTerm {
		return binary.BigEndian.AppendUint64(to, p.terms[n.term].id)
	}
	to = binary.BigEndian.AppendUint32(to, n.to-n.from)
	for _, kid := range p.kids[n.from:n.to] {
		to = p.appendShape(to, kid)
	}
	return to
}

// collect appends to refs the items under node i that it does not have, and adds
// to plan those that are new.
func (b *planner) collect(plan *memoryPlan, i uint32, refs []uint32) []uint32 {
	n := &b.p.nodes[i]
	if n.op == signals.NodeAnd || n.op == signals.NodeOr {
		for _, kid := range b.p.kids[n.from:n.to] {
			refs = b.collect(plan, kid, refs)
		}
		return refs
	}
	if !b.look(i).some {
		return refs
	}
	id := b.id(i)
	k, ok := plan.byID[id]
	if !ok {
		k = uint32(len(plan.items))
		plan.byID[id] = k
		b.groups++
		plan.items = append(plan.items, item{id: id, node: i, terms: b.termsUnder(i, nil)})
	}
	plan.ofNode[i] = k + 1
	if b.take(&b.itemTaken, k, b.round) {
		refs = append(refs, k)
	}
	return refs
}

// termsUnder appends to terms those under node i, each once, in text order.
func (b *planner) termsUnder(i uint32, terms []uint32) []uint32 {
	n := &b.p.nodes[i]
	if n.op == signals.NodeTerm {
		if b.take(&b.termTaken, n.term, b.groups) {
			terms = append(terms, n.term)
		}
		return terms
	}
	for _, kid := range b.p.kids[n.from:n.to] {
		terms = b.termsUnder(kid, terms)
	}
	return terms
}

// lateFields returns the fields of process scope that the terms of p read, in
// rising order.
func (p *Program) lateFields() []event.Field {
	var fields []event.Field
	add := func(f event.Field) {
		if base := event.ProcessField(f); base != event.NoField {
			fields = append(fields, base)
		}
	}
	for i := range p.terms {
		add(p.terms[i].field)
	}
	for i := range p.residues {
		for _, f := range p.residues[i].fields {
			add(f)
		}
	}
	slices.Sort(fields)
	return slices.Compact(fields)
}
