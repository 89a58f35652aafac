// SPDX-License-Identifier: Apache-2.0

// This test lets rules of Sigma judge what happens on the live kernel. What it shares
// with others is in liverecord_linux_test.go and live_linux_test.go.

package audit_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// liveRules are rules with one place that names the folder that is watched: what a
// process is, what a record of an execve says under its own names, a word anywhere in
// a record, a file that is moved into place, and two of them in order.
const liveRules = `title: Live Process
id: 11111111-0000-4000-8000-000000000001
level: low
logsource: {product: linux, category: process_creation}
detection:
  selection:
    ParentImage|endswith: ['/sh', '/dash', '/bash']
    Image: '%[1]s/TOOL'
    CommandLine|endswith: 'two words'
    ProcessId|gt: 1
  filter:
    User: nobody-at-all
  condition: selection and not filter
---
title: Live Record
id: 11111111-0000-4000-8000-000000000002
name: live_record
level: medium
logsource: {product: linux, service: auditd}
detection:
  execve: {type: execve, a0: '%[1]s/tool', a1: 'two words'}
  condition: execve
---
title: Live Call
id: 11111111-0000-4000-8000-000000000003
level: medium
logsource: {product: linux, service: auditd}
detection:
  call: {type: SYSCALL, SYSCALL: execve, syscall: execve, exe: '%[1]s/tool', key: seismo}
  condition: call
---
title: Two Records At Once
id: 11111111-0000-4000-8000-000000000004
level: high
logsource: {product: linux, service: auditd}
detection:
  both: {a1: 'two words', exe: '%[1]s/tool'}
  condition: both
---
title: Live Words
id: 11111111-0000-4000-8000-000000000005
level: low
logsource: {product: linux, service: auditd}
detection:
  keywords: {'|all': ['two words', EXECVE]}
  condition: keywords
---
title: Live File
id: 11111111-0000-4000-8000-000000000006
name: live_file
level: low
logsource: {product: linux, category: file_rename}
detection:
  selection: {TargetFilename: '%[1]s/in place', SourceFilename|startswith: '%[1]s/'}
  condition: selection
---
title: Live Sequence
id: 11111111-0000-4000-8000-000000000007
level: high
correlation:
  type: temporal_ordered
  rules: [live_record, live_file]
  timespan: 1m
  generate: true
`

// Rules of Sigma fire on what people do while it is recorded, once for each event, with
// a proof that names what they saw; what asks for two records at once does not.
func TestLiveSigma(t *testing.T) {
	p := newProduct(t, live(t))
	rules := filepath.Join(t.TempDir(), "rules.yml")
	if err := os.WriteFile(rules, fmt.Appendf(nil, liveRules, p.root), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(p.bin, "compile", "--home", p.home, rules).CombinedOutput(); err != nil {
		t.Fatalf("seismo compile: %v\n%s", err, out)
	}
	r := p.record()
	tool := filepath.Join(p.root, "tool")
	script := fmt.Sprintf("cp /bin/true %[1]q; %[1]q 'two words'; %[1]q two words; echo x > '%[2]s/x'; mv '%[2]s/x' '%[2]s/in place'", tool, p.root)
	if out, err := exec.Command("/bin/sh", "-c", script).CombinedOutput(); err != nil {
		t.Fatalf("the commands that are to be recorded: %v\n%s", err, out)
	}
	if code := r.stop(os.Interrupt); code != 0 {
		t.Fatalf("exit code %d; want 0\n%s", code, &r.log)
	}
	// The words are in the script that the shell was given, too.
	want := map[string]struct {
		matches int
		terms   []string // of the proof of one of them, with the value
	}{
		"Live Process":        {2, []string{"CommandLine|endswith: 'two words' " + tool + " two words", "Image: '" + p.root + "/TOOL' " + tool}},
		"Live Record":         {1, []string{"type: 'execve' EXECVE", "a1: 'two words' two words"}},
		"Live Call":           {2, []string{"SYSCALL: 'execve' execve", "syscall: 'execve' execve", "key: 'seismo' seismo"}},
		"Two Records At Once": {0, nil},
		"Live Words":          {2, []string{"|all: 'EXECVE' EXECVE"}},
		"Live File":           {1, []string{"TargetFilename: '" + p.root + "/in place' " + p.root + "/in place"}},
		"Live Sequence":       {1, nil},
	}
	for name, w := range want {
		rows := p.query("SELECT proof FROM signal_matches WHERE signal_name = '" + name + "'")
		if len(rows) != w.matches {
			t.Errorf("%s: %d matches, want %d: %v", name, len(rows), w.matches, rows)
			continue
		}
		var proof []struct{ Text, Value string }
		if len(rows) > 0 {
			text, _ := rows[0]["proof"].(string)
			if err := json.Unmarshal([]byte(text), &proof); err != nil {
				t.Errorf("%s: proof %s: %v", name, text, err)
			}
		}
		var said []string
		for _, item := range proof {
			said = append(said, item.Text+" "+item.Value)
		}
		for _, term := range w.terms {
			if !strings.Contains("\n"+strings.Join(said, "\n")+"\n", "\n"+term+"\n") {
				t.Errorf("%s: the proof is\n%s\nwithout\n%s", name, strings.Join(said, "\n"), term)
			}
		}
	}
	p.nothingLost()
}
