// SPDX-License-Identifier: Apache-2.0

// This file checks the signals of a program, alone signals and correlations among
// them. The other tables are checked in validate.go and validate_term.go.

package engine

import (
	"fmt"

	"seismo/internal/event"
	"seismo/signals"
)

// maxName bounds a word of a logsource and the name of a field, in bytes.
const maxName = 1024

func (p *Program) checkSignals() *fault {
	asked := make([]aloneCheck, len(p.nodes))
	for i := range p.signals {
		s := &p.signals[i]
		switch {
		case s.correlation != 0 && s.alone:
			return faultf(tableSignals, i, "a correlation that is judged alone")
		case s.correlation != 0 && s.kinds&^event.AllKinds == 0:
		case s.kinds == 0 || s.kinds&^event.AllKinds != 0:
			return faultf(tableSignals, i, "kinds %#x are not among those known (%#x)", s.kinds, event.AllKinds)
		}
		what := ""
		switch {
		case s.group == noGroup:
			what = "a logsource, but it is not judged alone"
		case s.alone && s.from != s.to:
			what = "suppress expressions, but it is judged alone"
		case s.alone:
			what = p.checkAlone(s.root, asked)
		case s.correlation == 0:
			what = p.checkText(s, asked)
		}
		if what != "" {
			return faultf(tableSignals, i, "%s", what)
		}
	}
	for i := range p.logsources {
		for _, word := range logsourceWords(&p.logsources[i]) {
			if bad := badName(*word); bad != "" {
				return faultf(tableSignals, 0, "logsource: %s", bad)
			}
		}
	}
	return nil
}

// aloneCheck says what is known of the terms under a node.
type aloneCheck struct {
	seen bool
	own  bool // all of them are on own fields and no residues
	view bool // some need the other fields of a record, or a date
}

// look fills asked for node i, whose children come before it.
func (p *Program) look(i uint32, asked []aloneCheck) aloneCheck {
	if asked[i].seen {
		return asked[i]
	}
	n := &p.nodes[i]
	c := aloneCheck{seen: true, own: true}
	if n.op == signals.NodeTerm {
		t := &p.terms[n.term]
		c.own, c.view = t.own != "" && t.cond != signals.Residual, t.part != signals.NoPart || readsOther(t.cond)
	}
	for _, kid := range p.kids[n.from:n.to] {
		k := p.look(kid, asked)
		c.own, c.view = c.own && k.own, c.view || k.view
	}
	asked[i] = c
	return c
}

// checkAlone checks the expression of an alone signal. It returns what is wrong, or "".
func (p *Program) checkAlone(root uint32, asked []aloneCheck) string {
	if !p.look(root, asked).own {
		return "it is judged alone, but asks for a field of the registry"
	}
	return ""
}

// checkText checks the expressions of a signal that is not judged alone.
func (p *Program) checkText(s *signal, asked []aloneCheck) string {
	bad := p.look(s.root, asked).view
	for _, root := range p.suppressRoots[s.from:s.to] {
		bad = bad || p.look(root, asked).view
	}
	if bad {
		return "a comparison of two fields or with a part of a date, but it is not judged alone"
	}
	return ""
}

// readsOther reports whether a condition compares with the value of another field.
func readsOther(c signals.Condition) bool { return c >= signals.IsField && c <= signals.EndsWithField }

func badName(s string) string {
	if len(s) > maxName {
		return fmt.Sprintf("a name of %d bytes, the limit is %d: %.40q…", len(s), maxName, s)
	}
	return badText(s)
}

// planCorrelations checks what correlations count, and plans how.
func (p *Program) planCorrelations() *fault {
	if len(p.correlations) == 0 {
		return nil
	}
	of, silent := make([]*signals.Correlation, len(p.signals)), make([]bool, len(p.signals))
	refs := 0
	for i := range p.signals {
		silent[i] = p.signals[i].silent
		c := p.correlationOf(uint32(i))
		if of[i] = c; c == nil {
			continue
		}
		at := int(p.signals[i].correlation - 1)
		for name := range correlationNames(c) {
			if bad := badName(name); bad != "" || name == "" {
				return faultf(tableCorrelations, at, "field %.40q has no name that counts%s", name, bad)
			}
		}
		if refs += len(c.Rules) * (1 + len(c.GroupBy)); refs > maxRefs {
			return faultf(tableCorrelations, at, "more than %d entries of lists", maxRefs)
		}
	}
	plan, wrong, what := planCorrelations(of, silent)
	if what != "" {
		return faultf(tableCorrelations, int(p.signals[wrong].correlation-1), "%s", what)
	}
	p.correlation = plan
	return nil
}
