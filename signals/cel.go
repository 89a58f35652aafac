// SPDX-License-Identifier: Apache-2.0

// This file reads a CEL expression. Package celenv checks it; what is a boolean
// combination of field tests becomes terms, as the text language makes them
// (cel_truth.go, cel_term.go), and what is left becomes residues (cel_residue.go).

package signals

import (
	"seismo/internal/celenv"
	"seismo/internal/event"
)

// ParseCEL parses and checks the CEL expression text. name stands for its file in
// diagnostics. The error is a [Diagnostics] with all that is wrong.
func ParseCEL(name, text string) (*Expr, error) {
	src := newSource(name, text)
	e, _ := parseCEL(src)
	if err := src.diags.err(); err != nil {
		return nil, err
	}
	return e, nil
}

// parseCEL parses and checks the CEL expression of src, and returns it in the form
// that lowering takes: one group, in which CEL's meaning of absent fields is
// spelt out. It returns false if something is wrong, which src has then.
func parseCEL(src *source) (*Expr, bool) {
	checked, issues := celenv.Compile(src.text)
	if checked == nil {
		for _, i := range issues {
			meant := ""
			if near := nearest(i.Unknown, i.Known); near != "" && i.Unknown != "" {
				meant = i.Prefix + near
			}
			src.report(i.Offset, i.Width, i.Hint, "%s%s", i.Message, didYouMean(meant))
		}
		return nil, false
	}
	l := &celLowerer{c: checked, src: src, weights: map[int64][2]int{}, kindsOf: map[celQuestion]event.KindSet{}, guardsOf: map[celQuestion][]Atom{}}
	all := l.when(checked.Root(), true)
	switch {
	case l.failed:
		return nil, false
	case all.expr == nil && all.always:
		src.report(0, len(src.text), "", "expression is always true")
		return nil, false
	case all.expr == nil || celReach(all.expr).none():
		src.report(0, len(src.text), "CEL compares exactly, and an event has the fields of one kind", "expression is never true")
		return nil, false
	}
	return &Expr{Op: ExprGroup, Pos: src.at(0), Kids: []*Expr{all.expr}, lines: src.lines}, true
}

// celReach returns where e, which stands in a group and holds no NOT, can be true.
func celReach(e *Expr) reach {
	if e.Op == ExprTerm {
		return termReach(e.Term)
	}
	all := celReach(e.Kids[0])
	for _, k := range e.Kids[1:] {
		if r := celReach(k); e.Op == ExprAnd {
			all = all.and(r)
		} else {
			all = all.or(r)
		}
	}
	return all
}

// ResidueExpr is a part of a CEL expression that is no combination of terms: the
// term that holds it has the condition Residual and nothing else.
type ResidueExpr struct {
	Text    string // the part, as CEL on one line
	Checked []byte // as celenv.Plan takes it
	Fields  []event.Field
	Own     []string
	Kinds   event.KindSet // of event on which it can be true
	Guards  []Atom        // one of which must be met for it to be true; none: not known
	Cost    uint64
}

// onEvent reports whether r reads a field of the event.
func (r *ResidueExpr) onEvent() bool {
	return (&Residue{Fields: r.Fields, Own: r.Own}).OnEvent()
}
