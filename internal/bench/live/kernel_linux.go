// SPDX-License-Identifier: Apache-2.0

// This file sets the kernel's audit system up for the peers. It is done by auditctl, as
// an administrator of auditd would do it; this recorder takes care of itself. It is put
// back at the end of the turn (internal/livelock).

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"seismo/internal/livelock"
)

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

// takeTurn waits until nobody else tries the audit system, and refuses one that has
// rules: they would cost all contenders, and be recorded by some. The turn must be ended.
func takeTurn(ctx context.Context) (*livelock.Turn, error) {
	t, err := livelock.Take(ctx)
	if err != nil {
		return nil, err
	}
	if n := len(t.Before().Rules); n > 0 {
		return nil, errors.Join(fmt.Errorf("%w: there are %d rules", livelock.ErrInUse, n), t.End())
	}
	return t, nil
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
			rules = append(rules, []string{"-a", "always,exit", "-F", "arch=" + arch, "-S", c, "-k", livelock.BenchKey})
		}
	}
	return append(rules, []string{"-a", "always,exit", "-F", "dir=" + watched, "-F", "perm=wa", "-k", livelock.BenchKey})
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
