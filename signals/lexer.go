// SPDX-License-Identifier: Apache-2.0

// This file cuts an expression's text into tokens. What may stand where is for
// the parser to say (parser.go): it asks for the form that it expects, so that a
// bare word may hold characters that end a field's name.

package signals

import (
	"strings"
	"unicode/utf8"
)

// The bounds of an expression. They are part of the language: docs/signals.md
// names them.
const (
	maxText    = 64 << 10 // bytes of an expression
	maxDepth   = 64       // parentheses, groups and NOTs inside each other
	maxTerms   = 2000     // terms of an expression
	maxLiteral = 1024     // bytes of a literal
	maxList    = 1000     // values of a list
	// maxPatterns bounds the work that the globs and regular expressions of an
	// expression make: the bytes of memory that they take, compiled.
	maxPatterns = 8 << 20
	maxOwnName  = 256 // bytes of an own name
)

// keywords can not be bare words. Some have no meaning in this version: a
// signal must not change its meaning when they get one.
var keywords = []string{"and", "or", "not", "group", "is", "contains", "begins", "starts", "ends",
	"with", "exists", "in", "cidr", "cased", "glob", "regex", "matches"}

// lexer walks over an expression's text.
type lexer struct {
	src *source
	off int
	// end is the offset behind the last token.
	end int
	// comment is the offset of the first comment, or -1.
	comment int
}

func (l *lexer) text() string { return l.src.text }

// skip moves to the next token and reports whether there is one.
func (l *lexer) skip() bool {
	text := l.text()
	for l.off < len(text) {
		switch c := text[l.off]; {
		case isBlank(c):
			l.off++
		case c == '/' && strings.HasPrefix(text[l.off:], "//") && (l.off == 0 || isBlank(text[l.off-1])):
			if l.comment < 0 {
				l.comment = l.off
			}
			if n := strings.IndexByte(text[l.off:], '\n'); n >= 0 {
				l.off += n
			} else {
				l.off = len(text)
			}
		default:
			return true
		}
	}
	return false
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// peek returns the next byte, or 0 at the end. Call skip first.
func (l *lexer) peek() byte {
	if l.off < len(l.text()) {
		return l.text()[l.off]
	}
	return 0
}

// take moves over n bytes and returns them.
func (l *lexer) take(n int) string {
	s := l.text()[l.off : l.off+n]
	l.off += n
	l.end = l.off
	return s
}

// run returns the longest stretch from here on that has none of stop and no
// blank, without moving.
func (l *lexer) run(stop string) string {
	rest := l.text()[l.off:]
	for i := range len(rest) {
		if isBlank(rest[i]) || strings.IndexByte(stop, rest[i]) >= 0 {
			return rest[:i]
		}
	}
	return rest
}

// What ends a word outside of values, and a bare word.
const (
	wordStop = `'"(),<>=!`
	bareStop = `'"(),`
)

// word returns the word that stands here, without moving; empty if none does.
func (l *lexer) word() string { return l.run(wordStop) }

// isWord reports whether the word here is w, in any case.
func (l *lexer) isWord(w string) bool { return strings.EqualFold(l.word(), w) }

// joins reports whether AND or OR stands here.
func (l *lexer) joins() bool { return l.isWord("and") || l.isWord("or") }

// found names what stands here, for a message.
func (l *lexer) found() string {
	if l.off >= len(l.text()) {
		return "the end"
	}
	if w := l.word(); w != "" {
		return quote(w)
	}
	_, n := utf8.DecodeRuneInString(l.text()[l.off:])
	return quote(l.text()[l.off : l.off+n])
}

// atQuote reports whether a quoted or raw literal begins here.
func (l *lexer) atQuote() bool {
	rest := l.text()[l.off:]
	return strings.HasPrefix(rest, "'") || strings.HasPrefix(rest, "r'") || strings.HasPrefix(rest, "R'")
}

// quoted takes the quoted or raw literal that begins here and returns what it
// stands for. What is wrong in it is reported, and ok is false.
func (l *lexer) quoted() (value string, ok bool) {
	start, text := l.off, l.text()
	raw := text[l.off] != '\''
	if raw {
		l.off++
	}
	l.off++
	ok = true
	var b strings.Builder
	for l.off < len(text) {
		c := text[l.off]
		switch {
		case c == '\'':
			l.off++
			l.end = l.off
			return b.String(), ok
		case c == '\n':
			return "", l.unclosed(start)
		case c == '\\' && !raw && l.off+1 < len(text) && text[l.off+1] != '\n':
			next := text[l.off+1]
			if next != '\\' && next != '\'' {
				_, n := utf8.DecodeRuneInString(text[l.off+1:])
				l.src.report(l.off, 1+n, `a backslash is written \\; between r' and ' it needs no doubling`,
					`unknown escape \%s: the escapes are \\ and \'`, text[l.off+1:l.off+1+n])
				ok = false
				l.off++
				continue
			}
			b.WriteByte(next)
			l.off += 2
		default:
			b.WriteByte(c)
			l.off++
		}
	}
	return "", l.unclosed(start)
}

// unclosed reports the literal that began at start and was not closed.
func (l *lexer) unclosed(start int) bool {
	l.end = l.off
	hint := `a literal ends with ' on the line it begins on`
	if strings.Contains(l.text()[start:l.off], `\'`) {
		hint += `; \' stands for a quote inside of it, so one that ends with a backslash is written \\'`
	}
	l.src.report(start, 1, hint, unclosedLiteral)
	return false
}

const unclosedLiteral = "literal is not closed"

// recover moves to the next place where parsing can go on: AND, OR or a closing
// parenthesis on the level it began on, or the end. Literals are passed over,
// without a word about what is wrong in them.
func (l *lexer) recover() {
	said := l.src.diags
	for depth := 0; l.skip(); {
		switch {
		case l.atQuote():
			l.quoted()
			l.src.diags = said
		case l.peek() == '(':
			depth++
			l.take(1)
		case l.peek() == ')':
			if depth == 0 {
				return
			}
			depth--
			l.take(1)
		case depth == 0 && l.joins():
			return
		default:
			if w := l.word(); w != "" {
				l.take(len(w))
			} else {
				l.take(1)
			}
		}
	}
}
