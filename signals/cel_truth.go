// SPDX-License-Identifier: Apache-2.0

// This file says when a CEL expression is true, and when it is false: two different
// questions, since an error is neither. The tests at the leaves are in cel_term.go.

package signals

import (
	"slices"
	"strings"

	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"

	"seismo/internal/celenv"
	"seismo/internal/event"
)

// celLowerer turns a checked CEL expression into terms.
type celLowerer struct {
	c       *celenv.Checked
	src     *source
	failed  bool             // an error was reported
	weights map[int64][2]int // see weight

	kindsOf  map[celQuestion]event.KindSet
	guardsOf map[celQuestion][]Atom
}

// outcome is the condition for an expression to be true, or false: an expression,
// or without one a constant.
type outcome struct {
	expr   *Expr
	always bool
}

func never() outcome { return outcome{} }

// joined returns the outcome of all parts together, or with op ExprOr of any.
func joined(op ExprOp, parts ...outcome) outcome {
	var kids []*Expr
	for _, p := range parts {
		switch {
		case p.expr == nil && p.always == (op == ExprOr):
			return p
		case p.expr == nil:
		case p.expr.Op == op:
			kids = append(kids, p.expr.Kids...)
		default:
			kids = append(kids, p.expr)
		}
	}
	switch len(kids) {
	case 0:
		return outcome{always: op == ExprAnd}
	case 1:
		return outcome{expr: kids[0]}
	}
	return outcome{expr: &Expr{Op: op, Pos: kids[0].Pos, Kids: kids}}
}

// when returns the condition for e to be true, or with want false to be false.
func (l *celLowerer) when(e ast.Expr, want bool) outcome {
	l.weight(e)
	if l.weights[e.ID()] == leafWeight {
		return l.leaf(e, want)
	}
	args := func(i int) ast.Expr { return e.AsCall().Args()[i] }
	switch celForm(e) {
	case formAnd, formOr:
		op := ExprAnd
		if (celForm(e) == formOr) == want {
			op = ExprOr
		}
		return joined(op, l.when(args(0), want), l.when(args(1), want))
	case formNot:
		return l.when(args(0), !want)
	case formIf:
		return joined(ExprOr,
			joined(ExprAnd, l.when(args(0), true), l.when(args(1), want)),
			joined(ExprAnd, l.when(args(0), false), l.when(args(2), want)))
	}
	if part, same, ok := boolComparison(e); ok {
		return l.when(part, want == same)
	}
	return l.leaf(e, want)
}

// celShape is the form of an expression as far as truth goes.
type celShape uint8

const (
	formLeaf celShape = iota
	formAnd
	formOr
	formNot
	formIf
)

func celForm(e ast.Expr) celShape {
	if e.Kind() == ast.CallKind {
		switch e.AsCall().FunctionName() {
		case operators.LogicalAnd:
			return formAnd
		case operators.LogicalOr:
			return formOr
		case operators.LogicalNot:
			return formNot
		case operators.Conditional:
			return formIf
		}
	}
	return formLeaf
}

// boolComparison takes e apart if it compares something with true or false: it is
// true when part is true (same), or false.
func boolComparison(e ast.Expr) (part ast.Expr, same, ok bool) {
	if e.Kind() != ast.CallKind {
		return nil, false, false
	}
	function := e.AsCall().FunctionName()
	if function != operators.Equals && function != operators.NotEquals {
		return nil, false, false
	}
	for i, a := range e.AsCall().Args() {
		if a.Kind() == ast.LiteralKind {
			if b, isBool := a.AsLiteral().(types.Bool); isBool {
				return e.AsCall().Args()[1-i], bool(b) == (function == operators.Equals), true
			}
		}
	}
	return nil, false, false
}

// leafWeight marks a part that is not taken apart: one residue.
var leafWeight = [2]int{-1, -1}

// weight returns how many terms and joints the conditions for e to be true, and to
// be false, come to. A choice (c ? a : b) says its condition twice, so choices in
// the conditions of choices double each time; one that comes to more than four
// times what is written stays a residue.
func (l *celLowerer) weight(e ast.Expr) [2]int {
	w, known := l.weights[e.ID()]
	switch {
	case known && w == leafWeight:
		return [2]int{1, 1}
	case known:
		return w
	}
	sum := func(i int) [2]int { return l.weight(e.AsCall().Args()[i]) }
	switch celForm(e) {
	case formAnd, formOr:
		a, b := sum(0), sum(1)
		w = [2]int{a[0] + b[0] + 1, a[1] + b[1] + 1}
	case formNot:
		a := sum(0)
		w = [2]int{a[1], a[0]}
	case formIf:
		c, a, b := sum(0), sum(1), sum(2)
		both := c[0] + c[1] + 3
		w = [2]int{a[0] + b[0] + both, a[1] + b[1] + both}
		if max(w[0], w[1]) > 4*celNodes(e)+16 {
			l.weights[e.ID()] = leafWeight
			return [2]int{1, 1}
		}
	default:
		w = [2]int{1, 2}
		if part, same, ok := boolComparison(e); ok {
			if w = l.weight(part); !same {
				w[0], w[1] = w[1], w[0]
			}
		}
	}
	l.weights[e.ID()] = w
	return w
}

func celNodes(e ast.Expr) int {
	n := 0
	ast.PreOrderVisit(e, ast.NewExprVisitor(func(ast.Expr) { n++ }))
	return n
}

// leaf returns the condition for e, which is not taken apart any further, to be
// true or false. A test on a field is false only where the field is: that is what
// the term with exists says.
func (l *celLowerer) leaf(e ast.Expr, want bool) outcome {
	if t := l.presence(e); t != nil {
		if t.Negate = !want; t.Negate && termKinds(t) != event.AllKinds {
			t.AnyKind = true // an event of another kind does not have it either
		}
		return l.term(t)
	}
	if l.weights[e.ID()] != leafWeight {
		if test, ok := l.test(e, nil); ok {
			return l.tested(test, want)
		}
		if m, terms, ok := l.quantified(e); ok {
			return l.quantity(m, terms, want)
		}
	}
	return l.residue(e, want)
}

// tested returns the condition for one test to be true or false.
func (l *celLowerer) tested(t celTest, want bool) outcome {
	there := t.subject.exists(t.pos)
	there.implied = true
	exists := l.term(there)
	met := l.tests(t, false)
	if want != t.negated {
		return met
	}
	return joined(ExprAnd, exists, l.tests(t, true))
}

// tests returns the term of t, negated or not; where t is known for every value, a
// constant or that there is one.
func (l *celLowerer) tests(t celTest, negate bool) outcome {
	if t.term == nil {
		return outcome{always: negate}
	}
	term := *t.term
	term.Negate = negate
	return l.term(&term)
}

func (l *celLowerer) term(t *TermExpr) outcome {
	var b strings.Builder
	switch {
	case t.Residue != nil:
		b.WriteString(t.Residue.Text)
	case t.AnyKind: // the text language can not say it
		b.WriteString("!has(" + t.name() + ")")
	default:
		t.print(&b, t.Negate)
	}
	t.Text = b.String()
	return outcome{expr: &Expr{Op: ExprTerm, Pos: t.Pos, Term: t}}
}

// quantified takes apart list.exists(v, …) and list.all(v, …) if the question is
// whether any element meets one of some terms: these are returned.
func (l *celLowerer) quantified(e ast.Expr) (celenv.Macro, []celTest, bool) {
	if e.Kind() != ast.ComprehensionKind {
		return celenv.Macro{}, nil, false
	}
	m := celenv.MacroOf(e.AsComprehension())
	if m.Kind != celenv.Exists && m.Kind != celenv.All {
		return m, nil, false
	}
	list, ok := l.subject(m.Range, nil)
	if !ok || !list.list {
		return m, nil, false
	}
	list.list, list.element = false, true
	tests, ok := l.anyElement(m.Pred, map[string]celSubject{m.Var: list}, m.Kind == celenv.All)
	return m, tests, ok
}

// anyElement returns tests of which an element meets one exactly if e is true of it
// (false, if negated).
func (l *celLowerer) anyElement(e ast.Expr, locals map[string]celSubject, negated bool) ([]celTest, bool) {
	switch form := celForm(e); {
	case form == formNot:
		return l.anyElement(e.AsCall().Args()[0], locals, !negated)
	case form == formOr && !negated, form == formAnd && negated:
		a, ok := l.anyElement(e.AsCall().Args()[0], locals, negated)
		if !ok {
			return nil, false
		}
		b, ok := l.anyElement(e.AsCall().Args()[1], locals, negated)
		return slices.Concat(a, b), ok
	case form != formLeaf:
		return nil, false
	}
	t, ok := l.test(e, locals)
	if !ok || !t.subject.element || t.negated != negated {
		return nil, false
	}
	return []celTest{t}, true
}

// quantity returns the condition for exists or all to be true or false: tests are
// those of which one element must meet one, for exists to be true and for all to be
// false.
func (l *celLowerer) quantity(m celenv.Macro, tests []celTest, want bool) outcome {
	if want == (m.Kind == celenv.Exists) {
		var any []outcome
		for _, t := range tests {
			any = append(any, l.tests(t, false))
		}
		return joined(ExprOr, any...)
	}
	all := []outcome{l.term(tests[0].subject.exists(tests[0].pos))}
	for _, t := range tests {
		all = append(all, l.tests(t, true))
	}
	return joined(ExprAnd, all...)
}
