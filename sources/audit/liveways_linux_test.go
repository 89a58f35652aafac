// SPDX-License-Identifier: Apache-2.0

// These tests have others do what they may to the audit system while we record.

package audit_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"seismo/internal/event"
	"seismo/internal/livelock"
	"seismo/sources/audit"
)

// storm runs a program of ours many times in the background. Its number is the last
// argument of each.
type storm struct {
	program string
	total   int
	cmd     *exec.Cmd
	done    chan struct{}
}

func startStorm(t *testing.T, program string, total, rate int) *storm {
	t.Helper()
	s := &storm{program: program, total: total, done: make(chan struct{})}
	s.cmd = child(t, "storm", program, strconv.Itoa(total), strconv.Itoa(rate))
	out := output(t, s.cmd)
	go func() {
		defer close(s.done)
		out.Scan()
		s.cmd.Wait()
	}()
	return s
}

func (s *storm) over() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// counts returns how often each program of s was seen among events.
func (s *storm) counts(events []*event.Event) []int {
	seen := make([]int, s.total)
	for _, e := range events {
		if e.Kind == event.KindProcess && e.Op == event.OpCreate && text(e, event.ProcessPath) == s.program {
			args := elements(e, event.ProcessArgs)
			if n, err := strconv.Atoi(args[len(args)-1]); err == nil && n < s.total {
				seen[n]++
			}
		}
	}
	return seen
}

// once fails the test unless every program of s was seen once.
func (s *storm) once(t *testing.T, r *recording) {
	t.Helper()
	missing, twice := 0, 0
	for _, n := range s.counts(r.events) {
		switch {
		case n == 0:
			missing++
		case n > 1:
			twice++
		}
	}
	if missing+twice > 0 {
		t.Errorf("of %d programs %d were not seen and %d more than once; losses %+v", s.total, missing, twice, r.losses)
	}
}

// lossOf returns the first loss of the reason whose detail has the words.
func (r *recording) lossOf(reason, words string) *event.Loss {
	for i := range r.losses {
		if l := &r.losses[i]; l.Reason == reason && strings.Contains(l.Detail, words) {
			return l
		}
	}
	return nil
}

// heard reports whether a person was told what has the words.
func (r *recording) heard(words string) bool {
	for _, n := range r.kernel.Notices() {
		r.t.Log("notice:", n.Text)
		r.notices = append(r.notices, n.Text)
	}
	return slices.ContainsFunc(r.notices, func(n string) bool { return strings.Contains(n, words) })
}

// Beside others records come by multicast: the limits of the audit system are left
// alone, and what we write in a watched folder is no endless loop.
func TestLiveMulticast(t *testing.T) {
	o := live(t)
	o.Way = audit.WayMulticast
	r := record(t, o)
	st := mustState(t)
	if s := st.status; s.PID != 0 || s.Failure != 1 || s.BacklogLimit != 64 || s.Enabled != 1 {
		t.Errorf("while recording by multicast: %s; want nothing but enabled changed", st.String()[:80])
	}
	for i := range 50 {
		if err := os.WriteFile(filepath.Join(o.Roots[0], strconv.Itoa(i)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := startStorm(t, noop(t), 200, 500)
	r.until("the programs", func() bool { return s.over() })
	r.end()
	s.once(t, r)
	for _, e := range r.events {
		if e.Kind == event.KindFile && int(e.PID) == os.Getpid() {
			t.Fatalf("our own process was audited: %v %s", e.Op, text(e, event.FilePath))
		}
	}
	if n := r.kernel.Stats().Received; n > 200*12+400 {
		t.Errorf("%d records of 200 programs: our own writes are among them", n)
	}
	if got := r.kernel.State(); got.Way != audit.WayMulticast || !strings.Contains(strings.Join(got.Rules[:1], ""), fmt.Sprintf("pid=%d", os.Getpid())) {
		t.Errorf("state %+v; want multicast, with the rule for ourselves first", got)
	}
	if len(r.losses) > 0 {
		t.Errorf("losses %+v", r.losses)
	}
}

// A process that asks for the role gets it left, and when nobody takes it, it is taken
// again. Of the programs that run meanwhile each is seen once.
func TestLiveRoleIsAskedFor(t *testing.T) {
	r := record(t, live(t))
	s := startStorm(t, noop(t), 3000, 1000)
	r.until("the first programs", func() bool { return len(r.events) > 100 })
	cmd := child(t, "grab")
	out := output(t, cmd)
	out.Scan()
	cmd.Wait()
	if !strings.HasPrefix(out.Text(), "true") {
		t.Fatalf("asking for a role that is held: %q, want EEXIST", out.Text())
	}
	r.until("multicast", func() bool { return r.kernel.State().Way == audit.WayMulticast })
	if st := mustState(t).status; st.PID != 0 || st.Failure != 1 || st.BacklogLimit != 64 || st.Enabled != 1 {
		t.Errorf("after the role was given up: %+v; want nobody to have it, auditing on and the limits as before", st)
	}
	at := len(r.events)
	r.until("more programs", func() bool { return len(r.events) > at+500 || s.over() })
	r.kernel.EndLeave()
	r.until("the role", func() bool { return r.kernel.State().Way == audit.WayUnicast })
	if st := mustState(t).status; int(st.PID) != os.Getpid() || st.Failure != 0 || st.BacklogLimit != 65536 {
		t.Errorf("after the role was taken again: %+v; want it ours", st)
	}
	r.until("the rest of the programs", s.over)
	if !r.heard("asked for the audit role") || !r.heard("has taken it") {
		t.Errorf("what a person is told: %q", r.notices)
	}
	r.end()
	s.once(t, r)
	if n := r.kernel.Stats().SerialGaps; n != 0 || len(r.losses) > 0 {
		t.Errorf("%d events missing, losses %+v; want none", n, r.losses)
	}
}

// auditctl runs it against the live kernel: somebody else who has the right to.
func auditctl(t *testing.T, args ...string) {
	t.Helper()
	path, err := exec.LookPath("auditctl")
	if err != nil {
		t.Skip("NOT RUN: there is no auditctl")
	}
	if out, err := exec.Command(path, args...).CombinedOutput(); err != nil {
		t.Fatalf("auditctl %v: %v %s", args, err, out)
	}
}

// Rules that somebody removes are put back, and the time without them is a loss.
func TestLiveRulesRemoved(t *testing.T) {
	r := record(t, live(t))
	rules := len(mustState(t).rules)
	auditctl(t, "-D", "-k", audit.RuleKey)
	r.until("the loss", func() bool { return r.lossOf(event.LossNotSeen, "removed by somebody else") != nil })
	if got := len(mustState(t).rules); got != rules {
		t.Errorf("%d rules, want all %d again", got, rules)
	}
	l := r.lossOf(event.LossNotSeen, "removed by somebody else")
	if int(l.Count) != rules || l.To < l.From || time.Duration(l.To-l.From) > 10*time.Second {
		t.Errorf("loss %+v; want the %d rules, and the moment without them", l, rules)
	}
	if !r.heard("put back") {
		t.Errorf("what a person is told: %q", r.notices)
	}
	cmd := child(t, "nothing")
	cmd.Run()
	r.until("a program after that", func() bool { return r.find(event.KindProcess, event.OpCreate, cmd.Process.Pid, nil) != nil })
}

// Auditing that somebody switches off is switched on again, and is a loss.
func TestLiveSwitchedOff(t *testing.T) {
	r := record(t, live(t))
	auditctl(t, "-e", "0")
	r.until("the loss", func() bool { return r.lossOf(event.LossNotSeen, "switched off") != nil })
	if st := mustState(t).status; st.Enabled != 1 {
		t.Errorf("enabled %d, want it on again", st.Enabled)
	}
	cmd := child(t, "nothing")
	cmd.Run()
	r.until("a program after that", func() bool { return r.find(event.KindProcess, event.OpCreate, cmd.Process.Pid, nil) != nil })
	if !r.heard("switched on again") {
		t.Errorf("what a person is told: %q", r.notices)
	}
}

// With the rules left alone none is added, and those of others are used.
func TestLiveRulesAreLeft(t *testing.T) {
	o := live(t)
	o.LeaveRules = true
	auditctl(t, "-a", "always,exit", "-F", "arch=b64", "-S", "execve", "-k", livelock.OthersKey)
	t.Cleanup(func() { auditctl(t, "-d", "always,exit", "-F", "arch=b64", "-S", "execve", "-k", livelock.OthersKey) })
	r := record(t, o)
	if got := mustState(t).rules; len(got) != 1 {
		t.Errorf("%d rules while recording, want the one of others", len(got))
	}
	if _, err := r.kernel.SetDemand(event.Demand{Paths: []string{"/opt/x"}}); err != nil {
		t.Error(err)
	}
	cmd := child(t, "nothing")
	cmd.Run()
	r.until("the exec", func() bool { return r.find(event.KindProcess, event.OpCreate, cmd.Process.Pid, nil) != nil })
	r.end()
	if got := mustState(t).rules; len(got) != 1 {
		t.Errorf("%d rules after recording, want the one of others", len(got))
	}
}

// reading reads r in the background until the returned function is called.
func (r *recording) reading() (stop func()) {
	ctx, cancel := context.WithCancel(r.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for r.read(ctx) == nil {
		}
	}()
	return func() { cancel(); <-done }
}

// auditd is started beside us: the first time it is refused by the kernel, and we leave
// the role; the second time it has it. When it stops, the role is taken again.
func TestLiveAuditdBesideUs(t *testing.T) {
	r := record(t, live(t))
	stopReading := r.reading()
	if _, err := auditd(t); err == nil {
		t.Log("auditd was not refused: the role was free by then")
	} else {
		t.Log(err)
	}
	for range 100 { // it is left at the next look
		if r.kernel.State().Way == audit.WayMulticast {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	stopReading()
	if got := r.kernel.State().Way; got != audit.WayMulticast {
		t.Fatalf("way %s after auditd asked for the role, want multicast", got)
	}
	stopReading = r.reading()
	stopAuditd, err := auditd(t)
	stopReading()
	if err != nil {
		t.Fatal(err)
	}
	s := startStorm(t, noop(t), 300, 500)
	r.until("the programs", s.over)
	r.kernel.EndLeave()
	r.read(t.Context())
	if got := r.kernel.State().Way; got != audit.WayMulticast {
		t.Errorf("way %s beside auditd, want multicast", got)
	}
	stopAuditd()
	r.kernel.EndLeave()
	r.until("the role", func() bool { return r.kernel.State().Way == audit.WayUnicast })
	r.heard("")
	r.end()
	s.once(t, r)
	if r.kernel.Stats().SerialGaps != 0 {
		t.Errorf("%d events are missing; losses %+v", r.kernel.Stats().SerialGaps, r.losses)
	}
}

// Where auditd has the role already, it keeps it.
func TestLiveBesideAuditd(t *testing.T) {
	o := live(t)
	if _, err := auditd(t); err != nil {
		t.Fatal(err)
	}
	if err := setEnabled(true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := setEnabled(false); err != nil {
			t.Error(err)
		}
	})
	before := mustState(t).String()
	r := record(t, o)
	if got := r.kernel.State(); got.Way != audit.WayMulticast || !strings.Contains(got.Reason, "auditd") {
		t.Errorf("state %+v; want multicast for auditd", got)
	}
	s := startStorm(t, noop(t), 300, 500)
	r.until("the programs", s.over)
	r.end()
	s.once(t, r)
	if got := mustState(t).String(); got != before {
		t.Errorf("state beside auditd after recording:\n%s\nwant as before:\n%s", got, before)
	}
}
