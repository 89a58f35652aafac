// SPDX-License-Identifier: Apache-2.0

// This file holds the verbs against files that somebody made to harm: what they
// hold must not steer a terminal, nor break the form of JSON.

package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"seismo/engine"
	"seismo/recorder/monitordb"
	"seismo/signals"
)

// evil is text that a terminal would act on.
const evil = "\x1b]0;x\a\u202e\u0085"

// wantHarmless checks that out has nothing that a terminal acts on, and that it
// shows evil, escaped.
func wantHarmless(t *testing.T, what, out string) {
	t.Helper()
	if strings.ContainsAny(out, "\x1b\a\u202e\u0085") || !strings.Contains(out, `\x1b]0;x`) {
		t.Errorf("%s prints %q; want the escape %q of what is evil in it", what, out, `\x1b]0;x`)
	}
}

// command runs seismo and returns what it printed.
func command(t *testing.T, code int, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if got := run(args, strings.NewReader(""), &stdout, &stderr); got != code {
		t.Fatalf("seismo %q: exit code %d, %s; want %d", args, got, stderr.String(), code)
	}
	return stdout.String()
}

func TestHostileSignals(t *testing.T) {
	e, err := signals.ParseExpr("x", "process.name is a")
	if err != nil {
		t.Fatal(err)
	}
	list := []string{evil}
	set, err := signals.Lower([]signals.Definition{{ID: "a" + evil, Name: "A" + evil, Description: evil, Status: evil, Techniques: list,
		Platforms: list, Author: evil, References: list, FalsePositives: list, Response: evil, Labels: list, Text: evil, Revision: evil, Expr: e}})
	if err != nil {
		t.Fatal(err)
	}
	p, err := engine.Build(set)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "signals.bin")
	if err := engine.WriteFile(path, p); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"signals", "list"}, {"signals", "show", "a" + evil}} {
		wantHarmless(t, strings.Join(args[:2], " "), command(t, 0, append(args, "--signals", path)...))
		out := command(t, 0, append(args, "--signals", path, "--json")...)
		if !json.Valid([]byte(out)) || strings.ContainsFunc(out, func(r rune) bool { return r != '\n' && (r < ' ' || r > '~') }) {
			t.Errorf("%s --json prints %q; want JSON of ASCII", args[:2], out)
		}
	}
}

func TestHostileStatus(t *testing.T) {
	var out strings.Builder
	s := monitordb.Status{Path: evil, Host: monitordb.Host{Time: 1, Name: evil, Platform: evil, Kernel: evil, Version: evil},
		Stats: monitordb.Stats{Time: 1, Input: evil}, Kinds: []monitordb.KindCount{{Kind: evil}},
		Losses: 1, LatestLoss: evil, LatestLossDetail: evil, LatestLossCount: 1, LatestLossUnit: evil, SignalState: monitordb.SignalState{
			Load:       monitordb.LoadState{Time: 1, Source: evil, Error: evil},
			Overridden: []monitordb.SignalOverride{{Name: evil, Severity: evil, Reason: evil}},
			Suspended:  []monitordb.SignalSuspended{{Name: evil, Reason: evil}},
			Missing:    []monitordb.SignalList{{Name: evil, List: evil, Place: evil}},
			Dearest:    []monitordb.SignalCost{{Name: evil}}}}
	if err := showStatus(&out, s, evil); err != nil {
		t.Fatal(err)
	}
	wantHarmless(t, "status", out.String())
}

// A spreadsheet takes text that begins like a formula for one, but a number stays
// a number.
func TestQueryCSV(t *testing.T) {
	db := filepath.Join(t.TempDir(), "monitor.db")
	command(t, 0, "replay", "--db", db, filepath.Join("..", "..", "fixtures", "linux", "reverse-shell", "hit-live.log"))
	const want = "a,b,c,d\n-1,-0.5,'=1+1,'-x\n"
	if got := command(t, 0, "query", "--db", db, "--csv", "SELECT -1 AS a, -0.5 AS b, '=1+1' AS c, x'2d78' AS d"); got != want {
		t.Errorf("query --csv prints %q; want %q", got, want)
	}
}

// Whatever a statement gives, --json prints lines of JSON.
func TestQueryJSON(t *testing.T) {
	dir := t.TempDir()
	db := filepath.Join(dir, "monitor.db")
	command(t, 0, "replay", "--db", db, filepath.Join("..", "..", "fixtures", "linux", "reverse-shell", "hit-live.log"))
	for _, tt := range []struct{ query, want string }{
		{"SELECT 9e999 AS a, -9e999 AS b, 0.5 AS c", `{"a":"+Inf","b":"-Inf","c":0.5}`},
		{"SELECT 9007199254740993 AS a, 7 AS b, NULL AS c, x'ff' AS d", `{"a":"9007199254740993","b":7,"c":null,"d":{"hex":"ff"}}`},
		{"SELECT 1 AS \"\xff\"", `{"\\xff":1}`},
		{"SELECT char(27, 8238) AS \"\x1b\"", `{"\u001b":"\u001b\u202e"}`},
	} {
		if got := command(t, 0, "query", "--db", db, "--json", tt.query); got != tt.want+"\n" || !json.Valid([]byte(got)) {
			t.Errorf("query --json %q prints %s; want %s", tt.query, got, tt.want)
		}
		if out := command(t, 0, "query", "--db", db, tt.query); strings.ContainsAny(out, "\x1b\u202e") || !utf8.ValidString(out) {
			t.Errorf("query %q prints %q", tt.query, out)
		}
	}
}

// Signals that are right one by one, but too many together, are broken signals.
func TestTooManySignals(t *testing.T) {
	e, err := signals.ParseExpr("x", strings.Repeat("user.id is 1 OR ", 1999)+"user.id is 1")
	if err != nil {
		t.Fatal(err)
	}
	var defs []signals.Definition
	for i := range 501 {
		defs = append(defs, signals.Definition{ID: strconv.Itoa(i), Expr: e})
	}
	if _, err := build(defs); err == nil || exitCode(err) != exitBroken {
		t.Errorf("build of %d signals with 2,000 terms each: %v, exit code %d; want an error and %d", len(defs), err, exitCode(err), exitBroken)
	}
}
