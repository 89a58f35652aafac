// SPDX-License-Identifier: Apache-2.0

// This file holds what the processes of livedecode_linux_test.go do.

package audit_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	sys "syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

func init() {
	for name, action := range map[string]func([]string) error{
		"dirfd": childDirfd, "tree": childTree, "mounts": childMounts, "chroot": childChroot,
		"sockets": childSockets, "processes": childProcesses, "nameless": childNameless,
	} {
		childActions[name] = action
	}
}

// steps runs what a child does one after the other and stops at the first error.
type steps struct{ err error }

func (s *steps) do(what string, f func() error) {
	if s.err == nil {
		if err := f(); err != nil {
			s.err = fmt.Errorf("%s: %w", what, err)
		}
	}
}

func (s *steps) open(dir int, name string, flags int) (fd int) {
	s.do("open "+name, func() (err error) {
		fd, err = unix.Openat(dir, name, flags, 0o600)
		return err
	})
	return fd
}

// done says that all is done, and keeps everything open until the test has seen it.
func (s *steps) done(facts ...any) error {
	if s.err == nil {
		fmt.Println(append([]any{"done"}, facts...)...)
		os.Stdin.Read([]byte{0})
	}
	return s.err
}

const (
	making = unix.O_CREAT | unix.O_WRONLY
	folder = unix.O_RDONLY | unix.O_DIRECTORY
)

// childDirfd names files by descriptors below args[0].
func childDirfd(args []string) error {
	var s steps
	at := func(name string) string { return filepath.Join(args[0], name) }
	for _, name := range []string{"d1", "d2", "gone"} {
		s.do("mkdir", func() error { return unix.Mkdir(at(name), 0o755) })
	}
	root, d1, d2, gone := s.open(unix.AT_FDCWD, args[0], folder), s.open(unix.AT_FDCWD, at("d1"), folder),
		s.open(unix.AT_FDCWD, at("d2"), folder), s.open(unix.AT_FDCWD, at("gone"), folder)
	s.open(d1, "x", making)
	s.do("renameat", func() error { return unix.Renameat(d1, "x", d2, "y") })
	s.do("fchdir", func() error { return unix.Fchdir(d1) })
	s.open(unix.AT_FDCWD, "../d2/z", making)
	s.open(root, "d1/nested", making)
	s.open(root, "d2/../d1/up", making)
	s.do("exchange", func() error { return unix.Renameat2(d2, "y", d1, "nested", unix.RENAME_EXCHANGE) })
	tmp := s.open(unix.AT_FDCWD, at("d1"), unix.O_TMPFILE|unix.O_WRONLY)
	s.do("linkat", func() error {
		return unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", tmp), unix.AT_FDCWD, at("linked"), unix.AT_SYMLINK_FOLLOW)
	})
	s.open(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d/magic", d2), making)
	s.do("symlink", func() error { return unix.Symlink("d2", at("trap")) })
	s.open(unix.AT_FDCWD, at("trap/through"), making)
	s.open(d2, "direct", making)
	s.do("passed", func() error { return openPassed(d2, "passed") })
	s.do("fchmodat", func() error { return unix.Fchmodat(d2, "passed", 0o640, 0) })
	s.do("rmdir", func() error { return unix.Rmdir(at("gone")) })
	if _, err := unix.Openat(gone, "never", making, 0o600); !errors.Is(err, unix.ENOENT) {
		s.err = errors.Join(s.err, fmt.Errorf("a file in a removed directory: %v", err))
	}
	s.do("unlinkat", func() error { return unix.Unlinkat(d2, "direct", 0) })
	return s.done()
}

// openPassed makes a file below a descriptor that came over a socket.
func openPassed(dir int, name string) error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	if err := unix.Sendmsg(pair[0], []byte{0}, unix.UnixRights(dir), nil, 0); err != nil {
		return err
	}
	oob := make([]byte, 64)
	_, n, _, _, err := unix.Recvmsg(pair[1], make([]byte, 1), oob, 0)
	if err != nil {
		return err
	}
	messages, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil {
		return err
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return err
	}
	_, err = unix.Openat(fds[0], name, making, 0o600)
	return err
}

// childTree makes a tree below args[0].
func childTree(args []string) error {
	sub := filepath.Join(args[0], "tree", "sub")
	if err := os.MkdirAll(sub, 0o755); err != nil {
		return err
	}
	err := errors.Join(os.WriteFile(filepath.Join(sub, "f1"), nil, 0o600), os.WriteFile(filepath.Join(args[0], "tree", "f2"), nil, 0o600))
	s := steps{err}
	return s.done()
}

// childMounts binds a folder of args[0] in a mount namespace of its own.
func childMounts(args []string) error {
	runtime.LockOSThread()
	var s steps
	at := func(name string) string { return filepath.Join(args[0], name) }
	s.do("mkdir", func() error { return errors.Join(unix.Mkdir(at("from"), 0o755), unix.Mkdir(at("bound"), 0o755)) })
	s.do("unshare", func() error { return unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_NEWUTS) })
	s.do("private", func() error { return unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") })
	s.do("chdir", func() error { return unix.Chdir(args[0]) })
	s.do("bind", func() error { return unix.Mount(at("from"), "bound", "", unix.MS_BIND, "") })
	s.open(unix.AT_FDCWD, at("bound/in"), making)
	s.do("setns", func() error {
		if err := unix.Setns(-1, 0); !errors.Is(err, unix.EBADF) {
			return fmt.Errorf("setns(-1): %v", err)
		}
		return nil
	})
	return s.done()
}

// childChroot makes a file in a root of its own.
func childChroot(args []string) error {
	var s steps
	s.do("chroot", func() error { return unix.Chroot(args[0]) })
	s.do("chdir", func() error { return unix.Chdir("/") })
	s.open(unix.AT_FDCWD, "/jailed", making)
	return s.done()
}

// childSockets connects to itself in several ways and prints the ports.
func childSockets([]string) error {
	var s steps
	local := &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
	port := func(fd int) int {
		a, err := unix.Getsockname(fd)
		s.do("getsockname", func() error { return err })
		if in, ok := a.(*unix.SockaddrInet4); ok {
			return in.Port
		}
		return 0
	}
	socket := func(typ int) (fd int) {
		s.do("socket", func() (err error) { fd, err = unix.Socket(unix.AF_INET, typ, 0); return err })
		return fd
	}
	l, c1, c2, u, v, refused := socket(unix.SOCK_STREAM), socket(unix.SOCK_STREAM), socket(unix.SOCK_STREAM), socket(unix.SOCK_DGRAM),
		socket(unix.SOCK_DGRAM), socket(unix.SOCK_STREAM)
	s.do("listen", func() error { return errors.Join(unix.Bind(l, local), unix.Listen(l, 5)) })
	to := &unix.SockaddrInet4{Addr: local.Addr, Port: port(l)}
	s.do("connect", func() error { return unix.Connect(c1, to) })
	s.do("accept", func() error { _, _, err := unix.Accept4(l, 0); return err })
	s.do("connect", func() error { return unix.Connect(c2, to) })
	s.do("accept without an address", func() error {
		if _, _, errno := unix.Syscall6(unix.SYS_ACCEPT4, uintptr(l), 0, 0, 0, 0, 0); errno != 0 {
			return errno
		}
		return nil
	})
	s.do("udp", func() error {
		err := unix.Bind(u, local)
		return errors.Join(err, unix.Connect(v, &unix.SockaddrInet4{Addr: local.Addr, Port: port(u)}))
	})
	if err := unix.Connect(refused, &unix.SockaddrInet4{Addr: local.Addr, Port: 1}); !errors.Is(err, unix.ECONNREFUSED) {
		return fmt.Errorf("connect to a closed port: %v", err)
	}
	return s.done(port(l), port(c1), port(c2), port(u), port(v))
}

// childProcesses does to other processes, and to itself, what is watched; args[0]
// is a folder for a script.
func childProcesses(args []string) error {
	runtime.LockOSThread()
	var s steps
	victim := exec.Command("/bin/sleep", "100")
	s.do("victim", victim.Start)
	if s.err != nil {
		return s.err
	}
	pid := victim.Process.Pid
	s.do("ptrace", func() error { return unix.PtraceAttach(pid) })
	s.do("wait", func() error { var w unix.WaitStatus; _, err := unix.Wait4(pid, &w, unix.WALL, nil); return err })
	s.do("detach", func() error { return unix.PtraceDetach(pid) })
	s.do("process_vm_writev", func() error {
		_, err := unix.ProcessVMWritev(pid, []unix.Iovec{}, []unix.RemoteIovec{}, 0)
		return err
	})
	s.do("kill", func() error { victim.Process.Kill(); victim.Wait(); return nil })
	s.do("nameless", func() error {
		cmd := exec.Command("/proc/self/exe", "-test.run=^TestLiveChild$", "--")
		cmd.Env = []string{childEnv + "=nameless"}
		return cmd.Run()
	})
	script := filepath.Join(args[0], "run.sh")
	s.do("script", func() error { return os.WriteFile(script, []byte("#!/bin/sh\nexit 0\n"), 0o755) })
	s.do("run", func() error {
		cmd := exec.Command("./run.sh", "first", "two words")
		cmd.Dir = args[0]
		return cmd.Run()
	})
	s.do("fail", func() error {
		err := sys.Exec(filepath.Join(args[0], "missing"), []string{"missing"}, nil)
		if !errors.Is(err, unix.ENOENT) {
			return err
		}
		return nil
	})
	s.do("long", func() error {
		return exec.Command("/bin/true", strings.Repeat("p ", 60<<10), "payload").Run()
	})
	s.do("many", func() error {
		many := make([]string, 100_000)
		for i := range many {
			many[i] = "a"
		}
		return exec.Command("/bin/true", append(many, "the last")...).Run()
	})
	return s.done(pid)
}

// childNameless runs, in its place, a program that has no name.
func childNameless([]string) error {
	fd, err := unix.MemfdCreate("payload", 0)
	if err != nil {
		return err
	}
	program, err := os.ReadFile("/bin/true")
	if err == nil {
		_, err = unix.Write(fd, program)
	}
	if err != nil {
		return err
	}
	empty, name := []byte{0}, []byte("nameless\x00")
	argv, env := []*byte{&name[0], nil}, []*byte{nil}
	_, _, errno := unix.Syscall6(unix.SYS_EXECVEAT, uintptr(fd), uintptr(unsafe.Pointer(&empty[0])), uintptr(unsafe.Pointer(&argv[0])),
		uintptr(unsafe.Pointer(&env[0])), unix.AT_EMPTY_PATH, 0)
	return errno
}
