// SPDX-License-Identifier: Apache-2.0

package process_test

import (
	"testing"

	"seismo/internal/event"
	"seismo/internal/process"
)

// Of what was stored as running, the processes that /proc does not show are ended by
// the exit that is still under way, or by the sweep without an exit code; one whose pid
// is another's by now is ended at once, and those that run are not.
func TestRecall(t *testing.T) {
	var byPID = map[int32]*event.Process{}
	table := process.NewTable(process.Options{Host: "m1", Boot: "b1", Live: true, Stored: func(pid int32) *event.Process { return byPID[pid] },
		ProcFS: procOf(90_000,
			running{pid: 100, ppid: 1, ticks: 5000, exe: "/bin/runs", login: noLogin},
			running{pid: 200, ppid: 1, ticks: 9000, exe: "/bin/newcomer", login: noLogin},
			running{pid: 300, ppid: 1, ticks: 5000, exe: "/bin/next", login: noLogin})})
	image := func(pid int32, ticks uint64, path string) *event.Process {
		return &event.Process{ID: event.ProcessKey(pid), PID: pid, PPID: 1, Boot: "b1", Start: base + int64(ticks)*1e7, Path: path}
	}
	stored := []*event.Process{
		image(100, 5000, "/bin/runs"),
		image(200, 5000, "/bin/reused"),
		image(300, 5100, "/bin/before"), // its process has run another program since
		image(400, 5000, "/bin/exits"),
		image(500, 5000, "/bin/vanished"),
		{ID: 600, PID: 600, Boot: "another", Path: "/bin/elsewhere"},
	}
	for _, p := range stored {
		byPID[p.PID] = p
	}
	b := event.NewBatch(8)
	if _, err := table.Bootstrap(b); err != nil {
		t.Fatal(err)
	}
	ends := func(b *event.Batch) map[string]any {
		m := map[string]any{}
		for _, e := range b.Events() {
			if e.Op != event.OpEnd {
				continue
			}
			code, ok := e.Int(event.ProcessExitCode)
			if m[e.Process.Path] = nil; ok {
				m[e.Process.Path] = code
			}
		}
		return m
	}
	check := func(when string, b *event.Batch, want map[string]any) {
		t.Helper()
		got := ends(b)
		if len(got) != len(want) {
			t.Errorf("%s: ends %v, want %v", when, got, want)
		}
		for path, code := range want {
			if has, ok := got[path]; !ok || has != code {
				t.Errorf("%s: ends %v, want %v", when, got, want)
			}
		}
	}
	b = event.NewBatch(8)
	if n := table.Recall(b, stored); n != 3 {
		t.Errorf("Recall = %d, want 3: one ended, two that may be ending", n)
	}
	check("recall", b, map[string]any{"/bin/reused": nil})
	now := base + 901e9
	b = event.NewBatch(8)
	b.Changes = []event.Change{{Time: now, PID: 400, Exit: true, Code: 3}}
	table.Apply(b)
	check("an exit", b, map[string]any{"/bin/exits": int64(3)})
	b = event.NewBatch(8)
	if _, err := table.Sweep(b, now); err != nil {
		t.Fatal(err)
	}
	check("the sweep", b, map[string]any{"/bin/vanished": nil})
	for _, e := range b.Events() {
		if e.Time != now {
			t.Errorf("the sweep ends %s at %d, want the time of the look, %d", e.Process.Path, e.Time, now)
		}
	}
	b = event.NewBatch(8)
	b.Changes = []event.Change{{Time: now + 1e9, PID: 100, Exit: true, Code: 5}}
	table.Apply(b)
	check("the end of what ran all the time", b, map[string]any{"/bin/runs": int64(5)})
}
