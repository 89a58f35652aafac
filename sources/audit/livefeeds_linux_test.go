// SPDX-License-Identifier: Apache-2.0

// These tests take the records from a real auditd: as its plugin, in each form that it
// hands them on in, and from the log that it writes and rotates.

package audit_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// eventually waits until done.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !done(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

// settings writes recorder.json of p.
func (p *product) settings(more map[string]any) {
	p.t.Helper()
	all := map[string]any{"fileRoots": []string{p.root}, "watchSignalPaths": false, "monitorDNS": false}
	for k, v := range more {
		all[k] = v
	}
	text, _ := json.Marshal(all)
	if err := os.WriteFile(filepath.Join(p.home, "recorder.json"), text, 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// runAll runs program n times, with a number each, and checks that each is in monitor.db
// once, with its end.
func (p *product) runAll(program string, n int) {
	p.t.Helper()
	for i := range n {
		if err := exec.Command(program, fmt.Sprintf("nr%05d", i)).Run(); err != nil {
			p.t.Fatal(err)
		}
	}
	const sql = "SELECT count(DISTINCT process_command_line) FROM process_events WHERE process_path = '%s' AND exit_code = 0"
	eventually(p.t, fmt.Sprintf("%d programs and their ends are stored", n), func() bool { return p.count(sql, program) == n })
	if got := p.count("SELECT count(*) FROM process_events WHERE process_path = '%s' AND operation = 'create'", program); got != n {
		p.t.Errorf("%d starts stored of %d programs", got, n)
	}
}

func TestLivePlugin(t *testing.T) {
	for _, form := range []struct{ name, format, log string }{
		{"binary", "binary", "RAW"}, {"binary, enriched", "binary", "ENRICHED"}, {"string", "string", "RAW"}, {"string, enriched", "string", "ENRICHED"},
	} {
		t.Run(form.name, func(t *testing.T) {
			p := newProduct(t, live(t))
			program := noop(t)
			p.settings(nil)
			dir := t.TempDir()
			said := filepath.Join(dir, "recorder.log")
			// auditd hands on two arguments at most, and no environment that could be relied on.
			plugin := filepath.Join(dir, "plugin")
			script := fmt.Sprintf("#!/bin/sh\necho $$ > '%[2]s.pid'\nexec '%[1]s' record --source plugin --home '%[3]s' 2>> '%[2]s'\n", p.bin, said, p.home)
			if err := os.WriteFile(plugin, []byte(script), 0o750); err != nil {
				t.Fatal(err)
			}
			stop := auditdIn(t, dir, "write_logs = no\nlog_format = "+form.log+"\n",
				"active = yes\ndirection = out\npath = "+plugin+"\ntype = always\nformat = "+form.format+"\n")
			gone := func() bool {
				pid, err := os.ReadFile(said + ".pid")
				if err != nil {
					return true
				}
				_, err = os.Stat("/proc/" + strings.TrimSpace(string(pid)))
				return err != nil
			}
			t.Cleanup(func() { stop(); eventually(t, "the recorder has ended", gone) }) // it has rules to take back
			log := func() string { text, _ := os.ReadFile(said); return string(text) }
			eventually(t, "the recorder records as a plugin", func() bool { return strings.Contains(log(), `"recording"`) })
			t.Cleanup(func() {
				if t.Failed() {
					t.Logf("the recorder said:\n%s", log())
				}
			})
			p.runAll(program, 100)
			stop()
			eventually(t, "the recorder has ended with auditd", func() bool { return strings.Contains(log(), `"stopped"`) })
			eventually(t, "its process is gone", gone)
			s := p.status()
			if s.SerialGaps != 0 || s.Records.Malformed != 0 || s.Events.Dropped != 0 {
				t.Errorf("status %+v; want nothing lost\n%s", s, log())
			}
			if n := p.count("SELECT count(*) FROM file_events WHERE file LIKE '%s%%'", p.home); n != 0 {
				t.Errorf("%d events of the recorder's own files", n)
			}
		})
	}
}

// The log of auditd is followed over its rotations: every program is recorded once.
func TestLiveFollowLog(t *testing.T) {
	p := newProduct(t, live(t))
	program := noop(t)
	dir := t.TempDir()
	log := filepath.Join(dir, "audit.log")
	p.settings(map[string]any{"source": "log:" + log})
	stop := auditdIn(t, dir, "write_logs = yes\nlog_format = RAW\nflush = NONE\nmax_log_file = 1\nnum_logs = 9\nmax_log_file_action = ROTATE\n", "")
	r := p.record()
	p.runAll(program, 2500)
	if _, err := os.Stat(log + ".1"); err != nil {
		t.Errorf("the log was not rotated: %v", err)
	}
	if code := r.stop(os.Interrupt); code != 0 {
		t.Errorf("exit code %d; want 0\n%s", code, &r.log)
	}
	stop()
	if s := p.status(); s.SerialGaps != 0 || s.Records.Malformed != 0 || s.Events.Dropped != 0 {
		t.Errorf("status %+v; want nothing lost\n%s", s, &r.log)
	}
}
