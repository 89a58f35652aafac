// SPDX-License-Identifier: Apache-2.0

// This file reads /proc through an fs.FS. It is portable: tests give it files of
// their own. What the table makes of it is in bootstrap.go and sweep.go.

package process

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"

	"seismo/internal/event"
)

// Bounds of what is read of one file.
const (
	maxStat    = 4 << 10
	maxBoot    = 4 << 20 // /proc/stat has a long line of interrupts
	maxStatus  = 16 << 10
	maxCgroup  = 64 << 10
	maxCmdline = 64 << 10
	// Of a longer command line the head and the tail of what was read are kept.
	cmdlineHead = 24 << 10
	cmdlineTail = 8 << 10
)

// ticksPerSecond is the unit of times in /proc/PID/stat: USER_HZ, which is 100
// on every architecture that Linux and Go share.
const ticksPerSecond = 100

// procFS is a /proc.
type procFS struct {
	fs   fs.FS
	boot int64 // btime, Unix time in nanoseconds; 0: not read yet
}

func newProcFS(f fs.FS) *procFS { return &procFS{fs: f} }

// errGone says that the process ended, or became another, while it was read.
var errGone = errors.New("the process is gone")

// facts are what /proc shows of one process.
type facts struct {
	stat
	start        int64 // Unix time, nanoseconds; early by up to a second
	exe, cwd     string
	line         string
	args         []string
	cut          bool // the command line was cut
	uid, euid    int64
	gid          int64
	loginUID     int64
	session      int64
	tty          string
	container    string
	kernelThread bool
}

// stat is /proc/PID/stat as far as it is used.
type stat struct {
	pid, ppid int32
	comm      string
	state     byte
	ttyNumber uint32
	flags     uint64
	ticks     uint64 // start, in ticks since boot
}

// file returns at most limit bytes of the file called name.
func (p *procFS) file(name string, limit int64) ([]byte, error) {
	f, err := p.fs.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}

// bootTime returns when the system started: btime of /proc/stat.
func (p *procFS) bootTime() (int64, error) {
	if p.boot != 0 {
		return p.boot, nil
	}
	b, err := p.file("stat", maxBoot)
	if err != nil {
		return 0, fmt.Errorf("read the boot time: %w", err)
	}
	for line := range bytes.Lines(b) {
		if v, ok := bytes.CutPrefix(line, []byte("btime ")); ok {
			s, err := strconv.ParseInt(string(bytes.TrimSpace(v)), 10, 64)
			if err != nil || s <= 0 || s > 1<<33 {
				return 0, fmt.Errorf("read the boot time: stat: btime is %.20q", v)
			}
			p.boot = s * 1e9
			return p.boot, nil
		}
	}
	return 0, errors.New("read the boot time: stat has no line btime")
}

// now returns the time of reading: boot time plus /proc/uptime.
func (p *procFS) now() (int64, error) {
	boot, err := p.bootTime()
	if err != nil {
		return 0, err
	}
	b, err := p.file("uptime", maxStat)
	if err != nil {
		return 0, fmt.Errorf("read the time since boot: %w", err)
	}
	first, _, _ := strings.Cut(string(b), " ")
	s, err := strconv.ParseFloat(strings.TrimSpace(first), 64)
	if err != nil || !(s >= 0 && s < 1<<33) {
		return 0, fmt.Errorf("read the time since boot: uptime is %.20q", first)
	}
	return boot + int64(s*100)*1e7, nil
}

// stat reads /proc/PID/stat.
func (p *procFS) stat(pid int32) (stat, error) {
	b, err := p.file(strconv.Itoa(int(pid))+"/stat", maxStat)
	if err != nil {
		return stat{}, err
	}
	return parseStat(b)
}

// started returns when a process began that started at ticks after boot.
func (p *procFS) started(ticks uint64) (int64, error) {
	boot, err := p.bootTime()
	if err != nil {
		return 0, err
	}
	if ticks > 1<<40 {
		return 0, fmt.Errorf("start of a process: %d ticks after boot", ticks)
	}
	return boot + int64(ticks)*(1e9/ticksPerSecond), nil
}

// read reads what /proc shows of pid. A process that ends meanwhile, or whose
// pid another has by then, is errGone or an error of the file system. One that
// executes another program meanwhile is read again.
func (p *procFS) read(pid int32) (facts, error) {
	for range 3 {
		f, err := p.readOnce(pid)
		if err != nil {
			return facts{}, err
		}
		again, err := p.stat(pid)
		if err != nil || again.ticks != f.ticks {
			return facts{}, errGone
		}
		if exe, _ := p.link(pid, "exe"); exe == f.exe {
			return f, nil
		}
	}
	return facts{}, errGone
}

func (p *procFS) readOnce(pid int32) (facts, error) {
	f := facts{uid: event.NoID, euid: event.NoID, gid: event.NoID, loginUID: event.NoID, session: event.NoID}
	var err error
	if f.stat, err = p.stat(pid); err != nil {
		return f, err
	}
	if f.pid != pid {
		return f, fmt.Errorf("%d/stat: it is of pid %d", pid, f.pid)
	}
	if f.start, err = p.started(f.ticks); err != nil {
		return f, err
	}
	f.kernelThread = f.flags&flagKernelThread != 0
	f.tty = ttyOf(f.ttyNumber)
	dir := strconv.Itoa(int(pid)) + "/"
	f.exe, _ = p.link(pid, "exe") // not there for kernel threads and zombies
	if b, err := p.file(dir+"status", maxStatus); err == nil {
		f.uid, f.euid, f.gid = parseStatus(b)
	}
	f.loginUID = p.number(dir + "loginuid")
	f.session = p.number(dir + "sessionid")
	if f.kernelThread {
		return f, nil
	}
	f.cwd, _ = p.link(pid, "cwd")
	if b, err := p.file(dir+"cmdline", maxCmdline); err == nil {
		f.args, f.cut = parseCmdline(b)
		f.line = strings.Join(f.args, " ")
	}
	if b, err := p.file(dir+"cgroup", maxCgroup); err == nil {
		f.container = containerOf(string(b))
	}
	return f, nil
}

func (p *procFS) link(pid int32, name string) (string, error) {
	return fs.ReadLink(p.fs, strconv.Itoa(int(pid))+"/"+name)
}

// number reads a file that holds one id; 4294967295 stands for none.
func (p *procFS) number(name string) int64 {
	b, err := p.file(name, 32)
	if err != nil {
		return event.NoID
	}
	return parseID(bytes.TrimSpace(b))
}

func parseID(b []byte) int64 {
	n, err := strconv.ParseUint(string(b), 10, 32)
	if err != nil || n == 1<<32-1 {
		return event.NoID
	}
	return int64(n)
}

// flagKernelThread is PF_KTHREAD (include/linux/sched.h).
const flagKernelThread = 0x00200000

// parseStat reads /proc/PID/stat (proc_pid_stat(5)). The name stands between
// the first '(' and the last ')': it may hold either, and blanks.
func parseStat(b []byte) (stat, error) {
	open, shut := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
	if open < 1 || shut < open {
		return stat{}, fmt.Errorf("stat %.40q: no name in parentheses", b)
	}
	s := stat{comm: string(b[open+1 : shut])}
	pid, err := strconv.ParseInt(string(bytes.TrimSpace(b[:open])), 10, 32)
	rest := bytes.Fields(b[shut+1:]) // rest[0] is field 3
	if err != nil || pid <= 0 || len(rest) < 20 || len(rest[0]) != 1 {
		return stat{}, fmt.Errorf("stat %.40q: not 22 fields with a pid and a state", b)
	}
	s.pid, s.state = int32(pid), rest[0][0]
	ppid, err1 := strconv.ParseInt(string(rest[1]), 10, 32)
	tty, err2 := strconv.ParseInt(string(rest[4]), 10, 32)
	flags, err3 := strconv.ParseUint(string(rest[6]), 10, 64)
	ticks, err4 := strconv.ParseUint(string(rest[19]), 10, 64)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return stat{}, fmt.Errorf("stat of %d: %w", pid, err)
	}
	s.ppid, s.ttyNumber, s.flags, s.ticks = int32(ppid), uint32(tty), flags, ticks
	return s, nil
}

// parseStatus reads the real and effective user and the real group of
// /proc/PID/status; NoID where it does not say.
func parseStatus(b []byte) (uid, euid, gid int64) {
	uid, euid, gid = event.NoID, event.NoID, event.NoID
	for line := range bytes.Lines(b) {
		if v, ok := bytes.CutPrefix(line, []byte("Uid:")); ok {
			if ids := bytes.Fields(v); len(ids) >= 2 {
				uid, euid = parseID(ids[0]), parseID(ids[1])
			}
		} else if v, ok := bytes.CutPrefix(line, []byte("Gid:")); ok {
			if ids := bytes.Fields(v); len(ids) >= 1 {
				gid = parseID(ids[0])
			}
			return uid, euid, gid // Uid stands before it
		}
	}
	return uid, euid, gid
}

// titlePadding is the number of NULs at the end from which on they are taken for
// the padding of a program that wrote a title over its arguments, not for empty
// arguments.
const titlePadding = 8

// parseCmdline splits /proc/PID/cmdline: each argument ends with a NUL. A title
// that the program wrote over them may lack it. cut says that arguments, or
// parts of some, are missing; "…" stands in their place.
func parseCmdline(b []byte) (args []string, cut bool) {
	if end := len(bytes.TrimRight(b, "\x00")); len(b)-end >= titlePadding {
		b = b[:end]
	}
	if len(b) == 0 {
		return nil, false
	}
	whole := string(b)
	if len(b) <= cmdlineHead+cmdlineTail {
		return strings.Split(strings.TrimSuffix(whole, "\x00"), "\x00"), false
	}
	head, tail := whole[:cmdlineHead], whole[len(whole)-cmdlineTail:]
	args = append(strings.Split(head, "\x00"), "…")
	return append(args, strings.Split(strings.TrimSuffix(tail, "\x00"), "\x00")...), true
}

// ttyOf names the terminal of a tty_nr of /proc/PID/stat as /dev does; empty if
// there is none or its driver is not one of the usual (devices.txt of Linux:
// major 4 consoles and serial lines, 136 to 143 pseudo-terminals).
func ttyOf(number uint32) string {
	major := number >> 8 & 0xfff
	minor := number&0xff | number>>12&0xfff00
	switch {
	case number == 0:
		return ""
	case major == 4 && minor < 64:
		return "tty" + strconv.Itoa(int(minor))
	case major == 4:
		return "ttyS" + strconv.Itoa(int(minor-64))
	case major == 5 && minor == 1:
		return "console"
	case major >= 136 && major <= 143:
		return "pts/" + strconv.Itoa(int((major-136)*256+minor))
	}
	return ""
}

// appendTTY appends the name of a terminal as /dev has it. The kernel's own name
// of a pseudo-terminal, which audit has, lacks the slash.
func appendTTY(dst, name []byte) []byte {
	digits, ok := bytes.CutPrefix(name, []byte("pts"))
	if !ok || len(digits) == 0 || len(bytes.Trim(digits, "0123456789")) > 0 {
		return append(dst, name...)
	}
	return append(append(dst, "pts/"...), digits...)
}
