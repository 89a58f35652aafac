// SPDX-License-Identifier: Apache-2.0

// This file keeps a second recorder out of the folders of the first. The lock is held by
// the operating system, so a recorder that was killed leaves none behind.

package daemon

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// ErrRunning is wrapped where another recorder holds the lock.
var ErrRunning = errors.New("already running")

// lock takes the lock file at path for this process and notes its pid in it.
// The function it returns gives the lock up.
func lock(path string) (func(), error) {
	f, err := openLock(path)
	if err != nil {
		return nil, fmt.Errorf("open the lock file: %w", err)
	}
	err = tryLock(f)
	for try := 0; err != nil && try < 10; try++ { // "seismo status" holds it for a moment
		time.Sleep(20 * time.Millisecond)
		err = tryLock(f)
	}
	if err != nil {
		holder := make([]byte, 32)
		n, _ := f.ReadAt(holder, 0)
		f.Close()
		return nil, fmt.Errorf("%s is held by process %s: %w; \"seismo status\" shows what it does", path,
			strings.TrimSpace(string(holder[:n])), ErrRunning)
	}
	err = errors.Join(f.Truncate(0), writePID(f))
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("write the lock file: %w", err)
	}
	return func() { f.Close() }, nil
}

func writePID(f *os.File) error {
	_, err := f.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
	return err
}

// Holder returns the pid, as text, of the recorder that holds the lock file at
// path; empty if none does.
func Holder(path string) string {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return ""
	}
	defer f.Close()
	if tryLock(f) == nil {
		return "" // closing the file gives the lock up again
	}
	pid := make([]byte, 32)
	n, _ := f.ReadAt(pid, 0)
	return strings.TrimSpace(string(pid[:n]))
}
