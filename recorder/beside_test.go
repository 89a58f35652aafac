// SPDX-License-Identifier: Apache-2.0

package recorder_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"seismo/internal/event"
	"seismo/recorder"
)

// untilScript is a script that says how far it is: after each step, up to now.
type untilScript struct{ *script }

func (s untilScript) Read(ctx context.Context, b *event.Batch) error {
	began := time.Now().UnixNano()
	err := s.script.Read(ctx, b)
	b.Until = began
	return err
}

// slowTeller gives one event of pid 7 at a time, each after wait, then waits for Close.
type slowTeller struct {
	*script
	wait  time.Duration
	times int
	bytes int // of each event
	fails error
}

func newTeller(wait time.Duration, times int) *slowTeller {
	return &slowTeller{script: newScript(), wait: wait, times: times}
}

func (s *slowTeller) Read(_ context.Context, b *event.Batch) error {
	if s.times == 0 {
		if s.fails != nil {
			return s.fails
		}
		<-s.closed
		return io.EOF
	}
	s.times--
	time.Sleep(s.wait)
	e := b.Add(event.KindDNS, event.OpQuery)
	e.PID = 7
	if s.bytes > 0 {
		e.SetText(event.DNSResponse, make([]byte, s.bytes))
	}
	return nil
}

// order notes the kinds of the events it is given.
type order struct{ kinds []event.Kind }

func (o *order) Write(_ context.Context, batches []*event.Batch) error {
	for _, b := range batches {
		for _, e := range b.Events() {
			o.kinds = append(o.kinds, e.Kind)
		}
	}
	return nil
}

// What a source beside tells comes after what the main source had to tell up to then,
// and all of it comes, also what was read when the recorder stopped.
func TestBesideComesAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		main := untilScript{newScript(
			step{wait: 40 * time.Millisecond, events: 1}, // reading began before the event beside came
			step{wait: 20 * time.Millisecond, events: 1},
			step{wait: 200 * time.Millisecond, events: 1},
			step{wait: 200 * time.Millisecond, events: 1},
			step{wait: time.Second, events: 1})}
		o := &order{}
		beside := newTeller(30*time.Millisecond, 2)
		r := newRecorder(t, recorder.Config{Source: main, Beside: []recorder.Beside{{Source: beside, Name: "names"}}, Sinks: []recorder.Sink{o}})
		if err := r.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		s, d := event.KindSyscall, event.KindDNS
		// The first came at 30 ms: the read that began at 60 ms is within the margin, that
		// of 260 ms is not. The second came at 60 ms.
		if want := []event.Kind{s, s, s, s, d, d, s}; !slices.Equal(o.kinds, want) {
			t.Errorf("events come as %v, want %v", o.kinds, want)
		}
		if st := r.Stats(); st.Stored != 7 || st.InFlight != 0 {
			t.Errorf("Stats() = %+v; want 7 events stored, none in flight", st)
		}
	})
}

// Without word of how far the main source is, an event waits a few seconds only.
func TestBesideWithoutProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		main := newScript(step{wait: time.Second, events: 1}, step{wait: 5 * time.Second, events: 1}, step{wait: time.Second, events: 1})
		o := &order{}
		r := newRecorder(t, recorder.Config{Source: main, Beside: []recorder.Beside{{Source: newTeller(0, 1), Name: "names"}}, Sinks: []recorder.Sink{o}})
		if err := r.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		s, d := event.KindSyscall, event.KindDNS
		if want := []event.Kind{s, s, d, s}; !slices.Equal(o.kinds, want) {
			t.Errorf("events come as %v, want %v", o.kinds, want)
		}
	})
}

// A source beside that fails or floods costs its own events, which are counted; the
// recording goes on.
func TestBesideFailsAlone(t *testing.T) {
	tests := []struct {
		name   string
		teller func() *slowTeller // made where its channel is waited for
		reason string
		stored uint64
	}{
		{"it fails", func() *slowTeller { return &slowTeller{script: newScript(), times: 1, fails: errors.New("gone")} }, event.LossNotSeen, 3},
		{"it floods", func() *slowTeller { return newTeller(0, 200) }, event.LossShed, 2 + 64},
		{"it floods with much in each", func() *slowTeller {
			s := newTeller(0, 200)
			s.bytes = 1 << 20
			return s
		}, event.LossShed, 2 + 32},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				kept := &sink{}
				main := newScript(step{wait: time.Second, events: 1}, step{wait: time.Second, events: 1})
				r := newRecorder(t, recorder.Config{Source: main, Beside: []recorder.Beside{{Source: tt.teller(), Name: "names"}}, Sinks: []recorder.Sink{kept}})
				if err := r.Run(context.Background()); err != nil {
					t.Fatal(err)
				}
				var lost uint64
				i := slices.IndexFunc(kept.losses, func(l event.Loss) bool { return l.Reason == tt.reason })
				if i < 0 {
					t.Fatalf("losses %+v; want one of reason %s", kept.losses, tt.reason)
				}
				lost = kept.losses[i].Count
				if st := r.Stats(); st.Stored != tt.stored || tt.reason == event.LossShed && st.Stored+lost != 202 {
					t.Errorf("%d stored, %d lost; want %d stored and the others lost", st.Stored, lost, tt.stored)
				}
			})
		})
	}
}

// A source that floods takes no room from another.
func TestBesideFloodIsItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := &sink{}
		main := newScript(step{wait: time.Second, events: 1}, step{wait: time.Second, events: 1})
		flood, other := newTeller(0, 200), newTeller(time.Millisecond, 60)
		r := newRecorder(t, recorder.Config{Source: main, Sinks: []recorder.Sink{kept},
			Beside: []recorder.Beside{{Source: flood, Name: "images"}, {Source: other, Name: "names"}}})
		if err := r.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		for _, l := range kept.losses {
			if l.Reason != event.LossShed || !strings.Contains(l.Detail, "images") || l.Count != 200-64 {
				t.Errorf("loss %+v; want the %d events of the source that floods", l, 200-64)
			}
		}
		if st := r.Stats(); st.Stored != 2+64+60 || len(kept.losses) == 0 {
			t.Errorf("%d stored, losses %+v; want the %d of both sources that fit, and the others lost", st.Stored, kept.losses, 2+64+60)
		}
	})
}
