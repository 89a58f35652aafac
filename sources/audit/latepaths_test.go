// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"seismo/internal/event"
)

// lateLog writes events for a batch, one after the other.
type lateLog struct {
	b      strings.Builder
	serial int
}

const (
	lateFile, lateDir = "0100644", "040755"
	lateTime          = 1_700_000_000 // s, of all events
)

func (l *lateLog) call(nr int, fd string, paths ...string) {
	l.serial++
	head := fmt.Sprintf("msg=audit(%d.000:%d): ", lateTime, l.serial)
	fmt.Fprintf(&l.b, "type=SYSCALL %sarch=c000003e syscall=%d success=yes exit=0 a0=%s a1=0 a2=%s a3=0 items=%d ppid=1 pid=20 auid=0 uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=pts0 ses=1 comm=\"x\" exe=\"/bin/x\" key=(null)\n",
		head, nr, fd, fd, len(paths))
	fmt.Fprintf(&l.b, "type=CWD %scwd=\"/cwd\"\n", head)
	for i, p := range paths {
		fmt.Fprintf(&l.b, "type=PATH %sitem=%d %s\n", head, i, p)
	}
	fmt.Fprintf(&l.b, "type=EOE %s\n", head)
}

func latePath(name, typ string, inode int, mode string) string {
	return fmt.Sprintf("name=\"%s\" inode=%d dev=fe:00 mode=%s ouid=0 ogid=0 rdev=00:00 nametype=%s", name, inode, mode, typ)
}

// in is the PARENT item of a call below the directory inode.
func lateIn(inode int) string { return latePath("/cwd", "PARENT", inode, lateDir) }

func (l *lateLog) unlink(dir int, name string, inode int) {
	l.call(263, "5", lateIn(dir), latePath(name, "DELETE", inode, lateFile))
}
func (l *lateLog) rmdir(dir int, name string, inode int) {
	l.call(263, "5", lateIn(dir), latePath(name, "DELETE", inode, lateDir))
}
func (l *lateLog) mkdir(dir int, name string, inode int) {
	l.call(258, "5", lateIn(dir), latePath(name, "CREATE", inode, lateDir))
}
func (l *lateLog) rename(from int, old string, to int, name string, inode int, mode string) {
	paths := []string{lateIn(from), lateIn(to)}
	if from == to {
		paths = paths[:1]
	}
	l.call(264, "5", append(paths, latePath(old, "DELETE", inode, mode), latePath(name, "CREATE", inode, mode))...)
}

// lateRows decodes the log as one batch and settles it. known are the directories that
// somebody knows.
func lateRows(t interface{ Fatal(...any) }, log string, known func(inode uint64) (string, bool)) (rows []string) {
	return lateRowsOf(t, log, known, known)
}

// lateRowsOf is lateRows where before is asked while events are decoded.
func lateRowsOf(t interface{ Fatal(...any) }, log string, before, known func(inode uint64) (string, bool)) (rows []string) {
	late := &latePaths{}
	d := NewDecoder(DecodeOptions{ResolveDir: func(_, _ int32, dev string, inode uint64) (string, bool) { return before(inode) }})
	d.late = late
	asm := NewReassembler(Limits{})
	b := event.NewBatch(8)
	for line := range strings.Lines(log) {
		h, r, err := ParseLine([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		asm.Push(h, r, 0)
		for g := asm.Pop(); g != nil; g = asm.Pop() {
			d.Decode(g, b)
			asm.Release(g)
		}
	}
	for _, e := range b.Events() {
		if mode, _ := e.Int(event.FileMode); e.Op == event.OpRename && mode&modeType == modeDirectory {
			late.renames = append(late.renames, dirRename{e, e.Serial, 0})
		}
	}
	late.settle(func(_ *event.Event, dev string, inode uint64) (string, bool) {
		if dev != "fe:00" {
			return "", false
		}
		return known(inode)
	})
	for _, e := range b.Events() {
		text := func(f event.Field) string { v, _ := e.Text(f); return string(v) }
		rows = append(rows, strings.TrimSpace(strings.Join([]string{e.Op.String(), text(event.FilePath), text(event.FileTargetPath), text(event.FilePathStatus)}, " ")))
	}
	return rows
}

// What a batch tells of directories gives the names of those that are gone.
func TestLatePathsOfRemoved(t *testing.T) {
	for _, tt := range []struct {
		name string
		log  func(*lateLog)
		want []string
	}{
		{"bottom up, of a tree that nobody has seen", func(l *lateLog) {
			l.unlink(3, "f", 9)
			l.rmdir(2, "b", 3)
			l.unlink(2, "g", 8)
			l.rmdir(1, "a", 2)
		}, []string{"delete /top/a/b/f", "delete /top/a/b", "delete /top/a/g", "delete /top/a"}},
		{"a directory whose end is not told", func(l *lateLog) {
			l.unlink(3, "f", 9)
		}, []string{"delete f  partial"}},
		{"a directory that was made, and moved before it went", func(l *lateLog) {
			l.mkdir(1, "a", 2)
			l.unlink(2, "f", 9)
			l.rename(1, "a", 1, "b", 2, lateDir)
			l.unlink(2, "g", 8)
			l.rmdir(1, "b", 2)
		}, []string{"create /top/a", "delete /top/a/f", "rename /top/a /top/b", "delete /top/b/g", "delete /top/b"}},
		{"an inode that is used again", func(l *lateLog) {
			l.unlink(2, "f", 9)
			l.rmdir(1, "a", 2)
			l.mkdir(1, "b", 2)
			l.unlink(2, "g", 9)
			l.rmdir(1, "b", 2)
			l.unlink(2, "h", 9)
		}, []string{"delete /top/a/f", "delete /top/a", "create /top/b", "delete /top/b/g", "delete /top/b", "delete h  partial"}},
		{"an inode that is used again, of which only that is told", func(l *lateLog) {
			l.unlink(2, "f", 9)
			l.mkdir(1, "b", 2)
			l.rmdir(1, "b", 2)
		}, []string{"delete f  partial", "create /top/b", "delete /top/b"}},
		{"a rename with one name from a directory that is gone", func(l *lateLog) {
			l.rename(2, "x", 2, "y", 9, lateFile)
			l.rmdir(1, "a", 2)
		}, []string{"rename /top/a/x /top/a/y", "delete /top/a"}},
		{"directories that say of each other that they are above", func(l *lateLog) {
			l.unlink(3, "f", 9)
			l.rmdir(2, "b", 3)
			l.rmdir(3, "a", 2)
		}, []string{"delete f  partial", "delete b  partial", "delete a  partial"}},
		{"names that are none", func(l *lateLog) {
			l.unlink(3, "..", 9)
			l.rmdir(1, ".", 3)
			l.unlink(3, "f", 9)
		}, []string{"delete ..  partial", "delete .  partial", "delete f  partial"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var l lateLog
			tt.log(&l)
			got := lateRows(t, l.b.String(), func(inode uint64) (string, bool) { return "/top", inode == 1 })
			want := slices.Clone(tt.want)
			if strings.HasPrefix(tt.name, "names") {
				got[1] = want[1] // whatever is made of a name that the kernel does not write
			}
			if !slices.Equal(got, want) {
				t.Errorf("rows %q, want %q", got, want)
			}
		})
	}
}

// Events before a rename have the old name, those after it the new one, also where the
// answer that was had is the newest.
func TestLatePathsOfRenamed(t *testing.T) {
	now := map[uint64]string{1: "/top", 2: "/top/c", 3: "/top/c/sub", 4: "/top/cc"}
	var l lateLog
	l.unlink(2, "in a", 9)
	l.unlink(3, "in a", 9)
	l.unlink(4, "beside", 9)
	l.rename(1, "a", 1, "b", 2, lateDir)
	l.unlink(3, "in b", 9)
	l.rename(3, "x", 3, "y", 9, lateFile)
	l.rename(1, "b", 1, "c", 2, lateDir)
	l.unlink(3, "in c", 9)
	want := []string{"delete /top/a/in a", "delete /top/a/sub/in a", "delete /top/cc/beside", "rename /top/a /top/b", "delete /top/b/sub/in b",
		"rename /top/b/sub/x /top/b/sub/y", "rename /top/b /top/c", "delete /top/c/sub/in c"}
	got := lateRows(t, l.b.String(), func(inode uint64) (string, bool) { p, ok := now[inode]; return p, ok })
	if !slices.Equal(got, want) {
		t.Errorf("rows\n %q, want\n %q", got, want)
	}
}

// A file that is named by descriptor has the name that it was made with, or given, also
// where another file has its inode and descriptor when somebody looks.
func TestLatePathsByDescriptor(t *testing.T) {
	const fchmod = 91
	for _, tt := range []struct {
		name string
		log  func(*lateLog)
		now  string // what is at the inode 9 now
		want []string
	}{
		{"the inode is used again", func(l *lateLog) {
			for _, name := range []string{"a", "b"} {
				l.call(257, "5", lateIn(1), latePath(name, "CREATE", 9, lateFile))
				l.call(fchmod, "6", unnamedPath(9))
				l.unlink(1, name, 9)
			}
			l.call(257, "5", lateIn(1), latePath("c", "CREATE", 9, lateFile))
		}, "/top/c", []string{"create /top/a", "permission /top/a", "delete /top/a", "create /top/b", "permission /top/b", "delete /top/b", "create /top/c"}},
		{"the process is gone", func(l *lateLog) {
			l.call(257, "5", lateIn(1), latePath("a", "CREATE", 9, lateFile))
			l.call(fchmod, "6", unnamedPath(9))
		}, "", []string{"create /top/a", "permission /top/a"}},
		{"it was renamed before", func(l *lateLog) {
			l.call(257, "5", lateIn(1), latePath("a", "CREATE", 9, lateFile))
			l.rename(1, "a", 1, "b", 9, lateFile)
			l.call(fchmod, "6", unnamedPath(9))
		}, "", []string{"create /top/a", "rename /top/a /top/b", "permission /top/b"}},
		{"it had no name any more", func(l *lateLog) {
			l.call(257, "5", lateIn(1), latePath("a", "CREATE", 9, lateFile))
			l.unlink(1, "a", 9)
			l.call(fchmod, "6", unnamedPath(9))
			l.call(257, "5", lateIn(1), latePath("b", "CREATE", 9, lateFile))
		}, "/top/b", []string{"create /top/a", "delete /top/a", "permission   partial", "create /top/b"}},
	} {
		var l lateLog
		tt.log(&l)
		got := lateRowsOf(t, l.b.String(), func(inode uint64) (string, bool) {
			if inode == 9 {
				return tt.now, tt.now != ""
			}
			return "/top", inode == 1
		}, func(inode uint64) (string, bool) { return "/top", inode == 1 })
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: rows %q, want %q", tt.name, got, tt.want)
		}
	}
}

// unnamedPath is the item of a file that a call names by descriptor.
func unnamedPath(inode int) string {
	return fmt.Sprintf("name=(null) inode=%d dev=fe:00 mode=%s ouid=0 ogid=0 rdev=00:00 nametype=NORMAL", inode, lateFile)
}

// A path that was had after its process got another root is none; one of a process with
// our root, or had before, stays.
func TestLatePathsOfTurned(t *testing.T) {
	at := time.Unix(lateTime, 0).UnixNano()
	for _, tt := range []struct {
		name string
		view uint32
		turn viewTurn
		want string
	}{
		{"another root now", 7, viewTurn{20, 2, at}, "create x partial"},
		{"our root now", 0, viewTurn{20, 2, at}, "create /top/x "},
		{"the call was before the event", 7, viewTurn{20, 1, at}, "create /top/x "},
		{"the call was after the look", 7, viewTurn{20, 2, 1 << 62}, "create /top/x "},
		{"another process", 7, viewTurn{21, 2, at}, "create /top/x "},
	} {
		b := event.NewBatch(1)
		e := b.Add(event.KindFile, event.OpCreate)
		e.Serial, e.PID = 1, 20
		e.SetString(event.FilePath, "/top/x")
		late := &latePaths{view: tt.view, turns: []viewTurn{tt.turn}}
		late.notePath(e, 1, false, pathAsked, []byte("x"), nil, nil)
		late.settle(func(*event.Event, string, uint64) (string, bool) { return "", false })
		path, _ := e.Text(event.FilePath)
		status, _ := e.Text(event.FilePathStatus)
		if got := fmt.Sprintf("create %s %s", path, status); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// A model of a file tree is changed and told of, and nobody can look at it but at its
// end: every path is whole, and the one that it was.
func TestLatePathsModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type node struct {
			parent int
			name   string
		}
		dirs := map[int]node{}
		pathOf := func(inode int) string {
			path := ""
			for ; inode != 1; inode = dirs[inode].parent {
				path = "/" + dirs[inode].name + path
			}
			return "/top" + path
		}
		inodes := func() []int {
			all := []int{1}
			for i := range dirs {
				all = append(all, i)
			}
			slices.Sort(all)
			return all
		}
		free := []int{2, 3, 4, 5}
		names := 0
		name := func() string { names++; return fmt.Sprintf("n%d", names) }
		isEmpty := func(inode int) bool {
			for _, n := range dirs {
				if n.parent == inode {
					return false
				}
			}
			return true
		}
		under := func(inode, above int) bool {
			for ; inode != 1; inode = dirs[inode].parent {
				if inode == above {
					return true
				}
			}
			return false
		}
		var l lateLog
		var want []string
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			dir := rapid.SampledFrom(inodes()).Draw(t, "dir")
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0:
				n := name()
				l.unlink(dir, n, 99)
				want = append(want, "delete "+pathOf(dir)+"/"+n)
			case 1:
				if len(free) > 0 {
					n := node{dir, name()}
					inode := free[0]
					free = free[1:]
					l.mkdir(dir, n.name, inode)
					dirs[inode] = n
					want = append(want, "create "+pathOf(inode))
				}
			case 2:
				if dir != 1 && isEmpty(dir) {
					l.rmdir(dirs[dir].parent, dirs[dir].name, dir)
					want = append(want, "delete "+pathOf(dir))
					delete(dirs, dir)
					free = append([]int{dir}, free...)
				}
			case 3:
				if dir != 1 {
					to := dirs[dir].parent // the sides of a rename to another one are not always known
					was, n := dirs[dir], node{to, name()}
					if under(to, dir) {
						continue
					}
					row := "rename " + pathOf(dir)
					l.rename(was.parent, was.name, to, n.name, dir, lateDir)
					dirs[dir] = n
					want = append(want, row+" "+pathOf(dir))
				}
			}
		}
		known := func(inode uint64) (string, bool) {
			if _, ok := dirs[int(inode)]; !ok && inode != 1 {
				return "", false
			}
			return pathOf(int(inode)), true
		}
		// Who looks while events are decoded may find another directory with the inode.
		got := lateRows(t, l.b.String(), known)
		if len(got) != len(want) {
			t.Fatalf("rows %q, want %q", got, want)
		}
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("row %d is %q, want %q; all %q", i, got[i], want[i], want)
			}
		}
	})
}

// Whoever renames directories in a loop does not fill memory: a batch holds each path a
// few times, not once for each rename.
func TestLateRenamesTakeLittle(t *testing.T) {
	const renames = 1000
	l := &latePaths{}
	b := event.NewBatch(renames)
	for i := range renames {
		e := b.Add(event.KindFile, event.OpRename)
		e.Serial = uint64(i + 1)
		names := []string{"/" + strings.Repeat("a", 120), "/" + strings.Repeat("b", 120)}
		e.SetString(event.FilePath, names[i%2])
		e.SetString(event.FileTargetPath, names[1-i%2])
		for _, target := range []bool{false, true} {
			l.notes = append(l.notes, pathNote{e: e, serial: e.Serial, target: target, how: pathAsked, at: 1})
		}
		l.renames = append(l.renames, dirRename{e: e, serial: e.Serial})
	}
	l.settle(func(*event.Event, string, uint64) (string, bool) { return "", false })
	if b.Full(renames + 1) {
		t.Errorf("%d renames fill a batch", renames)
	}
}
