// SPDX-License-Identifier: Apache-2.0

// This file makes events of the rows of a table: the reverse of tables.go and
// extra.go.

package monitordb

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"seismo/internal/event"
)

// eventSource is a table that holds events.
type eventSource struct {
	kind     event.Kind
	table    string
	id, proc string // columns
	op       string // column, or the number of the one operation
	identity string // column; NULL where the users are not kept
	columns  []column
}

// eventSources are all tables that hold events.
var eventSources = newEventSources()

func newEventSources() []eventSource {
	list := []eventSource{
		{event.KindProcess, "proc", "event", "id", strconv.Itoa(int(event.OpCreate)), "t.event_identity", nil},
		{event.KindProcess, "proc_end", "id", "proc", strconv.Itoa(int(event.OpEnd)), "t.identity",
			[]column{{"exit_code", event.ProcessExitCode, asNumber}, {"end_time", event.ProcessEndTime, asNumber}}},
		{event.KindProcess, "proc_attr", "id", "proc", strconv.Itoa(int(event.OpUpdate)), "NULL", lateColumns},
	}
	for k, columns := range tables {
		if columns != nil {
			list = append(list, eventSource{event.Kind(k), event.Kind(k).String(), "id", "proc", "t.op", "t.identity", columns})
		}
	}
	return list
}

// lateColumns are the columns of proc_attr.
var lateColumns = []column{{"hash", event.ProcessHash, asHash}, {"container", event.ProcessContainerID, asStr}}

// Positions of the columns that every event has, in what selectSQL asks for.
const (
	atID = iota
	atProc
	atOp
	atSerial
	atFlags
	atUsers // as in userFields
	atDoc   = atUsers + 6
	atOwn   = atDoc + 1 // the table's own columns; a path takes two
)

// userFields are the users of an event, in the order of the columns.
var userFields = [...]column{
	{"user_id", event.UserID, asNumber}, {"user_name", event.UserName, asValue},
	{"effective_id", event.UserEffectiveID, asNumber}, {"effective_name", event.UserEffectiveName, asValue},
	{"login_id", event.UserLoginID, asNumber}, {"login_name", event.UserLoginName, asValue},
}

// selectSQL returns the question for all events of a table with ids from ?1 to ?2.
func (s *eventSource) selectSQL(restrict string) string {
	names := []string{"t." + s.id, "t." + s.proc, s.op, "t.serial", "t.flags"}
	joins := []string{s.table + " t", "identity ei ON ei.id = " + s.identity, "extra x ON x.id = t." + s.id}
	for _, u := range userFields {
		names = append(names, "ei."+u.name)
	}
	names = append(names, "x.doc")
	for i, c := range s.columns {
		switch c.as {
		case asNumber, asValue, asList:
			names = append(names, "t."+c.name)
		case asPath:
			names = append(names, fmt.Sprintf("d%d.s, p%d.name", i, i))
			joins = append(joins, fmt.Sprintf("path p%d ON p%d.id = t.%s", i, i, c.name), fmt.Sprintf("str d%d ON d%d.id = p%d.dir", i, i, i))
		default:
			names = append(names, fmt.Sprintf("s%d.s", i))
			joins = append(joins, fmt.Sprintf("str s%d ON s%d.id = t.%s", i, i, c.name))
		}
	}
	return "SELECT " + strings.Join(names, ", ") + " FROM " + strings.Join(joins, " LEFT JOIN ") +
		" WHERE t." + s.id + " BETWEEN ?1 AND ?2" + restrict
}

// rows adds the events with ids from q.From to last.
func (f *fetcher) rows(ctx context.Context, last event.ID) error {
	if err := f.procs.begin(ctx, f.tx); err != nil {
		return err
	}
	defer f.procs.end()
	f.batch.Platform = f.where
	size := 0
	for _, s := range f.sources() {
		held, err := f.table(ctx, &s, last, &size)
		if err != nil {
			return err
		}
		for _, values := range held {
			if err := f.add(ctx, &s, values); err != nil {
				return fmt.Errorf("table %s, row of event %v: %w", s.table, values[atID], err)
			}
			if size+f.procs.read > maxBatchBytes {
				return errTooLarge
			}
		}
	}
	return nil
}

// table returns the rows of one table. They are read to their end before their
// processes are asked for: a connection answers one question at a time.
func (f *fetcher) table(ctx context.Context, s *eventSource, last event.ID, size *int) ([][]any, error) {
	rows, err := f.tx.QueryContext(ctx, s.selectSQL(f.ofProcess(*s)), int64(f.q.From), int64(last))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var held [][]any
	for rows.Next() {
		values, err := scan(rows, len(names))
		if err != nil {
			return nil, err
		}
		if *size += sizeOf(values); *size > maxBatchBytes {
			return nil, errTooLarge
		}
		held = append(held, values)
	}
	return held, rows.Err()
}

// add makes the event of one row.
func (f *fetcher) add(ctx context.Context, s *eventSource, values []any) error {
	id, op, flags := values[atID], values[atOp], values[atFlags]
	n, ok := op.(int64)
	if !ok || !slices.Contains(event.Ops(s.kind), event.Op(n)) || int64(event.Op(n)) != n {
		return fmt.Errorf("operation %v: %w", op, ErrNotDatabase)
	}
	e := f.batch.Add(s.kind, event.Op(n))
	bits, ok := flags.(int64)
	if !ok || bits < 0 || bits > 255 {
		return fmt.Errorf("flags %v: %w", flags, ErrNotDatabase)
	}
	e.ID, _ = numberAs[event.ID](id)
	e.Time, e.Flags = int64(e.ID)*1000, event.Flags(bits)
	e.Serial, _ = numberAs[uint64](values[atSerial])
	if row, ok := values[atProc].(int64); ok {
		p, err := f.procs.get(ctx, row)
		if err != nil {
			return err
		}
		if p != nil {
			e.Process, e.PID, e.PPID, e.Host = p, p.PID, p.PPID, p.Host
		}
	}
	for i, c := range userFields {
		if err := setColumn(e, c, values[atUsers+i:]); err != nil {
			return err
		}
	}
	at := atOwn
	for _, c := range s.columns {
		if err := setColumn(e, c, values[at:]); err != nil {
			return fmt.Errorf("column %s: %w", c.name, err)
		}
		if at++; c.as == asPath {
			at++
		}
	}
	if _, ok := e.Int(event.ProcessEndTime); s.kind == event.KindProcess && e.Op == event.OpEnd && !ok {
		e.SetInt(event.ProcessEndTime, e.Time)
	}
	base, _ := textOf(values[min(atOwn+1, len(values)-1)]) // file.path is the first column of its table
	if err := f.setExtra(e, values[atDoc], base); err != nil {
		return fmt.Errorf("extra: %w", err)
	}
	return nil
}

func numberAs[T ~int64 | ~uint64](v any) (T, bool) {
	n, ok := v.(int64)
	return T(n), ok
}

// textOf returns the bytes of a text or blob.
func textOf(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case []byte:
		return string(v), true
	}
	return "", false
}

// setColumn gives e the value of column c, which is the first of values, or the
// first two for a path.
func setColumn(e *event.Event, c column, values []any) error {
	if values[0] == nil {
		return nil
	}
	if c.as == asNumber {
		n, ok := values[0].(int64)
		if !ok {
			return fmt.Errorf("%.40v is no integer: %w", values[0], ErrNotDatabase)
		}
		e.SetInt(c.field, n)
		return nil
	}
	v, ok := textOf(values[0])
	if ok && c.as == asPath {
		var name string
		name, ok = textOf(values[1])
		v += name
	}
	if !ok {
		return fmt.Errorf("%.40v is no text: %w", values[0], ErrNotDatabase)
	}
	switch c.as {
	case asAddress:
		a, err := netip.ParseAddr(v)
		if err != nil {
			return fmt.Errorf("%.40q is no address: %w", v, ErrNotDatabase)
		}
		e.SetAddr(c.field, a)
	case asHash, asList:
		list, err := stringsOf(v, c.as == asHash)
		if err != nil {
			return err
		}
		for _, s := range list {
			e.AppendElement(c.field, []byte(s))
		}
	default:
		e.SetString(c.field, v)
	}
	return nil
}

// stringsOf reads a list as it is stored: a JSON array, or, for hashes, joined by
// commas.
func stringsOf(v string, hash bool) ([]string, error) {
	if hash && !strings.HasPrefix(v, "[") {
		return strings.Split(v, ","), nil
	}
	var list []jsonText
	if err := json.Unmarshal([]byte(v), &list); err != nil {
		return nil, fmt.Errorf("%.40q is no list of texts: %w", v, ErrNotDatabase)
	}
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = string(s)
	}
	return out, nil
}

// jsonText is a text as display.AppendJSON writes it: a string, or {"hex":"…"}.
type jsonText string

// UnmarshalJSON implements json.Unmarshaler.
func (t *jsonText) UnmarshalJSON(b []byte) error {
	if b[0] == '"' {
		return json.Unmarshal(b, (*string)(t))
	}
	var h struct{ Hex string }
	if err := json.Unmarshal(b, &h); err != nil {
		return err
	}
	raw, err := hex.DecodeString(h.Hex)
	*t = jsonText(raw)
	return err
}

// extraDoc is the document of table extra.
type extraDoc struct {
	Records []uint16
	Own     [][3]json.RawMessage
	Logs    json.RawMessage
	Fields  map[string]json.RawMessage
	Late    map[string]json.RawMessage
	Process map[string]json.RawMessage
}

// setExtra gives e what table extra has of it, and what follows from base, the
// last element of its path, if it is a file event.
func (f *fetcher) setExtra(e *event.Event, v any, base string) error {
	var doc extraDoc
	if v != nil {
		text, _ := textOf(v)
		if err := json.Unmarshal([]byte(text), &doc); err != nil {
			return fmt.Errorf("%w: %w", err, ErrNotDatabase)
		}
	}
	if doc.Logs != nil {
		var err error
		if e.Logsource, err = f.logs(doc.Logs); err != nil {
			return err
		}
	}
	if e.Kind == event.KindFile {
		setFileNames(e, base, doc.Fields)
	}
	for name, raw := range doc.Fields {
		if err := setByName(e, name, raw, event.ScopeEvent); err != nil {
			return fmt.Errorf("%.40q: %.40q: %w (%w)", name, raw, ErrNotDatabase, err)
		}
	}
	for _, values := range []map[string]json.RawMessage{doc.Process, doc.Late} {
		if err := setProcessFields(e, values); err != nil {
			return err
		}
	}
	for _, t := range doc.Records {
		e.AddRecordType(t)
	}
	for _, o := range doc.Own {
		var record int
		var name, value jsonText
		for i, to := range []any{&record, &name, &value} {
			if err := json.Unmarshal(o[i], to); err != nil {
				return fmt.Errorf("own field %.40q: %w", o[i], ErrNotDatabase)
			}
		}
		e.AddOwn(record, []byte(name), []byte(value))
	}
	return nil
}

// maxLogs bounds the different logs that are kept of one database.
const maxLogs = 10_000

// logs returns the logs of an event: the same pointer for the same words.
func (f *fetcher) logs(raw json.RawMessage) (*event.Logsource, error) {
	if known := f.logsources[string(raw)]; known != nil {
		return known, nil
	}
	var stored [3][]jsonText
	if err := json.Unmarshal(raw, &stored); err != nil {
		return nil, fmt.Errorf("logs %.40q: %w", raw, ErrNotDatabase)
	}
	var words [3][]string
	for i, list := range stored {
		for _, w := range list {
			words[i] = append(words[i], string(w))
		}
	}
	l := &event.Logsource{Products: words[0], Categories: words[1], Services: words[2]}
	if f.logsources == nil {
		f.logsources = map[string]*event.Logsource{}
	}
	if len(f.logsources) < maxLogs {
		f.logsources[string(raw)] = l
	}
	return l, nil
}

// setFileNames gives a file event the name and extension of its path, unless others
// were noted.
func setFileNames(e *event.Event, base string, noted map[string]json.RawMessage) {
	if _, ok := e.Text(event.FilePath); !ok {
		return
	}
	set := func(f event.Field, derived string) {
		if _, found := noted[event.Describe(f).Name]; !found {
			e.SetString(f, derived)
		}
	}
	set(event.FileName, base)
	if dot := strings.LastIndexByte(base, '.'); dot > 0 {
		set(event.FileExtension, base[dot+1:])
	}
}

// setProcessFields gives e what it says of its process itself.
func setProcessFields(e *event.Event, values map[string]json.RawMessage) error {
	for name, raw := range values {
		var err error
		switch name {
		case "pid":
			err = json.Unmarshal(raw, &e.PID)
		case "ppid":
			err = json.Unmarshal(raw, &e.PPID)
		case "host":
			var s jsonText
			err = json.Unmarshal(raw, &s)
			e.Host = string(s)
		default:
			err = setByName(e, name, raw, event.ScopeProcess)
		}
		if err != nil {
			return fmt.Errorf("%.40q: %.40q: %w (%w)", name, raw, ErrNotDatabase, err)
		}
	}
	return nil
}

// setByName gives e the value of the field called name, which must be of the scope.
func setByName(e *event.Event, name string, raw json.RawMessage, scope event.Scope) error {
	in, ok := event.Lookup(name)
	if !ok || in.Scope != scope || !in.Kinds.Has(e.Kind) || in.Type == event.Address || in.Field == event.FileResultPath || strings.HasSuffix(in.Name, ".operation") {
		return fmt.Errorf("no field of %s scope of a %s event", scope, e.Kind)
	}
	switch in.Type {
	case event.String:
		var s jsonText
		if err := json.Unmarshal(raw, &s); err != nil {
			return err
		}
		e.SetString(in.Field, string(s))
	case event.List, event.Hash:
		list, err := stringsOf(string(bytes.TrimSpace(raw)), false)
		if err != nil {
			return err
		}
		for _, s := range list {
			e.AppendElement(in.Field, []byte(s))
		}
	default:
		var n int64
		if err := json.Unmarshal(raw, &n); err != nil {
			return err
		}
		e.SetInt(in.Field, n)
	}
	return nil
}
