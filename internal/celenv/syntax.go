// SPDX-License-Identifier: Apache-2.0

// This file puts what the parser of CEL reports into words: it names tokens of its
// grammar where an author needs to know what to write. What is wrong beyond syntax
// is in issue.go.

package celenv

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	atToken    = "token recognition error at: '"
	textHint   = `text stands between "…" or '…'; a backslash in it is written \\, or r"…" takes it as it is`
	wordsHint  = "and is written &&, or || and not !"
	equalHint  = "equality is written =="
	signalHint = `this is CEL; the language with "is" and "begins with" stands under the key signal`
)

// syntax returns message, of the parser about the text at offset, in our words, and
// the next step, which may be empty. ok is false if it is no message of its grammar.
func (p *places) syntax(message string, offset int) (text, hint string, ok bool) {
	if _, at, found := strings.Cut(message, atToken); found {
		text, hint = unreadable(strings.TrimSuffix(at, "'"))
		return text, hint, true
	}
	found, expected, ok := unexpected(message)
	if !ok {
		return "", "", false
	}
	what := "expected " + expected
	if found == "<EOF>" {
		return what + ", but the expression ends", "", true
	}
	return fmt.Sprintf("%s, found %.40q", what, found), p.wordHint(found, offset), true
}

// unreadable is about token, with which no token of CEL begins.
func unreadable(token string) (text, hint string) {
	first, _ := utf8.DecodeRuneInString(token)
	switch first {
	case '=':
		hint = equalHint
	case '&', '|':
		hint = wordsHint
	case '"', '\'':
		return "text is not closed, or has an escape that CEL does not have", textHint
	case '“', '”', '‘', '’', '„', '«', '»':
		hint = textHint
	case ';':
		hint = "a signal is one expression; its parts are joined by && and ||"
	}
	return fmt.Sprintf("%q is nothing in CEL", string(first)), hint
}

// unexpected returns the token that the parser found, and what it expected instead.
func unexpected(message string) (found, expected string, ok bool) {
	if _, rest, cut := strings.Cut(message, "missing '"); cut {
		expected, found, ok = strings.Cut(rest, "' at '")
		return strings.TrimSuffix(found, "'"), fmt.Sprintf("%q", expected), ok
	}
	if _, rest, cut := strings.Cut(message, "no viable alternative at input '"); cut {
		return strings.TrimSuffix(rest, "'"), "a value", true
	}
	_, rest, cut := strings.Cut(message, " input '")
	if !cut {
		return "", "", false
	}
	if found, expected, ok = strings.Cut(rest, "' expecting "); !ok {
		return "", "", false
	}
	switch tokens := strings.Split(strings.Trim(expected, "{}"), "', '"); {
	case strings.Contains(expected, "STRING"):
		expected = "a value"
	case expected == "<EOF>":
		expected = "an operator or the end"
	default:
		for i, t := range tokens {
			tokens[i] = fmt.Sprintf("%q", strings.Trim(t, "'"))
		}
		expected = strings.Join(tokens, " or ")
	}
	return found, expected, true
}

// wordHint is for words of another language: found, which stands at offset, or the
// word before it.
func (p *places) wordHint(found string, offset int) string {
	before := strings.TrimRightFunc(p.text[:min(offset, len(p.text))], unicode.IsSpace)
	if i := strings.LastIndexFunc(before, unicode.IsSpace); i >= 0 {
		before = before[i+1:]
	}
	for _, word := range []string{strings.ToLower(found), strings.ToLower(before)} {
		switch {
		case slices.Contains([]string{"and", "or", "not"}, word):
			return wordsHint
		case slices.Contains([]string{"is", "begins", "starts", "ends", "contains", "exists", "glob", "regex", "list", "cidr"}, word):
			return signalHint
		}
	}
	return ""
}

// macroUse says how the macro called name is written; empty if there is none.
func macroUse(name string) string {
	switch name {
	case "has":
		return "has(process.tty)"
	case "map":
		return "process.args.map(a, a.lowerAscii())"
	case "exists", "all", "exists_one", "filter":
		return fmt.Sprintf(`process.args.%s(a, a == "x")`, name)
	}
	return ""
}

// atName returns where the name before the parenthesis at offset stands: cel-go
// gives a call the place of its parenthesis.
func (p *places) atName(offset int) (at, width int) {
	if offset >= len(p.text) || p.text[offset] != '(' {
		return offset, 1
	}
	end := len(strings.TrimRightFunc(p.text[:offset], unicode.IsSpace))
	at = end
	for at > 0 && isWord(p.text[at-1]) {
		at--
	}
	if at == end {
		return offset, 1
	}
	return at, end - at
}
