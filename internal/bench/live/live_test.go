// SPDX-License-Identifier: Apache-2.0

package main

import (
	"flag"
	"math"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// The raw log and the one of LAUREL that are read here tell of the same things; each
// is as it was written under the loads, with numbers shortened.
const rawLog = `type=SYSCALL msg=audit(1795000000.100:10): arch=c000003e syscall=59 success=yes exit=0 a0=c0 a1=c1 a2=c2 a3=8 items=1 ppid=7 pid=8 comm="tiny" exe="/opt/x/tiny" key="seismo-bench"
type=EXECVE msg=audit(1795000000.100:10): argc=3 a0="/opt/x/tiny" a1="sMARK" a2="0"
type=PATH msg=audit(1795000000.100:10): item=0 name="/opt/x/tiny" inode=9 nametype=NORMAL
type=EXECVE msg=audit(1795000000.104:11): argc=3 a0="/opt/x/tiny" a1="sMARK" a2="0"
type=EXECVE msg=audit(1795000000.104:12): argc=3 a0="/opt/x/tiny" a1="sOTHER" a2="1"
type=EXECVE msg=audit(1795000000.104:13): argc=4 a0="/bin/ls" a1="sMARK" a2="1" a3="2"
type=SYSCALL msg=audit(1795000000.108:14): arch=c000003e syscall=42 success=yes
type=SOCKADDR msg=audit(1795000000.108:14): saddr=020020FB7F0001010000000000000000
type=SOCKADDR msg=audit(1795000000.108:15): saddr=02009C407F0000010000000000000000
type=SOCKADDR msg=audit(1795000000.108:16): saddr=01002F72756E2F736F636B6574
type=PATH msg=audit(1795000000.112:17): item=0 name="/opt/x/watched/" nametype=PARENT
type=PATH msg=audit(1795000000.112:17): item=1 name="/opt/x/watched/f-sMARK-2" nametype=CREATE
type=PATH msg=audit(1795000000.112:18): item=2 name="/opt/x/watched/f-sMARK-2" nametype=DELETE
type=PATH msg=audit(1795000000.112:18): item=3 name="/opt/x/watched/g-sMARK-2" nametype=CREATE
type=PATH msg=audit(1795000000.112:19): item=1 name="/opt/x/watched/g-sMARK-2" nametype=DELETE
type=PATH msg=audit(1795000000.116:20): item=1 name="/opt/x/watched/f-sOTHER-3" nametype=CREATE
type=PATH msg=audit(1795000000.116:21): item=1 name=(null) nametype=CREATE
not a record at all
`

const laurelLog = `{"ID":"1795000000.100:10","SYSCALL":{"arch":"0xc000003e","syscall":59,"pid":8},"EXECVE":{"argc":3,"ARGV":["/opt/x/tiny","sMARK","0"]},"PATH":[{"item":0,"name":"/opt/x/tiny","nametype":"NORMAL"}]}
{"ID":"1795000000.104:11","EXECVE":{"argc":3,"ARGV":["/opt/x/tiny","sMARK","0"]}}
{"ID":"1795000000.104:12","EXECVE":{"argc":3,"ARGV":["/opt/x/tiny","sOTHER","1"]}}
{"ID":"1795000000.104:13","EXECVE":{"argc":4,"ARGV":["/bin/ls","sMARK","1","2"]}}
{"ID":"1795000000.108:14","SYSCALL":{"syscall":42},"SOCKADDR":[{"saddr":"%02%00 %fb%7f%00%01%01%00%00%00%00%00%00%00%00"}]}
{"ID":"1795000000.108:15","SOCKADDR":[{"saddr":"%02%00%9c@%7f%00%00%01%00%00%00%00%00%00%00%00"}]}
{"ID":"1795000000.112:17","PATH":[{"item":0,"name":"/opt/x/watched/","nametype":"PARENT"},{"item":1,"name":"/opt/x/watched/f-sMARK-2","nametype":"CREATE"}]}
{"ID":"1795000000.112:18","PATH":[{"item":2,"name":"/opt/x/watched/f-sMARK-2","nametype":"DELETE"},{"item":3,"name":"/opt/x/watched/g-sMARK-2","nametype":"CREATE"}]}
{"ID":"1795000000.112:19","PATH":[{"item":1,"name":"/opt/x/watched/g-sMARK-2","nametype":"DELETE"}]}
`

// What a log has is found once for each event of this run, and nothing else is.
func TestCount(t *testing.T) {
	const port = 0x20fb
	logs := []struct {
		name string
		read func(*seen) error
	}{
		{"auditd", func(s *seen) error { return countAuditd(strings.NewReader(rawLog), s) }},
		{"LAUREL", func(s *seen) error { return countLaurel(strings.NewReader(laurelLog), s) }},
	}
	want := map[what]map[int]int{seenExec: {0: 2}, seenConnect: {1: 1}, seenOpen: {2: 1}, seenRename: {2: 1}, seenUnlink: {2: 1}}
	for _, log := range logs {
		t.Run(log.name, func(t *testing.T) {
			s := newSeen("sMARK", port)
			if err := log.read(s); err != nil {
				t.Fatal(err)
			}
			for w := range kindsSeen {
				if got, want := s.serial[w], want[w]; len(got) != len(want) {
					t.Errorf("%v: serial numbers %v, want %v", w, got, want)
				} else {
					for n, times := range want {
						if got[n] != times {
							t.Errorf("%v: number %d found %d times, want %d", w, n, got[n], times)
						}
					}
				}
			}
			if len(s.peers) != 1 || s.peers[40000] != 1 {
				t.Errorf("accepted from ports %v, want 40000 once", s.peers)
			}
		})
	}
	t.Run("a percent sign that escapes nothing", func(t *testing.T) {
		if got := string(unescape("a%41%4g%%5")); got != "aA%4g%%5" {
			t.Errorf("unescape = %q", got)
		}
	})
	t.Run("LAUREL's log is cut", func(t *testing.T) {
		if err := countLaurel(strings.NewReader(laurelLog+`{"ID":"17`), newSeen("sMARK", port)); err == nil {
			t.Error("a line that is no JSON is passed over, want an error")
		}
	})
}

func TestAgainst(t *testing.T) {
	every := mode{Ops: []op{opTiny, opConn, opFile}}
	full := func() *seen {
		s := newSeen("m", 9)
		s.addArgs([]string{"/x", "m", "0"})
		s.addSocket(addressOf(1), 9)
		s.addSocket([4]byte{127, 0, 0, 1}, 40000)
		s.addFile("/w/f-m-2", true)
		s.addFile("/w/f-m-2", false)
		s.addFile("/w/g-m-2", true)
		s.addFile("/w/g-m-2", false)
		return s
	}
	did := done{Ops: 3, Port: 9, Peers: []uint16{40000}}
	tests := []struct {
		name   string
		change func(*seen)
		did    done
		want   score
	}{
		{"all there", func(*seen) {}, did, score{Expected: 6, Found: 6}},
		{"others beside", func(s *seen) { s.addArgs([]string{"/x", "n", "0"}); s.addFile("/w/h", true) }, did, score{Expected: 6, Found: 6}},
		{"a program missing", func(s *seen) { clear(s.serial[seenExec]) }, did,
			score{Expected: 6, Found: 5, Missing: map[string]int{"exec": 1}, First: "exec 0"}},
		{"another program twice does not stand for it", func(s *seen) { clear(s.serial[seenExec]); s.add(seenExec, 7); s.add(seenExec, 7) }, did,
			score{Expected: 6, Found: 5, Missing: map[string]int{"exec": 1}, First: "exec 0"}},
		{"a file twice", func(s *seen) { s.addFile("f-m-2", true) }, did, score{Expected: 6, Found: 6, Twice: 1}},
		{"accepted from elsewhere", func(s *seen) { s.peers = map[uint16]int{41000: 1} }, did,
			score{Expected: 6, Found: 5, Missing: map[string]int{"accept": 1}, First: "accept 0"}},
		{"a port used twice and seen once", func(*seen) {}, done{Ops: 3, Port: 9, Peers: []uint16{40000, 40000}},
			score{Expected: 7, Found: 6, Missing: map[string]int{"accept": 1}, First: "accept 1"}},
		{"nothing", func(s *seen) { *s = *newSeen("m", 9) }, did,
			score{Expected: 6, Missing: map[string]int{"exec": 1, "connect": 1, "open": 1, "rename": 1, "unlink": 1, "accept": 1}, First: "exec 0"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := full()
			tt.change(s)
			got := s.against(every, tt.did)
			if got.Expected != tt.want.Expected || got.Found != tt.want.Found || got.Twice != tt.want.Twice || got.First != tt.want.First {
				t.Errorf("against(%+v) = %+v, want %+v", tt.did, got, tt.want)
			}
			for _, name := range whatNames {
				if got.Missing[name] != tt.want.Missing[name] {
					t.Errorf("against(%+v): %d of %s missing, want %d", tt.did, got.Missing[name], name, tt.want.Missing[name])
				}
			}
		})
	}
}

// Serial numbers make the trip through addresses and file names.
func TestSerials(t *testing.T) {
	s := newSeen("m", 1)
	for _, n := range []int{0, 1, 255, 256, 65535, 65536, 7_200_000} {
		if got, ok := serialOf(addressOf(n)); !ok || got != n {
			t.Errorf("serialOf(addressOf(%d)) = %d, %v", n, got, ok)
		}
		for _, renamed := range []bool{false, true} {
			path := "/w/" + fileName("m", n, renamed)
			if got, after, ok := s.file(path); !ok || got != n || after != renamed {
				t.Errorf("file(%s) = %d, %v, %v; want %d, %v", path, got, after, ok, n, renamed)
			}
		}
	}
	for _, a := range [][4]byte{{127, 0, 0, 1}, {127, 0, 0, 255}, {128, 0, 1, 0}} {
		if n, ok := serialOf(a); ok {
			t.Errorf("serialOf(%v) = %d, want none", a, n)
		}
	}
	for _, path := range []string{"", "f", "/w/f-x-1", "/w/f-m-", "/w/f-m-1x", "/w/h-m-1", "f-m-1/g"} {
		if n, _, ok := s.file(path); ok {
			t.Errorf("file(%q) = %d, want none", path, n)
		}
	}
}

// The events that an operation has decide what rate makes 100 events a second.
func TestModes(t *testing.T) {
	for _, m := range modes {
		if got, err := modeOf(m.Name); err != nil || got.About != m.About {
			t.Errorf("modeOf(%s) = %+v, %v", m.Name, got, err)
		}
	}
	if _, err := modeOf("exec"); err == nil {
		t.Error("modeOf(exec) has no error")
	}
	m, err := modeOf("rate100")
	if got := m.Rate * eventsPerOp(m.Ops); err != nil || math.Abs(got-100) > 1e-9 {
		t.Errorf("rate100 makes %v events a second (%v)", got, err)
	}
}

func TestSpread(t *testing.T) {
	tests := []struct {
		name string
		in   []float64
		want string
	}{
		{"none", nil, "–"},
		{"one", []float64{2.04}, "2.0"},
		{"odd, in any order", []float64{9, 1, 3}, "3.0 (1.0–9.0)"},
		{"even", []float64{4, 1, 2, 8}, "3.0 (1.0–8.0)"},
		{"no numbers are left out", []float64{math.NaN(), 5, math.Inf(1)}, "5.0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := spreadOf(tt.in).text(1); got != tt.want {
				t.Errorf("spreadOf(%v) = %s, want %s", tt.in, got, tt.want)
			}
		})
	}
}

func TestPercentile(t *testing.T) {
	hundred := make([]int64, 100)
	for i := range hundred {
		hundred[i] = int64(i + 1)
	}
	tests := []struct {
		name string
		in   []int64
		p    float64
		want int64
	}{
		{"none", nil, 0.5, 0},
		{"one", []int64{7}, 0.99, 7},
		{"median", hundred, 0.5, 50},
		{"99th", hundred, 0.99, 99},
		{"greatest", hundred, 1, 100},
		{"least", hundred, 0, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := percentile(tt.in, tt.p); got != tt.want {
				t.Errorf("percentile(%v) = %d, want %d", tt.p, got, tt.want)
			}
		})
	}
}

// Ratios are of the same round, so that a round in which the machine was slow does
// not change them.
func TestRatio(t *testing.T) {
	at := func(round int, user int64) cell { return cell{Round: round, User: user, Ops: 1} }
	a := []cell{at(1, 10), at(2, 100), at(3, 30)}
	tests := []struct {
		name string
		b    []cell
		want string
	}{
		{"every round twice as much", []cell{at(1, 20), at(2, 200), at(3, 60)}, "0.50 (0.50–0.50)"},
		{"in another order", []cell{at(3, 60), at(1, 20), at(2, 200)}, "0.50 (0.50–0.50)"},
		{"one round is missing", []cell{at(1, 20), at(3, 30)}, "0.75 (0.50–1.00)"},
		{"nothing used", []cell{at(1, 0), at(2, 50)}, "2.00"},
		{"no round in common", []cell{at(4, 1)}, "–"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := ratio(a, tt.b, func(c cell) float64 { return float64(c.User) }).text(2); got != tt.want {
				t.Errorf("ratio = %s, want %s", got, tt.want)
			}
		})
	}
}

// The tables are as testdata/tables.md has them.
func TestTables(t *testing.T) {
	score := func(found, expected int) score { return score{Expected: expected, Found: found} }
	missing := score(7999, 8000)
	missing.Missing, missing.First = map[string]int{"connect": 1}, "connect 77"
	cells := []cell{
		{Round: 1, Mode: "exec500", Contender: nameOff, Ops: 1000, Seconds: 2, Load: 600e6},
		{Round: 2, Mode: "exec500", Contender: nameOff, Ops: 1000, Seconds: 2, Load: 500e6},
		{Round: 1, Mode: "exec500", Contender: nameSeismo, Ops: 1000, Seconds: 2, User: 30e6, System: 10e6, Kauditd: 20e6, Load: 660e6,
			Score: score(1000, 1000), Peak: 30e6, Stored: 150e3, Written: 400e3},
		{Round: 2, Mode: "exec500", Contender: nameSeismo, Ops: 900, Seconds: 2, User: 27e6, System: 27e6, Kauditd: 18e6, Load: 540e6,
			Score: score(900, 900), Peak: 32e6, Stored: 180e3, Written: 360e3, Losses: []string{"loss row: not_seen"}},
		{Round: 1, Mode: "exec500", Contender: nameAuditd, Ops: 1000, Seconds: 2, User: 30e6, System: 50e6, Kauditd: 20e6, Load: 630e6, Score: score(1000, 1000)},
		{Round: 2, Mode: "exec500", Contender: nameAuditd, Ops: 1000, Seconds: 2, User: 60e6, System: 60e6, Kauditd: 20e6, Load: 550e6, Score: score(1000, 1000)},
		{Round: 1, Mode: "conn2000", Contender: nameLaurel, Ops: 4000, Seconds: 2, User: 40e6, System: 40e6, Score: missing, Lost: 6, Stalls: 2},
		{Round: 1, Mode: "idle", Contender: nameSeismo, Seconds: 60, Measured: 64, User: 30e6, System: 34e6, Switches: 640},
		{Round: 1, Mode: "latency", Contender: nameSeismo, Ops: 7, Seconds: 0.2, Latency: []int64{5e6, 6e6, 7e6, 40e6}, Ordinary: []int64{400e6, 900e6, 990e6}},
	}
	var got strings.Builder
	if err := tables(&got, cells); err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/tables.md"
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("tables:\n%s\nwant as in %s (go test -update rewrites it):\n%s", &got, golden, want)
	}
}
