// SPDX-License-Identifier: Apache-2.0

// This file builds the batches of the tests and writes down what became of them.

package process_test

import (
	"fmt"
	"strings"

	"seismo/internal/event"
	"seismo/internal/process"
)

// base is the time that the tests count milliseconds from.
const base = int64(1_800_000_000_000_000_000)

func at(ms int64) int64 { return base + ms*1e6 }

// scene builds the batches of a test and gives their events ascending serials.
type scene struct {
	b      *event.Batch
	serial uint64
}

func (s *scene) fork(ms int64, pid, parent int32) {
	s.b.Changes = append(s.b.Changes, event.Change{Time: at(ms), PID: pid, Parent: parent})
}

func (s *scene) exit(ms int64, pid, code int32) {
	s.b.Changes = append(s.b.Changes, event.Change{Time: at(ms), PID: pid, Exit: true, Code: code})
}

func (s *scene) mark(ms int64, pid int32) {
	s.b.Changes = append(s.b.Changes, event.Change{Time: at(ms), PID: pid, Exec: true})
}

func (s *scene) add(k event.Kind, op event.Op, ms int64, pid, ppid int32, exe string) *event.Event {
	e := s.b.Add(k, op)
	s.serial++
	e.Time, e.Serial, e.PID, e.PPID = at(ms), s.serial, pid, ppid
	if exe != "" {
		e.SetString(event.ProcessPath, exe)
	}
	return e
}

func (s *scene) exec(ms int64, pid, ppid int32, exe string, args ...string) *event.Event {
	e := s.add(event.KindProcess, event.OpCreate, ms, pid, ppid, exe)
	if len(args) > 0 {
		e.SetString(event.ProcessCommandLine, strings.Join(args, " "))
		for _, a := range args {
			e.AppendElement(event.ProcessArgs, []byte(a))
		}
	}
	return e
}

func (s *scene) file(ms int64, pid, ppid int32, exe string) *event.Event {
	return s.add(event.KindFile, event.OpWrite, ms, pid, ppid, exe)
}

// show writes an event as its operation, its process and the ancestry of that.
func show(e *event.Event) string {
	line := fmt.Sprintf("%s %d", e.Op, e.PID)
	if e.Op == event.OpEnd {
		line += fmt.Sprintf(" at %d", (e.Time-base)/1e6)
		if code, ok := e.Int(event.ProcessExitCode); ok {
			line += fmt.Sprintf(" code %d", code)
		}
	}
	if e.Process == nil {
		return line + ": none"
	}
	var chain []string
	for p := range e.Process.Ancestry() {
		chain = append(chain, showProcess(p))
	}
	return line + ": " + strings.Join(chain, " < ")
}

func showProcess(p *event.Process) string {
	s := fmt.Sprintf("%d %s", p.PID, p.Path)
	switch {
	case p.Forked:
		s += " forked"
	case p.Inferred:
		s += " inferred"
	case p.SeenRunning:
		s += " running"
	}
	return s
}

// play applies each batch and returns what became of its events, a line each.
func play(t *process.Table, batches ...func(*scene)) []string {
	var lines []string
	s := scene{b: event.NewBatch(8)}
	for _, fill := range batches {
		s.b.Reset()
		fill(&s)
		t.Apply(s.b)
		for _, e := range s.b.Events() {
			lines = append(lines, show(e))
		}
	}
	return lines
}
