// SPDX-License-Identifier: Apache-2.0

// This file has what is to be done each second done when the reader is awake anyway: a
// clock of its own would wake the recorder twice as often on a host where nothing happens.

package daemon

import (
	"context"
	"time"

	"seismo/internal/event"
	"seismo/recorder"
)

const (
	// pulseEvery is the least time between two beats: a little less than a source waits
	// where nothing happens.
	pulseEvery = 980 * time.Millisecond
	// lateAfter is when the next beat is waited for no longer: the source is held up.
	lateAfter = 3 * time.Second
)

// pulse is a source that beats after reads.
type pulse struct {
	recorder.Source
	beat chan struct{} // has room for one
	last time.Time
}

func newPulse(src recorder.Source) *pulse {
	return &pulse{Source: src, beat: make(chan struct{}, 1), last: time.Now()}
}

// Read implements recorder.Source.
func (p *pulse) Read(ctx context.Context, b *event.Batch) error {
	err := p.Source.Read(ctx, b)
	if now := time.Now(); now.Sub(p.last) >= pulseEvery {
		p.last = now
		select {
		case p.beat <- struct{}{}:
		default: // nobody had time for the last one
		}
	}
	return err
}
