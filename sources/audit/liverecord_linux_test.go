// SPDX-License-Identifier: Apache-2.0

// These tests run the whole product as an administrator does: the binary, its
// home folder, the database it leaves, and the kernel after it has ended.

package audit_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	sys "syscall"
	"testing"
	"time"

	"seismo/sources/audit"
)

// product is a built seismo with a home folder that watches one root.
type product struct {
	t               *testing.T
	bin, home, root string
	running         *recorder // the one that was started last
}

func newProduct(t *testing.T, o audit.KernelOptions) *product {
	t.Helper()
	if testing.Short() {
		t.Skip("NOT RUN with -short: the race detector does not see the binary that is tried")
	}
	p := &product{t: t, bin: filepath.Join(t.TempDir(), "seismo"), home: filepath.Join(t.TempDir(), "home"), root: o.Roots[0]}
	build := exec.Command("go", "build", "-o", p.bin, "seismo/cmd/seismo")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build seismo: %v\n%s", err, out)
	}
	if err := os.Mkdir(p.home, 0o700); err != nil {
		t.Fatal(err)
	}
	settings, _ := json.Marshal(map[string]any{"fileRoots": []string{p.root}, "watchSignalPaths": false})
	if err := os.WriteFile(filepath.Join(p.home, "recorder.json"), settings, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if report, err := audit.Undo(filepath.Join(p.home, "audit_undo.json")); err != nil {
			t.Error(err)
		} else if !report.Nothing {
			t.Logf("the test left something behind: %s", report)
		}
	})
	return p
}

// recorder is a running "seismo record".
type recorder struct {
	*product
	cmd   *exec.Cmd
	log   writing       // what it wrote to standard error; complete once ended is closed
	ended chan struct{} // the recorder has closed its standard error
}

// writing is text that is read while it is written.
type writing struct {
	mu   sync.Mutex
	text []byte
}

func (w *writing) add(text []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text = append(w.text, text...)
}

func (w *writing) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(w.text)
}

// record starts a recorder and waits until it records.
func (p *product) record() *recorder {
	p.t.Helper()
	r := &recorder{product: p, cmd: exec.Command(p.bin, "record", "--home", p.home), ended: make(chan struct{})}
	p.running = r
	pipe, err := r.cmd.StderrPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := begin(p.t, r.cmd, sys.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	recording := make(chan struct{})
	go func() {
		defer close(r.ended)
		said := false
		buf := make([]byte, 4096)
		for {
			n, err := pipe.Read(buf)
			r.log.add(buf[:n])
			if !said && strings.Contains(r.log.String(), `"recording"`) {
				said = true
				close(recording)
			}
			if err != nil {
				return
			}
		}
	}()
	select {
	case <-recording:
	case <-r.ended:
		r.cmd.Wait()
		p.t.Fatalf("seismo record ended before it recorded:\n%s", &r.log)
	case <-time.After(time.Minute):
		p.t.Fatal("seismo record did not begin within a minute")
	}
	p.t.Cleanup(func() {
		if r.cmd.ProcessState == nil {
			r.cmd.Process.Kill()
			r.cmd.Wait()
		}
	})
	return r
}

// stop ends the recorder with a signal and returns its exit code.
func (r *recorder) stop(s os.Signal) int {
	r.t.Helper()
	if err := r.cmd.Process.Signal(s); err != nil {
		r.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { <-r.ended; r.cmd.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		r.t.Fatalf("seismo record did not end within 30 s of %v", s)
	}
	return r.cmd.ProcessState.ExitCode()
}

// query returns the answer of "seismo query --json" a row at a time.
func (p *product) query(sql string) (rows []map[string]any) {
	p.t.Helper()
	out, err := exec.Command(p.bin, "query", "--home", p.home, "--limit", "0", "--json", sql).Output()
	if err != nil {
		p.t.Fatalf("seismo query %s: %v %s", sql, err, stderrOf(err))
	}
	d := json.NewDecoder(bytes.NewReader(out))
	for d.More() {
		var row map[string]any
		if err := d.Decode(&row); err != nil {
			p.t.Fatalf("seismo query %s: %v in %s", sql, err, out)
		}
		rows = append(rows, row)
	}
	return rows
}

func stderrOf(err error) string {
	if e, ok := err.(*exec.ExitError); ok {
		return string(e.Stderr)
	}
	return ""
}

// count returns the number in the one row of a query.
func (p *product) count(sql string, args ...any) int {
	p.t.Helper()
	rows := p.query("SELECT (" + fmt.Sprintf(sql, args...) + ") AS n")
	n, _ := rows[0]["n"].(float64)
	return int(n)
}

type statusRow struct {
	Recorder string
	Records  struct{ Received, Parsed, Malformed int }
	Events   struct {
		Assembled, Stored, Filtered, Dropped int
		InFlight                             int `json:"in_flight"`
	}
	KernelLost int     `json:"kernel_lost"`
	SerialGaps int     `json:"serial_gaps"`
	Overruns   int     `json:"overruns"`
	Peak       int     `json:"peak_memory_bytes"`
	CPU        float64 `json:"cpu_seconds"`
}

func (p *product) status() (s statusRow) {
	p.t.Helper()
	out, err := exec.Command(p.bin, "status", "--home", p.home, "--json").Output()
	if err != nil {
		p.t.Fatalf("seismo status: %v %s", err, stderrOf(err))
	}
	if err := json.Unmarshal(out, &s); err != nil {
		p.t.Fatalf("seismo status: %v in %s", err, out)
	}
	if s.Records.Received != s.Records.Parsed+s.Records.Malformed ||
		s.Events.Assembled != s.Events.Stored+s.Events.Filtered+s.Events.Dropped+s.Events.InFlight {
		p.t.Errorf("the ledgers do not hold: %s", out)
	}
	return s
}

// What people do on the host is in the views, with its process, and the signals
// that it fires are there with their proof; SIGINT and SIGTERM leave the kernel as
// it was (live checks that).
func TestLiveRecord(t *testing.T) {
	for _, how := range []os.Signal{os.Interrupt, sys.SIGTERM, sys.SIGHUP} {
		t.Run(how.String(), func(t *testing.T) {
			p := newProduct(t, live(t))
			r := p.record()
			tool := filepath.Join(p.root, "tool") // below the temporary folder, so a signal fires
			file := filepath.Join(p.root, "a file")
			script := fmt.Sprintf("cp /bin/true %[1]q && %[1]q 'two words' '' && echo x > %[2]q && mv %[2]q %[2]q.new && rm %[2]q.new; exit 3", tool, file)
			err := exec.Command("/bin/sh", "-c", script).Run()
			if e, ok := err.(*exec.ExitError); !ok || e.ExitCode() != 3 {
				t.Fatalf("the commands that are to be recorded: %v", err)
			}
			if err := child(t, "net").Run(); err == nil || err.Error() != "exit status 7" { // as TestLiveChild ends
				t.Fatalf("the connection that is to be recorded: %v", err)
			}
			if code := r.stop(how); code != 0 {
				t.Fatalf("exit code %d after %v; want 0\n%s", code, how, &r.log)
			}
			for what, sql := range map[string]string{
				"the program with its arguments":    "SELECT count(*) FROM process_events WHERE process_path = '%[1]s' AND process_command_line = '%[1]s two words ' AND exit_code = 0 AND parent_path LIKE '%%sh'",
				"the shell's end":                   "SELECT count(*) FROM process_events WHERE process_command_line LIKE '/bin/sh -c cp %%' AND exit_code = 3",
				"the file's making":                 "SELECT count(*) FROM file_events WHERE file = '%[2]s' AND operation = 'create' AND process_path LIKE '%%sh'",
				"its rename":                        "SELECT count(*) FROM file_events WHERE file = '%[2]s' AND operation = 'rename'",
				"its removal":                       "SELECT count(*) FROM file_events WHERE file = '%[2]s.new' AND operation = 'delete' AND process_path LIKE '%%/rm'",
				"the connection":                    "SELECT count(*) FROM network_events WHERE operation = 'connect' AND destination_addr = '127.0.0.1' AND protocol = 'tcp'",
				"its other end":                     "SELECT count(*) FROM network_events WHERE operation = 'accept' AND source_addr = '127.0.0.1'",
				"the match":                         "SELECT count(*) FROM signal_matches WHERE signal_name LIKE 'Execution from%%' AND process_path = '%[1]s' AND proof LIKE '%%process.path%%'",
				"its count":                         "SELECT matches FROM signal_counts WHERE signal_name LIKE 'Execution from%%'",
				"the recorder's own file, excluded": "SELECT count(*) = 0 FROM file_events WHERE file LIKE '%%/monitor.db%%'",
			} {
				if n := p.count(sql+" -- %[1]s %[2]s\n", tool, file); n < 1 {
					t.Errorf("%s is not in monitor.db: %s", what, fmt.Sprintf(sql, tool, file))
				}
			}
			s := p.status()
			if s.Recorder != "stopped" || s.Records.Received == 0 || s.KernelLost != 0 || s.Events.InFlight != 0 {
				t.Errorf("status after the stop: %+v", s)
			}
			if _, err := os.Stat(filepath.Join(p.home, "audit_undo.json")); !os.IsNotExist(err) {
				t.Errorf("the undo file is still there (%v)", err)
			}
		})
	}
}

// A recorder that is killed leaves its rules behind; the next one goes on with them,
// tells of the time in between, and the kernel is as it was in the end.
func TestLiveRecordKilled(t *testing.T) {
	p := newProduct(t, live(t))
	before := mustState(t).String()
	r := p.record()
	lasting := exec.Command("/bin/sleep", "1000")
	if err := errors.Join(lasting.Start(), exec.Command("/bin/true", "before").Run()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lasting.Process.Kill() })
	p.waitFor("SELECT count(*) FROM process_events WHERE process_command_line = '/bin/true before'")
	r.stop(sys.SIGKILL)
	if mustState(t).String() == before {
		t.Fatal("the kernel is as before although the recorder was killed: the test shows nothing")
	}
	r = p.record()
	if err := exec.Command("/bin/true", "after").Run(); err != nil {
		t.Fatal(err)
	}
	if err := lasting.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	lasting.Wait()
	if code := r.stop(os.Interrupt); code != 0 {
		t.Fatalf("exit code %d; want 0\n%s", code, &r.log)
	}
	if !strings.Contains(r.log.String(), "taken over, recording goes on") {
		t.Errorf("the second recorder did not say that it took over:\n%s", &r.log)
	}
	for _, arg := range []string{"before", "after"} {
		if n := p.count("SELECT count(*) FROM process_events WHERE process_command_line = '/bin/true %s'", arg); n != 1 {
			t.Errorf("/bin/true %s is in monitor.db %d times; want once", arg, n)
		}
	}
	if n := p.count("SELECT count(*) FROM process_events WHERE pid = %d AND process_command_line = '/bin/sleep 1000' AND learned = 'exec' AND exit_code = 137",
		lasting.Process.Pid); n != 1 || p.count("SELECT count(*) FROM processes WHERE pid = %d AND process_path LIKE '%%/sleep'", lasting.Process.Pid) != 1 {
		t.Errorf("the program that ran all the time is not one process with its end")
	}
	if n := p.count("SELECT count(*) FROM losses WHERE reason = 'not_recording' AND detail LIKE '%%killed%%'"); n != 1 {
		t.Errorf("%d losses tell that the recorder was killed; want 1", n)
	}
}

// The same where the next recorder records into another home folder: there is one
// kernel.
func TestLiveRecordKilledElsewhere(t *testing.T) {
	o := live(t)
	p, other := newProduct(t, o), newProduct(t, o)
	before := mustState(t).String()
	p.record().stop(sys.SIGKILL)
	r := other.record()
	if code := r.stop(os.Interrupt); code != 0 {
		t.Fatalf("exit code %d; want 0\n%s", code, &r.log)
	}
	if !strings.Contains(r.log.String(), "without putting the audit settings back") {
		t.Errorf("the second recorder did not say what it put right:\n%s", &r.log)
	}
	if got := mustState(t).String(); got != before {
		t.Errorf("audit state after the second recorder:\n%s\nwant as before:\n%s", got, before)
	}
}

// waitFor waits until the count that sql gives is not 0: longer than the recorder
// leaves signals alone that it could not put in force (30 s), on a machine that is
// busy with other things.
func (p *product) waitFor(sql string) {
	p.t.Helper()
	for end := time.Now().Add(2 * time.Minute); p.count("%s", sql) == 0; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			p.t.Fatalf("not in monitor.db after 2 minutes: %s\nstatus %+v\nloads %v\nthe recorder said:\n%s", sql, p.status(),
				p.query("SELECT * FROM signal_load"), &p.running.log)
		}
	}
}

// A second recorder is refused with exit code 5, and says who is there.
func TestLiveRecordTwice(t *testing.T) {
	p := newProduct(t, live(t))
	r := p.record()
	out, err := exec.Command(p.bin, "record", "--home", p.home).CombinedOutput()
	if e, ok := err.(*exec.ExitError); !ok || e.ExitCode() != 5 || !strings.Contains(string(out), "held by process "+strconv.Itoa(r.cmd.Process.Pid)) {
		t.Errorf("a second recorder in the same home: %v\n%s\nwant exit code 5 and the holder's pid", err, out)
	}
	out, err = exec.Command(p.bin, "record", "--home", t.TempDir()).CombinedOutput()
	if e, ok := err.(*exec.ExitError); !ok || e.ExitCode() != 5 || !strings.Contains(string(out), strconv.Itoa(r.cmd.Process.Pid)) {
		t.Errorf("a second recorder in another home: %v\n%s\nwant exit code 5 and the holder's pid", err, out)
	}
	if s := p.status(); s.Recorder != "recording" {
		t.Errorf("status while it records: %+v", s)
	}
	if code := r.stop(os.Interrupt); code != 0 {
		t.Errorf("exit code %d; want 0\n%s", code, &r.log)
	}
}

// At 2,000 programs a second every one is in monitor.db, detection and SQLite
// on. SEISMO_LOAD_SECONDS sets the length (5), SEISMO_LOAD_RULES names rules that
// take the place of the shipped ones, as a list of paths; the rate that this machine
// reaches and the cost are reported, not required.
func TestLiveRecordLoad(t *testing.T) {
	seconds := 5
	if s := os.Getenv("SEISMO_LOAD_SECONDS"); s != "" {
		var err error
		if seconds, err = strconv.Atoi(s); err != nil || seconds < 1 || seconds > 600 {
			t.Fatalf("SEISMO_LOAD_SECONDS=%q: want 1 to 600", s)
		}
	}
	const rate = 2000
	total := rate * seconds
	p := newProduct(t, live(t))
	if rules := filepath.SplitList(os.Getenv("SEISMO_LOAD_RULES")); len(rules) > 0 {
		out, err := exec.Command(p.bin, append([]string{"compile", "--home", p.home, "--keep-going"}, rules...)...).CombinedOutput()
		if e, ok := err.(*exec.ExitError); err != nil && (!ok || e.ExitCode() != 1) { // 1: some were refused
			t.Fatalf("seismo compile: %v\n%s", err, out)
		}
		t.Logf("%s", bytes.TrimSpace(out))
	}
	program := noop(t)
	r := p.record()
	time.Sleep(time.Second)
	idle := p.status()
	cmd := child(t, "storm", program, strconv.Itoa(total), strconv.Itoa(rate))
	out := output(t, cmd)
	out.Scan()
	cmd.Wait()
	var started int
	var nanos int64
	if _, err := fmt.Sscan(out.Text(), &started, &nanos); err != nil {
		t.Fatalf("storm said %q: %v", out.Text(), err)
	}
	if code := r.stop(os.Interrupt); code != 0 {
		t.Fatalf("exit code %d; want 0\n%s", code, &r.log)
	}
	s := p.status()
	info, err := os.Stat(filepath.Join(p.home, "monitor.db"))
	if err != nil {
		t.Fatal(err)
	}
	got := p.count("SELECT count(*) FROM process_events WHERE process_path = '%s'", program)
	ended := p.count("SELECT count(*) FROM process_events WHERE process_path = '%s' AND exit_code = 0", program)
	t.Logf("%d execs at %.0f/s; %.1f ms of CPU per 1,000 execs; peak memory %.1f MB; %.0f bytes of database and %.2f matches per exec; %+v",
		started, float64(started)/time.Duration(nanos).Seconds(), (s.CPU-idle.CPU)*1e6/float64(started),
		float64(s.Peak)/1e6, float64(info.Size())/float64(started), float64(p.count("SELECT sum(matches) FROM signal_counts"))/float64(started), s)
	if got != started || ended != started {
		t.Errorf("%d execs and %d ends in monitor.db of %d programs started", got, ended, started)
	}
	if s.KernelLost != 0 || s.SerialGaps != 0 || s.Overruns != 0 || s.Records.Malformed != 0 || s.Events.Dropped != 0 {
		t.Errorf("status %+v; want nothing lost", s)
	}
}
