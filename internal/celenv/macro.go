// SPDX-License-Identifier: Apache-2.0

// This file recognises the comprehensions that the macros of CEL expand to, by
// their form: what was read from a file is nobody's macro until it looks like one.

package celenv

import (
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/parser"
)

// MacroKind says which macro a comprehension is.
type MacroKind uint8

// The macros over lists.
const (
	NoMacro MacroKind = iota
	Exists
	All
	ExistsOne
	Map // also filter: a list is made
)

// Macro is a comprehension in the words of its author.
type Macro struct {
	Kind  MacroKind
	Range ast.Expr // what it goes over
	Var   string   // the name of an element
	Pred  ast.Expr // asked of each element; nil for a map without condition
	Body  ast.Expr // the new element of a map; nil for the others
}

// MacroOf returns the macro that c is; its kind is NoMacro if it is none.
func MacroOf(c ast.ComprehensionExpr) Macro {
	if c.HasIterVar2() || c.AccuVar() != parser.HiddenAccumulatorName && c.AccuVar() != parser.AccumulatorName || c.IterVar() == c.AccuVar() {
		return Macro{}
	}
	m := Macro{Range: c.IterRange(), Var: c.IterVar()}
	accu := func(e ast.Expr) bool { return e.Kind() == ast.IdentKind && e.AsIdent() == c.AccuVar() }
	step, result, init := c.LoopStep(), c.Result(), c.AccuInit()
	switch {
	case isLiteral(init, types.False) && isCall(step, operators.LogicalOr, 2) && accu(arg(step, 0)) && accu(result) &&
		isCall(c.LoopCondition(), operators.NotStrictlyFalse, 1) && isCall(arg(c.LoopCondition(), 0), operators.LogicalNot, 1) &&
		accu(arg(arg(c.LoopCondition(), 0), 0)):
		m.Kind, m.Pred = Exists, arg(step, 1)
	case isLiteral(init, types.True) && isCall(step, operators.LogicalAnd, 2) && accu(arg(step, 0)) && accu(result) &&
		isCall(c.LoopCondition(), operators.NotStrictlyFalse, 1) && accu(arg(c.LoopCondition(), 0)):
		m.Kind, m.Pred = All, arg(step, 1)
	case !isLiteral(c.LoopCondition(), types.True) || !isCall(step, operators.Conditional, 3) && !isCall(step, operators.Add, 2):
	case isLiteral(init, types.Int(0)) && isCall(step, operators.Conditional, 3) && accu(arg(step, 2)) &&
		isCall(arg(step, 1), operators.Add, 2) && accu(arg(arg(step, 1), 0)) && isLiteral(arg(arg(step, 1), 1), types.Int(1)) &&
		isCall(result, operators.Equals, 2) && accu(arg(result, 0)) && isLiteral(arg(result, 1), types.Int(1)):
		m.Kind, m.Pred = ExistsOne, arg(step, 0)
	case init.Kind() == ast.ListKind && init.AsList().Size() == 0 && accu(result):
		add := step
		if isCall(step, operators.Conditional, 3) {
			if !accu(arg(step, 2)) {
				return Macro{}
			}
			m.Pred, add = arg(step, 0), arg(step, 1)
		}
		if isCall(add, operators.Add, 2) && accu(arg(add, 0)) && arg(add, 1).Kind() == ast.ListKind && arg(add, 1).AsList().Size() == 1 &&
			len(arg(add, 1).AsList().OptionalIndices()) == 0 {
			m.Kind, m.Body = Map, arg(add, 1).AsList().Elements()[0]
		}
	}
	if m.Kind == NoMacro {
		return Macro{}
	}
	return m
}

func isLiteral(e ast.Expr, v any) bool { return e.Kind() == ast.LiteralKind && e.AsLiteral() == v }

func isCall(e ast.Expr, function string, args int) bool {
	return e.Kind() == ast.CallKind && !e.AsCall().IsMemberFunction() && e.AsCall().FunctionName() == function && len(e.AsCall().Args()) == args
}

func arg(e ast.Expr, i int) ast.Expr { return e.AsCall().Args()[i] }
