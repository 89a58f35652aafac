// SPDX-License-Identifier: Apache-2.0

// This file decides, when a program is built, what each signal waits for: for each
// kind of event a set of triggers of which at least one must be met for the signal
// to be able to fire on such an event or to remember something of it. Of several
// such sets the one is taken that is met most seldom, as far as rarity.go can
// tell. What an atom can be looked for by is in trigger.go.
// A set that is too large makes the engine slower; one that lacks a trigger would
// lose matches. The plain mode, which judges every signal, is the test of it.

package engine

import (
	"slices"

	"seismo/internal/event"
	"seismo/signals"
)

// need says what must be met for something to be true: one of the triggers of
// terms.
type need struct {
	state needState
	price float64  // about the share of events that meet a trigger; 1 for needsNothing
	terms []uint32 // each once at most, in no order
}

type needState uint8

const (
	needsNothing needState = iota // it can be true whatever the event holds
	needsOne                      // of the triggers of terms
	needsMore                     // more than any event has: it is never true
)

var (
	nothing = need{state: needsNothing, price: 1}
	unmet   = need{state: needsMore}
)

// either returns what is needed for any of two things to be true.
func either(a, b need) need {
	switch {
	case a.state == needsMore:
		return b
	case b.state == needsMore:
		return a
	case a.state == needsNothing || b.state == needsNothing:
		return nothing
	}
	return need{needsOne, a.price + b.price, append(a.terms, b.terms...)}
}

// both returns the better one of what is needed for two things to be true at once.
func both(a, b need) need {
	switch {
	case a.state == needsMore || b.state == needsMore:
		return unmet
	case a.state == needsNothing:
		return b
	case b.state == needsNothing || a.price <= b.price:
		return a
	}
	return b
}

// index makes the tables of a program.
type index struct {
	p        *Program
	triggers [][]trigger // by term: what its atoms can not be met without; nil if not known
	partial  []bool      // by term: triggers are not those of its short literals
	byTerm   []need
	waits    [][]uint32 // by term: the signals that wait for it, with their slots
	always   []uint32
	checked  []uint32
}

// buildTables makes the tables of p, whose other tables are complete: as they are
// read from a signals.bin, so that there is no other form of them.
func buildTables(p *Program) (*tables, *fault) {
	x, _ := buildIndex(p)
	return decodeTables(x.appendTo(nil), p, tableTables, len(p.terms))
}

func buildIndex(p *Program) (*tables, *tableBuilder) {
	ix := &index{p: p, triggers: make([][]trigger, len(p.terms)), byTerm: make([]need, len(p.terms)),
		partial: make([]bool, len(p.terms)), waits: make([][]uint32, len(p.terms))}
	asked := p.textTerms()
	for i := range p.terms {
		if ix.byTerm[i] = nothing; asked[i] {
			ix.lookAt(uint32(i))
		}
	}
	for i := range p.signals {
		if p.signals[i].isText() {
			ix.add(uint32(i))
		}
	}
	x := &tables{always: ix.always, checked: ix.checked, late: lateFields(p)}
	var all []waiting
	for i, waits := range ix.waits {
		for _, tr := range ix.triggers[i] {
			all = append(all, waiting{tr, uint32(i)})
		}
		x.waits = append(x.waits, uint32(len(x.signals)/2))
		x.signals = append(x.signals, waits...)
	}
	x.waits = append(x.waits, uint32(len(x.signals)/2))
	b := x.freeze(all, false)
	x.known = ix.knownTerms()
	return x, b
}

// textTerms reports for each term whether a signal that is not judged alone has it,
// in its expressions of suppression too.
func (p *Program) textTerms() []bool {
	asked, seen := make([]bool, len(p.terms)), make([]bool, len(p.nodes))
	for i := range p.signals {
		if s := &p.signals[i]; s.isText() {
			seen[s.root] = true
			for _, root := range p.suppressRoots[s.from:s.to] {
				seen[root] = true
			}
		}
	}
	for i := len(p.nodes) - 1; i >= 0; i-- { // children come before their parents
		n := &p.nodes[i]
		if !seen[i] {
			continue
		}
		for _, kid := range p.kids[n.from:n.to] {
			seen[kid] = true
		}
		asked[n.term] = asked[n.term] || n.op == signals.NodeTerm
	}
	return asked
}

// knownTerms returns for each term what the keys that were met say of it.
func (ix *index) knownTerms() []uint32 {
	known := make([]uint32, len(ix.p.terms))
	for i := range known {
		t := &ix.p.terms[i]
		switch {
		case len(ix.triggers[i]) == 0 || t.cond == signals.Residual:
		case ix.partial[i]:
			known[i] = knownMet
		case t.cased || t.own != "" || t.cond == signals.Glob || t.cond == signals.PathGlob || t.cond == signals.Regex || t.cond == signals.InList:
			known[i] = knownFalse
		default:
			known[i] = knownWhole
		}
	}
	return known
}

// add finds what signal i waits for.
func (ix *index) add(i uint32) {
	root := ix.p.signals[i].root
	merged := map[uint32]slotSet{} // by term
	var idle slotSet
	for slot, n := range ix.needs(i) {
		switch n.state {
		case needsNothing:
			idle |= 1 << slot
		case needsOne:
			for _, t := range n.terms {
				merged[t] |= 1 << slot
			}
		}
	}
	if idle != 0 {
		if ix.asksProcess(root) && !ix.p.remembers(i) {
			ix.checked = append(ix.checked, i, idle)
		} else {
			ix.always = append(ix.always, i, idle)
		}
	}
	terms := make([]uint32, 0, len(merged))
	for t := range merged {
		terms = append(terms, t)
	}
	slices.Sort(terms)
	for _, t := range terms {
		ix.waits[t] = append(ix.waits[t], i, merged[t])
	}
}

// needs returns what signal i needs for each slot.
func (ix *index) needs(i uint32) []need {
	kinds := event.Kinds()
	all := make([]need, int(kinds[len(kinds)-1])+1)
	for slot := range all {
		all[slot] = unmet
	}
	s := ix.p.signals[i]
	memory := ix.p.remembers(i)
	for _, k := range kinds {
		if s.kinds.Has(k) {
			all[k] = ix.met(s.root, k, memory)
		}
	}
	if s.kinds.Has(event.KindProcess) {
		all[publication] = ix.published(s.root)
	}
	return all
}

// met returns what is needed for an event of kind k to meet a positive event term
// or a group of a branch of node i that can be true. If the signal has memory, the
// rest of the branch may have been met before or be met later.
func (ix *index) met(i uint32, k event.Kind, memory bool) need {
	n := &ix.p.nodes[i]
	kids := ix.p.kids[n.from:n.to]
	switch n.op {
	case signals.NodeTerm:
		if t := &ix.p.terms[n.term]; !t.onEvent || t.negate {
			return unmet
		}
		return ix.term(n.term, k)
	case signals.NodeGroup:
		if !ix.asksEvent(kids[0]) {
			return unmet
		}
		return ix.true(kids[0], k)
	}
	all := unmet
	for _, kid := range kids {
		all = either(all, ix.met(kid, k, memory))
	}
	if n.op == signals.NodeOr || memory {
		return all
	}
	for _, kid := range kids {
		all = both(all, ix.true(kid, k))
	}
	return all
}

// true returns what is needed for node i to be true on an event of kind k.
func (ix *index) true(i uint32, k event.Kind) need {
	return ix.p.needOf(i, func(term uint32) need { return ix.term(term, k) })
}

// published returns what is needed for a branch of node i that has terms on the
// process only to be true.
func (ix *index) published(i uint32) need {
	return ix.p.needOf(i, func(term uint32) need {
		if ix.p.terms[term].onEvent {
			return unmet
		}
		return ix.term(term, event.KindProcess)
	})
}

// needOf returns what is needed for node i to be true, of what its terms need.
func (p *Program) needOf(i uint32, of func(term uint32) need) need {
	n := &p.nodes[i]
	kids := p.kids[n.from:n.to]
	switch n.op {
	case signals.NodeTerm:
		return of(n.term)
	case signals.NodeOr:
		any := unmet
		for _, kid := range kids {
			any = either(any, p.needOf(kid, of))
		}
		return any
	}
	all := nothing
	for _, kid := range kids {
		all = both(all, p.needOf(kid, of))
	}
	return all
}

// term returns what term i needs to be true on an event of kind k.
func (ix *index) term(i uint32, k event.Kind) need {
	t := &ix.p.terms[i]
	if t.onEvent && !t.kinds.Has(k) {
		return unmet
	}
	n := ix.byTerm[i]
	if n.state == needsOne && t.scope != event.ScopeEvent && k != event.KindProcess {
		n.price = min(2*n.price, 0.95) // a process that meets it does so on each of its events
	}
	return n
}

// remembers reports whether a process remembers something for signal i.
func (p *Program) remembers(i uint32) bool { return len(p.memory.ofSignal[i]) > 0 }

func (ix *index) asksEvent(i uint32) bool { return ix.asks(i, true) }

func (ix *index) asksProcess(i uint32) bool { return ix.asks(i, false) }

// asks reports whether a term under node i is on the event, or on the process.
func (ix *index) asks(i uint32, onEvent bool) bool {
	n := &ix.p.nodes[i]
	if n.op == signals.NodeTerm {
		return ix.p.terms[n.term].onEvent == onEvent
	}
	return slices.ContainsFunc(ix.p.kids[n.from:n.to], func(kid uint32) bool { return ix.asks(kid, onEvent) })
}

// lookAt finds the triggers of term i.
func (ix *index) lookAt(i uint32) {
	t := &ix.p.terms[i]
	ix.byTerm[i] = nothing
	var all []trigger
	price := 0.0
	for _, ref := range ix.p.atomRefs[t.from:t.to] {
		some, chance := ix.p.triggersOf(ref)
		switch {
		case some != nil:
		case ix.p.isShort(t, &ix.p.atoms[ref]):
			ix.partial[i] = true
		default:
			return
		}
		all = append(all, some...)
		price += chance
	}
	if len(all) == 0 {
		return
	}
	if ix.triggers[i] = all; t.negate || ix.partial[i] {
		return
	}
	ix.byTerm[i] = need{needsOne, min(price, 0.9), []uint32{i}}
}

// lateFields returns (field, signal) for each signal with a term on a field of
// process scope, directly or as that of an ancestor or parent: what it is judged
// on can change when a value of the field arrives late. Sorted by field, then signal.
func lateFields(p *Program) []uint32 {
	byField := map[event.Field][]uint32{}
	for i := range p.signals {
		if !p.signals[i].isText() {
			continue
		}
		var fields []event.Field
		p.eachTerm(p.signals[i].root, func(t *term) {
			if t.cond != signals.Residual {
				fields = append(fields, t.field)
				return
			}
			fields = append(fields, p.residues[t.residue].fields...)
		})
		for j, f := range fields {
			fields[j] = event.ProcessField(f)
		}
		slices.Sort(fields)
		for _, f := range slices.Compact(fields) {
			if f != event.NoField {
				byField[f] = append(byField[f], uint32(i))
			}
		}
	}
	var all []uint32
	for _, in := range event.Fields() {
		for _, i := range byField[in.Field] {
			all = append(all, uint32(in.Field), i)
		}
	}
	return all
}

// eachTerm calls do for each term under node i.
func (p *Program) eachTerm(i uint32, do func(*term)) {
	n := &p.nodes[i]
	if n.op == signals.NodeTerm {
		do(&p.terms[n.term])
		return
	}
	for _, kid := range p.kids[n.from:n.to] {
		p.eachTerm(kid, do)
	}
}
