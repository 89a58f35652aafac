// SPDX-License-Identifier: Apache-2.0

// These tests look at paths that are hard to tell: of processes with another root, of
// directories that were renamed or removed before anybody looked.

package audit_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	sys "syscall"
	"testing"

	"golang.org/x/sys/unix"
	"seismo/internal/event"
)

func init() {
	childActions["jail"], childActions["jailgone"], childActions["jailspace"] = childJail, childJailGone, childJailSpace
	childActions["moving"], childActions["fill"] = childMoving, childFill
}

// enter makes args[0] the root.
func (s *steps) enter(dir string) {
	s.do("chroot", func() error { return unix.Chroot(dir) })
	s.do("chdir", func() error { return unix.Chdir("/") })
}

// byDescriptor makes, renames and removes a file below dir.
func (s *steps) byDescriptor(dir int) {
	s.open(dir, "x", making)
	s.do("renameat", func() error { return unix.Renameat(dir, "x", dir, "y") })
	s.do("unlinkat", func() error { return unix.Unlinkat(dir, "y", 0) })
}

// childJail works below descriptors in the root args[0], and of one outside, args[1].
func childJail(args []string) error {
	var s steps
	outside := s.open(unix.AT_FDCWD, args[1], folder)
	s.enter(args[0])
	s.do("mkdir", func() error { return unix.Mkdir("/d", 0o755) })
	dir := s.open(unix.AT_FDCWD, "/d", folder)
	root := s.open(unix.AT_FDCWD, "/", folder)
	s.byDescriptor(dir)
	s.open(root, "top", making)
	s.open(outside, "escaped", making)
	s.open(unix.AT_FDCWD, "/end", making)
	return s.done()
}

// childJailGone is like childJail, but has ended before anybody looks.
func childJailGone(args []string) error {
	var s steps
	s.enter(args[0])
	s.do("mkdir", func() error { return errors.Join(unix.Mkdir("/g", 0o755), unix.Mkdir("/g/sub", 0o755)) })
	dir := s.open(unix.AT_FDCWD, "/g", folder)
	s.byDescriptor(dir)
	s.do("remove", func() error { return unix.Unlinkat(dir, "sub", unix.AT_REMOVEDIR) })
	s.open(unix.AT_FDCWD, "/end", making)
	return s.err
}

// childJailSpace binds args[0]/from at args[0]/bound in its own mount namespace, works
// there, makes args[0] its root and works there.
func childJailSpace(args []string) error {
	var s steps
	at := func(name string) string { return filepath.Join(args[0], name) }
	s.do("private", func() error { return unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") })
	s.do("bind", func() error { return unix.Mount(at("from"), at("bound"), "", unix.MS_BIND, "") })
	dir := s.open(unix.AT_FDCWD, at("bound"), folder)
	s.byDescriptor(dir)
	if len(args) > 1 {
		s.enter(args[0])
		dir = s.open(unix.AT_FDCWD, "/bound", folder)
		s.byDescriptor(dir)
	}
	s.open(unix.AT_FDCWD, at("end")[map[bool]int{true: len(args[0])}[len(args) > 1]:], making)
	return s.done()
}

// childMoving renames directories below args[0] that it has open.
func childMoving(args []string) error {
	var s steps
	at := func(name string) string { return filepath.Join(args[0], name) }
	s.do("mkdir", func() error { return os.MkdirAll(at("a/sub"), 0o755) })
	dir := s.open(unix.AT_FDCWD, at("a/sub"), folder)
	root := s.open(unix.AT_FDCWD, args[0], folder)
	s.open(dir, "in a", making)
	s.do("rename", func() error { return unix.Rename(at("a"), at("b")) })
	s.open(dir, "in b", making)
	s.do("rename", func() error { return unix.Renameat(root, "b", root, "c") })
	s.open(dir, "in c", making)
	s.do("rename", func() error { return unix.Renameat(root, "c/sub", root, "c/deep") })
	s.open(dir, "in deep", making)
	return s.done()
}

// childFill makes a tree below args[0] and removes it again, all by descriptors.
func childFill(args []string) error {
	var s steps
	top := s.open(unix.AT_FDCWD, args[0], folder)
	dir, dirs := top, []int{top}
	names := []string{"t", "sub", "deep"}
	for _, name := range names {
		s.do("mkdirat", func() error { return unix.Mkdirat(dir, name, 0o755) })
		dir = s.open(dir, name, folder)
		dirs = append(dirs, dir)
		s.open(dir, "f", making)
	}
	for i := len(names); i > 0; i-- {
		s.do("unlinkat", func() error { return unix.Unlinkat(dirs[i], "f", 0) })
		s.do("rmdir", func() error { return unix.Unlinkat(dirs[i-1], names[i-1], unix.AT_REMOVEDIR) })
	}
	return s.err
}

// jail makes a folder with d below the watched folder.
func jail(t *testing.T, root, name string, dirs ...string) string {
	t.Helper()
	for _, dir := range append(dirs, ".") {
		if err := os.MkdirAll(filepath.Join(root, name, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(root, name)
}

// A process in a chroot has the paths that it sees, also below descriptors, and no path
// for what lies outside.
func TestLivePathsInChroot(t *testing.T) {
	o := live(t)
	root := o.Roots[0]
	inside, outside := jail(t, root, "jail"), jail(t, root, "outside")
	r := record(t, o)
	rows, _ := acting(t, r, "create /end", "jail", inside, outside)
	wantRows(t, rows, "create /d 40755", "create /d/x 100600", "rename /d/x to /d/y 100600", "delete /d/y 100600",
		"create /top 100600", "create escaped 100600 partial", "create /end 100600")
}

// rowsBy returns the rows of files of a process.
func rowsBy(r *recording, pid int) (rows []string) {
	for _, e := range r.events {
		if v := viewOf(e); e.Kind == event.KindFile && int(e.PID) == pid {
			rows = append(rows, row(&v))
		}
	}
	return rows
}

// What a process in a chroot did before it ended has its own paths or none, never those
// of others; and who is not in it has whole paths all the same.
func TestLivePathsInChrootOfTheDead(t *testing.T) {
	o := live(t)
	root := o.Roots[0]
	inside := jail(t, root, "jail")
	r := record(t, o)
	for range 5 {
		cmd := child(t, "jailgone", inside)
		cmd.Run()
		if code := cmd.ProcessState.ExitCode(); code != 7 {
			t.Fatalf("child: exit %d", code)
		}
		var rows []string
		r.until("the end", func() bool {
			rows = rowsBy(r, cmd.Process.Pid)
			return len(rows) > 0 && strings.HasPrefix(rows[len(rows)-1], "create /end ") || slices.ContainsFunc(rows, func(s string) bool { return strings.HasPrefix(s, "write /end") })
		})
		whole := 0
		for _, s := range rows {
			if strings.Contains(s, inside) {
				t.Errorf("row %q has the path of another view", s)
			}
			if !strings.Contains(s, "partial") {
				whole++
			}
		}
		t.Logf("%d of %d rows whole: %q", whole, len(rows), rows)
		if err := os.Remove(filepath.Join(inside, "g")); err != nil {
			t.Fatal(err)
		}
	}
}

// A process in a mount namespace of its own has the paths that it sees.
func TestLivePathsInMountNamespace(t *testing.T) {
	o := live(t)
	root := o.Roots[0]
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{{"with our root", nil, "PATH/"}, {"with another root", []string{"chroot"}, "/"}} {
		place := jail(t, root, strings.ReplaceAll(tt.name, " ", "_"), "from", "bound")
		r := record(t, o)
		end := strings.Replace(tt.want, "PATH", place, 1)
		cmd := child(t, "jailspace", append([]string{place}, tt.args...)...)
		cmd.SysProcAttr = &sys.SysProcAttr{Unshareflags: unix.CLONE_NEWNS}
		in, _ := cmd.StdinPipe()
		lines := output(t, cmd)
		if !lines.Scan() || !strings.HasPrefix(lines.Text(), "done") {
			t.Fatalf("child said %q: %v", lines.Text(), cmd.Wait())
		}
		r.until("the end", func() bool {
			return slices.Contains(rowsBy(r, cmd.Process.Pid), "create "+end+"end 100600")
		})
		in.Close()
		cmd.Wait()
		rows := rowsBy(r, cmd.Process.Pid)
		at := end + "bound/"
		wantRows(t, rows, "create "+at+"x 100600", fmt.Sprintf("rename %sx to %sy 100600", at, at), "delete "+at+"y 100600")
		if tt.args != nil { // what was before has the path of then, or none
			for _, s := range rows[:3] {
				if !strings.Contains(s, place+"/bound/") && !strings.Contains(s, "partial") {
					t.Errorf("row %q before the root was changed", s)
				}
			}
		}
		r.end()
	}
}

// An event has the name that its directory had then, whenever somebody looks.
func TestLivePathsOfRenamed(t *testing.T) {
	o := live(t)
	root := o.Roots[0]
	r := record(t, o)
	rows, _ := acting(t, r, "/in deep", "moving", root)
	var want []string
	for _, s := range []string{"create R/a/sub/in a 100600", "rename R/a to R/b 40755", "create R/b/sub/in b 100600",
		"rename R/b to R/c 40755", "create R/c/sub/in c 100600", "rename R/c/sub to R/c/deep 40755", "create R/c/deep/in deep 100600"} {
		want = append(want, strings.ReplaceAll(s, "R", root))
	}
	wantRows(t, rows, want...)
}

// A tree that is made and removed before anybody looks has its names.
func TestLivePathsOfVanished(t *testing.T) {
	o := live(t)
	root := o.Roots[0]
	r := record(t, o)
	cmd := child(t, "fill", root)
	cmd.Run()
	if code := cmd.ProcessState.ExitCode(); code != 7 {
		t.Fatalf("child: exit %d", code)
	}
	var rows []string
	r.until("the removal", func() bool {
		rows = rowsBy(r, cmd.Process.Pid)
		return slices.Contains(rows, "delete "+root+"/t 40755")
	})
	var want []string
	for _, s := range []string{"create R/t 40755", "create R/t/f 100600", "create R/t/sub 40755", "create R/t/sub/f 100600",
		"create R/t/sub/deep 40755", "create R/t/sub/deep/f 100600", "delete R/t/sub/deep/f 100600", "delete R/t/sub/deep 40755",
		"delete R/t/sub/f 100600", "delete R/t/sub 40755", "delete R/t/f 100600", "delete R/t 40755"} {
		want = append(want, strings.ReplaceAll(s, "R", root))
	}
	wantRows(t, rows, want...)

	// What a shell makes and rm removes.
	shell := exec.Command("/bin/sh", "-c", "mkdir -p tree/a/b && : >tree/a/b/f && : >tree/a/g && rm -r tree; : >end")
	shell.Dir = root
	if out, err := shell.CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	r.until("the end", func() bool { return slices.Contains(rowsBy(r, shell.Process.Pid), "create "+root+"/end 100644") })
	var deleted []string
	for _, e := range r.events {
		if v := viewOf(e); e.Kind == event.KindFile && e.Op == event.OpDelete && int(e.PID) != cmd.Process.Pid {
			deleted = append(deleted, row(&v))
		}
	}
	slices.Sort(deleted)
	want = nil
	for _, s := range []string{"delete R/tree 40755", "delete R/tree/a 40755", "delete R/tree/a/b 40755", "delete R/tree/a/b/f 100644", "delete R/tree/a/g 100644"} {
		want = append(want, strings.ReplaceAll(s, "R", root))
	}
	if !slices.Equal(deleted, want) {
		t.Errorf("rm -r gave %q, want %q", deleted, want)
	}
}
