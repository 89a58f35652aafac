// SPDX-License-Identifier: Apache-2.0

// This file shows the forms of search identifiers and conditions, what the expression
// of a detection looks like, and what is refused with which reason.

package sigma

import (
	"fmt"
	"strings"
	"testing"

	"seismo/signals"
)

func TestDetectionForms(t *testing.T) {
	tests := []struct {
		name, text string
		yes, no    []fields
	}{
		{"mapping is AND", "s: {A: x, B: y}\ncondition: s", []fields{{"A": {"x"}, "B": {"y"}}}, []fields{{"A": {"x"}}, {"B": {"y"}}, {}}},
		{"list of mappings is OR", "s: [{A: x, B: y}, {C: z}]\ncondition: s", []fields{{"C": {"z"}}, {"A": {"x"}, "B": {"y"}}}, []fields{{"A": {"x"}}}},
		{"keywords are OR, in any field", "s: [foo, 'b?r']\ncondition: s", []fields{{"A": {"xFOOx"}}, {"Z": {"bar"}}}, []fields{{"foo": {"x"}}, {}}},
		{"one keyword", "s: foo\ncondition: s", []fields{{"A": {"foo"}}}, []fields{{"A": {"fo"}}}},
		{"keyword number", "s: [4688]\ncondition: s", []fields{{"A": {"x4688x"}}}, []fields{{"A": {"468"}}}},
		{"keyword with a star", "s: ['a*b']\ncondition: s", []fields{{"A": {"xaxbx"}}}, []fields{{"A": {"a"}, "B": {"b"}}}},
		{"keywords with all", "s:\n  '|all': [foo, bar]\ncondition: s", []fields{{"A": {"foo"}, "B": {"bar"}}, {"A": {"foobar"}}}, []fields{{"A": {"foo"}}}},
		{"keywords under no name", "s:\n  '': [foo, bar]\ncondition: s", []fields{{"A": {"bar"}}}, []fields{{"A": {"ba"}}}},
		{"keywords with re", "s:\n  '|re': '^fo+$'\ncondition: s", []fields{{"A": {"x"}, "B": {"foo"}}}, []fields{{"A": {"xfoo"}}}},
		{"keywords with contains and all", "s:\n  '|contains|all': [a, b]\ncondition: s", []fields{{"A": {"xa"}, "B": {"xb"}}}, []fields{{"A": {"xa"}}}},
		{"keywords with startswith", "s:\n  '|startswith': a\ncondition: s", []fields{{"A": {"ab"}}}, []fields{{"A": {"ba"}}}},
		{"keywords with cased", "s:\n  '|cased': Ab\ncondition: s", []fields{{"A": {"xAbx"}}}, []fields{{"A": {"ab"}}}},
		{"keywords with windash", "s:\n  '|windash': ' -a'\ncondition: s", []fields{{"A": {"x /a"}}}, []fields{{"A": {"x a"}}}},
		{"keywords beside fields", "s:\n  '|all': [foo]\n  A: x\ncondition: s", []fields{{"A": {"x"}, "B": {"foo"}}}, []fields{{"A": {"x"}}}},
		{"mappings beside keywords", "s: [foo, {A: x}, bar]\ncondition: s", []fields{{"B": {"foo"}}, {"A": {"x"}}, {"B": {"bar"}}}, []fields{{"A": {"y"}}}},
		{"no keyword at all", "s: [foo]\ncondition: not s", []fields{{"A": {"x"}}, {}}, []fields{{"A": {"foo"}}}},
		{"several values of a field", "s: {A: x}\ncondition: s", []fields{{"A": {"y", "x"}}}, []fields{{"A": {"y", "z"}}}},
		{"none of several values", "s: {A: x}\ncondition: not s", []fields{{"A": {"y", "z"}}}, []fields{{"A": {"y", "x"}}}},
		{"all in several values", "s: {'A|contains|all': [x, y]}\ncondition: s", []fields{{"A": {"y", "x"}}}, []fields{{"A": {"x"}}}},
		{"field names are case-sensitive", "s: {Image: x}\ncondition: s", []fields{{"Image": {"X"}}}, []fields{{"image": {"x"}}}},
		{"field names with dots and blanks", "s: {a.b c: x}\ncondition: s", []fields{{"a.b c": {"x"}}}, nil},
		{"conditions in a list are OR", "a: {A: x}\nb: {B: y}\ncondition: [a, b]", []fields{{"A": {"x"}}, {"B": {"y"}}}, []fields{{}}},
		{"identifiers that nothing names", "a: {A: x}\nb: {B: y}\ncondition: a", []fields{{"A": {"x"}}}, []fields{{"B": {"y"}}}},
		{"folded block", "a: {A: x}\nb: {B: y}\ncondition: >\n  a\n  or b\n", []fields{{"B": {"y"}}}, []fields{{}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := mustRead(t, tt.text)
			meets := newJudge(e)
			for i, f := range append(append([]fields(nil), tt.yes...), tt.no...) {
				if got, want := meets(f), i < len(tt.yes); got != want {
					t.Errorf("%s on %v = %v, want %v; expression %s", tt.text, f, got, want, e)
				}
			}
		})
	}
}

// Conditions over search identifiers that are true where the field of their name is x.
func TestConditions(t *testing.T) {
	const searches = "a: {a: x}\nb: {b: x}\nselection_1: {s1: x}\nselection_2_x: {s2x: x}\nselection_2_y: {s2y: x}\nmain_ok: {m: x}\n_hidden: {h: x}\nFilter-1.b: {f: x}\nall: {kw: x}\n1: {one: x}\n"
	tests := []struct {
		condition string
		yes, no   []string // the fields that are x
	}{
		{"a", []string{"a"}, []string{"b", ""}},
		{"a or b", []string{"a", "b"}, []string{"s1"}},
		{"a and b", []string{"a b"}, []string{"a", "b"}},
		{"a or b and selection_1", []string{"a", "b s1"}, []string{"b", "s1"}},
		{"not a and b", []string{"b"}, []string{"a b", ""}},
		{"not (a and b)", []string{"", "a"}, []string{"a b"}},
		{"not not a", []string{"a"}, []string{""}},
		{"((a) or (b and (selection_1)))", []string{"a", "b s1"}, []string{"b"}},
		{"A_B or a", nil, nil},
		{"a AND NOT b Or selection_1", []string{"a", "s1 b"}, []string{"a b"}},
		{"1 of selection_*", []string{"s1", "s2x", "s2y"}, []string{"a", "m"}},
		{"any of selection_*", []string{"s2y"}, []string{"a"}},
		{"all of selection_*", []string{"s1 s2x s2y"}, []string{"s1 s2x"}},
		{"1 of selection_2_*", []string{"s2x", "s2y"}, []string{"s1"}},
		{"all of selection_2_*", []string{"s2x s2y"}, []string{"s2x s1"}},
		{"1 of *_ok", []string{"m"}, []string{"s1"}},
		{"1 of sel*_x", []string{"s2x"}, []string{"s2y", "s1"}},
		{"1 of *_2_*", []string{"s2x", "s2y"}, []string{"s1"}},
		{"1 of *", []string{"a", "m", "kw"}, []string{"h", ""}},
		{"1 of them", []string{"a", "s2y", "f", "one"}, []string{"h", ""}},
		{"ALL OF THEM", []string{"a b s1 s2x s2y m f kw one"}, []string{"a b s1 s2x s2y m f kw", "h"}},
		{"1 of selection_1", []string{"s1"}, []string{"s2x"}},
		{"not 1 of selection_*", []string{"", "a"}, []string{"s1"}},
		{"a and not 1 of selection_* and not b", []string{"a"}, []string{"a s1", "a b"}},
		{"not all of selection_2_*", []string{"s2x"}, []string{"s2x s2y"}},
		{"_hidden", []string{"h"}, []string{""}},
		{"Filter-1.b", []string{"f"}, []string{""}},
		{"all", []string{"kw"}, []string{"a"}},
		{"1 or a", []string{"one", "a"}, []string{"b"}},
		{" a\n\tor   b ", []string{"a", "b"}, []string{""}},
	}
	for _, tt := range tests {
		t.Run(tt.condition, func(t *testing.T) {
			text := searches + fmt.Sprintf("condition: %q\n", tt.condition)
			if tt.yes == nil {
				if e, found := readDetection(t, text); e != nil || !strings.Contains(found[0].message, "A_B") {
					t.Errorf("condition %q = %v, %+v", tt.condition, e, found)
				}
				return
			}
			meets := newJudge(mustRead(t, text))
			for i, names := range append(append([]string(nil), tt.yes...), tt.no...) {
				f := fields{}
				for _, name := range strings.Fields(names) {
					f[name] = []string{"x"}
				}
				if got, want := meets(f), i < len(tt.yes); got != want {
					t.Errorf("condition %q with %q true = %v, want %v", tt.condition, names, got, want)
				}
			}
		})
	}
}

// The terms of a detection: values of one condition are one term, and the text is that
// of the rule.
func TestDetectionTerms(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"suffix", `s: {'Image|endswith': '\cmd.exe'}` + "\ncondition: s", `Image ends with ["\\cmd.exe"]  # Image|endswith: '\cmd.exe'`},
		{"list", "s: {'A|contains': [x, 'y''s', 5]}\ncondition: s", `A contains ["x" "y's" "5"]  # A|contains: ['x', 'y''s', 5]`},
		{"mixed shapes", "s: {A: [x, '*y', 'z*', '*v*', 'a*b', w, null, '*']}\ncondition: s",
			`A is ["x" "w"]  # A: ['x', 'w']` + " OR " + `A ends with ["y"]  # A: '*y'` + " OR " + `A begins with ["z"]  # A: 'z*'` + " OR " +
				`A contains ["v"]  # A: '*v*'` + " OR " + `A glob ["a*b"]  # A: 'a*b'` + " OR " + `not A exists []  # A: null` + " OR " + `A exists []  # A: '*'`},
		{"all", "s: {'A|contains|all': [x, y]}\ncondition: s", `A contains ["x"]  # A|contains|all: 'x'` + " AND " + `A contains ["y"]  # A|contains|all: 'y'`},
		{"neq", "s: {'A|neq': [x, 'y*']}\ncondition: s", `not A is ["x"]  # A|neq: 'x'` + " AND " + `not A begins with ["y"]  # A|neq: 'y*'`},
		{"cased", "s: {'A|cased': X}\ncondition: s", `A is cased ["X"]  # A|cased: 'X'`},
		{"keywords", "s: [x, y]\ncondition: s", `* contains ["x" "y"]  # ['x', 'y']`},
		{"keywords with all", "s: {'|all': [x]}\ncondition: s", `* contains ["x"]  # |all: 'x'`},
		{"hour", "s: {'T|hour|gte': 20}\ncondition: s", `T hour >= [20]  # T|hour|gte: 20`},
		{"network", "s: {'A|cidr': 10.1.2.3/8}\ncondition: s", `A in cidr ["10.0.0.0/8"]  # A|cidr: '10.1.2.3/8'`},
		{"field", "s: {'A|fieldref|endswith': B}\ncondition: s", `A ends with field ["B"]  # A|fieldref|endswith: 'B'`},
		{"regular expression", "s: {'A|re|m': '^x'}\ncondition: s", `A regex cased ["(?m)^x"]  # A|re|m: '^x'`},
		{"regular expression that folds", "s: {'A|re|i': '^x'}\ncondition: s", `A regex ["^x"]  # A|re|i: '^x'`},
		{"one character", "s: {A: 'a[?'}\ncondition: s", `A glob ["a[[][u+]"]  # A: 'a[?'`},
		{"line break", "s: {A: \"a\\nb\"}\ncondition: s", `A is ["a\nb"]  # A: "a\nb"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := describe(mustRead(t, tt.text)); got != tt.want {
				t.Errorf("detection(%s):\n got %s\nwant %s", tt.text, got, tt.want)
			}
		})
	}
}

// describe prints e with what each term compares.
func describe(e *signals.Expr) string {
	if e.Op == signals.ExprTerm {
		t := e.Term
		var b strings.Builder
		if t.Negate {
			b.WriteString("not ")
		}
		b.WriteString(t.Property + " ")
		if t.Part != signals.NoPart {
			b.WriteString(t.Part.String() + " ")
		}
		b.WriteString(t.Cond.String())
		if t.Cased {
			b.WriteString(" cased")
		}
		var values []string
		for _, v := range t.Values {
			switch {
			case t.Part != signals.NoPart:
				values = append(values, fmt.Sprint(v.Number))
			case v.Address != "":
				values = append(values, fmt.Sprintf("%q", v.Address))
			default:
				values = append(values, fmt.Sprintf("%q", v.Text))
			}
		}
		return b.String() + fmt.Sprintf(" %v  # %s", values, t.Text)
	}
	var kids []string
	for _, k := range e.Kids {
		kids = append(kids, describe(k))
	}
	switch e.Op {
	case signals.ExprNot:
		return "NOT (" + kids[0] + ")"
	case signals.ExprAnd:
		return strings.Join(kids, " AND ")
	}
	return strings.Join(kids, " OR ")
}

// A long list is one term with as many values, and its text is cut.
func TestLongListIsOneTerm(t *testing.T) {
	var b strings.Builder
	b.WriteString("s:\n  Hash|contains:\n")
	for i := range 5000 {
		fmt.Fprintf(&b, "    - '%032x'\n", i)
	}
	b.WriteString("condition: s\n")
	e := mustRead(t, b.String())
	if e.Op != signals.ExprTerm || len(e.Term.Values) != 5000 {
		t.Fatalf("op %d with %d kids", e.Op, len(e.Kids))
	}
	if n := len(e.Term.Text); n > maxTermText+200 || !strings.HasSuffix(e.Term.Text, " more]") {
		t.Errorf("text of %d bytes: …%s", n, e.Term.Text[max(0, n-100):])
	}
	if v := e.Term.Values[4999]; v.Pos.Line != 5002 || v.Text != fmt.Sprintf("%032x", 4999) {
		t.Errorf("last value %+v", v)
	}
}
