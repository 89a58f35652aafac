// SPDX-License-Identifier: Apache-2.0

// Package recorder is the loop of seismo: it takes batches of events from a
// source, has the process table and the matcher work on them, and hands them to
// the sinks. It knows the order of that trip and what to do when a stage is
// slower than the one before; it knows no database and no operating system.
//
// Two goroutines do the work. The reader only empties the source, so that a slow
// disk does not make the kernel drop records. The other one owns the table, the
// matcher and the sinks; it lets go of them between two batches, so that the
// program can be changed while it runs (change.go). Batches go from the first to
// the second and come back empty; their number and the events in them are bounded.
package recorder

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"seismo/engine"
	"seismo/internal/event"
)

// Source gives events. Read appends what is there to b and returns, with
// nothing appended if nothing came for a while; it returns io.EOF after the last
// event. After Close, which ends a Read that waits, Read gives what was left over and
// then io.EOF.
type Source interface {
	Read(ctx context.Context, b *event.Batch) error
	Stats() event.SourceStats
	Close() error
}

// Table ties events to processes. Expire forgets processes that ended long
// before now, Unix time in nanoseconds.
type Table interface {
	Apply(b *event.Batch)
	Expire(now int64, b *event.Batch)
	// Sweep looks which processes still run, after forks or exits were missed.
	Sweep(b *event.Batch, now int64) (int, error)
}

// Sink takes batches that were judged, in order. All batches of one call become
// durable together or not at all; a sink only reads them.
type Sink interface {
	Write(ctx context.Context, batches []*event.Batch) error
}

// Config says what a Recorder works with.
type Config struct {
	Source  Source
	Table   Table
	IDs     *event.IDs
	Program *engine.Program // nil: events are recorded and not judged
	Matcher engine.MatcherOptions
	Sinks   []Sink
	// Beside are sources whose events come as well. They know processes by their
	// pid only, or carry them. They are closed with the main one.
	Beside []Beside
	// Patience is how long their events wait for a main source that has not yet told
	// of what was before them. 0 means 5 s.
	Patience time.Duration
	// Seen is called with each batch when its events have their processes, before
	// they are judged; nil: nobody looks. It must not wait for anything.
	Seen func(b *event.Batch)

	// BatchSize is the number of events that are written together at most, and
	// BatchDelay how long an event may wait for others. Zero delay writes what
	// each read gave.
	BatchSize  int
	BatchDelay time.Duration
	// Urgent reports whether b must be written at once; nil: never.
	Urgent func(b *event.Batch) bool
	// Live is set where events come as they happen: times of events are then
	// near the clock's, and a sink that fails is tried again.
	Live bool
}

// Stats are the figures of a recorder. Assembled is what the source gave plus
// the end events that the process table made; it is always Stored + Filtered +
// Dropped + InFlight.
type Stats struct {
	Source    event.SourceStats
	Assembled uint64 // events
	Stored    uint64 // events
	Filtered  uint64 // events that a filter discarded: 0 as long as there are no filters
	Dropped   uint64 // events that could not be written
	InFlight  uint64 // events
	Tagged    uint64 // events with at least one tag
	Tags      uint64
	Queue     uint64 // batches that wait to be judged
}

// Recorder runs the loop once.
type Recorder struct {
	cfg  Config
	pool *pool
	full chan lent

	beside *besides

	mu      sync.Mutex // held for each step of the second goroutine; guards what follows
	matcher *engine.Matcher
	pending []*event.Batch // judged, not yet written
	events  int            // in pending
	oldest  time.Time      // since when the first of pending waits, see waitsSince
	unsaid  []event.Loss   // what could not be written, to be told with the next write
	failing bool           // the last write was given up
	holding bool           // pending has the last batch of a log so far, see holds

	sweeps   int    // looks at /proc that are still due, see sweepAgain
	platform string // of the batches

	broken atomic.Bool // nobody judges and writes any more
	weight int64       // of pending, see weightOf

	assembled, stored, dropped, tagged, tags atomic.Uint64
	inFlight, inFlightWeight                 atomic.Int64
}

// maxBatches bounds the batches that are on their way; with a read each 10 ms it
// is what two and a half seconds of a stalled disk fill.
const maxBatches = 256

// maxInFlight bounds the events that are on their way. Beyond it the reader
// waits, and the socket's buffer and then the kernel's queue fill up: both are
// larger, and the kernel counts what it drops.
const maxInFlight = 50_000

// New returns a recorder that has not begun.
func New(cfg Config) (*Recorder, error) {
	if cfg.Source == nil || cfg.Table == nil || cfg.IDs == nil || cfg.BatchSize < 1 {
		return nil, errors.New("recorder: source, table, ids and batch size are required")
	}
	r := &Recorder{cfg: cfg, pool: newPool(maxBatches), full: make(chan lent, maxBatches), beside: newBesides(cfg.Beside, cfg.Patience)}
	if cfg.Program != nil {
		r.matcher = cfg.Program.NewMatcherWith(cfg.Matcher)
	}
	return r, nil
}

// Stats returns the figures as they are now. It may be called from any goroutine.
func (r *Recorder) Stats() Stats {
	s := Stats{Source: r.cfg.Source.Stats(),
		Stored: r.stored.Load(), Dropped: r.dropped.Load(),
		Tagged: r.tagged.Load(), Tags: r.tags.Load()}
	s.Assembled, s.Queue = r.assembled.Load(), uint64(len(r.full))
	s.InFlight = s.Assembled - s.Stored - s.Filtered - s.Dropped
	return s
}

// Inject judges and writes events that did not come from the source, such as
// the processes found running at start. It must be called before Run.
func (r *Recorder) Inject(ctx context.Context, b *event.Batch) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.judge(b)
	r.inFlight.Add(int64(b.Len())) // flush takes them off again
	r.take(b, 0)
	return r.flush(ctx)
}

// Run carries events from the source to the sinks until the source ends or ctx
// is done; then the source is closed, and what it still held is written. The
// error is nil after a regular end.
func (r *Recorder) Run(ctx context.Context) error {
	readErr := make(chan error, 1)
	readCtx, stopReader := context.WithCancel(ctx)
	defer stopReader()
	r.beside.start()
	go func() {
		defer close(r.full)
		err := guard("the reader", func() error { return r.read(readCtx) })
		err = errors.Join(err, r.beside.close())
		r.forward(0, true)
		readErr <- err
	}()
	// What was received is written even though ctx is done: context.WithoutCancel.
	workErr := guard("the recorder", func() error { return r.work(context.WithoutCancel(ctx)) })
	if workErr != nil {
		// The reader may wait for an event, for room or for an empty batch.
		r.broken.Store(true)
		stopReader()
		r.cfg.Source.Close()
		for b := range r.full {
			r.pool.give(b.Batch)
		}
	}
	return errors.Join(<-readErr, workErr)
}

// guard turns a panic of f into an error: a panic in a goroutine of its own would
// end the process before anybody can put the kernel's audit rules back.
func guard(who string, f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s panicked: %v\n%s", who, p, debug.Stack())
		}
	}()
	return f()
}

// expireEvery is how often processes that ended are looked through.
const expireEvery = 10 * time.Second

// work judges and writes batches until there are no more.
func (r *Recorder) work(ctx context.Context) error {
	expire := time.NewTicker(expireEvery)
	defer expire.Stop()
	due := time.NewTimer(time.Hour)
	defer due.Stop()
	var set time.Time // what due is set to, zero: nothing that counts
	for {
		var f func() error
		select {
		case b, ok := <-r.full:
			if !ok {
				return r.step(func() error {
					r.closeWindows()
					return r.flush(ctx)
				})
			}
			f = func() error { return r.received(ctx, b) }
		case <-due.C:
			set = time.Time{}
			f = func() error { return r.flush(ctx) }
		case <-expire.C:
			f = func() error {
				r.tidy()
				return nil
			}
		}
		var at time.Time
		err := r.step(func() error {
			err := f()
			at = r.deadline()
			return err
		})
		if err != nil {
			return err
		}
		if !at.Equal(set) { // each change may wake a thread
			set = at
			if at.IsZero() {
				due.Stop()
			} else {
				due.Reset(time.Until(at))
			}
		}
	}
}

// step runs f while nobody else has the matcher and the sinks.
func (r *Recorder) step(f func() error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return f()
}

// received judges b, and writes what is pending where that is due.
func (r *Recorder) received(ctx context.Context, b lent) error {
	came := b.Len()
	if r.holding && (came > 0 || len(r.pending) >= maxBatches/2) {
		r.holding = false
		if err := r.flush(ctx); err != nil {
			return err
		}
	}
	r.judge(b.Batch)
	r.inFlight.Add(int64(b.Len() - came))
	r.take(b.Batch, b.weight)
	if r.holding = r.holding || r.holds(b.Batch); r.holding || r.retriesLater() {
		return nil
	}
	left := r.cfg.BatchDelay - time.Since(r.oldest)
	if left > r.cfg.BatchDelay/earlyPart && r.events < r.cfg.BatchSize && len(r.pending) < maxBatches/2 &&
		(r.cfg.Urgent == nil || !r.cfg.Urgent(b.Batch)) {
		return nil
	}
	return r.flush(ctx)
}

// earlyPart is the part of the delay by which a write may be early: where batches
// come all the time, one of them is written with what waits, and no timer is needed.
const earlyPart = 20

// retriesLater reports whether there is to be one try for all that waits, after a
// write was given up.
func (r *Recorder) retriesLater() bool {
	return r.failing && len(r.full) > 0 && len(r.pending) < maxBatches/2
}

// deadline returns when what is pending is to be written, the zero time where nothing
// is or another batch decides it.
func (r *Recorder) deadline() time.Time {
	if len(r.pending) == 0 || r.holding || r.retriesLater() {
		return time.Time{}
	}
	return r.oldest.Add(r.cfg.BatchDelay)
}

// holds reports whether b is to wait for the batch after it, or the end of the input:
// at the end of a log, correlations that wait for the end of a window fire on its last
// event. A live source has no last event; what it waits for goes on after a restart.
func (r *Recorder) holds(b *event.Batch) bool {
	return !r.cfg.Live && r.matcher != nil && r.matcher.Waiting() && b.Len() > 0
}

// closeWindows closes the windows that correlations wait for, at the end of a log.
func (r *Recorder) closeWindows() {
	if !r.holding {
		return
	}
	for i := len(r.pending) - 1; i >= 0; i-- {
		b := r.pending[i]
		if b.Len() == 0 {
			continue
		}
		last := b.Events()[b.Len()-1]
		before := len(last.Tags)
		r.matcher.Flush(b)
		if n := len(last.Tags); n > before {
			r.tags.Add(uint64(n - before))
			if before == 0 {
				r.tagged.Add(1)
			}
		}
		return
	}
}

// tidy forgets processes and looks at /proc where that is due.
func (r *Recorder) tidy() {
	if !r.cfg.Live {
		return
	}
	r.expire(time.Now().UnixNano())
	r.sweepAgain()
}

// judge has the table and the matcher work on b.
func (r *Recorder) judge(b *event.Batch) {
	r.cfg.Table.Apply(b)
	if r.cfg.Seen != nil {
		r.cfg.Seen(b)
	}
	if b.Sweep && r.cfg.Live {
		r.sweeps, r.platform = sweepsAfterLoss, b.Platform
		if _, err := r.cfg.Table.Sweep(b, time.Now().UnixNano()); err != nil {
			now := time.Now().UnixNano()
			b.Losses = append(b.Losses, event.Loss{From: now, To: now, Reason: event.LossProcesses, Kind: event.KindProcess,
				Unit: "processes", Detail: "look for ended processes: " + err.Error()})
		}
	}
	r.cfg.IDs.Assign(b)
	if r.matcher != nil {
		r.matcher.Match(b)
	}
	r.assembled.Add(uint64(b.Len()))
	for _, e := range b.Events() {
		if n := len(e.Tags); n > 0 {
			r.tagged.Add(1)
			r.tags.Add(uint64(n))
		}
	}
	if !r.cfg.Live && b.Len() > 0 {
		r.expire(b.Events()[b.Len()-1].Time)
	}
}

// expire forgets processes; the keys it gives up go with an empty batch.
func (r *Recorder) expire(now int64) {
	var b event.Batch
	r.cfg.Table.Expire(now, &b)
	if len(b.Losses) > 0 {
		r.take(&b, 0)
	}
}

// sweepsAfterLoss is how often /proc is looked at again after forks or exits were
// missed, once an expireEvery: records of processes that have ended since may
// still wait to be read, and would make them look as if they ran.
const sweepsAfterLoss = 3

// sweepAgain does one of the looks that are due.
func (r *Recorder) sweepAgain() {
	if r.sweeps == 0 {
		return
	}
	left := r.sweeps - 1
	b := event.NewBatch(16)
	b.Sweep, b.Platform = true, r.platform
	r.judge(b)
	r.sweeps = left
	if b.Len() > 0 || len(b.Losses) > 0 {
		r.inFlight.Add(int64(b.Len())) // flush takes them off again
		r.take(b, 0)
	}
}

func (r *Recorder) take(b *event.Batch, weight int64) {
	if since := r.waitsSince(b); len(r.pending) == 0 || since.Before(r.oldest) {
		r.oldest = since
	}
	r.pending = append(r.pending, b)
	r.events += b.Len()
	r.weight += weight
}

// maxGathered bounds how long before b came an event of it can have begun to wait: a
// call that waited for somebody, say for a connection, has the time of its begin.
const maxGathered = 200 * time.Millisecond

// waitsSince returns when the oldest event of b happened: of events as they happen,
// the time for which the source let them gather is part of their delay.
func (r *Recorder) waitsSince(b *event.Batch) time.Time {
	now := time.Now()
	if !r.cfg.Live {
		return now
	}
	wall := now.UnixNano()
	oldest := wall
	for _, e := range b.Events() {
		oldest = min(oldest, e.Time)
	}
	return now.Add(-min(time.Duration(wall-oldest), maxGathered))
}
