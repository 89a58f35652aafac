// SPDX-License-Identifier: Apache-2.0

// This file draws random alone signals and events of all sorts, and holds the matcher,
// with and without tables, against the evaluator of alone_naive_test.go.

package engine

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seismo/internal/event"
	"seismo/internal/namedlist"
	"seismo/signals"
)

// aloneMaker draws.
type aloneMaker struct{ *rand.Rand }

func (m aloneMaker) one(words ...string) string { return words[m.IntN(len(words))] }

// The names are those of Sigma where package taxonomy has a field for them.
var (
	aloneNames  = []string{"Image", "CommandLine", "ParentImage", "User", "ProcessId", "Hashes", "TargetFilename", "DestinationIp", "DestinationPort", "Own", "own", "type", "When"}
	aloneWords  = []string{"", "a", "Ab", "cmd.exe", `C:\Windows\System32\`, ".exe", "power", "shell", "-enc", "é", "\xff", "secret word", "/usr/bin/", "curl", "12", "-3", "443", "4.50"}
	aloneValues = []string{"10.1.2.3", "::1", "fe80::1%e", "10.1.2.3.4", "12", "-3", "+4.5", "18446744073709551616", "1e3", "0x10", "2026-11-22", "2026-11-22 19:46:56",
		"2024-12-30T23:59:59+14:00", "2026-11-22T25:00:00Z", "EXECVE", "SYSCALL"}
	aloneGlobs   = []string{"*", "a*b", "*.exe", `c:\*\cmd.exe`, "?", "*shell*enc*", "?b"}
	aloneRegexes = []string{"^a", "cmd|shell", "[a-c]b", "p.wer", "[0-9]+$", "^$", "(?:secret|open) word", "x*"}
	aloneNets    = []string{"10.0.0.0/8", "::/0", "0.0.0.0/0", "fe80::/10", "10.1.2.3/32"}
	aloneLogs    = []signals.Logsource{{Product: "linux"}, {Product: "linux", Category: "process_creation"}, {Product: "linux", Category: "file_event"}, {Product: "linux", Category: "network_connection"},
		{Product: "linux", Service: "auditd"}, {Product: "windows", Category: "process_creation"}, {Service: "sysmon"}, {Product: "windows"}, {}}
	aloneEvents = []*event.Logsource{
		{Products: []string{"windows"}, Categories: []string{"process_creation", "other"}, Services: []string{"sysmon"}},
		{Products: []string{"windows"}, Services: []string{"security"}},
		{Products: []string{"linux"}, Services: []string{"auditd"}},
		{Products: []string{"linux", "windows"}, Categories: []string{"file_event"}},
		{},
	}
)

func (m aloneMaker) value() string {
	if m.IntN(4) == 0 {
		return m.one(aloneValues...)
	}
	var b strings.Builder
	for range m.IntN(4) {
		b.WriteString(m.one(aloneWords...))
	}
	return b.String()
}

func (m aloneMaker) literal() string {
	return m.one(aloneWords...) + m.one("", "", m.one(aloneWords...))
}

func (m aloneMaker) term() testTerm {
	name := m.one(aloneNames...)
	if m.IntN(8) == 0 {
		name = signals.AnyField
	}
	t := testTerm{field: "record.'" + name + "'", not: m.IntN(4) == 0, cased: m.IntN(5) == 0}
	draw := m.literal
	switch n := m.IntN(24); {
	case n < 3:
		t.cond = equal
	case n < 7:
		t.cond = has
	case n < 9:
		t.cond = begins
	case n < 12:
		t.cond = ends
	case n < 13:
		t.cond = exists
		return t
	case n < 15:
		t.cond, draw = signals.Regex, func() string { return m.one(aloneRegexes...) }
	case n < 17:
		t.cond, draw = signals.Glob, func() string { return m.one(aloneGlobs...) }
	case n < 18:
		t.cond, draw = inCIDR, func() string { return m.one(aloneNets...) }
	case n < 19:
		t.cond, draw = []signals.Condition{less, lessEq, greater, greaterEq}[m.IntN(4)], func() string { return m.one("12", "-3", "4.5", "1e3", "0", "18446744073709551615") }
	case n < 21:
		t.cond, t.part = []signals.Condition{equal, less, greaterEq}[m.IntN(3)], signals.Minute+signals.DatePart(m.IntN(6))
		for range 1 + m.IntN(3) {
			t.number = append(t.number, []int64{0, 1, 11, 19, 22, 23, 46, 47, 2026}[m.IntN(9)])
		}
		return t
	case n < 22:
		t.cond, draw = signals.InList, func() string { return m.one("words", "none") }
	case name == signals.AnyField:
		t.cond = has
	default:
		t.cond = []signals.Condition{signals.IsField, signals.ContainsField, signals.BeginsWithField, signals.EndsWithField}[m.IntN(4)]
		draw = func() string { return m.one(aloneNames...) }
	}
	for range 1 + m.IntN(3) {
		t.values = append(t.values, draw())
	}
	return t
}

func (m aloneMaker) expr(depth int) expr {
	if depth == 0 || m.IntN(3) == 0 {
		return expr{term: m.term()}
	}
	var kids []expr
	for range 1 + m.IntN(3) {
		kids = append(kids, m.expr(depth-1))
	}
	switch m.IntN(7) {
	case 0, 1, 2:
		return or(kids...)
	}
	return and(kids...)
}

// aloneRule is an alone signal as it was drawn.
type aloneRule struct {
	id       string
	e        expr
	log      signals.Logsource
	silent   bool
	platform []string
}

func (m aloneMaker) rules(n int) (rules []aloneRule) {
	for i := range n {
		r := aloneRule{id: fmt.Sprintf("%04d", i), e: m.expr(m.IntN(4)), log: aloneLogs[m.IntN(len(aloneLogs))], silent: m.IntN(6) == 0}
		if m.IntN(8) == 0 {
			r.platform = []string{m.one("linux", "windows")}
		}
		rules = append(rules, r)
	}
	return rules
}

// buildRules compiles rules, with a text signal on own fields between them.
func buildRules(t *testing.T, rules []aloneRule) *Program {
	t.Helper()
	var b setBuilder
	for i, r := range rules {
		b.add(r.id, event.AllKinds, r.e, r.platform...)
		s := &b.set.Signals[len(b.set.Signals)-1]
		s.Alone, s.Logsource, s.Silent = true, r.log, r.silent
		if i == 1 {
			b.add(r.id+"text", event.AllKinds, or(ask("record.'Own'", has, "a"), ask("record.'Own'", ends, ".exe"), ask("process.path", has, "shell")))
		}
	}
	p, err := Build(&b.set)
	if err != nil {
		t.Fatalf("Build: %v", err)
	}
	l, err := namedlist.Read("words", strings.NewReader("cmd.exe\n12\nab\n"))
	if err != nil {
		t.Fatal(err)
	}
	return reload(t, p).With(Options{Lists: map[string]*namedlist.List{"words": l}})
}

// event adds an event and returns its views, in order.
func (m aloneMaker) event(b *event.Batch) (e *event.Event, own []ownField) {
	kind := []event.Kind{event.KindProcess, event.KindFile, event.KindNetwork, event.KindRecord}[m.IntN(4)]
	te := testEvent{kind: kind, op: event.Ops(kind)[m.IntN(len(event.Ops(kind)))], fields: fields{}}
	if m.IntN(4) > 0 {
		te.process = &event.Process{ID: 1, PID: int32(m.IntN(30)), Path: m.value(), CommandLine: m.value(), UserName: m.value(), UserID: event.NoID,
			GroupID: event.NoID, LoginUserID: event.NoID, Session: event.NoID, Parent: &event.Process{ID: 2, Path: m.value()}}
		if m.IntN(2) == 0 {
			te.process.Hash = []string{"MD5=" + m.value(), "SHA1=ab"}
		}
	}
	for _, in := range event.Fields() {
		if in.Scope == event.ScopeParent || in.Scope == event.ScopeAncestor || in.Column() == "operation" || !in.Kinds.Has(kind) || m.IntN(3) > 0 {
			continue
		}
		switch in.Type {
		case event.String:
			te.fields[in.Field] = m.value()
		case event.List, event.Hash:
			te.fields[in.Field] = []string{m.value(), m.value()}
		case event.Address:
			te.fields[in.Field] = netip.MustParseAddr(m.one("10.1.2.3", "192.0.2.1", "fe80::1"))
		default:
			te.fields[in.Field] = []int{12, 443, 0, -3}[m.IntN(4)]
		}
	}
	for i := range m.IntN(9) {
		te.own = append(te.own, ownField{i / 3, m.one(append(aloneNames, "Unasked")...), m.value()})
	}
	e = te.addTo(b)
	if m.IntN(2) == 0 {
		e.Logsource = aloneEvents[m.IntN(len(aloneEvents))]
	}
	if m.IntN(2) == 0 {
		e.Flags = []event.Flags{event.Untrusted, event.Duplicate}[m.IntN(2)]
	}
	return e, te.own
}

// aloneRounds returns how many programs are drawn.
func aloneRounds() int {
	if os.Getenv("SEISMO_LONG") != "" {
		return 100_000
	}
	return 3000
}

// Random alone signals fire on random events exactly where the naive evaluator says so,
// with its proof, with tables of literals and without.
func TestAloneAgreesWithNaive(t *testing.T) {
	fires, views, silent, proofs := 0, map[string]int{}, 0, 0
	for seed := range uint64(aloneRounds()) {
		m := aloneMaker{rand.New(rand.NewPCG(seed, 5))}
		rules := m.rules(1 + m.IntN(9))
		p := buildRules(t, rules)
		plain, fast := p.NewMatcherWith(MatcherOptions{DisableSignalsTrie: true}), p.NewMatcher()
		for range 2 {
			b := event.NewBatch(4)
			b.Platform = m.one("linux", "windows", "linux", "")
			var own [][]ownField
			for range 4 {
				_, o := m.event(b)
				own = append(own, o)
			}
			for mode, matcher := range []*Matcher{plain, fast} {
				for _, e := range b.Events() {
					e.Tags, e.Verdict = nil, event.Record
				}
				matcher.Match(b)
				for i, e := range b.Events() {
					want := naiveAlone(rules, b.Platform, e, own[i])
					got := map[string]string{}
					for k, tag := range e.Tags {
						if k > 0 && e.Tags[k-1].Signal >= tag.Signal {
							t.Errorf("seed %d: the tags are not in the order of the program: %v", seed, e.Tags)
						}
						if id := p.Definitions()[tag.Signal].ID; len(id) == 4 {
							got[id] = proofText(tag.Proof)
							proofs += len(tag.Proof)
						}
					}
					for id, w := range want {
						fires++
						views[w.view]++
						if w.silent {
							silent++
							delete(want, id)
						}
					}
					if diff := cmp.Diff(loneProofs(want), got); diff != "" {
						for _, r := range rules {
							t.Logf("%s for %v of %v: %s", r.id, r.log, r.platform, r.e.text())
						}
						t.Fatalf("seed %d, mode %d, platform %q: event %v %v of %+v with %+v, process %+v (-naive +Match):\n%s", seed, mode, b.Platform, e.Kind, e.Op, e.Logsource, own[i], e.Process, diff)
					}
				}
			}
			if a, b := plain.Counts(), fast.Counts(); !slices.Equal(a, b) {
				t.Errorf("seed %d: Counts() = %v with tables, %v without", seed, b, a)
			}
		}
	}
	t.Logf("%d matches, %v, %d silent, %d terms of proofs", fires, views, silent, proofs)
	if fires < 1000 || views["own"] < 100 || views["typed"] < 100 || views["record"] < 100 || silent == 0 {
		t.Errorf("too little happened to show anything")
	}
}

// New ids and another order of the rules change nothing but the ids.
func TestAloneRenamed(t *testing.T) {
	total := 0
	for seed := range uint64(200) {
		m := aloneMaker{rand.New(rand.NewPCG(seed, 6))}
		rules := m.rules(8)
		renamed := make([]aloneRule, len(rules))
		for i, k := range m.Perm(len(rules)) {
			renamed[i] = rules[k]
			renamed[i].id = fmt.Sprintf("%04d", i)
		}
		b := event.NewBatch(8)
		b.Platform = "linux"
		for range 8 {
			m.event(b)
		}
		fired := func(rules []aloneRule) (pairs []string) {
			p := buildRules(t, rules)
			for _, e := range b.Events() {
				e.Tags = nil
			}
			p.NewMatcher().Match(b)
			for i, e := range b.Events() {
				for _, tag := range e.Tags {
					pairs = append(pairs, fmt.Sprint(i, " ", p.Definitions()[tag.Signal].Text, proofText(tag.Proof)))
				}
			}
			slices.Sort(pairs)
			return pairs
		}
		before := fired(rules)
		total += len(before)
		if diff := cmp.Diff(before, fired(renamed)); diff != "" {
			t.Errorf("seed %d: (event, signal) pairs (-before +after):\n%s", seed, diff)
		}
	}
	if total < 200 {
		t.Errorf("%d pairs: too few to show anything", total)
	}
}
