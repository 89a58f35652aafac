// SPDX-License-Identifier: Apache-2.0

// This file tries what becomes of processors that go off and on. None is switched off
// in earnest: the source is told another list, or its event is ended as the kernel does.

package imageload

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// needsTwo skips the test where processor 1 can not be used.
func needsTwo(t *testing.T) {
	t.Helper()
	var all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		t.Fatal(err)
	}
	if !all.IsSet(0) || !all.IsSet(1) {
		t.Skip("NOT RUN: needs processors 0 and 1")
	}
}

// onOne runs a program on processor 1 and returns its pid.
func onOne(t *testing.T) int {
	t.Helper()
	pid, _ := run(t, exec.Command("/usr/bin/taskset", "-c", "1", "/usr/bin/true"))
	return pid
}

// lookNow lets Read look for processors at once, and returns the losses that it tells.
func lookNow(t *testing.T, src *Source, got *seen) string {
	t.Helper()
	src.looked = time.Now().Add(-lookEvery)
	b := newBatch()
	if err := src.Read(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	got.add(b)
	text := ""
	for _, l := range b.Losses {
		text += fmt.Sprintf("%s %d %s: %s\n", l.Reason, l.Count, l.Unit, l.Detail)
	}
	return text
}

// A processor that comes on later is listened to, and that it was not before is told.
func TestLiveProcessorComes(t *testing.T) {
	live(t, Options{}) // only for the lock, and whether it can be had
	needsTwo(t)
	on := []int{0}
	src, err := open(Options{}, func() ([]int, error) { return on, nil })
	if err != nil {
		t.Fatal(err)
	}
	got := newSeen()
	before := onOne(t)
	on = []int{0, 1}
	if told, want := lookNow(t, src, got), "not_recording 1 times: image loads of processor 1 were not seen before it was found to be on\n"; told != want {
		t.Errorf("a processor comes on: told %q, want %q", told, want)
	}
	after := onOne(t)
	on = []int{0}
	for until := time.Now().Add(30 * time.Second); len(src.taps) > 1 && time.Now().Before(until); {
		lookNow(t, src, got) // it is dropped when all in it was read
	}
	if len(src.taps) != 1 || len(src.reader.lanes) != 1 {
		t.Errorf("a processor goes off: %d rings and %d lanes are left, want 1", len(src.taps), len(src.reader.lanes))
	}
	got.rest(t, src)
	if strings.Contains(got.byPID[before], " by /usr/bin/true\n") || strings.Count(got.byPID[after], " by /usr/bin/true\n") != 2 {
		t.Errorf("on processor 1 before it was on: %q, after: %q", got.byPID[before], got.byPID[after])
	}
}

// A processor that went off and on again between two looks has left its event dead: it
// is found to count no more, and another takes its place.
func TestLiveProcessorReturns(t *testing.T) {
	needsTwo(t)
	src, got := live(t, Options{}), newSeen()
	if told := lookNow(t, src, got); told != "" {
		t.Errorf("nothing has changed: told %q", told)
	}
	i := slices.IndexFunc(src.taps, func(t *tap) bool { return t.cpu == 1 })
	if i < 0 {
		t.Fatal("processor 1 is not listened to")
	}
	src.taps[i].stop() // as the kernel does
	unseen := onOne(t)
	told := ""
	for range 5 { // the first look after it finds that it has counted since the one before
		told += lookNow(t, src, got)
	}
	if want := "not_recording 1 times: image loads of processor 1 were not seen before it was found to be on\n"; told != want {
		t.Errorf("told %q, want %q", told, want)
	}
	after := onOne(t)
	got.rest(t, src)
	if strings.Contains(got.byPID[unseen], " by /usr/bin/true\n") || strings.Count(got.byPID[after], " by /usr/bin/true\n") != 2 {
		t.Errorf("while it was off: %q, after: %q", got.byPID[unseen], got.byPID[after])
	}
}
