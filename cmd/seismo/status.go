// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"seismo/internal/config"
	"seismo/internal/display"
	"seismo/recorder/daemon"
	"seismo/recorder/monitordb"
)

func newStatus() *cobra.Command {
	var db string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show what the recorder saw, stored and lost",
		Long: `Show the latest figures that the recorder stored (it does so every 5 seconds), the
events of each kind in monitor.db, what was lost, and which signals are overridden,
suspended or costly (their figures are at most a minute old). Two ledgers must hold:
records received = parsed + malformed; events assembled = stored + filtered +
dropped + in flight.`,
		Example: "  seismo status --home ./var\n  seismo status --json --db monitor.db",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			path := db
			if path == "" {
				path = pathsOf(cmd).Database
			}
			r, err := monitordb.OpenReader(path)
			if err != nil {
				return err
			}
			defer r.Close()
			s, err := r.Status(cmd.Context())
			if err != nil {
				return err
			}
			holder := daemon.Holder(lockOf(path, pathsOf(cmd)))
			if asJSON {
				return display.WriteJSON(cmd.OutOrStdout(), statusJSON(s, holder))
			}
			return showStatus(cmd.OutOrStdout(), s, holder)
		},
	}
	cmd.Flags().StringVar(&db, "db", "", "database to ask (default: HOME/monitor.db)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object")
	return cmd
}

// lockOf returns the lock of the recorder that writes the database at path: that of the
// home folder of the command, or the one beside the database. A database by another name
// is a copy, which nobody writes.
func lockOf(path string, home config.Paths) string {
	dir, name := filepath.Split(path)
	switch {
	case filepath.Clean(path) == filepath.Clean(home.Database):
		return home.Lock
	case name != filepath.Base(home.Database):
		return ""
	}
	return config.PathsAt(filepath.Clean(dir)).Lock
}

// recording says in one word, and in a sentence, whether a recorder runs.
func recording(s monitordb.Status, holder string) (word, sentence string) {
	switch {
	case holder != "":
		return "recording", "recording (process " + display.Text(holder) + ")"
	case s.Host.Time == 0:
		return "never", "no recorder has written this database"
	case s.Stopped >= s.LastWrite && s.Stopped != 0:
		return "stopped", "stopped at " + moment(s.Stopped)
	}
	return "ended", "ended without a stop; last write at " + moment(s.LastWrite)
}

func showStatus(out io.Writer, s monitordb.Status, holder string) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) { fmt.Fprintf(w, "%s\t%s\n", name, fmt.Sprintf(format, args...)) }
	_, sentence := recording(s, holder)
	line("recorder", "%s", sentence)
	line("database", "%s, %.1f MB and %.1f MB of write-ahead log", display.Text(s.Path), float64(s.File)/1e6, float64(s.WAL)/1e6)
	if h := s.Host; h.Time != 0 {
		line("host", "%s, %s %s, started %s by seismo %s", display.Text(h.Name), display.Text(h.Platform), display.Text(h.Kernel),
			moment(h.Time), display.Text(h.Version))
	}
	if st := s.Stats; st.Time != 0 {
		line("records", "%d received = %d parsed + %d malformed", st.Source.Received, st.Source.Parsed, st.Source.Malformed)
		line("events", "%d assembled = %d stored + %d filtered + %d dropped + %d in flight", st.Assembled, st.Stored, st.Filtered, st.Dropped, st.InFlight)
		line("losses seen by the source", "%d records lost by the kernel, %d serials missing, %d buffer overruns, %d events incomplete",
			st.Source.KernelLost, st.Source.SerialGaps, st.Source.Overruns, st.Source.Incomplete)
		if n := st.Source.LeftOut; n > 0 {
			line("left out", "%d logins, accounts and services: monitorSecurity is false", n)
		}
		line("cost", "%s of processor time, %.1f MB peak memory", st.CPU.Round(time.Millisecond), float64(st.RSS)/1e6)
		line("figures of", "%s", moment(st.Time))
	}
	for _, k := range s.Kinds {
		line("stored "+display.Text(k.Kind), "%d, from %s to %s", k.Stored, k.First.Format(time.RFC3339), k.Last.Format(time.RFC3339))
	}
	line("processes", "%d", s.Processes)
	line("signals", "%d active, %d matches, %d of them stored with proof", s.Signals, s.Matches, s.StoredMatches)
	showCollection(line, s.Collection)
	showSignalState(line, s.SignalState)
	if s.Losses > 0 {
		line("losses", "%s; the latest at %s: %s", count(int(s.Losses), "row"), moment(s.LatestLossTime), latestLoss(s))
	} else {
		line("losses", "none")
	}
	return w.Flush()
}

// latestLoss says what was lost last.
func latestLoss(s monitordb.Status) string {
	text := display.Text(s.LatestLoss)
	if s.LatestLossCount > 0 {
		text += fmt.Sprintf(", %d %s", s.LatestLossCount, display.Text(s.LatestLossUnit))
	}
	if s.LatestLossDetail != "" {
		text += ": " + display.Text(s.LatestLossDetail)
	}
	return text
}

// showSignalState writes what is to be known of the signals in force.
func showSignalState(line func(name, format string, args ...any), s monitordb.SignalState) {
	l, text := s.Load, display.Text
	switch {
	case l.Error != "":
		line("signals not loaded", "%s, those before stay in force: %s", moment(l.Time), text(l.Error))
	case l.Reload:
		line("signals loaded", "%s from %s: %d added, %d removed, %d changed", moment(l.Time), text(l.Source), l.Added, l.Removed, l.Changed)
	case l.Time != 0:
		line("signals loaded", "%s from %s", moment(l.Time), text(l.Source))
	}
	for _, o := range s.Overridden {
		state := "severity " + text(o.Severity)
		if !o.Enabled {
			state = "off"
		}
		if o.Reason != "" {
			state += " (" + text(o.Reason) + ")"
		}
		line("overridden", "%s: %s", text(o.Name), state)
	}
	for _, u := range s.Suspended {
		line("suspended", "%s since %s: %s", text(u.Name), moment(u.Since), text(u.Reason))
	}
	for _, m := range s.Missing {
		line("missing list", "%s, for %s: looked for %s", text(m.List), text(m.Name), text(m.Place))
	}
	for _, c := range s.Dearest {
		line("costly signal", "%s: %d work units, judged %d times", text(c.Name), c.Work, c.Evaluations)
	}
}

// signalStateJSON adds the same to a JSON object.
func signalStateJSON(out map[string]any, s monitordb.SignalState) {
	if l := s.Load; l.Time != 0 {
		load := map[string]any{"time": moment(l.Time), "source": l.Source, "reload": l.Reload}
		if l.Error != "" {
			load["error"] = l.Error
		} else {
			load["signals"], load["added"], load["removed"], load["changed"] = l.Signals, l.Added, l.Removed, l.Changed
		}
		out["last_load"] = load
	}
	overridden, suspended, missing, dearest := []map[string]any{}, []map[string]any{}, []map[string]any{}, []map[string]any{}
	for _, o := range s.Overridden {
		overridden = append(overridden, map[string]any{"id": o.ID, "name": o.Name, "enabled": o.Enabled, "severity": o.Severity, "reason": o.Reason})
	}
	for _, u := range s.Suspended {
		suspended = append(suspended, map[string]any{"id": u.ID, "name": u.Name, "since": moment(u.Since), "work_per_event": u.Work, "reason": u.Reason})
	}
	for _, m := range s.Missing {
		missing = append(missing, map[string]any{"id": m.ID, "name": m.Name, "list": m.List, "place": m.Place})
	}
	for _, c := range s.Dearest {
		dearest = append(dearest, map[string]any{"id": c.ID, "name": c.Name, "candidates": c.Candidates, "evaluations": c.Evaluations, "work": c.Work})
	}
	out["overridden_signals"], out["suspended_signals"], out["missing_lists"], out["costly_signals"] = overridden, suspended, missing, dearest
}

func moment(ns int64) string { return time.Unix(0, ns).UTC().Format(time.RFC3339) }

func statusJSON(s monitordb.Status, holder string) map[string]any {
	word, _ := recording(s, holder)
	kinds := map[string]uint64{}
	for _, k := range s.Kinds {
		kinds[k.Kind] = k.Stored
	}
	st := s.Stats
	out := map[string]any{
		"recorder": word, "database": s.Path, "bytes": s.File, "wal_bytes": s.WAL,
		"stored_by_kind": kinds, "processes": s.Processes, "signals": s.Signals, "matches": s.Matches,
		"stored_matches": s.StoredMatches, "loss_rows": s.Losses,
	}
	collectionJSON(out, s.Collection)
	signalStateJSON(out, s.SignalState)
	if s.Host.Time != 0 {
		out["host"] = map[string]any{"name": s.Host.Name, "platform": s.Host.Platform, "kernel": s.Host.Kernel,
			"machine_id": s.Host.MachineID, "boot_id": s.Host.BootID, "version": s.Host.Version, "started": moment(s.Host.Time),
			"program": s.Host.Program}
	}
	if st.Time != 0 {
		out["time"] = moment(st.Time)
		out["records"] = map[string]uint64{"received": st.Source.Received, "parsed": st.Source.Parsed, "malformed": st.Source.Malformed}
		out["events"] = map[string]uint64{"assembled": st.Assembled, "stored": st.Stored, "filtered": st.Filtered,
			"dropped": st.Dropped, "in_flight": st.InFlight, "incomplete": st.Source.Incomplete}
		out["kernel_lost"] = st.Source.KernelLost
		out["serial_gaps"] = st.Source.SerialGaps
		out["overruns"] = st.Source.Overruns
		out["left_out"] = st.Source.LeftOut
		out["cpu_seconds"] = st.CPU.Seconds()
		out["peak_memory_bytes"] = st.RSS
	}
	return out
}
