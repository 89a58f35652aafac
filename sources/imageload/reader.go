// SPDX-License-Identifier: Apache-2.0

// This file makes events of records.

package imageload

import (
	"fmt"

	"seismo/internal/event"
)

// counters are of records, but for events.
type counters struct{ received, parsed, malformed, events, lost uint64 }

// maxMalformed bounds the losses of a batch that tell of records which could not be
// read; the others are counted.
const maxMalformed = 8

// reader makes events of what the lanes hold.
type reader struct {
	lanes []*lane
	seen  *tracker
	max   int // events of a batch
	counters
}

// read appends to b what can be taken at the time now (Unix time, nanoseconds); with
// all set, all that is written. left says that the batch is full and there is more.
func (r *reader) read(b *event.Batch, now int64, all bool) (left bool) {
	bad := 0
	full := func() bool { return b.Full(r.max) }
	merge(r.lanes, now, all, &r.counters, full,
		func(l *lane) { r.take(b, l) },
		func(l *lane, err error) {
			if bad++; bad <= maxMalformed {
				b.Losses = append(b.Losses, event.Loss{From: l.last, To: now, Reason: event.LossMalformed, Kind: event.KindImage,
					Count: 1, Unit: "records", Detail: fmt.Sprintf("image loads of processor %d: %v", l.cpu, err)})
			}
		})
	if more := bad - maxMalformed; more > 0 {
		b.Losses[len(b.Losses)-1].Count += uint64(more)
	}
	return full()
}

// take acts on the record of l.
func (r *reader) take(b *event.Batch, l *lane) {
	rec := &l.rec
	switch rec.what {
	case execed:
		r.seen.exec(rec.pid)
	case exited:
		r.seen.forget(rec.pid)
	case missed:
		l.recorded += rec.lost
		r.lose(b, l, l.recorded, rec.time)
	case mapping:
		fresh, program := r.seen.load(rec)
		if !fresh {
			return
		}
		r.events++
		e := b.Add(event.KindImage, event.OpLoad)
		e.Time = rec.time
		e.PID = max(rec.pid, 0) // one that is ending has -1, one of a namespace above 0
		e.SetText(event.ImagePath, rec.path)
		if cut(rec.path) {
			e.Flags |= event.Truncated
		}
		if len(program) > 0 {
			e.SetText(event.ProcessPath, program)
		}
	}
}

// lose tells what of total records that l has lost was not told yet.
func (r *reader) lose(b *event.Batch, l *lane, total uint64, now int64) {
	n := l.lose(total)
	if n == 0 {
		return
	}
	r.lost += n
	r.seen.forgetAll()
	b.Losses = append(b.Losses, event.Loss{From: l.last, To: now, Reason: event.LossKernel, Kind: event.KindImage, Count: n, Unit: "records",
		Detail: fmt.Sprintf("image loads, execs and ends of processor %d came faster than they were read", l.cpu)})
}
