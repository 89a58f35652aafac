// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"seismo/internal/event"
)

// paced is a source whose reads take a while each.
type paced struct{ each time.Duration }

func (p *paced) Read(context.Context, *event.Batch) error {
	time.Sleep(p.each)
	return io.ErrUnexpectedEOF
}
func (p *paced) Stats() event.SourceStats { return event.SourceStats{} }
func (p *paced) Close() error             { return nil }

// It beats about once a second, however often is read, and never waits for who hears it.
func TestPulse(t *testing.T) {
	for _, tt := range []struct {
		name     string
		each     time.Duration
		min, max int // beats in 60 s
	}{
		{"a busy host", 10 * time.Millisecond, 58, 62},
		{"nothing happens", time.Second, 59, 61},
		{"the source is held up", 10 * time.Second, 5, 6},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPulse(&paced{tt.each})
				beats := 0
				for began := time.Now(); time.Since(began) < time.Minute; {
					if err := p.Read(t.Context(), nil); err != io.ErrUnexpectedEOF {
						t.Fatalf("Read() = %v; want the error of the source", err)
					}
					select {
					case <-p.beat:
						beats++
					default:
					}
				}
				if beats < tt.min || beats > tt.max {
					t.Errorf("%d beats in a minute; want %d to %d", beats, tt.min, tt.max)
				}
				for range 10_000 {
					_ = p.Read(t.Context(), nil)
				}
				if len(p.beat) != 1 {
					t.Errorf("%d beats wait for who did not listen; want one", len(p.beat))
				}
			})
		})
	}
}
