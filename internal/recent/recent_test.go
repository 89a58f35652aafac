// SPDX-License-Identifier: Apache-2.0

package recent_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"seismo/internal/recent"
)

type thing struct {
	recent.Links[*thing]
	n int
}

// A list has what a slice has of which the same was done.
func TestList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var l recent.List[*thing]
		var want []*thing
		for n := range 40 {
			switch {
			case len(want) == 0 || rapid.IntRange(0, 2).Draw(t, "what") == 0:
				e := &thing{n: n}
				l.Push(e)
				want = append(want, e)
			default:
				i := rapid.IntRange(0, len(want)-1).Draw(t, "which")
				e := want[i]
				want = slices.Delete(want, i, i+1)
				if rapid.Bool().Draw(t, "touch") {
					l.Touch(e)
					want = append(want, e)
					break
				}
				l.Remove(e)
				if rapid.Bool().Draw(t, "again") {
					l.Push(e)
					want = append(want, e)
				}
			}
			var oldest, newest *thing
			if len(want) > 0 {
				oldest, newest = want[0], want[len(want)-1]
			}
			if got := slices.Collect(l.All()); !slices.Equal(got, want) || l.Oldest() != oldest || l.Newest() != newest {
				t.Fatalf("the list has %v from %v to %v, want %v", got, l.Oldest(), l.Newest(), want)
			}
		}
	})
}

// What is at hand in All may be removed.
func TestRemoveInAll(t *testing.T) {
	var l recent.List[*thing]
	for n := range 6 {
		l.Push(&thing{n: n})
	}
	var seen []int
	for e := range l.All() {
		seen = append(seen, e.n)
		if e.n%2 == 0 || e.n == 5 {
			l.Remove(e)
		}
	}
	var left []int
	for e := range l.All() {
		left = append(left, e.n)
	}
	if !slices.Equal(seen, []int{0, 1, 2, 3, 4, 5}) || !slices.Equal(left, []int{1, 3}) {
		t.Errorf("All gave %v and left %v, want 0 to 5 and 1, 3", seen, left)
	}
}

// Neither putting nor taking allocates.
func TestNoAllocation(t *testing.T) {
	var l recent.List[*thing]
	a, b := &thing{n: 1}, &thing{n: 2}
	if n := testing.AllocsPerRun(100, func() {
		l.Push(a)
		l.Push(b)
		l.Touch(a)
		l.Remove(b)
		l.Remove(a)
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}
