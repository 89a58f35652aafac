// SPDX-License-Identifier: Apache-2.0

package recorder_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"seismo/engine"
	"seismo/internal/event"
	"seismo/recorder"
	"seismo/signals"
)

// programOf compiles signals with these names, each of which fires on every system
// call of the script.
func programOf(t *testing.T, names ...string) *engine.Program {
	t.Helper()
	var b strings.Builder
	for i, name := range names {
		fmt.Fprintf(&b, "- id: 7f2f4d3c-3f0e-4a57-8a51-6f7d1c1b%04d\n  name: %s\n  signal: syscall.operation is call\n", i, name)
	}
	defs, err := signals.ParseFile("x.yml", []byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	set, err := signals.Lower(defs)
	if err != nil {
		t.Fatal(err)
	}
	p, err := engine.Build(set)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// naming is a sink that notes the serial and the names of the signals of each event,
// by what it was told that tags refer to.
type naming struct {
	program *engine.Program
	seen    []string
}

func (n *naming) Write(_ context.Context, batches []*event.Batch) error {
	for _, b := range batches {
		for _, e := range b.Events() {
			for _, t := range e.Tags {
				n.seen = append(n.seen, fmt.Sprintf("%d %s", e.Serial, n.program.Definitions()[t.Signal].Name))
			}
		}
	}
	return nil
}

// stepping gives an event when it is told to.
type stepping struct {
	*script
	next chan bool
}

func (s *stepping) Read(ctx context.Context, b *event.Batch) error {
	if !<-s.next {
		s.steps = nil
	}
	return s.script.Read(ctx, b)
}

// Tags of events that were judged before a swap, and still wait, are written while
// they refer to that program, those after it with the new one; a program that can not
// be put in force leaves the one before.
func TestSwap(t *testing.T) {
	first, second := programOf(t, "one"), programOf(t, "two", "three")
	out := &naming{program: first}
	src := &stepping{newScript(step{events: 1}, step{events: 1}, step{events: 1}), make(chan bool)}
	r := newRecorder(t, recorder.Config{Source: src, Program: first, Sinks: []recorder.Sink{out}, BatchDelay: time.Hour, Live: true})
	ended := make(chan error)
	go func() { ended <- r.Run(context.Background()) }()
	set := func(p *engine.Program) func(*engine.Matcher) error {
		return func(old *engine.Matcher) error {
			if old.Program() != out.program {
				t.Errorf("the matcher that ends judges with another program")
			}
			out.program = p
			return nil
		}
	}
	judge := func() { // one event, which then waits for others
		t.Helper()
		want := r.Stats().Assembled + 1
		src.next <- true
		for r.Stats().Assembled < want {
			time.Sleep(time.Millisecond)
		}
	}
	judge()
	if err := r.Swap(context.Background(), second, set(second)); err != nil {
		t.Fatal(err)
	}
	judge()
	refused := errors.New("disk full")
	if err := r.Swap(context.Background(), first, func(*engine.Matcher) error { return refused }); !errors.Is(err, refused) {
		t.Errorf("Swap = %v; want the error of the change", err)
	}
	judge()
	src.next <- false
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	r.Ask(func(m *engine.Matcher) {
		if m.Program() != second {
			t.Error("the program in force is not the second")
		}
	})
	want := []string{"1 one", "2 two", "2 three", "3 two", "3 three"}
	if !slices.Equal(out.seen, want) {
		t.Errorf("tags %q; want %q", out.seen, want)
	}
	ledger(t, r.Stats())
	if err := r.Swap(context.Background(), nil, nil); err == nil {
		t.Error("Swap without a program: no error")
	}
}
