// SPDX-License-Identifier: Apache-2.0

// This file reads the public Sigma rules and the recorded events that lie beside the
// checkout, where they do, and judges the events by the rules.

package engine

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"seismo/internal/event"
	"seismo/signals"
	"seismo/signals/sigma"
	"seismo/sources/jsonl"
)

const corpusFolder = "../../shared/corpus/"

// openCorpus opens a gzip file of the corpus, and skips loudly where there is none.
func openCorpus(tb testing.TB, name string) io.Reader {
	tb.Helper()
	file, err := os.Open(corpusFolder + name)
	if err != nil {
		tb.Skipf("NOT TESTED: no corpus beside the checkout: %v", err)
	}
	tb.Cleanup(func() { file.Close() })
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		tb.Fatal(err)
	}
	return unzipped
}

// corpusDefinitions returns the public rules. They are read once.
func corpusDefinitions(tb testing.TB) []signals.Definition {
	tb.Helper()
	readRules.Do(func() { corpusRules = readCorpusRules(tb) })
	if corpusRules == nil {
		tb.Skip("NOT TESTED: no public rules beside the checkout")
	}
	return corpusRules
}

var (
	readRules   sync.Once
	corpusRules []signals.Definition
)

func readCorpusRules(tb testing.TB) []signals.Definition {
	dir := tb.TempDir()
	for r := tar.NewReader(openCorpus(tb, "sigma/sigma-rules.tar.gz")); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			tb.Fatal(err)
		}
		name := filepath.FromSlash(h.Name)
		if h.Typeflag != tar.TypeReg || !strings.HasSuffix(name, ".yml") {
			continue
		}
		if !filepath.IsLocal(name) {
			tb.Fatalf("%s leads out of the archive", name)
		}
		content, err := io.ReadAll(r)
		if err == nil {
			err = os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), content, 0o644)
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	placeholder := func(string) ([]string, error) { return []string{"dc01", "dc02.example.com"}, nil }
	loaded, err := signals.LoadWith([]string{dir}, signals.Options{Languages: []signals.Language{sigma.Language{}}, Placeholder: placeholder})
	if err != nil {
		tb.Logf("not all rules are taken: %v", err)
	}
	return loaded.Definitions
}

// lowerCorpus returns the rules that keep says, lowered.
func lowerCorpus(tb testing.TB, keep func(signals.Logsource) bool) *signals.Set {
	tb.Helper()
	var defs []signals.Definition
	for _, d := range corpusDefinitions(tb) {
		if keep(d.Logsource) {
			defs = append(defs, d)
		}
	}
	set, err := signals.LowerInput(signals.Input{Definitions: defs})
	if err != nil {
		tb.Fatal(err)
	}
	return set
}

// readEvents decodes a file of events, those that keep says, into batches.
func readEvents(tb testing.TB, name string, keep func(*event.Logsource) bool) (batches []*event.Batch) {
	tb.Helper()
	s := jsonl.NewStream(openCorpus(tb, name), jsonl.StreamOptions{Name: name})
	var ids event.IDs
	for {
		b := event.NewBatch(1000)
		err := s.Read(context.Background(), b)
		if b.Keep(func(e *event.Event) bool { return keep(e.Logsource) }); b.Len() > 0 {
			ids.Assign(b)
			batches = append(batches, b)
		}
		if errors.Is(err, io.EOF) {
			return batches
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
}

// wantedPairs reads which rules must fire on which line.
func wantedPairs(tb testing.TB, name string) map[uint64][]string {
	tb.Helper()
	want := map[uint64][]string{}
	in := bufio.NewScanner(openCorpus(tb, name))
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		var line struct {
			Record uint64
			Rules  []string
		}
		if err := json.Unmarshal(bytes.TrimSpace(in.Bytes()), &line); err != nil {
			tb.Fatal(err)
		}
		slices.Sort(line.Rules)
		want[line.Record] = line.Rules
	}
	return want
}

// All events fire exactly the rules that the specification demands, with tables of
// literals and without.
func TestSigmaCorpus(t *testing.T) {
	set := lowerCorpus(t, func(signals.Logsource) bool { return true })
	p, err := Build(set)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d signals, %d leaves in %d columns, %d bytes", len(p.signals), len(p.alone.leaves), len(p.alone.tables.columns), len(encoded(t, p)))
	for _, name := range []string{"made", "recorded"} {
		want := wantedPairs(t, "engine/"+name+"-expected.jsonl.gz")
		batches := readEvents(t, "engine/"+name+".jsonl.gz", func(*event.Logsource) bool { return true })
		for _, plain := range []bool{false, true} {
			if plain && name == "recorded" && testing.Short() {
				continue
			}
			checkPairs(t, name, p.NewMatcherWith(MatcherOptions{DisableSignalsTrie: plain}), batches, want)
		}
	}
}

func checkPairs(t *testing.T, name string, m *Matcher, batches []*event.Batch, want map[uint64][]string) {
	t.Helper()
	events, pairs, wrong := 0, 0, 0
	for _, b := range batches {
		m.Match(b)
		for _, e := range b.Events() {
			events++
			var got []string
			for _, tag := range e.Tags {
				got = append(got, m.p.definitions[tag.Signal].ID)
			}
			pairs += len(got)
			if !slices.Equal(got, want[e.Ordinal]) {
				if wrong++; wrong < 20 {
					t.Errorf("%s line %d, of %+v: %v, want %v", name, e.Ordinal, e.Logsource, got, want[e.Ordinal])
				}
			}
			e.Tags = e.Tags[:0]
		}
	}
	t.Logf("%s: %d events, %d pairs, plain %v", name, events, pairs, m.options.DisableSignalsTrie)
	if wrong > 0 {
		t.Errorf("%s: %d of %d events are wrong", name, wrong, events)
	}
}
