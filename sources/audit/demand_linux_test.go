// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestDemandFolders(t *testing.T) {
	top := t.TempDir()
	for _, dir := range []string{"etc/app", "var/lib/Tool/sub", "var/lib/tool", "proc/1", "dev/shm/x", "dev/input", "real"} {
		if err := os.MkdirAll(filepath.Join(top, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(top, "real/file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real", filepath.Join(top, "link")); err != nil {
		t.Fatal(err)
	}
	var many []string
	for i := range maxDemandFolders + 3 {
		dir := fmt.Sprintf("/many/%02d", i)
		many = append(many, dir+"/")
		if err := os.MkdirAll(filepath.Join(top, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name    string
		paths   []string
		covered []string
		want    []string
		warning string
	}{
		{"a folder", []string{"/etc/app/"}, nil, []string{"/etc/app"}, ""},
		{"a file in a folder", []string{"/real/file"}, nil, []string{"/real"}, ""},
		{"the beginning of a name", []string{"/etc/app/co"}, nil, []string{"/etc/app"}, ""},
		{"covered by a root", []string{"/etc/app/x"}, []string{"/etc"}, nil, ""},
		{"covered by each other", []string{"/etc/app/", "/etc/app/x"}, nil, []string{"/etc/app"}, ""},
		{"in the letters of the file system", []string{"/var/lib/tool/SUB/x"}, nil, []string{"/var/lib/Tool/sub"}, ""},
		{"two folders that differ in their letters", []string{"/var/lib/tool/"}, nil, []string{"/var/lib/Tool", "/var/lib/tool"}, ""},
		{"through a link", []string{"/link/file"}, nil, []string{"/real"}, ""},
		{"a folder that is not there", []string{"/nowhere/x/y"}, nil, nil, ""},
		{"all of the file system", []string{"/"}, nil, nil, "/ as a whole is not watched"},
		{"no files", []string{"/proc/1/"}, nil, nil, "not watched"},
		{"devices", []string{"/dev/input/x", "/dev/shm/x/"}, nil, []string{"/dev/shm/x"}, "/dev/input as a whole"},
		{"no path of this system", []string{`c:\windows\`, "etc/app", "/etc/\x00"}, nil, nil, ""},
		{"too many", many, nil, []string{"*"}, "3 are not watched"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, warnings := demandFolders(top, tt.paths, tt.covered)
			if slices.Equal(tt.want, []string{"*"}) {
				if len(got) != maxDemandFolders {
					t.Errorf("demandFolders: %d folders; want %d", len(got), maxDemandFolders)
				}
			} else if !slices.Equal(got, tt.want) {
				t.Errorf("demandFolders(%q, covered %q) = %q; want %q", tt.paths, tt.covered, got, tt.want)
			}
			if said := strings.Join(warnings, "\n"); !strings.Contains(said, tt.warning) || tt.warning == "" && said != "" {
				t.Errorf("warnings %q; want one that says %q", said, tt.warning)
			}
		})
	}
}

// A change of the rules touches only what differs, whatever was in force before,
// and the undo that follows leaves the kernel as it was.
func TestReplan(t *testing.T) {
	roots := []string{"/etc", "/usr", "/opt", "/srv", "/var/lib"}
	outer := t
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "replan")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		k, path := newFakeKernel(), filepath.Join(dir, "undo.json")
		theirs := plannedRules(outer, "/etc")
		k.rules = [][]byte{normalWire(withKey(theirs[len(theirs)-1], "theirs"))}
		before := k.state()
		some := func(label string) []undoRule {
			return plannedRules(outer, rapid.SliceOfDistinct(rapid.SampledFrom(roots), rapid.ID).Draw(t, label)...)
		}
		in, err := prepareInstall(k, path, undoFile{BootID: "b", PID: 7}, some("first"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := in.apply(func() error { return nil }); err != nil {
			t.Fatal(err)
		}
		for range rapid.IntRange(1, 4).Draw(t, "changes") {
			old, next := slices.Clone(k.rules), some("next")
			k.calls, k.failAt = nil, rapid.IntRange(0, 4).Draw(t, "fails at")
			skipped, removed, err := in.replan(next)
			file, readErr := readUndoFile(path)
			if readErr != nil {
				t.Fatal(readErr)
			}
			for _, wire := range k.rules {
				if isOurs(wire) && !slices.ContainsFunc(file.Rules, func(r undoRule) bool { return sameRule(r.Wire, wire) }) {
					t.Fatal("the kernel has a rule that the undo file does not tell of")
				}
			}
			if err != nil {
				if k.failAt == 0 {
					t.Fatalf("replan: %v", err)
				}
				continue
			}
			want := map[string]bool{}
			for _, r := range next {
				want[string(normalWire(r.Wire))] = true
			}
			changed, gone := 0, 0
			for _, wire := range k.rules {
				if isOurs(wire) && !want[string(normalWire(wire))] {
					t.Fatal("a rule that is no longer planned is in force")
				}
				if !slices.ContainsFunc(old, func(w []byte) bool { return sameRule(w, wire) }) {
					changed++
				}
				delete(want, string(normalWire(wire)))
			}
			for _, wire := range old {
				if !slices.ContainsFunc(k.rules, func(w []byte) bool { return sameRule(w, wire) }) {
					changed++
					gone++
				}
			}
			if removed != gone {
				t.Fatalf("replan tells of %d removed rules; want %d", removed, gone)
			}
			if len(want) > 0 || len(skipped) > 0 || len(k.calls) != changed {
				t.Fatalf("%d planned rules are not in force, %q skipped, %d calls for %d changes", len(want), skipped, len(k.calls), changed)
			}
		}
		k.failAt = 0
		file, err := readUndoFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := undoChanges(k, file, true); err != nil || k.state() != before {
			t.Fatalf("undo: %v; state %s; want as before: %s", err, k.state(), before)
		}
	})
}
