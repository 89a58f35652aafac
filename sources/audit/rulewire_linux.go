// SPDX-License-Identifier: Apache-2.0

// This file reads as much of a rule in the kernel's own form as is needed to
// tell our rules from those of others, and writes what go-libaudit, which is left to
// build that form (install_linux.go), has no words for.

package audit

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
)

// Layout of struct audit_rule_data (include/uapi/linux/audit.h): flags, action
// and field count, the system call mask, then fields, values and operators of
// 64 entries each, the length of the strings, and the strings.
const (
	wireMaxFields = 64
	wireMask      = 4 * 3
	wireFields    = 4 * (3 + 64)
	wireValues    = wireFields + 4*wireMaxFields
	wireOperators = wireFields + 4*2*wireMaxFields
	wireBufLen    = wireFields + 4*3*wireMaxFields
	wireHeader    = wireBufLen + 4
	wirePrepend   = 0x10 // AUDIT_FILTER_PREPEND, in flags
	wireKeyField  = 210  // AUDIT_FILTERKEY
)

// The lists of rules (include/uapi/linux/audit.h, AUDIT_FILTER_*), in flags.
const (
	wireTaskList  = 1
	wireExitList  = 4
	wireUringList = 7
)

// finishWire writes into wire, which was built of r without its calls for the end of
// the list exit, what go-libaudit has no words for: the calls, of which its tables have
// the older ones only, the list, and the place in it.
func finishWire(wire []byte, r Rule) error {
	if len(r.Syscalls) != len(r.numbers) {
		return fmt.Errorf("%d calls with %d numbers", len(r.Syscalls), len(r.numbers))
	}
	flags := uint32(wireExitList)
	if r.List == uringList {
		flags = wireUringList
	}
	if r.First {
		flags |= wirePrepend
	}
	binary.NativeEndian.PutUint32(wire, flags)
	if len(r.numbers) == 0 {
		return nil
	}
	mask := wire[wireMask:wireFields]
	clear(mask)
	for _, n := range r.numbers {
		if n >= maxCall {
			return fmt.Errorf("call %d: the mask of a rule ends at %d", n, maxCall-1)
		}
		word := mask[n/32*4:]
		binary.NativeEndian.PutUint32(word, binary.NativeEndian.Uint32(word)|1<<(n%32))
	}
	return nil
}

// hasWireString reports whether a field's value is the length of a string
// (kernel/auditfilter.c, audit_data_to_entry).
func hasWireString(field uint32) bool {
	switch {
	case field >= 13 && field <= 17, // AUDIT_SUBJ_USER to AUDIT_SUBJ_CLR
		field >= 19 && field <= 23, // AUDIT_OBJ_USER to AUDIT_OBJ_LEV_HIGH
		field == 105, field == 107, // AUDIT_WATCH, AUDIT_DIR
		field == 112, field == wireKeyField: // AUDIT_EXE
		return true
	}
	return false
}

// wireKey returns the key of a rule in wire form, and false if it has none or
// is no rule.
func wireKey(wire []byte) (string, bool) {
	if len(wire) < wireHeader {
		return "", false
	}
	word := func(at int) uint32 { return binary.NativeEndian.Uint32(wire[at:]) }
	count := word(8)
	if count > wireMaxFields {
		return "", false
	}
	strings := wire[wireHeader:]
	for i := range int(count) {
		field, n := word(wireFields+4*i), word(wireValues+4*i)
		if !hasWireString(field) {
			continue
		}
		if uint64(n) > uint64(len(strings)) {
			return "", false
		}
		if field == wireKeyField {
			return string(strings[:n]), true
		}
		strings = strings[n:]
	}
	return "", false
}

// sameRule reports whether two rules in wire form are one rule to the kernel.
// It lists a rule without the order to put it first, and pads differently.
func sameRule(a, b []byte) bool {
	return bytes.Equal(normalWire(a), normalWire(b))
}

func normalWire(wire []byte) []byte {
	if len(wire) < wireHeader {
		return wire
	}
	n := binary.NativeEndian.Uint32(wire[wireBufLen:])
	if uint64(n) > uint64(len(wire)-wireHeader) {
		return wire
	}
	normal := slices.Clone(wire[:wireHeader+int(n)])
	flags := binary.NativeEndian.Uint32(normal)
	binary.NativeEndian.PutUint32(normal, flags&^wirePrepend)
	return normal
}

// isNeverTask reports whether a rule keeps every new process from being audited
// at all: list task (AUDIT_FILTER_TASK), action never, no condition.
func isNeverTask(wire []byte) bool {
	if len(wire) < wireHeader {
		return false
	}
	word := func(at int) uint32 { return binary.NativeEndian.Uint32(wire[at:]) }
	return word(0)&^wirePrepend == wireTaskList && word(4) == 0 && word(8) == 0
}
