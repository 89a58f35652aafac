// SPDX-License-Identifier: Apache-2.0

// This file turns the tests of a CEL expression on one field into terms. A term must
// be true exactly when the test is, whatever bytes the field holds; a test for
// which no term is, is left to cel_residue.go.

package signals

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"

	"seismo/internal/ascii"
	"seismo/internal/celenv"
	"seismo/internal/event"
	"seismo/internal/pattern"
)

// celSubject is what a test is on: a field, or a source's own field.
type celSubject struct {
	info    event.Info // zero for an own field
	own     string
	list    bool // a list, as a whole
	element bool // an element of one
	// fold is the function that was applied: lowerAscii, upperAscii or none.
	fold string
}

func (s celSubject) typ() event.Type {
	if s.own != "" {
		return event.String
	}
	return s.info.Type
}

// term returns a term on s that compares nothing yet.
func (s celSubject) term(pos Position) *TermExpr {
	t := &TermExpr{Pos: pos, CondPos: pos, Field: s.info.Field, Object: "record", Property: s.own, Own: s.own != ""}
	if !t.Own {
		t.Object, t.Property = s.info.Object(), s.info.Column()
	}
	return t
}

// exists returns the term that s is there.
func (s celSubject) exists(pos Position) *TermExpr {
	t := s.term(pos)
	t.Cond = Exists
	return t
}

// celTest is one test on one field. It is true when term is met (negated: when the
// field is there and term is not met); without a term no value meets it.
type celTest struct {
	subject celSubject
	term    *TermExpr
	negated bool
	pos     Position
}

const (
	fnLower = "lowerAscii"
	fnUpper = "upperAscii"
)

// subject returns the field that e is. Locals are the elements that comprehensions
// go over.
func (l *celLowerer) subject(e ast.Expr, locals map[string]celSubject) (celSubject, bool) {
	switch e.Kind() {
	case ast.IdentKind:
		s, ok := locals[e.AsIdent()]
		return s, ok
	case ast.SelectKind:
		info, ok := celenv.FieldOf(e)
		if !ok || e.AsSelect().IsTestOnly() {
			return celSubject{}, false
		}
		list := info.Type == event.List || info.Type == event.Hash || info.Scope == event.ScopeAncestor
		return celSubject{info: info, list: list}, true
	case ast.CallKind:
		c := e.AsCall()
		switch {
		case c.FunctionName() == celenv.FnOwn:
			name, ok := literalString(c.Args()[0])
			return celSubject{own: name, list: true}, ok
		case (c.FunctionName() == fnLower || c.FunctionName() == fnUpper) && c.IsMemberFunction():
			s, ok := l.subject(c.Target(), locals)
			if !ok || s.list || s.fold != "" {
				return celSubject{}, false
			}
			s.fold = c.FunctionName()
			return s, true
		}
	}
	return celSubject{}, false
}

func literalString(e ast.Expr) (string, bool) {
	if e.Kind() != ast.LiteralKind {
		return "", false
	}
	s, ok := e.AsLiteral().(types.String)
	return string(s), ok
}

// presence returns the term that e asks for if it is has(field) or hasOwn("name").
func (l *celLowerer) presence(e ast.Expr) *TermExpr {
	off, _ := l.c.Span(e)
	if info, ok := celenv.FieldOf(e); ok && e.AsSelect().IsTestOnly() {
		return celSubject{info: info}.exists(l.src.at(off))
	}
	if e.Kind() == ast.CallKind && e.AsCall().FunctionName() == celenv.FnHasOwn {
		if name, ok := literalString(e.AsCall().Args()[0]); ok {
			return celSubject{own: name}.exists(l.src.at(off))
		}
	}
	return nil
}

// test returns the test that e is, if it is one that a term can say.
func (l *celLowerer) test(e ast.Expr, locals map[string]celSubject) (celTest, bool) {
	if e.Kind() != ast.CallKind {
		return celTest{}, false
	}
	c := e.AsCall()
	args := c.Args()
	if c.IsMemberFunction() {
		args = append([]ast.Expr{c.Target()}, args...)
	}
	if len(args) != 2 {
		return celTest{}, false
	}
	function, left, right := c.FunctionName(), args[0], args[1]
	s, ok := l.subject(left, locals)
	if !ok { // "x" == process.path, "x" in process.args
		if s, ok = l.subject(right, locals); !ok {
			return celTest{}, false
		}
		if function, ok = mirrored(function, s); !ok {
			return celTest{}, false
		}
		right = left
	}
	value, ok := l.c.Constant(right)
	if !ok {
		return celTest{}, false
	}
	off, _ := l.c.Span(e)
	b := termBuilder{subject: s, pos: l.src.at(off)}
	if !b.compare(function, value) {
		return celTest{}, false
	}
	t := celTest{subject: s, pos: b.pos, negated: function == operators.NotEquals}
	if len(b.values) > 0 {
		t.term = s.term(b.pos)
		t.term.Cond, t.term.Cased, t.term.Values = b.cond, b.cased, b.values
	}
	return t, true
}

// memberOf stands for a constant that is looked for among the elements of a field.
const memberOf = "element"

// mirrored returns the function for which "function(constant, s)" is
// "mirrored(s, constant)".
func mirrored(function string, s celSubject) (string, bool) {
	switch function {
	case operators.Equals, operators.NotEquals:
		return function, !s.list
	case operators.Less:
		return operators.Greater, true
	case operators.LessEquals:
		return operators.GreaterEquals, true
	case operators.Greater:
		return operators.Less, true
	case operators.GreaterEquals:
		return operators.LessEquals, true
	case operators.In:
		return memberOf, s.list
	}
	return "", false
}

// termBuilder makes the condition and values of a term.
type termBuilder struct {
	subject celSubject
	pos     Position
	cond    Condition
	cased   bool
	values  []Value // none: no value meets the test
}

// compare takes what function compares the subject with. It returns false if no term
// says the same.
func (b *termBuilder) compare(function string, value ref.Val) bool {
	s := b.subject
	switch function {
	case celenv.FnIEquals, celenv.FnIContains, celenv.FnIStartsWith, celenv.FnIEndsWith:
		if s.fold == "" { // what was folded by CEL has other bytes where it is not UTF-8
			return b.folded(function, value)
		}
		return false
	case celenv.FnGlob, celenv.FnPathGlob, celenv.FnIMatches, celenv.FnMatches, celenv.FnInCIDR, celenv.FnInList:
		text, ok := value.(types.String)
		return ok && s.fold == "" && b.special(function, string(text))
	case memberOf:
		return s.list && b.exact(Is, value)
	}
	if s.list {
		return false
	}
	switch function {
	case operators.Equals, operators.NotEquals:
		return b.exact(Is, value)
	case operators.In:
		list, ok := value.(traits.Lister)
		if !ok {
			return false
		}
		for it := list.Iterator(); it.HasNext() == types.True; {
			if !b.exact(Is, it.Next()) {
				return false
			}
		}
		return true
	case operators.Less:
		return b.ordered(Less, value)
	case operators.LessEquals:
		return b.ordered(LessEqual, value)
	case operators.Greater:
		return b.ordered(Greater, value)
	case operators.GreaterEquals:
		return b.ordered(GreaterEqual, value)
	case "contains":
		return b.exact(Contains, value)
	case "startsWith":
		return b.exact(BeginsWith, value)
	case "endsWith":
		return b.exact(EndsWith, value)
	}
	return false
}

// ordered takes a number that the subject is less or greater than.
func (b *termBuilder) ordered(cond Condition, value ref.Val) bool {
	b.cond = cond
	return b.number(value)
}

// number takes a number, if the subject is one.
func (b *termBuilder) number(value ref.Val) bool {
	v := Value{Pos: b.pos}
	switch n := value.(type) {
	case types.Int:
		v.Number, v.Text = int64(n), strconv.FormatInt(int64(n), 10)
		if b.subject.typ() != event.Integer {
			return false
		}
	case types.Uint:
		v.Number, v.Text = int64(n), strconv.FormatUint(uint64(n), 10)
		if b.subject.typ() != event.Identifier {
			return false
		}
	case types.Timestamp:
		v.Text = n.UTC().Format(time.RFC3339Nano)
		if b.subject.typ() != event.Time {
			return false
		}
		if _, err := checkTime(&v); err != nil {
			return false
		}
	default:
		return false
	}
	b.values = append(b.values, v)
	return true
}

// exact takes a value that CEL compares byte by byte.
func (b *termBuilder) exact(cond Condition, value ref.Val) bool {
	b.cond = cond
	text, ok := value.(types.String)
	if !ok {
		return cond == Is && b.number(value)
	}
	lit := string(text)
	if !b.literal(lit) {
		return false
	}
	b.cased = true
	switch s := b.subject; {
	case s.fold != "":
		// The functions make U+FFFD of bytes that are not UTF-8; every other
		// character stays where and what it is, but for ASCII letters.
		if strings.ContainsRune(lit, utf8.RuneError) {
			return false
		}
		b.cased = false
		if s.fold == fnLower && lit != ascii.Fold(lit) || s.fold == fnUpper && strings.ContainsFunc(lit, func(r rune) bool { return 'a' <= r && r <= 'z' }) {
			return true // never met
		}
		lit = ascii.Fold(lit)
		if s.typ() == event.Address {
			return false // nobody folds addresses
		}
	case s.typ() == event.Address:
		return b.address(lit)
	}
	b.values = append(b.values, Value{Pos: b.pos, Text: lit})
	return true
}

// literal reports whether a term may have lit. What tests for nothing, and what is too
// long, is left to CEL.
func (b *termBuilder) literal(lit string) bool {
	t := b.subject.typ()
	return lit != "" && len(lit) <= maxLiteral && t != event.Integer && t != event.Identifier && t != event.Time
}

// address takes a literal that the short text of an address is compared with.
func (b *termBuilder) address(lit string) bool {
	b.cased = false
	v := Value{Pos: b.pos, Text: lit}
	if b.cond == Is {
		a, err := netip.ParseAddr(lit)
		if err != nil || a.Zone() != "" || a.Unmap().String() != lit {
			return true // no address is written so
		}
		v.Address = lit
	} else if lit != ascii.Fold(lit) {
		return true
	}
	b.values = append(b.values, v)
	return true
}

// folded takes the argument of our functions that leave the case of letters out.
func (b *termBuilder) folded(function string, value ref.Val) bool {
	text, ok := value.(types.String)
	if !ok || !b.literal(string(text)) {
		return false
	}
	lit := ascii.Fold(string(text))
	b.cond = map[string]Condition{celenv.FnIEquals: Is, celenv.FnIContains: Contains,
		celenv.FnIStartsWith: BeginsWith, celenv.FnIEndsWith: EndsWith}[function]
	if b.subject.typ() == event.Address {
		return b.address(lit)
	}
	b.values = append(b.values, Value{Pos: b.pos, Text: lit})
	return true
}

// special takes a pattern, a network or the name of a list.
func (b *termBuilder) special(function, arg string) bool {
	v := Value{Pos: b.pos, Text: arg}
	typ := b.subject.typ()
	onText := b.literal(arg)
	switch function {
	case celenv.FnMatches:
		// What package pattern refuses beyond CEL, such as (?i), stays CEL.
		_, err := pattern.ParseRegex(arg, true)
		b.cond, b.cased = Regex, true
		if b.subject.list || !onText || typ == event.Address || err != nil {
			return false
		}
	case celenv.FnIMatches:
		if b.cond = Regex; !onText {
			return false
		}
	case celenv.FnGlob, celenv.FnPathGlob:
		if b.cond = Glob; function == celenv.FnPathGlob {
			b.cond = PathGlob
		}
		v.Text = ascii.Fold(arg)
		if !onText || b.cond == PathGlob && !slices.Contains(conditionsOf(typ), PathGlob) {
			return false
		}
	case celenv.FnInCIDR:
		p, ok := celenv.ParseNetwork(arg)
		if !ok || typ != event.Address {
			return false
		}
		b.cond, v.Text, v.Address = InCIDR, p.String(), p.String()
	case celenv.FnInList:
		b.cond = InList
	}
	b.values = append(b.values, v)
	return true
}
