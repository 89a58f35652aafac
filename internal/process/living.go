// SPDX-License-Identifier: Apache-2.0

package process

import "seismo/internal/event"

// Living returns the latest images of the processes that run, as far as they are
// known. The map is the caller's.
func (t *Table) Living() map[event.ProcessKey]bool {
	living := make(map[event.ProcessKey]bool, t.living.n)
	for en := t.living.first; en != nil; en = en.after {
		if en.image != nil {
			living[en.image.ID] = true
		}
	}
	return living
}
