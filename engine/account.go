// SPDX-License-Identifier: Apache-2.0

// This file keeps the account of a matcher: what each signal did and cost, and
// which signals are suspended for what they cost. Who is asked when is in eval.go.

package engine

import "slices"

// SignalStatistics is what one signal did and cost since its matcher was made.
type SignalStatistics struct {
	Candidates  uint64 // events that the search for candidates gave, suspended or not
	Skipped     uint64 // candidates that were not judged: the signal was suspended
	Evaluations uint64 // events that the signal was judged on
	Matches     uint64 // tags
	Suppressed  uint64 // events that it would have tagged but for its suppress expressions
	Work        uint64 // work units: about as many comparisons of one literal with one value
}

// Suspension says that a signal was suspended for its cost, or is judged again.
type Suspension struct {
	Signal uint32 // index in the program
	Begin  bool   // else the end
	// Time is that of the event after which it began or ended, Unix time, nanoseconds.
	Time int64
	// WorkPerEvent is what the signal cost in the window that led to the suspension, up to
	// then, in work units for each event of a window; at the end as at the beginning.
	WorkPerEvent uint64
	// Windows is how long the suspension lasts, in windows of WindowEvents judged events.
	Windows uint64
}

// WindowEvents is the number of judged events over which the cost of a signal is
// averaged.
const WindowEvents = 4096

// How many windows a suspension lasts: the first time, and at most. It doubles
// each time that it happens again.
const (
	firstSuspension   = 64
	longestSuspension = 4096
)

// maxSuspensions bounds the changes that wait to be fetched. Beyond it the oldest
// go: who does not fetch them has no use for them.
const maxSuspensions = 100_000

// account is the account of one matcher, for one goroutine.
type account struct {
	signals []SignalStatistics
	// What follows is used only with a budget; without one no signal is suspended.
	budget  uint64 // work units for each judged event, on average over a window; 0: none
	events  int    // judged in this window
	window  uint64 // number of this window, from 0
	before  []uint64
	paused  []bool   // by signal
	penalty []uint64 // by signal: the windows of its next suspension; 0: the first
	over    []uint32 // signals that the event at hand brought over the budget of the whole window
	pauses  []pause
	changes []Suspension
}

// pause is a suspension that lasts.
type pause struct {
	until uint64 // the first window in which the signal is judged again
	Suspension
}

// newAccount returns the account of a matcher for n signals. A budget of 0
// suspends nothing.
func newAccount(n int, budget uint64) account {
	a := account{signals: make([]SignalStatistics, n), budget: budget}
	if budget > 0 {
		a.before, a.penalty, a.paused = make([]uint64, n), make([]uint64, n), make([]bool, n)
	}
	return a
}

// candidate notes that signal i is a candidate on the event at hand, and reports
// whether it is to be judged.
func (a *account) candidate(i uint32) bool {
	s := &a.signals[i]
	s.Candidates++
	if a.isPaused(i) {
		s.Skipped++
		return false
	}
	return true
}

// isPaused reports whether signal i is suspended.
func (a *account) isPaused(i uint32) bool { return a.paused != nil && a.paused[i] }

// evaluated notes that signal i was judged, for work units.
func (a *account) evaluated(i uint32, work uint64) {
	a.signals[i].Evaluations++
	a.worked(i, work)
}

// worked notes that work units were spent on signal i.
func (a *account) worked(i uint32, work uint64) {
	s := &a.signals[i]
	s.Work += work
	if a.budget > 0 && work > a.budget && s.Work-a.before[i] > a.budget*WindowEvents {
		a.over = append(a.over, i)
	}
}

// matched notes that signal i left a tag.
func (a *account) matched(i uint32) { a.signals[i].Matches++ }

// suppressed notes that a suppress expression kept signal i from leaving a tag.
func (a *account) suppressed(i uint32) { a.signals[i].Suppressed++ }

// judged notes that the event at hand, of the given time, was judged by all its
// candidates. At the end of a window signals over the budget are suspended, and
// those whose suspension is over come back. A signal that has used the budget of the
// whole window is suspended at once: until the end of it may be hours, at what each
// event costs.
func (a *account) judged(time int64) {
	if a.budget == 0 {
		return
	}
	for _, i := range a.over {
		a.suspend(i, a.window+1, (a.signals[i].Work-a.before[i])/WindowEvents, time)
	}
	a.over = a.over[:0]
	if a.events++; a.events < WindowEvents {
		return
	}
	a.events = 0
	a.window++
	a.resume(time)
	for i := range a.signals {
		work := a.signals[i].Work
		if used := work - a.before[i]; !a.paused[i] && used/WindowEvents >= a.budget && used > a.budget*WindowEvents {
			a.suspend(uint32(i), a.window, used/WindowEvents, time)
		}
		a.before[i] = work
	}
}

// suspend suspends signal i, from the window called from on.
func (a *account) suspend(i uint32, from, workPerEvent uint64, time int64) {
	windows := max(a.penalty[i], firstSuspension)
	a.penalty[i] = min(2*windows, longestSuspension)
	a.paused[i] = true
	s := Suspension{Signal: i, Begin: true, Time: time, WorkPerEvent: workPerEvent, Windows: windows}
	a.pauses = append(a.pauses, pause{until: from + windows, Suspension: s})
	a.change(s)
}

// resume ends the suspensions that lasted up to this window.
func (a *account) resume(time int64) {
	a.pauses = slices.DeleteFunc(a.pauses, func(p pause) bool {
		if a.window < p.until {
			return false
		}
		a.paused[p.Signal] = false
		p.Begin, p.Time = false, time
		a.change(p.Suspension)
		return true
	})
}

func (a *account) change(s Suspension) {
	if len(a.changes) >= maxSuspensions {
		a.changes = slices.Delete(a.changes, 0, maxSuspensions/2)
	}
	a.changes = append(a.changes, s)
}

// takeChanges returns the changes since the last call, in the order in which they
// happened. The slice is the caller's.
func (a *account) takeChanges() []Suspension {
	changes := a.changes
	a.changes = nil
	return changes
}

// statistics returns a copy of what every signal did, by its index.
func (a *account) statistics() []SignalStatistics { return slices.Clone(a.signals) }
