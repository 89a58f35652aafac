// SPDX-License-Identifier: Apache-2.0

// This file is the matcher: it takes a batch through the search for candidates,
// asks each of them about its event, and leaves the tags. Which branches of an
// expression let it fire is in class.go; what is remembered is in memory.go.

package engine

import (
	"slices"

	"seismo/internal/event"
)

// MatcherOptions say how a matcher works. The zero value is for replay, hunt and
// test.
type MatcherOptions struct {
	// DisableSignalsTrie judges every signal of an event's kind by direct
	// comparisons, without tables of literals. The result is the same.
	DisableSignalsTrie bool
	// Live lets signals that cost too much be suspended: a live source does not wait.
	Live bool
	// BudgetPerEvent is what a signal may cost on average over WindowEvents events if
	// Live is set, in work units; 0 means DefaultBudget.
	BudgetPerEvent uint64
}

// DefaultBudget is the budget of a signal for each event, in work units: about
// 10 microseconds.
const DefaultBudget = 2000

// Matcher judges events with a program, and remembers for each process what its
// events met. It is for one goroutine.
type Matcher struct {
	p        *Program
	options  MatcherOptions
	judge    judge
	account  account
	routed   bool
	platform string     // that the routes are for
	routes   [][]uint32 // the signals to judge, by kind of event

	finder finder      // of candidates, see candidates.go
	logs   aloneFinder // of those among alone signals, see alone_find.go

	fired      []uint32 // the signals that fired on the event at hand, in rising order
	correlator correlator

	latches   latchTable
	late      lateTable
	remembers bool // the signal at hand sees latches
	through   event.ID

	watch func() // called before an event is judged, see MatchExplaining; may be nil

	sets   []branchSet // by node, see fill
	suffix []branchSet // a stack, while a proof is made
}

// NewMatcher returns a matcher for p with the zero options that has counted and
// remembers nothing.
func (p *Program) NewMatcher() *Matcher { return p.NewMatcherWith(MatcherOptions{}) }

// NewMatcherWith returns a matcher for p that has counted and remembers nothing.
func (p *Program) NewMatcherWith(o MatcherOptions) *Matcher {
	budget := uint64(0)
	if o.Live {
		if budget = o.BudgetPerEvent; budget == 0 {
			budget = DefaultBudget
		}
	}
	m := &Matcher{
		p:       p,
		options: o,
		account: newAccount(len(p.signals), budget),
		latches: newLatchTable(len(p.memory.items)),
		late:    newLateTable(),
	}
	m.judge = judge{p: p, late: &m.late}
	m.logs.prepare(p)
	m.correlator = newCorrelator(p.correlation)
	return m
}

// Program returns the program that m judges with.
func (m *Matcher) Program() *Program { return m.p }

// Counts returns how often each signal fired since the matcher was made, by the
// index of the signal. The slice is the caller's.
func (m *Matcher) Counts() []uint64 {
	counts := make([]uint64, len(m.account.signals))
	for i := range counts {
		counts[i] = m.account.signals[i].Matches
	}
	return counts
}

// Evaluations returns how often each signal was judged since the matcher was
// made, by the index of the signal. The slice is the caller's.
func (m *Matcher) Evaluations() []uint64 {
	counts := make([]uint64, len(m.account.signals))
	for i := range counts {
		counts[i] = m.account.signals[i].Evaluations
	}
	return counts
}

// Statistics returns what each signal did and cost since the matcher was made, by
// the index of the signal. The slice is the caller's.
func (m *Matcher) Statistics() []SignalStatistics { return m.account.statistics() }

// Suspensions returns the suspensions that began or ended since it was called
// last, in their order. The slice is the caller's.
func (m *Matcher) Suspensions() []Suspension { return m.account.takeChanges() }

// Match judges every event of b with every signal that is for its kind and for
// b's platform; a batch whose platform is not known is judged by the signals of
// all platforms. For each signal that fires, in the order of the program, the
// event gets a tag with the proof, and the verdict Keep; an event that meets for
// the first time what a signal has to remember of its process is kept as well. The
// proofs copy what they say and may be kept.
//
// After all events the correlations are judged, by the time of the events: their tags
// come behind the others.
//
// Then what is remembered of the processes in b.Ended is forgotten, and what had
// to be forgotten for want of room is added to b.Losses.
//
// An event on which nothing fires and of which nothing is remembered costs no
// allocation.
func (m *Matcher) Match(b *event.Batch) {
	m.route(b.Platform)
	m.settle(nil)
	for _, e := range b.Events() {
		m.begin(e)
		if m.watch != nil {
			m.watch()
		}
		for _, i := range m.find(e) {
			m.evaluate(i)
		}
		m.latchPending()
		m.matchAlone(b.Platform, e)
		m.correlate(m.fired)
		if m.watch != nil {
			m.settleExplained(b, e)
		}
		m.account.judged(e.Time)
		m.through = max(m.through, e.ID)
	}
	m.settleCorrelations(b)
	m.judge.event, m.judge.process, m.latches.at = nil, nil, nil
	m.logs.view.forget()
	m.forget(b)
	m.settle(b.Ended)
	m.finder.cache.dropEnded(b.Events())
}

// Through returns the greatest id of the events that m, or the matcher whose memory
// it has, judged: what is stored with a greater one is not in its memory. 0: none.
func (m *Matcher) Through() event.ID { return m.through }

// begin makes e the event at hand.
func (m *Matcher) begin(e *event.Event) {
	m.judge.begin(e)
	m.latches.look(e)
	m.learn(e)
	m.fired = m.fired[:0]
}

// evaluate judges signal i on the event at hand.
func (m *Matcher) evaluate(i uint32) {
	if !m.account.candidate(i) {
		return
	}
	work := m.judge.work
	s := &m.p.signals[i]
	if m.remembers = len(m.p.memory.ofSignal[i]) > 0; m.remembers {
		m.note(i)
	}
	wanted := m.firing(s.root)
	switch {
	case wanted == 0:
	case m.suppressed(s):
		m.account.suppressed(i)
	default:
		m.fired = append(m.fired, i)
		e := m.judge.event
		if e.Verdict = event.Keep; !s.silent {
			e.Tags = append(e.Tags, event.Tag{Signal: i, Proof: m.proof(s.root, wanted)})
		}
		m.account.matched(i)
	}
	m.remembers = false
	m.account.evaluated(i, m.judge.work-work)
}

// suppressed reports whether a suppress expression of s is true on the event at
// hand alone.
func (m *Matcher) suppressed(s *signal) bool {
	for _, root := range m.p.suppressRoots[s.from:s.to] {
		if m.alone(root) != 0 {
			return true
		}
	}
	return false
}

// route finds the signals of a platform, by the kind of event.
func (m *Matcher) route(platform string) {
	if m.routed && m.platform == platform {
		return
	}
	kinds := event.Kinds()
	m.routed, m.platform = true, platform
	m.routes = make([][]uint32, int(kinds[len(kinds)-1])+1)
	for i, s := range m.p.signals {
		if m.p.isDisabled(uint32(i)) || !s.isText() {
			continue
		}
		of := m.p.definitions[i].Platforms
		if platform != "" && len(of) > 0 && !slices.Contains(of, platform) {
			continue
		}
		for _, k := range kinds {
			if s.kinds.Has(k) {
				m.routes[k] = append(m.routes[k], uint32(i))
			}
		}
	}
}
