// SPDX-License-Identifier: Apache-2.0

package monitordb

import (
	"context"
	"slices"
	"testing"

	"seismo/internal/event"
)

// Of each pid of the boot the latest image is given, unless it ended, with its
// parents and previous images, whether these run or not.
func TestRunning(t *testing.T) {
	db := newDB(t)
	a := newAdder(db.IDs())
	image := func(n int, pid int32, boot, path string, parent *event.Process) *event.Process {
		p := process(n, path, path)
		p.PID, p.Boot, p.Parent = pid, boot, parent
		return p
	}
	script := image(6, 9, "b1", "/opt/script", image(7, 8, "b1", "/bin/login", nil))
	before := image(1, 10, "b1", "/bin/sh", script)
	now := image(2, 10, "b1", "/usr/bin/vim", script)
	now.Previous = before
	ended := image(3, 11, "b1", "/bin/ls", nil)
	elsewhere := image(4, 12, "b0", "/bin/cat", nil)
	odd := image(5, 13, "b1", "/tmp/\xff a", now)
	for _, p := range []*event.Process{script.Parent, script, before, now, ended, elsewhere, odd} {
		a.add(event.KindProcess, event.OpCreate, p)
	}
	for _, p := range []*event.Process{ended, script, script.Parent} {
		a.add(event.KindProcess, event.OpEnd, p)
	}
	write(t, db, a.b)
	r := reader(t, db.path)
	got, err := r.Running(context.Background(), "b1")
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(got, func(a, b *event.Process) int { return int(a.PID - b.PID) })
	lineage := func(p *event.Process) (keys []event.ProcessKey) {
		for q := range p.Ancestry() {
			keys = append(keys, q.ID)
		}
		return keys
	}
	if len(got) != 2 {
		t.Fatalf("Running(b1) gives %d images, want those of pids 10 and 13", len(got))
	}
	for i, want := range []*event.Process{now, odd} {
		p := got[i]
		if !slices.Equal(lineage(p), lineage(want)) || p.Path != want.Path || p.CommandLine != want.CommandLine || p.Start/1e6 != want.Start/1e6 || p.Boot != "b1" {
			t.Errorf("Running(b1) gives %+v with the lineage %v, want %+v with %v", p, lineage(p), want, lineage(want))
		}
	}
	if got[1].Parent != got[0] {
		t.Error("two processes do not share the ancestor that they have in common")
	}
	if got, err := r.Running(context.Background(), "b2"); err != nil || len(got) != 0 {
		t.Errorf("Running of a boot that is not there = %v, %v; want none", got, err)
	}
}
