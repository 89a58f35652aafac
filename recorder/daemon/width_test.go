// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"runtime"
	"testing"
	"time"
)

// One processor is enough once little was used for a while; all are used as soon as
// much is.
func TestWidth(t *testing.T) {
	before := runtime.GOMAXPROCS(8)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
	at, used := time.Unix(1000, 0), time.Second
	w := newWidth(used, at)
	steps := []struct {
		name    string
		percent int
		looks   int
		want    int
	}{
		{"at the start", 100, 3, maxWidth},
		{"it has become calm", 1, calmLooks - 1, maxWidth},
		{"and has been so for a while", 1, 1, 1},
		{"something happens", 30, 10, 1},
		{"much happens", 60, 1, maxWidth},
		{"less, but not little", 30, 10, maxWidth},
		{"calm, with a moment in which it is not", 1, calmLooks - 1, maxWidth},
		{"that moment", 30, 1, maxWidth},
		{"calm from here on", 1, calmLooks - 1, maxWidth},
		{"for long enough", 1, 1, 1},
	}
	for _, s := range steps {
		for range s.looks {
			at = at.Add(time.Second)
			used += time.Duration(s.percent) * time.Second / 100
			w.follow(used, at)
		}
		if got := runtime.GOMAXPROCS(0); got != s.want || w.now != s.want {
			t.Errorf("%s: %d processors are used (noted %d), want %d", s.name, got, w.now, s.want)
		}
	}
	w.follow(used+time.Hour, at) // the clock was set back
	if w.now != 1 {
		t.Errorf("a look at the same time: %d processors, want 1", w.now)
	}
}
