// SPDX-License-Identifier: Apache-2.0

// This file gives the tables as lists, for those that print them: docs/sigma.md and
// commands.

package taxonomy

import (
	"maps"
	"slices"

	"seismo/internal/event"
)

// Name is one of Sigma's field names on events of a kind (KindNone: of every kind that
// has no entry of its own for it), with the fields of the registry that it reads on
// events of typed sources and fills on events whose records carry it. NoField: none.
type Name struct {
	Kind         event.Kind
	Name         string
	Reads, Fills event.Field
}

// Names returns all names, those of every kind first, each once.
func Names() []Name {
	var all []Name
	for _, r := range rows {
		at := slices.IndexFunc(all, func(n Name) bool { return n.Kind == r.kind && n.Name == r.name })
		if at < 0 {
			at = len(all)
			all = append(all, Name{Kind: r.kind, Name: r.name})
		}
		if r.use&reads != 0 {
			all[at].Reads = r.field
		}
		if r.use&fills != 0 {
			all[at].Fills = r.field
		}
	}
	return all
}

// Category is a category of Sigma, with what belongs to it, as kind and operation: of
// events of typed sources, and what a record of the category is. Records are the
// numbers that records of the category have, by service. All may be empty.
type Category struct {
	Name    string
	Typed   []string
	Record  string
	Records map[string][]int
}

// Categories returns all categories that are known, in the order of their names.
func Categories() []Category {
	byName := map[string]*Category{}
	get := func(name string) *Category {
		if byName[name] == nil {
			byName[name] = &Category{Name: name, Typed: Acts(name), Records: map[string][]int{}}
		}
		return byName[name]
	}
	for _, name := range categories {
		get(name)
	}
	get(registryEvent).Record = "registry, by EventType"
	for name, a := range recordKinds {
		get(name).Record = a.kind.String() + " " + a.op.String()
	}
	for service, records := range recordCategories {
		for id, names := range records {
			for _, name := range names {
				c := get(name)
				c.Records[service] = append(c.Records[service], id)
			}
		}
	}
	for _, c := range registryActs {
		r := byName[c].Records
		if !slices.Contains(r[sysmon], 12) {
			r[sysmon] = append(r[sysmon], 12)
		}
	}
	var all []Category
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		c := *byName[name]
		for _, ids := range c.Records {
			slices.Sort(ids)
		}
		all = append(all, c)
	}
	return all
}

// SecurityRecords returns the numbers of the Security log that have a kind, by kind and
// operation in the order of their numbers.
func SecurityRecords() (acts []string, ids map[string][]int) {
	ids = map[string][]int{}
	for _, r := range securityRecords {
		name := r.act.kind.String() + " " + r.act.op.String()
		acts = append(acts, name)
		ids[name] = r.ids
	}
	return acts, ids
}
