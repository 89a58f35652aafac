// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"seismo/internal/config"
	"seismo/internal/display"
	"seismo/recorder/daemon"
	"seismo/recorder/forward"
	"seismo/sources/audit"
)

// recordFlags are the flags of "record".
type recordFlags struct {
	signals, source string
	watch, fallback bool
	duration        time.Duration
}

func newRecord() *cobra.Command {
	var f recordFlags
	cmd := &cobra.Command{
		Use:   "record",
		Short: "Record this host with detection into monitor.db",
		Long: `Record what happens on this host until SIGINT, SIGTERM or SIGHUP: processes,
connections and file changes go into HOME/monitor.db, with the signals that fired
and why. It adds audit rules with the key "seismo", and puts rules and settings back
when it ends; the next start goes on with what a recorder left that was killed, or puts
it back first. It needs the capability CAP_AUDIT_CONTROL, and CAP_NET_ADMIN to see forks
and the ends of processes. "seismo doctor" says what stands in the way of a full recording.

--source names the way that audit records come by, in place of the setting "source":
  auto       multicast where auditd runs, else the audit role (the default)
  unicast    the audit role itself: only one process can have it
  multicast  beside whoever has the role
  plugin     auditd has started this command, records come on standard input; SIGHUP
             is passed over, and the recording ends when auditd closes the stream
  log:PATH   the log that auditd writes, followed over its rotation

When signals, lists (HOME/lists) or HOME/overrides.yml change, they are loaded within
seconds; what can not be loaded leaves those before in force.`,
		Example: "  sudo seismo record\n  sudo seismo record --home ./var --watch --for 20s\n  sudo seismo record --source log:/var/log/audit/audit.log",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return record(cmd, f) },
	}
	cmd.Flags().StringVar(&f.signals, "signals", "", signalsUsage)
	cmd.Flags().StringVar(&f.source, "source", "", "where audit records come from (default: the setting source)")
	cmd.Flags().BoolVar(&f.watch, "watch", false, "print what is recorded, at most 15 events a second, and every match")
	cmd.Flags().DurationVar(&f.duration, "for", 0, "stop after this time; 0 means never")
	cmd.Flags().BoolVar(&f.fallback, "or-replay", false, "without the privilege to record, replay the shipped fixtures into HOME/fixtures/monitor.db instead")
	return cmd
}

// record records until it is ended.
func record(cmd *cobra.Command, f recordFlags) error {
	// A pipe that is closed must not end a recorder, which has audit rules
	// to take back; a write to it fails instead.
	signal.Ignore(syscall.SIGPIPE)
	if f.duration < 0 {
		return fail(exitUsage, "--for %v: a length of time is not negative", f.duration)
	}
	paths := pathsOf(cmd)
	c, err := config.Load(paths.Settings)
	if err != nil {
		return err
	}
	if f.source != "" {
		if err := config.ParseSource(f.source, &c); err != nil {
			return fail(exitUsage, "--source: %w", err)
		}
	}
	if c.Source == "plugin" { // auditd sends it when its own configuration was changed
		signal.Ignore(syscall.SIGHUP)
	}
	log := newLog(cmd.ErrOrStderr(), c.LogLevel)
	key, err := keyOf(c, paths.Settings)
	if err != nil {
		return err
	}
	source := signalSource{signals: f.signals, overrides: paths.Overrides, key: key}
	o := daemon.Options{Paths: paths, Config: c, Version: version, Log: log, Duration: f.duration,
		Load: func() (*daemon.Signals, error) { return source.load(cmd) }, Files: source.files(cmd)}
	if f.watch {
		o.Watch = &forward.Text{W: cmd.OutOrStdout(), Events: true, PerSecond: 15}
	}
	err = daemon.Run(cmd.Context(), o)
	if f.fallback && errors.Is(err, audit.ErrPrivilege) {
		return replayInstead(cmd, err, filepath.Dir(paths.Database), f.signals)
	}
	if errors.Is(err, audit.ErrPrivilege) {
		return fail(exitDenied, "%w\nto record this host, run: %s", err, sudoLine(os.Args))
	}
	if err == nil && f.watch {
		tellHow(cmd.ErrOrStderr(), paths.Database)
	}
	return err
}

// newLog writes for people on a terminal, and lines of JSON elsewhere.
func newLog(w io.Writer, level string) zerolog.Logger {
	if f, ok := w.(*os.File); ok && isTerminal(f) {
		w = zerolog.ConsoleWriter{Out: w, TimeFormat: "15:04:05",
			FormatMessage: func(m any) string { return display.Text(fmt.Sprint(m)) }}
	} else {
		w = shownLines{w}
	}
	l, err := zerolog.ParseLevel(level)
	if err != nil { // config checks the level, so this is the zero value
		l = zerolog.InfoLevel
	}
	return zerolog.New(w).Level(l).With().Timestamp().Logger()
}

// shownLines passes on lines of JSON with every character that can not be shown as
// \uXXXX: zerolog leaves those that turn the order of text as they are.
type shownLines struct{ w io.Writer }

func (s shownLines) Write(line []byte) (int, error) {
	hidden := func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }
	if bytes.IndexFunc(line, hidden) < 0 {
		return s.w.Write(line)
	}
	out := make([]byte, 0, 2*len(line))
	for _, r := range string(line) {
		switch {
		case !hidden(r):
			out = utf8.AppendRune(out, r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	if _, err := s.w.Write(out); err != nil {
		return 0, err
	}
	return len(line), nil
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// replayInstead shows a person without the privilege what a recording looks
// like: the shipped fixtures go into a database of the same form.
func replayInstead(cmd *cobra.Command, cause error, home, signalsPath string) error {
	w := cmd.ErrOrStderr()
	fmt.Fprintf(w, "seismo: %s\nseismo: to record this host, run\n\n    %s\n\n", display.Text(cause.Error()), sudoLine(os.Args))
	fmt.Fprintln(w, "seismo: without that, the shipped fixtures are replayed: what follows are recorded examples, not this host")
	dir := filepath.Join(home, "fixtures")
	if err := os.MkdirAll(dir, 0o700); errors.Is(err, fs.ErrPermission) {
		// An earlier recording as root owns the home folder.
		if dir, err = os.MkdirTemp("", "seismo-fixtures-"); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	for _, suffix := range []string{"", "-wal", "-shm"} { // an earlier replay: nobody has it open
		if err := os.Remove(filepath.Join(dir, "monitor.db"+suffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := replayFixtures(cmd, filepath.Join(dir, "monitor.db"), signalsPath); err != nil {
		return err
	}
	tellHow(w, filepath.Join(dir, "monitor.db"))
	return nil
}

// tellHow says how the database at path is asked.
func tellHow(w io.Writer, path string) {
	fmt.Fprintf(w, `seismo: recorded into %[2]s; ask it with

    %[1]s status --db %[2]s
    %[1]s query --db %[2]s "SELECT timestamp, signal_name, process_command_line FROM signal_matches"

`, shellWord(os.Args[0]), shellWord(path))
}

// sudoLine returns the command line args as it is typed to run with privilege.
func sudoLine(args []string) string {
	line := "sudo"
	for _, a := range args {
		if a != "--or-replay" {
			line += " " + shellWord(a)
		}
	}
	return line
}

// shellWord quotes s for a POSIX shell where that is needed.
func shellWord(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-=:,+@%", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(display.Text(s), "'", `'\''`) + "'"
}
