// SPDX-License-Identifier: Apache-2.0

package process

import (
	"fmt"
	"strings"
	"testing"

	"seismo/internal/event"
)

// began returns the create event of a program in b.
func began(b *event.Batch, path, line string, at int64) *event.Event {
	e := b.Add(event.KindProcess, event.OpCreate)
	e.Time = at
	e.SetString(event.ProcessPath, path)
	e.SetString(event.ProcessCommandLine, line)
	return e
}

// A start that is told after something the process did makes the process anew; a
// second record of it does not.
func TestNamedLateStart(t *testing.T) {
	var n Named
	b := event.NewBatch(4)
	said := b.Add(event.KindFile, event.OpCreate)
	said.SetString(event.ProcessPath, "/a")
	n.Identify(said, &Naming{Host: "h", GUID: []byte("{ABCDEF01}")})
	first := began(b, "/a", "a b", 5)
	n.Identify(first, &Naming{Host: "h", GUID: []byte("abcdef01"), PID: 3})
	again := began(b, "/a", "a b", 6)
	n.Identify(again, &Naming{Host: "h", GUID: []byte("ABCDEF01")})
	n.Gone(b)
	if !said.Process.Inferred || first.Process.Inferred || first.Process.CommandLine != "a b" || first.Process.Start != 5 {
		t.Errorf("processes %+v and %+v", said.Process, first.Process)
	}
	if again.Process != first.Process || said.Process.ID == first.Process.ID {
		t.Errorf("ids %d, %d and %d, want the last two alike", said.Process.ID, first.Process.ID, again.Process.ID)
	}
	if len(b.Ended) != 1 || b.Ended[0] != said.Process.ID {
		t.Errorf("ended %d, want %d: the one that was made of what its event said", b.Ended, said.Process.ID)
	}
}

// A start that names nothing is a process all the same, of that event alone, and the
// parent that the record tells of counts.
func TestNamedAlone(t *testing.T) {
	var n Named
	b := event.NewBatch(4)
	var keys []event.ProcessKey
	for i := range 2 {
		e := began(b, "/a", "a", 0)
		e.Ordinal = uint64(i + 1)
		n.Identify(e, &Naming{ParentPath: []byte("/sh")})
		if e.Process == nil || e.Process.Parent == nil || e.Process.Parent.Path != "/sh" {
			t.Fatalf("process %+v, want a child of /sh", e.Process)
		}
		keys = append(keys, e.Process.ID, e.Process.Parent.ID)
	}
	n.Gone(b)
	if keys[0] == keys[2] || len(b.Ended) != 4 || n.n != 0 {
		t.Errorf("keys %d, ended %d, %d remembered; want two processes and none remembered", keys, b.Ended, n.n)
	}
	other := b.Add(event.KindFile, event.OpCreate)
	if n.Identify(other, &Naming{Host: "h", PID: 9}); other.Process != nil {
		t.Errorf("a pid that no record of a start named is process %+v", other.Process)
	}
}

// What is remembered is bounded in number and bytes, the oldest goes first, and a
// long line of descent ends.
func TestNamedIsBounded(t *testing.T) {
	var n Named
	b := event.NewBatch(1)
	add := func(i int, line string) *event.Process {
		e := began(b, "/p", line, int64(i)*1e9)
		n.Identify(e, &Naming{Host: "h", GUID: fmt.Appendf(nil, "guid-%08d", i), PID: int32(i%1000 + 1), ParentGUID: fmt.Appendf(nil, "guid-%08d", i-1)})
		p := e.Process
		n.Gone(b)
		gone := b.Ended
		b.Reset()
		b.Ended = gone
		return p
	}
	const over = 500
	var last *event.Process
	for i := 1; i <= maxNamed+over; i++ {
		last = add(i, "x")
	}
	if n.n != maxNamed || len(n.byID) != maxNamed || len(n.byPID) > 1000 || len(b.Ended) != over {
		t.Errorf("%d processes, %d by id, %d by pid, %d gone; want %d and %d gone", n.n, len(n.byID), len(n.byPID), len(b.Ended), maxNamed, over)
	}
	depth := 0
	for p := last; p != nil; p = p.Parent {
		depth++
	}
	if depth < keepChain || depth > maxChain+1 {
		t.Errorf("the last of a long line reaches %d ancestors, want %d to %d", depth, keepChain, maxChain)
	}
	for i := range 100 {
		add(1_000_000+i, strings.Repeat("y", 1<<20))
	}
	if n.size > maxNamedBytes || n.n < 50 {
		t.Errorf("%d bytes of %d processes, want at most %d", n.size, n.n, maxNamedBytes)
	}
	for n.n > 0 {
		n.forget(n.order.Oldest(), true)
	}
	if n.size != 0 || len(n.byID) != 0 || len(n.byPID) != 0 {
		t.Errorf("after all is forgotten: %d bytes, %d by id, %d by pid", n.size, len(n.byID), len(n.byPID))
	}
}

// A table leaves events alone that say which logs they belong to: their records name
// the process, or nothing does.
func TestTableLeavesNamed(t *testing.T) {
	table := NewTable(Options{})
	b := event.NewBatch(2)
	for i, op := range []event.Op{event.OpCreate, event.OpCreate, event.OpEnd} {
		e := b.Add(event.KindProcess, op)
		e.PID, e.PPID, e.Time, e.Logsource = 5, int32(i+1), int64(i)*1e9, &event.Logsource{}
		e.SetString(event.ProcessPath, fmt.Sprint("/", i))
	}
	table.Apply(b)
	if b.Len() != 3 || table.Len() != 0 || b.Events()[0].Process != nil {
		t.Errorf("%d events, %d processes, %+v; want the three events as they were", b.Len(), table.Len(), b.Events()[0].Process)
	}
}
