// SPDX-License-Identifier: Apache-2.0

// This file checks what cel-go leaves open: constant patterns, own names, objects
// that stand alone, and comprehensions that no macro made.

package celenv

import (
	"cmp"
	"errors"
	"fmt"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"

	"seismo/internal/event"
	"seismo/internal/namedlist"
	"seismo/internal/pattern"
)

// problem is a rule that the node with the id breaks.
type problem struct {
	id            int64
	message, hint string
}

// rules walks an expression and collects its problems, and what it reads.
type rules struct {
	problems []problem
	fields   []event.Field
	own      []string
	lists    map[int64]event.Type // of the constant argument of each inList
	named    []string             // the names of these lists
	locals   map[string]event.Type
}

func newRules() *rules {
	return &rules{lists: map[int64]event.Type{}, locals: map[string]event.Type{}}
}

func (r *rules) refuse(e ast.Expr, hint, format string, args ...any) {
	r.problems = append(r.problems, problem{e.ID(), fmt.Sprintf(format, args...), hint})
}

// reads returns the fields and own names that were met, each sorted and once.
func (r *rules) reads() ([]event.Field, []string) { return sorted(r.fields), sorted(r.own) }

// sorted returns the elements of s, sorted and each once.
func sorted[T cmp.Ordered](s []T) []T {
	slices.Sort(s)
	return slices.Compact(s)
}

const aloneHint = "name one of its fields, as in process.path"

func (r *rules) expr(e ast.Expr) {
	switch e.Kind() {
	case ast.LiteralKind:
	case ast.IdentKind:
		name := e.AsIdent()
		_, local := r.locals[name]
		switch {
		case slices.Contains(event.Objects(), strings.TrimPrefix(name, ".")):
			r.refuse(e, aloneHint, "%s stands alone", name)
		case !local && (strings.HasPrefix(name, "@") || strings.HasPrefix(name, "_")):
			r.refuse(e, "", "%.80q is no name", name)
		}
	case ast.SelectKind:
		sel := e.AsSelect()
		if info, ok := FieldOf(e); ok {
			r.fields = append(r.fields, info.Field)
			return
		}
		r.expr(sel.Operand())
	case ast.CallKind:
		r.call(e)
	case ast.ListKind:
		for _, k := range e.AsList().Elements() {
			r.expr(k)
		}
		if len(e.AsList().OptionalIndices()) > 0 {
			r.refuse(e, "", "optional elements are not taken")
		}
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			r.expr(entry.AsMapEntry().Key())
			r.expr(entry.AsMapEntry().Value())
			if entry.AsMapEntry().IsOptional() {
				r.refuse(e, "", "optional elements are not taken")
			}
		}
	case ast.ComprehensionKind:
		r.comprehension(e)
	default:
		r.refuse(e, "", "an expression makes no objects")
	}
}

func (r *rules) comprehension(e ast.Expr) {
	m := MacroOf(e.AsComprehension())
	if m.Kind == NoMacro {
		r.refuse(e, "the macros are exists, all, exists_one, map and filter", "unknown macro")
		return
	}
	if slices.Contains(event.Objects(), m.Var) || strings.HasPrefix(m.Var, "@") || strings.HasPrefix(m.Var, "_") || strings.Contains(m.Var, ".") {
		r.refuse(e, "call it v, for instance", "an element can not be called %.80q", m.Var)
		return
	}
	r.expr(m.Range)
	outer, shadows := r.locals[m.Var]
	r.locals[m.Var] = r.typeOf(m.Range)
	for _, part := range []ast.Expr{m.Pred, m.Body} {
		if part != nil {
			r.expr(part)
		}
	}
	if delete(r.locals, m.Var); shadows {
		r.locals[m.Var] = outer
	}
}

// typeOf returns the type of the field whose value, or element, e is.
func (r *rules) typeOf(e ast.Expr) event.Type {
	if info, ok := FieldOf(e); ok {
		return info.Type
	}
	if e.Kind() == ast.IdentKind {
		return r.locals[e.AsIdent()] // String, if there is none
	}
	return event.String
}

// FieldOf returns the field that e is, or tests the presence of.
func FieldOf(e ast.Expr) (event.Info, bool) {
	if e.Kind() != ast.SelectKind || e.AsSelect().Operand().Kind() != ast.IdentKind {
		return event.Info{}, false
	}
	return Field(e.AsSelect().Operand().AsIdent(), e.AsSelect().FieldName())
}

func (r *rules) call(e ast.Expr) {
	c := e.AsCall()
	if c.IsMemberFunction() {
		r.expr(c.Target())
	}
	for _, a := range c.Args() {
		r.expr(a)
	}
	if name := c.FunctionName(); name == "format" || name == "strings.quote" {
		r.refuse(e, "", "function %s is not taken: what it makes has no bound", name)
	}
	if c.FunctionName() == operators.In && len(c.Args()) == 2 && c.Args()[1].Kind() == ast.ListKind && c.Args()[1].AsList().Size() == 0 {
		// cel-go takes it for false also where the left side is an error.
		r.refuse(c.Args()[1], "", "nothing is in an empty list")
	}
	if zoned(c) {
		r.timeZone(c.Args()[0])
	}
	if !constantArgument(c.FunctionName()) || len(c.Args()) == 0 {
		return
	}
	last := c.Args()[len(c.Args())-1]
	s, ok := types.String(""), false
	if last.Kind() == ast.LiteralKind {
		s, ok = last.AsLiteral().(types.String)
	}
	if !ok {
		r.refuse(last, "write it as a literal between quotes", "%s takes a constant", c.FunctionName())
		return
	}
	if message, hint := checkConstant(c.FunctionName(), string(s)); message != "" {
		r.refuse(last, hint, "%s", message)
		return
	}
	switch c.FunctionName() {
	case FnOwn, FnHasOwn:
		r.own = append(r.own, string(s))
	case FnInList:
		if c.IsMemberFunction() {
			r.lists[last.ID()] = r.typeOf(c.Target())
			r.named = append(r.named, string(s))
		}
	}
}

// checkConstant returns what is wrong with the constant argument of function.
func checkConstant(function, arg string) (message, hint string) {
	switch function {
	case FnOwn, FnHasOwn:
		if arg == "" || len(arg) > maxOwnName {
			return fmt.Sprintf("an own name has 1 to %d bytes, this one has %d", maxOwnName, len(arg)), ""
		}
	case FnInList:
		if !namedlist.ValidName(arg) {
			return fmt.Sprintf("%.80q is no name of a list", arg), "a list is called by a-z, 0-9, - and _, at most 64 of them: the name of its file without .txt"
		}
	case FnMatches:
		if len(arg) > pattern.MaxText {
			return fmt.Sprintf("a regular expression of %d bytes, at most %d are taken", len(arg), pattern.MaxText), ""
		}
		size, err := regexSize(arg)
		switch {
		case err != nil:
			// The package says in better words what it refuses as well.
			if _, perr := pattern.ParseRegex(arg, true); perr != nil {
				err = perr
			}
			return patternError(err)
		case size > maxRegexSize:
			return fmt.Sprintf("a regular expression of size %d, the limit is %d", size, maxRegexSize), "repeat less, or split it"
		}
	case FnInCIDR:
		if _, ok := ParseNetwork(arg); !ok {
			return fmt.Sprintf("%.80q is not a network", arg), "a network is written 10.0.0.0/8 or 2001:db8::/32"
		}
	default:
		if _, err := constantTest(function, arg); err != nil {
			return patternError(err)
		}
	}
	return "", ""
}

// regexSize returns the number of instructions of a regular expression of matches.
func regexSize(text string) (int, error) {
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return 0, err
	}
	prog, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return 0, err
	}
	return len(prog.Inst), nil
}

func patternError(err error) (message, hint string) {
	var p *pattern.Error
	if errors.As(err, &p) {
		hint = p.Hint
	}
	return err.Error(), hint
}

// zoned reports whether c reads a part of a time in a time zone.
func zoned(c ast.CallExpr) bool {
	name := c.FunctionName()
	return c.IsMemberFunction() && len(c.Args()) == 1 && strings.HasPrefix(name, "get")
}

// timeZone refuses time zones by name: what they mean is up to the host.
func (r *rules) timeZone(e ast.Expr) {
	if e.Kind() == ast.LiteralKind {
		if s, ok := e.AsLiteral().(types.String); ok {
			digits := strings.TrimLeft(string(s), "+-")
			if s == "UTC" || len(digits) == 5 && digits[2] == ':' && strings.Trim(digits[:2]+digits[3:], "0123456789") == "" && len(s) <= 6 {
				return
			}
		}
	}
	r.refuse(e, `a time zone is "UTC" or its distance from it, as "+02:00"`, "unknown time zone")
}
