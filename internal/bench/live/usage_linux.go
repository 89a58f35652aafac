// SPDX-License-Identifier: Apache-2.0

// This file asks the kernel what processes have used.

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// usage is what a process and all that it started have used until now.
type usage struct {
	total        int64 // nanoseconds of processor time
	user, system int64 // the same apart, in steps of a tick
	peak         int64 // bytes, added up over the processes that live
	written      int64 // bytes that were sent to storage
	switches     int64 // voluntary context switches
	processes    int
}

// since returns user and system time between before and u. The kernel tells the sum
// in nanoseconds and the two apart in ticks only, so the sum is divided as they are.
func (u usage) since(before usage) (user, system int64) {
	sum := u.total - before.total
	user = sum
	if ticks := u.user + u.system - before.user - before.system; ticks > 0 {
		user = int64(float64(sum) * float64(u.user-before.user) / float64(ticks))
	}
	return user, sum - user
}

// tick is the unit of times in /proc/PID/stat: USER_HZ is 100 on all architectures
// that Go runs on.
const tick = int64(time.Second / 100)

// procStat is what is used of /proc/PID/stat (proc(5)).
type procStat struct {
	name                string
	parent              int
	user, system        int64 // nanoseconds, in steps of a tick
	childUser, childSys int64 // of children that it has waited for
}

func parseStat(line []byte) (s procStat, err error) {
	open, end := bytes.IndexByte(line, '('), bytes.LastIndexByte(line, ')') // a name may hold both
	if open < 0 || end < open {
		return s, fmt.Errorf("no name in %.40q", line)
	}
	s.name = string(line[open+1 : end])
	f := strings.Fields(string(line[end+1:]))
	if len(f) < 15 {
		return s, fmt.Errorf("%d fields in %.40q", len(f), line)
	}
	var n [5]int64
	for i, at := range []int{1, 11, 12, 13, 14} { // fields 4 and 14 to 17
		if n[i], err = strconv.ParseInt(f[at], 10, 64); err != nil {
			return s, err
		}
	}
	s.parent, s.user, s.system, s.childUser, s.childSys = int(n[0]), n[1]*tick, n[2]*tick, n[3]*tick, n[4]*tick
	return s, nil
}

// allStats reads the processes of the host; those that end meanwhile are left out.
func allStats() map[int]procStat {
	names, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is right
	all := make(map[int]procStat, len(names))
	for _, name := range names {
		pid, err := strconv.Atoi(strings.Split(name, "/")[2])
		if err != nil {
			continue
		}
		if line, err := os.ReadFile(name); err == nil {
			if s, err := parseStat(line); err == nil {
				all[pid] = s
			}
		}
	}
	return all
}

// family returns root and all that descend from it.
func family(all map[int]procStat, root int) map[int]procStat {
	found := map[int]procStat{}
	for pid := range all {
		for at, depth := pid, 0; at > 1 && depth < 64; at, depth = all[at].parent, depth+1 {
			if at == root {
				found[pid] = all[pid]
				break
			}
		}
	}
	return found
}

// measure returns what the family of root has used; of 0, nothing.
func measure(root int) (u usage, err error) {
	if root == 0 {
		return u, nil
	}
	members := family(allStats(), root)
	if _, ok := members[root]; !ok {
		return u, fmt.Errorf("process %d has ended", root)
	}
	for pid, s := range members {
		clock, err := processClock(pid)
		if err != nil {
			continue // it ended just now
		}
		u.total += clock + s.childUser + s.childSys
		u.user += s.user + s.childUser
		u.system += s.system + s.childSys
		u.peak += statusKB(pid, "VmHWM") * 1024
		u.written += procNumber(fmt.Sprintf("/proc/%d/io", pid), "write_bytes")
		tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/[0-9]*/status", pid))
		for _, t := range tasks {
			u.switches += procNumber(t, "voluntary_ctxt_switches")
		}
		u.processes++
	}
	return u, nil
}

// processClock reads the processor time of another process in nanoseconds. Its clock
// id is made of the process id as in include/linux/posix-timers.h: ~pid << 3 and
// CPUCLOCK_SCHED, which is 2.
func processClock(pid int) (int64, error) {
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid)<<3|2, &t); err != nil {
		return 0, fmt.Errorf("processor time of process %d: %w", pid, err)
	}
	return t.Nano(), nil
}

func statusKB(pid int, name string) int64 {
	return procNumber(fmt.Sprintf("/proc/%d/status", pid), name)
}

// procNumber returns the number behind "name:" in a file of /proc, or 0.
func procNumber(path, name string) int64 {
	text, _ := os.ReadFile(path)
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			if f := strings.Fields(value); len(f) > 0 {
				n, _ := strconv.ParseInt(f[0], 10, 64)
				return n
			}
		}
	}
	return 0
}

// kauditdPID returns the kernel thread that hands out audit records, or 0.
func kauditdPID() int {
	for pid, s := range allStats() {
		if s.name == "kauditd" && s.parent == 2 {
			return pid
		}
	}
	return 0
}
