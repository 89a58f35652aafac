// SPDX-License-Identifier: Apache-2.0

// This file measures the engine with public Sigma rules on recorded events, against the
// loop of bench_sigma_loop_test.go in the same run:
//
//	go test ./engine -run '^$' -bench Sigma -benchtime 3x -count 5

package engine

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"seismo/internal/event"
	"seismo/signals"
)

// sigmaScope is a set of rules with the events that they are asked about.
type sigmaScope struct {
	name  string
	rules signals.Logsource
	exact bool // the category and service too
}

var sigmaScopes = []sigmaScope{
	{"windows-process-creation", signals.Logsource{Product: "windows", Category: "process_creation"}, true},
	{"windows", signals.Logsource{Product: "windows"}, false},
	{"linux", signals.Logsource{Product: "linux"}, false},
}

func (s *sigmaScope) keep(l signals.Logsource) bool {
	return s.exact && l == s.rules || !s.exact && l.Product == s.rules.Product
}

func (s *sigmaScope) program(tb testing.TB) *Program {
	tb.Helper()
	p, err := Build(lowerCorpus(tb, s.keep))
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func (s *sigmaScope) events(tb testing.TB) []*event.Batch {
	tb.Helper()
	return readEvents(tb, "engine/recorded.jsonl.gz", func(l *event.Logsource) bool {
		return l.Includes(s.rules.Product, s.rules.Category, s.rules.Service)
	})
}

func untag(batches []*event.Batch) (tags int) {
	for _, b := range batches {
		for _, e := range b.Events() {
			tags += len(e.Tags)
			e.Tags = e.Tags[:0]
		}
	}
	return tags
}

// The loop fires the same rules on the same events as the engine.
func TestSigmaLoop(t *testing.T) {
	for _, s := range sigmaScopes {
		p, batches := s.program(t), s.events(t)
		m, l := p.NewMatcher(), newSigmaLoop(p)
		wrong := 0
		for _, b := range batches {
			m.Match(b)
			for _, e := range b.Events() {
				prepared := l.prepare(e)
				if n := l.match(&prepared); n != len(e.Tags) {
					if wrong++; wrong < 10 {
						t.Errorf("%s, line %d: the loop fires %d rules, the engine %d", s.name, e.Ordinal, n, len(e.Tags))
					}
				}
			}
		}
	}
}

// BenchmarkSigma judges all events of a scope by the engine and by the loop in turn.
// The figures are those of the fastest turn of each, since the machine is shared:
// ratio is how many times as long the loop takes.
func BenchmarkSigma(b *testing.B) {
	for _, s := range sigmaScopes {
		b.Run("rules="+s.name, func(b *testing.B) {
			p, batches := s.program(b), s.events(b)
			m, l := p.NewMatcher(), newSigmaLoop(p)
			var prepared []sigmaEvent
			tests, events := 0, 0
			for _, batch := range batches {
				m.Match(batch) // warms up
				for _, e := range batch.Events() {
					prepared = append(prepared, l.prepare(e))
					tests += len(prepared[events].rules)
					events++
				}
			}
			tags := untag(batches)
			rounds := max(1, 20_000/events)
			runtime.GC()
			b.ReportAllocs()
			engine, loop := time.Duration(1<<62), time.Duration(1<<62)
			for b.Loop() {
				began := time.Now()
				for range rounds {
					for _, batch := range batches {
						m.Match(batch)
					}
				}
				engine = min(engine, time.Since(began))
				b.StopTimer()
				if n := untag(batches); n != tags*rounds {
					b.Fatalf("%d tags, want %d", n, tags*rounds)
				}
				fires := 0
				began = time.Now()
				for i := range prepared {
					fires += l.match(&prepared[i])
				}
				if loop = min(loop, time.Since(began)); fires != tags {
					b.Fatalf("the loop fires %d rules, the engine %d", fires, tags)
				}
				b.StartTimer()
			}
			b.StopTimer()
			perEvent, perLoop := float64(engine.Nanoseconds())/float64(rounds*events), float64(loop.Nanoseconds())/float64(events)
			b.ReportMetric(perEvent, "ns/event")
			b.ReportMetric(1e9/perEvent, "events/s")
			b.ReportMetric(perLoop, "loop-ns/event")
			b.ReportMetric(float64(tests)/loop.Seconds()/1e6, "loop-Mtests/s")
			b.ReportMetric(perLoop/perEvent, "ratio")
		})
	}
}

// BenchmarkSigmaLoad loads the Windows rules from a signals.bin; kept-MB is what stays
// on the heap.
func BenchmarkSigmaLoad(b *testing.B) {
	path := filepath.Join(b.TempDir(), "signals.bin")
	if err := WriteFile(path, sigmaScopes[1].program(b)); err != nil {
		b.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	heap := func() uint64 {
		var s runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&s)
		return s.HeapAlloc
	}
	before := heap()
	var p *Program
	for b.Loop() {
		if p, err = LoadFile(path); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(heap()-before)/1e6, "kept-MB")
	b.ReportMetric(float64(info.Size())/1e6, "file-MB")
	runtime.KeepAlive(p)
}

// BenchmarkSigmaBuild makes the program of all rules, which were read and lowered
// before.
func BenchmarkSigmaBuild(b *testing.B) {
	set := lowerCorpus(b, func(signals.Logsource) bool { return true })
	for b.Loop() {
		p, err := Build(set)
		if err != nil {
			b.Fatal(err)
		}
		var out bytes.Buffer
		if _, err := p.WriteTo(&out); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(set.Signals)), "rules")
}
