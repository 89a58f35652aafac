// SPDX-License-Identifier: Apache-2.0

package signals_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seismo/signals"
	"seismo/signals/sigma"
)

// sigmaInput reads documents of Sigma and ours.
func sigmaInput(t testing.TB, src string) signals.Input {
	t.Helper()
	loaded, err := signals.ParseFileWith("x.yml", []byte(src), signals.Options{Languages: []signals.Language{sigma.Language{}}})
	if err != nil {
		t.Fatalf("%s\n%v", src, err)
	}
	return signals.Input{Definitions: loaded.Definitions, Filters: loaded.Filters}
}

// uuid is the id with the number n.
func uuid(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) }

// sigmaRule is a rule that fires where the field a is its number; source is its
// logsource.
func sigmaRule(n int, source string) string {
	return fmt.Sprintf("---\ntitle: Rule %d\nid: %s\nname: rule_%d\nlogsource: {%s}\ndetection:\n  s: {a: %d}\n  condition: s\n", n, uuid(n), n, source, n)
}

// sigmaCorrelation is one over rules.
func sigmaCorrelation(n int, rules, more string) string {
	return fmt.Sprintf("---\ntitle: Correlation %d\nid: %s\nname: correlation_%d\nlevel: high\ncorrelation:\n  type: temporal\n  timespan: 5m\n  rules: [%s]\n%s", n, uuid(n), n, rules, more)
}

const ownSignal = "---\nid: 00000000-0000-4000-8000-000000000099\nname: Our signal\nsignal: user.id is 1\n"

// linkText says what became of the correlations and filters of s.
func linkText(s *signals.Set) []string {
	var out []string
	for i, sig := range s.Signals {
		d := &s.Definitions[i]
		text := d.Name
		if sig.Silent {
			text += " silent"
		}
		if len(d.Filters) > 0 {
			text += fmt.Sprintf(" %d filters, %s", len(d.Filters), nodeText(s, sig.Root))
		}
		if c := sig.Correlation; c != nil {
			text += fmt.Sprintf(": %s %v in %ds by %v of %v, counts", c.Type, c.Rules, c.Timespan/1e9, c.GroupBy, c.Field)
			for _, n := range c.Counts {
				text += fmt.Sprintf(" %s %d", n.Op, n.N)
			}
		}
		out = append(out, text)
	}
	return out
}

func nodeText(s *signals.Set, n uint32) string {
	node := s.Nodes[n]
	if node.Op == signals.NodeTerm {
		t := s.Terms[node.Term]
		text := t.Own + "=" + s.Atoms[t.Atoms[0]].Literal
		if t.Negate {
			text = "not " + text
		}
		return text
	}
	var kids []string
	for _, k := range node.Kids {
		kids = append(kids, nodeText(s, k))
	}
	return "(" + strings.Join(kids, map[signals.NodeOp]string{signals.NodeAnd: " and ", signals.NodeOr: " or "}[node.Op]) + ")"
}

func TestLowerCorrelations(t *testing.T) {
	rules := sigmaRule(1, "product: windows") + sigmaRule(2, "product: linux") + ownSignal
	tests := []struct {
		name, src string
		want      []string
	}{
		{"rules by id, name and title", sigmaCorrelation(3, uuid(1)+", rule_2", "") + sigmaCorrelation(4, "Rule 1, Our signal", ""),
			[]string{"Rule 1 silent", "Rule 2 silent", "Correlation 3: temporal [0 1] in 300s by [] of [], counts gte 2",
				"Correlation 4: temporal [0 4] in 300s by [] of [], counts gte 2", "Our signal"}},
		{"the order of rules is that of the author", sigmaCorrelation(3, "rule_2, rule_1", ""),
			[]string{"Rule 1 silent", "Rule 2 silent", "Correlation 3: temporal [1 0] in 300s by [] of [], counts gte 2", "Our signal"}},
		{"an id in upper case", sigmaCorrelation(3, strings.ToUpper(uuid(1))+", rule_2", "  condition: {gte: 1}\n"),
			[]string{"Rule 1 silent", "Rule 2 silent", "Correlation 3: temporal [0 1] in 300s by [] of [], counts gte 1", "Our signal"}},
		{"rules that report too", sigmaCorrelation(3, "rule_1, rule_2", "  generate: true\n"),
			[]string{"Rule 1", "Rule 2", "Correlation 3: temporal [0 1] in 300s by [] of [], counts gte 2", "Our signal"}},
		{"generate beside the section", sigmaCorrelation(3, "rule_1, rule_2", "generate: true\n"),
			[]string{"Rule 1", "Rule 2", "Correlation 3: temporal [0 1] in 300s by [] of [], counts gte 2", "Our signal"}},
		{"one of two correlations generates", sigmaCorrelation(3, "rule_1, rule_2", "  generate: true\n") + sigmaCorrelation(4, "rule_2, Our signal", ""),
			[]string{"Rule 1", "Rule 2", "Correlation 3: temporal [0 1] in 300s by [] of [], counts gte 2",
				"Correlation 4: temporal [1 4] in 300s by [] of [], counts gte 2", "Our signal"}},
		{"a chain", sigmaCorrelation(3, "correlation_4, rule_2", "") + sigmaCorrelation(4, "rule_1", ""),
			[]string{"Rule 1 silent", "Rule 2 silent", "Correlation 3: temporal [3 1] in 300s by [] of [], counts gte 2",
				"Correlation 4 silent: temporal [0] in 300s by [] of [], counts gte 1", "Our signal"}},
		{"fields and aliases", sigmaCorrelation(3, "rule_1, rule_2", "  group-by: [User, address]\n  aliases:\n    address: {rule_1: SourceIp, Rule 2: DestinationIp}\n"),
			[]string{"Rule 1 silent", "Rule 2 silent", "Correlation 3: temporal [0 1] in 300s by [[User User] [SourceIp DestinationIp]] of [], counts gte 2", "Our signal"}},
		{"one field that is a text, and values", strings.Replace(sigmaCorrelation(3, "rule_1", "  group-by: User\n  condition: {field: Image, gt: 2, lte: 9}\n"), "temporal", "value_count", 1),
			[]string{"Rule 1 silent", "Rule 2", "Correlation 3: value_count [0] in 300s by [[User]] of [Image], counts gt 2 lte 9", "Our signal"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			set, err := signals.LowerInput(sigmaInput(t, rules+tt.src))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, linkText(set)); diff != "" {
				t.Errorf("%s\n(-want +got):\n%s", tt.src, diff)
			}
		})
	}
}

func TestLowerRefusesCorrelations(t *testing.T) {
	rules := sigmaRule(1, "product: windows") + sigmaRule(2, "product: linux") + ownSignal
	twins := strings.ReplaceAll(sigmaRule(7, "product: windows"), "rule_7", "twin") + strings.ReplaceAll(sigmaRule(8, "product: windows"), "rule_8", "twin")
	chain := ""
	for n := 100; n < 165; n++ {
		chain += sigmaCorrelation(n, fmt.Sprintf("correlation_%d", n+1), "")
	}
	tests := []struct {
		name, src string
		want      []string // what is said, in the order of places
		rest      string   // what Link leaves, by id
	}{
		{"an unknown name", sigmaCorrelation(3, "rule_1, ruel_2", ""),
			[]string{`29:19: correlation "Correlation 3": no rule is called "ruel_2" (did you mean "rule_2"?)`}, "1 2 99"},
		{"an unknown id", sigmaCorrelation(3, uuid(55), ""),
			[]string{`29:11: correlation "Correlation 3": no rule is called "` + uuid(55) + `"`}, "1 2 99"},
		{"a name of two rules", twins + sigmaCorrelation(3, "twin", ""),
			[]string{`correlation "Correlation 3": "twin" is the name of 2 definitions`}, "1 2 7 8 99"},
		{"one rule by two names", sigmaCorrelation(3, "rule_1, Rule 1", ""),
			[]string{`29:19: correlation "Correlation 3": "Rule 1" is the same rule as "rule_1"`}, "1 2 99"},
		{"a correlation of itself", sigmaCorrelation(3, "rule_1, correlation_3", ""),
			[]string{`29:19: correlation "Correlation 3": correlations refer to each other in a circle: "Correlation 3" → "Correlation 3"`}, "1 2 99"},
		{"a circle, and what leads to it", sigmaCorrelation(3, "correlation_4", "") + sigmaCorrelation(4, "rule_1, correlation_5", "") + sigmaCorrelation(5, "correlation_3", "") + sigmaCorrelation(6, "rule_2, correlation_5", ""),
			[]string{`29:11: correlation "Correlation 3": correlations refer to each other in a circle: "Correlation 3" → "Correlation 4" → "Correlation 5" → "Correlation 3"`,
				`38:19: correlation "Correlation 4": correlations refer to each other in a circle`,
				`47:11: correlation "Correlation 5": correlations refer to each other in a circle`,
				`56:19: correlation "Correlation 6": rule "correlation_5" was refused`}, "1 2 99"},
		{"what refers to what was refused", sigmaCorrelation(3, "correlation_4", "") + sigmaCorrelation(4, "nothing", "") + sigmaCorrelation(5, "rule_1", ""),
			[]string{`correlation "Correlation 3": rule "correlation_4" was refused`, `correlation "Correlation 4": no rule is called "nothing"`}, "1 2 5 99"},
		{"a chain that is too long", chain + sigmaCorrelation(165, "rule_1", ""),
			[]string{`correlation "Correlation 100": rule "correlation_101" was refused`, `correlation "Correlation 101": more than 64 correlations refer to each other in a chain`}, ""},
		{"an alias that lacks a rule", sigmaCorrelation(3, "rule_1, rule_2", "  group-by: [x]\n  aliases: {x: {rule_1: a}}\n"),
			[]string{`correlation "Correlation 3": alias "x" says nothing of rule "rule_2"`}, "1 2 99"},
		{"an alias for another rule", sigmaCorrelation(3, "rule_1", "  group-by: [x]\n  aliases: {x: {rule_1: a, rule_2: b}}\n"),
			[]string{`correlation "Correlation 3": alias "x" is for "rule_2", which is none of the rules`}, "1 2 99"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := sigmaInput(t, rules+tt.src)
			_, err := signals.LowerInput(in)
			var diags signals.Diagnostics
			if !errors.As(err, &diags) || len(diags) != len(tt.want) {
				t.Fatalf("%s\nerror %v; want %d findings", tt.src, err, len(tt.want))
			}
			for i, want := range tt.want {
				if !strings.Contains(diags[i].String(), want) {
					t.Errorf("finding %s; want %s", diags[i], want)
				}
				if diags[i].ID == "" {
					t.Errorf("finding %s has no id", diags[i])
				}
			}
			left, linked := signals.Link(in)
			if diff := cmp.Diff(diags, linked); diff != "" {
				t.Errorf("Link finds something else (-LowerInput +Link):\n%s", diff)
			}
			if _, err := signals.LowerInput(left); err != nil {
				t.Errorf("what Link leaves is not lowered: %v", err)
			}
			var ids []string
			for _, d := range left.Definitions {
				ids = append(ids, strings.TrimLeft(d.ID[24:], "0"))
			}
			if got := strings.Join(ids, " "); tt.rest != "" && got != tt.rest {
				t.Errorf("Link leaves %s; want %s", got, tt.rest)
			}
			if n := len(in.Definitions) - len(left.Definitions); n != len(left.Refused) {
				t.Errorf("%d definitions are gone, %d are named", n, len(left.Refused))
			}
		})
	}
}

func sigmaFilter(n int, source, rules, value string) string {
	return fmt.Sprintf("---\ntitle: Filter %d\nid: %s\nlogsource: {%s}\nfilter:\n%s  ours: {Host: %s}\n  condition: not ours\n", n, uuid(n), source, rules, value)
}

func TestLowerFilters(t *testing.T) {
	rules := sigmaRule(1, "product: windows, category: x") + sigmaRule(2, "product: windows") + sigmaRule(3, "product: linux") + ownSignal
	tests := []struct {
		name, src string
		want      []string
	}{
		{"the rules that it names, whatever their logs", sigmaFilter(4, "product: windows", "  rules: [rule_1, "+uuid(3)+"]\n", "h"),
			[]string{"Rule 1 1 filters, (a=1 and not Host=h)", "Rule 2", "Rule 3 1 filters, (a=3 and not Host=h)", "Our signal"}},
		{"one rule that is a text", sigmaFilter(4, "product: windows", "  rules: rule_2\n", "h"),
			[]string{"Rule 1", "Rule 2 1 filters, (a=2 and not Host=h)", "Rule 3", "Our signal"}},
		{"any rule of its logs", sigmaFilter(4, "product: windows", "  rules: any\n", "h"),
			[]string{"Rule 1 1 filters, (a=1 and not Host=h)", "Rule 2 1 filters, (a=2 and not Host=h)", "Rule 3", "Our signal"}},
		{"rules of its category only", sigmaFilter(4, "product: windows, category: x", "", "h"),
			[]string{"Rule 1 1 filters, (a=1 and not Host=h)", "Rule 2", "Rule 3", "Our signal"}},
		{"two filters", sigmaFilter(5, "product: linux", "", "b") + sigmaFilter(4, "product: linux", "", "a"),
			[]string{"Rule 1", "Rule 2", "Rule 3 2 filters, (a=3 and not Host=a and not Host=b)", "Our signal"}},
	}
	plain, err := signals.LowerInput(sigmaInput(t, rules))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := sigmaInput(t, rules+tt.src)
			set, err := signals.LowerInput(in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, linkText(set)); diff != "" {
				t.Errorf("%s\n(-want +got):\n%s", tt.src, diff)
			}
			for i, d := range set.Definitions {
				if filtered := len(d.Filters) > 0; filtered == (d.Revision == plain.Definitions[i].Revision) {
					t.Errorf("%s: filtered %t, revision %s, without filters %s", d.Name, filtered, d.Revision, plain.Definitions[i].Revision)
				}
			}
			for _, d := range in.Definitions {
				if len(d.Filters) > 0 || d.Expr.Op == signals.ExprAnd {
					t.Errorf("LowerInput changed its input: %+v", d)
				}
			}
		})
	}
	for name, bad := range map[string]string{
		`filter "Filter 4": no rule is called "rule_9" (did you mean "rule_1"?)`:       sigmaFilter(4, "product: linux", "  rules: [rule_9]\n", "h"),
		`filter "Filter 4": signal "Our signal" is no rule of Sigma`:                   sigmaFilter(4, "product: linux", "  rules: [Our signal]\n", "h"),
		`filter "Filter 4": "correlation_6" is a correlation, which has no expression`: sigmaFilter(4, "product: linux", "  rules: [correlation_6]\n", "h") + sigmaCorrelation(6, "rule_1", ""),
	} {
		in := sigmaInput(t, rules+bad)
		if _, err := signals.LowerInput(in); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v; want %s", err, name)
		}
		if left, diags := signals.Link(in); len(left.Filters) != 0 || len(left.Definitions) != len(in.Definitions) || len(diags) != 1 {
			t.Errorf("Link leaves %d filters and %d definitions, finds %v", len(left.Filters), len(left.Definitions), diags)
		}
	}
	// A filter of a rule that was refused has nothing to do.
	in := sigmaInput(t, rules+sigmaFilter(4, "product: linux", "  rules: [broken]\n", "h"))
	in.Refused = []signals.Refused{{RuleName: "broken"}}
	if _, err := signals.LowerInput(in); err != nil {
		t.Errorf("filter of a refused rule: %v", err)
	}
}

// A set is the same whatever the order of definitions and filters is.
func TestLowerInputOrder(t *testing.T) {
	src := ownSignal
	for n := 1; n < 20; n++ {
		src += sigmaRule(n, "product: windows")
	}
	for n := 30; n < 40; n++ {
		src += sigmaCorrelation(n, fmt.Sprintf("rule_%d, rule_%d", n-29, n-28), "") + sigmaFilter(n+20, "product: windows", "", fmt.Sprint("h", n))
	}
	in := sigmaInput(t, src)
	want, err := signals.LowerInput(in)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 5 {
		in.Definitions, in.Filters = slices.Clone(in.Definitions), slices.Clone(in.Filters)
		random.Shuffle(len(in.Definitions), func(i, j int) { in.Definitions[i], in.Definitions[j] = in.Definitions[j], in.Definitions[i] })
		random.Shuffle(len(in.Filters), func(i, j int) { in.Filters[i], in.Filters[j] = in.Filters[j], in.Filters[i] })
		got, err := signals.LowerInput(in)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("another order gives another set (-want +got):\n%s", diff)
		}
	}
}

// A dump says what links, and what is judged alone.
func TestDumpOfSigma(t *testing.T) {
	set, err := signals.LowerInput(sigmaInput(t, sigmaRule(1, "product: windows, service: sysmon")+sigmaFilter(2, "product: windows", "", "h")+
		strings.Replace(sigmaCorrelation(3, "rule_1", "  group-by: [User]\n  condition: {field: Image, gte: 2, lt: 9}\n"), "temporal", "value_count", 1)))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := set.Dump(&b); err != nil {
		t.Fatal(err)
	}
	got, _, _ := strings.Cut(b.String(), "atoms\n")
	for i := range set.Definitions {
		got = strings.ReplaceAll(got, set.Definitions[i].Revision, "R")
	}
	for _, term := range set.Terms {
		got = strings.ReplaceAll(got, fmt.Sprintf("%016x", term.ID), "T")
	}
	want := `signal 00000000-0000-4000-8000-000000000001 "Rule 1"
  severity medium, revision R, kinds all
  alone, product "windows", category "", service "sysmon", filters 1, silent
  and
    t0 a: 1
    t1 not Host: 'h'
signal 00000000-0000-4000-8000-000000000003 "Correlation 3"
  severity high, revision R, kinds none
  value_count within 300000000000 ns, gte 2, lt 9
    of 00000000-0000-4000-8000-000000000001 by "User" values of "Image"
terms
  t0 T a: 1
    kinds all, record.'a' is, atoms a0
  t1 T not Host: 'h'
    kinds all, record.'Host' is, NOT, atoms a1
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("dump (-want +got):\n%s", diff)
	}
}

func TestSelection(t *testing.T) {
	with := func(rule, more string) string { return rule + more }
	src := with(sigmaRule(1, "product: linux"), "level: low\nstatus: stable\n") + with(sigmaRule(2, "product: linux"), "level: high\nstatus: experimental\n") +
		with(sigmaRule(3, "product: linux"), "level: medium\nstatus: deprecated\n") + with(sigmaRule(4, "product: linux"), "level: critical\nstatus: unsupported\n") +
		sigmaRule(5, "product: linux") + with(sigmaRule(6, "product: linux"), "level: informational\nstatus: test\n") +
		with(sigmaCorrelation(7, "rule_1, rule_6", "  generate: true\n"), "status: stable\n")
	tests := []struct {
		name      string
		selection signals.Selection
		want      string
		leftOut   [2]int
	}{
		{"all but what can not be used", signals.Selection{}, "Rule 1, Rule 2, Rule 3, Rule 5, Rule 6, Correlation 7", [2]int{1, 0}},
		{"all", signals.Selection{MinStatus: "unsupported"}, "Rule 1, Rule 2, Rule 3, Rule 4, Rule 5, Rule 6, Correlation 7", [2]int{0, 0}},
		{"no status is experimental", signals.Selection{MinStatus: "experimental"}, "Rule 1, Rule 2, Rule 5, Rule 6, Correlation 7", [2]int{2, 0}},
		{"test and above", signals.Selection{MinStatus: "test"}, "Rule 1, Rule 6, Correlation 7", [2]int{4, 0}},
		{"a correlation keeps its rules", signals.Selection{MinLevel: signals.High}, "Rule 1, Rule 2, Rule 6, Correlation 7", [2]int{1, 2}},
		{"below it they go with it", signals.Selection{MinLevel: signals.Critical}, "", [2]int{1, 6}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := sigmaInput(t, src)
			out, byStatus, byLevel := tt.selection.Apply(in)
			if got := names(out.Definitions); got != tt.want || [2]int{byStatus, byLevel} != tt.leftOut {
				t.Errorf("%+v leaves %s, %d and %d out; want %s, %v", tt.selection, got, byStatus, byLevel, tt.want, tt.leftOut)
			}
			if len(out.Refused) != byStatus+byLevel || len(in.Definitions) != 7 {
				t.Errorf("%d are named as left out, the input has %d", len(out.Refused), len(in.Definitions))
			}
		})
	}
	// What stays for a correlation does not report, whatever generate says; what a
	// correlation needs and is not there is named with the reason.
	out, _, _ := signals.Selection{MinLevel: signals.High}.Apply(sigmaInput(t, src))
	set, err := signals.LowerInput(out)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := linkText(set)[:3], []string{"Rule 1 silent", "Rule 2", "Rule 6 silent"}; !slices.Equal(got, want) {
		t.Errorf("signals %q; want %q", got, want)
	}
	out, _, _ = signals.Selection{MinStatus: "stable"}.Apply(sigmaInput(t, src))
	want := `rule "rule_6" was left out: its status is test, below stable`
	if _, err := signals.LowerInput(out); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("a rule that was left out: %v; want %s", err, want)
	}
}

// Names that lead from each correlation to many others take no time that grows with
// the square of their number.
func TestLinkIsBounded(t *testing.T) {
	in := signals.Input{}
	for n := range 3000 {
		c := &signals.CorrelationRule{Type: signals.Temporal, Timespan: 1e9}
		for k := range 30 {
			c.Rules = append(c.Rules, signals.Reference{Name: uuid((n + 1 + k*97) % 3000)})
		}
		in.Definitions = append(in.Definitions, signals.Definition{ID: uuid(n), Name: fmt.Sprint(n), Language: signals.LanguageSigma, Correlation: c})
	}
	left, diags := signals.Link(in)
	if len(left.Definitions) != 0 || len(diags) != 3000 {
		t.Errorf("%d definitions stay, %d findings; want none and one for each", len(left.Definitions), len(diags))
	}
}
