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

// Bounds of what waits for the main source. Beyond them batches are dropped and
// counted: a source beside is never worth the main one.
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
	events   atomic.Int64 // in waiting
	bytes    atomic.Int64 // of their values
	first    *waiting     // taken from waiting, not ripe yet; belongs to the main reader
	readers  sync.WaitGroup

	mu     sync.Mutex
	losses []event.Loss // of what was dropped
}

// waiting is a batch and when it came.
type waiting struct {
	batch *event.Batch
	at    time.Time
}

func newBesides(sources []Beside, patience time.Duration) *besides {
	return &besides{sources: sources, patience: cmp.Or(patience, besidePatience), waiting: make(chan waiting, maxBesideBatches)}
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
	for {
		b := event.NewBatch(16)
		err := src.Read(context.Background(), b)
		if b.Len() > 0 || len(b.Losses) > 0 {
			s.put(src.Name, b)
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

func (s *besides) put(name string, b *event.Batch) {
	n, size := int64(b.Len()), int64(b.Bytes())
	if held := s.bytes.Load(); s.events.Load()+n <= maxBesideEvents && (held == 0 || held+size <= maxBesideBytes) {
		select {
		case s.waiting <- waiting{b, time.Now()}:
			s.events.Add(n)
			s.bytes.Add(size)
			return
		default:
		}
	}
	dropped := event.Loss{Reason: event.LossShed, Count: uint64(n), Unit: "events",
		Detail: "events of the source " + name + " came faster than they are judged"}
	for _, e := range b.Events() {
		dropped = spanning(dropped, e.Time, e.Time)
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
	for i := range s.losses {
		if p := &s.losses[i]; p.Reason == l.Reason && p.Detail == l.Detail && p.Unit == l.Unit {
			*p = spanning(*p, l.From, l.To)
			p.Count += l.Count
			return
		}
	}
	if len(s.losses) < maxUnsaid {
		s.losses = append(s.losses, l)
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
	s.events.Add(-int64(w.batch.Len()))
	s.bytes.Add(-int64(w.batch.Bytes()))
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
		if err := src.Close(); err != nil {
			errs = append(errs, fmt.Errorf("close the source %s: %w", src.Name, err))
		}
	}
	// They may be waiting for nothing: everything they hold fits, or is dropped.
	s.readers.Wait()
	return errors.Join(errs...)
}
