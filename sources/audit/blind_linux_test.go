// SPDX-License-Identifier: Apache-2.0

package audit_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	sys "syscall"
	"testing"

	"seismo/internal/event"
	"seismo/sources/audit"
)

// nobody is the number of the user and the group without rights.
const nobody = 65534

// A plugin that leaves the rules alone needs no right: it has the events of what auditd
// hands on, says what it can not know, and what one left that was killed is no obstacle.
// One that is to load rules is refused.
func TestPluginWithoutRights(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("NOT RUN, needs root to become somebody without rights")
	}
	home := t.TempDir()
	for dir := home; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(home, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	undo := filepath.Join(home, "audit_undo.json")
	tests := []struct {
		name, rules, want string
		left              bool // the undo file afterwards
	}{
		{"killed", "leave,kill", "", true},
		{"the next one", "leave", "events true, unknown true, undo <nil>\n", false},
		{"with rules of its own", "load", "missing privilege true\n", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			records, err := os.Open("testdata/recorded.log")
			if err != nil {
				t.Fatal(err)
			}
			defer records.Close()
			cmd := child(t, "plugin", undo, tt.rules)
			var out strings.Builder
			cmd.Stdout = &out
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			cmd.SysProcAttr = &sys.SysProcAttr{Credential: &sys.Credential{Uid: nobody, Gid: nobody}}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			_, err = io.Copy(in, records)
			if errors.Is(err, sys.EPIPE) {
				err = nil // it has ended
			}
			if err = errors.Join(err, in.Close()); err != nil {
				t.Error(err)
			}
			err = cmd.Wait()
			if out.String() != tt.want {
				t.Errorf("it said %q, %v; want %q", out.String(), err, tt.want)
			}
			if _, err := os.Stat(undo); (err == nil) != tt.left {
				t.Errorf("undo file: %v; want it there: %v", err, tt.left)
			}
		})
	}
}

// childPlugin records what is on standard input: undo file args[0]; args[1] says what
// about rules, and whether it is killed at the end.
func childPlugin(args []string) error {
	feed, err := audit.OpenPlugin(os.Stdin)
	if err != nil {
		return err
	}
	how, kill := strings.CutSuffix(args[1], ",kill")
	k, err := audit.OpenKernel(audit.KernelOptions{UndoPath: args[0], Feed: feed, LeaveRules: how == "leave"})
	if err != nil {
		fmt.Println("missing privilege", errors.Is(err, audit.ErrPrivilege))
		return nil
	}
	events := 0
	for err == nil {
		b := event.NewBatch(64)
		err = k.Read(context.Background(), b)
		if events += b.Len(); kill && events > 0 {
			return sys.Kill(os.Getpid(), sys.SIGKILL)
		}
	}
	if !errors.Is(err, io.EOF) {
		return err
	}
	unknown := k.State().Unknown
	said := strings.Contains(strings.Join(k.Warnings(), "\n"), unknown)
	err = k.Close()
	fmt.Printf("events %v, unknown %v, undo %v\n", events > 10, unknown != "" && said, err)
	return nil
}
