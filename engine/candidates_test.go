// SPDX-License-Identifier: Apache-2.0

// This file holds the search for candidates against the plain mode, which judges
// every signal, on random signals with literals of all lengths.

package engine

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seismo/internal/event"
	"seismo/internal/namedlist"
	"seismo/signals"
)

// maker draws signals, processes and events whose texts are made of the same words.
type maker struct{ *rand.Rand }

func (m maker) one(of ...string) string { return of[m.IntN(len(of))] }

// text joins up to n words.
func (m maker) text(n int) string {
	var b strings.Builder
	for range m.IntN(n + 1) {
		b.WriteString(m.one("/usr/bin/", "bash", "BASH", "curl", "--upload", "\xff\xfe", "\x00", "a", "aaaa", "aaaaaaaa", ".exe", `C:\Windows\`, "xyz", " -c ", "é", "[", "@"))
	}
	return b.String()
}

func (m maker) literal() string {
	s := m.text(3)
	if len(s) > 1 && m.IntN(3) == 0 {
		at := m.IntN(len(s))
		s = s[at : at+1+m.IntN(len(s)-at)]
	}
	if m.IntN(40) == 0 {
		s = strings.Repeat(s+"a", 1000)[:min(1000, 1000*(len(s)+1))]
	}
	return s
}

func (m maker) term() testTerm {
	t := testTerm{not: m.IntN(4) == 0, field: m.one("file.path", "file.target_path", "file.operation", "network.address", "network.port", "user.name", "syscall.arguments",
		"process.path", "process.command_line", "process.args", "process.hash", "process.user_id", "process.parent_path", "process.parent_hash",
		"process.ancestry_path", "process.ancestry_hash", "record.'exe'", "record.'a0'")}
	in, _ := event.Lookup(t.field)
	n := 1 + m.IntN(4)
	if m.IntN(12) == 0 {
		t.cond = signals.Exists
		return t
	}
	for range n {
		switch in.Type {
		case event.Integer:
			t.cond = equal
			t.number = append(t.number, int64(m.IntN(3)))
		case event.Address:
			t.cond = inCIDR
			t.values = append(t.values, m.one("10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32", "0.0.0.0/0", "2001:db8::/32", "::/0", "::1/128"))
		default:
			t.values = append(t.values, m.literal())
		}
	}
	if in.Type != event.Integer && in.Type != event.Address {
		t.cond = []signals.Condition{equal, has, has, begins, ends, signals.Glob, signals.Regex, signals.InList}[m.IntN(8)]
		t.cased = m.IntN(4) == 0
		for i, v := range t.values {
			switch t.cond {
			case signals.Glob:
				t.values[i] = m.one("*", "/usr/*", "") + m.one("bash", "curl", "?") + m.one("*", "")
			case signals.Regex:
				t.values[i] = regexp.QuoteMeta(strings.Map(func(r rune) rune {
					if r < ' ' || r > '~' {
						return 'x'
					}
					return r
				}, v)) + m.one("+", "[0-9]*", "|curl", "")
				if v == "" || strings.HasPrefix(t.values[i], "+") {
					t.values[i] = "ba+sh"
				}
			case signals.InList:
				t.values[i] = m.one("letters", "words", "none")
			}
		}
	}
	if t.cond == signals.Is && in.Type == event.Address {
		t.values = []string{"10.1.2.3"}
	}
	return t
}

func (m maker) expr(depth int, inGroup bool) expr {
	switch n := m.IntN(10); {
	case depth == 0 || n < 3:
		return expr{term: m.term()}
	case n < 6:
		return and(m.expr(depth-1, inGroup), m.expr(depth-1, inGroup))
	case n < 8 || inGroup:
		return or(m.expr(depth-1, inGroup), m.expr(depth-1, inGroup))
	}
	return group(m.expr(depth-1, true))
}

func (m maker) program(t *testing.T) *Program {
	var b setBuilder
	for i := range 1 + m.IntN(10) {
		e := m.expr(3, false)
		if m.IntN(3) == 0 {
			e = group(and(expr{term: m.term()}, expr{term: m.term()}))
		}
		kinds := event.AllKinds
		if m.IntN(4) == 0 {
			kinds = event.SetOf(event.KindProcess, event.KindFile)
		}
		b.add(fmt.Sprint(i), kinds, e, []string{"linux", "windows"}[:m.IntN(3)]...)
		if m.IntN(5) == 0 {
			b.set.Signals[i].Suppress = []uint32{b.node(m.expr(1, true), true)}
		}
	}
	p := reload(t, b.program(t))
	lists := map[string]*namedlist.List{}
	for name, values := range map[string]string{"letters": "a\nb\n", "words": "bash\n/usr/bin/curl\n", "none": ""} {
		l, err := namedlist.Read(name, strings.NewReader(values))
		if err != nil {
			t.Fatal(err)
		}
		lists[name] = l
	}
	return p.With(Options{Lists: lists})
}

func (m maker) hashes() (out []string) {
	for range m.IntN(3) {
		out = append(out, m.text(1))
	}
	return out
}

// pool draws processes that fork and exec from each other.
func (m maker) pool(n int) (pool []*event.Process) {
	for i := range n {
		p := &event.Process{ID: event.ProcessKey(1000 + i), UserID: int64(m.IntN(3)), GroupID: event.NoID, LoginUserID: event.NoID, Session: event.NoID,
			Path: m.text(3), CommandLine: m.text(6), Hash: m.hashes()}
		if m.IntN(2) == 0 {
			p.Args = []string{m.text(1), m.text(1)}
		}
		if i > 0 {
			if p.Parent = pool[m.IntN(i)]; m.IntN(3) == 0 {
				p.Previous = pool[m.IntN(i)]
			}
		}
		pool = append(pool, p)
	}
	return pool
}

func (m maker) event(b *event.Batch, p *event.Process) {
	kind := []event.Kind{event.KindProcess, event.KindFile, event.KindNetwork, event.KindSyscall, event.KindRecord}[m.IntN(5)]
	te := testEvent{kind: kind, op: event.Ops(kind)[m.IntN(len(event.Ops(kind)))], process: p, fields: fields{}}
	for _, in := range event.Fields() {
		if in.Scope == event.ScopeParent || in.Scope == event.ScopeAncestor || in.Column() == "operation" || !in.Kinds.Has(kind) || m.IntN(2) == 0 {
			continue
		}
		switch in.Type {
		case event.String:
			te.fields[in.Field] = m.text(4)
		case event.List, event.Hash:
			te.fields[in.Field] = []string{m.text(1), m.text(2)}
		case event.Address:
			te.fields[in.Field] = netip.MustParseAddr(m.one("10.1.2.3", "10.9.9.9", "192.0.2.1", "2001:db8::1", "::1"))
		default:
			te.fields[in.Field] = m.IntN(3)
		}
	}
	for i := range m.IntN(4) {
		te.own = append(te.own, ownField{i / 2, m.one("exe", "a0", "other"), m.text(2)})
	}
	te.addTo(b)
}

// Matchers with and without tables leave the same tags, proofs, verdicts and losses,
// and remember the same.
func TestTablesChangeNoResult(t *testing.T) {
	programs := 700
	if os.Getenv("SEISMO_LONG") != "" {
		programs = 100_000
	}
	fired, skipped, judged := 0, uint64(0), uint64(0)
	for seed := range uint64(programs) {
		m := maker{rand.New(rand.NewPCG(seed, 7))}
		p := m.program(t)
		fast, plain := p.NewMatcher(), p.NewMatcherWith(MatcherOptions{DisableSignalsTrie: true})
		pool := m.pool(1 + m.IntN(6))
		for range 3 {
			b := event.NewBatch(8)
			b.Platform = m.one("linux", "windows", "")
			for range 6 {
				var of *event.Process
				if m.IntN(8) > 0 {
					of = pool[m.IntN(len(pool))]
				}
				m.event(b, of)
			}
			if m.IntN(3) == 0 {
				b.Ended = append(b.Ended, pool[m.IntN(len(pool))].ID)
			}
			want, wantState := outcome(t, plain, b)
			got, gotState := outcome(t, fast, b)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("seed %d: with tables (+), without (-):\n%s\n%s", seed, diff, textOf(p))
			}
			if !bytes.Equal(gotState, wantState) {
				t.Fatalf("seed %d: what is remembered differs with and without tables\n%s", seed, textOf(p))
			}
			for _, r := range got {
				fired += len(r.Tags)
			}
		}
		for i, n := range fast.Evaluations() {
			judged, skipped = judged+n, skipped+plain.Evaluations()[i]-n
		}
	}
	t.Logf("%d tags; %d signals judged, %d skipped", fired, judged, skipped)
	if fired < programs/2 || skipped < judged/4 {
		t.Errorf("too little happened to show anything: %d tags, %d signals judged, %d skipped", fired, judged, skipped)
	}
}

// result is what a matcher leaves on an event.
type result struct {
	Tags    []event.Tag
	Verdict event.Verdict
	Losses  []event.Loss
}

func outcome(t *testing.T, m *Matcher, b *event.Batch) (all []result, state []byte) {
	b.Losses = nil
	for _, e := range b.Events() {
		e.Tags, e.Verdict = nil, event.Record
	}
	m.Match(b)
	for _, e := range b.Events() {
		all = append(all, result{e.Tags, e.Verdict, b.Losses})
	}
	var saved bytes.Buffer
	if err := m.SaveState(&saved); err != nil {
		t.Fatalf("SaveState: %v", err)
	}
	return all, saved.Bytes()
}

func textOf(p *Program) string {
	var b strings.Builder
	for _, d := range p.Definitions() {
		fmt.Fprintf(&b, "%s: %s\n", d.ID, d.Text)
	}
	return b.String()
}

// Nothing is kept of a process that ended, nor of the images before, after the batch with
// its end; that of its parent stays.
func TestArmedProcessesEnd(t *testing.T) {
	var b setBuilder
	b.add("1", event.AllKinds, and(ask("process.ancestry_path", ends, "/init"), ask("process.path", ends, "/evil")))
	m := b.program(t).NewMatcher()
	root := &event.Process{ID: 1, PID: 1, Path: "/sbin/init"}
	for n := range int32(1000) {
		fork := &event.Process{ID: event.ProcessKey(10 + 2*n), PID: 10 + n, Parent: root, Path: "/sbin/init", Forked: true}
		p := &event.Process{ID: fork.ID + 1, PID: fork.PID, Parent: root, Previous: fork, Path: "/bin/evil"}
		batch := event.NewBatch(2)
		execEvent(p).addTo(batch)
		testEvent{kind: event.KindProcess, op: event.OpEnd, process: p}.addTo(batch)
		m.Match(batch)
		if len(batch.Events()[0].Tags) != 1 {
			t.Fatalf("process %d does not fire", n)
		}
	}
	if c := &m.finder.cache; c.used != 1 || c.get(root) == nil {
		t.Errorf("%d processes are kept, the parent %v; want the parent alone", c.used, c.get(root) != nil)
	}
}

// A process whose events come between those of very many others is judged as before:
// the cache of armed processes may have forgotten it.
func TestArmedProcessesAreBounded(t *testing.T) {
	var b setBuilder
	b.add("1", event.SetOf(event.KindFile), group(and(ask("process.path", ends, "/evil"), ask("process.ancestry_path", equal, "/sbin/init"), ask("file.path", exists))))
	m := b.program(t).NewMatcher()
	root := &event.Process{ID: 1, Path: "/sbin/init"}
	fired := 0
	for n := range 3 * maxArmed / 1000 {
		batch := event.NewBatch(1000)
		for i := range 1000 {
			p := &event.Process{ID: event.ProcessKey(10 + 1000*n + i), Parent: root, Path: "/bin/ls"}
			if i == 0 {
				p.Path = "/bin/evil"
			}
			testEvent{kind: event.KindFile, op: event.OpWrite, process: p, fields: fields{event.FilePath: "/x"}}.addTo(batch)
		}
		m.Match(batch)
		for _, e := range batch.Events() {
			fired += len(e.Tags)
		}
	}
	if want := 3 * maxArmed / 1000; fired != want || len(m.finder.cache.entries) > maxArmed {
		t.Errorf("%d tags, %d entries; want %d tags, at most %d entries", fired, len(m.finder.cache.entries), want, maxArmed)
	}
}

// Processes whose values are full of literals do not fill the memory.
func TestArmedBytesAreBounded(t *testing.T) {
	var b setBuilder
	var all []string
	for i := range 4000 {
		all = append(all, fmt.Sprintf("literal-%d-end", i))
		b.add(fmt.Sprintf("%04d", i), event.SetOf(event.KindFile), group(and(ask("process.command_line", has, all[i]), ask("file.path", exists))))
	}
	m := b.program(t).NewMatcher()
	full := strings.Join(all, " ")
	for n := range 20 {
		batch := event.NewBatch(100)
		for i := range 100 {
			p := &event.Process{ID: event.ProcessKey(1 + 100*n + i), CommandLine: full}
			testEvent{kind: event.KindFile, op: event.OpWrite, process: p}.addTo(batch)
		}
		m.Match(batch)
		held := 0
		for i := range m.finder.cache.entries {
			held += m.finder.cache.entries[i].size()
		}
		if one := 3 * 4 * 3 * len(all); held != m.finder.cache.bytes || held > maxArmedBytes+one {
			t.Fatalf("after %d processes %d bytes are held, %d counted; the limit is %d", 100*(n+1), held, m.finder.cache.bytes, maxArmedBytes)
		}
	}
}

// An event on which nothing fires costs no allocation, once the matcher is warm.
func TestSearchDoesNotAllocate(t *testing.T) {
	var b setBuilder
	b.add("1", event.AllKinds, group(and(ask("process.path", ends, "/evil"), ask("file.path", begins, "/etc/"))))
	b.add("2", event.AllKinds, group(and(ask("process.command_line", has, "--secret"), ask("process.ancestry_name", equal, "sshd"))))
	b.add("3", event.AllKinds, ask("record.'exe'", ends, "/nc"))
	m := b.program(t).NewMatcher()
	parent := &event.Process{ID: 1, Path: "/usr/sbin/sshd"}
	batch := event.NewBatch(8)
	for i := range 8 {
		p := &event.Process{ID: event.ProcessKey(10 + i), Path: "/bin/Bash", CommandLine: "bash -c 'echo hello world'", Parent: parent}
		testEvent{kind: event.KindProcess, op: event.OpCreate, process: p}.addTo(batch)
		testEvent{kind: event.KindFile, op: event.OpWrite, process: p, fields: fields{event.FilePath: "/etc/passwd"}, own: []ownField{{0, "exe", "/bin/bash"}}}.addTo(batch)
		batch.Ended = append(batch.Ended, p.ID)
	}
	if n := testing.AllocsPerRun(50, func() { m.Match(batch) }); n != 0 {
		t.Errorf("Match allocates %v times", n)
	}
}
