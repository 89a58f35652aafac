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
	"slices"
	"strings"

	"seismo/internal/event"
	"seismo/sources/audit"
	"seismo/sources/jsonl"
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
	// Format is that of a path given without one. If it is empty too, the first bytes
	// tell it: JSON, else an audit log.
	Format string
	// Name of the input for messages and for the input of matches; empty for
	// the path, "-" for standard input.
	Name string
	// Demand says which of the records' own fields are kept.
	Demand event.Demand
	// Logsource is the logs that records belong to which name none themselves, for
	// the formats whose records carry the names of Sigma; nil: they are derived.
	Logsource *event.Logsource
	// LogsourceOptional says that Logsource is left aside for other formats, rather
	// than refused.
	LogsourceOptional bool
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
	aliases   []string
	logs      bool // takes Options.Logsource
}

var formats = []format{
	{name: "audit", doc: "Linux audit log (audit.log: raw, enriched, with node=), or the input of an auditd plugin", open: openAudit},
	{name: "json", doc: "JSON, an object a line or an array: Sigma field names, Windows events, Winlogbeat or ECS", open: openJSON,
		aliases: []string{"jsonl"}, logs: true},
}

func openAudit(r io.Reader, o Options, prompt bool) Source {
	return audit.NewStream(r, audit.StreamOptions{Name: o.Name, BatchEvents: o.BatchEvents, Prompt: prompt,
		Decode: audit.DecodeOptions{Demand: o.Demand}})
}

func openJSON(r io.Reader, o Options, prompt bool) Source {
	return jsonl.NewStream(r, jsonl.StreamOptions{Name: o.Name, Logsource: o.Logsource, BatchEvents: o.BatchEvents, Prompt: prompt})
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

// Open opens what spec names: FORMAT:PATH, or a path alone, of the format that
// o.Format says. The path "-" is standard input, which Close leaves open. An error
// about the format wraps [ErrFormat] and names those that are known; others wrap
// what the operating system said. Where no format is given, it is found with the first
// Read, which returns an error that wraps [ErrEVTX] for what can not be read yet.
//
// A gzip stream or a zip archive, which the first bytes tell, is unpacked on the way,
// whatever it is called; all files of an archive are of the format given, or of each
// it is found. What unpacks
// to more than 4 GiB, or beyond 64 MiB to more than 200 times its size, is given up
// there with an error that wraps [ErrExpansion].
func Open(spec string, o Options) (Source, error) {
	name, path, known := cutSpec(spec)
	if !known {
		name = o.Format
	}
	f, known := find(name)
	if !known {
		return nil, unknown(name)
	}
	if err := f.check(o); err != nil {
		return nil, err
	}
	switch path {
	case "":
		return nil, fmt.Errorf("open %q: no file given (write %sFILE, or %s- for standard input)", spec, spec, spec)
	case "-":
		in := o.Stdin
		if in == nil {
			in = os.Stdin
		}
		if o.Name == "" {
			o.Name = "-"
		}
		return f.open(newUnpacker(struct{ io.Reader }{in}, usualExpansion), o, true), nil
	}
	if o.Name == "" {
		o.Name = path
	}
	return openFile(f, path, o)
}

// openFile opens the file at path, or what is packed in it.
func openFile(f format, path string, o Options) (Source, error) {
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
	if info.Mode().IsRegular() {
		head := make([]byte, len(zipMagic))
		n, _ := file.ReadAt(head, 0)
		if isPacked(head[:n]) == "zip" {
			a, err := openArchive(file, info.Size(), f, o, usualExpansion)
			if err != nil {
				file.Close()
				return nil, err
			}
			return a, nil
		}
	}
	return f.open(newUnpacker(file, usualExpansion), o, !info.Mode().IsRegular()), nil
}

// cutSpec cuts FORMAT:PATH; known says that a format stands before the path.
func cutSpec(spec string) (name, path string, known bool) {
	name, path, colon := strings.Cut(spec, ":")
	if _, known := find(name); !colon || !known || name == "" {
		return "", spec, false
	}
	return name, path, true
}

// Path returns the path in spec, which is FORMAT:PATH or a path alone.
func Path(spec string) string {
	_, path, _ := cutSpec(spec)
	return path
}

// check reports what o asks for and f can not do.
func (f format) check(o Options) error {
	if o.Logsource != nil && !f.logs && !o.LogsourceOptional {
		return fmt.Errorf("format %s: its records say themselves which logs they belong to; a logsource is given for json only", f.name)
	}
	return nil
}

// Decode returns a source that reads r, which is of the format called name, or, if it
// is empty, of the one that the first bytes tell, to its end; a gzip stream is unpacked as by [Open]. Close closes r if it is an io.Closer.
func Decode(name string, r io.Reader, o Options) (Source, error) {
	f, ok := find(name)
	if !ok {
		return nil, unknown(name)
	}
	if err := f.check(o); err != nil {
		return nil, err
	}
	return f.open(newUnpacker(r, usualExpansion), o, false), nil
}

// find returns the format called name; an empty name stands for [detect].
func find(name string) (format, bool) {
	if name == "" {
		return detect, true
	}
	for _, f := range formats {
		if f.name == name || slices.Contains(f.aliases, name) {
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
