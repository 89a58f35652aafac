// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"os"
	"path/filepath"
	"slices"
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
	tests := []struct {
		name    string
		paths   []string
		covered []string
		want    []string
	}{
		{"a folder", []string{"/etc/app/"}, nil, []string{"/etc/app"}},
		{"a file in a folder", []string{"/real/file"}, nil, []string{"/real"}},
		{"the beginning of a name", []string{"/etc/app/co"}, nil, []string{"/etc/app"}},
		{"covered by a root", []string{"/etc/app/x"}, []string{"/etc"}, nil},
		{"twice", []string{"/etc/app/", "/etc/app/x"}, nil, []string{"/etc/app"}},
		{"in the letters of the file system", []string{"/var/lib/tool/SUB/x"}, nil, []string{"/var/lib/Tool/sub"}},
		{"two folders that differ in their letters", []string{"/var/lib/tool/"}, nil, []string{"/var/lib/Tool", "/var/lib/tool"}},
		{"through a link", []string{"/link/file"}, nil, []string{"/real"}},
		{"a folder that is not there", []string{"/nowhere/x/y"}, nil, nil},
		{"all of the file system", []string{"/"}, nil, []string{"/"}},
		{"no path of this system", []string{`c:\windows\`, "etc/app", "/etc/\x00"}, nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, w := range demandFolders(top, unnamed(tt.paths), tt.covered) {
				got = append(got, w.Name)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("demandFolders(%q, covered %q) = %q; want %q", tt.paths, tt.covered, got, tt.want)
			}
		})
	}
	both := demandFolders(top, []Wanted{{"/etc/app/a", []string{"one"}}, {"/etc/app/b", []string{"two"}}}, nil)
	if len(both) != 1 || !slices.Equal(both[0].By, []string{"one", "two"}) {
		t.Errorf("demandFolders of two signals = %+v; want one folder for both", both)
	}
}

func TestRelease(t *testing.T) {
	for name, want := range map[string][2]int{"6.18.44": {6, 18}, "5.16.0-rc1": {5, 16}, "5.4-custom": {5, 4}, "6": {6, 0},
		"": {0, 0}, "x.y": {0, 0}, "999999999999999999999.1": {9999, 1}} {
		if major, minor := release(name); major != want[0] || minor != want[1] {
			t.Errorf("release(%q) = %d, %d; want %d", name, major, minor, want)
		}
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
		in, err := prepareInstall(k, path, undoFile{BootID: "b", PID: 7}, some("first"), hold{way: WayUnicast})
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
