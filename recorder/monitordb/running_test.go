// SPDX-License-Identifier: Apache-2.0

package monitordb

import (
	"cmp"
	"context"
	"slices"
	"testing"

	diff "github.com/google/go-cmp/cmp"

	"seismo/internal/event"
)

// Of each pid of the boot the latest image is given, unless it ended.
func TestRunning(t *testing.T) {
	db := newDB(t)
	a := newAdder(db.IDs())
	image := func(n int, pid int32, boot, path string) *event.Process {
		p := process(n, path, path)
		p.PID, p.Boot = pid, boot
		return p
	}
	before := image(1, 10, "b1", "/bin/sh")
	now := image(2, 10, "b1", "/usr/bin/vim")
	now.Previous = before
	ended := image(3, 11, "b1", "/bin/ls")
	elsewhere := image(4, 12, "b0", "/bin/cat")
	odd := image(5, 13, "b1", "/tmp/\xff a")
	for _, p := range []*event.Process{before, now, ended, elsewhere, odd} {
		a.add(event.KindProcess, event.OpCreate, p)
	}
	a.add(event.KindProcess, event.OpEnd, ended)
	write(t, db, a.b)
	got, err := db.Running(context.Background(), "b1")
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(got, func(a, b Image) int { return cmp.Compare(a.PID, b.PID) })
	var starts []int64
	for i := range got {
		starts = append(starts, got[i].Began)
		got[i].Began = 0
	}
	want := []Image{{Key: now.ID, PID: 10, Path: "/usr/bin/vim"}, {Key: odd.ID, PID: 13, Path: "/tmp/\xff a"}}
	if d := diff.Diff(want, got); d != "" {
		t.Errorf("Running(b1) (-want +got):\n%s", d)
	}
	if len(starts) == 2 && (starts[0]/1e6 != now.Start/1e6 || starts[1]/1e6 != odd.Start/1e6) {
		t.Errorf("they began at %v; want %d and %d to the millisecond", starts, now.Start, odd.Start)
	}
	if got, err := db.Running(context.Background(), "b2"); err != nil || len(got) != 0 {
		t.Errorf("Running of a boot that is not there = %v, %v; want none", got, err)
	}
}
