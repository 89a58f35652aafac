// SPDX-License-Identifier: Apache-2.0

package process_test

import (
	"fmt"
	"testing"

	"seismo/internal/event"
	"seismo/internal/process"
)

// BenchmarkApply applies batches of commands as a build makes them: each forked
// by a shell, executed, ended, with some file events between; the fields that
// audit records have are set. Expire runs for each batch, as live.
func BenchmarkApply(b *testing.B) {
	const commands = 250
	for _, files := range []int{0, 3} {
		b.Run(fmt.Sprintf("files=%d", files), func(b *testing.B) {
			table := process.NewTable(process.Options{Host: "m1", Boot: "b1", Users: users()})
			s := scene{b: event.NewBatch(commands * (files + 2))}
			shell(&s)
			table.Apply(s.b)
			ms, pid := int64(0), int32(1000)
			fill := func() {
				s.b.Reset()
				for range commands {
					ms += 2
					if pid++; pid > 4<<20 {
						pid = 1000
					}
					s.fork(ms, pid, 100)
					audited(s.exec(ms, pid, 100, "/usr/bin/gcc", "gcc", "-O2", "-Wall", "-Iinclude", "-c", "-o", "build/main.o", fmt.Sprintf("src/main%d.c", ms)))
					for range files {
						audited(s.file(ms, pid, 100, "/usr/bin/gcc"))
					}
					s.exit(ms+1, pid, 0)
				}
			}
			events := 0
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				fill()
				events += s.b.Len()
				b.StartTimer()
				table.Apply(s.b)
				table.Expire(at(ms), s.b)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(events), "ns/event")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*commands), "ns/command")
			b.ReportMetric(float64(table.Len()), "kept")
		})
	}
}

// audited sets what every SYSCALL record says.
func audited(e *event.Event) {
	if e.Kind == event.KindProcess {
		e.SetString(event.ProcessCwd, "/home/ada/src/project")
	}
	e.SetString(event.ProcessTTY, "pts0")
	for _, f := range []event.Field{event.ProcessUserID, event.ProcessGroupID, event.UserID, event.UserEffectiveID,
		event.ProcessLoginUserID, event.UserLoginID, event.ProcessSession} {
		e.SetInt(f, 1000)
	}
}

// BenchmarkKept applies a storm of commands and reports what the table then holds of
// the heap, for each process that it keeps and in all.
func BenchmarkKept(b *testing.B) {
	const commands = 60_000
	for b.Loop() {
		table := process.NewTable(process.Options{Host: "m1", Boot: "b1", Users: users()})
		before := heapMB()
		s := scene{b: event.NewBatch(100)}
		shell(&s)
		for i := range int32(commands) {
			ms, pid := int64(i)/2, 1000+i
			s.fork(ms, pid, 100)
			audited(s.exec(ms, pid, 100, "/usr/bin/gcc", "gcc", "-O2", "-Wall", "-Iinclude", "-c", "-o", "build/main.o", fmt.Sprintf("src/main%d.c", i)))
			s.exit(ms+1, pid, 0)
			if i%50 == 49 {
				table.Apply(s.b)
				table.Expire(at(ms), s.b)
				s.b.Reset()
			}
		}
		s.b = nil
		kept := heapMB() - before
		b.ReportMetric(float64(table.Len()), "kept")
		b.ReportMetric(kept, "MB")
		b.ReportMetric(kept*(1<<20)/float64(table.Len()), "B/process")
	}
}
