// SPDX-License-Identifier: Apache-2.0

// This file finds the format of an input that none is given for: by its first bytes,
// once they are unpacked. Each file of an archive is looked at by itself.

package sources

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"seismo/internal/event"
)

// ErrEVTX is wrapped by the error about an event log of Windows in its own binary form,
// found where no format was given.
var ErrEVTX = errors.New(`it is an event log of Windows (EVTX), which is not read yet: "evtx_dump -o jsonl" makes lines of it for --format json`)

// maxHead is how far the first character that is no blank is looked for, in bytes.
const maxHead = 4 << 10

// detect stands for the format that the first bytes tell.
var detect = format{open: openDetected, logs: true}

// verdict is what the beginning of an input says of its format.
type verdict uint8

const (
	sayAudit verdict = iota // also of all that is not known
	sayJSON
	sayEVTX
	sayMore // more bytes would tell
)

// judge says what an input is that begins with head.
func judge(head []byte) verdict {
	for _, mark := range []struct {
		text string
		is   verdict
	}{
		{"ElfFile\x00", sayEVTX},
		{"\xff\xfe{\x00", sayJSON}, {"\xff\xfe[\x00", sayJSON}, // UTF-16, which jsonl refuses by name
		{"\xfe\xff\x00{", sayJSON}, {"\xfe\xff\x00[", sayJSON},
	} {
		switch {
		case bytes.HasPrefix(head, []byte(mark.text)):
			return mark.is
		case bytes.HasPrefix([]byte(mark.text), head):
			return sayMore
		}
	}
	const bom = "\xef\xbb\xbf"
	if len(head) < len(bom) && bytes.HasPrefix([]byte(bom), head) {
		return sayMore
	}
	text := bytes.TrimLeft(bytes.TrimPrefix(head, []byte(bom)), " \t\r\n")
	switch {
	case len(text) == 0:
		return sayMore
	case text[0] == '{', text[0] == '[':
		return sayJSON
	}
	// evtx_dump writes "Record 17" before each object.
	const heading = "Record "
	if len(text) <= len(heading) {
		if bytes.HasPrefix([]byte(heading), text) {
			return sayMore
		}
		return sayAudit
	}
	if number := text[len(heading)]; bytes.HasPrefix(text, []byte(heading)) && number >= '0' && number <= '9' {
		return sayJSON
	}
	return sayAudit
}

// detected is a source of an input whose format is found with the first read: who opens
// a pipe does not wait for it.
type detected struct {
	r      io.Reader // to be closed, if it can be
	in     *bufio.Reader
	o      Options
	prompt bool
	source Source // nil: nothing was read yet
	name   string // of the format that was found; empty until then
	err    error
}

func openDetected(r io.Reader, o Options, prompt bool) Source {
	return &detected{r: r, in: bufio.NewReaderSize(r, maxHead), o: o, prompt: prompt}
}

// Read implements Source.
func (d *detected) Read(ctx context.Context, b *event.Batch) error {
	if d.source == nil && d.err == nil {
		d.err = d.begin()
	}
	if d.err != nil {
		return d.err
	}
	return d.source.Read(ctx, b)
}

// begin finds the format. Of a pipe it waits for no more bytes than tell it.
func (d *detected) begin() error {
	f, _ := find("audit")
	for n := 1; n <= maxHead; n = d.in.Buffered() + 1 {
		_, err := d.in.Peek(n)
		head, _ := d.in.Peek(d.in.Buffered())
		is := judge(head)
		if is == sayMore && err == nil {
			continue
		}
		switch is {
		case sayEVTX:
			return fmt.Errorf("read %s: %w", d.o.Name, ErrEVTX)
		case sayJSON:
			f, _ = find("json")
		}
		break // an error of the input is told by who reads it
	}
	d.name = f.name
	if err := f.check(d.o); err != nil {
		return fmt.Errorf("read %s: %w", d.o.Name, err)
	}
	d.source = f.open(struct {
		io.Reader
		io.Closer
	}{d.in, d}, d.o, d.prompt)
	return nil
}

// Stats implements Source.
func (d *detected) Stats() event.SourceStats {
	if d.source == nil {
		return event.SourceStats{}
	}
	return d.source.Stats()
}

// Close closes what is read, if it can be closed.
func (d *detected) Close() error {
	if c, ok := d.r.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// FormatOf returns the name of the format of s, which Open or Decode returned without
// one, as far as it was read: of an archive that of the last file, empty if nothing was
// read yet or the format was given.
func FormatOf(s Source) string {
	switch s := s.(type) {
	case *detected:
		return s.name
	case *archive:
		return s.found
	}
	return ""
}
