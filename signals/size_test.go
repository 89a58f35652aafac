// SPDX-License-Identifier: Apache-2.0

package signals_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"seismo/signals"
)

// generated returns files of n signals in the shape of public rules: 14 literals
// on three or four fields, in lists and alternatives.
func generated(n int) []string {
	random := rand.New(rand.NewPCG(1, uint64(n)))
	word := func() string {
		b := make([]byte, 5+random.IntN(14))
		for i := range b {
			b[i] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJ0123456789-./\\ "[random.IntN(50)]
		}
		return strings.ReplaceAll(strings.TrimSpace(string(b))+"x", `\`, `\\`)
	}
	list := func(n int) string {
		words := make([]string, n)
		for i := range words {
			words[i] = "'" + word() + "'"
		}
		return "(" + strings.Join(words, ", ") + ")"
	}
	var files []string
	for len(files)*1000 < n {
		var b strings.Builder
		for i := len(files) * 1000; i < min(n, len(files)*1000+1000); i++ {
			fmt.Fprintf(&b, "- id: 00000000-0000-4000-8000-%012d\n  name: generated %d\n  severity: high\n  techniques: [T1059]\n  signal: |\n", i, i)
			fmt.Fprintf(&b, "    process.path ends with %s AND process.command_line contains %s\n", list(3), list(5))
			fmt.Fprintf(&b, "    AND (process.parent_path ends with %s OR process.command_line contains NOT %s)\n    AND NOT (process.command_line contains '%s')\n", list(2), list(3), word())
		}
		files = append(files, b.String())
	}
	return files
}

func loadGenerated(t testing.TB, files []string) []signals.Definition {
	var defs []signals.Definition
	for i, f := range files {
		some, err := signals.ParseFile(fmt.Sprintf("%d.yml", i), []byte(f))
		if err != nil {
			t.Fatal(err)
		}
		defs = append(defs, some...)
	}
	return defs
}

// The largest set that is taken is lowered.
func TestLargestSet(t *testing.T) {
	defs := loadGenerated(t, generated(20_000))
	set, err := signals.Lower(defs)
	if err != nil {
		t.Fatal(err)
	}
	if len(set.Signals) != 20_000 || len(set.Atoms) < 270_000 || len(set.Terms) < 90_000 {
		t.Errorf("%d signals, %d atoms, %d terms", len(set.Signals), len(set.Atoms), len(set.Terms))
	}
}

// A set with more values than are taken is refused, and the signal named where
// they become too many.
func TestTooManyValues(t *testing.T) {
	var values []signals.Value
	for i := range 1000 {
		values = append(values, signals.Value{Text: fmt.Sprint("value ", i)})
	}
	var defs []signals.Definition
	for i := range 1002 {
		e, err := signals.ParseExpr("x", "process.name is x")
		if err != nil {
			t.Fatal(err)
		}
		e.Term.Values = append(values[:999:999], signals.Value{Text: fmt.Sprint("own ", i)})
		e.Term.Own, e.Term.Property = true, fmt.Sprint("field ", i)
		defs = append(defs, signals.Definition{ID: fmt.Sprintf("%04d", i), Name: fmt.Sprint(i), Pos: signals.Position{File: "x.yml", Line: i + 1, Column: 1}, Expr: e})
	}
	if _, err := signals.Lower(defs[:1000]); err != nil {
		t.Errorf("Lower with 1,000,000 values: %v", err)
	}
	set, err := signals.Lower(defs)
	var diags signals.Diagnostics
	if set != nil || !errors.As(err, &diags) || len(diags) != 1 || diags[0].String() != "x.yml:1001:1: more than 1000000 different values in all signals" {
		t.Errorf("Lower with 1,002,000 values: %v, %v", set, err)
	}
}

// What looks like an attack is refused by name, with one message.
func TestHostile(t *testing.T) {
	tests := []struct{ name, signal, want string }{
		{"a literal of half a megabyte", "process.name contains '" + strings.Repeat("x", 1<<19) + "'", "expression has 524312 bytes, at most 65536 are taken"},
		{"a literal of 64 KiB", "process.name contains '" + strings.Repeat("x", 60_000) + "'", "literal has 60000 bytes, at most 1024 are taken"},
		{"100,000 literals", "process.name is (" + strings.Repeat("a,", 99_999) + "a)", "expression has 200017 bytes, at most 65536 are taken"},
		{"20,000 literals", "process.name is (" + strings.Repeat("a,", 19_999) + "a)", "a list of more than 1000 values"},
		{"an empty literal", "process.name contains ''", "an empty literal"},
		{"an empty raw literal", "process.name regex r''", "an empty literal"},
		{"parentheses", strings.Repeat("(", 20_000) + "process.name is a" + strings.Repeat(")", 20_000), "parentheses are nested more than 64 deep"},
		{"NOT", strings.Repeat("NOT (", 10_000) + "process.name is a" + strings.Repeat(")", 10_000), "parentheses are nested more than 64 deep"},
		{"parentheses of a regular expression", "process.name regex '" + strings.Repeat("(", 500) + strings.Repeat(")", 500) + "'", "parentheses are nested deeper than 100 levels"},
		{"a large repeat", "process.name regex '(x{100}){100}'", "at most 1000 times are taken"},
		{"a large program", "process.name regex '" + strings.Repeat("[ab]{999}", 100) + "'", "its program has 99900 instructions, at most 10000 are taken"},
		{"many large programs", "process.name regex (" + strings.Repeat("'([a-z]{990}|x{990}y)',", 900) + "x)", "globs and regular expressions that take more than 8 MiB of memory in one expression"},
		{"large classes", "process.name regex (" + strings.Repeat("'"+strings.Repeat(`\\pL`, 70)+"',", 150) + "x)", "globs and regular expressions that take more than 8 MiB of memory in one expression"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := "id: 00000000-0000-4000-8000-000000000001\nname: n\nsignal: |\n  " + tt.signal + "\n"
			_, err := signals.ParseFile("x.yml", []byte(file))
			var diags signals.Diagnostics
			if !errors.As(err, &diags) || len(diags) != 1 || !strings.Contains(diags[0].Message, tt.want) {
				t.Errorf("ParseFile: %.300v, want one error with %q", err, tt.want)
			}
		})
	}
}

// BenchmarkCompile reads, checks and lowers signals.
func BenchmarkCompile(b *testing.B) {
	for _, n := range []int{1000, 5000, 20_000} {
		files := generated(n)
		b.Run(fmt.Sprintf("signals=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			var set *signals.Set
			for b.Loop() {
				defs := loadGenerated(b, files)
				var err error
				if set, err = signals.Lower(defs); err != nil {
					b.Fatal(err)
				}
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(after.HeapAlloc-min(before.HeapAlloc, after.HeapAlloc))/(1<<20), "MB-kept")
			b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/set")
			runtime.KeepAlive(set)
		})
	}
}
