// SPDX-License-Identifier: Apache-2.0

// This file says what a system call is to the decoder: its name by number and
// architecture, and what kind of event it makes. The numbers are in syscalls_*.go.

package audit

import "strconv"

// action is what the decoder makes of a successful call.
type action uint8

const (
	actNone       action = iota // a syscall event
	actExec                     // a new image
	actOpen                     // open, write or create, as flags and items say
	actCreate                   // a file, directory or node is made
	actDelete                   // a name goes
	actRename                   //
	actLink                     // a hard link
	actSymlink                  //
	actMode                     // the permission bits change
	actAttribute                // owner or extended attribute change
	actTruncate                 //
	actSocket                   // tells the protocol of a descriptor
	actSocketcall               // 32-bit: one call for all of the next four and socket
	actBind                     //
	actListen                   //
	actConnect                  //
	actAccept                   //
	actLoad                     // a kernel module is loaded
	actUnload                   //
	actPrivilege                // another identity or other capabilities
)

// none marks an argument that a call does not have.
const none = -1

// call is what is known of one system call. The numbers are those of its
// arguments, from 0.
type call struct {
	name  string
	act   action
	fd    int8 // descriptor that the call acts on
	dir   int8 // directory that the (first) path is relative to
	dir2  int8 // directory that the second path is relative to
	flags int8 // open flags
	mode  int8 // new permission bits
	// named says of a call that makes a syscall event what its name is relative to:
	// dir, or without one the working directory.
	named bool
}

// act returns a call of which only the name and the action are known.
func act(name string, a action) call {
	return call{name: name, act: a, fd: none, dir: none, dir2: none, flags: none, mode: none}
}

func (c call) withName() call        { c.named = true; return c }
func (c call) withFD(n int8) call    { c.fd = n; return c }
func (c call) withDir(n int8) call   { c.dir = n; return c }
func (c call) withDir2(n int8) call  { c.dir2 = n; return c }
func (c call) withFlags(n int8) call { c.flags = n; return c }
func (c call) withMode(n int8) call  { c.mode = n; return c }

// knownCalls are the calls that make more than a syscall event. Where a call is
// spelt differently on a 32-bit architecture (chown32) it means the same.
// The arguments are those of the manual pages, section 2.
var knownCalls = []call{
	act("execve", actExec), act("execveat", actExec).withDir(0),

	act("open", actOpen).withFlags(1), act("openat", actOpen).withDir(0).withFlags(2),
	act("openat2", actOpen).withDir(0), act("creat", actOpen),
	act("mkdir", actCreate), act("mkdirat", actCreate).withDir(0),
	act("mknod", actCreate), act("mknodat", actCreate).withDir(0),
	act("unlink", actDelete), act("rmdir", actDelete), act("unlinkat", actDelete).withDir(0),
	act("rename", actRename), act("renameat", actRename).withDir(0).withDir2(2),
	act("renameat2", actRename).withDir(0).withDir2(2),
	act("link", actLink), act("linkat", actLink).withDir(0).withDir2(2),
	act("symlink", actSymlink), act("symlinkat", actSymlink).withDir2(1),
	act("chmod", actMode).withMode(1), act("fchmod", actMode).withFD(0).withMode(1),
	act("fchmodat", actMode).withDir(0).withMode(2), act("fchmodat2", actMode).withDir(0).withMode(2),
	act("chown", actAttribute), act("lchown", actAttribute), act("fchown", actAttribute).withFD(0),
	act("chown32", actAttribute), act("lchown32", actAttribute), act("fchown32", actAttribute).withFD(0),
	act("fchownat", actAttribute).withDir(0),
	act("setxattr", actAttribute), act("lsetxattr", actAttribute), act("fsetxattr", actAttribute).withFD(0),
	act("removexattr", actAttribute), act("lremovexattr", actAttribute), act("fremovexattr", actAttribute).withFD(0),
	act("setxattrat", actAttribute).withDir(0), act("removexattrat", actAttribute).withDir(0),
	act("file_setattr", actAttribute).withDir(0),
	act("truncate", actTruncate), act("truncate64", actTruncate),
	act("ftruncate", actTruncate).withFD(0), act("ftruncate64", actTruncate).withFD(0),

	act("socket", actSocket), act("socketcall", actSocketcall),
	act("bind", actBind).withFD(0), act("listen", actListen).withFD(0), act("connect", actConnect).withFD(0),
	act("accept", actAccept).withFD(0), act("accept4", actAccept).withFD(0),

	act("init_module", actLoad), act("finit_module", actLoad), act("delete_module", actUnload),

	act("setuid", actPrivilege), act("setgid", actPrivilege), act("setreuid", actPrivilege),
	act("setregid", actPrivilege), act("setresuid", actPrivilege), act("setresgid", actPrivilege),
	act("setfsuid", actPrivilege), act("setfsgid", actPrivilege), act("setgroups", actPrivilege),
	act("setuid32", actPrivilege), act("setgid32", actPrivilege), act("setreuid32", actPrivilege),
	act("setregid32", actPrivilege), act("setresuid32", actPrivilege), act("setresgid32", actPrivilege),
	act("setfsuid32", actPrivilege), act("setfsgid32", actPrivilege), act("setgroups32", actPrivilege),
	act("capset", actPrivilege),

	act("mount", actNone).withName(), act("umount", actNone).withName(), act("umount2", actNone).withName(),
	act("chroot", actNone).withName(), act("chdir", actNone).withName(), act("pivot_root", actNone).withName(),
	act("swapon", actNone).withName(), act("swapoff", actNone).withName(), act("acct", actNone).withName(),
	act("access", actNone).withName(), act("stat", actNone).withName(), act("lstat", actNone).withName(),
	act("readlink", actNone).withName(), act("utime", actNone).withName(), act("utimes", actNone).withName(),
	act("open_tree", actNone).withDir(0).withName(), act("mount_setattr", actNone).withDir(0).withName(),
	act("utimensat", actNone).withDir(0).withName(), act("futimesat", actNone).withDir(0).withName(),
	act("faccessat", actNone).withDir(0).withName(), act("faccessat2", actNone).withDir(0).withName(),
	act("name_to_handle_at", actNone).withDir(0).withName(),
}

// socketcalls are the calls that socketcall(2) carries, by its first argument
// (include/uapi/linux/net.h).
var socketcalls = map[uint64]string{
	1: "socket", 2: "bind", 3: "connect", 4: "listen", 5: "accept", 18: "accept4",
}

// The values of arch= (include/uapi/linux/audit.h: the ELF machine, with 0x80000000
// for 64 bits and 0x40000000 for little-endian).
const (
	archX86_64    = 0xc000003e
	archI386      = 0x40000003
	archAarch64   = 0xc00000b7
	archEABI      = 0x40000028
	archRISCV64   = 0xc00000f3
	archLoong64   = 0xc0000102
	x32SyscallBit = 0x40000000
)

// callTables are the calls by architecture and number, and by name.
type callTables struct {
	x86_64, i386, generic, eabi []call
	byName                      map[string]call
}

var theCalls = newCallTables()

func newCallTables() *callTables {
	t := &callTables{byName: make(map[string]call, len(knownCalls))}
	for _, c := range knownCalls {
		t.byName[c.name] = c
	}
	fill := func(names []string) []call {
		calls := make([]call, len(names))
		for n, name := range names {
			if name != "" {
				calls[n] = t.named(name)
			}
		}
		return calls
	}
	t.x86_64, t.i386 = fill(callsX86_64[:]), fill(callsI386[:])
	t.generic, t.eabi = fill(callsGeneric[:]), fill(callsEABI[:])
	return t
}

func (t *callTables) named(name string) call {
	if c, ok := t.byName[name]; ok {
		return c
	}
	return act(name, actNone)
}

// find returns the call of number nr on arch. Its name is empty if the
// architecture or the number is not known.
func (t *callTables) find(arch uint32, nr uint64) call {
	var calls []call
	switch arch {
	case archX86_64:
		calls = t.x86_64
		nr &^= x32SyscallBit
	case archI386:
		calls = t.i386
	case archAarch64, archRISCV64, archLoong64:
		calls = t.generic
	case archEABI:
		calls = t.eabi
	}
	if nr < uint64(len(calls)) && calls[nr].name != "" {
		return calls[nr]
	}
	return act("", actNone)
}

// SyscallName returns the name of system call nr on the architecture that audit
// records call arch, or its number in decimal where the name is not known. The
// names of x86_64 (also x32), i386, aarch64, riscv64, loongarch64 and 32-bit ARM
// are known.
func SyscallName(arch uint32, nr uint64) string {
	if c := theCalls.find(arch, nr); c.name != "" {
		return c.name
	}
	return strconv.FormatUint(nr, 10)
}
