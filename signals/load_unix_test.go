// SPDX-License-Identifier: Apache-2.0

//go:build unix

package signals_test

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"seismo/signals"
)

// A named pipe is refused before it is opened: opening it would wait for a writer
// for ever.
func TestLoadRefusesAPipe(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe.yml")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{pipe, dir} {
		if _, err := signals.Load([]string{path}); err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("Load(%s): %v; want an error that it is no regular file", path, err)
		}
	}
}
