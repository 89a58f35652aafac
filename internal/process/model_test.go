// SPDX-License-Identifier: Apache-2.0

// This file holds the table to a naive model: a history of processes that knows
// the truth, told to the table through two queues, one of which lags.

package process_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"seismo/internal/event"
	"seismo/internal/process"
)

// image is one image of one pid, as it truly was.
type image struct {
	pid      int32
	path     string
	forked   bool
	previous *image
	parent   *image
	life     *life
}

func (i *image) String() string {
	s := fmt.Sprintf("%d %s", i.pid, i.path)
	if i.forked {
		s += " forked"
	}
	switch {
	case i.previous != nil:
		return s + " < " + i.previous.String()
	case i.parent != nil:
		return s + " < " + i.parent.String()
	}
	return s
}

// life is one process from fork to end.
type life struct {
	now   *image
	ppid  int32
	began int64
	end   int64 // 0: it runs
	code  int32
}

// moment is one thing that happened: a change, or an event of an image.
type moment struct {
	change *event.Change
	time   int64
	image  *image
	ppid   int32
	exec   bool
}

// history is a world of few pids, so that they are used again soon, or, with
// fresh set, one where each is used once.
type history struct {
	clock   int64
	fresh   bool
	next    int32
	living  map[int32]*life
	moments []moment
	lives   []*life
}

// newTeller returns a teller with a table that keeps endedBytes of what ended: with
// 0 all of it as it was, with few the oldest as relics.
func newTeller(fresh bool, endedBytes int) *teller {
	h := newHistory()
	h.fresh = fresh
	return &teller{h: h, published: map[event.ProcessKey]*event.Process{}, ids: map[event.ProcessKey]*image{}, keys: map[*image]event.ProcessKey{}, ends: map[event.ProcessKey]*event.Event{},
		table: process.NewTable(process.Options{Host: "m1", Expiry: time.Hour, EndedBytes: endedBytes})}
}

func newHistory() *history {
	root := &life{began: at(0)}
	root.now = &image{pid: 1, path: "/init", life: root}
	return &history{clock: at(0), living: map[int32]*life{1: root}, lives: []*life{root},
		moments: []moment{{change: &event.Change{Time: at(0), PID: 1}}, {change: &event.Change{Time: at(0), PID: 1, Exec: true}},
			{time: at(0), image: root.now, exec: true}}}
}

func (h *history) pids() []int32 {
	var all []int32
	for pid := int32(1); pid <= max(8, h.next); pid++ {
		if h.living[pid] != nil {
			all = append(all, pid)
		}
	}
	return all
}

// freePID returns a pid for a new process; 0 if all are taken.
func (h *history) freePID() int32 {
	if h.fresh {
		h.next = max(h.next, 8) + 1
		return h.next
	}
	for pid := int32(2); pid <= 8; pid++ {
		if h.living[pid] == nil {
			return pid
		}
	}
	return 0
}

// act lets one thing happen. Moments lie further apart than stamps err, except
// where a process forks and executes: there the marks of execs decide.
func (h *history) act(t *rapid.T) {
	h.clock += rapid.Int64Range(60, 200).Draw(t, "ms") * 1e6
	pid := rapid.SampledFrom(h.pids()).Draw(t, "pid")
	for what := range strings.FieldsSeq(rapid.SampledFrom([]string{"fork", "fork", "exec", "event", "event", "exit", "fork exec", "exec fork exec"}).Draw(t, "what")) {
		h.clock += 1e6
		h.do(t, pid, what)
	}
}

func (h *history) do(t *rapid.T, pid int32, what string) {
	l := h.living[pid]
	// Audit stamps with the last tick.
	early := h.clock - rapid.Int64Range(0, 10).Draw(t, "tick")*1e6
	switch what {
	case "fork":
		if child := h.freePID(); child != 0 {
			c := &life{ppid: pid, began: h.clock}
			c.now = &image{pid: child, path: l.now.path, forked: true, parent: l.now, life: c}
			h.living[child] = c
			h.lives = append(h.lives, c)
			h.moments = append(h.moments, moment{change: &event.Change{Time: h.clock, PID: child, Parent: pid}})
		}
	case "exec":
		path := rapid.SampledFrom([]string{"/bin/a", "/bin/b", "/bin/c"}).Draw(t, "path")
		l.now = &image{pid: pid, path: path, previous: l.now, parent: l.now.parent, life: l}
		h.moments = append(h.moments, moment{change: &event.Change{Time: h.clock, PID: pid, Exec: true}},
			moment{time: early, image: l.now, ppid: l.ppid, exec: true})
	case "event":
		h.moments = append(h.moments, moment{time: early, image: l.now, ppid: l.ppid})
	case "exit":
		if pid == 1 {
			return
		}
		l.end, l.code = h.clock, rapid.Int32Range(0, 3).Draw(t, "code")
		delete(h.living, pid)
		for _, c := range h.living {
			if c.ppid == pid {
				c.ppid = 1
			}
		}
		h.moments = append(h.moments, moment{change: &event.Change{Time: h.clock, PID: pid, Exit: true, Code: l.code}})
	}
}

// teller brings the moments to a table: the changes first, the events later.
type teller struct {
	h               *history
	table           *process.Table
	changes, events int // told so far
	ids             map[event.ProcessKey]*image
	keys            map[*image]event.ProcessKey
	ends            map[event.ProcessKey]*event.Event
	published       map[event.ProcessKey]*event.Process
}

// tell makes a batch of the changes up to the moment c and the events up to e.
func (w *teller) tell(t *rapid.T, c, e int) {
	b := event.NewBatch(8)
	var truth []*image
	for ; w.changes < c; w.changes++ {
		if m := w.h.moments[w.changes]; m.change != nil {
			b.Changes = append(b.Changes, *m.change)
		}
	}
	for ; w.events < e; w.events++ {
		m := w.h.moments[w.events]
		if m.change != nil {
			continue
		}
		k, op := event.KindFile, event.OpWrite
		if m.exec {
			k, op = event.KindProcess, event.OpCreate
		}
		ev := b.Add(k, op)
		ev.Time, ev.Serial, ev.PID, ev.PPID = m.time, uint64(w.events)+1, m.image.pid, m.ppid
		ev.SetString(event.ProcessPath, m.image.path)
		if m.exec {
			line := strings.Split(m.image.path+" -c two words", " ")
			ev.SetString(event.ProcessCommandLine, strings.Join(line, " "))
			for _, arg := range append(line[:2], line[2]+" "+line[3]) {
				ev.AppendElement(event.ProcessArgs, []byte(arg))
			}
			ev.SetString(event.ProcessCwd, "/work")
			ev.SetInt(event.ProcessUserID, int64(m.image.pid)%3)
		}
		truth = append(truth, m.image)
	}
	w.table.Apply(b)
	for i, ev := range b.Events() {
		if i < len(truth) {
			w.check(t, ev, truth[i])
		} else {
			w.checkEnd(t, ev)
		}
	}
}

func (w *teller) check(t *rapid.T, e *event.Event, truth *image) {
	if w.h.fresh {
		// The fork may not be known yet, nor the parent then.
		if p := e.Process; p.PID != truth.pid || p.Path != truth.path {
			t.Fatalf("event %d: got %s; want %s", e.Serial, show(e), truth)
		}
		w.checkKey(t, e, truth)
		return
	}
	got := strings.TrimPrefix(show(e), fmt.Sprintf("%s %d: ", e.Op, e.PID))
	if got != truth.String() {
		t.Fatalf("event %d at %d ms:\n got %s\nwant %s", e.Serial, (e.Time-base)/1e6, got, truth)
	}
	w.checkKey(t, e, truth)
}

// checkKey holds keys and images one to one.
func (w *teller) checkKey(t *rapid.T, e *event.Event, truth *image) {
	id := e.Process.ID
	if other := w.ids[id]; other != nil && other != truth {
		t.Fatalf("two images share the key %x: %s and %s", id, other, truth)
	}
	if other, ok := w.keys[truth]; ok && other != id {
		t.Fatalf("one image has two keys: %s", truth)
	}
	w.ids[id], w.keys[truth] = truth, id
	for p := range e.Process.Ancestry() {
		first := w.published[p.ID]
		if first == nil {
			w.published[p.ID] = p
		} else if !equalProcess(p, first) {
			t.Fatalf("a process was published as\n%+v\nand is now\n%+v", first, p)
		}
	}
}

// equalProcess reports whether p and q say the same of themselves. What they are
// linked to is compared by key, and only where both are: a parent may be known later.
func equalProcess(p, q *event.Process) bool {
	a, b := *p, *q
	for _, l := range [][2]*event.Process{{a.Parent, b.Parent}, {a.Previous, b.Previous}} {
		if l[0] != nil && l[1] != nil && l[0].ID != l[1].ID {
			return false
		}
	}
	a.Parent, b.Parent, a.Previous, b.Previous = nil, nil, nil, nil
	return reflect.DeepEqual(a, b)
}

func (w *teller) checkEnd(t *rapid.T, e *event.Event) {
	id := e.Process.ID
	if e.Kind != event.KindProcess || e.Op != event.OpEnd || w.ends[id] != nil {
		t.Fatalf("an end event twice, or another: %s", show(e))
	}
	w.ends[id] = e
	truth := w.ids[id]
	if truth == nil {
		return // only a descendant refers to it
	}
	code, ok := e.Int(event.ProcessExitCode)
	if !ok || int32(code) != truth.life.code || e.Time != truth.life.end {
		t.Fatalf("%s; want code %d at %d", show(e), truth.life.code, (truth.life.end-base)/1e6)
	}
}

// fewBytes are enough for all that ends in a history of 60 moments, and too few for
// more than the last to be whole.
const fewBytes = 60_000

// Whatever happens, and however far the events lag behind the forks and exits,
// each event gets the image that truly ran, with its true ancestry; images and
// keys are one to one; and each process that events refer to ends once.
func TestTableAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newTeller(false, rapid.SampledFrom([]int{0, fewBytes}).Draw(t, "ended bytes"))
		for range rapid.IntRange(1, 60).Draw(t, "moments") {
			w.h.act(t)
			if rapid.IntRange(0, 3).Draw(t, "tell") == 0 {
				c := rapid.IntRange(w.changes, len(w.h.moments)).Draw(t, "changes")
				w.tell(t, c, rapid.IntRange(w.events, max(w.events, c)).Draw(t, "events"))
			}
		}
		w.tell(t, len(w.h.moments), len(w.h.moments))
		for _, l := range w.h.lives {
			id, named := w.keys[l.now]
			if _, ended := w.ends[id]; named && ended != (l.end != 0) {
				t.Fatalf("%s: end told %v; truly ended %v", l.now, ended, l.end != 0)
			}
		}
	})
}

// Where either queue may lag, and no pid is used twice, each event still gets
// the image that truly ran: under one key, and no other image under that.
func TestEventsBeforeTheirForks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newTeller(true, rapid.SampledFrom([]int{0, fewBytes}).Draw(t, "ended bytes"))
		for range rapid.IntRange(1, 60).Draw(t, "moments") {
			w.h.act(t)
			if rapid.IntRange(0, 3).Draw(t, "tell") == 0 {
				all := len(w.h.moments)
				w.tell(t, rapid.IntRange(w.changes, all).Draw(t, "changes"), rapid.IntRange(w.events, all).Draw(t, "events"))
			}
		}
		w.tell(t, len(w.h.moments), len(w.h.moments))
	})
}

// Whatever is told, in whatever order and with whatever stamps: every event with
// a pid gets a process of that pid, what can be reached stays bounded, and the
// table keeps its limits.
func TestHostileHistory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := process.Options{MaxProcesses: rapid.IntRange(1, 20).Draw(t, "max"), Expiry: 100 * time.Millisecond, EndedBytes: 4000}
		if rapid.Bool().Draw(t, "live") {
			o.Live, o.ProcFS = true, host()
		}
		table := process.NewTable(o)
		pids := rapid.SampledFrom([]int32{-1, 0, 1, 2, 3, 4, 300, 4000, 4100, 1<<31 - 1})
		stamp := rapid.OneOf(rapid.Int64Range(at(0), at(2000)), rapid.Int64Range(at(700_000), at(900_000)), rapid.Int64())
		paths := rapid.SampledFrom([]string{"", "/a", "/b", "/b (deleted)", "/app/server"})
		b := event.NewBatch(8)
		for range rapid.IntRange(1, 30).Draw(t, "batches") {
			b.Reset()
			for range rapid.IntRange(0, 6).Draw(t, "changes") {
				b.Changes = append(b.Changes, event.Change{Time: stamp.Draw(t, "time"), PID: pids.Draw(t, "pid"),
					Parent: pids.Draw(t, "parent"), Exit: rapid.Bool().Draw(t, "exit"), NoCode: rapid.Bool().Draw(t, "no code")})
			}
			for range rapid.IntRange(0, 6).Draw(t, "events") {
				ops := []event.Op{event.OpCreate, event.OpEnd, event.OpUpdate}
				e := b.Add(event.KindProcess, rapid.SampledFrom(ops).Draw(t, "op"))
				e.Time, e.PID, e.PPID = stamp.Draw(t, "time"), pids.Draw(t, "pid"), pids.Draw(t, "ppid")
				e.Serial = rapid.Uint64Range(0, 10_000).Draw(t, "serial")
				e.Flags = event.Flags(rapid.IntRange(0, 15).Draw(t, "flags"))
				e.Host = rapid.SampledFrom([]string{"", "", "web1"}).Draw(t, "host")
				e.SetString(event.ProcessPath, paths.Draw(t, "path"))
			}
			table.Apply(b)
			table.Expire(stamp.Draw(t, "now"), b)
			if _, err := table.Sweep(b, stamp.Draw(t, "sweep")); err != nil {
				t.Fatal(err)
			}
			for _, e := range b.Events() {
				if (e.Process != nil) != (e.PID > 0) || e.Process != nil && e.Process.PID != e.PID {
					t.Fatalf("process of an event: %s", show(e))
				}
				if e.Process == nil {
					continue
				}
				if all, _ := reach(e.Process); all > 257 {
					t.Fatalf("%d processes can be reached", all)
				}
			}
			if table.Len() > o.MaxProcesses || table.Running() > table.Len() {
				t.Fatalf("%d kept, %d running; want at most %d", table.Len(), table.Running(), o.MaxProcesses)
			}
		}
	})
}
