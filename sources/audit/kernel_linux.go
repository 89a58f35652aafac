// SPDX-License-Identifier: Apache-2.0

// This file is the live source: the kernel's audit records and process events,
// read in batches and made into events. Its sockets are in netlink_linux.go and
// procconn_linux.go, the ways that records come by in ways_linux.go; what it changes
// in the kernel is in undo_linux.go.

package audit

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"seismo/internal/event"
	"seismo/internal/pollset"
)

// Kernel is the live source. Read, Close, Stats, State and Notices may be called
// from different goroutines; Read by one at a time.
type Kernel struct {
	options     KernelOptions
	batchEvents int
	warnings    []string
	procErr     error

	waker   waker
	pollset *pollset.Set
	waited  []int // what it waits for, beside the waker
	closing atomic.Bool

	mu       sync.Mutex // held by Read and Close
	closed   bool
	closeErr error

	install   *installation
	heir      *heritage // what was taken over; nil: nothing
	continued bool
	control   *kernelControl
	feed      feed
	way       Way
	procs     *procConnector // nil without process events
	hostID    string         // of this host, as node= of text names it

	began       time.Time // the zero of the reassembler's clock
	reassembler *Reassembler
	decoder     *Decoder
	gaps        Gaps
	position    position
	downtime    downtime
	gather      gatherer
	waking      waking
	more        bool  // the last read left records in the feed
	ended       bool  // the feed will never give more
	replaced    error // the role is lost, and there is no other way in

	handover    handover
	ownRemovals ownRemovals
	guarded     guarded

	// What is told with the next batch.
	losses    []event.Loss
	changes   []event.Change // after Close
	bytes     int            // of records, of the read at hand
	malformed uint64         // records, of the read at hand
	cut       uint64         // records, of the read at hand
	cutBefore uint64         // what the reassembler had cut when it was told last
	strange   uint64         // records of other hosts, of the read at hand

	mountNotice *mountNotice // nil where no rule is about a folder
	mountTable  mountTable

	dirs       *dirResolver // nil if the caller resolves
	ends       *endsFinder  // nil without
	lastRead   int64        // Unix time, nanoseconds
	lastRecord int64        // stamp of the newest record, Unix time, nanoseconds
	lastPush   time.Time    // when a record came last
	firstTake  time.Time    // when what was there was read first
	looked     bool         // what runs was looked at, some time after that
	status     statusWatch

	stats event.SourceStats // mu

	publicMu  sync.Mutex
	published event.SourceStats
	planned   Plan // what was planned last
	state     State
	notices   []Notice
}

// defaultBatchEvents is the default of KernelOptions.BatchEvents.
const defaultBatchEvents = 1000

// OpenKernel takes the way in that o names, loads the rules and begins to receive.
// What an earlier recorder left in force under the same undo file is taken over, or put
// back first. When it fails nothing has changed, or what that one left is put back. It
// fails with [ErrPrivilege], [ErrHeld], [ErrImmutable], [ErrForeign], [ErrRunning],
// [ErrUndoFile] or [ErrUnsupported] among the causes.
//
// The caller closes the source. Against its own panic it defers [Undo].
func OpenKernel(o KernelOptions) (_ *Kernel, err error) {
	k := &Kernel{options: o, batchEvents: o.BatchEvents, began: time.Now(), reassembler: NewReassembler(Limits{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, k.abandon())
		}
	}()
	if o.UndoPath == "" {
		return nil, errors.New("open the kernel's audit records: no undo file is named")
	}
	if err := CheckPrivilege(); err != nil && !onlyReads(&o) {
		return nil, err
	}
	if k.batchEvents <= 0 {
		k.batchEvents = defaultBatchEvents
	}
	k.gather.fixed = o.Gather
	decode := o.Decode
	if decode.ResolveDir == nil {
		k.dirs = newDirResolver()
		k.dirs.hook(&decode)
	}
	if decode.AskEnds == nil {
		k.ends = newEndsFinder()
		k.ends.hook(&decode)
	}
	k.decoder = NewDecoder(decode)
	if k.dirs != nil {
		k.dirs.who, k.decoder.late = &k.decoder.who, &k.dirs.late
	}
	if err := k.waker.open(); err != nil {
		return nil, err
	}
	if k.pollset, err = pollset.Open(k.waker.fd); err != nil {
		return nil, err
	}
	if k.control, err = controlFor(&o); err != nil {
		return nil, err
	}
	if k.control.blind() {
		k.state.Unknown = blindText
		k.warnings = append(k.warnings, blindWarnings()...)
	} else {
		k.warnings = append(k.warnings, lostPrivileges()...)
	}
	if err := k.takeHold(o); err != nil {
		return nil, err
	}
	now := time.Now()
	k.lastRead, k.status.at, k.guarded.at = now.UnixNano(), now, now
	k.more = true // records may have come while the role was taken
	k.openMounts()
	if k.dirs != nil {
		k.dirs.begin(watchedDirs(k.install.planned), k.procs != nil && !o.LeaveRules && !k.install.locked && (o.Monitor == nil || o.Monitor.Syscalls))
	}
	return k, nil
}

// takeHold changes the kernel: from here on there is something to undo.
func (k *Kernel) takeHold(o KernelOptions) error {
	st, err := k.inherit()
	if err != nil {
		return err
	}
	k.status.lost = st.Lost
	var reason string
	if o.Feed != nil {
		k.way, reason = o.Feed.Way, "the settings name it"
	} else if k.way, reason, err = choose(o.Way, look(st)); err != nil {
		return err
	}
	rules, warnings, err := k.rulesFor(o.Decode.Demand, k.way)
	if err != nil {
		return err
	}
	k.warnings = append(k.warnings, warnings...)
	if err := k.warnOf(st); err != nil {
		return err
	}
	self := undoFile{PID: os.Getpid()}
	if self.BootID, err = bootID(); err != nil {
		return err
	}
	k.position.boot = self.BootID
	o.Last.Killed = o.Last.Killed && k.continued
	k.downtime.numbered = k.heir != nil
	k.downtime.begin(o.Last, self.BootID)
	self.Start, _ = startTicks(self.PID)
	// Process events come first: no exec without the fork before it.
	if k.procs, k.procErr = openProcConnector(); k.procErr != nil {
		k.procs = nil
	}
	if k.heir != nil {
		k.install, err = prepareTakeover(k.control, o.UndoPath, self, k.heir, rules)
	} else {
		k.install, err = prepareInstall(k.control, o.UndoPath, self, rules, hold{k.way, o.LeaveRules})
	}
	if err != nil {
		return err
	}
	if k.install.locked {
		k.warnings = append(k.warnings, "the audit configuration is locked (enabled is 2): the rules in force are used, and none can be added before the machine is started again")
	}
	var skipped []string
	if k.heir != nil {
		skipped, err = k.takeOver(rules)
	} else {
		skipped, err = k.install.apply(k.openFeed)
	}
	k.guarded.gone = skipped
	for _, rule := range skipped {
		k.warnings = append(k.warnings, "a folder has gone, its rule is left out: "+rule)
	}
	k.changed(reason)
	return err
}

// openFeed opens the way in.
func (k *Kernel) openFeed() (err error) {
	var warning string
	switch {
	case k.options.Feed != nil:
		k.feed = k.options.Feed.from
		k.hostID, _ = os.Hostname()
	case k.way == WayMulticast:
		k.feed, warning, err = openMulticast()
	default:
		var role *roleFeed
		if role, warning, err = openRole(k.control); err == nil {
			k.feed = role
		}
	}
	if warning != "" {
		k.warnings = append(k.warnings, warning)
	}
	return err
}

// warnOf adds sentences on what cannot be seen as the audit system is now.
func (k *Kernel) warnOf(st auditStatus) error {
	if k.control.blind() {
		return nil
	}
	if st.settings[settingEnabled] == 0 {
		k.warnings = append(k.warnings, "processes that were started before auditing was first switched on in this boot leave no records; start the kernel with audit=1 to have them")
		if who := otherHolder(st); who != "" && k.way != WayUnicast {
			k.warnings = append(k.warnings, "auditing is off, and "+who+" has the audit role: nothing is recorded until it switches auditing on (auditctl -e 1)")
		}
	}
	present, err := k.control.Rules()
	if err != nil {
		return err
	}
	if slices.ContainsFunc(present, isNeverTask) {
		k.warnings = append(k.warnings, "a rule of others (-a never,task) keeps new processes from being audited")
	}
	if k.options.LeaveRules && len(present) == 0 {
		k.warnings = append(k.warnings, "no audit rule is in force, and the settings say to add none: only what the kernel and programs tell by themselves is recorded")
	}
	return nil
}

// abandon gives up what a failed OpenKernel has begun.
func (k *Kernel) abandon() error {
	var errs []error
	if k.install != nil || k.heir != nil {
		_, err := Undo(k.options.UndoPath)
		errs = append(errs, err)
	}
	if k.feed == nil && k.options.Feed != nil {
		k.feed = k.options.Feed.from
	}
	if k.feed != nil {
		errs = append(errs, k.feed.close())
	}
	if k.procs != nil {
		errs = append(errs, k.procs.close())
	}
	if k.control != nil {
		errs = append(errs, k.control.Close())
	}
	errs = append(errs, k.pollset.Close())
	k.waker.close()
	k.ends.close()
	k.mountNotice.close()
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
	k.publicMu.Lock()
	defer k.publicMu.Unlock()
	return k.published
}

// State says how records come now. The caller may keep what it returns.
func (k *Kernel) State() State {
	k.publicMu.Lock()
	defer k.publicMu.Unlock()
	return k.state
}

// Notices returns what has happened since the last call.
func (k *Kernel) Notices() []Notice {
	k.publicMu.Lock()
	defer k.publicMu.Unlock()
	n := k.notices
	k.notices = nil
	return n
}

// maxNotices bounds the notices that nobody asks for.
const maxNotices = 64

// say tells a person something.
func (k *Kernel) say(warning bool, format string, args ...any) {
	k.publicMu.Lock()
	defer k.publicMu.Unlock()
	if len(k.notices) < maxNotices {
		k.notices = append(k.notices, Notice{time.Now(), fmt.Sprintf(format, args...), warning})
	}
}

// changed notes that way or rules are others than before. An empty reason keeps the
// one of the way.
func (k *Kernel) changed(reason string) {
	var rules []string
	if k.install != nil {
		for _, r := range k.install.planned {
			rules = append(rules, r.Text)
		}
	}
	k.publicMu.Lock()
	defer k.publicMu.Unlock()
	if k.state.Way != k.way {
		k.state.Way, k.state.Since = k.way, time.Now()
	}
	if reason != "" {
		k.state.Reason = reason
	}
	k.state.Rules = rules
	k.state.Changes++
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
	return k.close()
}

// close is Close for whoever holds the lock.
func (k *Kernel) close() error {
	if k.closed {
		return k.closeErr
	}
	k.closed = true
	_, undoErr := undoChanges(k.control, k.install.file, false)
	errs := []error{undoErr, k.drainRest()}
	k.watchStatus(time.Now())
	errs = append(errs, k.feed.close())
	if k.procs != nil {
		errs = append(errs, k.procs.close())
	}
	errs = append(errs, k.control.Close(), k.pollset.Close())
	k.waker.close()
	k.ends.close()
	k.mountNotice.close()
	if undoErr == nil {
		errs = append(errs, removeUndoFile(k.install.path))
	}
	if err := errors.Join(errs...); err != nil {
		k.closeErr = fmt.Errorf("close the kernel's audit records: %w", err)
	}
	return k.closeErr
}
