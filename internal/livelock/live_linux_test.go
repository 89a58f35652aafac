// SPDX-License-Identifier: Apache-2.0

package livelock

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"seismo/internal/event"
	"seismo/sources/audit"
)

// take returns a turn with the socket that the kernel is asked over, or skips the test
// where there can be none. It ends with the test.
func take(t *testing.T) (*Turn, *control) {
	t.Helper()
	if err := audit.CheckPrivilege(); err != nil {
		t.Skipf("NOT RUN, needs root with CAP_AUDIT_CONTROL: %v", err)
	}
	turn, err := Take(t.Context())
	var refused syscall.Errno
	if errors.Is(err, ErrInUse) || errors.As(err, &refused) {
		t.Skipf("NOT RUN: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	c, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.close()
		// A test makes it as if this turn had been ended by a kill.
		if err := errors.Join(writeNote(turn.Before()), turn.End()); err != nil {
			t.Error(err)
		}
		if got, err := Read(); err != nil || !got.Same(turn.Before()) {
			t.Errorf("after the turn: %v, %v; want\n%v", got, err, turn.Before())
		}
		if _, err := os.Stat(notePath); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the note is still there after the turn: %v", err)
		}
	})
	return turn, c
}

// add adds a rule that never fires: for one call of the first process.
func add(t *testing.T, c *control, call uint32, key string) {
	t.Helper()
	rule := make([]byte, ruleBuffer, ruleBuffer+len(key))
	put := func(at int, v uint32) { binary.NativeEndian.PutUint32(rule[at:], v) }
	put(0, 4) // AUDIT_FILTER_EXIT
	put(4, 2) // AUDIT_ALWAYS
	put(ruleCount, 2)
	put(12+4*int(call/32), 1<<(call%32))
	put(ruleFields, 0) // AUDIT_PID
	put(ruleValues, 1)
	put(ruleFields+4, unix.AUDIT_FILTERKEY)
	put(ruleValues+4, uint32(len(key)))
	for n := range 2 {
		put(ruleValues+4*maxFields+4*n, 0x40000000) // AUDIT_EQUAL
	}
	put(ruleBuffer-4, uint32(len(key)))
	if err := c.change(unix.AUDIT_ADD_RULE, append(rule, key...)); err != nil {
		t.Fatalf("add a rule with the key %s: %v", key, err)
	}
}

// What a run left that was killed is put back by the next one, which has the lock then: as
// it was noted, and without a note as far as it is ours.
func TestLiveKilledRun(t *testing.T) {
	turn, c := take(t)
	for _, noted := range []bool{true, false} {
		t.Run(fmt.Sprintf("noted=%v", noted), func(t *testing.T) {
			for call, key := range ourKeys() {
				add(t, c, uint32(unix.SYS_ACCT+call), key)
			}
			var err error
			if noted {
				err = errors.Join(writeNote(turn.Before()), c.set(wordFailure, bitFailure, 0), c.set(wordBacklog, bitBacklog, 8192),
					c.set(wordWait, bitWait, 0), c.set(wordEnabled, bitEnabled, 1))
			} else if err = os.Remove(notePath); errors.Is(err, os.ErrNotExist) {
				err = nil
			}
			if err != nil {
				t.Fatal(err)
			}
			if s, err := Read(); err != nil || s.Keyed(ourKeys()...) != 3 || s.Same(turn.Before()) {
				t.Errorf("Read() = %v, %v; want three rules of ours", s, err)
			}
			if err := c.putRight(t.Context()); err != nil {
				t.Error(err)
			}
			if got, err := Read(); err != nil || !got.Same(turn.Before()) {
				t.Errorf("after a killed run: %v, %v; want\n%v", got, err, turn.Before())
			}
			if _, err := os.Stat(notePath); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the note is still there: %v", err)
			}
		})
	}
}

// A rule that has not one of our keys stays, whoever was killed.
func TestLiveRuleOfOthersStays(t *testing.T) {
	_, c := take(t)
	add(t, c, unix.SYS_ACCT, "seismograph")
	if err := c.putRight(t.Context()); err != nil {
		t.Error(err)
	}
	s, err := Read()
	if err != nil || s.Keyed("seismograph") != 1 {
		t.Errorf("Read() = %v, %v; want the rule of others", s, err)
	}
	for _, r := range s.Rules {
		if key, _ := ruleKey(r); key == "seismograph" {
			if err := c.change(unix.AUDIT_DEL_RULE, r); err != nil {
				t.Error(err)
			}
		}
	}
}

// A recorder that outlives the run that started it is waited for, and what it leaves when
// it is killed is put back by its undo file.
func TestLiveRecorderOfKilledRun(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(s.String(), func(t *testing.T) {
			turn, c := take(t)
			place, err := os.ReadFile(undoPlace)
			back := func() error { return os.WriteFile(undoPlace, place, 0o600) }
			if err != nil {
				back = func() error { return os.Remove(undoPlace) }
			}
			undo := filepath.Join(t.TempDir(), "audit_undo.json")
			if err := errors.Join(os.MkdirAll(filepath.Dir(undoPlace), 0o700), os.WriteFile(undoPlace, []byte(undo+"\n"), 0o600)); err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := back(); err != nil {
					t.Error(err)
				}
			}()
			cmd := exec.Command("/proc/self/exe", "-test.run=^TestRecorder$")
			cmd.Env = append(os.Environ(), recorderEnv+"="+undo)
			cmd.Stderr = os.Stderr
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan struct{})
			defer func() { cmd.Process.Kill(); <-ended }()
			said, err := bufio.NewReader(out).ReadString('\n')
			if err != nil || said != "recording\n" {
				t.Errorf("the recorder said %q, %v", said, err)
			}
			go func() {
				defer close(ended)
				time.Sleep(300 * time.Millisecond) // meanwhile it is waited for
				cmd.Process.Signal(s)
				cmd.Wait()
			}()
			if err := c.putRight(t.Context()); err != nil {
				t.Error(err)
			}
			if got, err := Read(); err != nil || !got.Same(turn.Before()) {
				t.Errorf("after a killed recorder: %v, %v; want\n%v", got, err, turn.Before())
			}
			if _, err := os.Stat(undo); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("its undo file is still there: %v", err)
			}
		})
	}
}

const recorderEnv = "SEISMO_LIVELOCK_RECORDER"

// TestRecorder is no test: it is the recorder of the test above.
func TestRecorder(t *testing.T) {
	undo := os.Getenv(recorderEnv)
	if undo == "" {
		t.Skip("it is started by another test")
	}
	ctx, stop := context.WithCancel(t.Context())
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM)
	go func() { <-told; stop() }()
	k, err := audit.OpenKernel(audit.KernelOptions{UndoPath: undo})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("recording")
	for k.Read(ctx, event.NewBatch(0)) == nil {
	}
	if err := k.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// Whoever waits for the lock goes on when that is not wanted any more.
func TestLiveWaitEnds(t *testing.T) {
	lock, err := Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("no longer")
	cancel(cause)
	if _, err := Wait(ctx); !errors.Is(err, cause) || !strings.Contains(err.Error(), Path()) {
		t.Errorf("Wait = %v, want %v", err, cause)
	}
}

// A rule's key is found behind the other strings of its fields, and nothing is read
// beyond its end.
func TestRuleKey(t *testing.T) {
	build := func(fields []uint32, sizes []uint32, text string) []byte {
		r := make([]byte, ruleBuffer)
		binary.NativeEndian.PutUint32(r[ruleCount:], uint32(len(fields)))
		for i := range fields {
			binary.NativeEndian.PutUint32(r[ruleFields+4*i:], fields[i])
			binary.NativeEndian.PutUint32(r[ruleValues+4*i:], sizes[i])
		}
		return append(r, text...)
	}
	tests := []struct {
		name string
		rule []byte
		want string
		ok   bool
	}{
		{"only a key", build([]uint32{unix.AUDIT_FILTERKEY}, []uint32{6}, "seismo"), "seismo", true},
		{"behind a folder", build([]uint32{unix.AUDIT_DIR, unix.AUDIT_PID, unix.AUDIT_FILTERKEY}, []uint32{4, 99, 6}, "/tmpseismo"), "seismo", true},
		{"none", build([]uint32{unix.AUDIT_DIR}, []uint32{4}, "/tmp"), "", false},
		{"longer than the rule", build([]uint32{unix.AUDIT_FILTERKEY}, []uint32{7}, "seismo"), "", false},
		{"more fields than there can be", build(make([]uint32, 64), make([]uint32, 64), ""), "", false},
		{"cut", make([]byte, ruleBuffer-1), "", false},
	}
	for _, tt := range tests {
		if got, ok := ruleKey(tt.rule); got != tt.want || ok != tt.ok {
			t.Errorf("%s: ruleKey = %q, %v; want %q, %v", tt.name, got, ok, tt.want, tt.ok)
		}
	}
}
