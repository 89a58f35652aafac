// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// EndLeave ends the time for which the role is left to others.
func (k *Kernel) EndLeave() {
	k.waker.wake()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.handover.free, k.handover.freeSince = k.began, k.began.Add(-restartTime)
	k.status.due = true
}

// MarkedMounts returns how many mounts below watched folders have marks. The caller
// waits for no Read.
func (k *Kernel) MarkedMounts() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.mountTable.marked)
}

// OnOwnThread runs f in another goroutine, on a thread that ends with it: what f takes
// away from its thread nobody else misses. It is never the first one, which does not end
// and is the whole process in /proc.
func OnOwnThread(f func()) {
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() != unix.Getpid() {
			f()
			return // locked, so the thread ends too
		}
		over := make(chan struct{})
		OnOwnThread(func() {
			defer close(over)
			f()
		})
		<-over
		runtime.UnlockOSThread()
	}()
}
