// SPDX-License-Identifier: Apache-2.0

// This file appends JSON by hand: one pass, no maps, keys in the order they are
// written, so that the same event always gives the same line.

package forward

import (
	"strconv"

	"seismo/internal/display"
	"seismo/internal/event"
)

// object is JSON under construction.
type object struct{ b []byte }

// element begins the next element of an array or member of an object.
func (o *object) element() *object {
	if last := o.b[len(o.b)-1]; last != '{' && last != '[' {
		o.b = append(o.b, ',')
	}
	return o
}

func (o *object) key(name string) *object {
	o.element()
	o.b = display.AppendJSONKey(o.b, name)
	return o
}

func (o *object) open(name string, bracket byte) { o.key(name).raw(bracket) }
func (o *object) close(bracket byte)             { o.b = append(o.b, bracket) }
func (o *object) raw(c byte)                     { o.b = append(o.b, c) }
func (o *object) text(v string)                  { o.b = display.AppendJSON(o.b, v) }
func (o *object) null()                          { o.b = append(o.b, "null"...) }
func (o *object) number(v int64)                 { o.b = strconv.AppendInt(o.b, v, 10) }

// field writes field f of e, if it has a value.
func (o *object) field(f event.Info, e *event.Event) {
	if !e.Has(f.Field) {
		return
	}
	switch f.Type {
	case event.String:
		if v, ok := e.Text(f.Field); ok {
			o.key(f.Name).text(string(v))
		}
	case event.Address:
		if a, ok := e.Addr(f.Field); ok {
			o.key(f.Name).text(a.String())
		}
	case event.List, event.Hash:
		o.open(f.Name, '[')
		for v := range e.Elements(f.Field) {
			o.element().text(string(v))
		}
		o.close(']')
	default:
		if v, ok := e.Int(f.Field); ok {
			o.integer(f, v)
		}
	}
}

// processField writes a process-scope field of p, if it has a value.
func (o *object) processField(f event.Info, p *event.Process) {
	if v, ok := p.Text(f.Field); ok && f.Type == event.String {
		o.key(f.Name).text(v)
	} else if v, ok := p.Int(f.Field); ok && f.Type != event.String {
		o.integer(f, v)
	}
}

func (o *object) integer(f event.Info, v int64) {
	o.key(f.Name)
	switch f.Type {
	case event.Identifier:
		o.text(strconv.FormatUint(uint64(v), 10))
	case event.Time:
		o.text(stamp(v))
	default:
		o.number(v)
	}
}
