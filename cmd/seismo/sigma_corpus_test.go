// SPDX-License-Identifier: Apache-2.0

// This file runs recorded and made events, as JSON, through all public Sigma rules, and
// holds what fires against what the specification demands. The events and rules are
// test input that lies beside the checkout.

package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"seismo/engine"
	"seismo/internal/event"
	"seismo/recorder"
	"seismo/signals"
	"seismo/signals/sigma"
)

const sigmaCorpus = "../../../shared/corpus/"

// corpusBytes returns a file of the corpus, unpacked if it is called .gz.
func corpusBytes(tb testing.TB, name string) []byte {
	tb.Helper()
	raw, err := os.ReadFile(sigmaCorpus + name)
	if errors.Is(err, os.ErrNotExist) {
		tb.Skipf("NOT TESTED: needs the corpus beside the checkout: %v", err)
	}
	if err == nil && strings.HasSuffix(name, ".gz") {
		var z *gzip.Reader
		if z, err = gzip.NewReader(bytes.NewReader(raw)); err == nil {
			raw, err = io.ReadAll(z)
		}
	}
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

// sigmaProgram compiles all public rules, and returns the logs of each.
func sigmaProgram(tb testing.TB) (*engine.Program, map[string]signals.Logsource) {
	tb.Helper()
	rules := fstest.MapFS{}
	r := tar.NewReader(bytes.NewReader(corpusBytes(tb, "sigma/sigma-rules.tar.gz")))
	for {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		content, readErr := io.ReadAll(r)
		if err = errors.Join(err, readErr); err != nil {
			tb.Fatal(err)
		}
		if strings.HasSuffix(h.Name, ".yml") {
			rules[path.Clean(h.Name)] = &fstest.MapFile{Data: content}
		}
	}
	loaded, err := signals.LoadFSWith(rules, signals.Options{Languages: []signals.Language{sigma.Language{}},
		Placeholder: func(string) ([]string, error) { return []string{"a value of this site"}, nil }})
	if err != nil {
		tb.Fatal(err)
	}
	if len(loaded.Definitions) < 3000 {
		tb.Fatalf("%d rules, want some 3,181", len(loaded.Definitions))
	}
	program, err := buildInput(signals.Input{Definitions: loaded.Definitions, Filters: loaded.Filters, Refused: loaded.Refused})
	if err != nil {
		tb.Fatal(err)
	}
	logs := map[string]signals.Logsource{}
	for _, d := range loaded.Definitions {
		logs[d.ID] = d.Logsource
	}
	return program, logs
}

// firedRules is a sink that keeps which rules fired on each record.
type firedRules struct {
	program *engine.Program
	records map[uint64][]string
}

// Write implements recorder.Sink.
func (f *firedRules) Write(_ context.Context, batches []*event.Batch) error {
	for _, b := range batches {
		for _, e := range b.Events() {
			for _, tag := range e.Tags {
				f.records[e.Ordinal] = append(f.records[e.Ordinal], f.program.Definitions()[tag.Signal].ID)
			}
		}
	}
	return nil
}

// judgeJSON runs the events in data through program and returns the rules that fired
// on each record.
func judgeJSON(t *testing.T, program *engine.Program, data []byte, o engine.MatcherOptions) map[uint64][]string {
	t.Helper()
	fired := &firedRules{program, map[uint64][]string{}}
	ctx := t.Context()
	stats, err := runLog(ctx, logRun{name: t.Name(), format: "json", data: bytes.NewReader(data), program: program, matcher: o,
		ids: &event.IDs{}, sinks: []recorder.Sink{fired}})
	if err != nil || stats.Source.Malformed > 0 {
		t.Fatalf("%s: %v, %+v", t.Name(), err, stats.Source)
	}
	return fired.records
}

// sameRules reports each record whose rules are not those wanted, up to a few.
func sameRules(t *testing.T, got, want map[uint64][]string) {
	t.Helper()
	shown, pairs := 0, 0
	records := map[uint64]bool{}
	for r := range got {
		records[r] = true
	}
	for r, rules := range want {
		records[r] = true
		pairs += len(rules)
	}
	for r := range records {
		slices.Sort(got[r])
		slices.Sort(want[r])
		if slices.Equal(got[r], want[r]) {
			continue
		}
		if shown++; shown <= 10 {
			t.Errorf("record %d fires %q, want %q", r, got[r], want[r])
		}
	}
	if shown > 10 {
		t.Errorf("%d records are wrong", shown)
	}
	t.Logf("%d pairs on %d records", pairs, len(want))
}

// All recorded and made events against all rules: not one pair missing, not one too
// many.
func TestSigmaCorpus(t *testing.T) {
	program, logs := sigmaProgram(t)
	for _, set := range []string{"recorded", "made"} {
		t.Run(set, func(t *testing.T) {
			want := map[uint64][]string{}
			d := json.NewDecoder(bytes.NewReader(corpusBytes(t, "engine/"+set+"-expected.jsonl.gz")))
			for d.More() {
				var line struct {
					Record uint64
					Rules  []string
				}
				if err := d.Decode(&line); err != nil {
					t.Fatal(err)
				}
				want[line.Record] = line.Rules
			}
			sameRules(t, judgeJSON(t, program, corpusBytes(t, "engine/"+set+".jsonl.gz"), engine.MatcherOptions{}), want)
		})
	}
	t.Run("linux cases", func(t *testing.T) { linuxCases(t, program, logs) })
	t.Run("regression", func(t *testing.T) { regression(t, program) })
}

// linuxCases judges each case alone, with the logs of its rule.
func linuxCases(t *testing.T, program *engine.Program, logs map[string]signals.Logsource) {
	type expectation struct {
		rule, name string
		fires      bool
	}
	var lines bytes.Buffer
	var cases []expectation
	d := json.NewDecoder(bytes.NewReader(corpusBytes(t, "sigma-linux-cases/cases.jsonl")))
	for d.More() {
		var rule struct {
			ID    string `json:"rule_id"`
			Cases []struct {
				Name    string
				Expect  bool
				Fields  map[string]json.RawMessage
				Message *string
			}
		}
		if err := d.Decode(&rule); err != nil {
			t.Fatal(err)
		}
		for _, c := range rule.Cases {
			object := map[string]any{}
			for name, v := range c.Fields {
				object[name] = v
			}
			if c.Message != nil {
				object["message"] = *c.Message
			}
			ls := map[string]string{}
			for key, word := range map[string]string{"product": logs[rule.ID].Product, "category": logs[rule.ID].Category, "service": logs[rule.ID].Service} {
				if word != "" {
					ls[key] = word
				}
			}
			object["logsource"] = ls
			line, err := json.Marshal(object)
			if err != nil {
				t.Fatal(err)
			}
			lines.Write(append(line, '\n'))
			cases = append(cases, expectation{rule.ID, c.Name, c.Expect})
		}
	}
	got := judgeJSON(t, program, lines.Bytes(), engine.MatcherOptions{})
	wrong := 0
	for i, c := range cases {
		if fires := slices.Contains(got[uint64(i+1)], c.rule); fires != c.fires {
			if wrong++; wrong <= 10 {
				t.Errorf("rule %s, case %s: fires %v, want %v", c.rule, c.name, fires, c.fires)
			}
		}
	}
	t.Logf("%d of %d cases are right", len(cases)-wrong, len(cases))
	if len(cases) < 2000 {
		t.Errorf("%d cases, want 2,692", len(cases))
	}
}

// regression feeds each sample as it is, printed over several lines, and as one line:
// its rule fires, as often as is known.
func regression(t *testing.T, program *engine.Program) {
	var manifest struct {
		Regression []struct {
			ID     string `json:"rule_id"`
			Files  []struct{ Path string }
			Expect []struct {
				Must  bool `json:"must_match"`
				Count *int `json:"match_count"`
			}
		}
	}
	if err := json.Unmarshal(corpusBytes(t, "sigma/manifest.json"), &manifest); err != nil {
		t.Fatal(err)
	}
	samples := 0
	for _, r := range manifest.Regression {
		for _, f := range r.Files {
			if !strings.HasSuffix(f.Path, ".json") {
				continue
			}
			samples++
			printed := corpusBytes(t, "sigma/"+f.Path)
			for form, data := range map[string][]byte{"as printed": printed, "a line": oneLineEach(t, printed)} {
				n := 0
				for _, rules := range judgeJSON(t, program, data, engine.MatcherOptions{}) {
					if slices.Contains(rules, r.ID) {
						n++
					}
				}
				if want := r.Expect[0]; (n > 0) != want.Must || want.Count != nil && n < *want.Count {
					t.Errorf("%s, %s: rule %s fires on %d events, want %s", f.Path, form, r.ID, n, fmt.Sprint(want.Count))
				}
			}
		}
	}
	if samples < 90 {
		t.Errorf("%d samples, want 98", samples)
	}
}

// oneLineEach writes each object of data as a line.
func oneLineEach(t *testing.T, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	d := json.NewDecoder(bytes.NewReader(data))
	for d.More() {
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			t.Fatal(err)
		}
		if err := json.Compact(&out, v); err != nil {
			t.Fatal(err)
		}
		out.WriteByte('\n')
	}
	return out.Bytes()
}
