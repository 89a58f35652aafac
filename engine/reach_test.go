// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"strings"
	"testing"

	"seismo/internal/event"
	"seismo/signals"
)

// A signal can not fire if one of the terms that it can not do without is about
// something that is not seen.
func TestCannotFire(t *testing.T) {
	process, file, calls := event.SetOf(event.KindProcess), event.SetOf(event.KindFile), event.SetOf(event.KindSyscall)
	r := Reach{Kinds: process | file | calls,
		Path:   func(p string) bool { return strings.HasPrefix(p, "/etc") },
		Call:   func(name string) bool { return name == "mount" },
		Record: func(name string) bool { return name == "EXECVE" }}
	record := func(name string, cond signals.Condition, values ...string) expr {
		return ask("record.'"+name+"'", cond, values...)
	}
	etc, vari := ask("file.path", begins, "/etc/x"), ask("file.path", begins, "/var/x")
	linux := func(category, service string) signals.Logsource {
		return signals.Logsource{Product: "linux", Category: category, Service: service}
	}
	var text, alone signals.Logsource
	alone = linux("", "auditd")
	tests := []struct {
		name  string
		kinds event.KindSet
		logs  signals.Logsource
		e     expr
		want  string
	}{
		{"a watched file", file, text, etc, ""},
		{"a file that is not watched", file, text, vari, "no such file is watched: file.path begins with '/var/x'"},
		{"one of two", file, text, or(vari, etc), ""},
		{"both of two", file, text, and(vari, etc), "no such file is watched"},
		{"one value of two", file, text, ask("file.path", begins, "/var/x", "/etc/x"), ""},
		{"anything but that", file, text, and(etc, not(vari)), ""},
		{"a pattern may be anything", file, text, ask("file.path", has, "/var/x"), ""},
		{"a kind that is not recorded", event.SetOf(event.KindDNS), text, ask("dns.query", equal, "x"), "events of kind dns are not recorded"},
		{"one kind of two", file | event.SetOf(event.KindDNS), text, or(etc, ask("dns.query", equal, "x")), ""},
		{"both kinds", file | event.SetOf(event.KindDNS), text, and(etc, ask("dns.query", equal, "x")), "events of kind dns are not recorded: dns.query is 'x'"},
		{"a call that is asked for", calls, text, ask("syscall.name", equal, "mount"), ""},
		{"a call that is not", calls, text, ask("syscall.name", equal, "sync"), "no rule asks for that system call: syscall.name is 'sync'"},
		{"a call of a record", event.AllKinds, alone, record("SYSCALL", equal, "sync"), "no rule asks for that system call"},
		{"a record that comes", event.AllKinds, alone, record("type", equal, "execve"), ""},
		{"a record that does not", event.AllKinds, alone, record("type", equal, "tty"), "no such record comes"},
		{"a log that is not there", event.AllKinds, linux("", "sshd"), record("Message", has, "x"), "its log (linux sshd) is none"},
		{"a category whose kind is not recorded", event.AllKinds, linux("network_connection", ""), record("DestinationPort", equal, "4444"), "events of kind network are not recorded"},
		{"a category that is", event.AllKinds, linux("file_event", ""), record("TargetFilename", begins, "/etc/x"), ""},
		{"a file of a category", event.AllKinds, linux("file_event", ""), record("TargetFilename", begins, "/var/x"), "no such file is watched"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b setBuilder
			b.add("1", tt.kinds, tt.e)
			b.set.Signals[0].Alone, b.set.Signals[0].Logsource = tt.logs != text, tt.logs
			got := strings.Join(b.program(t).CannotFire(0, r), "; ")
			if !strings.Contains(got, tt.want) || tt.want == "" && got != "" {
				t.Errorf("CannotFire = %q; want %q", got, tt.want)
			}
		})
	}
}
