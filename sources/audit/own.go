// SPDX-License-Identifier: Apache-2.0

// This file keeps the records' own fields under their own names.

package audit

import (
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
func (d *Decoder) addOwn(e *event.Event, g *Group) {
	for i := range g.Records {
		r := &g.Records[i]
		switch r.Type {
		case TypeExecve:
			d.addOwnArgs(e, i, r)
		case TypeEOE:
		default:
			d.addOwnFields(e, i, r.Body, true)
		}
		if len(r.Enriched) > 0 {
			d.addOwnFields(e, i, r.Enriched, false)
		}
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
		if len(k) > 0 && d.wantsOwn(k) {
			d.addOwnValue(e, record, k, v)
		}
	}
}

func (d *Decoder) addOwnValue(e *event.Event, record int, k, v []byte) {
	switch {
	case !holdsString(k):
		e.AddOwn(record, k, Unquote(v))
	case string(v) != "(null)":
		d.value = AppendValue(d.value[:0], v)
		e.AddOwn(record, k, d.value)
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
