// SPDX-License-Identifier: Apache-2.0

package audit_test

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"seismo/internal/event"
	"seismo/sources/audit"
)

// lines writes records of one event: "SYSCALL arch=…" gives a line of that type.
// items= of a SYSCALL becomes the number of PATH records.
func lines(records ...string) string {
	items := 0
	for _, r := range records {
		if strings.HasPrefix(r, "PATH ") {
			items++
		}
	}
	var b strings.Builder
	for _, r := range records {
		typ, body, _ := strings.Cut(r, " ")
		fmt.Fprintf(&b, "type=%s msg=audit(1700000000.500:77): %s\n", typ, strings.Replace(body, "items=1", fmt.Sprint("items=", items), 1))
	}
	return b.String()
}

// syscall writes a SYSCALL record of x86_64 by pid 20, child of 10.
func syscall(nr int, success string, exit int, args ...string) string {
	for len(args) < 4 {
		args = append(args, "0")
	}
	return fmt.Sprintf("SYSCALL arch=c000003e syscall=%d success=%s exit=%d a0=%s a1=%s a2=%s a3=%s items=1 ppid=10 pid=20 "+
		"auid=1000 uid=1001 gid=100 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=pts3 ses=7 comm=\"x\" exe=\"/bin/x\" key=(null)",
		nr, success, exit, args[0], args[1], args[2], args[3])
}

func decodeText(t *testing.T, text string, o audit.DecodeOptions) view {
	t.Helper()
	views, stats, losses := readAll(t, strings.NewReader(text), audit.StreamOptions{Name: "test", Decode: o})
	if len(views) != 1 || stats.Malformed != 0 {
		t.Fatalf("%d events, %d malformed, losses %v of:\n%s", len(views), stats.Malformed, losses, text)
	}
	return views[0]
}

const cwd = `CWD cwd="/home/u"`

func TestDecode(t *testing.T) {
	pathRec := func(item int, name, typ string, inode int) string {
		return fmt.Sprintf("PATH item=%d name=%s inode=%d dev=fe:00 mode=0100644 ouid=5 ogid=5 rdev=00:00 nametype=%s", item, name, inode, typ)
	}
	tests := []struct {
		name   string
		text   string
		want   wantLive
		absent []string
		flags  event.Flags
	}{
		{"what a record says of its process", lines(syscall(101, "yes", 0)),
			wantLive{"syscall/call", f("syscall.name", "ptrace", "process.path", "/bin/x", "process.name", "x", "process.pid", "20",
				"process.user_id", "1001", "process.group_id", "100", "process.login_user_id", "1000", "process.session", "7", "process.tty", "pts3",
				"user.id", "1001", "user.effective_id", "0", "user.login_id", "1000")}, nil, 0},
		{"nobody logged in", lines(strings.NewReplacer("auid=1000", "auid=4294967295", "ses=7", "ses=4294967295", "tty=pts3", "tty=(none)").Replace(syscall(101, "yes", 0))),
			wantLive{"syscall/call", nil}, []string{"process.login_user_id", "user.login_id", "process.session", "process.tty"}, 0},
		{"enriched names", lines(syscall(101, "yes", 0) + "\x1dARCH=x86_64 SYSCALL=ptrace AUID=\"ann\" UID=\"bob\" GID=\"users\" EUID=\"root\""),
			wantLive{"syscall/call", f("user.name", "bob", "user.effective_name", "root", "user.login_name", "ann", "process.group_name", "users")}, nil, 0},
		{"number of a call that is not known", lines(syscall(9999, "yes", 0)), wantLive{"syscall/call", f("syscall.name", "9999")}, nil, 0},
		{"x32 execve", lines(syscall(0x40000000+520, "yes", 0), `EXECVE argc=1 a0="a"`, cwd), wantLive{"process/create", f("process.args", "a")}, nil, 0},
		{"names for numbers", lines("SYSCALL arch=x86_64 syscall=execve success=yes exit=0 a0=0x1 items=1 ppid=10 pid=20 auid=ann uid=bob comm=top exe=/usr/bin/top", "EXECVE argc=1 a0=top"),
			wantLive{"process/create", f("process.path", "/usr/bin/top", "process.args", "top", "user.name", "bob", "user.login_name", "ann")}, []string{"user.id"}, 0},

		{"exec with an argument missing", lines(syscall(59, "yes", 0), `EXECVE argc=3 a0="a" a2="c"`, cwd), wantLive{"process/create", f("process.args", "a|c")}, nil, event.Incomplete},
		{"exec without EXECVE", lines(syscall(59, "yes", 0), cwd), wantLive{"process/create", f("process.cwd", "/home/u")}, []string{"process.args"}, event.Incomplete},
		{"EXECVE alone", lines(`EXECVE argc=1 a0="a"`), wantLive{"process/create", f("process.args", "a")}, []string{"process.pid"}, event.Incomplete},
		{"first of two equal arguments counts", lines(syscall(59, "yes", 0), `EXECVE argc=1 a0="good" a0="bad"`, cwd), wantLive{"process/create", f("process.args", "good")}, nil, event.Duplicate},
		{"first of two equal programs counts", lines(syscall(101, "yes", 0) + ` exe="/bin/evil"`), wantLive{"syscall/call", f("process.path", "/bin/x")}, nil, event.Duplicate},
		{"process title is no command line", lines(syscall(59, "yes", 0), `EXECVE argc=1 a0="a"`, cwd, `PROCTITLE proctitle="old"`), wantLive{"process/create", f("process.command_line", "a")}, nil, 0},
		{"split argument", lines(syscall(59, "yes", 0), `EXECVE argc=3 a0="a" a1_len=8 a1[0]=6162`, `EXECVE a1[1]=6364 a2="z"`, cwd), wantLive{"process/create", f("process.args", "a|abcd|z")}, nil, 0},
		{"split argument, a piece lost", lines(syscall(59, "yes", 0), `EXECVE argc=2 a0="a" a1_len=8 a1[0]=6162`, cwd), wantLive{"process/create", f("process.args", "a|ab")}, nil, event.Incomplete},

		{"relative name", lines(syscall(2, "yes", 3, "0", "0"), cwd, pathRec(0, `"../b/./c.tar.gz"`, "NORMAL", 9)),
			wantLive{"file/open", f("file.path", "/home/b/c.tar.gz", "file.name", "c.tar.gz", "file.extension", "gz", "file.inode", "9", "file.owner", "5", "file.mode", "33188")}, []string{"file.path_status"}, 0},
		{"relative to the working directory by number", lines(syscall(257, "yes", 3, "ffffffffffffff9c", "0", "0"), cwd, pathRec(0, `"c"`, "NORMAL", 9)), wantLive{"file/open", f("file.path", "/home/u/c")}, nil, 0},
		{"relative to a descriptor", lines(syscall(257, "yes", 3, "5", "0", "241"), cwd, pathRec(0, `"/home/u"`, "PARENT", 8), pathRec(1, `"c"`, "CREATE", 9)),
			wantLive{"file/create", f("file.path", "c", "file.path_status", "partial")}, nil, 0},
		{"absolute, beside a descriptor", lines(syscall(257, "yes", 3, "5", "0", "241"), cwd, pathRec(0, `"/etc//x"`, "CREATE", 9)), wantLive{"file/create", f("file.path", "/etc/x")}, []string{"file.path_status"}, 0},
		{"no working directory, but its name", lines(syscall(87, "yes", 0), pathRec(0, `"/tmp"`, "PARENT", 8), pathRec(1, `"c"`, "DELETE", 9)), wantLive{"file/delete", f("file.path", "/tmp/c")}, nil, 0},
		{"opened for writing", lines(syscall(2, "yes", 3, "0", "1"), cwd, pathRec(0, `"/c"`, "NORMAL", 9)), wantLive{"file/write", nil}, nil, 0},
		{"truncated on opening", lines(syscall(2, "yes", 3, "0", "200"), cwd, pathRec(0, `"/c"`, "NORMAL", 9)), wantLive{"file/write", nil}, nil, 0},
		{"creat of what was there", lines(syscall(85, "yes", 3, "0", "1a4"), cwd, pathRec(0, `"/c"`, "NORMAL", 9)), wantLive{"file/write", nil}, nil, 0},
		{"openat2 for writing", lines(syscall(437, "yes", 3, "ffffff9c"), "OPENAT2 oflag=01 mode=0 resolve=0x0", cwd, pathRec(0, `"/c"`, "NORMAL", 9)), wantLive{"file/write", nil}, nil, 0},
		{"open that failed", lines(syscall(2, "no", -13, "0", "1"), cwd, pathRec(0, `"c"`, "UNKNOWN", 9)), wantLive{"syscall/call", f("syscall.name", "open", "syscall.result", "-13", "syscall.path", "/home/u/c")}, nil, 0},
		{"mode that the call gives", lines(syscall(90, "yes", 0, "0", "1ed"), cwd, pathRec(0, `"/c"`, "NORMAL", 9)), wantLive{"file/permission", f("file.mode", fmt.Sprint(0100755))}, nil, 0},
		{"mode of an open file", lines(syscall(91, "yes", 0, "4", "1ed"), "PATH item=0 name=(null) inode=9 dev=fe:00 mode=0100644 ouid=0 ogid=0 rdev=00:00 nametype=NORMAL"),
			wantLive{"file/permission", f("file.mode", fmt.Sprint(0100755), "file.path_status", "partial", "file.inode", "9")}, []string{"file.path"}, 0},
		{"new extended attribute call", lines(syscall(463, "yes", 0, "ffffff9c"), cwd, pathRec(0, `"/c"`, "NORMAL", 9)), wantLive{"file/permission", f("file.path", "/c")}, nil, 0},
		{"symbolic link to a relative name", lines(syscall(88, "yes", 0), cwd, pathRec(0, `"/etc/"`, "PARENT", 8), `PATH item=1 name="../x" nametype=UNKNOWN`, pathRec(2, `"/etc/l"`, "CREATE", 9)),
			wantLive{"file/link", f("file.path", "/x", "file.target_path", "/etc/l")}, nil, 0},
		{"rename between descriptors", lines(syscall(264, "yes", 0, "5", "0", "ffffff9c"), cwd, pathRec(0, `"/home/u"`, "PARENT", 7), pathRec(1, `"/home/u"`, "PARENT", 8), pathRec(2, `"a"`, "DELETE", 9), pathRec(3, `"b"`, "CREATE", 9)),
			wantLive{"file/rename", f("file.path", "a", "file.target_path", "/home/u/b", "file.path_status", "partial")}, nil, 0},
		{"file call without its PATH", lines(syscall(87, "yes", 0), cwd), wantLive{"file/delete", nil}, []string{"file.path"}, event.Incomplete},
		{"name before PARENT in kernel 3.10", lines(syscall(2, "yes", 3, "0", "41"), cwd, strings.Replace(pathRec(0, `"/c"`, "CREATE", 9), "nametype", "objtype", 1)), wantLive{"file/create", nil}, nil, 0},

		{"abstract socket", lines(syscall(42, "yes", 0, "3"), "SOCKADDR saddr=0100006162"), wantLive{"network/connect", f("network.path", "@ab", "network.protocol", "unix")}, nil, 0},
		{"socket path relative to the working directory", lines(syscall(42, "yes", 0, "3"), "SOCKADDR saddr=0100612F6200", cwd), wantLive{"network/connect", f("network.path", "/home/u/a/b")}, nil, 0},
		{"netlink", lines(syscall(42, "yes", 0, "3"), "SOCKADDR saddr=100000000000000000000000"), wantLive{"network/connect", f("network.protocol", "netlink")}, []string{"network.address"}, 0},
		{"connect without its address", lines(syscall(42, "yes", 0, "3")), wantLive{"network/connect", f("network.result", "0")}, []string{"network.address"}, event.Incomplete},
		{"accept without an address is whole", lines(syscall(43, "yes", 5, "3")), wantLive{"network/accept", f("network.result", "0")}, nil, 0},
		{"accept that failed", lines(syscall(43, "no", -11, "3")), wantLive{"syscall/call", f("syscall.name", "accept")}, nil, 0},
		{"socketcall", lines("SYSCALL arch=40000003 syscall=102 success=yes exit=0 a0=3 a1=bf8 a2=0 a3=0 items=0 ppid=10 pid=20 auid=0 uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=(none) ses=1 comm=\"x\" exe=\"/bin/x\" key=(null)",
			"SOCKETCALL nargs=3 a0=4 a1=bf9 a2=10", "SOCKADDR saddr=020000507F0000010000000000000000"), wantLive{"network/connect", f("network.port", "80")}, nil, 0},

		{"module loaded", lines(syscall(313, "yes", 0, "3"), `KERN_MODULE name="evil"`), wantLive{"driver/load", f("driver.name", "evil")}, nil, 0},
		{"module unloaded", lines(syscall(176, "yes", 0), `KERN_MODULE name="evil"`), wantLive{"driver/unload", f("driver.name", "evil")}, nil, 0},
		{"setuid that failed", lines(syscall(105, "no", -1, "0")), wantLive{"security/privilege", f("security.event_id", "setuid", "security.result", "failure", "security.details", "setuid(0)")}, nil, 0},
		{"leave it", lines(syscall(117, "yes", 0, "ffffffff", "0", "ffffffff")), wantLive{"security/privilege", f("security.details", "setresuid(-1, 0, -1)")}, nil, 0},

		{"login from an address", lines(`USER_LOGIN pid=5 uid=0 auid=1000 ses=2 msg='op=login acct=726F6F7420 exe="/usr/sbin/sshd" hostname=h addr=10.0.0.7 terminal=ssh res=failed'`),
			wantLive{"security/logon", f("security.event_id", "USER_LOGIN", "security.target_user", "root ", "security.source_address", "10.0.0.7", "security.logon_type", "ssh", "security.result", "failure", "process.path", "/usr/sbin/sshd", "process.pid", "5")}, nil, event.Untrusted},
		{"old form with brackets", lines(`USER_AUTH user pid=5 uid=0 auid=4294967295 msg='PAM: authentication acct="root" : exe="/bin/su" (hostname=?, addr=?, terminal=pts/0 res=success)'`),
			wantLive{"security/authenticate", f("security.target_user", "root", "security.result", "success", "security.logon_type", "pts/0", "process.path", "/bin/su")}, []string{"security.source_address"}, event.Untrusted},
		{"account named twice", lines(`USER_AUTH pid=5 uid=0 auid=0 ses=1 msg='op=x acct="good" acct="bad" res=success'`), wantLive{"security/authenticate", f("security.target_user", "good")}, nil, event.Untrusted | event.Duplicate},
		{"firewall change", lines("NETFILTER_CFG table=filter family=2 entries=4", syscall(54, "yes", 0)), wantLive{"security/policy", f("security.event_id", "NETFILTER_CFG", "process.pid", "20")}, nil, 0},
		{"a service record beside the call that sent it", lines(`SERVICE_START pid=1 uid=0 auid=4294967295 ses=4294967295 msg='unit=x comm="systemd" exe="/lib/systemd" res=success'`, syscall(44, "yes", 9)), wantLive{"record/record", f("record.type", "SERVICE_START")}, nil, event.Untrusted},
		{"refused access beside its call", lines("AVC avc:  denied  { read } for  pid=20", syscall(101, "no", -13)), wantLive{"record/record", f("record.type", "AVC", "process.path", "/bin/x")}, nil, 0},
		{"a PATH alone", lines(pathRec(0, `"/c"`, "NORMAL", 1)), wantLive{"record/record", f("record.type", "PATH")}, nil, event.Incomplete},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := decodeText(t, tt.text, audit.DecodeOptions{})
			if got := v.kind + "/" + v.op; got != tt.want.event {
				t.Errorf("event = %s, want %s", got, tt.want.event)
			}
			for name, want := range tt.want.fields {
				if got, ok := v.fields[name]; got != want {
					t.Errorf("%s = %q, %v; want %q", name, got, ok, want)
				}
			}
			for _, name := range tt.absent {
				if got, ok := v.fields[name]; ok {
					t.Errorf("%s = %q, want none", name, got)
				}
			}
			if v.flags != tt.flags {
				t.Errorf("flags = %04b, want %04b", v.flags, tt.flags)
			}
			if v.time != 1700000000_500e6 || v.serial != 77 || v.ordinal != 1 {
				t.Errorf("time %d, serial %d, ordinal %d", v.time, v.serial, v.ordinal)
			}
		})
	}
}

// A socket call tells the protocol of the calls on its descriptor, also those of
// a child; with SocketsSilent it makes no event itself.
func TestSocketProtocol(t *testing.T) {
	at := func(serial int, records string) string {
		return strings.ReplaceAll(records, ":77)", fmt.Sprintf(":%d)", serial))
	}
	connect := lines(syscall(42, "yes", 0, "4"), "SOCKADDR saddr=020000507F0000010000000000000000")
	text := at(1, lines(syscall(41, "yes", 4, "2", "80802"))) + // SOCK_DGRAM with flags
		at(2, connect) + at(3, strings.ReplaceAll(connect, "ppid=10 pid=20", "ppid=20 pid=30")) +
		at(4, lines(syscall(41, "yes", 4, "a", "1"))) + at(5, connect) +
		at(6, lines(syscall(49, "yes", 0, "4"), "SOCKADDR saddr=020000507F0000010000000000000000")) + at(7, lines(syscall(50, "yes", 0, "4")))
	o := audit.StreamOptions{Decode: audit.DecodeOptions{SocketsSilent: true}}
	views, _, _ := readAll(t, strings.NewReader(text), o)
	var got []string
	for _, v := range views {
		got = append(got, v.op+" "+v.fields["network.protocol"]+" "+v.fields["network.address"]+":"+v.fields["network.port"])
	}
	want := []string{"connect udp 127.0.0.1:80", "connect udp 127.0.0.1:80", "connect tcp 127.0.0.1:80", "call  :", "listen tcp 127.0.0.1:80"}
	if !slices.Equal(got, want) {
		t.Errorf("events %q, want %q", got, want)
	}
	o.Decode = audit.DecodeOptions{Protocol: func(pid, fd int32) (string, bool) { return "sctp", pid == 20 && fd == 4 }}
	if views, _, _ = readAll(t, strings.NewReader(text), o); len(views) != 7 || views[1].fields["network.protocol"] != "sctp" {
		t.Errorf("%d events, protocol %q; want 7, sctp", len(views), views[1].fields["network.protocol"])
	}
}

// A socket that waits for others makes one listen event, not two: at listen where
// there are connections, at bind where there are none or the protocol is not known.
func TestListenIsToldOnce(t *testing.T) {
	at := func(serial int, records string) string {
		return strings.ReplaceAll(records, ":77)", fmt.Sprintf(":%d)", serial))
	}
	const inet, unix = "SOCKADDR saddr=020000507F0000010000000000000000", "SOCKADDR saddr=01002F746D702F7300"
	socket := func(typ string) string { return at(1, lines(syscall(41, "yes", 4, "2", typ))) }
	bind := func(saddr string) string { return at(2, lines(syscall(49, "yes", 0, "4"), saddr)) }
	listen := at(3, lines(syscall(50, "yes", 0, "4")))
	for _, tt := range []struct{ name, text, want string }{
		{"tcp", socket("1") + bind(inet) + listen, "call bind; listen tcp 127.0.0.1:80"},
		{"a tcp client that binds", socket("1") + bind(inet), "call bind"},
		{"udp", socket("2") + bind(inet), "listen udp 127.0.0.1:80"},
		{"unix", bind(unix) + listen, "listen unix /tmp/s; call listen"},
		{"a socket made before the recording", bind(inet) + listen, "listen 127.0.0.1:80; call listen"},
		{"a listen alone", listen, "listen"},
		{"a descriptor used again", bind(unix) + socket("1") + listen, "listen unix /tmp/s; listen tcp"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			views, _, _ := readAll(t, strings.NewReader(tt.text), audit.StreamOptions{Decode: audit.DecodeOptions{SocketsSilent: true}})
			var got []string
			for _, v := range views {
				end := v.fields["network.path"] + v.fields["network.address"]
				if port := v.fields["network.port"]; port != "" {
					end += ":" + port
				}
				got = append(got, strings.Join(strings.Fields(v.op+" "+v.fields["network.protocol"]+" "+v.fields["syscall.name"]+" "+end), " "))
			}
			if text := strings.Join(got, "; "); text != tt.want {
				t.Errorf("events %q, want %q", text, tt.want)
			}
		})
	}
}

// Own fields are kept as Demand says: decoded strings, raw numbers, whole
// arguments, the inner list of a user's record, what auditd added.
func TestOwnFields(t *testing.T) {
	text := lines(syscall(59, "yes", 0)+"\x1dUID=\"bob\"", `EXECVE argc=2 a0="a b" a1_len=8 a1[0]=6162`, `EXECVE a1[1]=6364`, `CWD cwd=2F612062`,
		"PATH item=0 name=(null) inode=9", `USER_CMD pid=1 uid=0 auid=0 ses=1 msg='cwd="/" cmd=6C73 res=success'`)
	text = strings.Replace(text, "key=(null)", `key=6162`, 1)
	v := decodeText(t, text, audit.DecodeOptions{Demand: event.Demand{AllOwn: true}})
	for _, want := range []ownView{{0, "a0", "0"}, {0, "key", "ab"}, {0, "comm", "x"}, {0, "UID", "bob"}, {1, "argc", "2"}, {1, "a0", "a b"}, {1, "a1", "abcd"},
		{3, "cwd", "/a b"}, {4, "inode", "9"}, {5, "cmd", "ls"}, {5, "res", "success"}} {
		if !slices.Contains(v.own, want) {
			t.Errorf("own fields %+v lack %+v", v.own, want)
		}
	}
	if slices.ContainsFunc(v.own, func(o ownView) bool { return o.record == 4 && o.name == "name" || strings.HasPrefix(o.name, "a1[") }) {
		t.Errorf("own fields %+v: want no missing name and no pieces", v.own)
	}
	v = decodeText(t, text, audit.DecodeOptions{Demand: event.Demand{Own: []string{"cmd", "inode"}}})
	if want := []ownView{{4, "inode", "9"}, {5, "cmd", "ls"}}; !slices.Equal(v.own, want) {
		t.Errorf("own fields %+v, want %+v", v.own, want)
	}
}

// What people read of an audit log is there under the names that it has there.
func TestOwnFieldsAsRead(t *testing.T) {
	tests := []struct {
		name string
		text string
		asks []string
		want []ownView
	}{
		{"the type of each record, not of its end", lines(syscall(59, "yes", 0), `EXECVE argc=1 a0="x"`, "EOE "), []string{"type"},
			[]ownView{{0, "type", "SYSCALL"}, {1, "type", "EXECVE"}}},
		{"a text that gives itself a type", lines(`USER_CMD pid=1 uid=0 auid=0 ses=1 msg='type=EXECVE a0="x" res=success'`), []string{"type"},
			[]ownView{{0, "type", "USER_CMD"}}},
		{"number and name of the call", lines(syscall(59, "yes", 0)), []string{"SYSCALL", "syscall"},
			[]ownView{{0, "syscall", "59"}, {0, "syscall", "execve"}, {0, "SYSCALL", "execve"}}},
		{"the name alone", lines(syscall(59, "yes", 0)), []string{"SYSCALL"}, []ownView{{0, "SYSCALL", "execve"}}},
		{"auditd gave the name", lines(syscall(59, "yes", 0) + "\x1dARCH=x86_64 SYSCALL=execve"), []string{"SYSCALL"},
			[]ownView{{0, "SYSCALL", "execve"}}},
		{"the same number on 32 bits", lines(strings.Replace(syscall(11, "yes", 0), "arch=c000003e", "arch=40000003", 1)), []string{"SYSCALL"},
			[]ownView{{0, "SYSCALL", "execve"}}},
		{"a number without a name", lines(syscall(9999, "yes", 0)), []string{"SYSCALL", "syscall"}, []ownView{{0, "syscall", "9999"}}},
		{"a name in place of the number", lines(strings.Replace(syscall(59, "yes", 0), "syscall=59", "syscall=execve", 1)), []string{"SYSCALL", "syscall"},
			[]ownView{{0, "syscall", "execve"}, {0, "SYSCALL", "execve"}}},
		{"a call that another record is about", lines(`SECCOMP auid=0 uid=0 gid=0 ses=1 pid=7 comm="x" exe="/x" sig=31 arch=c000003e syscall=101 compat=0 ip=0x7f code=0x0`), []string{"SYSCALL"},
			[]ownView{{0, "SYSCALL", "ptrace"}}},
		{"what a program writes is no call", lines(`USER_CMD pid=1 uid=0 auid=0 ses=1 msg='arch=c000003e syscall=59 res=success'`), []string{"SYSCALL"}, nil},
		{"two keys", strings.Replace(lines(syscall(59, "yes", 0)), "key=(null)", "key=6101622063", 1), []string{"key"},
			[]ownView{{0, "key", "a\x01b c"}, {0, "key", "a"}, {0, "key", "b c"}}},
		{"a process title", lines(syscall(59, "yes", 0), "PROCTITLE proctitle=6C73002D6C00"), []string{"proctitle"},
			[]ownView{{1, "proctitle", "ls\x00-l\x00"}, {1, "proctitle", "ls -l"}}},
		{"a process title of one word", lines(syscall(59, "yes", 0), `PROCTITLE proctitle="ls"`), []string{"proctitle"}, []ownView{{1, "proctitle", "ls"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if v := decodeText(t, tt.text, audit.DecodeOptions{Demand: event.Demand{Own: tt.asks}}); !slices.Equal(v.own, tt.want) {
				t.Errorf("own fields %+v, want %+v", v.own, tt.want)
			}
		})
	}
}

// Of too many arguments, or too long ones, the head and the tail are kept.
func TestArgumentBounds(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.SampledFrom([]int{1, 2, 3, 40, 4096, 4097, 6000}).Draw(rt, "arguments")
		size := rapid.SampledFrom([]int{0, 1, 9, 1000, 8000, 9000, 33000}).Draw(rt, "size of one")
		at := rapid.IntRange(0, n-1).Draw(rt, "place of the long one")
		var args []string
		for i := range n {
			arg := fmt.Sprint("n", i)
			if i == at {
				arg += strings.Repeat("x", size)
			}
			args = append(args, arg)
		}
		var text strings.Builder
		fmt.Fprintf(&text, "%s", lines(syscall(59, "yes", 0)))
		for i := 0; i < n; i += 200 {
			rec := "EXECVE"
			if i == 0 {
				rec += fmt.Sprintf(" argc=%d", n)
			}
			for j := i; j < min(i+200, n); j++ {
				rec += fmt.Sprintf(" a%d=%q", j, args[j])
			}
			text.WriteString(lines(rec))
		}
		views, _, _ := readAll(t, strings.NewReader(text.String()), audit.StreamOptions{})
		v := views[0]
		joined, got := strings.Join(args, " "), v.fields["process.command_line"]
		if over := n > 4096 || len(joined) > 32<<10; over != (v.flags&event.Truncated != 0) {
			rt.Errorf("%d arguments, %d bytes: flags %b", n, len(joined), v.flags)
		} else if !over && got != joined {
			rt.Errorf("%d arguments, %d bytes: command line of %d bytes", n, len(joined), len(got))
		}
		length := ""
		if v.flags&event.Truncated != 0 {
			length = fmt.Sprint(len(joined))
		}
		if v.fields["process.command_line_length"] != length {
			rt.Errorf("%d arguments, %d bytes: length %q, want %q", n, len(joined), v.fields["process.command_line_length"], length)
		}
		if strings.Join(v.args, " ") != got || len(v.args) > 4097 || len(got) > 32<<10+2 {
			rt.Errorf("%d arguments kept, command line of %d bytes", len(v.args), len(got))
		}
		if k := min(len(joined), 6000); joined[:k] != got[:k] || joined[len(joined)-k:] != got[len(got)-k:] {
			rt.Errorf("head or tail is not that of the arguments")
		}
	})
}

func TestAppendPath(t *testing.T) {
	tests := []struct{ dir, name, want string }{
		{"/a", "b", "/a/b"}, {"/a/", "./b//c/", "/a/b/c"}, {"/a", "../../..", "/"}, {"/a", "/x/../y", "/y"},
		{"/", "..", "/"}, {"", "a/../../b", "../b"}, {"", "", "."}, {"/", "", "/"}, {"a", "..", "."}, {"/a", "...", "/a/..."},
	}
	for _, tt := range tests {
		if got := string(audit.AppendPath([]byte("p"), []byte(tt.dir), []byte(tt.name))); got != "p"+tt.want {
			t.Errorf("AppendPath(p, %q, %q) = %q, want %q", tt.dir, tt.name, got, "p"+tt.want)
		}
	}
	element := rapid.SampledFrom([]string{"/", "/", "a", "b", ".", "..", "...", "x.y"})
	rapid.Check(t, func(rt *rapid.T) { // path.Clean is the plainer way to the same answer
		dir := strings.Join(rapid.SliceOfN(element, 0, 6).Draw(rt, "dir"), "")
		name := strings.Join(rapid.SliceOfN(element, 0, 8).Draw(rt, "name"), "")
		want := path.Clean(dir + "/" + name)
		if dir == "" || strings.HasPrefix(name, "/") {
			want = path.Clean(name)
		}
		if got := string(audit.AppendPath(nil, []byte(dir), []byte(name))); got != want {
			rt.Errorf("AppendPath(nil, %q, %q) = %q, want %q", dir, name, got, want)
		}
	})
}

// After warm-up the common events cost no allocation, from line to event.
func TestDecodeAllocates(t *testing.T) {
	path := `PATH item=0 name="/bin/x" inode=9 dev=fe:00 mode=0100755 ouid=0 ogid=0 rdev=00:00 nametype=NORMAL`
	tests := []struct{ name, text string }{
		{"exec", lines(syscall(59, "yes", 0), `EXECVE argc=2 a0="x" a1=612062`, cwd, path, path, `PROCTITLE proctitle="x"`, "EOE ")},
		{"file", lines(syscall(257, "yes", 3, "ffffff9c", "0", "241"), cwd, strings.Replace(path, "/bin/x", "x.txt", 1), "EOE ")},
		{"network", lines(syscall(42, "yes", 0, "4"), "SOCKADDR saddr=020000507F0000010000000000000000", "EOE ")},
		{"socket", lines(syscall(41, "yes", 4, "2", "1"), "EOE ")},
	}
	for _, tt := range tests {
		asm, dec, b := audit.NewReassembler(audit.Limits{}), audit.NewDecoder(audit.DecodeOptions{}), event.NewBatch(8)
		text := slices.Collect(bytes.Lines([]byte(tt.text)))
		got := testing.AllocsPerRun(100, func() {
			for _, line := range text {
				h, r, err := audit.ParseLine(line)
				if err != nil {
					t.Fatal(err)
				}
				asm.Push(h, r, 0)
			}
			b.Reset()
			g := asm.Pop()
			dec.Decode(g, b)
			asm.Release(g)
		})
		if got != 0 {
			t.Errorf("%s event: %v allocations, want 0", tt.name, got)
		}
	}
}

func TestSyscallName(t *testing.T) {
	tests := []struct {
		arch uint32
		nr   uint64
		want string
	}{
		{0xc000003e, 59, "execve"}, {0xc000003e, 0x40000000 + 545, "execveat"}, {0x40000003, 11, "execve"}, {0xc00000b7, 221, "execve"},
		{0xc00000f3, 221, "execve"}, {0x40000028, 11, "execve"}, {0xc000003e, 463, "setxattrat"}, {0xc00000b7, 452, "fchmodat2"},
		{0x40000028, 283, "connect"}, {0x80000015, 327, "327"}, {0xc000003e, 1 << 40, "1099511627776"},
	}
	for _, tt := range tests {
		if got := audit.SyscallName(tt.arch, tt.nr); got != tt.want {
			t.Errorf("SyscallName(%#x, %d) = %q, want %q", tt.arch, tt.nr, got, tt.want)
		}
	}
}

// Whatever bytes come, nothing panics, the ledgers hold (readAll checks them),
// and every event can be looked at.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(lines(syscall(59, "yes", 0), `EXECVE argc=3 a0="a" a1_len=8 a1[0]=6162`, cwd)))
	f.Add([]byte(lines(syscall(264, "yes", 0, "5", "0", "6"), cwd, `PATH item=0 name="a" inode=1 nametype=DELETE`, `PATH item=1 name="b" inode=1 nametype=CREATE`)))
	f.Add([]byte(lines(syscall(49, "yes", 0, "4"), "SOCKADDR saddr=0A0000507F000001", `USER_CMD pid=1 msg='cmd=2F (acct="x" addr=::1`)))
	f.Add([]byte(`type=PATH msg=audit(1.5:2): item=0 name="a" inode=1` + "\nrubbish\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, prompt := range []bool{false, true} {
			views, stats, losses := readAll(t, bytes.NewReader(text), audit.StreamOptions{Name: "fuzz", Prompt: prompt,
				Decode: audit.DecodeOptions{Demand: event.Demand{AllOwn: true}, ResolveDir: func(_, fd int32, _ string, _ uint64) (string, bool) { return "/d", fd > 3 }}})
			if stats.Received > uint64(bytes.Count(text, []byte("\n")))+1 {
				t.Errorf("received %d records of %d lines", stats.Received, bytes.Count(text, []byte("\n"))+1)
			}
			for _, l := range losses {
				if strings.Contains(l.Detail, "panicked") {
					t.Errorf("%s", l.Detail)
				}
			}
			for _, v := range views {
				if p := v.fields["file.path"]; v.fields["file.path_status"] == "" && p != "" && p != path.Clean(p) {
					t.Errorf("file.path %q is not clean", p)
				}
			}
		}
	})
}
