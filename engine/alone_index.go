// SPDX-License-Identifier: Apache-2.0

// This file decides, when a program is built, what each alone signal waits for: a set
// of leaves of which one must be met for the signal to be able to fire. It is what
// index.go does for signals with memory; here nothing is remembered, and terms
// that are negated count as much as others: whatever is true is true on the event.

package engine

import (
	"slices"

	"seismo/internal/ascii"
	"seismo/internal/event"
	"seismo/signals"
)

// aloneIndex makes the tables of alone signals.
type aloneIndex struct {
	p        *Program
	plan     *alonePlan
	triggers [][]trigger // by leaf
	known    []uint32    // by leaf
	price    []float64   // by leaf
	waits    [][]uint32  // by leaf: signal, 1
	always   []uint32
}

func newAloneIndex(p *Program) *aloneIndex {
	plan := newAlonePlan(p)
	n := len(plan.leaves)
	ix := &aloneIndex{p: p, plan: plan, triggers: make([][]trigger, n), known: make([]uint32, n), price: make([]float64, n), waits: make([][]uint32, n)}
	for i := range plan.leaves {
		ix.lookAt(uint32(i))
	}
	return ix
}

func buildAloneIndex(p *Program) (*tables, *tableBuilder) {
	ix := newAloneIndex(p)
	plan := ix.plan
	for _, members := range plan.members {
		for _, i := range members {
			ix.add(i)
		}
	}
	slices.SortFunc(ix.always, func(a, b uint32) int { return int(a) - int(b) })
	x := &tables{known: ix.known}
	for _, i := range ix.always {
		x.always = append(x.always, i, 1)
	}
	var all []waiting
	for i, waits := range ix.waits {
		if ix.known[i]&0xff == knownPresent && len(waits) == 0 {
			ix.triggers[i] = nil // the view knows
		}
		for _, tr := range ix.triggers[i] {
			tr.group = plan.leaves[i].group
			all = append(all, waiting{tr, uint32(i)})
		}
		x.waits = append(x.waits, uint32(len(x.signals)/2))
		x.signals = append(x.signals, waits...)
	}
	x.waits = append(x.waits, uint32(len(x.signals)/2))
	return x, x.freeze(all, true)
}

// add finds what signal i waits for.
func (ix *aloneIndex) add(i uint32) {
	switch n := ix.needs(ix.p.signals[i].root, ix.p.signals[i].group); n.state {
	case needsNothing:
		ix.always = append(ix.always, i)
	case needsOne:
		slices.Sort(n.terms)
		for _, at := range slices.Compact(n.terms) {
			ix.waits[at] = append(ix.waits[at], i, 1)
		}
	}
}

// needs returns what is needed for node i, of a signal of group, to be true: its terms
// are leaves.
func (ix *aloneIndex) needs(i, group uint32) need {
	return ix.p.needOf(i, func(term uint32) need {
		at := ix.plan.leafOf(term, group)
		if ix.plan.leaves[at].negate || ix.known[at]&0xff == knownMet || ix.known[at]&0xff == knownNothing {
			return nothing
		}
		return need{needsOne, ix.price[at], []uint32{at}}
	})
}

// lookAt finds the triggers of leaf i, and what they say of it.
func (ix *aloneIndex) lookAt(i uint32) {
	p := ix.p
	t := &p.terms[ix.plan.leaves[i].term]
	state := uint32(knownWhole)
	if t.cased || t.cond > signals.Exists {
		state = knownFalse
	}
	if t.cond == signals.Exists {
		state = knownPresent
	}
	var all []trigger
	price := 0.0
	for _, ref := range p.atomRefs[t.from:t.to] {
		some, chance := p.aloneTriggers(ref)
		switch {
		case some != nil:
			all, price = append(all, some...), price+chance
			continue
		case state != knownFalse && state != knownPresent && isShortAlone(t, &p.atoms[ref]):
			state, price = knownMet, price+0.5
			continue
		}
		// Any value may meet the atom: without one the term is not met.
		state, price = knownPresent, presence
		all = []trigger{{own: t.own, at: anchorPresent}}
		break
	}
	if len(all) == 0 { // all are short
		state = knownNothing
	}
	price = min(price, 0.95)
	ix.triggers[i], ix.price[i] = all, price
	ix.known[i] = state | uint32(price*65535)<<8
}

// presence is the share of events of a log that have a field which its rules ask for.
const presence = 0.6

// aloneTriggers returns the triggers of which an atom needs one, with the share of
// events that meet one; nil if there is nothing to look for.
func (p *Program) aloneTriggers(ref uint32) (all []trigger, price float64) {
	a := &p.atoms[ref]
	if a.part != signals.NoPart {
		return nil, 0
	}
	on := func(at anchor, literals ...string) {
		for _, lit := range literals {
			if at == anchorContains && len(lit) < gramSize {
				all, price = nil, 0
				return
			}
			all = append(all, trigger{own: a.own, at: at, literal: lit})
			price += aloneChance(at, lit)
		}
	}
	switch a.cond {
	case signals.Exists:
		return []trigger{{own: a.own, at: anchorPresent}}, presence
	case signals.InList:
		return []trigger{{own: a.own, at: anchorList, atom: ref}}, chance(event.NoField, event.String, anchorList, "")
	}
	p.textTriggers(a, event.String, on)
	return all, price
}

// fewWords are values that stand for states, levels, answers and the usual types of
// audit records: a field that has one of them has few others.
var fewWords = []string{"true", "false", "yes", "no", "-", "", "system", "high", "medium", "low", "valid", "unsigned", "success", "failure",
	"service", "tcp", "udp", "local", "root", "setvalue", "createkey", "deletekey", "deletevalue", "renamekey", "syscall", "execve", "cwd", "path", "proctitle", "sockaddr"}

// aloneChance is chance for a literal of an own field.
func aloneChance(at anchor, lit string) float64 {
	if at != anchorIs {
		return chance(event.NoField, event.String, at, lit)
	}
	switch {
	case slices.Contains(fewWords, ascii.Fold(lit)):
		return 0.3
	case len(lit) <= 6 && digits([]byte(lit)) == len(lit): // the number of an event, a port, a type
		return 0.05
	case isCommon(lit):
		return 0.02
	}
	return 0.001
}
