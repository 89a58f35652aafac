// SPDX-License-Identifier: Apache-2.0

// This file hands judged batches to the sinks, and keeps account of those that no
// sink could take.

package recorder

import (
	"context"
	"time"

	"seismo/internal/event"
)

// Tries of a write: a live recorder holds its events for this long while a disk
// is full or a database is busy, then drops and counts them, so that the newest
// events are not lost for the sake of older ones. From then on each write is
// tried once, until one succeeds: the reader is not held up and a stop is short.
const (
	firstRetry = 50 * time.Millisecond
	giveUp     = 10 * time.Second
)

// flush writes what is pending and hands the batches back. An error means that
// the recorder can not go on.
func (r *Recorder) flush(ctx context.Context) error {
	if len(r.unsaid) > 0 {
		b := event.NewBatch(0)
		b.Losses = append(b.Losses, r.unsaid...)
		r.pending = append(r.pending, b)
	}
	if len(r.pending) == 0 {
		return nil
	}
	n := uint64(r.events)
	err := r.write(ctx)
	if err != nil && !r.cfg.Live {
		return err
	}
	if err == nil {
		r.stored.Add(n)
		r.unsaid, r.failing = r.unsaid[:0], false
	} else {
		r.failing = true
		r.dropped.Add(n)
		r.unsaid = r.lost(err)
	}
	r.inFlight.Add(-int64(n))
	r.inFlightWeight.Add(-r.weight)
	r.weight = 0
	for _, b := range r.pending {
		r.pool.give(b)
	}
	clear(r.pending)
	r.pending, r.events = r.pending[:0], 0
	return nil
}

// write tries to write what is pending, in a live recorder more than once.
func (r *Recorder) write(ctx context.Context) error {
	began := time.Now()
	wait := firstRetry
	for at := 0; at < len(r.cfg.Sinks); { // a sink that has the batches does not get them again
		err := r.cfg.Sinks[at].Write(ctx, r.pending)
		switch {
		case err == nil:
			at++
		case !r.cfg.Live || r.failing || time.Since(began) > giveUp:
			return err
		default:
			time.Sleep(wait)
			wait *= 2
		}
	}
	return nil
}

// lost returns what the pending batches could not tell: their own losses, and
// one for the events in them that were dropped because of cause. Write errors in
// a row make one loss, so that a disk that stays full does not fill the memory.
func (r *Recorder) lost(cause error) []event.Loss {
	w := event.Loss{Reason: event.LossWrite, Count: uint64(r.events), Unit: "events", Detail: cause.Error()}
	var others []event.Loss
	for _, b := range r.pending {
		for _, e := range b.Events() {
			w.Cover(e.Time, e.Time)
		}
		for _, l := range b.Losses {
			if l.Reason == event.LossWrite {
				w.Cover(l.From, l.To)
				w.Count += l.Count
			} else if len(others) < maxUnsaid {
				others = append(others, l)
			}
		}
	}
	return append(others, w)
}

// maxUnsaid bounds the losses kept in memory while nothing can be written.
const maxUnsaid = 1000
