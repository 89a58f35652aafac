// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"seismo/internal/event"
	"seismo/signals"
)

// What signals that are judged on one event alone need of a source depends on the log
// that they are for.
func TestDemandOfAlone(t *testing.T) {
	record := func(name string, cond signals.Condition, values ...string) expr {
		return ask("record.'"+name+"'", cond, values...)
	}
	linux := func(category, service string) signals.Logsource {
		return signals.Logsource{Product: "linux", Category: category, Service: service}
	}
	file := event.SetOf(event.KindFile)
	tests := []struct {
		name string
		logs signals.Logsource
		e    expr
		want event.Demand
	}{
		{"a category is a kind, and its names are fields", linux("process_creation", ""), record("Image", ends, "/sh"),
			event.Demand{Kinds: event.SetOf(event.KindProcess)}},
		{"files that are named", linux("file_event", ""), and(record("TargetFilename", begins, "/etc/cron.d/"), not(record("TargetFilename", equal, "/etc/cron.d/x"))),
			event.Demand{Kinds: file, Paths: []string{"/etc/cron.d/"}}},
		{"a program is no file to watch", linux("file_event", ""), record("Image", equal, "/bin/sh"),
			event.Demand{Kinds: file}},
		{"records have their own names", linux("", "auditd"), and(record("type", equal, "EXECVE"), record("a0", equal, "id")),
			event.Demand{Kinds: event.AllKinds, Own: []string{"a0", "type"}, Records: []string{"EXECVE"}}},
		{"the path of a record", linux("", "auditd"), and(record("type", equal, "PATH"), record("name", equal, "/var/lib/x")),
			event.Demand{Kinds: event.AllKinds, Own: []string{"name", "type"}, Paths: []string{"/var/lib/x"}, Records: []string{"PATH"}}},
		{"calls by name and number, not those that are left out", linux("", "auditd"),
			and(record("SYSCALL", equal, "sethostname"), record("syscall", equal, "170"), not(record("SYSCALL", equal, "mount"))),
			event.Demand{Kinds: event.AllKinds, Own: []string{"SYSCALL", "syscall"}, Calls: []string{"170", "sethostname"}}},
		{"calls by a pattern", linux("", "auditd"), record("SYSCALL", begins, "set"),
			event.Demand{Kinds: event.AllKinds, Own: []string{"SYSCALL"}, Unmet: []string{
				`signal "signal 1" asks for calls by a pattern, which can not be made into rules: record.'SYSCALL' begins with 'set'`}}},
		{"the name that another is compared with", linux("", "auditd"), record("uid", signals.IsField, "euid"),
			event.Demand{Kinds: event.AllKinds, Own: []string{"euid", "uid"}}},
		{"a word anywhere in a record", linux("", "auditd"), record(signals.AnyField, has, "shutdown"),
			event.Demand{Kinds: event.AllKinds, AllOwn: true}},
		{"a word anywhere in a process", linux("process_creation", ""), record(signals.AnyField, has, "shutdown"),
			event.Demand{Kinds: event.SetOf(event.KindProcess)}},
		{"a log that no typed source has", linux("", "sshd"), record("Message", has, "root"), event.Demand{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b setBuilder
			b.add("1", event.AllKinds, tt.e)
			b.set.Signals[0].Alone, b.set.Signals[0].Logsource = true, tt.logs
			if diff := cmp.Diff(tt.want, b.program(t).Demand()); diff != "" {
				t.Errorf("Demand() (-want +got):\n%s", diff)
			}
		})
	}
}

// Where a file is found afterwards is a path to watch, in signals with memory too.
func TestDemandOfResultPath(t *testing.T) {
	var b setBuilder
	b.add("1", event.SetOf(event.KindFile), ask("file.result_path", begins, "/var/lib/x/"))
	want := event.Demand{Kinds: event.SetOf(event.KindFile), Paths: []string{"/var/lib/x/"}}
	if diff := cmp.Diff(want, b.program(t).Demand()); diff != "" {
		t.Errorf("Demand() (-want +got):\n%s", diff)
	}
}

// A text signal names calls too, and asks for those of a change of identity; what only
// keeps it from firing asks for own names alone, and each signal can be asked by itself.
func TestDemandOfCalls(t *testing.T) {
	var b setBuilder
	calls, security := event.SetOf(event.KindSyscall), event.SetOf(event.KindSecurity)
	b.add("1", calls, and(ask("syscall.name", equal, "SetHostname", "mount"), not(ask("syscall.name", equal, "bpf"))))
	b.add("2", security, ask("security.operation", equal, "privilege"))
	b.add("3", calls, ask("syscall.name", has, "mod"))
	p := b.program(t)
	want := []event.Demand{
		{Kinds: calls, Calls: []string{"mount", "sethostname"}},
		{Kinds: security, Calls: privilegeCalls},
		{Kinds: calls, Unmet: []string{`signal "signal 3" asks for calls by a pattern, which can not be made into rules: syscall.name contains 'mod'`}},
	}
	all := event.Demand{Kinds: calls | security, Unmet: want[2].Unmet,
		Calls: []string{"capset", "mount", "setgid", "sethostname", "setregid", "setresgid", "setresuid", "setreuid", "setuid"}}
	for i, w := range want {
		if diff := cmp.Diff(w, p.DemandOf(i)); diff != "" {
			t.Errorf("DemandOf(%d) (-want +got):\n%s", i, diff)
		}
	}
	if diff := cmp.Diff(all, p.Demand()); diff != "" {
		t.Errorf("Demand() (-want +got):\n%s", diff)
	}
}

// Where events of one platform come, what is for others needs nothing.
func TestDemandOn(t *testing.T) {
	var b setBuilder
	for i, product := range []string{"windows", "linux", ""} {
		b.add(string(rune('1'+i)), event.AllKinds, ask("record.'TargetFilename'", begins, "/of/"+product))
		b.set.Signals[i].Alone, b.set.Signals[i].Logsource = true, signals.Logsource{Product: product, Category: "file_event"}
	}
	b.add("4", event.SetOf(event.KindFile), ask("file.path", begins, "/of/macos"))
	b.set.Definitions[3].Platforms = []string{"macos"}
	p := b.program(t)
	if got, want := p.DemandOn("linux").Paths, []string{"/of/", "/of/linux"}; !cmp.Equal(got, want) {
		t.Errorf("DemandOn(linux): paths %q; want %q", got, want)
	}
	if got, want := p.Demand().Paths, []string{"/of/", "/of/linux", "/of/macos", "/of/windows"}; !cmp.Equal(got, want) {
		t.Errorf("Demand: paths %q; want %q", got, want)
	}
}
