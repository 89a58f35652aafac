// SPDX-License-Identifier: Apache-2.0

// This file tests that memory is saved, restored and handed on.

package engine

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"seismo/internal/event"
)

// rememberingProgram has signals of terms, groups and late values.
func rememberingProgram(t testing.TB) *Program {
	var b setBuilder
	b.add("1", event.AllKinds, and(etc, high))
	b.add("2", event.AllKinds, and(group(and(etc, writing, not(ask("file.mode", exists)))), high, ask("process.hash", exists)))
	b.add("3", event.AllKinds, or(ask("process.tty", equal, "pts/0"), number("process.user_id", equal, 5)))
	return b.program(t)
}

// remembering returns a matcher for p that remembers something of three processes.
func remembering(p *Program) *Matcher {
	m, b := p.NewMatcher(), event.NewBatch(4)
	of(image(1, "/a"), fileEvent("/etc/a")).addTo(b)
	of(image(2, "/b"), connectEvent(2000)).addTo(b)
	of(image(1, "/a"), connectEvent(3000)).addTo(b)
	updateEvent(image(3, "/c"), fields{event.ProcessHash: []string{"md5=x", ""}, event.ProcessTTY: "pts/0", event.ProcessUserID: 5}).addTo(b)
	updateEvent(image(1, "/a"), fields{event.ProcessTTY: "pts/0"}).addTo(b)
	m.Match(b)
	return m
}

func saved(t testing.TB, m *Matcher) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := m.SaveState(&out); err != nil {
		t.Fatalf("SaveState: %v", err)
	}
	return out.Bytes()
}

func TestStateSurvivesARestart(t *testing.T) {
	p := rememberingProgram(t)
	m := remembering(p)
	state := saved(t, m)
	next := reload(t, p).NewMatcher()
	if err := next.LoadState(iotest.OneByteReader(bytes.NewReader(state))); err != nil {
		t.Fatalf("LoadState: %v", err)
	}
	if again := saved(t, next); !bytes.Equal(again, state) {
		t.Errorf("saved again: %d bytes, want the same %d", len(again), len(state))
	}
	checkTable(t, next)
	hash := updateEvent(image(1, "/a"), fields{event.ProcessHash: []string{"md5=x"}})
	for name, m := range map[string]*Matcher{"before": m, "after": next} {
		t.Run(name, func(t *testing.T) {
			run(t, m, []step{
				{"the hash completes signal 2", hash, nil, []string{"2: 1001 1001 1001 1003 1"}, false},
				{"latches of process 2", of(image(2, "/b"), fileEvent("/etc/b")), nil, []string{"1: 2 1002"}, true},
				{"late values of process 3", updateEvent(image(3, "/c"), fields{event.ProcessTTY: "pts/0"}), nil, nil, false},
			})
		})
	}
}

// A program that has changed gets what it still remembers; a signal that did not
// change has everything, whether the memory was saved or handed on.
func TestStateAndOtherPrograms(t *testing.T) {
	var b setBuilder
	b.add("0", event.AllKinds, and(etc, ask("file.path", ends, "x"), number("network.port", equal, 80)))
	b.add("2", event.AllKinds, and(group(and(etc, writing, not(ask("file.mode", exists)))), high, ask("process.hash", exists)))
	b.add("3", event.AllKinds, ask("process.tty", equal, "pts/0"))
	p := b.program(t)
	old := remembering(rememberingProgram(t))
	loaded, taken := p.NewMatcher(), p.NewMatcherWith(MatcherOptions{DisableSignalsTrie: true})
	if err := loaded.LoadState(bytes.NewReader(saved(t, old))); err != nil {
		t.Fatalf("LoadState: %v", err)
	}
	taken.TakeOver(old)
	if !bytes.Equal(saved(t, loaded), saved(t, taken)) {
		t.Error("TakeOver and LoadState differ")
	}
	if len(old.latches.of) != 0 || len(old.late.of) != 0 {
		t.Error("the old matcher remembers something after TakeOver")
	}
	for name, m := range map[string]*Matcher{"loaded": loaded, "taken": taken} {
		t.Run(name, func(t *testing.T) {
			checkTable(t, m)
			if v := m.late.of[3]; v == nil || len(v.values) != 2 {
				t.Errorf("late values of process 3: %+v, want hash and terminal", v)
			}
			run(t, m, []step{
				{"the new signal knows the term that the old ones had", of(image(1, "/a"), connectEvent(80)), nil, nil, true},
				{"and fires", of(image(1, "/a"), fileEvent("/etc/x")), nil, []string{"0: 2 2 1"}, true},
				{"the unchanged one is complete", updateEvent(image(1, "/a"), fields{event.ProcessHash: []string{"x"}}), nil, []string{"2: 1001 1001 1001 1003 3"}, false},
			})
		})
	}
	var none setBuilder
	none.add("0", event.AllKinds, etc)
	m := none.program(t).NewMatcher()
	if m.TakeOver(taken); len(m.latches.of) != 0 || len(m.late.of) != 0 {
		t.Error("a program without memory remembers something")
	}
}

// What had to be forgotten as memory was handed on is told with the next batch, also if
// it was handed on again before that.
func TestTakeOverKeepsLosses(t *testing.T) {
	p := rememberingProgram(t)
	narrow, next := p.NewMatcher(), p.NewMatcher()
	narrow.latches.limits.all, narrow.late.limits.processes = 1, 1
	narrow.TakeOver(remembering(p))
	latches, late := narrow.latches.evicted.count, narrow.late.evicted.count
	next.TakeOver(narrow)
	b := event.NewBatch(1)
	next.Match(b)
	if latches == 0 || late == 0 || len(b.Losses) != 2 || b.Losses[0].Count != latches || b.Losses[1].Count != late {
		t.Errorf("Losses = %+v, want %d latches and the late values of %d processes", b.Losses, latches, late)
	}
}

// sealed returns b with the checksum that belongs to it.
func sealed(b []byte) []byte {
	return binary.LittleEndian.AppendUint32(bytes.Clone(b), crc32.Checksum(b, castagnoli))
}

func TestStateThatIsRefused(t *testing.T) {
	p := rememberingProgram(t)
	state := saved(t, remembering(p))
	body := state[:len(state)-4]
	change := func(at int, to ...byte) []byte {
		b := bytes.Clone(body)
		copy(b[at:], to)
		return sealed(b)
	}
	const items = len(stateMagic) + 20
	processes := items + 4 + 3*12
	huge := []byte{0xff, 0xff, 0xff, 0xff}
	tests := []struct {
		name string
		b    []byte
		want error
		says string
	}{
		{"nothing", nil, ErrStateFormat, ""},
		{"another file", []byte("SQLite format 3\x00 and more"), ErrStateFormat, ""},
		{"a newer version", change(len(stateMagic), 4), ErrStateVersion, "version 4"},
		{"another registry", change(len(stateMagic)+4, body[len(stateMagic)+4]+1), ErrStateRegistry, ""},
		{"an id that is none", change(items-1, 0x80), ErrStateDamaged, "its last event"},
		{"cut short", state[:len(state)-5], ErrStateDamaged, "ends early"},
		{"cut in the header", state[:len(stateMagic)+2], ErrStateDamaged, "ends early"},
		{"a bit that changed", append(change(len(body)-5, body[len(body)-5]^1)[:len(body)], state[len(body):]...), ErrStateDamaged, "checksum"},
		{"more behind its end", append(bytes.Clone(state), 0), ErrStateDamaged, "behind its end"},
		{"too many items", change(items, huge...), ErrStateDamaged, "items, the limit"},
		{"items out of order", change(items+4, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), ErrStateDamaged, "does not come after"},
		{"too many processes", change(processes, huge...), ErrStateDamaged, "processes, the limit"},
		{"a process with no latches", change(processes+12, 0, 0, 0, 0), ErrStateDamaged, "no latches"},
		{"too many latches of a process", change(processes+12, 65), ErrStateDamaged, "latches of a process, the limit is 64"},
		{"an item that is not there", change(processes+16, 3), ErrStateDamaged, "item 3 of 3"},
		{"a proof that is too long", change(processes+20, huge...), ErrStateDamaged, "the limit is"},
		{"a proof that is none", change(processes+24, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), ErrStateDamaged, "is no proof"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := remembering(p)
			err := m.LoadState(bytes.NewReader(tt.b))
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("LoadState = %v; want %v, saying %q", err, tt.want, tt.says)
			}
			if !bytes.Equal(saved(t, m), state) {
				t.Error("a state that was refused changed what the matcher remembers")
			}
		})
	}
	broken := errors.New("disk on fire")
	if err := remembering(p).LoadState(io.MultiReader(bytes.NewReader(state[:20]), iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Errorf("LoadState of a reader that fails = %v; want %v", err, broken)
	}
	if err := remembering(p).SaveState(failingWriter{broken}); !errors.Is(err, broken) {
		t.Errorf("SaveState to a writer that fails = %v; want %v", err, broken)
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

// What LoadState takes is kept: saved and loaded again it gives the same bytes.
// Anything else is refused by name, and changes nothing.
func FuzzLoadState(f *testing.F) {
	p := rememberingProgram(f)
	full := saved(f, remembering(p))
	f.Add(full[:len(full)-4])
	empty := saved(f, p.NewMatcher())
	f.Add(empty[:len(empty)-4])
	f.Fuzz(func(t *testing.T, body []byte) {
		m := p.NewMatcher()
		err := m.LoadState(bytes.NewReader(sealed(body)))
		if err != nil {
			if !errors.Is(err, ErrStateFormat) && !errors.Is(err, ErrStateDamaged) && !errors.Is(err, ErrStateVersion) && !errors.Is(err, ErrStateRegistry) {
				t.Errorf("LoadState = %v, which is none of the errors that it documents", err)
			}
			if !bytes.Equal(saved(t, m), empty) {
				t.Errorf("a state that was refused is remembered")
			}
			return
		}
		checkTable(t, m)
		state := saved(t, m)
		again := p.NewMatcher()
		if err := again.LoadState(bytes.NewReader(state)); err != nil {
			t.Fatalf("LoadState of what SaveState wrote: %v", err)
		}
		if !bytes.Equal(saved(t, again), state) {
			t.Error("saved and loaded again it is another state")
		}
		// What was loaded can be judged with: proofs of latches are read.
		b := event.NewBatch(4)
		for r := range m.latches.order.All() {
			if b.Len() >= 8 {
				break
			}
			of(image(r.key, "/x"), fileEvent("/etc/x")).addTo(b)
			of(image(r.key, "/x"), connectEvent(2000)).addTo(b)
			updateEvent(image(r.key, "/x"), fields{event.ProcessHash: []string{"x"}}).addTo(b)
		}
		m.Match(b)
	})
}
