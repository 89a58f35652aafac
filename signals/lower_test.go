// SPDX-License-Identifier: Apache-2.0

package signals_test

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"seismo/internal/event"
	"seismo/signals"
)

// expressions returns a definition for each expression.
func expressions(t *testing.T, texts ...string) []signals.Definition {
	t.Helper()
	var defs []signals.Definition
	for i, text := range texts {
		e, err := signals.ParseExpr("x", text)
		if err != nil {
			t.Fatalf("ParseExpr(%q): %v", text, explained(err))
		}
		defs = append(defs, signals.Definition{ID: string(rune('a' + i)), Name: text, Text: text, Expr: e})
	}
	return defs
}

func lower(t *testing.T, texts ...string) *signals.Set {
	t.Helper()
	set, err := signals.Lower(expressions(t, texts...))
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// Terms that ask the same are one term with one id; terms that ask something
// else have other ids.
func TestTermIDs(t *testing.T) {
	same := lower(t,
		"process.command_line contains 'a b'", "Process.CMD  Contains 'A B'", "process.cmd contains ('a b', 'A b')",
		"NOT (process.cmd contains NOT 'a b')", "process.name is x AND process.cmd contains r'a b'")
	if n := len(same.Terms); n != 2 {
		t.Errorf("%d terms, want 2: %v", n, same.Terms)
	}
	if id, alone := same.Terms[0].ID, lower(t, "process.cmd contains 'a b'").Terms[0].ID; id != alone {
		t.Errorf("id %016x among others, %016x alone", id, alone)
	}
	others := lower(t,
		"process.cmd contains 'a b'", "process.cmd contains NOT 'a b'", "process.cmd contains cased 'a b'", "process.cmd contains cased 'A B'",
		"process.cmd begins with 'a b'", "process.cmd contains ('a b', c)", "process.parent_cmd contains 'a b'", "record.'process.command_line' contains 'a b'",
		"group(process.cmd contains 'a b')", "process.cmd exists", "process.cmd exists NOT",
		"process.cmd glob 'a b'", "process.cmd path glob 'a b'", "process.cmd regex 'a b'", "process.cmd regex 'A b'", "process.cmd in list ab")
	seen := map[uint64]string{}
	for _, term := range others.Terms {
		if first, ok := seen[term.ID]; ok {
			t.Errorf("%s and %s have the id %016x", first, term.Text, term.ID)
		}
		seen[term.ID] = term.Text
	}
	if len(seen) != 16 {
		t.Errorf("%d terms, want 16", len(seen))
	}
	// The order of a list's values is no part of what it asks.
	if n := len(lower(t, "process.name is (a, b)", "process.name is (b, a)").Terms); n != 1 {
		t.Errorf("two orders of one list are %d terms, want 1", n)
	}
}

// Ids are stored: they stay what they were. Each is the beginning of the SHA-256 of
// the form that canonicalTerm describes, computed apart from it.
func TestTermIDsStay(t *testing.T) {
	tests := []struct {
		in   string
		want uint64
	}{
		{"process.cmd contains NOT cased ('b', 'A')", termID("field", "process.command_line", "contains", "\x01\x01\x00", "A", "b")},
		{"group(network.port is 80)", termID("field", "network.port", "is", "\x00\x00\x01", "\x00\x00\x00\x00\x00\x00\x00\x50")},
		{"record.'K' exists", termID("own", "K", "exists", "\x00\x00\x00", "")},
		{"network.port in list ports", termID("field", "network.port", "in list", "\x00\x00\x00", "ports")},
		{"file.path path glob '/A*'", termID("field", "file.path", "path glob", "\x00\x00\x00", "/a*")},
	}
	for _, tt := range tests {
		if got := lower(t, tt.in).Terms[0].ID; got != tt.want {
			t.Errorf("id of %s: %016x, want %016x", tt.in, got, tt.want)
		}
	}
}

// termID returns the id of a term from the parts of its canonical form.
func termID(sort, name, condition, flags string, values ...string) uint64 {
	var form []byte
	text := func(s string) {
		form = append(binary.BigEndian.AppendUint64(form, uint64(len(s))), s...)
	}
	text(sort)
	text(name)
	text(condition)
	text(flags)
	form = binary.BigEndian.AppendUint64(form, uint64(len(values)))
	for _, v := range values {
		text(v)
	}
	sum := sha256.Sum256(form)
	return binary.BigEndian.Uint64(sum[:8])
}

// What suppresses stands beside the signal, in a group, and adds nothing to the
// events that the signal fires on.
func TestLowerSuppress(t *testing.T) {
	defs, err := signals.ParseFile("x.yml", []byte(`id: 00000000-0000-4000-8000-000000000001
name: x
suppress: [process.name is a, user.name is b AND NOT (file.path is c)]
signal: file.path is d
`))
	if err != nil {
		t.Fatal(explained(err))
	}
	set, err := signals.Lower(defs)
	if err != nil {
		t.Fatal(err)
	}
	s := set.Signals[0]
	if len(s.Suppress) != 2 || set.Nodes[s.Suppress[0]].Op != signals.NodeTerm || set.Nodes[s.Suppress[1]].Op != signals.NodeAnd {
		t.Errorf("suppress: %v of %v", s.Suppress, set.Nodes)
	}
	if s.Kinds != event.SetOf(event.KindFile) {
		t.Errorf("kinds %b, want those of file events", s.Kinds)
	}
	for i, term := range set.Terms {
		if want := i > 0; term.Group != want {
			t.Errorf("term %s: in a group %v, want %v", term.Text, term.Group, want)
		}
	}
}

func TestSignalKinds(t *testing.T) {
	set := event.SetOf
	tests := []struct {
		in   string
		want event.KindSet
	}{
		{"process.name is a", set(event.KindProcess)},
		{"file.path is a", set(event.KindFile)},
		{"file.path is a AND process.name is b", set(event.KindFile)},
		{"file.path is a OR process.name is b", set(event.KindFile, event.KindProcess)},
		{"(file.path is a OR process.name is b) AND process.name is c", set(event.KindFile, event.KindProcess)},
		{"process.exit_code is 1", set(event.KindProcess)},
		{"user.id is 0", event.AllKinds},
		{"record.'x' exists", event.AllKinds},
		{"record.type is x", set(event.KindRecord)},
		{"group(user.id is 0 AND file.path is a)", set(event.KindFile)},
		{"group((dns.query is a OR file.path is b OR process.name is c) AND user.id is 0)", event.AllKinds},
		{"group(dns.query is a) AND group(file.path is b)", set(event.KindDNS, event.KindFile)},
		// A late value of the process completes what two events have met.
		{"dns.query is a AND file.path is b AND process.name is c", set(event.KindDNS, event.KindFile, event.KindProcess)},
		{"group(dns.query is a) AND file.path is b AND NOT (process.name is c)", set(event.KindDNS, event.KindFile, event.KindProcess)},
		{"dns.query is a AND file.path is b AND process.ancestry_name is c", set(event.KindDNS, event.KindFile, event.KindProcess)},
		{"dns.query is a AND file.path is b AND process.parent_name is c", set(event.KindDNS, event.KindFile)},
		{"dns.query is a AND file.path is NOT b AND process.name is c", set(event.KindDNS, event.KindFile)},
		{"group(dns.query is a AND user.id is 0) AND process.name is c", set(event.KindDNS)},
		{"(dns.query is a OR file.path is b) AND process.name is c", set(event.KindDNS, event.KindFile)},
	}
	for _, tt := range tests {
		if got := lower(t, tt.in).Signals[0].Kinds; got != tt.want {
			t.Errorf("kinds of %s: %b, want %b", tt.in, got, tt.want)
		}
	}
}

func TestLowerErrors(t *testing.T) {
	good := expressions(t, "user.id is 1", "user.id is 2")
	twice := slices.Clone(good)
	twice[1].ID = twice[0].ID
	without := slices.Clone(good)
	without[0].Expr = nil
	tests := []struct {
		name string
		defs []signals.Definition
		want string
	}{
		{"id twice", twice, "stands twice"},
		{"no expression", without, "has no checked expression"},
		{"too many", make([]signals.Definition, 20_001), "20001 signals, at most 20000"},
	}
	for _, tt := range tests {
		set, err := signals.Lower(tt.defs)
		if set != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Lower, %s: %v, %v; want an error with %q", tt.name, set, err, tt.want)
		}
	}
}

// Lower leaves its argument as it is.
func TestLowerKeepsArgument(t *testing.T) {
	defs := expressions(t, "user.id is 1", "user.id is 2")
	slices.Reverse(defs)
	if _, err := signals.Lower(defs); err != nil {
		t.Fatal(err)
	}
	if defs[0].ID != "b" || defs[1].ID != "a" {
		t.Errorf("order after Lower: %s, %s; want b, a", defs[0].ID, defs[1].ID)
	}
}
