// SPDX-License-Identifier: Apache-2.0

// This file leaves the kernel's audit system as it was: it reads its state, changes
// it for the peers, and puts it back. It is done by auditctl, as an administrator of
// auditd would do it; this recorder takes care of itself.

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ruleKey marks the rules that are added here.
const ruleKey = "seismo-bench"

// undoFile is where it is noted how the kernel was, while it is changed.
const undoFile = "/run/seismo-bench-undo.json"

// lockFile is what everything holds that tries the kernel's audit system on this
// machine; the tests of sources/audit have the same.
func lockFile() string { return filepath.Join(os.TempDir(), "seismo-live-test.lock") }

// kernelState is what must be the same afterwards.
type kernelState struct {
	Enabled int    `json:"enabled"`
	Failure int    `json:"failure"`
	PID     int    `json:"pid"`
	Backlog int    `json:"backlog_limit"`
	Wait    int    `json:"backlog_wait_time"`
	Rules   string `json:"rules"`
	lost    int
	waiting int // records in the kernel's queue
}

// auditctl runs it and returns what it said.
func auditctl(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second) // also after a signal
	defer cancel()
	out, err := exec.CommandContext(ctx, "auditctl", args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("auditctl %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return string(out), nil
}

// status returns the settings, without the rules.
func status() (kernelState, error) {
	out, err := auditctl("-s")
	if err != nil {
		return kernelState{}, err
	}
	return parseStatus(out)
}

func parseStatus(out string) (s kernelState, err error) {
	to := map[string]*int{"enabled": &s.Enabled, "failure": &s.Failure, "pid": &s.PID, "backlog_limit": &s.Backlog,
		"backlog_wait_time": &s.Wait, "lost": &s.lost, "backlog": &s.waiting}
	found := 0
	for line := range strings.Lines(out) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if p := to[name]; p != nil {
			if *p, err = strconv.Atoi(value); err != nil {
				return s, fmt.Errorf("read the status of auditctl: %w", err)
			}
			found++
		}
	}
	if found != len(to) {
		return s, fmt.Errorf("the status of auditctl has %d of %d values: %q", found, len(to), out)
	}
	return s, nil
}

// state returns settings and rules.
func state() (kernelState, error) {
	s, err := status()
	if err != nil {
		return s, err
	}
	s.Rules, err = auditctl("-l")
	return s, err
}

// same reports whether settings and rules are those of s.
func (s kernelState) same(o kernelState) bool {
	o.lost, o.waiting = s.lost, s.waiting
	return s == o
}

// errInUse is wrapped where somebody else uses the kernel's audit system.
var errInUse = errors.New("the kernel's audit system is in use")

// unused says why the kernel can not be had for the benchmark now, if so.
func (s kernelState) unused() error {
	switch {
	case s.PID != 0 && running(s.PID):
		return fmt.Errorf("%w: process %d has the audit role", errInUse, s.PID)
	case s.Enabled != 0:
		return fmt.Errorf("%w: enabled is %d", errInUse, s.Enabled)
	case strings.TrimSpace(s.Rules) != "No rules":
		return fmt.Errorf("%w: there are rules: %s", errInUse, strings.TrimSpace(s.Rules))
	}
	return nil
}

func running(pid int) bool { return unix.Kill(pid, 0) == nil }

// turn is the time in which this process may change the kernel's audit system.
type turn struct {
	lock   *os.File
	before kernelState
}

// waitForLock stands in the kernel's queue for the lock: who only looks at it again
// and again never has a turn where others stand in it.
func waitForLock(ctx context.Context) (*os.File, error) {
	lock, err := os.OpenFile(lockFile(), os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		return nil, fmt.Errorf("open the lock of live tests: %w", err)
	}
	locked := make(chan error, 1)
	go func() {
		err := unix.Flock(int(lock.Fd()), unix.LOCK_EX)
		for errors.Is(err, unix.EINTR) {
			err = unix.Flock(int(lock.Fd()), unix.LOCK_EX)
		}
		locked <- err
	}()
	select {
	case err = <-locked:
		if err == nil {
			return lock, nil
		}
		lock.Close()
	case <-ctx.Done():
		err = context.Cause(ctx)
		go func() { // it has its turn all the same, and lets go of it
			<-locked
			lock.Close()
		}()
	}
	return nil, fmt.Errorf("wait for %s: %w", lockFile(), err)
}

// takeTurn waits until nobody else tries the audit system, puts right what a killed
// run of ours left, and notes how the kernel is. The turn must be ended.
func takeTurn(ctx context.Context) (_ *turn, err error) {
	lock, err := waitForLock(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			lock.Close()
		}
	}()
	if err := undoLeft(); err != nil {
		return nil, err
	}
	s, err := state()
	if err != nil {
		return nil, err
	}
	if err := s.unused(); err != nil {
		return nil, err
	}
	s.PID = 0 // a process that is gone may still be registered
	note, err := json.Marshal(s)
	if err == nil {
		err = os.WriteFile(undoFile, note, 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("note how the kernel is: %w", err)
	}
	return &turn{lock, s}, nil
}

// end puts the kernel back and lets others have their turn. The error says also what
// a contender left that it should have put back itself.
func (t *turn) end() error {
	after, err := state()
	if err == nil && !after.same(t.before) {
		err = t.before.putBack()
	}
	if err == nil {
		err = os.Remove(undoFile)
	}
	return errors.Join(err, t.lock.Close())
}

// undoLeft puts back what a run changed that was killed. What it had started was told
// to end then, and may take a moment for that.
func undoLeft() error {
	note, err := os.ReadFile(undoFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var s kernelState
	if err == nil {
		err = json.Unmarshal(note, &s)
	}
	for at := time.Now(); err == nil && time.Since(at) < stopLimit; time.Sleep(20 * time.Millisecond) {
		now, e := status()
		if err = e; now.PID == 0 || !running(now.PID) {
			break
		}
	}
	if err == nil {
		err = s.putBack()
	}
	if err != nil {
		return fmt.Errorf("put back what %s says: %w", undoFile, err)
	}
	return os.Remove(undoFile)
}

// putBack takes our rules away and sets what is set differently. A process that died
// with the audit role stays registered until the kernel has something to tell it.
func (s kernelState) putBack() error {
	now, err := state()
	if err != nil {
		return err
	}
	if strings.Contains(now.Rules, ruleKey) {
		_, err = auditctl("-D", "-k", ruleKey)
	}
	if now.PID != 0 && now.PID != s.PID && !running(now.PID) {
		err = errors.Join(err, forgetDead())
	}
	_, e := auditctl("-e", strconv.Itoa(s.Enabled), "-f", strconv.Itoa(s.Failure), "-b", strconv.Itoa(s.Backlog),
		"--backlog_wait_time", strconv.Itoa(s.Wait))
	if err = errors.Join(err, e); err != nil {
		return err
	}
	if now, err = state(); err == nil && !now.same(s) {
		err = fmt.Errorf("the kernel's audit system is not as before: %+v, want %+v", now, s)
	}
	return err
}

// forgetDead makes the kernel notice that who had the audit role is gone: it does when
// it has a record to hand over, which takes auditing that is enabled.
func forgetDead() error {
	if _, err := auditctl("-e", "1"); err != nil {
		return err
	}
	if _, err := auditctl("-m", "the audit daemon of a benchmark has ended"); err != nil {
		return err
	}
	for range 100 {
		if s, err := status(); err != nil || s.PID == 0 {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
	return errors.New("a process that has ended keeps the audit role")
}

// peerRules are those that auditd and LAUREL are measured with: what this recorder
// asks for where it records programs, connections and one folder.
func peerRules(watched string) [][]string {
	var rules [][]string
	for _, arch := range []string{"b64", "b32"} {
		calls := "connect,accept,accept4"
		if arch == "b32" {
			calls = "connect,accept4" // 32-bit programs accept by this or by socketcall
		}
		for _, c := range []string{"execve,execveat", calls} {
			rules = append(rules, []string{"-a", "always,exit", "-F", "arch=" + arch, "-S", c, "-k", ruleKey})
		}
	}
	return append(rules, []string{"-a", "always,exit", "-F", "dir=" + watched, "-F", "perm=wa", "-k", ruleKey})
}

// setForPeers makes the settings that the peers are measured with: no waiting of the
// programs that are watched, room for 8,192 records, and the rules.
func setForPeers(watched string) error {
	if _, err := auditctl("-f", "0", "-b", "8192", "--backlog_wait_time", "0"); err != nil {
		return err
	}
	for _, r := range peerRules(watched) {
		if _, err := auditctl(r...); err != nil {
			return err
		}
	}
	return nil
}
