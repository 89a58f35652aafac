// SPDX-License-Identifier: Apache-2.0

// This file changes the shipped signals a little at a time and asks that a
// fixture notices: a part of a signal whose change breaks no expectation lacks a
// hit that needs it, or a near miss that it keeps out. The changes of expressions in
// CEL are in mutationcel_test.go.

package rules_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"seismo/engine"
	"seismo/fixtures"
	"seismo/internal/event"
	"seismo/signals"
)

// mutant is a signal with one part changed.
type mutant struct {
	what string // which part, and how
	text string // the expression
}

// mutants returns the changes of expr, one at a time:
//
//   - a term taken away; an OR or AND loses it, and what is left empty with it
//   - a term's negation flipped
//   - one value of a list taken away
//   - cased taken away
//   - a positive term on text widened: is, begins with and ends with become
//     contains, unless its values are the words of a closed list
//   - a group, an OR or an AND in parentheses, taken away as a whole
func mutants(expr *signals.Expr) []mutant {
	var all []mutant
	add := func(what string, text string) {
		if text != "" {
			all = append(all, mutant{what, text})
		}
	}
	var walk func(e *signals.Expr, negated bool)
	walk = func(e *signals.Expr, negated bool) {
		if e != expr {
			add("without "+e.String(), without(expr, e))
		}
		if e.Op != signals.ExprTerm {
			for _, kid := range e.Kids {
				walk(kid, negated != (e.Op == signals.ExprNot))
			}
			return
		}
		t := e.Term
		name := t.Text
		try := func(what string, change func()) {
			saved := *t
			change()
			text := expr.String()
			*t = saved
			add(what+" in "+name, text)
		}
		try("negation flipped", func() { t.Negate = !t.Negate })
		if len(t.Values) > 1 {
			for i, v := range t.Values {
				try("no "+v.Text, func() { t.Values = slices.Delete(slices.Clone(t.Values), i, i+1) })
			}
		}
		if t.Cased {
			try("not cased", func() { t.Cased = false })
		}
		// The words of a closed list have no wider form that could be recorded.
		closed := slices.Contains([]string{"operation", "protocol", "event_id"}, t.Property)
		info, _ := event.Lookup(t.Object + "." + t.Property)
		switch t.Cond {
		case signals.Is, signals.BeginsWith, signals.EndsWith:
			if t.Negate == negated && !closed && info.Type != event.Integer {
				try("widened to contains", func() { t.Cond = signals.Contains })
			}
		}
	}
	walk(expr, false)
	return all
}

// without prints expr with the part gone left out, or "" if nothing is left.
func without(expr, gone *signals.Expr) string {
	var prune func(e *signals.Expr) *signals.Expr
	prune = func(e *signals.Expr) *signals.Expr {
		if e == gone {
			return nil
		}
		if e.Op == signals.ExprTerm {
			return e
		}
		var kids []*signals.Expr
		for _, kid := range e.Kids {
			if k := prune(kid); k != nil {
				kids = append(kids, k)
			}
		}
		switch {
		case len(kids) == 0:
			return nil
		case len(kids) == 1 && (e.Op == signals.ExprAnd || e.Op == signals.ExprOr):
			return kids[0]
		}
		return &signals.Expr{Op: e.Op, Kids: kids}
	}
	if left := prune(expr); left != nil {
		return left.String()
	}
	return ""
}

// Every change of every part of every shipped signal breaks an expectation of
// some fixture.
func TestEveryPartOfASignalMatters(t *testing.T) {
	defs := shipped(t)
	recordings := load(t)
	total := 0
	for i := range defs {
		d := defs[i]
		t.Run(strings.ReplaceAll(d.Name, " ", "-"), func(t *testing.T) {
			if !noticed(t, alone(t, d), d.Name, recordings, false) {
				t.Fatalf("the signal by itself breaks its fixtures")
			}
			try := func(what string, changed signals.Definition) {
				total++
				if !noticed(t, alone(t, changed), d.Name, recordings, true) {
					t.Errorf("no fixture notices: %s", what)
				}
			}
			for _, m := range mutantsOf(t, d) {
				changed := d
				changed.Text = m.text
				try(m.what, changed)
			}
			for i, text := range d.Suppress {
				changed := d
				changed.Suppress = slices.Delete(slices.Clone(d.Suppress), i, i+1)
				try("without suppress "+text, changed)
				changed.Suppress = slices.Clone(d.Suppress)
				for _, m := range mutants(parsed(t, text)) {
					changed.Suppress[i] = m.text
					try("in suppress: "+m.what, changed)
				}
			}
		})
	}
	t.Logf("%d changes", total)
}

// mutantsOf returns the changes of d's expression, in its language.
func mutantsOf(t *testing.T, d signals.Definition) []mutant {
	if d.Language == signals.LanguageCEL {
		return celMutants(t, d.Text)
	}
	return mutants(parsed(t, d.Text))
}

// parsed returns the expression text, parsed from its printed form.
func parsed(t *testing.T, text string) *signals.Expr {
	t.Helper()
	e, err := signals.ParseExpr("signal", text)
	if err == nil {
		e, err = signals.ParseExpr("signal", e.String())
	}
	if err != nil {
		t.Fatalf("ParseExpr(%s) = %v", text, err)
	}
	return e
}

// alone compiles d by itself.
func alone(t *testing.T, d signals.Definition) *engine.Program {
	t.Helper()
	block := func(text, indent string) string {
		return "|\n" + indent + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n"+indent) + "\n"
	}
	src := fmt.Sprintf("id: %s\nname: %s\nplatforms: [%s]\n%s: ", d.ID, d.Name, strings.Join(d.Platforms, ", "), d.Language) + block(d.Text, "  ")
	for i, text := range d.Suppress {
		if i == 0 {
			src += "suppress:\n"
		}
		src += "  - " + block(text, "    ")
	}
	defs, err := signals.ParseFile(d.Name, []byte(src))
	if err != nil {
		t.Fatalf("ParseFile of %s: %v", src, err)
	}
	return build(t, defs)
}

// noticed reports whether some expectation of the signal called name is broken
// (want true), or none (want false), by p, which holds only that signal.
func noticed(t *testing.T, p *engine.Program, name string, recordings []recording, want bool) bool {
	t.Helper()
	for i := range recordings {
		f := *recordings[i].file
		f.Expect = slices.DeleteFunc(slices.Clone(f.Expect), func(e fixtures.Expect) bool { return e.Signal != name })
		failures := f.Judge(recordings[i].judge(p))
		if len(failures) > 0 {
			if !want {
				t.Logf("%s", failures[0])
			}
			return want
		}
	}
	return !want
}
