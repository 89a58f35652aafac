// SPDX-License-Identifier: Apache-2.0

// This file is the part of the second evaluator (naive_test.go) that judges one
// term: over a list of values as text.

package engine

import (
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"seismo/internal/event"
	"seismo/signals"
)

func naiveOnEvent(t testTerm) bool {
	in, _ := event.Lookup(t.field)
	return t.own() != "" || in.Scope == event.ScopeEvent
}

// naiveBase returns the name of the field of process scope that t reads of some
// process, or "".
func naiveBase(field string) string {
	in, _ := event.Lookup(field)
	if in.Scope == event.ScopeEvent {
		return ""
	}
	name := strings.Replace(strings.Replace(in.Name, "parent_", "", 1), "ancestry_", "", 1)
	return strings.Replace(name, ".user_group", ".group_name", 1)
}

// naiveFields adds to fields those that late values of count for e.
func naiveFields(e expr, fields map[string]bool) {
	if e.op == signals.NodeTerm && naiveBase(e.term.field) != "" {
		fields[naiveBase(e.term.field)] = true
	}
	for _, k := range e.kids {
		naiveFields(k, fields)
	}
}

// arrive learns the late values that ev brings. It returns those from before, or nil
// if ev brings none, and those that count on ev.
func (w *naiveWorld) arrive(ev *event.Event) (before, after naiveLate) {
	if ev.Process != nil {
		w.carry(ev.Process)
	}
	old := naiveLate{}
	for key, values := range w.late {
		old[key] = maps.Clone(values)
	}
	arrived := map[string]naiveValue{}
	for name := range w.fields {
		in, _ := event.Lookup(name)
		if !ev.Late(in.Field) {
			continue
		}
		var v naiveValue
		switch in.Type {
		case event.String:
			text, _ := ev.Text(in.Field)
			v.text = string(text)
		case event.List, event.Hash:
			for s := range ev.Elements(in.Field) {
				v.list = append(v.list, string(s))
			}
		default:
			v.number, _ = ev.Int(in.Field)
		}
		arrived[name] = v
	}
	if len(arrived) == 0 {
		return nil, old
	}
	if ev.Process == nil {
		return old, nil // nobody to keep them for: the event itself says them
	}
	after = naiveLate{}
	for key, values := range old {
		after[key] = maps.Clone(values)
	}
	if after[ev.Process.ID] == nil {
		after[ev.Process.ID] = map[string]naiveValue{}
	}
	maps.Copy(after[ev.Process.ID], arrived)
	w.late = after
	return old, after
}

// carry gives a process that has no late values those of the nearest image before it
// that are still true after an exec, where the process itself says nothing.
func (w *naiveWorld) carry(p *event.Process) {
	if len(w.late[p.ID]) > 0 {
		return
	}
	for q := p.Previous; q != nil; q = q.Previous {
		if len(w.late[q.ID]) == 0 {
			continue
		}
		carried := map[string]naiveValue{}
		for name, v := range w.late[q.ID] {
			switch in, _ := event.Lookup(name); name {
			case "process.path", "process.name", "process.command_line", "process.args", "process.hash", "process.id",
				"process.start_time", "process.seen_running":
			default:
				if !p.Has(in.Field) {
					carried[name] = v
				}
			}
		}
		if len(carried) > 0 {
			next := maps.Clone(w.late)
			next[p.ID] = carried
			w.late = next
		}
		return
	}
}

// naiveHolds reports whether t is true at the moment, and what its proof says.
func naiveHolds(t testTerm, now naiveMoment) (event.ProofItem, bool) {
	in, _ := event.Lookup(t.field)
	ev := now.ev
	item := event.ProofItem{Text: t.text(), Event: ev.ID, Time: ev.Time, Ordinal: ev.Ordinal, Field: in.Field, Own: t.own()}
	if t.own() == "" && !in.Kinds.Has(ev.Kind) {
		return item, false
	}
	values, present := naiveValues(t, in, now)
	met := t.cond == signals.Exists && present
	if len(values) > 0 {
		item.Value = naiveShown(values[0], in.Type)
	}
	for i := len(values) - 1; i >= 0; i-- { // the first that is met stays
		for j := len(t.values) - 1; j >= 0; j-- {
			if v, lit := values[i], t.values[j]; naiveMeets(t, in.Type, v, lit, now.lists) {
				met, item.Value, item.Literal = true, naiveShown(v, in.Type), lit
				if !t.cased && in.Type != event.Address && t.cond != signals.Regex {
					item.Literal = asciiLower(lit)
				}
			}
		}
		for j := len(t.number) - 1; j >= 0; j-- {
			if naiveNumber(t.cond, in.Type, values[i], t.number[j]) {
				met, item.Value, item.Literal = true, naiveShown(values[i], in.Type), naiveShown(strconv.FormatInt(t.number[j], 10), in.Type)
			}
		}
	}
	if item.Absent = !present; t.not {
		item.Literal = ""
	}
	return item, met != t.not
}

// naiveShown returns v, a value as naiveValues gives it, as a proof shows it.
func naiveShown(v string, typ event.Type) string {
	switch typ {
	case event.Identifier:
		n, _ := strconv.ParseInt(v, 10, 64)
		return strconv.FormatUint(uint64(n), 10)
	case event.Time:
		n, _ := strconv.ParseInt(v, 10, 64)
		return time.Unix(0, n).UTC().Format(time.RFC3339Nano)
	}
	return v
}

// naiveValues returns the values of t's field as text.
func naiveValues(t testTerm, in event.Info, now naiveMoment) (values []string, present bool) {
	ev := now.ev
	if own := t.own(); own != "" {
		first := map[int]bool{} // by record
		for f := range ev.Own() {
			if string(f.Name) == own && !first[f.Record] {
				first[f.Record] = true
				values = append(values, string(f.Value))
			}
		}
		return values, len(values) > 0
	}
	base, _ := event.Lookup(naiveBase(t.field))
	p := ev.Process
	switch {
	case in.Scope == event.ScopeEvent:
		return naiveOne(in, ev)
	case p == nil && now.late != nil && ev.Kind == event.KindProcess && ev.Op == event.OpUpdate:
		return nil, false // what an update says of its process came late
	case p == nil && in.Scope == event.ScopeAncestor:
		return naiveOne(base, ev)
	case p == nil:
		return naiveOne(in, ev)
	case in.Scope == event.ScopeAncestor:
		for q := range p.Ancestry() {
			v, ok := naiveOf(q, base, base, now.late)
			values, present = append(values, v...), present || ok
		}
		return values, present
	case in.Scope == event.ScopeParent && p.Parent != nil:
		if v, ok := naiveOf(p.Parent, base, base, now.late); ok {
			return v, ok
		}
		return nil, false
	}
	return naiveOf(p, in, base, now.late)
}

// naiveOf returns the values of in of process p, whose late values are those of base.
func naiveOf(p *event.Process, in, base event.Info, late naiveLate) (values []string, present bool) {
	if v, ok := late[p.ID][base.Name]; ok && in.Scope != event.ScopeParent {
		switch in.Type {
		case event.String:
			return []string{v.text}, true
		case event.List, event.Hash:
			return slices.Clone(v.list), true
		}
		return []string{strconv.FormatInt(v.number, 10)}, true
	}
	return naiveOne(in, &event.Event{Kind: event.KindFile, Process: p})
}

func naiveOne(in event.Info, ev *event.Event) (values []string, present bool) {
	switch in.Type {
	case event.String:
		v, ok := ev.Text(in.Field)
		if !ok {
			return nil, false
		}
		return []string{string(v)}, true
	case event.List, event.Hash:
		for v := range ev.Elements(in.Field) {
			values = append(values, string(v))
		}
		return values, ev.Has(in.Field)
	case event.Address:
		v, ok := ev.Addr(in.Field)
		if !ok {
			return nil, false
		}
		return []string{v.String()}, true
	}
	v, ok := ev.Int(in.Field)
	if !ok {
		return nil, false
	}
	return []string{strconv.FormatInt(v, 10)}, true
}

func naiveMeets(t testTerm, typ event.Type, v, lit string, lists map[string][]string) bool {
	switch t.cond {
	case signals.InCIDR:
		return netip.MustParsePrefix(lit).Contains(netip.MustParseAddr(v))
	case signals.InList:
		return slices.ContainsFunc(lists[lit], func(w string) bool { return v == w || !t.cased && asciiLower(v) == asciiLower(w) })
	}
	if !t.cased {
		v, lit = asciiLower(v), asciiLower(lit)
	}
	switch t.cond {
	case signals.Glob:
		return naiveGlob(lit, v, false)
	case signals.PathGlob:
		return naiveGlob(lit, v, true)
	case signals.Regex:
		return regexp.MustCompile(lit).MatchString(v)
	case signals.Is:
		return v == lit
	case signals.Contains:
		return strings.Contains(v, lit)
	case signals.BeginsWith:
		return strings.HasPrefix(v, lit)
	case signals.EndsWith:
		return strings.HasSuffix(v, lit)
	}
	panic("no such condition on text: " + t.cond.String())
}

func naiveNumber(c signals.Condition, typ event.Type, v string, n int64) bool {
	a, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		panic(err)
	}
	order := 0
	switch {
	case typ == event.Identifier && uint64(a) < uint64(n), typ != event.Identifier && a < n:
		order = -1
	case a != n:
		order = 1
	}
	switch c {
	case signals.Is:
		return order == 0
	case signals.Less:
		return order < 0
	case signals.LessEqual:
		return order <= 0
	case signals.Greater:
		return order > 0
	case signals.GreaterEqual:
		return order >= 0
	}
	panic("no such condition on numbers: " + c.String())
}

// naiveGlob matches a glob without ** and classes, by trying everything.
func naiveGlob(glob, v string, path bool) bool {
	separator := func(i int) bool { return path && (v[i] == '/' || v[i] == '\\') }
	switch {
	case glob == "":
		return v == ""
	case glob[0] == '*':
		return naiveGlob(glob[1:], v, path) || v != "" && !separator(0) && naiveGlob(glob, v[1:], path)
	case v == "":
		return false
	case glob[0] == '?':
		return !separator(0) && naiveGlob(glob[1:], v[1:], path)
	}
	return glob[0] == v[0] && naiveGlob(glob[1:], v[1:], path)
}
