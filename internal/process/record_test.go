// SPDX-License-Identifier: Apache-2.0

package process_test

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"seismo/internal/event"
	"seismo/internal/process"
)

func TestWhatAProcessHoldsOfItsRecord(t *testing.T) {
	b := event.NewBatch(2)
	s := scene{b: b}
	e := s.exec(5, 500, 400, "/usr/bin/sudo", "sudo", "", "a b")
	e.Host = "web1"
	e.SetString(event.ProcessCwd, "/home/ada")
	e.SetString(event.ProcessTTY, "pts3")
	e.SetString(event.ProcessUserName, "named-by-the-record")
	e.SetInt(event.ProcessUserID, 1000)
	e.SetInt(event.ProcessGroupID, 1000)
	e.SetInt(event.ProcessLoginUserID, 1000)
	e.SetInt(event.ProcessSession, 7)
	e.AppendElement(event.ProcessHash, []byte("SHA256=ab"))
	e.AppendElement(event.ProcessHash, []byte("MD5=cd"))
	process.NewTable(process.Options{Host: "m1", Boot: "b1", Users: users()}).Apply(b)
	want := &event.Process{
		ID:  documentedKey('x', "web1", "b1", uint64(at(5)/1e6), 1, 500),
		PID: 500, PPID: 400, Host: "web1", Boot: "b1", Start: at(5),
		Path: "/usr/bin/sudo", CommandLine: "sudo  a b", Args: []string{"sudo", "", "a b"}, Cwd: "/home/ada",
		TTY: "pts/3", UserName: "named-by-the-record", GroupName: "staff", LoginUserName: "ada",
		UserID: 1000, GroupID: 1000, LoginUserID: 1000, Session: 7, Hash: []string{"SHA256=ab", "MD5=cd"},
	}
	p := e.Process
	if diff := cmp.Diff(want, p); diff != "" {
		t.Errorf("process of an exec (-want +got):\n%s", diff)
	}
	// The batch's memory is used again; the process is not touched.
	b.Reset()
	for range 200 {
		s.exec(6, 501, 400, "XXXXXXXXXXXXXXXX", "YYYYYYYYYYYYYYYYYY")
	}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Errorf("process after its batch was reset (-want +got):\n%s", diff)
	}
}

// documentedKey derives a key as the comment at Table.key says. Tables hold such
// keys: a change here is a change of their format.
func documentedKey(tag byte, host, boot string, a, b, c uint64) event.ProcessKey {
	text := []byte{tag}
	for _, s := range []string{host, boot} {
		text = append(binary.LittleEndian.AppendUint32(text, uint32(len(s))), s...)
	}
	for _, n := range []uint64{a, b, c} {
		text = binary.LittleEndian.AppendUint64(text, n)
	}
	sum := sha256.Sum256(text)
	return event.ProcessKey(binary.LittleEndian.Uint64(sum[:]))
}

func TestWhatTheRecordDoesNotSayIsAbsent(t *testing.T) {
	b := event.NewBatch(2)
	s := scene{b: b}
	e := s.exec(5, 500, 400, "")
	process.NewTable(process.Options{Users: users()}).Apply(b)
	for _, f := range []event.Field{event.ProcessPath, event.ProcessCommandLine, event.ProcessArgs, event.ProcessCwd,
		event.ProcessUserID, event.ProcessUserName, event.ProcessLoginUserID, event.ProcessSession, event.ProcessTTY, event.UserName} {
		if e.Has(f) {
			t.Errorf("%s has a value; want none", event.Describe(f).Name)
		}
	}
}

// A command line that is not the arguments joined, as when it was cut, is kept
// as it is.
func TestCommandLineOfItsOwn(t *testing.T) {
	b := event.NewBatch(2)
	s := scene{b: b}
	e := s.exec(5, 500, 400, "/bin/sh", "sh", "-c", "id")
	e.SetString(event.ProcessCommandLine, "sh -c")
	process.NewTable(process.Options{}).Apply(b)
	if p := e.Process; p.CommandLine != "sh -c" || !slices.Equal(p.Args, []string{"sh", "-c", "id"}) {
		t.Errorf("command line %q, args %q; want %q and all three", p.CommandLine, p.Args, "sh -c")
	}
}

func TestSetuidMakesNoProcess(t *testing.T) {
	b := event.NewBatch(3)
	s := scene{b: b}
	exec := s.exec(5, 500, 1, "/usr/bin/su", "su")
	exec.SetInt(event.ProcessUserID, 1000)
	exec.SetInt(event.UserID, 1000)
	exec.SetInt(event.UserEffectiveID, 0)
	setuid := s.add(event.KindSyscall, event.OpCall, 10, 500, 1, "/usr/bin/su")
	setuid.SetInt(event.ProcessUserID, 0)
	setuid.SetInt(event.UserID, 0)
	setuid.SetInt(event.UserEffectiveID, 0)
	setuid.SetInt(event.UserLoginID, 1000)
	stranger := s.file(20, 0, 0, "")
	stranger.SetInt(event.UserID, 4711)
	stranger.SetString(event.UserEffectiveName, "given")
	stranger.SetInt(event.UserEffectiveID, 0)
	process.NewTable(process.Options{Users: users()}).Apply(b)

	if setuid.Process != exec.Process {
		t.Errorf("setuid made a process: %v", show(setuid))
	}
	text := func(e *event.Event, f event.Field) string { v, _ := e.Text(f); return string(v) }
	for _, tt := range []struct {
		e    *event.Event
		f    event.Field
		want string
	}{
		{exec, event.UserName, "ada"}, {exec, event.UserEffectiveName, "root"}, {exec, event.UserLoginName, ""},
		{setuid, event.ProcessUserName, "ada"}, {setuid, event.UserName, "root"}, {setuid, event.UserLoginName, "ada"},
		{stranger, event.UserName, ""}, {stranger, event.UserEffectiveName, "given"},
	} {
		if got := text(tt.e, tt.f); got != tt.want {
			t.Errorf("%s of the %s event = %q; want %q", event.Describe(tt.f).Name, tt.e.Kind, got, tt.want)
		}
	}
}

// Every batch of every scenario, twice: the keys are the same, and no two
// processes share one.
func TestReplayTwiceGivesTheSameKeys(t *testing.T) {
	keys := func(boot string) (all []event.ProcessKey) {
		for _, tt := range applyTests {
			table := process.NewTable(process.Options{Host: "m1", Boot: boot})
			s := scene{b: event.NewBatch(8)}
			seen := map[event.ProcessKey]string{}
			for _, fill := range tt.batches {
				s.b.Reset()
				fill(&s)
				table.Apply(s.b)
				for _, e := range s.b.Events() {
					if e.Process == nil {
						continue
					}
					for p := range e.Process.Ancestry() {
						all = append(all, p.ID)
						what := fmt.Sprint(showProcess(p), p.Start, p.Host)
						if seen[p.ID] != "" && seen[p.ID] != what {
							t.Errorf("%s: %s and %s share the key %x", tt.name, what, seen[p.ID], p.ID)
						}
						seen[p.ID] = what
					}
				}
			}
		}
		return all
	}
	first := keys("b1")
	if !slices.Equal(first, keys("b1")) {
		t.Error("two replays give different keys")
	}
	if slices.Equal(first, keys("b2")) {
		t.Error("another boot gives the same keys")
	}
}

func TestUsers(t *testing.T) {
	etc := fstest.MapFS{
		"passwd": {ModTime: time.Unix(1, 0), Data: []byte("root:x:0:0:root:/root:/bin/sh\n" +
			"second:x:0:0\n:x:5:5\nnocolon\nbad:x:-1:0\nbig:x:4294967295:0\nhuge:x:99999999999:0\nesc\x1b[2J:x:6:6::/:\n" +
			"+nis:x:7:7::/:\n#old:x:8:8::/:\nbin\xff:x:9:9::/:\nada:x:1000:1000::/:\nlast:x:1001:1::/:")},
	}
	u := process.NewUsers(etc)
	got := map[int64]string{}
	for id := int64(-2); id < 1100; id++ {
		if s, ok := u.UserName(id); ok {
			got[id] = s
		}
	}
	if want := map[int64]string{0: "root", 1000: "ada", 1001: "last"}; !maps.Equal(got, want) {
		t.Errorf("names of users = %v; want %v", got, want)
	}
	if _, ok := u.GroupName(0); ok {
		t.Error("a group has a name without a file")
	}
	if err := u.Refresh(base); err == nil {
		t.Error("Refresh tells nothing of the missing file group")
	}
	etc["group"] = &fstest.MapFile{Data: []byte("wheel:x:0:\n")}
	etc["passwd"] = &fstest.MapFile{ModTime: time.Unix(2, 0), Data: []byte("toor:x:0:0::/:\n")}
	name := func() string { s, _ := u.UserName(0); return s }
	if err := u.Refresh(base + 9e8); err != nil || name() != "root" {
		t.Errorf("within a second: user 0 is %q, %v; want root: no second look", name(), err)
	}
	if err := u.Refresh(base + 1e9); err != nil || name() != "toor" {
		t.Errorf("after a second: user 0 is %q, %v; want toor", name(), err)
	}
	if s, _ := u.GroupName(0); s != "wheel" {
		t.Errorf("group 0 is %q; want wheel", s)
	}
	delete(etc, "passwd")
	if err := u.Refresh(base + 3600e9); err == nil || name() != "toor" {
		t.Errorf("without the file: user 0 is %q, %v; want an error, and the name kept", name(), err)
	}
}

// An account that was made since the last look has its name at its first event;
// ids without a name look once between two calls of Refresh, whatever their number.
func TestUsersNewAccount(t *testing.T) {
	etc := fstest.MapFS{
		"passwd": {ModTime: time.Unix(1, 0), Data: []byte("root:x:0:0::/:\n")},
		"group":  {ModTime: time.Unix(1, 0), Data: []byte("root:x:0:\n")},
	}
	u := process.NewUsers(etc)
	if err := u.Refresh(base); err != nil {
		t.Fatal(err)
	}
	etc["passwd"] = &fstest.MapFile{ModTime: time.Unix(2, 0), Data: []byte("root:x:0:0::/:\nnew:x:1001:1001::/:\n")}
	etc["group"] = &fstest.MapFile{ModTime: time.Unix(2, 0), Data: []byte("root:x:0:\nnew:x:1001:\n")}
	if s, ok := u.UserName(1<<32 - 1); ok {
		t.Errorf("UserName(4294967295) = %q; want none: it stands for nobody", s)
	}
	if s, ok := u.UserName(1001); s != "new" || !ok {
		t.Errorf("UserName(1001) after the account was made = %q, %v; want new", s, ok)
	}
	if s, ok := u.GroupName(1001); s != "new" || !ok {
		t.Errorf("GroupName(1001) after the account was made = %q, %v; want new", s, ok)
	}
	etc["passwd"] = &fstest.MapFile{ModTime: time.Unix(3, 0), Data: []byte("root:x:0:0::/:\nlater:x:1002:1002::/:\n")}
	if s, ok := u.UserName(1002); ok {
		t.Errorf("UserName(1002) at the second look = %q; want none before the next Refresh", s)
	}
	if err := u.Refresh(base + 1); err != nil {
		t.Fatal(err)
	}
	if s, ok := u.UserName(1002); s != "later" || !ok {
		t.Errorf("UserName(1002) after Refresh = %q, %v; want later", s, ok)
	}
}

// The table has names looked at again with each batch of events: an account made
// a moment ago has its name, one whose id was given to another has the new one.
func TestTableNamesNewAccount(t *testing.T) {
	etc := fstest.MapFS{"passwd": {ModTime: time.Unix(1, 0), Data: []byte("root:x:0:0::/:\n")}, "group": {}}
	table := process.NewTable(process.Options{Host: "m1", Boot: "b1", Users: process.NewUsers(etc)})
	var serial uint64
	name := func(ms int64) string {
		s := scene{b: new(event.Batch), serial: serial}
		e := s.exec(ms, 100+int32(serial), 1, "/bin/id", "id")
		e.SetInt(event.ProcessUserID, 1001)
		serial = s.serial
		table.Apply(s.b)
		if e.Process == nil {
			t.Fatalf("exec at %d has no process", ms)
		}
		return e.Process.UserName
	}
	if got := name(0); got != "" {
		t.Errorf("user 1001 before the account was made = %q; want none", got)
	}
	etc["passwd"] = &fstest.MapFile{ModTime: time.Unix(2, 0), Data: []byte("root:x:0:0::/:\nnew:x:1001:1001::/:\n")}
	if got := name(20); got != "new" {
		t.Errorf("user 1001 in the next batch after the account was made = %q; want new", got)
	}
	etc["passwd"] = &fstest.MapFile{ModTime: time.Unix(3, 0), Data: []byte("root:x:0:0::/:\nother:x:1001:1001::/:\n")}
	if got := name(1020); got != "other" {
		t.Errorf("user 1001 a second after the id was given to another = %q; want other", got)
	}
}
