// SPDX-License-Identifier: Apache-2.0

package audit_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"seismo/internal/event"
	"seismo/sources/audit"
)

// numbered writes n events of three records each.
func numbered(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.ReplaceAll(lines(syscall(59, "yes", 0), fmt.Sprintf(`EXECVE argc=1 a0="n%d"`, i), cwd, "EOE "), ":77)", fmt.Sprintf(":%d)", i+1)))
	}
	return b.String()
}

// A line that is no record is counted with its place and reason; its neighbours
// survive, also those of a line that is too long and of a last one without an end.
func TestStreamMalformed(t *testing.T) {
	text := numbered(1) + "# a comment\n\n" + strings.Repeat("x", 200<<10) + "\n" + numbered(2)[len(numbered(1)):]
	text = strings.TrimSuffix(text, "\n")
	views, stats, losses := readAll(t, strings.NewReader(text), audit.StreamOptions{Name: "a.log"})
	if len(views) != 2 || stats.Received != 10 || stats.Malformed != 2 {
		t.Errorf("%d events, stats %+v; want 2 events, 10 received, 2 malformed", len(views), stats)
	}
	if views[1].ordinal != 8 || views[1].args[0] != "n1" {
		t.Errorf("second event begins at line %d with %q, want 8, n1", views[1].ordinal, views[1].args)
	}
	if len(losses) != 2 || !strings.HasPrefix(losses[0].Detail, "a.log:5: ") || !strings.HasPrefix(losses[1].Detail, "a.log:7: ") ||
		!strings.Contains(losses[1].Detail, "longer than 65536 bytes") || losses[0].Reason != event.LossMalformed {
		t.Errorf("losses %+v", losses)
	}
}

// A file of rubbish is summed up, not listed.
func TestStreamManyMalformed(t *testing.T) {
	const n = 100_000
	_, stats, losses := readAll(t, strings.NewReader(strings.Repeat("rubbish\n", n)), audit.StreamOptions{Name: "r"})
	sum := uint64(0)
	for _, l := range losses {
		sum += l.Count
	}
	if stats.Malformed != n || sum != n || len(losses) > 20 {
		t.Errorf("malformed %d, in %d losses %d; want %d, in at most 20", stats.Malformed, len(losses), sum, n)
	}
}

// Batches have the size asked for, keep the order, and end with io.EOF and
// nothing in them; the same input gives the same events whatever the size.
func TestStreamBatches(t *testing.T) {
	text := numbered(250)
	for _, prompt := range []bool{false, true} {
		s := audit.NewStream(iotest.HalfReader(strings.NewReader(text)), audit.StreamOptions{Name: "in", BatchEvents: 100, Prompt: prompt})
		b := event.NewBatch(100)
		total := 0
		for {
			b.Reset()
			err := s.Read(context.Background(), b)
			if errors.Is(err, io.EOF) {
				if b.Len() != 0 {
					t.Errorf("prompt %v: %d events beside io.EOF", prompt, b.Len())
				}
				break
			}
			if err != nil || b.Len() > 100 || b.Platform != "linux" || b.Input != "in" {
				t.Fatalf("prompt %v: Read = %v with %d events, platform %q, input %q", prompt, err, b.Len(), b.Platform, b.Input)
			}
			for _, e := range b.Events() {
				total++
				if e.Serial != uint64(total) || e.Ordinal != uint64(total*4-3) {
					t.Fatalf("prompt %v: event %d has serial %d, ordinal %d", prompt, total, e.Serial, e.Ordinal)
				}
			}
		}
		if total != 250 {
			t.Errorf("prompt %v: %d events, want 250", prompt, total)
		}
	}
}

// With Prompt an event is handed on before the input says anything further.
func TestStreamPrompt(t *testing.T) {
	r, w := io.Pipe()
	s := audit.NewStream(r, audit.StreamOptions{Prompt: true})
	go w.Write([]byte(numbered(1)))
	b := event.NewBatch(10)
	if err := s.Read(context.Background(), b); err != nil || b.Len() != 1 {
		t.Errorf("Read = %v with %d events, want nil with 1", err, b.Len())
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
}

// What was read before an error is handed on, then the error with its place.
func TestStreamErrors(t *testing.T) {
	broken := errors.New("disk on fire")
	s := audit.NewStream(io.MultiReader(strings.NewReader(numbered(3)), iotest.ErrReader(broken)), audit.StreamOptions{Name: "a.log"})
	b := event.NewBatch(10)
	if err := s.Read(context.Background(), b); err != nil || b.Len() != 3 {
		t.Errorf("Read = %v with %d events, want nil with 3", err, b.Len())
	}
	b.Reset()
	if err := s.Read(context.Background(), b); !errors.Is(err, broken) || err.Error() != "read a.log: line 13: disk on fire" {
		t.Errorf("Read = %v, want %v with its place", err, broken)
	}

	s = audit.NewStream(strings.NewReader("\x1f\x8b\x08rest"), audit.StreamOptions{Name: "a.gz"})
	if err := s.Read(context.Background(), b); err == nil || !strings.Contains(err.Error(), "zcat") {
		t.Errorf("Read of gzip = %v, want an error that says zcat", err)
	}

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s = audit.NewStream(strings.NewReader(numbered(3)), audit.StreamOptions{})
	if err := s.Read(ctx, b); !errors.Is(err, context.Canceled) {
		t.Errorf("Read with an ended context = %v, want %v", err, context.Canceled)
	}
}
