// SPDX-License-Identifier: Apache-2.0

// This file says what the signals of a program need of a source.

package engine

import (
	"fmt"
	"slices"
	"strings"

	"seismo/internal/event"
	"seismo/internal/taxonomy"
	"seismo/signals"
)

// maxDemandList is the number of values up to which a named list of paths is
// watched: each becomes a path of its own.
const maxDemandList = 256

// Demand returns what the signals of p that are not disabled need of a source: the
// kinds of event that they fire on or have a term on, the own names that they read,
// the system calls and types of audit records that positive terms name, and the paths,
// or beginnings of paths, that positive terms on file paths name. A path is in lower
// case unless its term is cased; whoever watches it must find how the file system spells
// it. What only a suppress expression reads adds own names, nothing else: without the
// signal's own event it is of no use. A signal that reads every value of single records
// asks for all own names.
func (p *Program) Demand() event.Demand { return p.DemandOn("") }

// DemandOn is Demand without the signals that are for events of other platforms than
// that called platform; an empty one stands for all.
func (p *Program) DemandOn(platform string) event.Demand {
	c := demandCollector{p: p, asked: make([]bool, len(p.terms)), read: make([]bool, len(p.terms))}
	for i := range p.signals {
		if !p.isDisabled(uint32(i)) && (platform == "" || p.IsFor(i, platform)) {
			c.add(i)
		}
	}
	c.d.Own = p.correlation.own(c.d.Own)
	return c.finish()
}

// DemandOf returns what signal i alone needs, disabled or not. That of a correlation is
// in the signals that [Program.Refers] names.
func (p *Program) DemandOf(i int) event.Demand {
	c := demandCollector{p: p}
	c.add(i)
	return c.finish()
}

// Refers returns the signals that signal i, a correlation, counts, and whether it needs
// all of them to fire; none if it is no correlation.
func (p *Program) Refers(i int) (to []int, all bool) {
	c := p.correlationOf(uint32(i))
	if c == nil {
		return nil, false
	}
	for _, r := range c.Rules {
		to = append(to, int(r))
	}
	return to, c.Type == signals.Temporal || c.Type == signals.TemporalOrdered
}

// Log returns the logs that signal i is for, and false if it is for events of whatever
// log.
func (p *Program) Log(i int) (signals.Logsource, bool) {
	s := &p.signals[i]
	if !s.alone {
		return signals.Logsource{}, false
	}
	return p.logsources[s.group], true
}

// IsFor reports whether signal i is for events of platform, as its definition and its
// logs say.
func (p *Program) IsFor(i int, platform string) bool {
	on := p.definitions[i].Platforms
	if len(on) > 0 && !slices.Contains(on, platform) {
		return false
	}
	l, alone := p.Log(i)
	return !alone || l.Product == "" || l.Product == platform
}

// demandCollector gathers what signals need.
type demandCollector struct {
	p *Program
	d event.Demand
	// By term of a text signal: it was looked at, as one that makes it fire, or for its
	// own names. nil where few terms are.
	asked, read []bool
	name        string // of the signal at hand
}

func (c *demandCollector) add(i int) {
	p, s := c.p, &c.p.signals[i]
	c.name = p.definitions[i].Name
	if s.alone {
		c.addAlone(s)
		return
	}
	c.d.Kinds |= s.kinds
	if s.correlation != 0 {
		return
	}
	p.eachTermAt(s.root, func(at uint32) {
		if once(c.asked, at) {
			c.addTerm(&p.terms[at])
		}
		c.addOwn(at)
	})
	for _, root := range p.suppressRoots[s.from:s.to] {
		p.eachTermAt(root, c.addOwn)
	}
}

// once reports whether seen, if there is one, does not have at yet, and notes it.
func once(seen []bool, at uint32) bool {
	if seen == nil {
		return true
	}
	was := seen[at]
	seen[at] = true
	return !was
}

// addOwn adds the own names that a term reads.
func (c *demandCollector) addOwn(at uint32) {
	if once(c.read, at) {
		c.d.Own = c.p.appendOwn(c.d.Own, &c.p.terms[at])
	}
}

// finish brings the lists into order.
func (c *demandCollector) finish() event.Demand {
	d := &c.d
	for _, list := range []*[]string{&d.Own, &d.Paths, &d.Calls, &d.Records, &d.Unmet} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return *d
}

// eachTermAt calls do with the place of each term under node i.
func (p *Program) eachTermAt(i uint32, do func(uint32)) {
	n := &p.nodes[i]
	if n.op == signals.NodeTerm {
		do(n.term)
		return
	}
	for _, kid := range p.kids[n.from:n.to] {
		p.eachTermAt(kid, do)
	}
}

// appendOwn appends the own names that t reads.
func (p *Program) appendOwn(own []string, t *term) []string {
	if t.cond == signals.Residual {
		return append(own, p.residues[t.residue].own...)
	}
	if t.own != "" {
		own = append(own, t.own)
	}
	return own
}

// addTerm adds the kinds, paths and calls that t, a term of a text signal, needs.
func (c *demandCollector) addTerm(t *term) {
	p := c.p
	if t.onEvent && t.kinds != event.AllKinds {
		c.d.Kinds |= t.kinds
	}
	if t.negate {
		return
	}
	if t.cond == signals.Residual {
		if slices.Contains(p.residues[t.residue].fields, event.SyscallName) {
			c.pattern(t, "calls")
		}
		return
	}
	for _, ref := range p.atomRefs[t.from:t.to] {
		switch a := &p.atoms[ref]; {
		case a.own == ownCall || a.own == ownCallName:
			c.addName(&c.d.Calls, t, a, "calls")
		case a.own != "":
		case isFilePath(a.field):
			p.demandPath(&c.d, a)
		case a.field == event.SyscallName:
			c.addName(&c.d.Calls, t, a, "calls")
		case a.field == event.SecurityOperation && a.cond == signals.Is && a.literal == event.OpPrivilege.String():
			c.d.Calls = append(c.d.Calls, privilegeCalls...)
		}
	}
}

// privilegeCalls are the calls of Linux by which a process takes on another identity or
// other capabilities. No setting asks for them.
var privilegeCalls = []string{"capset", "setgid", "setregid", "setresgid", "setresuid", "setreuid", "setuid"}

// addName adds to the list of what, calls or types of records, what a names.
func (c *demandCollector) addName(to *[]string, t *term, a *atom, what string) {
	from := len(*to)
	switch {
	case a.cond == signals.Is:
		*to = append(*to, a.literal)
	case a.cond == signals.InList && c.p.lists[a.aux].Len() <= maxDemandList:
		*to = c.p.lists[a.aux].AppendValues(*to, a.cased)
	default:
		c.pattern(t, what)
	}
	spell := strings.ToLower
	if to == &c.d.Records {
		spell = strings.ToUpper
	}
	for i := range (*to)[from:] {
		(*to)[from+i] = spell((*to)[from+i])
	}
}

// pattern notes that t asks for something that no source can be told by name.
func (c *demandCollector) pattern(t *term, what string) {
	c.d.Unmet = append(c.d.Unmet, fmt.Sprintf("signal %q asks for %s by a pattern, which can not be made into rules: %s", c.name, what, t.text))
}

// demandPath adds the paths that a, a comparison with the path of a file, names.
func (p *Program) demandPath(d *event.Demand, a *atom) {
	switch a.cond {
	case signals.Is, signals.BeginsWith:
		d.Paths = append(d.Paths, a.literal)
	case signals.Glob, signals.PathGlob:
		if begins, _, _ := p.globs[a.aux].Needs(); begins != "" {
			d.Paths = append(d.Paths, begins)
		}
	case signals.InList:
		if l := p.lists[a.aux]; l.Len() <= maxDemandList {
			d.Paths = l.AppendValues(d.Paths, a.cased)
		}
	}
}

// addAlone adds what s, an alone signal, needs of typed sources: the kinds of its
// logsource, the paths that its terms on files name, and what it reads of single
// records. Which kinds a record comes with is not known before it is there.
func (c *demandCollector) addAlone(s *signal) {
	p, d := c.p, &c.d
	l := p.logsources[s.group]
	kinds, records := taxonomy.Kinds(l.Product, l.Category, l.Service)
	if d.Kinds |= kinds; records {
		d.Kinds |= s.kinds
	}
	p.eachTerm(s.root, func(t *term) {
		if records {
			p.demandOwn(d, t)
		}
		if t.negate {
			return
		}
		file := kinds.Has(event.KindFile) && namesFile(t.own) || records && t.own == recordPath
		call := kinds.Has(event.KindSyscall) && namesCall(t.own) || records && (t.own == ownCall || t.own == ownCallName)
		for _, ref := range p.atomRefs[t.from:t.to] {
			switch a := &p.atoms[ref]; {
			case file:
				p.demandPath(d, a)
			case call:
				c.addName(&d.Calls, t, a, "calls")
			case records && t.own == ownType:
				c.addName(&d.Records, t, a, "types of records")
			}
		}
	})
}

// namesCall reports whether name reads the name of a system call event.
func namesCall(name string) bool {
	f, ok := taxonomy.Field(event.KindSyscall, name)
	return ok && f == event.SyscallName
}

// Names that audit's records have values under: the path of a file, in records of type
// PATH, the system call by number and name, and the type of the record.
const (
	recordPath  = "name"
	ownCall     = "syscall"
	ownCallName = "SYSCALL"
	ownType     = "type"
)

// namesFile reports whether name reads a path of a file event.
func namesFile(name string) bool {
	f, ok := taxonomy.Field(event.KindFile, name)
	return ok && isFilePath(f)
}

func isFilePath(f event.Field) bool {
	return f == event.FilePath || f == event.FileTargetPath || f == event.FileResultPath
}

// demandOwn adds the own names that t, a term of an alone signal, reads of a record.
func (p *Program) demandOwn(d *event.Demand, t *term) {
	if t.own == signals.AnyField {
		d.AllOwn = true
		return
	}
	d.Own = append(d.Own, t.own)
	if readsOther(t.cond) {
		for _, ref := range p.atomRefs[t.from:t.to] {
			d.Own = append(d.Own, p.atoms[ref].literal)
		}
	}
}
