// SPDX-License-Identifier: Apache-2.0

// This file is a second evaluator, made in another way: it multiplies an
// expression out into its branches and judges each term over a list of values as
// text. The evaluator of the package must agree with it on random signals and
// events, down to the proof.

package engine

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"seismo/internal/event"
	"seismo/signals"
)

// naiveTerm is a term of a branch, and whether it stands in a group.
type naiveTerm struct {
	testTerm
	group bool
}

// multiplyOut returns the branches of e in text order.
func multiplyOut(e expr, inGroup bool) [][]naiveTerm {
	switch e.op {
	case signals.NodeTerm:
		return [][]naiveTerm{{{e.term, inGroup}}}
	case signals.NodeGroup:
		return multiplyOut(e.kids[0], true)
	case signals.NodeOr:
		var all [][]naiveTerm
		for _, k := range e.kids {
			all = append(all, multiplyOut(k, inGroup)...)
		}
		return all
	}
	all := [][]naiveTerm{nil}
	for _, k := range e.kids {
		var next [][]naiveTerm
		for _, a := range all {
			for _, b := range multiplyOut(k, inGroup) {
				next = append(next, slices.Concat(a, b))
			}
		}
		all = next
	}
	return all
}

// naiveFire returns the texts of the terms of the first branch that fires on ev.
func naiveFire(e expr, ev *event.Event) []string {
	for _, branch := range multiplyOut(e, false) {
		holds, meets, onlyProcess := true, false, true
		var texts []string
		for _, t := range branch {
			holds = holds && naiveHolds(t.testTerm, ev)
			texts = append(texts, t.text())
			if naiveOnEvent(t.testTerm) {
				onlyProcess = false
				meets = meets || !t.not || t.group
			}
		}
		published := ev.Kind == event.KindProcess && (ev.Op == event.OpCreate || ev.Op == event.OpUpdate)
		if holds && (meets || onlyProcess && published) {
			return texts
		}
	}
	return nil
}

func naiveOnEvent(t testTerm) bool {
	in, _ := event.Lookup(t.field)
	return t.own() != "" || in.Scope == event.ScopeEvent
}

func naiveHolds(t testTerm, ev *event.Event) bool {
	in, _ := event.Lookup(t.field)
	if t.own() == "" && !in.Kinds.Has(ev.Kind) {
		return false
	}
	values, present := naiveValues(t, in, ev)
	met := false
	for _, v := range values {
		for _, lit := range t.values {
			met = met || naiveMeets(t.cond, t.cased, in.Type, v, lit)
		}
		for _, n := range t.number {
			met = met || naiveNumber(t.cond, in.Type, v, n)
		}
	}
	if t.cond == signals.Exists {
		met = present
	}
	return met != t.not
}

// naiveValues returns the values of t's field as text.
func naiveValues(t testTerm, in event.Info, ev *event.Event) (values []string, present bool) {
	if own := t.own(); own != "" {
		first := map[int]bool{} // by record
		for f := range ev.Own() {
			if string(f.Name) == own && !first[f.Record] {
				first[f.Record] = true
				values = append(values, string(f.Value))
			}
		}
		return values, len(values) > 0
	}
	if in.Scope == event.ScopeAncestor {
		in, _ = event.Lookup(strings.Replace(strings.Replace(in.Name, "ancestry_user_group", "group_name", 1), "ancestry_", "", 1))
		if ev.Process != nil {
			for p := range ev.Process.Ancestry() {
				one := event.Event{Kind: ev.Kind, Process: p}
				v, ok := naiveOne(in, &one)
				values, present = append(values, v...), present || ok
			}
			return values, present
		}
	}
	return naiveOne(in, ev)
}

func naiveOne(in event.Info, ev *event.Event) (values []string, present bool) {
	switch in.Type {
	case event.String:
		v, ok := ev.Text(in.Field)
		if !ok {
			return nil, false
		}
		return []string{string(v)}, true
	case event.List, event.Hash:
		for v := range ev.Elements(in.Field) {
			values = append(values, string(v))
		}
		return values, ev.Has(in.Field)
	case event.Address:
		v, ok := ev.Addr(in.Field)
		if !ok {
			return nil, false
		}
		return []string{v.String()}, true
	}
	v, ok := ev.Int(in.Field)
	if !ok {
		return nil, false
	}
	return []string{strconv.FormatInt(v, 10)}, true
}

func naiveMeets(c signals.Condition, cased bool, typ event.Type, v, lit string) bool {
	if c == signals.InCIDR {
		return netip.MustParsePrefix(lit).Contains(netip.MustParseAddr(v))
	}
	if !cased {
		v, lit = asciiLower(v), asciiLower(lit)
	}
	switch c {
	case signals.Is:
		return v == lit
	case signals.Contains:
		return strings.Contains(v, lit)
	case signals.BeginsWith:
		return strings.HasPrefix(v, lit)
	case signals.EndsWith:
		return strings.HasSuffix(v, lit)
	}
	panic("no such condition on text: " + c.String())
}

func naiveNumber(c signals.Condition, typ event.Type, v string, n int64) bool {
	a, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		panic(err)
	}
	order := 0
	switch {
	case typ == event.Identifier && uint64(a) < uint64(n), typ != event.Identifier && a < n:
		order = -1
	case a != n:
		order = 1
	}
	switch c {
	case signals.Is:
		return order == 0
	case signals.Less:
		return order < 0
	case signals.LessEqual:
		return order <= 0
	case signals.Greater:
		return order > 0
	case signals.GreaterEqual:
		return order >= 0
	}
	panic("no such condition on numbers: " + c.String())
}

// The random signals and events share few values, so that many terms are met.
var (
	drawText   = rapid.SampledFrom([]string{"", "a", "B", "ab", "Ab", "/a/b", "b\xff", "aab"})
	drawNumber = rapid.SampledFrom([]int64{-1, 0, 1, 443, 1<<63 - 1})
	drawAddr   = rapid.SampledFrom([]string{"10.0.0.1", "10.9.0.1", "::1", "2001:db8::a"})
	drawPrefix = rapid.SampledFrom([]string{"10.0.0.0/16", "::/0", "0.0.0.0/0", "::1/128"})
	drawField  = rapid.SampledFrom([]string{"file.path", "file.target_path", "file.operation", "file.mode", "network.address", "network.port",
		"process.path", "process.name", "process.args", "process.hash", "process.id", "process.exit_code", "process.parent_path",
		"process.ancestry_path", "process.ancestry_hash", "process.ancestry_user_group", "user.name", "syscall.arguments", "record.'k'", "record.'K'"})
)

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
		out.cond = rapid.SampledFrom([]signals.Condition{equal, has, begins, ends}).Draw(t, "cond")
		out.cased = rapid.Bool().Draw(t, "cased")
		out.values = rapid.SliceOfN(drawText, n, n).Draw(t, "texts")
	}
	return out
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

func drawEvent(t *rapid.T, b *event.Batch) *event.Event {
	kind := rapid.SampledFrom([]event.Kind{event.KindProcess, event.KindFile, event.KindNetwork, event.KindSyscall, event.KindRecord}).Draw(t, "kind")
	te := testEvent{kind: kind, op: rapid.SampledFrom(event.Ops(kind)).Draw(t, "op"), process: drawProcess(t, 3), fields: fields{}}
	for _, name := range []string{"file.path", "file.target_path", "file.mode", "network.address", "network.port", "process.path",
		"process.args", "process.id", "process.exit_code", "user.name", "syscall.arguments"} {
		in, _ := event.Lookup(name)
		if !in.Kinds.Has(kind) || rapid.Bool().Draw(t, "absent") {
			continue
		}
		switch in.Type {
		case event.String:
			te.fields[in.Field] = drawText.Draw(t, name)
		case event.List:
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

// Random signals fire on random events exactly where the second evaluator says
// so, and their proof is its first branch. That holds for the program as built
// and as read back from its signals.bin.
func TestMatchAgreesWithNaive(t *testing.T) {
	fires, judged := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		var b setBuilder
		var exprs []expr
		for i := range rapid.IntRange(1, 4).Draw(t, "signals") {
			exprs = append(exprs, drawExpr(t, 3, false))
			b.add(fmt.Sprint(i), event.AllKinds, exprs[i])
		}
		built, err := Build(&b.set)
		if err != nil {
			t.Fatalf("Build: %v", err)
		}
		batch := event.NewBatch(8)
		for range 8 {
			drawEvent(t, batch)
		}
		for _, p := range []*Program{built, reload(t, built)} {
			for _, ev := range batch.Events() {
				ev.Tags = nil
			}
			p.NewMatcher().Match(batch)
			for _, ev := range batch.Events() {
				want, got := map[int][]string{}, map[int][]string{}
				for i, e := range exprs {
					if texts := naiveFire(e, ev); texts != nil {
						want[i] = texts
						fires++
					}
					judged++
				}
				for _, tag := range ev.Tags {
					for _, it := range tag.Proof {
						got[int(tag.Signal)] = append(got[int(tag.Signal)], it.Text)
					}
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("terms by signal on a %s %s event (-naive +Match):\n%s", ev.Kind, ev.Op, diff)
				}
			}
		}
	})
	if fires*50 < judged {
		t.Errorf("%d of %d judgements fire: too few to show anything", fires, judged)
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
