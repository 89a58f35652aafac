// SPDX-License-Identifier: Apache-2.0

// This file reads the values of fields from an event and its process, as CEL
// values. Whose value counts follows package engine: a field of the process is
// read from the process where it is known, else from what the record said of it.

package celenv

import (
	"time"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/interpreter"

	"seismo/internal/event"
)

// The limits of what an expression sees at run time. A field with more is an
// error: the expression can not become true by it.
const (
	MaxSubject = 64 << 10  // bytes of a string
	MaxList    = 4096      // elements of a list
	MaxBytes   = 256 << 10 // of all elements of a list
)

// Value is one value of a field: which part of it counts follows from the
// field's type.
type Value struct {
	Text   string
	Number int64 // integer, identifier (its bits), time in nanoseconds
	List   []string
}

// View is the event that programs are evaluated on, and what they may ask beside
// it. It keeps the values that were read, so that several programs read each
// once. It is for one goroutine; [NewView] makes one, Set puts an event into it.
type View struct {
	// Late returns a value of f, a field of process scope, that was learned of p
	// after it was published. Without the function what an update event says of its
	// own process counts.
	Late func(p *event.Process, f event.Field) (Value, bool)
	// InList reports whether value, of a field of type typ, is in the named list.
	// Without the function no value is.
	InList func(list string, typ event.Type, value string) bool
	// Unknown hides what the event itself says of a process that is not known.
	Unknown bool

	event   *event.Event
	process *event.Process
	round   uint32 // of Set: values of another round are stale
	values  []cached
	objects map[string]*object
	own     []cachedOwn
}

type cached struct {
	round uint32
	val   ref.Val // nil: absent
}

type cachedOwn struct {
	name string
	cached
}

// NewView returns an empty view.
func NewView() *View {
	v := &View{objects: map[string]*object{}}
	last := event.NoField
	for _, f := range event.Fields() {
		last = max(last, f.Field)
	}
	v.values = make([]cached, last+1)
	for _, o := range event.Objects() {
		v.objects[o] = &object{view: v, typ: types.NewObjectType(typePrefix + o)}
	}
	return v
}

// Set makes e and p, which may be nil, the event and the process that programs see.
// Values are read as they are needed and kept until the next Set, which is due as
// well when Late would answer in another way or Unknown has changed.
func (v *View) Set(e *event.Event, p *event.Process) {
	v.event, v.process = e, p
	if v.round++; v.round == 0 { // the numbers have run out: none of those kept may look fresh
		clear(v.values)
		clear(v.own)
		v.round = 1
	}
}

// ResolveName implements interpreter.Activation.
func (v *View) ResolveName(name string) (any, bool) {
	if name == viewName {
		return v, true
	}
	o, ok := v.objects[name]
	return o, ok
}

// Parent implements interpreter.Activation: there is none.
func (v *View) Parent() interpreter.Activation { return nil }

// viewName is what our functions find the view by; no expression can say it.
const viewName = "@view"

// value returns the value of f: nil if it is absent, an error if it is too large.
func (v *View) value(f event.Field) ref.Val {
	c := &v.values[f]
	if c.round != v.round {
		c.round, c.val = v.round, v.read(event.Describe(f))
	}
	return c.val
}

func (v *View) read(in event.Info) ref.Val {
	switch p := v.process; {
	case in.Scope == event.ScopeEvent:
		return v.ofEvent(in.Field, in.Type)
	case p == nil && v.Unknown:
		return nil
	case p == nil:
		if in.Scope != event.ScopeAncestor { // of its parent the event knows nothing
			return v.ofEvent(in.Field, in.Type)
		}
		val := v.ofEvent(event.ProcessField(in.Field), in.Type)
		if s, ok := val.(types.String); ok {
			return stringList([]string{string(s)})
		}
		return val
	case in.Scope == event.ScopeAncestor:
		return v.ofAncestry(event.ProcessField(in.Field), in.Type)
	case in.Scope == event.ScopeParent:
		if late, ok := v.late(p.Parent, event.ProcessField(in.Field)); ok {
			return late.ref(in.Type)
		}
		return ofProcess(p, in.Field, in.Type)
	default:
		if late, ok := v.late(p, in.Field); ok {
			return late.ref(in.Type)
		}
		return ofProcess(p, in.Field, in.Type)
	}
}

// late returns the value of f that was learned of p late.
func (v *View) late(p *event.Process, f event.Field) (Value, bool) {
	switch e := v.event; {
	case p == nil:
		return Value{}, false
	case v.Late != nil:
		return v.Late(p, f)
	case p != v.process || !e.Late(f):
		return Value{}, false
	default:
		var late Value
		switch event.Describe(f).Type {
		case event.List, event.Hash:
			for s := range e.Elements(f) {
				late.List = append(late.List, string(s))
			}
		case event.Integer, event.Identifier, event.Time:
			late.Number, _ = e.Int(f)
		default:
			text, _ := e.Text(f)
			late.Text = string(text)
		}
		return late, true
	}
}

// ref returns the part of l that counts for a field of type typ.
func (l Value) ref(typ event.Type) ref.Val {
	switch typ {
	case event.List, event.Hash:
		return stringList(l.List)
	case event.Integer, event.Identifier, event.Time:
		return number(l.Number, typ)
	}
	return text(l.Text)
}

func (v *View) ofEvent(f event.Field, typ event.Type) ref.Val {
	e := v.event
	switch typ {
	case event.List, event.Hash:
		if !e.Has(f) {
			return nil
		}
		var all []string
		for s := range e.Elements(f) {
			all = append(all, string(s))
		}
		return stringList(all)
	case event.Integer, event.Identifier, event.Time:
		if n, ok := e.Int(f); ok {
			return number(n, typ)
		}
	case event.Address:
		if a, ok := e.Addr(f); ok {
			return text(a.String())
		}
	default:
		if s, ok := e.Text(f); ok {
			return text(string(s))
		}
	}
	return nil
}

func ofProcess(p *event.Process, f event.Field, typ event.Type) ref.Val {
	switch typ {
	case event.List, event.Hash:
		if list := p.List(f); list != nil {
			return stringList(list)
		}
	case event.Integer, event.Identifier, event.Time:
		if n, ok := p.Int(f); ok {
			return number(n, typ)
		}
	default:
		if s, ok := p.Text(f); ok {
			return text(s)
		}
	}
	return nil
}

// ofAncestry returns the values of f of the process and all its ancestors, nearest
// first; nil if none has one.
func (v *View) ofAncestry(f event.Field, typ event.Type) ref.Val {
	var all []string
	present := false
	for q := range v.process.Ancestry() {
		value, ok := v.late(q, f)
		switch {
		case ok:
		case typ == event.Hash:
			value.List = q.List(f)
			ok = value.List != nil
		default:
			value.Text, ok = q.Text(f)
		}
		switch present = present || ok; {
		case !ok:
		case typ == event.Hash:
			all = append(all, value.List...)
		default:
			all = append(all, value.Text)
		}
	}
	if !present {
		return nil
	}
	return stringList(all)
}

// ownValues returns the values that the source delivered under name: the first of
// each record, since what follows may be forged by the process that the record
// tells of. Nil if there are none.
func (v *View) ownValues(name string) ref.Val {
	var c *cached
	for i := range v.own {
		if v.own[i].name == name {
			c = &v.own[i].cached
		}
	}
	if c == nil {
		v.own = append(v.own, cachedOwn{name: name})
		c = &v.own[len(v.own)-1].cached
	}
	if c.round == v.round {
		return c.val
	}
	var all []string
	judged := -1
	for f := range v.event.Own() {
		if string(f.Name) == name && f.Record != judged {
			judged = f.Record
			all = append(all, string(f.Value))
		}
	}
	c.round, c.val = v.round, nil
	if all != nil {
		c.val = stringList(all)
	}
	return c.val
}

func text(s string) ref.Val {
	if len(s) > MaxSubject {
		return types.NewErr("a value of %d bytes, the limit is %d", len(s), MaxSubject)
	}
	return types.String(s)
}

func number(n int64, typ event.Type) ref.Val {
	switch typ {
	case event.Identifier:
		return types.Uint(n)
	case event.Time:
		return types.Timestamp{Time: time.Unix(0, n).UTC()}
	}
	return types.Int(n)
}

func stringList(list []string) ref.Val {
	if len(list) > MaxList {
		return types.NewErr("a list of %d elements, the limit is %d", len(list), MaxList)
	}
	vals := make([]ref.Val, len(list))
	bytes := 0
	for i, s := range list {
		if bytes += len(s); len(s) > MaxSubject || bytes > MaxBytes {
			return types.NewErr("a list of more than %d bytes, or %d in one element", MaxBytes, MaxSubject)
		}
		vals[i] = types.String(s)
	}
	return types.NewRefValList(types.DefaultTypeAdapter, vals)
}
