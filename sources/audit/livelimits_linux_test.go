// SPDX-License-Identifier: Apache-2.0

// These tests record where something is missing: a capability, a namespace, a reader
// that runs.

package audit_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	sys "syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"seismo/sources/audit"
)

// without runs do in a thread that lacks a capability.
func without(t *testing.T, capability int, do func()) {
	t.Helper()
	done := make(chan struct{})
	audit.OnOwnThread(func() { // capabilities are a thread's
		defer close(done)
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var data [2]unix.CapUserData
		if err := unix.Capget(&header, &data[0]); err != nil {
			t.Error(err)
			return
		}
		data[capability/32].Effective &^= 1 << (capability % 32)
		if err := unix.Capset(&header, &data[0]); err != nil {
			t.Error(err)
			return
		}
		do()
	})
	<-done
}

// What is not allowed is named, with what is lost by it.
func TestLiveMissingCapability(t *testing.T) {
	o := live(t)
	refused := func(o audit.KernelOptions, name string) func() {
		return func() {
			_, err := audit.OpenKernel(o)
			if !errors.Is(err, audit.ErrPrivilege) || !strings.Contains(err.Error(), name) {
				t.Errorf("OpenKernel by %q = %v, want %v naming %s", o.Way, err, audit.ErrPrivilege, name)
			}
			if _, err := os.Stat(o.UndoPath); !os.IsNotExist(err) {
				t.Errorf("the undo file is there though nothing has changed: %v", err)
			}
		}
	}
	without(t, unix.CAP_AUDIT_CONTROL, refused(o, "CAP_AUDIT_CONTROL"))
	beside := o
	beside.Way = audit.WayMulticast
	without(t, unix.CAP_AUDIT_READ, refused(beside, "CAP_AUDIT_READ"))
	for _, c := range []struct {
		number int
		name   string
	}{{unix.CAP_NET_ADMIN, "CAP_NET_ADMIN"}, {unix.CAP_AUDIT_READ, "CAP_AUDIT_READ"}, {unix.CAP_AUDIT_WRITE, "CAP_AUDIT_WRITE"}} {
		without(t, c.number, func() {
			k, err := audit.OpenKernel(o)
			if err != nil {
				t.Errorf("OpenKernel without %s = %v, want it to record", c.name, err)
				return
			}
			if w := strings.Join(k.Warnings(), "\n"); !strings.Contains(w, c.name+" is missing: ") {
				t.Errorf("warnings %q, want %s", w, c.name)
			}
			if err := k.ProcEvents(); err != nil && !errors.Is(err, audit.ErrNoProcEvents) {
				t.Errorf("ProcEvents = %v, want %v", err, audit.ErrNoProcEvents)
			}
			if err := k.Close(); err != nil {
				t.Errorf("Close without %s = %v", c.name, err)
			}
		})
	}
}

// childOpen opens the live source with undo file args[0] and prints the error.
func childOpen(args []string) error {
	k, err := audit.OpenKernel(audit.KernelOptions{UndoPath: args[0], Roots: []string{}})
	fmt.Println(errors.Is(err, audit.ErrPrivilege), err)
	if err == nil {
		return k.Close()
	}
	return nil
}

// In a namespace or another root the refusal says what it is about.
func TestLiveNamespaces(t *testing.T) {
	live(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	if err := exec.Command("cp", self, filepath.Join(root, "test")).Run(); err != nil {
		t.Fatal(err)
	}
	ids := []sys.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}}
	for _, tt := range []struct {
		name string
		attr sys.SysProcAttr
		want string
	}{
		{"a pid namespace", sys.SysProcAttr{Cloneflags: unix.CLONE_NEWPID}, "first pid namespace"},
		{"a user namespace", sys.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER, UidMappings: ids, GidMappings: ids}, "first user namespace"},
		{"another root", sys.SysProcAttr{Chroot: root}, "/proc"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cmd := child(t, "open", "/undo.json")
			if tt.attr.Chroot != "" {
				cmd.Path, cmd.Dir = "/test", "/"
			} else {
				cmd.Args[len(cmd.Args)-1] = filepath.Join(t.TempDir(), "undo.json")
			}
			cmd.SysProcAttr = &tt.attr
			out, err := cmd.Output()
			switch {
			case len(out) == 0 && errors.Is(err, unix.EPERM):
				t.Skipf("NOT RUN, the kernel gives no %s: %v", tt.name, err)
			case len(out) == 0 && tt.attr.Chroot != "" && errors.Is(err, unix.ENOENT):
				t.Skip("NOT RUN, this binary needs libraries: run with CGO_ENABLED=0")
			}
			if !strings.Contains(string(out), tt.want) || strings.HasPrefix(string(out), "false <nil>") {
				t.Errorf("in %s: %q (%v), want an error with %q", tt.name, out, err, tt.want)
			}
		})
	}
}

// A recorder that was stopped for ten seconds has lost nothing.
func TestLiveStoppedRecorder(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 15 s")
	}
	p := newProduct(t, live(t))
	program := noop(t) // which runs it once
	r := p.record()
	if err := r.cmd.Process.Signal(unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	s := startStorm(t, program, 1000, 500)
	<-s.done
	time.Sleep(max(0, 10*time.Second-time.Since(began)))
	if err := r.cmd.Process.Signal(unix.SIGCONT); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * time.Second)
	if code := r.stop(os.Interrupt); code != 0 {
		t.Errorf("exit code %d:\n%s", code, &r.log)
	}
	if n := p.count("SELECT count(*) FROM process_events WHERE process_path = '%s' AND operation = 'create'", program); n != s.total {
		t.Errorf("%d of %d programs are stored", n, s.total)
	}
	if st := p.status(); st.SerialGaps != 0 || st.KernelLost != 0 || st.Overruns != 0 {
		t.Errorf("status %+v: want nothing lost", st)
	}
}

// What a killed recorder missed is counted by the kernel's numbers, in one row.
func TestLiveGapAfterKill(t *testing.T) {
	p := newProduct(t, live(t))
	program := noop(t)
	run := func(n int) {
		for i := range n {
			if err := exec.Command(program, strconv.Itoa(i)).Run(); err != nil {
				t.Fatal(err)
			}
		}
	}
	r := p.record()
	run(20)
	time.Sleep(2500 * time.Millisecond) // they are stored
	r.cmd.Process.Kill()
	r.cmd.Wait()
	const missed = 200
	run(missed)
	r = p.record()
	run(20)
	time.Sleep(2500 * time.Millisecond)
	if code := r.stop(os.Interrupt); code != 0 {
		t.Errorf("exit code %d:\n%s", code, &r.log)
	}
	if n := p.count("SELECT count(*) FROM process_events WHERE process_path = '%s' AND operation = 'create'", program); n != 40 {
		t.Errorf("%d programs are stored, want the 40 that were recorded", n)
	}
	rows := p.query("SELECT count, unit, detail FROM losses WHERE reason = 'not_recording'")
	if len(rows) != 1 {
		t.Fatalf("losses while no recorder ran: %v, want one", rows)
	}
	// Others run programs as well, a few; nothing of ours was counted twice.
	if n, _ := rows[0]["count"].(float64); n < missed || rows[0]["unit"] != "events" {
		t.Errorf("loss %v, want the %d programs and what others did, in events", rows[0], missed)
	}
	t.Log(rows)
}

// Two recorders do not share a kernel, whatever their home folders are.
func TestLiveSecondRecorder(t *testing.T) {
	p := newProduct(t, live(t))
	r := p.record()
	other := filepath.Join(t.TempDir(), "other")
	for _, home := range []string{p.home, other} {
		cmd := exec.Command(p.bin, "record", "--home", home)
		out, _ := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != 5 || !strings.Contains(string(out), strconv.Itoa(r.cmd.Process.Pid)) {
			t.Errorf("a second recorder in %s: exit code %d, %s; want 5 and the first one's process %d",
				home, cmd.ProcessState.ExitCode(), out, r.cmd.Process.Pid)
		}
	}
	if code := r.stop(os.Interrupt); code != 0 {
		t.Errorf("exit code of the first %d", code)
	}
}

// Where nothing happens the source hardly wakes.
func TestLiveIdle(t *testing.T) {
	r := record(t, live(t))
	stop := r.reading()
	time.Sleep(3 * time.Second)
	received, began, before := r.kernel.Stats().Received, time.Now().UnixNano(), switches(t)
	const span = 10
	time.Sleep(span * time.Second)
	got, records := switches(t)-before, r.kernel.Stats().Received-received
	stop()
	forks := 0 // and exits, which come whatever the rules say
	for _, c := range r.changes {
		if c.Time >= began {
			forks++
		}
	}
	t.Logf("%d switches of all threads, %d records, %d forks and exits in %d s", got, records, forks, span)
	// It wakes once a second, and once for what happens in one moment; a wake-up is up to
	// ten switches, of the threads that the Go runtime hands it on to.
	if got > 20*(span+int(records)+forks) {
		t.Errorf("%d switches in %d s for %d records, forks and exits", got, span, int(records)+forks)
	}
}

// switches returns how often the threads of this process have given up a processor.
func switches(t *testing.T) (n int) {
	t.Helper()
	tasks, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		status, _ := os.ReadFile(task)
		for line := range strings.Lines(string(status)) {
			if f := strings.Fields(line); len(f) == 2 && f[0] == "voluntary_ctxt_switches:" {
				v, _ := strconv.Atoi(f[1])
				n += v
			}
		}
	}
	return n
}
