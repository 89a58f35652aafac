// SPDX-License-Identifier: Apache-2.0

// This file is the live source: the kernel's audit records and process events,
// read in batches and made into events. Its sockets are in netlink_linux.go and
// procconn_linux.go; what it changes in the kernel is in undo_linux.go.

package audit

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	libaudit "github.com/elastic/go-libaudit/v2"
	"golang.org/x/sys/unix"
	"seismo/internal/event"
)

// Kernel is the live source. Read, Close and Stats may be called from different
// goroutines; Read by one at a time.
type Kernel struct {
	options     KernelOptions
	batchEvents int
	gatherTime  time.Duration
	warnings    []string
	procErr     error

	waker   waker
	closing atomic.Bool

	mu       sync.Mutex // held by Read and Close
	closed   bool
	closeErr error

	install *installation
	control *kernelControl
	socket  *eventSocket
	client  *libaudit.AuditClient // over socket: it holds the role
	procs   *procConnector        // nil without process events

	began       time.Time // the zero of the reassembler's clock
	reassembler *Reassembler
	decoder     *Decoder
	gaps        Gaps
	more        bool  // the last read left records in the socket
	replaced    error // the role is given up

	ownRemovals ownRemovals

	// What is told with the next batch.
	losses    []event.Loss
	changes   []event.Change // after Close
	bytes     int            // of records, of the read at hand
	echoes    int            // records of our own that came back, see drainQueues
	malformed uint64         // records, of the read at hand
	cut       uint64         // records, of the read at hand
	cutBefore uint64         // what the reassembler had cut when it was told last

	dirs       *dirResolver // nil if the caller resolves
	lastRead   int64        // Unix time, nanoseconds
	lastRecord int64        // stamp of the newest record, Unix time, nanoseconds
	lastPush   time.Time    // when a record came last
	status     statusWatch

	statsMu   sync.Mutex
	published event.SourceStats
	stats     event.SourceStats // mu
}

// Defaults of KernelOptions.
const (
	defaultBatchEvents = 1000
	defaultGather      = 10 * time.Millisecond
)

// OpenKernel takes the audit role, loads the rules and begins to receive. What
// an earlier recorder left under the same undo file is put back first. Nothing
// has changed when it fails, with [ErrPrivilege], [ErrHeld], [ErrImmutable],
// [ErrForeign], [ErrRunning], [ErrUndoFile] or [ErrUnsupported] among the causes.
//
// The caller closes the source. Against its own panic it defers [Undo].
func OpenKernel(o KernelOptions) (_ *Kernel, err error) {
	if o.UndoPath == "" {
		return nil, errors.New("open the kernel's audit records: no undo file is named")
	}
	if err := CheckPrivilege(); err != nil {
		return nil, err
	}
	k := &Kernel{options: o, batchEvents: o.BatchEvents, gatherTime: o.Gather, began: time.Now(),
		reassembler: NewReassembler(Limits{})}
	if k.batchEvents <= 0 {
		k.batchEvents = defaultBatchEvents
	}
	if k.gatherTime <= 0 {
		k.gatherTime = defaultGather
	}
	decode := o.Decode
	if decode.ResolveDir == nil {
		k.dirs = newDirResolver()
		decode.ResolveDir = k.dirs.resolve
	}
	k.decoder = NewDecoder(decode)
	undone, err := Undo(o.UndoPath)
	if err != nil {
		return nil, err
	}
	if !undone.Nothing {
		k.warnings = append(k.warnings, "an earlier recorder did not end by itself: "+undone.String())
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, k.abandon(o.UndoPath))
		}
	}()
	if err := k.waker.open(); err != nil {
		return nil, err
	}
	if k.control, err = openControl(); err != nil {
		return nil, err
	}
	if err := k.takeHold(o); err != nil {
		return nil, err
	}
	now := time.Now()
	k.lastRead, k.status.at = now.UnixNano(), now
	return k, nil
}

// takeHold changes the kernel: from here on there is something to undo.
func (k *Kernel) takeHold(o KernelOptions) error {
	rules, warnings, err := k.plan(o.Decode.Demand)
	if err != nil {
		return err
	}
	k.warnings = append(k.warnings, warnings...)
	st, err := k.control.Status()
	if err != nil {
		return err
	}
	if err := heldByOther(st); err != nil {
		return err
	}
	k.status.lost = st.Lost
	if st.settings[settingEnabled] == 0 {
		k.warnings = append(k.warnings, "processes that were started before auditing was first switched on in this boot leave no records; start the kernel with audit=1 to have them")
	}
	present, err := k.control.Rules()
	if err != nil {
		return err
	}
	if slices.ContainsFunc(present, isNeverTask) {
		k.warnings = append(k.warnings, "a rule of others (-a never,task) keeps new processes from being audited")
	}
	self := undoFile{PID: os.Getpid()}
	if self.BootID, err = bootID(); err != nil {
		return err
	}
	self.Start, _ = startTicks(self.PID)
	// Process events come first: no exec without the fork before it.
	if k.procs, k.procErr = openProcConnector(); k.procErr != nil {
		k.procs = nil
	}
	if k.install, err = prepareInstall(k.control, o.UndoPath, self, rules); err != nil {
		return err
	}
	skipped, err := k.install.apply(k.takeRole)
	for _, rule := range skipped {
		k.warnings = append(k.warnings, "a folder has gone, its rule is left out: "+rule)
	}
	return err
}

// takeRole registers our socket for the records.
func (k *Kernel) takeRole() error {
	socket, warning, err := openEventSocket()
	if err != nil {
		return err
	}
	if warning != "" {
		k.warnings = append(k.warnings, warning)
	}
	k.socket, k.client = socket, &libaudit.AuditClient{Netlink: socket}
	err = k.client.SetPID(libaudit.WaitForReply)
	switch {
	case errors.Is(err, unix.EEXIST):
		if st, statErr := k.control.Status(); statErr == nil {
			if held := heldByOther(st); held != nil {
				return held
			}
		}
		return fmt.Errorf("take the audit role: %w", ErrHeld)
	case err != nil:
		return fmt.Errorf("take the audit role: %w", refused(err))
	}
	return nil
}

// heldByOther returns an error that wraps ErrHeld if a live process has the
// role. It is asked before the kernel is: asking the kernel for a role that is
// held tells the holder to give it up, and auditd then ends.
func heldByOther(st auditStatus) error {
	if st.PID == 0 || st.PID == uint32(os.Getpid()) {
		return nil
	}
	if _, alive := startTicks(int(st.PID)); !alive {
		return nil
	}
	return fmt.Errorf("take the audit role: process %d (%s) has it, end that first: %w", st.PID, processName(st.PID), ErrHeld)
}

// abandon gives up what a failed OpenKernel has begun.
func (k *Kernel) abandon(undoPath string) error {
	var errs []error
	if k.install != nil {
		_, err := Undo(undoPath)
		errs = append(errs, err)
	}
	if k.client != nil {
		errs = append(errs, k.client.Close())
	}
	if k.procs != nil {
		errs = append(errs, k.procs.close())
	}
	if k.control != nil {
		errs = append(errs, k.control.Close())
	}
	k.waker.close()
	return errors.Join(errs...)
}

// Warnings are sentences on what is recorded less well than it could be. They
// are known when the source is opened.
func (k *Kernel) Warnings() []string { return k.warnings }

// ProcEvents returns why there are no fork and exit events, wrapping
// [ErrNoProcEvents]; nil if there are.
func (k *Kernel) ProcEvents() error { return k.procErr }

// Stats returns the figures as of the last Read.
func (k *Kernel) Stats() event.SourceStats {
	k.statsMu.Lock()
	defer k.statsMu.Unlock()
	return k.published
}

// Close puts the kernel's audit configuration back, reads what was still under
// way (all of it, unless that takes more than 5 s, which is told as a loss),
// gives the role back and removes the undo file. What was read is returned by
// Read, until io.EOF. A Read under way returns.
func (k *Kernel) Close() error {
	k.closing.Store(true)
	k.waker.wake()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return k.closeErr
	}
	k.closed = true
	_, undoErr := undoChanges(k.control, k.install.file, false)
	errs := []error{undoErr, k.drainRest()}
	k.watchStatus(time.Now())
	errs = append(errs, k.client.Close())
	if k.procs != nil {
		errs = append(errs, k.procs.close())
	}
	errs = append(errs, k.control.Close())
	k.waker.close()
	if undoErr == nil {
		errs = append(errs, removeUndoFile(k.install.path))
	}
	if err := errors.Join(errs...); err != nil {
		k.closeErr = fmt.Errorf("close the kernel's audit records: %w", err)
	}
	return k.closeErr
}

// CheckPrivilege returns an error that wraps [ErrPrivilege] and names the
// capability without which the kernel's audit records cannot be had. (Reading
// the multicast group would need CAP_AUDIT_READ; the role itself does not.)
func CheckPrivilege() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return fmt.Errorf("read the capabilities: %w", err)
	}
	if data[unix.CAP_AUDIT_CONTROL/32].Effective&(1<<(unix.CAP_AUDIT_CONTROL%32)) == 0 {
		return fmt.Errorf("record live: CAP_AUDIT_CONTROL is missing: %w", ErrPrivilege)
	}
	return nil
}
