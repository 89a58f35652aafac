// SPDX-License-Identifier: Apache-2.0

//go:build linux

package daemon

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"seismo/sources/audit"
)

func TestUndoPlace(t *testing.T) {
	dir := t.TempDir()
	place, undo := filepath.Join(dir, "run", "undo_path"), filepath.Join(dir, "home", "audit_undo.json")
	if err := undoOthers(place, undo, zerolog.Nop()); err != nil { // nothing is left over: no undo file is there
		t.Fatal(err)
	}
	if got, err := readPlace(place); err != nil || got != undo {
		t.Errorf("readPlace = %q, %v; want %q", got, err, undo)
	}
	forgetPlace(place, filepath.Join(dir, "other"))
	if got, _ := readPlace(place); got != undo {
		t.Errorf("forgetting another recorder's note removed ours: %q", got)
	}
	own := filepath.Join(dir, "own", "audit_undo.json")
	if got := undoInForce(place, own); got != own {
		t.Errorf("undoInForce where the noted file is not there = %q; want that of the caller", got)
	}
	if err := errors.Join(os.Mkdir(filepath.Dir(undo), 0o700), os.WriteFile(undo, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if got := undoInForce(place, own); got != undo {
		t.Errorf("undoInForce = %q; want the noted file %q", got, undo)
	}
	forgetPlace(place, undo)
	if got := undoInForce(place, own); got != own {
		t.Errorf("undoInForce where none is noted = %q; want that of the caller", got)
	}
	if got, err := readPlace(place); got != "" || err != nil {
		t.Errorf("after forgetPlace: %q, %v; want none", got, err)
	}
	for name, content := range map[string]string{"relative": "x/y\n", "nothing": "", "NUL": "/a\x00b\n"} {
		if err := os.WriteFile(place, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := readPlace(place); err == nil {
			t.Errorf("%s: readPlace = %q; want an error", name, got)
		}
	}
}

// A start beside a recorder of another home folder says that there is one, and what
// to do; it leaves the undo file alone.
func TestUndoOfRunningRecorder(t *testing.T) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		t.Skip("NOT RUN: ", err)
	}
	pid := os.Getppid()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Skip("NOT RUN: ", err)
	}
	_, after, _ := strings.Cut(string(stat), ") ") // proc(5): the start is field 22
	start := strings.Fields(after)[19]
	path := filepath.Join(t.TempDir(), "audit_undo.json")
	text := fmt.Sprintf(`{"version":1,"boot_id":%q,"pid":%d,"start_ticks":%s}`, strings.TrimSpace(string(boot)), pid, start)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	err = undoOthers(filepath.Join(t.TempDir(), "run", "undo_path"), path, zerolog.Nop())
	if !errors.Is(err, audit.ErrRunning) || !strings.Contains(err.Error(), "another recorder runs on this host") {
		t.Errorf("undoOthers = %v; want %v, and the next step", err, audit.ErrRunning)
	}
	err = undoLeftOver(path, zerolog.Nop())
	if !errors.Is(err, audit.ErrRunning) || !strings.Contains(err.Error(), "another recorder runs on this host") || strings.Count(err.Error(), path) != 1 {
		t.Errorf("undoLeftOver = %v; want %v, the next step, and the file once", err, audit.ErrRunning)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the undo file of a running recorder: %v", err)
	}
}
