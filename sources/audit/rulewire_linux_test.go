// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/elastic/go-libaudit/v2/rule"
)

// Where go-libaudit knows all calls of a rule it builds the same bytes: its tables and
// ours are two ways to the same numbers.
func TestRulesAreBuiltAsByLibaudit(t *testing.T) {
	p, err := PlanRules(RuleOptions{Arch: "amd64", Monitor: Monitor{Network: true, Files: true}, Roots: []string{"/etc"},
		Calls: names("sethostname", "setuid", "ptrace", "mount", "init_module", "memfd_create", "chown")})
	if err != nil {
		t.Fatal(err)
	}
	built, err := buildRules(p.Rules)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range p.Rules {
		spec := &rule.SyscallRule{Type: rule.AppendSyscallRuleType, List: "exit", Action: r.Action, Syscalls: r.Syscalls, Keys: []string{RuleKey}}
		for _, f := range r.Filters {
			spec.Filters = append(spec.Filters, rule.FilterSpec{Type: rule.ValueFilterType, LHS: f.Field, Comparator: f.Op, RHS: f.Value})
		}
		want, err := rule.Build(spec)
		if err != nil || !bytes.Equal(built[i].Wire, want) {
			t.Errorf("%s: %v; not the bytes that go-libaudit makes", r, err)
		}
	}
}

// Calls that go-libaudit does not know, and the list of io_uring, are in the wire form;
// what a mask cannot hold is refused.
func TestFinishWire(t *testing.T) {
	tests := []struct {
		name string
		rule Rule
		list uint32
		bits []uint32
		ok   bool
	}{
		{"a new call", Rule{Action: "always", Syscalls: []string{"setxattrat"}, numbers: []uint32{463}}, wireExitList, []uint32{463}, true},
		{"io_uring", Rule{Action: "always", List: uringList, Syscalls: []string{"connect", "openat"}, numbers: []uint32{16, 18}}, wireUringList, []uint32{16, 18}, true},
		{"in front", Rule{Action: "never", First: true, Syscalls: []string{"x"}, numbers: []uint32{maxCall - 1}}, wireExitList | wirePrepend, []uint32{maxCall - 1}, true},
		{"too large a number", Rule{Action: "always", Syscalls: []string{"x"}, numbers: []uint32{maxCall}}, 0, nil, false},
		{"a name without a number", Rule{Action: "always", Syscalls: []string{"x"}}, 0, nil, false},
	}
	for _, tt := range tests {
		built, err := buildRules([]Rule{tt.rule})
		if (err == nil) != tt.ok {
			t.Errorf("%s: buildRules: %v; want success %v", tt.name, err, tt.ok)
		}
		if err != nil {
			continue
		}
		wire := built[0].Wire
		want := make([]byte, wireFields-wireMask)
		for _, n := range tt.bits {
			at := want[n/32*4:]
			binary.NativeEndian.PutUint32(at, binary.NativeEndian.Uint32(at)|1<<(n%32))
		}
		if got := binary.NativeEndian.Uint32(wire); got != tt.list || !bytes.Equal(wire[wireMask:wireFields], want) || !isOurs(wire) {
			t.Errorf("%s: list and place %#x, mask %x; want %#x, %x", tt.name, got, wire[wireMask:wireFields], tt.list, want)
		}
	}
}
