// SPDX-License-Identifier: Apache-2.0

// This file finds what is allowed in a signal but hardly meant. What is wrong for
// certain is an error and found in check.go. Whether a signal can fire at all is
// in fires.go.

package signals

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"seismo/internal/event"
)

// Lint returns warnings about defs, sorted by position. A definition without
// expression, as one read from signals.bin, has none.
func Lint(defs []Definition) Diagnostics {
	l := &linter{}
	for i := range defs {
		if e := defs[i].Expr; e != nil {
			l.root = e
			l.mixed(e)
			l.expr(e, false, false)
			l.firing(&defs[i])
		}
	}
	l.diags.sort()
	return l.diags
}

type linter struct {
	root  *Expr // of the definition at hand
	diags Diagnostics
}

func (l *linter) warn(pos Position, width int, hint, format string, args ...any) {
	d := Diagnostic{Pos: pos, Level: Warning, Message: fmt.Sprintf(format, args...), Hint: hint, Width: max(1, width)}
	if n := pos.Line; n >= 1 && n <= len(l.root.lines) {
		d.Line = l.root.lines[n-1]
	}
	l.diags = append(l.diags, d)
}

// expr looks at e, which stands negated or in a group.
func (l *linter) expr(e *Expr, negate, group bool) {
	switch e.Op {
	case ExprTerm:
		l.wildcards(e.Term)
		return
	case ExprNot:
		l.expr(e.Kids[0], !negate, group)
		return
	case ExprGroup:
		l.expr(e.Kids[0], negate, true)
		return
	}
	parts := flatten(e, negate, nil)
	l.repeated(parts)
	if (e.Op == ExprAnd) != negate {
		l.contradictions(parts)
		if !group {
			l.ungrouped(parts)
		}
	}
	for _, p := range parts {
		l.expr(p.expr, p.negate, group)
	}
}

// wildcards names values that look like patterns: here a star is a star. Values
// of command lines are left out, where shells put them.
func (l *linter) wildcards(t *TermExpr) {
	if t.Field == event.ProcessCommandLine || t.Field == event.ProcessArgs || t.Own {
		return
	}
	seen := map[string]bool{}
	for _, v := range t.Values {
		if folded := strings.ToLower(v.Text); !t.Cased && seen[folded] {
			l.warn(v.Pos, v.width, "", "%s stands twice in the list", quote(v.Text))
		} else {
			seen[folded] = true
		}
		if strings.HasPrefix(v.Text, "*") || strings.HasSuffix(v.Text, "*") {
			l.warn(v.Pos, v.width, "write begins with, ends with or contains, without the *", "%s is no pattern: the * must stand in the value itself", quote(v.Text))
		}
	}
}

// mixed names an AND that stands beside an OR on one level, anywhere in e.
func (l *linter) mixed(e *Expr) {
	said := false
	for _, k := range e.Kids {
		if e.Op == ExprOr && k.Op == ExprAnd && !k.Parens && !said {
			said = true
			l.warn(k.Pos, 1, "put parentheses around what belongs together", "AND and OR are mixed without parentheses: AND binds tighter")
		}
		l.mixed(k)
	}
}

// repeated names parts that stand twice.
func (l *linter) repeated(parts []part) {
	seen := map[string]bool{}
	for _, p := range parts {
		if p.expr.Op != ExprTerm {
			continue
		}
		form := p.form(p.negate)
		if seen[form] {
			l.warn(p.expr.Pos, p.expr.Term.nameWidth, "", "term is repeated: %s", p.expr.Term.Text)
		}
		seen[form] = true
	}
}

// form returns the canonical form of a term, negated as it says or by negate.
func (p part) form(negate bool) string {
	t := p.expr.Term
	return canonicalTerm(t, termAtoms(t), negate != t.Negate, false)
}

// contradictions names two parts of a conjunction that are never both true.
func (l *linter) contradictions(parts []part) {
	seen := map[string]bool{}
	values := map[event.Field][]part{} // parts that ask for one of some values
	for _, p := range parts {
		if p.expr.Op != ExprTerm {
			continue
		}
		t := p.expr.Term
		if seen[p.form(!p.negate)] {
			l.warn(t.Pos, t.nameWidth, "", "never true: joined by AND with the opposite of %s", t.Text)
		}
		seen[p.form(p.negate)] = true
		if t.Cond != Is || t.Negate != p.negate || !singleValued(t) {
			continue
		}
		for _, other := range values[t.Field] {
			if !shareValue(other.expr.Term, t) {
				l.warn(t.Pos, t.nameWidth, "several values stand in one list: is ('a', 'b')",
					"never true: %s has one value, it can not be that of both %s and %s", t.name(), other.expr.Term.Text, t.Text)
				break
			}
		}
		if len(values[t.Field]) < maxCompared {
			values[t.Field] = append(values[t.Field], p)
		}
	}
}

// maxCompared bounds the terms on one field that are compared with each other.
const maxCompared = 16

// singleValued reports whether t is on a field with at most one value.
func singleValued(t *TermExpr) bool {
	info := event.Describe(t.Field)
	return !t.Own && info.Scope != event.ScopeAncestor && info.Type != event.List && info.Type != event.Hash
}

// shareValue reports whether a value may be equal to one of a and to one of b.
func shareValue(a, b *TermExpr) bool {
	literals := map[Atom]bool{}
	for _, atom := range termAtoms(a) {
		literals[Atom{Literal: foldASCII(atom.Literal), Number: atom.Number}] = true
	}
	return slices.ContainsFunc(termAtoms(b), func(atom Atom) bool {
		return literals[Atom{Literal: foldASCII(atom.Literal), Number: atom.Number}]
	})
}

// ungrouped names two parts of a conjunction outside of a group that have terms
// on one event object.
func (l *linter) ungrouped(parts []part) {
	first := map[string]*TermExpr{} // by object
	said := map[string]bool{}
	for _, p := range parts {
		terms := eventTerms(p.expr, nil)
		for _, t := range terms {
			object := strings.ToLower(t.Object)
			if other := first[object]; other != nil && !said[object] {
				said[object] = true
				l.warn(t.Pos, t.nameWidth, "group( … ) says that one event is to meet both",
					"%s and %s are joined by AND outside of a group", other.name(), t.name())
			}
		}
		for _, t := range terms {
			if object := strings.ToLower(t.Object); first[object] == nil {
				first[object] = t
			}
		}
	}
}

// eventTerms appends the event terms in e that stand in no group.
func eventTerms(e *Expr, terms []*TermExpr) []*TermExpr {
	switch {
	case e.Op == ExprGroup:
	case e.Op == ExprTerm && eventTerm(e.Term):
		terms = append(terms, e.Term)
	default:
		for _, k := range e.Kids {
			terms = eventTerms(k, terms)
		}
	}
	return terms
}

// firing names what keeps a signal from firing, or lets it fire on nearly all.
func (l *linter) firing(d *Definition) {
	e := d.Expr
	width := utf8.RuneCountInString(firstLine(d.Text))
	f := firesOn(e, false)
	kinds := f.met
	if f.process {
		kinds |= event.SetOf(event.KindProcess)
	}
	switch {
	case kinds == 0 && f.negated != 0:
		l.warn(e.Pos, width, "give it a term on the event without NOT, or put what one event is to meet in group( … )",
			"signal never fires: its terms on the event all have NOT")
		return
	case kinds == 0:
		l.warn(e.Pos, width, "terms are judged on one event and its process; what earlier events met is not remembered",
			"signal never fires: it joins terms on events of different kinds by AND")
		return
	case !hasPositive(e, false):
		l.warn(e.Pos, width, "", "signal has no term without NOT: it fires on everything that its terms do not name")
	}
	for _, platform := range d.Platforms {
		if kinds&kindsOn(platform) == 0 {
			l.warn(e.Pos, width, "platforms are those of the event", "signal never fires on platform %s: there are no %s events", platform, kindsText(kinds))
		}
	}
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return strings.TrimRight(line, "\r")
}

// hasPositive reports whether e has a term without NOT.
func hasPositive(e *Expr, negate bool) bool {
	if e.Op == ExprTerm {
		return e.Term.Negate == negate
	}
	return slices.ContainsFunc(e.Kids, func(k *Expr) bool { return hasPositive(k, negate != (e.Op == ExprNot)) })
}

// kindsOn returns the kinds of event that there can be on a platform.
func kindsOn(platform string) event.KindSet {
	kinds := event.AllKinds
	if platform != "windows" {
		kinds &^= event.SetOf(event.KindRegistry)
	}
	if platform == "windows" {
		kinds &^= event.SetOf(event.KindSyscall)
	}
	return kinds
}
