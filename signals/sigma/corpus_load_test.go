// SPDX-License-Identifier: Apache-2.0

package sigma_test

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path"
	"strings"
	"testing"
	"testing/fstest"

	"seismo/signals"
	"seismo/signals/sigma"
)

// publicRules returns the public rules that lie beside the checkout.
func publicRules(tb testing.TB) fstest.MapFS {
	tb.Helper()
	file, err := os.Open("../../../shared/corpus/sigma/sigma-rules.tar.gz")
	if err != nil {
		tb.Skipf("NOT TESTED: no public rules beside the checkout: %v", err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		tb.Fatal(err)
	}
	files := fstest.MapFS{}
	for r := tar.NewReader(unzipped); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			tb.Fatal(err)
		}
		if h.Typeflag != tar.TypeReg || !strings.HasSuffix(h.Name, ".yml") {
			continue
		}
		content, err := io.ReadAll(r)
		if err != nil {
			tb.Fatal(err)
		}
		files[path.Clean(h.Name)] = &fstest.MapFile{Data: content, Mode: 0o644}
	}
}

// servers stands in for lists that a site would have.
func servers(string) ([]string, error) { return []string{"dc01", "dc02.example.com"}, nil }

// All public rules are read, and what they say of themselves is complete.
func TestPublicRules(t *testing.T) {
	files := publicRules(t)
	loaded, err := signals.LoadFSWith(files, signals.Options{Languages: []signals.Language{sigma.Language{}}, Placeholder: servers})
	if err != nil {
		t.Errorf("LoadWith: %v", err)
	}
	if len(loaded.Definitions) < 3000 {
		t.Errorf("LoadWith gave %d definitions; want all of some 3,181", len(loaded.Definitions))
	}
	techniques := 0
	for _, d := range loaded.Definitions {
		if d.Language != signals.LanguageSigma || d.ID == "" || d.Name == "" || d.Expr == nil || d.Logsource == (signals.Logsource{}) || d.Revision == "" || d.Status == "" || len(d.Platforms) > 0 {
			t.Errorf("%s:%d: definition %s %q lacks something", d.Pos.File, d.Pos.Line, d.ID, d.Name)
		}
		content := string(files[d.Pos.File].Data)
		if !strings.Contains(strings.ReplaceAll(content, "\r", ""), d.Text) || !strings.HasPrefix(d.Text[strings.Index(d.Text, "title:"):], "title:") {
			t.Errorf("%s: text is not a part of the file", d.Pos.File)
		}
		techniques += len(d.Techniques)
	}
	if techniques < len(loaded.Definitions) {
		t.Errorf("%d techniques in %d rules", techniques, len(loaded.Definitions))
	}
	set, err := signals.LowerInput(signals.Input{Definitions: loaded.Definitions})
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range set.Signals {
		if !s.Alone || s.Silent || s.Logsource != set.Definitions[i].Logsource {
			t.Errorf("signal of %q: %+v", set.Definitions[i].Name, s)
		}
	}
}

// Reading and checking all public rules; the bar is 1 s.
func BenchmarkLoadPublicRules(b *testing.B) {
	dir := b.TempDir()
	if err := os.CopyFS(dir, publicRules(b)); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		loaded, err := signals.LoadWith([]string{dir}, signals.Options{Languages: []signals.Language{sigma.Language{}}, Placeholder: servers})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(loaded.Definitions)), "rules")
	}
}
