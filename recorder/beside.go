// SPDX-License-Identifier: Apache-2.0

// This file takes events of sources beside the main one: name look-ups, images
// that were loaded, late values. They know a pid and a time; which process that
// was, the main source tells, and it may tell it later. So their batches wait
// until the main source has told all that happened before they came.

package recorder

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"seismo/internal/event"
)

// Beside is a source whose events are judged after those of the main source that
// happened before them. It fails alone: the recording goes on without it.
type Beside struct {
	Source
	// Name says in errors and losses which source it is.
	Name string
}

// Close closes the source; its error says which.
func (b Beside) Close() error {
	if err := b.Source.Close(); err != nil {
		return fmt.Errorf("close the source %s: %w", b.Name, err)
	}
	return nil
}

// Bounds of what waits for the main source, of each source by itself: one that floods
// takes nothing from the others. Beyond them batches are dropped and counted: a source
// beside is never worth the main one.
const (
	maxBesideEvents  = 20_000
	maxBesideBatches = 64
	maxBesideBytes   = 32 << 20 // of values: a name query with its answers has up to 5 KB
	// besideMargin is how much later than the main source's look the last event of a
	// waiting batch must be: records of the kernel take this long to come.
	besideMargin = 100 * time.Millisecond
	// besidePatience is how long a batch waits for a main source that is behind, or
	// that does not say how far it is, unless Config.Patience says otherwise.
	besidePatience = 5 * time.Second
)

// besides reads the sources beside the main one.
type besides struct {
	sources  []Beside
	patience time.Duration
	waiting  chan waiting
	first    *waiting // taken from waiting, not ripe yet; belongs to the main reader
	readers  sync.WaitGroup

	mu     sync.Mutex
	losses []event.Loss // of what was dropped
}

// waiting is a batch, when it came, and of which source.
type waiting struct {
	batch *event.Batch
	at    time.Time
	of    *share
}

// share is what waits of one source.
type share struct {
	name                   string
	batches, events, bytes atomic.Int64 // bytes of values
}

// has reports whether b fits.
func (h *share) has(b *event.Batch) bool {
	held := h.bytes.Load()
	return h.batches.Load() < maxBesideBatches && h.events.Load()+int64(b.Len()) <= maxBesideEvents &&
		(held == 0 || held+int64(b.Bytes()) <= maxBesideBytes)
}

// add counts b, n times.
func (h *share) add(b *event.Batch, n int64) {
	h.batches.Add(n)
	h.events.Add(n * int64(b.Len()))
	h.bytes.Add(n * int64(b.Bytes()))
}

func newBesides(sources []Beside, patience time.Duration) *besides {
	return &besides{sources: sources, patience: cmp.Or(patience, besidePatience), waiting: make(chan waiting, maxBesideBatches*len(sources))}
}

// start begins to read. Reading ends when the sources are closed.
func (s *besides) start() {
	for _, src := range s.sources {
		s.readers.Add(1)
		go func() {
			defer s.readers.Done()
			err := guard("the source "+src.Name, func() error { return s.read(src) })
			if err != nil {
				now := time.Now().UnixNano()
				s.lose(event.Loss{From: now, To: now, Reason: event.LossNotSeen, Unit: "events",
					Detail: fmt.Sprintf("the source %s has ended: %v", src.Name, err)})
			}
		}()
	}
}

// read fills batches of its own, so that a source that floods does not take those
// of the main one.
func (s *besides) read(src Beside) error {
	own := &share{name: src.Name}
	for {
		b := event.NewBatch(16)
		err := src.Read(context.Background(), b)
		if b.Len() > 0 || len(b.Losses) > 0 {
			s.put(own, b)
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

func (s *besides) put(of *share, b *event.Batch) {
	if of.has(b) {
		of.add(b, 1)
		s.waiting <- waiting{b, time.Now(), of} // there is room for the share of each
		return
	}
	dropped := event.Loss{Reason: event.LossShed, Count: uint64(b.Len()), Unit: "events",
		Detail: "events of the source " + of.name + " came faster than they are judged"}
	for _, e := range b.Events() {
		dropped.Cover(e.Time, e.Time)
	}
	s.lose(dropped)
	for _, l := range b.Losses {
		s.lose(l)
	}
}

// lose notes a loss; those of one reason and detail are one until they are told.
func (s *besides) lose(l event.Loss) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if all := event.AddLoss(s.losses, l); len(all) <= maxUnsaid {
		s.losses = all
	}
}

// take returns the next batch that is ripe: the main source has told all up to
// until (Unix time, nanoseconds; 0: it does not say). With all set, every batch is.
func (s *besides) take(until int64, all bool) *event.Batch {
	if b := s.told(); b != nil {
		return b
	}
	if s.first == nil {
		select {
		case w := <-s.waiting:
			s.first = &w
		default:
			return nil
		}
	}
	w := s.first
	if !all && w.at.Add(besideMargin).UnixNano() > until && time.Since(w.at) < s.patience {
		return nil
	}
	s.first = nil
	w.of.add(w.batch, -1)
	return w.batch
}

// told returns a batch with what was dropped, nil if nothing was.
func (s *besides) told() *event.Batch {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.losses) == 0 {
		return nil
	}
	b := event.NewBatch(0)
	b.Losses, s.losses = s.losses, nil
	return b
}

// close closes the sources; what they had read can still be taken.
func (s *besides) close() error {
	var errs []error
	for _, src := range s.sources {
		errs = append(errs, src.Close())
	}
	// They may be waiting for nothing: everything they hold fits, or is dropped.
	s.readers.Wait()
	return errors.Join(errs...)
}
