// SPDX-License-Identifier: Apache-2.0

// This file is the loop that the engine is measured against: every signal on every
// event in order, as fast as that can be written plainly. Fields are folded once per
// event, expressions are evaluated with short circuit by strings.Contains, HasPrefix,
// HasSuffix and ==, regular expressions are compiled; there is no map and no
// allocation.

package engine

import (
	"regexp"
	"strings"
	"unsafe"

	"seismo/internal/ascii"
	"seismo/internal/event"
	"seismo/signals"
)

// loopNode is an expression of the loop.
type loopNode struct {
	op       signals.NodeOp
	kids     []loopNode
	field    int // index into loop.fields
	cond     signals.Condition
	not      bool
	literals []string
	numbers  []int64
	regexes  []*regexp.Regexp
}

// loopValue is the value of one field of the event at hand.
type loopValue struct {
	folded, raw string
	number      int64
	present     bool
}

// loop is the state of the loop.
type loop struct {
	names  []string
	fields []event.Field
	values []loopValue
	arena  []byte
	rules  []loopRule
}

// loopRule is a signal and the events it is for: as in the rule files, one category.
type loopRule struct {
	loopNode
	kind event.Kind
}

func newLoop(exprs []expr) *loop {
	l := &loop{}
	for _, e := range exprs {
		l.rules = append(l.rules, loopRule{l.lower(e), kindOf(e)})
	}
	l.values = make([]loopValue, len(l.names))
	return l
}

// kindOf returns the kind of event that e is for: a process creation unless a term
// is on a file or a connection.
func kindOf(e expr) event.Kind {
	if e.op == signals.NodeTerm {
		if in, ok := event.Lookup(e.term.field); ok && in.Scope == event.ScopeEvent {
			for _, k := range event.Kinds() {
				if in.Kinds == event.SetOf(k) {
					return k
				}
			}
		}
		return event.KindProcess
	}
	for _, k := range e.kids {
		if kind := kindOf(k); kind != event.KindProcess {
			return kind
		}
	}
	return event.KindProcess
}

func (l *loop) lower(e expr) loopNode {
	if e.op != signals.NodeTerm {
		n := loopNode{op: e.op}
		for _, k := range e.kids {
			n.kids = append(n.kids, l.lower(k))
		}
		return n
	}
	t := e.term
	n := loopNode{cond: t.cond, not: t.not, field: -1, numbers: t.number}
	for i, name := range l.names {
		if name == t.field {
			n.field = i
		}
	}
	if n.field < 0 {
		n.field = len(l.names)
		in, _ := event.Lookup(t.field)
		l.names, l.fields = append(l.names, t.field), append(l.fields, in.Field)
	}
	for _, v := range t.values {
		if t.cond == signals.Regex {
			n.regexes = append(n.regexes, regexp.MustCompile("(?i)"+v))
			continue
		}
		n.literals = append(n.literals, asciiLower(v))
	}
	return n
}

// match calls hit for each signal that e fires, and returns how many it tested.
func (l *loop) match(e *event.Event, hit func(signal int)) (tests int) {
	if e.Kind == event.KindProcess && e.Op != event.OpCreate {
		return 0
	}
	l.read(e)
	for i := range l.rules {
		if l.rules[i].kind != e.Kind {
			continue
		}
		tests++
		if l.holds(&l.rules[i].loopNode) {
			hit(i)
		}
	}
	return tests
}

// read folds the fields of e.
func (l *loop) read(e *event.Event) {
	l.arena = l.arena[:0]
	for i, f := range l.fields {
		v := &l.values[i]
		*v = loopValue{}
		if f == event.NoField {
			own := strings.TrimSuffix(strings.TrimPrefix(l.names[i], "record.'"), "'")
			for o := range e.Own() {
				if string(o.Name) == own {
					v.present = true
					fold(l, v, o.Value)
					break
				}
			}
			continue
		}
		switch in := event.Describe(f); {
		case in.Type == event.String && in.Scope != event.ScopeEvent && e.Process != nil:
			raw, ok := e.Process.Text(f)
			if v.present = ok; ok {
				fold(l, v, raw)
			}
		case in.Type == event.String:
			raw, ok := e.Text(f)
			if v.present = ok; ok {
				fold(l, v, raw)
			}
		case in.Type == event.Integer:
			v.number, v.present = e.Int(f)
		}
	}
}

// fold sets v to raw. Values that were set before stay where they are when the arena
// grows.
func fold[T text](l *loop, v *loopValue, raw T) {
	from := len(l.arena)
	l.arena = ascii.AppendFolded(l.arena, raw)
	b := l.arena[from:]
	v.folded = unsafe.String(unsafe.SliceData(b), len(b))
	switch raw := any(&raw).(type) {
	case *string:
		v.raw = *raw
	case *[]byte:
		v.raw = unsafe.String(unsafe.SliceData(*raw), len(*raw))
	}
}

func (l *loop) holds(n *loopNode) bool {
	switch n.op {
	case signals.NodeTerm:
		return l.met(n) != n.not
	case signals.NodeOr:
		for i := range n.kids {
			if l.holds(&n.kids[i]) {
				return true
			}
		}
		return false
	}
	for i := range n.kids {
		if !l.holds(&n.kids[i]) {
			return false
		}
	}
	return true
}

func (l *loop) met(n *loopNode) bool {
	v := &l.values[n.field]
	if !v.present {
		return false
	}
	switch n.cond {
	case signals.Contains:
		for _, lit := range n.literals {
			if strings.Contains(v.folded, lit) {
				return true
			}
		}
	case signals.EndsWith:
		for _, lit := range n.literals {
			if strings.HasSuffix(v.folded, lit) {
				return true
			}
		}
	case signals.BeginsWith:
		for _, lit := range n.literals {
			if strings.HasPrefix(v.folded, lit) {
				return true
			}
		}
	case signals.Is:
		for _, lit := range n.literals {
			if v.folded == lit {
				return true
			}
		}
		for _, number := range n.numbers {
			if v.number == number {
				return true
			}
		}
	case signals.Greater:
		for _, number := range n.numbers {
			if v.number > number {
				return true
			}
		}
	case signals.Regex:
		for _, re := range n.regexes {
			if re.MatchString(v.raw) {
				return true
			}
		}
	case signals.Exists:
		return true
	}
	return false
}
