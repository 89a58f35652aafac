// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"seismo/internal/event"
)

func TestDowntime(t *testing.T) {
	last := event.Position{Boot: "b", Serial: 1000, Time: 5e9}
	tests := []struct {
		name    string
		last    event.Position
		boot    string
		serials []uint64
		count   uint64 // 0: no loss
		again   bool
	}{
		{"nothing was missed of a recorder that was killed", event.Position{Boot: "b", Serial: 1000, Time: 5e9, Killed: true}, "b", []uint64{1001}, 0, false},
		{"nothing was missed", last, "b", []uint64{1001, 1002}, 0, false},
		{"one", last, "b", []uint64{1002}, 1, false},
		{"many", last, "b", []uint64{501_001, 501_002}, 500_000, false},
		{"some come late", last, "b", []uint64{1010, 1009, 1008, 1009, 1011}, 7, false},
		{"some were not handed on", event.Position{Boot: "b", Serial: 1000, Open: 3}, "b", []uint64{1001}, 3, false},
		{"the numbers run over", event.Position{Boot: "b", Serial: 1<<32 - 2}, "b", []uint64{3}, 4, false},
		{"another boot", last, "c", []uint64{7}, 0, false},
		{"nothing is known", event.Position{}, "b", []uint64{7000}, 0, false},
		{"the numbers begin anew", event.Position{Boot: "b", Serial: 100_000}, "b", []uint64{7}, 0, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var d downtime
			d.begin(tt.last, tt.boot)
			for _, s := range tt.serials {
				d.seen(Header{Serial: s, Time: 9e9})
			}
			if _, early, _ := d.tell(time.Now(), false); early {
				t.Error("told before what is late could come")
			}
			loss, missing, again := d.tell(time.Now().Add(2*settleTime), false)
			if loss.Count != tt.count || missing != (tt.count > 0 || tt.again || tt.last.Killed) || again != tt.again {
				t.Errorf("after %+v and serials %v: %+v, %v, %v; want %d missed, again %v", tt.last, tt.serials, loss, missing, again, tt.count, tt.again)
			}
			if missing && (loss.From != tt.last.Time || loss.To != 9e9 || loss.Reason != event.LossNotSeen) {
				t.Errorf("loss %+v; want it from %d to %d", loss, tt.last.Time, int64(9e9))
			}
			if _, twice, _ := d.tell(time.Now().Add(time.Hour), true); twice {
				t.Error("told twice")
			}
		})
	}
}

// Wherever a recording is killed, what its position leaves open and what the next one
// has not seen are exactly the events that are in neither.
func TestPositionCountsWhatIsInNeither(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		const events = 400
		base := rapid.Uint32Max(1<<32-1000).Draw(rt, "base")
		killed := rapid.IntRange(1, events-1).Draw(rt, "killed")
		resumed := rapid.IntRange(killed, events-1).Draw(rt, "resumed")
		a := NewReassembler(Limits{})
		var gaps Gaps
		p := position{boot: "b"}
		handed := map[uint32]bool{}
		told := uint64(0)
		open := []uint32{}
		first, begun := uint32(0), false
		take := func() {
			for g := a.Pop(); g != nil; g = a.Pop() {
				p.handed(g)
				handed[uint32(g.Serial)] = true
				a.Release(g)
			}
		}
		push := func(s uint32, typ uint16) {
			if !begun {
				first, begun = s, true
			}
			missing, _ := gaps.Observe(uint64(s), 1)
			told += missing
			a.Push(Header{Serial: uint64(s), Time: 1, Type: typ}, Record{Type: typ, Body: []byte("arch=c000003e syscall=2 items=0")}, 0)
		}
		for i := range killed {
			s := base + uint32(i)
			switch rapid.IntRange(0, 9).Draw(rt, "event") {
			case 0: // lost
			case 1: // its end comes late, or never
				push(s, TypeSyscall)
				open = append(open, s)
			default:
				push(s, TypeSyscall)
				push(s, TypeEOE)
			}
			if len(open) > 3 {
				push(open[0], TypeEOE)
				open = open[1:]
			}
		}
		take()
		last := p.after(a, &gaps)
		if last.Serial == 0 {
			return
		}
		var d downtime
		d.begin(last, "b")
		d.seen(Header{Serial: uint64(base + uint32(resumed)), Time: 2})
		loss, _, _ := d.tell(time.Now(), true)
		want := uint64(0)
		for i := range resumed { // nothing is known of what came before the first record
			if s := base + uint32(i); begun && int32(s-first) >= 0 && !handed[s] {
				want++
			}
		}
		if got := loss.Count + told; got != want {
			rt.Fatalf("%d told, of them %d before the kill; want %d: %s", got, told, want, fmt.Sprintf("%+v", last))
		}
	})
}

// Until it is told what was missed, the position tells it: a recorder that is killed
// before leaves it to the next.
func TestPositionKeepsWhatWasMissed(t *testing.T) {
	d := downtime{numbered: true}
	d.begin(event.Position{Boot: "b", Serial: 1000, Open: 2, Time: 5e9, Killed: true}, "b")
	now := event.Position{Boot: "b", Serial: 1105, Open: 1, Time: 9e9}
	p := now
	if d.keep(&p); p != now {
		t.Errorf("before the first event: %+v, want %+v", p, now)
	}
	d.seen(Header{Serial: 1099, Time: 8e9, Type: TypeEOE}) // all else of it came to nobody
	d.seen(Header{Serial: 1101, Time: 8e9})
	d.seen(Header{Serial: 1100, Time: 8e9}) // late
	want := event.Position{Boot: "b", Serial: 1105, Open: 1 + 2 + 99, Time: 5e9}
	if d.keep(&p); p != want {
		t.Errorf("before it is told: %+v, want %+v", p, want)
	}
	loss, missing, _ := d.tell(time.Now().Add(2*settleTime), false)
	if !missing || loss.Count != 101 {
		t.Errorf("told %+v, %v; want 101 events", loss, missing)
	}
	p = now
	if d.keep(&p); p != now {
		t.Errorf("after it was told: %+v, want %+v", p, now)
	}
}

// The row says that auditing was off where it was, and only there.
func TestDowntimeDetail(t *testing.T) {
	for _, tt := range []struct {
		numbered, killed bool
		missed           uint64
		want, not        string
	}{
		{true, true, 7, "the recorder before was killed; audit events, counted by the kernel's numbers, which went on", "was off"},
		{true, true, 0, "no audit event is missing", "was off"},
		{false, true, 7, "while auditing was off", "went on"},
		{false, false, 7, "no recorder ran; counted by the kernel's numbers", "killed"},
	} {
		d := downtime{numbered: tt.numbered}
		d.begin(event.Position{Boot: "b", Serial: 1000, Killed: tt.killed}, "b")
		d.seen(Header{Serial: 1001 + tt.missed})
		loss, _, _ := d.tell(time.Now(), true)
		if !strings.Contains(loss.Detail, tt.want) || strings.Contains(loss.Detail, tt.not) || loss.Count != tt.missed {
			t.Errorf("numbered %v, killed %v: %+v; want %d, %q, and not %q", tt.numbered, tt.killed, loss, tt.missed, tt.want, tt.not)
		}
	}
}
