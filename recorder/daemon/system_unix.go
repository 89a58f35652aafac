// SPDX-License-Identifier: Apache-2.0

//go:build unix

package daemon

import (
	"os"
	"runtime"
	"syscall"
	"time"
)

func openLock(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
}

func tryLock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }

// usage returns the processor time of this process and its peak resident memory
// in bytes.
func usage() (user, system time.Duration, peakRSS int64) {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0, 0, 0
	}
	peakRSS = int64(r.Maxrss)
	if runtime.GOOS != "darwin" { // which counts bytes, not kilobytes (getrusage(2))
		peakRSS *= 1024
	}
	return time.Duration(r.Utime.Nano()), time.Duration(r.Stime.Nano()), peakRSS
}
