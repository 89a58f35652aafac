// SPDX-License-Identifier: Apache-2.0

// This file gives an expression its types. cel-go's checker copies what it knows of
// the type parameters of all calls before, at every call: time that grows with the
// square of the number of comparisons. So an expression with many of them is checked
// in parts, each of its own: what && and || join has nothing to do with each other.

package celenv

import (
	"fmt"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
	exprpb "google.golang.org/genproto/googleapis/api/expr/v1alpha1"
)

const (
	checkedTogether = 64  // calls up to which an expression is checked as a whole
	maxTogether     = 256 // calls of a part: within a call or a comprehension
)

// check gives the expression of parsed its types, as [cel.Env.Check] does. The issues
// have the places that parsed knows.
func check(env *cel.Env, parsed *cel.Ast) (*cel.Ast, *cel.Issues) {
	root := parsed.NativeRep().Expr()
	if n := ast.NodeCount(parsed.NativeRep()); n > maxNodes || calls(root) <= checkedTogether {
		return env.Check(parsed) // which refuses too many nodes itself
	}
	p := parts{env: env, info: parsed.NativeRep().SourceInfo(), errs: common.NewErrors(parsed.Source()),
		types: map[int64]*types.Type{}, references: map[int64]*ast.ReferenceInfo{}}
	frame := astOf(p.split(root))
	if checked, issues := env.Check(frame); issues.Err() != nil {
		p.report(issues)
	} else {
		p.keep(checked.NativeRep())
	}
	if len(p.errs.GetErrors()) > 0 {
		return nil, cel.NewIssuesWithSourceInfo(p.errs, p.info)
	}
	// What was checked is the same tree still: parsed gets its types.
	for id, t := range p.types {
		parsed.NativeRep().SetType(id, t)
	}
	for id, r := range p.references {
		parsed.NativeRep().SetReference(id, r)
	}
	return parsed, nil
}

// calls counts the calls below e that have type parameters, or may have.
func calls(e ast.Expr) int {
	n := 0
	ast.PreOrderVisit(e, ast.NewExprVisitor(func(k ast.Expr) {
		if k.Kind() == ast.CallKind && !joins(k) {
			n++
		}
	}))
	return n
}

// joins reports whether e is made of truths that do not know of each other.
func joins(e ast.Expr) bool {
	if e.Kind() != ast.CallKind || e.AsCall().IsMemberFunction() {
		return false
	}
	switch e.AsCall().FunctionName() {
	case operators.LogicalAnd, operators.LogicalOr, operators.LogicalNot:
		return true
	}
	return false
}

// parts gathers what the parts of an expression come to.
type parts struct {
	env        *cel.Env
	info       *ast.SourceInfo
	errs       *common.Errors
	types      map[int64]*types.Type
	references map[int64]*ast.ReferenceInfo
}

// split checks the parts of e and returns what joins them, in which every part is a
// literal with its number.
func (p *parts) split(e ast.Expr) ast.Expr {
	f := ast.NewExprFactory()
	n := calls(e)
	if joins(e) && n > checkedTogether {
		var args []ast.Expr
		for _, a := range e.AsCall().Args() {
			args = append(args, p.split(a))
		}
		return f.NewCall(e.ID(), e.AsCall().FunctionName(), args...)
	}
	if len(p.errs.GetErrors()) < maxErrors {
		p.part(e, n)
	}
	return f.NewLiteral(e.ID(), types.True)
}

// part checks e, which has n calls.
func (p *parts) part(e ast.Expr, n int) {
	if n > maxTogether {
		p.errs.ReportErrorString(p.info.GetStartLocation(e.ID()), fmt.Sprintf("%d comparisons and calls in one call or comprehension, at most %d are taken", n, maxTogether))
		return
	}
	one := astOf(e)
	checked, issues := p.env.Check(one)
	if issues.Err() != nil {
		p.report(issues)
		return
	}
	e.SetKindCase(checked.NativeRep().Expr()) // a name may have become another node
	switch t := checked.OutputType(); t.Kind() {
	case types.BoolKind, types.DynKind:
		p.keep(checked.NativeRep())
	default:
		p.errs.ReportErrorAtID(e.ID(), p.info.GetStartLocation(e.ID()), "expected type '%s' but found '%s'", cel.FormatCELType(cel.BoolType), cel.FormatCELType(t))
	}
}

// keep takes over types and references. Those of a part come first: of the frame it
// is only known to be a truth.
func (p *parts) keep(checked *ast.AST) {
	for id, t := range checked.TypeMap() {
		if p.types[id] == nil {
			p.types[id] = t
		}
	}
	for id, r := range checked.ReferenceMap() {
		if p.references[id] == nil {
			p.references[id] = r
		}
	}
}

// report takes over issues, with the places that they have in the whole.
func (p *parts) report(issues *cel.Issues) {
	for _, e := range issues.Errors() {
		p.errs.ReportErrorAtID(e.ExprID, p.info.GetStartLocation(e.ExprID), "%s", e.Message)
	}
}

// astOf returns e, with its number and all that is in it, as an expression of its
// own.
func astOf(e ast.Expr) *cel.Ast {
	a := cel.ParsedExprToAst(&exprpb.ParsedExpr{SourceInfo: &exprpb.SourceInfo{},
		Expr: &exprpb.Expr{Id: e.ID(), ExprKind: &exprpb.Expr_ConstExpr{ConstExpr: &exprpb.Constant{ConstantKind: &exprpb.Constant_BoolValue{BoolValue: true}}}}})
	a.NativeRep().Expr().SetKindCase(e)
	return a
}
