// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seismo/internal/celenv"
	"seismo/internal/event"
	"seismo/internal/namedlist"
	"seismo/signals"
)

var celPairs = flag.Int("cel.pairs", 110_000, "expressions and events that TestCELAgreesWithCelGo compares")

// A CEL expression as the engine judges it, in terms and residues, is true on an event
// exactly if cel-go says so of the expression as it was written. The expressions are
// evaluated node by node: on which events a signal fires is another question.
func TestCELAgreesWithCelGo(t *testing.T) {
	const events = 60
	m := celMaker{rand.New(rand.NewPCG(3, 14))}
	lists := celLists(t)
	var pairs, trues, falses, errors, refused, residues, terms int
	for pairs < *celPairs {
		text := m.expr(m.IntN(5))
		whole := wholeCEL(t, text)
		if whole == nil {
			refused++
			continue
		}
		b := m.events(events)
		view := celenv.NewView()
		view.InList = func(list string, typ event.Type, v string) bool {
			return list == "some" && lists["some"].HasValue(typ, v)
		}
		p, why := lowerCEL(t, text)
		var judged *Matcher
		if p != nil {
			p = p.With(Options{Lists: lists})
			judged = p.NewMatcher()
			residues += len(p.residues)
			terms += len(p.terms)
		}
		for _, e := range b.Events() {
			pairs++
			view.Set(e, e.Process)
			want, err := whole.Eval(view)
			switch {
			case err != nil:
				errors++
			case want:
				trues++
			default:
				falses++
			}
			got := p == nil && why == "always true"
			if p != nil {
				judged.judge.begin(e)
				judged.learn(e)
				got = judged.judge.isTrue(p.signals[0].root)
			}
			if p != nil {
				checkGuards(t, &judged.judge, text)
			}
			if got != want {
				t.Fatalf("%s\nlowered to %s\non %s event of process %+v: %t, but cel-go says %t (%v)", text, why, e.Kind, e.Process, got, want, err)
			}
		}
	}
	t.Logf("%d pairs: %d true, %d false, %d errors; %d terms, %d residues; %d expressions refused", pairs, trues, falses, errors, terms, residues, refused)
	if trues < pairs/20 || falses < pairs/20 || errors < pairs/20 || residues == 0 {
		t.Errorf("%d pairs: %d true, %d false, %d errors, %d residues; each should be common", pairs, trues, falses, errors, residues)
	}
}

// isTrue reports whether node i is true on the event at hand.
func (j *judge) isTrue(i uint32) bool {
	n := &j.p.nodes[i]
	if n.op == signals.NodeTerm {
		return j.holds(&j.p.terms[n.term], nil)
	}
	for _, kid := range j.p.kids[n.from:n.to] {
		if j.isTrue(kid) != (n.op == signals.NodeAnd) {
			return n.op != signals.NodeAnd
		}
	}
	return n.op == signals.NodeAnd
}

// checkGuards checks that a residue which is true on the event at hand meets one of the
// literals that it is said not to be true without.
func checkGuards(t *testing.T, j *judge, text string) {
	t.Helper()
	for i := range j.p.terms {
		residual := &j.p.terms[i]
		if residual.cond != signals.Residual || residual.from == residual.to || !j.holds(residual, nil) {
			continue
		}
		met := false
		for k := residual.from; k < residual.to; k++ {
			a := &j.p.atoms[j.p.atomRefs[k]]
			in := event.Describe(a.field)
			guard := term{field: a.field, own: a.own, cond: a.cond, cased: a.cased, kinds: event.AllKinds, from: k, to: k + 1,
				onEvent: a.own != "" || in.Scope == event.ScopeEvent, valueType: typeOf(a.own, in), scope: in.Scope}
			met = met || j.holds(&guard, nil)
		}
		if !met {
			t.Fatalf("%s: residue %s is true without its guards", text, residual.text)
		}
	}
}

// wholeCEL plans text as it stands; nil if it is refused for its cost or because it
// reads nothing.
func wholeCEL(t *testing.T, text string) *celenv.Program {
	t.Helper()
	c, issues := celenv.Compile(text)
	if c == nil {
		if !strings.Contains(issues[0].Message, "may cost") && !strings.Contains(issues[0].Message, "reads no field") {
			t.Fatalf("%s: %s", text, issues[0].Message)
		}
		return nil
	}
	b, err := c.Encode(c.Root(), false)
	if err != nil {
		t.Fatalf("encode %s: %v", text, err)
	}
	p, err := celenv.Plan(b)
	if err != nil {
		t.Fatalf("plan %s: %v", text, err)
	}
	return p
}

// lowerCEL compiles text as a signal. For an expression that is the same on every
// event there is no program, and why says what it is.
func lowerCEL(t *testing.T, text string) (p *Program, why string) {
	t.Helper()
	e, err := signals.ParseCEL("cel", text)
	if err != nil {
		for _, what := range []string{"always true", "never true"} {
			if strings.Contains(err.Error(), what) {
				return nil, what
			}
		}
		t.Fatalf("%s: %v", text, err)
	}
	set, err := signals.Lower([]signals.Definition{{ID: "a", Name: "a", Expr: e}})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if p, err = Build(set); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return p, e.String()
}

func celLists(t *testing.T) map[string]*namedlist.List {
	t.Helper()
	l, err := namedlist.Read("some", strings.NewReader("a\nK\n/bin/sh\n10.0.0.0/8\n443\n-1\nMD5=d41d8cd98f00b204e9800998ecf8427e\n"))
	if err != nil {
		t.Fatal(err)
	}
	return map[string]*namedlist.List{"some": l}
}

// The search for candidates finds the signals of CEL that plain judging finds, with the
// same proofs; and what fires is true.
func TestCELWithAndWithoutTables(t *testing.T) {
	m := celMaker{rand.New(rand.NewPCG(2, 71))}
	lists := celLists(t)
	tags := 0
	for range 150 {
		var defs []signals.Definition
		for len(defs) < 15 {
			e, err := signals.ParseCEL("cel", m.expr(m.IntN(4)))
			if err != nil {
				continue // always or never true, or too costly
			}
			defs = append(defs, signals.Definition{ID: fmt.Sprintf("id%02d", len(defs)), Name: "a", Expr: e})
		}
		set, err := signals.Lower(defs)
		if err != nil {
			t.Fatal(err)
		}
		p, err := Build(set)
		if err != nil {
			t.Fatal(err)
		}
		p = p.With(Options{Lists: lists})
		b := m.events(40)
		p.NewMatcher().Match(b)
		fast := make([][]event.Tag, len(b.Events()))
		for i, e := range b.Events() {
			fast[i], e.Tags = e.Tags, nil
			tags += len(fast[i])
		}
		plain := p.NewMatcherWith(MatcherOptions{DisableSignalsTrie: true})
		plain.Match(b)
		judged := p.NewMatcher()
		for i, e := range b.Events() {
			if diff := cmp.Diff(e.Tags, fast[i]); diff != "" {
				t.Fatalf("%s event: plain and with tables (-plain +tables):\n%s", e.Kind, diff)
			}
			judged.judge.begin(e)
			judged.learn(e)
			for _, tag := range fast[i] {
				if !judged.judge.isTrue(p.signals[tag.Signal].root) {
					t.Fatalf("%s fired on a %s event on which it is not true", defs[tag.Signal].Expr, e.Kind)
				}
			}
		}
	}
	if tags < 1000 {
		t.Errorf("%d tags: too few to show anything", tags)
	}
}
