// SPDX-License-Identifier: Apache-2.0

// This file tells how the kernel's audit system is set up. The socket that it asks over
// is in netlink_linux.go.

package livelock

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// State is how the kernel's audit system is set up.
type State struct {
	Enabled uint32   `json:"enabled"`
	Failure uint32   `json:"failure"`
	PID     uint32   `json:"pid"` // who has the role; it may have ended
	Rate    uint32   `json:"rate_limit"`
	Backlog uint32   `json:"backlog_limit"`
	Wait    uint32   `json:"backlog_wait_time"`
	Rules   [][]byte `json:"rules"` // in the kernel's form and order
	Lost    uint32   `json:"-"`     // records that were dropped since the boot; it is no setting
}

// Read asks the kernel. Where it refuses, the error wraps a [syscall.Errno].
func Read() (State, error) {
	c, err := dial()
	if err != nil {
		return State{}, err
	}
	defer c.close()
	return c.state()
}

// Same reports whether all that is set up is the same.
func (s State) Same(o State) bool {
	return s.settings() == o.settings() && slices.EqualFunc(s.Rules, o.Rules, bytes.Equal)
}

// settings is all but the rules.
func (s State) settings() [6]uint32 {
	return [...]uint32{s.Enabled, s.Failure, s.PID, s.Rate, s.Backlog, s.Wait}
}

func (s State) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "enabled %d failure %d pid %d rate_limit %d backlog_limit %d backlog_wait_time %d\n",
		s.Enabled, s.Failure, s.PID, s.Rate, s.Backlog, s.Wait)
	for _, r := range s.Rules {
		fmt.Fprintf(&b, "rule %x\n", r)
	}
	return b.String()
}

// Keyed returns how many rules have one of the keys.
func (s State) Keyed(keys ...string) (n int) {
	for _, r := range s.Rules {
		if key, ok := ruleKey(r); ok && slices.Contains(keys, key) {
			n++
		}
	}
	return n
}

// Of struct audit_rule_data (include/uapi/linux/audit.h), offsets in bytes.
const (
	maxFields  = 64
	ruleCount  = 8
	ruleFields = 12 + 4*64
	ruleValues = ruleFields + 4*maxFields
	ruleBuffer = ruleValues + 2*4*maxFields + 4
)

// ruleKey returns the key of a rule in the kernel's form, and false if it has none.
// The strings of its fields follow each other at its end.
func ruleKey(rule []byte) (string, bool) {
	if len(rule) < ruleBuffer {
		return "", false
	}
	word := func(at int) uint32 { return binary.NativeEndian.Uint32(rule[at:]) }
	rest := rule[ruleBuffer:]
	for i := range int(min(word(ruleCount), maxFields)) {
		field, size := word(ruleFields+4*i), word(ruleValues+4*i)
		switch {
		case field >= unix.AUDIT_SUBJ_USER && field <= unix.AUDIT_SUBJ_CLR,
			field >= unix.AUDIT_OBJ_USER && field <= unix.AUDIT_OBJ_LEV_HIGH,
			field == unix.AUDIT_WATCH, field == unix.AUDIT_DIR, field == unix.AUDIT_EXE, field == unix.AUDIT_FILTERKEY:
		default:
			continue // its value is a number
		}
		if uint64(size) > uint64(len(rest)) {
			return "", false
		}
		if field == unix.AUDIT_FILTERKEY {
			return string(rest[:size]), true
		}
		rest = rest[size:]
	}
	return "", false
}

// living reports whether a process lives; one that only waits to be fetched does not.
func living(pid uint32) bool {
	stat, err := os.ReadFile("/proc/" + strconv.FormatUint(uint64(pid), 10) + "/stat")
	if err != nil {
		return false
	}
	// What follows the name, which is in parentheses, begins with the state.
	_, rest, _ := bytes.Cut(stat[bytes.LastIndexByte(stat, ')')+1:], []byte(" "))
	return !bytes.HasPrefix(rest, []byte("Z")) && !bytes.HasPrefix(rest, []byte("X"))
}
