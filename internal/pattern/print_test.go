// SPDX-License-Identifier: Apache-2.0

package pattern

import (
	"regexp"
	"regexp/syntax"
	"testing"
)

// What is printed compiles to the same program as the tree's own text.
func TestPrintTree(t *testing.T) {
	for _, text := range []string{
		``, `a`, `^a$`, `(?m)^a$`, `\Aa\z`, `a.b`, `(?s)a.b`, `a*?b+?c??`, `(?U)a*b+?`, `a{3}`, `a{3,}`, `a{3,5}?`, `(a|b)c`, `(?:ab|c|)d`,
		`[^/]`, `[a-z0-9_-]`, `\d\D\s\S\w\W`, `[[:alpha:]]`, `\pL`, `\PL`, `[^\x00-\x{10FFFF}]`, `(?i)straße`, `(?i)[k]`, `\bx\B`, `\.\*\[\]\{\}\^\$\|`,
		`((a*)*)*`, `(a{2}){3}`, `\x{10ffff}\x00`, `é[à-ü]`, `(?:)`, `a||b`, "\n", `(?i:ab)C`, `[^a]`, `x*`, `(?:(?:a)*)?`,
	} {
		tree, err := syntax.Parse(text, syntax.Perl)
		if err != nil {
			t.Fatalf("parse %q: %v", text, err)
		}
		printed := printTree(tree)
		if _, err := regexp.Compile(printed); err != nil {
			t.Errorf("%q is printed as %q: %v", text, printed, err)
			continue
		}
		if got, want := programOf(t, printed), programOf(t, withoutCaptures(tree).String()); got != want {
			t.Errorf("%q is printed as %q, which is\n%s\nwant\n%s", text, printed, got, want)
		}
	}
}

func programOf(t *testing.T, text string) string {
	t.Helper()
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		t.Fatalf("parse %q: %v", text, err)
	}
	prog, err := syntax.Compile(tree.Simplify())
	if err != nil {
		t.Fatalf("compile %q: %v", text, err)
	}
	return prog.String()
}

func BenchmarkParseRegex(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseRegex(`(?:curl|wget)\s+-[a-z]+\s+https?://[^/]{4,30}/x`, false); err != nil {
			b.Fatal(err)
		}
	}
}
