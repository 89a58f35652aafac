// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"seismo/engine"
	"seismo/internal/event"
	"seismo/signals"
)

// urgency tests which batches are written at once. The recorder's second goroutine
// uses it, and changes it while nothing is judged.
type urgency struct{ definitions []signals.Definition }

// set says whose tags the batches to come carry.
func (u *urgency) set(p *engine.Program) { u.definitions = p.Definitions() }

// urgent reports whether b is written at once: it has a match of high severity, a
// change of privilege, or a change of the audit configuration. What an intruder would
// want to be forgotten is on disk before the next step.
func (u *urgency) urgent(b *event.Batch) bool {
	for _, e := range b.Events() {
		if e.Kind == event.KindSecurity && (e.Op == event.OpPrivilege || e.Op == event.OpPolicy) {
			return true
		}
		for _, t := range e.Tags {
			if u.definitions[t.Signal].Severity >= signals.High {
				return true
			}
		}
	}
	return false
}
