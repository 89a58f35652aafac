// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"runtime"
	"testing"

	"seismo/internal/event"
	"seismo/signals"
)

// BenchmarkCorrelate measures what a match of a rule costs that feeds one correlation
// of each type, over groups: the events are of that many users.
func BenchmarkCorrelate(b *testing.B) {
	one := func(typ signals.CorrelationType, n int) signals.Correlation {
		c := signals.Correlation{Type: typ, Rules: []uint32{0}, Timespan: 600 * second, GroupBy: by("u")}
		switch typ {
		case signals.ValueCount:
			c.Field = []string{"x"}
			fallthrough
		case signals.EventCount:
			c.Counts = counts("gte", n)
		default:
			c.Rules = []uint32{0, 1}
		}
		return c
	}
	for typ := signals.EventCount; typ.Valid(); typ++ {
		for _, users := range []int{1, 10_000} {
			set := newCorrelationSet(2)
			set.add(one(typ, 1000), false)
			p := set.program(b, 0)
			benchmarkStream(b, fmt.Sprintf("type=%s/groups=%d", typ, users), p, users, "a")
		}
	}
	set := newCorrelationSet(2)
	set.add(one(signals.EventCount, 5), false)
	p := set.program(b, 0)
	benchmarkStream(b, "nothing fires", p, 1, "")
}

// benchmarkStream judges events of the rules given, ten a second, that go round the
// users and over 50 values.
func benchmarkStream(b *testing.B, name string, p *Program, users int, rules string) {
	b.Run(name, func(b *testing.B) {
		const size = 1000
		var batches []*event.Batch
		id := 0
		for range max(1, users/size) * 2 {
			batch := event.NewBatch(size)
			for range size {
				e := at(0, rules, fmt.Sprintf("u=user %d", id%users), fmt.Sprintf("x=value %d", id%50))
				e.id = event.ID(id)
				addCorrelated(batch, e)
				id++
			}
			batches = append(batches, batch)
		}
		m := p.NewMatcher()
		now, events := int64(0), 0
		b.ReportAllocs()
		for b.Loop() {
			batch := batches[events/size%len(batches)]
			for _, e := range batch.Events() {
				now += second / 10
				e.Time, e.Tags = now, e.Tags[:0]
			}
			m.Match(batch)
			events += size
		}
		b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(events), "ns/event")
		b.ReportMetric(float64(len(m.correlator.groups.of)), "groups")
		b.ReportMetric(float64(m.correlator.groups.bytes)/float64(max(1, m.correlator.groups.matches)), "bytes/match")
	})
}

// BenchmarkCorrelationMemory measures the heap that a group with one match takes, and
// what a further match of it does.
func BenchmarkCorrelationMemory(b *testing.B) {
	for typ := signals.EventCount; typ.Valid(); typ++ {
		for _, each := range []int{1, 50} {
			b.Run(fmt.Sprintf("type=%s/matches=%d", typ, each), func(b *testing.B) {
				c := signals.Correlation{Type: typ, Rules: []uint32{0, 1}, Timespan: 1e6 * second, GroupBy: by("u"), Counts: counts("gte", 1000)}
				if typ == signals.ValueCount {
					c.Field = []string{"x"}
				}
				set := newCorrelationSet(2)
				set.add(c, false)
				p := set.program(b, 0)
				const groups = 10_000
				for b.Loop() {
					m := p.NewMatcher()
					before := heapBytes()
					batch := event.NewBatch(1000)
					for n := range groups * each {
						e := at(float64(n)/10, "a", fmt.Sprintf("u=user %d", n%groups), fmt.Sprintf("x=%d", n/groups))
						e.id = event.ID(n)
						addCorrelated(batch, e)
						if batch.Full(1000) {
							m.Match(batch)
							batch.Reset()
						}
					}
					batch = nil
					took := float64(heapBytes()) - float64(before)
					table := &m.correlator.groups
					b.ReportMetric(took/groups, "B/group")
					b.ReportMetric(float64(table.bytes)/groups, "counted-B/group")
					runtime.KeepAlive(m)
				}
			})
		}
	}
}
