// SPDX-License-Identifier: Apache-2.0

// This file holds the language of conditions (specification 2.1): its words, its
// syntax tree, and the tree as text. What the names in it stand for is resolved in
// resolve.go.
//
//	condition = and { "or" and }
//	and       = not { "and" not }
//	not       = { "not" } primary
//	primary   = "(" condition ")" | ( "1" | "any" | "all" ) "of" ( "them" | pattern ) | identifier
//
// Words mean the same in upper and lower case; identifiers do not.

package sigma

import "strings"

type condOp uint8

const (
	condName condOp = iota // a search identifier
	condSome               // 1 of, any of
	condAll                // all of
	condNot
	condAnd
	condOr
)

// cond is a node of a condition.
type cond struct {
	op   condOp
	name string // of condName; the pattern, or them, of condSome and condAll
	off  int    // byte of the condition
	kids []*cond
}

// String prints c. Parsed again, the text gives the same condition.
func (c *cond) String() string {
	switch c.op {
	case condName:
		return c.name
	case condSome:
		return "1 of " + c.name
	case condAll:
		return "all of " + c.name
	case condNot:
		return "not " + c.kids[0].inner()
	}
	word := " and "
	if c.op == condOr {
		word = " or "
	}
	var parts []string
	for _, k := range c.kids {
		parts = append(parts, k.inner())
	}
	return strings.Join(parts, word)
}

// inner prints c as a part of another condition.
func (c *cond) inner() string {
	if c.op == condAnd || c.op == condOr {
		return "(" + c.String() + ")"
	}
	return c.String()
}

// The bounds of a condition.
const (
	maxCondition = 16 << 10 // bytes
	maxNesting   = 50       // parentheses and NOTs inside each other; package engine takes 132 levels of AND and OR
)

const correlationHint = "write the rule without it, and a correlation that counts its matches or relates them to others"

// condParser parses one condition.
type condParser struct {
	text  string
	off   int // of the token
	token string
	depth int
	bad   *wrong
}

// parseCondition parses text. The error is what is wrong first.
func parseCondition(text string) (*cond, *wrong) {
	p := &condParser{text: text}
	switch {
	case len(text) > maxCondition:
		return nil, refuse("", "a condition of %d bytes, at most %d are taken", len(text), maxCondition)
	case strings.TrimSpace(text) == "":
		return nil, refuse("", "an empty condition")
	}
	p.next()
	c := p.or()
	if p.bad == nil && p.token != "" {
		p.unexpected("and, or or the end")
	}
	if p.bad != nil {
		return nil, p.bad
	}
	return c, nil
}

func wordByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("_.-*", c) >= 0
}

// next moves on to the next token: a word, or one character.
func (p *condParser) next() {
	p.off += len(p.token)
	for p.off < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.off]) >= 0 {
		p.off++
	}
	end := p.off
	for end < len(p.text) && wordByte(p.text[end]) {
		end++
	}
	if end == p.off && end < len(p.text) {
		end++
		for end < len(p.text) && p.text[end]&0xc0 == 0x80 { // the rest of a character
			end++
		}
	}
	p.token = p.text[p.off:end]
}

// is reports whether the token is the word w.
func (p *condParser) is(w string) bool { return strings.EqualFold(p.token, w) }

func (p *condParser) fail(hint, format string, args ...any) {
	if p.bad == nil {
		p.bad = refuse(hint, format, args...)
		p.bad.off = p.off
	}
}

// unexpected says what stands where something else is wanted.
func (p *condParser) unexpected(wanted string) {
	switch {
	case p.token == "":
		p.fail("", "the condition ends where %s is expected", wanted)
	case p.token == "|" && !strings.HasPrefix(p.text[p.off:], "||"):
		what := strings.Fields(strings.TrimPrefix(p.text[p.off:], "|") + " ?")[0]
		p.fail(correlationHint, "aggregation %.40q: conditions do not have them any more", "| "+what)
	case p.is("near"):
		p.fail(correlationHint, "near: conditions do not have it any more")
	case p.token == "|" || p.token == "&" || p.token == "!":
		p.fail("the operators are and, or, not", "%q in a condition", p.token)
	case p.token == ",":
		p.fail("the names that belong together have a pattern, as 1 of selection_*", "a comma in a condition")
	default:
		p.fail("", "%.60q in a condition, where %s is expected", p.token, wanted)
	}
}

func (p *condParser) or() *cond { return p.chain(condOr, "or", p.and) }

func (p *condParser) and() *cond { return p.chain(condAnd, "and", p.not) }

// chain parses what operator joins.
func (p *condParser) chain(op condOp, operator string, part func() *cond) *cond {
	c := &cond{op: op, off: p.off}
	for {
		c.kids = append(c.kids, part())
		if p.bad != nil || !p.is(operator) {
			break
		}
		p.next()
	}
	if len(c.kids) == 1 {
		return c.kids[0]
	}
	return c
}

// enter counts a level; it is false if they are too many.
func (p *condParser) enter() bool {
	if p.depth++; p.depth > maxNesting {
		p.fail("", "parentheses and nots are nested deeper than %d levels", maxNesting)
		return false
	}
	return true
}

func (p *condParser) not() *cond {
	if !p.is("not") {
		return p.primary()
	}
	c := &cond{op: condNot, off: p.off}
	if p.enter() {
		p.next()
		c.kids = []*cond{p.not()}
		p.depth--
	}
	return c
}

func (p *condParser) primary() *cond {
	switch {
	case p.token == "(":
		if !p.enter() {
			return nil
		}
		p.next()
		c := p.or()
		p.depth--
		if p.bad == nil && p.token != ")" {
			p.unexpected("and, or or )")
		}
		p.next()
		return c
	case p.token == "" || !wordByte(p.token[0]) || p.is("and") || p.is("or") || p.is("near"):
		p.unexpected("a search identifier")
		return nil
	}
	c := &cond{op: condName, name: p.token, off: p.off}
	quantifier := *p
	p.next()
	if !p.is("of") {
		if strings.Contains(c.name, "*") {
			*p = quantifier
			p.fail("write 1 of "+c.name+" or all of "+c.name, "pattern %.60q without 1 of or all of", c.name)
		}
		return c
	}
	switch strings.ToLower(c.name) {
	case "1", "any":
		c.op = condSome
	case "all":
		c.op = condAll
	default:
		*p = quantifier
		p.fail("the forms are 1 of, any of and all of", "%.60q of", c.name)
		return nil
	}
	p.next()
	if p.token == "" || !wordByte(p.token[0]) {
		p.unexpected("them or a pattern")
		return nil
	}
	c.name = p.token
	if p.is("them") {
		c.name = "them"
	}
	p.next()
	return c
}
