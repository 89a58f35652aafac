// SPDX-License-Identifier: Apache-2.0

// These tests do on the live kernel what is hard to tell from records, and look at
// each event. What the processes do is in liveactions_linux_test.go.

package audit_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"seismo/internal/event"
	"seismo/sources/audit"
)

// acting runs a child until it says that it has done all, and then until last, a
// row of it, has been read. It returns the rows of its process that keep takes, in
// order, and what the child said.
func acting(t *testing.T, r *recording, last, what string, args ...string) (rows []string, said []string) {
	t.Helper()
	cmd := child(t, what, args...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	lines := output(t, cmd)
	ok := lines.Scan() && strings.HasPrefix(lines.Text(), "done")
	if !ok {
		cmd.Process.Kill()
		t.Fatalf("child %s said %q: %v", what, lines.Text(), cmd.Wait())
	}
	said = strings.Fields(lines.Text())[1:]
	last = strings.ReplaceAll(last, "PORT", strings.Join(said[:min(1, len(said))], ""))
	all := func() (rows []string) {
		for _, e := range r.events {
			if v := viewOf(e); int(e.PID) == cmd.Process.Pid {
				rows = append(rows, row(&v))
			}
		}
		return rows
	}
	r.until("the last row of "+what, func() bool {
		return slices.ContainsFunc(all(), func(s string) bool { return strings.Contains(s, last) })
	})
	in.Close()
	cmd.Wait()
	return all(), said
}

// wantRows checks that rows holds want, in order; what lies between them is not
// looked at.
func wantRows(t *testing.T, rows []string, want ...string) {
	t.Helper()
	at := 0
	for _, w := range want {
		i := slices.Index(rows[at:], w)
		if i < 0 {
			t.Errorf("no row %q after the ones before it; rows:\n  %s", w, strings.Join(rows, "\n  "))
			return
		}
		at += i + 1
	}
}

// Names relative to descriptors are whole, and told by what the descriptor is, not
// by the working directory or by a link that somebody put on the way.
func TestLiveDecodeDirectories(t *testing.T) {
	o := live(t)
	root := o.Roots[0]
	r := record(t, o)
	rows, _ := acting(t, r, "delete "+root+"/d2/direct", "dirfd", root)
	var want []string
	for _, line := range []string{
		"create DIR/d1 40755", "create DIR/d2 40755", "create DIR/gone 40755",
		"create DIR/d1/x 100600", "rename DIR/d1/x to DIR/d2/y 100600",
		"create DIR/d2/z 100600", "create DIR/d1/nested 100600", "create DIR/d1/up 100600",
	} {
		want = append(want, strings.ReplaceAll(line, "DIR", root))
	}
	wantRows(t, rows, want...)
	for _, line := range []string{
		"permission DIR/d2/passed 100640", "rename DIR/d2/y to DIR/d1/nested 100600", "rename DIR/d1/nested to DIR/d2/y 100600",
		"create DIR/d2/magic 100600", "create DIR/trap/through 100600", "create DIR/d2/direct 100600", "create DIR/d2/passed 100600",
		"delete DIR/gone 40755", "delete DIR/d2/direct 100600",
	} {
		wantRows(t, rows, strings.ReplaceAll(line, "DIR", root))
	}
	if !slices.ContainsFunc(rows, func(s string) bool { return strings.HasPrefix(s, "create "+root+"/d1/#") }) ||
		!slices.ContainsFunc(rows, func(s string) bool {
			return strings.HasPrefix(s, "link ") && strings.Contains(s, " to "+root+"/linked")
		}) {
		t.Errorf("no file without a name, or no name for it; rows:\n  %s", strings.Join(rows, "\n  "))
	}
}

// A tree that was seen when it was made is removed under its whole names by a
// process that has ended before its records are read.
func TestLiveDecodeRemovedTree(t *testing.T) {
	o := live(t)
	root := o.Roots[0]
	r := record(t, o)
	acting(t, r, "tree/f2", "tree", root)
	cmd := exec.Command("rm", "-r", filepath.Join(root, "tree"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("rm: %v %s", err, out)
	}
	deleted := func() (rows []string) {
		for _, e := range r.events {
			if v := viewOf(e); e.Kind == event.KindFile && e.Op == event.OpDelete && int(e.PID) == cmd.Process.Pid {
				rows = append(rows, row(&v))
			}
		}
		slices.Sort(rows)
		return rows
	}
	r.until("four names to go", func() bool { return len(deleted()) >= 4 })
	want := []string{"delete " + root + "/tree 40755", "delete " + root + "/tree/f2 100600",
		"delete " + root + "/tree/sub 40755", "delete " + root + "/tree/sub/f1 100600"}
	if got := deleted(); !slices.Equal(got, want) {
		t.Errorf("rm -r gave %q, want %q", got, want)
	}
}

// Mount namespaces and roots of a process's own: paths are as the process sees them.
func TestLiveDecodeNamespaces(t *testing.T) {
	o := live(t)
	o.Decode.Demand.Calls = []string{"mount", "setns", "unshare"}
	root := o.Roots[0]
	r := record(t, o)
	rows, _ := acting(t, r, "setns(-1 0) = -9", "mounts", root)
	wantRows(t, rows, "unshare(CLONE_NEWNS CLONE_NEWUTS) = 0", "mount(ptr ptr ptr MS_REC MS_PRIVATE) = 0 /")
	if !slices.ContainsFunc(rows, func(s string) bool {
		return strings.HasPrefix(s, "mount(") && strings.HasSuffix(s, "MS_BIND) = 0 "+root+"/bound")
	}) {
		t.Errorf("no bind mount; rows:\n  %s", strings.Join(rows, "\n  "))
	}
	wantRows(t, rows, "create "+root+"/bound/in 100600", "setns(-1 0) = -9")
	rows, _ = acting(t, r, "/jailed", "chroot", root)
	wantRows(t, rows, "create /jailed 100600")
}

// Both ends of connections, and the port that the kernel chose for a listener.
func TestLiveDecodeSockets(t *testing.T) {
	o := live(t)
	r := record(t, o)
	rows, said := acting(t, r, "127.0.0.1:1 result -111", "sockets")
	if len(said) != 5 {
		t.Fatalf("the child said %q", said)
	}
	l, c1, c2, u := said[0], said[1], said[2], said[3]
	wantRows(t, rows, "listen tcp 127.0.0.1:"+l+" result 0",
		"connect tcp 127.0.0.1:"+l+" result 0, knows both", "accept tcp 127.0.0.1:"+c1+" result 0, knows both",
		"connect tcp 127.0.0.1:"+l+" result 0, knows both", "accept tcp 127.0.0.1:"+c2+" result 0, knows both",
		"listen udp 127.0.0.1:"+u+" result 0", "connect udp 127.0.0.1:"+u+" result 0, knows both",
		"connect tcp 127.0.0.1:1 result -111, knows destination")
	var ends []string
	for _, e := range r.events {
		if v := viewOf(e); e.Kind == event.KindNetwork && e.Op != event.OpListen && v.fields["network.protocol"] == "tcp" && v.fields["network.result"] == "0" {
			ends = append(ends, v.op+" "+v.fields["network.source_port"]+" "+v.fields["network.destination_port"])
		}
	}
	want := []string{"connect " + c1 + " " + l, "accept " + c1 + " " + l, "connect " + c2 + " " + l, "accept " + c2 + " " + l}
	for _, w := range want {
		if !slices.Contains(ends, w) {
			t.Errorf("no %s in %q", w, ends)
		}
	}
}

// Execs of every form, and what processes do to each other.
func TestLiveDecodeProcesses(t *testing.T) {
	o := live(t)
	o.Decode.Demand.Calls = []string{"memfd_create", "process_vm_writev", "ptrace"}
	root := o.Roots[0]
	r := record(t, o)
	var victim string
	rows, said := acting(t, r, "/missing", "processes", root)
	victim = said[0]
	wantRows(t, rows, "ptrace(PTRACE_ATTACH "+victim+" 0x0 0x0) = 0 on "+victim)
	wantRows(t, rows, "execve(ptr ptr ptr) = -2 "+root+"/missing")
	all := func() (rows []string) {
		for _, e := range r.events {
			v := viewOf(e)
			rows = append(rows, row(&v))
		}
		return rows
	}
	ended := func(s string) bool { return strings.HasSuffix(s, " a a the last] flags 11") }
	r.until("the exec with many arguments", func() bool { return slices.ContainsFunc(all(), ended) })
	got := all()
	script := func(s string) bool {
		return strings.HasPrefix(s, "create ") && strings.HasSuffix(s, " [/bin/sh ./run.sh first two words]")
	}
	long := func(s string) bool {
		return strings.HasPrefix(s, "create ") && strings.HasSuffix(s, "p p  payload] flags 10") && len(s) < 33<<10
	}
	for what, is := range map[string]func(string) bool{"script": script, "long argument": long, "many arguments": ended} {
		if !slices.ContainsFunc(got, is) {
			t.Errorf("no exec of a %s", what)
		}
	}
	if !slices.Contains(got, "create /memfd:payload (deleted) [nameless]") || !slices.Contains(got, "memfd_create(ptr 0) = 3") &&
		!slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, "memfd_create(ptr 0) = ") }) {
		t.Error("no program without a name")
	}
	if i := slices.IndexFunc(r.events, func(e *event.Event) bool { return len(elements(e, event.ProcessArgs)) > 4096 }); i >= 0 {
		t.Errorf("an exec has more than 4,096 arguments: %d", len(elements(r.events[i], event.ProcessArgs)))
	}
}

// What login programs and user management write is told with its result.
func TestLiveDecodeSecurity(t *testing.T) {
	o := live(t)
	su, err := exec.LookPath("su")
	if err != nil {
		t.Skip("NOT RUN, needs su")
	}
	silent := o
	silent.Decode.SecuritySilent = true
	for _, tt := range []struct {
		name string
		o    audit.KernelOptions
		want bool
	}{{"on", o, true}, {"off", silent, false}} {
		r := record(t, tt.o)
		cmd := exec.Command(su, "-s", "/bin/sh", "nobody", "-c", "true")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("su: %v %s", err, out)
		}
		r.end()
		if n := r.kernel.Stats().LeftOut; (n > 0) == tt.want {
			t.Errorf("%s: %d events were left out", tt.name, n)
		}
		var rows []string
		for _, e := range r.events {
			if v := viewOf(e); e.Kind == event.KindSecurity && strings.HasSuffix(v.fields["process.path"], "/su") && e.Op != event.OpPrivilege {
				rows = append(rows, row(&v))
			}
		}
		got := fmt.Sprint(slices.Contains(rows, "authenticate USER_AUTH success nobody"), slices.Contains(rows, "logon USER_START success nobody"), slices.Contains(rows, "logoff USER_END success nobody"))
		if want := fmt.Sprint(tt.want, tt.want, tt.want); got != want {
			t.Errorf("security %s: rows %q", tt.name, rows)
		}
	}
}
