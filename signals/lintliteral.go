// SPDX-License-Identifier: Apache-2.0

// This file finds terms and values that say nothing beside others, and values that
// hardly mean what they say.

package signals

import (
	"strings"

	"seismo/internal/event"
)

// values looks at the values of one term.
func (l *linter) values(t *TermExpr) {
	// Shells put stars where command lines have them, and other conditions mean them.
	patterns := t.Cond > EndsWith || t.Own || t.Field == event.ProcessCommandLine || t.Field == event.ProcessArgs
	seen := make(map[string]bool, len(t.Values))
	for _, v := range t.Values {
		text := v.Text
		if !t.Cased && t.Cond != Regex {
			text = strings.ToLower(text)
		}
		if seen[text] {
			l.warn("repeated-value", v.Pos, v.width, "", "%s stands twice in the list", quote(v.Text))
		}
		seen[text] = true
		if !patterns && (strings.HasPrefix(v.Text, "*") || strings.HasSuffix(v.Text, "*")) {
			l.warn("star", v.Pos, v.width, "write begins with, ends with or contains, without the *, or glob",
				"%s is no pattern: the * must stand in the value itself", quote(v.Text))
		}
		if braces(v.Text) && (t.Cond == Glob || t.Cond == PathGlob) {
			l.warn("star", v.Pos, v.width, "write a list of globs", "%s is no choice: the { must stand in the value itself", quote(v.Text))
		}
	}
}

// braces reports whether text has what is a choice in the globs of shells.
func braces(text string) bool {
	_, rest, _ := strings.Cut(text, "{")
	inner, _, closed := strings.Cut(rest, "}")
	return closed && strings.Contains(inner, ",")
}

// repeated names parts, in a group or not, that stand twice, and returns the others.
func (l *linter) repeated(parts []part, group bool) (once []part) {
	seen := map[string]bool{}
	for _, p := range parts {
		form := exprForm(p, group)
		switch e := p.expr; {
		case !seen[form]:
			seen[form] = true
			once = append(once, p)
		case e.Op != ExprTerm:
			l.warn("repeated-term", e.Pos, 1, "", "this part is repeated")
		case l.cel && e.Term.Cond == Exists: // comes with each comparison that is negated
		default:
			l.warn("repeated-term", e.Pos, e.Term.nameWidth, "", "term is repeated: %s", e.Term.Text)
		}
	}
	return once
}

// implied names values and terms among parts, joined by AND or else by OR, that
// others make superfluous.
func (l *linter) implied(parts []part, and, group bool) {
	for _, terms := range l.byField(parts, false) {
		var listed, joined []sided
		for _, s := range terms {
			if l.cel && s.term.Cond == Exists {
				continue // has() guards a field by custom, and comes with what is negated
			}
			if s.negate == and {
				listed = append(listed, s)
			} else {
				joined = append(joined, s)
				l.impliedValues([]sided{s})
			}
		}
		// Positive terms in an OR, and negated ones in an AND, are as one list.
		l.impliedValues(listed)
		// Outside of a group an event can fire the signal by meeting the wider term when
		// an earlier one has met the narrower.
		if group || !and || !eventTerm(terms[0].term) {
			l.impliedTerms(joined, and)
		}
	}
}

// impliedValues names values of terms that are as one list, which another value of
// it meets anyway.
func (l *linter) impliedValues(terms []sided) {
	if len(terms) == 0 || len(terms) == 1 && len(terms[0].atoms) == 1 {
		return
	}
	all := newCover(false, atomsOf(terms)...)
	for i, s := range terms {
		for j, a := range s.atoms {
			by, ok := all.implied(a, &owner{i, j})
			if !ok {
				continue
			}
			other := terms[by.term]
			stronger := other.term.Cond.String()
			if other.term.Cond != Exists {
				stronger += " " + quote(other.valueOf(by.value).Text)
			}
			if s.term.Cond == Exists {
				l.warn("implied-literal", s.term.Pos, s.term.nameWidth, "leave it out", "%s says nothing: %s is met wherever it is", s.term.Text, stronger)
				continue
			}
			v := s.valueOf(j)
			l.warn("implied-literal", v.Pos, v.width, "leave it out", "%s says nothing here: %s is met wherever it is", quote(v.Text), stronger)
		}
	}
}

// valueOf returns the value that atom number n of s was made of.
func (s sided) valueOf(n int) Value {
	for _, v := range s.term.Values {
		one := *s.term
		one.Values = []Value{v}
		if termAtoms(&one)[0] == s.atoms[n] {
			return v
		}
	}
	return Value{Pos: s.term.Pos, Text: s.term.Text, width: s.term.nameWidth}
}

// impliedTerms names terms, all positive and joined by AND or all negated and joined
// by OR, that are met wherever a narrower one is.
func (l *linter) impliedTerms(terms []sided, and bool) {
	terms = terms[:min(len(terms), maxCompared)]
	if len(terms) < 2 {
		return
	}
	for i, wide := range terms {
		c := newCover(false, wide.atoms)
		for k, narrow := range terms {
			if _, ok := c.impliesAll(narrow.atoms); k == i || !ok {
				continue
			}
			if _, same := newCover(false, narrow.atoms).impliesAll(wide.atoms); same && i < k {
				continue // each implies the other: the later one is named
			}
			why := "is met only where it is"
			if !and {
				why = "is met wherever it is"
			}
			l.warn("implied-literal", wide.term.Pos, wide.term.nameWidth, "leave it out", "%s says nothing here: %s %s", wide.term.Text, narrow.term.Text, why)
			break
		}
	}
}
