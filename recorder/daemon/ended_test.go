// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"seismo/internal/event"
	"seismo/recorder/monitordb"
)

// lives returns the processes that are stored, as path, whether they have an end, and
// their exit codes.
func (r *run) lives() (all []string) {
	r.t.Helper()
	r.ask("SELECT process_path, end_time_raw IS NOT NULL, exit_code FROM processes WHERE process_path IS NOT NULL ORDER BY 1", func(row []any) {
		all = append(all, strings.TrimSpace(fmt.Sprintln(row...)))
	})
	return all
}

func (r *run) ask(sql string, use func(row []any)) {
	r.t.Helper()
	reader, err := monitordb.OpenReader(filepath.Join(r.home, "monitor.db"))
	if err != nil {
		r.t.Fatal(err)
	}
	defer reader.Close()
	_, err = reader.Query(r.t.Context(), sql, monitordb.QueryOptions{}, func([]string) error { return nil },
		func(row []any) error { use(row); return nil })
	if err != nil {
		r.t.Fatal(err)
	}
}

// What ended while no recorder ran is ended by the next one, without an exit code, also
// where the memory of signals is lost; what runs is not, and gets its exit code when it
// ends. After another boot all has ended, when the recorder was known to run last.
func TestWhatEndedWhileNobodyRecorded(t *testing.T) {
	nobody := func() fstest.MapFS {
		return fstest.MapFS{"stat": {Data: []byte("btime 1\n")}, "uptime": {Data: []byte("1 1\n")}}
	}
	before := begin(t, t.TempDir(), "b1", nobody())
	before.inject(10, executes(10, 1, "/bin/sh"))
	before.inject(20, executes(20, 10, "/bin/true"))
	before.inject(50, executes(11, 10, "/opt/script --all"))
	before.inject(60, ends(20))
	before.inject(100, executes(12, 11, "/usr/bin/worker"))
	home := before.kill()
	if err := os.Remove(filepath.Join(home, "process_state.bin")); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	after := begin(t, home, "b1", procOfWorker())
	sweep := func(r *run) {
		b := event.NewBatch(1)
		b.Sweep = true
		b.Platform = "linux"
		if err := r.life.rec.Inject(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	check := func(when string, r *run, want ...string) {
		t.Helper()
		if got := r.lives(); !slices.Equal(got, want) {
			t.Errorf("%s: processes %q, want %q", when, got, want)
		}
	}
	check("before the look", after, "/bin/sh 0 <nil>", "/bin/true 1 0", "/opt/script 0 <nil>", "/usr/bin/worker 0 <nil>")
	sweep(after)
	check("after the look", after, "/bin/sh 1 <nil>", "/bin/true 1 0", "/opt/script 1 <nil>", "/usr/bin/worker 0 <nil>")
	again := begin(t, after.kill(), "b1", procOfWorker())
	sweep(again)
	check("after one more start", again, "/bin/sh 1 <nil>", "/bin/true 1 0", "/opt/script 1 <nil>", "/usr/bin/worker 0 <nil>")
	rebooted := begin(t, again.kill(), "b2", nobody())
	check("after another boot", rebooted, "/bin/sh 1 <nil>", "/bin/true 1 0", "/opt/script 1 <nil>", "/usr/bin/worker 1 <nil>")
	last := rebooted.life.db.LastSeen().Time
	rebooted.ask("SELECT end_time_raw FROM processes WHERE process_path = '/usr/bin/worker'", func(row []any) {
		if ms, _ := row[0].(int64); ms != last/int64(time.Millisecond) {
			t.Errorf("what ran in the boot before ended at %v ms, want %d, when its recorder wrote last", row[0], last/int64(time.Millisecond))
		}
	})
	rebooted.ask("SELECT count(*), count(DISTINCT proc) FROM proc_end", func(row []any) {
		if got := fmt.Sprintln(row...); got != "4 4\n" {
			t.Errorf("%v ends of processes, want one of each", row)
		}
	})
	again.inject(9000, ends(12))
	check("after its end", again, "/bin/sh 1 <nil>", "/bin/true 1 0", "/opt/script 1 <nil>", "/usr/bin/worker 1 0")
}
