// SPDX-License-Identifier: Apache-2.0

// This file checks the terms of an expression against the field registry: names,
// conditions for the field's type, and which kinds of event a group can be true
// on. Values are checked in value.go.

package signals

import (
	"slices"
	"strings"
	"unicode/utf8"

	"seismo/internal/event"
)

// check resolves the fields and values of e and reports what is wrong to src.
// With suppress, e is an expression that suppresses: it is a group as a whole.
func check(src *source, e *Expr, suppress bool) {
	c := &checker{src: src, suppress: suppress}
	c.expr(e)
	switch {
	case src.diags.HasErrors():
	case suppress:
		c.reach(e, false)
	default:
		c.groups(e)
	}
}

type checker struct {
	src      *source
	suppress bool
	patterns int // bytes of memory that the patterns so far take
}

func (c *checker) expr(e *Expr) {
	if e.Op == ExprTerm {
		c.term(e.Term)
		return
	}
	for _, k := range e.Kids {
		c.expr(k)
	}
}

func (c *checker) term(t *TermExpr) {
	typ := event.String // what an own name holds
	var info event.Info
	if !t.Own {
		var ok bool
		if info, ok = event.Lookup(t.Object + "." + t.Property); !ok {
			c.unknownField(t)
			return
		}
		t.Field, typ = info.Field, info.Type
	}
	if !slices.Contains(conditionsOf(typ), t.Cond) {
		c.src.reportAt(t.CondPos, t.condWidth, typeText(typ)+" has the conditions "+listConditions(typ),
			"%s is %s: it has no condition %s", quoteName(t), typeText(typ), quote(t.Cond.String()))
		return
	}
	if t.Cased && (t.Cond == Exists || !foldable(typ)) {
		c.src.reportAt(t.CondPos, t.condWidth, "leave cased out", "cased has no meaning here: %s", casedReason(t, typ))
		return
	}
	if ordered(t.Cond) && len(t.Values) > 1 {
		c.src.reportAt(t.Values[1].Pos, t.Values[1].width, "", "condition %s takes one value", quote(t.Cond.String()))
		return
	}
	for i := range t.Values {
		v := &t.Values[i]
		if c.patterns > maxPatterns {
			return // said
		}
		if hint, err := checkValue(info, typ, t, v); err != nil {
			c.src.reportAt(v.Pos, v.width, hint, "%s", err)
		}
		if c.patterns += v.weight; c.patterns > maxPatterns {
			c.src.reportAt(v.Pos, v.width, "make several signals of it", "globs and regular expressions that take more than %d MiB of memory in one expression", maxPatterns>>20)
		}
	}
}

const fieldsHint = `"seismo fields" lists the fields of each event kind`

// unknownField reports a field that the registry does not have, with the one
// that may be meant.
func (c *checker) unknownField(t *TermExpr) {
	object, property := strings.ToLower(t.Object), strings.ToLower(t.Property)
	properties := propertiesOf(object)
	if len(properties) == 0 {
		meant := nearest(object, event.Objects())
		if near := nearest(property, propertiesOf(meant)); near != "" {
			meant += "." + near
		}
		c.src.reportAt(t.Pos, utf8.RuneCountInString(t.Object), "the objects are "+strings.Join(event.Objects(), ", "),
			"unknown object %s in field %s%s", quote(t.Object), quoteName(t), didYouMean(meant))
		return
	}
	hint := fieldsHint
	if object == "record" {
		hint = "a field that the source's record names itself is quoted: record." + quoteLiteral(t.Property)
	}
	meant := ""
	if near := nearest(property, properties); near != "" {
		meant = object + "." + near
	} else {
		for _, o := range event.Objects() {
			if meant == "" && slices.Contains(propertiesOf(o), property) {
				meant = o + "." + property
			}
		}
	}
	c.src.reportAt(t.Pos, t.nameWidth, hint, "unknown field %s%s", quoteName(t), didYouMean(meant))
}

// propertiesOf returns the properties of object, in lower case, with their
// aliases; none if there is no such object.
func propertiesOf(object string) []string {
	var out []string
	for _, f := range event.Fields() {
		if f.Object() != object {
			continue
		}
		out = append(out, f.Column())
		for _, alias := range f.Aliases {
			out = append(out, strings.TrimPrefix(alias, object+"."))
		}
	}
	return out
}

func quoteName(t *TermExpr) string {
	if t.Own {
		return t.name()
	}
	return quote(t.name())
}

// conditionsOf returns the conditions that a field of type typ has.
func conditionsOf(typ event.Type) []Condition {
	switch typ {
	case event.Integer:
		return []Condition{Is, Exists, Less, LessEqual, Greater, GreaterEqual, InList}
	case event.Time:
		return []Condition{Is, Exists, Less, LessEqual, Greater, GreaterEqual}
	case event.Identifier:
		return []Condition{Is, Exists} // made by the recorder: no list can know them
	case event.Address:
		return []Condition{Is, Contains, BeginsWith, EndsWith, Exists, InCIDR, Glob, Regex, InList}
	case event.Hash:
		return []Condition{Is, Contains, BeginsWith, EndsWith, Exists, Glob, Regex, InList}
	default:
		return []Condition{Is, Contains, BeginsWith, EndsWith, Exists, Glob, PathGlob, Regex, InList}
	}
}

func listConditions(typ event.Type) string {
	var names []string
	for _, c := range conditionsOf(typ) {
		names = append(names, c.String())
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}

func typeText(typ event.Type) string {
	switch typ {
	case event.Integer, event.Identifier, event.Address:
		return "an " + typ.String()
	}
	return "a " + typ.String()
}

// foldable reports whether the case of letters counts in values of type typ.
func foldable(typ event.Type) bool {
	return typ == event.String || typ == event.List || typ == event.Hash
}

func casedReason(t *TermExpr, typ event.Type) string {
	if t.Cond == Exists {
		return "exists compares nothing"
	}
	return quoteName(t) + " is " + typeText(typ)
}

// ordered reports whether c asks for an order.
func ordered(c Condition) bool { return c >= Less && c <= GreaterEqual }

// reach says on which events an expression can be true.
type reach struct {
	kinds event.KindSet // those of the event terms
	// process says that it can be true without an event term, on the process
	// alone.
	process bool
	// events is the greatest number of different events that a branch can need:
	// those of its positive event terms and groups.
	events int
	late   bool // has a term whose value can arrive after the process was published
	waits  bool // has one that it often does, see [event.MayBeLate]
}

// and returns where both a and b can be true on one event.
func (a reach) and(b reach) reach {
	kinds := a.kinds & b.kinds
	if a.process {
		kinds |= b.kinds
	}
	if b.process {
		kinds |= a.kinds
	}
	return reach{kinds, a.process && b.process, 0, a.late || b.late, a.waits || b.waits}
}

// beside returns where an event can meet a part of a conjunction that need not be
// true on one event.
func (a reach) beside(b reach) reach {
	return reach{a.kinds | b.kinds, a.process && b.process, a.events + b.events, a.late || b.late, a.waits || b.waits}
}

func (a reach) or(b reach) reach {
	return reach{a.kinds | b.kinds, a.process || b.process, max(a.events, b.events), a.late || b.late, a.waits || b.waits}
}

func (a reach) none() bool { return a.kinds == 0 && !a.process }

// termKinds returns the kinds of event that a term can be met by: negation turns
// the comparison, not the kind. A source's own fields are on events of every
// kind.
func termKinds(t *TermExpr) event.KindSet {
	switch {
	case t.Residue != nil:
		return t.Residue.Kinds
	case t.Own || t.AnyKind:
		return event.AllKinds
	}
	return event.Describe(t.Field).Kinds
}

// eventTerm reports whether t is on an event object, not on the process.
func eventTerm(t *TermExpr) bool {
	if t.Residue != nil {
		return t.Residue.onEvent()
	}
	return t.Own || event.Describe(t.Field).Scope == event.ScopeEvent
}

func termReach(t *TermExpr) reach {
	if eventTerm(t) {
		return reach{kinds: termKinds(t)}
	}
	fields := []event.Field{t.Field}
	if t.Residue != nil {
		fields = t.Residue.Fields
	}
	return reach{
		process: true,
		late:    slices.ContainsFunc(fields, ofProcess),
		waits:   slices.ContainsFunc(fields, event.MayBeLate),
	}
}

// ofProcess reports whether f is a field of the process, or of the process and its
// ancestors: a late value of the process is one of f.
func ofProcess(f event.Field) bool {
	scope := event.Describe(f).Scope
	return scope == event.ScopeProcess || scope == event.ScopeAncestor
}

// groups reports groups that no event can meet, since their terms are on events
// of different kinds.
func (c *checker) groups(e *Expr) {
	if e.Op == ExprGroup {
		c.reach(e.Kids[0], false)
		return
	}
	for _, k := range e.Kids {
		c.groups(k)
	}
}

// reach returns where e, which stands in a group, can be true, and reports a
// conjunction that can be true nowhere. negated says that e stands inside of
// NOT ( ), where AND and OR change their places.
func (c *checker) reach(e *Expr, negated bool) reach {
	switch e.Op {
	case ExprTerm:
		return termReach(e.Term)
	case ExprNot:
		return c.reach(e.Kids[0], !negated)
	}
	all := c.reach(e.Kids[0], negated)
	for i, k := range e.Kids[1:] {
		r := c.reach(k, negated)
		if (e.Op == ExprOr) != negated {
			all = all.or(r)
			continue
		}
		both := all.and(r)
		if both.none() && !all.none() && !r.none() {
			what, hint := "group", "an event has one kind: give each kind a group or a signal of its own"
			if c.suppress {
				what, hint = "expression", "an event has one kind: give each kind an expression of its own"
			}
			c.src.reportAt(k.Pos, 1, hint, "%s and %s are never on one event, so this %s is never true",
				firstEventTerm(e.Kids[:i+1]), firstEventTerm(e.Kids[i+1:]), what)
			return reach{process: true} // said once
		}
		all = both
	}
	return all
}

// firstEventTerm names the first event term in es, for a message.
func firstEventTerm(es []*Expr) string {
	for _, e := range es {
		if e.Op == ExprTerm && eventTerm(e.Term) {
			return quoteName(e.Term)
		}
		if name := firstEventTerm(e.Kids); name != "" {
			return name
		}
	}
	return ""
}
