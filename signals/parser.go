// SPDX-License-Identifier: Apache-2.0

// This file parses an expression's text into its syntax tree. Tokens are cut in
// lexer.go; one term is parsed in term.go; names and values are checked in
// check.go. After an error the parser goes on at the next AND, OR or closing
// parenthesis, so that all errors of an expression come at once.

package signals

import "slices"

// ParseExpr parses and checks the expression text. name stands for its file in
// diagnostics. The error is a [Diagnostics] with all that is wrong.
func ParseExpr(name, text string) (*Expr, error) {
	src := newSource(name, text)
	e, _ := parse(src)
	if err := src.diags.err(); err != nil {
		return nil, err
	}
	return e, nil
}

// parse parses and checks the text of src, and reports to src. What it returns
// is complete only if nothing was reported. comment is the offset of the first
// comment, or -1.
func parse(src *source) (e *Expr, comment int) {
	return (&parser{lexer: lexer{src: src, comment: -1}}).parse()
}

// parseSuppress is parse for an expression that is judged on one event alone, as
// a whole.
func parseSuppress(src *source) (e *Expr, comment int) {
	return (&parser{lexer: lexer{src: src, comment: -1}, group: true, suppress: true}).parse()
}

func (p *parser) parse() (e *Expr, comment int) {
	src := p.src
	if len(src.text) > maxText {
		src.report(0, 1, "make several signals of it", "expression has %d bytes, at most %d are taken", len(src.text), maxText)
		return nil, -1
	}
	if !p.skip() {
		src.report(0, 1, `the smallest signal is one term: process.path ends with '/name'`, "expression is empty")
		return nil, -1
	}
	e = p.expr(0)
	for p.skip() { // only an unmatched parenthesis stops expr before the end
		src.report(p.off, 1, "", `")" closes nothing`)
		for p.skip() && p.peek() == ')' { // one error for all that stand here
			p.take(1)
		}
		if p.skip() && p.joins() {
			p.take(len(p.word()))
		}
		if !p.skip() {
			break
		}
		e = join(ExprAnd, []*Expr{e, p.expr(0)})
	}
	if e != nil {
		check(src, e, p.suppress)
		e.lines = src.lines
	}
	return e, p.comment
}

type parser struct {
	lexer
	terms    int
	group    bool // inside group( )
	suppress bool // the expression suppresses: it is a group as a whole
	not      bool // inside NOT ( )
	open     bool // a parenthesis that is not closed has been reported
}

// expr parses and { OR and }, up to the end or a closing parenthesis that is not
// its own. It returns nil if nothing of it could be read.
func (p *parser) expr(depth int) *Expr {
	var kids []*Expr
	for {
		kids = append(kids, p.and(depth))
		if !p.skip() || !p.isWord("or") {
			return join(ExprOr, kids)
		}
		p.take(len("or"))
	}
}

// and parses primary { AND primary }.
func (p *parser) and(depth int) *Expr {
	var kids []*Expr
	for {
		kids = append(kids, p.primary(depth))
		if p.skip() && !p.joins() && p.peek() != ')' {
			p.src.report(p.off, len(p.word()), p.strayHint(), "expected AND, OR or the end, found %s", p.found())
			p.recover()
		}
		if !p.skip() || !p.isWord("and") {
			return join(ExprAnd, kids)
		}
		p.take(len("and"))
	}
}

// strayHint says what may be meant by something that stands behind a term.
func (p *parser) strayHint() string {
	switch {
	case p.peek() == ',' || p.atQuote():
		return "several values stand in parentheses: is ('a', 'b')"
	case p.peek() == '/':
		return "a comment needs a blank before its //"
	case p.isWord("not"):
		return "NOT stands before the value: is NOT 'x'"
	}
	return "a value with blanks stands between single quotes"
}

// join makes one expression of those that could be read.
func join(op ExprOp, kids []*Expr) *Expr {
	kids = slices.DeleteFunc(kids, func(e *Expr) bool { return e == nil })
	switch len(kids) {
	case 0:
		return nil
	case 1:
		return kids[0]
	}
	return &Expr{Op: op, Pos: kids[0].Pos, Kids: kids}
}

// primary parses a term, or what stands in parentheses.
func (p *parser) primary(depth int) *Expr {
	if !p.skip() || p.peek() == ')' || p.joins() {
		p.missing("a term is missing")
		return nil
	}
	switch {
	case p.peek() == '(':
		if e := p.parens(depth); e != nil {
			e.Parens = true
			return e
		}
		return nil
	case p.isWord("group"):
		return p.groupOf(depth)
	case p.isWord("not"):
		return p.notOf(depth)
	}
	t := p.term()
	if t == nil {
		p.recover()
		return nil
	}
	return &Expr{Op: ExprTerm, Pos: t.Pos, Term: t}
}

// missing reports that something should stand here: at the end behind the last
// token, since blanks and comments may follow it.
func (p *parser) missing(message string) {
	if !p.skip() {
		p.src.report(p.end, 0, "", "%s at the end", message)
		return
	}
	n := max(1, len(p.word()))
	p.src.report(p.off, n, "", "%s before %s", message, p.found())
}

// parens parses ( expr ).
func (p *parser) parens(depth int) *Expr {
	open := p.off
	if depth >= maxDepth {
		p.src.report(open, 1, "", "parentheses are nested more than %d deep", maxDepth)
		p.recover()
		return nil
	}
	p.take(1)
	e := p.expr(depth + 1)
	if !p.skip() {
		if !p.open { // of several, the innermost
			p.src.report(open, 1, "", `"(" is not closed`)
		}
		p.open = true
		return e
	}
	p.take(1)
	return e
}

// groupOf parses group ( expr ).
func (p *parser) groupOf(depth int) *Expr {
	start := p.off
	p.take(len("group"))
	if !p.skip() || p.peek() != '(' {
		p.src.report(start, len("group"), "group( … ) asks that one event meets the expression in it", `"group" without parentheses`)
		p.recover()
		return nil
	}
	nested, negated := p.group, p.not
	switch {
	case p.suppress:
		p.src.report(start, len("group"), "leave the word out: a suppress expression is judged on one event alone", "a group inside of suppress")
	case nested:
		p.src.report(start, len("group"), "a group is about one event already", "a group inside of a group")
	case negated:
		p.src.report(start, len("group"), "negate the terms inside of the group", "NOT over a group")
	}
	p.group = true
	e := p.parens(depth)
	p.group = nested
	if e == nil || nested || negated {
		return nil
	}
	return &Expr{Op: ExprGroup, Pos: p.src.at(start), Kids: []*Expr{e}}
}

// notOf parses NOT ( expr ).
func (p *parser) notOf(depth int) *Expr {
	start := p.off
	p.take(len("not"))
	if !p.skip() || p.peek() != '(' {
		hint := "in a term NOT stands behind the condition: process.path is NOT '/bin/sh'"
		if p.isWord("group") {
			hint = "negate the terms inside of the group"
			p.src.report(start, len("not"), hint, "NOT over a group")
		} else {
			p.src.report(start, len("not"), hint, "NOT before something that does not stand in parentheses")
		}
		p.recover()
		return nil
	}
	outer := p.not
	p.not = true
	e := p.parens(depth)
	p.not = outer
	if e == nil {
		return nil
	}
	return &Expr{Op: ExprNot, Pos: p.src.at(start), Kids: []*Expr{e}}
}
