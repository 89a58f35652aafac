// SPDX-License-Identifier: Apache-2.0

// This file chooses the way that records come by, and opens it. How the way is
// changed while recording goes on is in handover_linux.go.

package audit

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	libaudit "github.com/elastic/go-libaudit/v2"
	"golang.org/x/sys/unix"

	"seismo/internal/event"
)

// surroundings are what the choice of a way depends on.
type surroundings struct {
	holder  string // who has the role and lives, for a message; empty: nobody
	enabled uint32
	systemd bool // it runs: it, its journal or a unit of auditd may have auditing on
}

// choose returns the way for what was asked, and why.
func choose(asked Way, s surroundings) (Way, string, error) {
	switch asked {
	case WayMulticast:
		return WayMulticast, "the settings name it", nil
	case WayUnicast:
		if s.holder != "" {
			return "", "", fmt.Errorf("take the audit role: %s has it, end that first or record by multicast: %w", s.holder, ErrHeld)
		}
		return WayUnicast, "the settings name it", nil
	case WayAuto, "":
	default:
		return "", "", fmt.Errorf("open the kernel's audit records: the way %.20q is not one of auto, unicast and multicast", asked)
	}
	switch {
	case s.holder != "":
		return WayMulticast, s.holder + " has the audit role", nil
	case s.enabled != 0 && s.systemd:
		return WayMulticast, "auditing was on already, under systemd", nil
	}
	return WayUnicast, "nobody has the audit role", nil
}

// look finds out what the choice depends on.
func look(st auditStatus) surroundings {
	_, err := os.Stat("/run/systemd/system") // sd_booted(3)
	return surroundings{holder: otherHolder(st), enabled: st.settings[settingEnabled], systemd: err == nil}
}

// otherHolder names the live process other than this one that has the role; it is
// empty if there is none. It is asked before the kernel is: asking the kernel for a
// role that is held tells the holder to give it up, and auditd then ends.
func otherHolder(st auditStatus) string {
	if st.PID == 0 || st.PID == uint32(os.Getpid()) {
		return ""
	}
	if _, alive := startTicks(int(st.PID)); !alive {
		return ""
	}
	return fmt.Sprintf("process %d (%s)", st.PID, processName(st.PID))
}

// roleFeed is the way in of whoever has the audit role.
type roleFeed struct {
	*eventSocket
	client *libaudit.AuditClient // over the socket: it gives the role back
}

func (f *roleFeed) close() error { return f.client.Close() }

// openRole registers a socket of ours for the records.
func openRole(c auditControl) (_ *roleFeed, warning string, err error) {
	socket, warning, err := openEventSocket()
	if err != nil {
		return nil, "", err
	}
	f := &roleFeed{socket, &libaudit.AuditClient{Netlink: socket}}
	err = f.client.SetPID(libaudit.WaitForReply)
	if err == nil {
		return f, warning, nil
	}
	if errors.Is(err, unix.EEXIST) {
		err = ErrHeld
		if st, statErr := c.Status(); statErr == nil {
			if who := otherHolder(st); who != "" {
				err = fmt.Errorf("%s has it, end that first: %w", who, ErrHeld)
			}
		}
	}
	return nil, "", errors.Join(fmt.Errorf("take the audit role: %w", refused(err)), f.close())
}

// readLog is AUDIT_NLGRP_READLOG (include/uapi/linux/audit.h) as a set of groups.
const readLog = 1

// openMulticast joins the group that the kernel sends all records to, whoever has
// the role.
func openMulticast() (f feed, warning string, err error) {
	nl, forced, err := openNetlink(unix.NETLINK_AUDIT, readLog, recvBatch, maxMessage, eventBuffer)
	switch {
	case errors.Is(err, unix.EPERM):
		return nil, "", fmt.Errorf("join the multicast group of audit records: CAP_AUDIT_READ is missing; without it records come only to whoever has the audit role: %w", ErrPrivilege)
	case err != nil:
		return nil, "", fmt.Errorf("join the multicast group of audit records: %w", refused(err))
	}
	if !forced {
		warning = smallBuffer
	}
	return nl, warning, nil
}

// selfRules keep this process from being audited. The kernel does that by itself for
// whoever has the role; by any other way the recorder would read of its own writing,
// and write about that, without end. They are placed first, and before all others. A
// rule without an architecture holds for every system call interface.
func selfRules(pid int, children bool) []Rule {
	who := []string{"pid"}
	if children {
		who = append(who, "ppid")
	}
	var rules []Rule
	for _, field := range who {
		rules = append(rules, Rule{Action: "never", First: true, Filters: []RuleFilter{{field, "=", fmt.Sprint(pid)}}})
	}
	return rules
}

// rulesFor returns the rules that are wanted for d by the way of now, in the
// kernel's form and in the order they are loaded, and sentences on what they leave
// out.
func (k *Kernel) rulesFor(d event.Demand, way Way) (rules []undoRule, warnings []string, err error) {
	if k.options.LeaveRules {
		return nil, nil, nil
	}
	if rules, warnings, err = k.plan(d); err != nil || way == WayUnicast {
		return rules, warnings, err
	}
	rules, err = k.withSelfRules(rules)
	return rules, warnings, err
}

// isSelfRule reports whether r is one of selfRules.
func isSelfRule(r undoRule) bool {
	return strings.HasPrefix(r.Text, "-A never,exit -F pid=") || strings.HasPrefix(r.Text, "-A never,exit -F ppid=")
}

// withSelfRules returns rules with those that keep us from being audited in front.
func (k *Kernel) withSelfRules(rules []undoRule) ([]undoRule, error) {
	if k.options.LeaveRules || slices.ContainsFunc(rules, isSelfRule) {
		return rules, nil
	}
	own, err := buildRules(selfRules(os.Getpid(), k.options.ExcludeChildren))
	return append(own, rules...), err
}

// withoutSelfRules returns rules without those.
func withoutSelfRules(rules []undoRule) []undoRule {
	return slices.DeleteFunc(slices.Clone(rules), isSelfRule)
}

// CheckPrivilege returns an error that wraps [ErrPrivilege] and names the
// capability without which the kernel's audit records cannot be had.
func CheckPrivilege() error {
	if !hasCapability(unix.CAP_AUDIT_CONTROL) {
		return fmt.Errorf("record live: CAP_AUDIT_CONTROL is missing: the audit system can not be asked nor told anything: %w", ErrPrivilege)
	}
	return nil
}

// lostPrivileges are sentences on what is lost by the capabilities that are missing
// beside that of CheckPrivilege.
func lostPrivileges() (sentences []string) {
	for _, c := range []struct {
		number int
		text   string
	}{
		{unix.CAP_AUDIT_READ, "CAP_AUDIT_READ is missing: when auditd asks for the audit role, recording can not go on beside it"},
		{unix.CAP_AUDIT_WRITE, "CAP_AUDIT_WRITE is missing: where the way in changes and where the recording ends, records may be missed or counted twice"},
		{unix.CAP_SYS_PTRACE, "CAP_SYS_PTRACE is missing: of processes of other users, or with more capabilities, the program is not known where they run already, nor its hash; names that they give relative to a directory, and the ends of their connections, stay incomplete"},
	} {
		if !hasCapability(c.number) {
			sentences = append(sentences, c.text)
		}
	}
	return sentences
}

// hasCapability reports whether this thread may use the capability.
func hasCapability(number int) bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return true // what is missing is named where the kernel refuses
	}
	return data[number/32].Effective&(1<<(number%32)) != 0
}
