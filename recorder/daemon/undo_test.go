// SPDX-License-Identifier: Apache-2.0

//go:build linux

package daemon

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rs/zerolog"
)

func TestUndoPlace(t *testing.T) {
	dir := t.TempDir()
	place, undo := filepath.Join(dir, "run", "undo_path"), filepath.Join(dir, "home", "audit_undo.json")
	if err := undoAll(place, undo, zerolog.Nop()); err != nil { // nothing is left over: no undo file is there
		t.Fatal(err)
	}
	if got, err := readPlace(place); err != nil || got != undo {
		t.Errorf("readPlace = %q, %v; want %q", got, err, undo)
	}
	forgetPlace(place, filepath.Join(dir, "other"))
	if got, _ := readPlace(place); got != undo {
		t.Errorf("forgetting another recorder's note removed ours: %q", got)
	}
	forgetPlace(place, undo)
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
