// SPDX-License-Identifier: Apache-2.0

// This file judges one term on one event and its process. How terms make a
// signal is in eval.go.

package engine

import (
	"net/netip"

	"seismo/internal/event"
	"seismo/internal/namedlist"
	"seismo/internal/pattern"
	"seismo/signals"
)

// judge decides terms on the event at hand. What a process remembers of its
// earlier events is asked above it: here a term holds or does not.
type judge struct {
	p       *Program
	event   *event.Event
	process *event.Process // the event's; nil if it has none
	late    *lateTable
	only    []uint32 // the atoms of the term at hand that are left to judge; nil: all of them
	scratch []byte   // for the text of an address
	subject []byte   // for what a regular expression reads
	regexes searchers

	inherited bool        // the process got late values from the image before it with this event
	arrived   bool        // the event is an update that brings late values which terms read
	before    bool        // judge as if it had not brought them
	earlier   []lateValue // those that its process had before
	// round is another one whenever values of the process may have changed.
	round uint64
	work  uint64 // work units done so far, see SignalStatistics
	cel   celState
}

// begin makes e the event at hand.
func (j *judge) begin(e *event.Event) {
	j.event, j.process, j.before = e, e.Process, false
	j.round++
}

// judgeBefore says whether terms are judged as if the event had brought no late
// values.
func (j *judge) judgeBefore(before bool) {
	j.before = before
	j.round++
}

// holds reports whether t is true on the event at hand. A term on an event
// object is never true on an event of another kind, negated or not; an absent
// field makes a positive term false and a negated one true.
func (j *judge) holds(t *term, w *witness) bool {
	if t.cond == signals.Residual {
		return t.kinds.Has(j.event.Kind) && j.residue(t)
	}
	if t.onEvent && !t.kinds.Has(j.event.Kind) {
		return false
	}
	met, present := j.met(t, w)
	if t.cond == signals.Exists {
		met = present
	}
	if w != nil {
		w.absent = !present
	}
	return met != t.negate
}

// met reports whether any value of t's field meets any atom of t, and whether
// there is a value. If w is not nil it gets the value and the atom that met, or
// else the first value.
func (j *judge) met(t *term, w *witness) (met, present bool) {
	if t.own != "" {
		return j.metOwn(t, w)
	}
	if j.before && j.process == nil && t.scope != event.ScopeEvent {
		return false, false // all that the event says of its process is late
	}
	switch t.valueType {
	case event.String:
		return j.metText(t, w)
	case event.List, event.Hash:
		return j.metList(t, w)
	case event.Address:
		if a, ok := j.event.Addr(t.field); ok {
			return j.metAddress(t, a, w), true
		}
	case event.Integer, event.Identifier, event.Time:
		if n, ok := j.number(t); ok {
			return j.metNumber(t, n, w), true
		}
	}
	return false, false
}

// fromProcess reports whether t's value is read from the process: always if it
// is known. An event without one is judged by what its record says of it.
func (j *judge) fromProcess(t *term) bool {
	return t.scope != event.ScopeEvent && j.process != nil
}

// ownField returns the field of the event that holds t's value when the process is
// not known. Of the ancestry the event then knows only its own process.
func (t *term) ownField() event.Field {
	if event.Describe(t.field).Scope == event.ScopeAncestor {
		return event.ProcessField(t.field)
	}
	return t.field
}

func (j *judge) metText(t *term, w *witness) (met, present bool) {
	if !j.fromProcess(t) {
		v, ok := j.event.Text(t.ownField())
		return ok && meetsAny(j, t, v, w), ok
	}
	if t.scope != event.ScopeAncestor {
		v, ok := j.textOf(j.process, t.field)
		return ok && meetsAny(j, t, v, w), ok
	}
	for q := range j.process.Ancestry() {
		if v, ok := j.textOf(q, t.field); ok {
			present = true
			if meetsAny(j, t, v, w) {
				return true, true
			}
		}
	}
	return false, present
}

func (j *judge) metList(t *term, w *witness) (met, present bool) {
	if !j.fromProcess(t) {
		f := t.ownField()
		for v := range j.event.Elements(f) {
			if meetsAny(j, t, v, w) {
				return true, true
			}
		}
		return false, j.event.Has(f)
	}
	if t.scope != event.ScopeAncestor {
		list := j.listOf(j.process, t.field)
		return meetsAnyOf(j, t, list, w), list != nil
	}
	for q := range j.process.Ancestry() {
		list := j.listOf(q, t.field)
		present = present || list != nil
		if meetsAnyOf(j, t, list, w) {
			return true, true
		}
	}
	return false, present
}

func meetsAnyOf(j *judge, t *term, list []string, w *witness) bool {
	for _, v := range list {
		if meetsAny(j, t, v, w) {
			return true
		}
	}
	return false
}

// metOwn judges the values that the source delivered under the own name, however
// many of its records have it. Of equal names in one record the first counts: what
// follows may be forged by the process that the record tells of. Of an event that says
// which logs it belongs to all count.
func (j *judge) metOwn(t *term, w *witness) (met, present bool) {
	every := j.event.Logsource != nil // such events are no records of programs that could forge them
	judged := -1                      // the record whose value was; the fields of a record stand together
	for f := range j.event.Own() {
		if string(f.Name) != t.own || f.Record == judged && !every {
			continue
		}
		judged, present = f.Record, true
		if meetsAny(j, t, f.Value, w) {
			return true, true
		}
	}
	return false, present
}

func (j *judge) number(t *term) (int64, bool) {
	if j.fromProcess(t) {
		return j.intOf(j.process, t.field)
	}
	return j.event.Int(t.field)
}

// meetsAny reports whether v meets any atom of t.
func meetsAny[T text](j *judge, t *term, v T, w *witness) bool {
	refs := j.p.atomRefs[t.from:t.to]
	if j.only != nil {
		refs = j.only
	}
	for _, ref := range refs {
		if a := &j.p.atoms[ref]; meets(j, t, a, v) {
			sawText(w, v, a)
			return true
		}
	}
	sawText(w, v, nil)
	return false
}

// meets reports whether the text v meets a, an atom of t.
func meets[T text](j *judge, t *term, a *atom, v T) bool {
	j.work += 1 + uint64(len(v))/32
	switch a.cond {
	case signals.Is:
		return is(v, a.literal, a.cased)
	case signals.Contains:
		return contains(v, a.literal, a.cased)
	case signals.BeginsWith:
		return beginsWith(v, a.literal, a.cased)
	case signals.EndsWith:
		return endsWith(v, a.literal, a.cased)
	case signals.Glob, signals.PathGlob:
		return matchesGlob(j.p.globs[a.aux], v)
	case signals.Regex:
		r := j.p.regexes[a.aux]
		j.work += uint64(len(v)) * uint64(r.Size()) / 64
		j.subject = append(j.subject[:0], v...) // a []byte of v's own would escape
		return j.regexes.match(j.p, a.aux, j.subject)
	case signals.InList:
		if t.valueType == event.Hash {
			return namedlist.HasHash(j.p.lists[a.aux], v, a.cased)
		}
		return namedlist.Has(j.p.lists[a.aux], v, a.cased)
	case signals.Exists:
		return true
	case signals.Less, signals.LessEqual, signals.Greater, signals.GreaterEqual: // of an own field
		j.subject = append(j.subject[:0], v...)
		return meetsNumber(a, j.subject)
	case signals.InCIDR:
		j.subject = append(j.subject[:0], v...)
		return meetsNetwork(j.p.prefixes[a.aux], j.subject)
	}
	return false
}

func matchesGlob[T text](g *pattern.Glob, v T) bool {
	switch v := any(v).(type) {
	case []byte:
		return g.Match(v)
	case string:
		return g.MatchString(v)
	}
	return false
}

func (j *judge) metAddress(t *term, v netip.Addr, w *witness) bool {
	j.scratch = v.AppendTo(j.scratch[:0])
	for _, ref := range j.p.atomRefs[t.from:t.to] {
		a := &j.p.atoms[ref]
		met := false
		switch a.cond {
		case signals.Is, signals.InCIDR:
			j.work++
			met = j.p.prefixes[a.aux].Contains(v)
		case signals.InList:
			j.work++
			met = j.p.lists[a.aux].HasAddress(v)
		default:
			met = meets(j, t, a, j.scratch)
		}
		if met {
			sawText(w, j.scratch, a)
			return true
		}
	}
	sawText(w, j.scratch, nil)
	return false
}

func (j *judge) metNumber(t *term, v int64, w *witness) bool {
	for _, ref := range j.p.atomRefs[t.from:t.to] {
		a := &j.p.atoms[ref]
		less, equal := v < a.number, v == a.number
		j.work++
		if t.valueType == event.Identifier {
			less = uint64(v) < uint64(a.number)
		}
		met := false
		switch a.cond {
		case signals.Is:
			met = equal
		case signals.Less:
			met = less
		case signals.LessEqual:
			met = less || equal
		case signals.Greater:
			met = !less && !equal
		case signals.GreaterEqual:
			met = !less
		case signals.InList:
			if l := j.p.lists[a.aux]; t.valueType == event.Identifier {
				met = l.HasIdentifier(uint64(v))
			} else {
				met = l.HasInteger(v)
			}
		case signals.Exists:
			met = true
		}
		if met {
			w.sawNumber(v, a)
			return true
		}
	}
	w.sawNumber(v, nil)
	return false
}
