// SPDX-License-Identifier: Apache-2.0

// This file measures the engine with the public Sigma rules for Linux on what a live
// kernel said, against the loop of bench_sigma_loop_test.go in the same run. The log is
// one's own, recorded as sources/audit/liveraw_linux_test.go says:
//
//	SEISMO_LIVE_LOG=/tmp/live.log go test ./engine -run '^$' -bench SigmaLive -benchtime 3x -count 5

package engine

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"testing"
	"time"

	"seismo/internal/event"
	"seismo/internal/process"
	"seismo/sources/audit"
)

// liveEvents decodes the log that SEISMO_LIVE_LOG names with what p asks for, and gives
// the events their processes.
func liveEvents(tb testing.TB, p *Program) (batches []*event.Batch) {
	tb.Helper()
	path := os.Getenv("SEISMO_LIVE_LOG")
	if path == "" {
		tb.Skip("NOT RUN: SEISMO_LIVE_LOG names no log of the live kernel (record one with SEISMO_LIVE_WRITE, see sources/audit)")
	}
	file, err := os.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	source := audit.NewStream(file, audit.StreamOptions{Name: path, Decode: audit.DecodeOptions{Demand: p.Demand()}})
	defer source.Close()
	table := process.NewTable(process.Options{Host: "live"})
	var ids event.IDs
	for {
		b := event.NewBatch(1000)
		err := source.Read(context.Background(), b)
		if errors.Is(err, io.EOF) {
			return batches
		}
		if err != nil {
			tb.Fatal(err)
		}
		table.Apply(b)
		ids.Assign(b)
		batches = append(batches, b)
	}
}

// prepareViews returns the views of e, as many events of the loop: the rules that a view
// is for, and its values with their slots.
func (l *sigmaLoop) prepareViews(m *Matcher, platform string, e *event.Event) (views []sigmaEvent) {
	m.turnTo(platform)
	for range m.eachView(e) {
		r := m.logs.route
		rules, known := l.byRoute[r]
		if !known {
			rules = l.ofGroups(r.groups)
			l.byRoute[r] = rules
		}
		var out sigmaEvent
		out.rules = rules
		for _, v := range m.logs.view.values {
			value := sigmaValue{slot: -1, raw: string(v.raw)}
			if v.name < noName {
				value.slot = l.slot(m.p.alone.names[v.name])
			}
			out.add(value)
		}
		views = append(views, out)
	}
	return views
}

// ofGroups returns the rules of groups, in order.
func (l *sigmaLoop) ofGroups(groups []uint32) (rules []*sigmaNode) {
	in := map[uint32]bool{}
	for _, g := range groups {
		in[g] = true
	}
	for i := range l.rules {
		if in[l.p.signals[i].group] {
			rules = append(rules, &l.rules[i])
		}
	}
	return rules
}

// firedOn returns how many rules are true on some of views.
func (l *sigmaLoop) firedOn(views []sigmaEvent) int {
	fired := map[*sigmaNode]bool{}
	for i := range views {
		if l.match(&views[i]) == 0 {
			continue
		}
		for _, rule := range views[i].rules {
			one := sigmaEvent{values: views[i].values, rules: []*sigmaNode{rule}}
			if l.match(&one) == 1 {
				fired[rule] = true
			}
		}
	}
	return len(fired)
}

// BenchmarkSigmaLive judges all events of a live log, and those on which nothing fires,
// by the engine and by the loop in turn. An event has several views, of itself and of
// each of its records: the loop judges each of them as an event whose fields lie ready,
// while the engine has to make it of the event, inside the clock. The figures are those
// of the fastest turn of each, as in BenchmarkSigma; allocations are those of all turns
// of the engine.
func BenchmarkSigmaLive(b *testing.B) {
	scope := sigmaScopes[2]
	for _, quiet := range []bool{false, true} {
		name := "events=all"
		if quiet {
			name = "events=quiet"
		}
		b.Run(name, func(b *testing.B) {
			p := scope.program(b)
			batches := liveEvents(b, p)
			m, l := p.NewMatcher(), newSigmaLoop(p)
			for _, batch := range batches {
				m.Match(batch)
				if quiet {
					batch.Keep(func(e *event.Event) bool { return len(e.Tags) == 0 })
				}
			}
			var views []sigmaEvent
			tests, events := 0, 0
			for _, batch := range batches {
				for _, e := range batch.Events() {
					of := l.prepareViews(m, batch.Platform, e)
					if n := l.firedOn(of); n != len(e.Tags) {
						b.Fatalf("line %d: the loop fires %d rules, the engine %d", e.Ordinal, n, len(e.Tags))
					}
					for i := range of {
						tests += len(of[i].rules)
					}
					views = append(views, of...)
					events++
				}
			}
			live := liveBench{m: m, l: l, batches: batches, views: views, tags: untag(batches), events: events}
			live.run(b)
			b.ReportMetric(float64(len(p.signals)), "rules")
			b.ReportMetric(float64(tests)/live.loop.Seconds()/1e6, "loop-Mtests/s")
		})
	}
}

// liveBench is a live log that is judged.
type liveBench struct {
	m            *Matcher
	l            *sigmaLoop
	batches      []*event.Batch
	views        []sigmaEvent
	tags, events int
	engine, loop time.Duration // the fastest turns
}

// warmUps are the turns before the clock: the places of the cache of values get the
// room that the values need one by one.
const warmUps = 10

// run judges the log b.N times by both and reports.
func (x *liveBench) run(b *testing.B) {
	want := 0
	for i := range x.views {
		want += x.l.match(&x.views[i])
	}
	for range warmUps {
		for _, batch := range x.batches {
			x.m.Match(batch)
		}
		untag(x.batches)
	}
	var before, after runtime.MemStats
	mallocs, turns := uint64(0), 0
	x.engine, x.loop = time.Duration(1<<62), time.Duration(1<<62)
	runtime.GC()
	for b.Loop() {
		runtime.ReadMemStats(&before)
		began := time.Now()
		for _, batch := range x.batches {
			x.m.Match(batch)
		}
		x.engine = min(x.engine, time.Since(began))
		b.StopTimer()
		runtime.ReadMemStats(&after)
		mallocs, turns = mallocs+after.Mallocs-before.Mallocs, turns+1
		if n := untag(x.batches); n != x.tags {
			b.Fatalf("%d tags, want %d", n, x.tags)
		}
		fires := 0
		began = time.Now()
		for i := range x.views {
			fires += x.l.match(&x.views[i])
		}
		if x.loop = min(x.loop, time.Since(began)); fires != want {
			b.Fatalf("the loop fires %d rules, before %d", fires, want)
		}
		b.StartTimer()
	}
	b.StopTimer()
	perEvent, perLoop := float64(x.engine.Nanoseconds())/float64(x.events), float64(x.loop.Nanoseconds())/float64(x.events)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(x.events), "events")
	b.ReportMetric(float64(len(x.views))/float64(x.events), "views/event")
	b.ReportMetric(float64(x.tags)/float64(x.events), "hits/event")
	b.ReportMetric(perEvent, "ns/event")
	b.ReportMetric(1e9/perEvent, "events/s")
	b.ReportMetric(perLoop, "loop-ns/event")
	b.ReportMetric(perLoop/perEvent, "ratio")
	b.ReportMetric(float64(mallocs)/float64(turns*x.events), "allocs/event")
}
