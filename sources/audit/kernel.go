// SPDX-License-Identifier: Apache-2.0

// This file holds what the live source looks like on every system: its options,
// its named errors, and what taking it back reports. The source itself is in
// kernel_linux.go; kernel_other.go says that other systems have none.

package audit

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"seismo/internal/event"
)

// The reasons why the audit role cannot be had or was lost. Errors that wrap
// them name the process, capability or value that stands in the way.
var (
	// ErrUnsupported: this system or kernel has no Linux audit.
	ErrUnsupported = errors.New("linux audit is not supported here")
	// ErrPrivilege: a capability is missing.
	ErrPrivilege = errors.New("missing privilege")
	// ErrHeld: another process receives the kernel's records.
	ErrHeld = errors.New("only one process can receive the records")
	// ErrImmutable: auditing is locked (auditctl -e 2) until the next boot.
	ErrImmutable = errors.New("the audit configuration is locked until the next boot")
	// ErrForeign: auditing is on with the rules of somebody else.
	ErrForeign = errors.New("auditing is in use by others (auditd?); stop them first")
	// ErrReplaced: the role was lost, and records cannot be had beside who has it.
	ErrReplaced = errors.New("the audit role is given up to another process")
	// ErrRunning: the recorder that the undo file belongs to still runs.
	ErrRunning = errors.New("the recorder that changed the audit configuration is running")
	// ErrUndoFile: the undo file cannot be believed.
	ErrUndoFile = errors.New("bad undo file; compare auditctl -s and auditctl -l with what they should say, then remove it")
)

// KernelOptions say how the kernel's audit records are taken.
type KernelOptions struct {
	// UndoPath is the undo file. It must be given; its folder must exist.
	UndoPath string
	// Way is the way that records come by; the zero value stands for [WayAuto].
	Way Way
	// Feed, if it is not nil, is a way in that the caller has opened. Way is then not
	// looked at. The source closes it, also when OpenKernel fails.
	Feed *Feed
	// LeaveRules uses the audit rules that are in force: none is added or taken away.
	LeaveRules bool
	// ExcludeChildren keeps the processes that this one starts from being audited
	// where the kernel would audit us: by every way but unicast.
	ExcludeChildren bool
	// Last says where the recording before this one ended.
	Last event.Position
	// Monitor says what rules are for beside processes; nil stands for [MonitorAll].
	Monitor *Monitor
	// Roots are the folders whose files are watched; nil stands for
	// [DefaultRoots]. Those that do not exist are left out with a warning.
	Roots []string
	// Exclude are folders below a root in which changes are not recorded: the
	// recorder's own.
	Exclude []string
	// WatchDemand says that the folders of Decode.Demand.Paths are watched too where
	// no root covers them.
	WatchDemand bool
	// Decode is handed to the decoder. ResolveDir is filled in if it is nil. Its
	// Demand counts until [Kernel.SetDemand] is told another.
	Decode DecodeOptions
	// BatchEvents is the number of events at which a batch is full; 0 stands
	// for 1,000.
	BatchEvents int
	// Gather is the time between the first record and the read of what came
	// with it. 0 lets the source choose by the rate of records, from 10 to 50 ms. Longer
	// costs less processor time.
	Gather time.Duration
}

// State says how a live source gets its records now.
type State struct {
	Way    Way
	Since  time.Time // when that began
	Reason string    // why this way
	// Rules are ours that are in force, as auditctl(8) writes them.
	Rules []string
	// Unknown says what can not be told of the audit system; empty: nothing.
	Unknown string
	// Changes counts what has changed of Way and Rules since the source was opened.
	Changes uint64
}

// Notice is something that a person should hear of: the way in has changed, or
// somebody else has changed the audit configuration.
type Notice struct {
	Time    time.Time
	Text    string
	Warning bool // less is seen than before
}

// UndoReport says what [Undo] found and did.
type UndoReport struct {
	Nothing     bool     // there was no undo file
	OtherBoot   bool     // the file was of an earlier boot: the kernel has forgotten all
	Rules       int      // rules of ours that were taken away
	Restored    []string // settings put back, as "name value"
	Left        []string // settings somebody else has changed since, as "name value"
	RoleCleared bool     // the role was still registered for the recorder that had ended
	Continued   bool     // auditing was on until now, with all rules of the file
}

// String says it in one line, for a log.
func (r UndoReport) String() string {
	switch {
	case r.Nothing:
		return "nothing to undo"
	case r.OtherBoot:
		return "undo file of an earlier boot removed"
	}
	s := fmt.Sprintf("%d audit rules removed", r.Rules)
	if len(r.Restored) > 0 {
		s += "; put back " + strings.Join(r.Restored, ", ")
	}
	if len(r.Left) > 0 {
		s += "; left as changed by others " + strings.Join(r.Left, ", ")
	}
	if r.RoleCleared {
		s += "; stale audit role cleared"
	}
	return s
}
