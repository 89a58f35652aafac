// SPDX-License-Identifier: Apache-2.0

//go:build unix

package engine

import (
	"errors"
	"os"
	"syscall"
)

// openFlags refuses a symbolic link, and does not wait for the writer of a pipe.
const openFlags = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// isLink reports whether err is that of opening a symbolic link with openFlags.
func isLink(err error) bool { return errors.Is(err, syscall.ELOOP) }

// syncDir makes a rename in dir last.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
