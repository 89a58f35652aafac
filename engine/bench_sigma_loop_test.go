// SPDX-License-Identifier: Apache-2.0

// This file is the loop that the speed of Sigma rules is measured against: the rules of
// an event's logs in order, each with short circuit, by strings.Contains, HasPrefix,
// HasSuffix and ==, with regular expressions compiled. The fields of an event that
// those rules read are folded once, inside the clock; they lie in slots that were
// worked out before, so that the loop has no map, and it allocates nothing.

package engine

import (
	"strings"
	"unsafe"

	"seismo/internal/ascii"
	"seismo/internal/event"
	"seismo/internal/pattern"
	"seismo/signals"
)

// sigmaNode is an expression of the loop.
type sigmaNode struct {
	op       signals.NodeOp
	kids     []sigmaNode
	slot     int // of the field; -1: every value of the event
	cond     signals.Condition
	part     signals.DatePart
	not      bool
	cased    bool
	literals []string
	regexes  []*pattern.Regex
	globs    []*pattern.Glob
	atoms    []*atom
	others   []int // slots
}

// sigmaValue is a value of the event at hand.
type sigmaValue struct {
	slot        int
	raw, folded string
}

// sigmaEvent is an event with the slots of its values, as a source would have filled
// them.
type sigmaEvent struct {
	values []sigmaValue
	rules  []*sigmaNode // of its logs, in order
}

// sigmaLoop is the state of the loop.
type sigmaLoop struct {
	p      *Program
	slots  map[string]int
	rules  []sigmaNode
	values []sigmaValue
	first  []int // by slot: 1 + its first value; the others of a slot follow it
	arena  []byte
	routes map[*event.Logsource][]*sigmaNode
	// byRoute has the rules of views of a live log.
	byRoute map[*route][]*sigmaNode
	reads   map[*event.Logsource]map[int]bool
}

func newSigmaLoop(p *Program) *sigmaLoop {
	l := &sigmaLoop{p: p, slots: map[string]int{}, routes: map[*event.Logsource][]*sigmaNode{}, byRoute: map[*route][]*sigmaNode{}, reads: map[*event.Logsource]map[int]bool{}}
	for i := range p.signals {
		l.rules = append(l.rules, l.lower(p.signals[i].root))
	}
	l.first = make([]int, len(l.slots))
	return l
}

func (l *sigmaLoop) slot(name string) int {
	if name == signals.AnyField {
		return -1
	}
	at, ok := l.slots[name]
	if !ok {
		at = len(l.slots)
		l.slots[name] = at
	}
	return at
}

func (l *sigmaLoop) lower(i uint32) sigmaNode {
	n := &l.p.nodes[i]
	if n.op != signals.NodeTerm {
		out := sigmaNode{op: n.op}
		for _, kid := range l.p.kids[n.from:n.to] {
			out.kids = append(out.kids, l.lower(kid))
		}
		return out
	}
	t := &l.p.terms[n.term]
	out := sigmaNode{cond: t.cond, part: t.part, not: t.negate, cased: t.cased, slot: l.slot(t.own)}
	for _, ref := range l.p.atomRefs[t.from:t.to] {
		a := &l.p.atoms[ref]
		out.literals, out.atoms = append(out.literals, a.literal), append(out.atoms, a)
		switch {
		case a.cond == signals.Regex:
			out.regexes = append(out.regexes, l.p.regexes[a.aux])
		case a.cond == signals.Glob:
			out.globs = append(out.globs, l.p.globs[a.aux])
		case readsOther(a.cond):
			out.others = append(out.others, l.slot(a.literal))
		}
	}
	return out
}

// prepare finds the rules of e and the slots of the values that they read.
func (l *sigmaLoop) prepare(e *event.Event) sigmaEvent {
	rules, known := l.routes[e.Logsource]
	if !known {
		reads := map[int]bool{}
		for i := range l.rules {
			if of := &l.p.logsources[l.p.signals[i].group]; e.Logsource.Includes(of.Product, of.Category, of.Service) {
				rules = append(rules, &l.rules[i])
				slotsUnder(&l.rules[i], reads)
			}
		}
		l.routes[e.Logsource], l.reads[e.Logsource] = rules, reads
	}
	out := sigmaEvent{rules: rules}
	reads := l.reads[e.Logsource]
	for own := range e.Own() {
		slot, ok := l.slots[string(own.Name)]
		if ok = ok && reads[slot]; !ok && !reads[-1] {
			continue
		}
		if !ok {
			slot = -1
		}
		out.add(sigmaValue{slot: slot, raw: string(own.Value)})
	}
	return out
}

// add adds a value. Those of one slot stand together.
func (e *sigmaEvent) add(v sigmaValue) {
	at := len(e.values)
	for i := range e.values {
		if v.slot >= 0 && e.values[i].slot == v.slot {
			at = i + 1
		}
	}
	e.values = append(e.values[:at:at], append([]sigmaValue{v}, e.values[at:]...)...)
}

func slotsUnder(n *sigmaNode, reads map[int]bool) {
	if n.op == signals.NodeTerm {
		reads[n.slot] = true
		for _, other := range n.others {
			reads[other] = true
		}
	}
	for i := range n.kids {
		slotsUnder(&n.kids[i], reads)
	}
}

// match judges e and returns how many of its rules are true.
func (l *sigmaLoop) match(e *sigmaEvent) (fires int) {
	l.values, l.arena = e.values, l.arena[:0]
	for i := range e.values {
		v := &e.values[i]
		from := len(l.arena)
		l.arena = ascii.AppendFolded(l.arena, v.raw)
		b := l.arena[from:]
		v.folded = unsafe.String(unsafe.SliceData(b), len(b))
		if v.slot >= 0 && l.first[v.slot] == 0 {
			l.first[v.slot] = i + 1
		}
	}
	for _, n := range e.rules {
		if l.holds(n) {
			fires++
		}
	}
	for i := range e.values {
		if slot := e.values[i].slot; slot >= 0 {
			l.first[slot] = 0
		}
	}
	return fires
}

func (l *sigmaLoop) holds(n *sigmaNode) bool {
	switch n.op {
	case signals.NodeTerm:
		return l.met(n) != n.not
	case signals.NodeOr:
		for i := range n.kids {
			if l.holds(&n.kids[i]) {
				return true
			}
		}
		return false
	}
	for i := range n.kids {
		if !l.holds(&n.kids[i]) {
			return false
		}
	}
	return true
}

func (l *sigmaLoop) met(n *sigmaNode) bool {
	if n.slot < 0 {
		for i := range l.values {
			if l.meets(n, &l.values[i]) {
				return true
			}
		}
		return false
	}
	for i := l.first[n.slot]; i > 0 && i <= len(l.values) && l.values[i-1].slot == n.slot; i++ {
		if l.meets(n, &l.values[i-1]) {
			return true
		}
	}
	return false
}

func (l *sigmaLoop) meets(n *sigmaNode, v *sigmaValue) bool {
	if n.part != signals.NoPart {
		return l.slow(n, v)
	}
	s := v.folded
	if n.cased {
		s = v.raw
	}
	switch n.cond {
	case signals.Contains:
		for _, lit := range n.literals {
			if strings.Contains(s, lit) {
				return true
			}
		}
		return false
	case signals.EndsWith:
		for _, lit := range n.literals {
			if strings.HasSuffix(s, lit) {
				return true
			}
		}
		return false
	case signals.BeginsWith:
		for _, lit := range n.literals {
			if strings.HasPrefix(s, lit) {
				return true
			}
		}
		return false
	case signals.Is:
		for _, lit := range n.literals {
			if s == lit {
				return true
			}
		}
		return false
	case signals.Exists:
		return true
	case signals.Regex:
		for _, r := range n.regexes {
			if r.MatchString(v.raw) {
				return true
			}
		}
		return false
	case signals.Glob:
		for _, g := range n.globs {
			if g.MatchString(v.raw) {
				return true
			}
		}
		return false
	}
	return l.slow(n, v)
}

// slow judges what few rules have.
func (l *sigmaLoop) slow(n *sigmaNode, v *sigmaValue) bool {
	raw := unsafe.Slice(unsafe.StringData(v.raw), len(v.raw))
	for _, a := range n.atoms {
		switch {
		case a.part != signals.NoPart && meetsDate(a, raw),
			a.part == signals.NoPart && isComparison(a.cond) && meetsNumber(a, raw),
			a.part == signals.NoPart && a.cond == signals.InCIDR && meetsNetwork(l.p.prefixes[a.aux], raw):
			return true
		}
	}
	for _, other := range n.others {
		for i := l.first[other]; i > 0 && i <= len(l.values) && l.values[i-1].slot == other; i++ {
			o := &l.values[i-1]
			a, b := v.folded, o.folded
			if n.cased {
				a, b = v.raw, o.raw
			}
			if n.cond == signals.IsField && a == b || n.cond == signals.ContainsField && strings.Contains(a, b) ||
				n.cond == signals.BeginsWithField && strings.HasPrefix(a, b) || n.cond == signals.EndsWithField && strings.HasSuffix(a, b) {
				return true
			}
		}
	}
	return false
}
