// SPDX-License-Identifier: Apache-2.0

package signals

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"seismo/internal/event"
)

// What an expression means, without where and how it was written.
var meaning = cmp.Options{
	cmpopts.IgnoreFields(Expr{}, "Pos", "Parens"),
	cmpopts.IgnoreFields(TermExpr{}, "Pos", "CondPos", "Text", "Field"),
	cmpopts.IgnoreFields(Value{}, "Pos", "Number", "Address"),
	cmpopts.IgnoreUnexported(Expr{}, TermExpr{}, Value{}),
}

// A printed expression is parsed as the one that was printed. (Groups that can
// never be true are errors: they are left out.)
func TestParsePrintProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := drawExpr(t, 4, true)
		src := newSource("x", e.String())
		if len(src.text) > maxText {
			t.Skip("too long")
		}
		got, _ := parse(src)
		for _, d := range src.diags {
			if !strings.Contains(d.Message, "are never on one event") {
				t.Fatalf("ParseExpr(%s): %v", src.text, d)
			}
		}
		if diff := cmp.Diff(e, got, meaning); diff != "" {
			t.Fatalf("ParseExpr(%s) differs (-want +got):\n%s", src.text, diff)
		}
	})
}

// parsed returns e as if it had been read from a file; false if the checker
// refuses it.
func parsed(e *Expr) (*Expr, bool) {
	got, err := ParseExpr("x", e.String())
	return got, err == nil
}

// Lowering does not depend on the order of definitions, which is that of files.
func TestLowerOrderProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var defs []Definition
		for i := range rapid.IntRange(1, 6).Draw(t, "definitions") {
			if e, ok := parsed(drawExpr(t, 3, true)); ok {
				defs = append(defs, Definition{ID: fmt.Sprintf("00000000-0000-4000-8000-%012d", i), Name: "x", Expr: e})
			}
		}
		want := dumped(t, defs)
		shuffle := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "order"), 0))
		shuffle.Shuffle(len(defs), func(i, j int) { defs[i], defs[j] = defs[j], defs[i] })
		if diff := cmp.Diff(want, dumped(t, defs)); diff != "" {
			t.Fatalf("Lower in another order differs (-want +got):\n%s", diff)
		}
	})
}

func dumped(t *rapid.T, defs []Definition) string {
	set, err := Lower(defs)
	if err != nil {
		t.Fatalf("Lower: %v", err)
	}
	var b strings.Builder
	if err := set.Dump(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Pushing NOT down changes no answer: for random answers of the terms, the
// lowered form is true if and only if the expression is. A term's answer is
// that of its comparison; NOT turns it, wherever it stands.
func TestLowerTruthProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e, ok := parsed(drawExpr(t, 5, false))
		if !ok {
			t.Skip("refused by the checker")
		}
		set, err := Lower([]Definition{{ID: "a", Expr: e}})
		if err != nil {
			t.Fatalf("Lower(%s): %v", e, err)
		}
		checkShape(t, set)
		for range 8 {
			seed := rapid.Uint64().Draw(t, "answers")
			answer := func(comparison string) bool {
				h := seed
				for _, c := range []byte(comparison) {
					h = (h ^ uint64(c)) * 0x100000001b3
				}
				return h>>32&1 == 1
			}
			if got, want := loweredTruth(set, set.Signals[0].Root, answer), writtenTruth(e, answer); got != want {
				t.Fatalf("%s is %v, lowered %v", e, want, got)
			}
		}
	})
}

// comparison names what a term compares, without its negation.
func comparison(atoms []Atom) string { return fmt.Sprint(atoms) }

func writtenTruth(e *Expr, answer func(string) bool) bool {
	switch e.Op {
	case ExprTerm:
		return answer(comparison(termAtoms(e.Term))) != e.Term.Negate
	case ExprNot:
		return !writtenTruth(e.Kids[0], answer)
	case ExprAnd:
		for _, k := range e.Kids {
			if !writtenTruth(k, answer) {
				return false
			}
		}
		return true
	default:
		for _, k := range e.Kids {
			if writtenTruth(k, answer) {
				return true
			}
		}
		return false
	}
}

func loweredTruth(s *Set, n uint32, answer func(string) bool) bool {
	node := s.Nodes[n]
	switch node.Op {
	case NodeTerm:
		term := s.Terms[node.Term]
		var atoms []Atom
		for _, a := range term.Atoms {
			atoms = append(atoms, s.Atoms[a])
		}
		return answer(comparison(atoms)) != term.Negate
	case NodeAnd:
		for _, k := range node.Kids {
			if !loweredTruth(s, k, answer) {
				return false
			}
		}
		return true
	default:
		for _, k := range node.Kids {
			if loweredTruth(s, k, answer) {
				return true
			}
		}
		return false
	}
}

// checkShape checks what ir.go says of the nodes.
func checkShape(t *rapid.T, s *Set) {
	for i, n := range s.Nodes {
		if n.Op != NodeTerm && n.Op != NodeGroup && len(n.Kids) < 2 {
			t.Fatalf("node %d has %d parts", i, len(n.Kids))
		}
		for _, k := range n.Kids {
			if k >= uint32(i) {
				t.Fatalf("node %d has part %d", i, k)
			}
			if op := s.Nodes[k].Op; op == n.Op {
				t.Fatalf("node %d and its part %d have the same operation", i, k)
			}
		}
	}
}

// Where a signal can fire is what its branches say, multiplied out one by one.
func TestFiringProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e, ok := parsed(drawExpr(t, 3, true))
		if !ok {
			t.Skip("refused by the checker")
		}
		all := branches(part{expr: e})
		if len(all) > 5000 {
			t.Skip("too many branches")
		}
		available := event.AllKinds
		if rapid.Bool().Draw(t, "not all kinds") {
			available = event.SetOf(event.KindProcess, event.KindFile)
		}
		var want firing
		for _, b := range all {
			for _, k := range event.Kinds() {
				b.add(&want, k, available)
			}
		}
		if got := (firer{available: available}).on(part{expr: e}, false); got != want {
			t.Fatalf("firing of %s = %+v, want %+v", e, got, want)
		}
	})
}

// item is a term of a branch, or a group.
type item struct {
	kinds   event.KindSet // that can meet it
	process bool          // on the process alone
	negate  bool
}

type branch []item

// add notes in f what b can be on an event of kind k, if there are only events of
// the kinds available.
func (b branch) add(f *firing, k event.Kind, available event.KindSet) {
	set := event.SetOf(k)
	positive, now, negated := false, false, false
	for _, i := range b {
		switch {
		case i.process:
		case i.negate:
			if negated = true; !(i.kinds & available).Has(k) {
				return
			}
		case i.kinds&available == 0:
			return
		default:
			positive, now = true, now || (i.kinds&available).Has(k)
		}
	}
	switch {
	case positive:
		f.latched |= set
		if now {
			f.now |= set
		}
	case negated:
		f.negated |= set
	default:
		f.process |= set
	}
}

func branches(p part) []branch {
	e := p.expr
	switch e.Op {
	case ExprTerm:
		return []branch{{{termKinds(e.Term), !eventTerm(e.Term), e.Term.Negate != p.negate}}}
	case ExprNot:
		return branches(part{e.Kids[0], !p.negate})
	case ExprGroup:
		var all []branch
		for _, b := range branches(part{e.Kids[0], p.negate}) {
			whole := item{kinds: event.AllKinds, process: true}
			for _, i := range b {
				if !i.process {
					whole.process = false
					whole.kinds &= i.kinds
				}
			}
			all = append(all, branch{whole})
		}
		return all
	}
	all := branches(part{e.Kids[0], p.negate})
	for _, k := range e.Kids[1:] {
		more := branches(part{k, p.negate})
		if (e.Op == ExprOr) != p.negate {
			all = append(all, more...)
			continue
		}
		var both []branch
		for _, a := range all {
			for _, b := range more {
				both = append(both, slices.Concat(a, b))
			}
		}
		all = both[:min(len(both), 6000)]
	}
	return all
}
