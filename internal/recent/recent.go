// SPDX-License-Identifier: Apache-2.0

// Package recent holds the order in which things were last touched: what was so
// longest ago is forgotten first. A thing carries its place in the order, so that
// to put it there allocates nothing.
package recent

import "iter"

// Links is the place of a thing in a [List], for the thing to embed: a T embeds
// Links[*T]. It may be in one list at a time.
type Links[P any] struct{ older, newer P }

func (l *Links[P]) links() *Links[P] { return l }

// Element is a pointer to a thing that embeds [Links].
type Element[P any] interface {
	comparable
	links() *Links[P]
}

// List is a list from the oldest to the newest. The zero value is empty.
type List[P Element[P]] struct{ oldest, newest P }

// Oldest returns what was touched longest ago; nil if l is empty.
func (l *List[P]) Oldest() P { return l.oldest }

// Newest returns what was touched last; nil if l is empty.
func (l *List[P]) Newest() P { return l.newest }

// All returns the elements, the oldest first. The one at hand may be removed.
func (l *List[P]) All() iter.Seq[P] {
	return func(yield func(P) bool) {
		var none P
		for e := l.oldest; e != none; {
			next := e.links().newer
			if !yield(e) {
				return
			}
			e = next
		}
	}
}

// Push puts e, which is in no list, into l as the newest.
func (l *List[P]) Push(e P) {
	var none P
	*e.links() = Links[P]{older: l.newest}
	if l.newest != none {
		l.newest.links().newer = e
	} else {
		l.oldest = e
	}
	l.newest = e
}

// Remove takes e, which is in l, out of it.
func (l *List[P]) Remove(e P) {
	var none P
	at := e.links()
	if at.older != none {
		at.older.links().newer = at.newer
	} else {
		l.oldest = at.newer
	}
	if at.newer != none {
		at.newer.links().older = at.older
	} else {
		l.newest = at.older
	}
	*at = Links[P]{}
}

// Touch makes e, which is in l, the newest.
func (l *List[P]) Touch(e P) {
	if l.newest != e {
		l.Remove(e)
		l.Push(e)
	}
}
