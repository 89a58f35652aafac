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
	for t.relics.n > 0 && now-t.relics.oldest().entry.end > int64(t.o.Expiry) {
		t.dropRelic()
	}
	for _, l := range []*list{&t.packed, &t.ended} {
		for en := l.first; en != nil && now-en.end > int64(t.o.Expiry); en = l.first {
			t.retire(en)
		}
	}
	t.index.shrink()
	t.relics.shrink()
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
	for t.bytes+t.relics.bytes > t.o.EndedBytes && t.retireOldest() {
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
	note := func(start, end int64) {
		if from == 0 || start < from {
			from = start
		}
		to = max(to, start, end)
	}
	for t.Len() > t.o.MaxProcesses {
		before := t.Len()
		if start, end, any := t.oldestEnded(); any {
			note(start, end)
			t.retireOldest()
			ended += uint64(before - t.Len())
			continue
		}
		en := t.living.first
		if en.kids > 0 { // as good as named: its child was
			t.touch(en)
			continue
		}
		note(en.start, en.end)
		t.remove(en)
		running++
		ended += uint64(before - t.Len() - 1) // ancestors that were kept for it
	}
	b.Losses = append(b.Losses, event.Loss{
		From: from, To: to, Reason: event.LossProcesses, Kind: event.KindProcess,
		Count: ended + running, Unit: "processes",
		Detail: fmt.Sprintf("the process table is full (%d): %d ended and %d running processes were forgotten", t.o.MaxProcesses, ended, running),
	})
}

// oldestEnded returns the start and the end of the process that is to expire first.
func (t *Table) oldestEnded() (start, end int64, any bool) {
	if t.relics.n > 0 {
		r := t.relics.oldest()
		if first := t.packed.first; first == nil || r.entry.end <= first.end {
			return r.entry.start, r.entry.end, true
		}
	}
	if en := cmp.Or(t.packed.first, t.ended.first); en != nil {
		return en.start, en.end, true
	}
	return 0, 0, false
}

// retireOldest drops the process that is to expire first, or reports that none has
// ended. Nothing is waiting in t.ending.
func (t *Table) retireOldest() bool {
	first := t.packed.first
	switch {
	case t.relics.n > 0 && (first == nil || t.relics.oldest().entry.end <= first.end):
		t.dropRelic()
	case first != nil:
		t.retire(first)
	case t.ended.first != nil:
		t.retire(t.ended.first)
	default:
		return false
	}
	return true
}
