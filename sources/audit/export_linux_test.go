// SPDX-License-Identifier: Apache-2.0

package audit

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
