// SPDX-License-Identifier: Apache-2.0

//go:build unix

package daemon

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

func openLock(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
}

func tryLock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }

// onlyOurs says who else may write to the folder that info is of.
func onlyOurs(info os.FileInfo) error {
	if info.Mode()&0o022 != 0 {
		return fmt.Errorf("its mode %v lets others write to it", info.Mode().Perm())
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || st.Uid == 0 || int(st.Uid) == os.Geteuid() {
		return nil
	}
	if os.Geteuid() == 0 && os.Getenv("SUDO_UID") == strconv.Itoa(int(st.Uid)) {
		return nil // who may run us as root with sudo can do more than change files
	}
	return fmt.Errorf("it belongs to user %d", st.Uid)
}

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

// fileNumber tells a file from another that took its name.
func fileNumber(info os.FileInfo) uint64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Ino)
	}
	return 0
}

// hasEnded reports whether there is no process with this pid.
func hasEnded(pid int32) bool { return syscall.Kill(int(pid), 0) == syscall.ESRCH }
