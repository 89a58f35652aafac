// SPDX-License-Identifier: Apache-2.0

// This file ties definitions to each other: it finds what references mean and joins
// filters to their rules. Correlations are tied in linkcorrelation.go.

package signals

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// Input is what a set is made of.
type Input struct {
	Definitions []Definition
	Filters     []Filter
	// Refused are the definitions that were not taken: what refers to one of them is
	// refused for that reason, not because it names nothing.
	Refused []Refused
	// Silent are the ids of definitions whose matches only feed correlations, whatever
	// those say.
	Silent map[string]bool
}

// The bounds of what refers to others, in all definitions.
const (
	maxJoins     = 1_000_000 // filters joined to rules, each pair counted
	maxJoinBytes = 64 << 20  // of their texts
	maxSuggested = 20        // unknown names for which a like one is looked for
)

// Link returns in without what refers to a definition that is not there, and what is
// wrong with each that was left out, sorted by position. It is for those who would
// rather have the rest than nothing; [LowerInput] refuses such an input.
func Link(in Input) (Input, Diagnostics) {
	l := newLinker(in)
	l.correlations()
	l.filters(in.Filters)
	l.diags.sort()
	out := in
	out.Definitions, out.Filters, out.Refused = nil, nil, slices.Clone(in.Refused)
	for i := range l.defs {
		d := &l.defs[i]
		if l.bad[i] {
			out.Refused = append(out.Refused, Refused{ID: d.ID, Name: d.Name, RuleName: d.RuleName, Pos: d.Pos})
		} else {
			out.Definitions = append(out.Definitions, in.Definitions[l.order[i]])
		}
	}
	for i := range in.Filters {
		f := &in.Filters[i]
		if l.badFilters[i] {
			out.Refused = append(out.Refused, Refused{ID: f.ID, Name: f.Name, Pos: f.Pos})
		} else {
			out.Filters = append(out.Filters, *f)
		}
	}
	return out, l.diags
}

// linker knows what the names mean.
type linker struct {
	defs   []Definition // sorted by id
	order  []int        // where each of defs stands in the input
	byID   map[string]int
	byRule map[string][]int // by the name that Sigma has for references
	byName map[string][]int // by the name of any definition

	refused map[string]*Refused // by id and both names
	links   []*Correlation      // of defs; nil for what is no correlation
	bad     []bool              // of defs
	groups  int                 // names of fields in links

	badFilters []bool
	like       []string // the names that suggestions are taken from, once they are needed
	suggested  int
	diags      Diagnostics
}

func newLinker(in Input) *linker {
	l := &linker{
		byID: map[string]int{}, byRule: map[string][]int{}, byName: map[string][]int{}, refused: map[string]*Refused{},
		links: make([]*Correlation, len(in.Definitions)), bad: make([]bool, len(in.Definitions)), badFilters: make([]bool, len(in.Filters)),
	}
	l.order = make([]int, len(in.Definitions))
	for i := range l.order {
		l.order[i] = i
	}
	slices.SortStableFunc(l.order, func(a, b int) int { return strings.Compare(in.Definitions[a].ID, in.Definitions[b].ID) })
	for i, from := range l.order {
		d := in.Definitions[from]
		l.defs = append(l.defs, d)
		l.byID[d.ID] = i
		if d.RuleName != "" {
			l.byRule[d.RuleName] = append(l.byRule[d.RuleName], i)
		}
		l.byName[d.Name] = append(l.byName[d.Name], i)
	}
	for i := range in.Refused {
		r := &in.Refused[i]
		for _, name := range []string{r.Name, r.RuleName, r.ID} {
			if name != "" {
				l.refused[name] = r
			}
		}
	}
	return l
}

// needed reports whether in has anything to tie.
func needed(in *Input) bool {
	return len(in.Filters) > 0 || slices.ContainsFunc(in.Definitions, func(d Definition) bool { return d.Correlation != nil })
}

// fail reports what is wrong with reference r of what is called owner.
func (l *linker) fail(r Reference, id, owner, hint, format string, args ...any) {
	l.diags = append(l.diags, Diagnostic{Pos: r.Pos, ID: id, Message: owner + ": " + fmt.Sprintf(format, args...), Hint: hint, Line: r.Line, Width: max(1, len(r.Name))})
}

// referent says what a reference is to.
type referent struct {
	index   int // in defs; -1: none of them
	refused *Refused
	among   int // of so many definitions: it does not say which
}

// find returns what name means: an id, then a name for references, then the name of
// any definition.
func (l *linker) find(name string) referent {
	if i, ok := l.byID[strings.ToLower(name)]; ok {
		return referent{index: i}
	}
	for _, names := range []map[string][]int{l.byRule, l.byName} {
		switch found := names[name]; len(found) {
		case 0:
		case 1:
			return referent{index: found[0]}
		default:
			return referent{index: -1, among: len(found)}
		}
	}
	if r := l.refused[name]; r != nil {
		return referent{index: -1, refused: r}
	}
	return referent{index: -1, refused: l.refused[strings.ToLower(name)]}
}

// unclear reports that r, which means m, names no single definition that was taken.
func (l *linker) unclear(r Reference, m referent, id, owner string) {
	switch {
	case m.among > 0:
		l.fail(r, id, owner, "refer to it by its id", "%s is the name of %d definitions", quote(r.Name), m.among)
	case m.refused != nil && m.refused.LeftOut != "":
		l.fail(r, id, owner, "", "rule %s was left out: %s", quote(r.Name), m.refused.LeftOut)
	case m.refused != nil:
		l.fail(r, id, owner, "", "rule %s was refused", quote(r.Name))
	default:
		l.fail(r, id, owner, "a rule is named by its id, its name or its title", "no rule is called %s%s", quote(r.Name), l.suggestion(r.Name))
	}
}

// suggestion names a definition that is called nearly as name is.
func (l *linker) suggestion(name string) string {
	if l.suggested++; l.suggested > maxSuggested || IDForm(name) {
		return ""
	}
	if l.like == nil {
		for i := range l.defs {
			l.like = append(l.like, l.defs[i].RuleName, l.defs[i].Name)
		}
		slices.SortStableFunc(l.like, func(a, b string) int { return cmp.Compare(len(a), len(b)) })
		l.like = slices.DeleteFunc(l.like, func(s string) bool { return s == "" || len(s) > maxSuggest })
	}
	folded := make([]string, len(l.like))
	for i, s := range l.like {
		folded[i] = strings.ToLower(s)
	}
	found := nearest(name, folded)
	if i := slices.Index(folded, found); found != "" && i >= 0 {
		found = l.like[i]
	}
	return didYouMean(found)
}

// filters joins filters to their rules.
func (l *linker) filters(filters []Filter) {
	joined := make([][]*Filter, len(l.defs))
	joins, bytes := 0, 0
	for n := range filters {
		f := &filters[n]
		for _, i := range l.targets(f, n) {
			joined[i] = append(joined[i], f)
			joins, bytes = joins+1, bytes+len(f.Text)
		}
		if joins > maxJoins || bytes > maxJoinBytes {
			l.diags = append(l.diags, Diagnostic{Pos: f.Pos, ID: f.ID, Message: fmt.Sprintf("more than %d filters of rules, or %d MiB of them", maxJoins, maxJoinBytes>>20)})
			l.badFilters[n] = true
			return
		}
	}
	for i, list := range joined {
		if len(list) > 0 && l.defs[i].Expr != nil {
			l.defs[i] = filtered(l.defs[i], list)
		}
	}
}

// targets returns the definitions that filter number n is for.
func (l *linker) targets(f *Filter, n int) []int {
	var found []int
	if len(f.Rules) == 0 {
		for i := range l.defs {
			if d := &l.defs[i]; d.Language == LanguageSigma && d.Correlation == nil && f.Logsource.covers(d.Logsource) {
				found = append(found, i)
			}
		}
		return found
	}
	owner := "filter " + quote(f.Name)
	for _, r := range f.Rules {
		m := l.find(r.Name)
		switch {
		case m.index < 0 && m.refused != nil: // there is nothing to filter
		case m.index < 0:
			l.unclear(r, m, f.ID, owner)
			l.badFilters[n] = true
		case l.defs[m.index].Language != LanguageSigma:
			l.fail(r, f.ID, owner, "what a signal is not to fire on stands under its key suppress", "signal %s is no rule of Sigma", quote(r.Name))
			l.badFilters[n] = true
		case l.defs[m.index].Correlation != nil:
			l.fail(r, f.ID, owner, "filter the rules that the correlation refers to", "%s is a correlation, which has no expression", quote(r.Name))
			l.badFilters[n] = true
		default:
			found = append(found, m.index)
		}
	}
	if l.badFilters[n] {
		return nil
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// covers reports whether rules for other are for what s says, and more perhaps.
func (s Logsource) covers(other Logsource) bool {
	return (s.Product == "" || s.Product == other.Product) && (s.Category == "" || s.Category == other.Category) &&
		(s.Service == "" || s.Service == other.Service)
}

// filtered returns d with filters joined to it. What it was is left as it is.
func filtered(d Definition, filters []*Filter) Definition {
	slices.SortFunc(filters, func(a, b *Filter) int {
		return cmp.Or(strings.Compare(a.Text, b.Text), strings.Compare(a.ID, b.ID))
	})
	kids := []*Expr{d.Expr}
	d.Filters = nil
	var form canonical
	form.text(d.Revision)
	for _, f := range filters {
		kids = append(kids, f.Expr)
		d.Filters = append(d.Filters, f.Text)
		form.text(f.Text)
		form.text(f.expanded)
	}
	d.Expr = &Expr{Op: ExprAnd, Pos: d.Expr.Pos, Kids: kids, lines: d.Expr.lines}
	sum := sha256.Sum256(form)
	d.Revision = hex.EncodeToString(sum[:8])
	return d
}
