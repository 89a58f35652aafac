// SPDX-License-Identifier: Apache-2.0

// These tests change what the whole product looks for while it records: signals,
// lists and overrides, and the audit rules that follow them. What they share with
// others is in liverecord_linux_test.go and live_linux_test.go.

package audit_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"seismo/internal/event"
	"seismo/sources/audit"
)

// write puts content into a file of the home folder, as a person does: in place.
func (p *product) write(name, content string) {
	p.t.Helper()
	path := filepath.Join(p.home, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// compile makes the signals.bin of the home folder of definitions: each has a name
// and an expression.
func (p *product) compile(signals ...[2]string) {
	p.t.Helper()
	var b strings.Builder
	for _, s := range signals {
		// The same name has the same id.
		fmt.Fprintf(&b, "- id: %08x-0000-4000-8000-000000000000\n  name: %s\n  severity: low\n  signal: |\n    %s\n", hash(s[0]), s[0], s[1])
	}
	path := filepath.Join(p.t.TempDir(), "signals.yml")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		p.t.Fatal(err)
	}
	if out, err := exec.Command(p.bin, "compile", "--home", p.home, path).CombinedOutput(); err != nil {
		p.t.Fatalf("seismo compile: %v\n%s", err, out)
	}
}

func hash(s string) (h uint32) {
	for i := range len(s) {
		h = h*31 + uint32(s[i])
	}
	return h
}

// nothingLost fails the test if the recorder, which has ended, lost something.
func (p *product) nothingLost() {
	p.t.Helper()
	if s := p.status(); s.KernelLost != 0 || s.SerialGaps != 0 || s.Overruns != 0 || s.Records.Malformed != 0 || s.Events.Dropped != 0 || s.Events.InFlight != 0 {
		p.t.Errorf("status %+v; want nothing lost", s)
	}
}

// A signal that is compiled while the recorder runs fires on what happens after it
// was loaded, one that is gone does not; a damaged file, overrides that are wrong and a
// changed list are taken up or refused in the same way. Nothing is lost on the way,
// and every match is that of the signal that was in force.
func TestLiveHotSwap(t *testing.T) {
	p := newProduct(t, live(t))
	program := noop(t)
	other := filepath.Join(p.root, "other")
	if out, err := exec.Command("cp", program, other).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	first, second := [2]string{"First", "process.path is '" + program + "'"}, [2]string{"Second", "process.path is '" + program + "'"}
	listed := [2]string{"Listed", "process.path in list programs"}
	p.compile(first, listed)
	r := p.record()
	stop := make(chan struct{})
	ran := make(chan int)
	go func() { // something happens all the time
		n := 0
		for {
			select {
			case <-stop:
				ran <- n
				return
			default:
				if exec.Command(program).Run() == nil {
					n++
				}
				time.Sleep(2 * time.Millisecond)
			}
		}
	}()
	matches := func(name string) string {
		return "SELECT ifnull(sum(matches), 0) FROM signal_counts WHERE signal_name = '" + name + "'"
	}
	p.waitFor(matches("First"))
	p.compile(second, listed)
	p.waitFor(matches("Second"))
	firsts := p.count("%s", matches("First"))

	p.write("signals.bin", "no signals at all")
	p.waitFor("SELECT count(*) FROM signal_load WHERE error LIKE '%signals.bin%'")
	seconds := p.count("%s", matches("Second"))
	p.waitFor(fmt.Sprintf("SELECT (%s) > %d", matches("Second"), seconds)) // those before stay in force
	if out, err := exec.Command(p.bin, "status", "--home", p.home).Output(); err != nil || !bytes.Contains(out, []byte("signals not loaded")) {
		t.Errorf("seismo status: %v\n%s\nwant the load that failed", err, out)
	}
	p.compile(second, listed)

	p.write("lists/programs.txt", other+"\n")
	p.waitFor("SELECT NOT EXISTS (SELECT 1 FROM list_missing)")
	if err := exec.Command(other).Run(); err != nil {
		t.Fatal(err)
	}
	p.waitFor(matches("Listed"))

	if out, err := exec.Command(p.bin, "signals", "disable", "--home", p.home, "Second").CombinedOutput(); err != nil {
		t.Fatalf("seismo signals disable: %v\n%s", err, out)
	}
	p.waitFor("SELECT count(*) FROM signal_counts WHERE signal_name = 'Second' AND NOT enabled")
	seconds = p.count("%s", matches("Second"))
	more := p.count("SELECT count(*) FROM process_events WHERE process_path = '%s'", program) + 100
	p.waitFor(fmt.Sprintf("SELECT count(*) > %d FROM process_events WHERE process_path = '%s'", more, program))
	if got := p.count("%s", matches("Second")); got != seconds {
		t.Errorf("the signal that is switched off fired %d times", got-seconds)
	}
	close(stop)
	total := <-ran
	if code := r.stop(os.Interrupt); code != 0 {
		t.Fatalf("exit code %d; want 0\n%s", code, &r.log)
	}
	if got := p.count("SELECT count(*) FROM process_events WHERE process_path = '%s'", program); got != total {
		t.Errorf("%d of %d programs are in monitor.db", got, total)
	}
	if got := p.count("%s", matches("First")); got != firsts {
		t.Errorf("the first signal fired %d times more after it was gone", got-firsts)
	}
	p.nothingLost()
	if n := p.count("SELECT work FROM signal_counts WHERE signal_name = 'Second'"); n == 0 {
		t.Error("what the second signal cost is not in monitor.db")
	}
}

// What a process did before a restart of the recorder counts after it: its second
// step completes the signal, and the proof names both. A memory that is damaged is
// told as a loss.
func TestLiveMemoryOverRestart(t *testing.T) {
	p := newProduct(t, live(t))
	place := func(name string) string { return filepath.Join(p.root, name) }
	p.compile([2]string{"Both", fmt.Sprintf("file.path is '%s' AND file.path is '%s'", place("one"), place("two"))},
		[2]string{"Later", fmt.Sprintf("file.path is '%s' AND file.path is '%s'", place("three"), place("four"))})
	sh := exec.Command("/bin/bash", "-c", "while read file; do : > \"$file\"; echo done; done")
	in, err := sh.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out := output(t, sh)
	t.Cleanup(func() { in.Close(); sh.Wait() })
	touch := func(name string) {
		t.Helper()
		fmt.Fprintln(in, place(name))
		if !out.Scan() {
			t.Fatal("the shell has ended")
		}
	}
	stop := func(r *recorder) {
		t.Helper()
		if code := r.stop(os.Interrupt); code != 0 {
			t.Fatalf("exit code %d; want 0\n%s", code, &r.log)
		}
	}
	state := filepath.Join(p.home, "process_state.bin")

	r := p.record()
	touch("one")
	stop(r)
	if info, err := os.Stat(state); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the memory after a stop: %v, %v; want a file of mode 0600", info, err)
	}
	r = p.record()
	if err := exec.Command("/bin/bash", "-c", ": > "+place("two")).Run(); err != nil { // another process
		t.Fatal(err)
	}
	touch("two")
	touch("three")
	stop(r)
	const match = "SELECT count(*) FROM signal_matches WHERE signal_name = '%s' AND pid = %d AND proof LIKE '%%%s%%' AND proof LIKE '%%%s%%'"
	if n := p.count(match, "Both", sh.Process.Pid, place("one"), place("two")); n != 1 {
		t.Errorf("the signal whose first step was before the restart has %d matches with both steps; want 1\n%s", n, &r.log)
	}
	if n := p.count("SELECT sum(matches) FROM signal_counts"); n != 1 {
		t.Errorf("%d matches in all; want 1", n)
	}

	content, err := os.ReadFile(state)
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)/2] ^= 0xff
	p.write("process_state.bin", string(content))
	r = p.record()
	touch("four")
	stop(r)
	if !strings.Contains(r.log.String(), "process_state.bin.damaged") {
		t.Errorf("the log does not name the memory that was set aside:\n%s", &r.log)
	}
	if n := p.count("SELECT count(*) FROM losses WHERE reason = 'state_unusable'"); n != 1 {
		t.Errorf("%d losses tell of the damaged memory; want 1", n)
	}
	// What the file held is in the stored events as well.
	if n := p.count("SELECT sum(matches) FROM signal_counts"); n != 2 {
		t.Errorf("%d matches after the memory was damaged; want the 1 of before, and that of both steps remembered", n)
	}
	p.nothingLost()
}

// The rules and the own names of a running source follow the demand; the undo file
// knows of each rule first (live checks that the kernel is left as it was).
func TestLiveSetDemand(t *testing.T) {
	o := live(t)
	o.WatchDemand = true
	outside := t.TempDir()
	r := record(t, o)
	rules := func() int { return len(mustState(t).rules) }
	touch := func(name string) (path string, pid int) { // by another process: our own is not audited
		path = filepath.Join(outside, name)
		cmd := exec.Command("/bin/sh", "-c", ": > "+path)
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
		return path, cmd.Process.Pid
	}
	made := func(path string, pid int) *event.Event {
		return r.find(event.KindFile, event.OpCreate, pid, func(e *event.Event) bool { return text(e, event.FilePath) == path })
	}
	before := rules()
	unseen, unseenBy := touch("unseen")
	if _, err := r.kernel.SetDemand(event.Demand{Paths: []string{strings.ToLower(outside) + "/"}, Own: []string{"comm"}}); err != nil {
		t.Fatal(err)
	}
	if got := rules(); got != before+1 {
		t.Errorf("%d rules after the demand of one folder; want %d", got, before+1)
	}
	seen, by := touch("seen")
	r.until("the file in the folder that is demanded", func() bool { return made(seen, by) != nil })
	own := ""
	for f := range made(seen, by).Own() {
		own += string(f.Name) + " "
	}
	if own != "comm " {
		t.Errorf("own names %q; want comm", own)
	}
	if made(unseen, unseenBy) != nil {
		t.Error("a file that was made before the demand was recorded")
	}
	if _, err := r.kernel.SetDemand(event.Demand{}); err != nil {
		t.Fatal(err)
	}
	if got := rules(); got != before {
		t.Errorf("%d rules after the demand was taken back; want %d", got, before)
	}
	warnings, err := r.kernel.SetDemand(event.Demand{Paths: []string{"/"}})
	if err != nil || len(warnings) != 1 || rules() != before {
		t.Errorf("SetDemand of all files: %q, %v, %d rules; want a warning and %d rules", warnings, err, rules(), before)
	}
	r.end()
	if len(r.losses) > 0 {
		t.Errorf("losses %+v; want none for rules that we changed ourselves", r.losses)
	}
}

// What was planned is in force as the kernel lists it, the rule on io_uring among it, and
// sees there what it was planned to see.
func TestLivePlanIsInForce(t *testing.T) {
	r := record(t, live(t))
	p := r.kernel.Plan()
	f, err := audit.ReadInForce()
	if err != nil {
		t.Fatal(err)
	}
	missing, err := f.Missing(p)
	if err != nil || len(missing) > 0 {
		t.Errorf("not in force: %v, %v; want all rules of the plan", missing, err)
	}
	if diff := cmp.Diff(p.Sees, f.Sees); diff != "" {
		t.Errorf("the rules in force see (-planned +in force):\n%s", diff)
	}
	if !slices.Contains(f.Sees.Calls, "io_uring_openat") {
		t.Errorf("calls %q; want those of io_uring too", f.Sees.Calls)
	}
	r.end()
}

// A rule of Sigma for records of auditd names a call that no setting asks for: the kernel
// is asked for it once the rule is loaded, and no longer when it is switched off. Each
// change is a row of what is collected.
func TestLiveDemandedCall(t *testing.T) {
	for _, tool := range []string{"unshare", "hostname"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s, which makes the call that is looked for: %v", tool, err)
		}
	}
	p := newProduct(t, live(t))
	rename := func() { // in a namespace of its own: the host keeps its name
		t.Helper()
		if out, err := exec.Command("unshare", "--uts", "hostname", "seismo-test").CombinedOutput(); err != nil {
			t.Fatalf("unshare: %v\n%s", err, out)
		}
	}
	asked := func() bool {
		t.Helper()
		f, err := audit.ReadInForce()
		if err != nil {
			t.Fatal(err)
		}
		return slices.Contains(f.Sees.Calls, "sethostname")
	}
	p.compile([2]string{"Nothing", "file.path is '/nothing'"})
	r := p.record()
	if asked() {
		t.Error("the call is asked for before a rule names it")
	}
	rename()
	rules := filepath.Join(t.TempDir(), "rules.yml")
	if err := os.WriteFile(rules, []byte(`title: Host Name Changed
id: 11111111-0000-4000-8000-0000000000aa
level: low
logsource: {product: linux, service: auditd}
detection:
  call: {type: SYSCALL, SYSCALL: sethostname}
  condition: call
`), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(p.bin, "compile", "--home", p.home, rules).CombinedOutput(); err != nil {
		t.Fatalf("seismo compile: %v\n%s", err, out)
	}
	const named = "FROM collections WHERE reason = 'signals' AND calls LIKE '%\"sethostname\"%'"
	p.waitFor("SELECT count(*) " + named)
	if !asked() {
		t.Error("the call is not asked for although a rule names it")
	}
	rename()
	p.waitFor("SELECT count(*) FROM signal_matches WHERE signal_name = 'Host Name Changed'")
	if out, err := exec.Command(p.bin, "signals", "disable", "--home", p.home, "Host Name Changed").CombinedOutput(); err != nil {
		t.Fatalf("seismo signals disable: %v\n%s", err, out)
	}
	p.waitFor("SELECT count(*) " + named + " AND end_time IS NOT NULL")
	if asked() {
		t.Error("the call is asked for although the rule is switched off")
	}
	if code := r.stop(os.Interrupt); code != 0 {
		t.Fatalf("exit code %d; want 0\n%s", code, &r.log)
	}
	if n := p.count("SELECT count(*) FROM syscall_events WHERE syscall_name = 'sethostname'"); n != 1 {
		t.Errorf("%d calls are in monitor.db; want the one that was made while it was asked for", n)
	}
	rows := p.query("SELECT reason, source, end_time FROM collections ORDER BY begin_time")
	if len(rows) != 3 || rows[0]["reason"] != "start" || rows[2]["end_time"] == nil || rows[2]["source"] != "unicast" {
		t.Errorf("what was collected: %v; want a start and two changes, the last of them ended by the stop", rows)
	}
	p.nothingLost()
}
