// SPDX-License-Identifier: Apache-2.0

package process_test

import (
	"strconv"
	"testing"

	"seismo/internal/event"
	"seismo/internal/process"
)

// An event of a process of which nothing is known, live, is flagged and counted as
// one that waited in vain; one whose record or /proc tells the program is not, nor is
// any in a replay.
func TestEventsOfUnknownProcesses(t *testing.T) {
	for _, tt := range []struct {
		name  string
		o     process.Options
		pid   int32
		exe   string
		known bool
	}{
		{"nothing tells of it", process.Options{Live: true, ProcFS: host()}, 777, "", false},
		{"its record names the program", process.Options{Live: true, ProcFS: host()}, 777, "/bin/short", true},
		{"it is in /proc", process.Options{Live: true, ProcFS: host()}, 4000, "", true},
		{"in a replay", process.Options{}, 777, "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			table := process.NewTable(tt.o)
			s := scene{b: event.NewBatch(8)}
			first, second := s.file(950_000, tt.pid, 0, tt.exe), s.add(event.KindDNS, event.OpQuery, 950_001, tt.pid, 0, "")
			table.Apply(s.b)
			if first.Process == nil || first.Process != second.Process {
				t.Fatalf("processes %+v and %+v; want one", first.Process, second.Process)
			}
			if got := first.Flags&event.Incomplete == 0 && second.Flags&event.Incomplete == 0; got != tt.known {
				t.Errorf("flags %b and %b; want them to say known: %v", first.Flags, second.Flags, tt.known)
			}
			if tt.known {
				if len(s.b.Losses) != 0 {
					t.Errorf("losses %+v; want none", s.b.Losses)
				}
				return
			}
			if len(s.b.Losses) != 1 {
				t.Fatalf("losses %+v; want one", s.b.Losses)
			}
			if l := s.b.Losses[0]; l.Reason != event.LossExpired || l.Count != 2 || l.Unit != "events" || l.From != first.Time || l.To != second.Time || l.Detail == "" {
				t.Errorf("loss %+v; want 2 events that expired from %d to %d", l, first.Time, second.Time)
			}
		})
	}
}

// The same records make other ids on another host and after another boot, and the
// same ones again: nothing of an old boot is taken for what runs.
func TestIDsOverBoots(t *testing.T) {
	seen := map[event.ProcessKey]string{}
	for _, o := range []process.Options{{Host: "m1", Boot: "b1"}, {Host: "m1", Boot: "b2"}, {Host: "m2", Boot: "b1"}, {Host: "m1b", Boot: "1"}} {
		for again := range 2 {
			table := process.NewTable(o)
			s := scene{b: event.NewBatch(8)}
			shell(&s)
			s.fork(10, 101, 100)
			s.exec(11, 101, 100, "/bin/ls", "ls")
			s.exit(12, 101, 0)
			s.fork(13, 101, 100) // the pid again, in the same batch
			s.exec(14, 101, 100, "/bin/ls", "ls")
			s.exit(15, 101, 0)
			s.fork(16, 101, 100)
			s.exec(17, 101, 100, "/bin/ls", "ls")
			table.Apply(s.b)
			for i, e := range s.b.Events() {
				if e.Op != event.OpCreate {
					continue
				}
				for p := range e.Process.Ancestry() {
					name := o.Host + "|" + o.Boot + "|" + showProcess(p) + "|" + strconv.FormatInt(p.Start%1e9/1e6, 10)
					if other, known := seen[p.ID]; known && other != name {
						t.Fatalf("run %d, event %d: %q and %q share an id", again, i, name, other)
					}
					seen[p.ID] = name
				}
			}
		}
	}
	if len(seen) != 4*7 { // the shell, three forks, three programs
		t.Errorf("%d ids: %v; want 7 for each of 4 hosts and boots, the same in each run", len(seen), seen)
	}
}
