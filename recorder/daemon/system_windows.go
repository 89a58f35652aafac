// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"os"
	"time"

	"golang.org/x/sys/windows"
)

func openLock(path string) (*os.File, error) { return os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) }

func tryLock(f *os.File) error {
	return windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY,
		0, 1, 0, &windows.Overlapped{OffsetHigh: 1})
}

// onlyOurs says nothing on Windows: who may write there is not in the mode.
func onlyOurs(os.FileInfo) error { return nil }

// usage returns the processor time of this process; its peak memory is not read
// on Windows and is 0.
func usage() (user, system time.Duration, peakRSS int64) {
	var created, ended, kernel, inUser windows.Filetime
	if err := windows.GetProcessTimes(windows.CurrentProcess(), &created, &ended, &kernel, &inUser); err != nil {
		return 0, 0, 0
	}
	return ticks(inUser), ticks(kernel), 0
}

// ticks returns a length of time that is counted in steps of 100 ns.
func ticks(t windows.Filetime) time.Duration {
	return time.Duration(int64(t.HighDateTime)<<32|int64(t.LowDateTime)) * 100
}

// fileNumber is not known on Windows; size and time tell files apart there.
func fileNumber(os.FileInfo) uint64 { return 0 }

// hasEnded reports whether a process is known to have ended: none is.
func hasEnded(int32) bool { return false }
