// SPDX-License-Identifier: Apache-2.0

// This file lowers checked expressions to the IR, whose form is in ir.go: NOT is
// pushed down into the terms, which are lowered in lowerterm.go. dump.go prints
// the result.

package signals

import (
	"crypto/sha256"
	"fmt"

	"seismo/internal/event"
)

// The bounds of a signal set: compiling and judging must stay bounded whatever
// the files say.
const (
	maxDefinitions = 20_000
	maxAtoms       = 1_000_000 // and as many terms
	maxNodes       = 1_000_000
	maxTermAtoms   = 4_000_000 // values of all terms
)

// Lower makes the IR of defs, which [Load] or [ParseFile] have returned; they stay as they are. The
// result does not depend on the order of defs.
//
// The error is a [Diagnostics]: a definition without expression, an id that
// stands twice, or a set that is too large.
func Lower(defs []Definition) (*Set, error) { return LowerInput(Input{Definitions: defs}) }

// LowerInput is [Lower] with filters and correlations: filters are joined to their
// rules, and correlations tied to theirs. The error names too what refers to a
// definition that is not there, and correlations that lead back to themselves.
func LowerInput(in Input) (*Set, error) {
	l := &lowerer{
		terms: map[[sha256.Size]byte]uint32{}, ids: map[uint64]bool{},
		atoms: map[Atom]uint32{}, residues: map[string]uint32{},
	}
	if len(in.Definitions) > maxDefinitions {
		l.fail(Position{}, "%d signals, at most %d are taken", len(in.Definitions), maxDefinitions)
		return nil, l.diags.err()
	}
	linked, err := link(in)
	if err != nil {
		return nil, err
	}
	l.set = &Set{Definitions: linked.defs}
	silent := linked.silent(in.Silent)
	for i := range l.set.Definitions {
		d := &l.set.Definitions[i]
		switch {
		case d.Expr == nil && d.Correlation == nil:
			l.fail(d.Pos, "signal %s has no checked expression", quote(d.Name))
			continue
		case i > 0 && l.set.Definitions[i-1].ID == d.ID:
			l.fail(d.Pos, "id %s stands twice", quote(d.ID))
			continue
		}
		if l.signal(d, Signal{Silent: silent[i], Correlation: linked.links[i]}); l.full {
			break
		}
		d.Expr, d.SuppressExprs, d.Original = nil, nil, nil // of a large set they take more than all the rest
	}
	if err := l.diags.err(); err != nil {
		return nil, err
	}
	return l.set, nil
}

// link ties in, and is an error if anything can not be tied.
func link(in Input) (*linker, error) {
	l := newLinker(in)
	if needed(&in) {
		l.correlations()
		l.filters(in.Filters)
	}
	return l, l.diags.err()
}

type lowerer struct {
	set   *Set
	terms map[[sha256.Size]byte]uint32 // by the hash of the canonical form
	ids   map[uint64]bool              // of terms
	atoms map[Atom]uint32
	// residues are those of CEL, by text.
	residues map[string]uint32
	full     bool // the set is larger than it may be
	diags    Diagnostics

	termAtoms int // of all terms

	scratch struct {
		atoms []Atom
		form  canonical
	}
}

// signal lowers d, of whose signal s is what links say.
func (l *lowerer) signal(d *Definition, s Signal) {
	switch {
	case d.Correlation != nil: // it has no expression
	case d.Language == LanguageSigma:
		s.Alone, s.Logsource = true, d.Logsource
		s.Root, _ = l.expr(d.Expr, false, false, d)
		s.Kinds = event.AllKinds // the logsource says which of them
	default:
		l.remembering(d, &s)
	}
	l.set.Signals = append(l.set.Signals, s)
	l.bounds(d)
}

// remembering lowers d, which is judged on a process with memory, into s.
func (l *lowerer) remembering(d *Definition, s *Signal) {
	root, r := l.expr(d.Expr, false, false, d)
	// A branch without event terms fires when its process is published; one that
	// earlier events have met can be completed by a value that arrives later.
	if r.process || r.events > 1 && r.late || r.events > 0 && r.waits {
		r.kinds |= event.SetOf(event.KindProcess)
	}
	s.Root, s.Kinds = root, r.kinds
	for _, e := range d.SuppressExprs {
		root, _ := l.expr(e, false, true, d)
		s.Suppress = append(s.Suppress, root)
	}
}

// bounds reports that the set has become too large by d.
func (l *lowerer) bounds(d *Definition) {
	for _, bound := range []struct {
		n, max int
		what   string
	}{{len(l.set.Atoms), maxAtoms, "different values"}, {len(l.set.Terms), maxAtoms, "different terms"}, {len(l.set.Nodes), maxNodes, "terms and operators"}, {l.termAtoms, maxTermAtoms, "values"}} {
		if bound.n > bound.max && !l.full {
			l.fail(d.Pos, "more than %d %s in all signals", bound.max, bound.what)
			l.full = true
		}
	}
}

func (l *lowerer) fail(pos Position, format string, args ...any) {
	l.diags = append(l.diags, Diagnostic{Pos: pos, Message: fmt.Sprintf(format, args...)})
}

// expr lowers e, negated if negate, and returns its node and where it can be
// true.
func (l *lowerer) expr(e *Expr, negate, group bool, d *Definition) (uint32, reach) {
	switch e.Op {
	case ExprTerm:
		term := l.term(e.Term, negate != e.Term.Negate, group, d)
		r := termReach(e.Term)
		if !r.process && negate == e.Term.Negate {
			r.events = 1
		}
		return l.node(Node{Op: NodeTerm, Term: term}), r
	case ExprNot:
		return l.expr(e.Kids[0], !negate, group, d)
	case ExprGroup:
		kid, r := l.expr(e.Kids[0], negate, true, d)
		if r.events = 0; r.kinds != 0 {
			r.events = 1
		}
		return l.node(Node{Op: NodeGroup, Kids: []uint32{kid}}), r
	}
	n := Node{Op: NodeAnd}
	if (e.Op == ExprOr) != negate {
		n.Op = NodeOr
	}
	var all reach
	for i, k := range flatten(e, negate, nil) {
		kid, r := l.expr(k.expr, k.negate, group, d)
		n.Kids = append(n.Kids, kid)
		switch {
		case i == 0:
			all = r
		case n.Op == NodeAnd && group:
			all = all.and(r)
		case n.Op == NodeAnd:
			all = all.beside(r)
		default:
			all = all.or(r)
		}
	}
	return l.node(n), all
}

func (l *lowerer) node(n Node) uint32 {
	l.set.Nodes = append(l.set.Nodes, n)
	return uint32(len(l.set.Nodes) - 1)
}

// part is an expression and whether it stands negated.
type part struct {
	expr   *Expr
	negate bool
}

// flatten appends to parts what the AND or OR e consists of, negated if negate:
// parts that are of the same operation once NOT is pushed down are taken apart.
func flatten(e *Expr, negate bool, parts []part) []part {
	for _, k := range e.Kids {
		neg := negate
		for k.Op == ExprNot {
			k, neg = k.Kids[0], !neg
		}
		if (k.Op == ExprAnd || k.Op == ExprOr) && (k.Op == e.Op) == (neg == negate) {
			parts = flatten(k, neg, parts)
		} else {
			parts = append(parts, part{k, neg})
		}
	}
	return parts
}
