// SPDX-License-Identifier: Apache-2.0

// This file makes the compiled structure of the original of an expression in the
// text language. Its documents are in original.go.

package signals

import (
	"fmt"
	"slices"
	"strings"
)

// Compiled is an expression in the compiled structure of the original, in the form
// and with the order of keys of its public documents. It follows from the text:
//
//   - AND and OR are taken apart two by two from the left: a AND b AND c is
//     (a AND b) AND c.
//   - Terms that stand in an operation itself come first; then come those of
//     operations below it that have the same operator, which are pulled up. Others
//     stay below, in Expressions.
//   - The terms of a group carry its number, from 1 in text order; so does the
//     operation that the group consists of, unless it was pulled up.
//   - A single term is an operation "or" of one term.
type Compiled struct {
	Expressions []*Compiled    `json:"expressions"`
	Terms       []CompiledTerm `json:"terms"`
	Operator    string         `json:"operator"` // and, or
	EventGroup  int            `json:"event_group,omitempty"`
	// Text, the expression as it was written, and SyntaxVersion are at the root only.
	Text          string `json:"text,omitempty"`
	SyntaxVersion int    `json:"syntax_version,omitempty"`
}

// CompiledTerm is one term. Its value is a string; beyond what the original has, it
// is a list of strings, or empty for exists.
type CompiledTerm struct {
	EventGroup int    `json:"event_group,omitempty"`
	Condition  string `json:"condition"`
	Negate     bool   `json:"negate"`
	Value      any    `json:"value"`
	Object     string `json:"object"`
	Property   string `json:"property"`
	Cased      bool   `json:"cased,omitempty"`
}

// Compile returns the compiled structure of d, which must be in the text language
// and have a checked expression.
func Compile(d *Definition) (*Compiled, error) {
	if d.Language != LanguageSignal || d.Expr == nil {
		return nil, fmt.Errorf("compile %s: only checked expressions of the text language have a compiled structure", quote(d.Name))
	}
	var c compiler
	got := c.part(d.Expr, false, 0)
	root := got.node
	if root == nil {
		root = &Compiled{Expressions: []*Compiled{}, Terms: []CompiledTerm{got.term}, Operator: "or", EventGroup: got.term.EventGroup}
	}
	root.Text = d.Text
	root.SyntaxVersion, _ = syntaxVersion(d.Expr)
	return root, nil
}

// compiler numbers the groups of an expression.
type compiler struct{ groups int }

// compiledPart is an operation, or a term if node is nil.
type compiledPart struct {
	term CompiledTerm
	node *Compiled
}

// part returns e, negated if negate. group is the number of the group that it
// stands in, or 0.
func (c *compiler) part(e *Expr, negate bool, group int) compiledPart {
	switch e.Op {
	case ExprTerm:
		return compiledPart{term: compiledTerm(e.Term, negate, group)}
	case ExprNot:
		return c.part(e.Kids[0], !negate, group)
	case ExprGroup:
		c.groups++
		number := c.groups
		p := c.part(e.Kids[0], negate, number)
		if p.node != nil {
			p.node.EventGroup = number
		}
		return p
	}
	n := joiner{operator: "and"}
	if (e.Op == ExprOr) != negate {
		n.operator = "or"
	}
	n.first(c.part(e.Kids[0], negate, group), c.part(e.Kids[1], negate, group))
	for _, k := range e.Kids[2:] {
		n.next(c.part(k, negate, group))
	}
	return compiledPart{node: n.node()}
}

// joiner makes one operation of a row of parts.
type joiner struct {
	operator    string
	front       []CompiledTerm // in reverse
	terms       []CompiledTerm // behind front
	expressions []*Compiled
}

// first joins the first two parts: terms come before what is pulled up.
func (j *joiner) first(parts ...compiledPart) {
	for _, p := range parts {
		if p.node == nil {
			j.terms = append(j.terms, p.term)
		}
	}
	for _, p := range parts {
		if p.node != nil {
			j.below(p.node)
		}
	}
}

// next joins what there is and p. A term comes before all that is pulled up.
func (j *joiner) next(p compiledPart) {
	if p.node == nil {
		j.front = append(j.front, p.term)
		return
	}
	j.below(p.node)
}

// below takes an operation that stands below.
func (j *joiner) below(n *Compiled) {
	if n.Operator != j.operator {
		j.expressions = append(j.expressions, n)
		return
	}
	j.terms = append(j.terms, n.Terms...)
	j.expressions = append(j.expressions, n.Expressions...)
}

func (j *joiner) node() *Compiled {
	slices.Reverse(j.front)
	n := &Compiled{Expressions: j.expressions, Terms: append(j.front, j.terms...), Operator: j.operator}
	if n.Expressions == nil { // written as [], not as null
		n.Expressions = []*Compiled{}
	}
	if n.Terms == nil {
		n.Terms = []CompiledTerm{}
	}
	return n
}

func compiledTerm(t *TermExpr, negate bool, group int) CompiledTerm {
	c := CompiledTerm{EventGroup: group, Condition: t.Cond.String(), Negate: t.Negate != negate, Value: "",
		Object: strings.ToLower(t.Object), Property: strings.ToLower(t.Property), Cased: t.Cased}
	if t.Own {
		c.Property = t.Property
	}
	if len(t.Values) == 1 {
		c.Value = t.Values[0].Text
	} else if len(t.Values) > 1 {
		values := make([]string, len(t.Values))
		for i := range t.Values {
			values[i] = t.Values[i].Text
		}
		c.Value = values
	}
	return c
}

// The versions of the language in which something was added, as far as public
// documents tell; what 3, 5 and 6 added is not known.
const (
	syntaxPlain    = 1
	syntaxGroup    = 2
	syntaxAncestry = 4
	syntaxOurs     = 7 // what only seismo has
)

// syntaxVersion returns the lowest version that has all that e uses, and what of it
// needs that version.
func syntaxVersion(e *Expr) (version int, what string) {
	version, what = syntaxPlain, "a plain term"
	raise := func(v int, w string) {
		if v > version {
			version, what = v, w
		}
	}
	switch e.Op {
	case ExprTerm:
		raise(termVersion(e.Term))
	case ExprNot:
		raise(syntaxOurs, "NOT over parentheses")
	case ExprGroup:
		raise(syntaxGroup, "group")
	}
	for _, k := range e.Kids {
		raise(syntaxVersion(k))
	}
	return version, what
}

// termVersion is syntaxVersion for a term. Properties of the public objects count
// as plain: no full list of them is public.
func termVersion(t *TermExpr) (version int, what string) {
	object := strings.ToLower(t.Object)
	switch {
	case t.Own || !slices.Contains([]string{"process", "file", "network", "registry"}, object):
		return syntaxOurs, "object " + quote(object)
	case t.Cond > EndsWith:
		return syntaxOurs, "condition " + quote(t.Cond.String())
	case t.Cased:
		return syntaxOurs, "cased"
	case len(t.Values) > 1:
		return syntaxOurs, "a list of values"
	}
	// How it was written: all of this is read as something plain.
	l := lexer{src: &source{text: t.Text, pieces: []piece{{line: 1, column: 1}}}}
	for l.skip() {
		switch {
		case l.atQuote() && l.peek() != '\'':
			return syntaxOurs, "a raw literal"
		case l.atQuote():
			l.quoted()
		case l.peek() == '(':
			return syntaxOurs, "a list of values"
		case l.isWord("starts"):
			return syntaxOurs, `condition "starts with"`
		default:
			l.take(max(1, len(l.word())))
		}
	}
	if strings.HasPrefix(strings.ToLower(t.Property), "ancestry_") {
		return syntaxAncestry, "property " + quote(strings.ToLower(t.Property))
	}
	return syntaxPlain, "a plain term"
}
