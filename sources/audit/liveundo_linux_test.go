// SPDX-License-Identifier: Apache-2.0

package audit_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	libaudit "github.com/elastic/go-libaudit/v2"
	"github.com/elastic/go-libaudit/v2/rule"
	"seismo/internal/livelock"
	"seismo/sources/audit"
)

// Rules of others stay, whatever the recorder does to its own.
func TestLiveRulesOfOthersStay(t *testing.T) {
	o := live(t)
	foreign := addRule(t, livelock.OthersKey)
	r := record(t, o)
	if got := len(mustState(t).rules); got < 5 {
		t.Errorf("%d rules while recording, want ours beside the one of others", got)
	}
	r.end()
	if got := mustState(t).rules; len(got) != 1 || !slices.Equal(got[0], foreign) {
		t.Errorf("%d rules after recording, want the one of others", len(got))
	}
}

// A rule with our key that no undo file tells of is ours, and goes.
func TestLiveLeftoverRuleGoes(t *testing.T) {
	o := live(t)
	addRule(t, audit.RuleKey)
	r := record(t, o)
	r.end()
	if got := mustState(t).rules; len(got) != 0 {
		t.Errorf("%d rules after recording, want none", len(got))
	}
}

// Auditing that others have on is left alone.
func TestLiveForeignAuditingIsRefused(t *testing.T) {
	o := live(t)
	addRule(t, livelock.OthersKey)
	client, err := libaudit.NewAuditClient(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.SetEnabled(true, libaudit.WaitForReply); err != nil {
		t.Fatal(err)
	}
	o.Way = audit.WayUnicast
	_, err = audit.OpenKernel(o)
	if err := client.SetEnabled(false, libaudit.WaitForReply); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(err, audit.ErrForeign) {
		t.Errorf("OpenKernel = %v, want %v", err, audit.ErrForeign)
	}
	if _, err := os.Stat(o.UndoPath); !os.IsNotExist(err) {
		t.Errorf("the undo file is there though nothing changed: %v", err)
	}
}

// addRule adds a rule that never fires, until the test ends.
func addRule(t *testing.T, key string) []byte {
	t.Helper()
	wire, err := rule.Build(&rule.SyscallRule{Type: rule.AppendSyscallRuleType, List: "exit", Action: "always",
		Filters: []rule.FilterSpec{{Type: rule.ValueFilterType, LHS: "pid", Comparator: "=", RHS: "1"}},
		// The recorder's rules are for other calls.
		Syscalls: []string{"acct"}, Keys: []string{key}})
	if err != nil {
		t.Fatal(err)
	}
	client, err := libaudit.NewAuditClient(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := client.AddRule(wire); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.DeleteRule(wire) // fails where the recorder was to delete it
		client.Close()
	})
	listed := mustState(t).rules
	return listed[len(listed)-1]
}

// After SIGKILL the kernel is as it was once Undo has run, or once the next
// recorder has started and ended; while the first one lives, neither happens.
func TestLiveKilledRecorder(t *testing.T) {
	o := live(t)
	before := mustState(t).String()
	for _, how := range []string{"undo", "start again"} {
		t.Run(how, func(t *testing.T) {
			cmd := child(t, "record", o.UndoPath, o.Roots[0])
			out := output(t, cmd)
			if out.Scan(); out.Text() != "recording" {
				t.Fatalf("child said %q", out.Text())
			}
			if info, err := os.Stat(o.UndoPath); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("undo file: %v, %v, want mode 0600", info, err)
			}
			if _, err := audit.Undo(o.UndoPath); !errors.Is(err, audit.ErrRunning) {
				t.Errorf("Undo = %v while the recorder runs, want %v", err, audit.ErrRunning)
			}
			other := o
			other.UndoPath += ".other"
			other.Way = audit.WayUnicast
			if _, err := audit.OpenKernel(other); !errors.Is(err, audit.ErrHeld) ||
				!strings.Contains(err.Error(), fmt.Sprint(cmd.Process.Pid)) {
				t.Errorf("OpenKernel = %v while another has the role, want %v with process %d", err, audit.ErrHeld, cmd.Process.Pid)
			}
			cmd.Process.Kill()
			cmd.Wait()
			if got := mustState(t); got.status.Enabled != 1 || len(got.rules) == 0 {
				t.Errorf("state after SIGKILL:\n%s\nwant it as the recorder left it", got)
			}
			if how == "undo" {
				report, err := audit.Undo(o.UndoPath)
				if err != nil || report.Rules == 0 {
					t.Errorf("Undo = %+v, %v, want rules removed", report, err)
				}
				if again, err := audit.Undo(o.UndoPath); err != nil || !again.Nothing {
					t.Errorf("second Undo = %+v, %v, want nothing to do", again, err)
				}
			} else {
				r := record(t, o)
				if w := strings.Join(r.kernel.Warnings(), "\n"); !strings.Contains(w, "did not end by itself") {
					t.Errorf("warnings %q, want one about the recorder before", w)
				}
				r.end()
			}
			if got := mustState(t).String(); got != before {
				t.Errorf("state:\n%s\nwant as before:\n%s", got, before)
			}
			if _, err := os.Stat(o.UndoPath); !os.IsNotExist(err) {
				t.Errorf("undo file: %v, want it gone", err)
			}
		})
	}
}

// An undo file of another boot changes nothing and goes.
func TestLiveUndoFileOfAnotherBoot(t *testing.T) {
	o := live(t)
	r := record(t, o)
	content, err := os.ReadFile(o.UndoPath)
	r.end()
	if err != nil {
		t.Fatal(err)
	}
	var f map[string]any
	if err := json.Unmarshal(content, &f); err != nil {
		t.Fatal(err)
	}
	f["boot_id"] = "00000000-0000-4000-8000-000000000000"
	content, _ = json.Marshal(f)
	if err := os.WriteFile(o.UndoPath, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if report, err := audit.Undo(o.UndoPath); err != nil || !report.OtherBoot {
		t.Errorf("Undo = %+v, %v, want the file of another boot", report, err)
	}
}
