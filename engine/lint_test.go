// SPDX-License-Identifier: Apache-2.0

// This file holds what lint says of a signal against what the plain evaluator does.

package engine

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"seismo/internal/event"
	"seismo/signals"
)

// lintField is a field of the random signals, and values that exclude, imply and
// repeat each other often.
type lintField struct {
	name   string
	values []string
	conds  []string
}

var (
	lintText   = []string{"is", "is cased", "contains", "begins with", "ends with", "begins with cased"}
	lintNumber = []string{"is", "<", "<=", ">", ">="}
	lintFields = []lintField{
		{"process.path", []string{"a", "b", "ab", "Ab", "/a", "/a/b"}, lintText},
		{"process.cwd", []string{"a", "B"}, lintText},
		{"process.name", []string{"a", "b", "/a"}, lintText},
		{"process.args", []string{"a", "b", "ab"}, lintText},
		{"process.ancestry_path", []string{"a", "/a"}, lintText},
		{"process.pid", []string{"-1", "1", "2", "3"}, lintNumber},
		{"process.operation", []string{"create", "end", "update"}, []string{"is"}},
		{"process.exit_code", []string{"0", "1"}, lintNumber},
		{"file.path", []string{"a", "b", "ab", "AB"}, lintText},
		{"file.operation", []string{"write", "rename", "open"}, []string{"is"}},
		{"file.target_path", []string{"a", "b"}, lintText},
		{"file.mode", []string{"1", "2", "3"}, lintNumber},
		{"network.address", []string{"10.0.0.1", "10.9.0.1", "::1"}, []string{"is", "ends with"}},
		{"network.address", []string{"10.0.0.0/8", "10.9.0.0/16", "::/0"}, []string{"in cidr"}},
		{"network.port", []string{"1", "2"}, lintNumber},
		{"user.name", []string{"a", "b"}, lintText},
		{"record.'k'", []string{"a", "b"}, lintText},
	}
)

// drawLintText draws an expression as text. Its terms are on few of the fields, so
// that they have to do with each other.
func drawLintText(t *rapid.T, fields []lintField, depth int, group bool) string {
	top := 4
	if depth == 0 {
		top = 0
	}
	switch n := rapid.IntRange(0, top).Draw(t, "op"); {
	case n == 1 || n == 2:
		var parts []string
		for range rapid.IntRange(2, 3).Draw(t, "parts") {
			parts = append(parts, drawLintText(t, fields, depth-1, group))
		}
		return "(" + strings.Join(parts, []string{" AND ", " OR "}[n-1]) + ")"
	case n == 3 && group:
		return "NOT (" + drawLintText(t, fields, depth-1, group) + ")"
	case n >= 3 && !group:
		return "group(" + drawLintText(t, fields, depth-1, true) + ")"
	}
	f := rapid.SampledFrom(fields).Draw(t, "field")
	cond := rapid.SampledFrom(append([]string{"exists"}, f.conds...)).Draw(t, "condition")
	cond, cased := strings.CutSuffix(cond, " cased")
	text := f.name + " " + cond
	if rapid.IntRange(0, 2).Draw(t, "not") == 0 {
		text += " NOT"
	}
	if cased {
		text += " cased"
	}
	if cond == "exists" {
		return text
	}
	values := rapid.SliceOfNDistinct(rapid.SampledFrom(f.values), 1, 2, rapid.ID).Draw(t, "values")
	if strings.ContainsAny(cond, "<>") {
		values = values[:1]
	}
	return text + " ('" + strings.Join(values, "', '") + "')"
}

// drawLintBatch draws the events of a few processes, some of which exec, whose values
// are those of the random signals. What the registry says of operations holds.
func drawLintBatch(t *rapid.T) *event.Batch {
	b := event.NewBatch(12)
	text := rapid.SampledFrom([]string{"a", "b", "ab", "Ab", "AB", "/a", "/a/b", "x"})
	var procs []*event.Process
	for i := range 3 {
		p := &event.Process{ID: event.ProcessKey(i + 1), PID: int32(i), Path: text.Draw(t, "path"), Start: 1}
		p.Args = rapid.SampledFrom([][]string{nil, {"a"}, {"b", "ab"}}).Draw(t, "args")
		if rapid.Bool().Draw(t, "cwd") {
			p.Cwd = text.Draw(t, "cwd value")
		}
		if i > 0 && rapid.Bool().Draw(t, "of the one before") {
			p.Parent = procs[i-1]
		} else if i > 0 && rapid.Bool().Draw(t, "image before") {
			p.Previous = procs[i-1]
		}
		procs = append(procs, p)
	}
	for range 12 {
		kind := rapid.SampledFrom([]event.Kind{event.KindProcess, event.KindFile, event.KindNetwork, event.KindSyscall}).Draw(t, "kind")
		op := rapid.SampledFrom(event.Ops(kind)).Draw(t, "op")
		te := testEvent{kind: kind, op: op, process: rapid.SampledFrom(procs).Draw(t, "process"), fields: fields{}}
		maybe := func(f event.Field, v func() any) {
			if event.Describe(f).Kinds.Has(kind) && rapid.Bool().Draw(t, "there") {
				te.fields[f] = v()
			}
		}
		maybe(event.FilePath, func() any { return text.Draw(t, "file") })
		maybe(event.FileMode, func() any { return rapid.IntRange(0, 4).Draw(t, "mode") })
		maybe(event.NetworkPort, func() any { return rapid.IntRange(0, 3).Draw(t, "port") })
		maybe(event.NetworkAddress, func() any { return drawLintAddress(t) })
		maybe(event.UserName, func() any { return text.Draw(t, "user") })
		switch op {
		case event.OpRename, event.OpLink:
			maybe(event.FileTargetPath, func() any { return text.Draw(t, "target") })
		case event.OpEnd:
			maybe(event.ProcessExitCode, func() any { return rapid.IntRange(0, 2).Draw(t, "code") })
		case event.OpUpdate:
			maybe(event.ProcessCwd, func() any { return text.Draw(t, "late cwd") })
		}
		if rapid.Bool().Draw(t, "own") {
			te.own = []ownField{{0, "k", text.Draw(t, "own value")}}
		}
		te.addTo(b)
	}
	return b
}

func drawLintAddress(t *rapid.T) any {
	return netip.MustParseAddr(rapid.SampledFrom([]string{"10.0.0.1", "10.9.0.1", "::1", "192.0.2.1"}).Draw(t, "address"))
}

var lintKinds = regexp.MustCompile(`^signal fires on every (.*)$`)

// lintEvery returns what lint says that a signal fires on.
func lintEvery(t interface{ Fatalf(string, ...any) }, message string) func(*event.Event) bool {
	what := lintKinds.FindStringSubmatch(message)
	if what == nil {
		t.Fatalf("always-fires says %q", message)
	}
	if what[1] == "process" {
		return func(e *event.Event) bool { return e.Kind == event.KindProcess && e.Op == event.OpCreate }
	}
	kinds := strings.Fields(strings.TrimSuffix(what[1], "event"))
	return func(e *event.Event) bool { return len(kinds) == 0 || slices.Contains(kinds, e.Kind.String()) }
}

// A signal that lint says never fires does not, one that it says always fires does,
// and none fires without a branch that lint leaves standing.
func TestLintAgreesWithMatch(t *testing.T) {
	said := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		var defs []signals.Definition
		fields := rapid.SliceOfN(rapid.SampledFrom(lintFields), 1, 3).Draw(t, "fields")
		for i := range 4 {
			text := drawLintText(t, fields, 2, false)
			e, err := signals.ParseExpr("x", text)
			if err != nil {
				continue // a group of two kinds
			}
			defs = append(defs, signals.Definition{ID: fmt.Sprint(i), Name: fmt.Sprint(i), Text: text, Expr: e})
		}
		set, err := signals.Lower(defs)
		if err != nil {
			t.Fatalf("Lower: %v", err)
		}
		p, err := Build(set)
		if err != nil {
			t.Fatalf("Build: %v", err)
		}
		b := drawLintBatch(t)
		p.NewMatcherWith(MatcherOptions{DisableSignalsTrie: true}).Match(b)
		for i, d := range defs { // in the order of the ids
			for _, finding := range signals.Lint([]signals.Definition{d}) {
				said[finding.Code]++
				for _, e := range b.Events() {
					fired := slices.ContainsFunc(e.Tags, func(tag event.Tag) bool { return tag.Signal == uint32(i) })
					switch {
					case finding.Code == "never-fires" && fired:
						t.Fatalf("%s\nfires on a %s %s event, but %v", d.Text, e.Kind, e.Op, finding)
					case finding.Code == "always-fires" && !fired && lintEvery(t, finding.Message)(e):
						t.Fatalf("%s\ndoes not fire on a %s %s event, but %v", d.Text, e.Kind, e.Op, finding)
					}
				}
			}
		}
	})
	for _, code := range []string{"never-fires", "always-fires", "always-false", "always-true"} {
		if said[code] == 0 {
			t.Errorf("no random signal drew %s: nothing was shown of it", code)
		}
	}
}

// What lint calls superfluous can be left out: the signal without it fires on the
// same events.
func TestImpliedLiteralsChangeNothing(t *testing.T) {
	values, terms := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		fields := rapid.SliceOfN(rapid.SampledFrom(lintFields), 1, 2).Draw(t, "fields")
		text := drawLintText(t, fields, 2, false)
		e, err := signals.ParseExpr("x", text)
		if err != nil {
			t.Skip("a group of two kinds")
		}
		found := signals.Lint([]signals.Definition{{Expr: e, Text: text}})
		i := slices.IndexFunc(found, func(d signals.Diagnostic) bool { return d.Code == "implied-literal" })
		if i < 0 {
			t.Skip("nothing is superfluous")
		}
		whole := e.String()
		kept, value := leftOut(e, found[i].Pos)
		if kept == nil {
			t.Fatalf("%s: nothing stands where lint says %v", text, found[i])
		}
		if value {
			values++
		} else {
			terms++
		}
		b := drawLintBatch(t)
		if want, got := firedBy(t, whole, b), firedBy(t, kept.String(), b); !slices.Equal(want, got) {
			t.Fatalf("%s fires on %v\n%s fires on %v, but %v", whole, want, kept, got, found[i])
		}
	})
	if values == 0 || terms == 0 {
		t.Errorf("%d values and %d terms were left out, want some of both", values, terms)
	}
}

// leftOut returns e without the value or the term that stands at pos, and whether it
// was one value of several; nil if nothing is left or nothing stands there.
func leftOut(e *signals.Expr, pos signals.Position) (kept *signals.Expr, value bool) {
	if e.Op == signals.ExprTerm {
		if e.Term.Pos == pos {
			return nil, false
		}
		for i, v := range e.Term.Values {
			if v.Pos != pos {
				continue
			}
			if len(e.Term.Values) == 1 {
				return nil, false
			}
			e.Term.Values = slices.Delete(slices.Clone(e.Term.Values), i, i+1)
			return e, true
		}
		return e, false
	}
	var kids []*signals.Expr
	for _, k := range e.Kids {
		k, one := leftOut(k, pos)
		value = value || one
		if k != nil {
			kids = append(kids, k)
		}
	}
	if len(kids) == 1 && (e.Op == signals.ExprAnd || e.Op == signals.ExprOr) {
		return kids[0], value
	}
	if len(kids) == 0 {
		return nil, value
	}
	return &signals.Expr{Op: e.Op, Kids: kids}, value
}

// firedBy returns the events of b that a signal of the expression text fires on.
func firedBy(t *rapid.T, text string, b *event.Batch) (ids []event.ID) {
	e, err := signals.ParseExpr("x", text)
	if err != nil {
		t.Fatalf("ParseExpr(%s): %v", text, err)
	}
	set, err := signals.Lower([]signals.Definition{{ID: "x", Expr: e}})
	if err != nil {
		t.Fatalf("Lower: %v", err)
	}
	p, err := Build(set)
	if err != nil {
		t.Fatalf("Build: %v", err)
	}
	for _, e := range b.Events() {
		e.Tags = nil
	}
	p.NewMatcherWith(MatcherOptions{DisableSignalsTrie: true}).Match(b)
	for _, e := range b.Events() {
		if len(e.Tags) > 0 {
			ids = append(ids, e.ID)
		}
	}
	return ids
}

// Lint says of just those signals that they are judged on every event of some kind
// for which the engine finds nothing to wait for.
func TestLintKnowsWhatTheEngineLooksFor(t *testing.T) {
	// What lint says instead of it, and what it knows better than the engine.
	other := []string{"never-fires", "always-fires", "always-false", "no-positive", "repeated-term"}
	idle, waiting := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		fields := append(rapid.SliceOfN(rapid.SampledFrom(lintFields), 1, 2).Draw(t, "fields"),
			lintField{"process.command_line", []string{"ab", "abcd", "abc.*de"}, []string{"contains", "regex", "glob", "in list"}})
		text := drawLintText(t, fields, 2, false)
		e, err := signals.ParseExpr("x", text)
		if err != nil {
			t.Skip("refused")
		}
		found := signals.Lint([]signals.Definition{{Expr: e, Text: text}})
		if slices.ContainsFunc(found, func(d signals.Diagnostic) bool { return slices.Contains(other, d.Code) }) {
			t.Skip("something else is said")
		}
		said := slices.ContainsFunc(found, func(d signals.Diagnostic) bool { return d.Code == "no-literal" })
		set, err := signals.Lower([]signals.Definition{{ID: "x", Expr: e}})
		if err != nil {
			t.Fatalf("Lower: %v", err)
		}
		p, err := Build(set)
		if err != nil {
			t.Fatalf("Build: %v", err)
		}
		judged := len(p.tables.always)+len(p.tables.checked) > 0
		if judged {
			idle++
		} else {
			waiting++
		}
		if said != judged {
			t.Fatalf("%s: the engine judges it without a trigger: %v; lint says so: %v", text, judged, said)
		}
	})
	if idle == 0 || waiting == 0 {
		t.Errorf("%d signals without a trigger, %d with: want some of both", idle, waiting)
	}
}

// What lint says of a signal in CEL being never or always true holds as well. Its
// random events have fields that come with other operations only: a finding on those is
// left out.
func TestLintAgreesWithMatchCEL(t *testing.T) {
	m := celMaker{rand.New(rand.NewPCG(2, 72))}
	said := map[string]int{}
	for range 6000 {
		join := m.one(" && ", " || ")
		text := m.expr(m.IntN(2)) + join + m.expr(m.IntN(2)) + join + m.expr(m.IntN(2))
		defs, err := signals.ParseFile("x", []byte("id: 00000000-0000-4000-8000-000000000000\nname: x\ncel: |\n  "+text+"\n"))
		if err != nil {
			continue
		}
		found := signals.Lint(defs)
		found = slices.DeleteFunc(found, func(d signals.Diagnostic) bool { return d.Code != "never-fires" && d.Code != "always-fires" })
		if len(found) == 0 || slices.ContainsFunc(signals.Lint(defs), func(d signals.Diagnostic) bool { return strings.Contains(d.Message, "events of the operations") }) {
			continue
		}
		p, why := lowerCEL(t, text)
		if p == nil {
			t.Fatalf("%s: %s", text, why)
		}
		said[found[0].Code]++
		b := m.events(40)
		p.NewMatcherWith(MatcherOptions{DisableSignalsTrie: true}).Match(b)
		for _, e := range b.Events() {
			fired := len(e.Tags) > 0
			if found[0].Code == "never-fires" && fired || found[0].Code == "always-fires" && !fired && lintEvery(t, found[0].Message)(e) {
				t.Fatalf("%s\non a %s %s event: fired %v, but %v", text, e.Kind, e.Op, fired, found[0])
			}
		}
	}
	if said["never-fires"] == 0 || said["always-fires"] == 0 {
		t.Errorf("findings: %v, want some of both", said)
	}
	t.Logf("findings: %v", said)
}
