// SPDX-License-Identifier: Apache-2.0

package signals_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seismo/internal/event"
	"seismo/signals"
)

// What a CEL expression becomes: terms wherever one says the same, with exists where
// CEL has an error for an absent field, and CEL for the rest.
func TestCELLowering(t *testing.T) {
	tests := []struct{ name, cel, want string }{
		{"equal", `process.path == "/bin/Sh"`, `process.path is cased '/bin/Sh'`},
		{"not equal needs the field", `process.path != "x"`, `process.path exists AND process.path is NOT cased 'x'`},
		{"not, over and", `!(process.path == "x" && process.pid == 1)`, `(process.path exists AND process.path is NOT cased 'x') OR (process.pid exists AND process.pid is NOT 1)`},
		{"not, twice", `!!(process.path == "x")`, `process.path is cased 'x'`},
		{"compared with false", `(process.path == "x") == false`, `process.path exists AND process.path is NOT cased 'x'`},
		{"constant on the left", `5 < process.pid`, `process.pid > 5`},
		{"list of constants", `process.path in ["a", "b", "a"]`, `process.path is cased ('a', 'b', 'a')`},
		{"constants are worked out", `process.path == "/tmp" + "/x" && process.pid == 3 * 5`, `process.path is cased '/tmp/x' AND process.pid is 15`},
		{"greatest numbers", `process.pid == 9223372036854775807 || process.id == 18446744073709551615u`, `process.pid is 9223372036854775807 OR process.id is 18446744073709551615`},
		{"time", `process.start_time >= timestamp("2026-11-22T14:00:00+01:00")`, `process.start_time >= '2026-11-22T13:00:00Z'`},
		{"time beyond what a field holds", `process.start_time < timestamp("9999-01-01T00:00:00Z")`, `process.start_time < timestamp("9999-01-01T00:00:00Z")`},
		{"parts of a text", `file.path.startsWith("a") && file.path.contains("b") && file.path.endsWith("c")`, `file.path begins with cased 'a' AND file.path contains cased 'b' AND file.path ends with cased 'c'`},
		{"folded by CEL", `file.path.lowerAscii().contains("ab") || file.path.upperAscii() == "AB"`, `file.path contains 'ab' OR file.path is 'ab'`},
		{"folded by CEL, not met", `file.path.lowerAscii().contains("aB") || file.path == "x"`, `file.path is cased 'x'`},
		{"folded by CEL, not met, negated", `!file.path.lowerAscii().contains("aB")`, `file.path exists`},
		{"folded by CEL, where bad bytes look like the literal", `file.path.lowerAscii() == "a\ufffd"`, "file.path.lowerAscii() == \"a\ufffd\""},
		{"folded by us", `file.path.iequals("Ab") && process.args.iendsWith("C")`, `file.path is 'ab' AND process.args ends with 'c'`},
		{"patterns", `file.path.glob("*.SO") && file.path.pathGlob("/*/x") && file.path.matches("^/a") && process.args.imatches("A")`,
			`file.path glob '*.so' AND file.path path glob '/*/x' AND file.path regex cased '^/a' AND process.args regex 'A'`},
		{"pattern that only CEL takes", `file.path.matches("(?i)x")`, `file.path.matches("(?i)x")`},
		{"network", `network.address.inCIDR("::ffff:10.1.2.3/104") || network.address.inCIDR("::1")`, `network.address in cidr '10.0.0.0/8' OR network.address in cidr '::1/128'`},
		{"address", `network.address == "10.0.0.1" || network.address == "010.0.0.1"`, `network.address is 10.0.0.1`},
		{"named lists", `process.hash.inList("bad") && process.pid.inList("pids")`, `process.hash in list bad AND process.pid in list pids`},
		{"empty text", `process.path == ""`, `process.path == ""`},
		{"long text", `process.path == "` + strings.Repeat("x", 1025) + `"`, `process.path == "` + strings.Repeat("x", 1025) + `"`},
		{"has", `has(process.tty) || !has(file.path)`, `process.tty exists OR file.path exists NOT`},
		{"own fields", `"a" in own("Key") && hasOwn("b")`, `record.'Key' is cased 'a' AND record.'b' exists`},
		{"any element", `process.args.exists(a, a == "x" || !(a != "y") || a.icontains("Z"))`, `process.args is cased 'x' OR process.args is cased 'y' OR process.args contains 'z'`},
		{"no element", `!process.args.exists(a, a == "x")`, `process.args exists AND process.args is NOT cased 'x'`},
		{"all elements", `process.args.all(a, a != "x" && !a.contains("y"))`, `process.args exists AND process.args is NOT cased 'x' AND process.args contains NOT cased 'y'`},
		{"all elements, of which no term asks", `process.args.all(a, a == "x")`, `process.args.all(a, a == "x")`},
		{"element with two conditions", `process.args.exists(a, a.contains("x") && a.contains("y"))`, `process.args.exists(a, a.contains("x") && a.contains("y"))`},
		{"element and a field", `process.args.exists(a, process.path == "x")`, `process.args.exists(a, process.path == "x")`},
		{"choice", `has(file.path) ? file.path == "a" : process.path == "b"`,
			`(file.path exists AND file.path is cased 'a') OR (file.path exists NOT AND process.path is cased 'b')`},
		{"part that stays", `process.path == "a" && !(file.path + process.path == "b")`, `process.path is cased 'a' AND !(file.path + process.path == "b")`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e, err := signals.ParseCEL("cel", tt.cel)
			if err != nil {
				t.Fatalf("ParseCEL(%s): %v", tt.cel, err)
			}
			strip := strings.NewReplacer("'", "", " ", "")
			if got := e.String(); strip.Replace(got) != strip.Replace("group("+tt.want+")") {
				t.Errorf("ParseCEL(%s) = %s, want group(%s)", tt.cel, got, tt.want)
			}
		})
	}
}

// What a residue can not be true without, and the kinds of event that it needs.
func TestCELResidue(t *testing.T) {
	file, network := event.SetOf(event.KindFile), event.SetOf(event.KindNetwork)
	tests := []struct {
		name, cel string
		kinds     event.KindSet
		guards    []string // condition and literal
	}{
		{"nothing is known", `file.path.split("/")[1].contains("x")`, file, nil},
		{"element with two conditions", `process.args.exists(a, a.contains("ab") && a.startsWith("-long") && a.size() > 20)`, event.AllKinds, []string{"begins with -long"}},
		{"element with one of two", `process.args.exists(a, a.size() > 3 && (a == "x" || a.iendsWith("Y")))`, event.AllKinds, []string{"is x", "ends with y"}},
		{"element with one of two, of which one has no literal", `process.args.exists(a, a.size() > 3 && (a == "x" || a.size() > 5))`, event.AllKinds, nil},
		{"all, negated", `!process.args.all(a, a != "x" || a.size() > 3)`, event.AllKinds, []string{"is x"}},
		{"negated", `!(process.args.exists(a, a.contains("ab") && a.size() > 3))`, event.AllKinds, nil},
		{"number is no guard", `process.args.exists(a, a.size() == process.pid)`, event.AllKinds, nil},
		{"field within", `process.args.exists(a, a == file.path)`, event.AllKinds, nil},
		{"fields of the event", `network.address + process.path == "x"`, network, nil},
		{"field that && can do without", `process.args.exists(a, a.size() > 3 && file.path == "x")`, event.AllKinds, []string{"is x"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e, err := signals.ParseCEL("cel", tt.cel)
			if err != nil {
				t.Fatalf("ParseCEL(%s): %v", tt.cel, err)
			}
			set, err := signals.Lower([]signals.Definition{{ID: "a", Expr: e}})
			if err != nil || len(set.Terms) != 1 || len(set.Residues) != 1 {
				t.Fatalf("Lower(%s) = %d terms, %d residues, %v; want one of each", tt.cel, len(set.Terms), len(set.Residues), err)
			}
			term := set.Terms[0]
			var guards []string
			for _, ref := range term.Atoms {
				guards = append(guards, set.Atoms[ref].Cond.String()+" "+set.Atoms[ref].Literal)
			}
			if term.Kinds != tt.kinds || !slices.Equal(guards, tt.guards) {
				t.Errorf("residue %s: kinds %#x, guards %q; want %#x, %q", term.Text, term.Kinds, guards, tt.kinds, tt.guards)
			}
		})
	}
}

// Choices in the conditions of choices double what is written each time: beyond a
// bound they stay CEL.
func TestCELIsBounded(t *testing.T) {
	choice := `process.pid == 1`
	for i := range 20 {
		choice = fmt.Sprintf("(%s ? process.pid == %d : process.path == 'p%d')", choice, i, i)
	}
	e, err := signals.ParseCEL("cel", choice)
	if err != nil {
		t.Fatal(err)
	}
	set, err := signals.Lower([]signals.Definition{{ID: "a", Expr: e}})
	if err != nil {
		t.Fatal(err)
	}
	if len(set.Nodes) > 1000 || len(set.Residues) == 0 {
		t.Errorf("20 choices in each other: %d nodes, %d residues; want some residue and fewer than 1000 nodes", len(set.Nodes), len(set.Residues))
	}
}

// Mistakes in CEL are shown as those of the text language are.
func TestCELMistakes(t *testing.T) {
	const file = `id: 6a1c3f0e-9b54-4a0e-8a53-0c1f6f2d7b10
name: a
cel: |
  process.path == "/bin/sh"
  && file.pth.startsWith('x') && process.pid == "7"
`
	_, err := signals.ParseFile("bad.yml", []byte(file))
	var diags signals.Diagnostics
	if !errors.As(err, &diags) {
		t.Fatalf("ParseFile = %v, want diagnostics", err)
	}
	want := `seismo: bad.yml:5:6: unknown field "file.pth" (did you mean "file.path"?)
  |   && file.pth.startsWith('x') && process.pid == "7"
  |      ^
seismo: hint: "seismo fields" lists the fields of each event kind
seismo: bad.yml:5:46: == does not take (int, string)
  |   && file.pth.startsWith('x') && process.pid == "7"
  |                                              ^
seismo: hint: "seismo fields" says what each field holds; a number stands without quotes, an id ends in u, a time is timestamp("2026-11-22T13:00:00Z")
`
	if diff := cmp.Diff(want, strings.TrimPrefix(explained(err), "\n")); diff != "" {
		t.Errorf("differs (-want +got):\n%s", diff)
	}
	for cel, want := range map[string]string{
		`file.path == "a" && network.port == 1`:                             "expression is never true",
		`process.path.lowerAscii() == "A"`:                                  "expression is never true",
		`has(process.path) || true`:                                         "expression is always true",
		`process.path == "a" && process.args[-1] == ` + `"x" && 1 / 0 == 1`: "expression is never true",
	} {
		if _, err := signals.ParseCEL("cel", cel); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseCEL(%s) = %v, want %s", cel, err, want)
		}
	}
}

// BenchmarkParseCEL parses, checks and lowers one expression of usual size.
func BenchmarkParseCEL(b *testing.B) {
	for name, text := range map[string]string{
		"terms":   `process.path.endsWith("/sh") && (process.args.exists(v, v == "-e") || process.command_line.icontains("curl")) && !has(process.tty)`,
		"residue": `process.path.endsWith("/sh") && (process.args.exists(v, v.size() > 3 && v.startsWith("-e")) || process.command_line.icontains("curl"))`,
	} {
		b.Run("lowers="+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := signals.ParseCEL("cel", text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
