// SPDX-License-Identifier: Apache-2.0

// This file shows a person at a terminal that something long goes on: a replay, or
// compiling thousands of definitions.

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

// progressAfter is the time between two looks at how far something is; what takes less
// shows nothing.
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
	return tellLine(w, every, func() string {
		return fmt.Sprintf("%s: %d events, %d matches", shortened(name), p.events.Load(), p.matches.Load())
	})
}

// tellLine writes to w, every so often, what line returns, which is called by another
// goroutine, in place of what it wrote before. The function that it returns ends that and
// takes the line away.
func tellLine(w io.Writer, every time.Duration, line func() string) (stop func()) {
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
				fmt.Fprintf(w, "\r\x1b[Kseismo: %s", line())
				shown = true
			}
		}
	}()
	return sync.OnceFunc(func() {
		close(done)
		<-ended
	})
}

// compileProgress is how far compiling is.
type compileProgress struct {
	files atomic.Int64 // read
	begun time.Time
}

// show tells what from time to time, with the files read and the time taken, until the
// function that it returns is called; nothing else may be written until then. It does so
// if stderr is a terminal and nobody asked for quiet.
func (p *compileProgress) show(stderr io.Writer, quiet bool, what string) (stop func()) {
	if p.begun.IsZero() {
		p.begun = time.Now()
	}
	to, ok := stderr.(*os.File)
	if !ok || quiet || !isTerminal(to) {
		return func() {}
	}
	return p.tell(to, what, progressAfter)
}

func (p *compileProgress) tell(w io.Writer, what string, every time.Duration) (stop func()) {
	return tellLine(w, every, func() string {
		return fmt.Sprintf("%s: %s read, %s", what, count(int(p.files.Load()), "file"), time.Since(p.begun).Round(time.Second))
	})
}
