// SPDX-License-Identifier: Apache-2.0

// This file plans the audit rules of a recording: a pure function from what is
// wanted to the rules that the kernel gets. How they are loaded and taken away
// again is in undo_linux.go and install_linux.go.

package audit

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// RuleKey is the key that every rule of ours carries. Rules without it belong
// to others and are never touched. (A rule of the exclude list cannot carry a
// key, linux/kernel/auditsc.c audit_filter: that is why none is planned, not
// even to drop PROCTITLE.)
const RuleKey = "seismo"

// DefaultRoots returns the folders whose files are watched unless the settings
// name others. Not all of them exist on every host.
func DefaultRoots() []string {
	return []string{"/etc", "/usr", "/boot", "/root", "/home", "/opt", "/srv",
		"/var/spool", "/var/www", "/tmp", "/var/tmp", "/dev/shm"}
}

// RuleOptions say what the rules are planned for.
type RuleOptions struct {
	// Arch is the machine, by its GOARCH name.
	Arch string
	// Roots are the folders whose files are watched, as clean absolute paths
	// without symbolic links: the kernel does not follow the last one.
	Roots []string
	// Exclude are folders inside of a root in which changes are not recorded.
	Exclude []string
}

// RuleFilter is one condition of a rule, in the words of auditctl(8).
type RuleFilter struct{ Field, Op, Value string }

// Rule is one audit rule for the list exit, in the words of auditctl(8).
type Rule struct {
	Action   string // always or never
	First    bool   // goes in front of the rules that are there
	Filters  []RuleFilter
	Syscalls []string // names on the rule's architecture; none stands for all
}

// String returns the rule as auditctl(8) takes it. Paths are not quoted.
func (r Rule) String() string {
	var b strings.Builder
	if r.First {
		b.WriteString("-A ")
	} else {
		b.WriteString("-a ")
	}
	b.WriteString(r.Action + ",exit")
	for _, f := range r.Filters {
		b.WriteString(" -F " + f.Field + f.Op + f.Value)
	}
	if len(r.Syscalls) > 0 {
		b.WriteString(" -S " + strings.Join(r.Syscalls, ","))
	}
	b.WriteString(" -k " + RuleKey)
	return b.String()
}

// abi is one system call interface of a machine.
type abi struct {
	arch    string // b64 or b32
	sockets []string
	// multiplexed says that programs may also reach the socket calls through
	// socketcall(2), which has the call's number as its first argument.
	multiplexed bool
}

// machineABIs returns the system call interfaces of the machine called by its
// GOARCH name. Every 64-bit one comes with the 32-bit one that the kernel may
// offer beside it: a rule for one never sees the calls of the other.
func machineABIs(arch string) ([]abi, error) {
	calls := []string{"connect", "accept", "accept4", "bind", "listen"}
	// i386 has no call of its own for accept (arch/x86/entry/syscalls/syscall_32.tbl).
	i386 := abi{arch: "b32", sockets: []string{"connect", "accept4", "bind", "listen"}, multiplexed: true}
	switch arch {
	case "amd64":
		return []abi{{arch: "b64", sockets: calls}, i386}, nil
	case "386":
		return []abi{i386}, nil
	case "arm64":
		return []abi{{arch: "b64", sockets: calls}, {arch: "b32", sockets: calls}}, nil
	case "arm":
		return []abi{{arch: "b32", sockets: calls}}, nil
	}
	return nil, fmt.Errorf("plan audit rules: architecture %q is not supported", arch)
}

// PlanRules returns the rules for o in the order they are to be loaded: what is
// left out first, since the kernel takes the first rule that meets a call.
// The error says which root or exclusion cannot be used.
//
// Programs started, connections made and taken, and files changed are asked
// for. Of socket(2) only the internet families are: their protocol is told by
// nothing else, while every other family names itself in its address.
func PlanRules(o RuleOptions) ([]Rule, error) {
	abis, err := machineABIs(o.Arch)
	if err != nil {
		return nil, err
	}
	roots, err := planRoots(o.Roots)
	if err != nil {
		return nil, err
	}
	var rules []Rule
	for _, dir := range o.Exclude {
		if err := checkDir(dir); err != nil {
			return nil, err
		}
		// A root that lies inside the excluded folder would be blinded by it.
		if slices.ContainsFunc(roots, func(root string) bool { return inside(dir, root) && dir != root }) {
			rules = append(rules, Rule{Action: "never", First: true, Filters: watchFilters(dir)})
		}
	}
	for _, a := range abis {
		rules = append(rules, a.rules()...)
	}
	for _, root := range roots {
		rules = append(rules, Rule{Action: "always", Filters: watchFilters(root)})
	}
	return rules, nil
}

// rules returns the rules for programs and sockets on one interface.
func (a abi) rules() []Rule {
	on := func(calls []string, more ...RuleFilter) Rule {
		return Rule{Action: "always", Syscalls: calls,
			Filters: append([]RuleFilter{{"arch", "=", a.arch}}, more...)}
	}
	rules := []Rule{
		on([]string{"execve", "execveat"}),
		on(a.sockets),
		on([]string{"socket"}, RuleFilter{"a0", "=", "2"}),  // AF_INET
		on([]string{"socket"}, RuleFilter{"a0", "=", "10"}), // AF_INET6
	}
	if a.multiplexed {
		// socket, bind, connect, listen and accept are 1 to 5, accept4 is 18
		// (include/uapi/linux/net.h); what lies between sends and receives.
		rules = append(rules,
			on([]string{"socketcall"}, RuleFilter{"a0", "<=", "5"}),
			on([]string{"socketcall"}, RuleFilter{"a0", "=", "18"}))
	}
	return rules
}

// watchFilters are the conditions for a change of a file, or of the attributes
// of a file, anywhere below dir. Without an architecture they hold for all.
func watchFilters(dir string) []RuleFilter {
	return []RuleFilter{{"dir", "=", dir}, {"perm", "=", "wa"}}
}

// planRoots returns roots without those that lie inside another, in order.
func planRoots(roots []string) ([]string, error) {
	for _, r := range roots {
		if err := checkDir(r); err != nil {
			return nil, err
		}
		if inside(r, "/proc") || inside(r, "/sys") {
			return nil, fmt.Errorf("plan audit rules: root %q: nothing below /proc and /sys is a file", r)
		}
	}
	sorted := slices.Clone(roots)
	slices.SortFunc(sorted, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	})
	var kept []string
	for _, r := range sorted {
		if !slices.ContainsFunc(kept, func(k string) bool { return inside(r, k) }) {
			kept = append(kept, r)
		}
	}
	slices.Sort(kept)
	return kept, nil
}

// maxRulePath is the longest path that a rule takes (PATH_MAX less its NUL).
const maxRulePath = 4095

func checkDir(dir string) error {
	var err error
	switch {
	case !strings.HasPrefix(dir, "/"):
		err = errors.New("the path is not absolute")
	case path.Clean(dir) != dir:
		err = errors.New("the path is not clean")
	case len(dir) > maxRulePath:
		err = fmt.Errorf("the path has %d bytes, the kernel takes %d", len(dir), maxRulePath)
	case strings.IndexByte(dir, 0) >= 0:
		err = errors.New("the path holds a zero byte")
	default:
		return nil
	}
	return fmt.Errorf("plan audit rules: folder %.80q: %w", dir, err)
}

// inside reports whether p is dir or lies below it; both are clean.
func inside(p, dir string) bool {
	return p == dir || dir == "/" || strings.HasPrefix(p, dir) && p[len(dir)] == '/'
}
