// SPDX-License-Identifier: Apache-2.0

// This file holds the syntax tree of an expression and prints it back. The
// parser that makes it is in parser.go; check.go fills in what the registry and
// the field's type say.

package signals

import (
	"strings"

	"seismo/internal/event"
)

// ExprOp is what an expression does with its parts.
type ExprOp uint8

// The forms of an expression.
const (
	ExprTerm  ExprOp = iota // one test on one field
	ExprAnd                 // all of Kids
	ExprOr                  // any of Kids
	ExprNot                 // not its one kid
	ExprGroup               // its one kid, on one event alone
)

// Expr is an expression as it was written.
type Expr struct {
	Op   ExprOp
	Pos  Position
	Kids []*Expr // in text order; none for ExprTerm
	Term *TermExpr
	// Parens says that the expression stood in parentheses of its own.
	Parens bool

	lines []string // of the file, at the root of an expression
}

// TermExpr is one term as it was written, with what the checker made of it.
type TermExpr struct {
	Pos      Position // of the object
	Object   string   // as written
	Property string   // as written; the own name if Own
	Own      bool     // record.'Own Name'
	CondPos  Position
	Cond     Condition
	Negate   bool
	Cased    bool
	Part     DatePart // only terms of Sigma have one
	Values   []Value
	Text     string // as written, on one line, without comments
	// Foreign says that Text is in another language than this package's own: printed, the
	// term is its Text, with "not " before it where NOT was pushed down.
	Foreign bool

	Field event.Field // filled in by the checker; NoField if Own

	// What only terms of CEL have: AnyKind says that events of every kind meet it, also
	// those that have no such field; Residue stands for the field and what it is
	// compared with, if the condition is Residual.
	AnyKind bool
	Residue *ResidueExpr
	// implied says that nobody wrote it: a comparison is negated that needs the field.
	implied bool

	nameWidth, condWidth int // characters
}

// Value is one literal of a term.
type Value struct {
	Pos  Position
	Text string // what it stands for: escapes resolved
	// Number and Address are filled in by the checker, as [Atom] describes them.
	Number  int64
	Address string

	width  int // characters
	weight int // of a pattern: bytes of memory, filled in by the checker
}

// String prints e in the text language, in one line. Parsed again, the text
// gives the same expression.
func (e *Expr) String() string {
	var b strings.Builder
	e.print(&b)
	return b.String()
}

func (e *Expr) print(b *strings.Builder) {
	switch e.Op {
	case ExprTerm:
		e.Term.print(b, e.Term.Negate)
	case ExprNot:
		b.WriteString("NOT (")
		e.Kids[0].print(b)
		b.WriteString(")")
	case ExprGroup:
		b.WriteString("group(")
		e.Kids[0].print(b)
		b.WriteString(")")
	default:
		word := " AND "
		if e.Op == ExprOr {
			word = " OR "
		}
		for i, k := range e.Kids {
			if i > 0 {
				b.WriteString(word)
			}
			if k.Op == ExprAnd || k.Op == ExprOr {
				b.WriteString("(")
				k.print(b)
				b.WriteString(")")
			} else {
				k.print(b)
			}
		}
	}
}

// name returns the field as it was written.
func (t *TermExpr) name() string {
	if t.Own {
		return t.Object + "." + quoteLiteral(t.Property)
	}
	return t.Object + "." + t.Property
}

// print writes t, negated or not, whatever it says itself.
func (t *TermExpr) print(b *strings.Builder, negate bool) {
	if t.Residue != nil {
		b.WriteString(t.Residue.Text)
		return
	}
	if t.Foreign {
		if negate != t.Negate {
			b.WriteString("not ")
		}
		b.WriteString(t.Text)
		return
	}
	b.WriteString(t.name() + " " + t.Cond.String())
	if negate {
		b.WriteString(" NOT")
	}
	if t.Cased {
		b.WriteString(" cased")
	}
	switch {
	case t.Cond == Exists:
	case len(t.Values) == 1:
		b.WriteString(" " + printValue(t.Values[0].Text))
	default:
		for i, v := range t.Values {
			if i == 0 {
				b.WriteString(" (")
			} else {
				b.WriteString(", ")
			}
			b.WriteString(printValue(v.Text))
		}
		b.WriteString(")")
	}
}

// printValue writes a value: a number as it is, all else between quotes.
func printValue(s string) string {
	if strings.Trim(s, "0123456789") == "" {
		return s
	}
	return quoteLiteral(s)
}

// quoteLiteral writes a literal between single quotes with the language's two
// escapes.
func quoteLiteral(s string) string {
	b := make([]byte, 0, len(s)+2)
	b = append(b, '\'')
	for i := range len(s) {
		if s[i] == '\\' || s[i] == '\'' {
			b = append(b, '\\')
		}
		b = append(b, s[i])
	}
	return string(append(b, '\''))
}
