// SPDX-License-Identifier: Apache-2.0

// This file holds the tests of a recorder that goes on where another was killed.

package audit_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	sys "syscall"
	"testing"
	"time"
)

// loadRate returns the programs a second of a load: SEISMO_LOAD_RATE, or 250.
func loadRate(t *testing.T) int {
	t.Helper()
	s := os.Getenv("SEISMO_LOAD_RATE")
	if s == "" {
		return 250
	}
	rate, err := strconv.Atoi(s)
	if err != nil || rate < 1 || rate > 10_000 {
		t.Fatalf("SEISMO_LOAD_RATE=%q: want 1 to 10,000", s)
	}
	return rate
}

// Programs run all the time, each with its number among its arguments. The recorder is
// killed and started again at once, three times. Each program is stored once, or is among those that
// rows of losses count: the kernel numbers all events, and each number from the first to
// the last program is that of a stored event or counted as missing. Only programs are
// asked for, and what the kernel tells by itself, so that each event is one that is stored.
func TestLiveKilledUnderLoad(t *testing.T) {
	for _, source := range []string{"auto", "multicast"} {
		t.Run(source, func(t *testing.T) { killedUnderLoad(t, source) })
	}
}

func killedUnderLoad(t *testing.T, source string) {
	p := newProduct(t, live(t))
	settings, _ := json.Marshal(map[string]any{"source": source, "fileRoots": []string{p.root}, "watchSignalPaths": false, "monitorFiles": false,
		"monitorNetwork": false, "monitorSyscalls": false, "monitorDNS": false, "monitorImageLoad": false})
	if err := os.WriteFile(filepath.Join(p.home, "recorder.json"), settings, 0o600); err != nil {
		t.Fatal(err)
	}
	program, rate := noop(t), loadRate(t)
	r := p.record()
	rules := len(mustState(t).rules)
	load := time.Now()
	storm := child(t, "storm", program, strconv.Itoa(5*rate), strconv.Itoa(rate))
	out := output(t, storm)
	p.waitFor(fmt.Sprintf("SELECT count(*) > 10 FROM process_events WHERE process_path = '%s'", program))
	for _, later := range []time.Duration{0, 300 * time.Millisecond, 0} { // before anything is told of the first kill, too
		time.Sleep(later)
		r.stop(sys.SIGKILL)
		began := time.Now()
		r = p.record()
		t.Logf("recording again %v after the kill", time.Since(began).Round(time.Millisecond))
	}
	holder := 0
	if source == "auto" {
		holder = r.cmd.Process.Pid
	}
	if got := mustState(t); got.status.Enabled != 1 || int(got.status.PID) != holder || len(got.rules) != rules {
		t.Errorf("audit state after the restart:\n%s\nwant it on, the role with process %d and %d rules", got, holder, rules)
	}
	out.Scan()
	storm.Wait()
	started, _, _ := strings.Cut(out.Text(), " ")
	ran, err := strconv.Atoi(started)
	if err != nil {
		t.Fatalf("storm said %q", out.Text())
	}
	time.Sleep(time.Second)
	if code := r.stop(os.Interrupt); code != 0 {
		t.Fatalf("exit code %d; want 0\n%s", code, &r.log)
	}
	if log := r.log.String(); !strings.Contains(log, "were taken over, recording goes on") {
		t.Errorf("the second recorder did not say that it took over:\n%s", log)
	}
	own := 0
	if source == "multicast" {
		own = 3 // of each start, until the rule that leaves us out is there
	}
	// What a recorder found running when it began is stored as that. Its exec, where that was
	// still to be read, makes no second row: its number is in none.
	found := p.count("SELECT count(*) FROM process_events WHERE learned = 'running' AND create_time_raw > %d", load.Add(-2*time.Second).UnixMilli())
	p.accounted(program, ran, own+found)
}

// accounted checks that each of the programs that ran is stored once or counted. less is how
// many numbers at most are in no row.
func (p *product) accounted(program string, ran, less int) {
	p.t.Helper()
	seen := map[string]int{}
	first, last := 1<<62, 0
	for _, row := range p.query(fmt.Sprintf("SELECT process_command_line AS line, serial FROM process_events WHERE process_path = '%s' AND learned IN ('exec', 'running')", program)) {
		seen[row["line"].(string)]++
		serial, ok := row["serial"].(float64)
		if !ok { // found running
			continue
		}
		first, last = min(first, int(serial)), max(last, int(serial))
	}
	for line, n := range seen {
		if n > 1 {
			p.t.Errorf("%s is stored %d times", line, n)
		}
	}
	var tables []string
	for _, name := range []string{"proc", "file", "network", "security", "syscall", "record", "driver"} {
		tables = append(tables, "SELECT serial FROM "+name)
	}
	stored := p.count("SELECT count(*) FROM (%s) WHERE serial BETWEEN %d AND %d", strings.Join(tables, " UNION "), first, last)
	counted := p.count("SELECT coalesce(sum(count), 0) FROM losses WHERE unit = 'events' AND reason IN ('not_recording', 'serial_gap')")
	p.t.Logf("%d programs ran, %d are stored; of %d numbers %d are stored and %d counted as missing", ran, len(seen), last-first+1, stored, counted)
	if missing := ran - len(seen); missing > counted || len(seen) == 0 {
		p.t.Errorf("%d of %d programs are not stored, and %d events counted as missing", missing, ran, counted)
	}
	if rest := last - first + 1 - stored - counted; rest < 0 || rest > less {
		p.t.Errorf("%d events stored and %d counted as missing, of %d numbers; losses:", stored, counted, last-first+1)
		next := first
		for _, row := range p.query(fmt.Sprintf("SELECT serial FROM (%s) WHERE serial BETWEEN %d AND %d ORDER BY 1", strings.Join(tables, " UNION "), first, last)) {
			serial, _ := row["serial"].(float64)
			if int(serial) > next {
				p.t.Logf("not stored: %d to %d, which are %d", next, int(serial)-1, int(serial)-next)
			}
			next = int(serial) + 1
		}
		for _, row := range p.query("SELECT begin_time, end_time, reason, type, count, unit, detail FROM losses") {
			p.t.Logf("%v", row)
		}
	}
}

// What ended while no recorder ran is ended by the next one, without an exit code and
// whether or not the memory of signals is there; what runs on is not, and gets its exit
// code when it ends.
func TestLiveEndsWhileKilled(t *testing.T) {
	p := newProduct(t, live(t))
	r := p.record()
	sleep := func(seconds string) *exec.Cmd {
		cmd := exec.Command("/bin/sleep", seconds)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
		return cmd
	}
	ends, lasts := sleep("1001"), sleep("1002")
	p.waitFor("SELECT count(*) = 2 FROM process_events WHERE process_command_line IN ('/bin/sleep 1001', '/bin/sleep 1002')")
	r.stop(sys.SIGKILL)
	ends.Process.Kill()
	ends.Wait()
	if err := os.Remove(filepath.Join(p.home, "process_state.bin")); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	began := time.Now()
	r = p.record()
	const row = "SELECT count(*) FROM process_events WHERE process_command_line = '/bin/sleep %d' AND pid = %d AND %s"
	p.waitFor(fmt.Sprintf(row, 1001, ends.Process.Pid, "end_time IS NOT NULL"))
	for what, n := range map[string]int{
		"what ended meanwhile": p.count(row, 1001, ends.Process.Pid, fmt.Sprintf("exit_code IS NULL AND end_time_raw >= %d", began.UnixMilli())),
		"what runs":            p.count(row, 1002, lasts.Process.Pid, "end_time IS NULL AND exit_code IS NULL"),
	} {
		if n != 1 {
			t.Errorf("%s: %d rows as they must be, want 1; %v", what, n, p.query("SELECT * FROM process_events WHERE process_command_line LIKE '/bin/sleep 100%'"))
		}
	}
	lasts.Process.Kill()
	lasts.Wait()
	if code := r.stop(os.Interrupt); code != 0 {
		t.Fatalf("exit code %d; want 0\n%s", code, &r.log)
	}
	if n := p.count(row, 1002, lasts.Process.Pid, "exit_code = 137"); n != 1 {
		t.Errorf("what ran all the time: %d rows with its exit code, want 1", n)
	}
}
