// SPDX-License-Identifier: Apache-2.0

//go:build unix

package monitordb

import "golang.org/x/sys/unix"

// mayRead returns why this process may not read the file at path; nil if it may.
// It opens nothing: SQLite does not say that a privilege is what is missing.
func mayRead(path string) error {
	return unix.Faccessat(unix.AT_FDCWD, path, unix.R_OK, unix.AT_EACCESS)
}
