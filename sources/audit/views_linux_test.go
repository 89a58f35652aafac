// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"seismo/internal/event"
)

// A path is cut to what lies below a root, and to nothing else.
func TestViewCut(t *testing.T) {
	for _, tt := range []struct {
		prefix, path, want string
		ok                 bool
	}{
		{"/jail", "/jail/a", "/a", true}, {"/jail", "/jail", "/", true}, {"/jail", "/jailer/a", "", false},
		{"/jail", "/a", "", false}, {"/jail", "/", "", false}, {"", "/a", "/a", true},
	} {
		seen := &view{prefix: tt.prefix}
		if got, ok := seen.cut(tt.path); got != tt.want || ok != tt.ok {
			t.Errorf("cut of %s below %s = %q, %v; want %q, %v", tt.path, tt.prefix, got, ok, tt.want, tt.ok)
		}
	}
	if got, ok := (*view)(nil).cut("/a"); got != "/a" || !ok {
		t.Errorf("cut in our own view = %q, %v", got, ok)
	}
}

// Who sees what follows forks and ends; who is not known and can not be looked at has no
// view where others than ours are about and nobody tells of them.
func TestViewsFollowProcesses(t *testing.T) {
	const gone = 1 << 30 // above any pid
	other := &view{id: 9, prefix: "/jail"}
	old := time.Now().Add(-time.Hour).UnixNano()
	call := func(pid int32, name string, result int64) *event.Event {
		e := event.NewBatch(1).Add(event.KindSyscall, event.OpCall)
		e.PID = pid
		e.SetString(event.SyscallName, name)
		e.SetInt(event.SyscallResult, result)
		return e
	}
	for _, tt := range []struct {
		name string
		do   func(*views)
		pid  int32
		ppid int32
		want *view
		ok   bool
	}{
		{"nobody has another view", func(*views) {}, gone, 1, nil, true},
		{"another has another view", func(v *views) { v.set(gone+1, other) }, gone, 1, nil, true},
		{"another has, and who else would not be told", func(v *views) { v.set(gone+1, other); v.tracked = false }, gone, 1, noView, false},
		{"too many have", func(v *views) { v.unsure = true }, gone, 1, noView, false},
		{"a child", func(v *views) { v.set(gone, other); v.forked([]event.Change{{PID: gone + 1, Parent: gone}}) }, gone + 1, 1, other, true},
		{"a child that is not told yet", func(v *views) { v.set(gone, other) }, gone + 1, gone, other, true},
		{"one that has just ended", func(v *views) {
			v.set(gone, other)
			v.forked([]event.Change{{PID: gone, Exit: true, Time: time.Now().UnixNano()}})
			v.forked(nil)
		}, gone, 1, other, true},
		{"one that has ended long ago", func(v *views) {
			v.set(gone, other)
			v.set(gone+1, other)
			v.forked([]event.Change{{PID: gone, Exit: true, Time: old}})
			v.forked(nil)
		}, gone, 1, nil, true},
		{"its number is another's now", func(v *views) {
			v.set(gone, other)
			v.set(gone+1, other)
			v.forked([]event.Change{{PID: gone, Exit: true, Time: old}, {PID: gone, Parent: 1}})
		}, gone, 1, nil, true},
		{"its number is another's with a view of its own", func(v *views) {
			v.set(gone, other)
			v.forked([]event.Change{{PID: gone + 1, Parent: gone}, {PID: gone + 1, Exit: true, Time: old}, {PID: gone + 1, Parent: gone}})
			v.forked(nil)
		}, gone + 1, 1, other, true},
		{"a call that changes it", func(v *views) { v.changed(call(gone, "unshare", 0)) }, gone, 1, noView, false},
		{"a call that failed", func(v *views) { v.changed(call(gone, "unshare", -1)) }, gone, 1, nil, true},
		{"a child with namespaces", func(v *views) { v.changed(call(1, "clone", gone)) }, gone, 1, noView, false},
		{"another call", func(v *views) { v.changed(call(gone, "ptrace", 0)) }, gone, 1, nil, true},
	} {
		v := newViews()
		v.tracked = true
		tt.do(v)
		a := v.find(tt.pid, tt.ppid)
		if a.seen != tt.want || a.known != tt.ok || a.alive {
			t.Errorf("%s: find = %+v, want %+v, known %v", tt.name, a, tt.want, tt.ok)
		}
	}
	v := newViews()
	v.set(int32(os.Getpid()), other) // its number is ours now
	if a := v.find(int32(os.Getpid()), 1); a.seen != nil || !a.alive || !a.known || len(v.of) > 0 {
		t.Errorf("find of ourselves = %+v", a)
	}
	for i := range int32(maxViewers + 1) {
		v.set(gone+i, other)
	}
	if len(v.of) != 1 || !v.unsure {
		t.Errorf("%d processes are remembered of %d, unsure %v", len(v.of), maxViewers+1, v.unsure)
	}
}

// Where a process that is gone had gone by chroot is known by the name that it gave, if
// no link leads there.
func TestViewOfChroot(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink(dir, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ path, want string }{{dir, dir}, {filepath.Join(dir, "link"), ""}, {filepath.Join(dir, "none"), ""}, {".", ""}} {
		v := newViews()
		e := event.NewBatch(1).Add(event.KindSyscall, event.OpCall)
		e.PID = 1 << 30
		e.SetString(event.SyscallName, "chroot")
		e.SetString(event.SyscallPath, tt.path)
		e.SetInt(event.SyscallResult, 0)
		v.changed(e)
		switch a := v.find(e.PID, 1); {
		case tt.want == "" && a.known:
			t.Errorf("chroot to %s: view %+v, want none", tt.path, a.seen)
		case tt.want != "" && v.ours.mount == 0:
			t.Log("this kernel does not number mounts")
		case tt.want != "" && (!a.known || a.seen == nil || a.seen.prefix != tt.want):
			t.Errorf("chroot to %s: view %+v, want below %s", tt.path, a.seen, tt.want)
		}
	}
}

// A process that changes its root while it is looked at has no root told by the name of
// another one.
func TestViewOfRootThatChanges(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("NOT RUN, needs root")
	}
	names := make(map[uint64]string) // by inode
	dirs := []string{t.TempDir(), t.TempDir()}
	for _, dir := range dirs {
		names[inodeOf(dir)] = dir
	}
	tid, stop, done := make(chan int, 1), make(chan struct{}), make(chan error, 1)
	OnOwnThread(func() {
		err := unix.Unshare(unix.CLONE_FS)
		root, openErr := unix.Open("/", unix.O_PATH|unix.O_CLOEXEC, 0)
		defer unix.Close(root)
		tid <- unix.Gettid()
		for i := 0; err == nil && openErr == nil; i++ {
			select {
			case <-stop:
				done <- nil
				return
			default:
				err = errors.Join(unix.Fchdir(root), unix.Chroot("."), unix.Chroot(dirs[i%len(dirs)]))
			}
		}
		done <- errors.Join(err, openErr)
	})
	pid := int32(<-tid)
	v := newViews()
	for range 20_000 {
		clear(v.byRoot)
		v.look(pid)
		for key, seen := range v.byRoot {
			if want := names[key.inode]; seen.prefix != want {
				t.Fatalf("the root with inode %d is said to be at %q, want %q", key.inode, seen.prefix, want)
			}
		}
	}
	close(stop)
	if err := <-done; err != nil {
		t.Skip("NOT RUN, needs chroot and unshare: ", err)
	}
}
