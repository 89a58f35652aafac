// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"seismo/internal/event"
	"seismo/signals"
)

// at is an event at a second, on which rules fire, with fields as name=value.
func at(seconds float64, rules string, fields ...string) countedEvent {
	e := countedEvent{time: int64(seconds * float64(second)), fields: map[string][]string{}}
	for _, c := range rules {
		e.fired = append(e.fired, uint32(c-'a'))
	}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, "=")
		e.fields[name] = append(e.fields[name], value)
	}
	return e
}

// firings judges events in batches and returns what fires, as "3:5" if signal 5 fires
// on the third event.
func firings(m *Matcher, batches ...[]countedEvent) (got []string) {
	id := event.ID(0)
	for n, events := range batches {
		b := event.NewBatch(8)
		for _, e := range events {
			id++
			e.id = id
			addCorrelated(b, e)
		}
		m.Match(b)
		if n == len(batches)-1 && m.Waiting() {
			m.Flush(b)
		}
		for _, e := range b.Events() {
			for _, tag := range e.Tags {
				if m.p.correlationOf(tag.Signal) != nil {
					got = append(got, fmt.Sprintf("%d:%d", e.ID, tag.Signal))
				}
			}
		}
	}
	return got
}

func counts(bounds ...any) (out []signals.Count) {
	ops := map[string]signals.CountOp{}
	for o := signals.CountGreater; o.Valid(); o++ {
		ops[o.String()] = o
	}
	for i := 0; i < len(bounds); i += 2 {
		out = append(out, signals.Count{Op: ops[bounds[i].(string)], N: uint64(bounds[i+1].(int))})
	}
	return out
}

func by(names ...string) [][]string {
	var out [][]string
	for _, n := range names {
		out = append(out, strings.Split(n, "|"))
	}
	return out
}

// The correlations of a table have three rules, a, b and c, and are signals 3, 4, …
func TestCorrelations(t *testing.T) {
	eventCount := func(span int64, group [][]string, bounds ...any) signals.Correlation {
		return signals.Correlation{Type: signals.EventCount, Rules: []uint32{0}, Timespan: span * second, GroupBy: group, Counts: counts(bounds...)}
	}
	valueCount := func(span int64, group [][]string, field string, bounds ...any) signals.Correlation {
		return signals.Correlation{Type: signals.ValueCount, Rules: []uint32{0}, Timespan: span * second, GroupBy: group, Field: []string{field}, Counts: counts(bounds...)}
	}
	temporal := func(typ signals.CorrelationType, span int64, group [][]string, rules ...uint32) signals.Correlation {
		return signals.Correlation{Type: typ, Rules: rules, Timespan: span * second, GroupBy: group}
	}
	with := func(c signals.Correlation, bounds ...any) signals.Correlation {
		c.Counts = counts(bounds...)
		return c
	}
	of := func(c signals.Correlation, rules ...uint32) signals.Correlation {
		c.Rules = rules
		return c
	}
	tests := []struct {
		name   string
		of     []signals.Correlation
		events []countedEvent
		want   string
	}{
		{"the third of three within the timespan", []signals.Correlation{eventCount(10, nil, "gte", 3)},
			[]countedEvent{at(1, "a"), at(2, "a"), at(10.9, "a")}, "3:3"},
		{"a match exactly a timespan before is outside", []signals.Correlation{eventCount(10, nil, "gte", 3)},
			[]countedEvent{at(1, "a"), at(2, "a"), at(11, "a")}, ""},
		{"the window slides", []signals.Correlation{eventCount(10, nil, "gte", 3)},
			[]countedEvent{at(1, "a"), at(2, "a"), at(11, "a"), at(11.9, "a")}, "4:3"},
		{"gt asks for one more than gte", []signals.Correlation{eventCount(10, nil, "gt", 2)},
			[]countedEvent{at(1, "a"), at(2, "a"), at(3, "a"), at(4, "a")}, "3:3"},
		{"a group that fired begins anew", []signals.Correlation{eventCount(10, nil, "gte", 2)},
			[]countedEvent{at(1, "a"), at(2, "a"), at(3, "a"), at(4, "a"), at(5, "a")}, "2:3 4:3"},
		{"groups count for themselves", []signals.Correlation{eventCount(10, by("u"), "gte", 2)},
			[]countedEvent{at(1, "a", "u=ann"), at(2, "a", "u=bob"), at(3, "a", "u=ann")}, "3:3"},
		{"values of a group fold ASCII letters", []signals.Correlation{eventCount(10, by("u"), "gte", 2)},
			[]countedEvent{at(1, "a", "u=ann"), at(2, "a", "u=ANN")}, "2:3"},
		{"an event without a group-by field does not count", []signals.Correlation{eventCount(10, by("u", "v"), "gte", 2)},
			[]countedEvent{at(1, "a", "u=ann", "v=x"), at(2, "a", "u=ann"), at(3, "a", "u=ann", "v=x")}, "3:3"},
		{"an empty value is a value", []signals.Correlation{eventCount(10, by("u"), "gte", 2)},
			[]countedEvent{at(1, "a", "u="), at(2, "a", "u=")}, "2:3"},
		{"values do not run together", []signals.Correlation{eventCount(10, by("u", "v"), "gte", 2)},
			[]countedEvent{at(1, "a", "u=ab", "v=c"), at(2, "a", "u=a", "v=bc")}, ""},
		{"each value of a field is a group", []signals.Correlation{eventCount(10, by("u"), "gte", 2)},
			[]countedEvent{at(1, "a", "u=ann", "u=bob"), at(2, "a", "u=bob"), at(3, "a", "u=ann")}, "2:3 3:3"},
		{"eq is judged when a match comes", []signals.Correlation{eventCount(10, nil, "eq", 2)},
			[]countedEvent{at(1, "a"), at(2, "a"), at(3, "a")}, "2:3"},
		{"neq too", []signals.Correlation{eventCount(10, nil, "neq", 1)},
			[]countedEvent{at(1, "a"), at(2, "a"), at(13, "a")}, "2:3"},
		{"a range is judged when a match comes", []signals.Correlation{eventCount(10, nil, "gt", 1, "lte", 3)},
			[]countedEvent{at(1, "a"), at(2, "a")}, "2:3"},
		{"a range of values that is jumped over", []signals.Correlation{valueCount(10, nil, "x", "gt", 1, "lt", 4)},
			[]countedEvent{at(1, "a", "x=1"), at(2, "a", "x=2", "x=3", "x=4")}, ""},

		{"lt is judged at the first event past the window", []signals.Correlation{eventCount(10, nil, "lt", 3)},
			[]countedEvent{at(1, "a"), at(2, "a"), at(10.9, ""), at(11, ""), at(50, "")}, "4:3"},
		{"lt does not fire on as many", []signals.Correlation{eventCount(10, nil, "lt", 3)},
			[]countedEvent{at(1, "a"), at(2, "a"), at(10.9, "a"), at(11, "")}, ""},
		{"a match at the end opens the next window", []signals.Correlation{eventCount(10, nil, "lte", 2)},
			[]countedEvent{at(1, "a"), at(2, "a"), at(11, "a"), at(21, "")}, "3:3 4:3"},
		{"lt at the end of the input", []signals.Correlation{eventCount(10, nil, "lt", 3)},
			[]countedEvent{at(1, "a"), at(2, "a"), at(3, "")}, "3:3"},
		{"lt without a match opens no window", []signals.Correlation{eventCount(10, nil, "lt", 3)},
			[]countedEvent{at(1, ""), at(50, "")}, ""},
		{"a without b", []signals.Correlation{with(temporal(signals.Temporal, 10, nil, 0, 1), "lt", 2)},
			[]countedEvent{at(1, "a"), at(3, "b"), at(20, "a"), at(31, "")}, "4:3"},
		{"several groups close on one event with one tag", []signals.Correlation{eventCount(10, by("u"), "lt", 2)},
			[]countedEvent{at(1, "a", "u=ann"), at(2, "a", "u=bob"), at(31, "")}, "3:3"},

		{"different values, however they are spelt", []signals.Correlation{valueCount(10, by("u"), "x", "gte", 3)},
			[]countedEvent{at(1, "a", "u=h", "x=1"), at(2, "a", "u=h", "x=1"), at(3, "a", "u=h", "x=B"), at(4, "a", "u=h", "x=b"), at(5, "a", "u=h", "x=c")}, "5:3"},
		{"a value that leaves the window does not count", []signals.Correlation{valueCount(10, nil, "x", "gte", 3)},
			[]countedEvent{at(1, "a", "x=1"), at(2, "a", "x=2"), at(3, "a", "x=1"), at(12, "a", "x=3"), at(12.5, "a", "x=2")}, "5:3"},
		{"an event without the field does not count", []signals.Correlation{valueCount(10, nil, "x", "gte", 2)},
			[]countedEvent{at(1, "a", "x=1"), at(2, "a"), at(3, "a", "x=1")}, ""},
		{"several values of one event count each", []signals.Correlation{valueCount(10, nil, "x", "gte", 3)},
			[]countedEvent{at(1, "a", "x=1", "x=2", "x=3")}, "1:3"},

		{"temporal in any order", []signals.Correlation{temporal(signals.Temporal, 10, by("u"), 0, 1, 2)},
			[]countedEvent{at(1, "c", "u=ann"), at(2, "a", "u=ann"), at(2, "a", "u=bob"), at(3, "b", "u=ann")}, "4:3"},
		{"one event can be two rules of a temporal", []signals.Correlation{temporal(signals.Temporal, 10, nil, 0, 1)},
			[]countedEvent{at(1, "ab")}, "1:3"},
		{"temporal with a condition", []signals.Correlation{with(temporal(signals.Temporal, 10, nil, 0, 1, 2), "gte", 2)},
			[]countedEvent{at(1, "a"), at(2, "a"), at(3, "c")}, "3:3"},
		{"temporal forgets", []signals.Correlation{temporal(signals.Temporal, 10, nil, 0, 1)},
			[]countedEvent{at(1, "a"), at(11, "b"), at(20.9, "a")}, "3:3"},

		{"ordered wants the order", []signals.Correlation{temporal(signals.TemporalOrdered, 10, nil, 0, 1)},
			[]countedEvent{at(1, "b"), at(2, "a"), at(3, "b")}, "3:3"},
		{"ordered wants different events", []signals.Correlation{temporal(signals.TemporalOrdered, 10, nil, 0, 1)},
			[]countedEvent{at(1, "ab"), at(2, "ab")}, "2:3"},
		{"events of one time are ordered as they came", []signals.Correlation{temporal(signals.TemporalOrdered, 10, nil, 0, 1)},
			[]countedEvent{at(1, "a"), at(1, "b")}, "2:3"},
		{"the first of a chain leaves the window, a later one does not", []signals.Correlation{temporal(signals.TemporalOrdered, 10, nil, 0, 1, 2)},
			[]countedEvent{at(1, "a"), at(5, "b"), at(6, "a"), at(11, "c"), at(12, "b"), at(13, "c")}, "6:3"},
		{"ordered, two of three", []signals.Correlation{with(temporal(signals.TemporalOrdered, 10, nil, 0, 1, 2), "gte", 2)},
			[]countedEvent{at(1, "c"), at(2, "a"), at(3, "c")}, "3:3"},
		{"one rule twice", []signals.Correlation{temporal(signals.TemporalOrdered, 10, nil, 0, 1, 0)},
			[]countedEvent{at(1, "a"), at(2, "b"), at(3, "a")}, "3:3"},

		{"brute force, then success", []signals.Correlation{eventCount(10, by("u", "v"), "gte", 3), temporal(signals.TemporalOrdered, 10, by("u"), 3, 1)},
			[]countedEvent{at(1, "a", "u=ann", "v=h"), at(2, "a", "u=ann", "v=h"), at(3, "b", "u=ann"), at(4, "a", "u=ann", "v=h"), at(5, "b", "u=bob"), at(6, "b", "u=ann")}, "4:3 6:4"},
		{"the event that completes a correlation is not its successor", []signals.Correlation{eventCount(10, nil, "gte", 2), temporal(signals.TemporalOrdered, 10, nil, 3, 1)},
			[]countedEvent{at(1, "a"), at(2, "ab"), at(3, "b")}, "2:3 3:4"},
		{"a correlation of one that closes counts by its group", []signals.Correlation{eventCount(10, by("u"), "lt", 2), of(eventCount(30, by("u"), "gte", 2), 3)},
			[]countedEvent{at(1, "a", "u=ann"), at(12, "a", "u=ann"), at(13, "a", "u=bob"), at(30, "")}, "2:3 4:3 4:4"},
		{"an alias", []signals.Correlation{temporal(signals.Temporal, 10, by("u|v", "v|u"), 0, 1)},
			[]countedEvent{at(1, "a", "u=1", "v=2"), at(2, "b", "u=1", "v=2"), at(3, "b", "u=2", "v=1")}, "3:3"},

		{"events out of order in one batch count as if in order", []signals.Correlation{temporal(signals.TemporalOrdered, 10, nil, 0, 1)},
			[]countedEvent{at(5, "b"), at(4, "a")}, "1:3"},
		{"times at the ends of what there is", []signals.Correlation{eventCount(10, nil, "gte", 2), eventCount(10, nil, "lt", 5)},
			[]countedEvent{{time: -1 << 63, fired: []uint32{0}}, {time: 1<<63 - 1, fired: []uint32{0}}, {time: 1<<63 - 1, fired: []uint32{0}}}, "2:4 3:4 3:3"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			set := newCorrelationSet(3)
			for _, c := range tt.of {
				set.add(c, false)
			}
			p := set.program(t, 0)
			if got := strings.Join(firings(p.NewMatcher(), tt.events), " "); got != tt.want {
				t.Errorf("fires %q, want %q", got, tt.want)
			}
			if slices.IsSortedFunc(tt.events, func(a, b countedEvent) int { return int((a.time>>2 - b.time>>2) >> 60) }) && tt.events[0].time > 0 {
				var single [][]countedEvent
				for _, e := range tt.events {
					single = append(single, []countedEvent{e})
				}
				if got := strings.Join(firings(p.NewMatcher(), single...), " "); got != tt.want && !strings.Contains(tt.name, "out of order") {
					t.Errorf("in batches of one event fires %q, want %q", got, tt.want)
				}
			}
		})
	}
}

// An event that comes in a later batch than later ones has its place by its time. One
// that is a whole timespan older than the newest begins its group anew.
func TestLateMatches(t *testing.T) {
	set := newCorrelationSet(2)
	set.add(signals.Correlation{Type: signals.TemporalOrdered, Rules: []uint32{0, 1}, Timespan: 10 * second}, false)
	set.add(signals.Correlation{Type: signals.EventCount, Rules: []uint32{0}, Timespan: 10 * second, Counts: counts("gte", 3)}, false)
	p := set.program(t, 0)
	tests := []struct {
		name    string
		batches [][]countedEvent
		want    string
	}{
		{"late, before the other", [][]countedEvent{{at(100, "b")}, {at(99, "a")}}, "2:2"},
		{"late, after the other", [][]countedEvent{{at(100, "a")}, {at(99, "b")}}, ""},
		{"late matches are counted", [][]countedEvent{{at(100, "a"), at(101, "a")}, {at(95, "a")}}, "3:3"},
		{"up to a timespan before the newest", [][]countedEvent{{at(100, "a"), at(105, "a")}, {at(95.1, "a")}}, "3:3"},
		{"the clock is set back", [][]countedEvent{{at(100, "a"), at(105, "a")}, {at(95, "a")}, {at(96, "a")}, {at(97, "a")}}, "5:3"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := strings.Join(firings(p.NewMatcher(), tt.batches...), " "); got != tt.want {
				t.Errorf("fires %q, want %q", got, tt.want)
			}
		})
	}
}

// A match tells what was counted and on which events. A silent correlation feeds
// others, and a disabled one does not.
func TestCorrelationProof(t *testing.T) {
	set := newCorrelationSet(2)
	brute := set.add(signals.Correlation{Type: signals.EventCount, Rules: []uint32{0}, Timespan: 600 * second, GroupBy: by("u"), Counts: counts("gte", 40)}, true)
	set.add(signals.Correlation{Type: signals.TemporalOrdered, Rules: []uint32{brute, 1}, Timespan: 3600 * second, GroupBy: by("u")}, false)
	set.add(signals.Correlation{Type: signals.EventCount, Rules: []uint32{0, 1}, Timespan: 90 * second, GroupBy: by("u"), Counts: counts("gt", 39, "lte", 50)}, false)
	p := set.program(t, 0)
	b := event.NewBatch(64)
	for n := range 41 {
		e := at(float64(n), "a", "u=Ann")
		if n == 40 {
			e = at(40, "b", "u=ANN")
		}
		e.id = event.ID(1000 + n)
		addCorrelated(b, e)
	}
	m := p.NewMatcher()
	m.Match(b)
	events := b.Events()
	tags := events[40].Tags
	if len(tags) != 2 || len(events[39].Tags) != 2 {
		t.Fatalf("tags %v and %v", events[39].Tags, tags)
	}
	proof := tags[1].Proof
	want := []event.ProofItem{
		{Term: p.termOf(3), Text: "temporal_ordered of correlation 2, signal 1r01 by u: 2 in 1h (gte 2)", Event: 1040, Time: 40 * second, Ordinal: 1040, Own: "u", Value: "ANN"},
		{Term: p.termOf(2), Text: "correlation 2", Event: 1039, Time: 39 * second, Ordinal: 1039, Own: "u", Value: "ANN"},
		{Term: p.termOf(1), Text: "signal 1r01", Event: 1040, Time: 40 * second, Ordinal: 1040, Own: "u", Value: "ANN"},
	}
	if !slices.Equal(proof, want) {
		t.Errorf("proof\n%+v, want\n%+v", proof, want)
	}
	proof = events[39].Tags[1].Proof
	if len(proof) != maxCorrelationProof || proof[0].Text != "event_count of signal 1r00, signal 1r01 by u: 40 in 90s (gt 39, lte 50)" ||
		proof[30].Event != 1029 || proof[31].Event != 1039 {
		t.Errorf("proof of 40 events: %+v", proof)
	}
	if got := m.Statistics()[2]; got.Matches != 1 || got.Evaluations != 40 {
		t.Errorf("figures of the silent one: %+v", got)
	}
	for _, e := range events {
		if e.Verdict != event.Keep {
			t.Errorf("event %d, which was counted, may be dropped", e.ID)
		}
		e.Tags = nil
	}
	off := p.With(Options{Overrides: []signals.Override{{ID: p.Definitions()[2].ID, Disabled: true}}})
	off.NewMatcher().Match(b)
	if len(events[40].Tags) != 1 {
		t.Errorf("with its part disabled the chain fires: %+v", events[40].Tags)
	}
}

// A rule that fires on one record of an event counts by the fields of that record, and
// where it has none of the name, by those of the event.
func TestFieldsOfOneRecord(t *testing.T) {
	b := event.NewBatch(1)
	e := b.Add(event.KindFile, event.OpWrite)
	e.SetString(event.FilePath, "/etc/shadow")
	for _, h := range []string{"MD5=1", "SHA256=2"} {
		e.AppendElement(event.FileHash, []byte(h))
	}
	for n, v := range []string{"/etc", "/etc/Shadow", "/etc/shadow"} {
		e.AddOwn(n, []byte("name"), []byte(v))
		e.AddOwn(n, []byte("name"), []byte(v+"2"))
	}
	tests := []struct {
		name, field string
		record      int32
		flags       event.Flags
		want        []string
	}{
		{"one record", "name", 1, 0, []string{"/etc/Shadow", "/etc/Shadow2"}},
		{"the first value counts where a program may have forged another", "name", 1, event.Untrusted, []string{"/etc/Shadow"}},
		{"the whole event", "name", -1, event.Duplicate, []string{"/etc", "/etc/Shadow", "/etc/shadow"}},
		{"a field of the registry", "file.path", 1, 0, []string{"/etc/shadow"}},
		{"a field of the registry that is a word", "file.operation", -1, 0, []string{"write"}},
		{"a name that nothing has", "names", 1, 0, nil},
		{"hashes, as Sigma calls them", "Hashes", -1, 0, []string{"MD5=1,SHA256=2"}},
		{"hashes", "file.hash", -1, 0, []string{"MD5=1", "SHA256=2"}},
		{"what Sigma calls it", "TargetFilename", -1, 0, []string{"/etc/shadow"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e.Flags = tt.flags
			var v valueList
			o := occurrence{event: e}
			o.read(&v, &fieldNames([]string{tt.field})[0], tt.record, maxGroupsOfMatch)
			var got []string
			for i := range v.len() {
				got = append(got, string(v.at(i)))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("%s of record %d: %q, want %q", tt.field, tt.record, got, tt.want)
			}
		})
	}
}

// An explanation counts the event at hand and says how much there was before, and
// changes nothing.
func TestExplainCorrelation(t *testing.T) {
	set := newCorrelationSet(2)
	some := set.add(signals.Correlation{Type: signals.EventCount, Rules: []uint32{0}, Timespan: 60 * second, GroupBy: by("u"), Counts: counts("gte", 3)}, false)
	chain := set.add(signals.Correlation{Type: signals.TemporalOrdered, Rules: []uint32{some, 1}, Timespan: 60 * second, GroupBy: by("u")}, false)
	few := set.add(signals.Correlation{Type: signals.EventCount, Rules: []uint32{1}, Timespan: 60 * second, Counts: counts("lt", 2)}, false)
	many := set.add(signals.Correlation{Type: signals.ValueCount, Rules: []uint32{0}, Timespan: 60 * second, Field: []string{"x"}, Counts: counts("gte", 3)}, false)
	p := set.program(t, 0)
	b := event.NewBatch(8)
	for n, e := range []countedEvent{at(1, "a", "u=ann", "x=1"), at(2, "a", "u=Ann"), at(3, "b", "u=ann"), at(4, "a", "u=ann", "x=2", "x=3"), at(5, "b", "u=ann"), at(70, "", "u=ann")} {
		e.id = event.ID(n + 1)
		addCorrelated(b, e)
	}
	var got []string
	m := p.NewMatcher()
	m.MatchExplaining(b, func(x *Explainer) {
		for _, i := range []uint32{some, chain, few, many} {
			tr := x.Explain(i, ExplainOptions{})
			near, ok := x.Nearness(i, ExplainOptions{})
			got = append(got, fmt.Sprintf("%d:%d %s; %s; %s", x.Event().ID, i, tr.Fires, tr.Reason, tr.Root.Note))
			if fires := near.Unmet == 0 && ok; fires != (tr.Fires == True) {
				t.Errorf("event %d, signal %d: Nearness %+v, %v, but it is %s", x.Event().ID, i, near, ok, tr.Fires)
			}
		}
	})
	want := []string{
		"1:2 false; not enough in the timespan; 1 with this event of ann",
		"1:3 false; none of its rules fires on this event; ",
		"1:4 false; none of its rules fires on this event; ",
		"1:5 false; not enough in the timespan; 1 with this event",
		"2:2 false; not enough in the timespan; 2 with this event of ann",
		"2:3 false; none of its rules fires on this event; ",
		"2:4 false; none of its rules fires on this event; ",
		"2:5 false; the event lacks a field that the correlation needs; ",
		"3:2 false; none of its rules fires on this event; ",
		"3:3 false; not enough in the timespan; 1 with this event of ann",
		"3:4 false; it is judged when the window closes; 1 with this event",
		"3:5 false; none of its rules fires on this event; ",
		"4:2 true; this event completes it; 3 with this event of ann",
		"4:3 false; not enough in the timespan; 1 with this event of ann",
		"4:4 false; none of its rules fires on this event; ",
		"4:5 true; this event completes it; 3 with this event",
		"5:2 false; none of its rules fires on this event; ",
		"5:3 true; this event completes it; 2 with this event of ann",
		"5:4 false; it is judged when the window closes; too many already",
		"5:5 false; none of its rules fires on this event; ",
		"6:2 false; none of its rules fires on this event; ",
		"6:3 false; none of its rules fires on this event; ",
		"6:4 false; none of its rules fires on this event; ",
		"6:5 false; none of its rules fires on this event; ",
	}
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Errorf("explanation %d\n%q, want\n%q", i, got[min(i, len(got)-1)], want[min(i, len(want)-1)])
		}
	}
	for _, e := range b.Events() {
		for _, tag := range e.Tags {
			if i := slices.IndexFunc(got, func(s string) bool { return strings.HasPrefix(s, fmt.Sprintf("%d:%d true", e.ID, tag.Signal)) }); tag.Signal >= some && i < 0 {
				t.Errorf("signal %d fired on event %d, which was explained otherwise", tag.Signal, e.ID)
			}
		}
	}
}
