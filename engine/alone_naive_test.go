// SPDX-License-Identifier: Apache-2.0

// This file is a second evaluator of alone signals: over the views of an event as lists
// of names and texts, with the standard library for each comparison.

package engine

import (
	"fmt"
	"math/big"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"seismo/internal/event"
	"seismo/internal/taxonomy"
	"seismo/signals"
)

// loneView is one view: what the event says, under which name.
type loneView struct {
	sort   string // own, typed, record
	log    *event.Logsource
	fields []loneField
}

type loneField struct {
	name, value string
	forged      bool // counts only as one of all values
}

// loneViews returns the views of e, an event of platform with the own fields given.
func loneViews(rules []aloneRule, platform string, e *event.Event, own []ownField) []loneView {
	if e.Logsource != nil {
		v := loneView{sort: "own", log: e.Logsource}
		for _, o := range own {
			v.fields = append(v.fields, loneField{o.name, o.value, false})
		}
		return []loneView{v}
	}
	typed := loneView{sort: "typed", log: taxonomy.OfEvent(platform, e)}
	named := map[event.Field]bool{}
	for _, name := range loneNames(rules, platform, typed.log) {
		if f, ok := taxonomy.Field(e.Kind, name); ok {
			named[f] = true
			typed.fields = append(typed.fields, naiveTyped(name, e, f)...)
		}
	}
	for _, in := range event.Fields() {
		if in.Kinds.Has(e.Kind) && in.Scope != event.ScopeAncestor && !named[in.Field] && in.Column() != "operation" {
			typed.fields = append(typed.fields, naiveTyped("\x00", e, in.Field)...)
		}
	}
	views := []loneView{typed}
	for i, o := range own {
		if taxonomy.Records(platform) == nil {
			break
		}
		if i == 0 || own[i-1].record != o.record {
			views = append(views, loneView{sort: "record", log: taxonomy.Records(platform)})
		}
		v := &views[len(views)-1]
		forged := e.Flags&(event.Untrusted|event.Duplicate) != 0 && slices.ContainsFunc(v.fields, func(f loneField) bool { return f.name == o.name })
		v.fields = append(v.fields, loneField{o.name, o.value, forged})
	}
	return views
}

// concerns reports whether r is for events of platform in log.
func (r *aloneRule) concerns(platform string, log *event.Logsource) bool {
	return log.Includes(r.log.Product, r.log.Category, r.log.Service) &&
		(len(r.platform) == 0 || platform == "" || slices.Contains(r.platform, platform))
}

// loneNames returns the names that rules for events of platform in log read, sorted:
// they are the first values of a typed event, the others come behind them.
func loneNames(rules []aloneRule, platform string, log *event.Logsource) (names []string) {
	var walk func(e expr)
	walk = func(e expr) {
		if e.op == signals.NodeTerm {
			if names = append(names, e.term.own()); readsOther(e.term.cond) {
				names = append(names, e.term.values...)
			}
		}
		for _, k := range e.kids {
			walk(k)
		}
	}
	for _, r := range rules {
		if r.concerns(platform, log) {
			walk(r.e)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// naiveTyped returns the values of a field of the registry as text.
func naiveTyped(name string, e *event.Event, f event.Field) (fields []loneField) {
	in := event.Describe(f)
	add := func(v string) { fields = append(fields, loneField{name: name, value: v}) }
	ofProcess := in.Scope != event.ScopeEvent && e.Process != nil
	switch in.Type {
	case event.String:
		if ofProcess {
			if v, ok := e.Process.Text(f); ok {
				add(v)
			}
		} else if v, ok := e.Text(f); ok {
			add(string(v))
		}
	case event.Hash, event.List:
		var list []string
		if ofProcess {
			list = e.Process.List(f)
		} else {
			for v := range e.Elements(f) {
				list = append(list, string(v))
			}
		}
		if in.Type == event.Hash && len(list) > 0 {
			list = []string{strings.Join(list, ",")}
		}
		for _, v := range list {
			add(v)
		}
	case event.Address:
		if a, ok := e.Addr(f); ok {
			add(a.String())
		}
	default:
		if ofProcess {
			if n, ok := e.Process.Int(f); ok {
				add(numberText(n, in.Type))
			}
		} else if n, ok := e.Int(f); ok {
			add(numberText(n, in.Type))
		}
	}
	return fields
}

// loneMatch is what fires.
type loneMatch struct {
	view   string
	silent bool
	proof  string
}

func loneProofs(m map[string]loneMatch) map[string]string {
	out := map[string]string{}
	for id, match := range m {
		out[id] = match.proof
	}
	return out
}

func proofText(items []event.ProofItem) string {
	var parts []string
	for _, it := range items {
		parts = append(parts, fmt.Sprintf("%s: %q absent %v literal %q own %s", it.Text, it.Value, it.Absent, it.Literal, it.Own))
	}
	return strings.Join(parts, "\n")
}

// naiveAlone returns which of rules fire on e, by id.
func naiveAlone(rules []aloneRule, platform string, e *event.Event, own []ownField) map[string]loneMatch {
	out := map[string]loneMatch{}
	for _, v := range loneViews(rules, platform, e, own) {
		for _, r := range rules {
			if _, fired := out[r.id]; fired || !r.concerns(platform, v.log) {
				continue
			}
			if ok, proof := loneTrue(r.e, v); ok {
				out[r.id] = loneMatch{v.sort, r.silent, strings.Join(proof, "\n")}
			}
		}
	}
	return out
}

// loneTrue reports whether e is true on v, and the first branch that is.
func loneTrue(e expr, v loneView) (bool, []string) {
	switch e.op {
	case signals.NodeTerm:
		return loneTermTrue(e.term, v)
	case signals.NodeOr:
		for _, k := range e.kids {
			if ok, proof := loneTrue(k, v); ok {
				return true, proof
			}
		}
		return false, nil
	}
	var all []string
	for _, k := range e.kids {
		ok, proof := loneTrue(k, v)
		if !ok {
			return false, nil
		}
		all = append(all, proof...)
	}
	return true, all
}

func loneTermTrue(t testTerm, v loneView) (bool, []string) {
	met, literal, value, absent := false, "", "", true
	for _, f := range v.fields {
		if t.own() == signals.AnyField && strings.HasSuffix(f.name, event.NullSuffix) {
			continue
		}
		if t.own() != signals.AnyField && (f.name != t.own() || f.forged) {
			continue
		}
		if absent {
			value, absent = f.value, false
		}
		if lit, ok := loneMeets(t, f.value, v); ok && !met {
			met, literal, value = true, lit, f.value
		}
	}
	if met == t.not {
		return false, nil
	}
	if t.not {
		literal = ""
	}
	item := event.ProofItem{Text: t.text(), Value: value, Absent: absent, Literal: literal, Own: t.own()}
	return true, []string{proofText([]event.ProofItem{item})}
}

// loneMeets reports whether value meets t, without its negation, and the literal that
// it meets.
func loneMeets(t testTerm, value string, v loneView) (literal string, met bool) {
	if t.cond == exists {
		return "", true
	}
	if t.part != signals.NoPart {
		at, ok := naiveDate(value)
		for _, n := range t.number {
			if ok && satisfies(t.cond, naivePart(at, t.part)-int(n)) {
				return fmt.Sprint(n), true
			}
		}
		return "", false
	}
	for _, lit := range t.values {
		if loneOne(t, value, lit, v) {
			if !t.cased && t.cond != signals.Regex && t.cond != signals.InList && !readsOther(t.cond) {
				lit = asciiLower(lit)
			}
			return lit, true
		}
	}
	return "", false
}

func loneOne(t testTerm, value, lit string, v loneView) bool {
	fold := asciiLower
	if t.cased {
		fold = func(s string) string { return s }
	}
	switch t.cond {
	case equal:
		return fold(value) == fold(lit)
	case has:
		return strings.Contains(fold(value), fold(lit))
	case begins:
		return strings.HasPrefix(fold(value), fold(lit))
	case ends:
		return strings.HasSuffix(fold(value), fold(lit))
	case signals.Regex:
		if !t.cased {
			lit = "(?i)" + lit
		}
		return regexp.MustCompile(lit).MatchString(value)
	case signals.Glob:
		return naiveGlob(fold(lit), fold(value), false)
	case inCIDR:
		a, err := netip.ParseAddr(value)
		return err == nil && netip.MustParsePrefix(lit).Contains(a.WithZone("").Unmap())
	case signals.InList:
		words := map[string][]string{"words": {"cmd.exe", "12", "ab"}}[lit]
		return slices.Contains(words, fold(value))
	case less, lessEq, greater, greaterEq:
		x, okX := loneNumber(value)
		y, okY := loneNumber(lit)
		return okX && okY && satisfies(t.cond, x.Cmp(y))
	}
	for _, f := range v.fields {
		if f.name != lit || f.forged {
			continue
		}
		a, b := fold(value), fold(f.value)
		if t.cond == signals.IsField && a == b || t.cond == signals.ContainsField && strings.Contains(a, b) ||
			t.cond == signals.BeginsWithField && strings.HasPrefix(a, b) || t.cond == signals.EndsWithField && strings.HasSuffix(a, b) {
			return true
		}
	}
	return false
}

func loneNumber(s string) (*big.Rat, bool) {
	if _, err := strconv.ParseFloat(s, 64); err != nil || strings.ContainsAny(s, "xX_nNiI") {
		return nil, false
	}
	return new(big.Rat).SetString(s)
}
