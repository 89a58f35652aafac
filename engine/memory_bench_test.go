// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"runtime"
	"testing"

	"seismo/internal/event"
)

// BenchmarkMemory measures what remembering costs an event: the latches of other
// processes lie in the table, the event's process has none, and the one signal asks
// for two events. latches=none is the same for a signal without memory.
func BenchmarkMemory(b *testing.B) {
	for _, n := range []int{-1, 0, 10_000, 1_000_000} {
		name, e := fmt.Sprint("latches=", n), and(ask("file.path", equal, "/etc/x"), ask("network.port", exists))
		if n < 0 {
			name, e = "latches=none", ask("file.path", equal, "/etc/x")
		}
		b.Run(name, func(b *testing.B) {
			var s setBuilder
			s.add("s", event.AllKinds, e)
			m := s.program(b).NewMatcherWith(MatcherOptions{DisableSignalsTrie: true})
			before := heapBytes()
			fillLatches(m, n)
			held := heapBytes() - before
			const events = 1000
			batch := event.NewBatch(events)
			for i := range events {
				p := image(event.ProcessKey(1<<32+i), "/bin/sh")
				p.Previous = image(event.ProcessKey(1<<33+i), "/bin/sh")
				of(p, fileEvent("/home/ada/notes.txt")).addTo(batch)
			}
			b.ReportAllocs()
			for b.Loop() {
				m.Match(batch)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*events), "ns/event")
			if n > 0 {
				b.ReportMetric(float64(held)/float64(n), "B/latch")
			}
			runtime.KeepAlive(m)
		})
	}
}

// fillLatches makes n processes remember one file each.
func fillLatches(m *Matcher, n int) {
	batch := event.NewBatch(1000)
	for i := range max(n, 0) {
		of(&event.Process{ID: event.ProcessKey(i + 1)}, fileEvent("/etc/x")).addTo(batch)
		if batch.Len() == 1000 {
			m.Match(batch)
			batch.Reset()
		}
	}
	m.Match(batch)
}

func heapBytes() uint64 {
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}
