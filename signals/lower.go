// SPDX-License-Identifier: Apache-2.0

// This file lowers checked expressions to the IR, whose form is in ir.go: NOT is
// pushed down into the terms, literals are folded, equal terms and atoms become
// one. dump.go prints the result.

package signals

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"seismo/internal/event"
)

// The bounds of a signal set: compiling and judging must stay bounded whatever
// the files say.
const (
	maxDefinitions = 20_000
	maxAtoms       = 200_000
)

// Lower makes the IR of defs, which [Load] or [ParseFile] have returned. The
// result does not depend on the order of defs.
//
// The error is a [Diagnostics]: a definition without expression, an id that
// stands twice, or a set that is too large.
func Lower(defs []Definition) (*Set, error) {
	l := &lowerer{
		set:   &Set{Definitions: slices.Clone(defs)},
		terms: map[string]uint32{},
		ids:   map[uint64]string{},
		atoms: map[Atom]uint32{},
	}
	slices.SortStableFunc(l.set.Definitions, func(a, b Definition) int { return strings.Compare(a.ID, b.ID) })
	if len(defs) > maxDefinitions {
		l.fail(Position{}, "%d signals, at most %d are taken", len(defs), maxDefinitions)
		return nil, l.diags.err()
	}
	for i := range l.set.Definitions {
		d := &l.set.Definitions[i]
		switch {
		case d.Expr == nil:
			l.fail(d.Pos, "signal %s has no checked expression", quote(d.Name))
			continue
		case i > 0 && l.set.Definitions[i-1].ID == d.ID:
			l.fail(d.Pos, "id %s stands twice", quote(d.ID))
			continue
		}
		root, r := l.expr(d.Expr, false, false, d)
		if r.process { // a branch without event terms fires when its process is published
			r.kinds |= event.SetOf(event.KindProcess)
		}
		l.set.Signals = append(l.set.Signals, Signal{Root: root, Kinds: r.kinds})
		if len(l.set.Atoms) > maxAtoms {
			l.fail(d.Pos, "more than %d different values in all signals", maxAtoms)
			break
		}
	}
	if err := l.diags.err(); err != nil {
		return nil, err
	}
	return l.set, nil
}

type lowerer struct {
	set   *Set
	terms map[string]uint32 // by canonical form
	ids   map[uint64]string // canonical form by id
	atoms map[Atom]uint32
	diags Diagnostics
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
		return l.node(Node{Op: NodeTerm, Term: term}), termReach(e.Term)
	case ExprNot:
		return l.expr(e.Kids[0], !negate, group, d)
	case ExprGroup:
		kid, r := l.expr(e.Kids[0], negate, true, d)
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

// term returns the number of term t, negated or not.
func (l *lowerer) term(t *TermExpr, negate, group bool, d *Definition) uint32 {
	atoms := termAtoms(t)
	form := canonicalTerm(t, atoms, negate, group)
	if n, ok := l.terms[form]; ok {
		return n
	}
	sum := sha256.Sum256([]byte(form))
	id := binary.BigEndian.Uint64(sum[:8])
	if other, ok := l.ids[id]; ok && other != form {
		l.fail(t.Pos, "term %s of signal %s has the same id as another one; write it in another way", quote(t.Text), quote(d.Name))
	}
	l.ids[id] = form
	term := Term{
		ID: id, Text: t.Text, Field: t.Field, Kinds: termKinds(t),
		Cond: t.Cond, Negate: negate, Cased: t.Cased, Group: group,
	}
	if t.Own {
		term.Own = t.Property
	}
	if negate != t.Negate { // NOT was pushed down: the text says what is judged
		var b strings.Builder
		t.print(&b, negate)
		term.Text = b.String()
	}
	for _, a := range atoms {
		term.Atoms = append(term.Atoms, l.atom(a))
	}
	n := uint32(len(l.set.Terms))
	l.set.Terms = append(l.set.Terms, term)
	l.terms[form] = n
	return n
}

func (l *lowerer) atom(a Atom) uint32 {
	n, ok := l.atoms[a]
	if !ok {
		n = uint32(len(l.set.Atoms))
		l.set.Atoms = append(l.set.Atoms, a)
		l.atoms[a] = n
	}
	return n
}

// termAtoms returns the comparisons of t, each once, in text order.
func termAtoms(t *TermExpr) []Atom {
	a := Atom{Field: t.Field, Cond: t.Cond, Cased: t.Cased}
	typ := event.String
	if t.Own {
		a.Own = t.Property
	} else {
		typ = event.Describe(t.Field).Type
	}
	if t.Cond == Exists {
		return []Atom{a}
	}
	var atoms []Atom
	seen := map[Atom]bool{}
	for _, v := range t.Values {
		switch {
		case typ == event.Integer || typ == event.Identifier || typ == event.Time:
			a.Number = v.Number
		case typ == event.Address && (t.Cond == Is || t.Cond == InCIDR):
			a.Literal = v.Address
		case t.Cased:
			a.Literal = v.Text
		default:
			a.Literal = foldASCII(v.Text)
		}
		if !seen[a] {
			seen[a] = true
			atoms = append(atoms, a)
		}
	}
	return atoms
}

// foldASCII returns s with the ASCII letters in lower case and every other byte
// as it is.
func foldASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// canonicalTerm returns the form whose SHA-256 begins with the term's id (64
// bits, big endian). It has, each as the length in bytes (64 bits, big endian)
// and the bytes: "field" and the name in the registry, or "own" and the own name;
// the condition as signals spell it; one byte each, 0 or 1, for negation, cased
// and group; and the values, each once, in the order of their bytes: a literal as
// it is compared, a number as 8 bytes, big endian.
func canonicalTerm(t *TermExpr, atoms []Atom, negate, group bool) string {
	var c canonical
	if t.Own {
		c.text("own")
		c.text(t.Property)
	} else {
		c.text("field")
		c.text(event.Describe(t.Field).Name)
	}
	c.text(t.Cond.String())
	flags := [3]byte{}
	for i, set := range []bool{negate, t.Cased, group} {
		if set {
			flags[i] = 1
		}
	}
	c.text(string(flags[:]))
	var values []string
	for _, a := range atoms {
		if a.Literal == "" && t.Cond != Exists {
			values = append(values, string(binary.BigEndian.AppendUint64(nil, uint64(a.Number))))
		} else {
			values = append(values, a.Literal)
		}
	}
	slices.Sort(values)
	c.list(values)
	return string(c)
}
