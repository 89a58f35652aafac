// SPDX-License-Identifier: Apache-2.0

// This file tests the whole way of a signal: from its text by package signals to
// tags on events.

package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"seismo/internal/event"
	"seismo/signals"
)

// compile builds the program of definitions in YAML.
func compile(t tb, src string) *Program {
	t.Helper()
	defs, err := signals.ParseFile("test.yml", []byte(src))
	if err != nil {
		t.Fatalf("ParseFile: %v\n%s", err, src)
	}
	set, err := signals.Lower(defs)
	if err != nil {
		t.Fatalf("Lower: %v\n%s", err, src)
	}
	p, err := Build(set)
	if err != nil {
		t.Fatalf("Build: %v\n%s", err, src)
	}
	return p
}

// definition is a signal in YAML; n makes its id.
func definition(n int, text string) string {
	return fmt.Sprintf("id: %08d-0000-4000-8000-000000000000\nname: signal %d\ndescription: made by a test\nseverity: low\nplatforms: [linux]\nsignal: |\n  %s\n", n, n, text)
}

// Signals as a person writes them, on events.
func TestTextToTags(t *testing.T) {
	shell := family()
	ofShell := fileEvent("/Etc/cron.d/x")
	ofShell.process = shell
	out := testEvent{kind: event.KindNetwork, op: event.OpConnect, process: shell,
		fields: fields{event.NetworkPort: 4444}}
	tests := []struct {
		name, text string
		on         testEvent
		want       bool
	}{
		{"a term on a file", `file.path begins with '/etc/cron.d/'`, ofShell, true},
		{"objects and keywords in any case", `FILE.Path BEGINS WITH '/etc/' and Process.Name IS bash`, ofShell, true},
		{"AND binds tighter", `file.path is x AND process.name is bash OR file.operation is write`, ofShell, true},
		{"parentheses", `file.path is x AND (process.name is bash OR file.operation is write)`, ofShell, false},
		{"NOT over parentheses", `file.path exists AND NOT (process.name is zsh OR file.path ends with '/y')`, ofShell, true},
		{"cased", `file.path begins with cased '/etc/'`, ofShell, false},
		{"exists NOT", `file.path exists AND file.target_path exists NOT`, ofShell, true},
		{"a group", `group(process.path ends with ('/bash', '/sh') AND network.port > 1023)`, out, true},
		{"an ancestor", `process.ancestry_name is sshd AND network.port is (80, 4444)`, out, true},
		{"a process at its publication", `process.ancestry_name is sshd AND process.name is bash`, execEvent(shell), true},
		{"a process at another event", `process.ancestry_name is sshd AND process.name is bash`, out, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := compile(t, definition(1, tt.text))
			if got := len(fired(t, p, "linux", tt.on)) > 0; got != tt.want {
				t.Errorf("%s fired = %v, want %v", tt.text, got, tt.want)
			}
		})
	}
}

// The deepest expression that the text language takes can be compiled.
func TestDeepestText(t *testing.T) {
	text := "file.path is a"
	for range 63 {
		text = "file.path is b AND file.path is c OR file.path is d AND (" + text + ")"
	}
	p := compile(t, definition(1, "group("+text+")"))
	if got := len(fired(t, reload(t, p), "linux", fileEvent("a"))) > 0; got {
		t.Errorf("a term 63 levels deep fired without what stands around it")
	}
}

// Random expressions written as text, lowered and compiled, fire where the
// second evaluator of naive_test.go says so on the expression as it was drawn.
// That includes the kinds that lowering gives a signal: it must lose no event.
func TestLoweredTextAgreesWithNaive(t *testing.T) {
	fires := 0
	rapid.Check(t, func(t *rapid.T) {
		var src []string
		world := newNaiveWorld(nil)
		for i := range rapid.IntRange(1, 4).Draw(t, "signals") {
			e := drawExpr(t, 3, false)
			if rapid.Bool().Draw(t, "joined") { // most random signals need no memory
				e = and(e, drawExpr(t, 1, false))
			}
			if !writable(e) {
				continue
			}
			text := definition(i, e.text())
			if _, err := signals.ParseFile("test.yml", []byte(text)); err != nil && strings.Contains(err.Error(), "this group is never true") {
				continue // a part of the group asks for two kinds on one event
			}
			world.signals = append(world.signals, naiveSignal{name: fmt.Sprint("signal ", i), e: e})
			src = append(src, text)
		}
		if len(src) == 0 {
			t.Skip("nothing that can be written as text")
		}
		world.reload(world.signals)
		p := reload(t, compile(t, strings.Join(src, "---\n")))
		batch := event.NewBatch(16)
		batch.Platform = "linux"
		for range 8 {
			drawEvent(t, batch)
		}
		pool := drawPool(t, 2)
		for range 8 {
			drawEventOf(t, batch, rapid.SampledFrom(pool).Draw(t, "of"))
		}
		p.NewMatcher().Match(batch)
		for _, ev := range batch.Events() {
			want, got := map[string]int{}, map[string]int{}
			proofs, _ := world.judge(ev)
			for name, items := range proofs {
				want[name] = len(items)
				fires++
			}
			for _, tag := range ev.Tags {
				got[p.Definitions()[tag.Signal].Name] = len(tag.Proof)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("items by signal on a %s %s event (-naive +Match):\n%s", ev.Kind, ev.Op, diff)
			}
		}
	})
	if fires == 0 {
		t.Error("nothing fired: the test shows nothing")
	}
}

// writable reports whether the checker takes e's values as text: UTF-8,
// not empty, within the range of their field and of a condition that it has.
func writable(e expr) bool {
	if e.op != signals.NodeTerm {
		return !slices.ContainsFunc(e.kids, func(k expr) bool { return !writable(k) })
	}
	t := e.term
	in, _ := event.Lookup(t.field)
	for _, v := range t.values {
		if v == "" || !utf8.ValidString(v) || t.cond == signals.Is && (in.Type == event.Hash || strings.HasSuffix(t.field, ".operation")) {
			return false
		}
	}
	if t.cond != signals.Is && (len(t.number) > 1 || in.Type == event.Identifier && t.cond != signals.Exists) {
		return false // an order takes one value, and there is none on ids
	}
	for _, n := range t.number {
		if n < 0 && in.Type == event.Identifier || (n < 0 || n > 65535) && strings.HasSuffix(t.field, "port") {
			return false
		}
	}
	return true
}
