// SPDX-License-Identifier: Apache-2.0

// This file changes the program of a running recorder between two batches, and
// lets others ask its matcher.

package recorder

import (
	"context"
	"errors"

	"seismo/engine"
)

// Swap has p judge the batches to come; what the matcher remembers of processes
// goes over as far as p still needs it. Events that were judged before are written
// first. Then change is called with the matcher that ends, while nothing is judged
// or written: it tells the sinks what the tags to come refer to. If it returns an
// error, the program before stays in force and Swap returns that error. Swap may
// be called from any goroutine; it waits for the batch at hand and for its write.
func (r *Recorder) Swap(ctx context.Context, p *engine.Program, change func(old *engine.Matcher) error) error {
	if p == nil {
		return errors.New("swap the program: there is none")
	}
	return r.step(func() error {
		if err := r.flush(ctx); err != nil {
			return err
		}
		// All that may fail comes first: from change on, tags are those of p.
		next := p.NewMatcherWith(r.cfg.Matcher)
		if err := change(r.matcher); err != nil {
			return err
		}
		if r.matcher != nil {
			next.TakeOver(r.matcher)
		}
		r.matcher = next
		return nil
	})
}

// Ask calls f with the matcher, which is nil without a program, while nothing is
// judged. It may be called from any goroutine; f must not keep the matcher.
func (r *Recorder) Ask(f func(*engine.Matcher)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(r.matcher)
}
