// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"seismo/internal/celenv"
	"seismo/internal/event"
	"seismo/signals"
)

// encodedCEL returns the syntax tree of a CEL expression as signals.bin holds it.
func encodedCEL(text string) []byte {
	c, issues := celenv.Compile(text)
	if c == nil {
		panic(issues[0].Message)
	}
	b, err := c.Encode(c.Root(), false)
	if err != nil {
		panic(err)
	}
	return b
}

// withoutPlans returns p without what is planned of its residues: that has functions
// in it, which compare as different always.
func withoutPlans(p *Program) *Program {
	if p == nil {
		return nil
	}
	q := *p
	q.residues = slices.Clone(p.residues)
	for i := range q.residues {
		q.residues[i].program = nil
	}
	return &q
}

// The deepest and the longest expressions that are taken can be built and judged;
// what is deeper is refused by name.
func TestCELBounds(t *testing.T) {
	choices := `process.pid == 0`
	for i := range 45 {
		choices = fmt.Sprintf(`process.user_id == %d ? process.pid == %d : %s`, i, i, choices)
	}
	nested := `process.pid == 0`
	for i := range 22 {
		nested = fmt.Sprintf(`(process.user_id == %d && (process.user_id == %d || %s))`, i, i, nested)
	}
	for name, text := range map[string]string{
		"choices":  choices,
		"nested":   nested,
		"terms":    strings.Repeat(`process.path == "/usr/bin/x" || `, 1500) + `process.pid == 0`,
		"residues": strings.Repeat(`process.path + process.name == "x" || `, 200) + `process.pid == 0`,
	} {
		p, _ := lowerCEL(t, text)
		m := p.NewMatcher()
		b := event.NewBatch(1)
		e := b.Add(event.KindProcess, event.OpCreate)
		e.Process = &event.Process{ID: 1, UserID: 99, Path: "/x"}
		if m.Match(b); len(e.Tags) != 0 && name == "nested" || len(e.Tags) == 0 && name != "nested" {
			t.Errorf("%s: %d tags", name, len(e.Tags))
		}
	}
	for name, text := range map[string]string{
		"calls":   `process.path` + strings.Repeat(`.trim()`, 3000) + ` == "x"`,
		"choices": strings.Repeat(`process.pid == 1 ? true : `, 60) + `process.pid == 0`,
	} {
		if _, err := signals.ParseCEL("cel", text); err == nil {
			t.Errorf("%s: taken, want an error", name)
		}
	}
}

// A residue that reads other fields than it says, or that is no CEL, is refused by
// name.
func TestResidueIsChecked(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*signals.Residue)
		want   string
	}{
		{"no CEL", func(r *signals.Residue) { r.Checked = []byte("\xff") }, "bad CEL expression"},
		{"other fields", func(r *signals.Residue) { r.Fields = r.Fields[:1] }, "other fields than it says"},
		{"other own names", func(r *signals.Residue) { r.Own = []string{"x"} }, "other fields than it says"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e, err := signals.ParseCEL("cel", `process.path + process.name == "x"`)
			if err != nil {
				t.Fatal(err)
			}
			set, err := signals.Lower([]signals.Definition{{ID: "a", Expr: e}})
			if err != nil {
				t.Fatal(err)
			}
			tt.change(&set.Residues[0])
			if _, err := Build(set); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Build = %v, want %q", err, tt.want)
			}
		})
	}
}

// A residue asks the lists that the program was given.
func TestResidueInList(t *testing.T) {
	e, err := signals.ParseCEL("cel", `process.args.exists(a, a.size() > 1 && a.inList("some"))`)
	if err != nil {
		t.Fatal(err)
	}
	set, err := signals.Lower([]signals.Definition{{ID: "a", Expr: e}})
	if err != nil {
		t.Fatal(err)
	}
	p, err := Build(set)
	if err != nil {
		t.Fatal(err)
	}
	if names, missing := p.Lists(); len(names) != 1 || len(missing) != 1 || names[0] != "some" {
		t.Errorf("Lists() = %q, %q; want some, missing", names, missing)
	}
	for _, with := range []bool{false, true} {
		q := p
		if with {
			q = p.With(Options{Lists: celLists(t)})
		}
		b := event.NewBatch(1)
		ev := b.Add(event.KindProcess, event.OpCreate)
		ev.Process = &event.Process{ID: 1, Args: []string{"a", "/BIN/sh"}}
		if q.NewMatcher().Match(b); (len(ev.Tags) == 1) != with {
			t.Errorf("with the list %t: %d tags", with, len(ev.Tags))
		}
	}
}

// Whatever CEL is taken can be built, written and loaded again.
func FuzzCEL(f *testing.F) {
	m := celMaker{rand.New(rand.NewPCG(1, 2))}
	for range 60 {
		f.Add(m.expr(3))
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := signals.ParseCEL("cel", text)
		if err != nil {
			return
		}
		set, err := signals.Lower([]signals.Definition{{ID: "a", Name: "a", Expr: e}})
		if err != nil {
			t.Fatalf("Lower(%q): %v", text, err)
		}
		p, err := Build(set)
		if err != nil {
			t.Fatalf("Build(%q): %v", text, err)
		}
		reload(t, p)
		p.NewMatcher().Match(m.events(3))
	})
}

// A residue that needs one of two literals, on the event or on its process, is found by
// either: that of the process counts for its later events too.
func TestGuardsOnEventAndProcess(t *testing.T) {
	const cel = `process.args.exists(a, (file.name.contains("secret") || process.name.contains("curl")) && a.size() > 1)`
	const id = "00000001-0000-4000-8000-000000000000"
	p := compile(t, "id: "+id+"\nname: s\ncel: |\n  "+cel+"\n")
	if len(p.residues) != 1 || len(p.atoms) != 2 {
		t.Fatalf("%s has %d residues and %d guards, want 1 and 2", cel, len(p.residues), len(p.atoms))
	}
	curl, shell := image(1, "/bin/curl"), image(2, "/bin/sh")
	named := func(name string) testEvent {
		return testEvent{kind: event.KindFile, op: event.OpWrite, fields: fields{event.FileName: name}}
	}
	curl.Args, shell.Args = []string{"curl"}, []string{"sh"}
	steps := []step{
		{"both literals", of(curl, named("secret")), nil, []string{id + ": 1"}, false},
		{"that of the process", of(curl, named("x")), nil, []string{id + ": 2"}, false},
		{"that of the event", of(shell, named("secret")), nil, []string{id + ": 3"}, false},
		{"none", of(shell, named("x")), nil, nil, false},
	}
	for _, o := range []MatcherOptions{{}, {DisableSignalsTrie: true}} {
		run(t, p.NewMatcherWith(o), steps)
	}
}

// What an update says of a process that is not known came late for a residue too: it
// was not true before.
func TestResidueOnLateValuesWithoutProcess(t *testing.T) {
	const id = "00000001-0000-4000-8000-000000000000"
	p := compile(t, "id: "+id+"\nname: s\ncel: process.args.size() == 2\n")
	for _, o := range []MatcherOptions{{}, {DisableSignalsTrie: true}} {
		run(t, p.NewMatcherWith(o), []step{
			{"two arguments", updateEvent(nil, fields{event.ProcessArgs: []string{"a", "b"}}), nil, []string{id + ": 1"}, false},
			{"one", updateEvent(nil, fields{event.ProcessArgs: []string{"a"}}), nil, nil, false},
		})
	}
}
