// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// fakeKernel is the kernel's side of auditing in memory. It fails at call number
// failAt, counted from 1.
type fakeKernel struct {
	status  auditStatus
	rules   [][]byte
	calls   []string
	failAt  int
	missing string // a rule that holds this text is refused with ENOENT
}

var errFake = errors.New("fake failure")

func newFakeKernel() *fakeKernel {
	return &fakeKernel{status: auditStatus{settings: map[string]uint32{
		settingEnabled: 0, settingFailure: 1, settingRate: 0, settingBacklog: 64, settingWaitTime: 15000}}}
}

func (k *fakeKernel) call(format string, args ...any) error {
	k.calls = append(k.calls, fmt.Sprintf(format, args...))
	if len(k.calls) == k.failAt {
		return errFake
	}
	return nil
}

func (k *fakeKernel) Status() (auditStatus, error) {
	st := k.status
	st.settings = maps.Clone(st.settings)
	return st, nil
}

func (k *fakeKernel) Rules() ([][]byte, error) { return slices.Clone(k.rules), nil }

func (k *fakeKernel) AddRule(wire []byte) error {
	if err := k.call("add"); err != nil {
		return err
	}
	if k.missing != "" && strings.Contains(string(wire), k.missing) {
		return unix.ENOENT
	}
	k.rules = append(k.rules, normalWire(wire))
	return nil
}

func (k *fakeKernel) DeleteRule(wire []byte) error {
	if err := k.call("delete"); err != nil {
		return err
	}
	k.rules = slices.DeleteFunc(k.rules, func(w []byte) bool { return sameRule(w, wire) })
	return nil
}

func (k *fakeKernel) Set(setting string, value uint32) error {
	if err := k.call("%s=%d", setting, value); err != nil {
		return err
	}
	k.status.settings[setting] = value
	return nil
}

func (k *fakeKernel) ClearRole() error {
	if err := k.call("pid=0"); err != nil {
		return err
	}
	k.status.PID = 0
	return nil
}

// state is what must be as before.
func (k *fakeKernel) state() string {
	rules := make([]string, len(k.rules))
	for i, r := range k.rules {
		rules[i] = fmt.Sprintf("%x", r)
	}
	return fmt.Sprint(k.status, rules)
}

// plannedRules are some rules in the kernel's form.
func plannedRules(t testing.TB, roots ...string) []undoRule {
	t.Helper()
	rules, err := PlanRules(RuleOptions{Arch: "amd64", Monitor: MonitorAll(), Roots: roots, Exclude: []string{"/etc/own"}})
	if err != nil {
		t.Fatal(err)
	}
	built, err := buildRules(rules.Rules)
	if err != nil {
		t.Fatal(err)
	}
	return built
}

// withKey returns a rule like r that carries another key of the same length.
func withKey(r undoRule, key string) []byte {
	return []byte(strings.Replace(string(r.Wire), RuleKey, key, 1))
}

func TestInstallAndUndo(t *testing.T) {
	k := newFakeKernel()
	ours := plannedRules(t, "/etc", "/usr")
	k.rules = [][]byte{withKey(ours[1], "theirs")}
	before := k.state()
	path := filepath.Join(t.TempDir(), "undo.json")
	in, err := prepareInstall(k, path, undoFile{BootID: "b", PID: 7}, ours, hold{way: WayUnicast})
	if err != nil {
		t.Fatal(err)
	}
	if got := k.state(); got != before || len(k.calls) > 0 {
		t.Fatalf("the kernel was changed before the undo file was there: %v", k.calls)
	}
	file, err := readUndoFile(path)
	if err != nil || len(file.Rules) != len(ours) || file.PID != 7 {
		t.Fatalf("undo file = %+v, %v; want %d rules", file, err, len(ours))
	}
	skipped, err := in.apply(func() error { k.status.PID = 7; return k.call("pid=7") })
	if err != nil || len(skipped) > 0 {
		t.Fatalf("apply = %q, %v", skipped, err)
	}
	want := "failure=0 backlog_limit=65536 backlog_wait_time=0 pid=7 " + strings.Repeat("add ", len(ours)) + "enabled=1"
	if got := strings.Join(k.calls, " "); got != want {
		t.Errorf("apply did %s; want %s", got, want)
	}
	k.calls = nil
	report, err := undoChanges(k, file, true)
	if err != nil || k.state() != before {
		t.Errorf("undo = %+v, %v; state %s; want as before: %s", report, err, k.state(), before)
	}
	want = "enabled=0 " + strings.Repeat("delete ", len(ours)) + "pid=0 backlog_wait_time=15000 backlog_limit=64 failure=1"
	if got := strings.Join(k.calls, " "); got != want {
		t.Errorf("undo did %s; want %s", got, want)
	}
	k.calls = nil
	if report, err := undoChanges(k, file, true); err != nil || len(k.calls) > 0 || report.Rules > 0 {
		t.Errorf("second undo = %+v, %v, did %v; want nothing", report, err, k.calls)
	}
}

// Whatever fails, at whatever call, and whatever others had: undo leaves what
// there was before.
func TestUndoAfterAnyFailure(t *testing.T) {
	ours := plannedRules(t, "/etc")
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		k := newFakeKernel()
		for _, name := range []string{settingFailure, settingRate, settingBacklog, settingWaitTime} {
			k.status.settings[name] = rapid.Uint32Range(0, 100_000).Draw(t, name)
		}
		for _, r := range ours {
			if rapid.Bool().Draw(t, "theirs") {
				k.rules = append(k.rules, withKey(r, "theirs"))
			}
		}
		before := k.state()
		path := filepath.Join(dir, "undo.json")
		in, err := prepareInstall(k, path, undoFile{BootID: "b", PID: 7}, ours, hold{way: WayUnicast})
		if err != nil {
			t.Fatal(err)
		}
		k.failAt = rapid.IntRange(0, len(ours)+6).Draw(t, "failAt")
		_, applyErr := in.apply(func() error { k.status.PID = 7; return k.call("pid=7") })
		if failed := k.failAt > 0 && len(k.calls) >= k.failAt; failed != errors.Is(applyErr, errFake) {
			t.Fatalf("apply = %v after calls %v, failing at %d", applyErr, k.calls, k.failAt)
		}
		k.failAt = 0
		file, err := readUndoFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := undoChanges(k, file, true); err != nil || k.state() != before {
			t.Errorf("undo: %v; state %s; want as before: %s", err, k.state(), before)
		}
	})
}

func TestUndoLeavesWhatOthersChanged(t *testing.T) {
	k := newFakeKernel()
	ours := plannedRules(t, "/etc")
	in, err := prepareInstall(k, filepath.Join(t.TempDir(), "undo.json"), undoFile{BootID: "b"}, ours, hold{way: WayUnicast})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := in.apply(func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	k.status.settings[settingBacklog] = 100_000
	theirs := withKey(ours[0], "theirs")
	added := plannedRules(t, "/opt")
	k.rules = append(k.rules, theirs, added[len(added)-1].Wire) // the last has our key, yet we did not add it
	report, err := undoChanges(k, in.file, true)
	if err != nil || len(k.rules) != 2 || k.status.settings[settingBacklog] != 100_000 {
		t.Errorf("undo = %v; %d rules, settings %v; want two rules and backlog_limit left", err, len(k.rules), k.status.settings)
	}
	want := fmt.Sprintf("%d audit rules removed; put back enabled 0, backlog_wait_time 15000, failure 1; left as changed by others backlog_limit 100000", len(ours))
	if report.String() != want {
		t.Errorf("report %q, want %q", report, want)
	}
}

func TestUndoGoesOnAfterAFailure(t *testing.T) {
	k := newFakeKernel()
	ours := plannedRules(t, "/etc")
	in, _ := prepareInstall(k, filepath.Join(t.TempDir(), "undo.json"), undoFile{BootID: "b"}, ours, hold{way: WayUnicast})
	if _, err := in.apply(func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	k.calls, k.failAt = nil, 3
	_, err := undoChanges(k, in.file, true)
	if !errors.Is(err, errFake) || len(k.rules) != 1 || k.status.settings[settingFailure] != 1 {
		t.Errorf("undo = %v, %d rules left, settings %v; want one rule left, all settings put back, and the failure told",
			err, len(k.rules), k.status.settings)
	}
}

func TestInstallRefuses(t *testing.T) {
	ours := plannedRules(t)
	tests := []struct {
		name   string
		before func(*fakeKernel)
		want   error
	}{
		{"auditing that is on with rules of others", func(k *fakeKernel) {
			k.status.settings[settingEnabled] = 1
			k.rules = [][]byte{withKey(ours[0], "theirs")}
		}, ErrForeign},
		{"auditing that is on with a rule without a key", func(k *fakeKernel) {
			k.status.settings[settingEnabled] = 1
			k.rules = [][]byte{make([]byte, wireHeader)}
		}, ErrForeign},
		{"not: auditing that is on without rules", func(k *fakeKernel) { k.status.settings[settingEnabled] = 1 }, nil},
		{"not: auditing that is off with rules of others", func(k *fakeKernel) {
			k.rules = [][]byte{withKey(ours[0], "theirs")}
		}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := newFakeKernel()
			tt.before(k)
			path := filepath.Join(t.TempDir(), "undo.json")
			_, err := prepareInstall(k, path, undoFile{BootID: "b"}, ours, hold{way: WayUnicast})
			if !errors.Is(err, tt.want) {
				t.Errorf("prepareInstall = %v, want %v", err, tt.want)
			}
			if _, statErr := os.Stat(path); (statErr == nil) != (tt.want == nil) {
				t.Errorf("undo file: %v, want it only where recording begins", statErr)
			}
		})
	}
}

func TestUndoImmutable(t *testing.T) {
	k := newFakeKernel()
	k.status.settings[settingEnabled] = 2
	if _, err := undoChanges(k, undoFile{Rules: []undoRule{{Text: "x"}}}, true); !errors.Is(err, ErrImmutable) || len(k.calls) > 0 {
		t.Errorf("undo = %v, did %v; want %v and no try", err, k.calls, ErrImmutable)
	}
}

func TestApplySkipsAFolderThatHasGone(t *testing.T) {
	k := newFakeKernel()
	k.missing = "/usr"
	in, _ := prepareInstall(k, filepath.Join(t.TempDir(), "undo.json"), undoFile{BootID: "b"}, plannedRules(t, "/etc", "/usr"), hold{way: WayUnicast})
	skipped, err := in.apply(func() error { return nil })
	if err != nil || len(skipped) != 1 || !strings.Contains(skipped[0], "dir=/usr") {
		t.Errorf("apply = %q, %v; want the rule for /usr skipped", skipped, err)
	}
}

// A rule that the kernel lists otherwise than it was given would never be found
// again: that is noticed when it is added.
func TestApplyNoticesARuleThatIsNotListed(t *testing.T) {
	k := newFakeKernel()
	in, _ := prepareInstall(k, filepath.Join(t.TempDir(), "undo.json"), undoFile{BootID: "b"}, plannedRules(t, "/etc"), hold{way: WayUnicast})
	in.control = forgetful{k}
	if _, err := in.apply(func() error { return nil }); err == nil || !strings.Contains(err.Error(), "lists 0") {
		t.Errorf("apply = %v, want an error about rules that are not listed", err)
	}
}

type forgetful struct{ *fakeKernel }

func (forgetful) AddRule([]byte) error { return nil }

func TestRemoveUndoFileTwiceAndWithoutItsFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "home")
	path := filepath.Join(dir, "undo.json")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := writeUndoFile(path, undoFile{Version: undoVersion, BootID: "b"}); err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"the file is there", "it has gone", "its folder has gone"} {
		if what == "its folder has gone" {
			if err := os.Remove(dir); err != nil {
				t.Fatal(err)
			}
		}
		if err := removeUndoFile(path); err != nil {
			t.Errorf("removeUndoFile where %s: %v", what, err)
		}
	}
}

func TestReadUndoFileRefuses(t *testing.T) {
	good := `{"version":1,"boot_id":"b","pid":1,"settings":[{"name":"enabled","old":0,"new":1}],"rules":[]}`
	write := func(text string, mode os.FileMode) func(t *testing.T, path string) {
		return func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
		}
	}
	tests := []struct {
		name string
		make func(t *testing.T, path string)
		want error
	}{
		{"not: a good one", write(good, 0o600), nil},
		{"none", func(*testing.T, string) {}, fs.ErrNotExist},
		{"empty", write("", 0o600), ErrUndoFile},
		{"cut", write(good[:40], 0o600), ErrUndoFile},
		{"another version", write(`{"version":2,"boot_id":"b"}`, 0o600), ErrUndoFile},
		{"no boot", write(`{"version":1}`, 0o600), ErrUndoFile},
		{"an unknown setting", write(`{"version":1,"boot_id":"b","settings":[{"name":"pid"}]}`, 0o600), ErrUndoFile},
		{"one that others may write", write(good, 0o622), ErrUndoFile},
		{"one that is too large", write(good+strings.Repeat(" ", maxUndoFile), 0o600), ErrUndoFile},
		{"a folder", func(t *testing.T, path string) { os.Mkdir(path, 0o700) }, ErrUndoFile},
		{"a pipe, which must not hold us", func(t *testing.T, path string) { unix.Mkfifo(path, 0o600) }, ErrUndoFile},
		{"a symbolic link", func(t *testing.T, path string) {
			write(good, 0o600)(t, path+".real")
			os.Symlink(path+".real", path)
		}, ErrUndoFile},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "undo.json")
			tt.make(t, path)
			if f, err := readUndoFile(path); !errors.Is(err, tt.want) {
				t.Errorf("readUndoFile = %+v, %v; want %v", f, err, tt.want)
			}
		})
	}
}

func TestWireKey(t *testing.T) {
	ours := plannedRules(t, "/etc/a folder")
	for _, r := range ours {
		if key, ok := wireKey(r.Wire); key != RuleKey || !ok {
			t.Errorf("wireKey(%s) = %q, %v; want %q", r.Text, key, ok, RuleKey)
		}
		if prepended := normalWire(r.Wire); !sameRule(prepended, r.Wire) {
			t.Errorf("sameRule(%s) = false for the form the kernel lists", r.Text)
		}
	}
	if sameRule(ours[0].Wire, ours[1].Wire) {
		t.Errorf("sameRule(%s, %s) = true", ours[0].Text, ours[1].Text)
	}
	for n := range len(ours[0].Wire) {
		wireKey(ours[0].Wire[:n]) // bytes of any length are no panic
		isNeverTask(ours[0].Wire[:n])
		normalWire(ours[0].Wire[:n])
	}
	if _, ok := wireKey(make([]byte, wireHeader)); ok {
		t.Error("wireKey of a rule without a key = true")
	}
	neverTask := make([]byte, wireHeader)
	neverTask[0] = 1
	if !isNeverTask(neverTask) || isNeverTask(ours[0].Wire) {
		t.Error("isNeverTask does not tell -a never,task from others")
	}
}

// What hostile bytes say of their own lengths is not believed.
func FuzzWireKey(f *testing.F) {
	for _, r := range plannedRules(f, "/etc") {
		f.Add(r.Wire)
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		key, ok := wireKey(wire)
		if ok && !strings.Contains(string(wire), key) {
			t.Errorf("wireKey(%x) = %q, which is not in it", wire, key)
		}
		if !sameRule(wire, wire) || len(normalWire(wire)) > len(wire) {
			t.Errorf("normalWire(%x) = %x", wire, normalWire(wire))
		}
	})
}

func TestStartTicks(t *testing.T) {
	own, ok := startTicks(os.Getpid())
	if !ok || own == 0 {
		t.Errorf("startTicks(self) = %d, %v", own, ok)
	}
	if ticks, ok := startTicks(1 << 30); ok {
		t.Errorf("startTicks of no process = %d, true", ticks)
	}
}

func TestLostSince(t *testing.T) {
	tests := []struct {
		name        string
		before, now uint32
		want        uint64
	}{
		{"no change", 5, 5, 0},
		{"rises", 5, 9, 4},
		{"runs over", 0xffff_fffe, 3, 5},
		{"was set to 0, then rose", 1000, 2, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := lostSince(tt.before, tt.now); got != tt.want {
				t.Errorf("lostSince(%d, %d) = %d, want %d", tt.before, tt.now, got, tt.want)
			}
		})
	}
}
