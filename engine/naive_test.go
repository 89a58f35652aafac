// SPDX-License-Identifier: Apache-2.0

// This file is a second evaluator, made in another way: it multiplies an
// expression out into its branches, judges each term over a list of values as text,
// and remembers nothing but the events themselves: what a process has met is found
// by judging all its earlier events again. The evaluator of the package must agree
// with it on random signals and events (random_test.go), down to the proof. How it
// judges one term is in naive_term_test.go.

package engine

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"seismo/internal/event"
	"seismo/signals"
)

// naiveSignal is a signal as it was drawn.
type naiveSignal struct {
	name     string
	e        expr
	suppress []expr
}

// naiveLate are the late values by process and name of field.
type naiveLate map[event.ProcessKey]map[string]naiveValue

type naiveValue struct {
	text   string
	list   []string
	number int64
}

// naiveMoment is an event with what was known of processes when it was judged, and
// the items that signals asked for at that time.
type naiveMoment struct {
	ev      *event.Event
	late    naiveLate
	reading map[string]expr
	lists   map[string][]string
}

// naiveWorld is the state of the second evaluator.
type naiveWorld struct {
	signals []naiveSignal
	lists   map[string][]string
	reading map[string]expr // the items to be remembered, by name
	fields  map[string]bool // of the process, that a term reads
	history map[event.ProcessKey][]naiveMoment
	late    naiveLate
}

func newNaiveWorld(lists map[string][]string, sigs ...naiveSignal) *naiveWorld {
	w := &naiveWorld{lists: lists, history: map[event.ProcessKey][]naiveMoment{}, late: naiveLate{}}
	w.reload(sigs)
	return w
}

// reload goes on with other signals. What none of the old ones asked for was not
// remembered, so it does not count although the events are there.
func (w *naiveWorld) reload(sigs []naiveSignal) {
	w.signals, w.reading, w.fields = sigs, map[string]expr{}, map[string]bool{}
	for _, s := range sigs {
		if naiveRemembers(s.e) {
			for _, e := range naiveItems(s.e) {
				w.reading[naiveName(e)] = e
			}
		}
		for _, e := range append([]expr{s.e}, s.suppress...) {
			naiveFields(e, w.fields)
		}
	}
	for _, moments := range w.history {
		for i := range moments {
			kept := map[string]expr{}
			for name, e := range moments[i].reading {
				if _, ok := w.reading[name]; ok {
					kept[name] = e
				}
			}
			moments[i].reading = kept
		}
	}
	for key, values := range w.late {
		maps.DeleteFunc(values, func(name string, _ naiveValue) bool { return !w.fields[name] })
		if len(values) == 0 {
			delete(w.late, key)
		}
	}
}

// naiveName tells one item from another.
func naiveName(e expr) string {
	if e.op == signals.NodeTerm {
		return e.term.text()
	}
	var kids []string
	for _, k := range e.kids {
		kids = append(kids, naiveName(k))
	}
	return fmt.Sprint(e.op, "(", strings.Join(kids, ", "), ")")
}

// naiveIsItem reports whether e, outside of a group, can be remembered.
func naiveIsItem(e expr) bool {
	return e.op == signals.NodeTerm && naiveOnEvent(e.term) && !e.term.not || e.op == signals.NodeGroup && naiveHasEventTerm(e)
}

func naiveHasEventTerm(e expr) bool {
	if e.op == signals.NodeTerm {
		return naiveOnEvent(e.term)
	}
	return slices.ContainsFunc(e.kids, naiveHasEventTerm)
}

func naiveItems(e expr) (items []expr) {
	if naiveIsItem(e) {
		return []expr{e}
	}
	if e.op != signals.NodeGroup {
		for _, k := range e.kids {
			items = append(items, naiveItems(k)...)
		}
	}
	return items
}

// naiveRemembers reports whether some branch of e has two different items, or an
// item and something that may become true by a late hash or container.
func naiveRemembers(e expr) bool {
	for _, branch := range multiplyOut(e) {
		names := map[string]bool{}
		late := false
		for _, part := range branch {
			if naiveIsItem(part) {
				names[naiveName(part)] = true
			} else {
				late = late || naiveMayBeLate(part)
			}
		}
		if len(names) > 1 || len(names) == 1 && late {
			return true
		}
	}
	return false
}

func naiveMayBeLate(e expr) bool {
	if e.op == signals.NodeTerm {
		field := e.term.field
		return !e.term.not && strings.HasPrefix(field, "process.") && (strings.HasSuffix(field, "hash") || field == "process.container_id")
	}
	return slices.ContainsFunc(e.kids, naiveMayBeLate)
}

// multiplyOut returns the branches of e in text order, each of terms and groups.
func multiplyOut(e expr) [][]expr {
	switch e.op {
	case signals.NodeTerm, signals.NodeGroup:
		return [][]expr{{e}}
	case signals.NodeOr:
		var all [][]expr
		for _, k := range e.kids {
			all = append(all, multiplyOut(k)...)
		}
		return all
	}
	all := [][]expr{nil}
	for _, k := range e.kids {
		var next [][]expr
		for _, a := range all {
			for _, b := range multiplyOut(k) {
				next = append(next, slices.Concat(a, b))
			}
		}
		all = next
	}
	return all
}

// The ranks of the ways in which a part is true, the same as the classes.
const (
	naiveProcess = 1 + iota
	naiveNegated
	naiveEarlier
	naiveNow
)

// naiveWay is one way in which a part, or a branch, is true.
type naiveWay struct {
	rank  int
	items []event.ProofItem
}

// ways returns in what ways part is true at the moment: what the event itself meets
// goes before what an earlier one met.
func (w *naiveWorld) ways(part expr, now naiveMoment, earlier []naiveMoment) (ways []naiveWay) {
	met := false
	for _, way := range aloneWays(part, now) {
		ways = append(ways, way)
		met = met || way.rank == naiveNow
	}
	if met || earlier == nil || !naiveIsItem(part) {
		return ways
	}
	if way, ok := firstMet(part, earlier); ok {
		ways = append(ways, naiveWay{naiveEarlier, way.items})
	}
	return ways
}

// firstMet returns how the first of the moments that met item did so.
func firstMet(item expr, moments []naiveMoment) (naiveWay, bool) {
	for _, moment := range moments {
		if _, asked := moment.reading[naiveName(item)]; !asked {
			continue
		}
		for _, way := range aloneWays(item, moment) {
			if way.rank == naiveNow {
				return way, true
			}
		}
	}
	return naiveWay{}, false
}

// aloneWays returns in what ways part is true on the event alone.
func aloneWays(part expr, now naiveMoment) (ways []naiveWay) {
	if part.op == signals.NodeTerm {
		item, ok := naiveHolds(part.term, now)
		switch {
		case !ok:
			return nil
		case !naiveOnEvent(part.term):
			return []naiveWay{{naiveProcess, []event.ProofItem{item}}}
		case part.term.not:
			return []naiveWay{{naiveNegated, []event.ProofItem{item}}}
		}
		return []naiveWay{{naiveNow, []event.ProofItem{item}}}
	}
	for _, branch := range multiplyOut(part.kids[0]) {
		all := naiveWay{rank: naiveProcess}
		for _, term := range branch {
			way := aloneWays(term, now)
			if way == nil {
				all.rank = 0
				break
			}
			if way[0].rank != naiveProcess {
				all.rank = naiveNow
			}
			all.items = append(all.items, way[0].items...)
		}
		if all.rank > 0 {
			ways = append(ways, all)
		}
	}
	return ways
}

// multiplied returns the ways in which e is true, in text order: those of its
// branches, and for each of these those of its groups.
func (w *naiveWorld) multiplied(e expr, now naiveMoment, earlier []naiveMoment) []naiveWay {
	var all []naiveWay
	switch e.op {
	case signals.NodeTerm, signals.NodeGroup:
		return w.ways(e, now, earlier)
	case signals.NodeOr:
		for _, k := range e.kids {
			all = append(all, w.multiplied(k, now, earlier)...)
		}
		return all
	}
	all = []naiveWay{{}}
	for _, k := range e.kids {
		var next []naiveWay
		ways := w.multiplied(k, now, earlier)
		for _, a := range all {
			for _, b := range ways {
				next = append(next, naiveWay{max(a.rank, b.rank), slices.Concat(a.items, b.items)})
			}
		}
		all = next
	}
	return all
}

// ranks returns the ranks of the true branches of e.
func (w *naiveWorld) ranks(e expr, now naiveMoment, earlier []naiveMoment) map[int]bool {
	ranks := map[int]bool{}
	for _, way := range w.multiplied(e, now, earlier) {
		ranks[way.rank] = true
	}
	return ranks
}

// judge returns the proofs of the signals that fire on ev, by name, and whether the
// event is one to keep. The event is then part of the history.
func (w *naiveWorld) judge(ev *event.Event) (fires map[string][]event.ProofItem, keep bool) {
	before, after := w.arrive(ev)
	var earlier []naiveMoment
	if ev.Process != nil {
		earlier = w.goOn(ev.Process)
	}
	now := naiveMoment{ev, after, w.reading, w.lists}
	fires = map[string][]event.ProofItem{}
	for _, s := range w.signals {
		seen := earlier
		if !naiveRemembers(s.e) {
			seen = nil
		}
		wanted := map[int]bool{naiveNow: true, naiveProcess: ev.Kind == event.KindProcess && ev.Op == event.OpCreate}
		if ranks := w.ranks(s.e, now, seen); before != nil && (ranks[naiveProcess] || ranks[naiveEarlier]) {
			then := w.ranks(s.e, naiveMoment{ev, before, w.reading, w.lists}, seen)
			fresh := !then[naiveProcess] && !then[naiveEarlier]
			wanted[naiveProcess], wanted[naiveEarlier] = fresh, fresh
		}
		if items, ok := w.first(s.e, now, seen, wanted); ok && !w.suppressed(s, now) {
			fires[s.name] = items
		}
	}
	keep = len(fires) > 0
	if ev.Process != nil {
		for _, item := range w.reading {
			if _, met := firstMet(item, earlier); !met {
				_, met = firstMet(item, []naiveMoment{now})
				keep = keep || met
			}
		}
		w.history[ev.Process.ID] = append(earlier, now)
	}
	return fires, keep
}

func (w *naiveWorld) first(e expr, now naiveMoment, seen []naiveMoment, wanted map[int]bool) ([]event.ProofItem, bool) {
	for _, way := range w.multiplied(e, now, seen) {
		if wanted[way.rank] {
			return way.items, true
		}
	}
	return nil, false
}

func (w *naiveWorld) suppressed(s naiveSignal, now naiveMoment) bool {
	return slices.ContainsFunc(s.suppress, func(e expr) bool { return aloneWays(group(e), now) != nil })
}

// goOn returns the history of p. A process that met nothing goes on with that of the
// nearest image before it that met something.
func (w *naiveWorld) goOn(p *event.Process) []naiveMoment {
	met := func(key event.ProcessKey) bool {
		for _, item := range w.reading {
			if _, ok := firstMet(item, w.history[key]); ok {
				return true
			}
		}
		return false
	}
	for q := p; q != nil; q = q.Previous {
		if met(q.ID) {
			moments := w.history[q.ID]
			delete(w.history, q.ID)
			return moments
		}
	}
	return w.history[p.ID]
}

// end forgets processes.
func (w *naiveWorld) end(keys []event.ProcessKey) {
	for _, key := range keys {
		delete(w.history, key)
		delete(w.late, key)
	}
}

// naiveFire returns the texts of the terms of the first branch of e that fires on
// ev, alone.
func naiveFire(e expr, ev *event.Event) (texts []string) {
	fires, _ := newNaiveWorld(nil, naiveSignal{name: "s", e: e}).judge(ev)
	for _, item := range fires["s"] {
		texts = append(texts, item.Text)
	}
	return texts
}
