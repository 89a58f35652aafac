// SPDX-License-Identifier: Apache-2.0

package taxonomy_test

import (
	"testing"

	"seismo/internal/event"
	"seismo/internal/taxonomy"
)

// A name reads and fills fields that events of the kind have, and is found again.
func TestNames(t *testing.T) {
	for _, n := range taxonomy.Names() {
		kinds := event.Kinds()
		if n.Kind != event.KindNone {
			kinds = []event.Kind{n.Kind}
		}
		for _, k := range kinds {
			for _, f := range []event.Field{n.Reads, n.Fills} {
				if in := event.Describe(f); f != event.NoField && (!in.Kinds.Has(k) || in.Scope == event.ScopeAncestor) {
					t.Errorf("%s on %s: %s is no field of it", n.Name, k, in.Name)
				}
			}
			if n.Fills == event.FileResultPath {
				t.Errorf("%s on %s fills a field that nobody sets", n.Name, k)
			}
		}
		if n.Kind == event.KindNone {
			continue
		}
		if f, ok := taxonomy.Field(n.Kind, n.Name); n.Reads != event.NoField && (f != n.Reads || !ok) {
			t.Errorf("Field(%s, %s) = %s, %v; want %s", n.Kind, n.Name, event.Describe(f).Name, ok, event.Describe(n.Reads).Name)
		}
		if f, ok := taxonomy.Registry(n.Kind, event.Ops(n.Kind)[0], "", n.Name); n.Fills != event.NoField && (f != n.Fills || !ok) {
			t.Errorf("Registry(%s, %s) = %s, %v; want %s", n.Kind, n.Name, event.Describe(f).Name, ok, event.Describe(n.Fills).Name)
		}
	}
}

// What a record of a category is, and what events of the category of typed sources are,
// is of one kind.
func TestCategories(t *testing.T) {
	known := map[string]bool{}
	for _, c := range taxonomy.Categories() {
		if known[c.Name] {
			t.Errorf("category %s stands twice", c.Name)
		}
		known[c.Name] = true
		if len(c.Typed) == 0 && c.Record == "" && len(c.Records) == 0 {
			t.Errorf("category %s has nothing in it", c.Name)
		}
		for service, ids := range c.Records {
			for i, id := range ids {
				if i > 0 && ids[i-1] == id {
					t.Errorf("category %s: %d of %s stands twice", c.Name, id, service)
				}
			}
		}
	}
	for _, name := range []string{"process_creation", "registry_event", "ps_script", "wmi_event", "dns"} {
		if !known[name] {
			t.Errorf("no category %s", name)
		}
	}
	_, ids := taxonomy.SecurityRecords()
	seen := map[int]string{}
	for act, list := range ids {
		for _, id := range list {
			if seen[id] != "" {
				t.Errorf("%d is %s and %s", id, seen[id], act)
			}
			seen[id] = act
		}
	}
}
