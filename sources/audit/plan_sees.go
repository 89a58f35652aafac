// SPDX-License-Identifier: Apache-2.0

// This file answers whether what a plan sees holds a file, a call or a record.

package audit

import (
	"path"
	"slices"
	"strings"

	"seismo/internal/event"
)

// HasPath reports whether files are watched whose path is p, or begins with p, in
// whatever letters. What is no absolute path may be any.
func (s Sees) HasPath(p string) bool {
	if !strings.HasPrefix(p, "/") {
		return true
	}
	begins, clean := strings.ToLower(p), strings.ToLower(path.Clean(p))
	return slices.ContainsFunc(s.Folders, func(dir string) bool {
		dir = strings.ToLower(dir)
		return inside(clean, dir) || strings.HasPrefix(dir, begins)
	})
}

// HasCall reports whether a system call, named or by its number on a machine called by
// its GOARCH name, makes events: because a rule asks for it, or because it is one by
// which a watched file is changed.
func (s Sees) HasCall(arch, name string) bool {
	names := []string{name}
	if abis, err := machineABIs(arch); err == nil {
		for i := range abis {
			for _, c := range abis[i].named(name) {
				names = append(names, c.name)
			}
		}
	}
	return slices.ContainsFunc(names, func(n string) bool {
		_, found := slices.BinarySearch(s.Calls, n)
		return found || len(s.Folders) > 0 && kindOfCall(n) == event.KindFile
	})
}

// HasRecord reports whether records of a type come, as far as rules decide about it.
// logged says that what auditd writes to its log by itself is read, too.
func (s Sees) HasRecord(arch, name string, logged bool) bool {
	calls, special := callsOfRecords[name]
	switch {
	case !special:
		return knownType(name)
	case strings.HasPrefix(name, "DAEMON_"):
		return logged
	case name == "URINGOP":
		return slices.ContainsFunc(s.Calls, func(c string) bool {
			op, ok := strings.CutPrefix(c, uringPrefix)
			return ok && slices.Contains(uringOpNames[:], op)
		})
	case len(calls) == 0:
		return true // others may ask for them
	}
	return slices.ContainsFunc(calls, func(c string) bool { return s.HasCall(arch, c) })
}
