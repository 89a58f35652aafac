// SPDX-License-Identifier: Apache-2.0

// This file finds signals that are the same as another one. Expressions are compared
// by a hash of their canonical form, so the work grows with the text of all signals,
// not with their number squared.

package signals

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
)

// duplicates names signals that have the expression, or the name, of another one.
func (l *linter) duplicates(defs []Definition) {
	type place struct {
		key string
		def int
	}
	var expressions, names []place
	for i := range defs {
		if defs[i].Expr != nil {
			expressions = append(expressions, place{signalForm(&defs[i]), i})
			names = append(names, place{strings.ToLower(defs[i].Name), i})
		}
	}
	order := func(a, b place) int {
		return cmp.Or(strings.Compare(a.key, b.key), comparePlaces(&defs[a.def], &defs[b.def]), a.def-b.def)
	}
	slices.SortFunc(expressions, order)
	slices.SortFunc(names, order)
	first := 0
	for i := range expressions {
		if expressions[i].key != expressions[first].key {
			first = i
		}
		d, other := &defs[expressions[i].def], &defs[expressions[first].def]
		if i > first && sharePlatform(d, other) {
			l.root, l.said = d.Expr, 0
			l.warn("duplicate", d.Expr.Pos, 1, "keep one of them",
				"expression is that of signal %s at %s", quote(other.Name), placeText(other, d))
		}
	}
	for i := range names {
		if i > 0 && names[i].key == names[i-1].key && names[i].key != "" {
			d, other := &defs[names[i].def], &defs[names[i-1].def]
			l.root, l.said = d.Expr, 0
			l.warn("same-name", d.Pos, 1, "an alert is known by its name", "name %s is that of the signal at %s", quote(d.Name), placeText(other, d))
		}
	}
}

func comparePlaces(a, b *Definition) int {
	return cmp.Or(strings.Compare(a.Pos.File, b.Pos.File), a.Pos.Line-b.Pos.Line)
}

// placeText says where other stands, for one who reads d.
func placeText(other, d *Definition) string {
	if other.Pos.File == d.Pos.File || other.Pos.File == "" {
		return fmt.Sprintf("line %d", other.Pos.Line)
	}
	return fmt.Sprintf("%s:%d", other.Pos.File, other.Pos.Line)
}

// sharePlatform reports whether an event can be judged by both.
func sharePlatform(a, b *Definition) bool {
	return len(a.Platforms) == 0 || len(b.Platforms) == 0 ||
		slices.ContainsFunc(a.Platforms, func(p string) bool { return slices.Contains(b.Platforms, p) })
}

// signalForm returns what two signals that fire on the same events for the same
// reason have in common: the hash of the expression and of those that suppress it,
// whatever the order of parts and values.
func signalForm(d *Definition) string {
	var c canonical
	c.text(exprForm(part{expr: d.Expr}, false))
	if d.Language == LanguageSigma {
		c.list([]string{d.Logsource.Product, d.Logsource.Category, d.Logsource.Service})
	}
	var suppress []string
	for _, e := range d.SuppressExprs {
		suppress = append(suppress, exprForm(part{expr: e}, true))
	}
	slices.Sort(suppress)
	c.list(slices.Compact(suppress))
	return string(c)
}

// exprForm returns the hash of p's canonical form: NOT pushed down, the parts of an
// AND or OR in the order of their forms, each once, and terms that are as one list
// made one.
func exprForm(p part, group bool) string {
	var c canonical
	e := p.expr
	switch e.Op {
	case ExprTerm:
		t := e.Term
		c.text("term")
		c.text(canonicalTerm(t, termAtoms(t), p.negate != t.Negate, group))
		if t.Cond == Residual {
			c.text(t.Text)
		}
	case ExprNot:
		return exprForm(part{e.Kids[0], !p.negate}, group)
	case ExprGroup:
		c.text("group")
		c.text(exprForm(part{e.Kids[0], p.negate}, true))
	case ExprAnd, ExprOr:
		and := (e.Op == ExprAnd) != p.negate
		forms := partForms(flatten(e, p.negate, nil), and, group)
		if len(forms) == 1 {
			return forms[0]
		}
		c.text(map[bool]string{true: "and", false: "or"}[and])
		c.list(forms)
	default:
		c.text("text")
		c.text(fmt.Sprint(p.negate))
		c.text(e.String())
	}
	sum := sha256.Sum256(c)
	return string(sum[:])
}

// partForms returns the forms of parts, joined by AND or else by OR, sorted and each
// once.
func partForms(parts []part, and, group bool) []string {
	type list struct {
		fieldKey
		cond  Condition
		cased bool
		part  DatePart
	}
	merged := map[list]int{} // index in parts
	atoms := map[int][]Atom{}
	var forms []string
	for i, p := range parts {
		if p.expr.Op != ExprTerm || p.expr.Term.Cond == Residual || (p.expr.Term.Negate != p.negate) != and {
			forms = append(forms, exprForm(p, group))
			continue
		}
		t := p.expr.Term
		key := list{keyOf(t), t.Cond, t.Cased, t.Part}
		first, ok := merged[key]
		if !ok {
			first = i
			merged[key] = i
		}
		atoms[first] = append(atoms[first], termAtoms(t)...)
	}
	for i, all := range atoms {
		p := parts[i]
		var c canonical
		c.text("term")
		c.text(canonicalTerm(p.expr.Term, unique(all), p.negate != p.expr.Term.Negate, group))
		sum := sha256.Sum256(c)
		forms = append(forms, string(sum[:]))
	}
	slices.Sort(forms)
	return slices.Compact(forms)
}

// unique returns atoms, each once.
func unique(atoms []Atom) []Atom {
	seen := map[Atom]bool{}
	return slices.DeleteFunc(atoms, func(a Atom) bool {
		if seen[a] {
			return true
		}
		seen[a] = true
		return false
	})
}
