// SPDX-License-Identifier: Apache-2.0

// This file drops what is no longer needed.

package process

import (
	"cmp"
	"fmt"

	"seismo/internal/event"
)

// Expire drops processes that ended more than the expiry before now (Unix time,
// nanoseconds), unless something that is kept descends from them; their keys go
// to b.Ended. Only the table forgets them: an event or a descendant that points
// to one keeps it. It is cheap and may be called for every batch.
func (t *Table) Expire(now int64, b *event.Batch) {
	for _, l := range []*list{&t.packed, &t.ended} {
		for en := l.first; en != nil && now-en.end > int64(t.o.Expiry); en = l.first {
			t.retire(en)
		}
	}
	t.index.shrink()
	t.finish(b)
}

// retire drops en, which has ended, or holds it for its descendants. Nothing is
// waiting in t.ending.
func (t *Table) retire(en *entry) {
	if en.kids == 0 {
		t.remove(en)
		t.freeEntry(en)
		return
	}
	t.unlist(en)
	t.held.push(en)
}

// bound drops what is over the limits: of what nothing that is kept descends from,
// the oldest that ended, then of what runs what no event has named for longest.
func (t *Table) bound(b *event.Batch) {
	t.pack()
	for t.bytes > t.o.EndedBytes && t.oldestEnded() != nil {
		t.retire(t.oldestEnded())
	}
	if t.cut > 0 {
		b.Losses = append(b.Losses, event.Loss{
			From: t.cutAt, To: t.cutAt, Reason: event.LossProcesses, Kind: event.KindProcess, Count: t.cut, Unit: "processes",
			Detail: fmt.Sprintf("more than %d ancestors: the farthest are no longer followed", maxLineage),
		})
		t.cut = 0
	}
	if t.Len() <= t.o.MaxProcesses {
		return
	}
	ended, running := uint64(0), uint64(0)
	from, to := int64(0), int64(0)
	for t.Len() > t.o.MaxProcesses {
		before := t.Len()
		en := cmp.Or(t.oldestEnded(), t.living.first)
		if en.in == &t.living && en.kids > 0 { // as good as named: its child was
			t.touch(en)
			continue
		}
		if from == 0 || en.start < from {
			from = en.start
		}
		to = max(to, en.start, en.end)
		switch en.in {
		case &t.living:
			t.remove(en)
			running++
			ended += uint64(before - t.Len() - 1) // ancestors that were kept for it
		default:
			t.retire(en)
			ended += uint64(before - t.Len())
		}
	}
	b.Losses = append(b.Losses, event.Loss{
		From: from, To: to, Reason: event.LossProcesses, Kind: event.KindProcess,
		Count: ended + running, Unit: "processes",
		Detail: fmt.Sprintf("the process table is full (%d): %d ended and %d running processes were forgotten", t.o.MaxProcesses, ended, running),
	})
}

// oldestEnded returns the entry that is to expire first, nil if there is none.
func (t *Table) oldestEnded() *entry { return cmp.Or(t.packed.first, t.ended.first) }
