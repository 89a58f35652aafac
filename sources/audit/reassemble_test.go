// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"seismo/internal/event"
)

// script drives a reassembler by lines of text.
type script struct {
	t      *testing.T
	a      *Reassembler
	now    time.Duration
	record uint64
}

// line pushes the record "[NODE/]SERIAL TYPE [BODY]" and returns what came out.
func (s *script) line(l string) string {
	s.t.Helper()
	id, rest, _ := strings.Cut(l, " ")
	typ, body, _ := strings.Cut(rest, " ")
	h := Header{Time: 1e9}
	if node, serial, ok := strings.Cut(id, "/"); ok {
		h.Node, id = []byte(node), serial
	}
	if _, err := fmt.Sscan(id, &h.Serial); err != nil {
		s.t.Fatalf("%q: %v", l, err)
	}
	var ok bool
	if h.Type, ok = TypeNumber([]byte(typ)); !ok {
		s.t.Fatalf("%q: no such type", l)
	}
	s.record++
	s.a.Push(h, Record{Type: h.Type, Ordinal: s.record, Body: []byte(body)}, s.now)
	return s.out()
}

// out writes the groups that are ready: "SERIAL(TYPE …)flags".
func (s *script) out() string {
	var out []string
	for g := s.a.Pop(); g != nil; g = s.a.Pop() {
		var types []string
		for _, r := range g.Records {
			types = append(types, TypeName(r.Type))
		}
		id := fmt.Sprint(g.Serial)
		if len(g.Node) > 0 {
			id = string(g.Node) + "/" + id
		}
		flags := ""
		if g.Flags&event.Incomplete != 0 {
			flags += "i"
		}
		if g.Flags&event.Truncated != 0 {
			flags += "t"
		}
		out = append(out, fmt.Sprintf("%s(%s)%s", id, strings.Join(types, " "), flags))
		s.a.Release(g)
	}
	return strings.Join(out, " ")
}

const (
	execYes = "arch=c000003e syscall=59 success=yes exit=0 a0=1 items=1 ppid=1"
	execNo  = "arch=c000003e syscall=59 success=no exit=-2 a0=1 items=1 ppid=1"
	noItems = "arch=c000003e syscall=42 success=yes exit=0 a0=1 items=0 ppid=1"
)

// Each line is "what is pushed => what comes out at once". "after D" moves the
// clock and expires; "end" is the end of the input.
func TestReassembler(t *testing.T) {
	tests := []struct {
		name  string
		lines []string
	}{
		{"EOE ends an event", []string{
			"1 SYSCALL " + execYes + " =>", "1 EXECVE =>", "1 PATH =>", "1 EOE => 1(SYSCALL EXECVE PATH EOE)",
		}},
		{"events interleave and none waits for an older one", []string{
			"1 SYSCALL " + noItems + " =>", "2 SYSCALL " + noItems + " =>", "1 PROCTITLE =>", "2 PROCTITLE =>",
			"2 EOE => 2(SYSCALL PROCTITLE EOE)", "1 EOE => 1(SYSCALL PROCTITLE EOE)",
		}},
		{"the same serial of another host is another event", []string{
			"a/1 SYSCALL " + noItems + " =>", "b/1 SYSCALL " + noItems + " =>", "b/1 EOE => b/1(SYSCALL EOE)", "a/1 EOE => a/1(SYSCALL EOE)",
		}},
		{"serials run over", []string{
			"4294967295 SYSCALL " + noItems + " =>", "0 SYSCALL " + noItems + " =>",
			"4294967295 EOE => 4294967295(SYSCALL EOE)", "0 EOE => 0(SYSCALL EOE)",
		}},
		{"LOGIN and its call", []string{
			"1 LOGIN =>", "1 SYSCALL " + noItems + " =>", "1 EOE => 1(LOGIN SYSCALL EOE)",
		}},
		{"user-space record whose sending call is audited", []string{
			"1 SERVICE_START =>", "1 SYSCALL " + noItems + " =>", "1 EOE => 1(SERVICE_START SYSCALL EOE)",
		}},
		{"user-space record alone, by its age", []string{
			"1 USER_LOGIN =>", "after 40ms =>", "after 20ms => 1(USER_LOGIN)",
		}},
		{"auditd's own record at once", []string{"7 DAEMON_START => 7(DAEMON_START)"}},
		{"LOGIN alone, by its age", []string{
			"1 LOGIN =>", "after 1900ms =>", "after 200ms => 1(LOGIN)",
		}},
		{"no EOE where none comes is complete", []string{
			"1 SYSCALL " + noItems + " =>", "1 PROCTITLE =>", "end => 1(SYSCALL PROCTITLE)",
		}},
		{"no EOE where others have one is incomplete", []string{
			"1 SYSCALL " + noItems + " =>", "1 EOE => 1(SYSCALL EOE)", "2 SYSCALL " + noItems + " =>", "end => 2(SYSCALL)i",
		}},
		{"no EOE of another host says nothing", []string{
			"a/1 SYSCALL " + noItems + " =>", "a/1 EOE => a/1(SYSCALL EOE)", "b/2 SYSCALL " + noItems + " =>", "end => b/2(SYSCALL)",
		}},
		{"exec without EXECVE", []string{"1 SYSCALL " + execYes + " =>", "1 PATH =>", "1 EOE => 1(SYSCALL PATH EOE)i"}},
		{"failed exec has none", []string{"1 SYSCALL " + execNo + " =>", "1 PATH =>", "1 EOE => 1(SYSCALL PATH EOE)"}},
		{"too few PATH", []string{"1 SYSCALL " + execNo + " =>", "1 EOE => 1(SYSCALL EOE)i"}},
		{"a message queue's directory is counted but not written", []string{
			"1 SYSCALL arch=c000003e syscall=240 success=yes exit=4 items=2 =>", "1 MQ_OPEN =>", "1 PATH =>", "1 EOE => 1(SYSCALL MQ_OPEN PATH EOE)",
			"2 SYSCALL arch=c000003e syscall=241 success=yes exit=0 items=2 =>", "2 PATH =>", "2 EOE => 2(SYSCALL PATH EOE)",
		}},
		{"records that come with SYSCALL only", []string{"1 PROCTITLE =>", "end => 1(PROCTITLE)i"}},
		{"io_uring has URINGOP in its place", []string{
			"1 URINGOP uring_op=18 success=yes exit=0 items=1 ppid=1 =>", "1 PATH =>", "1 EOE => 1(URINGOP PATH EOE)",
		}},
		{"a record after its event's end", []string{
			"1 SYSCALL " + noItems + " =>", "1 EOE => 1(SYSCALL EOE)", "1 PATH =>", "end => 1(PATH)i",
		}},
		{"the end emits the oldest first", []string{"3 LOGIN =>", "1 AVC =>", "2 USER_ACCT =>", "end => 3(LOGIN) 1(AVC) 2(USER_ACCT)"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &script{t: t, a: NewReassembler(Limits{})}
			for _, l := range tt.lines {
				in, want, _ := strings.Cut(l, "=>")
				in, want = strings.TrimSpace(in), strings.TrimSpace(want)
				var got string
				if d, ok := strings.CutPrefix(in, "after "); ok {
					d, err := time.ParseDuration(d)
					if err != nil {
						t.Fatal(err)
					}
					s.now += d
					s.a.Expire(s.now)
					got = s.out()
				} else if in == "end" {
					s.a.Flush()
					got = s.out()
				} else {
					got = s.line(in)
				}
				if got != want {
					t.Errorf("%s: out came %q, want %q", in, got, want)
				}
			}
		})
	}
}

// Without EOE and without a clock an event ends when enough newer ones of its
// host have begun; those that mostly come alone wait for fewer.
func TestReassemblerWindows(t *testing.T) {
	tests := []struct {
		name   string
		first  string
		eoe    bool
		window int
	}{
		{"user-space record", "1 USER_LOGIN", true, 16},
		{"no EOE known", "1 SYSCALL " + noItems, false, 64},
		{"call still to come", "1 LOGIN", true, 256},
		{"EOE due", "1 SYSCALL " + noItems, true, 1024},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &script{t: t, a: NewReassembler(Limits{})}
			if tt.eoe {
				s.line("9000 SYSCALL " + noItems)
				s.line("9000 EOE")
			}
			s.line(tt.first)
			for i := 1; i < tt.window; i++ {
				s.line("other/1 SYSCALL " + noItems) // another host's do not count
				s.line("other/1 EOE")
				if got := s.line(fmt.Sprintf("%d LOGIN", 1+i)); strings.HasPrefix(got, "1(") {
					t.Fatalf("emitted after %d newer events, want %d", i, tt.window)
				}
			}
			if got := s.line(fmt.Sprintf("%d LOGIN", 1+tt.window)); !strings.HasPrefix(got, "1(") {
				t.Errorf("after %d newer events: %q, want the first", tt.window, got)
			}
		})
	}
}

func TestReassemblerLimits(t *testing.T) {
	limits := Limits{RecordBytes: 10, EventBytes: 30, Records: 3, AllRecords: 6, Open: 2, TotalBytes: 1 << 20}
	tests := []struct {
		name  string
		lines []string
		cut   uint64
	}{
		{"record", []string{"1 EXECVE 0123456789ABC =>", "1 SYSCALL x =>", "1 EOE => 1(EXECVE SYSCALL EOE)t"}, 1},
		{"event", []string{"1 SYSCALL 0123456789 =>", "1 CWD 0123456789 =>", "1 PATH 0123456789 =>", "1 PATH x =>", "1 EOE => 1(SYSCALL CWD PATH EOE)t"}, 1},
		{"records", []string{"1 SYSCALL =>", "1 PATH =>", "1 PATH =>", "1 PATH =>", "1 EXECVE =>", "1 EXECVE =>", "1 EXECVE =>", "1 EXECVE =>", "1 EOE => 1(SYSCALL PATH PATH EXECVE EXECVE EXECVE EOE)t"}, 2},
		{"open events", []string{"1 SYSCALL " + noItems[:9] + " =>", "2 LOGIN =>", "3 USER_CMD => 1(SYSCALL)i", "4 LOGIN => 2(LOGIN)i", "5 LOGIN => 3(USER_CMD)"}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &script{t: t, a: NewReassembler(limits)}
			for _, l := range tt.lines {
				in, want, _ := strings.Cut(l, "=>")
				if got := s.line(strings.TrimSpace(in)); got != strings.TrimSpace(want) {
					t.Errorf("%s: out came %q, want %q", in, got, want)
				}
			}
			if got := s.a.Stats().CutRecords; got != tt.cut {
				t.Errorf("CutRecords = %d, want %d", got, tt.cut)
			}
		})
	}
}

// An exec whose arguments fill 300 EXECVE records stays whole.
func TestReassemblerKeepsLongExecve(t *testing.T) {
	s := &script{t: t, a: NewReassembler(Limits{})}
	s.line("1 SYSCALL " + execYes)
	for range 300 {
		s.line("1 EXECVE " + strings.Repeat("x", 3000))
	}
	s.line("1 PATH")
	got := s.line("1 EOE")
	if want := "1(SYSCALL " + strings.Repeat("EXECVE ", 300) + "PATH EOE)"; got != want {
		t.Errorf("out came %.200q, %d EXECVE records", got, strings.Count(got, "EXECVE"))
	}
}

// Of arguments that are too long for the memory of one event, the head and the
// tail are kept, up to the event that is made of them.
func TestReassemblerKeepsTheTailOfHugeArguments(t *testing.T) {
	a, d, b := NewReassembler(Limits{}), NewDecoder(DecodeOptions{}), event.NewBatch(1)
	push := func(typ uint16, body string) {
		h, r, err := ParsePayload(typ, []byte("audit(1.000:9): "+body))
		if err != nil {
			t.Fatal(err)
		}
		a.Push(h, r, 0)
	}
	push(TypeSyscall, `arch=c000003e syscall=59 success=yes exit=0 a0=1 a1=2 a2=3 a3=4 items=0 ppid=1 pid=2 auid=0 uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=pts0 ses=1 comm="sh" exe="/bin/sh" key=(null)`)
	const padding = 600
	push(TypeExecve, fmt.Sprintf(`argc=%d a0="sh"`, padding+3))
	for i := range padding {
		push(TypeExecve, fmt.Sprintf(`a%d="%s"`, i+1, strings.Repeat("x", 7000)))
	}
	push(TypeExecve, fmt.Sprintf(`a%d="-c" a%d="payload%s"`, padding+1, padding+2, strings.Repeat("y", 6000)))
	push(TypeEOE, "")
	g := a.Pop()
	if g == nil {
		t.Fatal("no group came out")
	}
	if got := g.held(); got > 4<<20 {
		t.Errorf("the group holds %d bytes; want little more than the limit of 1 MiB", got)
	}
	d.Decode(g, b)
	e := b.Events()[0]
	line, _ := e.Text(event.ProcessCommandLine)
	if !bytes.HasPrefix(line, []byte("sh xxx")) || !bytes.Contains(line, []byte("x -c payloadyyy")) {
		t.Errorf("the command line begins %.20q and ends %.20q; want sh, padding, -c and the payload", line, line[max(0, len(line)-20):])
	}
	if want := event.Truncated | event.Incomplete; e.Flags&want != want {
		t.Errorf("flags %v; want truncated and incomplete", e.Flags)
	}
	if a.Stats().CutRecords == 0 {
		t.Error("no record is counted as cut")
	}
}

// The memory of all open events is bounded, and what is emitted for it counts.
func TestReassemblerTotalBytes(t *testing.T) {
	s := &script{t: t, a: NewReassembler(Limits{TotalBytes: 100 << 10})}
	evicted := 0
	for i := range 100 {
		evicted += strings.Count(s.line(fmt.Sprintf("%d SYSCALL %s", i, strings.Repeat("x", 3000))), "(")
		if st := s.a.Stats(); st.OpenBytes > 100<<10 {
			t.Fatalf("after %d events: %d bytes held", i+1, st.OpenBytes)
		}
	}
	if st := s.a.Stats(); evicted == 0 || int(st.Evicted) != evicted || st.Open+evicted != 100 {
		t.Errorf("%d came out early, %+v", evicted, st)
	}
}

// After warm-up nothing is allocated for an event, and the bytes of one that was
// released are not seen in the next.
func TestReassemblerReusesMemory(t *testing.T) {
	a := NewReassembler(Limits{})
	lines := recordedLines(t)
	run := func() {
		pushAll(t, a, lines, func(g *Group) { a.Release(g) })
	}
	run()
	if n := testing.AllocsPerRun(10, run); n != 0 {
		t.Errorf("%v allocations for %d lines, want 0", n, len(lines))
	}
	var want, got []string
	pushAll(t, NewReassembler(Limits{}), lines, func(g *Group) { want = append(want, dumpGroup(g)) })
	pushAll(t, a, lines, func(g *Group) { got = append(got, dumpGroup(g)); a.Release(g); a.Release(g) })
	if !slices.Equal(got, want) {
		t.Errorf("groups differ with reused memory:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// pushAll parses lines, pushes them and gives each group to do, to the end of
// the input. It returns how many lines were malformed.
func pushAll(t testing.TB, a *Reassembler, lines [][]byte, do func(*Group)) (malformed []int) {
	t.Helper()
	for i, line := range lines {
		if len(trimTail(line)) == 0 {
			continue
		}
		h, r, err := ParseLine(line)
		if err != nil {
			malformed = append(malformed, i+1)
			continue
		}
		r.Ordinal = uint64(i + 1)
		a.Push(h, r, 0)
		for g := a.Pop(); g != nil; g = a.Pop() {
			do(g)
		}
	}
	a.Flush()
	for g := a.Pop(); g != nil; g = a.Pop() {
		do(g)
	}
	return malformed
}

// dumpGroup writes all of g.
func dumpGroup(g *Group) string {
	b := fmt.Appendf(nil, "%d:%d %q %d", g.Time, g.Serial, g.Node, g.Flags)
	for _, r := range g.Records {
		b = fmt.Appendf(b, "\n\t%d %s %q %q", r.Ordinal, TypeName(r.Type), r.Body, r.Enriched)
	}
	return string(b)
}

// Every record that is pushed comes out once, in a group of its host, time and
// serial and in order of arrival, or is counted as cut; memory stays bounded; the
// same input gives the same groups.
func FuzzReassemble(f *testing.F) {
	f.Add([]byte{0, 0, 1, 0, 0, 9, 0, 1, 1, 2, 0, 9}, uint8(0))
	f.Add([]byte("the quick brown fox jumps over the lazy dog"), uint8(200))
	f.Fuzz(func(t *testing.T, b []byte, seed uint8) {
		limits := Limits{RecordBytes: 64, EventBytes: 256, Records: 6, AllRecords: 9, Open: 8, TotalBytes: 32 << 10}
		first := fuzzRun(t, limits, b, seed)
		if second := fuzzRun(t, limits, b, seed); !slices.Equal(first, second) {
			t.Errorf("two runs differ:\n%q\n%q", first, second)
		}
	})
}

var fuzzTypes = []uint16{TypeSyscall, TypeExecve, TypeCWD, TypePath, TypeProctitle, TypeEOE, TypeUserLogin, TypeDaemonStart, TypeLogin, 0}

// fuzzRun pushes one record for three bytes of b and checks what comes out.
func fuzzRun(t *testing.T, limits Limits, b []byte, seed uint8) (out []string) {
	a := NewReassembler(limits)
	type id struct {
		node   string
		time   int64
		serial uint64
	}
	pushed := map[uint64]id{} // by ordinal; deleted when it comes out
	var total, gone uint64
	now := time.Duration(0)
	drain := func() {
		for g := a.Pop(); g != nil; g = a.Pop() {
			last := uint64(0)
			for _, r := range g.Records {
				if want, ok := pushed[r.Ordinal]; !ok || want != (id{string(g.Node), g.Time, g.Serial}) || r.Ordinal <= last {
					t.Fatalf("record %d came out in %q: %v, pushed as %+v", r.Ordinal, dumpGroup(g), ok, want)
				}
				if want := fuzzBody(r.Ordinal, seed); !bytes.HasPrefix(want, r.Body) || len(r.Body) < len(want) && g.Flags&event.Truncated == 0 {
					t.Fatalf("record %d came out as %q, pushed as %q", r.Ordinal, r.Body, want)
				}
				delete(pushed, r.Ordinal)
				gone++
				last = r.Ordinal
			}
			out = append(out, dumpGroup(g))
			a.Release(g)
		}
		// One group may be over the limit before it is emitted.
		if s := a.Stats(); s.Open > limits.Open || s.OpenBytes > limits.TotalBytes {
			t.Fatalf("over the limits: %+v", s)
		}
	}
	for len(b) >= 3 {
		k, typ := b[0], fuzzTypes[int(b[1])%len(fuzzTypes)]
		if b[2] > 200 {
			now += time.Duration(b[2]) * time.Millisecond
			a.Expire(now)
			drain()
		}
		b = b[3:]
		total++
		h := Header{Time: int64(k&1) * 1e6, Serial: uint64(k >> 4), Type: typ}
		if k&2 != 0 {
			h.Node = []byte{'n', k & 4}
		}
		pushed[total] = id{string(h.Node), h.Time, h.Serial}
		body := fuzzBody(total, seed)
		a.Push(h, Record{Type: typ, Ordinal: total, Body: body}, now)
		clear(body) // it must have been copied
		drain()
	}
	a.Flush()
	drain()
	s := a.Stats()
	if s.Open != 0 || s.OpenBytes != 0 || s.Records != total || gone+s.CutRecords < total || uint64(len(pushed)) > s.CutRecords || s.Events != uint64(len(out)) {
		t.Fatalf("%d pushed, %d came out, %d did not, %d groups: %+v", total, gone, len(pushed), len(out), s)
	}
	return out
}

func fuzzBody(n uint64, seed uint8) []byte {
	return bytes.Repeat([]byte{byte('a' + n%26)}, int(n*7+uint64(seed))%80)
}
