// SPDX-License-Identifier: Apache-2.0

package signals_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"seismo/signals"
)

func definition(n int, more string) string {
	return fmt.Sprintf("id: 00000000-0000-4000-8000-%012d\nname: signal %d\nsignal: user.id is %d\n%s", n, n, n, more)
}

func names(defs []signals.Definition) string {
	var all []string
	for _, d := range defs {
		all = append(all, d.Name)
	}
	return strings.Join(all, ", ")
}

func TestParseFile(t *testing.T) {
	src := "---\n# several documents, one of them a list, one empty\n" + definition(1, "") + "---\n---\n" +
		"- " + strings.ReplaceAll(strings.TrimSpace(definition(2, "")), "\n", "\n  ") + "\n" +
		"- " + strings.ReplaceAll(strings.TrimSpace(definition(3, "")), "\n", "\n  ") + "\n...\n"
	defs, err := signals.ParseFile("x.yml", []byte(src))
	if got, want := names(defs), "signal 1, signal 2, signal 3"; err != nil || got != want {
		t.Errorf("ParseFile: %s, %v; want %s", got, err, want)
	}
}

// All keys of a definition, and what is read from them.
func TestParseFileKeys(t *testing.T) {
	defs, err := signals.ParseFile("x.yml", []byte(`# a comment
id: 0D9E5F7A-2F43-4C39-9D0E-3F2F7F6D1B11
name: "  All keys "
description: |
  Two
  lines.
severity: critical
status: stable
techniques: [T1059, T1059.004]
platforms: [linux, macos]
author: 42
references:
  - https://example.org/a
falsepositives: [none]
response: Look.
labels: [a, b]
suppress: [user.name is root, "process.name is x // why"]
signal: |
  // why
  user.id is 0
`))
	if err != nil {
		t.Fatal(explained(err))
	}
	want := signals.Definition{
		ID: "0d9e5f7a-2f43-4c39-9d0e-3f2f7f6d1b11", Name: "All keys", Description: "Two\nlines.",
		Severity: signals.Critical, Status: "stable", Techniques: []string{"T1059", "T1059.004"},
		Platforms: []string{"linux", "macos"}, Author: "42", References: []string{"https://example.org/a"},
		FalsePositives: []string{"none"}, Response: "Look.", Labels: []string{"a", "b"},
		Language: "signal", Text: "// why\nuser.id is 0", Suppress: []string{"user.name is root", "process.name is x // why"}, Pos: signals.Position{File: "x.yml", Line: 2, Column: 1},
	}
	got := defs[0]
	if got.Expr == nil || got.Expr.String() != "user.id is 0" {
		t.Errorf("expression: %v", got.Expr)
	}
	if len(got.Revision) != 16 {
		t.Errorf("revision %q, want 16 digits", got.Revision)
	}
	if len(got.SuppressExprs) != 2 || got.SuppressExprs[1].String() != "process.name is 'x'" {
		t.Errorf("suppress expressions: %v", got.SuppressExprs)
	}
	got.Expr, got.SuppressExprs, got.Revision = nil, nil, ""
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("definition differs (-want +got):\n%s", diff)
	}
}

// The revision changes with every part of the content, and with nothing else.
func TestRevision(t *testing.T) {
	base := map[string]string{
		"id": "00000000-0000-4000-8000-000000000001", "name": "n", "description": "d", "severity": "low", "status": "test",
		"techniques": "[T1059]", "platforms": "[linux]", "author": "a", "references": "[r]", "falsepositives": "[f]",
		"response": "x", "labels": "[l, m]", "suppress": "[user.id is 2]", "signal": "user.id is 1",
	}
	order := []string{"id", "name", "description", "severity", "status", "techniques", "platforms", "author", "references", "falsepositives", "response", "labels", "suppress", "signal"}
	revision := func(changed, to, file string) string {
		var b strings.Builder
		for _, k := range order {
			v := base[k]
			if k == changed {
				v = to
			}
			fmt.Fprintf(&b, "%s: %s\n", k, v)
		}
		defs, err := signals.ParseFile(file, []byte(b.String()))
		if err != nil {
			t.Fatalf("%s: %s: %v", changed, to, explained(err))
		}
		return defs[0].Revision
	}
	first := revision("", "", "a.yml")
	for _, same := range []string{revision("", "", "dir/b.yml"), revision("severity", "'low' # comment", "a.yml"), revision("signal", "\n\n  user.id is 1\n\n", "a.yml")} {
		if same != first {
			t.Errorf("revision of the same content: %s, want %s", same, first)
		}
	}
	seen := map[string]string{first: "nothing"}
	for k, v := range map[string]string{
		"id": "00000000-0000-4000-8000-000000000002", "name": "m", "description": "e", "severity": "high", "status": "stable",
		"techniques": "[T1060]", "platforms": "[macos]", "author": "b", "references": "[s]", "falsepositives": "[g]",
		"response": "y", "labels": "[lm]", "suppress": "[user.id is 3]", "signal": "user.id is 2",
	} {
		r := revision(k, v, "a.yml")
		if other, ok := seen[r]; ok {
			t.Errorf("revision with another %s is that with another %s", k, other)
		}
		seen[r] = k
	}
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"b/2.yml": definition(2, ""), "b/1.yaml": definition(1, ""), "b/deep/3.yml": definition(3, ""),
		"b/readme.md": "not: [a definition", "a.txt": definition(4, ""),
	})
	paths := []string{filepath.Join(dir, "a.txt"), filepath.Join(dir, "b"), filepath.Join(dir, "b", "..", "b", "2.yml")}
	defs, err := signals.Load(paths)
	if got, want := names(defs), "signal 4, signal 1, signal 2, signal 3"; err != nil || got != want {
		t.Errorf("Load(%v) = %s, %v; want %s", paths, got, err, want)
	}
	t.Chdir(dir)
	if err := os.Symlink("a.txt", "link.yml"); err != nil {
		t.Logf("no symbolic links here: %v", err)
	}
	paths = []string{filepath.Join(dir, "a.txt"), "a.txt", "./b/1.yaml", "."}
	defs, err = signals.Load(paths)
	if got, want := names(defs), "signal 4, signal 1, signal 2, signal 3"; err != nil || got != want {
		t.Errorf("Load(%v) = %s, %v; want %s: one file by several names is read once", paths, got, err, want)
	}
	if defs, err := signals.Load(nil); err != nil || len(defs) != 0 {
		t.Errorf("Load(nil) = %v, %v", defs, err)
	}
}

// Everything that is wrong in all files comes at once; what is right is there.
func TestLoadErrors(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"a.yml": definition(1, ""), "b.yml": definition(1, "severity: hihg\n"), "c.yml": definition(2, ""),
		"d.yml": "x: [", "e.yml": strings.Repeat("# comment\n", 110_000), "empty/x.txt": "",
	})
	if err := os.Mkdir(filepath.Join(dir, "f.yml"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(dir, "empty"), filepath.Join(dir, "g.yml")); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	defs, err := signals.Load([]string{dir, filepath.Join(dir, "missing.yml"), filepath.Join(dir, "empty")})
	if got, want := names(defs), "signal 1, signal 2"; got != want {
		t.Errorf("Load: %s, want %s", got, want)
	}
	got := strings.ReplaceAll(explained(err), dir, "DIR")
	want := `
seismo: DIR/b.yml:1:5: id 00000000-0000-4000-8000-000000000001 stands twice, first at DIR/a.yml:1:5
  | id: 00000000-0000-4000-8000-000000000001
  |     ^
seismo: hint: an id is a UUID, made once and kept: uuidgen, or cat /proc/sys/kernel/random/uuid, prints a new one
seismo: DIR/b.yml:4:11: unknown severity "hihg" (did you mean "high"?)
  | severity: hihg
  |           ^
seismo: hint: severity is one of informational, low, medium, high, critical
seismo: DIR/d.yml:1:5: YAML: did not find expected node content
  | x: [
  |     ^
seismo: DIR/e.yml: file is longer than 1048576 bytes
seismo: DIR/empty: directory holds no file called *.yml, *.yaml or signals.json
seismo: DIR/g.yml: can not be read: not a regular file
seismo: DIR/missing.yml: can not be read: no such file or directory
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("diagnostics differ (-want +got):\n%s", diff)
	}
}

func TestLoadFS(t *testing.T) {
	fsys := fstest.MapFS{
		"linux/b.yml": {Data: []byte(definition(2, ""))},
		"linux/a.yml": {Data: []byte(definition(1, ""))},
		"embed.go":    {Data: []byte("package rules")},
	}
	defs, err := signals.LoadFS(fsys)
	if got, want := names(defs), "signal 1, signal 2"; err != nil || got != want {
		t.Errorf("LoadFS = %s, %v; want %s", got, err, want)
	}
	if got, want := defs[0].Pos, (signals.Position{File: "linux/a.yml", Line: 1, Column: 1}); got != want {
		t.Errorf("position %v, want %v", got, want)
	}
}

// Who asks is told of each file before it is read.
func TestLoadReading(t *testing.T) {
	fsys := fstest.MapFS{"a.yml": {Data: []byte("id: [")}, "b/c.yaml": {Data: []byte("- x")}, "d.txt": {Data: []byte("no definition")}}
	var told []int
	if _, err := signals.LoadFSWith(fsys, signals.Options{Reading: func(files int) { told = append(told, files) }}); err == nil || !slices.Equal(told, []int{0, 1}) {
		t.Errorf("LoadFSWith of two files told %v, %v; want [0 1] and an error", told, err)
	}
}
