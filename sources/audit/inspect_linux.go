// SPDX-License-Identifier: Apache-2.0

// This file looks at the audit system of this host, for "seismo doctor": who has the
// role, who else listens, what keeps things from being seen. It changes nothing.

package audit

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Inspect looks at the audit system of this host. Without privilege it tells what can
// be known without asking the kernel, and says so in Denied.
func Inspect(o InspectOptions) Inspection {
	var in Inspection
	in.capabilities()
	in.bootLine(readSmall("/proc/cmdline"))
	in.listeners("/proc/net/netlink")
	in.connector(readSmall("/proc/net/connector"))
	running := in.undoFile(o.UndoPath)
	if in.Denied = CheckPrivilege(); in.Denied != nil {
		return in
	}
	control, err := openControl()
	if err != nil {
		in.Denied = err
		return in
	}
	defer control.Close()
	st, err := control.Status()
	if err != nil {
		in.Denied = err
		return in
	}
	in.status(st, running)
	rules, err := control.Rules()
	if err != nil {
		in.Denied = err
		return in
	}
	in.rules(rules, st, o.LeaveRules)
	return in
}

func (in *Inspection) fact(format string, args ...any) {
	in.Facts = append(in.Facts, fmt.Sprintf(format, args...))
}

func (in *Inspection) find(next, format string, args ...any) {
	in.Findings = append(in.Findings, Finding{fmt.Sprintf(format, args...), next})
}

// capabilities finds those that a recorder started from here would lack.
func (in *Inspection) capabilities() {
	for _, c := range []struct {
		number int
		name   string
		lost   string
	}{
		{unix.CAP_AUDIT_CONTROL, "CAP_AUDIT_CONTROL", "the audit system can be neither asked nor told anything: nothing is recorded"},
		{unix.CAP_NET_ADMIN, "CAP_NET_ADMIN", "forks and ends of processes are not told, and the socket's buffer is small"},
		{unix.CAP_AUDIT_READ, "CAP_AUDIT_READ", "records come only with the audit role, not beside auditd"},
		{unix.CAP_AUDIT_WRITE, "CAP_AUDIT_WRITE", "where the way in changes, records may be missed or counted twice"},
		{unix.CAP_SYS_PTRACE, "CAP_SYS_PTRACE", "of processes of other users, or with more capabilities, the program is not known where they run already, nor its hash; names that they give relative to a directory, and the ends of their connections, stay incomplete"},
		{unix.CAP_NET_RAW, "CAP_NET_RAW", "DNS queries are not recorded (monitorDNS)"},
	} {
		if !hasCapability(c.number) {
			in.find("run it as root, or with that capability", "%s is missing here: %s", c.name, c.lost)
		}
	}
}

// bootLine looks at what the kernel was started with.
func (in *Inspection) bootLine(line string) {
	audit := ""
	for _, word := range strings.Fields(line) {
		if v, ok := strings.CutPrefix(word, "audit="); ok {
			audit = v
		}
	}
	switch audit {
	case "1", "on":
		in.fact("the kernel was started with audit=%s: every process is audited", audit)
	case "0", "off":
		in.find("take audit=0 out of the kernel's command line and start again", "the kernel was started with audit=%s: it can not be switched on before the next start", audit)
	default:
		in.find("start the kernel with audit=1", "processes that were started before auditing was first switched on in this boot leave no records of what they do (what they start does); which they are, the kernel does not tell")
	}
}

// maxListeners bounds the lines of /proc/net/netlink that are read.
const maxListeners = 65_536

// netlinkAudit is NETLINK_AUDIT (include/uapi/linux/netlink.h).
const netlinkAudit = "9"

// listeners finds who has joined the multicast group of audit records.
func (in *Inspection) listeners(path string) {
	f, err := os.Open(path)
	if err != nil {
		in.fact("who listens to the multicast group is not known: %v", err)
		return
	}
	defer f.Close()
	if who := multicastListeners(f); len(who) > 0 {
		in.fact("listeners to the multicast group of audit records: %d: %s (a recorder by multicast is one; so is journald, by systemd-journald-audit.socket)",
			len(who), strings.Join(who, ", "))
	}
}

// multicastListeners returns who has joined a group of NETLINK_AUDIT, of a list in the
// form of /proc/net/netlink: sk, Eth, Pid, Groups and more.
func multicastListeners(r io.Reader) (who []string) {
	s := bufio.NewScanner(r)
	for n := 0; s.Scan() && n < maxListeners; n++ {
		fields := strings.Fields(s.Text())
		if len(fields) < 4 || fields[1] != netlinkAudit || strings.Trim(fields[3], "0") == "" {
			continue
		}
		port, err := strconv.ParseUint(fields[2], 10, 32)
		name := "port " + fields[2]
		// The port is the process that opened the socket, unless it chose another.
		if _, alive := startTicks(int(port)); err == nil && alive {
			name = fmt.Sprintf("process %d (%s)", port, processName(uint32(port)))
		}
		who = append(who, name)
	}
	slices.Sort(who)
	return who
}

// connector looks for process events.
func (in *Inspection) connector(list string) {
	if !strings.Contains(list, "cn_proc") {
		in.find("use a kernel with CONFIG_PROC_EVENTS, in the first network namespace", "there are no process events: forks are not told, and the end of a process is found late, without its exit code")
	}
}

// undoFile looks at what an earlier recorder left, and returns the process of one that
// runs.
func (in *Inspection) undoFile(path string) (running int) {
	if path == "" {
		return 0
	}
	f, err := readUndoFile(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return 0
	case err != nil:
		in.find("look at it as root; remove it if no recorder runs", "%v", err)
		return 0
	}
	boot, err := bootID()
	if err != nil || f.BootID != boot {
		in.fact("%s is of an earlier boot; the next start removes it", path)
		return 0
	}
	if start, ok := startTicks(f.PID); ok && start == f.Start {
		in.fact("a recorder runs (process %d) and has changed the audit configuration", f.PID)
		return f.PID
	}
	in.find("start the recorder once more: it goes on with them, or puts them back first, and leaves none when it ends", "%s was left by a recorder that did not end by itself (process %d): %d rules and %d settings are not as they were", path, f.PID, len(f.Rules), len(f.Settings))
	return 0
}

// status looks at the settings; running is the process of a recorder that runs, or 0.
func (in *Inspection) status(st auditStatus, running int) {
	ours := running != 0 && st.PID == uint32(running)
	switch {
	case st.PID == 0:
		in.fact("nobody has the audit role")
	case ours:
		in.fact("the recorder has the audit role")
	default:
		if _, alive := startTicks(int(st.PID)); !alive {
			in.find("start the recorder or auditd: whoever takes the role next clears it", "process %d has the audit role and is gone", st.PID)
			break
		}
		in.fact("process %d (%s) has the audit role: records are taken by multicast beside it", st.PID, processName(st.PID))
	}
	switch enabled := st.settings[settingEnabled]; {
	case enabled == immutable:
		in.find("start the machine again with rules that do not lock it (-e 2), or with auditRules leave", "the audit configuration is locked until the next boot: no rule can be added")
	case enabled == 0 && st.PID != 0:
		in.find("auditctl -e 1", "auditing is off, and somebody else has the audit role: nothing is recorded")
	case enabled == 0:
		in.fact("auditing is off; the recorder switches it on while it runs")
	default:
		in.fact("auditing is on")
	}
	if st.Lost > 0 {
		in.fact("the kernel has lost %d records since it was started", st.Lost)
	}
	if ours || st.PID == 0 {
		return // they are ours while we record
	}
	if limit := st.settings[settingBacklog]; limit < minBacklog/8 {
		in.find(fmt.Sprintf("auditctl -b %d (and -b in audit.rules)", minBacklog/8), "the kernel holds %d records for whoever has the role: a burst of a few hundred programs loses some", limit)
	}
	if wait := st.settings[settingWaitTime]; wait > 0 {
		in.find("auditctl --backlog_wait_time 0 (and in audit.rules)", "backlog_wait_time is %d: programs stand still while the kernel waits for whoever has the role", wait)
	}
	if st.settings[settingFailure] == 2 {
		in.find("auditctl -f 1", "failure is 2: the kernel panics when a record is lost")
	}
}

// rules looks at the rules that are there.
func (in *Inspection) rules(rules [][]byte, st auditStatus, leave bool) {
	if slices.ContainsFunc(rules, isNeverTask) {
		in.find("take the rule out of audit.rules (auditctl -d never,task)", "a rule of others (-a never,task) keeps new processes from being audited")
	}
	own := 0
	for _, r := range rules {
		if isOurs(r) {
			own++
		}
	}
	in.fact("%d audit rules are in force, %d of them ours", len(rules), own)
	if leave && len(rules) == 0 {
		in.find("add rules, or set auditRules to manage", "auditRules is leave, and no rule is in force: next to nothing is recorded")
	}
	if st.settings[settingRate] != 0 && st.PID != 0 {
		in.find("auditctl -r 0", "rate_limit is %d: the kernel drops what comes faster", st.settings[settingRate])
	}
}

// readSmall returns a small file of /proc, or nothing.
func readSmall(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	b, _ := io.ReadAll(io.LimitReader(f, 64<<10)) // what could be read counts
	return string(bytes.TrimSpace(b))
}
