// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"seismo/internal/event"
)

var updateExplain = flag.Bool("update-explain", false, "rewrite the golden files of explanations")

// drawProgram returns a program of random signals, some with suppressions.
func drawProgram(t *rapid.T) *Program {
	var b setBuilder
	for i := range rapid.IntRange(1, 4).Draw(t, "signals") {
		e := drawExpr(t, 3, false)
		if rapid.Bool().Draw(t, "remembers") {
			e = and(drawItem(t), drawItem(t), or(drawItem(t), e))
		}
		b.add(fmt.Sprint(i), event.AllKinds, e)
		if rapid.IntRange(0, 2).Draw(t, "suppressed") == 0 {
			b.set.Signals[i].Suppress = []uint32{b.node(drawExpr(t, 1, true), true)}
		}
	}
	p, err := Build(&b.set)
	if err != nil {
		t.Fatalf("Build: %v", err)
	}
	return p
}

// drawItem returns something that a process can remember.
func drawItem(t *rapid.T) expr {
	e := expr{term: drawTerm(t)}
	for !naiveOnEvent(e.term) {
		e = expr{term: drawTerm(t)}
	}
	if rapid.Bool().Draw(t, "group") {
		return group(or(e, ask("file.path", has, "a")))
	}
	e.term.not = false
	return e
}

// drawBatch returns events of a few processes, which remember and learn.
func drawBatch(t *rapid.T, n int) *event.Batch {
	b := event.NewBatch(n)
	first, other := &event.Process{ID: 1, Path: "/a/b", GroupName: "a"}, drawProcess(t, 2)
	second := &event.Process{ID: 2, Path: "ab", Previous: first, Parent: other}
	for range n {
		e := drawEvent(t, b)
		e.Process = rapid.SampledFrom([]*event.Process{first, first, second, second, nil, other, e.Process}).Draw(t, "of")
	}
	return b
}

// tags returns the signals that fired on e.
func tags(e *event.Event) map[uint32]bool {
	out := map[uint32]bool{}
	for _, tag := range e.Tags {
		out[tag.Signal] = true
	}
	return out
}

// An explanation says that a signal fires exactly where it does, whatever was met by
// earlier events, and explaining changes nothing that comes after.
func TestExplainAgreesWithMatch(t *testing.T) {
	fires, byLatch, judged := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		p := drawProgram(t)
		batch := drawBatch(t, 12)
		plain, explained := p.NewMatcher(), p.NewMatcher()
		plain.Match(batch)
		var want []map[uint32]bool
		for _, e := range batch.Events() {
			want = append(want, tags(e))
			e.Tags = nil
		}
		n := 0
		explained.MatchExplaining(batch, func(x *Explainer) {
			for i := range uint32(p.Signals()) {
				for _, all := range []bool{false, true} {
					trace := x.Explain(i, ExplainOptions{All: all})
					if (trace.Fires == True) != want[n][i] || trace.Fires == NotRecorded {
						t.Errorf("event %d, signal %d (%s): Explain says %s (%s), fired: %t", n, i, p.definitions[i].Text, trace.Fires, trace.Reason, want[n][i])
					}
					if trace.Fires == True && trace.Near.Unmet+trace.Near.Unknown > 0 || (trace.Root.Truth == True) != (trace.Near.Unmet == 0) {
						t.Errorf("event %d, signal %d (%s): the root is %s, but near is %+v", n, i, p.definitions[i].Text, trace.Root.Truth, trace.Near)
					}
					if trace.Fires == True {
						fires++
						if latchesIn(trace.Root) > 0 {
							byLatch++
						}
					}
				}
				judged++
			}
			n++
		})
		if diff := cmp.Diff(plain.Statistics(), explained.Statistics()); diff != "" {
			t.Errorf("statistics (-without +while explaining):\n%s", diff)
		}
		for i, e := range batch.Events() {
			if got := tags(e); fmt.Sprint(got) != fmt.Sprint(want[i]) {
				t.Errorf("event %d: tags %v while explaining, %v without", i, got, want[i])
			}
		}
	})
	if fires*50 < judged || byLatch == 0 {
		t.Errorf("%d of %d judgements fire, %d with a latch: too few to show anything", fires, judged, byLatch)
	}
}

func latchesIn(n *TraceNode) int {
	count := 0
	if n.Latch != nil {
		count++
	}
	for _, kid := range n.Kids {
		count += latchesIn(kid)
	}
	return count
}

// Where values or the past are not known, an explanation that decides all the same
// is right.
func TestExplainOfTheUnknownIsRight(t *testing.T) {
	unknown, decided := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		p := drawProgram(t)
		batch := drawBatch(t, 8)
		hidden := map[string]bool{}
		for _, name := range rapid.SliceOfN(drawField, 1, 6).Draw(t, "hidden") {
			hidden[name] = true
		}
		o := ExplainOptions{Forgotten: rapid.Bool().Draw(t, "forgotten"), All: rapid.Bool().Draw(t, "all"),
			Known: func(_ *event.Event, f event.Field, own string) bool {
				return !hidden[event.Describe(f).Name] && !hidden["record.'"+own+"'"]
			}}
		traces := map[*event.Event][]*Trace{}
		p.NewMatcher().MatchExplaining(batch, func(x *Explainer) {
			for i := range uint32(p.Signals()) {
				traces[x.Event()] = append(traces[x.Event()], x.Explain(i, o))
			}
		})
		for n, e := range batch.Events() {
			fired := tags(e)
			for i, trace := range traces[e] {
				switch {
				case trace.Fires == NotRecorded:
					unknown++
				case (trace.Fires == True) != fired[uint32(i)]:
					t.Errorf("event %d, signal %d (%s), hidden %v: Explain says %s (%s), fired: %t", n, i, p.definitions[i].Text, hidden, trace.Fires, trace.Reason, fired[uint32(i)])
				default:
					decided++
				}
			}
		}
	})
	if unknown*50 < decided || decided*50 < unknown {
		t.Errorf("%d unknown, %d decided: too few to show anything", unknown, decided)
	}
}

// Where it is forgotten what earlier events met, the proof of a match is enough to
// see again that the signal fires; without it the answer is never wrong.
func TestExplainByStoredProof(t *testing.T) {
	byLatch := 0
	rapid.Check(t, func(t *rapid.T) {
		p := drawProgram(t)
		batch := drawBatch(t, 12)
		p.NewMatcher().Match(batch)
		proofs := map[*event.Event]map[uint32][]event.ProofItem{}
		for _, e := range batch.Events() {
			proofs[e] = map[uint32][]event.ProofItem{}
			for _, tag := range e.Tags {
				proofs[e][tag.Signal] = tag.Proof
			}
			e.Tags = nil
		}
		p.NewMatcher().MatchExplaining(batch, func(x *Explainer) {
			at := x.m.latches.at
			x.m.latches.at = nil
			defer func() { x.m.latches.at = at }()
			for i := range uint32(p.Signals()) {
				proof, fired := proofs[x.Event()][i]
				trace := x.Explain(i, ExplainOptions{Forgotten: true, Latches: proof})
				if trace.Fires != True && fired || trace.Fires == True && !fired {
					t.Errorf("signal %d (%s) with the proof %+v: Explain says %s (%s), fired: %t", i, p.definitions[i].Text, proof, trace.Fires, trace.Reason, fired)
				}
				if fired && latchesIn(trace.Root) > 0 {
					byLatch++
				}
			}
		})
	})
	if byLatch == 0 {
		t.Error("no signal fired with a latch: nothing was shown")
	}
}

// writeTrace writes t as the golden files have it.
func writeTrace(b *strings.Builder, t *Trace) {
	fmt.Fprintf(b, "fires: %s: %s\nnear: %d of %d met, %d unmet, %d unknown\n", t.Fires, t.Reason, t.Near.Met, t.Near.Terms(), t.Near.Unmet, t.Near.Unknown)
	writeNode(b, t.Root, 0)
	for _, s := range t.Suppress {
		b.WriteString("suppress:\n")
		writeNode(b, s, 1)
	}
}

func writeNode(b *strings.Builder, n *TraceNode, depth int) {
	indent := strings.Repeat("  ", depth)
	fmt.Fprintf(b, "%s[%s] ", indent, n.Truth)
	if n.Op != TraceTerm {
		b.WriteString(string(n.Op))
	}
	b.WriteString(n.Text)
	if n.Note != "" {
		fmt.Fprintf(b, " -- %s", n.Note)
	}
	b.WriteByte('\n')
	if t := n.Term; t != nil {
		fmt.Fprintf(b, "%s    from %s", indent, t.From)
		if t.Ancestor != nil {
			fmt.Fprintf(b, " %d up (%q pid %d)", t.Ancestor.Steps, t.Ancestor.Path, t.Ancestor.PID)
		}
		switch {
		case t.Absent:
			b.WriteString(": absent")
		case t.Reads != nil:
			fmt.Fprintf(b, ": reads %+v", t.Reads)
		default:
			fmt.Fprintf(b, ": %q", t.Values)
		}
		if t.Cut {
			b.WriteString(" cut")
		}
		if t.Literal != "" {
			fmt.Fprintf(b, " met %q", t.Literal)
		}
		b.WriteByte('\n')
	}
	if n.Latch != nil {
		fmt.Fprintf(b, "%s    latched by event %d at %d:", indent, n.Latch.Event, n.Latch.Time/1e9)
		for _, it := range n.Latch.Items {
			fmt.Fprintf(b, " %s %q", it.Text, it.Value)
		}
		b.WriteByte('\n')
	}
	for _, kid := range n.Kids {
		writeNode(b, kid, depth+1)
	}
}

// explainCase is one signal on the last of some events.
type explainCase struct {
	name     string
	signal   expr
	suppress []expr
	only     string // platform of the signal
	events   []testEvent
	o        ExplainOptions
}

func explainCases() []explainCase {
	shell := family()
	login := shell.Previous
	login.ID = 7
	of := func(te testEvent, p *event.Process) testEvent { te.process = p; return te }
	net := func(p *event.Process) testEvent {
		return testEvent{kind: event.KindNetwork, op: event.OpConnect, process: p, fields: fields{event.NetworkPort: 443}}
	}
	update := execEvent(shell)
	update.op, update.fields = event.OpUpdate, fields{event.ProcessHash: []string{"sha256=ff"}}
	etc, bash := ask("file.path", begins, "/etc/"), ask("process.path", ends, "/bash")
	port := number("network.port", equal, 443)
	long := strings.Repeat("é", 200)
	return []explainCase{
		{name: "all-true", signal: and(bash, etc, ask("process.ancestry_path", ends, "/sshd")), events: []testEvent{of(fileEvent("/etc/passwd"), shell)}},
		{name: "short-circuit", signal: and(bash, ask("file.path", begins, "/tmp/"), or(etc, port)), events: []testEvent{of(fileEvent("/etc/passwd"), shell)}},
		{name: "short-circuit-all", signal: and(bash, ask("file.path", begins, "/tmp/"), or(etc, port)), events: []testEvent{of(fileEvent("/etc/passwd"), shell)}, o: ExplainOptions{All: true}},
		{name: "or-decided", signal: or(bash, etc, ask("file.path", ends, "passwd")), events: []testEvent{of(fileEvent("/etc/passwd"), shell)}},
		{name: "group", signal: and(bash, group(and(etc, not(ask("file.path", ends, "/passwd"))))), events: []testEvent{of(fileEvent("/etc/passwd"), shell)}},
		{name: "values", signal: or(ask("process.ancestry_path", equal, "/x"), ask("process.args", equal, "-i"), ask("process.parent_name", has, "cron"),
			not(ask("process.tty", exists)), ask("file.path", has, "x"), not(ask("process.args", equal, "-i")), ask("record.'key'", equal, "k")),
			events: []testEvent{of(testEvent{kind: event.KindFile, op: event.OpWrite, fields: fields{event.FilePath: long}, own: []ownField{{0, "key", "a"}, {1, "key", "b"}}}, shell)}, o: ExplainOptions{All: true}},
		{name: "latched", signal: and(etc, port), events: []testEvent{of(fileEvent("/etc/shadow"), shell), net(shell)}},
		{name: "latched-group-over-exec", signal: and(group(and(etc, ask("file.operation", equal, "write"))), port), events: []testEvent{of(fileEvent("/etc/shadow"), login), net(shell)}},
		{name: "latches-alone", signal: and(etc, port), events: []testEvent{of(fileEvent("/etc/shadow"), shell), net(shell), of(fileEvent("/tmp/x"), shell)}},
		{name: "not-of-this-process", signal: and(etc, port), events: []testEvent{of(fileEvent("/etc/shadow"), shell.Parent), net(shell)}},
		{name: "process-only", signal: bash, events: []testEvent{execEvent(shell)}},
		{name: "process-only-later", signal: and(bash, not(ask("process.name", equal, "zsh"))), events: []testEvent{of(fileEvent("/tmp/x"), shell)}},
		{name: "negated-only", signal: and(bash, not(etc)), events: []testEvent{of(fileEvent("/tmp/x"), shell)}},
		{name: "late-value", signal: and(bash, ask("process.hash", equal, "SHA256=FF")), events: []testEvent{execEvent(shell), update}},
		{name: "late-value-later", signal: and(etc, ask("process.hash", equal, "sha256=ff")), events: []testEvent{update, of(fileEvent("/etc/x"), shell)}},
		{name: "true-before-late-value", signal: and(bash, ask("process.hash", exists)), events: []testEvent{execEvent(shell), update}},
		{name: "suppressed", signal: etc, suppress: []expr{ask("process.user_name", equal, "root"), and(bash, ask("file.path", ends, "/passwd"))}, events: []testEvent{of(fileEvent("/etc/passwd"), shell)}},
		{name: "not-suppressed", signal: etc, suppress: []expr{ask("process.user_name", equal, "backup")}, events: []testEvent{of(fileEvent("/etc/passwd"), shell)}},
		{name: "platform", signal: etc, only: "windows", events: []testEvent{of(fileEvent("/etc/passwd"), shell)}},
		{name: "no-process", signal: and(ask("process.path", equal, "/bin/x"), etc), events: []testEvent{{kind: event.KindFile, op: event.OpWrite, fields: fields{event.FilePath: "/etc/x", event.ProcessPath: "/bin/x"}}}},
		{name: "not-recorded", signal: and(etc, ask("record.'key'", equal, "k")), events: []testEvent{of(fileEvent("/etc/x"), shell)},
			o: ExplainOptions{Known: func(_ *event.Event, _ event.Field, own string) bool { return own == "" }}},
		{name: "not-recorded-but-decided", signal: and(ask("record.'key'", equal, "k"), ask("file.path", begins, "/tmp/")), events: []testEvent{of(fileEvent("/etc/x"), shell)},
			o: ExplainOptions{Known: func(_ *event.Event, _ event.Field, own string) bool { return own == "" }}},
		{name: "forgotten", signal: and(etc, port), events: []testEvent{net(shell)}, o: ExplainOptions{Forgotten: true}},
		{name: "forgotten-and-not-met", signal: and(etc, port), events: []testEvent{of(fileEvent("/tmp/x"), shell)}, o: ExplainOptions{Forgotten: true}},
		{name: "own-values", signal: and(etc, ask("record.'key'", equal, "forged")), events: []testEvent{of(testEvent{kind: event.KindFile, op: event.OpWrite,
			fields: fields{event.FilePath: "/etc/x"}, own: []ownField{{0, "key", "a"}, {0, "key", "forged"}, {1, "key", "b"}}}, shell)}},
		{name: "forgotten-with-stored-proof", signal: and(etc, port), events: []testEvent{net(shell)}, o: ExplainOptions{Forgotten: true}},
		{name: "forgotten-group-with-stored-proof", signal: and(or(group(and(etc, ask("file.path", ends, "hosts"))), group(and(etc, ask("file.path", ends, "wd")))), port),
			events: []testEvent{net(shell)}, o: ExplainOptions{Forgotten: true, All: true}},
		{name: "suppression-not-recorded", signal: etc, suppress: []expr{ask("record.'key'", equal, "k")}, events: []testEvent{of(fileEvent("/etc/x"), shell)},
			o: ExplainOptions{Known: func(_ *event.Event, _ event.Field, own string) bool { return own == "" }}},
	}
}

// Trees worked by hand: testdata/explain/NAME.txt.
func TestExplainTrees(t *testing.T) {
	for _, tt := range explainCases() {
		t.Run(tt.name, func(t *testing.T) {
			var b setBuilder
			var platforms []string
			if tt.only != "" {
				platforms = []string{tt.only}
			}
			b.add("s", event.AllKinds, tt.signal, platforms...)
			for _, s := range tt.suppress {
				b.set.Signals[0].Suppress = append(b.set.Signals[0].Suppress, b.node(group(s), false))
			}
			p := b.program(t)
			if strings.HasSuffix(tt.name, "with-stored-proof") { // of the first branch
				for i := range p.terms[:len(p.memory.items[0].terms)] {
					tt.o.Latches = append(tt.o.Latches, event.ProofItem{Term: p.terms[i].id, Text: p.terms[i].text, Event: 77, Time: 88e9, Field: event.FilePath, Value: "/etc/hosts"})
				}
			}
			batch := event.NewBatch(4)
			batch.Platform = "linux"
			for _, te := range tt.events {
				te.addTo(batch)
			}
			var out strings.Builder
			n := 0
			p.NewMatcher().MatchExplaining(batch, func(x *Explainer) {
				if n++; n == len(tt.events) {
					writeTrace(&out, x.Explain(0, tt.o))
				}
			})
			golden(t, tt.name, "signal: "+tt.signal.text()+"\n"+out.String())
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "explain", name+".txt")
	if *updateExplain {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || string(want) != got {
		t.Errorf("%s (%v) is\n%s\ngot\n%s", path, err, want, got)
	}
}

// What remains of a CEL expression is told with the values that it reads.
func TestExplainResidue(t *testing.T) {
	const cel = `process.name == "bash" && (file.path.size() > process.cwd.size() || own("key").size() == 3)`
	p := compile(t, "id: 00000001-0000-4000-8000-000000000000\nname: s\ncel: |\n  "+cel+"\n")
	for name, o := range map[string]ExplainOptions{
		"residue":              {},
		"residue-not-recorded": {Known: func(_ *event.Event, _ event.Field, own string) bool { return own == "" }},
	} {
		t.Run(name, func(t *testing.T) {
			batch := event.NewBatch(1)
			te := fileEvent("/etc/passwd")
			te.process, te.own = family(), []ownField{{0, "key", "four"}}
			te.addTo(batch)
			var out strings.Builder
			p.NewMatcher().MatchExplaining(batch, func(x *Explainer) { writeTrace(&out, x.Explain(0, o)) })
			golden(t, name, "cel: "+cel+"\n"+out.String())
		})
	}
}

// What came nearest comes first: fewest terms unmet, then the greatest share met,
// then the earliest. A term that an earlier event of the process met counts as met:
// /etc/ does so on event 1004.
func TestNearMisses(t *testing.T) {
	shell := family()
	of := func(path string) testEvent { te := fileEvent(path); te.process = shell; return te }
	bash := ask("process.path", ends, "/bash")
	var b setBuilder
	b.add("0 three terms", event.AllKinds, and(bash, ask("file.path", begins, "/etc/"), ask("file.path", ends, "/shadow")))
	b.add("1 or", event.AllKinds, and(ask("file.path", begins, "/tmp/"), or(and(bash, ask("user.name", equal, "root")), ask("user.name", equal, "ann"))))
	b.add("2 other kind", event.SetOf(event.KindNetwork), and(bash, number("network.port", equal, 1)))
	b.add("3 not for linux", event.AllKinds, and(bash, ask("file.path", begins, "/x")), "windows")
	b.add("4 fires", event.AllKinds, and(bash, ask("file.path", has, "/")))
	b.add("5 nothing met", event.AllKinds, ask("file.path", equal, "x"))
	p := b.program(t)
	batch := event.NewBatch(4)
	batch.Platform = "linux"
	for _, te := range []testEvent{of("/home"), of("/etc/passwd"), of("/etc/hosts"), of("/tmp/a")} {
		te.addTo(batch)
	}
	near := NearMisses{Top: 6}
	p.NewMatcher().MatchExplaining(batch, func(x *Explainer) {
		for i := range uint32(p.Signals()) {
			near.Consider(x, i, ExplainOptions{})
		}
	})
	var got []string
	for _, n := range near.List() {
		got = append(got, fmt.Sprintf("%s on %d: %d of %d", p.definitions[n.Signal].ID, n.Event, n.Met, n.Terms()))
	}
	want := []string{"0 three terms on 1002: 2 of 3", "0 three terms on 1003: 2 of 3", "0 three terms on 1004: 2 of 3",
		"1 or on 1004: 2 of 3", "0 three terms on 1001: 1 of 3", "1 or on 1001: 1 of 3"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("near misses\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
