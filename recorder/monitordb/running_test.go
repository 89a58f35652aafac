// SPDX-License-Identifier: Apache-2.0

package monitordb

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
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
	elsewhere := image(4, 10, "b0", "/bin/cat", nil) // another boot has pids of its own
	replayed, another := image(8, 14, "", "/bin/true", nil), image(9, 15, "b1", "/bin/true", nil)
	another.Host = "elsewhere"
	odd := image(5, 13, "b1", "/tmp/\xff a", now)
	for _, p := range []*event.Process{script.Parent, script, before, now, ended, elsewhere, odd, replayed, another} {
		a.add(event.KindProcess, event.OpCreate, p)
	}
	for _, p := range []*event.Process{ended, script, script.Parent} {
		a.add(event.KindProcess, event.OpEnd, p)
	}
	write(t, db, a.b)
	r := reader(t, db.path)
	got, err := r.Running(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(got, func(a, b *event.Process) int { return strings.Compare(b.Boot, a.Boot)*100 + int(a.PID-b.PID) })
	lineage := func(p *event.Process) (keys []event.ProcessKey) {
		for q := range p.Ancestry() {
			keys = append(keys, q.ID)
		}
		return keys
	}
	if len(got) != 3 {
		t.Fatalf("Running gives %d images, want those of pids 10 and 13, and of pid 10 in the boot before", len(got))
	}
	for i, want := range []*event.Process{now, odd, elsewhere} {
		p := got[i]
		if !slices.Equal(lineage(p), lineage(want)) || p.Path != want.Path || p.CommandLine != want.CommandLine || p.Start/1e6 != want.Start/1e6 || p.Boot != want.Boot {
			t.Errorf("Running gives %+v with the lineage %v, want %+v with %v", p, lineage(p), want, lineage(want))
		}
	}
	if got[1].Parent != got[0] {
		t.Error("two processes do not share the ancestor that they have in common")
	}
}

// A survey spares the look at what was stored before it: what it names is looked at
// still, and what was stored since.
func TestRunningAfterASurvey(t *testing.T) {
	db := newDB(t)
	a := newAdder(db.IDs())
	images := map[string]*event.Process{}
	start := func(n int, pid int32, path string) {
		p := process(n, path, path)
		p.PID, p.Boot = pid, "b1"
		images[path] = p
		a.add(event.KindProcess, event.OpCreate, p)
	}
	start(1, 10, "/bin/old")
	start(2, 11, "/bin/forgotten") // its end was lost, and the survey knows
	start(3, 12, "/bin/ends")
	start(4, 13, "/bin/execs")
	write(t, db, a.b)
	top, err := db.LastProcess()
	if err != nil || top != 4 {
		t.Fatalf("LastProcess = %d, %v; want 4", top, err)
	}
	a.b = event.NewBatch(8)
	start(5, 14, "/bin/new")
	start(6, 13, "/bin/next")
	a.add(event.KindProcess, event.OpEnd, images["/bin/ends"])
	a.add(event.KindProcess, event.OpEnd, images["/bin/next"])
	write(t, db, a.b)
	s := Survey{Top: top, Running: []event.ProcessKey{images["/bin/old"].ID, images["/bin/ends"].ID, images["/bin/execs"].ID, images["/bin/new"].ID, 4711}}
	if err := db.NoteSurvey(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	paths := func() (got []string) {
		t.Helper()
		images, err := reader(t, db.path).Running(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range images {
			got = append(got, p.Path)
		}
		slices.Sort(got)
		return got
	}
	if got, want := paths(), []string{"/bin/new", "/bin/old"}; !slices.Equal(got, want) {
		t.Errorf("Running after a survey = %q, want %q", got, want)
	}
	for _, damage := range []string{
		"UPDATE survey SET top = 1 << 62", "UPDATE survey SET top = 'x'", "UPDATE survey SET top = 4, running = '[1'",
		"UPDATE survey SET running = x'00ff'", "DELETE FROM survey",
	} {
		if err := db.transaction("damage the survey of", func() error { return db.conn.exec(damage) }); err != nil {
			t.Fatal(err)
		}
		if got, want := paths(), []string{"/bin/forgotten", "/bin/new", "/bin/old"}; !slices.Equal(got, want) {
			t.Errorf("Running after %s = %q, want %q", damage, got, want)
		}
	}
}

// A start looks at what was stored since the survey, and never at more than the newest
// half a million processes, whatever the size of the database.
func BenchmarkRunning(b *testing.B) {
	db, err := Open(filepath.Join(b.TempDir(), "monitor.db"), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	const processes = 1_000_000
	err = db.transaction("fill", func() error {
		return db.conn.exec(fmt.Sprintf(`INSERT INTO str (id, s) VALUES (1000000, 'b1');
			WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
			INSERT INTO proc (key, learned, event, pid, ppid, exe, command, boot, serial, flags)
				SELECT i * 7919, 0, i * 1000000, 2 + i %% 30000, 1, 1, 1, 1000000, i, 0 FROM n;
			INSERT INTO proc_end (id, proc, exit_code, flags) SELECT id * 1000000 + 7, id, 0, 0 FROM proc WHERE id %% 5000 <> 0`, processes))
	})
	if err != nil {
		b.Fatal(err)
	}
	r, err := OpenReader(db.path)
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	for _, rows := range []int64{processes, 100_000, 20_000} {
		b.Run(fmt.Sprintf("since=%d", rows), func(b *testing.B) {
			if err := db.NoteSurvey(b.Context(), Survey{Top: processes - rows}); err != nil {
				b.Fatal(err)
			}
			n := 0
			for b.Loop() {
				images, err := r.Running(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				n = len(images)
			}
			b.ReportMetric(float64(n), "found")
		})
	}
}
