// SPDX-License-Identifier: Apache-2.0

package event_test

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"seismo/internal/event"
)

func TestEventFields(t *testing.T) {
	b := event.NewBatch(2)
	e := b.Add(event.KindNetwork, event.OpConnect)
	e.SetAddr(event.NetworkAddress, netip.MustParseAddr("::ffff:192.0.2.7"))
	e.SetInt(event.NetworkPort, 443)
	e.SetString(event.NetworkProtocol, "tcp")
	e.SetText(event.ProcessPath, []byte("/usr/bin/curl"))

	if got, ok := e.Addr(event.NetworkAddress); !ok || got != netip.MustParseAddr("192.0.2.7") {
		t.Errorf("Addr(network.address) = %v, %v; want the unmapped 192.0.2.7", got, ok)
	}
	if got, ok := e.Int(event.NetworkPort); !ok || got != 443 {
		t.Errorf("Int(network.port) = %d, %v; want 443", got, ok)
	}
	if got, ok := e.Text(event.NetworkOperation); !ok || string(got) != "connect" {
		t.Errorf("Text(network.operation) = %q, %v; want connect", got, ok)
	}
	if _, ok := e.Text(event.FileOperation); ok {
		t.Error("Text(file.operation) of a network event has a value")
	}
	if _, ok := e.Text(event.NetworkPort); ok {
		t.Error("Text of an integer field has a value")
	}
	if _, ok := e.Int(event.NetworkProtocol); ok {
		t.Error("Int of a string field has a value")
	}
	if e.Has(event.NetworkPath) || e.Has(event.FilePath) || !e.Has(event.NetworkPort) || !e.Has(event.NetworkOperation) {
		t.Error("Has does not tell the fields that are set from those that are not")
	}
	if got, _ := e.Text(event.ProcessPath); string(got) != "/usr/bin/curl" {
		t.Errorf("Text(process.path) before the process is known = %q; want what the record said", got)
	}
	parent := &event.Process{PID: 1, Path: "/sbin/init", UserID: event.NoID}
	e.Process = &event.Process{ID: 7, PID: 9, Path: "/bin/bash", Parent: parent, UserID: event.NoID}
	if got, _ := e.Text(event.ProcessPath); string(got) != "/bin/bash" {
		t.Errorf("Text(process.path) = %q; want that of the process, /bin/bash", got)
	}
	if got, _ := e.Text(event.ParentName); string(got) != "init" {
		t.Errorf("Text(process.parent_name) = %q; want init", got)
	}
	if _, ok := e.Int(event.ProcessUserID); ok {
		t.Error("an id that is not known has a value")
	}
}

func TestSettingAFieldOfAnotherKindPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("SetString(file.path) on a network event did not panic")
		}
	}()
	event.NewBatch(1).Add(event.KindNetwork, event.OpConnect).SetString(event.FilePath, "/x")
}

func TestProcessName(t *testing.T) {
	for path, want := range map[string]string{
		"/usr/bin/ls":          "ls",
		"/tmp/evil\\ls":        "evil\\ls", // a Unix file name may hold a backslash
		"C:\\Windows\\cmd.exe": "cmd.exe",
		"C:/Windows/cmd.exe":   "cmd.exe",
		"\\Device\\x\\net.exe": "net.exe",
		"sh":                   "sh",
		"/":                    "",
	} {
		if got := (&event.Process{Path: path}).Name(); got != want {
			t.Errorf("name of %q = %q; want %q", path, got, want)
		}
	}
}

func TestAncestryWalksPreviousImagesThenParents(t *testing.T) {
	init := &event.Process{PID: 1, Path: "/sbin/init"}
	sshd := &event.Process{PID: 2, Path: "/usr/sbin/sshd", Parent: init}
	bash := &event.Process{PID: 3, Path: "/bin/bash", Parent: sshd}
	curl := &event.Process{PID: 3, Path: "/usr/bin/curl", Parent: sshd, Previous: bash}
	var got []string
	for p := range curl.Ancestry() {
		got = append(got, p.Name())
	}
	if want := []string{"curl", "bash", "sshd", "init"}; !slices.Equal(got, want) {
		t.Errorf("Ancestry = %q; want %q", got, want)
	}
	loop := &event.Process{PID: 4, Path: "/a"}
	loop.Parent = loop
	n := 0
	for range loop.Ancestry() {
		n++
	}
	if n > 1000 {
		t.Errorf("Ancestry of a loop gave %d processes; want an end", n)
	}
}

// Whatever is put into a batch comes out byte for byte, after other events were
// added, and after the memory was used again.
func TestBatchKeepsValues(t *testing.T) {
	type want struct {
		path  []byte
		args  [][]byte
		own   []event.OwnField
		types []uint16
	}
	rapid.Check(t, func(t *rapid.T) {
		bytesGen := rapid.SliceOfN(rapid.Byte(), 0, 40)
		b := event.NewBatch(1)
		for range 2 {
			var wants []want
			n := rapid.IntRange(1, 6).Draw(t, "events")
			for range n {
				w := want{path: bytesGen.Draw(t, "path"), args: rapid.SliceOfN(bytesGen, 1, 4).Draw(t, "args")}
				e := b.Add(event.KindProcess, event.OpCreate)
				e.SetText(event.ProcessPath, w.path)
				for _, a := range w.args {
					e.AppendElement(event.ProcessArgs, a)
				}
				for i := range rapid.IntRange(0, 3).Draw(t, "records") {
					w.types = append(w.types, uint16(1300+i))
					e.AddRecordType(uint16(1300 + i))
					o := event.OwnField{Record: i, Name: bytesGen.Draw(t, "name"), Value: bytesGen.Draw(t, "value")}
					w.own = append(w.own, o)
					e.AddOwn(i, o.Name, o.Value)
				}
				wants = append(wants, w)
			}
			{
				for i, e := range b.Events() {
					w := wants[i]
					if got, ok := e.Text(event.ProcessPath); !ok || !bytes.Equal(got, w.path) {
						t.Fatalf("event %d: path %q; want %q", i, got, w.path)
					}
					if got := slices.Collect(e.Elements(event.ProcessArgs)); !slices.EqualFunc(got, w.args, bytes.Equal) {
						t.Fatalf("event %d: args %q; want %q", i, got, w.args)
					}
					if got := e.RecordTypes(); !slices.Equal(got, w.types) {
						t.Fatalf("event %d: record types %v; want %v", i, got, w.types)
					}
					got := slices.Collect(e.Own())
					if !slices.EqualFunc(got, w.own, func(a, b event.OwnField) bool {
						return a.Record == b.Record && bytes.Equal(a.Name, b.Name) && bytes.Equal(a.Value, b.Value)
					}) {
						t.Fatalf("event %d: own fields %v; want %v", i, got, w.own)
					}
				}
			}
			b.Reset()
		}
	})
}

func TestKeepDropsEventsAndReusesThem(t *testing.T) {
	b := event.NewBatch(4)
	for i := range 4 {
		b.Add(event.KindSyscall, event.OpCall).SetInt(event.SyscallResult, int64(i))
	}
	b.Keep(func(e *event.Event) bool { v, _ := e.Int(event.SyscallResult); return v%2 == 1 })
	var got []int64
	for _, e := range b.Events() {
		v, _ := e.Int(event.SyscallResult)
		got = append(got, v)
	}
	if want := []int64{1, 3}; !slices.Equal(got, want) {
		t.Errorf("after Keep of the odd ones: %v; want %v", got, want)
	}
	if e := b.Add(event.KindSyscall, event.OpCall); e.Has(event.SyscallResult) {
		t.Error("an event used again still has its old value")
	}
}

func TestFillingABatchAgainAllocatesNothing(t *testing.T) {
	b := event.NewBatch(8)
	path, arg := []byte("/usr/bin/true"), []byte("true")
	fill := func() {
		b.Reset()
		for range 8 {
			e := b.Add(event.KindProcess, event.OpCreate)
			e.SetText(event.ProcessPath, path)
			e.AppendElement(event.ProcessArgs, arg)
			e.AddRecordType(1300)
			e.AddOwn(0, arg, path)
		}
	}
	fill()
	if n := testing.AllocsPerRun(100, fill); n != 0 {
		t.Errorf("filling a batch again: %v allocations; want 0", n)
	}
}

func TestIDs(t *testing.T) {
	const ms = 1_000_000
	t.Run("events stamped alike keep their order and get different ids", func(t *testing.T) {
		var g event.IDs
		for i := range 5000 {
			if got, want := g.Next(7*ms), event.ID(7000+i); got != want {
				t.Fatalf("Next number %d = %d; want %d", i, got, want)
			}
		}
	})
	t.Run("an event out of order keeps its own time", func(t *testing.T) {
		var g event.IDs
		g.Next(9 * ms)
		if got := g.Next(5 * ms); got != 5000 {
			t.Errorf("Next = %d; want 5000", got)
		}
	})
	t.Run("ids up to the floor are asked about", func(t *testing.T) {
		g := event.IDs{Floor: 5001, Taken: func(id event.ID) bool { return id <= 5001 }}
		if got := g.Next(5 * ms); got != 5002 {
			t.Errorf("Next = %d; want 5002, the first that is free", got)
		}
	})
	t.Run("no id is given twice, whatever the order of the times", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			given := map[event.ID]bool{}
			g := event.IDs{}
			if rapid.Bool().Draw(t, "windowed") {
				g.Taken = func(id event.ID) bool { return given[id] }
			}
			for range rapid.IntRange(1, 300).Draw(t, "n") {
				id := g.Next(rapid.Int64Range(0, 20*ms).Draw(t, "time"))
				if given[id] {
					t.Fatalf("id %d was given twice", id)
				}
				given[id] = true
			}
		})
	})
}

// A value that was taken away is not there, and may be set again.
func TestUnset(t *testing.T) {
	e := event.NewBatch(1).Add(event.KindFile, event.OpDelete)
	e.SetString(event.FilePathStatus, "partial")
	e.SetInt(event.FileInode, 7)
	e.Unset(event.FilePathStatus)
	e.Unset(event.FileInode)
	e.Unset(event.FilePath)
	if e.Has(event.FilePathStatus) || e.Has(event.FileInode) || e.Has(event.FilePath) {
		t.Error("a value that was taken away is still there")
	}
	e.SetInt(event.FileInode, 8)
	if n, ok := e.Int(event.FileInode); n != 8 || !ok {
		t.Errorf("Int after it was set again = %d, %v; want 8", n, ok)
	}
}
