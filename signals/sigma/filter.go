// SPDX-License-Identifier: Apache-2.0

// This file reads filters (specification 2.1, "Sigma Filters"). Package signals joins
// them to their rules when all files are read.

package sigma

import (
	"slices"

	"go.yaml.in/yaml/v4"

	"seismo/signals"
)

// anyRule stands for all rules of a filter's logsource.
const anyRule = "any"

// filter reads a filter.
func (r *docReader) filter() {
	var def signals.Definition
	good := r.required(keyTitle, keyLogsource, keyFilter)
	r.metadata(&def)
	f := signals.Filter{Name: def.Name, Text: r.Text, Pos: r.Pos(r.node)}
	if n := valueOf(r.node, keyLogsource); n != nil {
		f.Logsource = r.logsource(n)
	}
	if !good {
		return
	}
	r.id(&def, keyFilter)
	f.ID = def.ID
	section := valueOf(r.node, keyFilter)
	if section.Kind != yaml.MappingNode {
		r.Errorf(section, "it has rules, a selection and a condition", "filter is a mapping, found %s", signals.NodeText(section))
		return
	}
	if rules := valueOf(section, "rules"); rules != nil && !saysNothing(rules) {
		f.Rules = r.references(rules)
		if slices.ContainsFunc(f.Rules, func(r signals.Reference) bool { return r.Name == anyRule }) {
			if len(f.Rules) > 1 {
				r.Errorf(rules, "", "rules has %q beside others", anyRule)
			}
			f.Rules = nil
		}
	}
	if f.Expr = r.detection(without(section, "rules")); f.Expr != nil {
		r.AddFilter(f)
	}
}
