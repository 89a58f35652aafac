// SPDX-License-Identifier: Apache-2.0

// This file shows a person at a terminal that a long replay goes on.

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"seismo/internal/event"
)

// progressAfter is the time between two looks at how far a replay is; one that takes
// less shows nothing.
const progressAfter = 2 * time.Second

// progress is a sink that counts what went by, of all logs of a replay.
type progress struct{ events, matches atomic.Uint64 }

// Write counts the events and matches of batches.
func (p *progress) Write(_ context.Context, batches []*event.Batch) error {
	for _, b := range batches {
		p.events.Add(uint64(b.Len()))
		for _, e := range b.Events() {
			p.matches.Add(uint64(len(e.Tags)))
		}
	}
	return nil
}

// show tells from time to time how far the replay is, which has come to the log called
// name, in a line that goes again, until the function that it returns is called. It does
// so if stderr is a terminal that the matches do not go to.
func (p *progress) show(stdout, stderr io.Writer, name string) (stop func()) {
	to, ok := stderr.(*os.File)
	if !ok || !isTerminal(to) || sameFile(stdout, to) {
		return func() {}
	}
	return p.tell(to, name, progressAfter)
}

// sameFile reports whether w writes to f.
func sameFile(w io.Writer, f *os.File) bool {
	other, ok := w.(*os.File)
	if !ok {
		return false
	}
	a, errA := other.Stat()
	b, errB := f.Stat()
	return errA == nil && errB == nil && os.SameFile(a, b)
}

// tell writes to w, every so often, what was counted.
func (p *progress) tell(w io.Writer, name string, every time.Duration) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(every)
		defer tick.Stop()
		shown := false
		for {
			select {
			case <-done:
				if shown {
					fmt.Fprint(w, "\r\x1b[K") // to the beginning of the line, and clear it
				}
				return
			case <-tick.C:
				fmt.Fprintf(w, "\r\x1b[Kseismo: %s: %d events, %d matches", shortened(name), p.events.Load(), p.matches.Load())
				shown = true
			}
		}
	}()
	return sync.OnceFunc(func() {
		close(done)
		<-ended
	})
}
