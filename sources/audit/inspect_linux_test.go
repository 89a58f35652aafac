// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/elastic/go-libaudit/v2/rule"
	"pgregory.net/rapid"

	"seismo/internal/event"
)

// What rules see is worked out from their form in the kernel: the same as was planned.
func TestRulesInForceSeeWhatWasPlanned(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := someDemand(t)
		o.Arch, o.Monitor.Security = "amd64", true
		p := mustPlan(t, o)
		built, err := buildRules(p.Rules)
		if err != nil {
			t.Fatal(err)
		}
		var wires [][]byte
		for _, b := range built {
			wires = append(wires, normalWire(b.Wire))
		}
		f, err := readRules("amd64", wires)
		if err != nil {
			t.Fatal(err)
		}
		got, want := f.Sees, p.Sees
		if got.Kinds != want.Kinds || !slices.Equal(got.Folders, want.Folders) || !slices.Equal(got.Calls, want.Calls) ||
			!slices.Equal(got.Partly, want.Partly) || got.FailedOnly != want.FailedOnly {
			t.Errorf("rules %s\nsee %+v; want %+v", ruleTexts(p.Rules), got, want)
		}
		for _, r := range f.Rules {
			if !r.Ours || r.Text == "" {
				t.Errorf("rule %q is not taken for ours", r.Text)
			}
		}
		missing, err := f.Missing(p)
		surplus, err2 := f.Surplus(p)
		if len(missing) > 0 || len(surplus) > 0 || err != nil || err2 != nil {
			t.Errorf("missing %v, surplus %v, %v, %v; want none", missing, surplus, err, err2)
		}
	})
}

// Calls that failed are of kind syscall, whatever they are otherwise: rules of others may
// leave them out.
func TestRulesInForceSeeFailedCalls(t *testing.T) {
	syscalls := event.SetOf(event.KindSyscall)
	tests := []struct {
		name   string
		rule   rule.SyscallRule
		kinds  event.KindSet
		failed bool
	}{
		{"every exec", rule.SyscallRule{Syscalls: []string{"execve"}}, syscalls, true},
		{"those that succeed", rule.SyscallRule{Syscalls: []string{"execve"}, Filters: []rule.FilterSpec{
			{Type: rule.ValueFilterType, LHS: "success", Comparator: "=", RHS: "1"}}}, 0, false},
		{"those that do not fail", rule.SyscallRule{Syscalls: []string{"execve"}, Filters: []rule.FilterSpec{
			{Type: rule.ValueFilterType, LHS: "success", Comparator: "!=", RHS: "0"}}}, 0, false},
		{"those that fail", rule.SyscallRule{Syscalls: []string{"execve"}, Filters: []rule.FilterSpec{
			{Type: rule.ValueFilterType, LHS: "success", Comparator: "=", RHS: "0"}}}, syscalls, true},
		{"a call without a kind of its own", rule.SyscallRule{Syscalls: []string{"ptrace"}}, syscalls, false},
	}
	for _, tt := range tests {
		r := tt.rule
		r.Type, r.List, r.Action = rule.AppendSyscallRuleType, "exit", "always"
		r.Filters = append([]rule.FilterSpec{{Type: rule.ValueFilterType, LHS: "arch", Comparator: "=", RHS: "x86_64"}}, r.Filters...)
		wire, err := rule.Build(&r)
		if err != nil {
			t.Fatal(err)
		}
		f, err := readRules("amd64", [][]byte{wire})
		if got := f.Sees; err != nil || got.Kinds&syscalls != tt.kinds || got.FailedOnly != tt.failed {
			t.Errorf("%s: sees %+v, %v; want of syscalls %b, only failed %v", tt.name, got, err, tt.kinds, tt.failed)
		}
	}
}

// Rules that go-libaudit has no words for are shown all the same, and a never rule on
// a folder not as a watch of it.
func TestRulesInForceAreShown(t *testing.T) {
	p, err := PlanRules(RuleOptions{Arch: "amd64", Calls: names("setxattrat", "io_uring_socket"), Uring: true,
		Monitor: Monitor{Files: true}, Roots: []string{"/var"}, Exclude: []string{"/var/lib/seismo"}})
	if err != nil {
		t.Fatal(err)
	}
	built, err := buildRules(p.Rules)
	if err != nil {
		t.Fatal(err)
	}
	wires := [][]byte{[]byte("no rule")}
	for _, b := range built {
		wires = append(wires, b.Wire)
	}
	f, err := readRules("amd64", wires)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"-a never,list 0", "-a never,exit -F dir=/var/lib/seismo -F perm=wa -k seismo",
		"-a always,exit -F arch=b64 -S execve,execveat,setxattrat -k seismo",
		"-a always,exit -F arch=b32 -S execve,execveat,setxattrat -k seismo", "-a always,io_uring -S socket -k seismo", "-w /var -p wa -k seismo"}
	for i, r := range f.Rules {
		if r.Text != want[i] {
			t.Errorf("rule %d: %q; want %q", i, r.Text, want[i])
		}
	}
}

// Whatever bytes the kernel would give for a rule, nothing is read beyond them.
func FuzzParseWire(f *testing.F) {
	p, err := PlanRules(RuleOptions{Arch: "amd64", Monitor: MonitorAll(), Roots: []string{"/etc"}, Uring: true})
	if err != nil {
		f.Fatal(err)
	}
	built, err := buildRules(p.Rules)
	if err != nil {
		f.Fatal(err)
	}
	for _, b := range built {
		f.Add([]byte(b.Wire))
	}
	long := slices.Clone(built[0].Wire)
	binary.NativeEndian.PutUint32(long[8:], 1<<31)
	f.Add(long)
	f.Fuzz(func(t *testing.T, wire []byte) {
		r, ok := parseWire(wire)
		total := 0
		for _, dir := range r.folders {
			total += len(dir)
		}
		if total > len(wire) || ok && len(r.mask) != 64*4 {
			t.Errorf("parseWire: %d bytes of folders of %d, mask of %d", total, len(wire), len(r.mask))
		}
		if _, err := readRules("amd64", [][]byte{wire}); err != nil {
			t.Errorf("readRules: %v", err)
		}
	})
}

func TestMulticastListeners(t *testing.T) {
	const list = `sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode
00000000845a3205 0   0          00000001 0        0        0     2        0        4
0000000070ce1e62 9   0          00000000 0        0        0     2        0        486
000000005d585e22 9   4000000001 00000001 0        0        0     2        0        488
short 9
`
	if got := multicastListeners(strings.NewReader(list)); !slices.Equal(got, []string{"port 4000000001"}) {
		t.Errorf("multicastListeners = %q; want the one that has joined a group of protocol 9", got)
	}
}

func TestInspectionFindings(t *testing.T) {
	settings := func(enabled, failure, backlog, wait uint32) map[string]uint32 {
		return map[string]uint32{settingEnabled: enabled, settingFailure: failure, settingBacklog: backlog, settingWaitTime: wait}
	}
	self := uint32(os.Getpid())
	tests := []struct {
		name   string
		look   func(*Inspection)
		want   []string // of the findings, a part of each
		factly string
	}{
		{"nobody has the role: limits are set when recording", func(in *Inspection) { in.status(auditStatus{settings: settings(0, 1, 64, 15000)}, 0) }, nil, "nobody has"},
		{"we have it", func(in *Inspection) { in.status(auditStatus{PID: self, settings: settings(1, 0, 65536, 0)}, int(self)) }, nil, "the recorder has"},
		{"somebody else, with small limits", func(in *Inspection) { in.status(auditStatus{PID: self, settings: settings(1, 2, 64, 15000)}, 0) },
			[]string{"holds 64 records", "backlog_wait_time is 15000", "failure is 2"}, "has the audit role"},
		{"somebody who is gone", func(in *Inspection) { in.status(auditStatus{PID: 1<<31 - 1, settings: settings(1, 1, 8192, 0)}, 0) }, []string{"is gone"}, ""},
		{"locked", func(in *Inspection) { in.status(auditStatus{settings: settings(2, 1, 64, 0)}, 0) }, []string{"locked until the next boot"}, ""},
		{"off in the hands of others", func(in *Inspection) { in.status(auditStatus{PID: self, settings: settings(0, 1, 8192, 0)}, 0) }, []string{"auditing is off"}, ""},
		{"no rules to leave", func(in *Inspection) { in.rules(nil, auditStatus{}, true) }, []string{"auditRules is leave"}, "0 audit rules"},
		{"never,task", func(in *Inspection) {
			wire := make([]byte, wireHeader)
			binary.NativeEndian.PutUint32(wire, wireTaskList)
			in.rules([][]byte{wire}, auditStatus{}, false)
		}, []string{"-a never,task"}, "1 audit rules are in force, 0"},
		{"audit=1", func(in *Inspection) { in.bootLine("ro quiet audit=0 audit=1") }, nil, "every process"},
		{"audit=0", func(in *Inspection) { in.bootLine("audit=0") }, []string{"audit=0"}, ""},
		{"nothing said", func(in *Inspection) { in.bootLine("quiet noaudit=1") }, []string{"leave no records"}, ""},
		{"no connector", func(in *Inspection) { in.connector("Name ID\n") }, []string{"no process events"}, ""},
		{"no undo file", func(in *Inspection) { in.undoFile(filepath.Join(t.TempDir(), "none")) }, nil, ""},
		{"a damaged undo file", func(in *Inspection) {
			path := filepath.Join(t.TempDir(), "undo.json")
			if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
				t.Fatal(err)
			}
			in.undoFile(path)
		}, []string{"undo"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var in Inspection
			tt.look(&in)
			ok := len(in.Findings) == len(tt.want)
			for i := range tt.want {
				ok = ok && strings.Contains(in.Findings[i].What, tt.want[i]) && in.Findings[i].Next != ""
			}
			if facts := strings.Join(in.Facts, "\n"); !ok || !strings.Contains(facts, tt.factly) {
				t.Errorf("findings %q, facts %q; want %q, a fact with %q", in.Findings, in.Facts, tt.want, tt.factly)
			}
		})
	}
}
