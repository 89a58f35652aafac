// SPDX-License-Identifier: Apache-2.0

package recorder

import (
	"slices"
	"sync"

	"seismo/internal/event"
)

// pool lends a bounded number of empty batches. It gives the one that came back
// last, so that only as many batches grow to their working size as are under way
// at a time (a queue, which wears all of them evenly, held 3x the memory at 2,000
// execs a second).
type pool struct {
	tokens chan struct{} // one for each batch that may be taken

	mu    sync.Mutex
	empty []*event.Batch
	takes int // since unused was looked at
	least int // of the empty ones, since then: so many were not used
}

// maxIdle bounds the empty batches that are kept: after a stall of the disk their
// memory must not stay for ever. Of those that were not used while lookEvery batches
// were taken, half are given up.
const (
	maxIdle   = 32
	lookEvery = 64
)

func newPool(n int) *pool {
	p := &pool{tokens: make(chan struct{}, n)}
	for range n {
		p.tokens <- struct{}{}
	}
	return p
}

// take waits until a batch may be taken.
func (p *pool) take() *event.Batch {
	<-p.tokens
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.empty); n > 0 {
		b := p.empty[n-1]
		p.empty[n-1] = nil
		p.empty = p.empty[:n-1]
		p.trim()
		return b
	}
	p.trim()
	return event.NewBatch(16)
}

// trim gives up batches that are not used. They lie at the front.
func (p *pool) trim() {
	if p.takes == 0 {
		p.least = len(p.empty)
	}
	p.least = min(p.least, len(p.empty))
	if p.takes++; p.takes < lookEvery {
		return
	}
	p.empty = slices.Delete(p.empty, 0, (p.least+1)/2)
	p.takes = 0
}

// give takes b back, emptied. A batch that was not taken from the pool is left to
// the garbage collector.
func (p *pool) give(b *event.Batch) {
	b.Reset()
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case p.tokens <- struct{}{}:
		if len(p.empty) < maxIdle {
			p.empty = append(p.empty, b)
		}
	default:
	}
}
