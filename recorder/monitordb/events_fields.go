// SPDX-License-Identifier: Apache-2.0

// This file says which fields of an event the database keeps. What it does not
// keep is not known of a stored event, which is not the same as absent.

package monitordb

import (
	"seismo/internal/event"
)

// Stored reports whether the database keeps field f of an event of kind k and
// operation op: a value that is missing in what [Reader.Events] gives was then
// absent from the event as well. It keeps all fields of the registry but these:
//
//   - user.* of a process update
//   - the ancestors that lie beyond 256 generations
//   - images that were only forked, to exec at once: what they show of the
//     ancestry is what their parents show
//   - times within a millisecond: process.start_time and process.end_time may be
//     those of the event's id
//
// Not kept are also an event's ordinal in its input and the types of its records,
// unless it has own fields that are kept, for which see [StoredOwn].
func Stored(f event.Field, k event.Kind, op event.Op) bool {
	in := event.Describe(f)
	if in.Name == "" || !in.Kinds.Has(k) {
		return false
	}
	return !(k == event.KindProcess && op == event.OpUpdate && in.Object() == "user")
}

// StoredOwn reports whether the stored event e is known to have, or known not to
// have, a value under the source's own name. Of an event that says which logs it
// belongs to all own fields are kept. Of others they are kept of record events and
// of those that a signal tagged, and of a record only those names that the signals
// of that time read: a name that is not there was absent or not collected, and
// nothing tells which.
func StoredOwn(e *event.Event, name string) bool {
	if e.Logsource != nil {
		return true
	}
	for f := range e.Own() {
		if string(f.Name) == name {
			return true
		}
	}
	return false
}
