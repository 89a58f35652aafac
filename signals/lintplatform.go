// SPDX-License-Identifier: Apache-2.0

// This file holds what lint knows about where events come from: the kinds of event
// that a platform has, and the operations that a field comes with.

package signals

import "seismo/internal/event"

// kindsOn returns the kinds of event that the sources of a platform make.
//
//   - linux: the audit system (package sources/audit) tells of processes, files,
//     sockets, kernel modules, system calls, and of logins and accounts by the
//     records of user space; what has no kind becomes a record event. Loaded
//     libraries and names asked for have sources of their own. There is no registry.
//   - macos: the records of OpenBSM are of system calls and logins too.
//   - windows: the event logs have no system calls.
func kindsOn(platform string) event.KindSet {
	switch platform {
	case "linux":
		return event.AllKinds &^ event.SetOf(event.KindRegistry)
	case "macos":
		return event.AllKinds &^ event.SetOf(event.KindRegistry, event.KindImage, event.KindDNS)
	case "windows":
		return event.AllKinds &^ event.SetOf(event.KindSyscall)
	}
	return event.AllKinds
}

// onlyWith returns the operations that f comes with, as the registry documents it;
// none if it is not bound to some.
func onlyWith(f event.Field) []event.Op {
	switch f {
	case event.FileTargetPath:
		return []event.Op{event.OpRename, event.OpLink}
	case event.ProcessEndTime, event.ProcessExitCode:
		return []event.Op{event.OpEnd}
	}
	return nil
}

// operationOf returns the operation field of the object that f is a field of.
func operationOf(f event.Field) event.Field {
	info, _ := event.Lookup(event.Describe(f).Object() + ".operation")
	return info.Field
}

// isOperation reports whether f is the operation of events of one kind, which
// every event of that kind has.
func isOperation(f event.Field) bool {
	return f != event.NoField && event.Describe(f).Column() == "operation"
}

// operationsOf returns the values that operation field f can have.
func operationsOf(f event.Field) []event.Op {
	kind, _ := event.ParseKind(event.Describe(f).Object())
	return event.Ops(kind)
}
