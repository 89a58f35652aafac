// SPDX-License-Identifier: Apache-2.0

package process_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"seismo/internal/event"
	"seismo/internal/process"
)

// shell is how most scenes begin: a shell of which nothing but its exec is known.
func shell(s *scene) { s.exec(0, 100, 1, "/bin/bash", "bash") }

var applyTests = []struct {
	name    string
	batches []func(*scene)
	want    []string
}{
	{"an exec is published and its later events refer to it", []func(*scene){
		shell,
		func(s *scene) { s.file(10, 100, 1, "/bin/bash") },
	}, []string{"create 100: 100 /bin/bash", "write 100: 100 /bin/bash"}},

	{"a fork without exec has its parent's image once an event names it", []func(*scene){
		shell,
		func(s *scene) { s.fork(10, 101, 100); s.file(20, 101, 100, "/bin/bash") },
	}, []string{"create 100: 100 /bin/bash", "write 101: 101 /bin/bash forked < 100 /bin/bash"}},

	{"a fork that nothing refers to leaves no end", []func(*scene){
		shell,
		func(s *scene) { s.fork(10, 101, 100); s.exit(20, 101, 0) },
	}, []string{"create 100: 100 /bin/bash"}},

	{"an exec chain keeps every image and the parent", []func(*scene){
		shell,
		func(s *scene) {
			s.fork(10, 101, 100)
			s.exec(20, 101, 100, "/usr/bin/env", "env", "ls")
			s.exec(30, 101, 100, "/bin/ls", "ls")
			s.exit(40, 101, 2)
		},
	}, []string{
		"create 100: 100 /bin/bash",
		"create 101: 101 /usr/bin/env < 101 /bin/bash forked < 100 /bin/bash",
		"create 101: 101 /bin/ls < 101 /usr/bin/env < 101 /bin/bash forked < 100 /bin/bash",
		"end 101 at 40 code 2: 101 /bin/ls < 101 /usr/bin/env < 101 /bin/bash forked < 100 /bin/bash",
	}},

	{"a child of a fork has the forked image as parent, and that one's end is told", []func(*scene){
		shell,
		func(s *scene) { s.fork(10, 101, 100); s.fork(20, 102, 101); s.exec(30, 102, 101, "/bin/ls", "ls") },
		func(s *scene) { s.exit(40, 102, 0); s.exit(50, 101, 1) },
	}, []string{
		"create 100: 100 /bin/bash",
		"create 102: 102 /bin/ls < 102 /bin/bash forked < 101 /bin/bash forked < 100 /bin/bash",
		"end 102 at 40 code 0: 102 /bin/ls < 102 /bin/bash forked < 101 /bin/bash forked < 100 /bin/bash",
		"end 101 at 50 code 1: 101 /bin/bash forked < 100 /bin/bash",
	}},

	{"a missed exec shows by the program of a later event", []func(*scene){
		shell,
		func(s *scene) { s.file(10, 100, 1, "/usr/bin/python3"); s.file(20, 100, 1, "/usr/bin/python3") },
	}, []string{
		"create 100: 100 /bin/bash",
		"write 100: 100 /usr/bin/python3 inferred < 100 /bin/bash",
		"write 100: 100 /usr/bin/python3 inferred < 100 /bin/bash",
	}},

	{"a program that was deleted meanwhile is no missed exec", []func(*scene){
		shell,
		func(s *scene) { s.file(10, 100, 1, "/bin/bash (deleted)"); s.file(20, 100, 1, "") },
	}, []string{"create 100: 100 /bin/bash", "write 100: 100 /bin/bash", "write 100: 100 /bin/bash"}},

	{"what user space writes of its program is no missed exec", []func(*scene){
		shell,
		func(s *scene) {
			s.add(event.KindSecurity, event.OpLogon, 10, 100, 0, "/usr/sbin/sshd").Flags |= event.Untrusted
		},
	}, []string{"create 100: 100 /bin/bash", "logon 100: 100 /bin/bash"}},

	{"a pid is used again in one batch", []func(*scene){
		shell,
		func(s *scene) {
			s.fork(100, 101, 100)
			s.exit(200, 101, 3)
			s.fork(300, 101, 100)
			s.exec(110, 101, 100, "/bin/first", "first")
			s.file(190, 101, 100, "/bin/first")
			s.exec(310, 101, 100, "/bin/second", "second")
		},
	}, []string{
		"create 100: 100 /bin/bash",
		"create 101: 101 /bin/first < 101 /bin/bash forked < 100 /bin/bash",
		"write 101: 101 /bin/first < 101 /bin/bash forked < 100 /bin/bash",
		"create 101: 101 /bin/second < 101 /bin/bash forked < 100 /bin/bash",
		"end 101 at 200 code 3: 101 /bin/first < 101 /bin/bash forked < 100 /bin/bash",
	}},

	{"a pid is used again and the exit between was lost", []func(*scene){
		shell,
		func(s *scene) { s.fork(100, 101, 100); s.exec(110, 101, 100, "/bin/first", "first") },
		func(s *scene) { s.fork(300, 101, 100); s.exec(310, 101, 100, "/bin/second", "second") },
	}, []string{
		"create 100: 100 /bin/bash",
		"create 101: 101 /bin/first < 101 /bin/bash forked < 100 /bin/bash",
		"create 101: 101 /bin/second < 101 /bin/bash forked < 100 /bin/bash",
		"end 101 at 300: 101 /bin/first < 101 /bin/bash forked < 100 /bin/bash",
	}},

	{"an event that comes after the end goes to the one that ran", []func(*scene){
		shell,
		func(s *scene) {
			s.fork(100, 101, 100)
			s.exec(110, 101, 100, "/bin/first", "first")
			s.exit(200, 101, 0)
		},
		func(s *scene) { s.fork(300, 101, 100); s.exec(310, 101, 100, "/bin/second", "second") },
		func(s *scene) { s.file(150, 101, 100, "/bin/first"); s.file(320, 101, 100, "/bin/second") },
	}, []string{
		"create 100: 100 /bin/bash",
		"create 101: 101 /bin/first < 101 /bin/bash forked < 100 /bin/bash",
		"end 101 at 200 code 0: 101 /bin/first < 101 /bin/bash forked < 100 /bin/bash",
		"create 101: 101 /bin/second < 101 /bin/bash forked < 100 /bin/bash",
		"write 101: 101 /bin/first < 101 /bin/bash forked < 100 /bin/bash",
		"write 101: 101 /bin/second < 101 /bin/bash forked < 100 /bin/bash",
	}},

	{"an exec that comes after fork and exit is published and ended", []func(*scene){
		shell,
		func(s *scene) { s.fork(100, 101, 100); s.exit(200, 101, 7) },
		func(s *scene) { s.exec(110, 101, 100, "/bin/true", "true") },
	}, []string{
		"create 100: 100 /bin/bash",
		"create 101: 101 /bin/true < 101 /bin/bash forked < 100 /bin/bash",
		"end 101 at 200 code 7: 101 /bin/true < 101 /bin/bash forked < 100 /bin/bash",
	}},

	{"an exit before the fork's message ends the process all the same", []func(*scene){
		shell,
		func(s *scene) { s.exit(200, 101, 4) },
		func(s *scene) { s.fork(100, 101, 100) },
		func(s *scene) {
			s.exec(110, 101, 100, "/bin/true", "true")
			s.exec(400, 101, 100, "/bin/other", "other")
		},
	}, []string{
		"create 100: 100 /bin/bash",
		"create 101: 101 /bin/true < 101 /bin/bash forked < 100 /bin/bash",
		"create 101: 101 /bin/other < 100 /bin/bash",
		"end 101 at 200 code 4: 101 /bin/true < 101 /bin/bash forked < 100 /bin/bash",
	}},

	{"an exit before the fork's message, of a pid that was used before", []func(*scene){
		shell,
		func(s *scene) { s.fork(10, 101, 100); s.exec(20, 101, 100, "/bin/first", "first"); s.exit(30, 101, 0) },
		func(s *scene) { s.exit(900, 101, 4) },
		func(s *scene) { s.fork(800, 101, 100); s.exec(810, 101, 100, "/bin/second", "second") },
	}, []string{
		"create 100: 100 /bin/bash",
		"create 101: 101 /bin/first < 101 /bin/bash forked < 100 /bin/bash",
		"end 101 at 30 code 0: 101 /bin/first < 101 /bin/bash forked < 100 /bin/bash",
		"create 101: 101 /bin/second < 101 /bin/bash forked < 100 /bin/bash",
		"end 101 at 900 code 4: 101 /bin/second < 101 /bin/bash forked < 100 /bin/bash",
	}},

	{"marks tell a fork before an exec of the same tick from one after it", []func(*scene){
		shell,
		func(s *scene) {
			s.fork(100, 101, 100)
			s.mark(101, 101)
			s.fork(102, 102, 101)
			s.mark(103, 101)
			s.fork(104, 103, 101)
			s.exec(100, 101, 100, "/bin/sh", "sh")
			s.exec(100, 101, 100, "/bin/make", "make")
			s.exec(104, 102, 101, "/bin/ls", "ls")
			s.exec(104, 103, 101, "/bin/cc", "cc")
		},
	}, []string{
		"create 100: 100 /bin/bash",
		"create 101: 101 /bin/sh < 101 /bin/bash forked < 100 /bin/bash",
		"create 101: 101 /bin/make < 101 /bin/sh < 101 /bin/bash forked < 100 /bin/bash",
		"create 102: 102 /bin/ls < 102 /bin/sh forked < 101 /bin/sh < 101 /bin/bash forked < 100 /bin/bash",
		"create 103: 103 /bin/cc < 103 /bin/make forked < 101 /bin/make < 101 /bin/sh < 101 /bin/bash forked < 100 /bin/bash",
	}},

	{"marks that contradict the stamps, since some were lost, count for nothing", []func(*scene){
		shell,
		func(s *scene) {
			s.fork(100, 101, 100)
			s.exec(110, 101, 100, "/bin/sh", "sh") // its mark was lost
			s.mark(500, 101)
			s.exec(500, 101, 100, "/bin/make", "make")
			s.fork(900, 102, 101)
			s.exec(910, 102, 101, "/bin/cc", "cc")
		},
	}, []string{
		"create 100: 100 /bin/bash",
		"create 101: 101 /bin/sh < 101 /bin/bash forked < 100 /bin/bash",
		"create 101: 101 /bin/make < 101 /bin/sh < 101 /bin/bash forked < 100 /bin/bash",
		"create 102: 102 /bin/cc < 102 /bin/make forked < 101 /bin/make < 101 /bin/sh < 101 /bin/bash forked < 100 /bin/bash",
	}},

	{"an event before the fork's message is linked once", []func(*scene){
		shell,
		func(s *scene) { s.exec(110, 101, 100, "/bin/true", "true") },
		func(s *scene) { s.fork(100, 101, 100); s.file(120, 101, 100, "/bin/true"); s.exit(200, 101, 0) },
	}, []string{
		"create 100: 100 /bin/bash",
		"create 101: 101 /bin/true < 100 /bin/bash",
		"write 101: 101 /bin/true < 100 /bin/bash",
		"end 101 at 200 code 0: 101 /bin/true < 100 /bin/bash",
	}},

	{"a stamp of the last tick before the fork means the forked process", []func(*scene){
		shell,
		func(s *scene) { s.fork(109, 101, 100); s.exec(104, 101, 100, "/bin/true", "true") },
	}, []string{
		"create 100: 100 /bin/bash",
		"create 101: 101 /bin/true < 101 /bin/bash forked < 100 /bin/bash",
	}},

	{"a stamp of the last tick before the fork of a pid that was used before", []func(*scene){
		shell,
		func(s *scene) {
			s.fork(100, 101, 100)
			s.exec(100, 101, 100, "/bin/first", "first")
			s.exit(150, 101, 0)
		},
		func(s *scene) { s.fork(209, 101, 100); s.exec(204, 101, 100, "/bin/second", "second") },
	}, []string{
		"create 100: 100 /bin/bash",
		"create 101: 101 /bin/first < 101 /bin/bash forked < 100 /bin/bash",
		"end 101 at 150 code 0: 101 /bin/first < 101 /bin/bash forked < 100 /bin/bash",
		"create 101: 101 /bin/second < 101 /bin/bash forked < 100 /bin/bash",
	}},

	{"a pid that is used again at once: the stamp decides as far as it can", []func(*scene){
		shell,
		func(s *scene) {
			s.fork(100, 101, 100)
			s.exit(200, 101, 0)
			s.fork(205, 101, 100)
			s.exec(100, 101, 100, "/bin/first", "first")
			s.file(195, 101, 100, "/bin/first")
			s.file(202, 101, 100, "/bin/bash")
		},
	}, []string{
		"create 100: 100 /bin/bash",
		"create 101: 101 /bin/first < 101 /bin/bash forked < 100 /bin/bash",
		"write 101: 101 /bin/first < 101 /bin/bash forked < 100 /bin/bash",
		"write 101: 101 /bin/bash forked < 100 /bin/bash",
		"end 101 at 200 code 0: 101 /bin/first < 101 /bin/bash forked < 100 /bin/bash",
	}},

	{"an exec that comes after the event that it was inferred from", []func(*scene){
		func(s *scene) {
			s.exec(10, 500, 1, "/bin/first", "first")
			late := s.serial + 1
			s.serial++
			s.file(20, 500, 1, "/bin/second")
			s.exec(20, 500, 1, "/bin/second", "second").Serial = late
			s.file(30, 500, 1, "/bin/second")
		},
	}, []string{
		"create 500: 500 /bin/first",
		"write 500: 500 /bin/second inferred < 500 /bin/first",
		"create 500: 500 /bin/second < 500 /bin/first",
		"write 500: 500 /bin/second < 500 /bin/first",
	}},

	{"an exec that comes after the one that followed it", []func(*scene){
		func(s *scene) {
			s.exec(10, 500, 1, "/bin/first", "first")
			late := s.serial + 1
			s.serial++
			s.exec(20, 500, 1, "/bin/third", "third")
			s.exec(20, 500, 1, "/bin/second", "second").Serial = late
			s.file(30, 500, 1, "/bin/third")
		},
	}, []string{
		"create 500: 500 /bin/first",
		"create 500: 500 /bin/third < 500 /bin/first",
		"create 500: 500 /bin/second < 500 /bin/first",
		"write 500: 500 /bin/third < 500 /bin/first",
	}},

	{"a parent that dies first stays the parent", []func(*scene){
		shell,
		func(s *scene) { s.fork(100, 101, 100); s.fork(110, 102, 101); s.exit(120, 101, 0) },
		func(s *scene) {
			s.exec(200, 102, 1, "/usr/bin/daemon", "daemon")
			s.file(210, 102, 1, "/usr/bin/daemon")
		},
	}, []string{
		"create 100: 100 /bin/bash",
		"create 102: 102 /usr/bin/daemon < 102 /bin/bash forked < 101 /bin/bash forked < 100 /bin/bash",
		"write 102: 102 /usr/bin/daemon < 102 /bin/bash forked < 101 /bin/bash forked < 100 /bin/bash",
		"end 101 at 120 code 0: 101 /bin/bash forked < 100 /bin/bash",
	}},

	{"an orphan of which nothing was seen is inferred from its event", []func(*scene){
		func(s *scene) { s.file(10, 500, 1, "/usr/sbin/cron") },
	}, []string{"write 500: 500 /usr/sbin/cron inferred"}},

	{"a parent that becomes known later is linked at the next exec", []func(*scene){
		func(s *scene) { s.file(10, 500, 400, "/bin/sh"); s.file(20, 400, 1, "/usr/sbin/sshd") },
		func(s *scene) { s.exec(30, 500, 400, "/bin/ls", "ls") },
	}, []string{
		"write 500: 500 /bin/sh inferred",
		"write 400: 400 /usr/sbin/sshd inferred",
		"create 500: 500 /bin/ls < 500 /bin/sh inferred < 400 /usr/sbin/sshd inferred",
	}},

	{"all images get the parent that becomes known later", []func(*scene){
		func(s *scene) { s.file(10, 500, 400, "/bin/sh"); s.exec(20, 500, 400, "/bin/env", "env") },
		func(s *scene) { s.exec(30, 400, 1, "/usr/sbin/sshd", "sshd"); s.exec(25, 500, 400, "/bin/ls", "ls") },
	}, []string{
		"write 500: 500 /bin/sh inferred",
		"create 500: 500 /bin/env < 500 /bin/sh inferred",
		"create 400: 400 /usr/sbin/sshd",
		"create 500: 500 /bin/ls < 500 /bin/env < 500 /bin/sh inferred < 400 /usr/sbin/sshd",
	}},

	{"without forks, an exec under another parent is another process", []func(*scene){
		func(s *scene) { s.exec(10, 500, 400, "/bin/first", "first") },
		func(s *scene) { s.exec(9000, 500, 300, "/bin/second", "second") },
	}, []string{
		"create 500: 500 /bin/first",
		"create 500: 500 /bin/second",
		"end 500 at 9000: 500 /bin/first",
	}},

	{"without forks, an exec under pid 1 is the same process, orphaned", []func(*scene){
		func(s *scene) {
			s.exec(10, 500, 400, "/bin/first", "first")
			s.exec(9000, 500, 1, "/bin/second", "second")
		},
	}, []string{"create 500: 500 /bin/first", "create 500: 500 /bin/second < 500 /bin/first"}},

	{"a late event of an image that was replaced goes to that image", []func(*scene){
		func(s *scene) {
			s.exec(10, 500, 1, "/bin/first", "first")
			late := s.serial + 1
			s.serial++
			s.exec(10, 500, 1, "/bin/second", "second")
			s.file(10, 500, 1, "/bin/first").Serial = late
			s.file(10, 500, 1, "/bin/second")
		},
	}, []string{
		"create 500: 500 /bin/first",
		"create 500: 500 /bin/second < 500 /bin/first",
		"write 500: 500 /bin/first",
		"write 500: 500 /bin/second < 500 /bin/first",
	}},

	{"a clock set back changes no process", []func(*scene){
		func(s *scene) { s.exec(7_200_000, 500, 1, "/bin/first", "first") },
		func(s *scene) { s.file(10, 500, 1, "/bin/first"); s.exec(20, 500, 1, "/bin/second", "second") },
	}, []string{
		"create 500: 500 /bin/first", "write 500: 500 /bin/first", "create 500: 500 /bin/second < 500 /bin/first",
	}},

	{"the other threads go on after the main thread has ended", []func(*scene){
		shell,
		func(s *scene) { s.exit(50, 100, 0) },
		func(s *scene) { s.file(500, 100, 1, "/bin/bash") },
		func(s *scene) { s.exit(600, 100, 9) },
	}, []string{
		"create 100: 100 /bin/bash", "end 100 at 50 code 0: 100 /bin/bash",
		"write 100: 100 /bin/bash", "end 100 at 600 code 9: 100 /bin/bash",
	}},

	{"an event without pid has no process", []func(*scene){
		func(s *scene) { s.file(10, 0, 0, "/bin/bash"); s.file(10, -5, 0, "/bin/bash") },
	}, []string{"write 0: none", "write -5: none"}},

	{"two that name each other as parent", []func(*scene){
		func(s *scene) {
			s.file(10, 10, 20, "/a")
			s.file(20, 20, 10, "/b")
			s.file(30, 10, 20, "/c")
			s.exec(40, 20, 10, "/d")
		},
		func(s *scene) { s.file(50, 30, 30, "/own-parent") },
	}, []string{
		"write 10: 10 /a inferred", "write 20: 20 /b inferred < 10 /a inferred",
		"write 10: 10 /c inferred < 10 /a inferred",
		"create 20: 20 /d < 20 /b inferred < 10 /a inferred", "write 30: 30 /own-parent inferred",
	}},

	{"the same pid on two computers", []func(*scene){
		func(s *scene) {
			s.exec(10, 500, 1, "/bin/first", "first").Host = "web1"
			s.exec(20, 500, 1, "/bin/second", "second").Host = "web2"
			s.file(30, 500, 1, "/bin/first").Host = "web1"
		},
	}, []string{"create 500: 500 /bin/first", "create 500: 500 /bin/second", "write 500: 500 /bin/first"}},

	{"an end that the source tells itself is not told again", []func(*scene){
		shell,
		func(s *scene) {
			s.add(event.KindProcess, event.OpEnd, 50, 100, 1, "/bin/bash").SetInt(event.ProcessExitCode, 3)
		},
		func(s *scene) { s.exit(51, 100, 3) },
	}, []string{"create 100: 100 /bin/bash", "end 100 at 50 code 3: 100 /bin/bash"}},
}

func TestApply(t *testing.T) {
	for _, tt := range applyTests {
		t.Run(tt.name, func(t *testing.T) {
			got := play(process.NewTable(process.Options{}), tt.batches...)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("events after Apply (-want +got):\n%s", diff)
			}
		})
	}
}
