// SPDX-License-Identifier: Apache-2.0

package process_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"seismo/internal/event"
	"seismo/internal/process"
)

// reach returns how many processes, and how many images of p's own pid, can be
// reached from p by any pointer.
func reach(p *event.Process) (all, images int) {
	seen := map[*event.Process]bool{}
	var walk func(q *event.Process)
	walk = func(q *event.Process) {
		if q == nil || seen[q] {
			return
		}
		seen[q] = true
		if q.PID == p.PID {
			images++
		}
		walk(q.Parent)
		walk(q.Previous)
	}
	walk(p)
	return len(seen), images
}

func heapMB() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / (1 << 20)
}

// A process that executes without end keeps a bounded past, its parent, and a
// bounded memory; what is cut is told.
func TestExecLoop(t *testing.T) {
	table := process.NewTable(process.Options{})
	s := scene{b: event.NewBatch(8)}
	shell(&s)
	s.fork(1, 101, 100)
	table.Apply(s.b)
	before := heapMB()
	told, most := 0, 0
	const n = 50_000
	for i := range n {
		s.b.Reset()
		e := s.exec(int64(10+i), 101, 100, "/bin/loop", "loop", fmt.Sprint(i))
		table.Apply(s.b)
		all, images := 0, 0
		if i%97 == 0 || i == n-1 {
			all, images = reach(e.Process)
			most = max(most, images)
			if chain := slices.Collect(e.Process.Ancestry()); all > 70 || chain[len(chain)-1].PID != 100 || e.Process.Parent.PID != 100 {
				t.Fatalf("exec %d reaches %d processes, %d of its own, and ends at pid %d; want at most 70 and the shell", i, all, images, chain[len(chain)-1].PID)
			}
		}
		told += len(s.b.Ended)
	}
	if most < 32 || most > 64 {
		t.Errorf("a process reaches up to %d of its images; want 32 to 64", most)
	}
	if told < n-64 || told > n {
		t.Errorf("%d keys in Ended; want those of all images but the last %d", told, most)
	}
	if grown := heapMB() - before; grown > 2 {
		t.Errorf("the heap grew by %.1f MB over %d execs; want less than 2", grown, n)
	}
	runtime.KeepAlive(table)
}

// Long command lines count: a loop with them keeps fewer images.
func TestExecLoopWithLongCommandLines(t *testing.T) {
	table := process.NewTable(process.Options{})
	s := scene{b: event.NewBatch(8)}
	long := strings.Repeat("x", 30<<10)
	var last *event.Process
	for i := range 300 {
		s.b.Reset()
		e := s.exec(int64(10+i), 101, 100, "/bin/loop", "loop", long)
		table.Apply(s.b)
		last = e.Process
	}
	size := 0
	for p := range last.Ancestry() {
		size += len(p.CommandLine)
	}
	if size > 192<<10 || last.Previous == nil {
		t.Errorf("a chain holds %d bytes of command lines; want at most 192 KiB, and a previous image", size)
	}
}

// A process that forks and ends, for ever, keeps a bounded ancestry, also in the
// table, and its direct parent.
func TestForkChain(t *testing.T) {
	table := process.NewTable(process.Options{Expiry: time.Second})
	s := scene{b: event.NewBatch(8)}
	s.exec(0, 2, 1, "/bin/chain", "chain")
	table.Apply(s.b)
	before := heapMB()
	const n = 30_000
	var last *event.Process
	for i := range int32(n) {
		s.b.Reset()
		ms := int64(i)*10 + 10
		s.fork(ms, i+3, i+2)
		e := s.exec(ms+1, i+3, i+2, "/bin/chain", "chain")
		s.exit(ms+2, i+2, 0)
		table.Apply(s.b)
		table.Expire(at(ms), s.b)
		last = e.Process
		if last.Parent == nil || last.Parent.PID != i+2 {
			t.Fatalf("process %d has no parent", i+3)
		}
	}
	if all, _ := reach(last); all < 128 || all > 257 {
		t.Errorf("a process reaches %d others; want 128 to 257", all)
	}
	// 100 that ended within the second, and the ancestors of the last.
	if table.Len() > 100+257 || table.Running() != 1 {
		t.Errorf("the table keeps %d processes, %d running; want at most 357 and 1", table.Len(), table.Running())
	}
	if grown := heapMB() - before; grown > 2 {
		t.Errorf("the heap grew by %.1f MB over %d processes; want less than 2", grown, n)
	}
	runtime.KeepAlive(table)
}

// Short processes without end, which no event names, stay within the bytes kept
// for the ended, and leave no event.
func TestForkStorm(t *testing.T) {
	table := process.NewTable(process.Options{})
	s := scene{b: event.NewBatch(8)}
	shell(&s)
	table.Apply(s.b)
	before := heapMB()
	for i := range int32(3000) {
		s.b.Reset()
		for j := range int32(100) {
			pid := 1000 + i*100 + j
			s.fork(int64(i), pid, 100)
			s.exit(int64(i)+1, pid, 0)
		}
		table.Apply(s.b)
		table.Expire(at(int64(i)), s.b)
		if s.b.Len() != 0 || len(s.b.Losses) != 0 {
			t.Fatalf("a storm of forks leaves %d events and %d losses", s.b.Len(), len(s.b.Losses))
		}
	}
	if grown := heapMB() - before; grown > 16 {
		t.Errorf("the heap grew by %.1f MB over 300,000 forks; want less than 16", grown)
	}
	n := table.Len()
	table.Expire(at(10_000_000), s.b)
	if table.Len() != 1 || n > 80_000 {
		t.Errorf("%d processes kept, %d after the expiry; want at most 80,000, and the shell", n, table.Len())
	}
}

// What lives is kept up to the limit; what has not been named for longest goes,
// and is counted.
func TestMaxProcesses(t *testing.T) {
	table := process.NewTable(process.Options{MaxProcesses: 100})
	s := scene{b: event.NewBatch(8)}
	shell(&s)
	table.Apply(s.b)
	lost := uint64(0)
	for i := range int64(1000) {
		s.b.Reset()
		s.exec(i, int32(1000+i), 1, "/bin/child", "child")
		shellEvent := s.file(i, 100, 1, "/bin/bash")
		table.Apply(s.b)
		for _, l := range s.b.Losses {
			if l.Reason != event.LossProcesses || l.Unit != "processes" || l.From == 0 || l.To < l.From || l.Detail == "" {
				t.Fatalf("loss = %+v", l)
			}
			lost += l.Count
		}
		if shellEvent.Process.Inferred || table.Len() > 100 {
			t.Fatalf("after %d: shell forgotten %v, %d kept; want the shell kept, and 100 at most", i, shellEvent.Process.Inferred, table.Len())
		}
	}
	if lost != 901 || table.Len() != 100 {
		t.Errorf("%d lost, %d kept; want 901 of 1001, and 100", lost, table.Len())
	}
}

func TestExpireKeepsAncestorsOfTheLiving(t *testing.T) {
	table := process.NewTable(process.Options{})
	s := scene{b: event.NewBatch(8)}
	shell(&s)
	s.fork(10, 101, 100)
	s.fork(20, 102, 101)
	bash := s.b.Events()[0]
	ls := s.exec(30, 102, 101, "/bin/ls", "ls")
	s.exit(40, 100, 0)
	s.exit(50, 101, 0)
	table.Apply(s.b)
	last := ls.Process
	shellKey, lsKey, between := bash.Process.ID, last.ID, last.Parent.ID

	expire := func(ms int64) []event.ProcessKey {
		s.b.Reset()
		table.Expire(at(ms), s.b)
		return slices.Clone(s.b.Ended)
	}
	if got := expire(3_600_000); len(got) != 0 || table.Len() != 3 {
		t.Errorf("Expire with a living descendant gives %x, %d kept; want none, 3", got, table.Len())
	}
	s.b.Reset()
	s.exit(3_600_000, 102, 0)
	table.Apply(s.b)
	if got := expire(3_600_000 + 179_000); len(got) != 0 || table.Len() != 3 {
		t.Errorf("Expire 179 s after the end gives %x, %d kept; want none, 3", got, table.Len())
	}
	got := expire(3_600_000 + 181_000)
	for _, key := range []event.ProcessKey{shellKey, between, lsKey} {
		if !slices.Contains(got, key) {
			t.Errorf("Expire 181 s after the end gives %x; want %x among them", got, key)
		}
	}
	if table.Len() != 0 {
		t.Errorf("%d processes kept; want none", table.Len())
	}
	if last.Parent.Parent.ID != shellKey {
		t.Error("a process lost its ancestors when the table forgot it")
	}
}

// A storm of commands keeps of the ended what the bytes allow, the latest.
func TestEndedBytes(t *testing.T) {
	table := process.NewTable(process.Options{EndedBytes: 100 << 10})
	s := scene{b: event.NewBatch(8)}
	for i := range int64(2000) {
		s.b.Reset()
		s.fork(i*10, int32(1000+i), 1)
		s.exec(i*10, int32(1000+i), 1, "/bin/child", "child")
		s.exit(i*10+5, int32(1000+i), 0)
		table.Apply(s.b)
	}
	if n := table.Len(); n < 500 || n > 2000 {
		t.Errorf("%d processes in 100 KiB; want 500 to 2,000", n)
	}
	s.b.Reset()
	late := s.file(1999*10+1, 2999, 1, "/bin/child")
	table.Apply(s.b)
	if late.Process.Inferred {
		t.Errorf("the latest to end is forgotten: %s", show(late))
	}
}

// A storm of commands takes the memory that Options.EndedBytes allows, however long it
// lasts, and keeps those of the last 10 s at 2,000 a second: late events of the oldest of
// them, of one in the middle and of the latest get the process as it was.
func TestStormOfCommands(t *testing.T) {
	table := process.NewTable(process.Options{Host: "m1", Boot: "b1"})
	s := scene{b: event.NewBatch(8)}
	shell(&s)
	table.Apply(s.b)
	before := heapMB()
	const n, kept, each = 300_000, 20_000, 40
	want := map[int64]event.ProcessKey{n - kept: 0, n - kept/2: 0, n - 1: 0}
	pid := func(i int64) int32 { return int32(1000 + i) }
	for i := int64(0); i < n; i += each {
		s.b.Reset()
		for j := i; j < i+each; j++ {
			s.fork(j/2, pid(j), 100)
			s.exec(j/2, pid(j), 100, "/opt/seismo/tiny", "/opt/seismo/tiny", fmt.Sprintf("s1f4c2e6a-%d", j))
			s.exit(j/2+1, pid(j), 0)
		}
		table.Apply(s.b)
		for _, e := range s.b.Events() {
			if j := int64(e.PID) - 1000; e.Op == event.OpCreate && j >= 0 {
				if _, ok := want[j]; ok {
					want[j] = e.Process.ID
				}
			}
		}
		if len(s.b.Losses) > 0 {
			t.Fatalf("after %d: losses %+v", i, s.b.Losses)
		}
	}
	s.b = event.NewBatch(8)
	// What the bytes do not count: the index of pids, entries for reuse, names.
	if grown := heapMB() - before; grown > 3.5 {
		t.Errorf("the heap grew by %.1f MB over %d commands; want at most 3.5", grown, n)
	}
	if table.Len() < kept {
		t.Errorf("%d processes kept; want %d", table.Len(), kept)
	}
	for j, id := range want {
		s.b.Reset()
		late := s.file(j/2, pid(j), 100, "/opt/seismo/tiny")
		table.Apply(s.b)
		p := late.Process
		if p.ID != id || p.Inferred || p.Parent == nil || p.Parent.PID != 100 || p.Args[1] != fmt.Sprintf("s1f4c2e6a-%d", j) {
			t.Errorf("a late event of command %d gets %s; want the process %x", j, showProcess(p), id)
		}
	}
	runtime.KeepAlive(table)
}

// After very many processes at once the index gives its memory back.
func TestIndexShrinks(t *testing.T) {
	table := process.NewTable(process.Options{})
	s := scene{b: event.NewBatch(8)}
	shell(&s)
	table.Apply(s.b)
	before := heapMB()
	const n = 100_000
	for i := range int32(n) {
		s.fork(1, 1000+i, 100)
	}
	table.Apply(s.b)
	if table.Running() != n+1 {
		t.Fatalf("%d run; want %d", table.Running(), n+1)
	}
	s.b.Changes = nil
	for i := range int32(n) {
		s.exit(2, 1000+i, 0)
	}
	table.Apply(s.b)
	s.b = event.NewBatch(8)
	table.Expire(at(1_000_000), s.b)
	if grown := heapMB() - before; table.Len() != 1 || grown > 1 {
		t.Errorf("%d processes kept, the heap grew by %.1f MB; want the shell, and less than 1", table.Len(), grown)
	}
	e := s.file(1_000_001, 100, 1, "/bin/bash")
	table.Apply(s.b)
	if e.Process == nil || e.Process.Inferred {
		t.Errorf("the shell is lost: %s", show(e))
	}
}

// What a late exec published is dropped with its batch: no later end tells it.
func TestLateExecIsToldAsEnded(t *testing.T) {
	table := process.NewTable(process.Options{})
	s := scene{b: event.NewBatch(8)}
	s.exec(10, 500, 1, "/bin/first", "first")
	s.exec(20, 500, 1, "/bin/third", "third").Serial = 5
	late := s.exec(20, 500, 1, "/bin/second", "second")
	table.Apply(s.b)
	if want := []event.ProcessKey{late.Process.ID}; !slices.Equal(s.b.Ended, want) {
		t.Errorf("Ended = %x; want %x", s.b.Ended, want)
	}
}
