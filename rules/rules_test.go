// SPDX-License-Identifier: Apache-2.0

// This file runs the shipped signals over the shipped fixtures. That each part of
// each signal matters to some fixture is shown in mutation_test.go.

package rules_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"seismo/engine"
	"seismo/fixtures"
	"seismo/internal/event"
	"seismo/internal/process"
	"seismo/rules"
	"seismo/signals"
	"seismo/sources/audit"
)

// shipped returns the definitions in rules.
func shipped(t testing.TB) []signals.Definition {
	t.Helper()
	defs, err := signals.LoadFS(rules.FS)
	if err != nil {
		t.Fatalf("LoadFS(rules.FS) = %v", err)
	}
	return defs
}

// build compiles definitions.
func build(t testing.TB, defs []signals.Definition) *engine.Program {
	t.Helper()
	set, err := signals.Lower(defs)
	if err != nil {
		t.Fatalf("Lower = %v", err)
	}
	p, err := engine.Build(set)
	if err != nil {
		t.Fatalf("Build = %v", err)
	}
	return p
}

// recording is one log of a fixture with its events, ready to be judged again
// and again.
type recording struct {
	of      *fixtures.Case
	file    *fixtures.File
	batches []*event.Batch
}

// load decodes every log of the shipped fixtures.
func load(t testing.TB) []recording {
	t.Helper()
	cases, err := fixtures.Load(fixtures.FS)
	if err != nil {
		t.Fatalf("Load(fixtures.FS) = %v", err)
	}
	var all []recording
	for i := range cases {
		for j := range cases[i].Files {
			r := recording{of: &cases[i], file: &cases[i].Files[j]}
			r.decode(t)
			all = append(all, r)
		}
	}
	return all
}

// decode takes the log the way of a replay, up to the matcher.
func (r *recording) decode(t testing.TB) {
	t.Helper()
	if r.of.Format != "audit" {
		t.Fatalf("%s: format %q is not known here", r.of.Dir, r.of.Format)
	}
	s := audit.NewStream(bytes.NewReader(r.file.Data), audit.StreamOptions{Name: r.file.Name})
	defer s.Close()
	table := process.NewTable(process.Options{})
	var ids event.IDs
	for {
		b := event.NewBatch(64)
		err := s.Read(context.Background(), b)
		table.Apply(b)
		ids.Assign(b)
		r.batches = append(r.batches, b)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%s/%s: %v", r.of.Dir, r.file.Name, err)
		}
	}
	if st := s.Stats(); st.Malformed != 0 || st.Incomplete != 0 || st.Assembled == 0 {
		t.Errorf("%s/%s: %d malformed records, %d incomplete of %d events", r.of.Dir, r.file.Name, st.Malformed, st.Incomplete, st.Assembled)
	}
}

// judge returns how often each signal of p fires in r.
func (r *recording) judge(p *engine.Program) []fixtures.Fired {
	m := p.NewMatcher()
	for _, b := range r.batches {
		for _, e := range b.Events() {
			e.Tags = e.Tags[:0]
		}
		m.Match(b)
	}
	var fired []fixtures.Fired
	for i, n := range m.Counts() {
		d := p.Definitions()[i]
		fired = append(fired, fixtures.Fired{ID: d.ID, Name: d.Name, Count: int(n)})
	}
	return fired
}

// Every fixture holds: what must fire does, as often as it says, and nothing else.
func TestFixtures(t *testing.T) {
	p := build(t, shipped(t))
	for _, r := range load(t) {
		failures := r.file.Judge(r.judge(p))
		for _, f := range failures {
			t.Errorf("%s", f)
		}
		if len(failures) == 0 {
			continue
		}
		for _, b := range r.batches {
			for _, e := range b.Events() {
				for _, tag := range e.Tags {
					t.Logf("fired: serial %d, %s: %s", e.Serial, p.Definitions()[tag.Signal].Name, tag.Proof[0].Text)
				}
			}
		}
	}
}

// Each shipped signal has a fixture of its name, with hits that it fires in and
// near misses.
func TestEverySignalHasAFixture(t *testing.T) {
	cases, err := fixtures.Load(fixtures.FS)
	if err != nil {
		t.Fatal(err)
	}
	files, err := fs.Glob(rules.FS, "*/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("Glob = %v, %v; want the shipped signals", files, err)
	}
	for _, file := range files {
		src, err := fs.ReadFile(rules.FS, file)
		if err != nil {
			t.Fatal(err)
		}
		defs, err := signals.ParseFile(file, src)
		if err != nil || len(defs) != 1 {
			t.Errorf("%s: %d definitions, %v; want one", file, len(defs), err)
			continue
		}
		name := strings.TrimSuffix(file, ".yml")
		at := slices.IndexFunc(cases, func(c fixtures.Case) bool { return c.Dir == name })
		if at < 0 {
			t.Errorf("%s: no fixture at fixtures/%s", file, name)
			continue
		}
		hits, misses := 0, 0
		for _, f := range cases[at].Files {
			switch {
			case strings.HasPrefix(f.Name, "miss-"):
				misses++
			case slices.ContainsFunc(f.Expect, func(e fixtures.Expect) bool { return e.Signal == defs[0].Name && e.Count > 0 }):
				hits++
			}
		}
		if hits == 0 || misses == 0 {
			t.Errorf("fixtures/%s: %d hits of %q and %d misses; want some of each", name, hits, defs[0].Name, misses)
		}
		if !slices.Contains(defs[0].Platforms, path.Dir(file)) {
			t.Errorf("%s: platforms are %v; the folder says %s", file, defs[0].Platforms, path.Dir(file))
		}
	}
}

// The shipped signals are written the way that lint asks for.
func TestLint(t *testing.T) {
	for _, d := range signals.Lint(shipped(t)) {
		t.Errorf("%s", d)
	}
}

// The example in docs/fixtures.md, with the two logs that it copies, holds.
func TestDocumentedExample(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("..", "docs", "fixtures.md"))
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, part := range strings.Split(string(doc), "```yaml\n")[1:] {
		block, _, _ := strings.Cut(part, "```")
		blocks = append(blocks, block)
	}
	if len(blocks) != 2 {
		t.Fatalf("docs/fixtures.md has %d YAML blocks, want a signal and a fixture", len(blocks))
	}
	defs, err := signals.ParseFile("my-signal.yml", []byte(blocks[0]))
	if err != nil {
		t.Fatal(err)
	}
	fsys := fstest.MapFS{"linux/shell-connects/fixture.yml": {Data: []byte(blocks[1])}}
	for _, log := range []string{"hit-live.log", "miss-netcat.log"} {
		data, err := fs.ReadFile(fixtures.FS, "linux/reverse-shell/"+log)
		if err != nil {
			t.Fatal(err)
		}
		fsys["linux/shell-connects/"+log] = &fstest.MapFile{Data: data}
	}
	cases, err := fixtures.Load(fsys)
	if err != nil {
		t.Fatal(err)
	}
	p := build(t, defs)
	for i := range cases[0].Files {
		r := recording{of: &cases[0], file: &cases[0].Files[i]}
		r.decode(t)
		for _, f := range r.file.Judge(r.judge(p)) {
			t.Errorf("%s", f)
		}
	}
}
