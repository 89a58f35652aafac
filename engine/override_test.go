// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"seismo/internal/event"
	"seismo/internal/namedlist"
	"seismo/signals"
)

func listOf(t testing.TB, name, content string) *namedlist.List {
	t.Helper()
	l, err := namedlist.Read(name, strings.NewReader(content))
	if err != nil {
		t.Fatalf("namedlist.Read(%s): %v", name, err)
	}
	return l
}

// With gives overrides and lists, leaves the program as it was, and starts anew each
// time.
func TestWith(t *testing.T) {
	p := smallProgram(t)
	ids := make([]string, p.Signals())
	for i, d := range p.Definitions() {
		ids[i] = d.ID
	}
	low := signals.Low
	names := listOf(t, "bad-names", "evil.so\n")
	q := p.With(Options{
		Lists: map[string]*namedlist.List{"bad-names": names, "other": listOf(t, "other", "x")},
		Overrides: []signals.Override{{ID: strings.ToUpper(ids[1]), Disabled: true, Reason: "noise"}, {ID: ids[2], Severity: &low},
			{ID: "99999999-9999-4999-8999-999999999999", Disabled: true}},
	})
	if got := q.Disabled(); !slices.Equal(got, []uint32{1}) {
		t.Errorf("Disabled() = %v, want [1]", got)
	}
	if got := q.Definitions()[2]; got.Severity != signals.Low || got.Revision != p.Definitions()[2].Revision {
		t.Errorf("severity %s, revision %s; want low and the revision of the definition", got.Severity, got.Revision)
	}
	all, missing := q.Lists()
	if !slices.Equal(all, []string{"bad-hashes", "bad-names"}) || !slices.Equal(missing, []string{"bad-hashes"}) {
		t.Errorf("Lists() = %v, %v; want both names and bad-hashes missing", all, missing)
	}
	if q.lists[1] != names || q.lists[0].Len() != 0 {
		t.Errorf("lists = %v; want bad-names as given and bad-hashes empty", q.lists)
	}
	if q.Digest() != p.Digest() || !reflect.DeepEqual(encoded(t, q), encoded(t, p.With(Options{}))) && q.definitions[2].Severity == p.definitions[2].Severity {
		t.Errorf("the digest changed")
	}
	reload(t, p)
	if p.Disabled() != nil || p.Definitions()[2].Severity != signals.Informational {
		t.Errorf("With changed the program that it was called on")
	}
	again := q.With(Options{})
	if again.Disabled() != nil || again.Definitions()[2].Severity != signals.Informational {
		t.Errorf("With keeps what an earlier With gave: disabled %v, severity %s", again.Disabled(), again.Definitions()[2].Severity)
	}
	if _, missing := p.Lists(); len(missing) != 2 {
		t.Errorf("a program without With has the lists %v missing, want both", missing)
	}
	unknown := p.UnknownOverrides([]signals.Override{{ID: ids[0]}, {ID: "x"}})
	if len(unknown) != 1 || unknown[0].ID != "x" {
		t.Errorf("UnknownOverrides = %v, want that of x", unknown)
	}
}

// A disabled signal adds nothing to what is collected; what a suppress expression
// reads adds own names only.
func TestDemandWith(t *testing.T) {
	var b setBuilder
	b.add("1", event.SetOf(event.KindFile), group(or(ask("file.path", begins, "/etc/"), ask("file.path", signals.Glob, "/opt/*/x"),
		ask("file.path", signals.InList, "paths"), ask("file.path", signals.Regex, "^/srv"))))
	b.add("2", event.SetOf(event.KindDNS), ask("record.'zeta'", exists))
	b.set.Signals[0].Suppress = []uint32{b.node(ask("network.port", exists), true), b.node(ask("record.'alpha'", exists), true), b.node(ask("file.path", equal, "/no"), true)}
	p := b.program(t)
	lists := map[string]*namedlist.List{"paths": listOf(t, "paths", "/Home/x\n/home/y\n")}
	tests := []struct {
		name      string
		overrides []signals.Override
		want      event.Demand
	}{
		{"all", nil, event.Demand{Kinds: event.SetOf(event.KindFile, event.KindDNS), Own: []string{"alpha", "zeta"},
			Paths: []string{"/etc/", "/home/x", "/home/y", "/opt/"}}},
		{"the first disabled", []signals.Override{{ID: "1", Disabled: true}}, event.Demand{Kinds: event.SetOf(event.KindDNS), Own: []string{"zeta"}}},
		{"both disabled", []signals.Override{{ID: "1", Disabled: true}, {ID: "2", Disabled: true}}, event.Demand{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := p.With(Options{Lists: lists, Overrides: tt.overrides}).Demand(); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("Demand() = %+v, want %+v", got, tt.want)
			}
		})
	}
}

// Lists are asked by the type of the field, in both modes of a matcher; a program with
// other lists answers otherwise.
func TestListsInMatch(t *testing.T) {
	sum := strings.Repeat("0123456789abcdef", 4)
	var b setBuilder
	kinds := event.SetOf(event.KindFile, event.KindNetwork, event.KindProcess)
	b.add("1", kinds, ask("file.name", signals.InList, "names"))
	b.add("2", kinds, group(and(not(ask("file.name", signals.InList, "names")), ask("file.path", exists))))
	b.add("3", kinds, cased(ask("file.path", signals.InList, "names")))
	b.add("4", kinds, ask("network.address", signals.InList, "nets"))
	b.add("5", kinds, ask("network.port", signals.InList, "nets"))
	b.add("6", kinds, group(and(ask("process.hash", signals.InList, "hashes"), ask("file.name", exists))))
	p := b.program(t)
	names, nets := listOf(t, "names", "EVIL\n/etc/Evil\n"), listOf(t, "nets", "10.0.0.0/8\n4444\n")
	hashes := listOf(t, "hashes", strings.ToUpper(sum)+"\n")
	family := &event.Process{ID: 7, Path: "/bin/x", Hash: []string{"MD5=" + sum[:32], "SHA256=" + sum}}
	evil := testEvent{kind: event.KindFile, op: event.OpWrite, process: family, fields: map[event.Field]any{event.FilePath: "/etc/Evil", event.FileName: "Evil"}}
	good := testEvent{kind: event.KindFile, op: event.OpWrite, fields: map[event.Field]any{event.FilePath: "/etc/evil", event.FileName: "good"}}
	connect := testEvent{kind: event.KindNetwork, op: event.OpConnect, fields: map[event.Field]any{event.NetworkAddress: netip.MustParseAddr("10.9.8.7"), event.NetworkPort: 4444}}
	tests := []struct {
		name  string
		lists map[string]*namedlist.List
		event testEvent
		want  []string
	}{
		{"name, path and hash", map[string]*namedlist.List{"names": names, "nets": nets, "hashes": hashes}, evil, []string{"1", "3", "6"}},
		{"neither", map[string]*namedlist.List{"names": names, "nets": nets, "hashes": hashes}, good, []string{"2"}},
		{"address and port", map[string]*namedlist.List{"names": names, "nets": nets}, connect, []string{"4", "5"}},
		{"lists that are missing", nil, evil, []string{"2"}},
		{"another list", map[string]*namedlist.List{"names": nets, "nets": names}, connect, nil},
	}
	for _, tt := range tests {
		for _, plain := range []bool{false, true} {
			batch := event.NewBatch(1)
			e := tt.event.addTo(batch)
			q := p.With(Options{Lists: tt.lists})
			q.NewMatcherWith(MatcherOptions{DisableSignalsTrie: plain}).Match(batch)
			var got []string
			for _, tag := range e.Tags {
				got = append(got, q.Definitions()[tag.Signal].ID)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("%s, plain %v: signals %v fire, want %v", tt.name, plain, got, tt.want)
			}
		}
	}
}

// A disabled signal does not fire, in either mode.
func TestDisabledInMatch(t *testing.T) {
	var b setBuilder
	b.add("1", event.SetOf(event.KindFile), ask("file.path", begins, "/etc/"))
	b.add("2", event.SetOf(event.KindFile), ask("file.path", begins, "/etc/"))
	p := b.program(t).With(Options{Overrides: []signals.Override{{ID: "1", Disabled: true}}})
	for _, plain := range []bool{false, true} {
		batch := event.NewBatch(1)
		e := fileEvent("/etc/x").addTo(batch)
		m := p.NewMatcherWith(MatcherOptions{DisableSignalsTrie: plain})
		m.Match(batch)
		if len(e.Tags) != 1 || e.Tags[0].Signal != 1 {
			t.Errorf("plain %v: tags %+v, want that of signal 1 only", plain, e.Tags)
		}
		if got := m.Statistics()[0]; got != (SignalStatistics{}) {
			t.Errorf("plain %v: statistics of a disabled signal: %+v", plain, got)
		}
	}
}
