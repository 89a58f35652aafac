// SPDX-License-Identifier: Apache-2.0

// This file makes random expressions for the property tests.

package signals

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"pgregory.net/rapid"

	"seismo/internal/event"
)

// drawExpr draws an expression as the parser makes it: no operation has one part
// only, groups are not nested and stand under no NOT.
func drawExpr(t *rapid.T, depth int, groups bool) *Expr {
	ops := []ExprOp{ExprTerm}
	if depth > 0 {
		ops = append(ops, ExprAnd, ExprOr, ExprNot)
		if groups {
			ops = append(ops, ExprGroup)
		}
	}
	e := &Expr{Op: rapid.SampledFrom(ops).Draw(t, "op")}
	switch e.Op {
	case ExprTerm:
		e.Term = drawTerm(t)
	case ExprNot, ExprGroup:
		e.Kids = []*Expr{drawExpr(t, depth-1, false)}
	default:
		for range rapid.IntRange(2, 4).Draw(t, "parts") {
			e.Kids = append(e.Kids, drawExpr(t, depth-1, groups))
		}
	}
	return e
}

func drawTerm(t *rapid.T) *TermExpr {
	e := &TermExpr{Negate: rapid.Bool().Draw(t, "negate")}
	typ := event.String
	operation := ""
	if rapid.IntRange(0, 9).Draw(t, "own") == 0 {
		e.Object, e.Own = "record", true
		e.Property = rapid.SampledFrom([]string{"exe", `a 'b' \`, "Ä\xff"}).Draw(t, "own name")
	} else {
		f := rapid.SampledFrom(event.Fields()).Draw(t, "field")
		e.Field, typ = f.Field, f.Type
		name := rapid.SampledFrom(append([]string{f.Name, strings.ToUpper(f.Name)}, f.Aliases...)).Draw(t, "name")
		e.Object, e.Property, _ = strings.Cut(name, ".")
		if kind, ok := event.ParseKind(f.Object()); ok && f.Column() == "operation" {
			operation = event.Ops(kind)[0].String()
		}
	}
	e.Cond = rapid.SampledFrom(conditionsOf(typ)).Draw(t, "condition")
	if e.Cond == Exists {
		return e
	}
	e.Cased = foldable(typ) && rapid.Bool().Draw(t, "cased")
	n := 1
	if !ordered(e.Cond) {
		n = rapid.IntRange(1, 3).Draw(t, "values")
	}
	for range n {
		text := operation
		if text == "" || e.Cond != Is {
			text = drawValue(t, typ, e.Cond)
		}
		e.Values = append(e.Values, Value{Text: text})
	}
	return e
}

func drawValue(t *rapid.T, typ event.Type, c Condition) string {
	switch {
	case c == InList:
		return rapid.SampledFrom([]string{"a", "bad-hashes", "2_x"}).Draw(t, "list")
	case c == Glob || c == PathGlob:
		return rapid.SampledFrom([]string{"*", "a*", "**/A?", `C:\x\*`, "[*]b", "\xff?"}).Draw(t, "glob")
	case c == Regex:
		return rapid.SampledFrom([]string{"a", "^A|b$", `\\x\.`, "[^k]+", "it's", "(a|é)*"}).Draw(t, "regex")
	case typ == event.Integer:
		return fmt.Sprint(rapid.IntRange(0, 300).Draw(t, "number"))
	case typ == event.Identifier:
		return fmt.Sprint(rapid.Uint64().Draw(t, "id"))
	case typ == event.Time:
		return time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "time"), 0).UTC().Format(time.RFC3339)
	case typ == event.Address && c == Is:
		return netip.AddrFrom4([4]byte{10, 0, 0, rapid.Byte().Draw(t, "address")}).String()
	case typ == event.Address && c == InCIDR:
		return fmt.Sprintf("10.0.0.%d/%d", rapid.Byte().Draw(t, "address"), rapid.IntRange(0, 32).Draw(t, "bits"))
	case typ == event.Hash && c == Is:
		return "MD5=" + fmt.Sprintf("%032x", rapid.Byte().Draw(t, "hash"))
	}
	return rapid.SampledFrom([]string{"a", "A", "and", "it's", `C:\x\`, "a b", "//x", "(", "\xff\x00", "é", "'", ","}).Draw(t, "literal")
}
