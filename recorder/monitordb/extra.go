// SPDX-License-Identifier: Apache-2.0

// This file writes what some events have beside the columns of their table: the
// source's own fields of records and of tagged events, and values that do not
// follow from what is stored.

package monitordb

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"seismo/internal/display"
	"seismo/internal/event"
)

// insertExtra writes the document of e, if it needs one: an object of
//
//	records  numbers of the types of its records
//	own      [record, name, value] for each of the source's own fields
//	logs     products, categories and services, if the source names them
//	fields   registry fields that have no column, or do not follow from it
//	process  for an event without a process, what it says of one
//	late     late values that have no column in table proc_attr
func (db *DB) insertExtra(e *event.Event, separators string) error {
	doc := append(db.scratch[:0], '{')
	if keepsOwn(e) {
		doc = appendOwn(doc, e)
	}
	if l := e.Logsource; l != nil {
		doc = append(member(doc, "logs"), '[')
		for _, words := range [][]string{l.Products, l.Categories, l.Services} {
			doc = appendStrings(member(doc, ""), words)
		}
		doc = append(doc, ']')
	}
	doc = appendFields(doc, e, separators)
	switch {
	case e.Process != nil && e.Kind == event.KindProcess && e.Op == event.OpUpdate:
		doc = appendLate(doc, e)
	case e.Process == nil && !(e.Kind == event.KindProcess && e.Op == event.OpCreate): // that makes a row of it
		doc = appendProcessOf(doc, e)
	}
	db.scratch = doc
	if len(doc) == 1 {
		return nil
	}
	if _, err := db.st.insertExtra.do(int64(e.ID), string(append(doc, '}'))); err != nil {
		return fmt.Errorf("own fields of event %d: %w", e.ID, err)
	}
	return nil
}

// member begins the member called name of an object, or the next element of a
// list, after what dst holds.
func member(dst []byte, name string) []byte {
	if last := dst[len(dst)-1]; last != '{' && last != '[' {
		dst = append(dst, ',')
	}
	if name != "" {
		dst = append(display.AppendJSON(dst, name), ':')
	}
	return dst
}

func appendOwn(doc []byte, e *event.Event) []byte {
	own := false
	for f := range e.Own() {
		if !own {
			doc = append(member(doc, "own"), '[')
			own = true
		}
		doc = append(member(doc, ""), '[')
		doc = strconv.AppendInt(doc, int64(f.Record), 10)
		doc = display.AppendJSON(append(doc, ','), string(f.Name))
		doc = display.AppendJSON(append(doc, ','), string(f.Value))
		doc = append(doc, ']')
	}
	if !own {
		return doc
	}
	doc = append(member(append(doc, ']'), "records"), '[')
	for _, t := range e.RecordTypes() {
		doc = strconv.AppendUint(member(doc, ""), uint64(t), 10)
	}
	return append(doc, ']')
}

// keepsOwn reports whether the own fields of e are stored. An event that says which
// logs it belongs to has nothing but them for the signals of Sigma.
func keepsOwn(e *event.Event) bool {
	return e.Kind == event.KindRecord || len(e.Tags) > 0 || e.Logsource != nil
}

// docFields are the fields of each kind that table extra keeps: they have no column,
// and most sources do not have them. The lists never change.
var docFields = func() (all [len(tables)][]event.Info) {
	for k := range all {
		all[k] = slices.DeleteFunc(event.Fields(), func(f event.Info) bool {
			if f.Field == event.ProcessCommandLineLength {
				return k != int(event.KindProcess)
			}
			return f.Scope != event.ScopeEvent || f.Kinds != event.SetOf(event.Kind(k)) || tables[k] == nil ||
				slices.ContainsFunc(tables[k], func(c column) bool { return c.field == f.Field }) ||
				strings.HasSuffix(f.Name, ".operation") || f.Field == event.FileResultPath
		})
	}
	return all
}()

// appendFields keeps the fields of docFields that are not what the columns say.
func appendFields(doc []byte, e *event.Event, separators string) []byte {
	if int(e.Kind) >= len(docFields) {
		return doc
	}
	began := false
	for _, f := range docFields[e.Kind] {
		if !e.Has(f.Field) || follows(e, f.Field, separators) {
			continue
		}
		if !began {
			doc = append(member(doc, "fields"), '{')
			began = true
		}
		doc = appendValue(doc, e, f)
	}
	if began {
		doc = append(doc, '}')
	}
	return doc
}

// follows reports whether e's value of f is what the columns and the operation say.
func follows(e *event.Event, f event.Field, separators string) bool {
	var derived []byte
	switch f {
	case event.FileName, event.FileExtension:
		path, _ := e.Text(event.FilePath)
		derived = path[bytes.LastIndexAny(path, separators)+1:]
		if f == event.FileName {
			break
		}
		dot := bytes.LastIndexByte(derived, '.')
		if dot <= 0 {
			return false
		}
		derived = derived[dot+1:]
	case event.NetworkInitiated:
		switch e.Op {
		case event.OpConnect:
			derived = []byte("true")
		case event.OpAccept:
			derived = []byte("false")
		default:
			return false
		}
	default:
		return false
	}
	v, _ := e.Text(f)
	return bytes.Equal(v, derived)
}

// appendProcessOf keeps what an event without a process says of one.
func appendProcessOf(doc []byte, e *event.Event) []byte {
	at := len(doc)
	doc = append(member(doc, "process"), '{')
	empty := len(doc)
	if e.PID != 0 {
		doc = strconv.AppendInt(member(doc, "pid"), int64(e.PID), 10)
	}
	if e.PPID != 0 {
		doc = strconv.AppendInt(member(doc, "ppid"), int64(e.PPID), 10)
	}
	if e.Host != "" {
		doc = display.AppendJSON(member(doc, "host"), e.Host)
	}
	for _, f := range processFields {
		if !e.Has(f.Field) {
			continue
		}
		doc = appendValue(doc, e, f)
	}
	if len(doc) == empty {
		return doc[:at]
	}
	return append(doc, '}')
}

// appendValue appends the member for field f, which e has.
func appendValue(doc []byte, e *event.Event, f event.Info) []byte {
	doc = member(doc, f.Name)
	switch f.Type {
	case event.String:
		v, _ := e.Text(f.Field)
		return display.AppendJSON(doc, string(v))
	case event.List, event.Hash:
		return appendStrings(doc, elements(e, f.Field))
	}
	n, _ := e.Int(f.Field)
	return strconv.AppendInt(doc, n, 10)
}

// appendLate keeps the late values of an update that have no column.
func appendLate(doc []byte, e *event.Event) []byte {
	began := false
	for _, f := range processFields {
		if !e.Late(f.Field) || f.Field == event.ProcessHash || f.Field == event.ProcessContainerID {
			continue
		}
		if !began {
			doc = append(member(doc, "late"), '{')
			began = true
		}
		doc = appendValue(doc, e, f)
	}
	if began {
		doc = append(doc, '}')
	}
	return doc
}

// processFields are the fields of process scope; the list never changes.
var processFields = slices.DeleteFunc(event.Fields(), func(f event.Info) bool {
	return f.Scope != event.ScopeProcess
})

// processOf makes a process of what a create event says, for a source whose
// events went through no process table. Its id is the event's.
func processOf(e *event.Event) *event.Process {
	text := func(f event.Field) string { v, _ := e.Text(f); return string(v) }
	number := func(f event.Field) int64 {
		if n, ok := e.Int(f); ok {
			return n
		}
		return event.NoID
	}
	p := &event.Process{ID: event.ProcessKey(e.ID), PID: e.PID, PPID: e.PPID, Host: e.Host, Start: e.Time,
		Path: text(event.ProcessPath), CommandLine: text(event.ProcessCommandLine), Cwd: text(event.ProcessCwd),
		TTY: text(event.ProcessTTY), ContainerID: text(event.ProcessContainerID),
		UserName: text(event.ProcessUserName), GroupName: text(event.ProcessGroupName),
		LoginUserName: text(event.ProcessLoginUserName),
		UserID:        number(event.ProcessUserID), GroupID: number(event.ProcessGroupID),
		LoginUserID: number(event.ProcessLoginUserID), Session: number(event.ProcessSession)}
	if e.Has(event.ProcessArgs) {
		p.Args = elements(e, event.ProcessArgs)
	}
	if e.Has(event.ProcessHash) {
		p.Hash = elements(e, event.ProcessHash)
	}
	p.Windows = event.MakeWindowsFacts(text)
	return p
}
