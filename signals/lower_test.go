// SPDX-License-Identifier: Apache-2.0

package signals_test

import (
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
		"group(process.cmd contains 'a b')", "process.cmd exists", "process.cmd exists NOT")
	seen := map[uint64]string{}
	for _, term := range others.Terms {
		if first, ok := seen[term.ID]; ok {
			t.Errorf("%s and %s have the id %016x", first, term.Text, term.ID)
		}
		seen[term.ID] = term.Text
	}
	if len(seen) != 11 {
		t.Errorf("%d terms, want 11", len(seen))
	}
	// The order of a list's values is no part of what it asks.
	if n := len(lower(t, "process.name is (a, b)", "process.name is (b, a)").Terms); n != 1 {
		t.Errorf("two orders of one list are %d terms, want 1", n)
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
