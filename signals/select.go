// SPDX-License-Identifier: Apache-2.0

// This file leaves out definitions that are not wanted, by what they say of
// themselves.

package signals

import (
	"fmt"
	"maps"
	"slices"
)

// Selection says which definitions are wanted.
type Selection struct {
	MinStatus string   // one of Statuses; empty: all but unsupported ones
	MinLevel  Severity // of the definition
}

// assumedStatus is the status of a definition that names none: somebody uses it, and
// nobody has said that it can be trusted.
const assumedStatus = "experimental"

// Apply returns in without the definitions that s does not want, and how many those
// are, by the reason. A definition that is only below MinLevel stays if a correlation
// refers to it that is not; its own matches are not reported then. What is left out
// stands in Refused, with the reason.
func (s Selection) Apply(in Input) (out Input, byStatus, byLevel int) {
	least := s.MinStatus
	if least == "" {
		least = "deprecated"
	}
	out = in
	out.Definitions, out.Refused, out.Silent = nil, slices.Clone(in.Refused), maps.Clone(in.Silent)
	leave := func(d *Definition, format string, args ...any) {
		out.Refused = append(out.Refused, Refused{ID: d.ID, Name: d.Name, RuleName: d.RuleName, Pos: d.Pos, LeftOut: fmt.Sprintf(format, args...)})
	}
	order := Statuses()
	for i := range in.Definitions {
		d := &in.Definitions[i]
		status := d.Status
		if status == "" {
			status = assumedStatus
		}
		if slices.Index(order, status) < slices.Index(order, least) {
			leave(d, "its status is %s, below %s", status, least)
			byStatus++
			continue
		}
		out.Definitions = append(out.Definitions, *d)
	}
	if s.MinLevel == Informational {
		return out, byStatus, 0
	}
	fed := feeding(out, s.MinLevel)
	wanted := out.Definitions[:0]
	for i := range out.Definitions {
		d := out.Definitions[i]
		switch {
		case d.Severity >= s.MinLevel:
		case fed[d.ID]:
			if out.Silent == nil {
				out.Silent = map[string]bool{}
			}
			out.Silent[d.ID] = true
		default:
			leave(&d, "its level is %s, below %s", d.Severity, s.MinLevel)
			byLevel++
			continue
		}
		wanted = append(wanted, d)
	}
	out.Definitions = wanted
	return out, byStatus, byLevel
}

// feeding returns the ids of the definitions of in that correlations of at least the
// severity least refer to, by way of others too.
func feeding(in Input, least Severity) map[string]bool {
	fed := map[string]bool{}
	if !slices.ContainsFunc(in.Definitions, func(d Definition) bool { return d.Correlation != nil }) {
		return fed
	}
	l := newLinker(in)
	var work []int
	for i := range l.defs {
		if l.defs[i].Correlation != nil && l.defs[i].Severity >= least {
			work = append(work, i)
		}
	}
	for len(work) > 0 {
		d := &l.defs[work[0]]
		work = work[1:]
		for _, r := range d.Correlation.Rules {
			m := l.find(r.Name)
			if m.index < 0 || fed[l.defs[m.index].ID] {
				continue
			}
			fed[l.defs[m.index].ID] = true
			if l.defs[m.index].Correlation != nil {
				work = append(work, m.index)
			}
		}
	}
	return fed
}
