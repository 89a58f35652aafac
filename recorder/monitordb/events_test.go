// SPDX-License-Identifier: Apache-2.0

package monitordb

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"seismo/internal/event"
)

// shown is an event in a form that can be compared: values of the fields that the
// database keeps by name, and processes as lines, ancestors included.
type shown struct {
	Head    string
	Fields  map[string]string
	Own     []string
	Process []string
}

func show(e *event.Event) shown {
	s := shown{Fields: map[string]string{}}
	s.Head = fmt.Sprintf("%d %s %s serial %d flags %d pid %d", e.ID, e.Kind, e.Op, e.Serial, e.Flags, e.PID)
	if e.Logsource != nil {
		s.Head += fmt.Sprintf(" %q", *e.Logsource)
	}
	for _, in := range event.Fields() {
		if !Stored(in.Field, e.Kind, e.Op) || in.Scope == event.ScopeAncestor {
			continue
		}
		if v, ok := fieldText(e, in); ok {
			s.Fields[in.Name] = v
		}
	}
	for f := range e.Own() {
		s.Own = append(s.Own, fmt.Sprintf("%d %q %q", f.Record, f.Name, f.Value))
	}
	if len(s.Own) > 0 {
		s.Own = append(s.Own, fmt.Sprint(e.RecordTypes()))
	}
	if e.Process != nil {
		s.Process = showProcess(e.Process)
	}
	return s
}

// fieldText returns a value as text; times count to the millisecond.
func fieldText(e *event.Event, in event.Info) (string, bool) {
	switch in.Type {
	case event.String:
		v, ok := e.Text(in.Field)
		return fmt.Sprintf("%q", v), ok
	case event.List, event.Hash:
		return fmt.Sprintf("%q", elements(e, in.Field)), e.Has(in.Field)
	case event.Address:
		a, ok := e.Addr(in.Field)
		return a.String(), ok
	case event.Time:
		n, ok := e.Int(in.Field)
		return fmt.Sprint(n / 1e6), ok
	}
	n, ok := e.Int(in.Field)
	return fmt.Sprint(n), ok
}

// showProcess writes p and, indented below it, its previous image and its parent.
func showProcess(p *event.Process) []string {
	c := *p
	c.Start /= 1e6
	c.Parent, c.Previous, c.Windows = nil, nil, nil
	if p.Parent != nil && (p.PPID == 0 || p.PPID == p.Parent.PID) {
		c.PPID = p.Parent.PID
	}
	if len(c.Hash) == 0 {
		c.Hash = nil
	}
	if c.SeenRunning {
		c.Forked, c.Inferred = false, false // stored as one word
	}
	lines := []string{fmt.Sprintf("%+q args known %t", fmt.Sprintf("%+v", c), c.Args != nil)}
	if p.Windows != nil {
		lines = append(lines, fmt.Sprintf("%+q", *p.Windows))
	}
	for _, link := range []struct {
		name string
		p    *event.Process
	}{{"previous", p.Previous}, {"parent", p.Parent}} {
		if link.p == nil {
			continue
		}
		lines = append(lines, link.name)
		for _, l := range showProcess(link.p) {
			lines = append(lines, "  "+l)
		}
	}
	return lines
}

// drawProcesses returns processes that refer to each other.
func drawProcesses(t *rapid.T, key *event.ProcessKey) []*event.Process {
	list := make([]*event.Process, rapid.IntRange(1, 5).Draw(t, "processes"))
	for i := range list {
		*key++
		p := &event.Process{ID: *key, PID: int32(rapid.IntRange(1, 99999).Draw(t, "pid")), Start: base + int64(i)*1e6,
			UserID: event.NoID, GroupID: event.NoID, LoginUserID: event.NoID, Session: event.NoID}
		for _, s := range []*string{&p.Path, &p.Cwd, &p.TTY, &p.ContainerID, &p.UserName, &p.GroupName, &p.LoginUserName, &p.Host, &p.Boot} {
			*s = hostile().Draw(t, "text")
		}
		for _, n := range []*int64{&p.UserID, &p.GroupID, &p.LoginUserID, &p.Session} {
			*n = rapid.SampledFrom([]int64{event.NoID, 0, 1000, 1 << 40}).Draw(t, "number")
		}
		if rapid.Bool().Draw(t, "args known") {
			p.Args = rapid.SliceOfN(hostile(), 0, 4).Draw(t, "args")
			p.CommandLine = strings.Join(p.Args, " ")
		} else {
			p.CommandLine = hostile().Draw(t, "line")
		}
		p.Hash = rapid.SampledFrom([][]string{nil, {"MD5=00"}, {"MD5=00", "SHA1=11"}, {"a,b", ""}}).Draw(t, "hash")
		if rapid.Bool().Draw(t, "facts") {
			p.Windows = event.MakeWindowsFacts(func(f event.Field) string { return hostile().Draw(t, event.Describe(f).Name) })
		}
		p.StartTicks = rapid.SampledFrom([]uint64{0, 77}).Draw(t, "ticks")
		switch rapid.IntRange(0, 3).Draw(t, "learned") {
		case 1:
			p.SeenRunning = true
		case 2:
			p.Inferred = true
		}
		if i > 0 {
			p.Parent = list[rapid.IntRange(0, i-1).Draw(t, "parent")]
			p.PPID = rapid.SampledFrom([]int32{p.Parent.PID, 4}).Draw(t, "ppid")
			if rapid.Bool().Draw(t, "exec") {
				p.Previous = list[rapid.IntRange(0, i-1).Draw(t, "previous")]
			}
		}
		list[i] = p
	}
	return list
}

// setField gives e a value of a field, unless it is one that the process gives.
func setField(t *rapid.T, e *event.Event, in event.Info) {
	switch in.Type {
	case event.String:
		e.SetString(in.Field, hostile().Draw(t, in.Name))
	case event.List:
		for _, v := range rapid.SliceOfN(hostile(), 1, 3).Draw(t, in.Name) {
			e.AppendElement(in.Field, []byte(v))
		}
	case event.Hash:
		for _, v := range rapid.SampledFrom([][]string{{"MD5=1"}, {"MD5=1", "SHA1=2"}, {"[", "x,"}}).Draw(t, in.Name) {
			e.AppendElement(in.Field, []byte(v))
		}
	case event.Address:
		a := rapid.SampledFrom([]string{"10.0.0.1", "::ffff:10.0.0.1", "2001:db8::1"}).Draw(t, in.Name)
		e.SetAddr(in.Field, netip.MustParseAddr(a))
	case event.Time:
		e.SetInt(in.Field, base+rapid.Int64Range(0, 1e9).Draw(t, in.Name)*1e3)
	default:
		e.SetInt(in.Field, rapid.SampledFrom([]int64{0, -1, 443, 1<<63 - 1, -1 << 63}).Draw(t, in.Name))
	}
}

// drawStored adds a random event; what it says of a process is set only where the
// database is to keep it.
func drawStored(t *rapid.T, b *event.Batch, p *event.Process, k event.Kind, op event.Op) {
	e := b.Add(k, op)
	e.Time, e.Serial = base+rapid.Int64Range(0, 50).Draw(t, "time")*1e6, rapid.Uint64Range(0, 3).Draw(t, "serial")
	e.Flags = event.Flags(rapid.IntRange(0, 15).Draw(t, "flags"))
	e.Process = p
	if p != nil {
		e.PID = p.PID
	} else {
		e.PID = int32(rapid.IntRange(0, 9).Draw(t, "pid"))
	}
	for _, in := range event.Fields() {
		own := in.Scope == event.ScopeEvent && in.Object() != "process" || in.Scope == event.ScopeProcess && (p == nil || op == event.OpUpdate)
		if k == event.KindProcess && op == event.OpEnd && in.Field == event.ProcessExitCode {
			own = true
		}
		if in.Column() == "operation" || !in.Kinds.Has(k) || !own || !Stored(in.Field, k, op) || rapid.Bool().Draw(t, "absent") {
			continue
		}
		if in.Field == event.FileName || in.Field == event.FileExtension {
			continue // below
		}
		if in.Field == event.FileResultPath {
			continue // nobody sets it
		}
		setField(t, e, in)
	}
	if k == event.KindProcess && op == event.OpEnd {
		e.SetInt(event.ProcessEndTime, e.Time+rapid.SampledFrom([]int64{0, 5e6}).Draw(t, "ends"))
	}
	if path, ok := e.Text(event.FilePath); ok {
		base := path[strings.LastIndexAny(string(path), "/")+1:]
		e.SetText(event.FileName, base)
		if dot := strings.LastIndexByte(string(base), '.'); dot > 0 {
			e.SetText(event.FileExtension, base[dot+1:])
		}
		if rapid.IntRange(0, 4).Draw(t, "another name") == 0 {
			e.SetString(event.FileName, "another")
			e.SetString(event.FileExtension, "x\xff")
		}
	}
	tagged := rapid.IntRange(0, 3).Draw(t, "tagged") == 0
	if tagged {
		e.Tags = append(e.Tags, event.Tag{Signal: 0, Proof: []event.ProofItem{{Term: 1<<63 + 1, Text: "t\x00", Event: 7, Time: 7000,
			Field: event.FilePath, Value: "\xff", Literal: "l"}, {Term: 2, Text: "u", Event: 8, Time: 8000, Own: "k", Absent: true}}})
	}
	if rapid.IntRange(0, 3).Draw(t, "logs") == 0 {
		words := rapid.SliceOfN(rapid.SampledFrom([]string{"windows", "", "é\xff", "[\""}), 0, 2)
		e.Logsource = &event.Logsource{Products: words.Draw(t, "products"), Categories: words.Draw(t, "categories"), Services: words.Draw(t, "services")}
	}
	if keepsOwn(e) {
		for range rapid.IntRange(0, 3).Draw(t, "own") {
			e.AddOwn(rapid.IntRange(0, 2).Draw(t, "record"), []byte(hostile().Draw(t, "name")), []byte(hostile().Draw(t, "value")))
		}
		for range 3 {
			e.AddRecordType(uint16(rapid.IntRange(0, 1<<16-1).Draw(t, "type")))
		}
	}
}

// What Write stored is read back equal, in every field that the database keeps,
// whatever the kinds, bytes, batch sizes and processes.
func TestEventsComeBack(t *testing.T) {
	db := openDB(t, filepath.Join(t.TempDir(), "monitor.db"), Options{cacheSize: 3, MatchesPerHour: -1, MatchesPerProcess: -1})
	setDefinitions(t, db, definitions(1))
	ids, r := db.IDs(), reader(t, db.path)
	var key event.ProcessKey
	from := event.ID(1)
	var shift int64
	rapid.Check(t, func(rt *rapid.T) {
		b := event.NewBatch(8)
		b.Platform = "linux"
		procs := drawProcesses(rt, &key)
		for _, p := range procs {
			if rapid.Bool().Draw(rt, "created") {
				drawStored(rt, b, p, event.KindProcess, event.OpCreate)
			}
		}
		for range rapid.IntRange(0, 8).Draw(rt, "events") {
			k := rapid.SampledFrom(event.Kinds()).Draw(rt, "kind")
			op := rapid.SampledFrom(event.Ops(k)).Draw(rt, "op")
			p := append(procs, nil)[rapid.IntRange(0, len(procs)).Draw(rt, "process")]
			if k == event.KindProcess && op == event.OpCreate {
				continue // one for each process, above
			}
			drawStored(rt, b, p, k, op)
		}
		for _, e := range b.Events() {
			e.Time += shift // each run has ids of its own
		}
		shift += 1e9
		ids.Assign(b)
		if err := db.Write(context.Background(), []*event.Batch{b}); err != nil {
			rt.Fatal(err)
		}
		want := map[event.ID]shown{}
		tagged := map[event.ID][]event.ProofItem{}
		for _, e := range b.Events() {
			want[e.ID] = show(e)
			if len(e.Tags) > 0 {
				tagged[e.ID] = e.Tags[0].Proof
			}
		}
		got := map[event.ID]shown{}
		last := from
		for back, err := range r.Events(context.Background(), EventQuery{From: from, Batch: rapid.IntRange(1, 5).Draw(rt, "batch")}) {
			if err != nil {
				rt.Fatal(err)
			}
			for _, e := range back.Events() {
				if e.ID < last {
					rt.Errorf("event %d comes after %d", e.ID, last)
				}
				last = e.ID
				got[e.ID] = show(e)
			}
		}
		from = last + 1
		if diff := cmp.Diff(want, got); diff != "" {
			rt.Errorf("events (-written +read):\n%s", diff)
		}
		for id := range want {
			matches, err := r.Matches(context.Background(), id)
			if err != nil {
				rt.Fatal(err)
			}
			var proof []event.ProofItem
			if len(matches) == 1 && matches[0].Signal == definitions(1)[0].ID {
				proof = matches[0].Proof
			}
			if diff := cmp.Diff(tagged[id], proof); diff != "" {
				rt.Errorf("proof of event %d (-written +read):\n%s", id, diff)
			}
		}
	})
}

// What is asked for is given, no more and no less, in batches of the size wanted.
func TestEventQuery(t *testing.T) {
	r := reader(t, smallDB(t))
	list := func(q EventQuery) (out []string) {
		for b, err := range r.Events(context.Background(), q) {
			if err != nil {
				t.Fatalf("Events(%+v): %v", q, err)
			}
			if b.Platform != "linux" {
				t.Errorf("Events(%+v): platform %q, want that of the recorder", q, b.Platform)
			}
			for _, e := range b.Events() {
				out = append(out, fmt.Sprintf("%d %s %s", e.ID-event.ID(base/1000), e.Kind, e.Op))
			}
			out = append(out, "|")
		}
		return out
	}
	first := event.ID(base / 1000)
	curl := process(3, "").ID
	tests := []struct {
		name string
		q    EventQuery
		want string
	}{
		{"a kind", EventQuery{Kinds: event.SetOf(event.KindFile)}, "2000 file write 3000 file rename |"},
		{"one event", EventQuery{From: first + 2000, To: first + 2000}, "2000 file write |"},
		{"none", EventQuery{From: first + 1, To: first + 999}, ""},
		{"batches", EventQuery{To: first + 3000, Batch: 2}, "0 process create 1000 process create | 2000 file write 3000 file rename |"},
		{"a process", EventQuery{Process: curl, Kinds: event.SetOf(event.KindProcess, event.KindNetwork, event.KindDNS)},
			"1000 process create 4000 network connect 10000 dns query 14000 process update 15000 process end |"},
		{"a process that is not there", EventQuery{Process: 12}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := strings.Join(list(tt.q), " "); got != tt.want {
				t.Errorf("Events(%+v) = %s, want %s", tt.q, got, tt.want)
			}
		})
	}
	if _, err := r.Event(context.Background(), first+1); !errors.Is(err, ErrNoEvent) {
		t.Errorf("Event of an id that is not there: %v, want ErrNoEvent", err)
	}
}

// The same process is the same value, over events and batches.
func TestProcessesAreShared(t *testing.T) {
	r := reader(t, smallDB(t))
	seen := map[event.ProcessKey]*event.Process{}
	for b, err := range r.Events(context.Background(), EventQuery{Batch: 3}) {
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range b.Events() {
			if e.Process == nil {
				continue
			}
			for p := range e.Process.Ancestry() {
				if old := seen[p.ID]; old != nil && old != p {
					t.Errorf("event %d: process %d is another value than before", e.ID, p.ID)
				}
				seen[p.ID] = p
			}
		}
	}
	if len(seen) != 3 {
		t.Errorf("%d processes, want init, bash and curl", len(seen))
	}
}

// A chain of images that is longer than any ancestry is read as deep as the
// ancestry reaches, from each of its events.
func TestLongChains(t *testing.T) {
	db := newDB(t)
	a := newAdder(db.IDs())
	var p *event.Process
	for i := range 600 {
		q := process(i, fmt.Sprintf("/bin/%d", i), "x")
		q.Previous = p
		p = q
		a.add(event.KindProcess, event.OpCreate, p)
		if i%100 == 99 {
			write(t, db, a.b)
			a.b = event.NewBatch(16)
		}
	}
	r := reader(t, db.path)
	n := 0
	for b, err := range r.Events(context.Background(), EventQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range b.Events() {
			depth := 0
			for q := range e.Process.Ancestry() {
				if want := fmt.Sprintf("/bin/%d", n-depth); q.Path != want {
					t.Fatalf("event %d, ancestor %d is %s, want %s", n, depth, q.Path, want)
				}
				depth++
			}
			if n++; depth != min(n, 256) {
				t.Fatalf("event %d has %d ancestors, want %d", n, depth, min(n, 256))
			}
		}
	}
}

// The time to read an event back with its process, of a realistic mix.
func BenchmarkEvents(b *testing.B) {
	db := newDB(b)
	m, ids := newMix(20), db.IDs()
	const events = 50_000
	for range events / 2000 {
		batch := event.NewBatch(2000)
		batch.Platform = "linux"
		m.fill(batch, 2000)
		ids.Assign(batch)
		write(b, db, batch)
	}
	r := reader(b, db.path)
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for batch, err := range r.Events(context.Background(), EventQuery{}) {
			if err != nil {
				b.Fatal(err)
			}
			n += batch.Len()
		}
		if n < events*9/10 {
			b.Fatalf("%d events read of %d", n, events)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/events, "ns/event")
}
