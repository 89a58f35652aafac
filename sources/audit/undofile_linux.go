// SPDX-License-Identifier: Apache-2.0

// This file reads and writes the undo file: what the kernel's audit
// configuration was before the recorder changed it. What is done with it is in
// undo_linux.go.

package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// undoFile is the content of the undo file. It is on disk, fsynced, before the
// kernel is touched, so it may tell of changes that were never made.
type undoFile struct {
	Version int    `json:"version"`
	BootID  string `json:"boot_id"`
	PID     int    `json:"pid"`         // of the recorder
	Start   uint64 `json:"start_ticks"` // its start, clock ticks since boot
	// Before is a recorder before it, dead, that the kernel still had for the records
	// when this one took over what it had left; 0: none.
	Before   int             `json:"before,omitempty"`
	Written  time.Time       `json:"written"`
	Settings []settingChange `json:"settings"`
	Rules    []undoRule      `json:"rules"`
}

// settingChange is one value of the audit system that the recorder changes.
type settingChange struct {
	Name string `json:"name"`
	Old  uint32 `json:"old"`
	New  uint32 `json:"new"`
}

// undoRule is one rule that the recorder adds, or found with its key.
type undoRule struct {
	Text string `json:"text"` // for people
	Wire []byte `json:"wire"` // in the kernel's form
}

const (
	undoVersion = 1
	maxUndoFile = 4 << 20 // bytes; a rule takes at most 7 KB
)

// writeUndoFile puts f at path, whole or not at all, and on disk. The file has
// mode 0600 whatever the umask.
func writeUndoFile(path string, f undoFile) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("write undo file %s: %w", path, err)
		}
	}()
	text, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".audit_undo-*") // made with mode 0600
	if err != nil {
		return err
	}
	_, err = tmp.Write(append(text, '\n'))
	if err == nil {
		err = tmp.Sync()
	}
	if err := errors.Join(err, tmp.Close()); err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return syncDir(filepath.Dir(path))
}

// removeUndoFile takes the file away for good.
func removeUndoFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove undo file: %w", err)
	}
	err := syncDir(filepath.Dir(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // somebody removed the whole folder
	}
	return err
}

// syncDir makes a rename or removal in dir last.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// readUndoFile reads the file at path. A file that others may write, or that
// does not hold what writeUndoFile writes, is refused with [ErrUndoFile].
func readUndoFile(path string) (undoFile, error) {
	var f undoFile
	r, err := openPrivate(path)
	if err != nil {
		return f, fmt.Errorf("read undo file: %w", err)
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, maxUndoFile+1))
	if err != nil {
		return f, fmt.Errorf("read undo file %s: %w", path, err)
	}
	if len(text) > maxUndoFile {
		return f, fmt.Errorf("read undo file %s: larger than %d bytes: %w", path, maxUndoFile, ErrUndoFile)
	}
	if err := json.Unmarshal(text, &f); err != nil {
		return f, fmt.Errorf("read undo file %s: %v: %w", path, err, ErrUndoFile)
	}
	if f.Version != undoVersion {
		return f, fmt.Errorf("read undo file %s: version %d, known is %d: %w", path, f.Version, undoVersion, ErrUndoFile)
	}
	if f.BootID == "" {
		return f, fmt.Errorf("read undo file %s: no boot_id: %w", path, ErrUndoFile)
	}
	for _, s := range f.Settings {
		if !knownSetting(s.Name) {
			return f, fmt.Errorf("read undo file %s: unknown setting %.40q: %w", path, s.Name, ErrUndoFile)
		}
	}
	return f, nil
}

// openPrivate opens a regular file that nobody but its owner may write. The
// last element of path must not be a symbolic link.
func openPrivate(path string) (*os.File, error) {
	// O_NONBLOCK: a FIFO planted there must not hold us.
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, unix.ELOOP) {
		return nil, fmt.Errorf("%s is a symbolic link: %w", path, ErrUndoFile)
	}
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err = unix.Fstat(int(f.Fd()), &st); err == nil {
		switch {
		case st.Mode&unix.S_IFMT != unix.S_IFREG:
			err = fmt.Errorf("%s is no regular file: %w", path, ErrUndoFile)
		case st.Mode&0o022 != 0 || st.Uid != uint32(os.Geteuid()):
			err = fmt.Errorf("%s has mode %04o and owner %d, want a file that only we may write: %w", path, st.Mode&0o7777, st.Uid, ErrUndoFile)
		}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
