// SPDX-License-Identifier: Apache-2.0

// This file is the first of the two goroutines: it empties the source and hands on
// what came, with what the sources beside gave (beside.go).

package recorder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"seismo/internal/event"
)

// drainTime bounds how long a closed source is read.
const drainTime = 5 * time.Second

// read fills batches until the source ends, fails or is to stop; then it closes
// the source and reads what that still held.
func (r *Recorder) read(ctx context.Context) (failure error) {
	closed := false
	readCtx := ctx
	var b *event.Batch
	for {
		if r.broken.Load() {
			return nil
		}
		if !closed && (ctx.Err() != nil || failure != nil) {
			if err := r.cfg.Source.Close(); err != nil {
				failure = errors.Join(failure, fmt.Errorf("close the source: %w", err))
			}
			closed = true
			var cancel context.CancelFunc
			readCtx, cancel = context.WithTimeout(context.WithoutCancel(ctx), drainTime)
			defer cancel()
		}
		if !closed && r.wait(ctx) != nil {
			continue // rules and settings must not wait for a slow disk
		}
		if b == nil {
			b = r.pool.take()
		}
		err := r.cfg.Source.Read(readCtx, b)
		until := b.Until
		if b.Len() > 0 || len(b.Changes) > 0 || len(b.Losses) > 0 {
			r.hand(b)
			b = nil
		} else {
			b.Until = 0
		}
		r.forward(until, false)
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			return failure
		case ctx.Err() != nil && errors.Is(err, ctx.Err()) && !closed:
		case closed && readCtx.Err() != nil:
			return failure
		case closed && failure != nil && errors.Is(failure, err): // said once
			return failure
		case closed:
			return errors.Join(failure, fmt.Errorf("read the source after its end: %w", err))
		default:
			failure = fmt.Errorf("read the source: %w", err)
		}
	}
}

// forward hands on the batches of the sources beside that are ripe.
func (r *Recorder) forward(until int64, all bool) {
	for b := r.beside.take(until, all); b != nil && !r.broken.Load(); b = r.beside.take(until, all) {
		r.hand(b)
	}
}

// hand gives b, which is on its way from here on, to the other goroutine.
func (r *Recorder) hand(b *event.Batch) {
	w := weightOf(b)
	r.inFlight.Add(int64(b.Len()))
	r.inFlightWeight.Add(w)
	r.full <- lent{b, w}
}

// wait waits while too much is on its way, or until ctx is done: then it returns
// ctx's error.
func (r *Recorder) wait(ctx context.Context) error {
	for r.inFlight.Load() > maxInFlight || r.inFlightWeight.Load() > maxInFlightWeight {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
	return nil
}
