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
			event.Demand{Kinds: event.AllKinds, Own: []string{"a0", "type"}}},
		{"the path of a record", linux("", "auditd"), and(record("type", equal, "PATH"), record("name", equal, "/var/lib/x")),
			event.Demand{Kinds: event.AllKinds, Own: []string{"name", "type"}, Paths: []string{"/var/lib/x"}}},
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
