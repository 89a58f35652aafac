// SPDX-License-Identifier: Apache-2.0

package imagehash

import (
	"bufio"
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"seismo/internal/event"
)

// newHelper is a helper in this process, which gives up nothing.
func newHelper(t *testing.T) (*helper, *Starter) {
	s, _, err := NewStarter()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return &helper{out: new(bytes.Buffer), watch: s.notes, buf: make([]byte, chunk), sha256: sha256.New(), md5: md5.New()}, s
}

// idOf is how a record calls the file at path.
func idOf(t *testing.T, path string) event.FileID {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	return event.FileID{Dev: uint64(st.Dev), Inode: st.Ino}
}

// copyOf makes a program of its own of one of the system.
func copyOf(t *testing.T, program, path string) {
	t.Helper()
	b, err := os.ReadFile(program)
	if err == nil {
		err = os.WriteFile(path, b, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func sum(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

func ask(t *testing.T, h *helper, r Request) Answer {
	t.Helper()
	r.Want = SHA256 | MD5
	if r.Max == 0 {
		r.Max = 1 << 30
	}
	a, err := h.answer(&r)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// running starts a program that stays until the test has ended.
func running(t *testing.T, path string) (pid int32, at int64) {
	t.Helper()
	cmd := exec.Command(path, "100")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return int32(cmd.Process.Pid), time.Now().UnixNano()
}

// A file is reached through the process as long as that lives, whatever became of its
// path; a hash is of what ran.
func TestAnswerRunning(t *testing.T) {
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Skip("NOT RUN, there is no sleep")
	}
	want := sum(t, sleep)
	h, _ := newHelper(t)
	path := filepath.Join(t.TempDir(), "program")
	copyOf(t, sleep, path)
	id := idOf(t, path)
	pid, at := running(t, path)
	check := func(name string, r Request, status Status) Answer {
		t.Helper()
		a := ask(t, h, r)
		if a.Status != status || status == Hashed && hex.EncodeToString(a.Sums.SHA256[:]) != want {
			t.Errorf("%s: answer to %+v = %v %x, want %v %s", name, r, a.Status, a.Sums.SHA256, status, want)
		}
		return a
	}
	if a := check("runs", Request{PID: pid, Time: at, Read: true, Files: []event.FileID{id}, Path: path}, Hashed); !a.Running || a.Sums.MD5 == [16]byte{} {
		t.Errorf("runs: running %v, MD5 %x", a.Running, a.Sums.MD5)
	}
	if a := check("only looked at", Request{PID: pid, Time: at, Files: []event.FileID{id}, Path: path}, Looked); a.File.FileID != id || a.File.Size == 0 {
		t.Errorf("only looked at: file %+v, want %+v", a.File, id)
	}
	check("found running", Request{PID: pid, Time: at, Read: true, Path: path}, Hashed)
	check("found running by another name", Request{PID: pid, Time: at, Read: true, Path: path + "x"}, Refused)
	part := []event.FileID{{Dev: 1, Inode: 1}, id}
	check("a program without a loader runs a script", Request{PID: pid, Time: at, Read: true, Files: part, Path: path}, Hashed)
	check("it has gone on to its own loader", Request{PID: pid, Time: at, Read: true, Files: part, Path: path + "x"}, Refused)
	check("over the limit", Request{PID: pid, Time: at, Read: true, Max: 10, Files: []event.FileID{id}, Path: path}, TooLarge)
	check("of another exec", Request{PID: pid, Time: at, Read: true, Files: []event.FileID{{Dev: 1, Inode: 1}}, Path: path}, Refused)
	check("the pid is another's now", Request{PID: pid, Time: at - 1e12, Read: true, Files: []event.FileID{id}, Path: path}, Changed)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	copyOf(t, "/proc/self/exe", path)
	if a := check("deleted, and another at its path", Request{PID: pid, Time: at, Read: true, Files: []event.FileID{id}, Path: path}, Hashed); a.Watch != 0 {
		t.Errorf("a deleted file is watched (%d)", a.Watch)
	}
}

func TestAnswerMemfd(t *testing.T) {
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Skip("NOT RUN, there is no sleep")
	}
	h, _ := newHelper(t)
	fd, err := unix.MemfdCreate("nowhere", 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "memfd")
	defer f.Close()
	b, err := os.ReadFile(sleep)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(b); err != nil {
		t.Fatal(err)
	}
	path := "/proc/self/fd/" + strconv.Itoa(fd)
	id := idOf(t, path)
	pid, at := running(t, path)
	a := ask(t, h, Request{PID: pid, Time: at, Read: true, Files: []event.FileID{id}, Path: "/memfd:nowhere (deleted)"})
	if a.Status != Hashed || hex.EncodeToString(a.Sums.SHA256[:]) != sum(t, sleep) {
		t.Errorf("answer of a program in memory: %v %x", a.Status, a.Sums.SHA256)
	}
}

// A path counts only if it leads to the very file, unchanged since, and nothing but a
// regular file is opened to be read.
func TestAnswerPath(t *testing.T) {
	h, _ := newHelper(t)
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, text string) {
		if err := os.WriteFile(in(name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write("good", "one")
	write("other", "two")
	for _, err := range []error{os.Symlink(in("good"), in("link")), os.Mkdir(in("folder"), 0o755), os.Symlink(dir, in("around")), unix.Mkfifo(in("pipe"), 0o644)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(20 * time.Millisecond)
	now := time.Now().UnixNano()
	good, loader := idOf(t, in("good")), idOf(t, in("other"))
	tests := []struct {
		name  string
		path  string
		files []event.FileID
		time  int64
		want  Status
	}{
		{"the file", in("good"), []event.FileID{good}, now, Hashed},
		{"a program and its loader", in("good"), []event.FileID{good, loader}, now, Hashed},
		{"a script, its program and its loader", in("good"), []event.FileID{{Dev: 1, Inode: 1}, good, loader}, now, Hashed},
		{"the loader", in("good"), []event.FileID{loader, good}, now, Refused},
		{"the script", in("good"), []event.FileID{good, loader, {Dev: 1, Inode: 1}}, now, Refused},
		{"another file", in("other"), []event.FileID{good}, now, Refused},
		{"another device", in("good"), []event.FileID{{Dev: good.Dev + 1, Inode: good.Inode}}, now, Refused},
		{"changed since", in("good"), []event.FileID{good}, now - 1e9, Changed},
		{"nothing tells which file", in("good"), nil, now, Gone},
		{"a link", in("link"), []event.FileID{good}, now, Refused},
		{"a link on the way", in("around/good"), []event.FileID{good}, now, Gone},
		{"a magic link", "/proc/self/exe", []event.FileID{idOf(t, "/proc/self/exe")}, now, Gone},
		{"a folder", in("folder"), []event.FileID{idOf(t, in("folder"))}, now, Refused},
		{"a pipe", in("pipe"), []event.FileID{idOf(t, in("pipe"))}, now, Refused},
		{"a device", "/dev/zero", []event.FileID{idOf(t, "/dev/zero")}, now, Refused},
		{"nothing", in("none"), []event.FileID{good}, now, Gone},
		{"no absolute path", "good", []event.FileID{good}, now, Gone},
		{"empty", "", []event.FileID{good}, now, Gone},
		{"NUL in it", in("good") + "\x00x", []event.FileID{good}, now, Gone},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := Request{Time: tt.time, Read: true, Files: tt.files, Path: tt.path}
			a := ask(t, h, r)
			if a.Status != tt.want || a.Status == Hashed && hex.EncodeToString(a.Sums.SHA256[:]) != sum(t, in("good")) {
				t.Errorf("answer to %+v = %v %x, want %v", r, a.Status, a.Sums.SHA256, tt.want)
			}
		})
	}
}

// A change of a file that was looked at is told, whichever way it is made.
func TestWatchTells(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(path string) error
	}{
		{"written", func(p string) error { return os.WriteFile(p, []byte("three"), 0o755) }},
		{"truncated", func(p string) error { return os.Truncate(p, 1) }},
		{"through a mapping", func(p string) error {
			f, err := os.OpenFile(p, os.O_RDWR, 0)
			if err != nil {
				return err
			}
			m, err := unix.Mmap(int(f.Fd()), 0, 3, unix.PROT_WRITE, unix.MAP_SHARED)
			if err != nil {
				return err
			}
			f.Close()
			m[0] = 'x'
			return unix.Munmap(m)
		}},
		{"removed", os.Remove},
		{"replaced", func(p string) error {
			if err := os.WriteFile(p+".new", nil, 0o755); err != nil {
				return err
			}
			return os.Rename(p+".new", p)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h, s := newHelper(t)
			path := filepath.Join(t.TempDir(), "file")
			if err := os.WriteFile(path, []byte("one"), 0o755); err != nil {
				t.Fatal(err)
			}
			a := ask(t, h, Request{Time: time.Now().UnixNano() + 1e9, Read: true, Files: []event.FileID{idOf(t, path)}, Path: path})
			if a.Status != Hashed || a.Watch == 0 {
				t.Skipf("NOT RUN, the temporary folder is on a file system that is not watched: %v, watch %d", a.Status, a.Watch)
			}
			var told []int32
			collect := func(n int32) { told = append(told, n) }
			if s.Changed(collect); told != nil {
				t.Fatalf("changes of %v before any", told)
			}
			if err := tt.change(path); err != nil {
				t.Fatal(err)
			}
			if s.Changed(collect); !slices.Contains(told, a.Watch) {
				t.Errorf("changes of %v, want of %d", told, a.Watch)
			}
			told = nil
			s.Forget(a.Watch)
			if s.Changed(collect); told != nil {
				t.Errorf("changes of %v after the watch was ended", told)
			}
		})
	}
}

func TestFindMount(t *testing.T) {
	const info = "22 1 254:0 / / rw - ext4 /dev/vda rw\n221 22 0:38 /sub /mnt rw - btrfs /dev/vdb rw\n23 1 x:y / /a rw\n24\n"
	for _, tt := range []struct {
		id   uint64
		want uint64
	}{{22, unix.Mkdev(254, 0)}, {221, unix.Mkdev(0, 38)}, {2, 0}, {23, 0}, {24, 0}} {
		if got := findMount(strings.NewReader(info), tt.id); got != tt.want {
			t.Errorf("findMount(%d) = %#x, want %#x", tt.id, got, tt.want)
		}
	}
}

// Whatever the kernel may say, no event is read twice or beyond its end.
func FuzzEachChange(f *testing.F) {
	f.Add([]byte("\x05\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		n := 0
		eachChange(b, func(int32) { n++ })
		if n > len(b)/unix.SizeofInotifyEvent {
			t.Errorf("%d events in %d bytes", n, len(b))
		}
	})
}

// A helper that is asked over a socket answers, and ends with it.
func TestHelperServes(t *testing.T) {
	h, _ := newHelper(t)
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[1])
	h.out = socket(pair[1])
	served := make(chan error, 1)
	go func() { served <- h.serve(bufio.NewReader(socket(pair[1]))) }()
	out := []byte{}
	for i := range 20 {
		out = AppendRequest(out, &Request{ID: uint32(i + 1), Want: SHA256, Path: fmt.Sprint("/none/", i), Files: []event.FileID{{Dev: 1, Inode: 1}}})
	}
	ours := socket(pair[0])
	if _, err := ours.Write(out); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, maxFrame)
	for i := range 20 {
		b, err := readFrame(ours, buf)
		if err != nil {
			t.Fatal(err)
		}
		var a Answer
		if err := ParseAnswer(b, &a); err != nil || a.ID != uint32(i+1) || a.Status != Gone {
			t.Errorf("answer %d = %+v, %v; want Gone", i, a, err)
		}
	}
	syscall.Shutdown(pair[0], syscall.SHUT_WR)
	if err := <-served; err != nil {
		t.Errorf("serve after the end = %v, want nil", err)
	}
	unix.Close(pair[0])
}
