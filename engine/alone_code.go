// SPDX-License-Identifier: Apache-2.0

// This file makes code of the expressions of alone signals: for each leaf where to go
// on if it is true and where if it is not. What is cheap and decides most is asked
// first; the order does not change what comes out.

package engine

import (
	"slices"

	"seismo/signals"
)

// instruction asks one leaf. yes and no are places in the code, or accept or reject.
type instruction struct {
	leaf    uint32
	yes, no int32
	// column is 1 + that of a leaf whose keys say all of it, else 0; a leaf that is negated
	// has yes and no exchanged then. It spares the look at the leaf, which is seldom in the
	// caches.
	column uint32
}

const (
	accept int32 = -1
	reject int32 = -2
)

// compiler makes the code of one plan.
type compiler struct {
	p      *Program
	a      *alonePlan
	leafOf []uint32 // by term, in the group at hand
}

// compile fills the code of a, whose leaves are complete.
func (a *alonePlan) compile(p *Program) {
	if len(a.members) == 0 {
		return
	}
	c := compiler{p: p, a: a, leafOf: make([]uint32, len(p.terms))}
	a.starts = make([]int32, len(p.signals))
	from := 0
	for g, members := range a.members {
		for ; from < len(a.leaves) && a.leaves[from].group == uint32(g); from++ {
			c.leafOf[a.leaves[from].term] = uint32(from)
		}
		for _, i := range members {
			part := c.look(p.signals[i].root)
			a.starts[i] = c.emit(&part, accept, reject)
		}
	}
	a.code = slices.Clip(a.code)
}

// gateOf returns 1 + a leaf of short literals that signal i can not be true without, or
// 0: the one that is asked first, if all ends where it is not met.
func (a *alonePlan) gateOf(i uint32) uint32 {
	if a.starts[i] < 0 {
		return 0
	}
	in := &a.code[a.starts[i]]
	if l := &a.leaves[in.leaf]; in.no != reject || l.known != knownNothing || l.negate {
		return 0
	}
	return in.leaf + 1
}

// part is a node with what is known of it without looking at an event.
type part struct {
	op     signals.NodeOp
	leaf   uint32
	kids   []part
	chance float32 // that it is true
	cost   float32 // of asking it
}

// What it costs to ask a leaf, compared with one that the search has answered.
const (
	costKnown  = 1
	costSearch = 4 // its column has to be searched first
	costDirect = 3
	costRegex  = 40
)

// look returns node i as a part whose kids are in the order in which they are asked.
func (c *compiler) look(i uint32) part {
	n := &c.p.nodes[i]
	if n.op == signals.NodeTerm {
		return c.lookAtLeaf(c.leafOf[n.term])
	}
	out := part{op: n.op, chance: 1}
	kids := c.p.kids[n.from:n.to]
	if len(kids) == 1 {
		return c.look(kids[0])
	}
	for _, kid := range kids {
		out.kids = append(out.kids, c.look(kid))
	}
	// The classical order: cost over the chance that it decides.
	slices.SortStableFunc(out.kids, func(a, b part) int {
		x, y := a.cost/(1.001-a.chance), b.cost/(1.001-b.chance)
		if n.op == signals.NodeOr {
			x, y = a.cost/(0.001+a.chance), b.cost/(0.001+b.chance)
		}
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	reach := float32(1)
	for k := range out.kids {
		kid := &out.kids[k]
		out.cost += reach * kid.cost
		if n.op == signals.NodeOr {
			reach *= 1 - kid.chance
		} else {
			reach *= kid.chance
		}
	}
	if out.chance = reach; n.op == signals.NodeOr {
		out.chance = 1 - reach
	}
	return out
}

func (c *compiler) lookAtLeaf(at uint32) part {
	l := &c.a.leaves[at]
	t := &c.p.terms[l.term]
	out := part{op: signals.NodeTerm, leaf: at, chance: float32(l.chance) / 65535, cost: costKnown}
	if l.column == 0 {
		out.cost = costDirect
	} else if !c.a.searched[l.column-1] {
		out.cost = costSearch
	}
	switch {
	case l.known == knownMet:
		out.cost += costDirect
	case l.known == knownFalse && t.cond == signals.Regex:
		out.cost += costRegex * out.chance
	case l.known == knownFalse:
		out.cost += costDirect * out.chance
	}
	if l.negate {
		out.chance = 1 - out.chance
	}
	return out
}

// emit appends the code of q, which goes on at yes or no, and returns where it begins.
func (c *compiler) emit(q *part, yes, no int32) int32 {
	switch q.op {
	case signals.NodeTerm:
		in := instruction{leaf: q.leaf, yes: yes, no: no}
		if l := &c.a.leaves[q.leaf]; l.known == knownWhole {
			if in.column = l.column; l.negate {
				in.yes, in.no = no, yes
			}
		}
		c.a.code = append(c.a.code, in)
		return int32(len(c.a.code) - 1)
	case signals.NodeOr:
		for k := range q.kids {
			no = c.emit(&q.kids[len(q.kids)-1-k], yes, no)
		}
		return no
	}
	for k := range q.kids {
		yes = c.emit(&q.kids[len(q.kids)-1-k], yes, no)
	}
	return yes
}
