// SPDX-License-Identifier: Apache-2.0

// This file says of each recording of the live kernel which events it must give,
// all of them and in order, as the description of the recordings tells what the
// programs did. live_logs_test.go has single fields beside that.

package audit_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"seismo/internal/event"
)

const (
	actExe = "/usr/local/libexec/seismo/act"
	actDir = "/tmp/actdir.fp33/"
)

// began is the row of the program that did something, where the rule shows it.
func began(action string) string {
	return "create " + actExe + " [" + actExe + " " + action + " /tmp/actdir.fp33]"
}

// loading is what the loader of a program opens.
const loading = "open /etc/ld.so.cache 100644\nopen /lib/x86_64-linux-gnu/libc.so.6 100755"

// liveRows has the events of each recording, one a line, in the form of row. A
// pointer is written as ptr, and a blank stands between flags.
var liveRows = map[string]string{
	"abend":            "ANOM_ABEND by " + actExe,
	"bpf":              "bpf(BPF_MAP_CREATE ptr 144) = 4\nbpf(BPF_PROG_LOAD ptr 144 prog-id=145) = 5\nbpf(BPF_PROG_UNLOAD prog-id=145)",
	"capset":           "privilege capset success",
	"chmod":            "permission DIR/c.txt 104755\npermission DIR/c.txt 100600",
	"chown":            "permission DIR/c.txt 100600\npermission DIR/c.txt 100600",
	"config-change":    "policy CONFIG_CHANGE success",
	"connect-nonblock": "connect ? 127.0.0.1:1 result -115, knows destination",
	"connect-refused":  "connect ? 127.0.0.1:1 result -111, knows destination",
	"exec":             began("exec") + "\ncreate /usr/bin/ls [ls -la /]",
	"exec-fail":        began("exec-fail") + "\nexecve(ptr ptr ptr) = -2 /nonexistent/program",
	"exec-hex":         began("exec-hex") + "\ncreate /usr/bin/echo [echo two words quote\"inside tab\there newline\\nhere ü-utf8 日本語 \x01\x02 ]",
	"exec-longarg":     began("exec-longarg") + "\ncreate /usr/bin/true [true short " + strings.Repeat("A", 24<<10-len("true short ")) + " " + strings.Repeat("A", 8<<10-len(" tail")) + " tail] flags 10",
	"exec-longarg-hex": began("exec-longarg-hex") + "\ncreate /usr/bin/true [true " + strings.Repeat("ab c", 5000) + " tail]",
	"exec-manyargs":    began("exec-manyargs") + "\ncreate /usr/bin/true [true" + counted(" argument-number-", 1, 999) + "]",
	"exec-script":      began("exec-script") + "\ncreate /usr/bin/dash [/bin/sh DIR/script.sh arg1]",
	"execveat-memfd":   began("execveat-memfd") + "\nmemfd_create(ptr 0) = 4\ncreate /memfd:payload (deleted) [true-from-memfd]",
	"exit":             "exit_group(7)",
	"fanotify-perm": loading + "\nfanotify_init(0x4 0x0) = 4\ncreate DIR/fa.txt 100644\n" +
		"fanotify_mark(4 0x1 ptr AT_FDCWD) = 0 DIR/fa.txt\nopenat(AT_FDCWD ptr 0x0 0x0) = -1 DIR/fa.txt",
	"fcap": "permission DIR/fc 100755",
	"file-write": "create DIR/plain.txt 100644\nwrite DIR/plain.txt 100644\ncreate DIR/name with space.txt 100644\n" +
		"create DIR/日本語.txt 100644",
	"file-write-syscall": "", // its rule met no call
	"fork":               "clone(ptr 0x0 0x0 ptr) = 31656\nvfork() = 31657",
	"hostname":           "sethostname(ptr 7) = 0",
	"init_module":        "init_module(ptr 10 ptr) = -38\nfinit_module(4 ptr 0) = -38\ndelete_module(ptr 0x0) = -38",
	"int80":              began("int80") + "\ncreate /usr/bin/true [true-by-int80]",
	"io_uring":           loading + "\nio_uring_setup(4 ptr) = 4\nio_uring_enter(4 1 1 0x1) = 1 DIR",
	"io_uring-list": "io_uring_setup(4 ptr) = 4\nio_uring_openat(parent=fe:00:9977861 inode=fe:00:9977890) = 0\n" +
		"io_uring_enter(4 1 1 0x1) = 1 /tmp/actdir.f30C",
	"kill":  "kill(32482 SIGTERM) = 0 on 32482",
	"link":  "link DIR/l1.txt to DIR/l2.txt 100644\nlink DIR/l1.txt to DIR/l3.txt",
	"memfd": "memfd_create(ptr MFD_CLOEXEC) = 4",
	// The loader maps the C library and protects it, then the program maps a page.
	"mmap": "mmap(0x0 8192 PROT_READ PROT_WRITE 0x22) = 140263111274496\n" +
		"mmap(0x0 36535 PROT_READ 0x2) = 140263111237632\n" +
		"mmap(0x0 1974096 PROT_READ 0x802) = 140263109263360\n" +
		"mmap(ptr 1400832 PROT_READ PROT_EXEC 0x812) = 140263109419008\n" +
		"mmap(ptr 339968 PROT_READ 0x812) = 140263110819840\n" +
		"mmap(ptr 24576 PROT_READ PROT_WRITE 0x812) = 140263111159808\n" +
		"mmap(ptr 53072 PROT_READ PROT_WRITE 0x32) = 140263111184384\n" +
		"mmap(0x0 12288 PROT_READ PROT_WRITE 0x22) = 140263109251072\n" +
		"mprotect(ptr 16384 PROT_READ) = 0\n" +
		"mprotect(ptr 4096 PROT_READ) = 0\n" +
		"mprotect(ptr 8192 PROT_READ) = 0\n" +
		"mmap(0x0 4096 PROT_READ PROT_EXEC 0x2) = 140263111270400\n" +
		"mmap(0x0 4096 PROT_READ PROT_WRITE 0x22) = 140263111266304\n" +
		"mprotect(ptr 4096 PROT_READ PROT_EXEC) = 0",
	"mount":             "unshare(CLONE_NEWNS) = 0\nmount(ptr ptr 0x0 MS_REC MS_PRIVATE) = 0 /\nmount(ptr ptr ptr MS_NOSUID) = 0 DIR/mnt\numount2(ptr MNT_DETACH) = 0 DIR/mnt",
	"mq":                "mq_open(ptr 0x42 0x180 0x0) = 4 actq\nmq_unlink(ptr 0x42 0x0 ptr) = 0 actq",
	"net4-connect-only": "connect ? 127.0.0.1:55639 result 0, knows destination",
	"net4": "socket(2 0x1 0) = 4\nbind(4 ptr 16) = 0\nlisten tcp 127.0.0.1:0 result 0\nsocket(2 0x1 0) = 5\n" +
		"connect tcp 127.0.0.1:60791 result 0, knows destination\naccept tcp 127.0.0.1:40166 result 0, knows source",
	"net6": "socket(10 0x1 0) = 4\nbind(4 ptr 28) = 0\nlisten tcp [::1]:0 result 0\nsocket(10 0x1 0) = 5\n" +
		"connect tcp [::1]:33535 result 0, knows destination\naccept tcp [::1]:49750 result 0, knows source",
	"netunix": "socket(1 0x1 0) = 4\nlisten unix DIR/sock result 0\nlisten(4 5) = 0\nsocket(1 0x1 0) = 5\n" +
		"connect unix DIR/sock result 0\naccept unix DIR/sock result 0",
	"nokey":       "create /usr/bin/true [/bin/true]",
	"openat2":     "create DIR/o2.txt 100600",
	"passwd-lock": "account ADD_GROUP success seismotmp\naccount ADD_USER success 1001\naccount DEL_USER success 1001\naccount DEL_GROUP success seismotmp\naccount DEL_GROUP success seismotmp",
	"pipe":        "pipe2(ptr 0x0) = 0\nsocketpair(1 0x1 0 ptr) = 0",
	"process_vm":  "process_vm_readv(32457 ptr 1 ptr) = 8 on 32457\nprocess_vm_writev(32457 ptr 1 ptr) = 8 on 32457",
	"promisc":     "ANOM_PROMISCUOUS by /usr/bin/ip\nANOM_PROMISCUOUS by /usr/bin/ip",
	"ptrace":      "ptrace(PTRACE_ATTACH 32432 0x0 0x0) = 0 on 32432\nptrace(PTRACE_DETACH 32432 0x0 0x0) = 0 on 32432",
	"rename":      "rename DIR/r1.txt to DIR/r2.txt 100644\nrename DIR/r3.txt to DIR/r2.txt 100644",
	"seccomp":     "SECCOMP by " + actExe,
	"setuid":      "privilege setresuid success\nprivilege setuid success\nprivilege setgid success",
	"su": "authenticate USER_AUTH success nobody\nauthenticate USER_ACCT success nobody\nprivilege CRED_ACQ success nobody\n" +
		"logon USER_START success nobody\nlogoff USER_END success nobody\nprivilege CRED_DISP success nobody",
	"su-fail": "authenticate USER_AUTH failure root",
	"sudo": "authenticate USER_ACCT success root\nprivilege USER_CMD success\nprivilege CRED_REFR success nobody\n" +
		"logon USER_START success nobody\nlogoff USER_END success nobody\nprivilege CRED_DISP success nobody",
	"truncate":  "write DIR/t.txt 100644",
	"tty-login": "logon LOGIN success 4243",
	"twokeys":   "create /usr/bin/true [/bin/true]",
	"udp":       "sendto(4 ptr 1 0x0) = 1",
	"unlink":    "delete DIR/u.txt 100644\ndelete DIR/u2.txt 100644\ncreate DIR/d 40755\ndelete DIR/d 40755",
	"unshare":   "unshare(CLONE_NEWUTS CLONE_NEWIPC) = 0\nsetns(-1 0) = -9",
	"useradd": "account ADD_GROUP success seismotmp\naccount ADD_USER success 1001\naccount USER_CHAUTHTOK success seismotmp\n" +
		"account USER_CHAUTHTOK success 1001\naccount DEL_USER success 1001\naccount DEL_GROUP success seismotmp\naccount DEL_GROUP success seismotmp\n" +
		strings.Repeat("account ADD_GROUP success 1001\n", 3) + strings.Repeat("account DEL_GROUP success 1001\n", 3),
	"watch-denied": "openat(AT_FDCWD ptr 0x0 0x0) = -13 DIR/secret",
	"watch-read":   "open DIR/secret 100600",
	"xattr":        "permission DIR/x.txt 100644",
}

func counted(text string, from, to int) string {
	var b strings.Builder
	for i := from; i <= to; i++ {
		b.WriteString(text + strconv.Itoa(i))
	}
	return b.String()
}

// row writes what an event says in one line.
func row(v *view) string {
	get := func(name string) string { return v.fields[v.kind+"."+name] }
	optional := func(before, name string) string {
		if s := get(name); s != "" {
			return before + s
		}
		return ""
	}
	line := ""
	switch v.kind {
	case "process":
		line = v.op + " " + v.fields["process.path"] + " [" + strings.Join(v.args, " ") + "]"
	case "file":
		line = v.op + optional(" ", "path") + optional(" to ", "target_path")
		if mode, err := strconv.Atoi(get("mode")); err == nil {
			line += fmt.Sprintf(" %o", mode)
		}
		line += optional(" ", "path_status")
	case "network":
		end := get("path")
		if a := get("address"); strings.Contains(a, ":") {
			end = "[" + a + "]:" + get("port")
		} else if a != "" {
			end = a + ":" + get("port")
		}
		protocol := get("protocol")
		if protocol == "" {
			protocol = "?"
		}
		line = v.op + " " + protocol + " " + end + " result " + get("result") + optional(", knows ", "ends_known")
	case "security":
		line = v.op + " " + get("event_id") + optional(" ", "result") + optional(" ", "target_user")
	case "syscall":
		list := strings.Split(get("arguments"), "|")
		for i, a := range list {
			if n, err := strconv.ParseUint(strings.TrimPrefix(a, "0x"), 16, 64); err == nil && strings.HasPrefix(a, "0x") && n > 0xffff {
				list[i] = "ptr"
			}
		}
		line = get("name") + "(" + strings.Join(list, " ") + ")" + optional(" = ", "result") + optional(" ", "path") + optional(" on ", "target_pid")
	case "record":
		line = get("type") + " by " + v.fields["process.path"]
	}
	if v.flags&^event.Untrusted != 0 {
		line += fmt.Sprintf(" flags %b", v.flags&^event.Untrusted)
	}
	return strings.ReplaceAll(line, "\n", "\\n")
}

// Each recording gives the events that its program made, row by row, and nothing
// beside them but what making the recording left.
func TestLiveLogRows(t *testing.T) {
	paths, _ := filepath.Glob(filepath.Join(corpusDir(t, "linux-audit-live"), "*.log"))
	seen := 0
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".log")
		if name == "session" || name == "_stream-exec-conn" {
			continue // TestLiveLogs
		}
		seen++
		t.Run(name, func(t *testing.T) {
			text, ok := liveRows[name]
			if !ok {
				t.Fatal("no entry in the table")
			}
			var want, got []string
			for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
				if line != "" {
					want = append(want, strings.ReplaceAll(line, "DIR", strings.TrimSuffix(actDir, "/")))
				}
			}
			views, _, _ := readFile(t, path)
			logins := 0
			for i := range views {
				v := &views[i]
				id := v.fields["security.event_id"]
				switch {
				case id == "LOGIN" && v.fields["security.target_user"] == "4242":
					logins++ // the recording gives the program a login user
				case strings.HasSuffix(v.fields["process.path"], "/rawrec"), strings.HasSuffix(v.fields["process.path"], "/uringprobe"),
					id == "CONFIG_CHANGE" && !slices.Contains(want, "policy CONFIG_CHANGE success"):
				default:
					got = append(got, row(v))
				}
			}
			for i := range max(len(got), len(want)) {
				g, w := at(got, i), at(want, i)
				if g != w {
					t.Errorf("event %d is %.200q, want %.200q", i+1, g, w)
				}
			}
			if logins > 1 {
				t.Errorf("%d logins, want at most one", logins)
			}
		})
	}
	if seen != len(liveRows) {
		t.Errorf("%d recordings, %d in the table", seen, len(liveRows))
	}
}

func at(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return "(none)"
}
