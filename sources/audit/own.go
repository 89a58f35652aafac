// SPDX-License-Identifier: Apache-2.0

// This file keeps the records' own fields under their own names.

package audit

import (
	"bytes"
	"strconv"

	"seismo/internal/event"
)

// addOwn keeps the own fields that are asked for, in the order of the records.
//
// The value of a field that holds a string (name, exe, comm, cwd, proctitle,
// key, acct, cmd …) is the decoded string; a missing one, (null), is not kept.
// What stands in quotes loses them. Every other value is the text as it stands
// in the record: numbers are not interpreted. The list inside msg='…' gives its
// fields beside msg itself. An argument of EXECVE is whole under aN, in the
// record where it begins; aN_len and aN[i] are not kept.
//
// People write rules on what ausearch -i and auditd's enriched form show, too.
// So these have more values, each after what the record says:
//
//   - type is the name of the record's type, and nothing that its text says
//   - syscall is the number and then the name of the call, and SYSCALL is the name
//     also where auditd did not add it
//   - AVC has seresult (denied or granted) and seperms (the permissions, with blanks
//     between), which stand in its text without a key
//   - key is all keys, with 1 as a byte between them, and then each of them
//   - proctitle is the line as it is, with NUL between the arguments, and then with
//     blanks in their place
func (d *Decoder) addOwn(e *event.Event, g *Group) {
	withType := d.wantsOwn(ownType)
	for i := range g.Records {
		r := &g.Records[i]
		if r.Type == TypeEOE {
			continue
		}
		if r.Type == TypeExecve {
			d.addOwnArgs(e, i, r)
		} else {
			d.addOwnFields(e, i, r.Body, true)
		}
		if len(r.Enriched) > 0 {
			d.addOwnFields(e, i, r.Enriched, false)
		}
		d.addOwnCall(e, i, r)
		if r.Type == TypeAVC {
			d.addOwnDecision(e, i, r.Body)
		}
		if withType {
			e.AddOwn(i, ownType, []byte(TypeName(r.Type)))
		}
	}
}

// Names that records do not carry, or not always.
var (
	ownType        = []byte("type")
	ownSyscall     = []byte("syscall")
	ownSyscallName = []byte("SYSCALL")
	ownDecision    = []byte("seresult") // as libauparse calls them
	ownPermissions = []byte("seperms")
)

// addOwnCall keeps the name of the call that record r is about, if it is about one.
func (d *Decoder) addOwnCall(e *event.Event, record int, r *Record) {
	number, name := d.wantsOwn(ownSyscall), d.wantsOwn(ownSyscallName)
	if !number && !name || r.Type != TypeSyscall && r.Type != TypeSeccomp {
		return
	}
	said := findField(r.Body, "syscall")
	if said == nil {
		return
	}
	call := said
	if nr, ok := parseUint(said, 10); ok {
		arch, _ := parseUint(findField(r.Body, "arch"), 16)
		c := theCalls.find(uint32(arch), nr)
		if c.name == "" {
			return
		}
		call = append(d.name[:0], c.name...)
		d.name = call
		if number {
			e.AddOwn(record, ownSyscall, call)
		}
	}
	if name && findField(r.Enriched, "SYSCALL") == nil {
		e.AddOwn(record, ownSyscallName, call)
	}
}

// addOwnDecision keeps what SELinux decided: "avc:  denied  { read open } for …"
// (security/selinux/avc.c, avc_audit_pre_callback).
func (d *Decoder) addOwnDecision(e *event.Event, record int, body []byte) {
	_, rest, ok := bytes.Cut(body, []byte("avc:"))
	if !ok {
		return
	}
	result, rest, ok := bytes.Cut(bytes.TrimLeft(rest, " "), []byte("{"))
	if result = bytes.TrimSpace(result); !ok || string(result) != "denied" && string(result) != "granted" {
		return
	}
	if d.wantsOwn(ownDecision) {
		e.AddOwn(record, ownDecision, result)
	}
	if permissions, _, ok := bytes.Cut(rest, []byte("}")); ok && d.wantsOwn(ownPermissions) {
		e.AddOwn(record, ownPermissions, bytes.TrimSpace(permissions))
	}
}

func (d *Decoder) addOwnFields(e *event.Event, record int, body []byte, inner bool) {
	for s := ScanFields(body); ; {
		k, v, ok := s.Next()
		if !ok {
			return
		}
		if inner && string(k) == "msg" && len(v) > 1 && v[0] == '\'' {
			d.addOwnFields(e, record, Unquote(v), false)
		}
		if len(k) > 0 && d.wantsOwn(k) && !bytes.Equal(k, ownType) {
			d.addOwnValue(e, record, k, v)
		}
	}
}

// keySeparator stands between the keys of rules that both made an event
// (AUDIT_KEY_SEPARATOR of include/uapi/linux/audit.h).
const keySeparator = 1

func (d *Decoder) addOwnValue(e *event.Event, record int, k, v []byte) {
	switch {
	case !holdsString(k):
		e.AddOwn(record, k, Unquote(v))
		return
	case string(v) == "(null)":
		return
	}
	d.value = AppendValue(d.value[:0], v)
	e.AddOwn(record, k, d.value)
	switch string(k) {
	case "key":
		if bytes.IndexByte(d.value, keySeparator) < 0 {
			return
		}
		for one := range bytes.SplitSeq(d.value, []byte{keySeparator}) {
			e.AddOwn(record, k, one)
		}
	case "proctitle":
		line := bytes.TrimRight(d.value, "\x00")
		if bytes.IndexByte(line, 0) < 0 {
			return
		}
		for i, c := range line {
			if c == 0 {
				line[i] = ' '
			}
		}
		e.AddOwn(record, k, line)
	}
}

func (d *Decoder) addOwnArgs(e *event.Event, record int, r *Record) {
	if argc := findField(r.Body, "argc"); argc != nil && d.wantsOwn([]byte("argc")) {
		e.AddOwn(record, []byte("argc"), argc)
	}
	for _, arg := range d.args.list {
		if int(arg.record) != record {
			continue
		}
		d.name = strconv.AppendUint(append(d.name[:0], 'a'), uint64(arg.n), 10)
		if d.wantsOwn(d.name) {
			e.AddOwn(record, d.name, d.args.bytes[arg.from:arg.to])
		}
	}
}

// wantsOwn reports whether the own field called name is asked for.
func (d *Decoder) wantsOwn(name []byte) bool {
	o := &d.opts.Demand
	if o.AllOwn {
		return true
	}
	lo, hi := 0, len(o.Own)
	for lo < hi {
		mid := (lo + hi) / 2
		if o.Own[mid] < string(name) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo < len(o.Own) && o.Own[lo] == string(name)
}

// holdsString reports whether the field called k holds a string that the kernel
// or libaudit may have written as hex digits. Anything else that looks like hex
// digits is a number (audit-userspace, auparse/typetab.h, type ESCAPED).
func holdsString(k []byte) bool {
	switch string(k) {
	case "acct", "cmd", "comm", "cwd", "data", "dir", "exe", "file", "grp", "key", "name", "new-chardev",
		"new-disk", "new-fs", "new-rng", "new_group", "ocomm", "old-chardev", "old-disk", "old-fs",
		"old-rng", "path", "proctitle", "root_dir", "sw", "vm", "watch", "info", "profile":
		return true
	}
	return false
}
