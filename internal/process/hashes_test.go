// SPDX-License-Identifier: Apache-2.0

package process_test

import (
	"io/fs"
	"slices"
	"testing"
	"testing/fstest"

	"seismo/internal/event"
	"seismo/internal/process"
)

// known gives one hash for one path.
type known struct{ asked int }

func (k *known) Known(e *event.Event) []string {
	k.asked++
	if path, _ := e.Text(event.ProcessPath); string(path) == "/bin/known" {
		return []string{"SHA256=01"}
	}
	return nil
}

// An exec has the hash that is known, from its first moment; what the record says
// itself comes first; nobody is asked of anything but execs.
func TestKnownHashes(t *testing.T) {
	k := &known{}
	table := process.NewTable(process.Options{Hashes: k})
	b := event.NewBatch(4)
	add := func(pid int32, op event.Op, path string) *event.Event {
		e := b.Add(event.KindProcess, op)
		e.Time, e.Serial, e.PID, e.PPID = 1_800_000_000_000_000_000+int64(b.Len())*1e9, uint64(b.Len()), pid, 1
		e.SetString(event.ProcessPath, path)
		return e
	}
	first, other, own := add(10, event.OpCreate, "/bin/known"), add(11, event.OpCreate, "/bin/other"), add(12, event.OpCreate, "/bin/known")
	own.AppendElement(event.ProcessHash, []byte("MD5=02"))
	file := b.Add(event.KindFile, event.OpWrite)
	file.Time, file.Serial, file.PID, file.PPID = own.Time+1e9, 9, 13, 1
	file.SetString(event.ProcessPath, "/bin/known")
	table.Apply(b)
	for _, tt := range []struct {
		name string
		e    *event.Event
		want []string
	}{
		{"known", first, []string{"SHA256=01"}}, {"not known", other, nil}, {"of the record", own, []string{"MD5=02"}}, {"no exec", file, nil},
	} {
		if got := tt.e.Process.Hash; !slices.Equal(got, tt.want) {
			t.Errorf("%s: hash %q, want %q", tt.name, got, tt.want)
		}
	}
	if k.asked != 2 {
		t.Errorf("asked %d times, want twice", k.asked)
	}
}

// What is no regular file is not opened: a pipe would wait for a writer.
func TestUsersNoFile(t *testing.T) {
	etc := fstest.MapFS{"passwd": {Data: []byte("root:x:0:0::/root:/bin/sh\n")}, "group": {Mode: fs.ModeNamedPipe, Data: []byte("root:x:0:\n")}}
	u := process.NewUsers(etc)
	if name, ok := u.UserName(0); !ok || name != "root" {
		t.Errorf("UserName(0) = %q, %v", name, ok)
	}
	if name, ok := u.GroupName(0); ok {
		t.Errorf("GroupName(0) of a pipe = %q", name)
	}
	if err := u.Refresh(1); err == nil {
		t.Error("Refresh says nothing of a pipe")
	}
}
