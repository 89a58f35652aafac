// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"seismo/internal/livelock"
	"seismo/recorder/monitordb"
)

// The load is this program once more, as it is outside of a test.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == loadVerb {
		exit(runLoad(os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}

// Two seconds of every kind of operation: the recorder has each of their events and
// each end, and the kernel is as before. What it costs is told, not required.
func TestLiveBench(t *testing.T) {
	if testing.Short() {
		t.Skip("NOT RUN with -short: the race detector does not see the binary that is tried")
	}
	s := settings{contenders: []string{nameOff, nameSeismo}, rounds: 1, seconds: 2}
	if err := s.missing(); err != nil {
		t.Skipf("NOT RUN: %v", err)
	}
	b := &bench{seconds: s.seconds}
	if err := b.setUp(t.Context(), t.TempDir()); err != nil {
		t.Fatal(err)
	}
	m, err := modeOf("mix")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range s.contenders {
		c, err := b.measure(t.Context(), m, name, 1)
		if errors.Is(err, livelock.ErrInUse) {
			t.Skipf("NOT RUN: %v", err)
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d operations in %.1f s, CPU %.1f ms and kauditd %.1f ms for 1,000, peak %.1f MB", name, c.Ops, c.Seconds,
			c.perOp(c.cpu(), 1e3), c.perOp(c.Kauditd, 1e3), float64(c.Peak)/1e6)
		programs := 3 * c.Ops / 5 // of five operations
		switch {
		case c.Ops != int(s.seconds*m.Rate):
			t.Errorf("%s: %d operations, want %v", name, c.Ops, s.seconds*m.Rate)
		case name == nameOff:
		case c.Score.Found != c.Score.Expected || c.Score.Twice != 0 || float64(c.Score.Expected) != float64(c.Ops)*eventsPerOp(m.Ops):
			t.Errorf("%s: recorded %+v", name, c.Score)
		case c.Ends != programs:
			t.Errorf("%s: %d ends of %d programs", name, c.Ends, programs)
		case c.Lost != 0 || len(c.Losses) != 0:
			t.Errorf("%s: kernel lost %d, losses %q", name, c.Lost, c.Losses)
		}
	}
}

// The rules and settings that the peers are measured with are put back at the end of the
// turn.
func TestLivePeerSettings(t *testing.T) {
	if err := (settings{}).missing(); err != nil {
		t.Skipf("NOT RUN: %v", err)
	}
	turn, err := takeTurn(t.Context())
	if errors.Is(err, livelock.ErrInUse) {
		t.Skipf("NOT RUN: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	want := turn.Before()
	if err := setForPeers(t.TempDir()); err != nil {
		t.Error(err)
	}
	if _, err := auditctl("-e", "1"); err != nil {
		t.Error(err)
	}
	changed, err := livelock.Read()
	if err != nil || changed.Enabled != 1 || changed.Failure != 0 || changed.Backlog != 8192 || changed.Wait != 0 || changed.Keyed(livelock.BenchKey) != 5 {
		t.Errorf("state for the peers %v, %v; want five rules and other settings", changed, err)
	}
	if err := turn.End(); err != nil {
		t.Error(err)
	}
	if after, err := livelock.Read(); err != nil || !after.Same(want) {
		t.Errorf("after the turn: %v, %v; want %v", after, err, want)
	}
}

// The load does what it is ordered to do, and leaves nothing behind. It needs no
// privilege: nobody looks.
func TestLoad(t *testing.T) {
	b := &bench{place: place{seismo: "not used"}}
	if err := b.setUp(t.Context(), t.TempDir()); err != nil {
		t.Fatal(err)
	}
	in, err := json.Marshal(order{Mode: "mix", Seconds: 0.1, Mark: mark(), Watched: b.watched, Tiny: b.tiny, Fork: b.fork, Times: true})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := runLoad(bytes.NewReader(in), &out); err != nil {
		t.Fatal(err)
	}
	var d done
	if err := json.Unmarshal(out.Bytes(), &d); err != nil {
		t.Fatal(err)
	}
	if d.Ops != 100 || len(d.Peers) != 20 || d.Port == 0 || d.CPU <= 0 {
		t.Errorf("done %+v, want 100 operations, 20 of them connections", d)
	}
	for n, at := range d.Began {
		if program := everyOp[n%len(everyOp)] <= opFork; (at != 0) != program {
			t.Errorf("operation %d began at %d", n, at)
		}
	}
	if left, err := os.ReadDir(b.watched); err != nil || len(left) != 0 {
		t.Errorf("the load left %v, %v", left, err)
	}
}

// While the lock is held a writer of the database waits; then it goes on.
func TestLockWriters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "monitor.db")
	db, err := monitordb.Open(path, monitordb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	lock, err := lockWriters(path)
	if err != nil {
		t.Fatal(err)
	}
	wrote := make(chan error, 1)
	go func() { wrote <- db.NoteHost(t.Context(), monitordb.Host{Time: 1, Name: "h"}) }()
	select {
	case err := <-wrote:
		t.Errorf("a row was written under the lock: %v", err)
		wrote <- err
	case <-time.After(100 * time.Millisecond):
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-wrote; err != nil {
		t.Errorf("after the lock: %v", err)
	}
}

// The clock of a process goes on while it works, and the family of this one has a
// child as long as it lives.
func TestMeasure(t *testing.T) {
	before, err := measure(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command("sleep", "60")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	for at := time.Now(); time.Since(at) < 30*time.Millisecond; {
	}
	after, err := measure(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	child.Process.Kill()
	child.Wait()
	if after.processes != before.processes+1 || after.total <= before.total || after.peak <= before.peak {
		t.Errorf("with a child: %+v, before %+v", after, before)
	}
	user, system := after.since(before)
	if user+system != after.total-before.total || user < 0 || system < 0 {
		t.Errorf("%d + %d ns of %d", user, system, after.total-before.total)
	}
	if _, err := measure(child.Process.Pid); err == nil {
		t.Error("a process that has ended is measured")
	}
}

func TestParseStat(t *testing.T) {
	const rest = " S 7 1 1 0 -1 4 0 0 0 0 11 12 13 14 20 0 1 0 5"
	tests := []struct {
		name string
		in   string
		want procStat
		ok   bool
	}{
		{"plain", "8 (cat)" + rest, procStat{"cat", 7, 11 * tick, 12 * tick, 13 * tick, 14 * tick}, true},
		{"a name that looks like more", "8 (a) R 1 (b)" + rest, procStat{"a) R 1 (b", 7, 11 * tick, 12 * tick, 13 * tick, 14 * tick}, true},
		{"cut", "8 (cat) S 7 1", procStat{}, false},
		{"no name", "8 cat S", procStat{}, false},
		{"empty", "", procStat{}, false},
		{"no number", "8 (cat)" + strings.Replace(rest, "12", "x", 1), procStat{}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseStat([]byte(tt.in))
			if (err == nil) != tt.ok || tt.ok && got != tt.want {
				t.Errorf("parseStat(%q) = %+v, %v; want %+v", tt.in, got, err, tt.want)
			}
		})
	}
}

func TestFamily(t *testing.T) {
	all := map[int]procStat{2: {parent: 1}, 3: {parent: 2}, 4: {parent: 3}, 5: {parent: 1}, 6: {parent: 7}, 7: {parent: 6}}
	got := family(all, 2)
	if len(got) != 3 || got[3].parent != 2 || got[4].parent != 3 {
		t.Errorf("family(2) = %v, want 2, 3 and 4", got)
	}
	if got := family(all, 9); len(got) != 0 {
		t.Errorf("family(9) = %v, want nobody", got)
	}
}

func TestParseArgs(t *testing.T) {
	s, err := parseArgs([]string{"-mode", "idle,mix", "-contenders", "seismo", "-rounds", "2", "-stall", "300ms"}, io.Discard)
	if err != nil || len(s.modes) != 2 || s.modes[1].Name != "mix" || !slices.Equal(s.contenders, []string{nameSeismo}) || s.rounds != 2 || s.stall != 300*time.Millisecond {
		t.Errorf("parseArgs = %+v, %v", s, err)
	}
	for _, bad := range [][]string{{"-mode", "fast"}, {"-contenders", "osquery"}, {"-rounds", "0"}, {"-seconds", "-1"}, {"more"}, {"-x"}} {
		if s, err := parseArgs(bad, io.Discard); err == nil {
			t.Errorf("parseArgs(%q) = %+v, want an error", bad, s)
		}
	}
}

// The peers are asked for the same calls as this recorder, for both word lengths.
func TestPeerRules(t *testing.T) {
	var all []string
	for _, r := range peerRules("/w") {
		all = append(all, strings.Join(r, " "))
		if !slices.Contains(r, livelock.BenchKey) {
			t.Errorf("rule %q has not our key, so it would stay", r)
		}
	}
	text := strings.Join(all, "\n")
	for _, want := range []string{"arch=b64 -S execve,execveat", "arch=b32 -S execve,execveat", "arch=b64 -S connect,accept,accept4", "dir=/w -F perm=wa"} {
		if !strings.Contains(text, want) {
			t.Errorf("no rule with %q in:\n%s", want, text)
		}
	}
}

func TestLatencies(t *testing.T) {
	got := latencies([]int64{100, 0, 300, 400, 500}, map[int]int64{0: 150, 1: 500, 2: 320, 4: 600, 9: 1}, func(n int) bool { return n != 4 })
	if !slices.Equal(got, []int64{20, 50}) {
		t.Errorf("latencies = %v, want 20 and 50: one did not begin, one is not visible, one does not count", got)
	}
}

// What is started does not outlive its stop, and one that ended before is told.
func TestDaemon(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	d, err := launch(log, "sleep", "600")
	if err != nil {
		t.Fatal(err)
	}
	pid := d.cmd.Process.Pid
	if err := d.stop(log); err != nil || unix.Kill(pid, 0) == nil {
		t.Errorf("stop: %v; process %d lives: %v", err, pid, unix.Kill(pid, 0) == nil)
	}
	d, err = launch(log, "sh", "-c", "echo no rights; exit 3")
	if err != nil {
		t.Fatal(err)
	}
	err = d.until(t.Context(), log, func() (bool, error) { return false, nil })
	if err == nil || !strings.Contains(err.Error(), "no rights") {
		t.Errorf("until: %v, want what it said", err)
	}
	if err := d.stop(log); err == nil {
		t.Error("stop of one that had ended before: no error")
	}
}
