// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"math/rand/v2"
	"testing"
)

func TestGaps(t *testing.T) {
	type step struct {
		serial  uint64
		time    int64
		missing uint64
		restart bool
	}
	tests := []struct {
		name   string
		steps  []step
		settle uint64
	}{
		{"none", []step{{7, 1, 0, false}, {8, 1, 0, false}, {8, 1, 0, false}, {9, 1, 0, false}}, 0},
		{"out of order", []step{{7, 1, 0, false}, {9, 1, 0, false}, {8, 1, 0, false}, {10, 1, 0, false}}, 0},
		{"before the first", []step{{7, 1, 0, false}, {6, 1, 0, false}, {8, 1, 0, false}}, 0},
		{"one at the end", []step{{7, 1, 0, false}, {9, 1, 0, false}}, 1},
		{"a stretch", []step{{7, 1, 0, false}, {507, 1, 0, false}, {2007, 1, 975, false}}, 1023},
		{"rollover", []step{{1<<32 - 2, 1, 0, false}, {1<<32 - 1, 1, 0, false}, {0, 1, 0, false}, {2, 1, 0, false}}, 1},
		{"jump too large to be a loss", []step{{7, 1, 0, false}, {200_000, 2, 0, true}, {200_002, 2, 0, false}}, 1},
		{"largest loss", []step{{7, 1, 0, false}, {100_007, 2, 100_000 - 1024, false}}, 1023},
		{"boot", []step{{50_000, 1, 0, false}, {50_002, 1, 0, false}, {5, 2, 1, true}, {6, 2, 0, false}}, 0},
		{"boot, from far", []step{{500_000, 1, 0, false}, {5, 2, 0, true}}, 0},
		{"late event of long ago", []step{{50_000, 9, 0, false}, {45_000, 3, 0, false}, {50_001, 9, 0, false}}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var g Gaps
			for i, s := range tt.steps {
				if missing, restart := g.Observe(s.serial, s.time); missing != s.missing || restart != s.restart {
					t.Errorf("step %d: Observe(%d, %d) = %d, %v; want %d, %v", i, s.serial, s.time, missing, restart, s.missing, s.restart)
				}
			}
			if pending := g.Pending(); pending != int(tt.settle) {
				t.Errorf("Pending() = %d, want %d", pending, tt.settle)
			}
			if got := g.Settle(); got != tt.settle {
				t.Errorf("Settle() = %d, want %d", got, tt.settle)
			}
			if again := g.Settle(); again != 0 {
				t.Errorf("Settle() again = %d", again)
			}
		})
	}
}

// However many serials are left out and however they are shuffled within the
// window, what is counted is what was left out.
func TestGapsCountsWhatIsLeftOut(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for round := range 50 {
		base := rnd.Uint64() & (1<<32 - 1)
		var serials []uint64
		var want uint64
		for i := range uint64(5000) {
			if i > 0 && i < 4999 && rnd.IntN(10) < round%10 {
				want++
				continue
			}
			serials = append(serials, (base+i)&(1<<32-1))
		}
		for inner := serials[1 : len(serials)-1]; len(inner) > 0; {
			part := inner[:min(30, len(inner))] // of 30 kept serials, at most some 600 in all
			rnd.Shuffle(len(part), func(i, j int) { part[i], part[j] = part[j], part[i] })
			inner = inner[len(part):]
		}
		var g Gaps
		var got uint64
		for _, s := range serials {
			missing, restart := g.Observe(s, 1)
			if restart {
				t.Fatalf("round %d: restart at %d", round, s)
			}
			got += missing
		}
		if got += g.Settle(); got != want {
			t.Errorf("round %d: %d missing, want %d", round, got, want)
		}
	}
}
