// SPDX-License-Identifier: Apache-2.0

// This file holds the properties of detections and conditions that any bytes must keep.

package sigma

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
	"pgregory.net/rapid"

	"seismo/signals"
)

// Whatever a detection holds, it is taken or refused with a reason, never both; what is
// taken lowers, has terms on own names only, and can be judged.
func FuzzDetection(f *testing.F) {
	for _, list := range [][]chainCase{textChains, encodedChains, typedChains} {
		for _, c := range list {
			f.Add("s:\n  " + c.item + "\ncondition: s\n")
		}
	}
	f.Add("a: [x, {F|re: '(a|b)+'}]\n_b: {'|all': [1, null]}\ncondition: [not a, 1 of _*]")
	f.Add("s: !\ncondition: s")
	f.Add("s: {F|windash|base64offset: '-a -b -c -d'}\ncondition: all of them")
	f.Fuzz(func(t *testing.T, text string) {
		var doc yaml.Node
		if len(text) > 2000 || yaml.Unmarshal([]byte(text), &doc) != nil || len(doc.Content) == 0 {
			return
		}
		var found []finding
		e := newTestReader(&found, testHoles).detection(doc.Content[0])
		if (e == nil) != (len(found) > 0) {
			t.Fatalf("detection(%q) = %v with findings %+v", text, e, found)
		}
		for _, w := range found {
			if w.message == "" {
				t.Errorf("detection(%q): a finding without a reason", text)
			}
		}
		if e == nil {
			return
		}
		eachTerm(e, func(term *signals.TermExpr) {
			if !term.Own || term.Property == "" || term.Text == "" || strings.ContainsAny(term.Text, "\n\r") || !term.Cond.Valid() ||
				(len(term.Values) == 0) != (term.Cond == signals.Exists) || term.Pos.Line == 0 {
				t.Errorf("detection(%q): term %+v", text, term)
			}
		})
		newJudge(e)(fields{"F": {"abc", ""}, "G": {"-a"}})
		d := signals.Definition{ID: "x", Name: "x", Language: signals.LanguageSigma, Expr: e}
		if _, err := signals.Lower([]signals.Definition{d}); err != nil {
			t.Errorf("Lower of %q: %v", text, err)
		}
	})
}

func eachTerm(e *signals.Expr, do func(*signals.TermExpr)) {
	if e.Op == signals.ExprTerm {
		do(e.Term)
	}
	for _, k := range e.Kids {
		eachTerm(k, do)
	}
}

// A condition, printed and parsed again, is the same; and a second parser, which splits
// the words at operators, takes and refuses the same and reads the same.
func FuzzCondition(f *testing.F) {
	for _, s := range []string{"a", "not a and (b or 1 of c*)", "ALL of Them or any OF x_*_y", "1 and all", "a | count() > 5", "((a)", "not not (a and b) or c and d or e", "1 of them of", "of"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 300 || strings.Count(text, "(")+strings.Count(strings.ToLower(text), "not") > maxNesting {
			return
		}
		c, bad := parseCondition(text)
		words, ok := splitWords(text)
		want := ""
		if ok {
			want, ok = plainCondition(words)
		}
		if (bad == nil) != ok {
			t.Fatalf("parseCondition(%q) = %v, %+v; the other parser: %q, %v", text, c, bad, want, ok)
		}
		if bad != nil {
			if bad.message == "" || bad.off < 0 || bad.off > len(text) {
				t.Errorf("parseCondition(%q): %+v", text, bad)
			}
			return
		}
		if c.String() != want {
			t.Errorf("parseCondition(%q) = %s, want %s", text, c, want)
		}
		again, bad := parseCondition(c.String())
		if bad != nil || !sameCondition(c, again) {
			t.Errorf("%q printed as %q is %v, %+v", text, c, again, bad)
		}
	})
}

func sameCondition(a, b *cond) bool {
	return a.op == b.op && a.name == b.name && slices.EqualFunc(a.kids, b.kids, sameCondition)
}

// splitWords splits a condition into parentheses and words.
func splitWords(text string) ([]string, bool) {
	text = strings.NewReplacer("(", " ( ", ")", " ) ").Replace(text)
	words := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\r\n", r) })
	for _, w := range words {
		if w != "(" && w != ")" && strings.Trim(w, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-*") != "" {
			return nil, false
		}
	}
	return words, true
}

// plainCondition prints the condition that words are.
func plainCondition(words []string) (string, bool) {
	for _, operator := range []string{"or", "and"} {
		var parts []string
		for _, part := range splitAt(words, operator) {
			p, ok := "", len(part) > 0
			if ok && len(part) < len(words) {
				p, ok = plainCondition(part)
			}
			if !ok {
				return "", false
			}
			parts = append(parts, p)
		}
		if len(parts) > 1 {
			for i := range parts {
				if operator == "or" && plainHas(parts[i], " and ") || plainHas(parts[i], " or ") {
					parts[i] = "(" + parts[i] + ")"
				} else if plainHas(parts[i], " and ") {
					parts[i] = "(" + parts[i] + ")"
				}
			}
			return strings.Join(parts, " "+operator+" "), true
		}
	}
	n := len(words)
	is := func(i int, w string) bool { return i < n && strings.EqualFold(words[i], w) }
	switch {
	case n == 0:
		return "", false
	case is(0, "not"):
		p, ok := plainCondition(words[1:])
		if plainHas(p, " and ") || plainHas(p, " or ") {
			p = "(" + p + ")"
		}
		return "not " + p, ok
	case words[0] == "(" && words[n-1] == ")":
		return plainCondition(words[1 : n-1])
	case n == 1:
		if is(0, "near") || words[0] == "(" || words[0] == ")" || strings.Contains(words[0], "*") {
			return "", false
		}
		return words[0], true
	case n == 3 && is(1, "of") && words[2] != "(" && words[2] != ")":
		name := words[2]
		if is(2, "them") {
			name = "them"
		}
		switch {
		case is(0, "1"), is(0, "any"):
			return "1 of " + name, true
		case is(0, "all"):
			return "all of " + name, true
		}
	}
	return "", false
}

// plainHas reports whether s has operator outside of parentheses.
func plainHas(s, operator string) bool {
	depth := 0
	for i := range len(s) {
		switch {
		case s[i] == '(':
			depth++
		case s[i] == ')':
			depth--
		case depth == 0 && strings.HasPrefix(s[i:], operator):
			return true
		}
	}
	return false
}

// splitAt splits words at operator outside of parentheses; a word behind "of" is none.
func splitAt(words []string, operator string) [][]string {
	var parts [][]string
	depth, from := 0, 0
	for i, w := range words {
		switch {
		case w == "(":
			depth++
		case w == ")":
			depth--
		case depth == 0 && strings.EqualFold(w, operator) && !(i > 1 && strings.EqualFold(words[i-1], "of") && slices.Contains([]string{"1", "any", "all"}, strings.ToLower(words[i-2]))):
			parts = append(parts, words[from:i])
			from = i + 1
		}
	}
	return append(parts, words[from:])
}

// A value means what the specification says, written down as a recursion over its text.
func TestValuesMeanWhatTheyMean(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOfN(rapid.SampledFrom([]rune(`aAbé[]+u\\\\***??`)), 0, 8, -1).Draw(t, "value")
		event := rapid.StringOfN(rapid.SampledFrom([]rune(`aAbBé[]+u\\*?`)), 0, 8, -1).Draw(t, "event")
		chain := rapid.SampledFrom([]string{"", "|contains", "|startswith", "|endswith", "|cased", "|contains|cased"}).Draw(t, "chain")
		key, val := &yaml.Node{Kind: yaml.ScalarNode, Value: "F" + chain}, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
		var found []finding
		d := &detector{r: newTestReader(&found, nil)}
		e := d.keyed(key, val)
		if e == nil {
			t.Fatalf("F%s: %q: %+v", chain, text, found)
		}
		wantText, wantEvent := text, event
		if !strings.Contains(chain, "cased") {
			wantText, wantEvent = fold(text), fold(event)
		}
		want := false
		for from := range len(event) + 1 {
			for to := from; to <= len(event); to++ {
				if from > 0 && !strings.Contains(chain, "contains") && !strings.Contains(chain, "endswith") ||
					to < len(event) && !strings.Contains(chain, "contains") && !strings.Contains(chain, "startswith") ||
					!utf8.ValidString(event[from:to]) {
					continue
				}
				want = want || plainMatch(wantText, wantEvent[from:to])
			}
		}
		if got := newJudge(e)(fields{"F": {event}}); got != want {
			t.Errorf("F%s: %q on %q = %v, want %v; %s", chain, text, event, got, want, describe(e))
		}
	})
}

// plainMatch matches the whole of v with a value as it is written.
func plainMatch(p, v string) bool {
	switch {
	case p == "":
		return v == ""
	case len(p) > 1 && p[0] == '\\' && strings.IndexByte(`\*?`, p[1]) >= 0:
		return v != "" && v[0] == p[1] && plainMatch(p[2:], v[1:])
	case p[0] == '*':
		for i := range len(v) + 1 {
			if plainMatch(p[1:], v[i:]) {
				return true
			}
		}
		return false
	case p[0] == '?':
		_, n := utf8.DecodeRuneInString(v)
		return v != "" && plainMatch(p[1:], v[n:])
	}
	return v != "" && v[0] == p[0] && plainMatch(p[1:], v[1:])
}
