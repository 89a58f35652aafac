// SPDX-License-Identifier: Apache-2.0

// This file says which signals can not fire where not everything is seen: what
// "seismo compile --for-this-host" tells.

package engine

import (
	"fmt"
	"strings"

	"seismo/internal/event"
	"seismo/internal/taxonomy"
	"seismo/signals"
)

// Reach is what is seen somewhere. Whatever its functions are not asked about counts as
// seen.
type Reach struct {
	Kinds event.KindSet
	// Path reports whether files are watched that have the path, or whose paths begin
	// with it. It is in lower case unless it stands in a term that is cased.
	Path func(path string) bool
	// Call reports whether the system call of that name, in lower case, or number is seen.
	Call func(name string) bool
	// Record reports whether audit records of that type, in upper case, come.
	Record func(name string) bool
}

// maxObstacles bounds the reasons that are given for one signal.
const maxObstacles = 3

// CannotFire says why signal i can never fire where no more than r is seen; it returns
// nothing if it may fire. It looks at terms one by one: a signal that it returns nothing
// for may lack something all the same.
func (p *Program) CannotFire(i int, r Reach) (reasons []string) {
	return p.cannotFire(i, r, 0)
}

func (p *Program) cannotFire(i int, r Reach, depth int) (reasons []string) {
	s := &p.signals[i]
	if to, all := p.Refers(i); to != nil {
		return p.cannotCount(to, all, r, depth)
	}
	judge := reacher{p: p, r: r, kinds: event.AllKinds}
	if s.alone {
		l := p.logsources[s.group]
		judge.alone = true
		judge.kinds, judge.records = taxonomy.Kinds(l.Product, l.Category, l.Service)
		switch {
		case judge.records:
		case judge.kinds == 0:
			return []string{"its log (" + logText(l) + ") is none that is recorded live"}
		case judge.kinds&r.Kinds == 0:
			return []string{notRecorded(judge.kinds)}
		}
	} else if s.kinds&r.Kinds == 0 {
		return []string{notRecorded(s.kinds)}
	}
	return judge.node(s.root)
}

// cannotCount says why a correlation that needs one of to, or all of them, cannot fire.
func (p *Program) cannotCount(to []int, all bool, r Reach, depth int) (reasons []string) {
	if depth > len(p.correlations) { // Build refuses circles; this is no place to trust it
		return nil
	}
	never := 0
	for _, i := range to {
		if why := p.cannotFire(i, r, depth+1); why != nil {
			never++
			if len(reasons) < maxObstacles {
				reasons = append(reasons, fmt.Sprintf("rule %q can not fire: %s", p.definitions[i].Name, why[0]))
			}
		}
	}
	if never == len(to) || all && never > 0 {
		return reasons
	}
	return nil
}

func logText(l signals.Logsource) string {
	var parts []string
	for _, s := range []string{l.Product, l.Category, l.Service} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, " ")
}

func notRecorded(kinds event.KindSet) string {
	var names []string
	for _, k := range event.Kinds() {
		if kinds.Has(k) {
			names = append(names, k.String())
		}
	}
	return "events of kind " + strings.Join(names, ", ") + " are not recorded"
}

// reacher judges the terms of one signal.
type reacher struct {
	p              *Program
	r              Reach
	alone, records bool
	kinds          event.KindSet // of the signal's log
}

// node says why node i is never true.
func (j *reacher) node(i uint32) (reasons []string) {
	n := &j.p.nodes[i]
	kids := j.p.kids[n.from:n.to]
	switch n.op {
	case signals.NodeTerm:
		if why := j.term(&j.p.terms[n.term]); why != "" {
			return []string{why}
		}
		return nil
	case signals.NodeOr:
		for _, kid := range kids {
			why := j.node(kid)
			if why == nil {
				return nil
			}
			reasons = append(reasons, why...)
		}
		return reasons[:min(len(reasons), maxObstacles)]
	}
	for _, kid := range kids { // all of them are needed
		if why := j.node(kid); why != nil {
			return why
		}
	}
	return nil
}

// term says why t is never met.
func (j *reacher) term(t *term) string {
	if !j.alone && t.onEvent && t.kinds != event.AllKinds && t.kinds&j.r.Kinds == 0 {
		return notRecorded(t.kinds) + ": " + t.text
	}
	refs := j.p.atomRefs[t.from:t.to]
	if t.negate || t.cond == signals.Residual || len(refs) == 0 {
		return ""
	}
	why := ""
	for _, ref := range refs { // one of them is enough
		if why = j.atom(t, &j.p.atoms[ref]); why == "" {
			return ""
		}
	}
	return why + ": " + t.text
}

// atom says why a is never met.
func (j *reacher) atom(t *term, a *atom) string {
	file := !j.alone && a.own == "" && isFilePath(a.field)
	call := !j.alone && (a.own == "" && a.field == event.SyscallName || a.own == ownCall || a.own == ownCallName)
	if j.alone {
		file = j.kinds.Has(event.KindFile) && namesFile(t.own) || j.records && t.own == recordPath
		call = j.kinds.Has(event.KindSyscall) && namesCall(t.own) || j.records && (t.own == ownCall || t.own == ownCallName)
	}
	any := func(list []string, seen func(string) bool) bool {
		for _, s := range list {
			if seen(s) {
				return true
			}
		}
		return len(list) == 0 // nothing is named
	}
	var d demandCollector
	d.p = j.p
	switch {
	case file && j.r.Path != nil:
		j.p.demandPath(&d.d, a)
		if !any(d.d.Paths, j.r.Path) {
			return "no such file is watched"
		}
	case call && j.r.Call != nil:
		d.addName(&d.d.Calls, t, a, "calls")
		if !any(d.d.Calls, j.r.Call) {
			return "no rule asks for that system call"
		}
	case j.alone && j.records && t.own == ownType && j.r.Record != nil:
		d.addName(&d.d.Records, t, a, "types of records")
		if !any(d.d.Records, j.r.Record) {
			return "no such record comes"
		}
	}
	return ""
}
