// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seismo/internal/event"
	"seismo/signals"
)

// run judges a window of events, the last of which is at time, with signal 0 using
// work units in all; signal 1 always uses one for each event.
func (a *account) run(work uint64, time int64) {
	for n := range WindowEvents {
		for i := range uint32(2) {
			if !a.candidate(i) {
				continue
			}
			switch {
			case i == 1:
				a.evaluated(i, 1)
			case n == 0:
				a.evaluated(i, work)
			default:
				a.evaluated(i, 0)
			}
		}
		a.judged(time)
	}
}

// A signal is suspended after a window in which it used more than the budget for
// each event on average, not at it; it comes back after 64 windows, and the next
// suspension is twice as long.
func TestSuspension(t *testing.T) {
	const budget = 10
	a := newAccount(2, budget)
	a.run(budget*WindowEvents, 1)
	if got := a.takeChanges(); len(got) != 0 {
		t.Errorf("at the budget: %+v, want no suspension", got)
	}
	a.run(budget*WindowEvents+1, 2)
	want := []Suspension{{Signal: 0, Begin: true, Time: 2, WorkPerEvent: budget, Windows: 64}}
	if diff := cmp.Diff(want, a.takeChanges()); diff != "" {
		t.Errorf("above the budget (-want +got):\n%s", diff)
	}
	for w := range int64(63) {
		a.run(1<<40, 100+w)
	}
	if got := a.takeChanges(); len(got) != 0 {
		t.Errorf("within 63 windows: %+v, want no change", got)
	}
	a.run(1<<40, 200)
	a.run(3*budget*WindowEvents, 201)
	want = []Suspension{{Signal: 0, Time: 200, WorkPerEvent: budget, Windows: 64}, {Signal: 0, Begin: true, Time: 201, WorkPerEvent: 3 * budget, Windows: 128}}
	if diff := cmp.Diff(want, a.takeChanges()); diff != "" {
		t.Errorf("after 64 windows (-want +got):\n%s", diff)
	}
	all := a.statistics()
	if got, want := all[0], (SignalStatistics{Candidates: 67 * WindowEvents, Skipped: 66*WindowEvents - 2, Evaluations: WindowEvents + 2,
		Work: 5*budget*WindowEvents + 1}); got != want {
		t.Errorf("statistics of the suspended signal = %+v, want %+v", got, want)
	}
	if got, want := all[1], (SignalStatistics{Candidates: 67 * WindowEvents, Evaluations: 67 * WindowEvents, Work: 67 * WindowEvents}); got != want {
		t.Errorf("statistics of the other signal = %+v, want %+v", got, want)
	}
}

// What a signal costs when a process is looked at for the first time is its own,
// whether or not it becomes a candidate: with and without tables a signal that
// compares every new process at length is suspended.
func TestSuspensionForWhatProcessesCost(t *testing.T) {
	var b setBuilder
	b.add("1 cheap", event.SetOf(event.KindProcess), ask("process.name", equal, "x"))
	b.add("2 dear", event.SetOf(event.KindProcess), and(ask("process.name", begins, "x"), ask("process.command_line", signals.Regex, `([a-c]{2}|[d-z]{2})+[0-9]x?$`)))
	p := b.program(t)
	line := strings.Repeat("ab", 1500)
	for _, o := range []MatcherOptions{{}, {DisableSignalsTrie: true}} {
		o.Live, o.BudgetPerEvent = true, 20
		m := p.NewMatcherWith(o)
		for n := range WindowEvents {
			batch := event.NewBatch(1)
			execEvent(&event.Process{ID: event.ProcessKey(n + 1), Path: "/x", CommandLine: line}).addTo(batch)
			m.Match(batch)
		}
		got := m.Suspensions()
		if len(got) != 1 || got[0].Signal != 1 || !got[0].Begin {
			t.Errorf("with %+v: %+v, work %d; want signal %q suspended", o, got, m.Statistics()[1].Work, p.Definitions()[1].ID)
		}
		if fired := m.Counts(); fired[0] != WindowEvents {
			t.Errorf("with %+v: the other signal fired %d times, want %d", o, fired[0], WindowEvents)
		}
	}
}

// A signal that has used the budget of the whole window is not judged up to its
// end: with what it costs that might take hours.
func TestSuspensionWithinAWindow(t *testing.T) {
	const budget = 10
	a := newAccount(1, budget)
	judge := func(time int64) {
		if a.candidate(0) {
			a.evaluated(0, budget*WindowEvents/4)
		}
		a.judged(time)
	}
	for n := range int64(WindowEvents) {
		judge(n)
	}
	if got, want := a.statistics()[0], (SignalStatistics{Candidates: WindowEvents, Skipped: WindowEvents - 5, Evaluations: 5, Work: 5 * budget * WindowEvents / 4}); got != want {
		t.Errorf("statistics = %+v, want %+v", got, want)
	}
	want := []Suspension{{Begin: true, Time: 4, WorkPerEvent: budget * 5 / 4, Windows: 64}}
	if diff := cmp.Diff(want, a.takeChanges()); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	// It lasts 64 whole windows beside the one that it began in.
	for range 64*WindowEvents - 1 {
		judge(1000)
	}
	if got := a.takeChanges(); len(got) != 0 {
		t.Errorf("within 64 windows: %+v, want no change", got)
	}
	judge(1001)
	want = []Suspension{{Time: 1001, WorkPerEvent: budget * 5 / 4, Windows: 64}}
	if diff := cmp.Diff(want, a.takeChanges()); diff != "" {
		t.Errorf("after 64 windows (-want +got):\n%s", diff)
	}
}

// A suspension lasts at most 4,096 windows, however often there was one before.
func TestSuspensionGrowsToABound(t *testing.T) {
	a := newAccount(1, 1)
	var lengths []uint64
	for len(lengths) < 9 {
		if a.candidate(0) {
			a.evaluated(0, 1<<30)
		}
		a.events = WindowEvents - 1
		a.judged(0)
		for _, s := range a.takeChanges() {
			if s.Begin {
				lengths = append(lengths, s.Windows)
			}
		}
	}
	if want := []uint64{64, 128, 256, 512, 1024, 2048, 4096, 4096, 4096}; !slices.Equal(lengths, want) {
		t.Errorf("suspensions of %v windows, want %v", lengths, want)
	}
}

// Without a budget nothing is suspended; what is counted is the same.
func TestNoBudget(t *testing.T) {
	a := newAccount(2, 0)
	a.run(1<<60, 1)
	a.run(1<<60, 2)
	a.matched(0)
	a.suppressed(1)
	if got := a.takeChanges(); got != nil {
		t.Errorf("changes without a budget: %+v", got)
	}
	want := []SignalStatistics{{Candidates: 2 * WindowEvents, Evaluations: 2 * WindowEvents, Matches: 1, Work: 1 << 61},
		{Candidates: 2 * WindowEvents, Evaluations: 2 * WindowEvents, Suppressed: 1, Work: 2 * WindowEvents}}
	if diff := cmp.Diff(want, a.statistics()); diff != "" {
		t.Errorf("statistics (-want +got):\n%s", diff)
	}
}

// Counting allocates nothing.
func TestAccountAllocatesNothing(t *testing.T) {
	a := newAccount(2, 1<<40)
	if n := testing.AllocsPerRun(3, func() { a.run(5, 1) }); n != 0 {
		t.Errorf("a window of events allocates %v times", n)
	}
}
