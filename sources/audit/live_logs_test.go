// SPDX-License-Identifier: Apache-2.0

package audit_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"seismo/internal/event"
)

// wantLive is an event that a log must yield: kind/operation and fields.
type wantLive struct {
	event  string
	fields map[string]string
}

// f makes a field table of name, value, name, value …
func f(pairs ...string) map[string]string {
	m := make(map[string]string, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return m
}

// liveLogs says for each log of the live recordings which events it was made for.
var liveLogs = map[string][]wantLive{
	"_stream-exec-conn": {{"process/create", f("process.cwd", "/tmp")}, {"network/connect", f("network.result", "0")}, {"network/accept", nil}},
	"abend":             {{"record/record", f("record.type", "ANOM_ABEND", "process.path", "/usr/local/libexec/seismo/act")}},
	"bpf":               {{"syscall/call", f("syscall.name", "bpf", "syscall.result", "5")}},
	"capset":            {{"security/privilege", f("security.event_id", "capset", "security.details", "pid=32402 cap_pi=0 cap_pp=000001fffeffffff cap_pe=000001fffeffdfff cap_pa=0")}},
	"chmod": {{"file/permission", f("file.path", "/tmp/actdir.fp33/c.txt", "file.mode", "35309")},
		{"file/permission", f("file.mode", "33152")}},
	"chown":            {{"file/permission", f("file.path", "/tmp/actdir.fp33/c.txt", "file.owner", "1")}},
	"config-change":    {{"security/policy", f("security.event_id", "CONFIG_CHANGE", "security.result", "success", "user.login_id", "4242")}},
	"connect-nonblock": {{"network/connect", f("network.result", "-115", "network.port", "1")}},
	"connect-refused":  {{"network/connect", f("network.result", "-111", "network.address", "127.0.0.1")}},
	"exec-fail":        {{"syscall/call", f("syscall.name", "execve", "syscall.result", "-2", "syscall.path", "/nonexistent/program")}},
	"exec-hex": {{"process/create", f("process.args", "echo|two words|quote\"inside|tab\there|newline\nhere|ü-utf8|日本語|\x01\x02|",
		"process.command_line", "echo two words quote\"inside tab\there newline\nhere ü-utf8 日本語 \x01\x02 ")}},
	"exec-longarg":     {{"process/create", f("process.path", "/usr/bin/true")}},
	"exec-longarg-hex": {{"process/create", f("process.path", "/usr/bin/true")}},
	"exec-manyargs":    {{"process/create", f("process.path", "/usr/bin/true")}},
	"exec-script":      {{"process/create", f("process.path", "/usr/bin/dash", "process.args", "/bin/sh|/tmp/actdir.fp33/script.sh|arg1")}},
	"exec":             {{"process/create", f("process.path", "/usr/bin/ls", "process.name", "ls", "process.command_line", "ls -la /", "process.cwd", "/tmp", "process.login_user_id", "4242", "process.session", "226", "process.user_id", "0")}},
	"execveat-memfd":   {{"process/create", f("process.path", "/memfd:payload (deleted)", "process.args", "true-from-memfd")}, {"syscall/call", f("syscall.name", "memfd_create")}},
	"exit":             {{"syscall/call", f("syscall.name", "exit_group")}},
	"fanotify-perm":    {{"file/create", f("file.path", "/tmp/actdir.fp33/fa.txt")}, {"syscall/call", f("syscall.name", "openat", "syscall.result", "-1")}, {"file/open", f("file.path", "/etc/ld.so.cache", "file.extension", "cache")}},
	"fcap":             {{"file/permission", f("file.path", "/tmp/actdir.fp33/fc")}},
	"file-write": {{"file/create", f("file.path", "/tmp/actdir.fp33/plain.txt", "file.inode", "9977978")}, {"file/write", f("file.path", "/tmp/actdir.fp33/plain.txt")},
		{"file/create", f("file.name", "name with space.txt")}, {"file/create", f("file.name", "日本語.txt", "file.extension", "txt")}},
	"file-write-syscall": {{"security/policy", nil}}, // its rule met no call
	"fork":               {{"syscall/call", f("syscall.name", "clone", "syscall.result", "31656")}, {"syscall/call", f("syscall.name", "vfork")}},
	"hostname":           {{"syscall/call", f("syscall.name", "sethostname")}},
	"init_module":        {{"syscall/call", f("syscall.name", "finit_module", "syscall.result", "-38")}, {"syscall/call", f("syscall.name", "delete_module")}},
	"int80":              {{"process/create", f("process.path", "/usr/bin/true", "process.args", "true-by-int80")}},
	"io_uring":           {{"syscall/call", f("syscall.name", "io_uring_enter")}},
	"io_uring-list":      {{"syscall/call", f("syscall.name", "io_uring_openat", "process.pid", "10303")}},
	"kill":               {{"syscall/call", f("syscall.name", "kill", "syscall.arguments", "32482|SIGTERM")}},
	"link": {{"file/link", f("file.path", "/tmp/actdir.fp33/l1.txt", "file.target_path", "/tmp/actdir.fp33/l2.txt")},
		{"file/link", f("file.path", "/tmp/actdir.fp33/l1.txt", "file.target_path", "/tmp/actdir.fp33/l3.txt", "file.inode", "9978449")}},
	"memfd":             {{"syscall/call", f("syscall.name", "memfd_create")}},
	"mmap":              {{"syscall/call", f("syscall.name", "mmap")}, {"syscall/call", f("syscall.name", "mprotect")}},
	"mount":             {{"syscall/call", f("syscall.name", "mount", "syscall.path", "/tmp/actdir.fp33/mnt")}, {"syscall/call", f("syscall.name", "umount2")}},
	"mq":                {{"syscall/call", f("syscall.name", "mq_open", "syscall.path", "actq")}},
	"net4-connect-only": {{"network/connect", f("network.direction", "outbound", "network.destination_port", "55639")}},
	"net4": {{"network/connect", f("network.address", "127.0.0.1", "network.port", "60791", "network.protocol", "tcp", "network.destination_address", "127.0.0.1")},
		{"network/accept", f("network.port", "40166", "network.direction", "inbound", "network.source_address", "127.0.0.1", "network.source_port", "40166", "network.protocol", "tcp")},
		{"network/listen", f("network.address", "127.0.0.1", "network.port", "0", "network.direction", "listening")}},
	"net6": {{"network/connect", f("network.address", "::1", "network.port", "33535", "network.protocol", "tcp")}, {"network/accept", f("network.source_address", "::1")}},
	"netunix": {{"network/listen", f("network.path", "/tmp/actdir.fp33/sock", "network.protocol", "unix")}, {"network/connect", f("network.path", "/tmp/actdir.fp33/sock")},
		{"network/accept", f("network.protocol", "unix")}},
	"nokey":       {{"process/create", f("process.args", "/bin/true")}},
	"openat2":     {{"file/create", f("file.path", "/tmp/actdir.fp33/o2.txt", "file.mode", "33152")}},
	"passwd-lock": {{"security/account", f("security.event_id", "DEL_USER", "security.target_user", "1001")}},
	"pipe":        {{"syscall/call", f("syscall.name", "pipe2")}, {"syscall/call", f("syscall.name", "socketpair")}},
	"process_vm":  {{"syscall/call", f("syscall.name", "process_vm_readv", "syscall.result", "8")}},
	"promisc":     {{"record/record", f("record.type", "ANOM_PROMISCUOUS", "process.path", "/usr/bin/ip", "record.text", "dev=lo prom=256 old_prom=0 auid=4242 uid=0 gid=0 ses=286")}},
	"ptrace":      {{"syscall/call", f("syscall.name", "ptrace", "syscall.arguments", "PTRACE_ATTACH|32432|0x0|0x0")}},
	"rename": {{"file/rename", f("file.path", "/tmp/actdir.fp33/r1.txt", "file.target_path", "/tmp/actdir.fp33/r2.txt")},
		{"file/rename", f("file.path", "/tmp/actdir.fp33/r3.txt", "file.target_path", "/tmp/actdir.fp33/r2.txt", "file.inode", "9978433")}},
	"seccomp": {{"record/record", f("record.type", "SECCOMP", "process.pid", "32675")}},
	"session": {{"process/create", f("process.path", "/usr/bin/bash")}, {"network/connect", nil}, {"file/rename", nil}, {"file/delete", nil}, {"syscall/call", f("syscall.name", "exit_group")}},
	"setuid": {{"security/privilege", f("security.event_id", "setresuid", "security.details", "setresuid(1, 1, 0)", "user.id", "1", "user.effective_id", "1")},
		{"security/privilege", f("security.details", "setuid(0)", "security.result", "success")}},
	"su": {{"security/authenticate", f("security.event_id", "USER_AUTH", "security.result", "success", "security.target_user", "nobody", "process.path", "/usr/bin/su")},
		{"security/logon", f("security.event_id", "USER_START")}, {"security/logoff", f("security.event_id", "USER_END")}, {"security/privilege", f("security.event_id", "CRED_ACQ")}},
	"su-fail":   {{"security/authenticate", f("security.result", "failure", "security.target_user", "root", "user.id", "65534")}},
	"sudo":      {{"security/privilege", f("security.event_id", "USER_CMD", "security.details", "/bin/echo hello sudo", "process.path", "/usr/bin/sudo")}},
	"truncate":  {{"file/write", f("file.path", "/tmp/actdir.fp33/t.txt")}},
	"tty-login": {{"security/logon", f("security.event_id", "LOGIN", "security.target_user", "4243", "security.result", "success")}},
	"twokeys":   {{"process/create", f("process.args", "/bin/true")}},
	"udp":       {{"syscall/call", f("syscall.name", "sendto")}},
	"unlink": {{"file/delete", f("file.path", "/tmp/actdir.fp33/u.txt")}, {"file/delete", f("file.path", "/tmp/actdir.fp33/u2.txt")},
		{"file/create", f("file.path", "/tmp/actdir.fp33/d", "file.mode", "16877")}, {"file/delete", f("file.path", "/tmp/actdir.fp33/d")}},
	"unshare": {{"syscall/call", f("syscall.name", "unshare")}},
	"useradd": {{"security/account", f("security.event_id", "ADD_USER", "security.target_user", "1001", "process.path", "/usr/sbin/useradd")},
		{"security/account", f("security.event_id", "USER_CHAUTHTOK", "security.target_user", "seismotmp")}, {"security/account", f("security.event_id", "DEL_GROUP")}},
	"watch-denied": {{"syscall/call", f("syscall.name", "openat", "syscall.result", "-13", "syscall.path", "/tmp/actdir.fp33/secret", "user.id", "65534")}},
	"watch-read":   {{"file/open", f("file.name", "secret")}},
	"xattr":        {{"file/permission", f("file.path", "/tmp/actdir.fp33/x.txt")}},
}

// Each recording of the live kernel yields the event that its name says, and
// every line of it is a record.
func TestLiveLogs(t *testing.T) {
	dir := corpusDir(t, "linux-audit-live")
	paths, _ := filepath.Glob(filepath.Join(dir, "*.log"))
	if len(paths) != len(liveLogs) {
		t.Errorf("%d logs in %s, %d in the table", len(paths), dir, len(liveLogs))
	}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".log")
		t.Run(name, func(t *testing.T) {
			views, stats, losses := readFile(t, path)
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if lines := uint64(bytes.Count(raw, []byte("\n"))); stats.Received != lines || stats.Malformed != 0 {
				t.Errorf("received %d, malformed %d of %d lines: %v", stats.Received, stats.Malformed, lines, losses)
			}
			wants, ok := liveLogs[name]
			if !ok {
				t.Fatalf("no entry in the table")
			}
			for _, want := range wants {
				if !slices.ContainsFunc(views, func(v view) bool { return v.is(want) }) {
					t.Errorf("no event %s with %v", want.event, want.fields)
				}
			}
		})
	}
}

func (v *view) is(want wantLive) bool {
	if v.kind+"/"+v.op != want.event {
		return false
	}
	for name, value := range want.fields {
		if v.fields[name] != value {
			return false
		}
	}
	return true
}

// Arguments that the kernel splits or spreads over records come out whole.
func TestSplitArguments(t *testing.T) {
	dir := corpusDir(t, "linux-audit-live")
	last := func(name string) view {
		views, _, _ := readFile(t, filepath.Join(dir, name))
		i := len(views) - 1
		for i > 0 && (views[i].kind != "process" || views[i].fields["process.path"] != "/usr/bin/true") {
			i--
		}
		return views[i]
	}
	v := last("exec-manyargs.log")
	if len(v.args) != 1000 || v.args[999] != "argument-number-999" || v.flags != 0 {
		t.Errorf("exec-manyargs: %d arguments, last %q, flags %b; want 1000, argument-number-999, 0", len(v.args), v.args[len(v.args)-1], v.flags)
	}
	v = last("exec-longarg-hex.log")
	if want := strings.Repeat("ab c", 5000); len(v.args) != 3 || v.args[1] != want || v.args[2] != "tail" || v.flags != 0 {
		t.Errorf("exec-longarg-hex: %d arguments, second has %d bytes, flags %b; want 3, %d, 0", len(v.args), len(v.args[1]), v.flags, len(want))
	}
	// 40,000 bytes in one argument are over the bound: its head and tail are kept.
	v = last("exec-longarg.log")
	if len(v.args) != 5 || v.args[1] != "short" || v.args[4] != "tail" || v.flags != event.Truncated ||
		len(v.fields["process.command_line"]) > 32<<10+1 || strings.Trim(v.args[2]+v.args[3], "A") != "" {
		t.Errorf("exec-longarg: %d arguments, command line of %d bytes, flags %b", len(v.args), len(v.fields["process.command_line"]), v.flags)
	}
}
