// SPDX-License-Identifier: Apache-2.0

package signals_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seismo/signals"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden is goldenOf for files that end in .yml.
func golden(t *testing.T, dir, ext string, run func(t *testing.T, name string, src []byte) string) {
	t.Helper()
	goldenOf(t, dir, ".yml", ext, run)
}

// goldenOf calls run with every file of testdata/dir that ends in from and compares
// what it writes with the file of the same name that ends in ext.
func goldenOf(t *testing.T, dir, from, ext string, run func(t *testing.T, name string, src []byte) string) {
	files, err := filepath.Glob(filepath.Join("testdata", dir, "*"+from))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files in testdata/%s: %v", dir, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := run(t, filepath.Base(file), src)
			wantFile := strings.TrimSuffix(file, from) + ext
			if *update {
				if err := os.WriteFile(wantFile, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(wantFile)
			if err != nil {
				t.Fatalf("%v (go test -update writes it)", err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("%s differs (-want +got; go test -update writes it anew):\n%s", wantFile, diff)
			}
		})
	}
}

// The lowered form of signals.
func TestLowerGolden(t *testing.T) {
	golden(t, "lower", ".ir", func(t *testing.T, name string, src []byte) string {
		var b strings.Builder
		if err := lowered(t, name, src).Dump(&b); err != nil {
			t.Fatal(err)
		}
		return b.String()
	})
}

// lowered returns the lowered form of a definition file without faults.
func lowered(t testing.TB, name string, src []byte) *signals.Set {
	t.Helper()
	defs, err := signals.ParseFile(name, src)
	if err != nil {
		t.Fatalf("ParseFile(%s): %v", name, explained(err))
	}
	set, err := signals.Lower(defs)
	if err != nil {
		t.Fatalf("Lower(%s): %v", name, err)
	}
	return set
}

// explained returns all that err says.
func explained(err error) string {
	var diags signals.Diagnostics
	if !errors.As(err, &diags) {
		return err.Error()
	}
	var b strings.Builder
	diags.Write(&b, "seismo")
	return "\n" + b.String()
}

// What an author reads about a broken file.
func TestBadGolden(t *testing.T) {
	golden(t, "bad", ".txt", func(t *testing.T, name string, src []byte) string {
		_, err := signals.ParseFile(name, src)
		var diags signals.Diagnostics
		if !errors.As(err, &diags) {
			t.Fatalf("ParseFile(%s): error %v is no Diagnostics", name, err)
		}
		var b strings.Builder
		if err := diags.Write(&b, "seismo"); err != nil {
			t.Fatal(err)
		}
		return b.String()
	})
}

// What is doubtful in a good file.
func TestLintGolden(t *testing.T) {
	golden(t, "lint", ".txt", func(t *testing.T, name string, src []byte) string {
		defs, err := signals.ParseFile(name, src)
		if err != nil {
			t.Fatalf("ParseFile(%s): %v", name, explained(err))
		}
		var b strings.Builder
		if err := signals.Lint(defs).Write(&b, "seismo"); err != nil {
			t.Fatal(err)
		}
		return b.String()
	})
}
