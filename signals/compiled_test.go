// SPDX-License-Identifier: Apache-2.0

package signals

import (
	"fmt"
	"hash/fnv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// plainNode is an operation as the documented rules build it: two by two from the
// left, and only then pulled up. It is the oracle of Compile.
type plainNode struct {
	operator string
	group    int
	terms    []CompiledTerm
	below    []plainNode
}

// plain builds e by the letter: a term gives a term, all else a node.
func plain(e *Expr, negate bool, group int, groups *int) (*CompiledTerm, *plainNode) {
	switch e.Op {
	case ExprTerm:
		t := compiledTerm(e.Term, negate, group)
		return &t, nil
	case ExprNot:
		return plain(e.Kids[0], !negate, group, groups)
	case ExprGroup:
		*groups++
		number := *groups
		t, n := plain(e.Kids[0], negate, number, groups)
		if n != nil {
			n.group = number
		}
		return t, n
	}
	operator := "and"
	if (e.Op == ExprOr) != negate {
		operator = "or"
	}
	term, node := plain(e.Kids[0], negate, group, groups)
	for _, k := range e.Kids[1:] {
		n := plainNode{operator: operator}
		rightTerm, rightNode := plain(k, negate, group, groups)
		for _, t := range []*CompiledTerm{term, rightTerm} {
			if t != nil {
				n.terms = append(n.terms, *t)
			}
		}
		for _, b := range []*plainNode{node, rightNode} {
			if b != nil {
				n.below = append(n.below, *b)
			}
		}
		term, node = nil, &n
	}
	return nil, node
}

// pulledUp returns n as a compiled structure.
func (n *plainNode) pulledUp() *Compiled {
	c := &Compiled{Expressions: []*Compiled{}, Terms: append([]CompiledTerm{}, n.terms...), Operator: n.operator, EventGroup: n.group}
	for i := range n.below {
		b := n.below[i].pulledUp()
		if b.Operator == c.Operator {
			c.Terms, c.Expressions = append(c.Terms, b.Terms...), append(c.Expressions, b.Expressions...)
		} else {
			c.Expressions = append(c.Expressions, b)
		}
	}
	return c
}

// The truth of a term, by what it asks: any assignment will do, as long as it is the
// same on both sides.
func truthOf(seed uint64, object, property, condition string, value any, cased bool) bool {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d %q %q %q %q %v", seed, object, property, condition, value, cased)
	return h.Sum64()>>7&1 == 1
}

func (c *Compiled) truth(seed uint64) bool {
	and := c.Operator == "and"
	for _, t := range c.Terms {
		if (truthOf(seed, t.Object, t.Property, t.Condition, t.Value, t.Cased) != t.Negate) != and {
			return !and
		}
	}
	for _, e := range c.Expressions {
		if e.truth(seed) != and {
			return !and
		}
	}
	return and
}

func exprTruth(e *Expr, seed uint64) bool {
	switch e.Op {
	case ExprTerm:
		t := compiledTerm(e.Term, false, 0)
		return truthOf(seed, t.Object, t.Property, t.Condition, t.Value, t.Cased) != e.Term.Negate
	case ExprNot:
		return !exprTruth(e.Kids[0], seed)
	case ExprAnd:
		for _, k := range e.Kids {
			if !exprTruth(k, seed) {
				return false
			}
		}
		return true
	case ExprOr:
		for _, k := range e.Kids {
			if exprTruth(k, seed) {
				return true
			}
		}
		return false
	}
	return exprTruth(e.Kids[0], seed)
}

// The compiled structure is the one that the rules give by the letter, and is true
// where the expression is.
func TestCompileProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := drawExpr(t, 4, true)
		got, err := Compile(&Definition{Language: LanguageSignal, Text: "x", Expr: e})
		if err != nil {
			t.Fatal(err)
		}
		groups := 0
		term, node := plain(e, false, 0, &groups)
		want := &Compiled{Expressions: []*Compiled{}, Operator: "or"}
		if term != nil {
			want.Terms, want.EventGroup = []CompiledTerm{*term}, term.EventGroup
		} else {
			want = node.pulledUp()
		}
		want.Text, want.SyntaxVersion = "x", got.SyntaxVersion
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("Compile(%s) differs (-want +got):\n%s", e, diff)
		}
		for seed := range uint64(8) {
			if want, got := exprTruth(e, seed), got.truth(seed); got != want {
				t.Fatalf("Compile(%s) is %v where the expression is %v", e, got, want)
			}
		}
	})
}

// Which version an expression needs, and what in it.
func TestSyntaxVersion(t *testing.T) {
	for _, tt := range []struct {
		text    string
		version int
		what    string
	}{
		{"process.path is '/a'", 1, "a plain term"},
		{"process.path begins with NOT /a OR (file.path ends with b AND network.port is 443)", 1, "a plain term"},
		{"process.path contains '(starts r'", 1, "a plain term"},
		{"group(file.path is '/a' AND file.operation is create)", 2, "group"},
		{"process.ancestry_cmd contains a", 4, `property "ancestry_cmd"`},
		{"Process.Ancestry_Path contains a AND group(file.path is b)", 4, `property "ancestry_path"`},
		{"process.path starts with a", 7, `condition "starts with"`},
		{"process.path is (a)", 7, "a list of values"},
		{"process.path is (a, b)", 7, "a list of values"},
		{"process.path is cased a", 7, "cased"},
		{"process.path is r'a'", 7, "a raw literal"},
		{"process.path exists", 7, `condition "exists"`},
		{"process.path glob 'a*'", 7, `condition "glob"`},
		{"process.path regex 'a'", 7, `condition "regex"`},
		{"network.port > 5", 7, `condition ">"`},
		{"network.address in cidr 10.0.0.0/8", 7, `condition "in cidr"`},
		{"dns.query is a", 7, `object "dns"`},
		{"record.'a' is b", 7, `object "record"`},
		{"NOT (process.path is a)", 7, "NOT over parentheses"},
	} {
		e, err := ParseExpr("x", tt.text)
		if err != nil {
			t.Errorf("ParseExpr(%s): %v", tt.text, err)
			continue
		}
		if version, what := syntaxVersion(e); version != tt.version || what != tt.what {
			t.Errorf("syntaxVersion(%s) = %d, %s; want %d, %s", tt.text, version, what, tt.version, tt.what)
		}
	}
}
