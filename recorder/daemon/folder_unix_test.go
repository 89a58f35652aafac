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

// A folder that is a link is looked into: it may be replaced, and its files changed.
func TestStampFollowsLinks(t *testing.T) {
	dir := t.TempDir()
	lists, link := filepath.Join(dir, "lists"), filepath.Join(dir, "link")
	if err := errors.Join(os.Mkdir(lists, 0o700), os.WriteFile(filepath.Join(lists, "x.txt"), []byte("a"), 0o600), os.Symlink("lists", link)); err != nil {
		t.Fatal(err)
	}
	before := stamp([]string{link})
	if err := os.WriteFile(filepath.Join(lists, "x.txt"), []byte("ab"), 0o600); err != nil {
		t.Fatal(err)
	}
	if stamp([]string{link}) == before {
		t.Error("a file was changed in a folder behind a link; the stamp is the same")
	}
}
