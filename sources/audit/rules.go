// SPDX-License-Identifier: Apache-2.0

// This file holds what an audit rule is, and which folders one can be about. Which
// rules a recording needs is decided in plan.go; how they are loaded and taken away
// again is in undo_linux.go and install_linux.go.

package audit

import (
	"errors"
	"fmt"
	"path"
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

// RuleFilter is one condition of a rule, in the words of auditctl(8).
type RuleFilter struct{ Field, Op, Value string }

// uringList is the list of rules on what io_uring does for a program, as auditctl(8)
// calls it since 3.1.
const uringList = "io_uring"

// Rule is one audit rule, in the words of auditctl(8).
type Rule struct {
	Action   string // always or never
	List     string // empty stands for exit; else io_uring
	First    bool   // goes in front of the rules that are there
	Filters  []RuleFilter
	Syscalls []string // names on the rule's architecture, operations on the list io_uring; none stands for all
	Why      []string // settings and signals that it is for

	numbers []uint32 // of Syscalls
}

// String returns the rule as auditctl(8) takes it. Paths are not quoted.
func (r Rule) String() string {
	var b strings.Builder
	if r.First {
		b.WriteString("-A ")
	} else {
		b.WriteString("-a ")
	}
	list := "exit"
	if r.List != "" {
		list = r.List
	}
	b.WriteString(r.Action + "," + list)
	for _, f := range r.Filters {
		b.WriteString(" -F " + f.Field + f.Op + f.Value)
	}
	if len(r.Syscalls) > 0 {
		b.WriteString(" -S " + strings.Join(r.Syscalls, ","))
	}
	b.WriteString(" -k " + RuleKey)
	return b.String()
}

// watchFilters are the conditions for a change of a file, or of the attributes
// of a file, anywhere below dir. Without an architecture they hold for all.
func watchFilters(dir string) []RuleFilter {
	return []RuleFilter{{"dir", "=", dir}, {"perm", "=", "wa"}}
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
