// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"runtime/debug"
	"testing"
)

func TestGCPercent(t *testing.T) {
	const mb = 1 << 20
	for _, tt := range []struct {
		live uint64
		want int
	}{{0, 30}, {1 * mb, 200}, {4 * mb, 200}, {5 * mb, 180}, {7 * mb, 100}, {10 * mb, 40}, {11 * mb, 30}, {14 * mb, 30}, {20 * mb, 30}, {900 * mb, 30}} {
		if got := gcPercent(tt.live); got != tt.want {
			t.Errorf("gcPercent(%d MB) = %d; want %d", tt.live/mb, got, tt.want)
		}
	}
}

// The collector is told what the heap comes to.
func TestCollectorFollows(t *testing.T) {
	before := debug.SetGCPercent(100)
	t.Cleanup(func() { debug.SetGCPercent(before) })
	c := newCollector()
	if got := debug.SetGCPercent(minGC); got != minGC {
		t.Errorf("percent at the start is %d, want %d", got, minGC)
	}
	c.follow()
	want := gcPercent(c.live[0].Value.Uint64())
	if want-minGC < gcStep {
		want = minGC
	}
	if got := debug.SetGCPercent(minGC); got != want || c.now != want {
		t.Errorf("percent after follow is %d (noted %d), want %d", got, c.now, want)
	}
}
