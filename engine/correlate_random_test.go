// SPDX-License-Identifier: Apache-2.0

// This file compares the correlator with the naive one on random streams of events.

package engine

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"seismo/internal/event"
	"seismo/signals"
)

const second = int64(1e9)

// correlationSet builds a set whose first signals are rules that an event fires if its
// own field of the rule's name is 1; then come correlations.
type correlationSet struct {
	rules int
	of    []*signals.Correlation // by signal
	quiet []bool
}

func newCorrelationSet(rules int) *correlationSet {
	return &correlationSet{rules: rules, of: make([]*signals.Correlation, rules), quiet: make([]bool, rules)}
}

// add adds a correlation and returns its signal.
func (s *correlationSet) add(c signals.Correlation, silent bool) uint32 {
	for i := range c.GroupBy {
		for len(c.GroupBy[i]) < len(c.Rules) {
			c.GroupBy[i] = append(c.GroupBy[i], c.GroupBy[i][0])
		}
	}
	for len(c.Field) > 0 && len(c.Field) < len(c.Rules) {
		c.Field = append(c.Field, c.Field[0])
	}
	s.of, s.quiet = append(s.of, &c), append(s.quiet, silent)
	return uint32(len(s.of) - 1)
}

func ruleName(i int) string { return fmt.Sprintf("r%02d", i) }

// program builds the set. shift adds so many signals before all others: those of the
// set then have other indexes.
func (s *correlationSet) program(t testing.TB, shift int) *Program {
	t.Helper()
	var b setBuilder
	for i := range shift {
		b.add(fmt.Sprintf("0%02d", i), event.SetOf(event.KindRecord), ask("record.'never'", signals.Is, "1"))
	}
	for i := range s.rules {
		b.add("1"+ruleName(i), event.SetOf(event.KindRecord), ask("record.'"+ruleName(i)+"'", signals.Is, "1"))
	}
	for i := s.rules; i < len(s.of); i++ {
		c := *s.of[i]
		c.Rules = slices.Clone(c.Rules)
		for k := range c.Rules {
			c.Rules[k] += uint32(shift)
		}
		b.set.Definitions = append(b.set.Definitions, signals.Definition{ID: fmt.Sprintf("2%02d", i), Name: fmt.Sprintf("correlation %d", i),
			Severity: signals.High, Language: signals.LanguageSigma, Text: "correlation:", Revision: fmt.Sprintf("%02d", i)})
		b.set.Signals = append(b.set.Signals, signals.Signal{Correlation: &c, Silent: s.quiet[i]})
	}
	return b.program(t)
}

// addCorrelated adds e to b as an event of the source's own record: its rules and
// fields are own fields.
func addCorrelated(b *event.Batch, e countedEvent) *event.Event {
	ev := b.Add(event.KindRecord, event.OpRecord)
	ev.ID, ev.Time, ev.Ordinal, ev.Logsource = e.id, e.time, uint64(e.id), &event.Logsource{}
	for _, i := range e.fired {
		ev.AddOwn(0, []byte(ruleName(int(i))), []byte("1"))
	}
	for _, name := range []string{"u", "v", "x"} {
		for _, v := range e.fields[name] {
			ev.AddOwn(0, []byte(name), []byte(v))
		}
	}
	return ev
}

// stream draws correlations and events.
type stream struct{ r *rand.Rand }

func (s *stream) correlations() *correlationSet {
	set := newCorrelationSet(3)
	for range 1 + s.r.IntN(3) {
		c := signals.Correlation{Type: signals.CorrelationType(s.r.IntN(4)), Timespan: int64(1+s.r.IntN(8)) * second}
		var from []uint32
		for i := range set.of {
			from = append(from, uint32(i))
		}
		s.r.Shuffle(len(from), func(i, k int) { from[i], from[k] = from[k], from[i] })
		c.Rules = from[:1+s.r.IntN(min(3, len(from)))]
		if c.Type == signals.TemporalOrdered && s.r.IntN(5) == 0 {
			c.Rules = append(c.Rules, c.Rules[0])
		}
		name := func(names string) string { return string(names[s.r.IntN(len(names))]) }
		for range s.r.IntN(3) {
			names := []string{name("uv")}
			for len(names) < len(c.Rules) && s.r.IntN(3) == 0 { // an alias
				names = append(names, name("uvx"))
			}
			c.GroupBy = append(c.GroupBy, names)
		}
		if c.Type == signals.ValueCount {
			c.Field = []string{name("xxu")}
		}
		temporal := c.Type == signals.Temporal || c.Type == signals.TemporalOrdered
		if !temporal || s.r.IntN(3) == 0 {
			for range 1 + s.r.IntN(2)*s.r.IntN(2) {
				c.Counts = append(c.Counts, signals.Count{Op: signals.CountOp(s.r.IntN(6)), N: uint64(s.r.IntN(5))})
			}
		}
		set.add(c, s.r.IntN(4) == 0)
	}
	return set
}

// events draws n events; at is the time of the one before.
func (s *stream) events(n int, id *event.ID, at *int64, late bool) (out []countedEvent) {
	for range n {
		*id++
		*at += int64(s.r.IntN(3)) * second
		e := countedEvent{id: *id, time: *at, fields: map[string][]string{}}
		if late && s.r.IntN(4) == 0 {
			e.time -= int64(s.r.IntN(12)) * second
		}
		for i := range uint32(3) {
			if s.r.IntN(3) == 0 {
				e.fired = append(e.fired, i)
			}
		}
		for _, name := range []string{"u", "v", "x"} {
			for range min(2, s.r.IntN(4)) {
				e.fields[name] = append(e.fields[name], string("aAb"[s.r.IntN(3)]))
			}
		}
		out = append(out, e)
	}
	return out
}

// Random correlations, chains and aliases and those that ask for few among them, fire
// on random events where the naive correlator says so, for the same groups, with the
// same counts, and the proof tells events that were counted. Events come out of order,
// within a batch and over batches; the matcher is saved and restored in between, and
// its program changed for one that has other signals before the correlations.
func TestCorrelationsAgreeWithNaive(t *testing.T) {
	streams := 20_000
	if os.Getenv("SEISMO_LONG") != "" {
		streams = 200_000
	}
	const each = 50
	var fires, events, silent int
	for seed := range streams / each {
		s := &stream{rand.New(rand.NewPCG(uint64(seed), 4))}
		set := s.correlations()
		programs := []*Program{set.program(t, 0), set.program(t, 1+s.r.IntN(3))}
		for n := range each {
			f, e, q := agreeOnStream(t, s, set, programs)
			fires, events, silent = fires+f, events+e, silent+q
			if t.Failed() {
				t.Fatalf("seed %d, stream %d: %s", seed, n, setText(set))
			}
		}
	}
	t.Logf("%d streams, %d events, %d correlations fired, %d of them silently", streams, events, fires, silent)
	if fires*20 < events || silent == 0 {
		t.Errorf("%d correlations fired, %d silently, on %d events: too few to show anything", fires, silent, events)
	}
}

func setText(set *correlationSet) string {
	var b strings.Builder
	for i, c := range set.of {
		if c != nil {
			fmt.Fprintf(&b, "\n  %d: %s %v, %d s, by %v, field %v, %v, silent %v", i, c.Type, c.Rules, c.Timespan/second, c.GroupBy, c.Field, c.Counts, set.quiet[i])
		}
	}
	return b.String()
}

func agreeOnStream(t *testing.T, s *stream, set *correlationSet, programs []*Program) (fires, events, silent int) {
	t.Helper()
	naive := newNaiveCorrelator(set.of)
	at, id, shift := 100*second, event.ID(0), 0
	m := programs[0].NewMatcher()
	late := s.r.IntN(2) == 0
	var told []string
	batch := event.NewBatch(8)
	for range 1 + s.r.IntN(4) {
		drawn := s.events(1+s.r.IntN(8), &id, &at, late)
		events += len(drawn)
		batch.Reset()
		for _, e := range drawn {
			addCorrelated(batch, e)
			told = append(told, fmt.Sprintf("%d at %d: %v %v", e.id, e.time/second, e.fired, e.fields))
		}
		m.Match(batch)
		want := naive.batch(drawn)
		for _, e := range batch.Events() {
			fires += len(want[e.ID])
			silent += checkFires(t, e, want[e.ID], set, len(m.p.signals)-len(set.of))
		}
		if t.Failed() {
			t.Errorf("after\n%s", strings.Join(append(told, "-- batch ends --"), "\n"))
			return
		}
		told = append(told, "-- batch ends --")
		switch s.r.IntN(4) {
		case 0:
			m = restored(t, m, m.p)
		case 1:
			shift = 1 - shift
			next := programs[shift].NewMatcher()
			next.TakeOver(m)
			m = next
		}
	}
	return fires, events, silent
}

// restored returns a matcher of p with the saved memory of m.
func restored(t testing.TB, m *Matcher, p *Program) *Matcher {
	t.Helper()
	var b bytes.Buffer
	if err := m.SaveState(&b); err != nil {
		t.Fatalf("SaveState: %v", err)
	}
	next := p.NewMatcher()
	if err := next.LoadState(bytes.NewReader(b.Bytes())); err != nil {
		t.Fatalf("LoadState: %v", err)
	}
	return next
}

// checkFires compares the tags of e with what should fire on it.
func checkFires(t *testing.T, e *event.Event, want []correlatedFire, set *correlationSet, shift int) (silent int) {
	t.Helper()
	fires := map[uint32][]correlatedFire{}
	for _, f := range want {
		if set.quiet[f.signal] {
			silent++
			continue
		}
		fires[f.signal] = append(fires[f.signal], f)
	}
	got := map[uint32]bool{}
	for _, tag := range e.Tags {
		i := tag.Signal - uint32(shift)
		if int(i) < set.rules {
			continue
		}
		if got[i] {
			t.Errorf("event %d has two tags of correlation %d", e.ID, i)
		}
		if got[i] = true; len(fires[i]) == 0 {
			t.Errorf("event %d: correlation %d fires: %v", e.ID, i, tag.Proof[0])
			continue
		}
		checkCorrelationProof(t, e, tag.Proof, fires[i], set.of[i])
	}
	for i, f := range fires {
		if !got[i] {
			t.Errorf("event %d: correlation %d does not fire, want %+v", e.ID, i, f)
		}
	}
	return silent
}

// checkCorrelationProof checks the proof of one tag, made of those of several groups.
func checkCorrelationProof(t *testing.T, e *event.Event, proof []event.ProofItem, fires []correlatedFire, c *signals.Correlation) {
	t.Helper()
	var heads []int
	for i, it := range proof {
		if strings.HasPrefix(it.Text, c.Type.String()+" of ") {
			heads = append(heads, i)
		}
	}
	if len(heads) != len(fires) && len(proof) < maxCorrelationProof || heads[0] != 0 {
		t.Errorf("event %d: a proof of %d groups, want %d", e.ID, len(heads), len(fires))
	}
	for n, from := range heads {
		to := len(proof)
		if n+1 < len(heads) {
			to = heads[n+1]
		}
		head := proof[from]
		var counted []countedMatch // of all groups that the head may be about
		want := -1
		for _, f := range fires {
			if asciiLower(head.Value) == f.key && strings.Contains(head.Text, fmt.Sprintf(": %d in ", f.count)) {
				counted, want = append(counted, f.matches...), f.count
			}
		}
		if want < 0 {
			t.Errorf("event %d: the proof says %q of %q, want one of %+v", e.ID, head.Text, head.Value, fires)
			return
		}
		if got := to - from - 1; got != want && to < maxCorrelationProof {
			t.Errorf("event %d: a proof with %d events for a count of %d: %+v", e.ID, got, want, proof)
		}
		for _, it := range proof[from+1 : to] {
			if !slices.ContainsFunc(counted, func(m countedMatch) bool { return m.event == it.Event && m.time == it.Time }) {
				t.Errorf("event %d: the proof tells of event %d, which was not counted: %+v", e.ID, it.Event, fires)
			}
		}
	}
}
