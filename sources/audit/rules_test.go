// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func ruleTexts(rules []Rule) string {
	var b strings.Builder
	for _, r := range rules {
		b.WriteString("\n" + r.String())
	}
	return b.String()
}

const (
	execB64  = "\n-a always,exit -F arch=b64 -S execve,execveat -k seismo"
	execB32  = "\n-a always,exit -F arch=b32 -S execve,execveat -k seismo"
	netB64   = "\n-a always,exit -F arch=b64 -S execve,execveat,connect,accept,accept4,bind,listen -k seismo"
	socket64 = "\n-a always,exit -F arch=b64 -F a0=2 -S socket -k seismo\n-a always,exit -F arch=b64 -F a0=10 -S socket -k seismo"
	socket32 = "\n-a always,exit -F arch=b32 -F a0=2 -S socket -k seismo\n-a always,exit -F arch=b32 -F a0=10 -S socket -k seismo"
	carried  = "\n-a always,exit -F arch=b32 -F a0<=5 -S socketcall -k seismo\n-a always,exit -F arch=b32 -F a0=18 -S socketcall -k seismo"
	noLook   = " -F a0!=1 -F a0!=2 -F a0!=3 -F a0!=7 -F a0!=9 -F a0!=12 -F a0!=14 -F a0!=24 -F a0!=16897 -F a0!=16898" +
		" -F a0!=16900 -F a0!=16904 -F a0!=16905 -F a0!=16906 -F a0!=16910 -S ptrace -k seismo"
	noElement = " -F a0!=1 -F a0!=2 -F a0!=3 -F a0!=4 -F a0!=21 -F a0!=24 -F a0!=25 -F a0!=26 -F a0!=27 -S bpf -k seismo"
	namespace = " -F a0&2114060288 -S clone -k seismo"
)

func TestPlanRules(t *testing.T) {
	files, network, calls := Monitor{Files: true}, Monitor{Network: true}, Monitor{Syscalls: true}
	tests := []struct {
		name string
		o    RuleOptions
		want string
	}{
		{"processes always, and the security records come without a rule", RuleOptions{Arch: "amd64", Roots: []string{"/etc"}, Monitor: Monitor{Security: true}}, execB64 + execB32},
		{"files, and our own folder among them", RuleOptions{Arch: "amd64", Monitor: files, Roots: []string{"/usr", "/root"}, Exclude: []string{"/root/var"}},
			"\n-A never,exit -F dir=/root/var -F perm=wa -k seismo" + execB64 + execB32 +
				"\n-a always,exit -F dir=/root -F perm=wa -k seismo\n-a always,exit -F dir=/usr -F perm=wa -k seismo"},
		{"calls with the same conditions share a rule; i386 has accept in socketcall only", RuleOptions{Arch: "amd64", Monitor: network},
			netB64 + socket64 + "\n-a always,exit -F arch=b32 -S execve,execveat,connect,accept4,bind,listen -k seismo" + socket32 + carried},
		{"arm64 has no multiplexed calls", RuleOptions{Arch: "arm64", Monitor: network},
			netB64 + socket64 + strings.ReplaceAll(netB64, "b64", "b32") + socket32},
		{"the calls of attackers; umount is a call of i386, and what only looks or goes on is left out", RuleOptions{Arch: "amd64", Monitor: calls, Uring: true},
			"\n-a always,exit -F arch=b64 -S execve,execveat,mount,umount2,move_mount,fsopen,fsmount,fspick,open_tree,open_tree_attr,mount_setattr,pivot_root,chroot," +
				"init_module,finit_module,delete_module,kexec_load,kexec_file_load,memfd_create,process_vm_writev,unshare,setns,perf_event_open,userfaultfd,io_uring_setup -k seismo" +
				"\n-a always,exit -F arch=b64" + noElement + "\n-a always,exit -F arch=b64" + noLook + "\n-a always,exit -F arch=b64" + namespace +
				"\n-a always,exit -F arch=b32 -S execve,execveat,mount,umount,umount2,move_mount,fsopen,fsmount,fspick,open_tree,open_tree_attr,mount_setattr,pivot_root,chroot," +
				"init_module,finit_module,delete_module,kexec_load,memfd_create,process_vm_writev,unshare,setns,perf_event_open,userfaultfd,io_uring_setup -k seismo" +
				"\n-a always,exit -F arch=b32" + noElement + "\n-a always,exit -F arch=b32" + noLook + "\n-a always,exit -F arch=b32" + namespace +
				"\n-a always,io_uring -S accept,connect,openat,openat2,renameat,unlinkat,mkdirat,symlinkat,linkat,fsetxattr,setxattr,ftruncate,bind,listen -k seismo"},
		{"a 32-bit machine has one interface; a root inside another is dropped; a folder outside of all roots needs no rule",
			RuleOptions{Arch: "arm", Monitor: files, Roots: []string{"/usr/local", "/usr", "/usr2"}, Exclude: []string{"/var/lib/seismo", "/usr"}},
			execB32 + "\n-a always,exit -F dir=/usr -F perm=wa -k seismo\n-a always,exit -F dir=/usr2 -F perm=wa -k seismo"},
		{"a call of a signal goes where the others are", RuleOptions{Arch: "amd64", Calls: names("sethostname", "execve")},
			"\n-a always,exit -F arch=b64 -S execve,execveat,sethostname -k seismo\n-a always,exit -F arch=b32 -S execve,execveat,sethostname -k seismo"},
		{"a call that is asked for whole is not asked for in part; socketcall carries it for 32-bit programs",
			RuleOptions{Arch: "amd64", Monitor: network, Calls: names("socket")},
			"\n-a always,exit -F arch=b64 -S execve,execveat,connect,accept,accept4,bind,listen,socket -k seismo" +
				"\n-a always,exit -F arch=b32 -S execve,execveat,connect,accept4,bind,listen,socket -k seismo" + carried},
		{"a call that only socketcall carries", RuleOptions{Arch: "386", Monitor: network, Calls: names("shutdown", "socketpair")},
			"\n-a always,exit -F arch=b32 -S execve,execveat,connect,accept4,bind,listen,shutdown,socketpair -k seismo" + socket32 + carried +
				"\n-a always,exit -F arch=b32 -F a0=13 -S socketcall -k seismo\n-a always,exit -F arch=b32 -F a0=8 -S socketcall -k seismo"},
		{"the older and the newer call of one name", RuleOptions{Arch: "386", Calls: names("setuid")},
			"\n-a always,exit -F arch=b32 -S execve,execveat,setuid,setuid32 -k seismo"},
		{"a number is a call too, also one that is not known yet", RuleOptions{Arch: "arm64", Calls: names("161", "999")},
			"\n-a always,exit -F arch=b64 -S execve,execveat,sethostname,999 -k seismo\n-a always,exit -F arch=b32 -S execve,execveat,sched_rr_get_interval,999 -k seismo"},
		{"calls that records come with", RuleOptions{Arch: "arm", Records: names("CAPSET", "SYSCALL", "USER_AUTH", "AVC")},
			"\n-a always,exit -F arch=b32 -S execve,execveat,capset -k seismo"},
		{"operations of io_uring by name", RuleOptions{Arch: "arm", Calls: names("io_uring_socket"), Uring: true},
			execB32 + "\n-a always,io_uring -S socket -k seismo"},
		{"folders of signals, also without those of the settings; one covers the other", RuleOptions{Arch: "arm", Roots: []string{"/etc"}, Watch: names("/var/lib/x/y", "/var/lib/x")},
			execB32 + "\n-a always,exit -F dir=/var/lib/x -F perm=wa -k seismo"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := PlanRules(tt.o)
			if got := ruleTexts(p.Rules); err != nil || got != tt.want || len(p.Unmet) > 0 {
				t.Errorf("PlanRules(%+v) = %s\n%v, unmet %v; want %s", tt.o, got, err, p.Unmet, tt.want)
			}
		})
	}
}

func names(list ...string) []Wanted {
	var w []Wanted
	for _, n := range list {
		w = append(w, Wanted{Name: n, By: []string{"x"}})
	}
	return w
}

// What signals want and cannot have is named with them and the reason.
func TestPlanUnmet(t *testing.T) {
	many := RuleOptions{Arch: "amd64"}
	for i := range maxDemandFolders + 1 {
		many.Watch = append(many.Watch, names(fmt.Sprintf("/many/%02d", i))...)
	}
	tests := []struct {
		name, want string
		o          RuleOptions
	}{
		{"a call of no machine", `signal "x" asks for system call nonesuch: no call of this machine is called so`, RuleOptions{Arch: "amd64", Calls: names("nonesuch")}},
		{"a call of another machine", "system call umount: only 32-bit programs have it", RuleOptions{Arch: "amd64", Calls: names("umount")}},
		{"a call of 64 bits only is there", "", RuleOptions{Arch: "amd64", Calls: names("newfstatat2", "kexec_file_load")[1:]}},
		{"a call that every program makes", "system call openat: programs make it all the time", RuleOptions{Arch: "amd64", Calls: names("openat")}},
		{"the same by its number", "system call 257: programs make it all the time", RuleOptions{Arch: "amd64", Calls: names("257")}},
		{"a number that no rule holds", "system call 5000: a rule holds the numbers up to 2031", RuleOptions{Arch: "amd64", Calls: names("5000")}},
		{"records that auditd writes", "records of type DAEMON_START: auditd writes them to its own log", RuleOptions{Arch: "amd64", Records: names("DAEMON_START")}},
		{"records of terminals", "records of type TTY: they come where pam_tty_audit", RuleOptions{Arch: "amd64", Records: names("TTY")}},
		{"records that there are not", "records of type NONESUCH: no record is called so", RuleOptions{Arch: "amd64", Records: names("NONESUCH")}},
		{"io_uring on an old kernel", "records of type URINGOP: this kernel has no rules on io_uring", RuleOptions{Arch: "amd64", Records: names("URINGOP")}},
		{"what io_uring does all the time", "system call io_uring_read: programs that use io_uring", RuleOptions{Arch: "amd64", Calls: names("io_uring_read"), Uring: true}},
		{"what is no file", "files below /proc/1: /proc/1 as a whole is not watched", RuleOptions{Arch: "amd64", Watch: names("/proc/1")}},
		{"all of the file system", "files below /: / as a whole is not watched", RuleOptions{Arch: "amd64", Watch: names("/")}},
		{"devices", "files below /dev/input: ", RuleOptions{Arch: "amd64", Watch: names("/dev/input", "/dev/shm/x")}},
		{"our own files", "files below /var/lib/seismo/x: they are the recorder's own", RuleOptions{Arch: "amd64", Watch: names("/var/lib/seismo/x"), Exclude: []string{"/var/lib/seismo"}}},
		{"too many folders", "files below /many/32: signals name more than 32 folders", many},
		{"nobody in particular", "loaded signals asks for system call nonesuch", RuleOptions{Arch: "amd64", Calls: []Wanted{{Name: "nonesuch"}}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := PlanRules(tt.o)
			said := ""
			for _, u := range p.Unmet {
				said += u.String() + "\n"
			}
			if err != nil || strings.Count(said, "\n") > 1 || !strings.Contains(said, tt.want) || tt.want == "" && said != "" {
				t.Errorf("PlanRules(%.200v): unmet %q, %v; want one that says %q", tt.o, said, err, tt.want)
			}
		})
	}
}

func TestPlanRulesRefuses(t *testing.T) {
	files := Monitor{Files: true}
	tests := []struct {
		name, want string
		o          RuleOptions
	}{
		{"an unknown machine", "wasm", RuleOptions{Arch: "wasm"}},
		{"a relative root", "not absolute", RuleOptions{Arch: "amd64", Monitor: files, Roots: []string{"etc"}}},
		{"a root that is not clean", "not clean", RuleOptions{Arch: "amd64", Monitor: files, Roots: []string{"/etc/"}}},
		{"/proc", "/proc", RuleOptions{Arch: "amd64", Monitor: files, Roots: []string{"/proc/sys"}}},
		{"/sys", "/sys", RuleOptions{Arch: "amd64", Monitor: files, Roots: []string{"/sys"}}},
		{"a path that is too long", "4095", RuleOptions{Arch: "amd64", Monitor: files, Roots: []string{"/" + strings.Repeat("a", 5000)}}},
		{"a zero byte", "zero byte", RuleOptions{Arch: "amd64", Monitor: files, Roots: []string{"/a\x00b"}}},
		{"a relative exclusion", "not absolute", RuleOptions{Arch: "amd64", Exclude: []string{"var"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := PlanRules(tt.o)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("PlanRules(%.60v) = %d rules, %v; want an error with %q", tt.o, len(p.Rules), err, tt.want)
			}
		})
	}
}

// someDemand draws what settings and signals may ask for.
func someDemand(t *rapid.T) RuleOptions {
	dirs := rapid.SampledFrom([]string{"/a", "/a/b", "/a/b/c", "/ab", "/b", "/b/a", "/"})
	calls := rapid.SampledFrom([]string{"socket", "ptrace", "bpf", "clone", "sethostname", "setuid", "execve", "umount", "openat",
		"shutdown", "socketcall", "io_uring_socket", "io_uring_setup", "nonesuch", "170", "999", "4000000000", "connect", "chown"})
	records := rapid.SampledFrom([]string{"CAPSET", "URINGOP", "SYSCALL", "TTY", "IPC", "KERN_MODULE", "SOCKADDR", "x"})
	who := rapid.SliceOfN(rapid.SampledFrom([]string{"one", "two"}), 0, 2)
	want := func(from *rapid.Generator[string], label string) []Wanted {
		return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Wanted {
			return Wanted{from.Draw(t, "name"), who.Draw(t, "by")}
		}), 0, 8).Draw(t, label)
	}
	flag := func(label string) bool { return rapid.Bool().Draw(t, label) }
	return RuleOptions{Arch: rapid.SampledFrom([]string{"amd64", "386", "arm64", "arm"}).Draw(t, "arch"),
		Monitor: Monitor{flag("files"), flag("network"), flag("security"), flag("syscalls")}, Uring: flag("uring"),
		Roots: rapid.SliceOf(dirs).Draw(t, "roots"), Exclude: rapid.SliceOf(dirs).Draw(t, "exclude"),
		Watch: want(dirs, "watch"), Calls: want(calls, "calls"), Records: want(records, "records")}
}

func mustPlan(t *rapid.T, o RuleOptions) Plan {
	t.Helper()
	p, err := PlanRules(o)
	if err != nil {
		t.Fatalf("PlanRules(%+v): %v", o, err)
	}
	return p
}

// What is wanted is planned in one way, whatever its order: what is left out stands in
// front, each call is asked for once, each interface of the machine is asked, each rule
// says why it is there.
func TestPlanProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := someDemand(t)
		p := mustPlan(t, o)
		shuffled := o
		shuffled.Roots, shuffled.Exclude = rapid.Permutation(o.Roots).Draw(t, "r"), rapid.Permutation(o.Exclude).Draw(t, "e")
		shuffled.Watch, shuffled.Calls = rapid.Permutation(o.Watch).Draw(t, "w"), rapid.Permutation(o.Calls).Draw(t, "c")
		shuffled.Records = rapid.Permutation(o.Records).Draw(t, "d")
		again := mustPlan(t, shuffled)
		if fmt.Sprintf("%+v", again) != fmt.Sprintf("%+v", p) {
			t.Fatalf("in another order:\n%+v\nwant\n%+v", again, p)
		}
		seen, always := map[string]bool{}, false
		arches := map[string]int{}
		whole := map[string]bool{}
		for _, r := range p.Rules {
			text := r.String()
			if seen[text] || len(r.Why) == 0 || len(r.numbers) != len(r.Syscalls) || !strings.HasSuffix(text, " -k "+RuleKey) {
				t.Errorf("rule %s (why %q) is there twice, says not why, or not which calls", text, r.Why)
			}
			seen[text] = true
			if always && r.Action == "never" || (r.Action == "never") != r.First {
				t.Errorf("rule %s stands behind what it leaves out", text)
			}
			always = always || r.Action == "always"
			if len(r.Filters) > 0 && r.Filters[0].Field == "arch" {
				arches[r.Filters[0].Value]++
				for _, n := range r.numbers {
					call := fmt.Sprint(r.Filters[0].Value, n)
					if whole[call] {
						t.Errorf("rule %s asks for call %d again", text, n)
					}
					whole[call] = whole[call] || len(r.Filters) == 1
				}
			}
		}
		if abis, _ := machineABIs(o.Arch); len(arches) != len(abis) {
			t.Errorf("rules for %v; want some for each of %d interfaces", arches, len(abis))
		}
		checkCovered(t, o, p)
	})
}

// checkCovered reports roots that are not watched once, and what blinds a watch.
func checkCovered(t *rapid.T, o RuleOptions, p Plan) {
	t.Helper()
	var left []string
	for _, r := range p.Rules {
		if r.Action == "never" {
			left = append(left, r.Filters[0].Value)
		}
	}
	if !o.Monitor.Files {
		o.Roots = nil
	}
	for _, root := range o.Roots {
		above := 0
		for _, w := range p.Sees.Folders {
			if inside(root, w) {
				above++
			}
		}
		if above != 1 {
			t.Errorf("root %s is watched %d times by %q", root, above, p.Sees.Folders)
		}
	}
	for _, l := range left {
		if slices.ContainsFunc(p.Sees.Folders, func(w string) bool { return inside(w, l) }) {
			t.Errorf("%s is left out and holds a folder of %q", l, p.Sees.Folders)
		}
	}
}

// More demand never takes away what was seen before.
func TestPlanGrows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		less, more := someDemand(t), someDemand(t)
		less.Exclude, more.Exclude, more.Arch, more.Uring = nil, nil, less.Arch, less.Uring
		before := mustPlan(t, less)
		both := less
		both.Monitor.Files = less.Monitor.Files || more.Monitor.Files
		both.Monitor.Network = less.Monitor.Network || more.Monitor.Network
		both.Monitor.Syscalls = less.Monitor.Syscalls || more.Monitor.Syscalls
		if less.Monitor.Files == both.Monitor.Files { // else they are not asked for yet
			both.Roots = append(slices.Clone(less.Roots), more.Roots...)
		}
		both.Watch = append(slices.Clone(less.Watch), more.Watch...)
		both.Calls = append(slices.Clone(less.Calls), more.Calls...)
		both.Records = append(slices.Clone(less.Records), more.Records...)
		after := mustPlan(t, both)
		if before.Sees.Kinds&^after.Sees.Kinds != 0 {
			t.Errorf("kinds %b; before they were %b", after.Sees.Kinds, before.Sees.Kinds)
		}
		for _, dir := range before.Sees.Folders {
			if !slices.ContainsFunc(after.Sees.Folders, func(w string) bool { return inside(dir, w) }) {
				t.Errorf("%s is watched no more, but %q", dir, after.Sees.Folders)
			}
		}
		for _, call := range before.Sees.Calls {
			if !slices.Contains(after.Sees.Calls, call) {
				t.Errorf("%s is seen no more, but %q", call, after.Sees.Calls)
			}
			if slices.Contains(after.Sees.Partly, call) && !slices.Contains(before.Sees.Partly, call) && call != "socketcall" {
				t.Errorf("%s was seen whole, and now in part", call)
			}
		}
	})
}

func TestDefaultRootsCanBePlanned(t *testing.T) {
	p, err := PlanRules(RuleOptions{Arch: "amd64", Monitor: MonitorAll(), Roots: DefaultRoots(), Uring: true})
	// For each of two interfaces one rule for all whole calls, two for socket, and one
	// each for bpf, ptrace and clone; two for socketcall; one for io_uring.
	if want := len(DefaultRoots()) + 2*6 + 2 + 1; err != nil || len(p.Rules) != want || len(p.Unmet) > 0 {
		t.Errorf("PlanRules(DefaultRoots()) = %d rules, unmet %v, %v; want %d", len(p.Rules), p.Unmet, err, want)
	}
}

func TestSees(t *testing.T) {
	p, err := PlanRules(RuleOptions{Arch: "amd64", Monitor: MonitorAll(), Roots: []string{"/etc", "/Usr"}, Uring: true})
	if err != nil {
		t.Fatal(err)
	}
	has := map[string]bool{
		"path /etc/x": true, "path /etc": true, "path /et": true, "path /": true, "path /usr/bin/": true, "path name": true,
		"path /var/x": false, "path /etcetera": false,
		"call mount": true, "call ptrace": true, "call 59": true, "call openat": true, "call io_uring_openat": true,
		"call sethostname": false, "call 170": false, "call read": false, "call nonesuch": false,
		"record SYSCALL": true, "record USER_AUTH": true, "record KERN_MODULE": true, "record URINGOP": true, "record TTY": true,
		"record CAPSET": false, "record DAEMON_START": false, "record NONESUCH": false,
	}
	for what, want := range has {
		kind, name, _ := strings.Cut(what, " ")
		got := p.Sees.HasPath(name)
		switch kind {
		case "call":
			got = p.Sees.HasCall("amd64", name)
		case "record":
			got = p.Sees.HasRecord("amd64", name, false)
		}
		if got != want {
			t.Errorf("%s is seen: %v; want %v", what, got, want)
		}
	}
	if !p.Sees.HasRecord("amd64", "DAEMON_START", true) {
		t.Error("what auditd writes to its log is not seen where that is read")
	}
}
