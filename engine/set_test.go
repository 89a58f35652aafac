// SPDX-License-Identifier: Apache-2.0

// This file builds lowered signals and events by hand, for the tests of this
// package.

package engine

import (
	"fmt"
	"hash/fnv"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"seismo/internal/event"
	"seismo/signals"
)

// expr is an expression over terms: a term, or kids joined by op.
type expr struct {
	op   signals.NodeOp
	kids []expr
	term testTerm
}

// testTerm is a term whose values are written as signals write them.
type testTerm struct {
	field  string // "file.path", or "record.'own name'"
	cond   signals.Condition
	not    bool
	cased  bool
	values []string
	number []int64 // for number fields, and with a part
	part   signals.DatePart
}

func and(kids ...expr) expr { return expr{op: signals.NodeAnd, kids: kids} }
func or(kids ...expr) expr  { return expr{op: signals.NodeOr, kids: kids} }
func group(kid expr) expr   { return expr{op: signals.NodeGroup, kids: []expr{kid}} }

func ask(field string, cond signals.Condition, values ...string) expr {
	return expr{term: testTerm{field: field, cond: cond, values: values}}
}

func number(field string, cond signals.Condition, values ...int64) expr {
	return expr{term: testTerm{field: field, cond: cond, number: values}}
}

func not(e expr) expr   { e.term.not = true; return e }
func cased(e expr) expr { e.term.cased = true; return e }

// text writes e as a signal would.
func (e expr) text() string {
	switch e.op {
	case signals.NodeTerm:
		return e.term.text()
	case signals.NodeGroup:
		return "group(" + e.kids[0].text() + ")"
	}
	word := map[signals.NodeOp]string{signals.NodeAnd: " AND ", signals.NodeOr: " OR "}[e.op]
	var parts []string
	for _, k := range e.kids {
		parts = append(parts, k.text())
	}
	return "(" + strings.Join(parts, word) + ")"
}

func (t testTerm) text() string {
	s := t.field + " " + t.cond.String()
	if t.not {
		s += " NOT"
	}
	if t.cased {
		s += " cased"
	}
	if t.part != signals.NoPart {
		s += " " + t.part.String()
	}
	var values []string
	for _, v := range t.values {
		if !utf8.ValidString(v) {
			v = strings.Trim(strconv.QuoteToASCII(v), `"`)
		}
		values = append(values, "'"+v+"'")
	}
	for _, n := range t.number {
		values = append(values, fmt.Sprint(n))
	}
	switch {
	case len(values) == 1:
		s += " " + values[0]
	case len(values) > 1:
		s += " (" + strings.Join(values, ", ") + ")"
	}
	return s
}

// asciiLower returns s with ASCII letters in lower case.
func asciiLower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c - 'A' + 'a'
		}
	}
	return string(b)
}

// own returns the own name of record.'own name', or "".
func (t testTerm) own() string {
	name, ok := strings.CutPrefix(t.field, "record.'")
	if !ok {
		return ""
	}
	return strings.TrimSuffix(name, "'")
}

// setBuilder gathers signals into a signals.Set.
type setBuilder struct{ set signals.Set }

// add adds a signal with id and e, for events of kinds on platforms.
func (b *setBuilder) add(id string, kinds event.KindSet, e expr, platforms ...string) {
	root := b.node(e, false)
	b.set.Signals = append(b.set.Signals, signals.Signal{Root: root, Kinds: kinds})
	b.set.Definitions = append(b.set.Definitions, signals.Definition{ID: id, Name: "signal " + id, Severity: signals.High,
		Platforms: platforms, Text: e.text(), Revision: "00"})
}

func (b *setBuilder) node(e expr, inGroup bool) uint32 {
	n := signals.Node{Op: e.op}
	if e.op == signals.NodeTerm {
		n.Term = b.term(e.term, inGroup)
	}
	for _, k := range e.kids {
		n.Kids = append(n.Kids, b.node(k, inGroup || e.op == signals.NodeGroup))
	}
	b.set.Nodes = append(b.set.Nodes, n)
	return uint32(len(b.set.Nodes) - 1)
}

func (b *setBuilder) term(t testTerm, inGroup bool) uint32 {
	out := signals.Term{Text: t.text(), Own: t.own(), Kinds: event.AllKinds, Cond: t.cond, Negate: t.not, Cased: t.cased, Part: t.part, Group: inGroup}
	h := fnv.New64a()
	fmt.Fprint(h, out.Text, inGroup)
	out.ID = h.Sum64()
	var typ event.Type
	if out.Own == "" {
		in, ok := event.Lookup(t.field)
		if !ok {
			panic("no field " + t.field)
		}
		out.Field, out.Kinds, typ = in.Field, in.Kinds, in.Type
	}
	for i, old := range b.set.Terms {
		if old.ID == out.ID {
			return uint32(i)
		}
	}
	atom := signals.Atom{Field: out.Field, Own: out.Own, Cond: t.cond, Cased: t.cased, Part: t.part}
	if t.cond == signals.Exists {
		out.Atoms = append(out.Atoms, b.atom(atom))
	}
	for _, v := range t.values {
		atom.Literal = v
		if !t.cased && typ != event.Address && t.cond != signals.Regex && t.cond != signals.InList && !readsOther(t.cond) {
			atom.Literal = asciiLower(v)
		}
		out.Atoms = append(out.Atoms, b.atom(atom))
	}
	for _, n := range t.number {
		atom.Number = n
		out.Atoms = append(out.Atoms, b.atom(atom))
	}
	b.set.Terms = append(b.set.Terms, out)
	return uint32(len(b.set.Terms) - 1)
}

func (b *setBuilder) atom(a signals.Atom) uint32 {
	for i, old := range b.set.Atoms {
		if old == a {
			return uint32(i)
		}
	}
	b.set.Atoms = append(b.set.Atoms, a)
	return uint32(len(b.set.Atoms) - 1)
}

// program builds the signals that were added.
func (b *setBuilder) program(t testing.TB) *Program {
	t.Helper()
	p, err := Build(&b.set)
	if err != nil {
		t.Fatalf("Build: %v", err)
	}
	return p
}

// testEvent is an event as a table writes it. Values are set by the type of
// their field; a []string is a list.
type testEvent struct {
	kind    event.Kind
	op      event.Op
	process *event.Process
	fields  map[event.Field]any
	own     []ownField
}

// ownField is a field of a record under the source's own name.
type ownField struct {
	record      int
	name, value string
}

// isDerived reports whether f says what other fields of the event do, and has no value
// of its own.
func isDerived(f event.Field) bool { return f == event.NetworkInitiated || f == event.FileResultPath }

func (te testEvent) addTo(b *event.Batch) *event.Event {
	e := b.Add(te.kind, te.op)
	e.ID, e.Time, e.Ordinal = event.ID(1000+b.Len()), int64(b.Len())*1_000_000_000, uint64(b.Len())
	for f := event.Field(1); event.Describe(f).Name != ""; f++ {
		if isDerived(f) {
			continue
		}
		switch v := te.fields[f].(type) {
		case string:
			e.SetString(f, v)
		case int:
			e.SetInt(f, int64(v))
		case netip.Addr:
			e.SetAddr(f, v)
		case []string:
			for _, s := range v {
				e.AppendElement(f, []byte(s))
			}
		}
	}
	for _, o := range te.own {
		e.AddOwn(o.record, []byte(o.name), []byte(o.value))
	}
	e.Process = te.process
	return e
}

// fired returns the proofs of the signals that fire on te, by id.
func fired(t testing.TB, p *Program, platform string, te testEvent) map[string][]event.ProofItem {
	t.Helper()
	b := event.NewBatch(1)
	b.Platform = platform
	e := te.addTo(b)
	p.NewMatcher().Match(b)
	got := map[string][]event.ProofItem{}
	for _, tag := range e.Tags {
		got[p.Definitions()[tag.Signal].ID] = tag.Proof
	}
	if e.Verdict != event.Keep && len(got) > 0 {
		t.Errorf("verdict %d with %d tags", e.Verdict, len(got))
	}
	return got
}
