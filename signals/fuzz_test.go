// SPDX-License-Identifier: Apache-2.0

package signals_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"seismo/signals"
)

// Any text is parsed, or refused with places that lie inside of it; what is
// parsed and printed means the same when it is parsed again.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"process.name is (sh, 'ba\\'sh', r'\\') AND NOT (network.port > 5 OR process.tty exists NOT)",
		"group(file.path begins with cased '/etc' AND record.'a b' contains x) // why\nOR network.address in cidr '::/0'",
		"process.path path glob ('/a/**', r'C:\\*[*]') AND process.cmd regex NOT cased '^a[^b]+(c|d)?$' OR process.hash in list (a, 'b-c')",
		"process.start_time <= 2026-01-01T00:00:00Z or process.id is 7 and (((user.id is -1)))",
		"process.pth is 'x AND ( OR ) is is 'a\\b' (a, (b) group group( NOT \xff 日本\t\r\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := signals.ParseExpr("x", text)
		if err != nil {
			checkPlaces(t, text, err)
			return
		}
		again, err := signals.ParseExpr("x", e.String())
		if err != nil {
			if len(e.String()) > 64<<10 {
				return // escapes and quotes made it longer than a text may be
			}
			t.Fatalf("ParseExpr(%q), printed as %q: %v", text, e, err)
		}
		if got, want := dump(t, again), dump(t, e); got != want {
			t.Errorf("ParseExpr(%q), printed as %q, is lowered to\n%s\nand before to\n%s", text, e, got, want)
		}
	})
}

// dump returns the lowered form of e without the texts of the terms.
func dump(t *testing.T, e *signals.Expr) string {
	set, err := signals.Lower([]signals.Definition{{ID: "a", Expr: e}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range set.Terms {
		set.Terms[i].Text = ""
	}
	var b strings.Builder
	if err := set.Dump(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// checkPlaces checks that every diagnostic of err lies inside of text, and
// quotes the line that it lies in.
func checkPlaces(t *testing.T, text string, err error) {
	t.Helper()
	var diags signals.Diagnostics
	if !errors.As(err, &diags) || len(diags) == 0 || len(diags) > 101 {
		t.Fatalf("error %v of %q is no list of diagnostics", err, text)
	}
	lines := strings.Split(text, "\n")
	for _, d := range diags {
		if d.Pos.Line == 0 && d.Pos.Column == 0 {
			continue // the file as a whole
		}
		if d.Pos.Line < 1 || d.Pos.Line > len(lines) {
			t.Fatalf("%v: %q has %d lines", d, text, len(lines))
		}
		line := strings.TrimSuffix(lines[d.Pos.Line-1], "\r")
		if d.Line != line || d.Pos.Column < 1 || d.Pos.Column > utf8.RuneCountInString(line)+1 || d.Width < 1 {
			t.Fatalf("%v, width %d, line %q: outside of %q", d, d.Width, d.Line, line)
		}
	}
	var shown strings.Builder // written in pieces, which may end within a character
	if err := diags.Write(&shown, "p"); err != nil || !utf8.ValidString(shown.String()) {
		t.Fatalf("Write: %v, %q", err, shown.String())
	}
	for _, r := range shown.String() {
		if r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e {
			t.Fatalf("written for a terminal: %q", shown.String())
		}
	}
}

// Any file is read, or refused with places that lie inside of it; definitions
// that are read can be lowered.
func FuzzParseFile(f *testing.F) {
	for _, dir := range []string{"lower", "bad", "lint"} {
		files, err := filepath.Glob(filepath.Join("testdata", dir, "*.yml"))
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			src, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			if len(src) < 4096 {
				f.Add(src)
			}
		}
	}
	f.Add([]byte("{id: 00000000-0000-4000-8000-000000000001, name: x, signal: \"process.name is \\x41 AND\\\n  bad.field is x\"}"))
	f.Fuzz(func(t *testing.T, src []byte) {
		defs, err := signals.ParseFile("x.yml", src)
		if err != nil {
			checkPlaces(t, strings.TrimPrefix(string(src), "\ufeff"), err)
		}
		if err == nil && len(defs) == 0 {
			t.Errorf("ParseFile(%q): no definition and no error", src)
		}
		for _, d := range signals.Lint(defs) {
			if d.Level != signals.Warning || d.Line == "" {
				t.Errorf("Lint(%q): %v, line %q", src, d, d.Line)
			}
		}
		if _, err := signals.Lower(defs); err != nil {
			t.Errorf("Lower(ParseFile(%q)): %v", src, err)
		}
	})
}
