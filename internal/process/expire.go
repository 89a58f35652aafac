// SPDX-License-Identifier: Apache-2.0

// This file drops what is no longer needed.

package process

import (
	"fmt"

	"seismo/internal/event"
)

// Expire drops processes that ended more than the expiry before now (Unix time,
// nanoseconds), unless something that is kept descends from them; their keys go
// to b.Ended. Only the table forgets them: an event or a descendant that points
// to one keeps it. It is cheap and may be called for every batch.
func (t *Table) Expire(now int64, b *event.Batch) {
	if r, ok := t.o.Users.(interface{ Refresh(now int64) error }); ok {
		// On an error the names known so far stay in force.
		_ = r.Refresh(now)
	}
	for en := t.ended.first; en != nil && now-en.end > int64(t.o.Expiry); en = t.ended.first {
		t.retire(en)
	}
	t.shrinkIndex()
	t.finish(b)
}

// retire drops en, which has ended, or holds it for its descendants.
func (t *Table) retire(en *entry) {
	if en.kids == 0 {
		t.remove(en)
		return
	}
	t.unlist(en)
	t.held.push(en)
}

// bound drops what is over the limits.
func (t *Table) bound(b *event.Batch) {
	for t.bytes > t.o.EndedBytes && t.ended.first != nil {
		t.retire(t.ended.first)
	}
	if t.Len() <= t.o.MaxProcesses {
		return
	}
	ended, running := uint64(0), uint64(0)
	from, to := int64(0), int64(0)
	for t.Len() > t.o.MaxProcesses {
		before := t.Len()
		var en *entry
		switch {
		case t.ended.first != nil:
			en = t.ended.first
			t.retire(en)
			ended += uint64(before - t.Len())
		case t.held.first != nil:
			en = t.held.first
			t.remove(en)
			ended += uint64(before - t.Len())
		default:
			en = t.living.first
			t.remove(en)
			running++
		}
		if from == 0 || en.start < from {
			from = en.start
		}
		to = max(to, en.start, en.end)
	}
	b.Losses = append(b.Losses, event.Loss{
		From: from, To: to, Reason: event.LossProcesses, Kind: event.KindProcess,
		Count: ended + running, Unit: "processes",
		Detail: fmt.Sprintf("the process table is full (%d): %d ended and %d running processes were forgotten", t.o.MaxProcesses, ended, running),
	})
}

// shrinkIndex gives back the memory of an index that was much greater once: a
// map keeps the room of its greatest size.
func (t *Table) shrinkIndex() {
	if t.peak < 1<<16 || len(t.index) > t.peak/8 {
		return
	}
	smaller := make(map[pidKey]*entry, len(t.index))
	for key, en := range t.index {
		smaller[key] = en
	}
	t.index, t.peak = smaller, len(smaller)
}
