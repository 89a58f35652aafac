// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"slices"
	"strings"
	"testing"

	"seismo/internal/event"
	"seismo/signals"
)

// Of several things that a signal can wait for it takes the rare one; one that can
// be met by any event is named as such.
func TestReport(t *testing.T) {
	tests := []struct {
		name string
		e    expr
		kind string
		want []string // parts of the terms waited for; none: judged always
	}{
		{"the longer of two", group(and(ask("file.path", has, "/etc/"), ask("file.path", has, "authorized_keys"))), "file", []string{"authorized_keys"}},
		{"not the operation", group(and(ask("file.operation", equal, "write"), ask("file.path", begins, "/etc/sudoers.d/"))), "file", []string{"/etc/sudoers.d/"}},
		{"what is not negated", group(and(not(ask("file.path", has, "very-long-and-rare")), ask("file.name", equal, "x"))), "file", []string{"file.name is"}},
		{"both of an OR", group(or(ask("file.path", has, "first-one"), ask("file.path", has, "second-one"))), "file", []string{"first-one", "second-one"}},
		{"the process where the event is anything", group(and(ask("process.path", ends, "/nc"), ask("file.path", exists))), "file", []string{"/nc"}},
		{"each part that different events can meet", and(ask("file.path", ends, ".docm"), number("network.port", equal, 4444)), "file", []string{".docm"}},
		{"nothing for a comparison", group(number("network.port", greater, 1023)), "network", nil},
		{"nothing for two bytes", group(ask("file.path", has, "ab")), "file", nil},
		{"the glob's literal", group(ask("file.path", signals.Glob, "/var/*/secret-*")), "file", []string{"secret-"}},
		{"the regex's literal", group(ask("file.path", signals.Regex, "(mimikatz|procdump)[0-9]+")), "file", []string{"mimikatz"}},
		{"a process that is published", ask("process.path", begins, "/dev/shm/"), "process (published)", []string{"/dev/shm/"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b setBuilder
			b.add("1", event.AllKinds, tt.e)
			r := b.program(t).Report()
			at := slices.IndexFunc(r.Each[0].Kinds, func(k KindReport) bool { return k.Kind == tt.kind })
			if at < 0 {
				t.Fatalf("%s: no word on kind %s: %+v", tt.e.text(), tt.kind, r.Each[0])
			}
			got := r.Each[0].Kinds[at]
			if len(got.Terms) == 0 != (len(tt.want) == 0) || (r.Always > 0) != (len(tt.want) == 0) {
				t.Errorf("%s waits for %q, always %d; want %q", tt.e.text(), got.Terms, r.Always, tt.want)
			}
			for _, want := range tt.want {
				if !strings.Contains(strings.Join(got.Terms, "\n"), want) {
					t.Errorf("%s waits for %q, want %q", tt.e.text(), got.Terms, want)
				}
			}
		})
	}
}

// The report counts literals by column and anchor, and names what is demanded.
func TestReportFigures(t *testing.T) {
	var b setBuilder
	b.add("1", event.AllKinds, group(and(ask("file.path", begins, "/etc/one", "/etc/two"), ask("record.'exe'", equal, "/bin/x"))))
	b.add("2", event.AllKinds, group(ask("file.path", has, "something")))
	r := b.program(t).Report()
	if r.Signals != 2 || r.Terms != 3 || r.Atoms != 4 || r.Bytes == 0 || len(r.Columns) != 2 {
		t.Fatalf("Report() = %+v", r)
	}
	if c := r.Columns[1]; c.Field != "file.path" || c.Literals["begins with"] != 2 || c.Literals["contains"] != 1 || c.Bytes == 0 {
		t.Errorf("column %+v, want file.path with 2 beginnings and 1 part", c)
	}
	if !slices.Equal(r.Own, []string{"exe"}) || !slices.Contains(r.Kinds, "file") || !slices.Equal(r.Paths, []string{"/etc/one", "/etc/two"}) {
		t.Errorf("demand: kinds %v, paths %v, own %v", r.Kinds, r.Paths, r.Own)
	}
}

// Of alone signals the literals are counted by own name, of all logs together; those of
// the others stand by themselves.
func TestReportAlone(t *testing.T) {
	set := aloneSet()
	p, err := Build(set)
	if err != nil {
		t.Fatal(err)
	}
	r := p.Report()
	if len(r.Columns) != 1 || r.Columns[0].Field != "file.path" {
		t.Errorf("columns %+v, want file.path alone", r.Columns)
	}
	got := map[string]ColumnReport{}
	for i, c := range r.OwnColumns {
		got[c.Field] = c
		if i > 0 && r.OwnColumns[i-1].Field >= c.Field {
			t.Errorf("own columns %q before %q", r.OwnColumns[i-1].Field, c.Field)
		}
	}
	if c := got["Image"]; c.Literals["ends with"] != 1 || c.Bytes == 0 {
		t.Errorf("own column Image: %+v, want 1 end", c)
	}
	if c := got["*"]; c.Literals["contains"] != 1 {
		t.Errorf("own column of any field: %+v, want 1 part", c)
	}
	// The same literal in the tables of another log counts again.
	set = aloneSet()
	other := set.Signals[0]
	other.Logsource = signals.Logsource{Product: "linux"}
	set.Signals = append(set.Signals, other)
	d := set.Definitions[0]
	d.ID, d.Logsource = "f", other.Logsource
	set.Definitions = append(set.Definitions, d)
	if p, err = Build(set); err != nil {
		t.Fatal(err)
	}
	twice := p.Report()
	i := slices.IndexFunc(twice.OwnColumns, func(c ColumnReport) bool { return c.Field == "Image" })
	if i < 0 || twice.OwnColumns[i].Literals["ends with"] != 2 || twice.OwnColumns[i].Bytes <= got["Image"].Bytes || len(twice.OwnColumns) != len(r.OwnColumns) {
		t.Errorf("with another log: %+v", twice.OwnColumns)
	}
}

// Who is silent, and who is a correlation, is said of each signal, after a reload too.
func TestSilent(t *testing.T) {
	p, err := Build(aloneSet())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []*Program{p, reload(t, p), p.With(Options{})} {
		for i := range uint32(5) {
			if got, want := p.Silent(i), i == 1; got != want {
				t.Errorf("Silent(%d) = %v, want %v", i, got, want)
			}
			if got, want := p.IsCorrelation(i), i == 4; got != want {
				t.Errorf("IsCorrelation(%d) = %v, want %v", i, got, want)
			}
		}
	}
}
