// SPDX-License-Identifier: Apache-2.0

// This file puts right what an earlier recorder left in the kernel: one that recorded
// elsewhere on this host before the kernel is opened, that of the same folders where it
// was not taken over (audit.OpenKernel), or when this one has ended.

package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rs/zerolog"

	"seismo/sources/audit"
)

// undoPlace is a file that names the undo file of the recorder that changed the
// kernel last. There is one kernel, whatever the number of home folders, so it is
// at one place; /run is empty after a boot, and so is the kernel's configuration.
const undoPlace = "/run/seismo/undo_path"

// undoLeftOver puts back what the undo file at path says was changed in the
// kernel, if there is one.
func undoLeftOver(path string, log zerolog.Logger) error {
	report, err := audit.Undo(path)
	if err != nil {
		return undoFailed(path, err)
	}
	if !report.Nothing {
		log.Warn().Str("done", report.String()).Msg("an earlier recorder ended without putting the audit settings back; they are back now")
	}
	return nil
}

// undoFailed says that what the undo file at path tells of can not be put right.
func undoFailed(path string, err error) error {
	if errors.Is(err, audit.ErrRunning) {
		return fmt.Errorf("another recorder runs on this host, whose audit system only one can set up; end it first (SIGINT): %w", err)
	}
	return fmt.Errorf("put the audit settings back (%s): %w", path, err)
}

// undoOthers puts back what a recorder of another home folder left, sees to it that what
// ours at path left can be acted on, and notes that ours comes next.
func undoOthers(place, path string, log zerolog.Logger) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	other, err := readPlace(place)
	if err != nil {
		return err
	}
	if other != "" && other != path {
		if err := undoLeftOver(other, log); err != nil {
			return err
		}
	}
	if err := audit.CheckUndoFile(path); err != nil {
		return undoFailed(path, err)
	}
	err = ownFolder(filepath.Dir(place))
	if err == nil {
		err = os.WriteFile(place, []byte(path+"\n"), 0o600)
	}
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
		log.Warn().Err(err).Msg("a recorder with another home folder will not find what this one would leave if it were killed")
		return nil
	}
	return err
}

// UndoInForce returns the undo file of the recorder that changed the kernel last and has
// not put it back, whatever its home folder is; own, a caller's, where none is known of.
func UndoInForce(own string) string { return undoInForce(undoPlace, own) }

func undoInForce(place, own string) string {
	abs, err := filepath.Abs(own)
	if err != nil {
		return own
	}
	other, err := readPlace(place)
	if err != nil || other == "" || other == abs {
		return own
	}
	if _, err := os.Lstat(other); err != nil {
		return own
	}
	return other
}

// maxPlace bounds the file that names the undo file: a path and a line end.
const maxPlace = 4097

func readPlace(place string) (string, error) {
	b, err := os.ReadFile(place)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("look for what an earlier recorder left: %w", err)
	}
	path := strings.TrimSuffix(string(b), "\n")
	if len(b) > maxPlace || !filepath.IsAbs(path) || strings.ContainsRune(path, 0) {
		return "", fmt.Errorf("%s names no undo file; remove it if no recorder runs", place)
	}
	return path, nil
}

// forgetPlace removes the note of undoOthers after the kernel is as it was.
func forgetPlace(place, path string) {
	if abs, err := filepath.Abs(path); err == nil {
		if noted, err := readPlace(place); err == nil && noted == abs {
			os.Remove(place)
		}
	}
}
