// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"seismo/engine"
	"seismo/internal/event"
	"seismo/recorder/monitordb"
	"seismo/signals"
)

func TestStamp(t *testing.T) {
	dir := t.TempDir()
	file, lists := filepath.Join(dir, "signals.bin"), filepath.Join(dir, "lists")
	write := func(path, content string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	old := time.Unix(1_000_000_000, 0)
	steps := []struct {
		name string
		do   func() error
		same bool
	}{
		{"nothing is there", func() error { return nil }, true},
		{"a file", func() error { write(file, "a"); return os.Chtimes(file, old, old) }, false},
		{"nothing happens", func() error { return nil }, true},
		{"another size, the same time", func() error { write(file, "ab"); return os.Chtimes(file, old, old) }, false},
		{"another time, the same size", func() error { return os.Chtimes(file, old, old.Add(1)) }, false},
		{"a folder without files", func() error { return os.Mkdir(lists, 0o700) }, false},
		{"a file in it", func() error { write(filepath.Join(lists, "x.txt"), "1"); return nil }, false},
		{"a file that is neither a definition nor a list", func() error { write(filepath.Join(lists, "monitor.db-wal"), "1"); return nil }, true},
		{"it goes", func() error { return os.Remove(filepath.Join(lists, "x.txt")) }, false},
	}
	files := []string{file, lists, filepath.Join(dir, "overrides.yml")}
	for _, tt := range steps {
		before := stamp(files)
		if err := tt.do(); err != nil {
			t.Fatal(err)
		}
		if same := stamp(files) == before; same != tt.same {
			t.Errorf("%s: the stamp is the same: %v; want %v", tt.name, same, tt.same)
		}
	}
}

// Files that change are loaded when they have been still for a look, once; those that
// never rest are loaded in the end.
func TestReloadIsDue(t *testing.T) {
	path := filepath.Join(t.TempDir(), "signals.bin")
	size := 0
	grow := func() {
		size++
		if err := os.WriteFile(path, []byte(strings.Repeat("x", size)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files, now := []string{path}, time.Unix(1000, 0)
	r := reloader{loaded: stamp(files)}
	look := func(want bool, what string) {
		t.Helper()
		if got := r.due(files, now); got != want {
			t.Errorf("%s: due = %v; want %v", what, got, want)
		}
		now = now.Add(time.Second)
	}
	look(false, "nothing has changed")
	grow()
	look(false, "it was written just now")
	grow()
	look(false, "it is written still")
	look(true, "it is still")
	r.begin()
	look(false, "it is loaded")
	for range patience - 1 {
		grow()
		look(false, "it is written all the time")
	}
	grow()
	look(true, "it never rests")
	r.begin()
	for range patience - 1 {
		grow()
		if r.whole(files) {
			t.Fatal("a file that was changed while it was read counts as read in whole")
		}
		look(false, "it was changed while it was read")
		look(true, "it is still")
		r.begin()
	}
	grow()
	if !r.whole(files) {
		t.Error("a file that is changed at each load is never loaded")
	}
	look(false, "it was changed, and is to be loaded again")
	look(true, "it is still")
	r.begin()
	if !r.whole(files) {
		t.Error("a file that was left alone does not count as read in whole")
	}
	r.retry = now.Add(retryAfter)
	look(false, "it is to be tried again later")
	now = now.Add(retryAfter)
	look(true, "it is later")
}

// A panic while signals are loaded is an error of the load: those before stay, and
// figures go on.
func TestLoadThatPanics(t *testing.T) {
	l := &life{Options: Options{Load: func() (*Signals, error) { panic("a signal nobody thought of") }}}
	if s, err := l.load(); s != nil || err == nil || !strings.Contains(err.Error(), "a signal nobody thought of") {
		t.Errorf("load = %v, %v; want the panic as an error", s, err)
	}
}

// signalsOf compiles signals: id, name and severity of each.
func signalsOf(t *testing.T, overrides []signals.Override, list ...[3]string) *Signals {
	t.Helper()
	var b strings.Builder
	for _, s := range list {
		fmt.Fprintf(&b, "- id: %s\n  name: %s\n  severity: %s\n  signal: file.path is '/x'\n", testID(s[0]), s[1], s[2])
	}
	defs, err := signals.ParseFile("x.yml", []byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	set, err := signals.Lower(defs)
	if err != nil {
		t.Fatal(err)
	}
	p, err := engine.Build(set)
	if err != nil {
		t.Fatal(err)
	}
	return &Signals{Program: p.With(engine.Options{Overrides: overrides}), Written: p.Definitions(), Overrides: overrides}
}

func testID(s string) string { return "7f2f4d3c-3f0e-4a57-8a51-6f7d1c1b000" + s }

func TestChange(t *testing.T) {
	old := signalsOf(t, nil, [3]string{"1", "a", "low"}, [3]string{"2", "b", "low"}, [3]string{"3", "c", "low"})
	high := signals.High
	tests := []struct {
		name string
		next *Signals
		want monitordb.Change
	}{
		{"the same", old, monitordb.Change{}},
		{"one more, one less, one other", signalsOf(t, nil, [3]string{"1", "a", "low"}, [3]string{"2", "b", "high"}, [3]string{"4", "d", "low"}),
			monitordb.Change{Added: 1, Removed: 1, Changed: 1}},
		{"overrides change signals too", signalsOf(t, []signals.Override{{ID: testID("1"), Disabled: true}, {ID: testID("2"), Severity: &high}},
			[3]string{"1", "a", "low"}, [3]string{"2", "b", "low"}, [3]string{"3", "c", "low"}), monitordb.Change{Changed: 2}},
	}
	for _, tt := range tests {
		if got := tt.next.change(old); got != tt.want {
			t.Errorf("%s: change = %+v; want %+v", tt.name, got, tt.want)
		}
	}
	l := tests[2].next.Loaded()
	want := []monitordb.Override{{Signal: 0, Disabled: true}, {Signal: 1, Severity: &high}}
	if !reflect.DeepEqual(l.Overrides, want) || l.Definitions[1].Severity != signals.Low {
		t.Errorf("Loaded: overrides %+v, severity as written %v; want %+v, low", l.Overrides, l.Definitions[1].Severity, want)
	}
}

func TestUnion(t *testing.T) {
	a := event.Demand{Kinds: event.SetOf(event.KindFile), Paths: []string{"/a", "/c"}, Own: []string{"comm"}}
	b := event.Demand{Kinds: event.SetOf(event.KindProcess), Paths: []string{"/b", "/c"}, AllOwn: true}
	want := event.Demand{Kinds: event.SetOf(event.KindFile) | event.SetOf(event.KindProcess), Paths: []string{"/a", "/b", "/c"}, Own: []string{"comm"}, AllOwn: true}
	if got := union(a, b); !reflect.DeepEqual(got, want) {
		t.Errorf("union = %+v; want %+v", got, want)
	}
}

// A file is replaced in whole or left alone, and is for its owner only.
func TestReplaceFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "process_state.bin")
	for _, content := range []string{"one", "two"} {
		if err := replaceFile(path, []byte(content)); err != nil {
			t.Fatal(err)
		}
		got, err := readState(path)
		if err != nil || string(got) != content {
			t.Errorf("readState = %q, %v; want %q", got, err, content)
		}
	}
	// A save that was killed leaves a part; the next one does not keep it.
	if err := os.WriteFile(filepath.Join(dir, ".process_state.bin.tmp"), []byte("a part of a longer memory"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := replaceFile(path, []byte("three")); err != nil {
		t.Fatal(err)
	}
	if got, err := readState(path); err != nil || string(got) != "three" {
		t.Errorf("readState = %q, %v; want three", got, err)
	}
	if err := replaceFile(filepath.Join(dir, "none", "x"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("replaceFile in no folder: %v; want ErrNotExist", err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("files left behind: %v", left)
	}
	if _, err := readState(dir); err == nil {
		t.Error("readState of a folder: no error")
	}
}
