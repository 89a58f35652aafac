// SPDX-License-Identifier: Apache-2.0

// This file shows alone signals one by one: their form in signals.bin, what of it is
// refused, what an explanation says, and that nothing is allocated without a match.

package engine

import (
	"strings"
	"testing"

	"seismo/internal/event"
	"seismo/signals"
)

// aloneSet has an alone signal of each sort and a correlation of them.
func aloneSet() *signals.Set {
	var b setBuilder
	log := signals.Logsource{Product: "windows", Category: "process_creation"}
	b.add("a", event.AllKinds, and(ask("record.'Image'", ends, `\Cmd.exe`), not(ask("record.'CommandLine'", has, "/c", "build")), not(ask("record.'User'", exists))))
	b.add("b", event.AllKinds, or(ask("record.'*'", has, "mimikatz"), ask("record.'ParentImage'", signals.IsField, "Image")))
	b.add("c", event.AllKinds, expr{term: testTerm{field: "record.'UtcTime'", cond: less, part: signals.Hour, number: []int64{6}}})
	b.add("d", event.SetOf(event.KindFile), ask("file.path", ends, ".exe"))
	for i := range 3 {
		s := &b.set.Signals[i]
		s.Alone, s.Silent, s.Logsource = true, i == 1, log
		b.set.Definitions[i].Language, b.set.Definitions[i].Logsource = signals.LanguageSigma, log
	}
	b.set.Definitions[0].RuleName, b.set.Definitions[0].Filters = "shell", []string{"title: none of backup"}
	b.set.Definitions = append(b.set.Definitions, signals.Definition{ID: "e", Name: "correlation", Language: signals.LanguageSigma, Revision: "00"})
	b.set.Signals = append(b.set.Signals, signals.Signal{Kinds: event.AllKinds, Correlation: &signals.Correlation{Type: signals.ValueCount, Rules: []uint32{0, 1},
		Timespan: 60e9, GroupBy: [][]string{{"User", "SubjectUserName"}}, Field: []string{"Image", "Image"}, Counts: []signals.Count{{Op: signals.CountGreaterEqual, N: 1 << 40}}}})
	return &b.set
}

func TestAloneRoundTrip(t *testing.T) {
	p, err := Build(aloneSet())
	if err != nil {
		t.Fatal(err)
	}
	q := reload(t, p)
	if c := q.correlationOf(4); c == nil || c.Rules[1] != 1 || c.GroupBy[0][1] != "SubjectUserName" || c.Field[0] != "Image" || c.Counts[0].N != 1<<40 {
		t.Errorf("the correlation is %+v", c)
	}
	if d := q.Definitions()[0]; d.RuleName != "shell" || len(d.Filters) != 1 || d.Logsource.Category != "process_creation" || d.Language != signals.LanguageSigma {
		t.Errorf("the definition is %+v", d)
	}
	if s := q.signals[1]; !s.alone || !s.silent || q.logsources[s.group].Product != "windows" {
		t.Errorf("the signal is %+v", s)
	}
}

func TestAloneRefused(t *testing.T) {
	correlation := func(s *signals.Set) *signals.Correlation { return s.Signals[4].Correlation }
	for _, tt := range []struct {
		name   string
		change func(s *signals.Set)
		want   string
	}{
		{"a field of the registry", func(s *signals.Set) { s.Signals[3].Alone = true }, "asks for a field of the registry"},
		{"a logsource without being alone", func(s *signals.Set) { s.Signals[3].Logsource.Product = "linux" }, "not judged alone"},
		{"two fields without being alone", func(s *signals.Set) { s.Signals[1].Alone, s.Signals[1].Logsource = false, signals.Logsource{} }, "not judged alone"},
		{"suppress expressions", func(s *signals.Set) { s.Signals[0].Suppress = []uint32{0} }, "suppress"},
		{"a correlation that is alone", func(s *signals.Set) { s.Signals[4].Alone = true }, "judged alone"},
		{"a correlation of itself", func(s *signals.Set) { correlation(s).Rules[0] = 4 }, "leads back to itself"},
		{"a rule that there is not", func(s *signals.Set) { correlation(s).Rules[0] = 5 }, "rule 5"},
		{"a field without a name", func(s *signals.Set) { correlation(s).GroupBy[0][0] = "" }, "no name"},
		{"a long name", func(s *signals.Set) { correlation(s).Field[0] = strings.Repeat("x", 2000) }, "the limit is 1024"},
		{"a long logsource", func(s *signals.Set) { s.Signals[0].Logsource.Product = strings.Repeat("x", 2000) }, "the limit is 1024"},
		{"a timespan of nothing", func(s *signals.Set) { correlation(s).Timespan = 0 }, "timespan"},
		{"an unknown part", func(s *signals.Set) {
			for i := range s.Atoms {
				if s.Atoms[i].Part != 0 {
					s.Atoms[i].Part = 9
				}
			}
		}, "part 9"},
	} {
		s := aloneSet()
		tt.change(s)
		if _, err := Build(s); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: Build = %v; want an error that says %q", tt.name, err, tt.want)
		}
	}
}

// Whatever number stands in a word of the file, Load refuses it, or gives a program that
// is written with the same bytes and judges events.
func TestAloneHostileWords(t *testing.T) {
	p, err := Build(aloneSet())
	if err != nil {
		t.Fatal(err)
	}
	whole := encoded(t, p)
	for at := tablesAt; at+4 <= len(whole)-checksumSize; at += 4 {
		for _, flip := range []byte{1, 0xff} {
			b := append([]byte(nil), whole...)
			b[at] ^= flip
			b[at+3] ^= flip &^ 1
			p, err := load(seal(b))
			if err != nil {
				continue
			}
			if again := encoded(t, p); string(again) != string(b) {
				t.Errorf("Load took a change at offset %d that WriteTo writes otherwise", at)
			}
			for _, plain := range []bool{false, true} {
				batch := aloneBatch()
				p.NewMatcherWith(MatcherOptions{DisableSignalsTrie: plain}).Match(batch)
			}
		}
	}
}

var aloneLog = &event.Logsource{Products: []string{"windows"}, Categories: []string{"process_creation"}, Services: []string{"sysmon"}}

// aloneBatch has one event that fires a and b, and one that fires nothing.
func aloneBatch() *event.Batch {
	b := event.NewBatch(2)
	b.Platform = "windows"
	for _, own := range [][]ownField{
		{{0, "Image", `C:\Windows\System32\CMD.EXE`}, {0, "ParentImage", `c:\windows\system32\cmd.exe`}, {0, "CommandLine", "cmd whoami"}, {0, "UtcTime", "2026-11-22 19:46:56.123"}},
		{{0, "Image", `C:\Windows\explorer.exe`}, {0, "CommandLine", "explorer /c"}, {0, "User", "somebody"}, {0, "UtcTime", "2026-11-22 19:46:56.123"}, {0, "Hashes", "MD5=00"}},
	} {
		e := testEvent{kind: event.KindProcess, op: event.OpCreate, own: own}.addTo(b)
		e.Logsource = aloneLog
	}
	return b
}

func TestAloneExplained(t *testing.T) {
	p, err := Build(aloneSet())
	if err != nil {
		t.Fatal(err)
	}
	b := aloneBatch()
	var got []string
	p.NewMatcher().MatchExplaining(b, func(x *Explainer) {
		for i := range uint32(4) {
			trace := x.Explain(i, ExplainOptions{})
			got = append(got, p.Definitions()[i].ID+" "+trace.Fires.String()+": "+trace.Reason)
			if near, ok := x.Nearness(i, ExplainOptions{}); ok && (near.Unmet == 0) != (trace.Fires == True) {
				t.Errorf("Nearness of %d = %+v, and Fires = %v", i, near, trace.Fires)
			}
		}
	})
	want := []string{
		"a true: it is true of this event alone",
		"b true: it is true of this event alone; it is not reported, correlations that refer to it count it",
		"c false: not met: record.'UtcTime' < hour 6",
		"d false: a process event can not meet it: it asks for a file event",
		`a false: not met: record.'Image' ends with '\Cmd.exe'; record.'CommandLine' contains NOT ('/c', 'build'); record.'User' exists NOT`,
		"b false: not met: record.'*' contains 'mimikatz'",
		"c false: not met: record.'UtcTime' < hour 6",
		"d false: a process event can not meet it: it asks for a file event",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("explained:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if tags := b.Events()[0].Tags; len(tags) != 1 || tags[0].Signal != 0 || len(b.Events()[1].Tags) != 0 {
		t.Errorf("tags = %v and %v; want signal 0 on the first event: 1 is silent", tags, b.Events()[1].Tags)
	}
}

// An event on which nothing fires costs no allocation, of any sort.
func TestAloneAllocates(t *testing.T) {
	p, err := Build(aloneSet())
	if err != nil {
		t.Fatal(err)
	}
	for _, plain := range []bool{false, true} {
		m := p.NewMatcherWith(MatcherOptions{DisableSignalsTrie: plain})
		b := event.NewBatch(2)
		b.Platform = "linux"
		for _, log := range []*event.Logsource{aloneLog, nil} {
			e := testEvent{kind: event.KindProcess, op: event.OpCreate, process: family(), own: []ownField{{0, "Image", `C:\Windows\explorer.exe`}, {0, "CommandLine", "explorer /c"},
				{1, "UtcTime", "2026-11-22 19:46:56.123"}, {1, "ParentImage", "x"}, {1, "Other", strings.Repeat("y", 200)}}}.addTo(b)
			e.Logsource = log
		}
		m.Match(b)
		if n := testing.AllocsPerRun(50, func() { m.Match(b) }); n > 0 {
			t.Errorf("%v allocations without a match (plain %v)", n, plain)
		}
	}
}

// A report says what an alone signal waits for, and does not take a correlation for one.
func TestAloneReport(t *testing.T) {
	p, err := Build(aloneSet())
	if err != nil {
		t.Fatal(err)
	}
	each := p.Report().Each
	if k := each[0].Kinds; len(k) != 1 || len(k[0].Terms) != 1 || k[0].Terms[0] != `record.'Image' ends with '\Cmd.exe'` {
		t.Errorf("the report on a is %+v", each[0])
	}
	if k := each[1].Kinds; len(k) != 1 || len(k[0].Terms) != 2 {
		t.Errorf("the report on b is %+v", each[1])
	}
	if len(each[4].Kinds) != 0 || !each[4].Remember {
		t.Errorf("the report on the correlation is %+v", each[4])
	}
}
