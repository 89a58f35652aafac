// SPDX-License-Identifier: Apache-2.0

// This file reads and writes signals.bin as a file. What depends on the system
// is in file_unix.go and file_other.go.

package engine

import (
	"fmt"
	"os"
	"path/filepath"
)

// LoadFile reads the signals.bin at path. It must be a regular file; where the
// system can tell, a symbolic link is refused. Errors are those of [Load] and of
// opening the file, and name it.
func LoadFile(path string) (*Program, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|openFlags, 0)
	if isLink(err) {
		return nil, fmt.Errorf("load %s: a symbolic link, not a regular file: %w", path, ErrFormat)
	}
	if err != nil {
		return nil, fmt.Errorf("load signals: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("load signals: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("load %s: not a regular file: %w", path, ErrFormat)
	}
	p, err := Load(f, info.Size())
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", path, err)
	}
	return p, nil
}

// WriteFile writes p to path as a signals.bin with mode 0600. The file appears
// under its name when it is complete and on disk, in place of one that was there.
// After an error, path is as it was; only if the directory could not be written
// out may it be the new file, in whole.
func WriteFile(path string, p *Program) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+"-*.tmp") // mode 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
			err = fmt.Errorf("write %s: %w", path, err)
		}
	}()
	if _, err := p.WriteTo(f); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}
