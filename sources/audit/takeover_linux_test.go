// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var errKilled = errors.New("killed")

// mortal is the control of a recorder that is killed at its call number dieAt, counted
// from 1: before the kernel has acted, or after.
type mortal struct {
	*fakeKernel
	made, dieAt int
	after       bool
}

func (m *mortal) do(f func() error) error {
	m.made++
	if m.dieAt > 0 && (m.made > m.dieAt || m.made == m.dieAt && !m.after) {
		return errKilled
	}
	if err := f(); err != nil || m.made != m.dieAt {
		return err
	}
	return errKilled
}

func (m *mortal) AddRule(wire []byte) error {
	return m.do(func() error { return m.fakeKernel.AddRule(wire) })
}

func (m *mortal) DeleteRule(wire []byte) error {
	return m.do(func() error { return m.fakeKernel.DeleteRule(wire) })
}

func (m *mortal) Set(name string, v uint32) error {
	return m.do(func() error { return m.fakeKernel.Set(name, v) })
}

func (m *mortal) ClearRole() error { return m.do(m.fakeKernel.ClearRole) }

func nobodyElse(st auditStatus) surroundings {
	s := surroundings{enabled: st.settings[settingEnabled], systemd: true}
	if st.PID != 0 {
		s.holder = fmt.Sprintf("process %d", st.PID)
	}
	return s
}

// start is what OpenKernel does to the kernel and the undo file, for the process pid.
func (m *mortal) start(path string, pid int, o KernelOptions, rules []undoRule) (in *installation, tookOver bool, err error) {
	self := undoFile{BootID: "b", PID: pid}
	takeRole := func() error {
		return m.do(func() error { m.status.PID = uint32(pid); return m.call("pid=%d", pid) })
	}
	f, err := readUndoFile(path)
	if err == nil {
		h, err := heirOf(m, f, o, nobodyElse)
		if err != nil {
			return nil, false, err
		}
		if h != nil {
			if in, err = prepareTakeover(m, path, self, h, rules); err != nil {
				return in, true, err
			}
			if err = in.takeOver(takeRole); err == nil {
				_, _, err = in.replan(rules)
			}
			return in, true, err
		}
		if _, err := undoChanges(m, f, true); err != nil {
			return nil, false, err
		}
		if err := removeUndoFile(path); err != nil {
			return nil, false, err
		}
	}
	if in, err = prepareInstall(m, path, self, rules, hold{way: WayUnicast}); err != nil {
		return in, false, err
	}
	_, err = in.apply(takeRole)
	return in, false, err
}

// A recorder that was killed is followed by one that asks for other rules: auditing
// stays on, the new rules come before the old ones go, and in the end all is as before
// the first one.
func TestTakeover(t *testing.T) {
	k := newFakeKernel()
	k.rules = [][]byte{withKey(plannedRules(t)[0], "theirs")}
	before := k.state()
	path := filepath.Join(t.TempDir(), "undo.json")
	root := t.TempDir()
	first, next := plannedRules(t, "/etc", root), plannedRules(t, "/etc", "/usr")
	if _, took, err := (&mortal{fakeKernel: k}).start(path, 7, KernelOptions{}, first); err != nil || took {
		t.Fatalf("the first recorder: taken over %v, %v", took, err)
	}
	k.calls = nil
	in, took, err := (&mortal{fakeKernel: k}).start(path, 8, KernelOptions{}, next)
	if err != nil || !took {
		t.Fatalf("the second recorder: taken over %v, %v", took, err)
	}
	if got, want := strings.Join(k.calls, " "), "pid=8 add delete"; got != want {
		t.Errorf("the second recorder did %s; want %s", got, want)
	}
	file, err := readUndoFile(path)
	if err != nil || file.PID != 8 || len(file.Rules) != len(next) || len(in.planned) != len(next) || len(k.rules) != len(next)+1 {
		t.Errorf("undo file %+v, %v; %d rules in the kernel; want process 8, the %d new rules, and that of others", file, err, len(k.rules), len(next))
	}
	if report, err := undoChanges(k, in.file, true); err != nil || k.state() != before {
		t.Errorf("undo = %+v, %v; state %s; want that of before the first recorder: %s", report, err, k.state(), before)
	}
}

func TestTakeoverIsRefused(t *testing.T) {
	ours := plannedRules(t, "/etc")
	tests := []struct {
		name string
		o    KernelOptions
		then func(*fakeKernel)
		want bool
	}{
		{"not: all is as it was left", KernelOptions{}, func(*fakeKernel) {}, true},
		{"not: others have changed a limit", KernelOptions{}, func(k *fakeKernel) { k.status.settings[settingBacklog] = 100_000 }, true},
		{"not: others have removed rules", KernelOptions{}, func(k *fakeKernel) { k.rules = k.rules[:2] }, true},
		{"not: rules of others, where auditing was off", KernelOptions{}, func(k *fakeKernel) { k.rules = append(k.rules, withKey(ours[0], "theirs")) }, true},
		{"not: nobody has the role any more", KernelOptions{}, func(k *fakeKernel) { k.status.PID = 0 }, true},
		{"auditing was switched off", KernelOptions{}, func(k *fakeKernel) { k.status.settings[settingEnabled] = 0 }, false},
		{"auditing was locked", KernelOptions{}, func(k *fakeKernel) { k.status.settings[settingEnabled] = immutable }, false},
		{"rules are left to others", KernelOptions{LeaveRules: true}, func(*fakeKernel) {}, false},
		{"records come by a log", KernelOptions{Feed: &Feed{Way: WayLog}}, func(*fakeKernel) {}, false},
		{"the settings name another way", KernelOptions{Way: WayMulticast}, func(*fakeKernel) {}, false},
		{"somebody else has the role", KernelOptions{}, func(k *fakeKernel) { k.status.PID = 1 }, false},
		{"somebody else has the role that the settings name", KernelOptions{Way: WayUnicast}, func(k *fakeKernel) { k.status.PID = 1 }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := newFakeKernel()
			path := filepath.Join(t.TempDir(), "undo.json")
			if _, _, err := (&mortal{fakeKernel: k}).start(path, 7, KernelOptions{}, ours); err != nil {
				t.Fatal(err)
			}
			tt.then(k)
			f, err := readUndoFile(path)
			if err != nil {
				t.Fatal(err)
			}
			k.calls = nil
			h, err := heirOf(k, f, tt.o, nobodyElse)
			if err != nil || (h != nil) != tt.want || len(k.calls) > 0 {
				t.Errorf("heirOf = %+v, %v, did %v; want taken over %v, and nothing done", h, err, k.calls, tt.want)
			}
		})
	}
}

// A setting that the earlier recorder wrote and this one would write otherwise is put
// back first: one undo file can not tell of both.
func TestTakeoverOfOtherSettings(t *testing.T) {
	k := newFakeKernel()
	k.status.settings = map[string]uint32{settingEnabled: 1, settingFailure: 0, settingRate: 0, settingBacklog: 8192, settingWaitTime: 0}
	f := undoFile{PID: 7, Settings: []settingChange{{settingBacklog, 64, 8192}, {settingEnabled, 0, 1}}}
	if h, err := heirOf(k, f, KernelOptions{}, nobodyElse); h != nil || err != nil {
		t.Errorf("heirOf = %+v, %v; want it not taken over", h, err)
	}
}

// What is missing of the rules is told, but for those of folders that have gone.
func TestTakeoverCountsWhatOthersRemoved(t *testing.T) {
	k := newFakeKernel()
	root := filepath.Join(t.TempDir(), "gone")
	if err := os.Mkdir(root, 0o700); err != nil {
		t.Fatal(err)
	}
	ours := plannedRules(t, "/etc", root)
	path := filepath.Join(t.TempDir(), "undo.json")
	if _, _, err := (&mortal{fakeKernel: k}).start(path, 7, KernelOptions{}, ours); err != nil {
		t.Fatal(err)
	}
	f, err := readUndoFile(path)
	if err != nil {
		t.Fatal(err)
	}
	missing := func() int {
		t.Helper()
		h, err := heirOf(k, f, KernelOptions{}, nobodyElse)
		if h == nil || err != nil {
			t.Fatalf("heirOf = %v, %v", h, err)
		}
		return h.missing
	}
	if n := missing(); n != 0 {
		t.Errorf("%d rules are missing, want none", n)
	}
	if err := os.Remove(root); err != nil {
		t.Fatal(err)
	}
	k.rules = slices.DeleteFunc(k.rules, func(w []byte) bool { return strings.Contains(string(w), root) })
	if n := missing(); n != 0 {
		t.Errorf("%d rules are missing after a folder has gone, want none", n)
	}
	k.rules = k.rules[:len(k.rules)-1]
	if n := missing(); n != 1 {
		t.Errorf("%d rules are missing after one was removed, want 1", n)
	}
}

// However many recorders are killed one after the other, each at any step of its start,
// with whatever rules: as long as one takes over from the other auditing stays on, and
// in the end all is as before the first.
func TestKilledAtAnyStep(t *testing.T) {
	plans := [][]undoRule{plannedRules(t, "/etc"), plannedRules(t, "/etc", "/usr"), plannedRules(t, "/usr", "/boot"), plannedRules(t)}
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		k := newFakeKernel()
		k.status.settings[settingBacklog] = rapid.SampledFrom([]uint32{64, 8192, 100_000}).Draw(t, "backlog")
		k.status.settings[settingRate] = rapid.Uint32Range(0, 2).Draw(t, "rate")
		for _, r := range plans[0] {
			if rapid.Bool().Draw(t, "theirs") {
				k.rules = append(k.rules, withKey(r, "theirs"))
			}
		}
		before := k.state()
		path := filepath.Join(dir, "undo.json")
		var last *installation
		for pid := 7; pid < 7+rapid.IntRange(1, 5).Draw(t, "recorders"); pid++ {
			m := &mortal{fakeKernel: k, dieAt: rapid.IntRange(0, 40).Draw(t, "dieAt"), after: rapid.Bool().Draw(t, "after")}
			was := k.status.settings[settingEnabled]
			k.calls = nil
			in, took, err := m.start(path, pid, KernelOptions{}, rapid.SampledFrom(plans).Draw(t, "plan"))
			if err != nil && !errors.Is(err, errKilled) {
				t.Fatalf("recorder %d: %v", pid, err)
			}
			if took != (was == 1) || took && slices.Contains(k.calls, "enabled=0") {
				t.Fatalf("recorder %d took over %v after auditing was %d, and did %v; want auditing to stay on", pid, took, was, k.calls)
			}
			last = in
			if err == nil && len(k.rules) != len(in.planned)+strings.Count(before, "7468656972") {
				t.Fatalf("recorder %d has %d rules in force, beside those of others; it asked for %d", pid, len(k.rules), len(in.planned))
			}
		}
		f, err := readUndoFile(path)
		if err != nil {
			if last == nil { // killed after all was put back
				err = nil
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := undoChanges(k, f, true); err != nil || k.state() != before {
			t.Errorf("undo: %v; state %s; want as before: %s", err, k.state(), before)
		}
		if err := removeUndoFile(path); err != nil {
			t.Fatal(err)
		}
	})
}
