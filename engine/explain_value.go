// SPDX-License-Identifier: Apache-2.0

// This file says what a term was judged on: which values, and whose.

package engine

import (
	"iter"
	"strconv"

	"seismo/internal/event"
)

// maxTraceValues bounds the values that are told of a list or an ancestry that a
// term was not met by.
const maxTraceValues = 8

// termTrace returns what t was judged on; w is what the judge took note of.
func (x *Explainer) termTrace(t *term, w *witness, holds bool) *TermTrace {
	out := &TermTrace{ID: t.id, Field: t.field, Own: t.own, Absent: w.absent, From: x.origin(t)}
	if t.cond == residual {
		out.Absent = false
		out.Reads = x.reads(&x.m.p.residues[t.residue])
		return out
	}
	if w.atom != nil { // it is met, which a negated term is not
		out.Values, out.Cut = []string{w.value}, len(w.value) >= event.MaxProofValue
		out.Literal = w.literal()
		x.findAncestor(t, w.value, out)
		return out
	}
	if w.absent {
		return out
	}
	out.Values, out.Cut = x.first(t)
	return out
}

// first returns the first values of t, and whether there are more values or bytes.
func (x *Explainer) first(t *term) (values []string, more bool) {
	room := event.MaxProofValue
	for v := range x.values(t) {
		if len(values) == maxTraceValues || room <= 0 {
			return values, true
		}
		short := v[:cut(v)]
		short = short[:min(len(short), room)]
		room -= len(short)
		more = more || len(short) < len(v)
		values = append(values, short)
	}
	return values, more
}

// origin says whose value t is judged on.
func (x *Explainer) origin(t *term) Origin {
	j := &x.m.judge
	switch {
	case t.cond == residual && t.onEvent, t.own != "", j.process == nil:
		return FromEvent
	case t.cond == residual:
		return FromProcess
	case t.scope == event.ScopeProcess && j.lateOf(j.process, t.field) != nil:
		return FromLate
	case t.scope == event.ScopeProcess:
		return FromProcess
	case t.scope == event.ScopeParent:
		return FromParent
	case t.scope == event.ScopeAncestor:
		return FromAncestor
	}
	return FromEvent
}

// findAncestor notes whose value of an ancestry was met: it is the nearest one that
// has the value.
func (x *Explainer) findAncestor(t *term, value string, out *TermTrace) {
	if out.From != FromAncestor {
		return
	}
	steps := 0
	for q := range x.m.judge.process.Ancestry() {
		for v := range x.valuesOf(q, t) {
			if v[:cut(v)] != value {
				continue
			}
			if steps == 0 {
				out.From = FromProcess
				return
			}
			out.Ancestor = &AncestorTrace{Steps: steps, ID: q.ID, PID: q.PID, Path: q.Path}
			return
		}
		steps++
	}
}

// values returns the values that t is judged on, as text.
func (x *Explainer) values(t *term) iter.Seq[string] {
	return func(yield func(string) bool) {
		j := &x.m.judge
		switch {
		case t.own != "":
			judged := -1 // as in judge.metOwn: of equal names in one record the first counts
			for f := range j.event.Own() {
				if string(f.Name) != t.own || f.Record == judged && j.event.Logsource == nil {
					continue
				}
				if judged = f.Record; !yield(string(f.Value)) {
					return
				}
			}
		case j.fromProcess(t) && t.scope == event.ScopeAncestor:
			for q := range j.process.Ancestry() {
				for v := range x.valuesOf(q, t) {
					if !yield(v) {
						return
					}
				}
			}
		case j.fromProcess(t):
			x.valuesOf(j.process, t)(yield)
		default:
			eventValues(j.event, t)(yield)
		}
	}
}

// valuesOf returns the values of t's field that process q has.
func (x *Explainer) valuesOf(q *event.Process, t *term) iter.Seq[string] {
	return func(yield func(string) bool) {
		j := &x.m.judge
		switch t.valueType {
		case event.String:
			if v, ok := j.textOf(q, t.field); ok {
				yield(v)
			}
		case event.List, event.Hash:
			for _, v := range j.listOf(q, t.field) {
				if !yield(v) {
					return
				}
			}
		default:
			if n, ok := j.intOf(q, t.field); ok {
				yield(numberText(n, t.valueType))
			}
		}
	}
}

// eventValues returns the values of t's field that e has itself.
func eventValues(e *event.Event, t *term) iter.Seq[string] {
	return func(yield func(string) bool) {
		f := t.ownField()
		switch t.valueType {
		case event.String:
			if v, ok := e.Text(f); ok {
				yield(string(v))
			}
		case event.List, event.Hash:
			for v := range e.Elements(f) {
				if !yield(string(v)) {
					return
				}
			}
		case event.Address:
			if a, ok := e.Addr(f); ok {
				yield(a.String())
			}
		default:
			if n, ok := e.Int(f); ok {
				yield(numberText(n, t.valueType))
			}
		}
	}
}

// reads returns the values that a residue reads.
func (x *Explainer) reads(r *residue) []ReadTrace {
	var out []ReadTrace
	add := func(name string, t *term) {
		if len(out) == maxTraceValues {
			return
		}
		values, more := x.first(t)
		out = append(out, ReadTrace{Name: name, Values: values, Cut: more, Absent: len(values) == 0})
	}
	for _, f := range r.fields {
		in := event.Describe(f)
		add(in.Name, &term{field: f, valueType: in.Type, scope: in.Scope})
	}
	for _, own := range r.own {
		add("own("+strconv.Quote(own)+")", &term{own: own})
	}
	return out
}
