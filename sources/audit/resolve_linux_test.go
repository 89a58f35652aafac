// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"seismo/internal/event"
)

// What is remembered of a directory holds for as long as the directory is where
// it was.
func TestDirResolverForgetsWhatMoved(t *testing.T) {
	const directory, file = unix.S_IFDIR | 0o755, unix.S_IFREG | 0o644
	for _, tt := range []struct {
		name  string
		op    event.Op
		mode  int64
		other bool // it is another inode
		want  bool // the path is still known
	}{
		{"a file was renamed", event.OpRename, file, true, true},
		{"a directory was renamed, perhaps one above", event.OpRename, directory, true, false},
		{"the directory was removed", event.OpDelete, directory, false, false},
		{"another directory was removed", event.OpDelete, directory, true, true},
		{"a file was made", event.OpCreate, file, true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			open, err := os.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			var st unix.Statx_t
			if err := unix.Statx(int(open.Fd()), "", unix.AT_EMPTY_PATH, unix.STATX_INO, &st); err != nil {
				t.Fatal(err)
			}
			r := newDirResolver()
			fd := int32(open.Fd())
			if got, ok := r.resolve(int32(os.Getpid()), fd, deviceText(&st), st.Ino); !ok || got != dir {
				t.Fatalf("resolve of a live descriptor = %q, %v; want %q", got, ok, dir)
			}
			open.Close()
			e := event.NewBatch(1).Add(event.KindFile, tt.op)
			e.SetInt(event.FileMode, tt.mode)
			e.SetInt(event.FileInode, int64(st.Ino))
			if tt.other {
				e.SetInt(event.FileInode, int64(st.Ino)+1)
			}
			r.learn(e)
			if got, ok := r.resolve(1<<30, fd, deviceText(&st), st.Ino); ok != tt.want {
				t.Errorf("resolve after the descriptor was closed = %q, %v; want known %v", got, ok, tt.want)
			}
		})
	}
}

// What a process calls a directory is remembered only if it is that directory,
// with no link on the way, and is not believed any more when another is there.
func TestDirResolverBelievesNoName(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"real", "other", "real/sub"} {
		if err := os.Mkdir(at(name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("real", at("link")); err != nil {
		t.Fatal(err)
	}
	idOf := func(name string) (string, uint64) {
		var st unix.Statx_t
		if err := unix.Statx(unix.AT_FDCWD, at(name), 0, unix.STATX_INO, &st); err != nil {
			t.Fatal(err)
		}
		return deviceText(&st), st.Ino
	}
	dev, real := idOf("real")
	_, sub := idOf("real/sub")
	r := newDirResolver()
	check := func(what string, inode uint64, want string) {
		t.Helper()
		if got, ok := r.resolve(1<<30, noFD, dev, inode); got != want || ok != (want != "") {
			t.Errorf("%s: resolve = %q, %v; want %q", what, got, ok, want)
		}
	}
	for _, lie := range []string{"link", "other", "link/sub", "missing", "."} {
		r.saw([]byte(dev), real, []byte(at(lie)))
		r.saw([]byte(dev), sub, []byte(at(lie)))
	}
	r.saw([]byte(dev), real, []byte("real"))
	check("names that lie", real, "")
	check("names that lie", sub, "")
	r.saw([]byte(dev), real, []byte(at("real")))
	r.saw([]byte(dev), sub, []byte(at("real/sub")))
	check("its own name", real, at("real"))
	check("its own name", sub, at("real/sub"))

	// It has moved, and is seen under the new name: what was below is not known.
	if err := os.Rename(at("real"), at("moved")); err != nil {
		t.Fatal(err)
	}
	r.saw([]byte(dev), real, []byte(at("moved")))
	check("after it moved", real, at("moved"))
	check("below, after it moved", sub, "")

	// A removed directory keeps its name for the records that are still to come,
	// until another one has it.
	r.saw([]byte(dev), sub, []byte(at("moved/sub")))
	if err := os.Remove(at("moved/sub")); err != nil {
		t.Fatal(err)
	}
	check("after it was removed", sub, at("moved/sub"))
	if err := os.Symlink("/etc", at("moved/sub")); err != nil {
		t.Fatal(err)
	}
	check("after a link took its place", sub, "")
}

// A process in a mount namespace of its own can have any directory under any name. Its
// own files are told so, those of others are not.
func TestDirResolverBelievesNoMount(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command("unshare", "-rm", "sh", "-c", `mount -t tmpfs none /mnt && mkdir /mnt/innocent &&
		mount --bind "$0" /mnt/innocent && exec 9</mnt/innocent && echo ready && read end`, dir)
	in, errIn := cmd.StdinPipe()
	out, errOut := cmd.StdoutPipe()
	if err := errors.Join(errIn, errOut, cmd.Start()); err != nil {
		t.Skip(err)
	}
	defer cmd.Wait()
	defer in.Close()
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Skip("no mount namespace can be made here")
	}
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, dir, 0, unix.STATX_INO, &st); err != nil {
		t.Fatal(err)
	}
	r := newDirResolver()
	if got, ok := r.resolve(int32(cmd.Process.Pid), 9, deviceText(&st), st.Ino); !ok || got != "/mnt/innocent" {
		t.Fatalf("resolve of the process's own = %q, %v; want the name that it has there", got, ok)
	}
	if got, ok := r.resolve(1<<30, 9, deviceText(&st), st.Ino); ok {
		t.Errorf("resolve for another process = %q; want nothing", got)
	}
}

// What is below a descriptor is believed if it is the file that the record says.
func TestResolveBelow(t *testing.T) {
	dir := t.TempDir()
	if err := errors.Join(os.MkdirAll(filepath.Join(dir, "a/b"), 0o755), os.Symlink("a", filepath.Join(dir, "l"))); err != nil {
		t.Fatal(err)
	}
	open, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, filepath.Join(dir, "a/b"), 0, unix.STATX_INO, &st); err != nil {
		t.Fatal(err)
	}
	r := newDirResolver()
	for _, tt := range []struct {
		rel   string
		inode uint64
		want  string
	}{
		{"a/b", st.Ino, filepath.Join(dir, "a/b")}, {"./a/../a/b", st.Ino, filepath.Join(dir, "a/b")},
		{"a/b", st.Ino + 1, ""}, {"l/b", st.Ino, ""}, {"a", st.Ino, ""}, {"a/c", st.Ino, ""},
	} {
		got, ok := r.resolveBelow(int32(os.Getpid()), int32(open.Fd()), tt.rel, deviceText(&st), tt.inode)
		if ok != (tt.want != "") || ok && got != tt.want {
			t.Errorf("resolveBelow(%q, inode %d) = %q, %v; want %q", tt.rel, tt.inode, got, ok, tt.want)
		}
	}
}

// Whatever was remembered and forgotten, the directories with one inode are found: a
// removal of one of thousands is not looked for among all.
func TestDirResolverFindsByInode(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := newDirResolver()
		numbers := rapid.Uint64Range(1, 5)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			inode := numbers.Draw(t, "inode")
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0:
				e := event.NewBatch(1).Add(event.KindFile, event.OpDelete)
				e.SetInt(event.FileMode, unix.S_IFDIR)
				e.SetInt(event.FileInode, int64(inode))
				r.learn(e)
				for key := range r.known {
					if key.inode == inode {
						t.Fatalf("%v is known after its removal", key)
					}
				}
			case 1:
				r.forgetBelow(fmt.Sprint("/", inode))
			default:
				r.remember(dirKey{"00:01", inode, uint32(numbers.Draw(t, "view"))}, fmt.Sprint("/", numbers.Draw(t, "name")))
			}
			n := 0
			for inode, at := range r.byInode {
				for ; at != nil; at = at.Value.(*knownDir).next {
					if d := at.Value.(*knownDir); d.key.inode != inode || r.known[d.key] != at {
						t.Fatalf("inode %d leads to %+v, which is not known", inode, d)
					}
					n++
				}
			}
			if n != len(r.known) || n != r.order.Len() {
				t.Fatalf("%d found by inode, %d known, %d in order", n, len(r.known), r.order.Len())
			}
		}
	})
}

// BenchmarkForgetDir shows what the removal of a directory costs where many are known.
func BenchmarkForgetDir(b *testing.B) {
	r := newDirResolver()
	for i := range uint64(maxDirs) {
		r.remember(dirKey{dev: "00:01", inode: i + 10}, "/x")
	}
	e := event.NewBatch(1).Add(event.KindFile, event.OpDelete)
	e.SetInt(event.FileMode, unix.S_IFDIR)
	e.SetInt(event.FileInode, 1)
	for b.Loop() {
		r.learn(e)
	}
}
