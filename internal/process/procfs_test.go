// SPDX-License-Identifier: Apache-2.0

package process

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"seismo/internal/event"
)

// statLine writes /proc/PID/stat as the kernel does (fs/proc/array.c).
func statLine(pid int32, comm string, state byte, ppid int32, tty int32, flags, ticks uint64) string {
	return fmt.Sprintf("%d (%s) %c %d 1 1 %d -1 %d 101 0 0 0 0 0 0 0 20 0 1 0 %d 3133440 410 18446744073709551615 0\n",
		pid, comm, state, ppid, tty, flags, ticks)
}

func TestParseStat(t *testing.T) {
	tests := []struct {
		name, in string
		want     stat
		bad      bool
	}{
		{"plain", statLine(20, "cat", 'R', 7, 34817, 4194304, 188632), stat{20, 7, "cat", 'R', 34817, 4194304, 188632}, false},
		{"blanks and parentheses in the name", statLine(20, "a) R 1 (b", 'S', 7, 0, 0, 5), stat{20, 7, "a) R 1 (b", 'S', 0, 0, 5}, false},
		{"a newline in the name", statLine(20, "a\nb", 'S', 7, 0, 0, 5), stat{20, 7, "a\nb", 'S', 0, 0, 5}, false},
		{"empty", "", stat{}, true},
		{"cut", "20 (cat) R 7 1 1", stat{}, true},
		{"no parentheses", strings.Map(dropParens, statLine(20, "cat", 'R', 7, 0, 0, 5)), stat{}, true},
		{"a pid that is none", statLine(-4, "cat", 'R', 7, 0, 0, 5), stat{}, true},
		{"a start that is no number", strings.Replace(statLine(20, "cat", 'R', 7, 0, 0, 555), "555", "5x5", 1), stat{}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseStat([]byte(tt.in))
			if got != tt.want || (err != nil) != tt.bad {
				t.Errorf("parseStat(%q) = %+v, %v; want %+v, error %v", tt.in, got, err, tt.want, tt.bad)
			}
		})
	}
}

func dropParens(r rune) rune {
	if r == '(' || r == ')' {
		return -1
	}
	return r
}

func TestParseCmdline(t *testing.T) {
	long := strings.Repeat("x", 70<<10)
	tests := []struct {
		name, in string
		want     []string
		cut      bool
	}{
		{"arguments", "sh\x00-c\x00echo a b\x00", []string{"sh", "-c", "echo a b"}, false},
		{"empty arguments are kept", "sh\x00\x00-x\x00\x00", []string{"sh", "", "-x", ""}, false},
		{"a title without a NUL", "sshd: root@pts/0", []string{"sshd: root@pts/0"}, false},
		{"a title padded with NULs", "sshd: root [priv]" + strings.Repeat("\x00", 40), []string{"sshd: root [priv]"}, false},
		{"nothing", "", nil, false},
		{"one empty argument", "\x00", []string{""}, false},
		{"head and tail of a long one", "sh\x00" + long[:maxCmdline-8] + "\x00tail\x00",
			[]string{"sh", long[:cmdlineHead-3], "…", long[:cmdlineTail-6], "tail"}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, cut := parseCmdline([]byte(tt.in))
			if !slices.Equal(got, tt.want) || cut != tt.cut {
				t.Errorf("parseCmdline(%.60q) = %.60q, %v; want %.60q, %v", tt.in, got, cut, tt.want, tt.cut)
			}
		})
	}
}

func TestTTY(t *testing.T) {
	for number, want := range map[uint32]string{
		0: "", 34816: "pts/0", 34817: "pts/1", 136<<8 | 44 | 1<<20: "pts/300", 1025: "tty1",
		4<<8 | 64: "ttyS0", 5<<8 | 1: "console", 204<<8 | 64: "",
	} {
		if got := ttyOf(number); got != want {
			t.Errorf("ttyOf(%d) = %q; want %q", number, got, want)
		}
	}
	for in, want := range map[string]string{"pts0": "pts/0", "pts12": "pts/12", "tty1": "tty1", "ssh": "ssh", "pts": "pts", "ptsx": "ptsx", "": "", "pts/3": "pts/3"} {
		if got := string(appendTTY([]byte("x"), []byte(in))); got != "x"+want {
			t.Errorf("appendTTY(x, %q) = %q; want %q", in, got, "x"+want)
		}
	}
}

func TestParseStatus(t *testing.T) {
	uid, euid, gid := parseStatus([]byte("Name:\tsu\nUid:\t1000\t0\t0\t0\nGid:\t100\t100\t100\t100\n"))
	if uid != 1000 || euid != 0 || gid != 100 {
		t.Errorf("parseStatus = %d, %d, %d; want 1000, 0, 100", uid, euid, gid)
	}
	if uid, euid, gid := parseStatus([]byte("Name:\tsu\nUid:\tx\n")); uid != event.NoID || euid != event.NoID || gid != event.NoID {
		t.Errorf("parseStatus of a damaged file = %d, %d, %d; want none", uid, euid, gid)
	}
}

func TestContainerOf(t *testing.T) {
	id := strings.Repeat("0123456789abcdef", 4)
	tests := []struct{ name, in, want string }{
		{"docker, cgroup 1", "12:memory:/docker/" + id + "\n11:cpu:/docker/" + id + "\n", id},
		{"docker under systemd", "0::/system.slice/docker-" + id + ".scope\n", id},
		{"docker, a group of its own below", "0::/system.slice/docker-" + id + ".scope/init\n", id},
		{"kubepods, cgroupfs", "4:cpu:/kubepods/burstable/pod2c48913c-b29f-11e7-9350-020968147796/" + id + "\n", id},
		{"kubepods, systemd and containerd", "0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod2c48.slice/cri-containerd-" + id + ".scope\n", id},
		{"containerd, slice:runtime:id", "0::/system.slice/containerd.service/kubepods-besteffort-pod2c48.slice:cri-containerd:" + id + "\n", id},
		{"cri-o", "0::/kubepods.slice/crio-" + id + ".scope\n", id},
		{"podman", "0::/machine.slice/libpod-" + id + ".scope/container\n", id},
		{"podman without root", "0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + id + ".scope\n", id},
		{"podman's monitor is outside", "0::/machine.slice/libpod-conmon-" + id + ".scope\n", ""},
		{"lxc, old", "9:pids:/lxc/web01\n", "web01"},
		{"lxc", "0::/lxc.payload.web01/system.slice/cron.service\n", "web01"},
		{"lxc's monitor is outside", "0::/lxc.monitor.web01\n", ""},
		{"nspawn", "0::/machine.slice/machine-web\\x2d01.scope/payload/system.slice/cron.service\n", "web-01"},
		{"nspawn as a service", "0::/machine.slice/systemd-nspawn@web01.service/payload\n", "web01"},
		{"nspawn's supervisor is outside", "0::/machine.slice/machine-web01.scope/supervisor\n", ""},
		{"a virtual machine", "0::/machine.slice/machine-qemu\\x2d1\\x2dweb.scope/libvirt/emulator\n", ""},
		{"a payload of something else", "0::/system.slice/payload\n", ""},
		{"podman, split groups", "0::/machine.slice/libpod-" + id + ".scope/libpod-payload-" + id + "\n", id},
		{"a container in a container", "0::/docker/" + id + "/docker/" + strings.Repeat("f", 64) + "\n", strings.Repeat("f", 64)},
		{"a service", "0::/system.slice/ssh.service\n", ""},
		{"the root", "0::/\n", ""},
		{"65 digits are no id", "0::/docker/" + id + "0\n", ""},
		{"capitals are no id", "0::/docker/" + strings.ToUpper(id) + "\n", ""},
		{"the first line has none", "1:name=systemd:/\n0::/docker/" + id, id},
		{"damaged", "0\n:\n::\n\n", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := containerOf(tt.in); got != tt.want {
				t.Errorf("containerOf(%q) = %q; want %q", tt.in, got, tt.want)
			}
		})
	}
}

func TestReadBounds(t *testing.T) {
	proc := newProcFS(fstest.MapFS{
		"stat":        {Data: []byte("cpu 1\nbtime 1800000000\n")},
		"7/stat":      {Data: []byte(statLine(7, "big", 'S', 1, 0, 0, 100))},
		"7/cmdline":   {Data: []byte(strings.Repeat("a\x00", 4<<20))},
		"7/cgroup":    {Data: []byte(strings.Repeat("0::/\n", 1<<20))},
		"7/status":    {Data: []byte(strings.Repeat("Name:\tx\n", 1<<20))},
		"7/loginuid":  {Data: []byte("4294967295")},
		"7/sessionid": {Data: []byte(strings.Repeat("1", 1<<20))},
	})
	f, err := proc.read(7)
	if err != nil || !f.cut || len(f.line) > cmdlineHead+cmdlineTail+8 || f.loginUID != event.NoID || f.session != event.NoID {
		t.Errorf("read of an oversized process: %v, cut %v, %d bytes, login %d, session %d; want a cut command line and no ids",
			err, f.cut, len(f.line), f.loginUID, f.session)
	}
	if want := int64(1_800_000_001) * 1e9; f.start != want {
		t.Errorf("start = %d; want %d: btime and 100 ticks", f.start, want)
	}
}

// Arguments come back as they were, whatever is in them.
func FuzzParseCmdline(f *testing.F) {
	f.Add("sh\n-c\necho a")
	f.Fuzz(func(t *testing.T, s string) {
		want := strings.Split(strings.ReplaceAll(s, "\x00", "0"), "\n")
		file := strings.Join(want, "\x00") + "\x00"
		got, cut := parseCmdline([]byte(file))
		switch {
		case len(file) > cmdlineHead+cmdlineTail || strings.HasSuffix(file, strings.Repeat("\x00", titlePadding)):
			if n := len(strings.Join(got, "\x00")); n > len(file)+4 {
				t.Errorf("parseCmdline of %d bytes gives %d", len(file), n)
			}
		case cut || !slices.Equal(got, want):
			t.Errorf("parseCmdline(%q) = %q, %v; want %q", file, got, cut, want)
		}
	})
}

// A stat line of any name is read back; what is no stat line gives an error and
// no panic.
func FuzzParseStat(f *testing.F) {
	f.Add("cat", []byte("20 (cat) R 7"))
	f.Fuzz(func(t *testing.T, comm string, raw []byte) {
		got, err := parseStat([]byte(statLine(20, comm, 'S', 7, 0, 0, 5)))
		if want := (stat{20, 7, comm, 'S', 0, 0, 5}); err != nil || got != want {
			t.Errorf("parseStat with the name %q = %+v, %v; want %+v", comm, got, err, want)
		}
		if got, err := parseStat(raw); err == nil && got.pid <= 0 {
			t.Errorf("parseStat(%q) = %+v; want a pid", raw, got)
		}
	})
}
