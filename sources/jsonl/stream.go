// SPDX-License-Identifier: Apache-2.0

// Package jsonl reads events as JSON: an object a line, an array of objects, or
// objects printed over several lines. It knows the forms in which the tools of the
// trade write events (docs/sources.md), and gives each event all fields of its record
// as own fields under the names that Sigma rules call them by, the logs it belongs to,
// and the registry fields that follow from them. [NewStream] returns the source; the
// batches and all in them belong to the caller.
package jsonl

import (
	"context"
	"errors"
	"fmt"
	"io"

	"seismo/internal/event"
)

// defaultBatch is the number of events in a batch where the options say none.
const defaultBatch = 1000

// maxText is the bytes of JSON from which a batch is handed on, whatever its number of
// events: a batch keeps 4 MiB of memory when it is used again, and the events take
// about twice their text there (with 1,000 large events a batch, BenchmarkDecode
// allocated 20x as much).
const maxText = 1 << 20

// maxNoted bounds the malformed lines that are noted one by one; later ones are
// counted in one loss a batch.
const maxNoted = 8

// StreamOptions say how a stream of JSON is read.
type StreamOptions struct {
	Name string // of the input, for Batch.Input and for messages
	// Logsource is the logs of the objects that name none; nil: they are derived.
	Logsource *event.Logsource
	// BatchEvents is the number of events at which a batch is full; 0 stands for
	// 1,000.
	BatchEvents int
	// Prompt makes Read hand on what is complete before it waits for more input.
	Prompt bool
}

// Stream is a source that reads events as JSON. One goroutine uses it.
//
// What is no object, and what is beyond the limits (1 MiB, nested 32 deep, 2,000
// fields, 1 KiB of logsource), is counted as malformed and skipped up to the next line; blank lines are
// passed over. A batch holds events of one platform: where the next object is of
// another, Read returns what it has. An object without a time has that of the one
// before; before any it is 1970.
type Stream struct {
	opts   StreamOptions
	lines  lines
	closer io.Closer
	dec    *decoder
	held   bool // dec has an object that belongs to the next batch
	size   int  // bytes of the text of the object that dec has
	stats  event.SourceStats
	end    error // what Read returns once all is read

	noted    int
	more     event.Loss // malformed lines that are not noted one by one
	moreFrom uint64     // the first of them
	moreTo   uint64     // the last
}

// NewStream returns a source that reads r to its end. Close closes r if it is an
// io.Closer.
func NewStream(r io.Reader, o StreamOptions) *Stream {
	if o.BatchEvents <= 0 {
		o.BatchEvents = defaultBatch
	}
	s := &Stream{opts: o, lines: lines{in: r}, dec: newDecoder(o.Logsource)}
	s.closer, _ = r.(io.Closer)
	return s
}

// Read appends events to b until it is full, until the next is of another platform,
// or, with Prompt, until the input must be waited for. At the end of the input it
// returns io.EOF, with nothing appended. A read error comes after the events before
// it. It waits for input as long as the reader does; ctx is looked at between lines.
func (s *Stream) Read(ctx context.Context, b *event.Batch) error {
	b.Input = s.opts.Name
	before, losses := b.Len(), len(b.Losses)
	text := 0
	for n := 0; !b.Full(s.opts.BatchEvents) && text < maxText; n++ {
		if n%256 == 0 && ctx.Err() != nil {
			s.noteLosses(b)
			return ctx.Err()
		}
		if !s.held && !s.object(b, before) {
			break
		}
		if b.Len() > 0 && b.Platform != s.dec.class.platform {
			s.held = true
			break
		}
		b.Platform, s.held = s.dec.class.platform, false
		s.dec.put(b)
		s.stats.Assembled++
		text += s.size
	}
	s.noteLosses(b)
	if b.Len() > before || len(b.Losses) > losses || s.end == nil {
		return nil
	}
	return s.end
}

// object has the decoder read the next object that is one, and reports whether there
// was one at hand.
func (s *Stream) object(b *event.Batch, before int) bool {
	for s.end == nil {
		if s.opts.Prompt && b.Len() > before && !s.lines.buffered() {
			return false
		}
		text, ordinal, err := s.lines.next()
		if in := (errInput{}); errors.As(err, &in) {
			s.end = in.error
			if !errors.Is(s.end, io.EOF) {
				s.end = fmt.Errorf("read %s: line %d: %w", s.opts.Name, s.lines.line, s.end)
			}
			return false
		}
		s.stats.Received++
		if err == nil {
			err = s.dec.read(text, ordinal)
		}
		if err == nil {
			s.stats.Parsed++
			s.size = len(text)
			return true
		}
		s.malformed(b, ordinal, err)
		if s.stats.Malformed%1024 == 0 {
			return false // so that ctx is looked at
		}
	}
	return false
}

// malformed notes an object that was skipped.
func (s *Stream) malformed(b *event.Batch, at uint64, err error) {
	s.stats.Malformed++
	when := s.dec.latest
	if s.noted < maxNoted {
		s.noted++
		b.Losses = append(b.Losses, event.Loss{From: when, To: when, Reason: event.LossMalformed, Count: 1,
			Unit: "records", Detail: fmt.Sprintf("%s:%d: %v", s.opts.Name, at, err)})
		return
	}
	if s.more.Count == 0 {
		s.more = event.Loss{From: when, Reason: event.LossMalformed, Unit: "records"}
		s.moreFrom = at
	}
	s.more.Count++
	s.more.To, s.moreTo = when, at
}

// noteLosses appends the losses that are counted over a batch.
func (s *Stream) noteLosses(b *event.Batch) {
	if s.more.Count == 0 {
		return
	}
	s.more.Detail = fmt.Sprintf("%s:%d: malformed objects from here to %d", s.opts.Name, s.moreFrom, s.moreTo)
	b.Losses = append(b.Losses, s.more)
	s.more = event.Loss{}
}

// Stats returns what was counted so far.
func (s *Stream) Stats() event.SourceStats { return s.stats }

// Close closes the reader, if it can be closed.
func (s *Stream) Close() error {
	if s.closer == nil {
		return nil
	}
	return s.closer.Close()
}
