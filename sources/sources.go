// SPDX-License-Identifier: Apache-2.0

// Package sources opens recorded events: it knows which formats there are and
// which package reads each. The live sources are opened by the recorder itself,
// since each has options and privileges of its own.
package sources

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"seismo/internal/event"
	"seismo/sources/audit"
)

// ErrFormat is wrapped by errors about a format that is not known or not given.
var ErrFormat = errors.New("unknown format")

// Source gives the events of one input. Read appends events to b until the batch
// is full or, for a pipe, until nothing more is at hand; at the end it returns
// io.EOF with nothing appended. One goroutine uses it.
type Source interface {
	Read(ctx context.Context, b *event.Batch) error
	Stats() event.SourceStats
	Close() error
}

// Options say how an input is read.
type Options struct {
	// Format is that of a path given without one; empty if none is given.
	Format string
	// Name of the input for messages and for the input of matches; empty for
	// the path, "-" for standard input.
	Name string
	// Demand says which of the records' own fields are kept.
	Demand event.Demand
	// BatchEvents is the number of events at which a batch is full; 0 stands
	// for 1,000.
	BatchEvents int
	// Stdin is what "-" reads; nil for the process's standard input.
	Stdin io.Reader
}

// format is one way in which events are recorded.
type format struct {
	name, doc string
	open      func(r io.Reader, o Options, prompt bool) Source
}

var formats = []format{
	{"audit", "Linux audit log (audit.log: raw, enriched, with node=), or the input of an auditd plugin", openAudit},
}

func openAudit(r io.Reader, o Options, prompt bool) Source {
	return audit.NewStream(r, audit.StreamOptions{Name: o.Name, BatchEvents: o.BatchEvents, Prompt: prompt,
		Decode: audit.DecodeOptions{Demand: o.Demand}})
}

// Format is a format as help texts show it.
type Format struct {
	Name string // as it stands before the colon
	Doc  string // half a sentence
}

// Formats returns the formats that are known.
func Formats() []Format {
	out := make([]Format, len(formats))
	for i, f := range formats {
		out[i] = Format{f.name, f.doc}
	}
	return out
}

// Open opens what spec names: FORMAT:PATH, or a path alone where o.Format says
// the format. The path "-" is standard input, which Close leaves open. An error
// about the format wraps [ErrFormat] and names those that are known; others wrap
// what the operating system said.
func Open(spec string, o Options) (Source, error) {
	name, path, _ := strings.Cut(spec, ":")
	f, known := find(name)
	if !known || !strings.Contains(spec, ":") {
		path = spec
		if o.Format == "" {
			return nil, fmt.Errorf("open %q: no format given (write %s): %w", spec, examples(spec), ErrFormat)
		}
		if f, known = find(o.Format); !known {
			return nil, unknown(o.Format)
		}
	}
	switch path {
	case "":
		return nil, fmt.Errorf("open %q: no file given (write %s:FILE, or %s:- for standard input)", spec, f.name, f.name)
	case "-":
		in := o.Stdin
		if in == nil {
			in = os.Stdin
		}
		if o.Name == "" {
			o.Name = "-"
		}
		return f.open(struct{ io.Reader }{in}, o, true), nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("open %s: it is a folder, not a file", path)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	if o.Name == "" {
		o.Name = path
	}
	return f.open(file, o, !info.Mode().IsRegular()), nil
}

// Decode returns a source that reads r, which is of the format called name, to
// its end. Close closes r if it is an io.Closer.
func Decode(name string, r io.Reader, o Options) (Source, error) {
	f, ok := find(name)
	if !ok {
		return nil, unknown(name)
	}
	return f.open(r, o, false), nil
}

func find(name string) (format, bool) {
	for _, f := range formats {
		if f.name == name {
			return f, true
		}
	}
	return format{}, false
}

func unknown(name string) error {
	return fmt.Errorf("format %q: known are %s: %w", name, names(), ErrFormat)
}

func names() string {
	var all []string
	for _, f := range formats {
		all = append(all, f.name)
	}
	return strings.Join(all, ", ")
}

func examples(path string) string {
	var all []string
	for _, f := range formats {
		all = append(all, f.name+":"+path)
	}
	return strings.Join(all, " or ")
}
