// SPDX-License-Identifier: Apache-2.0

// These tests decode what the recordings do not have: records as the kernel
// writes them, seen by the live tests of this package or in its source.

package audit_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"seismo/internal/event"
	"seismo/sources/audit"
)

// pathItem writes a PATH record.
func pathItem(item int, name, typ string, inode int, mode string) string {
	return fmt.Sprintf("PATH item=%d name=%s inode=%d dev=fe:00 mode=%s ouid=0 ogid=0 rdev=00:00 nametype=%s", item, name, inode, mode, typ)
}

const fileMode, dirMode = "0100644", "040755"

// rowsOf decodes a text and returns a row for each event.
func rowsOf(t *testing.T, text string, o audit.DecodeOptions) (rows []string) {
	t.Helper()
	views, _, _ := readAll(t, strings.NewReader(text), audit.StreamOptions{Name: "test", Decode: o})
	for i := range views {
		rows = append(rows, row(&views[i]))
	}
	return rows
}

func TestDecodeActions(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{"two names are exchanged", lines(syscall(316, "yes", 0, "ffffff9c", "0", "ffffff9c"), cwd,
			pathItem(0, `"/a/"`, "PARENT", 1, dirMode), pathItem(1, `"/b/"`, "PARENT", 2, dirMode), pathItem(2, `"/a/x"`, "DELETE", 3, fileMode),
			pathItem(3, `"/b/y"`, "DELETE", 4, dirMode), pathItem(4, `"/b/y"`, "CREATE", 3, fileMode), pathItem(5, `"/a/x"`, "CREATE", 4, dirMode)),
			[]string{"rename /a/x to /b/y 100644", "rename /b/y to /a/x 40755"}},
		{"a file without a name", lines(syscall(257, "yes", 3, "ffffff9c", "0", "410001"), cwd, pathItem(0, `"/"`, "NORMAL", 5, fileMode)),
			[]string{"create /#5 100644"}},
		{"a file that an overlay copies up", lines(syscall(257, "yes", 3, "ffffff9c", "0", "441"), cwd, pathItem(0, `"/o/"`, "PARENT", 3, dirMode), pathItem(1, `"/o/low"`, "NORMAL", 5, fileMode),
			pathItem(2, "(null)", "PARENT", 3, dirMode), pathItem(3, "(null)", "CREATE", 11, fileMode)),
			[]string{"write /o/low 100644"}},
		{"a file that an overlay hides", lines(syscall(263, "yes", 0, "ffffff9c", "0", "0"), cwd, pathItem(0, `"/o/"`, "PARENT", 3, dirMode), pathItem(1, `"/o/low"`, "DELETE", 5, fileMode),
			pathItem(2, "(null)", "PARENT", 3, dirMode), pathItem(3, "(null)", "CREATE", 12, "020000"), pathItem(4, "(null)", "DELETE", 12, "020000")),
			[]string{"delete /o/low 100644"}},
		{"a rename in an overlay", lines(syscall(82, "yes", 0, "0", "0"), cwd, pathItem(0, `"/o/"`, "PARENT", 3, dirMode), pathItem(1, `"/o/low"`, "DELETE", 5, fileMode), pathItem(2, `"/o/?"`, "CREATE", 5, fileMode),
			pathItem(3, "(null)", "PARENT", 3, dirMode), pathItem(4, "(null)", "DELETE", 6, fileMode), pathItem(5, "(null)", "CREATE", 7, fileMode)),
			[]string{"rename /o/low to /o/? 100644"}},
		{"only a handle to a file", lines(syscall(257, "yes", 3, "ffffff9c", "0", "200001"), cwd, pathItem(0, `"/c"`, "NORMAL", 5, fileMode)),
			[]string{"open /c 100644"}},
		{"a mount below the working directory", lines(syscall(165, "yes", 0, "0", "0", "0", "1000"), cwd, pathItem(0, `"mnt/"`, "NORMAL", 5, dirMode)),
			[]string{"mount(0x0 0x0 0x0 MS_BIND) = 0 /home/u/mnt"}},
		{"flags without a name", lines(syscall(272, "yes", 0, "20000001")), []string{"unshare(CLONE_NEWPID 0x1) = 0"}},
		{"a request without a name", lines(syscall(101, "yes", 0, "63", "ffffffff")), []string{"ptrace(99 -1 0x0 0x0) = 0"}},
		{"a signal to a group", lines(syscall(62, "yes", 0, "ffffff9c", "9")), []string{"kill(-100 SIGKILL) = 0"}},
		{"the target that the kernel says", lines(syscall(62, "yes", 0, "5", "40"), `OBJ_PID opid=77 oauid=0 ouid=0 oses=1 ocomm="x"`), []string{"kill(5 64) = 0 on 77"}},
		{"a BPF program that goes with nobody", lines("BPF prog-id=7 op=UNLOAD"), []string{"bpf(BPF_PROG_UNLOAD prog-id=7)"}},
		{"an operation of io_uring that failed", lines("URINGOP uring_op=36 success=no exit=-2 items=1 ppid=1 pid=20 uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 key=(null)",
			pathItem(0, "(null)", "PARENT", 8, dirMode)), []string{"io_uring_unlinkat(parent=fe:00:8) = -2"}},
		{"an operation of io_uring that is newer than this program", lines("URINGOP uring_op=250 success=yes exit=0 items=0 ppid=1 pid=20 uid=0"), []string{"io_uring_250() = 0"}},
		{"a decision beside a call that no rule asks for", lines("AVC avc:  denied  { read } for  pid=20", syscall(257, "no", -13, "ffffff9c"), cwd, pathItem(0, `"/c"`, "NORMAL", 5, fileMode)),
			[]string{"AVC by /bin/x"}},
		{"a decision beside a call that a rule asks for", lines("AVC avc:  denied  { read } for  pid=20", strings.Replace(syscall(257, "no", -13, "ffffff9c"), "key=(null)", `key="k"`, 1), cwd, pathItem(0, `"/c"`, "NORMAL", 5, fileMode)),
			[]string{"openat(AT_FDCWD 0x0 0x0 0x0) = -13 /c", "AVC by /bin/x"}},
		{"a decision beside an exec that was let go on", lines("AVC avc:  denied  { execute } for  pid=20", syscall(59, "yes", 0), `EXECVE argc=1 a0="a"`, cwd),
			[]string{"create /bin/x [a]", "AVC by /bin/x"}},
		{"accept without the address", lines(syscall(41, "yes", 3, "2", "1")) + strings.ReplaceAll(lines(syscall(43, "yes", 5, "3")), ":77)", ":78)"),
			[]string{"socket(2 0x1 0) = 3", "accept tcp  result 0, knows none"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := rowsOf(t, tt.text, audit.DecodeOptions{}); !slices.Equal(got, tt.want) {
				t.Errorf("rows %q, want %q", got, tt.want)
			}
		})
	}
}

// The kernel does not say which of two directories a rename is from: names tell,
// descriptors tell, and so does an earlier rename; nobody guesses.
func TestRenameSides(t *testing.T) {
	rename := func(call, fd1, fd2, dir1, dir2, from, to string) string {
		return lines(strings.Replace(syscall(264, "yes", 0, fd1, "0", fd2), "syscall=264", "syscall="+call, 1), cwd,
			pathItem(0, `"`+dir1+`"`, "PARENT", 1, dirMode), pathItem(1, `"`+dir2+`"`, "PARENT", 2, dirMode),
			pathItem(2, `"`+from+`"`, "DELETE", 9, fileMode), pathItem(3, `"`+to+`"`, "CREATE", 9, fileMode))
	}
	byFD := rename("264", "5", "6", "/home/u", "/home/u", "x", "y")
	named := func(dir1, dir2 string) string {
		return strings.ReplaceAll(rename("82", "0", "0", dir1, dir2, "/old/x", "/new/y"), ":77)", ":76)")
	}
	known := func(_, _ int32, dev string, inode uint64) (string, bool) {
		return map[uint64]string{1: "/one", 2: "/two"}[inode], dev != "" && inode < 3
	}
	descriptors := func(one int32) func(pid, fd int32, rel, dev string, inode uint64) (string, bool) {
		return func(_, fd int32, rel, _ string, inode uint64) (string, bool) {
			return "/x", rel == "." && (fd == one) == (inode == 1) && inode < 3
		}
	}
	tests := []struct {
		name, text string
		below      func(pid, fd int32, rel, dev string, inode uint64) (string, bool)
		want       string
	}{
		{"nothing tells", byFD, nil, "rename x to y 100644 partial"},
		{"the first descriptor is the first directory", byFD, descriptors(5), "rename /one/x to /two/y 100644"},
		{"the second descriptor is the first directory", byFD, descriptors(6), "rename /two/x to /one/y 100644"},
		{"an earlier rename had the new directory first", named("/new/", "/old/") + byFD, nil, "rename /two/x to /one/y 100644"},
		{"an earlier rename had the old directory first", named("/old/", "/new/") + byFD, nil, "rename /one/x to /two/y 100644"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rows := rowsOf(t, tt.text, audit.DecodeOptions{ResolveDir: known, ResolveBelow: tt.below})
			if got := rows[len(rows)-1]; got != tt.want {
				t.Errorf("row %q, want %q", got, tt.want)
			}
		})
	}
}

// With monitorSecurity off the records of security are left out and counted, but
// for those that a signal names.
func TestSecuritySilent(t *testing.T) {
	text := lines(`USER_AUTH pid=5 uid=0 auid=0 ses=1 msg='op=x acct="root" res=success'`) +
		strings.ReplaceAll(lines(`SERVICE_START pid=1 uid=0 auid=0 ses=1 msg='unit=x res=success'`), ":77)", ":78)") +
		strings.ReplaceAll(lines(`ANOM_ABEND auid=0 uid=0 gid=0 ses=1 pid=9 comm="x" exe="/bin/x" sig=11 res=1`), ":77)", ":79)") +
		strings.ReplaceAll(lines(syscall(105, "yes", 0)), ":77)", ":80)")
	auth, service, abend, setuid := "authenticate USER_AUTH success root", "SERVICE_START by ", "ANOM_ABEND by /bin/x", "privilege setuid success"
	tests := []struct {
		name   string
		silent bool
		demand event.Demand
		want   []string
	}{
		{"on", false, event.Demand{}, []string{auth, service, abend, setuid}},
		{"off", true, event.Demand{}, []string{abend, setuid}},
		{"off, but a signal asks for the kind", true, event.Demand{Kinds: event.SetOf(event.KindSecurity)}, []string{auth, abend, setuid}},
		{"off, but a signal names the type", true, event.Demand{Records: []string{"SERVICE_START"}}, []string{service, abend, setuid}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := rowsOf(t, text, audit.DecodeOptions{SecuritySilent: tt.silent, Demand: tt.demand})
			slices.Sort(got)
			slices.Sort(tt.want)
			if !slices.Equal(got, tt.want) {
				t.Errorf("rows %q, want %q", got, tt.want)
			}
			_, stats, losses := readAll(t, strings.NewReader(text), audit.StreamOptions{Decode: audit.DecodeOptions{SecuritySilent: tt.silent, Demand: tt.demand}})
			if int(stats.LeftOut) != 4-len(tt.want) || int(stats.Assembled) != len(tt.want) || len(losses) != 0 {
				t.Errorf("stats %+v, losses %+v; want what is left out counted, and no loss", stats, losses)
			}
		})
	}
}

// What SELinux decided has no key in its record; it is kept as libauparse calls it.
func TestOwnFieldsOfDecisions(t *testing.T) {
	v := decodeText(t, lines(`AVC avc:  denied  { read open } for  pid=20 comm="x" scontext=a tcontext=b tclass=file permissive=0`),
		audit.DecodeOptions{Demand: event.Demand{AllOwn: true}})
	for name, want := range map[string]string{"seresult": "denied", "seperms": "read open", "tclass": "file", "permissive": "0"} {
		if got, _ := v.get("AVC", name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
}

// The hooks are asked about the descriptor of the call, with the inode that the
// record knows, and what they say is used.
func TestResolveDir(t *testing.T) {
	open := lines(syscall(257, "yes", 3, "5", "0", "241"), cwd,
		"PATH item=0 name=\"/home/u\" inode=8 dev=fe:00 mode=040755 ouid=0 ogid=0 rdev=00:00 nametype=PARENT",
		"PATH item=1 name=\"c\" inode=9 dev=fe:00 mode=0100644 ouid=0 ogid=0 rdev=00:00 nametype=CREATE")
	deep := strings.ReplaceAll(open, `name="c"`, `name="d/c"`)
	chmod := lines(syscall(91, "yes", 0, "4", "1ed"), "PATH item=0 name=(null) inode=9 dev=fe:00 mode=0100644 ouid=0 ogid=0 rdev=00:00 nametype=NORMAL")
	tests := []struct{ name, text, asked, answer, want, status string }{
		{"bare name", open, `20 5 "fe:00" 8`, "/srv/dir", "/srv/dir/c", ""},
		{"name with a folder, by the inode of that", deep, `20 -1 "fe:00" 8`, "/srv/dir/d", "/srv/dir/d/c", ""},
		{"by a link of /proc", strings.ReplaceAll(open, `name="c"`, `name="/proc/self/fd/6/c"`), `20 6 "fe:00" 8`, "/srv/dir", "/srv/dir/c", ""},
		{"by a link of /proc that nobody knows", strings.ReplaceAll(open, `name="c"`, `name="/dev/fd/6/c"`), `20 6 "fe:00" 8`, "", "/dev/fd/6/c", "partial"},
		{"by the root of /proc", strings.ReplaceAll(open, `name="c"`, `name="/proc/20/root/etc/c"`), "", "", "/etc/c", ""},
		{"by the working directory of /proc", strings.ReplaceAll(open, `name="c"`, `name="/proc/thread-self/cwd/c"`), "", "", "/home/u/c", ""},
		{"by /proc of another process", strings.ReplaceAll(open, `name="c"`, `name="/proc/21/fd/6/c"`), "", "", "/proc/21/fd/6/c", ""},
		{"open file", chmod, `20 4 "fe:00" 9`, "/srv/f", "/srv/f", ""},
		{"no answer", open, `20 5 "fe:00" 8`, "", "c", "partial"},
		{"an answer that is no path", open, `20 5 "fe:00" 8`, "socket:[1]", "c", "partial"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			asked := ""
			v := decodeText(t, tt.text, audit.DecodeOptions{ResolveDir: func(pid, fd int32, dev string, inode uint64) (string, bool) {
				asked = fmt.Sprintf("%d %d %q %d", pid, fd, dev, inode)
				return tt.answer, tt.answer != ""
			}})
			if asked != tt.asked {
				t.Errorf("ResolveDir was asked %s, want %s", asked, tt.asked)
			}
			if v.fields["file.path"] != tt.want || v.fields["file.path_status"] != tt.status {
				t.Errorf("path %q, status %q; want %q, %q", v.fields["file.path"], v.fields["file.path_status"], tt.want, tt.status)
			}
		})
	}
}
