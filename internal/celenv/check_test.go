// SPDX-License-Identifier: Apache-2.0

package celenv

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
)

// joined returns n comparisons, of every sort in turn, joined by op.
func joined(n int, op string) string {
	sorts := []string{`process.pid == %d`, `process.name in ["a", "%d"]`, `!(process.args.exists(a, a == "%d") && file.path != "x")`,
		`(has(process.tty) ? process.tty : "x") != "%d"`, `[1, "x"][0] == %d`, `process.args[0] == "%d"`, `[true, 1][%d]`, `process.start_time > timestamp("2026-11-22T13:00:0%dZ")`}
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteString(op)
		}
		fmt.Fprintf(&b, sorts[i%len(sorts)], i%10)
	}
	return b.String()
}

// An expression that is checked in parts gets the types, and the meaning of every
// name and function, that it gets as a whole.
func TestCheckInParts(t *testing.T) {
	env, err := environment()
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{joined(200, " || "), joined(200, " && "), "!(" + joined(100, " || ") + ") && (" + joined(100, " && ") + ")",
		"(" + joined(150, " || ") + ") && process.pid == 1", joined(400, " || ")} {
		parse := func() *cel.Ast {
			parsed, issues := env.Parse(text)
			if issues.Err() != nil {
				t.Fatal(issues.Err())
			}
			return parsed
		}
		whole, issues := env.Check(parse())
		if issues.Err() != nil {
			t.Fatal(issues.Err())
		}
		inParts, issues := check(env, parse())
		if issues.Err() != nil {
			t.Fatalf("check(%.60s…): %v; want no issue", text, issues.Err())
		}
		got, want := inParts.NativeRep(), whole.NativeRep()
		nodes := 0
		ast.PreOrderVisit(want.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
			nodes++
			if g, w := got.GetType(e.ID()), want.GetType(e.ID()); g.String() != w.String() {
				t.Errorf("node %d of %.60s… is of type %s; want %s", e.ID(), text, g, w)
			}
			if g, w := fmt.Sprint(got.ReferenceMap()[e.ID()]), fmt.Sprint(want.ReferenceMap()[e.ID()]); g != w {
				t.Errorf("node %d of %.60s… refers to %s; want %s", e.ID(), text, g, w)
			}
		}))
		g, _ := cel.ExprToString(got.Expr(), got.SourceInfo())
		w, _ := cel.ExprToString(want.Expr(), want.SourceInfo())
		if g != w || nodes < 300 {
			t.Errorf("the tree of %.60s…, %d nodes, became %.200s; want %.200s", text, nodes, g, w)
		}
		a, b := estimate(env, inParts, largest), estimate(env, whole, largest)
		if a != b {
			t.Errorf("the cost of %.60s… is %d; want %d", text, a, b)
		}
	}
}

// What is wrong in a part is told with its place in the whole.
func TestCheckInPartsIssues(t *testing.T) {
	good := joined(200, " || ")
	for _, tt := range []struct{ name, bad, want string }{
		{"unknown field", `process.nmae == "x"`, `unknown field "process.nmae"`},
		{"unknown function", `process.name.frob("x")`, `unknown function "frob"`},
		{"types", `process.pid == "x"`, "== does not take (int, string)"},
		{"no truth", `process.pid + 1`, "expected type 'bool' but found 'int'"},
		{"nesting", `process.args.all(a, process.args.all(b, process.args.all(c, a == b + c)))`, "comprehension exceeds nesting limit"},
		{"one part that is too large", "process.args.exists(a, " + strings.Repeat(`a == "x" || `, 300) + "false)", "301 comparisons and calls in one call or comprehension, at most 256 are taken"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := good + "\n || " + tt.bad
			c, issues := Compile(text)
			if c != nil || len(issues) != 1 || !strings.Contains(issues[0].Message, tt.want) || issues[0].Offset < len(good) {
				t.Errorf("Compile(… || %.80s) = %v, %+v; want one issue with %q behind byte %d", tt.bad, c, issues, tt.want, len(good))
			}
		})
	}
}

// What compiling takes grows with the length of an expression, not with its square.
func TestCompileIsLinear(t *testing.T) {
	bytes := func(n int) uint64 {
		text := strings.Repeat("user.id==1||", n) + "user.id==1"
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if c, issues := Compile(text); c == nil {
			t.Fatalf("Compile of %d comparisons: %v", n, issues)
		}
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	bytes(1)
	small, large := bytes(300), bytes(2400)
	if large > 12*small {
		t.Errorf("Compile allocates %d bytes for 300 comparisons and %d for 2,400; want about eight times as many", small, large)
	}
}
