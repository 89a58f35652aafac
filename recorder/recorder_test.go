// SPDX-License-Identifier: Apache-2.0

package recorder_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"seismo/internal/event"
	"seismo/recorder"
)

// script is a source that gives what its steps say. A step gives so many events,
// or waits.
type script struct {
	steps  []step
	given  uint64
	closed chan struct{}
	once   sync.Once
	mu     sync.Mutex
}

type step struct {
	age    time.Duration // of its events when they come; 0: they are of 1970
	events int
	wait   time.Duration
	loss   string
	err    error
	text   int  // bytes of a path in each event
	block  bool // until the source is closed
	sweep  bool // forks or exits were missed
}

func newScript(steps ...step) *script { return &script{steps: steps, closed: make(chan struct{})} }

func (s *script) Read(ctx context.Context, b *event.Batch) error {
	if len(s.steps) == 0 {
		return io.EOF
	}
	st := s.steps[0]
	if st.block {
		select {
		case <-s.closed:
			s.steps = s.steps[1:]
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s.steps = s.steps[1:]
	time.Sleep(st.wait)
	b.Sweep = st.sweep
	for range st.events {
		s.mu.Lock()
		s.given++
		n := s.given
		s.mu.Unlock()
		e := b.Add(event.KindSyscall, event.OpCall)
		e.Time, e.Serial = int64(n)*1e6, n
		if st.age > 0 {
			e.Time = time.Now().Add(-st.age).UnixNano()
		}
		if st.text > 0 {
			e.SetText(event.SyscallPath, make([]byte, st.text))
		}
	}
	if st.loss != "" {
		b.Losses = append(b.Losses, event.Loss{Reason: st.loss, Count: 1, Unit: "records"})
	}
	return st.err
}

func (s *script) Stats() event.SourceStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return event.SourceStats{Assembled: s.given}
}

func (s *script) Close() error { s.once.Do(func() { close(s.closed) }); return nil }

// table ties nothing to nothing; with end it makes one end event for each batch,
// as the process table does.
type table struct {
	end   bool
	swept *int // counts the sweeps, each of which ends a process
}

func (t table) Apply(b *event.Batch) {
	if t.end {
		b.Add(event.KindProcess, event.OpEnd)
	}
}
func (table) Expire(int64, *event.Batch) {}
func (t table) Sweep(b *event.Batch, _ int64) (int, error) {
	if t.swept != nil {
		*t.swept++
		b.Add(event.KindProcess, event.OpEnd)
	}
	return 1, nil
}

// sink notes what it is given, and fails as often as fail says.
type sink struct {
	serials []uint64
	writes  []int // events of each write
	losses  []event.Loss
	fail    int
	slow    time.Duration
	panics  bool
}

func (k *sink) Write(_ context.Context, batches []*event.Batch) error {
	time.Sleep(k.slow)
	if k.panics {
		panic("broken row")
	}
	if k.fail > 0 {
		k.fail--
		return errors.New("disk full")
	}
	n := 0
	for _, b := range batches {
		for _, e := range b.Events() {
			n++
			if e.Serial != 0 {
				k.serials = append(k.serials, e.Serial)
			}
		}
		k.losses = append(k.losses, b.Losses...)
	}
	k.writes = append(k.writes, n)
	return nil
}

func newRecorder(t *testing.T, cfg recorder.Config) *recorder.Recorder {
	t.Helper()
	if cfg.Table == nil {
		cfg.Table = table{}
	}
	cfg.IDs = &event.IDs{}
	if cfg.BatchSize == 0 {
		cfg.BatchSize = 100
	}
	r, err := recorder.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// ledger fails the test if the figures do not add up.
func ledger(t *testing.T, s recorder.Stats) {
	t.Helper()
	if s.Assembled != s.Stored+s.Filtered+s.Dropped+s.InFlight {
		t.Errorf("the ledger does not hold: %+v", s)
	}
}

func upTo(n uint64) []uint64 {
	var s []uint64
	for i := range n {
		s = append(s, i+1)
	}
	return s
}

func TestEveryEventIsWrittenOnceInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newScript(step{events: 3}, step{}, step{events: 250}, step{events: 1})
		k := &sink{}
		r := newRecorder(t, recorder.Config{Source: src, Sinks: []recorder.Sink{k}, Table: table{end: true}, BatchDelay: time.Second})
		if err := r.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(k.serials, upTo(254)) {
			t.Errorf("written: %d events; want 254 in order", len(k.serials))
		}
		s := r.Stats()
		ledger(t, s)
		if s.Assembled != 257 || s.Stored != 257 || s.InFlight != 0 {
			t.Errorf("stats %+v; want 257 assembled and stored: 254 of the source and an end event for each of 3 batches", s)
		}
	})
}

func TestEventsWaitForOthersButNotLongerThanTheDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newScript(step{events: 1}, step{events: 1, wait: 300 * time.Millisecond}, step{events: 1, wait: 900 * time.Millisecond},
			step{events: 1, wait: 5 * time.Second})
		k := &sink{}
		r := newRecorder(t, recorder.Config{Source: src, Sinks: []recorder.Sink{k}, BatchDelay: time.Second, Live: true})
		if err := r.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if want := []int{2, 1, 1}; !slices.Equal(k.writes, want) {
			t.Errorf("events of each write: %v; want %v", k.writes, want)
		}
	})
}

// The delay of an event begins when it happens, not when it is read; of a call that was
// begun long ago, shortly before it is read.
func TestTheDelayBeginsWithTheEvent(t *testing.T) {
	for _, tt := range []struct {
		name string
		age  time.Duration
		next time.Duration // when the next event comes
		want []int         // events of each write
	}{
		{"just now", 1, 900 * time.Millisecond, []int{2}},
		{"it gathered for 150 ms", 150 * time.Millisecond, 900 * time.Millisecond, []int{1, 1}},
		{"it gathered for 150 ms, and the next comes in time", 150 * time.Millisecond, 700 * time.Millisecond, []int{2}},
		{"an hour ago", time.Hour, 700 * time.Millisecond, []int{2}},
		{"an hour ago, and the next comes late", time.Hour, 850 * time.Millisecond, []int{1, 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				src := newScript(step{events: 1, age: tt.age}, step{events: 1, age: 1, wait: tt.next})
				k := &sink{}
				r := newRecorder(t, recorder.Config{Source: src, Sinks: []recorder.Sink{k}, BatchDelay: time.Second, Live: true})
				if err := r.Run(t.Context()); err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(k.writes, tt.want) {
					t.Errorf("events of each write: %v; want %v", k.writes, tt.want)
				}
			})
		})
	}
}

func TestAFullOrUrgentBatchIsWrittenAtOnce(t *testing.T) {
	for _, tt := range []struct {
		name   string
		urgent bool
		want   []int
	}{{"full", false, []int{120, 5}}, {"urgent", true, []int{60, 60, 5}}} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				src := newScript(step{events: 60}, step{events: 60, wait: 100 * time.Millisecond}, step{events: 5, wait: 100 * time.Millisecond})
				k := &sink{}
				r := newRecorder(t, recorder.Config{Source: src, Sinks: []recorder.Sink{k}, BatchDelay: time.Hour, BatchSize: 100, Live: true,
					Urgent: func(*event.Batch) bool { return tt.urgent }})
				if err := r.Run(t.Context()); err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(k.writes, tt.want) {
					t.Errorf("events of each write: %v; want %v", k.writes, tt.want)
				}
			})
		})
	}
}

func TestAStopWritesWhatTheSourceStillHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newScript(step{events: 2}, step{block: true}, step{events: 3}, step{err: io.EOF})
		k := &sink{}
		r := newRecorder(t, recorder.Config{Source: src, Sinks: []recorder.Sink{k}, BatchDelay: time.Hour, Live: true})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := r.Run(ctx); err != nil {
			t.Fatalf("Run after its context was done: %v; want nil", err)
		}
		if !slices.Equal(k.serials, upTo(5)) {
			t.Errorf("written: %v; want all five events", k.serials)
		}
	})
}

func TestAWriteThatFailsIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &sink{fail: 3}
		r := newRecorder(t, recorder.Config{Source: newScript(step{events: 4}), Sinks: []recorder.Sink{k}, Live: true})
		if err := r.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s := r.Stats(); s.Stored != 4 || s.Dropped != 0 {
			t.Errorf("stats %+v; want 4 stored and none dropped", s)
		}
	})
}

func TestAfterMissedForksAndExitsProcIsLookedAtMoreThanOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		swept := 0
		k := &sink{}
		r := newRecorder(t, recorder.Config{Source: newScript(step{events: 1, sweep: true}, step{wait: 2 * time.Minute}), Sinks: []recorder.Sink{k},
			Table: table{swept: &swept}, BatchDelay: time.Second, Live: true})
		if err := r.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if want := []int{2, 1, 1, 1}; swept != 4 || !slices.Equal(k.writes, want) {
			t.Errorf("%d sweeps, events of each write %v; want 4 sweeps and %v", swept, k.writes, want)
		}
		ledger(t, r.Stats())
	})
}

func TestASinkThatHasABatchDoesNotGetItAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := &sink{}, &sink{fail: 3}
		r := newRecorder(t, recorder.Config{Source: newScript(step{events: 4}), Sinks: []recorder.Sink{first, second}, Live: true})
		if err := r.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(first.serials, upTo(4)) || !slices.Equal(second.serials, upTo(4)) {
			t.Errorf("written to the sink that works %v and to the one that failed first %v; want each event once", first.serials, second.serials)
		}
	})
}

func TestEventsThatCanNotBeWrittenAreCountedAndTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &sink{fail: 9} // 50 ms, 100 ms, … 12.8 s: the first write gives up
		src := newScript(step{events: 4, loss: event.LossKernel}, step{events: 2, wait: time.Minute})
		r := newRecorder(t, recorder.Config{Source: src, Sinks: []recorder.Sink{k}, Live: true})
		if err := r.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		s := r.Stats()
		ledger(t, s)
		if s.Stored != 2 || s.Dropped != 4 {
			t.Errorf("stats %+v; want 2 stored and 4 dropped", s)
		}
		var told []string
		for _, l := range k.losses {
			told = append(told, l.Reason)
			if l.Reason == event.LossWrite && (l.Count != 4 || l.From != 1e6 || l.To != 4e6 || !strings.Contains(l.Detail, "disk full")) {
				t.Errorf("the loss says %+v; want 4 events from 1 to 4 ms and the cause", l)
			}
		}
		if want := []string{event.LossKernel, event.LossWrite}; !slices.Equal(told, want) {
			t.Errorf("losses told with the next write: %q; want %q", told, want)
		}
	})
}

func TestAReplayEndsAtTheFirstWriteThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecorder(t, recorder.Config{Source: newScript(step{events: 4}, step{events: 4}), Sinks: []recorder.Sink{&sink{fail: 1}}})
		if err := r.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "disk full") {
			t.Errorf("Run: %v; want the error of the sink", err)
		}
	})
}

func TestASourceThatFailsEndsTheRunWithItsError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("role was taken")
		k := &sink{}
		src := newScript(step{events: 2}, step{events: 1, err: broken}, step{block: true}, step{events: 4})
		r := newRecorder(t, recorder.Config{Source: src, Sinks: []recorder.Sink{k}, Live: true})
		if err := r.Run(t.Context()); !errors.Is(err, broken) {
			t.Errorf("Run: %v; want the error of the source", err)
		}
		if !slices.Equal(k.serials, upTo(7)) {
			t.Errorf("written: %v; want all that was read before, and what the source still held when it was closed", k.serials)
		}
	})
}

// panicking is a source or a sink that panics.
type panicking struct{ *script }

func (panicking) Read(context.Context, *event.Batch) error    { panic("broken record") }
func (panicking) Write(context.Context, []*event.Batch) error { panic("broken row") }

// A panic must not end the process: the caller has to put audit rules back.
func TestAPanicEndsTheRunWithAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecorder(t, recorder.Config{Source: panicking{newScript()}, Live: true})
		if err := r.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "the reader panicked: broken record") {
			t.Errorf("Run with a source that panics: %v", err)
		}
		r = newRecorder(t, recorder.Config{Source: newScript(step{events: 1}, step{block: true}), Sinks: []recorder.Sink{panicking{}}, Live: true})
		if err := r.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "the recorder panicked: broken row") {
			t.Errorf("Run with a sink that panics: %v", err)
		}
	})
}

// While a sink is slow the source is still read: it is the kernel's queue that
// must not run over.
func TestASlowSinkDoesNotStopTheReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var steps []step
		for range 100 {
			steps = append(steps, step{events: 10, wait: 10 * time.Millisecond})
		}
		src := newScript(append(steps, step{block: true})...)
		k := &sink{slow: 10 * time.Second}
		r := newRecorder(t, recorder.Config{Source: src, Sinks: []recorder.Sink{k}, Live: true})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- r.Run(ctx) }()
		time.Sleep(3 * time.Second)
		if got := src.Stats().Assembled; got != 1000 {
			t.Errorf("after 3 s with a sink that takes 10 s: %d events were read; want all 1000", got)
		}
		ledger(t, r.Stats())
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if !slices.Equal(k.serials, upTo(1000)) {
			t.Errorf("written: %d events; want 1000 in order", len(k.serials))
		}
	})
}
