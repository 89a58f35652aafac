// SPDX-License-Identifier: Apache-2.0

package audit_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"seismo/internal/event"
	"seismo/sources/audit"
)

// A program that is started is seen with its arguments as they were given, and
// its fork and end are seen beside it.
func TestLiveExecForkExit(t *testing.T) {
	r := record(t, live(t))
	args := []string{"a blank", "", "quote\"", "\xff\xfe", strings.Repeat("x", 9000)}
	cmd := child(t, "nothing", args...)
	err := cmd.Run()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != 7 {
		t.Fatalf("child: %v", err)
	}
	pid := cmd.Process.Pid
	r.until("the exec", func() bool { return r.find(event.KindProcess, event.OpCreate, pid, nil) != nil })
	e := r.find(event.KindProcess, event.OpCreate, pid, nil)
	if got, want := elements(e, event.ProcessArgs), cmd.Args; !slices.Equal(got, want) {
		t.Errorf("process.args = %.200q, want %.200q", got, want)
	}
	if self, _ := os.Executable(); text(e, event.ProcessPath) != self {
		t.Errorf("process.path = %q, want %q", text(e, event.ProcessPath), self)
	}
	if int(e.PPID) != os.Getpid() {
		t.Errorf("parent = %d, want %d", e.PPID, os.Getpid())
	}
	killed := child(t, "wait")
	if err := killed.Start(); err != nil {
		t.Fatal(err)
	}
	if err := killed.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	killed.Wait()
	if err := r.kernel.ProcEvents(); err != nil {
		t.Logf("forks and exits are not tested: %v", err)
		return
	}
	r.until("the ends", func() bool {
		return r.change(pid, true) != nil && r.change(killed.Process.Pid, true) != nil
	})
	if c := r.change(pid, false); c == nil || int(c.Parent) != os.Getpid() {
		t.Errorf("fork of %d: %+v, want parent %d", pid, c, os.Getpid())
	}
	if c := r.change(pid, true); c.Code != 7 || c.NoCode {
		t.Errorf("end of %d: %+v, want code 7", pid, *c)
	}
	if c := r.change(killed.Process.Pid, true); c.Code != 137 {
		t.Errorf("end of %d: %+v, want code 137", killed.Process.Pid, *c)
	}
	if c := r.change(pid, true); time.Since(time.Unix(0, c.Time)).Abs() > time.Minute {
		t.Errorf("end of %d at %v, want about now", pid, time.Unix(0, c.Time))
	}
}

// change returns the fork or the end of pid, or nil.
func (r *recording) change(pid int, exit bool) *event.Change {
	i := slices.IndexFunc(r.changes, func(c event.Change) bool { return int(c.PID) == pid && c.Exit == exit })
	if i < 0 {
		return nil
	}
	return &r.changes[i]
}

// A thread that is not the leader calls execve: the kernel ends the leader, and
// the process lives on.
func TestLiveExecByThreadIsNoEnd(t *testing.T) {
	r := record(t, live(t))
	if err := r.kernel.ProcEvents(); err != nil {
		t.Skipf("NOT RUN: %v", err)
	}
	cmd := child(t, "threadexec")
	if err := cmd.Run(); cmd.ProcessState.ExitCode() != 7 {
		t.Fatalf("child: %v", err)
	}
	pid := cmd.Process.Pid
	r.until("the end", func() bool { return r.change(pid, true) != nil })
	ends := 0
	for _, c := range r.changes {
		if int(c.PID) == pid && c.Exit {
			ends++
			if c.Code != 7 {
				t.Errorf("end with code %d, want 7 only", c.Code)
			}
		}
	}
	if ends != 1 {
		t.Errorf("%d ends of process %d, want 1", ends, pid)
	}
}

// Both ends of a connection over loopback are seen.
func TestLiveConnections(t *testing.T) {
	r := record(t, live(t))
	cmd := child(t, "net")
	out := output(t, cmd)
	out.Scan()
	var port, from int64
	if _, err := fmt.Sscan(out.Text(), &port, &from); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	pid := cmd.Process.Pid
	hasPort := func(want int64) func(*event.Event) bool {
		return func(e *event.Event) bool {
			got, _ := e.Int(event.NetworkPort)
			a, _ := e.Addr(event.NetworkAddress)
			return got == want && a == netip.MustParseAddr("127.0.0.1")
		}
	}
	r.until("connect and accept", func() bool {
		return r.find(event.KindNetwork, event.OpConnect, pid, hasPort(port)) != nil &&
			r.find(event.KindNetwork, event.OpAccept, pid, hasPort(from)) != nil
	})
	e := r.find(event.KindNetwork, event.OpConnect, pid, hasPort(port))
	if got := text(e, event.NetworkProtocol); got != "tcp" {
		t.Errorf("network.protocol = %q, want tcp", got)
	}
	if got := text(e, event.NetworkDirection); got != "outbound" {
		t.Errorf("network.direction = %q, want outbound", got)
	}
}

// What is done to files in a root is seen, with whole paths; what is done in a
// folder that is left out is not.
func TestLiveFiles(t *testing.T) {
	o := live(t)
	o.Exclude = []string{filepath.Join(o.Roots[0], "own")}
	if err := os.Mkdir(o.Exclude[0], 0o755); err != nil {
		t.Fatal(err)
	}
	r := record(t, o)
	cmd := child(t, "files", o.Roots[0])
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out := output(t, cmd)
	out.Scan()
	pid := cmd.Process.Pid
	file := func(op event.Op, name, target string) bool {
		return r.find(event.KindFile, op, pid, func(e *event.Event) bool {
			return text(e, event.FilePath) == filepath.Join(o.Roots[0], name) &&
				(target == "" || text(e, event.FileTargetPath) == filepath.Join(o.Roots[0], target))
		}) != nil
	}
	r.until("create, write, permission, rename and a name relative to a descriptor", func() bool {
		return file(event.OpCreate, "a", "") && file(event.OpWrite, "a", "") && file(event.OpPermission, "a", "") &&
			file(event.OpRename, "a", "b c") && file(event.OpCreate, "relative", "")
	})
	stdin.Close()
	r.until("delete", func() bool { return file(event.OpDelete, "b c", "") })
	cmd.Wait()
	for _, e := range r.events {
		if e.Kind == event.KindFile && int(e.PID) == os.Getpid() {
			t.Errorf("our own process was audited: %v %s", e.Op, text(e, event.FilePath))
		}
		if strings.HasPrefix(text(e, event.FilePath), o.Exclude[0]) {
			t.Errorf("an event in the folder that is left out: %v %s", e.Op, text(e, event.FilePath))
		}
	}
}

// What happened before Close is given after it, and a clean run has no losses.
func TestLiveCloseGivesTheRest(t *testing.T) {
	r := record(t, live(t))
	var pids []int
	for range 20 {
		cmd := child(t, "nothing")
		if cmd.Run(); cmd.ProcessState.ExitCode() != 7 {
			t.Fatal(cmd.ProcessState)
		}
		pids = append(pids, cmd.Process.Pid)
	}
	r.end()
	for _, pid := range pids {
		if r.find(event.KindProcess, event.OpCreate, pid, nil) == nil {
			t.Errorf("exec of process %d is missing: %s", pid, r.summary())
		}
		if r.kernel.ProcEvents() == nil && r.change(pid, true) == nil {
			t.Errorf("end of process %d is missing", pid)
		}
	}
	s := r.kernel.Stats()
	if s.Received == 0 || s.Received != s.Parsed+s.Malformed || s.Assembled != uint64(len(r.events)) {
		t.Errorf("stats %+v with %d events: the ledgers do not hold", s, len(r.events))
	}
	if s.KernelLost != 0 || s.Overruns != 0 || s.SerialGaps != 0 || s.Malformed != 0 || len(r.losses) != 0 {
		t.Errorf("stats %+v, losses %+v, want none lost", s, r.losses)
	}
}

// A recorder that has not read for long is closed: each event is given, or
// counted as missing though no event came after it.
func TestLiveCloseCountsWhatTheKernelDropped(t *testing.T) {
	if testing.Short() {
		t.Skip("runs 7,000 programs, more than the socket's buffer has room for")
	}
	r := record(t, live(t))
	program := noop(t)
	out, stormErr := child(t, "storm", program, "7000", "100000").Output() // its exit code is never 0
	var started, nanos int
	if _, err := fmt.Sscan(string(out), &started, &nanos); err != nil {
		t.Fatalf("the storm says %q and ends with %v", out, stormErr)
	}
	r.end()
	seen := 0
	for _, e := range r.events {
		if e.Kind == event.KindProcess && e.Op == event.OpCreate && text(e, event.ProcessPath) == program {
			seen++
		}
	}
	s := r.kernel.Stats()
	t.Logf("of %d execs %d are given; %d events are missing by their serials; kernel lost %d records", started, seen, s.SerialGaps, s.KernelLost)
	if uint64(seen)+s.SerialGaps < uint64(started) {
		t.Errorf("%d execs given and %d events missing, of %d execs: some were lost and not counted; losses %+v", seen, s.SerialGaps, started, r.losses)
	}
	for _, e := range r.events {
		if e.Kind == event.KindRecord && text(e, event.RecordType) == "USER_AVC" {
			t.Errorf("the recorder's own echo is an event: %s", text(e, event.RecordText))
		}
	}
}

// Close from another goroutine ends a Read that waits.
func TestLiveCloseEndsRead(t *testing.T) {
	r := record(t, live(t))
	ended := make(chan error)
	go func() {
		for {
			if err := r.read(t.Context()); err != nil {
				ended <- err
				return
			}
		}
	}()
	if err := r.kernel.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, io.EOF) {
		t.Errorf("Read = %v after Close, want %v", err, io.EOF)
	}
}

// A panicking recorder undoes in its own process, with all sockets open.
func TestLiveUndoInTheSameProcess(t *testing.T) {
	o := live(t)
	before := mustState(t).String()
	r := record(t, o)
	if report, err := audit.Undo(o.UndoPath); err != nil || !report.RoleCleared || report.Rules == 0 {
		t.Errorf("Undo = %+v, %v; want rules removed and the role cleared", report, err)
	}
	if got := mustState(t).String(); got != before {
		t.Errorf("state:\n%s\nwant as before:\n%s", got, before)
	}
	r.end()
}

// Read ends at once when its context does, though nothing happens.
func TestLiveReadEndsWithItsContext(t *testing.T) {
	r := record(t, live(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.read(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Read = %v, want %v", err, context.Canceled)
	}
}
