// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"seismo/engine"
	"seismo/fixtures"
	"seismo/internal/display"
	"seismo/internal/event"
	"seismo/recorder"
	"seismo/recorder/daemon"
	"seismo/recorder/forward"
	"seismo/recorder/monitordb"
	"seismo/sources"
)

func newTest() *cobra.Command {
	var from signalSource
	var asJSON, verbose bool
	var logsource []string
	cmd := &cobra.Command{
		Use:   "test [DIR...]",
		Short: "Hold signals against fixtures",
		Long: `Replay fixtures, recorded logs with what must and what must not fire on them
(docs/fixtures.md), and compare. Without a folder the shipped fixtures are run. The
exit code is 1 if an expectation is not met.`,
		Example: "  seismo test\n  seismo test --signals my-signal.yml my-fixtures",
		RunE: func(cmd *cobra.Command, args []string) error {
			logs, err := parseLogsource(logsource)
			if err != nil {
				return err
			}
			program, err := loadWithLists(cmd, from)
			if err != nil {
				return err
			}
			cases, err := loadCases(args)
			if err != nil {
				return err
			}
			t := tester{cmd: cmd, program: program, asJSON: asJSON, verbose: verbose, logsource: logs}
			for i := range cases {
				if err := t.run(&cases[i]); err != nil {
					return err
				}
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "seismo: %d fixtures, %d logs, %d failures\n", len(cases), t.logs, t.failures)
			if t.failures > 0 {
				return errFindings
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&from.signals, "signals", "", signalsUsage)
	cmd.Flags().StringVar(&from.lists, "lists", "", listsUsage)
	cmd.Flags().BoolVar(&from.keepGoing, keepGoingFlag, false, keepGoingUsage)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a log")
	cmd.Flags().StringArrayVar(&logsource, "logsource", nil, sources.LogsourceUsage)
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "also print the matches of each log")
	return cmd
}

// loadCases reads the fixtures in the folders, or the shipped ones.
func loadCases(dirs []string) ([]fixtures.Case, error) {
	if len(dirs) == 0 {
		return fixtures.Load(fixtures.FS)
	}
	var all []fixtures.Case
	for _, dir := range dirs {
		info, err := os.Stat(dir)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			return nil, fail(exitUsage, "%s is no folder: a fixture is a folder with a fixture.yml (docs/fixtures.md)", dir)
		}
		cases, err := fixtures.LoadDir(dir)
		if err != nil {
			lines := strings.Split(err.Error(), "\n")
			for i := range lines {
				lines[i] = filepath.Clean(dir) + ": " + lines[i]
			}
			return nil, fail(exitBroken, "%s", strings.Join(lines, "\n"))
		}
		all = append(all, cases...)
	}
	return all, nil
}

// tester runs cases and says what came of them.
type tester struct {
	cmd      *cobra.Command
	program  *engine.Program
	asJSON   bool
	verbose  bool
	logs     int
	failures int

	logsource *event.Logsource // of logs whose format takes one; nil: none is given
}

// logsourceOf returns the logs that the records of c belong to which name none: those
// that the fixture says, else those that were given.
func (t *tester) logsourceOf(c *fixtures.Case) (*event.Logsource, error) {
	if c.Logsource == "" {
		return t.logsource, nil
	}
	logs, err := sources.ParseLogsource([]string{c.Logsource})
	if err != nil {
		return nil, fail(exitUsage, "%s: %v", path.Join(c.Dir, "fixture.yml"), err)
	}
	return logs, nil
}

func (t *tester) run(c *fixtures.Case) error {
	logs, err := t.logsourceOf(c)
	if err != nil {
		return err
	}
	out := t.cmd.OutOrStdout()
	for i := range c.Files {
		f := &c.Files[i]
		name := path.Join(c.Dir, f.Name)
		count := &counter{n: make([]int, t.program.Signals())}
		sinks := []recorder.Sink{count}
		if t.verbose && !t.asJSON {
			sinks = append(sinks, &forward.Text{W: out, Definitions: t.program.Definitions()})
		}
		stats, err := runLog(t.cmd.Context(), logRun{name: name, format: c.Format, logsource: logs, optional: c.Logsource == "", data: bytes.NewReader(f.Data),
			program: t.program, ids: &event.IDs{}, sinks: sinks})
		if err != nil {
			return err
		}
		fired := make([]fixtures.Fired, len(count.n))
		found := map[string]int{}
		for j, d := range t.program.Definitions() {
			fired[j] = fixtures.Fired{ID: d.ID, Name: d.Name, Count: count.n[j]}
			if count.n[j] > 0 {
				found[d.Name] = count.n[j]
			}
		}
		failures := f.Judge(fired)
		if stats.Source.Malformed > 0 {
			failures = append(failures, fixtures.Failure{Place: f.Place, File: f.Name, Signal: "",
				Reason: fmt.Sprintf("has %d malformed records", stats.Source.Malformed)})
		}
		t.logs++
		t.failures += len(failures)
		if err := t.say(out, name, found, failures); err != nil {
			return err
		}
	}
	return nil
}

func (t *tester) say(out io.Writer, name string, found map[string]int, failures []fixtures.Failure) error {
	if t.asJSON {
		type failure struct {
			Place  string `json:"place"`
			Signal string `json:"signal,omitempty"`
			Reason string `json:"reason"`
		}
		list := make([]failure, len(failures))
		for i, f := range failures {
			list[i] = failure{f.Place, f.Signal, f.Reason}
		}
		return display.WriteJSON(out, map[string]any{"log": name, "ok": len(failures) == 0, "fired": found, "failures": list})
	}
	word := "ok  "
	if len(failures) > 0 {
		word = "FAIL"
	}
	_, err := fmt.Fprintf(out, "%s  %s\n", word, display.Text(name))
	for _, f := range failures {
		_, werr := fmt.Fprintf(out, "      %s\n", display.Text(f.String()))
		err = errors.Join(err, werr)
	}
	return err
}

// counter is a sink that counts the events that each signal tags.
type counter struct{ n []int }

func (c *counter) Write(_ context.Context, batches []*event.Batch) error {
	for _, b := range batches {
		for _, e := range b.Events() {
			for _, t := range e.Tags {
				c.n[t.Signal]++
			}
		}
	}
	return nil
}

// replayFixtures runs every must-hit log of the shipped fixtures into a database
// and prints the matches.
func replayFixtures(cmd *cobra.Command, dbPath, signalsPath string) error {
	all, err := signalSource{signals: signalsPath}.load(cmd)
	if err != nil {
		return err
	}
	warnMissing(cmd, all)
	program := all.Program
	cases, err := fixtures.Load(fixtures.FS)
	if err != nil {
		return err
	}
	db, err := openDB(cmd.Context(), dbPath, all, monitordb.Options{})
	if err != nil {
		return err
	}
	sinks := []recorder.Sink{db, &forward.Text{W: cmd.OutOrStdout(), Definitions: program.Definitions()}}
	for _, c := range cases {
		for _, f := range c.Files {
			_, err := runLog(cmd.Context(), logRun{name: path.Join(c.Dir, f.Name), format: c.Format, data: bytes.NewReader(f.Data),
				program: program, ids: db.IDs(), sinks: sinks})
			if err != nil {
				return errors.Join(err, db.Close())
			}
		}
	}
	return db.Close()
}

// openDB opens the database at path for the matches of all.
func openDB(ctx context.Context, path string, all *daemon.Signals, o monitordb.Options) (*monitordb.DB, error) {
	db, err := monitordb.Open(path, o)
	if err != nil {
		return nil, err
	}
	if err := db.SetSignals(ctx, all.Loaded()); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// logRun is one log on its way through the loop.
type logRun struct {
	name, format string
	logsource    *event.Logsource
	optional     bool      // logsource is for those formats that take one
	data         io.Reader // nil: name is a path, or - for stdin
	stdin        io.Reader
	allOwn       bool
	program      *engine.Program
	matcher      engine.MatcherOptions
	did          []engine.SignalStatistics // what its signals did is added; nil: nobody asks
	ids          *event.IDs
	sinks        []recorder.Sink
}

// open returns the source of l.
func (l *logRun) open() (sources.Source, error) {
	demand := l.program.Demand()
	demand.AllOwn = l.allOwn
	o := sources.Options{Format: l.format, BatchEvents: replayBatch, Demand: demand, Stdin: l.stdin, Logsource: l.logsource, LogsourceOptional: l.optional}
	if l.data != nil {
		o.Name = l.name
		return sources.Decode(l.format, l.data, o)
	}
	return sources.Open(l.name, o)
}

// formatOf returns the format that source, which open returned, was read as.
func (l *logRun) formatOf(source sources.Source) string {
	if found := sources.FormatOf(source); found != "" {
		return found
	}
	return l.format
}
