// SPDX-License-Identifier: Apache-2.0

// This file keeps what signals remember of processes over a restart.

package daemon

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"seismo/engine"
	"seismo/internal/event"
)

// maxState bounds the file that is read, in bytes: a full memory of a million
// latches, and as much again.
const maxState = 512 << 20

// saveState writes what the signals remember to the file at path, in whole and for
// its owner alone, or leaves the file as it was.
func (l *life) saveState(path string) error {
	var b bytes.Buffer
	var err error
	l.rec.Ask(func(m *engine.Matcher) { err = m.SaveState(&b) })
	sum := sha256.Sum256(b.Bytes())
	if err == nil && sum != l.saved { // a disk is not woken for nothing
		if err = replaceFile(path, b.Bytes()); err == nil {
			l.saved = sum
		}
	}
	if err != nil {
		return fmt.Errorf("save what signals remember: %w", err)
	}
	return nil
}

// replaceFile puts content at path, on disk, with mode 0600. What it began before and
// a kill ended goes: the folder is ours and one recorder has it.
func replaceFile(path string, content []byte) error {
	temporary := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".tmp")
	if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// loadState has m remember what the file at path says. Without the file it remembers
// nothing. A file that can not be used is set aside, and the loss is returned to be
// stored.
func (l *life) loadState(path string, m *engine.Matcher) (losses []event.Loss) {
	content, err := readState(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = m.LoadState(bytes.NewReader(content))
	}
	if err == nil {
		return nil
	}
	aside := path + ".damaged"
	if renamed := os.Rename(path, aside); renamed != nil {
		err = errors.Join(err, renamed)
	}
	l.Log.Warn().Err(err).Str("file", aside).Msg("what signals remembered of processes is lost: its file could not be used and is set aside")
	return []event.Loss{forgotten(err.Error())}
}

// forgotten is the loss of something that signals would know but for cause.
func forgotten(cause string) event.Loss {
	now := time.Now().UnixNano()
	return event.Loss{From: now, To: now, Reason: event.LossState, Count: 1, Unit: "times", Detail: cause}
}

func readState(path string) ([]byte, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxState {
		return nil, fmt.Errorf("%s: no regular file of at most %d bytes", path, maxState)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxState))
}
