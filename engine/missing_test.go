// SPDX-License-Identifier: Apache-2.0

package engine_test

import (
	"reflect"
	"strings"
	"testing"

	"seismo/engine"
	"seismo/internal/namedlist"
	"seismo/signals"
)

// A list is missing for each signal that refers to it, in a suppress expression too,
// and no longer once the program is given it.
func TestMissingLists(t *testing.T) {
	defs, err := signals.ParseFile("x.yml", []byte(`
- id: 7f2f4d3c-3f0e-4a57-8a51-6f7d1c1b0001
  name: one
  signal: file.path in list places AND file.target_path in list places
- id: 7f2f4d3c-3f0e-4a57-8a51-6f7d1c1b0002
  name: two
  signal: file.path is '/x'
  suppress: [ "process.name in list ours" ]
- id: 7f2f4d3c-3f0e-4a57-8a51-6f7d1c1b0003
  name: three
  signal: file.path is '/y'
`))
	if err != nil {
		t.Fatal(err)
	}
	set, err := signals.Lower(defs)
	if err != nil {
		t.Fatal(err)
	}
	p, err := engine.Build(set)
	if err != nil {
		t.Fatal(err)
	}
	places, err := namedlist.Read("places", strings.NewReader("/x\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		p    *engine.Program
		want []engine.MissingList
	}{
		{"none is given", p, []engine.MissingList{{Signal: 0, List: "places"}, {Signal: 1, List: "ours"}}},
		{"one is given", p.With(engine.Options{Lists: map[string]*namedlist.List{"places": places}}), []engine.MissingList{{Signal: 1, List: "ours"}}},
		{"both are given", p.With(engine.Options{Lists: map[string]*namedlist.List{"places": places, "ours": places}}), nil},
	} {
		if got := tt.p.MissingLists(); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: MissingLists = %+v; want %+v", tt.name, got, tt.want)
		}
	}
}
