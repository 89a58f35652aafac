// SPDX-License-Identifier: Apache-2.0

// This file makes the tree of an explanation. A part of an expression that depends
// on something that is not known has two answers: what is true whatever that is, and
// what could be true. Since no node turns the truth of its children around, both are
// made of those of the children in the same way as the matcher does it.

package engine

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"seismo/internal/event"
	"seismo/signals"
)

const residual = signals.Residual

// explained is a node with the classes of its branches that are true for sure, and
// those that could be.
type explained struct {
	trace     *TraceNode
	low, high branchSet
}

func (n *explained) setTruth() {
	switch {
	case n.low != 0:
		n.trace.Truth = True
	case n.high != 0:
		n.trace.Truth = NotRecorded
	default:
		n.trace.Truth = False
	}
}

// node explains node i. remembered says that it stands where latches count: outside
// of a group, in an expression that is no suppression.
func (x *Explainer) node(i uint32, remembered bool) explained {
	n := &x.m.p.nodes[i]
	kids := x.m.p.kids[n.from:n.to]
	var out explained
	switch n.op {
	case signals.NodeTerm:
		if x.alone {
			out = x.aloneTerm(n.term)
		} else {
			out = x.term(&x.m.p.terms[n.term])
		}
	case signals.NodeAnd:
		out = x.and(kids, remembered)
	case signals.NodeOr:
		out = x.or(kids, remembered)
	default:
		kid := x.node(kids[0], false)
		out = explained{&TraceNode{Op: TraceGroup, Kids: []*TraceNode{kid.trace}}, grouped(kid.low), grouped(kid.high)}
	}
	if remembered && out.low&onThisEvent == 0 {
		x.recall(i, &out)
	}
	out.setTruth()
	return out
}

func (x *Explainer) and(kids []uint32, remembered bool) explained {
	out := explained{&TraceNode{Op: TraceAnd}, onProcess, onProcess}
	decided := ""
	for _, i := range kids {
		if decided != "" && !x.o.All {
			out.trace.Kids = append(out.trace.Kids, x.skipped(i, "AND is false by "+short(decided)))
			continue
		}
		kid := x.node(i, remembered)
		out.low, out.high = join(out.low, kid.low), join(out.high, kid.high)
		out.trace.Kids = append(out.trace.Kids, kid.trace)
		if kid.high == 0 && decided == "" {
			decided = x.label(i)
		}
	}
	return out
}

func (x *Explainer) or(kids []uint32, remembered bool) explained {
	out := explained{trace: &TraceNode{Op: TraceOr}}
	decided := ""
	for _, i := range kids {
		if decided != "" && !x.o.All {
			out.trace.Kids = append(out.trace.Kids, x.skipped(i, "OR is true by "+short(decided)))
			continue
		}
		kid := x.node(i, remembered)
		out.low, out.high = out.low|kid.low, out.high|kid.high
		out.trace.Kids = append(out.trace.Kids, kid.trace)
		if kid.low&onThisEvent != 0 && decided == "" {
			decided = x.label(i)
		}
	}
	return out
}

// skipped is node i, left out.
func (x *Explainer) skipped(i uint32, why string) *TraceNode {
	n := &x.m.p.nodes[i]
	out := &TraceNode{Truth: NotEvaluated, Note: why}
	switch n.op {
	case signals.NodeTerm:
		out.Op, out.Text, out.Truth = TraceTerm, x.m.p.terms[n.term].text, NotEvaluated
		return out
	case signals.NodeAnd:
		out.Op = TraceAnd
	case signals.NodeOr:
		out.Op = TraceOr
	default:
		out.Op = TraceGroup
	}
	for _, kid := range x.m.p.kids[n.from:n.to] {
		k := x.skipped(kid, "")
		out.Kids = append(out.Kids, k)
	}
	return out
}

// maxLabel bounds the bytes of a part's text where it stands for the part.
const maxLabel = 60

// short returns the beginning of a text that stands for a part.
func short(text string) string {
	if len(text) <= maxLabel {
		return text
	}
	n := maxLabel
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n] + "…"
}

// label names node i in a few words: its first term.
func (x *Explainer) label(i uint32) string {
	n := &x.m.p.nodes[i]
	switch n.op {
	case signals.NodeTerm:
		return x.m.p.terms[n.term].text
	case signals.NodeGroup:
		return "group(" + x.label(x.m.p.kids[n.from]) + ")"
	}
	first := x.label(x.m.p.kids[n.from])
	if n.to-n.from == 1 {
		return first
	}
	return "(" + first + " …)"
}

// recall adds to out what earlier events of the process met, if node i is something
// that the signal remembers.
func (x *Explainer) recall(i uint32, out *explained) {
	if !x.remembers() {
		return
	}
	k, ok := x.m.p.memory.itemOf(i)
	if !ok {
		return
	}
	if latch := x.latch(k); latch != nil {
		out.low, out.high = out.low|latched, out.high|latched
		out.trace.Latch, out.trace.Note = latch, ""
		if !x.o.All {
			out.trace.Kids = nil // what this event does not meet does not matter
		}
		return
	}
	if x.o.Forgotten {
		out.high |= latched
		if out.low == 0 {
			out.trace.Note = "not met by this event; what earlier events of its process met is not stored"
		}
	}
}

// latch returns which earlier event met item k, or nil if none did.
func (x *Explainer) latch(k uint32) *LatchTrace {
	var items []event.ProofItem
	if proof := x.m.latches.at.proof(k); proof != "" {
		items = x.m.p.appendItems(nil, k, proof)
	} else {
		items = x.stored(&x.m.p.memory.items[k])
	}
	if len(items) == 0 {
		return nil
	}
	return &LatchTrace{Event: items[0].Event, Time: items[0].Time, Items: items}
}

// stored returns the items of the stored proof that show that one earlier event met
// it, or nil. A proof of another branch may have some terms of it, too.
func (x *Explainer) stored(it *item) []event.ProofItem {
	for i := range x.o.Latches {
		id := x.o.Latches[i].Event
		if id == x.m.judge.event.ID {
			continue
		}
		var items []event.ProofItem
		for _, t := range it.terms {
			for _, l := range x.o.Latches {
				if l.Event == id && l.Term == x.m.p.terms[t].id {
					items = append(items, l)
					break
				}
			}
		}
		if len(items) > 0 && x.shown(it.node, items) {
			return items
		}
	}
	return nil
}

// shown reports whether the terms of items make node i true.
func (x *Explainer) shown(i uint32, items []event.ProofItem) bool {
	n := &x.m.p.nodes[i]
	if n.op == signals.NodeTerm {
		return slices.ContainsFunc(items, func(it event.ProofItem) bool { return it.Term == x.m.p.terms[n.term].id })
	}
	for _, kid := range x.m.p.kids[n.from:n.to] {
		if met := x.shown(kid, items); met != (n.op == signals.NodeAnd) {
			return met
		}
	}
	return n.op == signals.NodeAnd
}

// term explains one term on the event at hand.
func (x *Explainer) term(t *term) explained {
	out := explained{trace: &TraceNode{Op: TraceTerm, Text: t.text}}
	class := onThisEvent
	switch {
	case !t.onEvent:
		class = onProcess
	case t.negate:
		class = negatedOnly
	}
	e := x.m.judge.event
	if !t.concerns(e.Kind) {
		out.trace.Note = fmt.Sprintf("asks for a %s event", kindList(t.kinds))
		return out
	}
	if !x.known(t) {
		out.high = class
		out.trace.Note = "the value is not stored"
		return out
	}
	w := witness{term: t}
	if x.m.judge.holds(t, &w) {
		out.low, out.high = class, class
	}
	out.trace.Term = x.termTrace(t, &w, out.low != 0)
	return out
}

// concerns reports whether an event of kind k can meet t.
func (t *term) concerns(k event.Kind) bool {
	return t.kinds.Has(k) || !t.onEvent && t.cond != residual
}

// kindList names the kinds of s.
func kindList(s event.KindSet) string {
	list := ""
	for _, k := range event.Kinds() {
		if !s.Has(k) {
			continue
		}
		if list != "" {
			list += " or "
		}
		list += k.String()
	}
	return list
}
