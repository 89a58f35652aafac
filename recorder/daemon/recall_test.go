// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/rs/zerolog"

	"seismo/engine"
	"seismo/internal/config"
	"seismo/internal/event"
	"seismo/internal/process"
	"seismo/recorder"
	"seismo/recorder/monitordb"
	"seismo/signals"
)

// scriptedSignals fire on two steps of one process, and on the second below a script.
const scriptedSignals = `
- id: 7f2f4d3c-3f0e-4a57-8a51-6f7d1c1b0001
  name: two steps
  signal: file.path is '/etc/first' AND file.path is '/etc/second'
- id: 7f2f4d3c-3f0e-4a57-8a51-6f7d1c1b0002
  name: below a script
  signal: file.path is '/etc/second' AND process.ancestry_path is '/opt/script' AND process.parent_command_line is '/opt/script --all'
`

// beginning is when the tests begin, some time after the boot of procOfWorker.
var beginning = time.Now().Add(-time.Minute).Truncate(time.Millisecond)

// run is one recorder over a home folder: table and matcher as the product has
// them, with batches of the test in place of the kernel's.
type run struct {
	t    *testing.T
	life *life
	home string
}

// begin starts a recorder on what the one before left. proc is what runs.
func begin(t *testing.T, home, boot string, proc fs.FS) *run {
	t.Helper()
	defs, err := signals.ParseFile("x.yml", []byte(scriptedSignals))
	if err != nil {
		t.Fatal(err)
	}
	set, err := signals.Lower(defs)
	if err != nil {
		t.Fatal(err)
	}
	program, err := engine.Build(set)
	if err != nil {
		t.Fatal(err)
	}
	paths := config.Paths{Database: filepath.Join(home, "monitor.db"), State: filepath.Join(home, "process_state.bin")}
	db, err := monitordb.Open(paths.Database, monitordb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	l := &life{Options: Options{Paths: paths, Log: zerolog.New(io.Discard)}, db: db, signals: &Signals{Program: program, Written: defs}}
	if err := db.SetDefinitions(t.Context(), program.Definitions(), "x"); err != nil {
		t.Fatal(err)
	}
	known := l.recall(t.Context(), boot)
	if err := db.NoteHost(t.Context(), monitordb.Host{Time: beginning.UnixNano(), Platform: "linux", BootID: boot}); err != nil {
		t.Fatal(err)
	}
	l.table = process.NewTable(process.Options{Host: "m1", Boot: boot, Live: true, ProcFS: proc,
		Stored: func(pid int32) *event.Process { return known.running[pid] }})
	r := &run{t: t, life: l, home: home}
	l.rec, err = recorder.New(recorder.Config{Source: nothing{}, Table: l.table, IDs: db.IDs(), Program: program, Sinks: []recorder.Sink{db}, BatchSize: 100, Live: true})
	if err != nil {
		t.Fatal(err)
	}
	found := event.NewBatch(8)
	if _, err := l.takeUp(t.Context(), known, db.LastSeen(), found); err != nil {
		t.Fatal(err)
	}
	return r
}

// nothing is a source without events.
type nothing struct{}

func (nothing) Read(context.Context, *event.Batch) error { return io.EOF }
func (nothing) Stats() event.SourceStats                 { return event.SourceStats{} }
func (nothing) Close() error                             { return nil }

// kill ends r as SIGKILL does: what is stored stays, nothing more is written.
func (r *run) kill() string {
	r.t.Helper()
	home := r.t.TempDir()
	for _, name := range []string{"monitor.db", "monitor.db-wal", "process_state.bin"} {
		b, err := os.ReadFile(filepath.Join(r.home, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(home, name), b, 0o600)
		}
		if err != nil && !os.IsNotExist(err) {
			r.t.Fatal(err)
		}
	}
	return home
}

// inject has r judge and store what fill makes, ms after the beginning.
func (r *run) inject(ms int, fill func(b *event.Batch, at int64)) {
	r.t.Helper()
	b := event.NewBatch(8)
	b.Platform = "linux"
	fill(b, beginning.Add(time.Duration(ms)*time.Millisecond).UnixNano())
	if err := r.life.rec.Inject(r.t.Context(), b); err != nil {
		r.t.Fatal(err)
	}
}

func writes(pid, ppid int32, path string) func(*event.Batch, int64) {
	return func(b *event.Batch, at int64) {
		e := b.Add(event.KindFile, event.OpWrite)
		e.Time, e.PID, e.PPID = at, pid, ppid
		e.SetString(event.FilePath, path)
		e.SetString(event.ProcessPath, "/usr/bin/worker")
	}
}

func executes(pid, ppid int32, line string) func(*event.Batch, int64) {
	return func(b *event.Batch, at int64) {
		b.Changes = append(b.Changes, event.Change{Time: at - 1e6, PID: pid, Parent: ppid})
		e := b.Add(event.KindProcess, event.OpCreate)
		e.Time, e.PID, e.PPID, e.Serial = at, pid, ppid, uint64(pid)
		e.SetString(event.ProcessPath, strings.Fields(line)[0])
		e.SetString(event.ProcessCommandLine, line)
	}
}

func ends(pid int32) func(*event.Batch, int64) {
	return func(b *event.Batch, at int64) {
		b.Changes = append(b.Changes, event.Change{Time: at, PID: pid, Exit: true})
	}
}

// procOfWorker is /proc where the worker runs, whose parents have ended.
func procOfWorker() fstest.MapFS {
	boot := beginning.Add(-1000 * time.Second)
	ticks := beginning.Add(100*time.Millisecond).Sub(boot.Truncate(time.Second)).Milliseconds() / 10
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	return fstest.MapFS{
		"stat":       file(fmt.Sprintf("cpu 0\nbtime %d\n", boot.Unix())),
		"uptime":     file("1060.00 0.00\n"),
		"12/stat":    file(fmt.Sprintf("12 (worker) S 1 1 1 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 1 0 %d 0 0\n", ticks)),
		"12/status":  file("Name:\tworker\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\n"),
		"12/cmdline": file("worker\x00"), "12/cgroup": file("0::/\n"), "12/loginuid": file("0"), "12/sessionid": file("1"),
		"12/exe": {Mode: fs.ModeSymlink, Data: []byte("/usr/bin/worker")}, "12/cwd": {Mode: fs.ModeSymlink, Data: []byte("/")},
	}
}

// matches returns what fired, as the name of the signal and its proof.
func (r *run) matches() (all []string) {
	r.t.Helper()
	reader, err := monitordb.OpenReader(filepath.Join(r.home, "monitor.db"))
	if err != nil {
		r.t.Fatal(err)
	}
	defer reader.Close()
	_, err = reader.Query(r.t.Context(), "SELECT signal_name, proof FROM signal_matches ORDER BY 1", monitordb.QueryOptions{},
		func([]string) error { return nil }, func(row []any) error { all = append(all, fmt.Sprint(row...)); return nil })
	if err != nil {
		r.t.Fatal(err)
	}
	return all
}

// The first step of a signal is stored after the memory was saved, and the recorder
// is killed; the ancestors of its process have ended. The next recorder fires on the
// second step with a proof that names the first, and knows the ancestors. After
// another boot none of it holds.
func TestKilledBetweenTwoSteps(t *testing.T) {
	for _, tt := range []struct {
		name  string
		state bool // saved before the first step
		boot  string
		want  []string
	}{
		{"the memory was saved before", true, "b1", []string{"below a script", "two steps"}},
		{"no memory was ever saved", false, "b1", []string{"below a script", "two steps"}},
		{"the host was started again", true, "b2", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			first := begin(t, t.TempDir(), "b1", fstest.MapFS{"stat": {Data: []byte("btime 1\n")}, "uptime": {Data: []byte("1 1\n")}})
			first.inject(10, executes(10, 1, "/bin/sh"))
			first.inject(50, executes(11, 10, "/opt/script --all"))
			first.inject(100, executes(12, 11, "/usr/bin/worker"))
			if tt.state {
				if err := first.life.saveState(first.life.Paths.State); err != nil {
					t.Fatal(err)
				}
			}
			first.inject(5100, writes(12, 11, "/etc/first"))
			first.inject(5200, ends(11))
			first.inject(5300, ends(10))
			if got := first.matches(); len(got) != 0 {
				t.Fatalf("matches before the kill: %q", got)
			}
			second := begin(t, first.kill(), tt.boot, procOfWorker())
			second.inject(9000, writes(12, 1, "/etc/second"))
			got := second.matches()
			if len(got) != len(tt.want) {
				t.Fatalf("matches after the kill: %q; want those of %q", got, tt.want)
			}
			for i, name := range tt.want {
				if !strings.HasPrefix(got[i], name) {
					t.Errorf("match %d is %q; want %s", i, got[i], name)
				}
			}
			if len(tt.want) > 0 && !strings.Contains(got[1], "/etc/first") {
				t.Errorf("the proof does not name the first step: %s", got[1])
			}
		})
	}
}

// What was judged before a kill is not judged twice, and a state of another program
// does not keep a recorder from starting.
func TestRecallOfADamagedState(t *testing.T) {
	r := begin(t, t.TempDir(), "b1", procOfWorker())
	r.inject(5100, writes(12, 1, "/etc/first"))
	if err := r.life.saveState(r.life.Paths.State); err != nil {
		t.Fatal(err)
	}
	home := r.kill()
	path := filepath.Join(home, "process_state.bin")
	content, err := os.ReadFile(path)
	if err != nil || !bytes.Contains(content, []byte("/etc/first")) {
		t.Fatalf("process_state.bin: %v, %q; want the first step in it", err, content)
	}
	content[len(content)/2] ^= 1
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	again := begin(t, home, "b1", procOfWorker())
	if _, err := os.Stat(path + ".damaged"); err != nil {
		t.Errorf("the damaged state is not set aside: %v", err)
	}
	again.inject(9000, writes(12, 1, "/etc/second"))
	if got := again.matches(); len(got) != 1 || !strings.HasPrefix(got[0], "two steps") {
		t.Errorf("matches = %q; want two steps, from what was stored", got)
	}
}
