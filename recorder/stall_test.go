// SPDX-License-Identifier: Apache-2.0

package recorder_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"seismo/recorder"
)

// Each try takes 5 s, as with a locked database: were all events tried for as
// long as the first, the reader would stand still and a stop take many minutes.
func TestWhileNothingCanBeWrittenEventsAreCountedWithoutDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		steps := make([]step, 200)
		for i := range steps {
			steps[i].events = 100
		}
		k := &sink{fail: 1 << 30, slow: 5 * time.Second}
		r := newRecorder(t, recorder.Config{Source: newScript(steps...), Sinks: []recorder.Sink{k}, Live: true})
		began := time.Now()
		if err := r.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		s := r.Stats()
		ledger(t, s)
		if s.Dropped != 20_000 || s.InFlight != 0 {
			t.Errorf("stats %+v; want 20000 dropped", s)
		}
		if took := time.Since(began); took > time.Minute {
			t.Errorf("the run took %v; want less than a minute", took)
		}
	})
}

// What waits is bounded in bytes too: the values of an event may be long.
func TestTheReaderWaitsWhileLongValuesAreUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var steps []step
		for range 100 {
			steps = append(steps, step{events: 32, text: 32 << 10, wait: time.Millisecond}) // 1 MiB
		}
		src := newScript(append(steps, step{block: true})...)
		k := &sink{slow: 10 * time.Second}
		r := newRecorder(t, recorder.Config{Source: src, Sinks: []recorder.Sink{k}, Live: true})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- r.Run(ctx) }()
		time.Sleep(3 * time.Second)
		if got := src.Stats().Assembled; got > 18*32 {
			t.Errorf("with a sink that takes 10 s %d events of 32 KiB were read; want at most 16 MiB and one batch", got)
		}
		time.Sleep(time.Hour)
		if got := src.Stats().Assembled; got != 3200 {
			t.Errorf("later %d events were read; want all 3200", got)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if !slices.Equal(k.serials, upTo(3200)) {
			t.Errorf("written: %d events; want 3200 in order", len(k.serials))
		}
	})
}

// A reader that waits for a slow disk hears that it is to stop: the kernel's
// settings are put back at once.
func TestAStopClosesTheSourceWhileTheDiskIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newScript(step{events: 600, text: 32 << 10}, step{events: 1}, step{block: true})
		r := newRecorder(t, recorder.Config{Source: src, Sinks: []recorder.Sink{&sink{slow: time.Minute}}, Live: true})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- r.Run(ctx) }()
		time.Sleep(time.Second)
		cancel()
		time.Sleep(time.Second)
		select {
		case <-src.closed:
		default:
			t.Error("a second after the stop the source is not closed")
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// The reader waits for room when the sink panics: nobody makes room any more.
func TestAPanicEndsTheRunOfAReaderThatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var steps []step
		for range 400 { // more than there are batches
			steps = append(steps, step{events: 40, text: 32 << 10})
		}
		src := newScript(append(steps, step{block: true})...)
		k := &sink{slow: time.Minute, panics: true}
		r := newRecorder(t, recorder.Config{Source: src, Sinks: []recorder.Sink{k}, Live: true})
		if err := r.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "the recorder panicked: broken row") {
			t.Errorf("Run with a sink that panics: %v", err)
		}
		select {
		case <-src.closed:
		default:
			t.Error("the source is not closed")
		}
	})
}
