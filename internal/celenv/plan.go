// SPDX-License-Identifier: Apache-2.0

// This file makes programs of what Encode wrote, and evaluates them.

package celenv

import (
	"errors"
	"fmt"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"
	exprpb "google.golang.org/genproto/googleapis/api/expr/v1alpha1"
	"google.golang.org/protobuf/proto"

	"seismo/internal/event"
)

// ErrExpression is wrapped by every error of [Plan].
var ErrExpression = errors.New("bad CEL expression")

// Program is an expression that is ready to be evaluated. It never changes and may
// be shared by any number of goroutines.
type Program struct {
	Fields []event.Field // that it reads, sorted, each once
	Own    []string      // the own names that it reads, sorted, each once
	Lists  []string      // the named lists that it asks, sorted, each once
	Cost   uint64        // bound on what one evaluation costs
	Work   uint64        // what an evaluation on a usual event costs

	program cel.Program
}

// Plan makes a program of an encoded expression. All that [Compile] checks is
// checked again, so that whoever wrote the bytes can say no more than an author.
// Errors wrap [ErrExpression].
func Plan(encoded []byte) (p *Program, err error) {
	// The bytes are hostile and cel-go was written for expressions that its parser
	// made: a panic in it must not take the recorder down.
	defer func() {
		if r := recover(); r != nil {
			p, err = nil, fmt.Errorf("%w: cel-go: %v", ErrExpression, r)
		}
	}()
	if len(encoded) > maxCheckedLength {
		return nil, fmt.Errorf("%w: %d bytes, the limit is %d", ErrExpression, len(encoded), maxCheckedLength)
	}
	env, err := environment()
	if err != nil {
		return nil, fmt.Errorf("make the CEL environment: %w", err)
	}
	checked, err := recheck(env, encoded)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrExpression, err)
	}
	tree := checked.NativeRep()
	r := newRules()
	r.expr(tree.Expr())
	switch {
	case len(r.problems) > 0:
		return nil, fmt.Errorf("%w: %s", ErrExpression, r.problems[0].message)
	case checked.OutputType() != cel.BoolType:
		return nil, fmt.Errorf("%w: it is of type %s, not bool", ErrExpression, cel.FormatCELType(checked.OutputType()))
	}
	p = &Program{Cost: estimate(env, checked, largest), Work: estimate(env, checked, typical)}
	if p.Cost > MaxCost {
		return nil, fmt.Errorf("%w: %s", ErrExpression, costMessage(p.Cost))
	}
	p.Fields, p.Own = r.reads()
	p.Lists = sorted(r.named)
	r.tagLists(tree.Expr())
	if p.program, err = env.PlanProgram(tree, cel.EvalOptions(cel.OptOptimize), bindCalls()); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrExpression, err)
	}
	return p, nil
}

// recheck decodes an expression and gives it types anew.
func recheck(env *cel.Env, encoded []byte) (*cel.Ast, error) {
	var m exprpb.CheckedExpr
	if err := (proto.UnmarshalOptions{RecursionLimit: 2000}).Unmarshal(encoded, &m); err != nil {
		return nil, err
	}
	if m.GetExpr() == nil {
		return nil, errors.New("no expression")
	}
	e, err := ast.ProtoToExpr(m.GetExpr())
	if err != nil {
		return nil, err
	}
	renumber(e) // types are kept by number: no two nodes may have the same
	numbered, err := ast.ExprToProto(e)
	if err != nil {
		return nil, err
	}
	parsed := cel.ParsedExprToAst(&exprpb.ParsedExpr{Expr: numbered, SourceInfo: &exprpb.SourceInfo{}})
	checked, issues := check(env, parsed)
	if issues.Err() != nil {
		return nil, issues.Err()
	}
	return checked, nil
}

// tagLists writes the type of the field in front of the name of each list that it
// is looked up in.
func (r *rules) tagLists(root ast.Expr) {
	f := ast.NewExprFactory()
	ast.PostOrderVisit(root, ast.NewExprVisitor(func(e ast.Expr) {
		if typ, ok := r.lists[e.ID()]; ok && e.Kind() == ast.LiteralKind {
			if name, ok := e.AsLiteral().(types.String); ok {
				e.SetKindCase(f.NewLiteral(e.ID(), types.String(tagList(typ, string(name)))))
			}
		}
	}))
}

// Eval reports whether p is true on the event of v. An error, as by a field that is
// absent, means that it is neither true nor false.
func (p *Program) Eval(v *View) (bool, error) {
	out, _, err := p.program.Eval(v)
	if err != nil {
		return false, err
	}
	return out == types.True, nil
}
