// SPDX-License-Identifier: Apache-2.0

// This file says what a term can be looked for by: for each atom the literals of
// which a value that meets it must meet one. Which terms signals wait for is in
// index.go.

package engine

import (
	"encoding/binary"
	"slices"

	"seismo/internal/ascii"
	"seismo/internal/event"
	"seismo/internal/pattern"
	"seismo/signals"
)

// isShort reports whether a is one of the literals of t, a term on a field, that are
// too short for the gram filter.
func (p *Program) isShort(t *term, a *atom) bool {
	return t.cond == signals.Contains && a.cond == signals.Contains && !t.cased && t.own == "" && t.valueType != event.Address &&
		a.literal != "" && len(a.literal) < gramSize
}

// triggersOf returns the triggers of which an atom needs one, with the share of
// events that meet one; nil if there is nothing to look for.
func (p *Program) triggersOf(ref uint32) (all []trigger, price float64) {
	a := &p.atoms[ref]
	typ := typeOf(a.own, event.Describe(a.field))
	on := func(at anchor, literals ...string) {
		for _, lit := range literals {
			if at == anchorContains && len(lit) < gramSize {
				all, price = nil, 0
				return
			}
			all = append(all, trigger{field: a.field, own: a.own, at: at, literal: lit})
			price += chance(a.field, typ, at, lit)
		}
	}
	switch typ {
	case event.Integer, event.Identifier, event.Time:
		if a.cond == signals.Is {
			on(anchorNumber, string(binary.LittleEndian.AppendUint64(nil, uint64(a.number))))
		}
	case event.Address:
		if a.cond == signals.Is || a.cond == signals.InCIDR {
			prefix := p.prefixes[a.aux]
			on(anchorAddress, string(append(prefix.Addr().AsSlice(), byte(prefix.Bits()))))
		}
	default:
		p.textTriggers(a, typ, on)
	}
	if all == nil && a.cond == signals.InList {
		return []trigger{{field: a.field, own: a.own, at: anchorList, atom: ref}}, chance(a.field, typ, anchorList, "")
	}
	if all == nil && a.own != "" {
		on(anchorPresent, "")
	}
	return all, price
}

// textTriggers calls on with what an atom on a text needs.
func (p *Program) textTriggers(a *atom, typ event.Type, on func(anchor, ...string)) {
	lit := ascii.Fold(a.literal)
	switch a.cond {
	case signals.Is:
		on(anchorIs, lit)
	case signals.Contains, signals.BeginsWith, signals.EndsWith:
		at := map[signals.Condition]anchor{signals.Contains: anchorContains, signals.BeginsWith: anchorBegins, signals.EndsWith: anchorEnds}[a.cond]
		if lit != "" {
			on(at, lit)
		}
	case signals.Glob, signals.PathGlob:
		g, err := pattern.ParseGlob(a.literal, a.cond == signals.PathGlob, a.cased)
		if err != nil {
			return
		}
		begins, ends, contains := g.Needs()
		best, bestAt, price := "", anchorContains, 1.0
		consider := func(at anchor, s string) {
			s = ascii.Fold(s)
			if s == "" || at == anchorContains && len(s) < gramSize {
				return
			}
			if c := chance(a.field, typ, at, s); c < price {
				best, bestAt, price = s, at, c
			}
		}
		consider(anchorBegins, begins)
		consider(anchorEnds, ends)
		for _, s := range contains {
			consider(anchorContains, s)
		}
		if best != "" {
			on(bestAt, best)
		}
	case signals.Regex:
		r, err := pattern.ParseRegex(a.literal, a.cased)
		if err != nil {
			return
		}
		needs := make([]string, 0, len(r.Needs()))
		for _, s := range r.Needs() {
			needs = append(needs, ascii.Fold(s))
		}
		if !slices.ContainsFunc(needs, func(s string) bool { return len(s) < gramSize }) {
			on(anchorContains, needs...)
		}
	}
}
