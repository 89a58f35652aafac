// SPDX-License-Identifier: Apache-2.0

// This file starts a real auditd for the live tests.

package audit_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	libaudit "github.com/elastic/go-libaudit/v2"
	"golang.org/x/sys/unix"
)

// auditd starts one that writes no log and does not touch the audit system's
// settings, and returns how to end it.
func auditd(t *testing.T) (stop func(), err error) {
	t.Helper()
	return startAuditd(t, t.TempDir(), "nochange", "write_logs = no\nlog_format = RAW\n", "")
}

// auditdIn starts one that switches auditing on, with a configuration of its own in
// dir, to which conf is added and where plugin, if it is not empty, is that of a plugin.
func auditdIn(t *testing.T, dir, conf, plugin string) (stop func()) {
	t.Helper()
	t.Cleanup(func() { // an auditd that ends leaves auditing on
		if err := setEnabled(false); err != nil {
			t.Error(err)
		}
	})
	stop, err := startAuditd(t, dir, "enable", conf, plugin)
	if err != nil {
		t.Fatal(err)
	}
	return stop
}

// startAuditd starts one with the option -s startup, and returns when it has the role.
// It ends with the test.
func startAuditd(t *testing.T, dir, startup, conf, plugin string) (stop func(), err error) {
	t.Helper()
	path, err := exec.LookPath("auditd")
	if err != nil {
		t.Skip("NOT RUN: there is no auditd")
	}
	conf = "local_events = yes\nlog_file = " + filepath.Join(dir, "audit.log") + "\npriority_boost = 0\nfreq = 50\nq_depth = 20000\n" +
		"space_left = 10\nadmin_space_left = 5\nspace_left_action = IGNORE\nadmin_space_left_action = IGNORE\n" +
		"disk_full_action = IGNORE\ndisk_error_action = IGNORE\nplugin_dir = " + filepath.Join(dir, "plugins.d") + "\n" + conf
	if err := os.Mkdir(filepath.Join(dir, "plugins.d"), 0o750); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"auditd.conf": conf, "plugins.d/seismo.conf": plugin} {
		if text == "" {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(path, "-n", "-s", startup, "-c", dir)
	cmd.Stderr = os.Stderr
	if err := begin(t, cmd, unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	stop = func() {
		cmd.Process.Signal(unix.SIGTERM)
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			cmd.Process.Kill()
			<-ended
		}
	}
	t.Cleanup(stop)
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); {
		select {
		case <-ended:
			return stop, fmt.Errorf("auditd has ended: %v", cmd.ProcessState)
		case <-time.After(50 * time.Millisecond):
		}
		if st, err := kernelState(); err == nil && int(st.status.PID) == cmd.Process.Pid {
			return stop, nil
		}
	}
	return stop, fmt.Errorf("auditd has not taken the role within 30 s")
}

// setEnabled switches auditing on or off.
func setEnabled(on bool) error {
	c, err := libaudit.NewAuditClient(nil)
	if err != nil {
		return err
	}
	defer c.Close()
	return c.SetEnabled(on, libaudit.WaitForReply)
}
