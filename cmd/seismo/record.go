// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"seismo/internal/config"
	"seismo/recorder/daemon"
	"seismo/recorder/forward"
	"seismo/sources/audit"
)

func newRecord() *cobra.Command {
	var signalsPath string
	var watch, fallback bool
	var duration time.Duration
	cmd := &cobra.Command{
		Use:   "record",
		Short: "Record this host with detection into monitor.db",
		Long: `Record what happens on this host until SIGINT or SIGTERM: processes, connections and
file changes go into HOME/monitor.db, with the signals that fired and why. It takes
the kernel's audit role, adds audit rules with the key "seismo", and puts rules and
settings back when it ends; what a recorder left that was killed is put back by the
next start. It needs the capabilities CAP_AUDIT_CONTROL and CAP_AUDIT_READ.`,
		Example: "  sudo seismo record --home /var/lib/seismo\n  sudo seismo record --home ./var --watch --for 20s",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			home := homeOf(cmd)
			if home == "" {
				return fail(exitUsage, "seismo record needs a folder to record into: --home DIR, or SEISMO_HOME")
			}
			c, err := config.Load(filepath.Join(home, "recorder.json"))
			if err != nil {
				return err
			}
			program, from, err := loadProgram(cmd, signalsPath)
			if err != nil {
				return err
			}
			log := newLog(cmd.ErrOrStderr(), c.LogLevel)
			log.Debug().Str("from", from).Msg("signals loaded")
			o := daemon.Options{Home: home, Config: c, Program: program, Version: version, Log: log, Duration: duration}
			if watch {
				o.Watch = &forward.Text{W: cmd.OutOrStdout(), Definitions: program.Definitions(), Events: true, PerSecond: 15}
			}
			err = daemon.Run(cmd.Context(), o)
			if fallback && errors.Is(err, audit.ErrPrivilege) {
				return replayInstead(cmd, err, home, signalsPath)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&signalsPath, "signals", "", signalsUsage)
	cmd.Flags().BoolVar(&watch, "watch", false, "print what is recorded, at most 15 events a second, and every match")
	cmd.Flags().DurationVar(&duration, "for", 0, "stop after this time; 0 means never")
	cmd.Flags().BoolVar(&fallback, "or-replay", false, "without the privilege to record, replay the shipped fixtures into HOME/monitor.db instead")
	return cmd
}

// newLog writes for people on a terminal, and lines of JSON elsewhere.
func newLog(w io.Writer, level string) zerolog.Logger {
	if f, ok := w.(*os.File); ok && isTerminal(f) {
		w = zerolog.ConsoleWriter{Out: w, TimeFormat: "15:04:05"}
	}
	l, err := zerolog.ParseLevel(level)
	if err != nil { // config checks the level, so this is the zero value
		l = zerolog.InfoLevel
	}
	return zerolog.New(w).Level(l).With().Timestamp().Logger()
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// replayInstead shows a person without the privilege what a recording looks
// like: the shipped fixtures go into a database of the same form.
func replayInstead(cmd *cobra.Command, cause error, home, signalsPath string) error {
	self, err := os.Executable()
	if err != nil {
		self = "seismo"
	}
	w := cmd.ErrOrStderr()
	fmt.Fprintf(w, "seismo: %v\nseismo: to record this host, run:\n\n    sudo %s record --home %s --watch\n\n", cause, self, home)
	fmt.Fprintln(w, "seismo: without it, the shipped fixtures are replayed instead: the matches below are recorded examples, not this host's")
	if err := os.MkdirAll(home, 0o700); err != nil {
		return err
	}
	db := filepath.Join(home, "fixtures.db")
	if err := replayFixtures(cmd, db, signalsPath); err != nil {
		return err
	}
	fmt.Fprintf(w, "seismo: recorded into %s; ask it with:\n\n    %s query --db %s \"SELECT timestamp, signal_name, process_path FROM signal_matches\"\n\n", db, self, db)
	return nil
}
