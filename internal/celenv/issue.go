// SPDX-License-Identifier: Apache-2.0

// This file puts what is wrong with an expression into words, with its place.

package celenv

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"

	"seismo/internal/event"
)

// Issue is one thing that is wrong in an expression.
type Issue struct {
	Offset, Width int // bytes of the text that it is about
	Message       string
	Hint          string // the next step; may be empty
	// Unknown is the name that nobody knows, if that is what is wrong, and Known
	// are those that may be meant. Prefix stands before each of them in the text.
	Unknown string
	Prefix  string
	Known   []string
}

// listHint is for expressions that are too long.
const listHint = `a list of values belongs into a named list: field.inList("name")`

const fieldsHint = `"seismo fields" lists the fields of each event kind`

// places finds where the nodes of a syntax tree stand. cel-go counts characters.
type places struct {
	text    string
	offsets []int // of each character, and of the end; made on first use
}

// byteAt returns the offset of the character at.
func (p *places) byteAt(at int) int {
	if p.offsets == nil {
		for i := range p.text {
			p.offsets = append(p.offsets, i)
		}
		p.offsets = append(p.offsets, len(p.text))
	}
	return p.offsets[min(max(at, 0), len(p.offsets)-1)]
}

// start returns the first byte of e: for most calls that of its first part.
func (p *places) start(tree *ast.AST, e ast.Expr) int {
	first := len(p.text)
	ast.PreOrderVisit(e, ast.NewExprVisitor(func(k ast.Expr) {
		if r, ok := tree.SourceInfo().GetOffsetRange(k.ID()); ok {
			first = min(first, p.byteAt(int(r.Start)))
		}
	}))
	if first == len(p.text) {
		return 0
	}
	return first
}

func (p *places) span(tree *ast.AST, e ast.Expr) (offset, width int) {
	offset = p.start(tree, e)
	width = 1
	if e.Kind() == ast.SelectKind {
		if i := strings.Index(p.text[offset:], e.AsSelect().FieldName()); i >= 0 {
			width = i + len(e.AsSelect().FieldName())
		}
	} else if rest := p.text[offset:]; rest != "" {
		_, width = utf8.DecodeRuneInString(rest)
		for width < len(rest) && isWord(rest[0]) && isWord(rest[width]) {
			width++
		}
	}
	return offset, width
}

func isWord(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

// issues turns what cel-go reports on the expression, and on its syntax tree if it
// has one, into ours.
func (p *places) issues(found *cel.Issues, tree *ast.AST) []Issue {
	nodes := map[int64]ast.Expr{}
	if tree != nil {
		ast.PreOrderVisit(tree.Expr(), ast.NewExprVisitor(func(e ast.Expr) { nodes[e.ID()] = e }))
	}
	var out []Issue
	for _, e := range found.Errors() {
		if len(out) >= maxErrors {
			break
		}
		i := Issue{Offset: p.lineColumn(e.Location.Line(), e.Location.Column()), Width: 1}
		node := nodes[e.ExprID]
		p.word(&i, e.Message, node, tree)
		out = append(out, i)
	}
	slices.SortStableFunc(out, func(a, b Issue) int { return cmp.Compare(a.Offset, b.Offset) })
	return out
}

func (p *places) lineColumn(line, column int) int {
	at := 0
	for ; line > 1; line-- {
		i := strings.IndexByte(p.text[at:], '\n')
		if i < 0 {
			break
		}
		at += i + 1
	}
	for ; column > 0 && at < len(p.text) && p.text[at] != '\n'; column-- {
		_, n := utf8.DecodeRuneInString(p.text[at:])
		at += n
	}
	return at
}

// word fills in message, hint and what may be meant.
func (p *places) word(i *Issue, message string, node ast.Expr, tree *ast.AST) {
	i.Message = strings.TrimPrefix(oneLine(message), "Syntax error: ")
	if text, hint, ok := p.syntax(i.Message, i.Offset); ok && node == nil {
		i.Message, i.Hint = text, hint
		return
	}
	switch {
	case strings.HasPrefix(message, "undefined field") && node != nil && node.Kind() == ast.SelectKind:
		operand, name := node.AsSelect().Operand(), node.AsSelect().FieldName()
		i.Offset, i.Width = p.span(tree, node)
		i.Unknown, i.Hint = name, fieldsHint
		if operand.Kind() == ast.IdentKind {
			i.Prefix = operand.AsIdent() + "."
			i.Known = properties(operand.AsIdent())
			if i.Prefix == "record." {
				i.Hint = fmt.Sprintf("a field that the source's record names itself is read by own(%q)", name)
			}
		}
		i.Message = fmt.Sprintf("unknown field %q", i.Prefix+name)
	case strings.HasPrefix(message, "undeclared reference to "):
		name, _, _ := strings.Cut(strings.TrimPrefix(message, "undeclared reference to '"), "'")
		i.Message, i.Unknown = fmt.Sprintf("unknown name %q", name), name
		if use := macroUse(name); use != "" {
			i.Message, i.Unknown, i.Hint = name+" is not written so", "", "write "+use
			i.Offset, i.Width = p.atName(i.Offset)
		} else if node != nil && node.Kind() == ast.CallKind {
			i.Offset, i.Width = p.atName(i.Offset)
			i.Message = fmt.Sprintf("unknown function %q", name)
			i.Known = functionNames()
			i.Hint = "a text has contains, startsWith, endsWith and matches, and icontains, istartsWith, iendsWith and iequals, for which A is a"
		} else {
			i.Known = event.Objects()
			i.Hint = "the objects are " + strings.Join(event.Objects(), ", ") + "; text stands between quotes"
		}
		if at := strings.Index(p.text[min(i.Offset, len(p.text)):], name); at >= 0 && at <= 1 {
			i.Offset, i.Width = i.Offset+at, len(name)
		}
	case strings.HasPrefix(message, "found no matching overload for "):
		i.Message = overloadMessage(message)
		i.Offset, i.Width = p.atName(i.Offset)
		i.Hint = `"seismo fields" says what each field holds; a number stands without quotes, an id ends in u, a time is timestamp("2026-11-22T13:00:00Z")`
	case strings.HasPrefix(i.Message, "reserved identifier: "):
		i.Message = fmt.Sprintf("%q is a reserved word of CEL", strings.TrimPrefix(i.Message, "reserved identifier: "))
	case strings.Contains(message, "in one call or comprehension"):
		i.Hint = `many comparisons with one value are one: x in ["a", "b"]`
	case strings.Contains(message, "node count"):
		i.Hint = listHint
	case strings.Contains(message, "nesting"), strings.Contains(message, "recursion"):
		i.Hint = "name its parts in signals of their own"
	}
}

// overloadMessage says in the words of an author that a function does not take what
// it is given.
func overloadMessage(message string) string {
	name, rest, _ := strings.Cut(strings.TrimPrefix(message, "found no matching overload for '"), "'")
	_, given, _ := strings.Cut(rest, "applied to '")
	given, _, _ = strings.Cut(given, "'")
	name = strings.Trim(name, "_@")
	if name == "?_:" {
		name = "?:"
	}
	if target, args, ok := strings.Cut(given, "."); ok && strings.HasPrefix(args, "(") {
		return fmt.Sprintf("%s of %s does not take %s", name, target, args)
	}
	return fmt.Sprintf("%s does not take %s", name, given)
}

// properties returns the properties of object, aliases too.
func properties(object string) []string {
	var out []string
	for _, f := range event.Fields() {
		if f.Object() == object {
			out = append(out, f.Column())
			for _, alias := range f.Aliases {
				out = append(out, strings.TrimPrefix(alias, object+"."))
			}
		}
	}
	return out
}

func functionNames() []string {
	return []string{FnOwn, FnHasOwn, FnIEquals, FnIContains, FnIStartsWith, FnIEndsWith, FnGlob, FnPathGlob, FnIMatches, FnInCIDR, FnInList,
		FnMatches, "contains", "startsWith", "endsWith", "has", "exists", "all", "exists_one", "filter", "map", "size", "lowerAscii",
		"upperAscii", "split", "substring", "replace", "trim", "indexOf", "join", "timestamp", "duration"}
}

// problems turns those of our own rules into issues.
func (p *places) problems(found []problem, tree *ast.AST) []Issue {
	nodes := map[int64]ast.Expr{}
	ast.PreOrderVisit(tree.Expr(), ast.NewExprVisitor(func(e ast.Expr) { nodes[e.ID()] = e }))
	var out []Issue
	for _, f := range found {
		i := Issue{Message: f.message, Hint: f.hint, Width: 1}
		if e := nodes[f.id]; e != nil {
			i.Offset, i.Width = p.span(tree, e)
		}
		if out = append(out, i); len(out) == maxErrors {
			break
		}
	}
	slices.SortStableFunc(out, func(a, b Issue) int { return cmp.Compare(a.Offset, b.Offset) })
	return out
}

// oneLine returns s without the ends of lines: none stands within a literal.
func oneLine(s string) string { return strings.ReplaceAll(s, "\n", " ") }
