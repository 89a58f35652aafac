// SPDX-License-Identifier: Apache-2.0

// This file finds what is allowed in a signal but hardly meant. What is wrong for
// certain is an error and found in check.go. The findings have a file each:
// linttruth.go and lintconflict.go what is never or always true, lintliteral.go what
// says nothing, lintduplicate.go what another signal says, lintcost.go what can not
// be looked for, and fires.go, with the tables of lintplatform.go, what never fires.
// docs/lint.md lists the codes.

package signals

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"seismo/internal/event"
)

// Lint returns warnings about defs, sorted by position, each with a code that stays
// the same over versions. A definition without expression, as one read from
// signals.bin, has none. The work grows with the text of the definitions, not with
// the square of their number.
func Lint(defs []Definition) Diagnostics {
	l := &linter{}
	for i := range defs {
		// Rules of Sigma are judged without memory, groups and kinds, and what is odd in
		// one is not ours to say; that two are the same is.
		if defs[i].Expr != nil && defs[i].Language != LanguageSigma {
			l.definition(&defs[i])
		}
	}
	l.duplicates(defs)
	l.diags.sort()
	return l.diags
}

type linter struct {
	root  *Expr                // of the expression at hand
	never map[part]bool        // what of it can not be true
	cel   bool                 // it is in CEL
	said  int                  // findings in it
	atoms map[*TermExpr][]Atom // of its terms
	diags Diagnostics
}

// maxFindings bounds what is said about one expression.
const maxFindings = 50

func (l *linter) warn(code string, pos Position, width int, hint, format string, args ...any) {
	if l.said++; l.said > maxFindings {
		return
	}
	d := Diagnostic{Pos: pos, Level: Warning, Code: code, Message: fmt.Sprintf(format, args...), Hint: hint, Width: max(1, width)}
	if n := pos.Line; n >= 1 && n <= len(l.root.lines) {
		d.Line = l.root.lines[n-1]
	}
	l.diags = append(l.diags, d)
}

// begin makes e the expression at hand.
func (l *linter) begin(e *Expr, language string) {
	l.root, l.said, l.cel = e, 0, language == LanguageCEL
	l.never, l.atoms = map[part]bool{}, map[*TermExpr][]Atom{}
	if !l.cel { // where everybody knows that && binds tighter
		l.mixed(e)
	}
}

func (l *linter) definition(d *Definition) {
	for i, e := range d.SuppressExprs {
		l.begin(e, LanguageSignal)
		l.expr(e, false, true)
		known := l.truth(part{expr: e}, place{group: true})
		width := 1
		if i < len(d.Suppress) {
			width = utf8.RuneCountInString(firstLine(d.Suppress[i]))
		}
		switch {
		case known.never:
			l.warn("always-false", e.Pos, width, "", "never true: it suppresses nothing")
		case known.everywhere:
			l.warn("never-fires", e.Pos, width, "", "signal never fires: this suppresses it at all times")
		}
	}
	l.begin(d.Expr, d.Language)
	l.expr(d.Expr, false, false)
	l.firing(d, l.truth(part{expr: d.Expr}, place{}))
}

// expr looks at e, which stands negated or in a group.
func (l *linter) expr(e *Expr, negate, group bool) {
	switch e.Op {
	case ExprTerm:
		l.values(e.Term)
		if e.Term.Cond != Residual {
			l.impliedValues([]sided{{e.Term, negate != e.Term.Negate, l.atomsOf(e.Term)}})
		}
		return
	case ExprNot:
		l.expr(e.Kids[0], !negate, group)
		return
	case ExprGroup:
		l.expr(e.Kids[0], negate, true)
		return
	case ExprAnd, ExprOr:
	default:
		return
	}
	parts := flatten(e, negate, nil)
	and := (e.Op == ExprAnd) != negate
	l.implied(l.repeated(parts, group), and, group)
	if and && !group {
		l.ungrouped(parts)
	}
	for _, p := range parts {
		if p.expr.Op == ExprTerm {
			l.values(p.expr.Term)
		} else {
			l.expr(p.expr, p.negate, group)
		}
	}
}

// atomsOf returns the atoms of t, which are needed more than once.
func (l *linter) atomsOf(t *TermExpr) []Atom {
	atoms, ok := l.atoms[t]
	if !ok {
		atoms = termAtoms(t)
		l.atoms[t] = atoms
	}
	return atoms
}

// mixed names an AND that stands beside an OR on one level, anywhere in e.
func (l *linter) mixed(e *Expr) {
	said := false
	for _, k := range e.Kids {
		if e.Op == ExprOr && k.Op == ExprAnd && !k.Parens && !said {
			said = true
			l.warn("and-or-mix", k.Pos, 1, "put parentheses around what belongs together", "AND and OR are mixed without parentheses: AND binds tighter")
		}
		l.mixed(k)
	}
}

// ungrouped names two parts of a conjunction outside of a group that have terms on
// one event object, or one of them on what events of every kind have.
func (l *linter) ungrouped(parts []part) {
	first := map[string]part{} // by object
	said := map[string]bool{}
	var order []string
	for _, p := range parts {
		terms := eventTerms(p, nil)
		for _, t := range terms {
			object := strings.ToLower(t.expr.Term.Object)
			for _, o := range order {
				if o != object && !everyKind(t.expr.Term) && !everyKind(first[o].expr.Term) || said[o+" "+object] {
					continue
				}
				said[o+" "+object], said[object+" "+o] = true, true
				l.warnUngrouped(first[o], t)
			}
		}
		for _, t := range terms {
			if object := strings.ToLower(t.expr.Term.Object); first[object].expr == nil {
				first[object] = t
				order = append(order, object)
			}
		}
	}
}

// everyKind reports whether t is on a field that events of every kind have.
func everyKind(t *TermExpr) bool { return termKinds(t) == event.AllKinds }

func (l *linter) warnUngrouped(a, b part) {
	message := "%s and %s are joined by AND outside of a group: different events of the process can meet them"
	if a.negated() || b.negated() {
		message = "%s and %s are joined by AND outside of a group: NOT is judged on the event at hand, what has no NOT an earlier event of the process can have met"
	}
	t := b.expr.Term
	first, second := a.expr.Term.name(), t.name()
	if first == second {
		first, second = a.expr.Term.Text, t.Text
	}
	l.warn("ungrouped", t.Pos, t.nameWidth, "group( … ) says that one event is to meet both", message, first, second)
}

// negated reports whether p, a term, is negated where it stands.
func (p part) negated() bool { return p.expr.Term.Negate != p.negate }

// eventTerms appends the event terms in p that stand in no group.
func eventTerms(p part, terms []part) []part {
	switch e := p.expr; {
	case e.Op == ExprGroup:
	case e.Op == ExprTerm:
		if eventTerm(e.Term) {
			terms = append(terms, p)
		}
	default:
		for _, k := range e.Kids {
			terms = eventTerms(part{k, p.negate != (e.Op == ExprNot)}, terms)
		}
	}
	return terms
}

// firing names what keeps a signal from firing, or lets it fire on nearly all. known
// is what is known of its expression.
func (l *linter) firing(d *Definition, known truth) {
	e := d.Expr
	width := utf8.RuneCountInString(firstLine(d.Text))
	late := hasProcessTerm(e)
	r := firer{event.AllKinds, func(p part) bool { return l.never[p] }}
	f := r.on(part{expr: e}, false)
	kinds := f.fires(late)
	switch {
	case known.never:
		l.warn("never-fires", e.Pos, width, "", "signal never fires: its expression is never true")
		return
	case kinds == 0 && f.negated != 0:
		l.warn("never-fires", e.Pos, width, "give it a term on the event without NOT, or put what one event is to meet in group( … )",
			"signal never fires: its terms on the event all have NOT")
		return
	case kinds == 0:
		l.warn("never-fires", e.Pos, width, "terms with NOT are judged on the event at hand, and it is to meet one without NOT too",
			"signal never fires: no event can meet its terms with NOT together with one without")
		return
	case known.meets != 0:
		l.warn("always-fires", e.Pos, width, "", "signal fires on every %s", eventText(known.meets))
	case known.everywhere:
		l.warn("always-fires", e.Pos, width, "", "signal fires on every process")
	case !hasPositive(part{expr: e}):
		l.warn("no-positive", e.Pos, width, "", "signal has no term without NOT: it fires on everything that its terms do not name")
	default:
		l.cost(d, width)
	}
	for _, platform := range d.Platforms {
		r.available = kindsOn(platform)
		if r.on(part{expr: e}, false).fires(late)&r.available == 0 {
			l.warn("platform", e.Pos, width, "platforms are those of the event: "+platform+" has "+kindsText(r.available)+" events",
				"signal never fires on platform %s: there are no %s events", platform, kindsText(kinds&^r.available))
		}
	}
}

// hasProcessTerm reports whether a late value of the process can change e.
func hasProcessTerm(e *Expr) bool {
	if e.Op == ExprTerm {
		return !eventTerm(e.Term)
	}
	return e.Op > ExprGroup || slices.ContainsFunc(e.Kids, hasProcessTerm)
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return strings.TrimRight(line, "\r")
}

// hasPositive reports whether p has a term without NOT.
func hasPositive(p part) bool {
	if p.expr.Op == ExprTerm {
		return p.expr.Term.Negate == p.negate
	}
	return p.expr.Op > ExprGroup || slices.ContainsFunc(p.expr.Kids, func(k *Expr) bool {
		return hasPositive(part{k, p.negate != (p.expr.Op == ExprNot)})
	})
}
