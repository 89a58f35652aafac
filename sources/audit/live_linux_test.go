// SPDX-License-Identifier: Apache-2.0

// This file holds what the tests on the live kernel share: the turn, the check
// that the kernel is left as it was, and the processes that do something to be
// seen. The tests are in livekernel_linux_test.go and liverate_linux_test.go.

package audit_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	sys "syscall"
	"testing"
	"time"

	libaudit "github.com/elastic/go-libaudit/v2"
	"golang.org/x/sys/unix"
	"seismo/internal/event"
	"seismo/internal/livelock"
	"seismo/sources/audit"
)

// live returns the options of a recorder that watches one folder of its own, or
// skips the test where the kernel's audit system cannot be had. It has a turn until
// the test has ended, and fails the test if status or rules then differ.
func live(t *testing.T) audit.KernelOptions {
	t.Helper()
	if err := audit.CheckPrivilege(); err != nil {
		t.Skipf("NOT RUN, needs root with CAP_AUDIT_CONTROL: %v", err)
	}
	turn, err := livelock.Take(t.Context())
	switch {
	case errors.Is(err, livelock.ErrInUse):
		t.Skipf("NOT RUN: %v", err)
	case errors.Is(err, unix.EPROTONOSUPPORT), errors.Is(err, unix.ECONNREFUSED), errors.Is(err, unix.EPERM):
		t.Skipf("NOT RUN, the kernel gives no audit netlink: %v", err)
	case err != nil:
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := turn.End(); err != nil {
			t.Error(err)
		}
	})
	before := mustState(t)
	t.Cleanup(func() {
		if got, want := mustState(t).String(), before.String(); got != want {
			t.Errorf("audit state after the test:\n%s\nwant as before:\n%s", got, want)
		}
	})
	root := filepath.Join(t.TempDir(), "watched")
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	return audit.KernelOptions{UndoPath: filepath.Join(t.TempDir(), "audit_undo.json"), Roots: []string{root}}
}

// state is what must be the same before and after.
type state struct {
	status libaudit.AuditStatus
	rules  [][]byte
}

func (s state) String() string {
	st := s.status
	text := fmt.Sprintf("enabled %d failure %d pid %d rate_limit %d backlog_limit %d backlog_wait_time %d\n",
		st.Enabled, st.Failure, st.PID, st.RateLimit, st.BacklogLimit, st.BacklogWaitTime)
	for _, r := range s.rules {
		text += fmt.Sprintf("rule %x\n", r)
	}
	return text
}

func kernelState() (s state, err error) {
	for range 10 { // a busy machine answers late, and go-libaudit waits half a second
		if s, err = askState(); err == nil || !strings.Contains(err.Error(), "no reply received") {
			break
		}
	}
	return s, err
}

func askState() (state, error) {
	client, err := libaudit.NewAuditClient(nil)
	if err != nil {
		return state{}, err
	}
	defer client.Close()
	st, err := client.GetStatus()
	if err != nil {
		return state{}, err
	}
	rules, err := client.GetRules()
	return state{*st, rules}, err
}

func mustState(t *testing.T) state {
	t.Helper()
	s, err := kernelState()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// recording is an open source and what it gave until now. Its batches are never
// reset, so that events stay readable.
type recording struct {
	t       *testing.T
	kernel  *audit.Kernel
	events  []*event.Event
	changes []event.Change
	losses  []event.Loss
	notices []string
}

func record(t *testing.T, o audit.KernelOptions) *recording {
	t.Helper()
	k, err := audit.OpenKernel(o)
	if err != nil {
		t.Fatal(err)
	}
	r := &recording{t: t, kernel: k}
	t.Cleanup(func() {
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, w := range k.Warnings() {
		t.Log("warning:", w)
	}
	if err := k.ProcEvents(); err != nil {
		t.Log(err)
	}
	return r
}

// read reads once and returns the error of Read.
func (r *recording) read(ctx context.Context) error {
	b := event.NewBatch(64)
	err := r.kernel.Read(ctx, b)
	r.events = append(r.events, b.Events()...)
	r.changes = append(r.changes, b.Changes...)
	r.losses = append(r.losses, b.Losses...)
	return err
}

// until reads until done, and fails the test after a time that is ample.
func (r *recording) until(what string, done func() bool) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 30*time.Second)
	defer cancel()
	for !done() {
		if err := r.read(ctx); err != nil {
			r.t.Fatalf("waiting for %s: %v; seen %s", what, err, r.summary())
		}
	}
}

// end closes the source and reads what is left.
func (r *recording) end() {
	r.t.Helper()
	if err := r.kernel.Close(); err != nil {
		r.t.Fatal(err)
	}
	for {
		err := r.read(r.t.Context())
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r *recording) summary() string {
	var b strings.Builder
	for _, e := range r.events[max(0, len(r.events)-40):] {
		fmt.Fprintf(&b, "\n  %v %v pid %d %s %s", e.Kind, e.Op, e.PID, text(e, event.FilePath), text(e, event.ProcessPath))
	}
	return fmt.Sprintf("%d events, %d changes, losses %+v:%s", len(r.events), len(r.changes), r.losses, b.String())
}

// find returns the first event of the kind, operation and process that meets.
func (r *recording) find(k event.Kind, op event.Op, pid int, meets func(*event.Event) bool) *event.Event {
	i := slices.IndexFunc(r.events, func(e *event.Event) bool {
		return e.Kind == k && e.Op == op && int(e.PID) == pid && (meets == nil || meets(e))
	})
	if i < 0 {
		return nil
	}
	return r.events[i]
}

func text(e *event.Event, f event.Field) string {
	v, _ := e.Text(f)
	return string(v)
}

func elements(e *event.Event, f event.Field) (all []string) {
	for v := range e.Elements(f) {
		all = append(all, string(v))
	}
	return all
}

// The processes that the tests start are this test binary again: it runs
// TestLiveChild with what to do in the environment.
const childEnv = "SEISMO_LIVE_CHILD"

// child returns a command that does what, with more arguments.
func child(t *testing.T, what string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", append([]string{"-test.run=^TestLiveChild$", "--"}, args...)...)
	cmd.Env = append(os.Environ(), childEnv+"="+what)
	cmd.Stderr = os.Stderr
	return cmd
}

// begin starts cmd, which is told to end by s when this test binary is killed. The
// kernel tells it when the thread ends that started it, so that is held until the test
// is over.
func begin(t *testing.T, cmd *exec.Cmd, s sys.Signal) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &sys.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = s
	started, over := make(chan error), make(chan struct{})
	t.Cleanup(func() { close(over) })
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		started <- cmd.Start()
		<-over
	}()
	return <-started
}

// output starts cmd and returns the lines that it prints.
func output(t *testing.T, cmd *exec.Cmd) *bufio.Scanner {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := begin(t, cmd, unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	return bufio.NewScanner(out)
}

// TestLiveChild is no test: it is what child starts.
func TestLiveChild(t *testing.T) {
	what := os.Getenv(childEnv)
	if what == "" {
		t.Skip("it is started by other tests")
	}
	args := os.Args[slices.Index(os.Args, "--")+1:]
	if err := childActions[what](args); err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		os.Exit(99)
	}
	os.Exit(7)
}

var childActions = map[string]func(args []string) error{
	"nothing":    func([]string) error { return nil },
	"wait":       func([]string) error { time.Sleep(time.Hour); return nil },
	"threadexec": childThreadExec,
	"net":        childNet,
	"files":      childFiles,
	"record":     childRecord,
	"grab":       childGrab,
	"storm":      childStorm,
	"open":       childOpen,
	"plugin":     childPlugin,
}

// childThreadExec runs "nothing" in its place, from a thread that is not the
// leader.
func childThreadExec([]string) error {
	result := make(chan error)
	var run func()
	run = func() {
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			go run()
			select {} // the leader is taken, the next one gets another thread
		}
		result <- sys.Exec("/proc/self/exe", []string{"x", "-test.run=^TestLiveChild$", "--"}, []string{childEnv + "=nothing"})
	}
	go run()
	return <-result
}

// childNet connects to itself and prints the port.
func childNet([]string) error {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() {
		c, err := net.Dial("tcp4", l.Addr().String())
		if err == nil {
			c.Close()
		}
	}()
	c, err := l.Accept()
	if err != nil {
		return err
	}
	fmt.Println(l.Addr().(*net.TCPAddr).Port, c.RemoteAddr().(*net.TCPAddr).Port)
	return errors.Join(c.Close(), l.Close())
}

// childFiles makes, changes, renames and removes files below args[0].
func childFiles(args []string) error {
	at := func(name string) string { return filepath.Join(args[0], name) }
	if err := os.WriteFile(at("a"), []byte("1"), 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(at("a"), []byte("2"), 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(at("own/x"), nil, 0o600); err != nil {
		return err
	}
	if err := os.Chmod(at("a"), 0o640); err != nil {
		return err
	}
	if err := os.Rename(at("a"), at("b c")); err != nil {
		return err
	}
	// A name relative to a descriptor that is not the working directory.
	dir, err := unix.Open(args[0], unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	fd, err := unix.Openat(dir, "relative", unix.O_CREAT|unix.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	fmt.Println("done")      // the directory stays open until its record was read
	os.Stdin.Read([]byte{0}) // ends with the pipe
	return errors.Join(unix.Close(fd), unix.Close(dir), os.Remove(at("b c")))
}

// childRecord is a recorder that never ends: undo file args[0], root args[1].
func childRecord(args []string) error {
	k, err := audit.OpenKernel(audit.KernelOptions{UndoPath: args[0], Roots: args[1:]})
	if err != nil {
		return err
	}
	fmt.Println("recording")
	for {
		if err := k.Read(context.Background(), event.NewBatch(0)); err != nil {
			return errors.Join(err, k.Close())
		}
	}
}

// childGrab asks for the audit role and prints the answer.
func childGrab([]string) error {
	client, err := libaudit.NewAuditClient(nil)
	if err != nil {
		return err
	}
	err = client.SetPID(libaudit.WaitForReply)
	fmt.Println(errors.Is(err, unix.EEXIST), err)
	return nil
}

// childStorm runs the program args[0] args[1] times, args[2] times a second,
// and prints how often it was started and in what time.
func childStorm(args []string) error {
	total, err1 := strconv.Atoi(args[1])
	rate, err2 := strconv.Atoi(args[2])
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	began := time.Now()
	started := 0
	for i := range total {
		due := began.Add(time.Duration(i) * time.Second / time.Duration(rate))
		if wait := time.Until(due); wait > time.Millisecond {
			time.Sleep(wait)
		}
		pid, err := sys.ForkExec(args[0], []string{args[0], strconv.Itoa(i)}, &sys.ProcAttr{})
		if err != nil {
			return err
		}
		started++
		var status unix.WaitStatus
		if _, err := unix.Wait4(pid, &status, 0, nil); err != nil {
			return err
		}
	}
	fmt.Println(started, time.Since(began).Nanoseconds())
	return nil
}
