// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"seismo/engine"
	"seismo/internal/event"
	"seismo/signals"
)

func TestTheLockIsHeldByOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "seismo.lock")
	if got := Holder(path); got != "" {
		t.Errorf("Holder before anybody was there = %q; want none", got)
	}
	unlock, err := lock(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := Holder(path), strconv.Itoa(os.Getpid()); got != want {
		t.Errorf("Holder = %q; want our pid %s", got, want)
	}
	if _, err := lock(path); !errors.Is(err, ErrRunning) || !strings.Contains(err.Error(), strconv.Itoa(os.Getpid())) {
		t.Errorf("a second lock: %v; want ErrRunning with the holder's pid", err)
	}
	unlock()
	if got := Holder(path); got != "" {
		t.Errorf("Holder after the lock was given up = %q; want none", got)
	}
	unlock, err = lock(path) // the file is there, the lock is not
	if err != nil {
		t.Fatalf("lock after the first was given up: %v", err)
	}
	unlock()
}

func TestTheLockFileIsNotFollowed(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "target")
	if err := os.WriteFile(target, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "seismo.lock")
	if err := os.Symlink(target, path); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	if unlock, err := lock(path); err == nil {
		unlock()
		t.Error("lock followed a symbolic link")
	}
	if got, _ := os.ReadFile(target); string(got) != "precious" {
		t.Errorf("the target of the link holds %q", got)
	}
}

func TestUrgent(t *testing.T) {
	program := func(severity string) *engine.Program {
		defs, err := signals.ParseFile("x.yml", []byte("id: 7f2f4d3c-3f0e-4a57-8a51-6f7d1c1b0001\nname: x\nseverity: "+severity+"\nsignal: file.path is '/x'\n"))
		if err != nil {
			t.Fatal(err)
		}
		set, err := signals.Lower(defs)
		if err != nil {
			t.Fatal(err)
		}
		p, err := engine.Build(set)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	tests := []struct {
		name     string
		severity string
		kind     event.Kind
		op       event.Op
		tagged   bool
		want     bool
	}{
		{"an event without a match waits", "critical", event.KindFile, event.OpWrite, false, false},
		{"a match of medium severity waits", "medium", event.KindFile, event.OpWrite, true, false},
		{"a match of high severity does not", "high", event.KindFile, event.OpWrite, true, true},
		{"a change of privilege does not", "low", event.KindSecurity, event.OpPrivilege, false, true},
		{"a change of the audit configuration does not", "low", event.KindSecurity, event.OpPolicy, false, true},
		{"a logon waits", "low", event.KindSecurity, event.OpLogon, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := event.NewBatch(1)
			e := b.Add(tt.kind, tt.op)
			if tt.tagged {
				e.Tags = append(e.Tags, event.Tag{Signal: 0})
			}
			var u urgency
			u.set(program(tt.severity))
			if got := u.urgent(b); got != tt.want {
				t.Errorf("urgent = %v; want %v", got, tt.want)
			}
		})
	}
}
