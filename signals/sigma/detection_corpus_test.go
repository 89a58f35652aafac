// SPDX-License-Identifier: Apache-2.0

// This file reads every public rule of the test material that lies beside the
// checkout, and judges its events with the plain evaluator.

package sigma

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.yaml.in/yaml/v4"

	"seismo/internal/event"
	"seismo/signals"
)

// corpusFile returns the path of a file of the test material, or skips the test.
func corpusFile(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join("..", "..", "..", "shared", "corpus", filepath.FromSlash(name))
	if _, err := os.Stat(path); err != nil {
		t.Skipf("SKIPPED: needs the test material beside the checkout: %v", err)
	}
	return path
}

// corpusRule is one rule, read.
type corpusRule struct {
	id, path string
	source   signals.Logsource
	expr     *signals.Expr
	node     *yaml.Node
	found    []finding
	judge    judge
}

// corpusRules returns all rules of the archive, which are read once. The caller must not
// change them.
func corpusRules(t testing.TB) []corpusRule {
	t.Helper()
	path := corpusFile(t, "sigma/sigma-rules.tar.gz")
	readRules.Do(func() { publicRules = readCorpus(t, path) })
	return publicRules
}

var (
	readRules   sync.Once
	publicRules []corpusRule
)

func readCorpus(t testing.TB, path string) []corpusRule {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	var rules []corpusRule
	for archive := tar.NewReader(unzipped); ; {
		head, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return rules
		}
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(head.Name, ".yml") {
			continue
		}
		text, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		rules = append(rules, readRule(t, head.Name, text))
	}
}

func readRule(t testing.TB, path string, text []byte) corpusRule {
	t.Helper()
	var doc struct {
		ID        string
		Logsource struct{ Product, Category, Service string }
		Detection yaml.Node
	}
	if err := yaml.Unmarshal(text, &doc); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	r := corpusRule{id: doc.ID, path: path, source: signals.Logsource(doc.Logsource), node: &doc.Detection}
	r.expr = newTestReader(&r.found, map[string][]string{}).detection(&doc.Detection)
	if r.expr != nil {
		r.judge = newJudge(r.expr)
	}
	return r
}

// Of all public rules at most five are refused, each with a reason, and what is taken
// can be lowered.
func TestCorpusRulesAreTaken(t *testing.T) {
	rules := corpusRules(t)
	refused := 0
	var defs []signals.Definition
	for _, r := range rules {
		if r.expr == nil {
			refused++
			t.Logf("refused: %s: %+v", r.path, r.found)
			continue
		}
		defs = append(defs, signals.Definition{ID: r.id, Name: r.path, Language: signals.LanguageSigma, Logsource: r.source, Expr: r.expr})
	}
	if len(rules) < 3000 || refused > 5 {
		t.Errorf("%d of %d rules refused, want at most 5 of 3,181", refused, len(rules))
	}
	set, err := signals.Lower(defs)
	if err != nil {
		t.Fatalf("Lower: %v", err)
	}
	if len(set.Signals) != len(defs) {
		t.Errorf("Lower made %d signals of %d definitions", len(set.Signals), len(defs))
	}
	t.Logf("%d rules, %d refused, %d terms, %d atoms", len(rules), refused, len(set.Terms), len(set.Atoms))
}

// What the made cases for Linux rules expect is what the expressions say.
func TestCorpusLinuxCases(t *testing.T) {
	byID := map[string]*corpusRule{}
	rules := corpusRules(t)
	for i := range rules {
		byID[rules[i].id] = &rules[i]
	}
	cases, wrong := 0, 0
	for line := range lines(t, corpusFile(t, "sigma-linux-cases/cases.jsonl")) {
		var rule struct {
			RuleID string `json:"rule_id"`
			Cases  []struct {
				Name    string
				Expect  bool
				Fields  map[string]json.RawMessage
				Message *string
				Why     string
			}
		}
		if err := json.Unmarshal(line, &rule); err != nil {
			t.Fatal(err)
		}
		r := byID[rule.RuleID]
		if r == nil || r.expr == nil {
			t.Errorf("rule %s is not there", rule.RuleID)
			continue
		}
		for _, c := range rule.Cases {
			f := fields{}
			for name, raw := range c.Fields {
				f.add(t, name, raw)
			}
			if c.Message != nil {
				f["message"] = append(f["message"], *c.Message)
			}
			cases++
			if got := r.judge(f); got != c.Expect {
				wrong++
				t.Errorf("%s, case %s (%s): %v = %v, want %v", r.path, c.Name, c.Why, f, got, c.Expect)
			}
		}
	}
	t.Logf("%d of %d cases", cases-wrong, cases)
}

// add adds what JSON has for name: the text of a scalar, each element of an array,
// nothing for null.
func (f fields) add(t testing.TB, name string, raw json.RawMessage) {
	t.Helper()
	switch raw[0] {
	case 'n':
	case '"':
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			t.Fatal(err)
		}
		f[name] = append(f[name], s)
	case '[':
		var all []json.RawMessage
		if err := json.Unmarshal(raw, &all); err != nil {
			t.Fatal(err)
		}
		for _, one := range all {
			f.add(t, name, one)
		}
	case '{':
		t.Fatalf("field %s holds an object", name)
	default:
		f[name] = append(f[name], string(raw))
	}
}

// lines returns the lines of a file, unzipped if its name says so. A line is good until
// the next.
func lines(t testing.TB, path string) func(func([]byte) bool) {
	t.Helper()
	return func(yield func([]byte) bool) {
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		var in io.Reader = file
		if strings.HasSuffix(path, ".gz") {
			if in, err = gzip.NewReader(file); err != nil {
				t.Fatal(err)
			}
		}
		scan := bufio.NewScanner(in)
		scan.Buffer(nil, 16<<20)
		for scan.Scan() {
			if line := bytes.TrimSpace(scan.Bytes()); len(line) > 0 && !yield(line) {
				return
			}
		}
		if err := scan.Err(); err != nil {
			t.Fatal(err)
		}
	}
}

// The made and recorded events fire exactly the rules that they must, over all rules of
// their logsource. Of the recorded events every 20th is judged, and every one that must
// fire something; all of them with SEISMO_LONG=1.
func TestCorpusEvents(t *testing.T) {
	rules := corpusRules(t)
	for _, set := range []struct {
		name  string
		every int
	}{{"made", 1}, {"recorded", 20}} {
		t.Run(set.name, func(t *testing.T) {
			want := map[int][]string{}
			for line := range lines(t, corpusFile(t, "engine/"+set.name+"-expected.jsonl.gz")) {
				var e struct {
					Record int
					Rules  []string
				}
				if err := json.Unmarshal(line, &e); err != nil {
					t.Fatal(err)
				}
				want[e.Record] = e.Rules
			}
			every := set.every
			if os.Getenv("SEISMO_LONG") != "" {
				every = 1
			}
			checkEvents(t, rules, "engine/"+set.name+".jsonl.gz", want, every)
		})
	}
}

func checkEvents(t *testing.T, rules []corpusRule, name string, want map[int][]string, every int) {
	record, judged, pairs, wrong := 0, 0, 0, 0
	routes := map[string][]*corpusRule{}
	for line := range lines(t, corpusFile(t, name)) {
		if record++; record%every != 0 && want[record] == nil {
			continue
		}
		var object map[string]json.RawMessage
		if err := json.Unmarshal(line, &object); err != nil {
			t.Fatal(err)
		}
		raw := string(object["logsource"])
		delete(object, "logsource")
		if _, ok := routes[raw]; !ok {
			routes[raw] = routed(t, rules, raw)
		}
		f := fields{}
		for field, v := range object {
			f.add(t, field, v)
		}
		var got []string
		for _, r := range routes[raw] {
			if r.judge(f) {
				got = append(got, r.id)
			}
		}
		judged++
		pairs += len(got)
		slices.Sort(got)
		slices.Sort(want[record])
		if !slices.Equal(got, want[record]) {
			if wrong++; wrong <= 10 {
				t.Errorf("%s, record %d fires %v, want %v: %.600s", name, record, got, want[record], line)
			}
		}
	}
	if wrong > 0 {
		t.Errorf("%s: %d events of %d differ", name, wrong, judged)
	}
	t.Logf("%s: %d of %d events, %d pairs", name, judged, record, pairs)
}

// routed returns the rules that are asked about events of a logsource.
func routed(t testing.TB, rules []corpusRule, raw string) []*corpusRule {
	t.Helper()
	var words map[string]json.RawMessage
	if err := json.Unmarshal([]byte(raw), &words); err != nil {
		t.Fatal(err)
	}
	list := func(key string) (out []string) {
		if v, ok := words[key]; ok && json.Unmarshal(v, &out) != nil {
			var one string
			if err := json.Unmarshal(v, &one); err != nil {
				t.Fatal(err)
			}
			out = []string{one}
		}
		return out
	}
	source := &event.Logsource{Products: list("product"), Categories: list("category"), Services: list("service")}
	var out []*corpusRule
	for i := range rules {
		if s := rules[i].source; rules[i].judge != nil && source.Includes(s.Product, s.Category, s.Service) {
			out = append(out, &rules[i])
		}
	}
	return out
}

// BenchmarkDetection reads the detections of all public rules, whose YAML is parsed
// before.
func BenchmarkDetection(b *testing.B) {
	rules := corpusRules(b)
	b.ReportAllocs()
	for b.Loop() {
		for i := range rules {
			var found []finding
			newTestReader(&found, nil).detection(rules[i].node)
		}
	}
	b.ReportMetric(float64(b.N*len(rules))/b.Elapsed().Seconds(), "rules/s")
}
