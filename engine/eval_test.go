// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seismo/internal/event"
	"seismo/signals"
)

const (
	equal     = signals.Is
	has       = signals.Contains
	begins    = signals.BeginsWith
	ends      = signals.EndsWith
	exists    = signals.Exists
	less      = signals.Less
	lessEq    = signals.LessEqual
	greater   = signals.Greater
	greaterEq = signals.GreaterEqual
	inCIDR    = signals.InCIDR
)

type fields = map[event.Field]any

// family is a process of three generations: init, sshd, and a shell that was a
// login program before it called execve.
func family() *event.Process {
	none := event.Process{UserID: event.NoID, GroupID: event.NoID, LoginUserID: event.NoID, Session: event.NoID}
	root, sshd, login, shell := none, none, none, none
	root.PID, root.Path = 1, "/sbin/init"
	sshd.PID, sshd.Path, sshd.Parent, sshd.UserName, sshd.UserID = 20, "/usr/sbin/sshd", &root, "root", 0
	login.PID, login.Path, login.Parent = 30, "/bin/login", &sshd
	shell.PID, shell.Path, shell.Parent, shell.Previous = 30, "/bin/bash", &sshd, &login
	shell.CommandLine, shell.Args = "-bash --Login", []string{"-bash", "--Login"}
	shell.Start, shell.ID, shell.Hash = 1_700_000_000_000_000_000, 1<<63+5, []string{"sha256=aa", "md5=bb"}
	return &shell
}

func fileEvent(path string) testEvent {
	return testEvent{kind: event.KindFile, op: event.OpWrite, fields: fields{event.FilePath: path}}
}

func execEvent(p *event.Process) testEvent {
	return testEvent{kind: event.KindProcess, op: event.OpCreate, process: p}
}

// One term, on one event.
func TestTerm(t *testing.T) {
	shell := family()
	net := testEvent{kind: event.KindNetwork, op: event.OpConnect, process: shell, fields: fields{
		event.NetworkAddress: netip.MustParseAddr("::ffff:10.1.2.3"), event.NetworkPort: 4444, event.NetworkResult: -115}}
	net6 := testEvent{kind: event.KindNetwork, op: event.OpConnect, fields: fields{event.NetworkAddress: netip.MustParseAddr("2001:db8::ABCD")}}
	rec := testEvent{kind: event.KindRecord, op: event.OpRecord, own: []ownField{
		{0, "msg", "first"}, {0, "a0", "7F"}, {0, "msg", "again"}, {1, "msg", "second"}, {1, "msg", "again"}}}
	noArgs := family()
	noArgs.Args = []string{}
	tests := []struct {
		name string
		term expr
		on   testEvent
		want bool
	}{
		{"letters fold", ask("file.path", equal, "/ETC/Passwd"), fileEvent("/etc/PASSWD"), true},
		{"bytes that are no ASCII letters do not fold", ask("file.path", equal, "/Ä"), fileEvent("/ä"), false},
		{"neighbours of the letters do not fold", ask("file.path", equal, "[@"), fileEvent("{`"), false},
		{"cased compares exactly", cased(ask("file.path", equal, "/etc/Passwd")), fileEvent("/etc/passwd"), false},
		{"cased is met by the same bytes", cased(ask("file.path", has, "Pass")), fileEvent("/etc/Passwd"), true},
		{"is wants all of the value", ask("file.path", equal, "/etc"), fileEvent("/etc/passwd"), false},
		{"begins with", ask("file.path", begins, "/etc/"), fileEvent("/etc/passwd"), true},
		{"begins with is anchored", ask("file.path", begins, "etc/"), fileEvent("/etc/passwd"), false},
		{"ends with", ask("file.path", ends, "wd"), fileEvent("/etc/passwd"), true},
		{"ends with a value longer than the field", ask("file.path", ends, "//etc/passwd"), fileEvent("/etc/passwd"), false},
		{"contains at the end", ask("file.path", has, "SWD"), fileEvent("/etc/passwd"), true},
		{"contains finds a repeated beginning", ask("file.path", has, "aab"), fileEvent("aaab"), true},
		{"contains the empty value", ask("file.path", has, ""), fileEvent("x"), true},
		{"an empty value is a value", ask("file.path", equal, ""), fileEvent(""), true},
		{"a list means any", ask("file.path", equal, "/a", "/b"), fileEvent("/b"), true},
		{"NOT with a list means none", not(ask("file.path", equal, "/a", "/b")), fileEvent("/b"), false},
		{"an absent field makes a positive term false", ask("file.target_path", has, ""), fileEvent("/a"), false},
		{"exists", ask("file.path", exists), fileEvent(""), true},
		{"exists on an absent field", ask("file.target_path", exists), fileEvent("/a"), false},
		{"exists NOT does not turn the kind", not(ask("network.port", exists)), fileEvent("/a"), false},
		{"an event term is met by its kind only", ask("file.path", has, "a"), testEvent{kind: event.KindProcess, op: event.OpCreate}, false},
		{"an operation is a field", ask("file.operation", equal, "WRITE"), fileEvent("/a"), true},

		{"an IPv4 address in IPv6 form is the IPv4 address", ask("network.address", equal, "10.1.2.3"), net, true},
		{"addresses compare by value", ask("network.address", equal, "2001:db8::abcd"), net6, true},
		{"in cidr", ask("network.address", inCIDR, "10.0.0.0/8"), net, true},
		{"in cidr of another family", ask("network.address", inCIDR, "::/0"), net, false},
		{"NOT in cidr", not(ask("network.address", inCIDR, "192.168.0.0/16", "10.0.0.0/8")), net, false},
		{"text conditions see the canonical text", ask("network.address", begins, "10.1."), net, true},
		{"text of an IPv6 address", ask("network.address", ends, "::abcd"), net6, true},
		{"an address exists", ask("network.address", exists), net, true},
		{"is a number", number("network.port", equal, 443, 4444), net, true},
		{"less", number("network.port", less, 4444), net, false},
		{"less or equal", number("network.port", lessEq, 4444), net, true},
		{"greater", number("network.port", greater, 1023), net, true},
		{"greater or equal", number("network.port", greaterEq, 4445), net, false},
		{"integers are signed", number("network.result", less, 0), net, true},
		{"identifiers are not signed", number("process.id", greater, 5), execEvent(shell), true},
		{"an identifier by its bits", number("process.id", equal, -1<<63+5), execEvent(shell), true},
		{"a time", number("process.start_time", greaterEq, 1_700_000_000_000_000_000), execEvent(shell), true},

		{"any element of a list", ask("process.args", equal, "--login"), execEvent(shell), true},
		{"any element of a hash", ask("process.hash", begins, "MD5="), execEvent(shell), true},
		{"a list of no elements exists", ask("process.args", exists), execEvent(noArgs), true},
		{"a list of no elements meets nothing", ask("process.args", has, ""), execEvent(noArgs), false},
		{"an ancestor", ask("process.ancestry_path", ends, "/SSHD"), execEvent(shell), true},
		{"the process is its own ancestor", ask("process.ancestry_name", equal, "bash"), execEvent(shell), true},
		{"a previous image is an ancestor", ask("process.ancestry_path", equal, "/bin/login"), execEvent(shell), true},
		{"an ancestor's hash", ask("process.ancestry_hash", equal, "md5=bb"), execEvent(shell), true},
		{"the parent", ask("process.parent_name", equal, "sshd"), execEvent(shell), true},
		{"the parent of an image is not the previous image", ask("process.parent_name", equal, "login"), execEvent(shell), false},

		{"an own field, in any record", ask("record.'msg'", equal, "SECOND"), rec, true},
		{"of equal names in one record the first counts", ask("record.'msg'", equal, "again"), rec, false},
		{"a name that comes again hides nothing", and(ask("record.'a0'", exists), not(ask("record.'msg'", equal, "again"))), rec, true},
		{"own names are case-sensitive", ask("record.'A0'", exists), rec, false},
		{"NOT on an own field means no value of that name", and(ask("record.'a0'", equal, "7f"), not(ask("record.'msg'", has, "first"))), rec, false},
		{"an absent own field makes a negated term true", and(ask("record.'a0'", equal, "7f"), not(ask("record.'a1'", equal, "x"))), rec, true},
		{"own fields of an event that has a kind", ask("record.'key'", equal, "k"),
			testEvent{kind: event.KindFile, op: event.OpWrite, own: []ownField{{0, "key", "k"}}}, true},

		{"without a process, what the record says of it", and(ask("process.path", equal, "/bin/x"), ask("file.path", exists)),
			testEvent{kind: event.KindFile, op: event.OpWrite, fields: fields{event.FilePath: "/a", event.ProcessPath: "/bin/x"}}, true},
		{"without a process, the ancestry is the process of the record", and(ask("process.ancestry_path", equal, "/bin/x"), ask("file.path", exists)),
			testEvent{kind: event.KindFile, op: event.OpWrite, fields: fields{event.FilePath: "/a", event.ProcessPath: "/bin/x"}}, true},
		{"a known process counts, not the record's word", and(ask("process.path", equal, "/bin/x"), ask("file.path", exists)),
			testEvent{kind: event.KindFile, op: event.OpWrite, process: shell, fields: fields{event.FilePath: "/a", event.ProcessPath: "/bin/x"}}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b setBuilder
			b.add("s", event.AllKinds, tt.term)
			if got := fired(t, b.program(t), "linux", tt.on)["s"] != nil; got != tt.want {
				t.Errorf("Match(%s) fired = %v, want %v", tt.term.text(), got, tt.want)
			}
		})
	}
}

// When a signal whose expression is true fires.
func TestFiring(t *testing.T) {
	shell := family()
	ofShell := fileEvent("/etc/passwd")
	ofShell.process = shell
	end, update := execEvent(shell), execEvent(shell)
	end.op, update.op = event.OpEnd, event.OpUpdate
	bash := ask("process.path", ends, "/bash")
	etc := ask("file.path", begins, "/etc/")
	tmp := ask("file.path", begins, "/tmp/")
	tests := []struct {
		name string
		e    expr
		on   testEvent
		want bool
	}{
		{"process and event term on one event", and(bash, etc), ofShell, true},
		{"process terms only, at publication", bash, execEvent(shell), true},
		{"process terms only, at an update without a late value", bash, update, false},
		{"process terms only, not at the end", bash, end, false},
		{"process terms only, not on an event of the process", bash, ofShell, false},
		{"negated process terms only, at publication", not(ask("process.path", ends, "/zsh")), execEvent(shell), true},
		{"a negated event term alone fires on nothing", not(tmp), ofShell, false},
		{"a process term with a negated event term fires on nothing", and(bash, not(tmp)), ofShell, false},
		{"a process term with a negated event term, at publication", and(bash, not(tmp)), execEvent(shell), false},
		{"a negated event term beside a positive one", and(etc, not(ask("file.path", ends, "shadow"))), ofShell, true},
		{"a negated event term of another kind is false", and(bash, etc, not(number("network.port", equal, 80))), ofShell, false},
		{"the branch that the event meets", or(bash, etc), ofShell, true},
		{"the branch of the process, at publication", or(etc, bash), execEvent(shell), true},
		{"a branch that the event does not meet", or(bash, tmp), ofShell, false},
		{"an OR within an AND: the event's part lets it fire", and(bash, or(ask("process.name", equal, "bash"), etc)), ofShell, true},
		{"a group that the event meets", group(and(bash, etc)), ofShell, true},
		{"a group whose only event term is negated", and(bash, group(not(tmp))), ofShell, true},
		{"a group on the process only, not on an event of it", group(bash), ofShell, false},
		{"a group on the process only, at publication", group(bash), execEvent(shell), true},
		{"the user at the event is a term on the event", ask("user.name", equal, "root"),
			testEvent{kind: event.KindFile, op: event.OpOpen, fields: fields{event.UserName: "root"}}, true},
		{"terms on two kinds are not met by one event", and(etc, number("network.port", greater, 0)), ofShell, false},
		{"an event without a process is judged alone", and(not(bash), etc), fileEvent("/etc/passwd"), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b setBuilder
			b.add("s", event.AllKinds, tt.e)
			if got := fired(t, b.program(t), "linux", tt.on)["s"] != nil; got != tt.want {
				t.Errorf("Match(%s) fired = %v, want %v", tt.e.text(), got, tt.want)
			}
		})
	}
}

func TestRoutes(t *testing.T) {
	var b setBuilder
	etc := ask("file.path", begins, "/etc/")
	b.add("1-any", event.AllKinds, etc)
	b.add("2-linux", event.AllKinds, etc, "linux")
	b.add("3-both", event.AllKinds, etc, "macos", "linux")
	b.add("4-windows", event.AllKinds, etc, "windows")
	b.add("5-network", event.SetOf(event.KindNetwork), etc, "linux")
	p := b.program(t)
	tests := []struct {
		name, platform string
		want           []uint32
	}{
		{"signals of the platform and of any", "linux", []uint32{0, 1, 2}},
		{"another platform", "windows", []uint32{0, 3}},
		{"a platform that no signal names", "openbsd", []uint32{0}},
		{"a platform that is not known is any", "", []uint32{0, 1, 2, 3}},
	}
	m := p.NewMatcher()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			batch := event.NewBatch(1)
			batch.Platform = tt.platform
			e := fileEvent("/etc/passwd").addTo(batch)
			m.Match(batch)
			var got []uint32
			for _, tag := range e.Tags {
				got = append(got, tag.Signal)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("signals on platform %q (-want +got):\n%s", tt.platform, diff)
			}
		})
	}
	if diff := cmp.Diff([]uint64{4, 2, 2, 2, 0}, m.Counts()); diff != "" {
		t.Errorf("Counts() (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]uint64{4, 2, 2, 2, 0}, m.Evaluations()); diff != "" {
		t.Errorf("Evaluations() (-want +got):\n%s", diff)
	}
}

func TestProof(t *testing.T) {
	shell := family()
	on := testEvent{kind: event.KindFile, op: event.OpWrite, process: shell, fields: fields{event.FilePath: "/Etc/passwd", event.FileMode: 0o644},
		own: []ownField{{0, "key", "one"}, {1, "key", "two"}}}
	type item struct {
		Text, Value, Literal string
		Absent               bool
	}
	etc := ask("file.path", begins, "/tmp/", "/etc/")
	tests := []struct {
		name string
		e    expr
		on   testEvent
		want []item
	}{
		{"value as delivered, literal that was met", etc, on,
			[]item{{"file.path begins with ('/tmp/', '/etc/')", "/Etc/passwd", "/etc/", false}}},
		{"a negated term with the value seen", and(etc, not(ask("process.path", equal, "/bin/zsh"))), on,
			[]item{{"file.path begins with ('/tmp/', '/etc/')", "/Etc/passwd", "/etc/", false}, {"process.path is NOT '/bin/zsh'", "/bin/bash", "", false}}},
		{"a negated term on an absent field", and(etc, not(ask("file.target_path", exists))), on,
			[]item{{"file.path begins with ('/tmp/', '/etc/')", "/Etc/passwd", "/etc/", false}, {"file.target_path exists NOT", "", "", true}}},
		{"the first true branch in text order", or(ask("file.path", ends, "shadow"), ask("file.path", ends, "wd"), etc), on,
			[]item{{"file.path ends with 'wd'", "/Etc/passwd", "wd", false}}},
		{"a true branch that does not fire is passed over", or(ask("process.name", equal, "bash"), etc), on,
			[]item{{"file.path begins with ('/tmp/', '/etc/')", "/Etc/passwd", "/etc/", false}}},
		{"a part that can not fire is taken first where another lets it fire", and(or(ask("process.name", equal, "bash"), etc), number("file.mode", equal, 420)), on,
			[]item{{"process.name is 'bash'", "bash", "bash", false}, {"file.mode is 420", "420", "420", false}}},
		{"a part that must let it fire", and(ask("process.name", equal, "bash"), or(ask("process.path", exists), etc)), on,
			[]item{{"process.name is 'bash'", "bash", "bash", false}, {"file.path begins with ('/tmp/', '/etc/')", "/Etc/passwd", "/etc/", false}}},
		{"a group gives its terms", group(and(etc, ask("file.operation", equal, "write"))), on,
			[]item{{"file.path begins with ('/tmp/', '/etc/')", "/Etc/passwd", "/etc/", false}, {"file.operation is 'write'", "write", "write", false}}},
		{"the element that met", and(etc, ask("process.args", has, "login")), on,
			[]item{{"file.path begins with ('/tmp/', '/etc/')", "/Etc/passwd", "/etc/", false}, {"process.args contains 'login'", "--Login", "login", false}}},
		{"the ancestor that met", and(etc, ask("process.ancestry_name", equal, "sshd")), on,
			[]item{{"file.path begins with ('/tmp/', '/etc/')", "/Etc/passwd", "/etc/", false}, {"process.ancestry_name is 'sshd'", "sshd", "sshd", false}}},
		{"the first of several values that a negated term saw", and(etc, not(ask("record.'key'", equal, "three"))), on,
			[]item{{"file.path begins with ('/tmp/', '/etc/')", "/Etc/passwd", "/etc/", false}, {"record.'key' is NOT 'three'", "one", "", false}}},
		{"identifiers and times as JSON writes them", and(number("process.id", greater, 5), number("process.start_time", greater, 0)), execEvent(shell),
			[]item{{"process.id > 5", "9223372036854775813", "5", false}, {"process.start_time > 0", "2023-11-14T22:13:20Z", "1970-01-01T00:00:00Z", false}}},
		{"a long value is cut", ask("file.path", begins, "x"), fileEvent(strings.Repeat("x", 300)),
			[]item{{"file.path begins with 'x'", strings.Repeat("x", 256), "x", false}}},
		{"and not within a character", ask("file.path", begins, "x"), fileEvent(strings.Repeat("x", 254) + "€€"),
			[]item{{"file.path begins with 'x'", strings.Repeat("x", 254), "x", false}}},
		{"what is no UTF-8 is cut all the same", ask("file.path", begins, "x"), fileEvent(strings.Repeat("x", 255) + "\xff\xff"),
			[]item{{"file.path begins with 'x'", strings.Repeat("x", 255) + "\xff", "x", false}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b setBuilder
			b.add("s", event.AllKinds, tt.e)
			p := b.program(t)
			var got []item
			for _, it := range fired(t, p, "linux", tt.on)["s"] {
				got = append(got, item{it.Text, it.Value, it.Literal, it.Absent})
				if it.Event != 1001 || it.Time != 1_000_000_000 || it.Ordinal != 1 {
					t.Errorf("item %q is on event %d, time %d, ordinal %d", it.Text, it.Event, it.Time, it.Ordinal)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("proof of %s (-want +got):\n%s", tt.e.text(), diff)
			}
		})
	}
}

// Judging takes no memory where nothing fires and nothing is remembered, whatever
// the terms read, with tables of literals and without.
func TestMatchDoesNotAllocate(t *testing.T) {
	var b setBuilder
	no := []expr{
		ask("file.path", has, "nowhere"), not(ask("file.path", begins, "/")), cased(ask("file.path", ends, "Z")),
		ask("file.path", signals.Glob, "*nowhere*"), ask("process.path", signals.PathGlob, "/*/nowhere"), ask("file.path", signals.InList, "none"),
		ask("file.path", signals.Regex, "no+where"), ask("process.path", signals.Regex, "no+where"),
		ask("network.address", has, "99"), ask("network.address", inCIDR, "11.0.0.0/8"), number("network.port", less, 3),
		ask("process.path", has, "nowhere"), ask("process.args", equal, "x"), ask("process.ancestry_path", has, "nowhere"),
		ask("process.ancestry_hash", has, "nowhere"), ask("process.parent_name", equal, "x"), ask("record.'key'", equal, "x"),
		ask("syscall.arguments", equal, "x"), number("process.id", less, 3), ask("process.name", equal, "x"),
		and(ask("file.path", has, "nowhere"), number("network.port", equal, 3)), and(ask("file.path", exists), number("network.port", equal, 3)),
	}
	for _, e := range no {
		b.add("s"+string(rune('a'+len(b.set.Signals))), event.AllKinds, e)
	}
	p := b.program(t)
	for _, o := range []MatcherOptions{{}, {DisableSignalsTrie: true}, {Live: true}} {
		m := p.NewMatcherWith(o)
		batch := event.NewBatch(4)
		shell := family()
		file := fileEvent("/etc/passwd")
		file.process, file.own = shell, []ownField{{0, "key", "one"}}
		file.addTo(batch)
		execEvent(shell).addTo(batch)
		testEvent{kind: event.KindNetwork, op: event.OpConnect, fields: fields{
			event.NetworkAddress: netip.MustParseAddr("2001:db8::1"), event.NetworkPort: 80, event.ProcessPath: "/bin/x"}}.addTo(batch)
		testEvent{kind: event.KindSyscall, op: event.OpCall, process: shell, fields: fields{event.SyscallArguments: []string{"1", "2"}}}.addTo(batch)
		if n := testing.AllocsPerRun(20, func() { m.Match(batch) }); n != 0 {
			t.Errorf("with %+v Match allocates %v times a batch, want 0", o, n)
		}
		for _, e := range batch.Events() {
			if len(e.Tags) > 0 {
				t.Errorf("%s event is tagged by %s", e.Kind, m.Program().Definitions()[e.Tags[0].Signal].Text)
			}
		}
	}
}

// A program is shared: matchers of several goroutines do not disturb each other.
func TestProgramIsShared(t *testing.T) {
	var b setBuilder
	b.add("s", event.AllKinds, and(ask("file.path", begins, "/etc/"), ask("process.ancestry_name", equal, "sshd")))
	p := b.program(t)
	shell := family()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			m := p.NewMatcher()
			batch := event.NewBatch(1)
			for range 100 {
				batch.Reset()
				on := fileEvent("/etc/passwd")
				on.process = shell
				on.addTo(batch)
				m.Match(batch)
			}
			if n := m.Counts()[0]; n != 100 {
				t.Errorf("Counts()[0] = %d after 100 events that meet the signal, want 100", n)
			}
		})
	}
	wg.Wait()
}
