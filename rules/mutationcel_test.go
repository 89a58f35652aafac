// SPDX-License-Identifier: Apache-2.0

package rules_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/cel-go/common"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/parser"
)

// celMutants returns the changes of an expression in CEL, one at a time:
//
//   - a part of && or || taken away
//   - any other condition negated
//   - one element of a list taken away
//   - startsWith and endsWith widened to contains
func celMutants(t *testing.T, text string) []mutant {
	t.Helper()
	p, err := parser.NewParser(parser.Macros(parser.AllMacros...))
	if err != nil {
		t.Fatalf("NewParser = %v", err)
	}
	tree, errs := p.Parse(common.NewTextSource(text))
	if len(errs.GetErrors()) > 0 {
		t.Fatalf("Parse(%s) = %s", text, errs.ToDisplayString())
	}
	c := celMutator{t: t, tree: tree, make: ast.NewExprFactory()}
	c.walk(tree.Expr())
	return c.all
}

type celMutator struct {
	t    *testing.T
	tree *ast.AST
	make ast.ExprFactory
	all  []mutant
}

// try notes the expression with the part id put in place of what it is.
func (c *celMutator) try(what string, of, with ast.Expr) {
	was, err := parser.Unparse(of, c.tree.SourceInfo())
	if err != nil {
		c.t.Fatalf("Unparse = %v", err)
	}
	text, err := parser.Unparse(c.replaced(c.tree.Expr(), of.ID(), with), c.tree.SourceInfo())
	if err != nil {
		c.t.Fatalf("Unparse = %v", err)
	}
	c.all = append(c.all, mutant{fmt.Sprintf("%s in %s", what, was), text})
}

// replaced returns e with the part id replaced.
func (c *celMutator) replaced(e ast.Expr, id int64, with ast.Expr) ast.Expr {
	switch {
	case e.ID() == id:
		return with
	case e.Kind() == ast.CallKind:
		call := e.AsCall()
		var args []ast.Expr
		for _, a := range call.Args() {
			args = append(args, c.replaced(a, id, with))
		}
		if call.IsMemberFunction() {
			return c.make.NewMemberCall(e.ID(), call.FunctionName(), c.replaced(call.Target(), id, with), args...)
		}
		return c.make.NewCall(e.ID(), call.FunctionName(), args...)
	}
	return e
}

func (c *celMutator) walk(e ast.Expr) {
	if e.Kind() != ast.CallKind {
		return
	}
	call := e.AsCall()
	switch call.FunctionName() {
	case operators.LogicalAnd, operators.LogicalOr:
		for i, part := range call.Args() {
			c.try(fmt.Sprintf("part %d gone", i+1), e, c.make.CopyExpr(call.Args()[1-i]))
			c.walk(part)
		}
		return
	case operators.LogicalNot:
		c.try("not negated", e, c.make.CopyExpr(call.Args()[0]))
		c.walk(call.Args()[0])
		return
	case operators.In:
		list := call.Args()[1]
		if list.Kind() != ast.ListKind {
			c.t.Fatalf("in with what is no list: changes of it are not made here")
		}
		elements := list.AsList().Elements()
		for i := range elements {
			c.try(fmt.Sprintf("element %d gone", i+1), list, c.make.NewList(list.ID(), slices.Delete(slices.Clone(elements), i, i+1), nil))
		}
	case "startsWith", "endsWith":
		c.try("widened to contains", e, c.make.NewMemberCall(e.ID(), "contains", call.Target(), call.Args()...))
	}
	c.try("negated", e, c.make.NewCall(e.ID()+1_000_000, operators.LogicalNot, e))
}
