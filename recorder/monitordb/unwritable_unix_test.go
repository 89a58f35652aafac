// SPDX-License-Identifier: Apache-2.0

//go:build unix

package monitordb

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A database in a directory that can not be written to is read if it was closed
// properly; one with a log says what to do.
func TestReadInUnwritableDirectory(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to become somebody who may not write")
	}
	dir, err := os.MkdirTemp("", "unwritable")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path, bin := filepath.Join(dir, "monitor.db"), filepath.Join(dir, "child")
	copyFile(t, exe, bin, 0o755)
	copyFile(t, sound(t), path, 0o644)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	read := func() (string, error) {
		cmd := exec.Command(bin)
		cmd.Dir = "/"
		cmd.Env = append(os.Environ(), childRole+"=read", childPath+"="+path)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		out, err := cmd.CombinedOutput()
		return strings.TrimSpace(string(out)), err
	}
	if out, err := read(); err != nil || out != "40" {
		t.Errorf("reading a closed database: %q, %v; want 40", out, err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := read(); err == nil || !strings.Contains(out, "permission denied") || !strings.Contains(out, path) {
		t.Errorf("reading a database that only its owner may read: %q, %v; want an error that says so", out, err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+walSuffix, []byte(strings.Repeat("log", 100)), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := read(); err == nil || !strings.Contains(out, "copy "+path) {
		t.Errorf("reading a database with a log: %q, %v; want an error that says to copy it", out, err)
	}
}

func copyFile(t *testing.T, from, to string, mode os.FileMode) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, mode)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}
