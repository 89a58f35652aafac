// SPDX-License-Identifier: Apache-2.0

// This file plans and evaluates residues: the parts of CEL expressions that are no
// combination of terms. What CEL means is known to package celenv.

package engine

import (
	"slices"

	"seismo/internal/celenv"
	"seismo/internal/event"
)

// maxTrees bounds the bytes of the syntax trees of all residues: planning takes about
// half a microsecond a byte (BenchmarkCompile/step=plan in internal/celenv).
const maxTrees = 8 << 20

// planResidues makes the programs of p's residues. What a residue says that it reads
// must be what it reads: memory and collection go by it.
func (p *Program) planResidues() *fault {
	bytes := 0
	for i := range p.residues {
		r := &p.residues[i]
		if bytes += len(r.checked); bytes > maxTrees {
			return faultf(tableResidues, i, "syntax trees of more than %d bytes in all", maxTrees)
		}
		program, err := celenv.Plan([]byte(r.checked))
		switch {
		case err != nil:
			return faultf(tableResidues, i, "%v", err)
		case !slices.Equal(program.Fields, r.fields) || !slices.Equal(program.Own, r.own):
			return faultf(tableResidues, i, "it reads other fields than it says")
		}
		r.program = program
	}
	return nil
}

// residueLists appends the names of the lists that residues ask to names.
func (p *Program) residueLists(names []string) []string {
	for i := range p.residues {
		names = append(names, p.residues[i].program.Lists...)
	}
	return names
}

// celState is what a judge keeps to evaluate residues: nil and zero until the first.
type celState struct {
	view  *celenv.View
	round uint64 // of the judge, that the view was set in
}

// residue reports whether the residue of t is true on the event at hand. An error,
// as by a field that is absent, is not true.
func (j *judge) residue(t *term) bool {
	if j.cel.view == nil {
		j.cel.view = celenv.NewView()
		j.cel.view.Late, j.cel.view.InList = j.lateValue, j.inList
		j.cel.round = j.round - 1
	}
	if j.cel.round != j.round {
		j.cel.round = j.round
		j.cel.view.Unknown = j.before && j.process == nil
		j.cel.view.Set(j.event, j.process)
	}
	program := j.p.residues[t.residue].program
	j.work += program.Work
	met, err := program.Eval(j.cel.view)
	return err == nil && met
}

// lateValue returns the late value of f, a field of process scope, that q has.
func (j *judge) lateValue(q *event.Process, f event.Field) (celenv.Value, bool) {
	v := j.lateOf(q, f)
	if v == nil {
		return celenv.Value{}, false
	}
	return celenv.Value{Text: v.text, Number: v.number, List: v.list}, true
}

// inList reports whether value, of a field of type typ, is in the list called name.
func (j *judge) inList(name string, typ event.Type, value string) bool {
	i, ok := slices.BinarySearch(j.p.listNames, name)
	return ok && j.p.lists[i].HasValue(typ, value)
}
