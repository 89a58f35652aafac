// SPDX-License-Identifier: Apache-2.0

// This file holds what the settings ask for, whatever signals are loaded: which system
// calls, with which arguments, and what is never asked for.

package audit

import "strconv"

// Why a rule is there, in the words of the settings.
const (
	whyProcesses = "processes (always)"
	whyNetwork   = "monitorNetwork"
	whySyscalls  = "monitorSyscalls"
	whyFiles     = "monitorFiles: fileRoots"
	whyOwn       = "the recorder's own files"
)

// baseCall is a call that a setting asks for. With filters only some of its calls are
// of interest, and one rule can say which.
type baseCall struct {
	name    string
	filters []RuleFilter
}

// processCalls make the events of processes: that a program was started. Forks and
// ends come from the proc connector.
var processCalls = []string{"execve", "execveat"}

// networkCalls make the events of sockets. Of socket(2) only the internet families are
// asked for: their protocol is told by nothing else, while every other family names
// itself in its address.
var networkCalls = []baseCall{
	{name: "connect"}, {name: "accept"}, {name: "accept4"}, {name: "bind"}, {name: "listen"},
	{"socket", []RuleFilter{{"a0", "=", "2"}}},  // AF_INET
	{"socket", []RuleFilter{{"a0", "=", "10"}}}, // AF_INET6
}

// networkCarried are the same calls where socketcall(2) carries them: socket, bind,
// connect, listen and accept are 1 to 5, accept4 is 18; what lies between sends and
// receives.
var networkCarried = [][]RuleFilter{{{"a0", "<=", "5"}}, {{"a0", "=", "18"}}}

// securityCalls are those that attackers use, that ordinary programs seldom make, and
// that have no kind of event of their own, or tell of a kernel module. setuid(2) and its
// like are not among them: every login and every daemon makes them. Nor is clone3(2),
// which makes every thread: its flags lie in memory, where no rule sees them.
var securityCalls = []baseCall{
	{name: "mount"}, {name: "umount"}, {name: "umount2"}, {name: "move_mount"}, {name: "fsopen"}, {name: "fsmount"},
	{name: "fspick"}, {name: "open_tree"}, {name: "open_tree_attr"}, {name: "mount_setattr"}, {name: "pivot_root"}, {name: "chroot"},
	{name: "init_module"}, {name: "finit_module"}, {name: "delete_module"},
	{name: "kexec_load"}, {name: "kexec_file_load"},
	{name: "memfd_create"}, {name: "process_vm_writev"},
	{name: "unshare"}, {name: "setns"},
	{name: "perf_event_open"}, {name: "userfaultfd"}, {name: "io_uring_setup"},
	{"bpf", unequal(quietBPF)},
	{"ptrace", unequal(quietPtrace)},
	{"clone", []RuleFilter{{"a0", "&", strconv.Itoa(newNamespaces)}}},
}

// newNamespaces are the flags of clone(2) that make a namespace: CLONE_NEWNS, NEWCGROUP,
// NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET (include/uapi/linux/sched.h).
const newNamespaces = 0x7e020000

// quietBPF are the commands of bpf(2) that programs give all the time once a map is
// there (include/uapi/linux/bpf.h, enum bpf_cmd): those that look up, change and delete
// elements of maps, one or many, and go to the next one.
var quietBPF = []uint32{1, 2, 3, 4, 21, 24, 25, 26, 27}

// quietPtrace are the requests of ptrace(2) that only look at a process, or let it go on
// (include/uapi/linux/ptrace.h): a tracer makes thousands of them for one attach, seize
// or poke. They are PEEKTEXT, PEEKDATA, PEEKUSER, CONT, SINGLESTEP, GETREGS, GETFPREGS,
// SYSCALL, GETEVENTMSG, GETSIGINFO, GETREGSET, LISTEN, PEEKSIGINFO, GETSIGMASK and
// GET_SYSCALL_INFO.
var quietPtrace = []uint32{1, 2, 3, 7, 9, 12, 14, 24, 0x4201, 0x4202, 0x4204, 0x4208, 0x4209, 0x420a, 0x420e}

// unequal asks for every value of the first argument but those.
func unequal(values []uint32) []RuleFilter {
	var filters []RuleFilter
	for _, v := range values {
		filters = append(filters, RuleFilter{"a0", "!=", strconv.FormatUint(uint64(v), 10)})
	}
	return filters
}

// uringBase are the operations of io_uring that do what a call of ours does: they open,
// rename, remove and link files, and take and make connections. What else the kernel
// audits (io_uring/opdef.c) is asked for where a signal names it. They are on a list of
// their own, that no ordinary call ever looks at.
var uringBase = []string{"accept", "connect", "openat", "openat2", "renameat", "unlinkat", "mkdirat", "symlinkat",
	"linkat", "fsetxattr", "setxattr", "ftruncate", "bind", "listen"}

// uringPrefix is what stands before the operation in the name of an event.
const uringPrefix = "io_uring_"

// callsOfRecords are the calls that a type of record comes with, where it comes with
// calls that are not asked for anyhow (kernel/auditsc.c, show_special).
var callsOfRecords = map[string][]string{
	"CAPSET":          {"capset"},
	"MQ_OPEN":         {"mq_open"},
	"MQ_SENDRECV":     {"mq_timedsend", "mq_timedreceive"},
	"MQ_NOTIFY":       {"mq_notify"},
	"MQ_GETSETATTR":   {"mq_getsetattr"},
	"IPC":             {"shmctl", "semctl", "msgctl", "shmget", "semget", "msgget"},
	"IPC_SET_PERM":    {"shmctl", "semctl", "msgctl"},
	"FD_PAIR":         {"socketpair"},
	"KERN_MODULE":     {"init_module", "finit_module", "delete_module"},
	"OBJ_PID":         {"kill", "tkill", "tgkill", "ptrace"},
	"SOCKADDR":        {"connect", "bind", "accept", "accept4"},
	"TIME_INJOFFSET":  {"adjtimex", "clock_adjtime", "clock_settime", "settimeofday"},
	"TIME_ADJNTPVAL":  {"adjtimex", "clock_adjtime"},
	"NETFILTER_PKT":   nil,
	"MMAP":            {"mmap"},
	"URINGOP":         nil,
	"TTY":             nil,
	"DAEMON_START":    nil,
	"DAEMON_END":      nil,
	"DAEMON_ABORT":    nil,
	"DAEMON_CONFIG":   nil,
	"DAEMON_RECONFIG": nil,
	"DAEMON_ROTATE":   nil,
	"DAEMON_RESUME":   nil,
	"DAEMON_ACCEPT":   nil,
	"DAEMON_CLOSE":    nil,
	"DAEMON_ERR":      nil,
}

// busyCalls are made by every program, most of them all the time. A rule that asks for
// one of them records more of this than of all else together, and slows the host down.
var busyCalls = set("read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "preadv2", "pwritev2",
	"open", "openat", "close", "close_range", "stat", "fstat", "lstat", "newfstatat", "statx", "stat64", "fstat64",
	"lstat64", "fstatat64", "lseek", "_llseek", "access", "faccessat", "faccessat2", "readlink", "readlinkat", "getcwd",
	"getdents", "getdents64", "fcntl", "fcntl64", "ioctl", "dup", "dup2", "dup3", "pipe", "pipe2", "fsync", "fdatasync",
	"mmap", "mmap2", "munmap", "mprotect", "mremap", "madvise", "brk",
	"poll", "ppoll", "select", "_newselect", "pselect6", "epoll_wait", "epoll_pwait", "epoll_pwait2", "epoll_ctl",
	"send", "recv", "sendto", "recvfrom", "sendmsg", "recvmsg", "sendmmsg", "recvmmsg", "getsockopt", "setsockopt",
	"getsockname", "getpeername", "sendfile", "sendfile64", "splice",
	"futex", "futex_waitv", "futex_wake", "futex_wait", "sched_yield", "nanosleep", "clock_nanosleep", "clock_gettime",
	"gettimeofday", "time", "times", "getrusage", "getrandom", "restart_syscall",
	"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigreturn", "sigaction", "sigprocmask", "rt_sigtimedwait",
	"rt_sigsuspend", "sigaltstack", "set_robust_list", "set_tid_address", "rseq", "arch_prctl", "prlimit64",
	"getrlimit", "ugetrlimit", "getpid", "getppid", "gettid", "getuid", "geteuid", "getgid", "getegid", "getuid32",
	"geteuid32", "getgid32", "getegid32", "getpgrp", "getpgid", "wait4", "waitpid", "waitid", "io_uring_enter",
	"io_getevents", "io_submit", "timerfd_settime", "eventfd2", "clone3", "exit")

// busyOps are operations of io_uring that act on what is open already, or wait. The
// kernel audits next to none of them (audit_skip in io_uring/opdef.c).
var busyOps = set("nop", "readv", "writev", "fsync", "read_fixed", "write_fixed", "poll_add", "poll_remove", "timeout",
	"timeout_remove", "async_cancel", "link_timeout", "read", "write", "madvise", "fadvise", "epoll_ctl", "splice", "tee",
	"provide_buffers", "remove_buffers", "files_update", "send", "recv", "close", "statx",
	"fgetxattr", "getxattr", "send_zc", "sendmsg_zc", "read_multishot", "waitid", "futex_wait", "futex_wake",
	"futex_waitv", "fixed_fd_install", "recv_zc", "epoll_wait", "readv_fixed", "writev_fixed", "msg_ring")

func set(names ...string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, n := range names {
		m[n] = true
	}
	return m
}
