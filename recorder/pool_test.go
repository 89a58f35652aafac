// SPDX-License-Identifier: Apache-2.0

package recorder

import (
	"testing"

	"seismo/internal/event"
)

// After a stall only as many batches stay as are used; those that are come back in turn.
func TestPoolGivesUpWhatIsNotUsed(t *testing.T) {
	p := newPool(100)
	use := func(n int) {
		var taken []*event.Batch
		for range n {
			taken = append(taken, p.take())
		}
		for _, b := range taken {
			p.give(b)
		}
	}
	use(100)
	if n := len(p.empty); n != maxIdle {
		t.Fatalf("%d empty batches after a stall; want %d", n, maxIdle)
	}
	for range 10 * lookEvery {
		use(3)
	}
	if n := len(p.empty); n < 3 || n > 4 {
		t.Errorf("%d empty batches are kept where 3 are used; want 3 or 4", n)
	}
	if n := len(p.tokens); n != 100 {
		t.Errorf("%d batches may be taken; want 100", n)
	}
	kept := p.empty[len(p.empty)-1]
	if got := p.take(); got != kept {
		t.Error("the batch that came back last is not the next that is given")
	}
}
