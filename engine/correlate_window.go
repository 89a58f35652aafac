// SPDX-License-Identifier: Apache-2.0

// This file keeps the windows whose end is waited for, in a heap: a correlation that
// asks for few matches is judged when its window closes.

package engine

// before reports whether the window of g is judged before that of h: the one that
// closes first, and of those that close at once the one whose correlation refers to
// others, since a match at the end of its window is outside of it.
func (g *tally) before(h *tally) bool {
	if g.closes != h.closes {
		return g.closes < h.closes
	}
	if g.of != h.of {
		return g.of > h.of
	}
	return g.key < h.key
}

// schedule puts g, whose window has an end, among those that wait for it.
func (t *groupTable) schedule(g *tally) {
	g.place = len(t.windows)
	t.windows = append(t.windows, g)
	t.up(g.place)
}

// unschedule takes g out.
func (t *groupTable) unschedule(g *tally) {
	at, last := g.place, len(t.windows)-1
	g.place = -1
	moved := t.windows[last]
	t.windows[last] = nil
	t.windows = t.windows[:last]
	if at == last {
		return
	}
	t.windows[at], moved.place = moved, at
	t.up(at)
	t.down(moved.place)
}

func (t *groupTable) up(at int) {
	for at > 0 {
		parent := (at - 1) / 2
		if !t.windows[at].before(t.windows[parent]) {
			return
		}
		t.swap(at, parent)
		at = parent
	}
}

func (t *groupTable) down(at int) {
	for {
		least := at
		for kid := 2*at + 1; kid <= 2*at+2 && kid < len(t.windows); kid++ {
			if t.windows[kid].before(t.windows[least]) {
				least = kid
			}
		}
		if least == at {
			return
		}
		t.swap(at, least)
		at = least
	}
}

func (t *groupTable) swap(i, k int) {
	w := t.windows
	w[i], w[k] = w[k], w[i]
	w[i].place, w[k].place = i, k
}
