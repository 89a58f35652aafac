// SPDX-License-Identifier: Apache-2.0

// This file remembers what the processes of the last moments have mapped, so that a
// file that is mapped in several pieces is told once.

package imageload

import (
	"hash/maphash"

	"seismo/internal/recent"
)

// Bounds of what is remembered: about 3 MB if all of it is in use. A process that is
// forgotten costs at most an event that is told twice.
const (
	maxTracked = 4096
	maxMapped  = 16
	maxProgram = 256 // bytes of a program's path; of a longer one none is kept
)

// again is how long a file that a process has mapped is not told again, in
// nanoseconds. A just-in-time compiler changes its memory all the time.
const again = int64(60_000_000_000)

// tracked is what is remembered of a process since its last exec.
type tracked struct {
	recent.Links[*tracked]
	pid     int32
	begun   bool   // an exec was seen, and no mapping since
	program []byte // path of the program that it runs; empty if not known
	mapped  []mapped
}

// mapped is a file, or a piece of memory, and when it was told. name is a hash of its
// path and generation: the number of a removed file is given to the next one, and a
// file that was renamed is told by its new name.
type mapped struct {
	device, inode, name uint64
	at                  int64
}

// tracker remembers processes; those that were named last if there are too many.
type tracker struct {
	pids  map[int32]*tracked
	order recent.List[*tracked]
	spare []*tracked
	seed  maphash.Seed
}

func newTracker() *tracker {
	return &tracker{pids: map[int32]*tracked{}, seed: maphash.MakeSeed()}
}

// of returns what is remembered of pid.
func (t *tracker) of(pid int32) *tracked {
	if p := t.pids[pid]; p != nil {
		t.order.Touch(p)
		return p
	}
	if len(t.pids) >= maxTracked {
		t.forget(t.order.Oldest().pid)
	}
	var p *tracked
	if n := len(t.spare); n > 0 {
		p, t.spare = t.spare[n-1], t.spare[:n-1]
	} else {
		p = new(tracked)
	}
	p.pid = pid
	t.pids[pid] = p
	t.order.Push(p)
	return p
}

func (p *tracked) reset() { p.begun, p.program, p.mapped = false, p.program[:0], p.mapped[:0] }

// exec notes that pid runs another program: all that it has mapped is gone.
func (t *tracker) exec(pid int32) {
	p := t.of(pid)
	p.reset()
	p.begun = true
}

// forget drops what is remembered of pid.
func (t *tracker) forget(pid int32) {
	if p := t.pids[pid]; p != nil {
		delete(t.pids, pid)
		t.order.Remove(p)
		p.reset()
		t.spare = append(t.spare, p)
	}
}

// forgetAll drops everything: ends and execs may have been missed.
func (t *tracker) forgetAll() {
	for p := range t.order.All() {
		t.forget(p.pid)
	}
}

// load notes the mapping r. fresh says that it is to be told. program is the path of
// the program that its process runs, empty where that is not known; it is valid until
// the next call. The kernel maps the program first, before its loader.
func (t *tracker) load(r *record) (fresh bool, program []byte) {
	p := t.of(r.pid)
	if p.begun {
		p.begun = false
		if r.inode != 0 && len(r.path) <= maxProgram {
			p.program = append(p.program[:0], r.path...)
		}
	}
	name := maphash.Bytes(t.seed, r.path) ^ r.made // memory without a file has nothing else
	oldest := 0
	for i := range p.mapped {
		m := &p.mapped[i]
		if m.device == r.device && m.inode == r.inode && m.name == name {
			if d := r.time - m.at; d < again && d > -again {
				return false, p.program
			}
			m.at = r.time
			return true, p.program
		}
		if m.at < p.mapped[oldest].at {
			oldest = i
		}
	}
	told := mapped{r.device, r.inode, name, r.time}
	if len(p.mapped) < maxMapped {
		p.mapped = append(p.mapped, told)
	} else {
		p.mapped[oldest] = told
	}
	return true, p.program
}
