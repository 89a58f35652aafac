// SPDX-License-Identifier: Apache-2.0

// This file draws random signals, processes and events, and holds the matcher
// against the second evaluator of naive_test.go.

package engine

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"seismo/internal/event"
	"seismo/internal/namedlist"
	"seismo/signals"
)

// The random signals and events share few values, so that many terms are met.
var (
	drawText   = rapid.SampledFrom([]string{"", "a", "B", "ab", "Ab", "/a/b", "b\xff", "aab"})
	drawNumber = rapid.SampledFrom([]int64{-1, 0, 1, 443, 1<<63 - 1})
	drawAddr   = rapid.SampledFrom([]string{"10.0.0.1", "10.9.0.1", "::1", "2001:db8::a"})
	drawPrefix = rapid.SampledFrom([]string{"10.0.0.0/16", "::/0", "0.0.0.0/0", "::1/128"})
	drawGlob   = rapid.SampledFrom([]string{"*", "a*", "*b", "/*/b", "?", "a?", "/*"})
	drawRegex  = rapid.SampledFrom([]string{"^a", "b$", "a+b", "[a-b]$", "^/"})
	drawList   = rapid.SampledFrom([]string{"letters", "words", "none"})
	drawField  = rapid.SampledFrom([]string{"file.path", "file.target_path", "file.operation", "file.mode", "network.address", "network.port",
		"process.path", "process.name", "process.args", "process.hash", "process.id", "process.exit_code", "process.parent_path",
		"process.ancestry_path", "process.ancestry_hash", "process.ancestry_user_group", "process.parent_hash", "process.group_name", "process.tty", "process.operation", "user.name", "syscall.arguments", "record.'k'", "record.'K'"})
)

var randomLists = map[string][]string{"letters": {"a", "b"}, "words": {"Ab", "aab", "/a/b"}, "none": nil}

func drawExpr(t *rapid.T, depth int, inGroup bool) expr {
	top := 4
	if inGroup {
		top = 3
	}
	if depth == 0 {
		top = 0
	}
	switch rapid.IntRange(0, top).Draw(t, "op") {
	case 2:
		return and(drawKids(t, depth, inGroup)...)
	case 3:
		return or(drawKids(t, depth, inGroup)...)
	case 4:
		return group(drawExpr(t, depth-1, true))
	}
	return expr{term: drawTerm(t)}
}

func drawKids(t *rapid.T, depth int, inGroup bool) []expr {
	kids := make([]expr, rapid.IntRange(1, 3).Draw(t, "kids"))
	for i := range kids {
		kids[i] = drawExpr(t, depth-1, inGroup)
	}
	return kids
}

func drawTerm(t *rapid.T) testTerm {
	out := testTerm{field: drawField.Draw(t, "field"), not: rapid.Bool().Draw(t, "not")}
	in, _ := event.Lookup(out.field)
	n := rapid.IntRange(1, 3).Draw(t, "values")
	if rapid.IntRange(0, 5).Draw(t, "exists") == 0 {
		out.cond = signals.Exists
		return out
	}
	switch in.Type {
	case event.Integer, event.Identifier:
		out.cond = rapid.SampledFrom([]signals.Condition{equal, less, lessEq, greater, greaterEq}).Draw(t, "cond")
		out.number = rapid.SliceOfN(drawNumber, n, n).Draw(t, "numbers")
	case event.Address:
		out.cond = rapid.SampledFrom([]signals.Condition{equal, inCIDR, has, begins, ends}).Draw(t, "cond")
		values := map[signals.Condition]*rapid.Generator[string]{equal: drawAddr, inCIDR: drawPrefix}[out.cond]
		if values == nil {
			values = rapid.SampledFrom([]string{"1", "10.", "db8", "a"})
		}
		out.values = rapid.SliceOfN(values, n, n).Draw(t, "addresses")
	default:
		out.cond = rapid.SampledFrom([]signals.Condition{equal, has, begins, ends, signals.Glob, signals.PathGlob, signals.Regex, signals.InList}).Draw(t, "cond")
		out.cased = rapid.Bool().Draw(t, "cased")
		if out.cond == signals.PathGlob && in.Type == event.Hash {
			out.cond = signals.Glob
		}
		values := map[signals.Condition]*rapid.Generator[string]{signals.Glob: drawGlob, signals.PathGlob: drawGlob,
			signals.Regex: drawRegex, signals.InList: drawList}[out.cond]
		if values == nil {
			values = drawText
		}
		out.values = rapid.SliceOfN(values, n, n).Draw(t, "texts")
	}
	return out
}

// drawSignals draws between 1 and 4 signals, some of them with expressions that
// suppress them.
func drawSignals(t *rapid.T, names ...string) (drawn []naiveSignal) {
	for _, name := range names {
		s := naiveSignal{name: name, e: drawExpr(t, 3, false)}
		if rapid.IntRange(0, 2).Draw(t, "joined") > 0 { // most random signals need no memory
			s.e = and(s.e, drawExpr(t, 2, false))
		}
		if rapid.IntRange(0, 3).Draw(t, "suppressed") == 0 {
			s.suppress = append(s.suppress, drawExpr(t, 1, true))
		}
		drawn = append(drawn, s)
	}
	return drawn
}

// buildNaive compiles sigs, with the lists that random terms name.
func buildNaive(t tb, sigs []naiveSignal) *Program {
	t.Helper()
	var b setBuilder
	for _, s := range sigs {
		b.add(s.name, event.AllKinds, s.e)
		for _, e := range s.suppress {
			last := &b.set.Signals[len(b.set.Signals)-1]
			last.Suppress = append(last.Suppress, b.node(e, true))
		}
	}
	p, err := Build(&b.set)
	if err != nil {
		t.Fatalf("Build: %v", err)
	}
	lists := map[string]*namedlist.List{}
	for name, values := range randomLists {
		if lists[name], err = namedlist.Read(name, strings.NewReader(strings.Join(values, "\n"))); err != nil {
			t.Fatalf("namedlist.Read: %v", err)
		}
	}
	return p.With(Options{Lists: lists})
}

func drawProcess(t *rapid.T, generations int) *event.Process {
	if generations == 0 || rapid.IntRange(0, 3).Draw(t, "no process") == 0 {
		return nil
	}
	p := &event.Process{Path: drawText.Draw(t, "path"), GroupName: drawText.Draw(t, "group"), ID: event.ProcessKey(drawNumber.Draw(t, "id"))}
	p.Args = rapid.SampledFrom([][]string{nil, {}, {"a"}, {"B", "ab"}}).Draw(t, "args")
	p.Hash = rapid.SampledFrom([][]string{nil, {"aab", "b"}}).Draw(t, "hash")
	p.Parent, p.Previous = drawProcess(t, generations-1), drawProcess(t, generations-1)
	return p
}

// drawEvent adds an event of a process that is drawn, too.
func drawEvent(t *rapid.T, b *event.Batch) *event.Event {
	return drawEventOf(t, b, drawProcess(t, 3))
}

func drawEventOf(t *rapid.T, b *event.Batch, p *event.Process) *event.Event {
	kind := rapid.SampledFrom([]event.Kind{event.KindProcess, event.KindFile, event.KindNetwork, event.KindSyscall, event.KindRecord}).Draw(t, "kind")
	ops := event.Ops(kind)
	if kind == event.KindProcess { // late values need company
		ops = append(slices.Clone(ops), event.OpUpdate, event.OpUpdate)
	}
	te := testEvent{kind: kind, op: rapid.SampledFrom(ops).Draw(t, "op"), process: p, fields: fields{}}
	for _, name := range []string{"file.path", "file.target_path", "file.mode", "network.address", "network.port", "process.path",
		"process.args", "process.hash", "process.tty", "process.id", "process.exit_code", "user.name", "syscall.arguments"} {
		in, _ := event.Lookup(name)
		if !in.Kinds.Has(kind) || rapid.Bool().Draw(t, "absent") {
			continue
		}
		switch in.Type {
		case event.String:
			te.fields[in.Field] = drawText.Draw(t, name)
		case event.List, event.Hash:
			te.fields[in.Field] = rapid.SliceOfN(drawText, 1, 2).Draw(t, name)
		case event.Address:
			te.fields[in.Field] = netip.MustParseAddr(drawAddr.Draw(t, name))
		default:
			te.fields[in.Field] = int(drawNumber.Draw(t, name))
		}
	}
	for range rapid.IntRange(0, 4).Draw(t, "own") {
		te.own = append(te.own, ownField{len(te.own) / 2, rapid.SampledFrom([]string{"k", "K"}).Draw(t, "name"), drawText.Draw(t, "value")})
	}
	return te.addTo(b)
}

// drawPool draws n processes with ids of their own that fork and exec from each
// other.
func drawPool(t *rapid.T, n int) (pool []*event.Process) {
	for i := range n {
		p := &event.Process{ID: event.ProcessKey(1000 + i), UserID: event.NoID, GroupID: event.NoID, LoginUserID: event.NoID, Session: event.NoID}
		p.Path, p.GroupName = drawText.Draw(t, "path"), drawText.Draw(t, "group")
		p.TTY = rapid.SampledFrom([]string{"", "", "a"}).Draw(t, "tty") // most learn it late, if at all
		p.Args = rapid.SampledFrom([][]string{nil, {}, {"a"}, {"B", "ab"}}).Draw(t, "args")
		p.Hash = rapid.SampledFrom([][]string{nil, nil, {"aab", "b"}}).Draw(t, "hash")
		if i > 0 {
			from := rapid.SampledFrom(pool).Draw(t, "from")
			switch rapid.IntRange(0, 3).Draw(t, "origin") {
			case 0:
				p.Parent = from
			case 1, 2: // an exec
				p.Parent, p.Previous = from.Parent, from
			}
		}
		pool = append(pool, p)
	}
	return pool
}

// longRounds returns how many times a random test is run: in the long form, with
// SEISMO_LONG=1, about 100,000 programs are drawn.
func longRounds() int {
	if os.Getenv("SEISMO_LONG") != "" {
		return 1000
	}
	return 20
}

// Random signals with memory fire on random events of processes that fork, exec, end
// and get late values exactly where the second evaluator says so, and their proof is
// its first branch, value by value. The matcher is saved and restored in between,
// reloaded with other signals, and asked with tables of literals and without.
func TestMatchAgreesWithNaive(t *testing.T) {
	var seen naiveFigures
	for range longRounds() {
		rapid.Check(t, func(t *rapid.T) { agreeOnce(t, &seen) })
	}
	t.Logf("%+v", seen)
	if seen.fires*100 < seen.judged || seen.earlier == 0 || seen.kept == 0 || seen.suppressed == 0 || seen.reloads == 0 {
		t.Errorf("too little happened to show anything: %+v", seen)
	}
}

// naiveFigures count what happened in a random test.
type naiveFigures struct{ judged, fires, earlier, kept, suppressed, reloads int }

func agreeOnce(t *rapid.T, seen *naiveFigures) {
	sigs := drawSignals(t, []string{"a", "b", "c", "d"}[:rapid.IntRange(1, 4).Draw(t, "signals")]...)
	pool := drawPool(t, rapid.IntRange(1, 6).Draw(t, "processes"))
	world := newNaiveWorld(randomLists, sigs...)
	p := buildNaive(t, sigs)
	plain, fast := p.NewMatcherWith(MatcherOptions{DisableSignalsTrie: true}), p.NewMatcher()
	for n := range rapid.IntRange(1, 8).Draw(t, "batches") {
		batch := event.NewBatch(4)
		for range rapid.IntRange(1, 4).Draw(t, "events") {
			var of *event.Process
			if rapid.IntRange(0, 9).Draw(t, "process") > 0 {
				of = rapid.SampledFrom(pool).Draw(t, "of")
			}
			ev := drawEventOf(t, batch, of)
			ev.ID, ev.Time = ev.ID+event.ID(100*n), ev.Time+int64(n)
		}
		if rapid.IntRange(0, 4).Draw(t, "end") == 0 {
			batch.Ended = append(batch.Ended, rapid.SampledFrom(pool).Draw(t, "ended").ID)
		}
		agreeOnBatch(t, world, []*Matcher{plain, fast}, batch, seen)
		switch rapid.IntRange(0, 7).Draw(t, "then") {
		case 0:
			plain, fast = restart(t, plain), restart(t, fast)
		case 1:
			sigs = changeSignals(t, sigs, n)
			world.reload(sigs)
			p = buildNaive(t, sigs)
			oldPlain, oldFast := plain, fast
			plain, fast = p.NewMatcherWith(MatcherOptions{DisableSignalsTrie: true}), p.NewMatcher()
			plain.TakeOver(oldPlain)
			fast.TakeOver(oldFast)
			seen.reloads++
		}
	}
}

// changeSignals keeps some of sigs, changes some and adds one.
func changeSignals(t *rapid.T, sigs []naiveSignal, n int) (next []naiveSignal) {
	for _, s := range sigs {
		switch rapid.IntRange(0, 3).Draw(t, "change") {
		case 0:
		case 1:
			next = append(next, drawSignals(t, s.name)...)
		default:
			next = append(next, s)
		}
	}
	return append(next, drawSignals(t, fmt.Sprint("z", n))...)
}

// restart saves what m remembers and returns a matcher that has it back. What is
// saved again is the same bytes.
func restart(t *rapid.T, m *Matcher) *Matcher {
	var saved, again bytes.Buffer
	if err := m.SaveState(&saved); err != nil {
		t.Fatalf("SaveState: %v", err)
	}
	next := m.p.NewMatcherWith(m.options)
	if err := next.LoadState(bytes.NewReader(saved.Bytes())); err != nil {
		t.Fatalf("LoadState: %v", err)
	}
	if err := next.SaveState(&again); err != nil || !bytes.Equal(saved.Bytes(), again.Bytes()) {
		t.Fatalf("SaveState after LoadState: %d bytes, %v; want the %d bytes that were loaded", again.Len(), err, saved.Len())
	}
	return next
}

// agreeOnBatch judges batch with world and with each matcher.
func agreeOnBatch(t *rapid.T, world *naiveWorld, matchers []*Matcher, batch *event.Batch, seen *naiveFigures) {
	type result struct {
		Fires map[string][]event.ProofItem
		Keep  bool
	}
	var want []result
	for _, ev := range batch.Events() {
		fires, keep := world.judge(ev)
		want = append(want, result{fires, keep})
		seen.judged += len(world.signals)
		seen.fires += len(fires)
		for _, items := range fires {
			if slices.ContainsFunc(items, func(it event.ProofItem) bool { return it.Event != ev.ID }) {
				seen.earlier++
			}
		}
		if keep && len(fires) == 0 {
			seen.kept++
		}
	}
	world.end(batch.Ended)
	for n, m := range matchers {
		for _, ev := range batch.Events() {
			ev.Tags, ev.Verdict = nil, event.Record
		}
		batch.Losses = nil
		m.Match(batch)
		for _, s := range m.Statistics() {
			seen.suppressed += int(s.Suppressed)
		}
		for i, ev := range batch.Events() {
			got := result{map[string][]event.ProofItem{}, ev.Verdict == event.Keep}
			for _, tag := range ev.Tags {
				got.Fires[m.Program().Definitions()[tag.Signal].ID] = tag.Proof
			}
			if diff := cmp.Diff(want[i], got, cmpopts.IgnoreFields(event.ProofItem{}, "Term")); diff != "" {
				for _, s := range world.signals {
					t.Logf("signal %s: %s, suppressed by %v", s.name, s.e.text(), s.suppress)
				}
				t.Fatalf("%s: proofs by signal on event %d, %s %s of %+v (-naive +Match):\n%s",
					[]string{"plain", "with tables"}[n], ev.ID, ev.Kind, ev.Op, ev.Process, diff)
			}
		}
		if len(batch.Losses) > 0 {
			t.Errorf("Losses = %v, want none", batch.Losses)
		}
	}
}

// New ids, and with them another order of the signals, change nothing but the
// ids: the same signals fire on the same events.
func TestRenamingIDsChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 5).Draw(t, "signals")
		ids := rapid.Permutation([]int{0, 1, 2, 3, 4}[:n]).Draw(t, "new order")
		var exprs []expr
		for range n {
			exprs = append(exprs, drawExpr(t, 2, false))
		}
		build := func(order []int) *Program {
			var b setBuilder
			for i, k := range order {
				b.add(fmt.Sprint("id ", i), event.AllKinds, exprs[k])
			}
			p, err := Build(&b.set)
			if err != nil {
				t.Fatalf("Build: %v", err)
			}
			return p
		}
		batch := event.NewBatch(4)
		for range 4 {
			drawEvent(t, batch)
		}
		fired := func(order []int) (pairs [][2]int) {
			build(order).NewMatcher().Match(batch)
			for i, ev := range batch.Events() {
				for _, tag := range ev.Tags {
					pairs = append(pairs, [2]int{i, order[tag.Signal]})
				}
				ev.Tags = nil
			}
			slices.SortFunc(pairs, func(a, b [2]int) int { return slices.Compare(a[:], b[:]) })
			return pairs
		}
		if diff := cmp.Diff(fired([]int{0, 1, 2, 3, 4}[:n]), fired(ids)); diff != "" {
			t.Errorf("(event, signal) pairs (-before +after):\n%s", diff)
		}
	})
}
