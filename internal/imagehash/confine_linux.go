// SPDX-License-Identifier: Apache-2.0

// This file gives up what a helper does not need, in every thread of it.

package imagehash

import (
	"errors"
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ErrAlone is returned where a helper was not started by a recorder.
var ErrAlone = errors.New("the hash helper is started by the recorder only")

// errCgo is why a program that was built with cgo has no helper.
var errCgo = errors.New("this program was built with cgo, with which a process can not give its rights up in every thread: build it with CGO_ENABLED=0")

// Unconfined returns why a helper of this program could not give its rights up; nil if
// it can.
func Unconfined() error {
	// A call that changes nothing: with cgo the runtime refuses all of them.
	if _, _, errno := syscall.AllThreadsSyscall(unix.SYS_GETPID, 0, 0, 0); errno == unix.ENOTSUP {
		return errCgo
	}
	return nil
}

// The capabilities that a helper keeps, where it has them: to read programs that only
// their owners may, and to follow the links of the processes of others.
const keptCaps = 1<<unix.CAP_DAC_READ_SEARCH | 1<<unix.CAP_SYS_PTRACE

const (
	niceness   = 10
	idleIO     = 3 << 13 // IOPRIO_CLASS_IDLE (linux/ioprio.h)
	ioprioSelf = 1       // IOPRIO_WHO_PROCESS; number 0 is the calling thread
	openFiles  = 32
)

// confine makes this process a helper: of low priority, with two capabilities at most,
// without the right to gain others, to write files, or to leave a core behind.
func confine() error {
	if kind, err := unix.GetsockoptInt(talkFD, unix.SOL_SOCKET, unix.SO_TYPE); err != nil || kind != unix.SOCK_STREAM {
		return ErrAlone
	}
	for _, l := range []struct {
		name  int
		value uint64
	}{{unix.RLIMIT_NOFILE, openFiles}, {unix.RLIMIT_FSIZE, 0}, {unix.RLIMIT_CORE, 0}} {
		if err := unix.Setrlimit(l.name, &unix.Rlimit{Cur: l.value, Max: l.value}); err != nil {
			return fmt.Errorf("limit %d: %w", l.name, err)
		}
	}
	all := func(what string, call, a, b, c uintptr) error {
		if _, _, errno := syscall.AllThreadsSyscall6(call, a, b, c, 0, 0, 0); errno != 0 {
			return fmt.Errorf("%s: %w", what, errno)
		}
		return nil
	}
	err := errors.Join(
		all("nice", unix.SYS_SETPRIORITY, unix.PRIO_PROCESS, 0, niceness),
		all("priority of reads", unix.SYS_IOPRIO_SET, ioprioSelf, 0, idleIO),
		all("no new privileges", unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0))
	if err != nil {
		return err
	}
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var caps [2]unix.CapUserData
	if err := unix.Capget(&head, &caps[0]); err != nil {
		return fmt.Errorf("capabilities: %w", err)
	}
	keep := caps[0].Permitted & keptCaps
	caps = [2]unix.CapUserData{{Effective: keep, Permitted: keep}}
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&head)), uintptr(unsafe.Pointer(&caps[0])), 0)
	if errno != 0 {
		return fmt.Errorf("give up capabilities: %w", errno)
	}
	return nil
}
