// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"seismo/internal/config"
	"seismo/internal/event"
	"seismo/recorder/monitordb"
	"seismo/sources/audit"
)

func TestCollectionOf(t *testing.T) {
	process, file, dns := event.SetOf(event.KindProcess), event.SetOf(event.KindFile), event.SetOf(event.KindDNS)
	plan := audit.Plan{Sees: audit.Sees{Kinds: process | file, Folders: []string{"/etc"}, Calls: []string{"execve"}},
		Unmet: []audit.Unmet{{What: "system call x", By: []string{`signal "s"`}, Reason: "why"}}}
	tests := []struct {
		name string
		p    audit.Plan
		d    event.Demand
		also event.KindSet
		want monitordb.Collection
	}{
		{"rules of ours and a source beside", plan, event.Demand{Own: []string{"a0"}}, dns, monitordb.Collection{Source: "unicast",
			Kinds: []string{"process", "file", "dns"}, Paths: []string{"/etc"}, Calls: []string{"execve"}, Own: []string{"a0"}, Rules: []string{"r"},
			Unmet: []string{`signal "s" asks for system call x: why`}}},
		{"a kind that nobody records, all own names, a path that is not watched", audit.Plan{Sees: plan.Sees},
			event.Demand{Kinds: process | dns, AllOwn: true, Paths: []string{"/etc/x", "/etcetera", "relative"}, Unmet: []string{"a pattern"}}, 0,
			monitordb.Collection{Source: "unicast", Kinds: []string{"process", "file"}, Paths: []string{"/etc"}, Calls: []string{"execve"}, Own: []string{"*"}, Rules: []string{"r"},
				Unmet: []string{"loaded signals ask for events of kind dns, which are not recorded", "a pattern",
					"loaded signals name 1 paths that are not watched, and watchSignalPaths is false"}}},
		{"rules of others", audit.Plan{Sees: plan.Sees, InForce: []string{"theirs"}}, event.Demand{Calls: []string{"execve", "mount"}}, 0,
			monitordb.Collection{Source: "unicast", Kinds: []string{"process", "file"}, Paths: []string{"/etc"}, Calls: []string{"execve"}, Rules: []string{"theirs"},
				Unmet: []string{"loaded signals ask for system call mount: no rule in force sees it"}}},
		{"of the system calls only those that failed", audit.Plan{Sees: audit.Sees{Kinds: process | event.SetOf(event.KindSyscall), FailedOnly: true}},
			event.Demand{Kinds: process | event.SetOf(event.KindSyscall)}, 0,
			monitordb.Collection{Source: "unicast", Kinds: []string{"process", "syscall"}, Rules: []string{"r"},
				Unmet: []string{"loaded signals ask for events of kind syscall, of which only calls that failed are recorded"}}},
	}
	got := collectionOf(audit.State{Way: audit.WayPlugin, Unknown: "nobody answers"}, audit.Plan{}, event.Demand{Kinds: process | file, Paths: []string{"/etc"}}, dns, false)
	want := monitordb.Collection{Source: "plugin", Kinds: []string{"dns"}, Unmet: []string{"nobody answers"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("of rules that are not known: collectionOf = %+v; want %+v", got, want)
	}
	for _, tt := range tests {
		got := collectionOf(audit.State{Way: audit.WayUnicast, Rules: []string{"r"}}, tt.p, tt.d, tt.also, false)
		if !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: collectionOf = %+v; want %+v", tt.name, got, tt.want)
		}
	}
}

// What is said to be collected of security is what the decoder keeps: with the setting, or
// for a signal that asks for the kind.
func TestCollectedSecurity(t *testing.T) {
	process, security := event.SetOf(event.KindProcess), event.SetOf(event.KindSecurity)
	tests := []struct {
		name    string
		setting bool
		unknown string
		planned event.KindSet
		d       event.Demand
		want    event.KindSet
	}{
		{"wanted", true, "", process, event.Demand{}, process | security},
		{"not wanted", false, "", process | security, event.Demand{Kinds: process}, process},
		{"not wanted, but a signal asks for the kind", false, "", process, event.Demand{Kinds: process | security}, process | security},
		{"not wanted, but a signal asks for every field", false, "", process, event.Demand{AllOwn: true}, process | security},
		{"wanted, but nothing is known", true, "nobody answers", 0, event.Demand{}, 0},
	}
	for _, tt := range tests {
		l := &life{Options: Options{Config: config.Config{MonitorSecurity: tt.setting}}}
		if got := l.withSecurity(tt.planned, audit.State{Unknown: tt.unknown}, tt.d); got != tt.want {
			t.Errorf("%s: withSecurity(%b) = %b; want %b", tt.name, tt.planned, got, tt.want)
		}
	}
}

// plannedSource is a source whose plan the test decides.
type plannedSource struct {
	state   audit.State
	plan    audit.Plan
	noProcs error
}

func (s *plannedSource) Read(context.Context, *event.Batch) error { return nil }
func (s *plannedSource) Stats() event.SourceStats                 { return event.SourceStats{} }
func (s *plannedSource) Close() error                             { return nil }
func (s *plannedSource) State() audit.State                       { return s.state }
func (s *plannedSource) Plan() audit.Plan                         { return s.plan }
func (s *plannedSource) ProcEvents() error                        { return s.noProcs }

// Each change is a row with its reason, and nothing is written twice.
func TestNoteCollection(t *testing.T) {
	ctx := context.Background()
	db, err := monitordb.Open(filepath.Join(t.TempDir(), "monitor.db"), monitordb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	src := &plannedSource{state: audit.State{Way: audit.WayUnicast, Changes: 1, Rules: []string{"-a always"}}, plan: audit.Plan{Sees: audit.Sees{Kinds: event.SetOf(event.KindProcess)}}}
	l := &life{Options: Options{Log: zerolog.Nop(), Config: config.Config{MonitorSecurity: true}}, db: db, source: src,
		signals: signalsOf(t, nil, [3]string{"1", "a", "low"})}
	l.noteCollection(ctx, becauseStart)
	l.noteChanges(ctx) // nothing has
	src.state.Changes++
	l.noteChanges(ctx) // something has, but not what is collected
	src.state.Changes, src.plan.Sees.Calls = 3, []string{"mount"}
	l.noteCollection(ctx, becauseSignals)
	src.state.Changes, src.state.Rules = 4, []string{"-a x", "-a y"}
	l.noteChanges(ctx)
	src.state.Changes, src.state.Way, src.noProcs = 5, audit.WayMulticast, audit.ErrPrivilege
	l.noteChanges(ctx)
	r, err := monitordb.OpenReader(db.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	s, err := r.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	got := s.Collection
	if got.Reason != becauseSource || got.Source != "multicast" || len(got.Calls) != 1 || len(got.Rules) != 2 || !strings.Contains(strings.Join(got.Unmet, ""), "kind file") || !strings.Contains(strings.Join(got.Unmet, ""), "forks and the ends") {
		t.Errorf("collection in force: %+v; want that of multicast, with a call, rules, and without forks and the file events that a signal lacks", got)
	}
	var reasons []any
	if _, err := r.Query(ctx, "SELECT group_concat(reason, ' ') AS reasons FROM collection", monitordb.QueryOptions{},
		func([]string) error { return nil }, func(row []any) error { reasons = append(reasons, row...); return nil }); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(reasons, []any{"start signals rules source"}) {
		t.Errorf("reasons %v; want start signals rules source", reasons)
	}
}
