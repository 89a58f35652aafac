// SPDX-License-Identifier: Apache-2.0

// This file shows that what is kept of logs is bounded.

package engine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"seismo/internal/event"
	"seismo/signals"
)

// Events that each belong to other logs do not fill the memory, and fire what they must
// before and after the routes were forgotten.
func TestRoutesAreBounded(t *testing.T) {
	const logs, names = 64, 40
	var b setBuilder
	for i := range logs {
		var all []expr
		for n := range names {
			all = append(all, ask(fmt.Sprintf("record.'F%d_%d'", i, n), ends, "x"))
		}
		all = append(all, ask("record.'Image'", ends, ".exe"))
		b.add(fmt.Sprintf("s%02d", i), event.AllKinds, or(all...))
		log := signals.Logsource{Category: fmt.Sprint("c", i)}
		b.set.Signals[i].Alone, b.set.Signals[i].Logsource = true, log
		b.set.Definitions[i].Language, b.set.Definitions[i].Logsource = signals.LanguageSigma, log
	}
	p, err := Build(&b.set)
	if err != nil {
		t.Fatal(err)
	}
	m := p.NewMatcherWith(MatcherOptions{})
	random := rand.New(rand.NewPCG(1, 2))
	made := 0
	for i := range 300 {
		batch := event.NewBatch(1)
		e := batch.Add(event.KindRecord, event.OpRecord)
		e.Time = int64(i)
		e.AddOwn(0, []byte("Image"), []byte("a.exe"))
		e.Logsource = &event.Logsource{}
		var want, got []uint32
		for c := range logs {
			if random.IntN(2) == 0 {
				e.Logsource.Categories = append(e.Logsource.Categories, fmt.Sprint("c", c))
				want = append(want, uint32(c))
			}
		}
		m.Match(batch)
		for _, tag := range e.Tags {
			got = append(got, tag.Signal)
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Fatalf("event %d fires %v, want %v", i, got, want)
		}
		r := &m.logs.routes
		kept := map[*route]bool{}
		for _, of := range r.of {
			kept[of] = true
		}
		for _, of := range r.byGroups {
			kept[of] = true
		}
		size := 0
		for of := range kept {
			size += of.size()
		}
		if size > maxRouteBytes {
			t.Fatalf("event %d: %d routes of %d bytes are kept, at most %d are", i, len(kept), size, maxRouteBytes)
		}
		made += r.lastRoute.size()
	}
	if made <= 2*maxRouteBytes {
		t.Errorf("the routes made took %d bytes: too few to show anything", made)
	}
}
