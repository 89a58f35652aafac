// SPDX-License-Identifier: Apache-2.0

// This file gives who changes the audit system its turn, and puts right what a killed
// one left.

package livelock

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"seismo/sources/audit"
)

// Keys of rules that are added in a turn beside those of the product.
const (
	BenchKey  = "seismo-bench"
	OthersKey = "seismo-test-others" // of rules that stand for those of others
)

// ErrInUse is wrapped where somebody who lives uses the kernel's audit system.
var ErrInUse = errors.New("the kernel's audit system is in use")

const (
	// notePath is where it is noted how the kernel was while it is changed.
	notePath = "/run/seismo-live-undo.json"
	// undoPlace names the undo file of the recorder that changed the kernel last
	// (recorder/daemon has the same).
	undoPlace = "/run/seismo/undo_path"
)

// dying is how long a recorder may take to end whose test was killed: it was told to.
const dying = 20 * time.Second

// note is the content of the file at notePath.
type note struct {
	Boot  string `json:"boot_id"`
	State State  `json:"state"`
}

// Turn is the time in which its holder may change the kernel's audit system.
type Turn struct {
	lock   *os.File
	before State
}

// Before returns how the kernel was when the turn began. Nobody had the role.
func (t *Turn) Before() State { return t.before }

// Take waits for a turn, puts right what a killed one left, and notes how the kernel is.
// The turn must be ended. The error wraps [ErrInUse] where auditing is on or a process
// has the role that is none of ours, and a [syscall.Errno] where the kernel refuses.
func Take(ctx context.Context) (_ *Turn, err error) {
	lock, err := Wait(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			lock.Close()
		}
	}()
	c, err := dial()
	if err != nil {
		return nil, err
	}
	defer c.close()
	if err := c.putRight(ctx); err != nil {
		return nil, err
	}
	s, err := c.state()
	if err != nil {
		return nil, err
	}
	switch {
	case s.PID != 0 && living(s.PID):
		return nil, fmt.Errorf("%w: process %d has the audit role", ErrInUse, s.PID)
	case s.Enabled != 0:
		return nil, fmt.Errorf("%w: enabled is %d, there are %d rules", ErrInUse, s.Enabled, len(s.Rules))
	}
	s.PID = 0
	if err := writeNote(s); err != nil {
		return nil, err
	}
	return &Turn{lock, s}, nil
}

// End puts the kernel back, where it is not as it was, and lets others have their turn.
func (t *Turn) End() error {
	c, err := dial()
	if err == nil {
		err = c.putBack(t.before)
		c.close()
	}
	if err == nil {
		err = os.Remove(notePath)
	}
	return errors.Join(err, t.lock.Close())
}

// putRight puts back what was changed in a turn whose holder was killed, and by a
// recorder that was killed. What has neither a note nor an undo file is put back as far
// as it is known to be ours: the rules.
func (c *control) putRight(ctx context.Context) error {
	was, noted, err := readNote()
	if err != nil {
		return err
	}
	if err := c.untilDead(ctx, noted); err != nil {
		return err
	}
	now, err := c.state()
	if err != nil {
		return err
	}
	if !noted {
		was = now
		was.PID, was.Rules = 0, slices.DeleteFunc(slices.Clone(now.Rules), isOurs)
	}
	if now.PID != 0 && living(now.PID) {
		return fmt.Errorf("%w: process %d has the audit role", ErrInUse, now.PID)
	}
	if err := c.putBack(was); err != nil {
		return fmt.Errorf("put back what a killed run left: %w", err)
	}
	if noted {
		err = os.Remove(notePath)
	}
	return err
}

// untilDead puts back what the undo file of the last recorder tells. While that lives, or
// somebody has the role, and a run was killed, it may be one that was told to end then.
func (c *control) untilDead(ctx context.Context, killed bool) error {
	for end := time.Now().Add(dying); ; {
		err := undoRecorder()
		if err != nil && !errors.Is(err, audit.ErrRunning) {
			return err
		}
		now, e := c.state()
		if e != nil {
			return e
		}
		if lives := err != nil || now.PID != 0 && living(now.PID); !lives || !killed || time.Now().After(end) {
			if err != nil {
				err = fmt.Errorf("%w: %w", ErrInUse, err)
			}
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// undoRecorder does what the undo file says that undoPlace names, if there is one.
func undoRecorder() error {
	b, err := os.ReadFile(undoPlace)
	path := strings.TrimSuffix(string(b), "\n")
	if errors.Is(err, fs.ErrNotExist) || err == nil && !filepath.IsAbs(path) {
		return nil
	}
	if err == nil {
		_, err = audit.Undo(path)
	}
	if err != nil {
		return fmt.Errorf("put back what a recorder left: %w", err)
	}
	return nil
}

// putBack makes the kernel be as s says. Of the rules it takes those away that are ours;
// none is added, for none is ever removed that was there before.
func (c *control) putBack(s State) error {
	now, err := c.state()
	if err != nil {
		return err
	}
	var errs []error
	set := func(name string, word int, bit, now, was uint32) {
		if now == was {
			return
		}
		if err := c.set(word, bit, was); err != nil {
			errs = append(errs, fmt.Errorf("set %s back to %d: %w", name, was, err))
		}
	}
	// Auditing goes off first: the rest leaves no records then.
	set("enabled", wordEnabled, bitEnabled, now.Enabled, s.Enabled)
	for _, r := range now.Rules {
		if !isOurs(r) || slices.ContainsFunc(s.Rules, func(o []byte) bool { return string(o) == string(r) }) {
			continue
		}
		if err := c.change(unix.AUDIT_DEL_RULE, r); err != nil {
			errs = append(errs, fmt.Errorf("delete an audit rule: %w", err))
		}
	}
	if now.PID != s.PID && !living(now.PID) {
		set("pid", wordPID, bitPID, now.PID, 0) // one that has ended stays registered
	}
	set("failure", wordFailure, bitFailure, now.Failure, s.Failure)
	set("rate_limit", wordRate, bitRate, now.Rate, s.Rate)
	set("backlog_limit", wordBacklog, bitBacklog, now.Backlog, s.Backlog)
	set("backlog_wait_time", wordWait, bitWait, now.Wait, s.Wait)
	if err := errors.Join(errs...); err != nil {
		return err
	}
	after, err := c.state()
	if err != nil {
		return err
	}
	if after.settings() != s.settings() || len(after.Rules) > len(s.Rules) && after.Keyed(ourKeys()...) > s.Keyed(ourKeys()...) {
		return fmt.Errorf("the kernel's audit system is not as before:\n%swant:\n%s", after, s)
	}
	return nil
}

func ourKeys() []string { return []string{audit.RuleKey, BenchKey, OthersKey} }

// isOurs reports whether a rule has a key that rules get in a turn.
func isOurs(rule []byte) bool {
	key, ok := ruleKey(rule)
	return ok && slices.Contains(ourKeys(), key)
}

// readNote returns what a killed holder of a turn noted. A note of another boot is none:
// that kernel is gone.
func readNote() (State, bool, error) {
	text, err := os.ReadFile(notePath)
	if errors.Is(err, fs.ErrNotExist) {
		return State{}, false, nil
	}
	var n note
	if err == nil {
		err = json.Unmarshal(text, &n)
	}
	var boot string
	if err == nil {
		boot, err = bootID()
	}
	if err != nil {
		return State{}, false, fmt.Errorf("read how the kernel was (%s): %w", notePath, err)
	}
	return n.State, n.Boot == boot, nil
}

// writeNote notes how the kernel is, whole or not at all.
func writeNote(s State) error {
	boot, err := bootID()
	var text []byte
	if err == nil {
		text, err = json.Marshal(note{boot, s})
	}
	if err == nil {
		err = os.WriteFile(notePath+".new", text, 0o600)
	}
	if err == nil {
		err = os.Rename(notePath+".new", notePath)
	}
	if err != nil {
		return fmt.Errorf("note how the kernel is: %w", err)
	}
	return nil
}

func bootID() (string, error) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(id)), err
}
