// SPDX-License-Identifier: Apache-2.0

package process_test

import (
	"slices"
	"testing"

	"seismo/internal/event"
	"seismo/internal/process"
)

// load is a load of a library: it has a fine stamp, no serial and no parent, and may
// name the program that did it.
func (s *scene) load(ms int64, pid int32, program string) {
	e := s.add(event.KindImage, event.OpLoad, ms, pid, 0, program)
	s.serial--
	e.Serial = 0
	e.SetString(event.ImagePath, "/lib/x")
}

// A load belongs to the image that did it, also where the next image of the pid has the
// same stamp as the one that loaded.
func TestLoads(t *testing.T) {
	chain := func(s *scene) { // sh forks 7, which executes env, and env executes id, within a tick
		s.exec(0, 5, 1, "/bin/sh")
		s.fork(97, 7, 5)
		s.exec(96, 7, 5, "/bin/env")
		s.exec(96, 7, 5, "/bin/id")
	}
	const (
		sh  = "7 /bin/sh forked < 5 /bin/sh"
		env = "load 7: 7 /bin/env < " + sh
		id  = "load 7: 7 /bin/id < 7 /bin/env < " + sh
	)
	tests := []struct {
		name string
		load func(*scene)
		want string
	}{
		{"of the first program", func(s *scene) { s.load(98, 7, "/bin/env") }, env},
		{"of the second program", func(s *scene) { s.load(99, 7, "/bin/id") }, id},
		{"of a program not named: the latest by time", func(s *scene) { s.load(99, 7, "") }, id},
		{"of a program not known: no exec was missed", func(s *scene) { s.load(99, 7, "/bin/other") }, id},
		{"long after, the latest whatever is named", func(s *scene) { s.load(500, 7, "/bin/env") }, id},
		{"of a deleted program", func(s *scene) { s.load(98, 7, "/bin/env (deleted)") }, env},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			table := process.NewTable(process.Options{})
			lines := play(table, chain, tt.load)
			if got := lines[len(lines)-1]; got != tt.want {
				t.Errorf("%s\nwant %s", got, tt.want)
			}
			if ends := slices.ContainsFunc(lines, func(l string) bool { return l[:3] == "end" }); ends {
				t.Errorf("a load ended a process: %q", lines)
			}
		})
	}
}
