// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "signals.bin")
	p := smallProgram(t)
	for _, was := range []string{"", "an older file, of any content"} {
		if was != "" {
			if err := os.WriteFile(path, []byte(was), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if err := WriteFile(path, p); err != nil {
			t.Fatalf("WriteFile over %q: %v", was, err)
		}
		got, err := LoadFile(path)
		if err != nil || !reflect.DeepEqual(withoutPlans(got), withoutPlans(p)) {
			t.Errorf("LoadFile = %v, %v; want what was written", got, err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if runtime.GOOS != "windows" && info.Mode() != 0o600 {
			t.Errorf("mode %v, want 0600", info.Mode())
		}
	}
	onlyFile(t, dir, "signals.bin")
}

// onlyFile checks that dir holds name and nothing else.
func onlyFile(t *testing.T, dir, name string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || entries[0].Name() != name {
		t.Errorf("%s holds %v, want %s only", dir, entries, name)
	}
}

// Where the file can not take its place, nothing is left behind.
func TestWriteFileFails(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "signals.bin")
	if err := os.MkdirAll(filepath.Join(target, "in the way"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(target, smallProgram(t)); err == nil || !strings.Contains(err.Error(), target) {
		t.Errorf("WriteFile over a directory: %v, want an error that names %s", err, target)
	}
	onlyFile(t, dir, "signals.bin")
	if err := WriteFile(filepath.Join(dir, "none", "x"), smallProgram(t)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("WriteFile into a directory that is not there: %v, want %v", err, fs.ErrNotExist)
	}
}

func TestLoadFileRefuses(t *testing.T) {
	dir := t.TempDir()
	whole := filepath.Join(dir, "signals.bin")
	if err := WriteFile(whole, smallProgram(t)); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	short, large, link := filepath.Join(dir, "short"), filepath.Join(dir, "large"), filepath.Join(dir, "link")
	if err := os.WriteFile(short, b[:len(b)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(large, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, maxFile+1); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(whole, link); err != nil {
		t.Logf("no symbolic links here: %v", err)
		link = dir
	}
	tests := []struct {
		name, path string
		err        error
	}{
		{"cut short", short, ErrDamaged},
		{"over 256 MiB", large, ErrFormat},
		{"a directory", dir, ErrFormat},
		{"a symbolic link", link, ErrFormat},
		{"not there", filepath.Join(dir, "none"), fs.ErrNotExist},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if runtime.GOOS == "windows" && tt.err == ErrFormat && tt.path != large {
				t.Skip("Windows opens no directory as a file and follows links")
			}
			p, err := LoadFile(tt.path)
			if p != nil || !errors.Is(err, tt.err) || !strings.Contains(err.Error(), tt.path) {
				t.Errorf("LoadFile(%s) = %v, %v; want %v", tt.path, p, err, tt.err)
			}
		})
	}
}
