// SPDX-License-Identifier: Apache-2.0

package process_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"seismo/internal/event"
	"seismo/internal/process"
)

// Whatever limit presses, what a running process descends from is never given up:
// neither for its age, nor for the bytes of what ended, nor for the number of
// processes. Only a running process that was itself forgotten loses it.
func TestLimitsKeepAncestors(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := process.Options{Host: "m1",
			Expiry:       time.Duration(rapid.Int64Range(1, 500).Draw(t, "expiry ms")) * time.Millisecond,
			EndedBytes:   rapid.IntRange(1, 5000).Draw(t, "ended bytes"),
			MaxProcesses: rapid.SampledFrom([]int{5, 12, 1000}).Draw(t, "most")}
		table := process.NewTable(o)
		s := scene{b: event.NewBatch(8)}
		running := map[int32]*event.Process{}
		gone := map[event.ProcessKey]bool{}
		pids, next, ms := []int32{2}, int32(2), int64(0)
		begin := func(parent int32) {
			next++
			s.fork(ms, next, parent)
			s.exec(ms+1, next, parent, fmt.Sprintf("/bin/p%d", next))
			pids = append(pids, next)
		}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			s.b.Reset()
			ms += rapid.Int64Range(50, 100).Draw(t, "ms")
			who := rapid.IntRange(0, len(pids)-1).Draw(t, "who")
			switch what := rapid.SampledFrom([]string{"fork", "fork", "exit", "event"}).Draw(t, "what"); {
			case what == "exit" && len(pids) > 1:
				s.exit(ms, pids[who], 0)
				delete(running, pids[who])
				pids = append(pids[:who], pids[who+1:]...)
			case what == "event":
				s.file(ms, pids[who], 0, "")
			default:
				begin(pids[who])
			}
			table.Apply(s.b)
			table.Expire(at(ms+2), s.b)
			for _, e := range s.b.Events() {
				if e.Kind == event.KindProcess && e.Op == event.OpCreate {
					running[e.PID] = e.Process
				}
			}
			for _, key := range s.b.Ended {
				gone[key] = true
			}
			for pid, p := range running {
				if gone[p.ID] {
					delete(running, pid) // forgotten, and counted
					continue
				}
				for q := range p.Ancestry() {
					if gone[q.ID] {
						t.Fatalf("process %d runs, and %s, which it descends from, was given up", pid, showProcess(q))
					}
				}
			}
			if table.Len() > o.MaxProcesses {
				t.Fatalf("%d processes kept; want at most %d", table.Len(), o.MaxProcesses)
			}
		}
	})
}

// A chain of parents that is too long loses the farthest, and that is counted.
func TestLongLineageIsCounted(t *testing.T) {
	table := process.NewTable(process.Options{Expiry: time.Millisecond})
	s := scene{b: event.NewBatch(8)}
	lost := uint64(0)
	for i := range int64(600) {
		s.b.Reset()
		s.fork(i*100, int32(i+3), int32(i+2))
		s.exec(i*100+1, int32(i+3), int32(i+2), "/bin/chain")
		s.exit(i*100+50, int32(i+2), 0)
		table.Apply(s.b)
		table.Expire(at(i*100+99), s.b)
		for _, l := range s.b.Losses {
			if l.Reason != event.LossProcesses || l.From == 0 || l.Unit != "processes" {
				t.Fatalf("loss %+v", l)
			}
			lost += l.Count
		}
	}
	if lost < 600-300 || int(lost)+table.Len() > 602 {
		t.Errorf("%d ancestors counted as given up, %d processes kept of 600", lost, table.Len())
	}
}

// An event that comes long after its process ended gets the process as it was
// published, with its arguments, its fork and its parent, though the table keeps it
// in a small form by then.
func TestLateEventOfARelic(t *testing.T) {
	table := process.NewTable(process.Options{Host: "m1", Boot: "b1", EndedBytes: 1 << 20})
	s := scene{b: event.NewBatch(8)}
	shell(&s)
	s.fork(10, 101, 100)
	e := s.exec(11, 101, 100, "/bin/odd", "odd", "", "two words", " ")
	audited(e)
	s.exit(20, 101, 3)
	table.Apply(s.b)
	published := *e.Process
	want := show(e)
	for i := range int32(2000) { // more than are kept whole, fewer than are kept
		s.b.Reset()
		s.fork(30, 1000+i, 100)
		s.exec(31, 1000+i, 100, "/bin/true", "true")
		s.exit(32, 1000+i, 0)
		table.Apply(s.b)
	}
	for range 2 { // it is a relic, then whole again
		s.b.Reset()
		late := s.file(15, 101, 100, "/bin/odd")
		table.Apply(s.b)
		if got := "create" + show(late)[len("write"):]; got != want || !equalProcess(late.Process, &published) || s.b.Len() != 1 {
			t.Errorf("a late event: %s, %+v, %d events; want %s, %+v, 1", got, late.Process, s.b.Len(), want, published)
		}
	}
}
