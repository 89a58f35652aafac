// SPDX-License-Identifier: Apache-2.0

// This file tries the source on the live kernel. It starts programs and compares
// what is told of them with what they have mapped.

package imageload

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"seismo/internal/event"
	"seismo/internal/livelock"
)

// live takes the lock that all tests on the live kernel take and opens a source, or
// skips the test.
func live(t *testing.T, o Options) *Source {
	t.Helper()
	lock, err := livelock.Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lock.Close() })
	src, err := Open(o)
	if errors.Is(err, ErrPrivilege) || errors.Is(err, ErrUnsupported) {
		t.Skipf("NOT RUN: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := src.Close(); err != nil {
			t.Error(err)
		}
	})
	return src
}

// seen is what was read of a source.
type seen struct {
	byPID  map[int]string // paths, a line each; with the program if it is another
	losses []event.Loss
	lost   uint64
	events int
	late   bool // a stamp that is not between the opening and now
	began  int64
}

func newSeen() *seen { return &seen{byPID: map[int]string{}, began: time.Now().UnixNano()} }

func (s *seen) add(b *event.Batch) {
	for _, e := range b.Events() {
		s.events++
		path, _ := e.Text(event.ImagePath)
		line := string(path)
		if program, ok := e.Text(event.ProcessPath); ok && string(program) != line {
			line += " by " + string(program)
		}
		s.byPID[int(e.PID)] += line + "\n"
		s.late = s.late || e.Time < s.began-int64(time.Second) || e.Time > time.Now().UnixNano()
	}
	for _, l := range b.Losses {
		s.losses = append(s.losses, l)
		if l.Reason == event.LossKernel {
			s.lost += l.Count
		}
	}
}

// rest closes src and reads what is left.
func (s *seen) rest(t *testing.T, src *Source) {
	t.Helper()
	if err := src.Close(); err != nil {
		t.Fatal(err)
	}
	s.toEnd(t, src)
}

func (s *seen) toEnd(t *testing.T, src *Source) {
	t.Helper()
	for {
		b := newBatch()
		err := src.Read(context.Background(), b)
		s.add(b)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Error(err)
			return
		}
	}
}

// run starts a program and returns its pid after it has ended, and its output.
func run(t *testing.T, cmd *exec.Cmd) (int, string) {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
	return cmd.Process.Pid, string(out)
}

// executable returns the files that a text of /proc/PID/maps shows as mapped to be
// executed, each once.
func executable(maps string) []string {
	var paths []string
	for line := range strings.Lines(maps) {
		f := strings.Fields(line)
		if len(f) == 6 && strings.Contains(f[1], "x") && strings.HasPrefix(f[5], "/") && !slices.Contains(paths, f[5]) {
			paths = append(paths, f[5])
		}
	}
	return paths
}

// What is told of a program is what /proc shows that it has mapped.
func TestLiveAsProcShows(t *testing.T) {
	src, got := live(t, Options{}), newSeen()
	type program struct {
		pid  int
		maps string
	}
	var programs []program
	for _, args := range [][]string{
		{"/bin/cat", "/proc/self/maps"},
		{"/usr/bin/perl", "-e", "use POSIX; use Socket; open F, '/proc/self/maps'; print <F>"}, // loads with dlopen
		{"/usr/bin/python3", "-c", "import ctypes, ssl; print(open('/proc/self/maps').read())"},
	} {
		if _, err := os.Stat(args[0]); err != nil {
			t.Logf("NOT RUN: %v", err)
			continue
		}
		pid, maps := run(t, exec.Command(args[0], args[1:]...))
		programs = append(programs, program{pid, maps})
	}
	got.rest(t, src)
	for _, p := range programs {
		var paths []string
		for line := range strings.Lines(got.byPID[p.pid]) {
			path, _, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " by ")
			paths = append(paths, path)
		}
		want := executable(p.maps)
		slices.Sort(paths)
		slices.Sort(want)
		if !slices.Equal(paths, want) || len(want) < 3 {
			t.Errorf("process %d loaded %q, /proc shows %q", p.pid, paths, want)
		}
	}
	if len(got.losses) > 0 || got.late {
		t.Errorf("losses %+v, wrong stamps %v", got.losses, got.late)
	}
}

// All ways to map something for execution are told, in order.
func TestLiveKinds(t *testing.T) {
	src, got := live(t, Options{}), newSeen()
	dir := t.TempDir()
	cmd, err := helper("map " + dir)
	if err != nil {
		t.Fatal(err)
	}
	pid, _ := run(t, cmd)
	got.rest(t, src)
	by := " by " + cmd.Path + "\n"
	want := "" // after the program, and what it is linked to where cgo is on
	for _, path := range []string{dir + "/plain.so", dir + "/later\n\x1b[31m.so", dir + "/gone.so (deleted)", "/memfd:payload (deleted)",
		"//anon", "/dev/zero (deleted)", "/SYSV00000000 (deleted)"} {
		want += path + by
	}
	if told := got.byPID[pid]; !strings.HasPrefix(told, cmd.Path+"\n") || !strings.HasSuffix(told, want) {
		t.Errorf("told:\n%q\nwant:\n%q", told, cmd.Path+"\n"+want)
	}
}

// Each image of a pid has its own loads, and the program that did them is named.
func TestLiveExecChain(t *testing.T) {
	src, got := live(t, Options{}), newSeen()
	one, _ := run(t, exec.Command("/usr/bin/true"))
	two, _ := run(t, exec.Command("/usr/bin/env", "/usr/bin/true"))
	got.rest(t, src)
	of := got.byPID[one]
	if strings.Count(of, "\n") != 3 || !strings.HasPrefix(of, "/usr/bin/true\n") || strings.Count(of, " by /usr/bin/true\n") != 2 {
		t.Errorf("true: %q; want the program, its loader and libc", of)
	}
	want := strings.ReplaceAll(of, "/usr/bin/true", "/usr/bin/env") + of
	if got.byPID[two] != want {
		t.Errorf("env: %q, want %q", got.byPID[two], want)
	}
}

// Under load nothing is lost and nothing is told twice.
func TestLiveLoad(t *testing.T) {
	src, got := live(t, Options{}), newSeen()
	const starts = 2000
	type cost struct{ user, system time.Duration }
	done := make(chan cost)
	go func() {
		runtime.LockOSThread()
		before := threadTime(t)
		got.toEnd(t, src)
		after := threadTime(t)
		done <- cost{after[0] - before[0], after[1] - before[1]}
	}()
	var pids []int
	began := time.Now()
	for range starts {
		cmd := exec.Command("/usr/bin/true")
		if err := cmd.Run(); err != nil {
			t.Error(err)
			break
		}
		pids = append(pids, cmd.Process.Pid)
	}
	took := time.Since(began)
	if err := src.Close(); err != nil {
		t.Fatal(err)
	}
	c := <-done
	want, wrong := got.byPID[pids[0]], 0
	if strings.Count(want, "\n") != 3 {
		t.Errorf("the first loaded %q, want the program, its loader and libc", want)
	}
	for _, pid := range pids {
		if got.byPID[pid] != want {
			if wrong++; wrong <= 5 {
				t.Errorf("process %d loaded %q, want %q", pid, got.byPID[pid], want)
			}
		}
	}
	if len(got.losses) > 0 || wrong > 0 {
		t.Errorf("%d of %d programs are not as they should be; losses %+v", wrong, starts, got.losses)
	}
	stats := src.Stats()
	t.Logf("%d programs in %v, %d events of %d records; reader: %v user, %v system",
		starts, took.Round(time.Millisecond), got.events, stats.Received, c.user, c.system)
	if stats.Received != stats.Parsed+stats.Malformed || stats.Malformed != 0 || stats.Assembled != uint64(got.events) {
		t.Errorf("figures %+v for %d events", stats, got.events)
	}
}

// threadTime returns user and system time of the calling thread.
func threadTime(t *testing.T) [2]time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &u); err != nil {
		t.Error(err)
	}
	return [2]time.Duration{time.Duration(u.Utime.Nano()), time.Duration(u.Stime.Nano())}
}

// What does not fit is counted, and what comes after it is complete again.
func TestLiveLoss(t *testing.T) {
	src, got := live(t, Options{RingBytes: 2 * os.Getpagesize()}), newSeen()
	const starts = 100
	var pids []int
	for range starts {
		pid, _ := run(t, exec.Command("/usr/bin/true"))
		pids = append(pids, pid)
	}
	for until := time.Now().Add(30 * time.Second); got.lost == 0 && time.Now().Before(until); {
		b := newBatch()
		if err := src.Read(context.Background(), b); err != nil {
			t.Fatal(err)
		}
		got.add(b)
	}
	if err := src.Close(); err != nil {
		t.Fatal(err)
	}
	kernel := uint64(0)
	for _, tap := range src.taps { // which Close has stopped
		n, _, err := tap.account()
		if err != nil {
			t.Error(err)
		}
		kernel += n
	}
	got.toEnd(t, src)
	missing := uint64(0)
	for _, pid := range pids {
		missing += 3 - min(3, uint64(strings.Count(got.byPID[pid], "\n")))
	}
	if missing == 0 || got.lost < missing || got.lost != kernel || got.lost != src.Stats().KernelLost {
		t.Errorf("%d of %d events are missing, %d records were told as lost, %d counted, the kernel says %d", missing, 3*starts, got.lost, src.Stats().KernelLost, kernel)
	}
	for _, l := range got.losses {
		if l.From < got.began-int64(time.Minute) || l.To < l.From || l.To > time.Now().UnixNano() || l.Kind != event.KindImage || l.Unit != "records" {
			t.Errorf("loss %+v", l)
		}
	}
}

// Close ends a Read that waits, once, twice, and before the first Read.
func TestLiveClose(t *testing.T) {
	src := live(t, Options{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		newSeen().toEnd(t, src)
	}()
	time.Sleep(20 * time.Millisecond)
	if err := errors.Join(src.Close(), src.Close()); err != nil {
		t.Error(err)
	}
	<-done
	if err := src.Read(context.Background(), newBatch()); !errors.Is(err, io.EOF) {
		t.Errorf("Read after the end: %v", err)
	}
	unread, err := Open(Options{})
	if err != nil {
		t.Fatal(err)
	}
	got := newSeen()
	before, _ := run(t, exec.Command("/usr/bin/true"))
	if err := unread.Close(); err != nil {
		t.Errorf("Close before the first Read: %v", err)
	}
	after, _ := run(t, exec.Command("/usr/bin/true"))
	got.toEnd(t, unread)
	if strings.Count(got.byPID[before], "\n") != 3 || got.byPID[after] != "" {
		t.Errorf("before Close: %q, after it: %q", got.byPID[before], got.byPID[after])
	}
	if len(unread.taps) != 0 || unread.poll >= 0 || unread.wake >= 0 {
		t.Errorf("after the end %d rings, epoll %d and eventfd %d are left", len(unread.taps), unread.poll, unread.wake)
	}
}

// Without privilege the error names what is missing.
func TestLivePrivilege(t *testing.T) {
	live(t, Options{}).Close()
	if level, err := os.ReadFile("/proc/sys/kernel/perf_event_paranoid"); err != nil || strings.HasPrefix(string(level), "-") || string(level) == "0\n" {
		t.Skipf("NOT RUN: kernel.perf_event_paranoid is %q, %v", level, err)
	}
	cmd, err := helper("powerless")
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "CAP_PERFMON") || !strings.Contains(string(out), "missing privilege") {
		t.Errorf("Open without capabilities: %q, %v", out, err)
	}
}
