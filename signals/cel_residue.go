// SPDX-License-Identifier: Apache-2.0

// This file makes a residue of a part of a CEL expression that is no combination of
// terms, and finds what it can not be true without: kinds of event and literals.

package signals

import (
	"maps"
	"slices"

	"github.com/google/cel-go/common/ast"

	"seismo/internal/celenv"
	"seismo/internal/event"
)

// residue returns the condition for e to be true or false as a part that stays CEL.
func (l *celLowerer) residue(e ast.Expr, want bool) outcome {
	fields, own := l.c.Reads(e)
	if len(fields) == 0 && len(own) == 0 {
		v, ok := l.c.Constant(e)
		if !ok { // an error is neither
			return never()
		}
		return outcome{always: v.Value() == want}
	}
	kinds := l.kinds(e, want)
	if kinds == 0 {
		return never()
	}
	off, width := l.c.Span(e)
	r := &ResidueExpr{Text: l.c.Text(e), Fields: fields, Own: own, Kinds: kinds, Guards: l.guards(e, want, nil)}
	if !want {
		r.Text = "!(" + r.Text + ")"
	}
	checked, err := l.c.Encode(e, !want)
	if err == nil {
		var p *celenv.Program
		if p, err = celenv.Plan(checked); err == nil {
			r.Checked, r.Cost = checked, p.Cost
		}
	}
	if err != nil {
		l.failed = true
		l.src.report(off, width, "", "%s", err)
		return never()
	}
	pos := l.src.at(off)
	return l.term(&TermExpr{Pos: pos, CondPos: pos, Cond: Residual, Residue: r})
}

// celQuestion asks when the node with a number is true, or with want false is false.
type celQuestion struct {
	id   int64
	want bool
}

// kinds returns the kinds of event on which e can be true, or with want false can
// be false: elsewhere a field that it needs is absent, which is an error.
func (l *celLowerer) kinds(e ast.Expr, want bool) event.KindSet {
	q := celQuestion{e.ID(), want}
	kinds, known := l.kindsOf[q]
	if !known { // choices ask both questions of their condition, so each is answered once
		kinds = l.findKinds(e, want)
		l.kindsOf[q] = kinds
	}
	return kinds
}

func (l *celLowerer) findKinds(e ast.Expr, want bool) event.KindSet {
	args := func(i int) ast.Expr { return e.AsCall().Args()[i] }
	switch form := celForm(e); form {
	case formAnd, formOr:
		if (form == formAnd) == want {
			return l.kinds(args(0), want) & l.kinds(args(1), want)
		}
		return l.kinds(args(0), want) | l.kinds(args(1), want)
	case formNot:
		return l.kinds(args(0), !want)
	case formIf:
		return l.kinds(args(0), true)&l.kinds(args(1), want) | l.kinds(args(0), false)&l.kinds(args(2), want)
	}
	if info, ok := celenv.FieldOf(e); ok && e.AsSelect().IsTestOnly() {
		if want {
			return info.Kinds
		}
		return event.AllKinds
	}
	return strictKinds(e)
}

// strictKinds returns the kinds of event on which e is no error for lack of a field.
func strictKinds(e ast.Expr) event.KindSet {
	kinds := event.AllKinds
	switch e.Kind() {
	case ast.SelectKind:
		if info, ok := celenv.FieldOf(e); !ok {
			kinds = strictKinds(e.AsSelect().Operand())
		} else if !e.AsSelect().IsTestOnly() {
			kinds = info.Kinds
		}
	case ast.CallKind:
		c := e.AsCall()
		switch celForm(e) {
		case formAnd, formOr: // either side can make up for the other
			return kinds
		case formIf:
			return strictKinds(c.Args()[0])
		}
		if c.IsMemberFunction() {
			kinds = strictKinds(c.Target())
		}
		for _, a := range c.Args() {
			kinds &= strictKinds(a)
		}
	case ast.ListKind:
		for _, k := range e.AsList().Elements() {
			kinds &= strictKinds(k)
		}
	case ast.ComprehensionKind:
		return strictKinds(e.AsComprehension().IterRange())
	}
	return kinds
}

// maxGuards bounds the literals of which a residue needs one.
const maxGuards = 64

// guards returns literals one of which a value must meet for e to be true, or with
// want false to be false; none if that is not known. Locals are the elements that
// comprehensions go over: a test on an element is one on any of the list.
func (l *celLowerer) guards(e ast.Expr, want bool, locals map[string]celSubject) []Atom {
	q := celQuestion{e.ID(), want}
	atoms, known := l.guardsOf[q]
	if !known {
		atoms = l.findGuards(e, want, locals)
		l.guardsOf[q] = atoms
	}
	return atoms
}

func (l *celLowerer) findGuards(e ast.Expr, want bool, locals map[string]celSubject) []Atom {
	arg := func(i int, want bool) []Atom { return l.guards(e.AsCall().Args()[i], want, locals) }
	switch form := celForm(e); form {
	case formAnd, formOr:
		if (form == formAnd) == want {
			return betterGuards(arg(0, want), arg(1, want))
		}
		return eitherGuards(arg(0, want), arg(1, want))
	case formNot:
		return arg(0, !want)
	case formIf:
		return eitherGuards(betterGuards(arg(0, true), arg(1, want)), betterGuards(arg(0, false), arg(2, want)))
	}
	if e.Kind() == ast.ComprehensionKind {
		return l.elementGuards(e.AsComprehension(), want, locals)
	}
	t, ok := l.test(e, locals)
	if !ok || t.term == nil || t.negated == want || t.term.Cond > EndsWith || !foldable(t.subject.typ()) {
		return nil
	}
	atoms := termAtoms(t.term)
	if len(atoms) > maxGuards {
		return nil
	}
	return atoms
}

// elementGuards returns the guards of a comprehension that needs an element of which
// its question is true (or false): exists and exists_one, and all to be false.
func (l *celLowerer) elementGuards(c ast.ComprehensionExpr, want bool, locals map[string]celSubject) []Atom {
	m := celenv.MacroOf(c)
	needs := (m.Kind == celenv.Exists || m.Kind == celenv.ExistsOne) && want || m.Kind == celenv.All && !want
	if !needs {
		return nil
	}
	inner := maps.Clone(locals)
	if inner == nil {
		inner = map[string]celSubject{}
	}
	delete(inner, m.Var)
	if list, ok := l.subject(m.Range, locals); ok && list.list {
		list.list, list.element = false, true
		inner[m.Var] = list
	}
	return l.guards(m.Pred, m.Kind != celenv.All, inner)
}

// betterGuards returns the guards of a or b, both of which hold: those whose shortest
// literal is the longer one.
func betterGuards(a, b []Atom) []Atom {
	if len(a) == 0 || len(b) > 0 && shortest(b) > shortest(a) {
		return b
	}
	return a
}

func shortest(atoms []Atom) int {
	n := len(atoms[0].Literal)
	for _, a := range atoms {
		n = min(n, len(a.Literal))
	}
	return n
}

// eitherGuards returns the guards of a or b, one of which holds.
func eitherGuards(a, b []Atom) []Atom {
	if len(a) == 0 || len(b) == 0 || len(a)+len(b) > maxGuards {
		return nil
	}
	out := slices.Clone(a)
	for _, g := range b {
		if !slices.Contains(out, g) {
			out = append(out, g)
		}
	}
	return out
}
