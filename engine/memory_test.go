// SPDX-License-Identifier: Apache-2.0

// This file tests what signals remember of processes: latches, and the losses where
// there is no room. Late values are in late_test.go, saving in state_test.go.

package engine

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seismo/internal/event"
)

// step is one event of a sequence, and the signals that must fire on it.
type step struct {
	what  string // says what the step shows
	on    testEvent
	ended []*event.Process // told with the event
	want  []string         // what fires, as "signal: event of each proof item"
	keep  bool             // the event is kept though nothing fires
}

// image returns a process with an id of its own.
func image(id event.ProcessKey, path string) *event.Process {
	return &event.Process{ID: id, PID: int32(id), Path: path, UserID: event.NoID, GroupID: event.NoID, LoginUserID: event.NoID, Session: event.NoID}
}

// of returns te as an event of process p.
func of(p *event.Process, te testEvent) testEvent {
	te.process = p
	return te
}

func connectEvent(port int) testEvent {
	return testEvent{kind: event.KindNetwork, op: event.OpConnect, fields: fields{event.NetworkPort: port}}
}

// run judges steps one after the other, each in a batch of its own: event n of them
// has the id n. It returns the matcher and the losses.
func run(t *testing.T, m *Matcher, steps []step) (losses []event.Loss) {
	t.Helper()
	b := event.NewBatch(1)
	for i, s := range steps {
		b.Reset()
		e := s.on.addTo(b)
		e.ID, e.Time = event.ID(i+1), int64(i+1)*1_000_000_000
		for _, p := range s.ended {
			b.Ended = append(b.Ended, p.ID)
		}
		m.Match(b)
		var got []string
		for _, tag := range e.Tags {
			line := m.Program().Definitions()[tag.Signal].ID + ":"
			for _, item := range tag.Proof {
				line += fmt.Sprint(" ", item.Event)
			}
			got = append(got, line)
		}
		if diff := cmp.Diff(s.want, got); diff != "" {
			t.Errorf("step %d, %s (-want +got):\n%s", i+1, s.what, diff)
		}
		if keep := e.Verdict == event.Keep; keep != (s.keep || len(s.want) > 0) {
			t.Errorf("step %d, %s: kept = %v", i+1, s.what, keep)
		}
		losses = append(losses, b.Losses...)
	}
	return losses
}

var (
	etc     = ask("file.path", begins, "/etc/")
	high    = number("network.port", greater, 1023)
	writing = ask("file.operation", equal, "write")
	bash    = ask("process.path", ends, "/bash")
)

func TestLatches(t *testing.T) {
	p, q := image(1, "/bin/bash"), image(2, "/bin/sh")
	next, last := image(3, "/bin/curl"), image(4, "/bin/nc")
	next.Previous, last.Previous = p, next
	child := image(5, "/bin/bash")
	child.Parent = p
	forked := image(6, "/bin/bash")
	forked.Parent, forked.Forked = p, true
	file, net, port80 := fileEvent("/etc/passwd"), connectEvent(4444), connectEvent(80)
	reading := fileEvent("/etc/passwd")
	reading.op = event.OpOpen
	end := testEvent{kind: event.KindProcess, op: event.OpEnd, process: p}
	tests := []struct {
		name  string
		e     expr
		steps []step
	}{
		{"two events of one process", and(etc, high), []step{
			{"the first part", of(p, file), nil, nil, true},
			{"an event that meets nothing", of(p, port80), nil, nil, false},
			{"the second part", of(p, net), nil, []string{"s: 1 3"}, false},
			{"each event that meets a part fires", of(p, net), nil, []string{"s: 1 4"}, false},
			{"and what the event itself meets goes before the latch", of(p, file), nil, []string{"s: 5 3"}, false},
			{"an event that meets no part does not", of(p, port80), nil, nil, false}}},
		{"the other order", and(etc, high), []step{
			{"the second part", of(p, net), nil, nil, true},
			{"the first part", of(p, file), nil, []string{"s: 2 1"}, false}}},
		{"the first event that met a term stays its latch", and(etc, high), []step{
			{"first", of(p, file), nil, nil, true},
			{"again: nothing new to remember", of(p, file), nil, nil, false},
			{"then", of(p, net), nil, []string{"s: 1 3"}, false}}},
		{"events of two processes", and(etc, high), []step{
			{"one", of(p, file), nil, nil, true},
			{"the other", of(q, net), nil, nil, true}}},
		{"an event without process is judged alone", and(etc, high), []step{
			{"remembers nothing", file, nil, nil, false},
			{"sees nothing", net, nil, nil, false}}},
		{"terms outside a group are met by different events", and(etc, writing, high), []step{
			{"opened", of(p, reading), nil, nil, true},
			{"another file is written", of(p, fileEvent("/tmp/x")), nil, nil, true},
			{"connected", of(p, net), nil, []string{"s: 1 2 3"}, false}}},
		{"a group is met by one event", and(group(and(etc, writing)), high), []step{
			{"opened", of(p, reading), nil, nil, false},
			{"another file is written", of(p, fileEvent("/tmp/x")), nil, nil, false},
			{"connected", of(p, net), nil, nil, true},
			{"both on one event", of(p, file), nil, []string{"s: 4 4 3"}, false},
			{"the group is remembered as a whole", of(p, net), nil, []string{"s: 4 4 5"}, false}}},
		{"a negated event term is judged on the event at hand", and(etc, high, not(number("network.port", equal, 80))), []step{
			{"file", of(p, file), nil, nil, true},
			{"port", of(p, net), nil, []string{"s: 1 2 2"}, false},
			{"a file event has no port, but the term is not met by it", of(p, file), nil, nil, false},
			{"another port", of(p, connectEvent(2000)), nil, []string{"s: 1 4 4"}, false}}},
		{"a group with a negated term is remembered", and(group(not(etc)), high), []step{
			{"a file elsewhere", of(p, fileEvent("/tmp/x")), nil, nil, true},
			{"port", of(p, net), nil, []string{"s: 1 2"}, false}}},
		{"terms on the process are judged at each event", and(bash, etc, high), []step{
			{"file", of(p, file), nil, nil, true},
			{"port", of(p, net), nil, []string{"s: 2 1 2"}, false}}},
		{"an exec goes on with what the image before it met", and(etc, high), []step{
			{"the shell", of(p, file), nil, nil, true},
			{"what it executes", of(next, net), nil, []string{"s: 1 2"}, false},
			{"the image before has nothing any more", of(p, net), nil, nil, true}}},
		{"an exec after an exec", and(etc, high), []step{
			{"the first image", of(p, file), nil, nil, true},
			{"the third: the second had no event", of(last, net), nil, []string{"s: 1 2"}, false}}},
		{"an exec at its publication, and the end of the image before", and(etc, high), []step{
			{"the shell", of(p, file), nil, nil, true},
			{"the exec", execEvent(next), []*event.Process{p}, nil, false},
			{"what it executes", of(next, net), nil, []string{"s: 1 3"}, false}}},
		{"children get nothing", and(etc, high), []step{
			{"the parent", of(p, file), nil, nil, true},
			{"its child", of(child, net), nil, nil, true},
			{"its fork", of(forked, net), nil, nil, true}}},
		{"the end of a process", and(etc, high), []step{
			{"file", of(p, file), nil, nil, true},
			{"the end is judged with what was remembered", end, []*event.Process{p}, nil, false},
			{"and then it is forgotten", of(p, net), nil, nil, true}}},
		{"an event that completes a signal as its process ends", and(etc, number("process.exit_code", equal, 1)), []step{
			{"file", of(p, file), nil, nil, true},
			{"end", testEvent{kind: event.KindProcess, op: event.OpEnd, process: p, fields: fields{event.ProcessExitCode: 1}}, []*event.Process{p}, []string{"s: 1 2"}, false}}},
		{"a signal of one term fires on each event, and remembers nothing", and(bash, etc), []step{
			{"once", of(p, file), nil, []string{"s: 1 1"}, false},
			{"twice", of(p, file), nil, []string{"s: 2 2"}, false},
			{"not on others", of(p, net), nil, nil, false}}},
		{"the same term twice is one", and(etc, or(etc, writing)), []step{
			{"both parts are met by it", of(p, reading), nil, []string{"s: 1 1"}, false},
			{"written elsewhere", of(p, fileEvent("/tmp/x")), nil, []string{"s: 1 2"}, false}}},
		{"alternatives are remembered each by itself", or(and(etc, high), and(writing, number("network.port", equal, 80))), []step{
			{"opened", of(p, reading), nil, nil, true},
			{"only the first alternative needs the high port", of(p, port80), nil, nil, true},
			{"it comes", of(p, net), nil, []string{"s: 1 3"}, false}}},
		{"a process alone fires once, at publication", and(bash, not(ask("process.tty", exists))), []step{
			{"create", execEvent(p), nil, []string{"s: 1 1"}, false},
			{"an event of it", of(p, file), nil, nil, false},
			{"the end", end, nil, nil, false}}},
		{"an ancestor, or the process itself", and(ask("process.ancestry_path", ends, "/bash"), etc, high), []step{
			{"child of the shell", of(child, file), nil, nil, true},
			{"again", of(child, net), nil, []string{"s: 2 1 2"}, false},
			{"image after the shell", of(next, file), nil, nil, true},
			{"again", of(next, net), nil, []string{"s: 4 3 4"}, false},
			{"NOT a descendant", of(q, file), nil, nil, true},
			{"again", of(q, net), nil, nil, true}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b setBuilder
			b.add("s", event.AllKinds, tt.e)
			p := b.program(t)
			for _, o := range []MatcherOptions{{}, {DisableSignalsTrie: true}} {
				if losses := run(t, p.NewMatcherWith(o), tt.steps); len(losses) > 0 {
					t.Errorf("losses = %v, want none", losses)
				}
			}
		})
	}
}

// What an item met is shared by the signals that have it, but only a signal that
// needs memory has any.
func TestLatchesAreNotSeenBySignalsWithoutMemory(t *testing.T) {
	var b setBuilder
	b.add("1", event.AllKinds, and(etc, high))
	b.add("2", event.AllKinds, and(etc, ask("process.tty", equal, "pts/1")))
	b.add("3", event.AllKinds, and(high, etc, writing))
	p := image(1, "/bin/sh")
	update := testEvent{kind: event.KindProcess, op: event.OpUpdate, process: p, fields: fields{event.ProcessTTY: "pts/1"}}
	run(t, b.program(t).NewMatcher(), []step{
		{"one latch for two signals", of(p, fileEvent("/etc/x")), nil, nil, true},
		{"the terminal comes too late for signal 2, which remembers nothing", update, nil, nil, false},
		{"it fires on the next event", of(p, fileEvent("/etc/x")), nil, []string{"2: 3 3"}, false},
		{"both of the others", of(p, connectEvent(2000)), nil, []string{"1: 1 4", "3: 4 1 1"}, false},
	})
}

// A signal that is suppressed leaves no tag, but its latches are set.
func TestSuppress(t *testing.T) {
	var b setBuilder
	b.add("s", event.AllKinds, and(etc, high))
	b.add("t", event.AllKinds, etc)
	for i, e := range []expr{or(number("network.port", equal, 2000), ask("process.path", equal, "/bin/dash")), ask("file.path", ends, "/x")} {
		b.set.Signals[i].Suppress = []uint32{b.node(not(ask("process.path", exists)), true), b.node(e, true)}
	}
	prog := b.program(t)
	p, dash := image(1, "/bin/sh"), image(2, "/bin/dash")
	for _, o := range []MatcherOptions{{}, {DisableSignalsTrie: true}} {
		m := prog.NewMatcherWith(o)
		run(t, m, []step{
			{"suppressed by the file, remembered by the other", of(p, fileEvent("/etc/x")), nil, nil, true},
			{"suppressed by the port", of(p, connectEvent(2000)), nil, nil, true},
			{"another port, by the latch", of(p, connectEvent(3000)), nil, []string{"s: 1 3"}, false},
			{"suppression has no memory: that there was a suppressed port does not count", of(p, fileEvent("/etc/y")), nil, []string{"s: 4 2", "t: 4"}, false},
			{"the process suppresses", of(dash, connectEvent(3000)), nil, nil, true},
			{"again", of(dash, fileEvent("/etc/y")), nil, []string{"t: 6"}, true},
		})
		if s := m.Statistics(); s[0].Suppressed != 2 || s[1].Suppressed != 1 || s[0].Matches != 2 || s[1].Matches != 2 {
			t.Errorf("Statistics() = %+v, want 2 and 1 suppressed, 2 and 2 matches", s)
		}
	}
}

// A proof copies what it says: the values of earlier events are there after their
// batch was used again.
func TestProofOutlivesItsEvents(t *testing.T) {
	var b setBuilder
	b.add("s", event.AllKinds, and(group(and(etc, not(ask("file.target_path", equal, "/x")))), ask("process.path", begins, "/bin/"), high))
	p := image(7, "/bin/sh")
	m, batch := b.program(t).NewMatcher(), event.NewBatch(1)
	of(p, fileEvent("/Etc/passwd")).addTo(batch).Ordinal = 17
	m.Match(batch)
	for range 3 {
		batch.Reset()
		fileEvent("////////////////////").addTo(batch)
		m.Match(batch)
	}
	batch.Reset()
	e := of(p, connectEvent(4444)).addTo(batch)
	e.ID, e.Time, e.Ordinal = 2000, 2_000_000_000, 99
	m.Match(batch)
	want := []event.ProofItem{
		{Text: "file.path begins with '/etc/'", Event: 1001, Time: 1_000_000_000, Ordinal: 17, Field: event.FilePath, Value: "/Etc/passwd", Literal: "/etc/"},
		{Text: "file.target_path is NOT '/x'", Event: 1001, Time: 1_000_000_000, Ordinal: 17, Field: event.FileTargetPath, Absent: true},
		{Text: "process.path begins with '/bin/'", Event: 2000, Time: 2_000_000_000, Ordinal: 99, Field: event.ProcessPath, Value: "/bin/sh", Literal: "/bin/"},
		{Text: "network.port > 1023", Event: 2000, Time: 2_000_000_000, Ordinal: 99, Field: event.NetworkPort, Value: "4444", Literal: "1023"},
	}
	if len(e.Tags) != 1 {
		t.Fatalf("%d tags, want 1", len(e.Tags))
	}
	for i := range e.Tags[0].Proof {
		item := &e.Tags[0].Proof[i]
		if item.Term == 0 {
			t.Errorf("item %q has no term id", item.Text)
		}
		item.Term = 0
	}
	if diff := cmp.Diff(want, e.Tags[0].Proof); diff != "" {
		t.Errorf("proof (-want +got):\n%s", diff)
	}
}

// Where there is no room, the oldest goes, and that is told.
func TestEviction(t *testing.T) {
	var b setBuilder
	for i := range 4 {
		b.add(fmt.Sprint("s", i), event.AllKinds, and(ask("file.path", equal, fmt.Sprint("/", i)), high))
	}
	prog := b.program(t)
	p, q, r := image(1, "/p"), image(2, "/q"), image(3, "/r")
	file := func(p *event.Process, n int) testEvent { return of(p, fileEvent(fmt.Sprint("/", n))) }
	net := func(p *event.Process) testEvent { return of(p, connectEvent(2000)) }
	tests := []struct {
		name    string
		limits  [3]int // of a process, of all, bytes
		steps   []step
		evicted []uint64 // by loss
	}{
		{"of a process, its oldest", [3]int{2, 100, 1 << 20}, []step{
			{"first", file(p, 0), nil, nil, true}, {"second", file(p, 1), nil, nil, true}, {"third", file(p, 2), nil, nil, true},
			{"the first is gone, and the port takes the place of the second", net(p), nil, []string{"s1: 2 4", "s2: 3 4"}, false}}, []uint64{1, 1}},
		{"of all, the process touched longest ago", [3]int{64, 3, 1 << 20}, []step{
			{"p", file(p, 0), nil, nil, true}, {"q", file(q, 0), nil, nil, true},
			{"an event of p that meets nothing touches it", of(p, fileEvent("/x")), nil, nil, false},
			{"r", file(r, 0), nil, nil, true}, {"r again", file(r, 1), nil, nil, true},
			{"q had to go", net(q), nil, nil, true},
		}, []uint64{1, 1}},
		{"all latches of that process go", [3]int{64, 3, 1 << 20}, []step{
			{"p", file(p, 0), nil, nil, true}, {"p again", file(p, 1), nil, nil, true}, {"p full", file(p, 2), nil, nil, true},
			{"q", file(q, 0), nil, nil, true}}, []uint64{3}},
		{"one process with more than there is room for", [3]int{64, 2, 1 << 20}, []step{
			{"p", file(p, 0), nil, nil, true}, {"p again", file(p, 1), nil, nil, true}, {"p full", file(p, 2), nil, nil, true},
			{"of the newest", net(p), nil, []string{"s1: 2 4", "s2: 3 4"}, false}}, []uint64{1, 1}},
		{"bytes count too", [3]int{64, 100, 1}, []step{
			{"p", file(p, 0), nil, nil, true}, {"q", file(q, 0), nil, nil, true}}, []uint64{1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := prog.NewMatcher()
			m.latches.limits.process, m.latches.limits.all, m.latches.limits.bytes = tt.limits[0], tt.limits[1], tt.limits[2]
			var got []uint64
			for _, loss := range run(t, m, tt.steps) {
				got = append(got, loss.Count)
				if loss.Reason != event.LossLatches || loss.Unit != "latches" || loss.From == 0 || loss.From != loss.To || loss.Detail == "" {
					t.Errorf("loss %+v, want its reason, unit, time and detail", loss)
				}
			}
			if diff := cmp.Diff(tt.evicted, got); diff != "" {
				t.Errorf("latches lost (-want +got):\n%s", diff)
			}
			checkTable(t, m)
		})
	}
}

// Losses of one batch are one row, from the first event to the last that needed room.
func TestLossesAreSummed(t *testing.T) {
	var b setBuilder
	b.add("s", event.AllKinds, and(etc, high))
	m, batch := b.program(t).NewMatcher(), event.NewBatch(10)
	m.latches.limits.all = 1
	for i := range 5 {
		of(image(event.ProcessKey(i+1), "/x"), fileEvent("/etc/x")).addTo(batch)
	}
	m.Match(batch)
	if len(batch.Losses) != 1 || batch.Losses[0].Count != 4 || batch.Losses[0].From != 2_000_000_000 || batch.Losses[0].To != 5_000_000_000 {
		t.Errorf("Losses = %+v, want one of 4 latches from event 2 to 5", batch.Losses)
	}
	m.Match(event.NewBatch(0))
	if m.latches.evicted.count != 0 {
		t.Error("the loss is told twice")
	}
	m.Forget(func(key event.ProcessKey) bool { return key != 5 })
	if len(m.latches.of) != 0 {
		t.Error("Forget kept a process that it was told to forget")
	}
}

// checkTable checks that the order of touching has all processes, and the sums.
func checkTable(t *testing.T, m *Matcher) {
	t.Helper()
	n, count, bytes := 0, 0, 0
	var last *remembered
	for r := range m.latches.order.All() {
		last = r
		n++
		count += len(r.latches)
		for _, l := range r.latches {
			bytes += len(l.proof)
		}
		if m.latches.of[r.key] != r {
			t.Errorf("process %d is not where it should be", r.key)
		}
	}
	if last != m.latches.order.Newest() {
		t.Error("the process touched last is not the last in order")
	}
	if n != len(m.latches.of) || count != m.latches.count || bytes != m.latches.bytes {
		t.Errorf("%d processes, %d latches, %d bytes in order; the table says %d, %d, %d", n, count, bytes, len(m.latches.of), m.latches.count, m.latches.bytes)
	}
}

// Which signals need memory, and what of.
func TestWhatNeedsMemory(t *testing.T) {
	tests := []struct {
		name string
		e    expr
		want int // items
	}{
		{"two terms joined by AND", and(etc, high), 2},
		{"two terms joined by OR", or(etc, high), 0},
		{"an event term and process terms", and(bash, etc), 0},
		{"an event term and a negated one", and(etc, not(high)), 0},
		{"one term twice", and(etc, etc), 0},
		{"a group", group(and(etc, writing)), 0},
		{"a group and a term", and(group(and(etc, writing)), high), 2},
		{"one group twice", and(group(and(etc, writing)), group(and(etc, writing))), 0},
		{"two groups", and(group(and(etc, writing)), group(or(etc, writing))), 2},
		{"a term and the same term in a group", and(etc, group(etc)), 2},
		{"a group on the process", and(etc, group(bash)), 0},
		{"a group with a negated term", and(high, group(not(etc))), 2},
		{"alternatives on either side", and(or(etc, bash), or(writing, high)), 3},
		{"the same alternatives on either side", and(or(etc, high), or(etc, high)), 2},
		{"an alternative that needs none beside one that does", or(ask("file.path", equal, "/x"), and(etc, high)), 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b setBuilder
			b.add("s", event.AllKinds, tt.e)
			if got := len(b.program(t).memory.ofSignal[0]); got != tt.want {
				t.Errorf("%s has %d items to remember, want %d", tt.e.text(), got, tt.want)
			}
		})
	}
}
