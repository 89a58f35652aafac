// SPDX-License-Identifier: Apache-2.0

// Package forward holds the sinks that are not monitor.db. [JSONLines] writes one
// JSON object for each signal and event that it tags, or one for each event, for
// programs; [Text] writes lines for people. Both write to a writer of the caller's
// and keep nothing of a batch.
package forward

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"seismo/internal/display"
	"seismo/internal/event"
	"seismo/signals"
)

// JSONLines writes events as lines of JSON. It makes the form that "seismo
// replay --json" documents: keys are names of the registry, 64-bit ids are
// strings, absent fields are absent, bytes that are not UTF-8 are {"hex":"…"}.
type JSONLines struct {
	o     Options
	line  []byte
	names []string // of the record at hand
	own   []event.OwnField
	at    []int // indices in own
}

// Options say what a JSONLines writes.
type Options struct {
	W           io.Writer
	Definitions []signals.Definition      // Tag.Signal is an index into it
	TypeName    func(kind uint16) string  // the source's name of a record type
	Events      bool                      // every event, not only the tagged ones
	Filter      func(e *event.Event) bool // nil: all
}

// New returns a sink that writes to o.W.
func New(o Options) *JSONLines { return &JSONLines{o: o} }

// Write implements recorder.Sink.
func (j *JSONLines) Write(_ context.Context, batches []*event.Batch) error {
	for _, b := range batches {
		for _, e := range b.Events() {
			if j.o.Filter != nil && !j.o.Filter(e) {
				continue
			}
			if j.o.Events {
				if err := j.put(b, e, nil); err != nil {
					return err
				}
				continue
			}
			for i := range e.Tags {
				if err := j.put(b, e, &e.Tags[i]); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (j *JSONLines) put(b *event.Batch, e *event.Event, tag *event.Tag) error {
	o := object{append(j.line[:0], '{')}
	o.key("time").text(stamp(e.Time))
	if tag != nil {
		o.open("signal", '{')
		j.signal(&o, tag.Signal)
		o.close('}')
	}
	o.open("event", '{')
	o.key("id").text(strconv.FormatInt(int64(e.ID), 10))
	o.key("kind").text(e.Kind.String())
	o.key("operation").text(e.Op.String())
	for _, f := range eventFields[e.Kind] {
		o.field(f, e)
	}
	if e.Flags != 0 {
		o.open("flags", '[')
		for i, name := range flagNames {
			if e.Flags&(1<<i) != 0 {
				o.element().text(name)
			}
		}
		o.close(']')
	}
	o.close('}')
	j.process(&o, e)
	if tag != nil {
		proof(&o, tag.Proof)
	} else if len(e.Tags) > 0 {
		o.open("signals", '[')
		for _, t := range e.Tags {
			o.element().raw('{')
			j.signal(&o, t.Signal)
			o.close('}')
		}
		o.close(']')
	}
	j.source(&o, e)
	o.open("input", '{')
	if b.Input != "" {
		o.key("file").text(b.Input)
	}
	o.key("record").number(int64(e.Ordinal))
	o.close('}')
	o.close('}')
	j.line = append(o.b, '\n')
	_, err := j.o.W.Write(j.line)
	return err
}

var flagNames = [...]string{"incomplete", "truncated", "duplicate", "untrusted"}

func (j *JSONLines) signal(o *object, i uint32) {
	if int(i) >= len(j.o.Definitions) {
		o.key("id").text(fmt.Sprintf("unknown signal %d", i))
		return
	}
	d := &j.o.Definitions[i]
	o.key("id").text(d.ID)
	o.key("name").text(d.Name)
	o.key("severity").text(d.Severity.String())
	o.key("revision").text(d.Revision)
}

// maxParents bounds the ancestors of one line.
const maxParents = 32

func (j *JSONLines) process(o *object, e *event.Event) {
	o.open("process", '{')
	empty := len(o.b)
	for _, f := range processFields {
		o.field(f, e)
	}
	if len(o.b) == empty { // the records say nothing of a process
		o.b = o.b[:empty-len(`,"process":{`)]
		return
	}
	o.close('}')
	if e.Process == nil {
		return
	}
	n := 0
	for p := range e.Process.Ancestry() {
		if p == e.Process || n >= maxParents {
			continue
		}
		if n++; n == 1 {
			o.open("parents", '[')
		}
		o.element().raw('{')
		for _, f := range parentFields {
			o.processField(f, p)
		}
		o.close('}')
	}
	if n > 0 {
		o.close(']')
	}
}

func proof(o *object, items []event.ProofItem) {
	o.open("proof", '[')
	for i := range items {
		p := &items[i]
		o.element().raw('{')
		o.key("term").text(fmt.Sprintf("%016x", p.Term))
		o.key("text").text(p.Text)
		o.key("event").text(strconv.FormatInt(int64(p.Event), 10))
		o.key("record").number(int64(p.Ordinal))
		switch {
		case p.Own != "":
			o.key("field").text("record." + p.Own)
		case !p.Computed():
			o.key("field").text(event.Describe(p.Field).Name)
		}
		if !p.Absent && !p.Computed() {
			o.key("value").text(p.Value)
		}
		if p.Literal != "" {
			o.key("literal").text(p.Literal)
		}
		o.close('}')
	}
	o.close(']')
}

// source writes where the event came from: its own number, its records, the logs it
// belongs to, and the fields of its records that were kept.
func (j *JSONLines) source(o *object, e *event.Event) {
	types := e.RecordTypes()
	if e.Serial == 0 && len(types) == 0 && e.Logsource == nil {
		return
	}
	o.open("source", '{')
	if e.Serial != 0 || len(types) > 0 {
		o.key("id").text(fmt.Sprintf("%d.%03d:%d", e.Time/1e9, e.Time/1e6%1000, e.Serial))
	}
	if e.Host != "" {
		o.key("host").text(e.Host)
	}
	if e.Logsource != nil {
		logsource(o, e.Logsource)
		j.values(o, e)
		o.close('}')
		return
	}
	o.open("records", '[')
	for _, t := range types {
		o.element().text(j.o.TypeName(t))
	}
	o.close(']')
	last := -1
	for own := range e.Own() {
		if own.Record != last {
			if last < 0 {
				o.open("own", '[')
			} else {
				o.close('}')
			}
			o.element().raw('{')
			j.names = j.names[:0]
			if own.Record < len(types) {
				o.key("record").text(j.o.TypeName(types[own.Record]))
				j.names = append(j.names, "type") // the same once more
			}
			last = own.Record
			j.names = append(j.names, "record") // which is the type, whatever the source calls its fields
		}
		// The first of equal names counts, as it does for signals; a reader of
		// JSON would take the last.
		if name := display.Key(string(own.Name)); !slices.Contains(j.names, name) {
			j.names = append(j.names, name)
			o.key(name).text(string(own.Value))
		}
	}
	if last >= 0 {
		o.close('}')
		o.close(']')
	}
	o.close('}')
}

// logsource writes the logs that an event belongs to, in the words of Sigma.
func logsource(o *object, ls *event.Logsource) {
	o.open("logsource", '{')
	for _, part := range [...]struct {
		name  string
		words []string
	}{{"product", ls.Products}, {"category", ls.Categories}, {"service", ls.Services}} {
		switch len(part.words) {
		case 0:
		case 1:
			o.key(part.name).text(part.words[0])
		default:
			o.open(part.name, '[')
			for _, w := range part.words {
				o.element().text(w)
			}
			o.close(']')
		}
	}
	o.close('}')
}

// values writes the fields of a record that carries the names of Sigma. All values of
// a name count: several are a list.
func (j *JSONLines) values(o *object, e *event.Event) {
	j.own, j.names, j.at = j.own[:0], j.names[:0], j.at[:0]
	for own := range e.Own() {
		j.at = append(j.at, len(j.own))
		j.own = append(j.own, own)
		j.names = append(j.names, display.Key(string(own.Name)))
	}
	if len(j.own) == 0 {
		return
	}
	// Sorted by name, so that equal ones stand side by side.
	slices.SortStableFunc(j.at, func(a, b int) int { return strings.Compare(j.names[a], j.names[b]) })
	o.open("own", '[')
	o.element().raw('{')
	for i := 0; i < len(j.at); {
		name, n := j.names[j.at[i]], i+1
		for n < len(j.at) && j.names[j.at[n]] == name {
			n++
		}
		if field, isNull := strings.CutSuffix(name, event.NullSuffix); isNull {
			o.key(field).null()
			i = n
			continue
		}
		o.key(name)
		if n == i+1 {
			o.text(string(j.own[j.at[i]].Value))
		} else {
			o.raw('[')
			for ; i < n; i++ {
				o.element().text(string(j.own[j.at[i]].Value))
			}
			o.close(']')
		}
		i = n
	}
	o.close('}')
	o.close(']')
}

func stamp(ns int64) string { return time.Unix(0, ns).UTC().Format("2006-01-02T15:04:05.000000000Z") }

// The fields that each part of a line has, in the order of the registry. They
// never change.
var eventFields, processFields, parentFields = fieldsOfLines()

func fieldsOfLines() (ofKind map[event.Kind][]event.Info, ofProcess, ofParents []event.Info) {
	ofKind = map[event.Kind][]event.Info{}
	for _, f := range event.Fields() {
		switch {
		case f.Column() == "operation", f.Field == event.FileResultPath: // always that of another
		case f.Scope == event.ScopeEvent:
			for _, k := range event.Kinds() {
				if f.Kinds.Has(k) {
					ofKind[k] = append(ofKind[k], f)
				}
			}
		case f.Scope == event.ScopeProcess:
			ofProcess = append(ofProcess, f)
			switch f.Field {
			case event.ProcessID, event.ProcessPID, event.ProcessPath, event.ProcessCommandLine, event.ProcessUserName, event.ProcessStartTime:
				ofParents = append(ofParents, f)
			}
		case f.Field == event.ParentID, f.Field == event.ParentPID:
			ofProcess = append(ofProcess, f)
		}
	}
	return ofKind, ofProcess, ofParents
}
