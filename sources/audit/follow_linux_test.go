// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// logWriter writes a log as auditd does: numbered records, rotated on demand.
type logWriter struct {
	t    testing.TB
	path string
	n    int // records written
}

func (w *logWriter) line(n int) string {
	return fmt.Sprintf("type=SYSCALL msg=audit(%d.%03d:%d): pid=%d\n", 1000+n/10, n%1000, n, n)
}

func (w *logWriter) put(text string) {
	w.t.Helper()
	f, err := os.OpenFile(w.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		w.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		w.t.Fatal(err)
	}
}

func (w *logWriter) write(records int) {
	for range records {
		w.n++
		w.put(w.line(w.n))
	}
}

// rotate renames NAME.i to NAME.i+1 and NAME to NAME.1, keeping the given number.
func (w *logWriter) rotate(keep int) {
	os.Remove(fmt.Sprintf("%s.%d", w.path, keep))
	for i := keep - 1; i >= 1; i-- {
		os.Rename(fmt.Sprintf("%s.%d", w.path, i), fmt.Sprintf("%s.%d", w.path, i+1))
	}
	os.Rename(w.path, w.path+".1")
}

// records returns the numbers of the records that feed gives until it has no more.
func records(t testing.TB, f feed) (got []int) {
	t.Helper()
	for idle := 0; idle < 3; {
		n := len(got)
		more, err := f.read(func(m message) {
			var sec, ms, serial, pid int
			if _, err := fmt.Sscanf(string(m.data), "type=SYSCALL msg=audit(%d.%d:%d): pid=%d", &sec, &ms, &serial, &pid); err != nil || !m.line || m.cut {
				t.Fatalf("record %q (line %v, cut %v): %v", m.data, m.line, m.cut, err)
			}
			got = append(got, serial)
		})
		if err != nil {
			t.Fatal(err)
		}
		if !more && len(got) == n {
			idle++
		}
	}
	return got
}

func numbers(from, to int) (n []int) {
	for i := from; i <= to; i++ {
		n = append(n, i)
	}
	return n
}

func follow(t testing.TB, path string, o FollowOptions) feed {
	t.Helper()
	f, err := FollowLog(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.from.close() })
	return f.from
}

func TestFollowLog(t *testing.T) {
	tests := []struct {
		name   string
		before func(w *logWriter) FollowOptions
		after  func(w *logWriter, read func())
		want   func(w *logWriter) []int
	}{
		{"what was in the log before is left out",
			func(w *logWriter) FollowOptions { w.write(5); return FollowOptions{} },
			func(w *logWriter, _ func()) { w.write(3) },
			func(*logWriter) []int { return numbers(6, 8) }},
		{"a line that was being written is left out, the next is whole",
			func(w *logWriter) FollowOptions { w.write(1); w.put("type=SYSC"); return FollowOptions{} },
			func(w *logWriter, _ func()) { w.put("ALL msg=audit(1000.002:2): pid=2\n"); w.n++; w.write(1) },
			func(*logWriter) []int { return []int{3} }},
		{"a log that is not there yet",
			func(*logWriter) FollowOptions { return FollowOptions{} },
			func(w *logWriter, read func()) { read(); w.write(3) },
			func(*logWriter) []int { return numbers(1, 3) }},
		{"a rotation: what was written last to the old log comes first",
			func(w *logWriter) FollowOptions { w.write(2); return FollowOptions{} },
			func(w *logWriter, read func()) { w.write(2); read(); w.write(3); w.rotate(5); w.write(4) },
			func(*logWriter) []int { return numbers(3, 11) }},
		{"several rotations between two looks",
			func(*logWriter) FollowOptions { return FollowOptions{} },
			func(w *logWriter, read func()) {
				w.write(2)
				read()
				for range 4 {
					w.write(3)
					w.rotate(9)
				}
				w.write(1)
			},
			func(w *logWriter) []int { return numbers(1, w.n) }},
		{"a log that was rotated away altogether: what is left is read",
			func(*logWriter) FollowOptions { return FollowOptions{} },
			func(w *logWriter, read func()) {
				w.write(2)
				read()
				for range 4 {
					w.write(3)
					w.rotate(2)
				}
				w.write(1)
			},
			func(w *logWriter) []int { return append(numbers(1, 5), numbers(9, w.n)...) }},
		{"a log that is truncated in place begins anew",
			func(*logWriter) FollowOptions { return FollowOptions{} },
			func(w *logWriter, read func()) { w.write(5); read(); os.Truncate(w.path, 0); w.write(2) },
			func(*logWriter) []int { return numbers(1, 7) }},
		{"from a record on, in a rotated log",
			func(w *logWriter) FollowOptions {
				w.write(40)
				w.rotate(9)
				w.write(40)
				return FollowOptions{Since: 1002e9 + 25e6, Serial: 25}
			},
			func(w *logWriter, _ func()) { w.write(2) },
			func(*logWriter) []int { return numbers(26, 82) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := &logWriter{t: t, path: filepath.Join(t.TempDir(), "audit.log")}
			f := follow(t, w.path, tt.before(w))
			var got []int
			read := func() { got = append(got, records(t, f)...) }
			tt.after(w, read)
			read()
			if want := tt.want(w); !slices.Equal(got, want) {
				t.Errorf("records %v; want %v", got, want)
			}
		})
	}
}

// Whenever it is rotated and read, every record comes once, in order, as long as the
// logs that were not read are there.
func TestFollowLogOverRotations(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := &logWriter{t: t, path: filepath.Join(t.TempDir(), "audit.log")}
		f, err := FollowLog(w.path, FollowOptions{})
		if err != nil {
			rt.Fatal(err)
		}
		defer f.from.close()
		var got []int
		for _, step := range rapid.SliceOfN(rapid.IntRange(0, 3), 1, 40).Draw(rt, "steps") {
			switch step {
			case 0:
				w.put("") // auditd rotates what is there
				w.rotate(60)
			case 1:
				got = append(got, records(t, f.from)...)
			default:
				w.write(step)
			}
		}
		got = append(got, records(t, f.from)...)
		if want := numbers(1, w.n); !slices.Equal(got, want) {
			rt.Fatalf("records %v; want %v", got, want)
		}
	})
}

// What is no log is refused, and nothing waits for it.
func TestFollowLogRefuses(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, path, want string }{
		{"a pipe", pipe, "no regular file"},
		{"a folder", dir, "no regular file"},
		{"a folder that is not there", filepath.Join(dir, "no", "audit.log"), "no such file"},
	}
	for _, tt := range tests {
		if _, err := FollowLog(tt.path, FollowOptions{}); err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), tt.path+" (log_file in auditd.conf") {
			t.Errorf("%s: FollowLog(%s): %v; want %q, the path and where it stands", tt.name, tt.path, err, tt.want)
		}
	}
}

// A log wakes whoever waits for it.
func TestFollowLogWakes(t *testing.T) {
	w := &logWriter{t: t, path: filepath.Join(t.TempDir(), "audit.log")}
	f := follow(t, w.path, FollowOptions{})
	records(t, f)
	w.write(1)
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(f.waitFD()), Events: unix.POLLIN}}, 10_000)
	if n != 1 || err != nil {
		t.Fatalf("poll of a log that was written to: %d, %v; want 1", n, err)
	}
	if got := records(t, f); !slices.Equal(got, []int{1}) {
		t.Errorf("records %v; want 1", got)
	}
	if n, err := unix.Poll([]unix.PollFd{{Fd: int32(f.waitFD()), Events: unix.POLLIN}}, 0); n != 0 || err != nil {
		t.Errorf("poll after all was read: %d, %v; want 0", n, err)
	}
}

func TestPlugin(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p, err := OpenPlugin(r)
	if err != nil {
		t.Fatal(err)
	}
	defer p.from.close()
	var got []string
	read := func() error {
		for {
			more, err := p.from.read(func(m message) { got = append(got, fmt.Sprintf("%d %v %s", m.typ, m.line, m.data)) })
			if !more || err != nil {
				return err
			}
		}
	}
	if err := read(); err != nil || got != nil {
		t.Fatalf("read of an empty pipe: %v, %v; want nothing", got, err)
	}
	io.WriteString(w, frame(0, 1300, "audit(1.000:1): a=1")+frame(1, 1320, "type=EOE msg=audit(1.000:1): ")[:20])
	if err := read(); err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, frame(1, 1320, "type=EOE msg=audit(1.000:1): ")[20:])
	w.Close()
	if err := read(); !errors.Is(err, nil) {
		t.Fatal(err)
	}
	if err := read(); !errors.Is(err, io.EOF) {
		t.Errorf("read after auditd has closed its end: %v; want io.EOF", err)
	}
	if want := []string{"1300 false audit(1.000:1): a=1", "1320 true type=EOE msg=audit(1.000:1): "}; !slices.Equal(got, want) {
		t.Errorf("records %q; want %q", got, want)
	}
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := OpenPlugin(file); err == nil || !strings.Contains(err.Error(), "neither a pipe nor a socket") {
		t.Errorf("OpenPlugin of a file: %v; want it refused", err)
	}
}
