// SPDX-License-Identifier: Apache-2.0

// This file reads audit records as text: a log file, or what auditd hands to a
// plugin on standard input. The live source is in kernel_linux.go.

package audit

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"seismo/internal/event"
)

// maxLine bounds a line, its end counted. The kernel's longest record has less
// than 9 KiB; auditd's additions stay far below the rest.
const maxLine = 64 << 10

// defaultBatch is the number of events in a batch where the options say none.
const defaultBatch = 1000

// maxNoted bounds the malformed lines that are noted one by one; later ones are
// counted in one loss a batch.
const maxNoted = 8

// StreamOptions say how a stream of text is read.
type StreamOptions struct {
	Name   string // of the input, for Batch.Input and for messages
	Decode DecodeOptions
	Limits Limits
	// BatchEvents is the number of events at which a batch is full; 0 stands
	// for 1,000.
	BatchEvents int
	// Prompt makes Read hand on what is complete before it waits for more
	// input. It is for pipes; a file is read in whole batches.
	Prompt bool
}

// Stream is a source that reads audit records as text, one a line. One goroutine
// uses it.
//
// Lines that are no record, also those longer than 64 KiB, are counted as
// malformed and skipped; blank lines are passed over. When an event is complete
// depends on the records alone, so that the same file gives the same events: a
// clock is not looked at.
type Stream struct {
	opts    StreamOptions
	in      *bufio.Reader
	closer  io.Closer
	asm     *Reassembler
	dec     *Decoder
	stats   event.SourceStats
	line    uint64 // lines read
	latest  int64  // greatest time of a record so far
	first   int64  // time of the first record
	begun   bool
	ended   bool
	readErr error // what ended the input, if it was not its end

	noted    int
	more     event.Loss // malformed lines that are not noted one by one
	moreFrom uint64     // the first of them
	moreTo   uint64     // the last
	toldCut  uint64     // records cut at a limit, as far as told
}

// NewStream returns a source that reads r to its end. Close closes r if it is an
// io.Closer.
func NewStream(r io.Reader, o StreamOptions) *Stream {
	if o.BatchEvents <= 0 {
		o.BatchEvents = defaultBatch
	}
	s := &Stream{opts: o, in: bufio.NewReaderSize(r, maxLine), asm: NewReassembler(o.Limits), dec: NewDecoder(o.Decode)}
	s.closer, _ = r.(io.Closer)
	return s
}

// Read appends events to b until it is full or, with Prompt, until the input
// must be waited for. At the end of the input it returns io.EOF, with nothing
// appended. A read error comes after the events that were complete before it.
// It waits for input as long as the reader does; ctx is looked at between lines.
func (s *Stream) Read(ctx context.Context, b *event.Batch) error {
	b.Platform, b.Input = "linux", s.opts.Name
	before, losses := b.Len(), len(b.Losses)
	for n := 0; ; n++ {
		s.drain(b)
		if b.Full(s.opts.BatchEvents) {
			break
		}
		if s.ended {
			if s.asm.Stats().Open == 0 {
				break
			}
			s.asm.Flush()
			continue
		}
		if n%256 == 0 && ctx.Err() != nil {
			s.noteLosses(b)
			return ctx.Err()
		}
		if s.opts.Prompt && s.in.Buffered() == 0 {
			s.asm.Expire(s.now())
			s.drain(b)
			if b.Len() > before {
				break
			}
		}
		s.readLine(b)
	}
	s.noteLosses(b)
	if b.Len() > before || len(b.Losses) > losses || !s.ended {
		return nil
	}
	if s.readErr != nil {
		return s.readErr
	}
	return io.EOF
}

// now is the clock of the reassembler: it stands still in a file.
func (s *Stream) now() time.Duration {
	if !s.opts.Prompt {
		return 0
	}
	return time.Duration(s.latest - s.first)
}

var gzipMagic = []byte{0x1f, 0x8b}

// readLine reads one line and hands its record to the reassembler.
func (s *Stream) readLine(b *event.Batch) {
	if !s.begun {
		s.begun = true
		if head, _ := s.in.Peek(2); bytes.Equal(head, gzipMagic) {
			s.ended, s.readErr = true, fmt.Errorf("read %s: it is compressed (gzip): pipe it through zcat", s.opts.Name)
			return
		}
	}
	line, err := s.in.ReadSlice('\n')
	long := errors.Is(err, bufio.ErrBufferFull)
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = s.in.ReadSlice('\n')
	}
	if err != nil {
		s.ended = true
		if !errors.Is(err, io.EOF) {
			s.readErr = fmt.Errorf("read %s: line %d: %w", s.opts.Name, s.line+1, err)
		}
		if len(line) == 0 {
			return
		}
	}
	s.line++
	if !long && len(bytes.TrimSpace(line)) == 0 {
		return
	}
	s.stats.Received++
	if long {
		s.malformed(b, errLongLine)
		return
	}
	h, r, err := ParseLine(line)
	if err != nil {
		s.malformed(b, err)
		return
	}
	s.stats.Parsed++
	if s.stats.Parsed == 1 {
		s.first = h.Time
	}
	s.latest = max(s.latest, h.Time)
	r.Ordinal = s.line
	s.asm.Push(h, r, s.now())
}

var errLongLine = fmt.Errorf("audit record: line longer than %d bytes: %w", maxLine, ErrMalformed)

// drain decodes the groups that are complete, as far as b has room.
func (s *Stream) drain(b *event.Batch) {
	for !b.Full(s.opts.BatchEvents) {
		g := s.asm.Pop()
		if g == nil {
			return
		}
		s.decode(g, b)
		s.asm.Release(g)
	}
}

// decode makes the event of g.
func (s *Stream) decode(g *Group, b *event.Batch) {
	before := b.Len()
	s.dec.decodeGuarded(g, b, s.opts.Name)
	s.stats.Assembled += uint64(b.Len() - before)
	s.stats.LeftOut = s.dec.Dropped()
	if b.Len() > before && b.Events()[b.Len()-1].Flags&event.Incomplete != 0 {
		s.stats.Incomplete++
	}
}

// malformed notes a line that is no record.
func (s *Stream) malformed(b *event.Batch, err error) {
	s.stats.Malformed++
	if s.noted < maxNoted {
		s.noted++
		b.Losses = append(b.Losses, event.Loss{From: s.latest, To: s.latest, Reason: event.LossMalformed, Count: 1,
			Unit: "records", Detail: fmt.Sprintf("%s:%d: %v", s.opts.Name, s.line, err)})
		return
	}
	if s.more.Count == 0 {
		s.more = event.Loss{From: s.latest, Reason: event.LossMalformed, Unit: "records"}
		s.moreFrom = s.line
	}
	s.more.Count++
	s.more.To, s.moreTo = s.latest, s.line
}

// noteLosses appends the losses that are counted over a batch.
func (s *Stream) noteLosses(b *event.Batch) {
	if s.more.Count > 0 {
		s.more.Detail = fmt.Sprintf("%s:%d: malformed lines from here to line %d", s.opts.Name, s.moreFrom, s.moreTo)
		b.Losses = append(b.Losses, s.more)
		s.more = event.Loss{}
	}
	if cut := s.asm.Stats().CutRecords; cut > s.toldCut {
		b.Losses = append(b.Losses, event.Loss{From: s.latest, To: s.latest, Reason: event.LossOversize,
			Count: cut - s.toldCut, Unit: "records", Detail: s.opts.Name + ": records beyond the limits of one event"})
		s.toldCut = cut
	}
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
