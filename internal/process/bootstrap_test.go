// SPDX-License-Identifier: Apache-2.0

package process_test

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"seismo/internal/event"
	"seismo/internal/process"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// running is a process as the /proc of a test shows it. The boot was at base.
type running struct {
	pid, ppid int32
	ticks     int // hundredths of a second after the boot
	exe       string
	args      []string
	uid       int
	login     uint32
	tty       int
	cgroup    string
	state     byte
	kernel    bool
}

// procOf writes a /proc.
func procOf(uptime int, all ...running) fstest.MapFS {
	m := fstest.MapFS{
		"stat":        {Data: fmt.Appendf(nil, "cpu  1 2\nintr 5\nbtime %d\nprocesses 9\n", base/1e9)},
		"uptime":      {Data: fmt.Appendf(nil, "%d.%02d 3.00\n", uptime/100, uptime%100)},
		"sys/version": {Data: []byte("Linux\n")},
	}
	for _, p := range all {
		put(m, p)
	}
	return m
}

func put(m fstest.MapFS, p running) {
	dir := fmt.Sprintf("%d/", p.pid)
	flags := 0x400000
	if p.kernel {
		flags |= 0x200000
	}
	if p.state == 0 {
		p.state = 'S'
	}
	m[dir+"stat"] = &fstest.MapFile{Data: fmt.Appendf(nil, "%d (a (b) c) %c %d 1 1 %d -1 %d 0 0 0 0 0 0 0 0 20 0 1 0 %d 0 0\n", p.pid, p.state, p.ppid, p.tty, flags, p.ticks)}
	m[dir+"status"] = &fstest.MapFile{Data: fmt.Appendf(nil, "Name:\ta\nUid:\t%d\t%d\t0\t0\nGid:\t%d\t0\t0\t0\n", p.uid, p.uid, p.uid)}
	m[dir+"loginuid"] = &fstest.MapFile{Data: fmt.Appendf(nil, "%d", p.login)}
	m[dir+"sessionid"] = &fstest.MapFile{Data: []byte("4294967295")}
	m[dir+"cgroup"] = &fstest.MapFile{Data: []byte(p.cgroup)}
	m[dir+"cmdline"] = &fstest.MapFile{}
	if len(p.args) > 0 {
		m[dir+"cmdline"].Data = []byte(strings.Join(p.args, "\x00") + "\x00")
	}
	if p.exe != "" {
		m[dir+"exe"] = &fstest.MapFile{Mode: fs.ModeSymlink, Data: []byte(p.exe)}
		m[dir+"cwd"] = &fstest.MapFile{Mode: fs.ModeSymlink, Data: []byte("/home/u")}
	}
}

const noLogin = 1<<32 - 1

func host() fstest.MapFS {
	container := "0::/system.slice/docker-" + strings.Repeat("ab", 32) + ".scope\n"
	return procOf(90_000,
		running{pid: 1, ticks: 5, exe: "/usr/lib/systemd/systemd", args: []string{"/sbin/init", "splash"}, login: noLogin},
		running{pid: 2, ticks: 5, kernel: true, login: noLogin},
		running{pid: 9, ppid: 2, ticks: 6, kernel: true, login: noLogin},
		// Its parent has the greater number: numbers have begun anew.
		running{pid: 300, ppid: 4000, ticks: 80_000, exe: "/usr/bin/vim (deleted)", args: []string{"vim", "", "a b"}, uid: 1000, login: 1000, tty: 34817},
		running{pid: 4000, ppid: 1, ticks: 70_000, exe: "/usr/bin/bash", args: []string{"-bash"}, uid: 1000, login: 1000, tty: 34817},
		running{pid: 4100, ppid: 1, ticks: 71_000, exe: "/app/server", args: []string{"/app/server"}, login: noLogin, cgroup: container},
		running{pid: 4200, ppid: 1, ticks: 72_000, state: 'Z', login: noLogin},
		// Its parent ended, and the number went to a process that began later.
		running{pid: 4300, ppid: 300, ticks: 75_000, exe: "/usr/bin/orphan", args: []string{"orphan"}, login: noLogin},
	)
}

func users() *process.Users {
	return process.NewUsers(fstest.MapFS{
		"passwd": {Data: []byte("root:x:0:0:root:/root:/bin/bash\nada:x:1000:1000::/home/ada:/bin/bash\n")},
		"group":  {Data: []byte("root:x:0:\nstaff:x:1000:ada\n")},
	})
}

// dump writes every field that an event has, one a line.
func dump(b *event.Batch) string {
	var w strings.Builder
	for _, e := range b.Events() {
		fmt.Fprintf(&w, "%s %s time=%d flags=%d\n", e.Kind, e.Op, (e.Time-base)/1e6, e.Flags)
		for _, in := range event.Fields() {
			if !e.Has(in.Field) || in.Scope == event.ScopeAncestor {
				continue
			}
			switch in.Type {
			case event.List, event.Hash:
				fmt.Fprintf(&w, "  %s = %q\n", in.Name, slices.Collect(e.Elements(in.Field)))
			case event.String:
				v, _ := e.Text(in.Field)
				fmt.Fprintf(&w, "  %s = %q\n", in.Name, v)
			case event.Identifier:
				v, _ := e.Int(in.Field)
				fmt.Fprintf(&w, "  %s = %016x\n", in.Name, uint64(v))
			default:
				v, _ := e.Int(in.Field)
				fmt.Fprintf(&w, "  %s = %d\n", in.Name, v)
			}
		}
		fmt.Fprintf(&w, "  -- ticks %d, ppid %d, boot %s\n", e.Process.StartTicks, e.Process.PPID, e.Process.Boot)
	}
	return w.String()
}

func TestBootstrap(t *testing.T) {
	table := process.NewTable(process.Options{Host: "m1", Boot: "b1", Live: true, ProcFS: host(), Users: users()})
	b := event.NewBatch(8)
	n, err := table.Bootstrap(b)
	if n != 7 || err != nil || table.Running() != 7 {
		t.Errorf("Bootstrap = %d, %v with %d running; want 7 of 8: no zombie", n, err, table.Running())
	}
	got := dump(b)
	const golden = "testdata/bootstrap.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("events of Bootstrap differ from %s (-want +got; -update rewrites it):\n%s", golden, diff)
	}
}

func TestBootstrapTakesUpWhatIsStored(t *testing.T) {
	first := event.NewBatch(8)
	o := process.Options{Host: "m1", Boot: "b1", Live: true, ProcFS: host()}
	if _, err := process.NewTable(o).Bootstrap(first); err != nil {
		t.Fatal(err)
	}
	stored := map[int32]*event.Process{}
	for _, e := range first.Events() {
		p := e.Process
		q := *p
		stored[e.PID] = &q
	}
	// 300 was stored at its exec, later than its fork, under an id of another form.
	stored[300].ID, stored[300].Start = 77, stored[300].Start+5e9
	// The pid of 4100 was another's before.
	stored[4100].ID, stored[4100].Start = 78, stored[4100].Start-5e9
	o.Stored = func(pid int32) *event.Process { return stored[pid] }
	table := process.NewTable(o)
	again := event.NewBatch(8)
	n, err := table.Bootstrap(again)
	if n != 7 || err != nil || again.Len() != 1 || again.Events()[0].PID != 4100 {
		t.Errorf("second Bootstrap = %d, %v with %d events; want 7 processes and the event of 4100 alone", n, err, again.Len())
	}
	if p := again.Events()[0].Process; p.ID == 78 {
		t.Error("4100 has the id of the earlier owner of its pid")
	}
	b := event.NewBatch(1)
	e := b.Add(event.KindFile, event.OpWrite)
	e.PID, e.Time = 300, 940_000*1e6
	if table.Apply(b); e.Process == nil || e.Process.ID != 77 {
		t.Errorf("process of an event of 300: %+v; want the id that was stored, 77", e.Process)
	}
	got := play(table, func(s *scene) { s.file(950_000, 300, 4000, "/usr/bin/vim"); s.exit(960_000, 300, 0) })
	chain := "300 /usr/bin/vim (deleted) running < 4000 /usr/bin/bash running < 1 /usr/lib/systemd/systemd running"
	want := []string{"write 300: " + chain, "end 300 at 960000 code 0: " + chain}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events of a known process (-want +got):\n%s", diff)
	}
	// Found again under another program, it is another image.
	put(o.ProcFS.(fstest.MapFS), running{pid: 300, ppid: 4000, ticks: 80_000, exe: "/bin/other", args: []string{"other"}})
	third := event.NewBatch(8)
	if _, err := process.NewTable(o).Bootstrap(third); err != nil || third.Len() != 2 {
		t.Errorf("Bootstrap after an exec gives %d events, %v; want those of 300 and 4100", third.Len(), err)
	}
}

func TestWhatWasUnderWayWhenBootstrapLooked(t *testing.T) {
	table := process.NewTable(process.Options{Live: true, ProcFS: host()})
	if _, err := table.Bootstrap(event.NewBatch(8)); err != nil {
		t.Fatal(err)
	}
	got := play(table, func(s *scene) {
		s.fork(800_300, 300, 4000)                                        // the fork of one found running
		s.file(800_350, 300, 4000, "/bin/dash")                           // what it did before its last exec
		s.exec(800_400, 300, 4000, "/bin/sh", "sh", "-c", "vim")          // an earlier image of it
		s.exec(800_500, 4000, 1, "/usr/bin/bash", "-bash")                // the exec of the image found
		s.exec(910_000, 4000, 1, "/usr/bin/bash", "-bash")                // the same again, later
		s.fork(911_000, 300, 1)                                           // its number is used again
		s.exec(911_010, 300, 1, "/usr/sbin/cron", "cron")                 //
		s.exec(911_020, 4300, 1, "/usr/bin/orphan", "orphan", "--daemon") // an exec after
	})
	want := []string{
		"write 300: 300 /usr/bin/vim (deleted) running < 4000 /usr/bin/bash running < 1 /usr/lib/systemd/systemd running",
		"create 300: 300 /bin/sh < 4000 /usr/bin/bash running < 1 /usr/lib/systemd/systemd running",
		"create 4000: 4000 /usr/bin/bash running < 1 /usr/lib/systemd/systemd running",
		"create 4000: 4000 /usr/bin/bash < 4000 /usr/bin/bash running < 1 /usr/lib/systemd/systemd running",
		"create 300: 300 /usr/sbin/cron < 300 /usr/lib/systemd/systemd forked < 1 /usr/lib/systemd/systemd running",
		"create 4300: 4300 /usr/bin/orphan < 4300 /usr/bin/orphan running",
		"end 300 at 911000: 300 /bin/sh < 4000 /usr/bin/bash running < 1 /usr/lib/systemd/systemd running",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestLiveUnknownProcessIsReadFromProc(t *testing.T) {
	table := process.NewTable(process.Options{Live: true, ProcFS: host()})
	b := event.NewBatch(8)
	s := scene{b: b}
	s.file(910_000, 300, 4000, "/usr/bin/vim")   // with its ancestors
	s.exec(910_010, 9000, 4000, "/bin/ls", "ls") // not in /proc, but its parent is
	s.file(700_500, 4100, 1, "/app/server")      // the one in /proc began later: another
	s.file(910_040, 4300, 1, "/usr/bin/other")   // the one in /proc runs another program by now
	s.file(910_050, 300, 4000, "/usr/bin/vim")
	table.Apply(b)
	var got []string
	for _, e := range b.Events() {
		got = append(got, fmt.Sprintf("%s args %q", show(e), e.Process.Args))
	}
	init := " < 1 /usr/lib/systemd/systemd inferred"
	chain := " < 4000 /usr/bin/bash inferred" + init
	want := []string{
		"write 300: 300 /usr/bin/vim inferred" + chain + ` args ["vim" "" "a b"]`,
		"create 9000: 9000 /bin/ls" + chain + ` args ["ls"]`,
		"write 4100: 4100 /app/server inferred" + init + " args []",
		"write 4300: 4300 /usr/bin/other inferred" + init + " args []",
		"write 300: 300 /usr/bin/vim inferred" + chain + ` args ["vim" "" "a b"]`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// The main thread of a shell ends alone: it is still there as a parent.
func TestParentWhoseMainThreadEnded(t *testing.T) {
	table := process.NewTable(process.Options{Live: true, ProcFS: host()})
	if _, err := table.Bootstrap(event.NewBatch(8)); err != nil {
		t.Fatal(err)
	}
	got := play(table, func(s *scene) { s.exit(910_000, 4000, 0) }, func(s *scene) { s.exec(920_000, 9000, 4000, "/bin/ls", "ls") })
	chain := "4000 /usr/bin/bash running < 1 /usr/lib/systemd/systemd running"
	want := []string{"end 4000 at 910000 code 0: " + chain, "create 9000: 9000 /bin/ls < " + chain}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestBootstrapMarksACutCommandLine(t *testing.T) {
	proc := procOf(90_000, running{pid: 7, ticks: 5, exe: "/bin/x", args: []string{"x", strings.Repeat("y", 60<<10), "tail"}})
	b := event.NewBatch(1)
	if n, err := process.NewTable(process.Options{Live: true, ProcFS: proc}).Bootstrap(b); n != 1 || err != nil {
		t.Fatalf("Bootstrap = %d, %v", n, err)
	}
	e := b.Events()[0]
	if args := e.Process.Args; e.Flags&event.Truncated == 0 || args[0] != "x" || args[len(args)-1] != "tail" {
		t.Errorf("flags %d, %d arguments; want Truncated, and the first and last argument whole", e.Flags, len(args))
	}
}

func TestReplayNeverReadsProc(t *testing.T) {
	got := play(process.NewTable(process.Options{ProcFS: host()}), func(s *scene) { s.file(910_000, 300, 4000, "/usr/bin/vim") })
	if want := []string{"write 300: 300 /usr/bin/vim inferred"}; !slices.Equal(got, want) {
		t.Errorf("a replay gives %q; want %q: nothing of this host", got, want)
	}
}

func TestBootstrapWithoutBootTime(t *testing.T) {
	for name, proc := range map[string]fstest.MapFS{
		"no stat":     {"uptime": {Data: []byte("1.0 1.0")}},
		"no btime":    {"stat": {Data: []byte("cpu 1\n")}, "uptime": {Data: []byte("1.0 1.0")}},
		"bad btime":   {"stat": {Data: []byte("btime x\n")}, "uptime": {Data: []byte("1.0 1.0")}},
		"no uptime":   {"stat": {Data: []byte("btime 1800000000\n")}},
		"bad uptime":  {"stat": {Data: []byte("btime 1800000000\n")}, "uptime": {Data: []byte("NaN 1")}},
		"hostile pid": {"stat": {Data: []byte("btime 99999999999999999999\n")}, "99999999999/stat": {}},
	} {
		b := event.NewBatch(1)
		if n, err := process.NewTable(process.Options{Live: true, ProcFS: proc}).Bootstrap(b); err == nil || n != 0 || b.Len() != 0 {
			t.Errorf("%s: Bootstrap = %d, %v; want an error and nothing entered", name, n, err)
		}
	}
}

func TestSweep(t *testing.T) {
	proc := host()
	table := process.NewTable(process.Options{Live: true, ProcFS: proc})
	if _, err := table.Bootstrap(event.NewBatch(8)); err != nil {
		t.Fatal(err)
	}
	play(table, func(s *scene) {
		s.exec(910_000, 5000, 4000, "/bin/sleep", "sleep")
		s.exec(910_000, 5001, 4000, "/bin/sleep", "sleep")
	})
	put(proc, running{pid: 5000, ppid: 4000, ticks: 90_990, exe: "/bin/sleep", args: []string{"sleep"}})
	put(proc, running{pid: 5001, ppid: 4000, ticks: 91_500, exe: "/bin/other"}) // began later: another
	delete(proc, "300/stat")
	put(proc, running{pid: 4100, ppid: 1, ticks: 91_000, exe: "/app/server"}) // its number was used again

	b := event.NewBatch(4)
	n, err := table.Sweep(b, at(920_000))
	var got []string
	for _, e := range b.Events() {
		got = append(got, show(e))
	}
	slices.Sort(got)
	init := " < 1 /usr/lib/systemd/systemd running"
	want := []string{
		"end 300 at 920000: 300 /usr/bin/vim (deleted) running < 4000 /usr/bin/bash running" + init,
		"end 4100 at 920000: 4100 /app/server running" + init,
		"end 5001 at 920000: 5001 /bin/sleep < 4000 /usr/bin/bash running" + init,
	}
	if diff := cmp.Diff(want, got); n != 3 || err != nil || diff != "" {
		t.Errorf("Sweep = %d, %v; want 3 ends (-want +got):\n%s", n, err, diff)
	}
	if n, err := table.Sweep(b, at(921_000)); n != 0 || err != nil {
		t.Errorf("second Sweep = %d, %v; want nothing new", n, err)
	}
	proc["5000/stat"].Data = []byte("damaged")
	if n, err := table.Sweep(b, at(922_000)); n != 0 || err != nil {
		t.Errorf("Sweep with a damaged stat = %d, %v; want it left alone", n, err)
	}
}
