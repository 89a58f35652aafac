// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seismo/internal/event"
	"seismo/signals"
)

// What breaks a rule of the compiled form is refused by name, also where it could
// not come from signals.Lower.
func TestBuildRefuses(t *testing.T) {
	wide := func(n int) func(*signals.Set) {
		return func(s *signals.Set) {
			for range n {
				s.Nodes = append(s.Nodes, signals.Node{Op: signals.NodeAnd, Kids: []uint32{uint32(len(s.Nodes) - 1)}})
			}
			s.Signals[0].Root = uint32(len(s.Nodes) - 1)
		}
	}
	tests := []struct {
		name string
		edit func(*signals.Set)
		want string
	}{
		{"programs without definitions", func(s *signals.Set) { s.Definitions = s.Definitions[:2] }, "5 programs for 2 definitions"},
		{"no id", func(s *signals.Set) { s.Definitions[0].ID = "" }, "no id"},
		{"an id twice", func(s *signals.Set) { s.Definitions[1].ID = s.Definitions[0].ID }, "does not come after"},
		{"unsorted ids", func(s *signals.Set) { s.Definitions[2].ID = "0" }, "does not come after"},
		{"name that is no UTF-8", func(s *signals.Set) { s.Definitions[1].Name = "a\xff" }, "is not UTF-8"},
		{"label that is no UTF-8", func(s *signals.Set) { s.Definitions[1].Labels = []string{"a\xff"} }, "is not UTF-8"},
		{"severity", func(s *signals.Set) { s.Definitions[1].Severity = 9 }, "severity 9 is unknown"},
		{"description of 2 MiB", func(s *signals.Set) { s.Definitions[1].Description = strings.Repeat("x", 2<<20) }, "the limit is 1048576"},
		{"more than 20,000 signals", func(s *signals.Set) {
			s.Definitions, s.Signals = make([]signals.Definition, 20_001), make([]signals.Signal, 20_001)
		}, "the limit is 20000"},
		{"more than 1,000,000 atoms", func(s *signals.Set) { s.Atoms = make([]signals.Atom, 1_000_001) }, "the limit is 1000000"},
		{"literal of 2,000 bytes", func(s *signals.Set) { s.Atoms[0].Literal = strings.Repeat("x", 2000) }, "the limit is 1024"},
		{"upper case without cased", func(s *signals.Set) { s.Atoms[0].Literal = "/Bash" }, "upper-case letters"},
		{"condition that does not fit", func(s *signals.Set) { s.Atoms[0].Cond = signals.Less }, "does not fit type string"},
		{"prefix that is not masked", func(s *signals.Set) { atomOn(s, event.NetworkAddress).Literal = "10.0.0.1/8" }, "no canonical address"},
		{"term without atoms", func(s *signals.Set) { s.Terms[0].Atoms = nil }, "no atoms"},
		{"term with the atom of another field", func(s *signals.Set) { s.Terms[0].Atoms[0] = 2 }, "another field"},
		{"term with the atom of another condition", func(s *signals.Set) { s.Terms[0].Cond = signals.Contains }, "another field or condition"},
		{"cased term with an atom that is not", func(s *signals.Set) { s.Terms[0].Cased = true }, "another field or condition"},
		{"term with an atom that there is not", func(s *signals.Set) { s.Terms[0].Atoms[0] = 99 }, "atom 99 of"},
		{"term on a kind without the field", func(s *signals.Set) { s.Terms[1].Kinds = event.SetOf(event.KindDNS) }, "not among those that carry the field"},
		{"node that is its own child", func(s *signals.Set) { nodeOf(s, signals.NodeOr).Kids[0] = uint32(len(s.Nodes) - 1) }, "does not come before it"},
		{"AND of nothing", func(s *signals.Set) { nodeOf(s, signals.NodeAnd).Kids = nil }, "0 children"},
		{"group of two", func(s *signals.Set) { nodeOf(s, signals.NodeGroup).Kids = []uint32{0, 1} }, "2 children"},
		{"group in a group", func(s *signals.Set) { nodeOf(s, signals.NodeOr).Op = signals.NodeGroup; fixGroup(s) }, "a group within a group"},
		{"more than 132 levels", wide(132), "more than 132 levels"},
		{"signal for no kind", func(s *signals.Set) { s.Signals[1].Kinds = 0 }, "kinds 0x0"},
		{"root that there is not", func(s *signals.Set) { s.Signals[1].Root = 1000 }, "root 1000 of"},
		{"unknown language", func(s *signals.Set) { s.Definitions[1].Language = "sql" }, `language "sql" is unknown`},
		{"suppress expression that there is not", func(s *signals.Set) { s.Signals[1].Suppress = []uint32{1000} }, "root 1000 of"},
		{"suppress expression with a term outside a group", func(s *signals.Set) { s.Signals[2].Suppress[1] = s.Signals[2].Root }, "a term outside a group"},
		{"suppress expressions that multiply", func(s *signals.Set) {
			s.Signals[2].Suppress = slices.Repeat(s.Signals[2].Suppress, 500_000)
		}, "more than 1000000 nodes"},
		{"glob that is none", func(s *signals.Set) { atomWith(s, signals.Glob).Literal = "a[b" }, "no sets of characters"},
		{"glob in upper case without cased", func(s *signals.Set) { atomWith(s, signals.PathGlob).Literal = "/ETC/*" }, "upper-case letters"},
		{"regex that is none", func(s *signals.Set) { atomWith(s, signals.Regex).Literal = "(" }, "("},
		{"regexes of much memory", func(s *signals.Set) {
			s.Atoms = slices.Repeat([]signals.Atom{{Field: event.FilePath, Cond: signals.Regex, Literal: `(?:[a-z]{9}x){90}`}}, 600)
		}, "take more than 67108864 bytes"},
		{"regex of 5,000 bytes", func(s *signals.Set) { atomWith(s, signals.Regex).Literal = strings.Repeat("x", 5000) }, "the limit is 4096"},
		{"regex on a number", func(s *signals.Set) {
			*atomOn(s, event.NetworkPort) = signals.Atom{Field: event.NetworkPort, Cond: signals.Regex, Literal: "1"}
		}, "does not fit type integer"},
		{"name of a list", func(s *signals.Set) { atomWith(s, signals.InList).Literal = "Bad" }, "is no name of a list"},
		{"list of times", func(s *signals.Set) {
			*atomOn(s, event.NetworkPort) = signals.Atom{Field: event.ProcessStartTime, Cond: signals.InList, Literal: "x"}
		}, "does not fit type time"},
		{"atom on a residue", func(s *signals.Set) { s.Atoms[0].Cond = signals.Residual }, "does not fit"},
		{"exists on a kind without the field", func(s *signals.Set) {
			s.Terms[2].Kinds = event.AllKinds
		}, "not among those that carry the field"},
		{"negated residue", func(s *signals.Set) { residualTerm(s).Negate = true }, "negated or cased"},
		{"residue on a field", func(s *signals.Set) { residualTerm(s).Field = event.FilePath }, "a residue on field"},
		{"residue outside a group", func(s *signals.Set) { residualTerm(s).Group = false }, "outside a group"},
		{"residue that there is not", func(s *signals.Set) { residualTerm(s).Residue = 1 }, "residue 1 of 1"},
		{"residue with an atom that there is not", func(s *signals.Set) { residualTerm(s).Atoms[1] = 99 }, "atom 99 of"},
		{"residue on no kind", func(s *signals.Set) { residualTerm(s).Kinds = 0 }, "kinds 0x0"},
		{"residue on the process alone, of one kind", func(s *signals.Set) {
			e, err := signals.ParseCEL("cel", "process.path == process.cwd")
			if err != nil {
				panic(err)
			}
			r := e.Kids[0].Term.Residue
			s.Residues[0] = signals.Residue{Text: r.Text, Checked: r.Checked, Fields: r.Fields, Cost: r.Cost}
			residualTerm(s).Kinds = event.SetOf(event.KindFile)
		}, "on the process alone with kinds"},
		{"residue with an unknown field", func(s *signals.Set) { s.Residues[0].Fields[1] = 9999 }, "field 9999 is unknown"},
		{"residue with unsorted fields", func(s *signals.Set) { slices.Reverse(s.Residues[0].Fields) }, "does not come after"},
		{"residue with an own name twice", func(s *signals.Set) { s.Residues[0].Own = []string{"a", "a"} }, "does not come after"},
		{"syntax tree of 2 MiB", func(s *signals.Set) { s.Residues[0].Checked = make([]byte, 2<<20) }, "the limit is 1048576"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := smallSet()
			tt.edit(s)
			if p, err := Build(s); p != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Build = %v, %v; want an error with %q", p, err, tt.want)
			}
		})
	}
}

func atomOn(s *signals.Set, f event.Field) *signals.Atom {
	for i := range s.Atoms {
		if s.Atoms[i].Field == f {
			return &s.Atoms[i]
		}
	}
	panic("no atom on " + event.Describe(f).Name)
}

func atomWith(s *signals.Set, cond signals.Condition) *signals.Atom {
	for i := range s.Atoms {
		if s.Atoms[i].Cond == cond {
			return &s.Atoms[i]
		}
	}
	panic("no atom with " + cond.String())
}

func residualTerm(s *signals.Set) *signals.Term { return &s.Terms[len(s.Terms)-1] }

func nodeOf(s *signals.Set, op signals.NodeOp) *signals.Node {
	for i := range s.Nodes {
		if s.Nodes[i].Op == op {
			return &s.Nodes[i]
		}
	}
	panic(fmt.Sprint("no node ", op))
}

// fixGroup leaves the second child to the node that was an OR: it is a group.
func fixGroup(s *signals.Set) {
	for i := range s.Nodes {
		if n := &s.Nodes[i]; n.Op == signals.NodeGroup && len(n.Kids) == 2 {
			n.Kids = n.Kids[1:]
		}
	}
}

// !has(field) of CEL is met by events of any kind; a residue may have no guards.
func TestBuildTakes(t *testing.T) {
	s := smallSet()
	residualTerm(s).Atoms = nil
	s.Terms[2].Kinds, s.Terms[2].Negate = event.AllKinds, true
	if s.Terms[2].Cond != exists {
		t.Fatalf("term 2 is %s", s.Terms[2].Text)
	}
	p, err := Build(s)
	if err != nil {
		t.Fatalf("Build: %v", err)
	}
	reload(t, p)
}

// Shared nodes would multiply the work: 2 to the 60 visits here.
func TestBuildRefusesSharedNodesThatMultiply(t *testing.T) {
	var b setBuilder
	b.add("s", event.AllKinds, ask("file.path", exists))
	for range 60 {
		last := uint32(len(b.set.Nodes) - 1)
		b.set.Nodes = append(b.set.Nodes, signals.Node{Op: signals.NodeAnd, Kids: []uint32{last, last}})
	}
	b.set.Signals[0].Root = 60
	if _, err := Build(&b.set); err == nil || !strings.Contains(err.Error(), "more than 1000000 nodes") {
		t.Errorf("Build = %v, want an error about 1000000 nodes", err)
	}
}

func TestDemand(t *testing.T) {
	var b setBuilder
	b.add("1", event.SetOf(event.KindFile), and(ask("file.path", begins, "/etc/", "/usr/"), not(ask("file.path", equal, "/etc/mtab"))))
	b.add("2", event.SetOf(event.KindFile), or(ask("file.target_path", equal, "/root/.ssh"), ask("file.path", ends, ".so"), ask("file.path", begins, "/etc/")))
	b.add("3", event.SetOf(event.KindProcess), and(ask("process.path", equal, "/bin/sh"), ask("record.'zeta'", exists), ask("record.'alpha'", exists)))
	b.add("4", event.SetOf(event.KindDNS), and(ask("user.name", equal, "root"), number("network.port", equal, 53)))
	want := event.Demand{
		Kinds: event.SetOf(event.KindFile, event.KindProcess, event.KindDNS, event.KindNetwork),
		Paths: []string{"/etc/", "/root/.ssh", "/usr/"},
		Own:   []string{"alpha", "zeta"},
	}
	p := b.program(t)
	if diff := cmp.Diff(want, p.Demand()); diff != "" {
		t.Errorf("Demand() (-want +got):\n%s", diff)
	}
	if got, want := p.Stats(), (Stats{Signals: 4, Nodes: 14, Terms: 10, Atoms: 10}); got != want {
		t.Errorf("Stats() = %+v, want %+v", got, want)
	}
	if p.Signals() != 4 || len(p.Definitions()) != 4 {
		t.Errorf("Signals() = %d with %d definitions, want 4", p.Signals(), len(p.Definitions()))
	}
}

// Build copies: a set that is changed afterwards does not change the program.
func TestBuildCopies(t *testing.T) {
	s := smallSet()
	p, err := Build(s)
	if err != nil {
		t.Fatalf("Build: %v", err)
	}
	s.Definitions[0].Techniques[0] = "x"
	s.Nodes[len(s.Nodes)-2].Kids = nil
	s.Terms[0].Atoms[0] = 99
	reload(t, p)
	if got := p.Definitions()[0].Techniques[0]; got != "T1059.004" {
		t.Errorf("Definitions()[0].Techniques[0] = %q, want T1059.004", got)
	}
}
