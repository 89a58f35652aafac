// SPDX-License-Identifier: Apache-2.0

// This file tries the readers of /proc and /etc on the real ones.

package process_test

import (
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"seismo/internal/event"
	"seismo/internal/process"
)

func TestThisHost(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("needs the /proc of Linux:", err)
	}
	child := exec.Command("sleep", "600")
	if err := child.Start(); err != nil {
		t.Skip("needs sleep:", err)
	}
	kill := func() {
		_ = child.Process.Kill() // twice at the end: gone already
		_ = child.Wait()
	}
	t.Cleanup(kill)

	table := process.NewTable(process.Options{Live: true, ProcFS: os.DirFS("/proc"), Users: process.NewUsers(os.DirFS("/etc"))})
	b := event.NewBatch(64)
	if _, err := table.Bootstrap(b); err != nil {
		t.Fatal(err)
	}
	var self, slept *event.Process
	for _, e := range b.Events() {
		switch int(e.PID) {
		case os.Getpid():
			self = e.Process
		case child.Process.Pid:
			slept = e.Process
		}
	}
	if self == nil || slept == nil {
		t.Fatalf("of %d processes, neither may be missing: this one %v, its child %v", b.Len(), self, slept)
	}
	if living := table.Living(); !living[self.ID] || !living[slept.ID] || len(living) != table.Running() {
		t.Errorf("Living: this process %v, its child %v, %d in all; want both and %d", living[self.ID], living[slept.ID], len(living), table.Running())
	}
	exe, _ := os.Executable()
	if real, err := filepath.EvalSymlinks(exe); err == nil {
		exe = real
	}
	cwd, _ := os.Getwd()
	if self.Path != exe || self.Cwd != cwd || !slices.Equal(self.Args, os.Args) || int(self.PPID) != os.Getppid() || self.UserID != int64(os.Getuid()) {
		t.Errorf("this process = %+v; want path %s, cwd %s, arguments %q, parent %d, user %d", self, exe, cwd, os.Args, os.Getppid(), os.Getuid())
	}
	if u, err := user.Current(); err == nil && self.UserName != "" && self.UserName != u.Username {
		t.Errorf("user name %q; want %q", self.UserName, u.Username)
	}
	if age := time.Since(time.Unix(0, self.Start)); age < 0 || age > time.Hour {
		t.Errorf("this process began %v ago; want more than nothing and less than an hour", age)
	}
	if slept.Parent != self {
		t.Errorf("parent of the child = %+v; want this process", slept.Parent)
	}

	kill()
	b.Reset()
	now := time.Now().UnixNano()
	if _, err := table.Sweep(b, now); err != nil {
		t.Fatal(err)
	}
	ended := false
	for _, e := range b.Events() {
		ended = ended || e.Op == event.OpEnd && e.Process == slept && e.Time == now
	}
	if !ended {
		t.Error("Sweep did not see the end of the child")
	}
	if table.Living()[slept.ID] {
		t.Error("Living has the child after its end")
	}
}
