// SPDX-License-Identifier: Apache-2.0

// This file ties correlations to the rules that they refer to. What names mean is in
// link.go.

package signals

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The bounds of correlations.
const (
	maxChain  = 64        // correlations, each of which refers to the next
	maxGroups = 1_000_000 // fields of all of them, counted for each rule
)

// correlations ties all correlations. What can not be tied is bad then, and so is
// what refers to it.
func (l *linker) correlations() {
	targets := make([][]int, len(l.defs))
	for i := range l.defs {
		if l.defs[i].Correlation != nil {
			targets[i] = l.rulesOf(i)
		}
	}
	l.cycles(targets)
	l.spread(targets)
	for i := range l.defs {
		if l.defs[i].Correlation != nil && !l.bad[i] {
			l.links[i] = l.tie(i, targets[i])
		}
	}
	l.spread(targets)
	for i := range l.links {
		if l.bad[i] {
			l.links[i] = nil
		}
	}
}

// owner names definition i in a message.
func (l *linker) owner(i int) string { return "correlation " + quote(l.defs[i].Name) }

// rulesOf returns the definitions that correlation i refers to.
func (l *linker) rulesOf(i int) []int {
	d := &l.defs[i]
	var found []int
	first := map[int]string{}
	for _, r := range d.Correlation.Rules {
		m := l.find(r.Name)
		if m.index < 0 {
			l.unclear(r, m, d.ID, l.owner(i))
			l.bad[i] = true
			continue
		}
		if other, twice := first[m.index]; twice {
			l.fail(r, d.ID, l.owner(i), "each rule stands once", "%s is the same rule as %s", quote(r.Name), quote(other))
			l.bad[i] = true
			continue
		}
		first[m.index] = r.Name
		found = append(found, m.index)
	}
	return found
}

// spread refuses correlations that refer to refused ones, and those that refer to
// them.
func (l *linker) spread(targets [][]int) {
	users := map[int][]int{} // the correlations that refer to a correlation
	var work []int
	for i, list := range targets {
		for _, t := range list {
			if l.defs[t].Correlation != nil {
				users[t] = append(users[t], i)
			}
		}
		if l.bad[i] {
			work = append(work, i)
		}
	}
	for len(work) > 0 {
		refused := work[0]
		work = work[1:]
		for _, i := range users[refused] {
			if !l.bad[i] {
				r := l.referenceTo(i, refused)
				l.fail(r, l.defs[i].ID, l.owner(i), "", "rule %s was refused", quote(r.Name))
				l.bad[i] = true
				work = append(work, i)
			}
		}
	}
}

// referenceTo returns the reference of correlation i that means definition t.
func (l *linker) referenceTo(i, t int) Reference {
	rules := l.defs[i].Correlation.Rules
	return rules[slices.IndexFunc(rules, func(r Reference) bool { return l.find(r.Name).index == t })]
}

// cycles refuses correlations that lead back to themselves, and chains that are too
// long.
func (l *linker) cycles(targets [][]int) {
	done := make([]bool, len(l.defs))
	place := make([]int, len(l.defs)) // in path, from 1
	depth := make([]int, len(l.defs))
	var path []int
	var visit func(i int)
	visit = func(i int) {
		path = append(path, i)
		place[i] = len(path)
		for _, t := range targets[i] {
			if l.defs[t].Correlation == nil {
				continue
			}
			switch {
			case place[t] > 0:
				if !l.bad[i] {
					l.cycle(path[place[t]-1:])
				}
			case !done[t]:
				visit(t)
			}
			if !l.bad[t] {
				depth[i] = max(depth[i], depth[t])
			}
		}
		if depth[i]++; depth[i] > maxChain && !l.bad[i] {
			l.fail(Reference{Pos: l.defs[i].Pos}, l.defs[i].ID, l.owner(i), "", "more than %d correlations refer to each other in a chain", maxChain)
			l.bad[i] = true
		}
		path = path[:len(path)-1]
		place[i], done[i] = 0, true
	}
	for i := range l.defs {
		if l.defs[i].Correlation != nil && !done[i] {
			visit(i)
		}
	}
}

// cycle refuses the correlations of path, each of which refers to the next and the
// last to the first.
func (l *linker) cycle(path []int) {
	var names []string
	for n, i := range path {
		if n < 8 || n == len(path)-1 {
			names = append(names, quote(l.defs[i].Name))
		}
	}
	if len(names) == 9 {
		names[7] = fmt.Sprintf("%d others", len(path)-8)
	}
	circle := strings.Join(append(names, names[0]), " → ")
	for n, i := range path {
		if !l.bad[i] {
			r := l.referenceTo(i, path[(n+1)%len(path)])
			l.fail(r, l.defs[i].ID, l.owner(i), "", "correlations refer to each other in a circle: %s", circle)
			l.bad[i] = true
		}
	}
}

// tie returns correlation i with its rules and their fields; nil if it can not be
// tied.
func (l *linker) tie(i int, rules []int) *Correlation {
	d := &l.defs[i]
	c := d.Correlation
	whole := Reference{Pos: d.Pos}
	out := &Correlation{Type: c.Type, Timespan: c.Timespan, Counts: slices.Clone(c.Counts)}
	for _, r := range rules {
		out.Rules = append(out.Rules, uint32(r))
	}
	if len(out.Counts) == 0 {
		out.Counts = []Count{{CountGreaterEqual, uint64(len(rules))}}
	}
	if l.groups += (len(c.GroupBy) + 1) * len(rules); l.groups > maxGroups {
		l.fail(whole, d.ID, l.owner(i), "", "more than %d fields of rules in all correlations", maxGroups)
		l.bad[i] = true
		return nil
	}
	aliases, ok := l.aliases(i, rules)
	fields := func(name string) []string {
		list := make([]string, len(rules))
		for n := range list {
			list[n] = name
			if of, is := aliases[name]; is {
				if list[n] = of[rules[n]]; list[n] == "" {
					l.fail(whole, d.ID, l.owner(i), "an alias names a field for each rule", "alias %s says nothing of rule %s", quote(name), quote(c.Rules[n].Name))
					ok = false
				}
			}
		}
		return list
	}
	for _, name := range c.GroupBy {
		out.GroupBy = append(out.GroupBy, fields(name))
	}
	if c.Field != "" {
		out.Field = fields(c.Field)
	}
	if !ok {
		l.bad[i] = true
		return nil
	}
	return out
}

// aliases returns the fields of correlation i's aliases, by alias and rule.
func (l *linker) aliases(i int, rules []int) (map[string]map[int]string, bool) {
	d := &l.defs[i]
	all, ok := map[string]map[int]string{}, true
	for _, alias := range slices.Sorted(maps.Keys(d.Correlation.Aliases)) {
		all[alias] = map[int]string{}
		of := d.Correlation.Aliases[alias]
		for _, name := range slices.Sorted(maps.Keys(of)) {
			m := l.find(name)
			if m.index < 0 || !slices.Contains(rules, m.index) {
				l.fail(Reference{Pos: d.Pos}, d.ID, l.owner(i), "an alias is for the rules of its correlation", "alias %s is for %s, which is none of the rules", quote(alias), quote(name))
				ok = false
				continue
			}
			all[alias][m.index] = of[name]
		}
	}
	return all, ok
}

// silent returns for each definition whether its matches only feed correlations.
// Rules of Sigma that a correlation refers to are silent unless one of the
// correlations generates; other signals report always.
func (l *linker) silent(always map[string]bool) []bool {
	silent := make([]bool, len(l.defs))
	generated := make([]bool, len(l.defs))
	for i, link := range l.links {
		if link == nil {
			continue
		}
		for _, r := range link.Rules {
			silent[r] = l.defs[r].Language == LanguageSigma
			generated[r] = generated[r] || l.defs[i].Correlation.Generate
		}
	}
	for i := range silent {
		silent[i] = silent[i] && !generated[i] || always[l.defs[i].ID]
	}
	return silent
}
