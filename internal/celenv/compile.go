// SPDX-License-Identifier: Apache-2.0

// This file reads and checks the text of an expression. What it reports is put
// into words in issue.go; what is checked beyond cel-go is in rules.go.

package celenv

import (
	"fmt"
	"unicode/utf8"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	exprpb "google.golang.org/genproto/googleapis/api/expr/v1alpha1"
	"google.golang.org/protobuf/proto"

	"seismo/internal/event"
)

// Checked is an expression without mistakes.
type Checked struct {
	Cost uint64 // bound on what one evaluation costs

	env  *cel.Env
	tree *ast.AST
	text string
	at   *places
}

// Compile checks text. If there are issues there is no expression.
func Compile(text string) (c *Checked, issues []Issue) {
	// A panic of cel-go on a text that nobody thought of must not take down who reads
	// signals: v0.31.0 had one, see newEnv.
	defer func() {
		if r := recover(); r != nil {
			c, issues = nil, []Issue{{Width: len(text), Message: fmt.Sprintf("cel-go can not read this: %v", r)}}
		}
	}()
	return compile(text)
}

func compile(text string) (*Checked, []Issue) {
	switch {
	case len(text) > MaxText:
		return nil, []Issue{{Message: fmt.Sprintf("expression has %d bytes, at most %d are taken", len(text), MaxText),
			Hint: listHint}}
	case !utf8.ValidString(text):
		return nil, []Issue{{Message: "expression is not UTF-8"}}
	}
	env, err := environment()
	if err != nil {
		return nil, []Issue{{Message: fmt.Sprintf("make the CEL environment: %v", err)}}
	}
	at := &places{text: text}
	parsed, issues := env.Parse(text)
	if issues.Err() != nil {
		return nil, at.issues(issues, nil)[:1] // what follows a mistake in the syntax follows from it
	}
	checked, issues := check(env, parsed)
	if issues.Err() != nil {
		return nil, at.issues(issues, parsed.NativeRep())
	}
	c := &Checked{env: env, tree: checked.NativeRep(), text: text, at: at}
	r := newRules()
	r.expr(c.Root())
	switch {
	case len(r.problems) > 0:
		return nil, at.problems(r.problems, c.tree)
	case checked.OutputType() != cel.BoolType:
		return nil, []Issue{{Width: len(text), Message: fmt.Sprintf("expression is of type %s, expected bool", cel.FormatCELType(checked.OutputType())), Hint: "compare it with something"}}
	case len(r.fields) == 0 && len(r.own) == 0:
		return nil, []Issue{{Width: len(text), Message: "expression reads no field", Hint: fieldsHint}}
	}
	if c.Cost = estimate(env, checked, largest); c.Cost > MaxCost {
		return nil, []Issue{{Width: len(text), Message: costMessage(c.Cost), Hint: costHint}}
	}
	return c, nil
}

const costHint = "a comprehension within another, or a loop over split text, multiplies; test a literal with contains, glob or matches instead"

func costMessage(cost uint64) string {
	return fmt.Sprintf("expression may cost %d steps on one event, the limit is %d", cost, MaxCost)
}

// Root returns the syntax tree. It must not be changed.
func (c *Checked) Root() ast.Expr { return c.tree.Expr() }

// TypeOf returns the type of e, a part of c.
func (c *Checked) TypeOf(e ast.Expr) *types.Type { return c.tree.GetType(e.ID()) }

// Text returns e, a part of c, as CEL on one line.
func (c *Checked) Text(e ast.Expr) string {
	s, err := cel.ExprToString(e, c.tree.SourceInfo())
	if err != nil { // not seen; whoever tells expressions by their text must not take two for one
		b, _ := c.Encode(e, false)
		return fmt.Sprintf("cel(%x)", b)
	}
	return oneLine(s)
}

// Span returns where e, a part of c, stands in the text: a byte offset and a number
// of bytes, at least 1.
func (c *Checked) Span(e ast.Expr) (offset, width int) { return c.at.span(c.tree, e) }

// Constant returns the value of e if it is the same for every event. An expression
// whose evaluation is an error is none.
func (c *Checked) Constant(e ast.Expr) (ref.Val, bool) {
	if e.Kind() == ast.LiteralKind {
		return e.AsLiteral(), true
	}
	r := newRules()
	if r.expr(e); len(r.fields) > 0 || len(r.own) > 0 || len(r.lists) > 0 || len(r.problems) > 0 {
		return nil, false
	}
	part := ast.NewCheckedAST(ast.NewAST(e, c.tree.SourceInfo()), c.tree.TypeMap(), c.tree.ReferenceMap())
	p, err := c.env.PlanProgram(part, bindCalls())
	if err != nil {
		return nil, false
	}
	v, _, err := p.Eval(cel.NoVars())
	if err != nil || v == nil || types.IsUnknownOrError(v) {
		return nil, false
	}
	return v, true
}

// Reads returns the fields and the own names that e, a part of c, reads, each
// sorted and once.
func (c *Checked) Reads(e ast.Expr) (fields []event.Field, own []string) {
	r := newRules()
	r.expr(e)
	return r.reads()
}

// Encode returns e, a part of c of type bool, or its negation, in the form that Plan
// reads: a cel.expr.CheckedExpr that has nothing but the expression, its nodes
// numbered from 1. The same expression has the same bytes, wherever it stands.
func (c *Checked) Encode(e ast.Expr, negate bool) ([]byte, error) {
	f := ast.NewExprFactory()
	e = f.CopyExpr(e)
	if negate {
		e = f.NewCall(0, operators.LogicalNot, e)
	}
	renumber(e)
	p, err := ast.ExprToProto(e)
	if err != nil {
		return nil, fmt.Errorf("encode expression: %w", err)
	}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(&exprpb.CheckedExpr{Expr: p})
	if err != nil {
		return nil, fmt.Errorf("encode expression: %w", err)
	}
	return b, nil
}

// renumber numbers the nodes of e from 1, each with a number of its own.
func renumber(e ast.Expr) {
	n := int64(0)
	e.RenumberIDs(func(int64) int64 { n++; return n })
}
