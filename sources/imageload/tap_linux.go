// SPDX-License-Identifier: Apache-2.0

// This file has the kernel write mappings of one processor into a ring.

package imageload

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What a read of the event gives (linux/perf_event.h, enum perf_event_read_format).
const (
	formatEnabled = 1 << 0 // PERF_FORMAT_TOTAL_TIME_ENABLED
	formatLost    = 1 << 4 // PERF_FORMAT_LOST, Linux 6.0
)

// tap is the ring of one processor.
type tap struct {
	lane
	fd      int
	mem     []byte // a page of the kernel's account, then the ring
	page    *unix.PerfEventMmapPage
	counts  bool   // a read tells how many records were lost
	enabled uint64 // nanoseconds: how long the event has been counting at the last look
	lived   int64  // when it was seen to count, Unix time, nanoseconds
	off     bool   // nothing comes any more
}

// openTap begins to listen to mappings on processor cpu, of all processes. size is
// the room of the ring in bytes; where the kernel grants less, the ring is smaller.
func openTap(cpu, size int, now int64) (*tap, error) {
	t := &tap{lane: lane{cpu: cpu, last: now}, fd: -1, lived: now, counts: true}
	attr := unix.PerfEventAttr{
		Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_DUMMY, Size: uint32(unsafe.Sizeof(unix.PerfEventAttr{})),
		Sample_type: unix.PERF_SAMPLE_TIME, Read_format: formatEnabled | formatLost,
		Bits: unix.PerfBitMmap | unix.PerfBitMmap2 | unix.PerfBitComm | unix.PerfBitCommExec | unix.PerfBitSampleIDAll |
			unix.PerfBitUseClockID | unix.PerfBitWatermark,
		Clockid: unix.CLOCK_REALTIME, // that of the audit records
		Wakeup:  uint32(size / 4),
	}
	var err error
	t.fd, err = unix.PerfEventOpen(&attr, -1, cpu, -1, unix.PERF_FLAG_FD_CLOEXEC)
	if errors.Is(err, unix.EINVAL) {
		t.counts, attr.Read_format = false, formatEnabled
		t.fd, err = unix.PerfEventOpen(&attr, -1, cpu, -1, unix.PERF_FLAG_FD_CLOEXEC)
	}
	if err != nil {
		return nil, openError(cpu, err)
	}
	page := os.Getpagesize()
	for size = max(size, page); ; size /= 2 {
		t.mem, err = unix.Mmap(t.fd, 0, page+size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		if err == nil {
			break
		}
		// EPERM: more than kernel.perf_event_mlock_kb and the limit on locked memory allow.
		if !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.ENOMEM) || size <= page {
			return nil, errors.Join(fmt.Errorf("map the ring of image loads of processor %d, %d bytes: %w", cpu, size, err), unix.Close(t.fd))
		}
	}
	t.page = (*unix.PerfEventMmapPage)(unsafe.Pointer(&t.mem[0]))
	t.data = t.mem[page:]
	return t, nil
}

// openError says what is missing.
func openError(cpu int, err error) error {
	doing := fmt.Sprintf("listen to image loads on processor %d", cpu)
	switch {
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		level, _ := os.ReadFile("/proc/sys/kernel/perf_event_paranoid")
		return fmt.Errorf("%s: CAP_PERFMON (before Linux 5.8 CAP_SYS_ADMIN) is missing, or a security module forbids it; kernel.perf_event_paranoid is %q: %w",
			doing, strings.TrimSpace(string(level)), ErrPrivilege)
	case errors.Is(err, unix.ENOSYS), errors.Is(err, unix.ENOENT), errors.Is(err, unix.EINVAL), errors.Is(err, unix.EOPNOTSUPP):
		return fmt.Errorf("%s: %v (Linux 4.1 with CONFIG_PERF_EVENTS is needed): %w", doing, err, ErrUnsupported)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// fetch learns how far the kernel has written.
func (t *tap) fetch() { t.head = atomic.LoadUint64(&t.page.Data_head) }

// release lets the kernel write over what was read.
func (t *tap) release() {
	if t.page.Data_tail != t.tail { // only we write it
		atomic.StoreUint64(&t.page.Data_tail, t.tail)
	}
}

// empty reports whether all that fetch learned of was read.
func (t *tap) empty() bool { return t.head == t.tail }

// account asks how many records were lost in all, and how long the event has been
// counting. An event whose processor went off never counts again.
func (t *tap) account() (lost, enabled uint64, err error) {
	var raw [24]byte
	n, err := unix.Read(t.fd, raw[:])
	if err != nil {
		return 0, 0, fmt.Errorf("ask for the losses of image loads of processor %d: %w", t.cpu, err)
	}
	if n < 16 {
		return 0, 0, fmt.Errorf("ask for the losses of image loads of processor %d: it has none", t.cpu)
	}
	if n >= 24 && t.counts {
		lost = native.Uint64(raw[16:])
	}
	return lost, native.Uint64(raw[8:]), nil
}

// stop ends the writing; what is written stays.
func (t *tap) stop() { _ = unix.IoctlSetInt(t.fd, unix.PERF_EVENT_IOC_DISABLE, 0) }

func (t *tap) close() error {
	t.data = nil
	return errors.Join(unix.Munmap(t.mem), unix.Close(t.fd))
}
