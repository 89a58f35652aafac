// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"seismo/internal/event"
	"seismo/signals"
)

// judgeOne lets m judge one event in a batch of its own.
func judgeOne(m *Matcher, id int, e countedEvent) *event.Batch {
	b := event.NewBatch(1)
	e.id = event.ID(id)
	addCorrelated(b, e)
	m.Match(b)
	return b
}

// checkGroups checks that the sums of a table are those of its groups.
func checkGroups(t *testing.T, table *groupTable) {
	t.Helper()
	matches, bytes, groups, windows := 0, 0, 0, 0
	for k := range table.orders {
		for g := range table.orders[k].All() {
			if table.of[g.key] != g || int(g.of) != k {
				t.Errorf("group %q of correlation %d is not found", g.key, k)
			}
			groups, matches, bytes = groups+1, matches+len(g.matches), bytes+g.bytes
			if g.place >= 0 {
				if windows++; table.windows[g.place] != g {
					t.Errorf("group %q is not at place %d of the windows", g.key, g.place)
				}
			}
			sum := groupBytes + len(g.key) + matchBytes*len(g.matches) + 8*len(g.starts)
			if g.valueAt != nil {
				sum += indexBytes
			}
			for text := range g.valueAt {
				sum += valueBytes + len(text)
			}
			if sum != g.bytes {
				t.Errorf("group %q takes %d bytes, it says %d", g.key, sum, g.bytes)
			}
		}
	}
	if matches != table.matches || bytes != table.bytes || groups != len(table.of) || windows != len(table.windows) {
		t.Errorf("the groups have %d matches, %d bytes, are %d and %d with a window; the table says %d, %d, %d and %d",
			matches, bytes, groups, windows, table.matches, table.bytes, len(table.of), len(table.windows))
	}
}

// Over a limit the oldest is forgotten, and the losses tell how much.
func TestCorrelationLimits(t *testing.T) {
	set := newCorrelationSet(2)
	set.add(signals.Correlation{Type: signals.EventCount, Rules: []uint32{0}, Timespan: 1000 * second, GroupBy: by("u"), Counts: counts("gte", 4)}, false)
	set.add(signals.Correlation{Type: signals.TemporalOrdered, Rules: []uint32{0, 1}, Timespan: 1000 * second, GroupBy: by("u")}, false)
	p := set.program(t, 0)
	event1 := func(n int, u string) countedEvent { return at(float64(n), "a", "u="+u) }
	tests := []struct {
		name   string
		limit  func(*groupTable)
		users  string // of the events, each a letter
		want   string // what fires
		losses uint64
	}{
		{"within all limits", func(*groupTable) {}, "xyxyxyxy", "7:2 8:2", 0},
		{"matches of a group", func(t *groupTable) { t.limits.group = 3 }, "xxxx", "", 2}, // one of each correlation
		{"groups", func(t *groupTable) { t.limits.groups = 2 }, "xxxyx", "", 8},
		{"matches in all", func(t *groupTable) { t.limits.all = 7 }, "xxxyx", "", 3},
		{"bytes", func(t *groupTable) { t.limits.bytes = 2*groupBytes + 400 }, "xxxyx", "", 8},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := p.NewMatcher()
			tt.limit(&m.correlator.groups)
			var fires []string
			var lost uint64
			for n, u := range tt.users {
				b := judgeOne(m, n+1, event1(n+1, string(u)))
				for _, tag := range b.Events()[0].Tags {
					if tag.Signal >= 2 {
						fires = append(fires, fmt.Sprintf("%d:%d", n+1, tag.Signal))
					}
				}
				for _, l := range b.Losses {
					if l.Reason != event.LossCorrelation || l.Unit != "matches" || l.To != int64(n+1)*second {
						t.Errorf("loss %+v", l)
					}
					lost += l.Count
				}
				checkGroups(t, &m.correlator.groups)
			}
			if got := strings.Join(fires, " "); got != tt.want || lost != tt.losses {
				t.Errorf("fires %q and loses %d, want %q and %d", got, lost, tt.want, tt.losses)
			}
		})
	}
}

// Over the limit the groups that were touched longest ago go, whichever correlations they
// are of.
func TestOldestGroupsGoFirst(t *testing.T) {
	const correlations, limit = 7, 10
	set := newCorrelationSet(1)
	for n := range correlations {
		by := by("u")
		if n%2 == 1 {
			by = append(by, []string{"v"}) // most events lack it: these have older groups
		}
		set.add(signals.Correlation{Type: signals.EventCount, Rules: []uint32{0}, Timespan: 1000 * second, GroupBy: by, Counts: counts("gte", 1000)}, false)
	}
	m := set.program(t, 0).NewMatcher()
	m.correlator.groups.limits.groups = limit
	random := rand.New(rand.NewPCG(5, 6))
	var want []string // the oldest first
	for n := range 500 {
		u := fmt.Sprint(random.IntN(5))
		more := []string{"u=" + u}
		if random.IntN(4) == 0 {
			more = append(more, "v=1")
		}
		for k := range correlations {
			if k%2 == 1 && len(more) == 1 {
				continue
			}
			name := fmt.Sprint(k, " ", u)
			want = append(slices.DeleteFunc(want, func(s string) bool { return s == name }), name)
		}
		lost := max(0, len(want)-limit)
		want = want[lost:]
		b := judgeOne(m, n+1, at(float64(n)/10, "a", more...))
		if (len(b.Losses) > 0) != (lost > 0) {
			t.Errorf("event %d: losses %+v of %d groups", n, b.Losses, lost)
		}
		checkGroups(t, &m.correlator.groups)
		var got []string
		for _, g := range m.correlator.groups.of {
			values, _ := keyValues(g.key, len(m.correlator.plan.list[g.of].groupBy))
			got = append(got, fmt.Sprint(g.of, " ", values[0]))
		}
		if sorted := slices.Sorted(slices.Values(want)); !slices.Equal(slices.Sorted(slices.Values(got)), sorted) {
			t.Fatalf("event %d: kept %q, want %q", n, slices.Sorted(slices.Values(got)), sorted)
		}
	}
}

// A correlation that asks for few does not fire where it is not known how many there
// were.
func TestTooManyToSayThatThereWereFew(t *testing.T) {
	for _, typ := range []signals.CorrelationType{signals.EventCount, signals.ValueCount} {
		set := newCorrelationSet(1)
		c := signals.Correlation{Type: typ, Rules: []uint32{0}, Timespan: 100 * second, Counts: counts("lt", 10)}
		if typ == signals.ValueCount {
			c.Field = []string{"x"}
		}
		set.add(c, false)
		p := set.program(t, 0)
		for _, n := range []int{3, 4} {
			m := p.NewMatcher()
			m.correlator.groups.limits.group = 3
			b := event.NewBatch(1)
			e := at(1, "a")
			for i := range n {
				e.fields["x"] = append(e.fields["x"], fmt.Sprint(i))
				if e.id = event.ID(i + 1); typ == signals.EventCount || i == n-1 {
					addCorrelated(b, e)
				}
			}
			m.Match(b)
			checkGroups(t, &m.correlator.groups)
			m.Flush(b)
			fires := len(b.Events()[b.Len()-1].Tags) == 2
			if fires != (n == 3) || (len(b.Losses) > 0) != (n == 4) {
				t.Errorf("%s of %d matches: fires %v, losses %+v", typ, n, fires, b.Losses)
			}
		}
	}
}

// What nothing is heard of any more is forgotten, without a loss.
func TestCorrelationsForgetWhatIsOver(t *testing.T) {
	set := newCorrelationSet(1)
	set.add(signals.Correlation{Type: signals.EventCount, Rules: []uint32{0}, Timespan: 10 * second, GroupBy: by("u"), Counts: counts("gte", 100)}, false)
	set.add(signals.Correlation{Type: signals.ValueCount, Rules: []uint32{0}, Timespan: 10 * second, Field: []string{"u"}, Counts: counts("gte", 100_000)}, false)
	set.add(signals.Correlation{Type: signals.EventCount, Rules: []uint32{0}, Timespan: 10 * second, GroupBy: by("u"), Counts: counts("lt", 2)}, true)
	m := set.program(t, 0).NewMatcher()
	most := 0
	for n := range 5000 {
		if b := judgeOne(m, n+1, at(float64(n), "a", fmt.Sprintf("u=user %d", n))); len(b.Losses) > 0 {
			t.Fatalf("event %d: %+v", n, b.Losses)
		}
		most = max(most, len(m.correlator.groups.of))
	}
	checkGroups(t, &m.correlator.groups)
	if most > 200 {
		t.Errorf("%d groups at once", most)
	}
}

// A value or a key of any size is kept in bounded room, and long ones that differ only
// at their end are different.
func TestLongValues(t *testing.T) {
	set := newCorrelationSet(1)
	set.add(signals.Correlation{Type: signals.EventCount, Rules: []uint32{0}, Timespan: 10 * second, GroupBy: by("u"), Counts: counts("gte", 2)}, false)
	set.add(signals.Correlation{Type: signals.ValueCount, Rules: []uint32{0}, Timespan: 10 * second, Field: []string{"u"}, Counts: counts("gte", 3)}, false)
	long := strings.Repeat("LONG", 5000)
	m := set.program(t, 0).NewMatcher()
	got := firings(m, []countedEvent{at(1, "a", "u="+long+"1"), at(2, "a", "u="+long+"2"), at(3, "a", "u="+asciiLower(long)+"1"), at(4, "a", "u=3")})
	if want := "3:1 4:2"; strings.Join(got, " ") != want {
		t.Errorf("fires %v, want %s", got, want)
	}
}

// An event that has many values is counted for a bounded number of groups.
func TestManyGroupsOfOneEvent(t *testing.T) {
	set := newCorrelationSet(1)
	set.add(signals.Correlation{Type: signals.EventCount, Rules: []uint32{0}, Timespan: 10 * second, GroupBy: by("u", "v", "x"), Counts: counts("gte", 2)}, false)
	m := set.program(t, 0).NewMatcher()
	e := at(1, "a")
	for n := range 1000 {
		for _, f := range []string{"u", "v", "x"} {
			e.fields[f] = append(e.fields[f], fmt.Sprint(n))
		}
	}
	judgeOne(m, 1, e)
	if n := len(m.correlator.groups.of); n != maxGroupsOfMatch {
		t.Errorf("%d groups, want %d", n, maxGroupsOfMatch)
	}
}

// correlatedState is the saved memory of a matcher whose correlations of all types
// remember something.
func correlatedState(t testing.TB) (*Program, []byte) {
	set := newCorrelationSet(3)
	set.add(signals.Correlation{Type: signals.EventCount, Rules: []uint32{0}, Timespan: 1000 * second, GroupBy: by("u"), Counts: counts("gte", 40)}, false)
	set.add(signals.Correlation{Type: signals.ValueCount, Rules: []uint32{0}, Timespan: 1000 * second, GroupBy: by("u"), Field: []string{"x"}, Counts: counts("gte", 40)}, false)
	set.add(signals.Correlation{Type: signals.Temporal, Rules: []uint32{0, 1, 2}, Timespan: 1000 * second}, false)
	set.add(signals.Correlation{Type: signals.TemporalOrdered, Rules: []uint32{0, 1, 2}, Timespan: 1000 * second, GroupBy: by("u", "v")}, false)
	set.add(signals.Correlation{Type: signals.EventCount, Rules: []uint32{0}, Timespan: 1000 * second, GroupBy: by("u"), Counts: counts("lt", 3)}, false)
	p := set.program(t, 0)
	m := p.NewMatcher()
	for n := range 12 {
		judgeOne(m, n+1, at(float64(n), "aab"[n%3:n%3+1], "u="+string("XYZ"[n%3]), "v=1", fmt.Sprintf("x=%d", n%4)))
	}
	return p, saved(t, m)
}

// The memory of correlations is written the same after it was read, and what another
// program does not know is left out.
func TestCorrelationStateRoundTrip(t *testing.T) {
	p, state := correlatedState(t)
	m := p.NewMatcher()
	if err := m.LoadState(bytes.NewReader(state)); err != nil {
		t.Fatalf("LoadState: %v", err)
	}
	checkGroups(t, &m.correlator.groups)
	if again := saved(t, m); !bytes.Equal(again, state) {
		t.Errorf("saved again it is\n%q, want\n%q", again, state)
	}
	other := newCorrelationSet(1).program(t, 0).NewMatcher()
	if err := other.LoadState(bytes.NewReader(state)); err != nil {
		t.Fatalf("LoadState of a program without correlations: %v", err)
	}
	if other.Waiting() || len(other.correlator.groups.of) != 0 {
		t.Errorf("a program without correlations remembers %d groups", len(other.correlator.groups.of))
	}
}

// Whatever bytes are changed in a saved memory: it is refused by name, or what it says
// is within the limits and can be judged on.
func TestCorrelationStateThatIsChanged(t *testing.T) {
	p, state := correlatedState(t)
	r := rand.New(rand.NewPCG(1, 2))
	const changed = 5000
	refused := 0
	for range changed {
		b := bytes.Clone(state[:len(state)-4])
		for range 1 + r.IntN(3) {
			if at := 20 + r.IntN(len(b)-24); r.IntN(2) == 0 {
				b[at] = byte(r.IntN(256))
			} else {
				binary.LittleEndian.PutUint32(b[at:], []uint32{0, 1, 1 << 31, ^uint32(0)}[r.IntN(4)])
			}
		}
		if r.IntN(10) == 0 {
			b = b[:r.IntN(len(b))]
		}
		m := p.NewMatcher()
		if err := m.LoadState(bytes.NewReader(sealed(b))); err != nil {
			refused++
			if !errors.Is(err, ErrStateDamaged) && !errors.Is(err, ErrStateFormat) && !errors.Is(err, ErrStateVersion) && !errors.Is(err, ErrStateRegistry) {
				t.Fatalf("LoadState: %v", err)
			}
			continue
		}
		checkGroups(t, &m.correlator.groups)
		last := judgeOne(m, 100, at(13, "abc", "u=x", "v=1", "x=9"))
		m.Flush(last)
		checkGroups(t, &m.correlator.groups)
		if t.Failed() {
			t.Fatalf("after state %q", b)
		}
	}
	if refused == 0 || refused == changed {
		t.Errorf("%d of %d were refused", refused, changed)
	}
}

// Whatever LoadState takes of correlations is saved again so that it loads to the same,
// and can be judged on.
func FuzzLoadCorrelations(f *testing.F) {
	p, state := correlatedState(f)
	f.Add(state[:len(state)-4])
	f.Fuzz(func(t *testing.T, body []byte) {
		m := p.NewMatcher()
		if err := m.LoadState(bytes.NewReader(sealed(body))); err != nil {
			return
		}
		checkGroups(t, &m.correlator.groups)
		once := saved(t, m)
		again := p.NewMatcher()
		if err := again.LoadState(bytes.NewReader(once)); err != nil {
			t.Fatalf("LoadState of what SaveState wrote: %v", err)
		}
		if twice := saved(t, again); !bytes.Equal(twice, once) {
			t.Errorf("saved twice it is\n%q, want\n%q", twice, once)
		}
		m.Flush(judgeOne(m, 100, at(13, "abc", "u=x", "v=1", "x=9")))
		checkGroups(t, &m.correlator.groups)
	})
}
