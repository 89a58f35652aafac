// SPDX-License-Identifier: Apache-2.0

// This file writes an explanation as one JSON object. Numbers of 64 bits are
// strings, and bytes that are not UTF-8 are {"hex":"…"}, as in replay --json.

package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"
	"unicode/utf8"

	"seismo/engine"
	"seismo/internal/display"
	"seismo/internal/event"
	"seismo/recorder/monitordb"
)

// jsonBytes is a value that an event brought.
type jsonBytes string

// MarshalJSON implements json.Marshaler.
func (b jsonBytes) MarshalJSON() ([]byte, error) {
	if utf8.ValidString(string(b)) {
		return json.Marshal(string(b))
	}
	return json.Marshal(map[string]string{"hex": hex.EncodeToString([]byte(b))})
}

type jsonSignal struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Severity string `json:"severity"`
	Revision string `json:"revision"`
}

type jsonEvent struct {
	ID        string `json:"id"`
	Time      string `json:"time"`
	Kind      string `json:"kind"`
	Operation string `json:"operation"`
}

type jsonNear struct {
	Met     int `json:"met"`
	Unknown int `json:"unknown"`
	Unmet   int `json:"unmet"`
}

type jsonTrace struct {
	Signal     jsonSignal  `json:"signal"`
	Event      jsonEvent   `json:"event"`
	Record     uint64      `json:"record,omitempty"` // ordinal in the log
	Fires      string      `json:"fires"`
	Reason     jsonBytes   `json:"reason"`
	Terms      jsonNear    `json:"terms"`
	Stored     *jsonStored `json:"stored,omitempty"`
	Expression *jsonNode   `json:"expression"`
	Suppress   []*jsonNode `json:"suppress,omitempty"`
}

// jsonStored is the match that the database has.
type jsonStored struct {
	Revision string     `json:"revision"`
	Proof    []jsonItem `json:"proof"`
}

type jsonItem struct {
	Term  string    `json:"term"`
	Text  jsonBytes `json:"text"`
	Event string    `json:"event"`
	Time  string    `json:"time"`
	Value jsonBytes `json:"value"`
	Gone  bool      `json:"absent,omitempty"`
}

type jsonNode struct {
	Op       string        `json:"op"`
	Truth    string        `json:"truth"`
	Text     jsonBytes     `json:"text,omitempty"`
	Note     jsonBytes     `json:"note,omitempty"`
	Term     string        `json:"term,omitempty"`
	Field    jsonBytes     `json:"field,omitempty"`
	From     string        `json:"from,omitempty"`
	Absent   bool          `json:"absent,omitempty"`
	Values   []jsonBytes   `json:"values,omitempty"`
	Cut      bool          `json:"cut,omitempty"`
	Literal  jsonBytes     `json:"literal,omitempty"`
	Ancestor *jsonAncestor `json:"ancestor,omitempty"`
	Reads    []jsonRead    `json:"reads,omitempty"`
	Latch    *jsonLatch    `json:"latch,omitempty"`
	Parts    []*jsonNode   `json:"parts,omitempty"`
}

type jsonAncestor struct {
	Up   int       `json:"up"`
	ID   string    `json:"process.id"`
	PID  int32     `json:"process.pid"`
	Path jsonBytes `json:"process.path"`
}

type jsonRead struct {
	Field  jsonBytes   `json:"field"`
	Values []jsonBytes `json:"values,omitempty"`
	Cut    bool        `json:"cut,omitempty"`
	Absent bool        `json:"absent,omitempty"`
}

type jsonLatch struct {
	Event string     `json:"event"`
	Time  string     `json:"time"`
	Proof []jsonItem `json:"proof"`
}

// writeJSON prints the answer as one object: how many events were judged, how many
// of them the one signal fired on, the explanations, and what came near.
func (a *answer) writeJSON(w io.Writer) error {
	out := struct {
		Events int          `json:"events,omitempty"`
		Fired  *int         `json:"fired_on,omitempty"`
		Traces []*jsonTrace `json:"explained"`
		Near   []*jsonTrace `json:"nearest"`
	}{Traces: []*jsonTrace{}, Near: []*jsonTrace{}}
	if a.f.id == 0 {
		out.Events, out.Fired = a.events, &a.fired
	}
	for _, t := range a.traces {
		out.Traces = append(out.Traces, a.jsonTrace(t))
	}
	if a.fired == 0 {
		for _, n := range a.near.List() {
			out.Near = append(out.Near, a.jsonTrace(n.Trace))
		}
	}
	return display.WriteJSON(w, out)
}

func (a *answer) jsonTrace(t *engine.Trace) *jsonTrace {
	d := a.definition(t.Signal)
	out := &jsonTrace{
		Signal: jsonSignal{d.ID, d.Name, d.Severity.String(), d.Revision},
		Event:  jsonEvent{idText(t.Event), stampOf(t.Time), t.Kind.String(), t.Op.String()},
		Record: t.Ordinal, Fires: t.Fires.String(), Reason: jsonBytes(t.Reason),
		Terms:      jsonNear{t.Near.Met, t.Near.Unknown, t.Near.Unmet},
		Expression: nodeJSON(t.Root),
	}
	for _, m := range a.stored {
		if m.Signal == d.ID {
			out.Stored = storedJSON(m)
		}
	}
	for _, s := range t.Suppress {
		out.Suppress = append(out.Suppress, nodeJSON(s))
	}
	return out
}

func stampOf(ns int64) string {
	return time.Unix(0, ns).UTC().Format("2006-01-02T15:04:05.000000000Z")
}

func idText(id event.ID) string { return strconv.FormatInt(int64(id), 10) }

func storedJSON(m monitordb.StoredMatch) *jsonStored {
	return &jsonStored{m.Revision, itemsJSON(m.Proof)}
}

func itemsJSON(items []event.ProofItem) []jsonItem {
	out := []jsonItem{}
	for _, p := range items {
		out = append(out, jsonItem{fmt.Sprintf("%016x", p.Term), jsonBytes(p.Text), idText(p.Event), stampOf(p.Time), jsonBytes(p.Value), p.Absent})
	}
	return out
}

func bytesJSON(values []string) []jsonBytes {
	var out []jsonBytes
	for _, v := range values {
		out = append(out, jsonBytes(v))
	}
	return out
}

func nodeJSON(n *engine.TraceNode) *jsonNode {
	out := &jsonNode{Op: string(n.Op), Truth: n.Truth.String(), Text: jsonBytes(n.Text), Note: jsonBytes(n.Note)}
	if t := n.Term; t != nil {
		out.Term, out.From, out.Absent, out.Cut, out.Literal = fmt.Sprintf("%016x", t.ID), string(t.From), t.Absent, t.Cut, jsonBytes(t.Literal)
		out.Field = jsonBytes(event.Describe(t.Field).Name)
		if t.Own != "" {
			out.Field = jsonBytes("record." + t.Own)
		}
		out.Values = bytesJSON(t.Values)
		if p := t.Ancestor; p != nil {
			out.Ancestor = &jsonAncestor{p.Steps, strconv.FormatUint(uint64(p.ID), 10), p.PID, jsonBytes(p.Path)}
		}
		for _, r := range t.Reads {
			out.Reads = append(out.Reads, jsonRead{jsonBytes(r.Name), bytesJSON(r.Values), r.Cut, r.Absent})
		}
	}
	if l := n.Latch; l != nil {
		out.Latch = &jsonLatch{idText(l.Event), stampOf(l.Time), itemsJSON(l.Items)}
	}
	for _, kid := range n.Kids {
		out.Parts = append(out.Parts, nodeJSON(kid))
	}
	return out
}
