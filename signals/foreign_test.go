// SPDX-License-Identifier: Apache-2.0

// This file shows how the terms that only Sigma has are lowered: comparisons with
// another field, numbers, networks and parts of dates on own names.

package signals

import (
	"slices"
	"testing"
)

// lowerForeign lowers one term on the own name F, negated or not, and returns it with
// its atoms.
func lowerForeign(t *testing.T, term TermExpr, negate bool) (Term, []Atom) {
	t.Helper()
	term.Object, term.Property, term.Own, term.Foreign = "record", "F", true, true
	e := &Expr{Op: ExprTerm, Term: &term}
	if negate {
		e = &Expr{Op: ExprNot, Kids: []*Expr{e}}
	}
	set, err := Lower([]Definition{{ID: "a", Name: "a", Language: LanguageSigma, Expr: e}})
	if err != nil || len(set.Terms) != 1 {
		t.Fatalf("Lower: %v, %+v", err, set)
	}
	return set.Terms[0], set.Atoms
}

func TestLowerForeignTerms(t *testing.T) {
	tests := []struct {
		name string
		term TermExpr
		want []Atom
	}{
		{"text is folded", TermExpr{Cond: EndsWith, Values: []Value{{Text: `\Cmd.EXE`}}}, []Atom{{Own: "F", Cond: EndsWith, Literal: `\cmd.exe`}}},
		{"empty text", TermExpr{Cond: Is, Values: []Value{{Text: ""}}}, []Atom{{Own: "F", Cond: Is}}},
		{"name of another field", TermExpr{Cond: BeginsWithField, Values: []Value{{Text: "ParentImage"}}}, []Atom{{Own: "F", Cond: BeginsWithField, Literal: "ParentImage"}}},
		{"name of another field, cased", TermExpr{Cond: IsField, Cased: true, Values: []Value{{Text: "G"}, {Text: "g"}}},
			[]Atom{{Own: "F", Cond: IsField, Cased: true, Literal: "G"}, {Own: "F", Cond: IsField, Cased: true, Literal: "g"}}},
		{"number", TermExpr{Cond: GreaterEqual, Values: []Value{{Text: "-1.50"}}}, []Atom{{Own: "F", Cond: GreaterEqual, Literal: "-1.50"}}},
		{"network", TermExpr{Cond: InCIDR, Values: []Value{{Text: "10.1.2.3/8", Address: "10.0.0.0/8"}}}, []Atom{{Own: "F", Cond: InCIDR, Literal: "10.0.0.0/8"}}},
		{"part of a date", TermExpr{Cond: Is, Part: Hour, Values: []Value{{Text: "3", Number: 3}, {Text: "4", Number: 4}}},
			[]Atom{{Own: "F", Cond: Is, Part: Hour, Number: 3}, {Own: "F", Cond: Is, Part: Hour, Number: 4}}},
		{"any field", TermExpr{Cond: Exists}, []Atom{{Own: "F", Cond: Exists}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			term, atoms := lowerForeign(t, tt.term, false)
			if !slices.Equal(atoms, tt.want) || term.Part != tt.term.Part || term.Own != "F" {
				t.Errorf("Lower(%+v) = %+v with atoms %+v, want %+v", tt.term, term, atoms, tt.want)
			}
		})
	}
}

// The id of a term covers the part of a date, and that alone tells hour from day.
func TestForeignTermIDs(t *testing.T) {
	ids := map[uint64]DatePart{}
	for p := NoPart; p < numDateParts; p++ {
		term, _ := lowerForeign(t, TermExpr{Cond: Less, Part: p, Values: []Value{{Number: 3}}}, false)
		if other, twice := ids[term.ID]; twice {
			t.Errorf("%s and %s have the same id", p, other)
		}
		ids[term.ID] = p
	}
}

// A term of another language is printed as it was written, NOT pushed down or not.
func TestForeignText(t *testing.T) {
	for _, tt := range []struct {
		own, negate bool
		want        string
	}{{false, false, "F|neq: x"}, {false, true, "not F|neq: x"}, {true, false, "F|neq: x"}, {true, true, "not F|neq: x"}} {
		term, _ := lowerForeign(t, TermExpr{Cond: Is, Negate: tt.own, Text: "F|neq: x", Values: []Value{{Text: "x"}}}, tt.negate)
		if term.Text != tt.want || term.Negate != (tt.own != tt.negate) {
			t.Errorf("term negated %v below NOT %v: text %q, negated %v; want %q", tt.own, tt.negate, term.Text, term.Negate, tt.want)
		}
	}
}
