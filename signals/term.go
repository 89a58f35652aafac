// SPDX-License-Identifier: Apache-2.0

// This file parses one term: field, condition, NOT, cased and values.

package signals

import (
	"strings"
	"unicode/utf8"
)

// term parses one term. It returns nil if it could not be read; the caller goes
// on at the next place where that is possible.
func (p *parser) term() *TermExpr {
	p.terms++
	if p.terms == maxTerms+1 {
		p.src.report(p.off, len(p.word()), "a list tests one field for many values in one term", "more than %d terms", maxTerms)
	}
	if p.terms > maxTerms {
		return nil
	}
	start := p.off
	t := &TermExpr{}
	if !p.field(t) || !p.condition(t) || !p.values(t) {
		return nil
	}
	t.Text = oneLine(p.text()[start:p.end])
	return t
}

// field parses object.property or record.'Own Name'.
func (p *parser) field(t *TermExpr) bool {
	start, name := p.off, p.word()
	if name == "" {
		p.src.report(start, 1, quoteHint(p.text()[start:]), "expected a field, found %s", p.found())
		return false
	}
	t.Pos = p.src.at(start)
	object, property, dotted := strings.Cut(name, ".")
	t.Object, t.Property = object, property
	p.take(len(name))
	if dotted && property == "" && p.atQuote() {
		return p.ownName(t, start)
	}
	switch {
	case !dotted || object == "" || property == "":
		hint := "a field is an object and a property, as in process.path"
		if leadsCondition(strings.ToLower(name)) {
			hint = "every term names its field again: process.name is 'a' OR process.name is 'b'"
		}
		p.src.report(start, len(name), hint, "expected a field, found %s", quote(name))
		return false
	case strings.EqualFold(property, "r") && strings.HasPrefix(p.text()[p.off:], "'"):
		// record.r'Own Name': the r was taken for a property.
		p.off--
		t.Property = ""
		return p.ownName(t, start)
	}
	t.nameWidth = utf8.RuneCountInString(name)
	return true
}

// ownName parses the quoted name behind "record.".
func (p *parser) ownName(t *TermExpr, start int) bool {
	name, ok := p.quoted()
	t.nameWidth = utf8.RuneCountInString(p.text()[start:p.off])
	switch {
	case !ok:
		return false
	case !strings.EqualFold(t.Object, "record"):
		p.src.report(start, p.off-start, "a source's own field is read as record.'own name', on events of every kind", "object %s with a quoted property", quote(t.Object))
		return false
	case name == "" || len(name) > maxOwnName:
		p.src.report(start, p.off-start, "", "an own name has 1 to %d bytes, this one has %d", maxOwnName, len(name))
		return false
	}
	t.Own, t.Property = true, name
	return true
}

// wordedCondition returns the condition that is written as text, in lower case.
func wordedCondition(text string) (c Condition, ok bool) {
	if text == "starts with" {
		return BeginsWith, true
	}
	for c := Is; c < Residual; c++ {
		if text == c.String() {
			return c, true
		}
	}
	return 0, false
}

// leadsCondition reports whether a condition begins with w, in lower case.
func leadsCondition(w string) bool {
	switch w {
	case "is", "contains", "begins", "starts", "ends", "exists", "in", "glob", "path", "regex":
		return true
	}
	return false
}

const conditionHint = "the conditions are is, contains, begins with, ends with, exists, <, <=, >, >=, in cidr, in list, glob, path glob and regex"

// condition parses the condition, NOT and cased.
func (p *parser) condition(t *TermExpr) bool {
	if !p.skip() || p.joins() {
		p.missing("a condition is missing")
		return false
	}
	start := p.off
	t.CondPos = p.src.at(start)
	ok := false
	if strings.IndexByte("<>=!", p.peek()) >= 0 {
		ok = p.operator(t)
	} else {
		ok = p.wordCondition(t)
	}
	if !ok {
		return false
	}
	t.condWidth = utf8.RuneCountInString(p.text()[start:p.end])
	if p.skip() && p.isWord("not") {
		p.take(len("not"))
		t.Negate = true
	}
	if p.skip() && p.isWord("cased") {
		p.take(len("cased"))
		t.Cased = true
		if p.skip() && p.isWord("not") {
			p.src.report(p.off, len("not"), "write it as NOT cased", "NOT behind cased")
			return false
		}
	}
	return true
}

// operator parses a condition that consists of signs.
func (p *parser) operator(t *TermExpr) bool {
	start := p.off
	n := 0
	for start+n < len(p.text()) && strings.IndexByte("<>=!", p.text()[start+n]) >= 0 {
		n++
	}
	switch op := p.take(n); op {
	case "<":
		t.Cond = Less
	case "<=":
		t.Cond = LessEqual
	case ">":
		t.Cond = Greater
	case ">=":
		t.Cond = GreaterEqual
	default:
		hint := conditionHint
		switch op {
		case "=", "==":
			hint = "equality is written: is 'x'"
		case "!=", "<>":
			hint = "the opposite of equality is written: is NOT 'x'"
		}
		p.src.report(start, n, hint, "unknown condition %s", quote(op))
		return false
	}
	return true
}

// wordCondition parses a condition that consists of words.
func (p *parser) wordCondition(t *TermExpr) bool {
	start, first := p.off, p.word()
	if first == "" {
		p.src.report(start, 1, conditionHint, "expected a condition, found %s", p.found())
		return false
	}
	p.take(len(first))
	text := strings.ToLower(first)
	switch text {
	case "begins", "starts", "ends", "in", "path":
		if p.skip() && p.peek() != '(' && !p.atQuote() {
			second := strings.ToLower(p.word())
			if second == "with" || second == "cidr" || second == "list" || second == "glob" {
				p.take(len(second))
				text += " " + second
			}
		}
	}
	if c, ok := wordedCondition(text); ok {
		t.Cond = c
		return true
	}
	switch {
	case text == "begins" || text == "starts" || text == "ends":
		p.src.report(start, p.end-start, "", "%s without \"with\"", quote(text))
	case text == "in":
		p.src.report(start, p.end-start, "values are listed behind is: network.port is (80, 443); a named list is tested by in list", `"in" without "cidr" or "list"`)
	case text == "path":
		p.src.report(start, p.end-start, "", `"path" without "glob"`)
	default:
		p.src.report(start, p.end-start, conditionHint, "unknown condition %s%s", quote(first), didYouMean(conditionSuggestion(text)))
	}
	return false
}

// values parses the value or the list of values.
func (p *parser) values(t *TermExpr) bool {
	if t.Cond == Exists {
		if p.skip() && (p.peek() == '(' || p.atQuote()) {
			p.src.report(p.off, 1, "", "exists takes no value")
			return false
		}
		return true
	}
	if !p.skip() || p.peek() != '(' {
		v, ok := p.value()
		t.Values = []Value{v}
		return ok
	}
	open := p.off
	p.take(1)
	good := true
	for {
		v, ok := p.value()
		if good = good && ok; ok {
			t.Values = append(t.Values, v)
		}
		if len(t.Values) == maxList+1 {
			p.src.report(open, 1, "split the list over several terms", "a list of more than %d values", maxList)
			good = false
		}
		if !p.skip() || p.joins() {
			p.src.report(open, 1, "", "list is not closed")
			return false
		}
		switch p.peek() {
		case ')':
			p.take(1)
			return good
		case ',':
			p.take(1)
		default:
			// After a bad value the rest of it may still stand here.
			if ok {
				p.src.report(p.off, max(1, len(p.word())), "values of a list stand between commas", `expected "," or ")", found %s`, p.found())
			}
			good = false
			if !p.recoverInList() {
				return false
			}
		}
	}
}

// recoverInList moves behind the next comma of the list. It returns false if
// the list ends instead; then it has been passed.
func (p *parser) recoverInList() bool {
	for p.skip() && !p.joins() {
		switch p.peek() {
		case ',':
			p.take(1)
			return true
		case ')':
			p.take(1)
			return false
		}
		p.take(max(1, len(p.word())))
	}
	return false
}

// value parses one literal.
func (p *parser) value() (Value, bool) {
	if !p.skip() || p.peek() == ')' || p.peek() == ',' {
		p.missing("a value is missing")
		return Value{}, false
	}
	start := p.off
	v := Value{Pos: p.src.at(start)}
	ok := true
	if p.atQuote() {
		v.Text, ok = p.quoted()
	} else {
		v.Text = p.run(bareStop)
		for _, k := range keywords {
			if strings.EqualFold(v.Text, k) {
				p.src.report(start, len(k), "a word of the language is a value only between quotes: '"+k+"'", "a value is missing before %s", quote(v.Text))
				p.passKeyword(k)
				return v, false
			}
		}
		r, _ := utf8.DecodeRuneInString(p.text()[start:])
		if hint := quoteHint(p.text()[start:]); hint != "" {
			p.src.report(start, utf8.RuneLen(max(r, 0)), hint, "%c is not a quote of this language", r)
			return v, false
		}
		if v.Text == "" {
			p.missing("a value is missing")
			return v, false
		}
		p.take(len(v.Text))
	}
	v.width = utf8.RuneCountInString(p.text()[start:p.off])
	switch {
	case !ok:
		return v, false
	case v.Text == "":
		p.src.report(start, p.off-start, "that a field is absent is written: exists NOT", "an empty literal")
		return v, false
	case len(v.Text) > maxLiteral:
		p.src.report(start, p.off-start, "", "literal has %d bytes, at most %d are taken", len(v.Text), maxLiteral)
		return v, false
	}
	return v, true
}

// passKeyword moves over keyword k where a value was expected, if it was meant as
// one: what follows closes a list, or goes on with it.
func (p *parser) passKeyword(k string) {
	rest := strings.TrimLeft(p.text()[p.off+len(k):], " \t\r\n")
	if strings.HasPrefix(rest, ",") || strings.HasPrefix(rest, ")") {
		p.take(len(k))
	}
}

// quoteHint says what to write instead of a quote of another kind that stands
// at the beginning of s; empty if none does.
func quoteHint(s string) string {
	switch r, _ := utf8.DecodeRuneInString(s); r {
	case '"', '‘', '’', '“', '”', '`', '«', '„', '‚', '´':
		return "literals stand between single quotes: 'like this'"
	}
	return ""
}

// oneLine returns the text of a term without comments, with one blank where it
// has blanks and ends of lines outside of literals.
func oneLine(text string) string {
	l := lexer{src: &source{text: text, pieces: []piece{{line: 1, column: 1}}}}
	var b strings.Builder
	for l.skip() {
		start := l.off
		if b.Len() > 0 && l.end < start {
			b.WriteByte(' ')
		}
		switch {
		case l.atQuote():
			l.quoted()
		case l.word() != "":
			l.take(len(l.word()))
		default:
			l.take(1)
		}
		b.WriteString(text[start:l.off])
	}
	return b.String()
}
