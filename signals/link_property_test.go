// SPDX-License-Identifier: Apache-2.0

package signals_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"seismo/signals"
)

// What Link leaves of any correlations is what a plain search finds: rules are good, and
// a correlation is once all that it refers to is. What leads to a circle never is.
func TestLinkLeavesWhatIsGood(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(t, "definitions")
		var in signals.Input
		refs := make([][]int, n)
		rule := &signals.Expr{Op: signals.ExprTerm, Term: &signals.TermExpr{Own: true, Object: "record", Property: "a", Values: []signals.Value{{Text: "b"}}, Text: "a: b"}}
		for i := range n {
			d := signals.Definition{ID: uuid(i), Name: fmt.Sprint("title ", i), RuleName: fmt.Sprint("name", i), Language: signals.LanguageSigma}
			if rapid.Bool().Draw(t, "correlation") {
				refs[i] = rapid.SliceOfNDistinct(rapid.IntRange(0, n), 1, 3, rapid.ID[int]).Draw(t, "rules") // n is not there
				d.Correlation = &signals.CorrelationRule{Type: signals.Temporal, Timespan: 1}
				for _, r := range refs[i] {
					name := []string{uuid(r), fmt.Sprint("name", r), fmt.Sprint("title ", r)}[rapid.IntRange(0, 2).Draw(t, "spelling")]
					d.Correlation.Rules = append(d.Correlation.Rules, signals.Reference{Name: name})
				}
			} else {
				d.Expr = rule
			}
			in.Definitions = append(in.Definitions, d)
		}
		good := map[int]bool{}
		for range n {
			for i := range n {
				if !slices.ContainsFunc(refs[i], func(r int) bool { return !good[r] }) {
					good[i] = true
				}
			}
		}
		in.Definitions = rapid.Permutation(in.Definitions).Draw(t, "order")
		left, diags := signals.Link(in)
		got := map[int]bool{}
		for _, d := range left.Definitions {
			var i int
			fmt.Sscanf(d.RuleName, "name%d", &i)
			got[i] = true
		}
		if fmt.Sprint(got) != fmt.Sprint(good) {
			t.Fatalf("Link leaves %v; want %v\n%v", got, good, diags)
		}
		named := map[string]bool{}
		for _, d := range diags {
			named[d.ID] = true
		}
		for _, r := range left.Refused {
			if !named[r.ID] {
				t.Errorf("%s was refused without a reason", r.RuleName)
			}
		}
		if _, err := signals.LowerInput(left); err != nil {
			t.Errorf("what Link leaves is not lowered: %v", err)
		}
		if _, err := signals.LowerInput(in); (err == nil) != (len(good) == n) {
			t.Errorf("LowerInput: %v; %d of %d are good", err, len(good), n)
		}
	})
}
