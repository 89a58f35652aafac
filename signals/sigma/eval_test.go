// SPDX-License-Identifier: Apache-2.0

// This file holds a plain evaluator of expressions over the fields of one event: slow,
// and meant to be right at a glance. It shares nothing with package engine.

package sigma

import (
	"fmt"
	"math/big"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"seismo/internal/pattern"
	"seismo/signals"
)

// fields are the values of one event by name.
type fields map[string][]string

// values returns the values that a term on name reads.
func (f fields) values(name string) []string {
	if name != signals.AnyField {
		return f[name]
	}
	var all []string
	for _, vs := range f {
		all = append(all, vs...)
	}
	return all
}

// judge is an expression made ready: it says whether an event meets it.
type judge func(f fields) bool

func newJudge(e *signals.Expr) judge {
	if e.Op == signals.ExprTerm {
		return termJudge(e.Term)
	}
	var kids []judge
	for _, k := range e.Kids {
		kids = append(kids, newJudge(k))
	}
	switch e.Op {
	case signals.ExprNot:
		return func(f fields) bool { return !kids[0](f) }
	case signals.ExprAnd:
		return func(f fields) bool {
			for _, k := range kids {
				if !k(f) {
					return false
				}
			}
			return true
		}
	case signals.ExprOr:
		return func(f fields) bool {
			for _, k := range kids {
				if k(f) {
					return true
				}
			}
			return false
		}
	}
	panic("no such operation in Sigma")
}

func termJudge(t *signals.TermExpr) judge {
	meets := comparison(t)
	return func(f fields) bool {
		for _, v := range f.values(t.Property) {
			if meets(f, v) {
				return !t.Negate
			}
		}
		return t.Negate
	}
}

// fold puts ASCII letters into lower case.
func fold(s string) string {
	for i := range len(s) {
		if 'A' <= s[i] && s[i] <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if 'A' <= b[i] && b[i] <= 'Z' {
					b[i] += 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}

// comparison returns what one value of the field must meet.
func comparison(t *signals.TermExpr) func(f fields, v string) bool {
	if t.Cond == signals.Exists {
		return func(fields, string) bool { return true }
	}
	var any []func(f fields, v, folded string) bool // folded is v without case, unless case counts
	same := fold
	if t.Cased {
		same = func(s string) string { return s }
	}
	for i := range t.Values {
		any = append(any, comparisonWith(t, &t.Values[i], same))
	}
	return func(f fields, v string) bool {
		folded := same(v)
		for _, meets := range any {
			if meets(f, v, folded) {
				return true
			}
		}
		return false
	}
}

func comparisonWith(t *signals.TermExpr, want *signals.Value, same func(string) string) func(f fields, v, folded string) bool {
	compare := map[signals.Condition]func(a, b string) bool{
		signals.Is: func(a, b string) bool { return a == b }, signals.Contains: strings.Contains,
		signals.BeginsWith: strings.HasPrefix, signals.EndsWith: strings.HasSuffix,
		signals.IsField: func(a, b string) bool { return a == b }, signals.ContainsField: strings.Contains,
		signals.BeginsWithField: strings.HasPrefix, signals.EndsWithField: strings.HasSuffix,
	}[t.Cond]
	switch t.Cond {
	case signals.IsField, signals.ContainsField, signals.BeginsWithField, signals.EndsWithField:
		return func(f fields, _, folded string) bool {
			for _, other := range f[want.Text] {
				if compare(folded, same(other)) {
					return true
				}
			}
			return false
		}
	case signals.Glob:
		return func(_ fields, _, folded string) bool { return globMatch(same(want.Text), folded) }
	case signals.Regex:
		re, err := pattern.ParseRegex(want.Text, t.Cased)
		if err != nil {
			panic(err)
		}
		return func(_ fields, v, _ string) bool { return re.MatchString(v) }
	case signals.InCIDR:
		network := netip.MustParsePrefix(want.Address)
		return func(_ fields, v, _ string) bool {
			a, err := netip.ParseAddr(v)
			return err == nil && network.Contains(a.Unmap())
		}
	}
	if t.Part != signals.NoPart {
		return func(_ fields, v, _ string) bool {
			n, ok := partOf(t.Part, v)
			return ok && ordered(t.Cond, big.NewRat(n, 1), big.NewRat(want.Number, 1))
		}
	}
	if compare == nil {
		return func(_ fields, v, _ string) bool {
			a, ok := number(v)
			b, ok2 := number(want.Text)
			return ok && ok2 && ordered(t.Cond, a, b)
		}
	}
	text := same(want.Text)
	return func(_ fields, _, folded string) bool { return compare(folded, text) }
}

var numberForm = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?$`)

func number(s string) (*big.Rat, bool) {
	if !numberForm.MatchString(s) {
		return nil, false
	}
	return new(big.Rat).SetString(s)
}

func ordered(c signals.Condition, a, b *big.Rat) bool {
	switch n := a.Cmp(b); c {
	case signals.Less:
		return n < 0
	case signals.LessEqual:
		return n <= 0
	case signals.Greater:
		return n > 0
	case signals.GreaterEqual:
		return n >= 0
	default:
		return n == 0
	}
}

func partOf(p signals.DatePart, v string) (int64, bool) {
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05", "2006-01-02"} {
		t, err := time.Parse(layout, v)
		if err != nil {
			continue
		}
		_, week := t.ISOWeek()
		n := map[signals.DatePart]int{signals.Minute: t.Minute(), signals.Hour: t.Hour(), signals.Day: t.Day(),
			signals.Week: week, signals.Month: int(t.Month()), signals.Year: t.Year()}[p]
		return int64(n), true
	}
	return 0, false
}

// globMatch matches a glob as its documentation says.
func globMatch(glob, v string) bool {
	switch {
	case glob == "":
		return v == ""
	case glob[0] == '*':
		rest := strings.TrimLeft(glob, "*")
		for i := range len(v) + 1 {
			if globMatch(rest, v[i:]) {
				return true
			}
		}
		return false
	case v == "":
		return false
	case strings.HasPrefix(glob, "[u+]"):
		_, n := utf8.DecodeRuneInString(v)
		return globMatch(glob[4:], v[n:])
	case glob[0] == '[':
		return v[0] == glob[1] && globMatch(glob[3:], v[1:])
	}
	return v[0] == glob[0] && globMatch(glob[1:], v[1:])
}

// finding is what a reader reported.
type finding struct {
	line, column  int
	hint, message string
}

// newTestReader returns a reader whose findings are appended to found. It knows the
// placeholders in holes.
func newTestReader(found *[]finding, holes map[string][]string) *reader {
	return &reader{
		report: func(n *yaml.Node, hint, format string, args ...any) {
			f := finding{hint: hint, message: fmt.Sprintf(format, args...)}
			if n != nil {
				f.line, f.column = n.Line, n.Column
			}
			*found = append(*found, f)
		},
		pos: func(n *yaml.Node) signals.Position {
			return signals.Position{File: "rule.yml", Line: n.Line, Column: n.Column}
		},
		placeholder: func(name string) ([]string, error) {
			if vs, ok := holes[name]; ok {
				return vs, nil
			}
			return nil, fmt.Errorf("no values are known")
		},
	}
}

// testHoles are the placeholders of the tests.
var testHoles = map[string][]string{"one": {"alpha"}, "two": {"alpha", "be*ta"}, "nets": {"10.0.0.0/8", "fe80::/10"}, "none": {}, "dash": {"-x"}}

// readDetection reads the text of a detection section.
func readDetection(t testing.TB, text string) (*signals.Expr, []finding) {
	t.Helper()
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatalf("yaml.Unmarshal(%s): %v", text, err)
	}
	var found []finding
	e := newTestReader(&found, testHoles).detection(doc.Content[0])
	if (e == nil) != (len(found) > 0) {
		t.Fatalf("detection(%s) = %v with %d findings", text, e, len(found))
	}
	return e, found
}

// mustRead is readDetection of what must be taken.
func mustRead(t testing.TB, text string) *signals.Expr {
	t.Helper()
	e, found := readDetection(t, text)
	if e == nil {
		t.Fatalf("detection(%s): %+v", text, found)
	}
	return e
}
