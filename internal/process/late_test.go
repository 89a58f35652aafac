// SPDX-License-Identifier: Apache-2.0

package process

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"seismo/internal/event"
)

// A container that is heard of late is that of all that the process starts from then
// on, by itself or in forks, and of nothing else.
func TestContainerLate(t *testing.T) {
	table := NewTable(Options{})
	at := int64(1_800_000_000_000_000_000)
	serial := uint64(0)
	exec := func(pid, ppid int32, path string) *event.Process {
		b := event.NewBatch(1)
		e := b.Add(event.KindProcess, event.OpCreate)
		at, serial = at+int64(time.Second), serial+1
		e.Time, e.Serial, e.PID, e.PPID = at, serial, pid, ppid
		e.SetString(event.ProcessPath, path)
		table.Apply(b)
		return e.Process
	}
	exec(10, 1, "/usr/bin/shim")
	init := exec(20, 10, "/init")
	exec(20, 10, "/sbin/init") // before the container is heard of
	b := event.NewBatch(1)
	e := b.Add(event.KindProcess, event.OpUpdate)
	e.Time, e.PID, e.Process = at, 20, init
	e.SetString(event.ProcessContainerID, "c1")
	table.Apply(b)
	if init.ContainerID != "" {
		t.Errorf("a published process has changed: container %q", init.ContainerID)
	}
	for _, tt := range []struct {
		name      string
		pid, ppid int32
		want      string
	}{
		{"its child", 30, 20, "c1"},
		{"its grandchild", 40, 30, "c1"},
		{"its next image", 20, 10, "c1"},
		{"its parent's other child", 50, 10, ""},
		{"its parent's next image", 10, 1, ""},
	} {
		if p := exec(tt.pid, tt.ppid, "/bin/x"+tt.name); p.ContainerID != tt.want {
			t.Errorf("%s: container %q, want %q", tt.name, p.ContainerID, tt.want)
		}
	}
	var gone event.Batch
	end := event.NewBatch(1)
	for _, pid := range []int32{10, 20, 30, 40, 50} {
		end.Changes = append(end.Changes, event.Change{Time: at, PID: pid, Exit: true})
	}
	table.Apply(end)
	table.Expire(at+int64(time.Hour), &gone)
	if len(table.contained) != 0 {
		t.Errorf("%d containers are kept of no process", len(table.contained))
	}
}

func TestContainersOf(t *testing.T) {
	id := strings.Repeat("0123456789abcdef", 4)
	stat := func(pid, ticks string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte(pid + " (x) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 0 0 1 0 " + ticks + " 0 0")}
	}
	c := NewContainers(fstest.MapFS{
		"stat":      {Data: []byte("btime 1800000000\n")},
		"5/stat":    stat("5", "100"),
		"5/cgroup":  {Data: []byte("0::/docker/" + id + "\n")},
		"6/cgroup":  {Data: []byte("0::/user.slice\n")},
		"7/cgroup":  {Data: []byte("0::/docker/" + id + "\n")},
		"8/stat":    stat("8", "90000"),
		"8/cgroup":  {Data: []byte("0::/docker/" + id + "\n")},
		"9/cgroup":  {Mode: fs.ModeDir},
		"10/cgroup": {Data: []byte(strings.Repeat("1:x:/y\n", maxCgroup))},
	})
	at := int64(1_800_000_010_000_000_000)
	for _, tt := range []struct {
		name string
		pid  int32
		want string
		fail bool
	}{
		{"in one", 5, id, false},
		{"in none", 6, "", false},
		{"gone meanwhile", 7, "", true},
		{"the pid is another's", 8, "", true},
		{"no file", 9, "", true},
		{"more than is read", 10, "", false},
		{"never there", 11, "", true},
	} {
		got, err := c.Of(tt.pid, at)
		if got != tt.want || (err != nil) != tt.fail {
			t.Errorf("%s: Of(%d) = %q, %v; want %q", tt.name, tt.pid, got, err, tt.want)
		}
	}
}

// Whatever a cgroup is called, an id is short, has no slash, and is a part of it.
func FuzzContainerOf(f *testing.F) {
	f.Add("0::/machine.slice/machine-a.scope/payload")
	f.Add("1:x:/lxc/a/docker-" + strings.Repeat("0", 64) + ".scope")
	f.Fuzz(func(t *testing.T, s string) {
		id := containerOf(s)
		if strings.ContainsAny(id, "/\n") || !strings.Contains(strings.ReplaceAll(s, `\x2d`, "-"), id) && !strings.Contains(s, id) {
			t.Errorf("containerOf(%q) = %q", s, id)
		}
	})
}
