// SPDX-License-Identifier: Apache-2.0

//go:build unix

package daemon

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestOwnFolder(t *testing.T) {
	dir := t.TempDir()
	made := filepath.Join(dir, "a", "b")
	if err := ownFolder(made); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(made); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder that was made: %v, %v; want mode 0700", info.Mode(), err)
	}
	if err := os.Chmod(made, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := ownFolder(made); err != nil {
		t.Errorf("a folder that others may read: %v; want it taken", err)
	}
	if err := os.Chmod(made, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := ownFolder(made); !errors.Is(err, ErrFolder) {
		t.Errorf("a folder that others may write to: %v; want ErrFolder", err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := ownFolder(file); err == nil {
		t.Error("a file was taken for a folder")
	}
	if os.Geteuid() != 0 {
		return
	}
	if err := errors.Join(os.Chmod(made, 0o755), os.Chown(made, 12345, 12345)); err != nil {
		t.Fatal(err)
	}
	if err := ownFolder(made); !errors.Is(err, ErrFolder) {
		t.Errorf("a folder of another user: %v; want ErrFolder", err)
	}
	t.Setenv("SUDO_UID", "12345")
	if err := ownFolder(made); err != nil {
		t.Errorf("a folder of the user who ran sudo: %v; want it taken", err)
	}
}
