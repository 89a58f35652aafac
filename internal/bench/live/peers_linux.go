// SPDX-License-Identifier: Apache-2.0

// This file runs auditd and LAUREL from a folder of their own; nothing of the
// system's configuration is read or changed.

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"

	"seismo/internal/livelock"
)

// auditd writes a raw log, or hands every event to LAUREL and writes none itself.
type auditd struct {
	place
	laurel bool
	daemon *daemon
}

func (a *auditd) pid() int {
	if a.daemon == nil {
		return 0
	}
	return a.daemon.cmd.Process.Pid
}

func (a *auditd) output() string  { return filepath.Join(a.dir, "auditd.out") }
func (a *auditd) rawLog() string  { return filepath.Join(a.dir, "audit.log") }
func (a *auditd) jsonLog() string { return filepath.Join(a.dir, "laurel", "laurel.log") }

// auditdConf is what Debian installs, but for the raw form, places, one log without
// an end, and a longer queue for the plugin.
const auditdConf = `local_events = yes
write_logs = %s
log_file = %s
log_group = root
log_format = RAW
flush = INCREMENTAL_ASYNC
freq = 50
max_log_file = 8
num_logs = 5
priority_boost = 4
name_format = NONE
max_log_file_action = IGNORE
space_left = 75
space_left_action = IGNORE
verify_email = no
action_mail_acct = root
admin_space_left = 50
admin_space_left_action = IGNORE
disk_full_action = IGNORE
disk_error_action = IGNORE
distribute_network = no
q_depth = 20000
overflow_action = SYSLOG
max_restarts = 10
plugin_dir = %s
end_of_event_timeout = 2
`

// laurelConf is what Debian installs, but for places and one log without an end.
const laurelConf = `directory = %q
%sstatusreport-period = 0
[auditlog]
file = "laurel.log"
size = 100000000000
generations = 1
[transform]
execve-argv = [ "array" ]
[translate]
universal = false
user-db = false
[enrich]
pid = true
execve-env = [ "LD_PRELOAD", "LD_LIBRARY_PATH" ]
container = true
script = true
`

const laurelPlugin = `active = yes
direction = out
type = always
format = string
path = %s
args = --config %s
`

// laurelUser is whom Debian's LAUREL becomes.
const laurelUser = "_laurel"

func (a *auditd) start(ctx context.Context) error {
	plugins := filepath.Join(a.dir, "plugins.d")
	if err := os.Mkdir(plugins, 0o750); err != nil {
		return err
	}
	writeLogs := "yes"
	if a.laurel {
		writeLogs = "no"
		if err := a.writeLaurel(plugins); err != nil {
			return fmt.Errorf("configure LAUREL: %w", err)
		}
	}
	conf := fmt.Sprintf(auditdConf, writeLogs, a.rawLog(), plugins)
	if err := os.WriteFile(filepath.Join(a.dir, "auditd.conf"), []byte(conf), 0o640); err != nil {
		return err
	}
	if err := setForPeers(a.watched); err != nil {
		return err
	}
	d, err := launch(a.output(), "auditd", "-n", "-s", "nochange", "-c", a.dir)
	if err != nil {
		return err
	}
	a.daemon = d
	processes := 1
	if a.laurel {
		processes = 2
	}
	err = d.until(ctx, a.output(), func() (bool, error) {
		s, err := livelock.Read()
		return int(s.PID) == a.pid() && len(family(allStats(), a.pid())) == processes, err
	})
	if err != nil {
		return err
	}
	_, err = auditctl("-e", "1")
	return err
}

func (a *auditd) writeLaurel(plugins string) error {
	path, err := exec.LookPath("laurel")
	if err != nil {
		return err
	}
	dir, become := filepath.Dir(a.jsonLog()), ""
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	if u, err := user.Lookup(laurelUser); err == nil {
		become = fmt.Sprintf("user = %q\n", laurelUser)
		uid, err1 := strconv.Atoi(u.Uid)
		gid, err2 := strconv.Atoi(u.Gid)
		if err1 == nil && err2 == nil {
			if err := os.Chown(dir, uid, gid); err != nil {
				return err
			}
		}
	}
	conf := filepath.Join(a.dir, "laurel.toml")
	if err := os.WriteFile(conf, fmt.Appendf(nil, laurelConf, dir, become), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(plugins, "laurel.conf"), fmt.Appendf(nil, laurelPlugin, path, conf), 0o640)
}

// stop ends it; settings and rules are put back with the turn. Without auditing
// nothing is left for the kernel to write to its own log meanwhile.
func (a *auditd) stop() error {
	if a.daemon == nil {
		return nil
	}
	_, err := auditctl("-e", "0")
	return errors.Join(err, a.daemon.stop(a.output()))
}

func (a *auditd) size() (int64, error) {
	if a.laurel {
		return fileSize(a.jsonLog())
	}
	return fileSize(a.rawLog())
}

func (a *auditd) count(s *seen) ([]string, error) {
	path, count := a.rawLog(), countAuditd
	if a.laurel {
		path, count = a.jsonLog(), countLaurel
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return nil, count(f, s)
}
