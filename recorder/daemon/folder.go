// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"errors"
	"fmt"
	"os"
)

// ErrFolder is wrapped where a folder of the recorder is open to others.
var ErrFolder = errors.New("unsafe folder")

// ownFolder makes the folder at path with mode 0700, or checks one that is there:
// who may write to it could plant an undo file or take the database away.
func ownFolder(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return fmt.Errorf("make the recorder's folder: %w", err)
	}
	return CheckFolder(path)
}

// CheckFolder looks whether a recorder would take the folder at path, and changes nothing.
// An error wraps [ErrFolder] if others may write to it, and [os.ErrNotExist] if it is not
// there: a recorder would make it.
func CheckFolder(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("look at the recorder's folder: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is no folder: %w", path, ErrFolder)
	}
	if err := onlyOurs(info); err != nil {
		return fmt.Errorf("%s: %w: %w; take that away (chmod go-w, chown) or choose another with --home", path, ErrFolder, err)
	}
	return nil
}
