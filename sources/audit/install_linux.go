// SPDX-License-Identifier: Apache-2.0

// This file is where go-libaudit is used for control: the status of the audit
// system, its settings, and rules in the kernel's form. What is changed and put
// back is decided in undo_linux.go; records are read in netlink_linux.go.

package audit

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	libaudit "github.com/elastic/go-libaudit/v2"
	"github.com/elastic/go-libaudit/v2/rule"
	"golang.org/x/sys/unix"
)

// kernelControl speaks to the kernel over a socket of its own: replies are
// never mixed with records.
type kernelControl struct {
	client *libaudit.AuditClient
	open   func() (*libaudit.AuditClient, error)
}

func openControl() (*kernelControl, error) {
	k := &kernelControl{open: func() (*libaudit.AuditClient, error) { return libaudit.NewAuditClient(nil) }}
	var err error
	if k.client, err = k.open(); err != nil {
		return nil, fmt.Errorf("open the audit control socket: %w", refused(err))
	}
	return k, nil
}

// How often the kernel is asked for what a thread of its own answers
// (kernel/audit.c, audit_send_list_thread and audit_send_reply): a busy machine
// runs that late, and go-libaudit waits half a second for it. Records that wait
// meanwhile fit into the socket's buffer.
const (
	asksForStatus = 3
	asksForRules  = 10
)

// ask calls f until it has an answer, up to tries times, each over a socket of its
// own: an answer that comes late would be taken for the next one. What the kernel
// refuses is an answer.
func (k *kernelControl) ask(tries int, f func(*libaudit.AuditClient) error) error {
	for {
		err := f(k.client)
		var refusal syscall.Errno
		if tries--; err == nil || tries <= 0 || errors.As(err, &refusal) {
			return err
		}
		fresh, openErr := k.open()
		if openErr != nil {
			return errors.Join(err, openErr)
		}
		k.client.Close()
		k.client = fresh
	}
}

// Close closes the socket. It never clears the role: that was taken elsewhere.
func (k *kernelControl) Close() error {
	if k.blind() {
		return nil
	}
	return k.client.Close()
}

// refused names the capability or system that an error of the control socket
// is about (kernel/audit.c, audit_netlink_ok; ECONNREFUSED is its answer to a
// process in a user namespace).
func refused(err error) error {
	switch {
	case (errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES)) && hasCapability(unix.CAP_AUDIT_CONTROL):
		return fmt.Errorf("the audit system answers only in the first pid namespace, not in a container with one of its own (%v): %w", err, ErrPrivilege)
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return fmt.Errorf("CAP_AUDIT_CONTROL is missing: %w", ErrPrivilege)
	case errors.Is(err, unix.ECONNREFUSED):
		return fmt.Errorf("CAP_AUDIT_CONTROL counts in the first user namespace only: %w", ErrPrivilege)
	case errors.Is(err, unix.EPROTONOSUPPORT), errors.Is(err, unix.EAFNOSUPPORT):
		return fmt.Errorf("the kernel has no audit netlink (%v): %w", err, ErrUnsupported)
	}
	return err
}

func (k *kernelControl) Status() (auditStatus, error) {
	if k.blind() {
		return blindStatus(), nil
	}
	var st *libaudit.AuditStatus
	err := k.ask(asksForStatus, func(c *libaudit.AuditClient) (err error) {
		st, err = c.GetStatus()
		return err
	})
	if err != nil {
		return auditStatus{}, fmt.Errorf("read the audit status: %w", refused(err))
	}
	return auditStatus{PID: st.PID, Lost: st.Lost, Backlog: st.Backlog, settings: map[string]uint32{
		settingEnabled: st.Enabled, settingFailure: st.Failure, settingRate: st.RateLimit,
		settingBacklog: st.BacklogLimit, settingWaitTime: st.BacklogWaitTime,
	}}, nil
}

func (k *kernelControl) Rules() ([][]byte, error) {
	if k.blind() {
		return nil, nil
	}
	var rules [][]byte
	err := k.ask(asksForRules, func(c *libaudit.AuditClient) (err error) {
		rules, err = c.GetRules()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list audit rules: %w", refused(err))
	}
	return rules, nil
}

func (k *kernelControl) AddRule(wire []byte) error {
	if k.blind() {
		return errBlind()
	}
	return k.client.AddRule(wire)
}

// DeleteRule deletes a rule. The kernel does not find it by a form that says to put it
// first, and go-libaudit does not tell that it was not found.
func (k *kernelControl) DeleteRule(wire []byte) error {
	return k.request(unix.AUDIT_DEL_RULE, normalWire(wire))
}

func (k *kernelControl) Set(setting string, value uint32) error {
	if k.blind() {
		return errBlind()
	}
	const wait = libaudit.WaitForReply
	var err error
	switch setting {
	case settingEnabled:
		if value == immutable {
			return errors.New("locking the configuration is never done")
		}
		err = k.client.SetEnabled(value != 0, wait)
	case settingFailure:
		err = k.client.SetFailure(libaudit.FailureMode(value), wait)
	case settingRate:
		err = k.client.SetRateLimit(value, wait)
	case settingBacklog:
		err = k.client.SetBacklogLimit(value, wait)
	case settingWaitTime:
		err = k.client.SetBacklogWaitTime(int32(value), wait)
	default:
		err = fmt.Errorf("no setting of the audit system")
	}
	return refused(err)
}

// ClearRole unregisters whoever the kernel still has for the records. The
// kernel allows it to the holder, and to anybody once the holder is dead.
func (k *kernelControl) ClearRole() error {
	// go-libaudit clears the role only when a client that took it is closed.
	// A struct audit_status is its mask and ten more words; pid 0 is nobody.
	status := make([]byte, 4*11)
	binary.NativeEndian.PutUint32(status, uint32(libaudit.AuditStatusPID))
	return k.request(libaudit.AuditSet, status)
}

// Echo has the kernel send a record of type [markType] with text to all who get
// records. It needs CAP_AUDIT_WRITE.
func (k *kernelControl) Echo(text string) error { return k.request(markType, append([]byte(text), 0)) }

// request sends a request that the kernel acknowledges and does not answer.
func (k *kernelControl) request(typ uint16, data []byte) error {
	if k.blind() {
		return errBlind()
	}
	seq, err := k.client.Netlink.Send(syscall.NetlinkMessage{
		Header: syscall.NlMsghdr{Type: typ, Flags: syscall.NLM_F_REQUEST | syscall.NLM_F_ACK},
		Data:   data,
	})
	if err != nil {
		return refused(err)
	}
	// The kernel answers before send returns.
	replies, err := k.client.Netlink.Receive(true, syscall.ParseNetlinkMessage)
	if err != nil {
		return err
	}
	for _, reply := range replies {
		if reply.Header.Seq == seq && reply.Header.Type == syscall.NLMSG_ERROR {
			return refused(libaudit.ParseNetlinkError(reply.Data))
		}
	}
	return errors.New("the kernel did not answer")
}

// buildRules brings rules into the kernel's form.
func buildRules(rules []Rule) ([]undoRule, error) {
	built := make([]undoRule, 0, len(rules))
	for _, r := range rules {
		spec := &rule.SyscallRule{Type: rule.AppendSyscallRuleType, List: "exit", Action: r.Action, Keys: []string{RuleKey}}
		for _, f := range r.Filters {
			spec.Filters = append(spec.Filters, rule.FilterSpec{
				Type: rule.ValueFilterType, LHS: f.Field, Comparator: f.Op, RHS: f.Value})
		}
		wire, err := rule.Build(spec)
		if err != nil {
			return nil, fmt.Errorf("build audit rule %q: %w", r, err)
		}
		if err := finishWire(wire, r); err != nil {
			return nil, fmt.Errorf("build audit rule %q: %w", r, err)
		}
		built = append(built, undoRule{Text: r.String(), Wire: wire})
	}
	return built, nil
}

// existingRoots returns the folders of roots that can be watched, without
// symbolic links in their paths, and a sentence on each of the others.
func existingRoots(roots []string) (found, warnings []string) {
	for _, root := range roots {
		path, err := filepath.EvalSymlinks(root)
		if err == nil {
			var info fs.FileInfo
			if info, err = os.Stat(path); err == nil && !info.IsDir() {
				err = errors.New("it is no folder")
			}
		}
		switch {
		case err == nil:
			found = append(found, path)
		case !errors.Is(err, fs.ErrNotExist):
			warnings = append(warnings, fmt.Sprintf("files below %s are not watched: %v", root, err))
		}
	}
	return found, warnings
}

// Undo puts the kernel's audit configuration back as the undo file at path
// tells, and removes the file. It serves the recorder when it stops, the next
// one after a SIGKILL, and whoever repairs a host. Done twice, or after another
// boot, it changes nothing. It fails with [ErrRunning] while the recorder that
// wrote the file runs in another process, with [ErrImmutable] or [ErrPrivilege]
// where the kernel forbids it, with [ErrUndoFile] for a file that cannot be
// believed; the file then stays.
func Undo(path string) (UndoReport, error) {
	f, found, err := readLeft(path)
	switch {
	case err != nil || found.Nothing:
		return found, err
	case found.OtherBoot:
		return found, removeUndoFile(path)
	}
	control, err := openControl()
	if err != nil {
		return UndoReport{}, err
	}
	defer control.Close()
	report, err := undoChanges(control, f, true)
	if len(f.Settings)+len(f.Rules) == 0 && errors.Is(err, ErrPrivilege) {
		err = nil // of one that only read; nothing was changed
	}
	if err != nil {
		return report, fmt.Errorf("undo %s: %w", path, err)
	}
	return report, removeUndoFile(path)
}

// bootID returns the kernel's random name for this boot.
func bootID() (string, error) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("read the boot id (is /proc mounted here?): %w", err)
	}
	return strings.TrimSpace(string(id)), nil
}

// startTicks returns when process pid was started, in clock ticks since boot,
// and false if there is none, or only its zombie.
func startTicks(pid int) (uint64, bool) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, false
	}
	// The name, in parentheses, may hold anything: what follows the last one
	// begins with field 3, the state; the start is field 22 (proc_pid_stat(5)).
	end := bytes.LastIndexByte(stat, ')')
	fields := strings.Fields(string(stat[end+1:]))
	if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return 0, false
	}
	ticks, err := strconv.ParseUint(fields[19], 10, 64)
	return ticks, err == nil
}

// processName returns the name of process pid for a message.
func processName(pid uint32) string {
	name, err := os.ReadFile("/proc/" + strconv.FormatUint(uint64(pid), 10) + "/comm")
	if err != nil {
		return "unknown"
	}
	return strconv.Quote(strings.TrimSpace(string(name)))
}
