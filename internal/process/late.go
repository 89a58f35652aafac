// SPDX-License-Identifier: Apache-2.0

// This file keeps the containers of processes that were heard of after the process
// was published: what it starts from then on is in them as well.

package process

import (
	"fmt"
	"io/fs"
	"strconv"

	"seismo/internal/event"
)

// maxContained bounds the processes whose container came late.
const maxContained = 1 << 14

// learn takes the late values of e, an update of a process of this computer.
func (t *Table) learn(e *event.Event) {
	if !e.Late(event.ProcessContainerID) || e.Process.Host != "" {
		return
	}
	for en := t.head(pidKey{"", e.PID}); en != nil; en = en.older {
		image := en.image
		for image != nil && image.PID == e.PID && image.ID != e.Process.ID {
			image = image.Previous // it may run another program by now
		}
		if image == nil || image.ID != e.Process.ID {
			continue
		}
		t.contain(en, t.text(e, event.ProcessContainerID))
		return
	}
}

// contain notes the container of en, as far as there is room.
func (t *Table) contain(en *entry, container string) {
	if t.contained == nil {
		t.contained = map[*entry]string{}
	}
	if len(t.contained) < maxContained {
		t.contained[en] = container
	}
}

// containerOfLate returns the container of en, or of the nearest ancestor that has
// one, as it was heard of late.
func (t *Table) containerOfLate(en *entry) string {
	if len(t.contained) == 0 {
		return ""
	}
	for ; en != nil; en = en.parent {
		if id, ok := t.contained[en]; ok {
			return id
		}
		if en.image != nil && en.image.ContainerID != "" {
			return en.image.ContainerID
		}
	}
	return ""
}

// Containers tells the containers of processes that run, by what /proc shows. One
// goroutine uses it.
type Containers struct{ proc *procFS }

// NewContainers returns the containers that proc, what /proc shows, tells of.
func NewContainers(proc fs.FS) *Containers { return &Containers{newProcFS(proc)} }

// Of returns the id of the container that pid is in; empty if it is in none. The
// process must have begun by the time by, Unix time in nanoseconds: else the pid is
// another's now, which is an error, as is a process that is gone.
func (c *Containers) Of(pid int32, by int64) (string, error) {
	b, err := c.proc.file(strconv.Itoa(int(pid))+"/cgroup", maxCgroup)
	if err != nil {
		return "", fmt.Errorf("container of process %d: %w", pid, err)
	}
	id := containerOf(string(b))
	if id == "" {
		return "", nil
	}
	s, err := c.proc.stat(pid)
	if err != nil {
		return "", fmt.Errorf("container of process %d: %w", pid, err)
	}
	// The boot time of /proc is early, so that this start is: a later one is surely another's.
	if start, err := c.proc.started(s.ticks); err != nil || start > by+slack {
		return "", fmt.Errorf("container of process %d: %w", pid, errGone)
	}
	return id, nil
}
