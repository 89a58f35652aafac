// SPDX-License-Identifier: Apache-2.0

package audit_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	sys "syscall"
	"testing"
	"time"
)

const recallSignals = `
- id: 7f2f4d3c-3f0e-4a57-8a51-6f7d1c1b0001
  name: two steps
  severity: medium
  signal: file.path is '%[1]s/first' AND file.path is '%[1]s/second'
- id: 7f2f4d3c-3f0e-4a57-8a51-6f7d1c1b0002
  name: below a script
  severity: medium
  signal: file.path is '%[1]s/second' AND process.ancestry_command_line is '/bin/sh %[1]s/outer.sh'
`

// A recorder is killed between the first and the second step of a signal, some time
// after it wrote its memory, and the script that started the process has ended. The
// next recorder fires on the second step, with the first in its proof, and finds the
// script among the ancestors.
func TestLiveRecordKilledBetweenSteps(t *testing.T) {
	p := newProduct(t, live(t))
	write := func(name, content string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(content), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	at := func(name string) string { return filepath.Join(p.root, name) }
	rules := filepath.Join(p.home, "two.yml")
	write(rules, fmt.Sprintf(recallSignals, p.root))
	if out, err := exec.Command(p.bin, "compile", "--home", p.home, rules).CombinedOutput(); err != nil {
		t.Fatalf("seismo compile: %v\n%s", err, out)
	}
	write(at("outer.sh"), fmt.Sprintf("/bin/sh %s/inner.sh </dev/null >/dev/null 2>&1 &\nexit 0\n", p.root))
	write(at("inner.sh"), fmt.Sprintf("cd %s; read x < one; echo > first; read x < two; echo > second; read x < three\n", p.root))
	for _, name := range []string{"one", "two", "three"} {
		if err := sys.Mkfifo(at(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	step := func(name string) {
		t.Helper()
		f, err := os.OpenFile(at(name), os.O_WRONLY, 0) // waits for the script
		if err == nil {
			_, err = f.WriteString("go\n")
			f.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	r := p.record()
	if out, err := exec.Command("/bin/sh", at("outer.sh")).CombinedOutput(); err != nil {
		t.Fatalf("outer.sh: %v %s", err, out)
	}
	p.waitFor("SELECT count(*) FROM process_events WHERE process_command_line LIKE '%/inner.sh'")
	if code := r.stop(os.Interrupt); code != 0 { // it writes its memory
		t.Fatalf("exit code %d; want 0\n%s", code, &r.log)
	}
	r = p.record()
	time.Sleep(5 * time.Second)
	step("one")
	p.waitFor("SELECT count(*) FROM file_events WHERE file LIKE '%/first'")
	r.stop(sys.SIGKILL)
	r = p.record()
	step("two")
	p.waitFor("SELECT count(*) FROM file_events WHERE file LIKE '%/second'")
	step("three")
	if code := r.stop(os.Interrupt); code != 0 {
		t.Fatalf("exit code %d; want 0\n%s", code, &r.log)
	}
	for name, proof := range map[string]string{"two steps": at("first"), "below a script": "outer.sh"} {
		if n := p.count("SELECT count(*) FROM signal_matches WHERE signal_name = '%s' AND proof LIKE '%%%s%%'", name, proof); n != 1 {
			t.Errorf("%q fired %d times with %s in its proof; want once\nmatches %v\nthe recorder said:\n%s", name, n, proof,
				p.query("SELECT signal_name, proof FROM signal_matches"), &r.log)
		}
	}
	if log := r.log.String(); strings.Contains(log, "is lost") || strings.Contains(log, "not all that was recorded") {
		t.Errorf("the recorder says that something is lost:\n%s", log)
	}
}
