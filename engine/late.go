// SPDX-License-Identifier: Apache-2.0

// This file holds the late values of processes: what an update event told of a
// process after it was published. All values of a process are read here, so that
// a late one counts everywhere.

package engine

import (
	"slices"

	"seismo/internal/event"
	"seismo/internal/recent"
)

// The limits of late values: of how many processes they are kept, and their bytes.
// The values of the process at hand are kept whatever their size.
const (
	maxLateProcesses = 65_536
	maxLateBytes     = 32 << 20
)

// lateValue is the late value of a field of process scope. Which part of it counts
// follows from the field's type.
type lateValue struct {
	field  event.Field
	text   string
	list   []string
	number int64
}

// size returns about how many bytes v takes.
func (v *lateValue) size() int {
	n := 64 + len(v.text)
	for _, s := range v.list {
		n += 16 + len(s)
	}
	return n
}

// lateValues are those of one process.
type lateValues struct {
	key    event.ProcessKey
	values []lateValue // by rising field; the slice and what it holds are never changed
	bytes  int
	recent.Links[*lateValues]
}

// lateTable holds the late values of all processes, in the order in which the last
// of them came.
type lateTable struct {
	limits struct{ processes, bytes int }

	of      map[event.ProcessKey]*lateValues
	fields  []bool // by field: some process has or had a late value of it
	order   recent.List[*lateValues]
	bytes   int
	evicted losses
	// changes counts the changes to late values: what somebody derived from values of
	// processes may be stale when it has moved.
	changes uint64
	miss    *event.Process // a process that was found to have nothing to inherit,
	missAt  uint64         // after this many changes
}

func newLateTable() lateTable {
	last := event.NoField
	for _, in := range event.Fields() {
		last = max(last, in.Field)
	}
	t := lateTable{of: map[event.ProcessKey]*lateValues{}, fields: make([]bool, last+1)}
	t.limits.processes, t.limits.bytes = maxLateProcesses, maxLateBytes
	return t
}

// valuesOf returns the late values of process key.
func (t *lateTable) valuesOf(key event.ProcessKey) []lateValue {
	if v := t.of[key]; v != nil {
		return v.values
	}
	return nil
}

// set makes values the late values of process key, at the time of an event. The
// slice is the table's from then on.
func (t *lateTable) set(key event.ProcessKey, values []lateValue, time int64) {
	t.drop(key)
	v := &lateValues{key: key, values: values}
	for i := range values {
		t.fields[values[i].field] = true
		v.bytes += values[i].size()
	}
	t.of[key] = v
	t.order.Push(v)
	t.bytes += v.bytes
	for (len(t.of) > t.limits.processes || t.bytes > t.limits.bytes) && t.order.Oldest() != v {
		t.drop(t.order.Oldest().key)
		t.evicted.add(1, time)
	}
}

// drop forgets the late values of process key.
func (t *lateTable) drop(key event.ProcessKey) {
	v := t.of[key]
	if v == nil {
		return
	}
	delete(t.of, key)
	t.changes++
	t.bytes -= v.bytes
	t.order.Remove(v)
}

// learn gives the process of the event at hand the late values of the image before
// it, and takes those that the event brings if it is an update. Those from before stay
// with the judge until the next event.
func (m *Matcher) learn(e *event.Event) {
	j := &m.judge
	j.arrived, j.inherited, j.earlier = false, false, nil
	if e.Process != nil {
		j.inherited = m.inherit(e.Process, e.Time)
	}
	if e.Kind != event.KindProcess || e.Op != event.OpUpdate {
		return
	}
	var values []lateValue
	for _, f := range m.p.memory.late {
		if e.Late(f) {
			values = append(values, readLate(e, f))
		}
	}
	if len(values) == 0 {
		return
	}
	j.arrived = true
	if e.Process == nil {
		return
	}
	j.earlier = m.late.valuesOf(e.Process.ID)
	m.late.changes++
	m.late.set(e.Process.ID, merge(j.earlier, values), e.Time)
}

// readLate copies the value of f out of e.
func readLate(e *event.Event, f event.Field) lateValue {
	v := lateValue{field: f}
	switch event.Describe(f).Type {
	case event.List, event.Hash:
		v.list = []string{}
		for s := range e.Elements(f) {
			v.list = append(v.list, string(s))
		}
	case event.Integer, event.Identifier, event.Time:
		v.number, _ = e.Int(f)
	default:
		s, _ := e.Text(f)
		v.text = string(s)
	}
	return v
}

// merge returns old and values, both by rising field, where values win.
func merge(old, values []lateValue) []lateValue {
	all := slices.Clone(values)
	for i := range old {
		if !slices.ContainsFunc(values, func(v lateValue) bool { return v.field == old[i].field }) {
			all = append(all, old[i])
		}
	}
	slices.SortFunc(all, func(a, b lateValue) int { return int(a.field) - int(b.field) })
	return all
}

// inherit gives a process without late values those of the nearest image before it
// that has some, and reports whether there are any: an exec goes on in the same
// container. What tells of the program that the image runs stays behind, and what p
// itself says wins.
func (m *Matcher) inherit(p *event.Process, time int64) bool {
	t := &m.late
	if len(t.of) == 0 || p.Previous == nil || p == t.miss && t.missAt == t.changes || t.of[p.ID] != nil {
		return false
	}
	for q := range images(p) {
		before := t.of[q.ID]
		if before == nil {
			continue
		}
		var values []lateValue
		for _, v := range before.values {
			if outlivesExec(v.field) && !p.Has(v.field) {
				values = append(values, v)
			}
		}
		if len(values) > 0 {
			t.changes++
			t.set(p.ID, values, time)
			return true
		}
		break
	}
	t.miss, t.missAt = p, t.changes
	return false
}

// outlivesExec reports whether the value of f, a field of process scope, is the
// same before and after an exec as long as nobody says otherwise.
func outlivesExec(f event.Field) bool {
	switch f {
	case event.ProcessPath, event.ProcessName, event.ProcessCommandLine, event.ProcessArgs, event.ProcessHash,
		event.ProcessID, event.ProcessStartTime, event.ProcessSeenRunning:
		return false
	}
	return true
}

// lateOf returns the late value of f, a field of process scope, that process q has.
func (j *judge) lateOf(q *event.Process, f event.Field) *lateValue {
	if q == nil || !j.late.fields[f] {
		return nil
	}
	values := j.late.valuesOf(q.ID)
	if j.before && q.ID == j.process.ID {
		values = j.earlier
	}
	for i := range values {
		if values[i].field == f {
			return &values[i]
		}
	}
	return nil
}

// ofWhom returns the process whose field, of process scope, f of q is, for a field
// of process, parent or ancestor scope: that of an ancestor is asked of q itself.
func ofWhom(q *event.Process, f event.Field) (*event.Process, event.Field) {
	if event.Describe(f).Scope == event.ScopeParent {
		q = q.Parent
	}
	return q, event.ProcessField(f)
}

// textOf returns the value of f, a string field of process or parent scope, or of
// an ancestor that q is.
func (j *judge) textOf(q *event.Process, f event.Field) (string, bool) {
	if len(j.late.of) > 0 || j.before {
		if v := j.lateOf(ofWhom(q, f)); v != nil {
			return v.text, true
		}
	}
	return q.Text(f)
}

// listOf is textOf for a list or hash field; nil if it is absent.
func (j *judge) listOf(q *event.Process, f event.Field) []string {
	if len(j.late.of) > 0 || j.before {
		if v := j.lateOf(ofWhom(q, f)); v != nil {
			return v.list
		}
	}
	return q.List(f)
}

// intOf is textOf for an integer, identifier or time field.
func (j *judge) intOf(q *event.Process, f event.Field) (int64, bool) {
	if len(j.late.of) > 0 || j.before {
		if v := j.lateOf(ofWhom(q, f)); v != nil {
			return v.number, true
		}
	}
	return q.Int(f)
}
