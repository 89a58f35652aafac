// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"seismo/engine"
	"seismo/internal/event"
	"seismo/signals"
)

// urgent returns the test for batches that are written at once: with a match of
// high severity, a change of privilege, or a change of the audit configuration.
// What an intruder would want to be forgotten is on disk before the next step.
func urgent(p *engine.Program) func(*event.Batch) bool {
	defs := p.Definitions()
	return func(b *event.Batch) bool {
		for _, e := range b.Events() {
			if e.Kind == event.KindSecurity && (e.Op == event.OpPrivilege || e.Op == event.OpPolicy) {
				return true
			}
			for _, t := range e.Tags {
				if defs[t.Signal].Severity >= signals.High {
					return true
				}
			}
		}
		return false
	}
}
