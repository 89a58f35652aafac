// SPDX-License-Identifier: Apache-2.0

package audit_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"seismo/internal/bench/tiny"
	"seismo/internal/event"
)

// Programs started at 2,000 a second for five seconds are all seen, with their
// forks and ends. The rate that this machine reaches is reported, not required.
func TestLiveRate(t *testing.T) {
	const total, rate = 10_000, 2000
	o := live(t)
	program := noop(t)
	r := record(t, o)
	cmd := child(t, "storm", program, strconv.Itoa(total), strconv.Itoa(rate))
	out := output(t, cmd)
	said := make(chan string, 1)
	go func() {
		out.Scan()
		said <- out.Text()
		cmd.Wait()
	}()
	before := selfUsage(t)
	var line string
	seen := make([]bool, total)
	forks, ends, got := 0, 0, 0
	started := make(map[int32]bool, total) // whose end has not come
	b := event.NewBatch(1000)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for last := time.Now(); time.Since(last) < 4*time.Second; {
		had := got + forks + ends
		b.Reset()
		if err := r.kernel.Read(ctx, b); err != nil {
			t.Fatalf("Read: %v after %d execs", err, got)
		}
		for _, e := range b.Events() {
			if e.Kind != event.KindProcess || e.Op != event.OpCreate || text(e, event.ProcessPath) != program {
				continue
			}
			args := elements(e, event.ProcessArgs)
			if n, err := strconv.Atoi(args[len(args)-1]); err != nil || seen[n] {
				t.Fatalf("exec with arguments %q: unknown or seen twice", args)
			} else {
				seen[n] = true
				got++
			}
		}
		for _, c := range b.Changes {
			if int(c.Parent) == cmd.Process.Pid {
				forks++
				started[c.PID] = true
			} else if c.Exit && started[c.PID] {
				ends++
				delete(started, c.PID)
			}
		}
		r.losses = append(r.losses, b.Losses...)
		select {
		case line = <-said:
		default:
		}
		if line == "" || got+forks+ends > had { // until the storm has ended and brings nothing more
			last = time.Now()
		}
	}
	after := selfUsage(t)
	var ran int
	var nanos int64
	if _, err := fmt.Sscan(line, &ran, &nanos); err != nil {
		t.Fatalf("storm said %q: %v", line, err)
	}
	s := r.kernel.Stats()
	t.Logf("%d execs at %.0f/s; user CPU %.1f ms, system CPU %.1f ms per 1,000 execs; %s; stats %+v",
		ran, float64(ran)/time.Duration(nanos).Seconds(),
		float64(after.Utime.Nano()-before.Utime.Nano())/1e6/float64(ran)*1000,
		float64(after.Stime.Nano()-before.Stime.Nano())/1e6/float64(ran)*1000, memory(), s)
	if got != ran || ran != total {
		t.Errorf("%d execs seen of %d ran", got, ran)
	}
	if r.kernel.ProcEvents() == nil && (forks < total || ends < total) {
		t.Errorf("%d forks and %d ends seen of %d processes", forks, ends, total)
	}
	if s.KernelLost != 0 || s.Overruns != 0 || s.SerialGaps != 0 || s.Malformed != 0 || len(r.losses) != 0 {
		t.Errorf("stats %+v, losses %+v, want none lost", s, r.losses)
	}
}

func selfUsage(t *testing.T) (u unix.Rusage) {
	t.Helper()
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return u
}

// memory returns what the kernel says of our own memory.
func memory() string {
	status, _ := os.ReadFile("/proc/self/status")
	var found []string
	for line := range strings.Lines(string(status)) {
		if strings.HasPrefix(line, "VmHWM") || strings.HasPrefix(line, "VmRSS") {
			found = append(found, strings.Join(strings.Fields(line), " "))
		}
	}
	return strings.Join(found, ", ")
}

// noop makes a program that ends at once.
func noop(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "noop")
	if err := tiny.Write(path, tiny.Exit); err != nil {
		t.Fatal(err)
	}
	if err := exec.Command(path).Run(); err != nil {
		t.Fatalf("the program made for the test does not run: %v", err)
	}
	return path
}
