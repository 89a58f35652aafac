// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"seismo/engine"
	"seismo/internal/event"
	"seismo/internal/process"
	"seismo/recorder"
	"seismo/recorder/daemon"
	"seismo/recorder/forward"
	"seismo/recorder/monitordb"
	"seismo/sources"
	"seismo/sources/audit"
)

// replayBatch is the number of events of one batch of a replay.
const replayBatch = 1000

// replayProcesses bounds the processes that a replay remembers, at about 1 KB
// each: a log tells of no exits, so none expires before.
const replayProcesses = 100_000

type replayFlags struct {
	signals, lists, format, db string
	logsource                  []string
	logs                       *event.Logsource // what logsource says
	events, asJSON, stats      bool
	failOnMatch, plain         bool
	keepGoing                  bool
}

func newReplay() *cobra.Command {
	var f replayFlags
	cmd := &cobra.Command{
		Use:   "replay FILE...",
		Short: "Run recorded logs through the signals",
		Long: `Read recorded logs ("-" is standard input) as if they happened now, and print what
the signals find: one match for each signal and event. With --events every event is
printed too. Records that can not be parsed are counted and skipped. Logs that are
packed, as gzip or in a zip archive, are unpacked on the way.`,
		Example: "  seismo replay audit.log\n  seismo replay --signals rules sysmon.jsonl.gz\n  seismo replay --json --events audit.log | jq .event\n  seismo replay --signals my-signal.yml --fail-on-match audit.log",
		Args:    someArgs,
		RunE:    func(cmd *cobra.Command, args []string) error { return replay(cmd, f, args) },
	}
	cmd.Flags().StringVar(&f.signals, "signals", "", signalsUsage)
	cmd.Flags().StringVar(&f.lists, "lists", "", listsUsage)
	cmd.Flags().BoolVar(&f.keepGoing, keepGoingFlag, false, keepGoingUsage)
	cmd.Flags().StringVar(&f.format, "format", "", formatUsage())
	cmd.Flags().StringArrayVar(&f.logsource, "logsource", nil, sources.LogsourceUsage)
	cmd.Flags().StringVar(&f.db, "db", "", "also record into this database (made if it is not there; what it has stays)")
	cmd.Flags().BoolVar(&f.events, "events", false, "print every event, not only the matches")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print one JSON object for each match (with --events: each event)")
	cmd.Flags().BoolVar(&f.failOnMatch, "fail-on-match", false, "exit with 1 if a signal fires")
	cmd.Flags().BoolVar(&f.stats, "stats", false, "print to standard error what each signal did and cost (with --json: one JSON object a signal)")
	cmd.Flags().BoolVar(&f.plain, "disable-signals-trie", false, "judge by plain comparisons: the same matches at a higher cost, for comparison")
	return cmd
}

// load reads the signals that are asked for.
func (f *replayFlags) load(cmd *cobra.Command) (*daemon.Signals, error) {
	from := signalSource{signals: f.signals, lists: f.lists, keepGoing: f.keepGoing}
	if f.signals == "" { // those of the host, as it has them
		from.overrides = pathsOf(cmd).Overrides
	}
	all, err := from.load(cmd)
	if err == nil {
		warnMissing(cmd, all)
	}
	return all, err
}

// check sees that the logs are there, and reads what is said of them.
func (f *replayFlags) check(files []string) (err error) {
	if f.logs, err = parseLogsource(f.logsource); err != nil {
		return err
	}
	for _, file := range files {
		if path := sources.Path(file); path != "-" {
			if _, err := os.Stat(path); err != nil {
				return err
			}
		}
	}
	return nil
}

func replay(cmd *cobra.Command, f replayFlags, files []string) (err error) {
	all, err := f.load(cmd)
	if err != nil {
		return err
	}
	program := all.Program
	ctx := cmd.Context()
	out := bufio.NewWriter(cmd.OutOrStdout())
	defer out.Flush()
	sinks := []recorder.Sink{&forward.Text{W: out, Definitions: program.Definitions(), Events: f.events}}
	if f.asJSON {
		sinks[0] = forward.New(forward.Options{W: out, Definitions: program.Definitions(), TypeName: audit.TypeName, Events: f.events})
	}
	var lost lossSum
	var far progress
	sinks = append(sinks, &lost, &far)
	ids := &event.IDs{}
	if err := f.check(files); err != nil { // before anything is made or printed
		return err
	}
	var db *monitordb.DB
	if f.db != "" {
		var openErr error
		db, openErr = openDB(ctx, f.db, all, monitordb.Options{Refuse: true})
		if openErr != nil {
			return openErr
		}
		defer func() { err = errors.Join(err, db.Close()) }()
		ids = db.IDs()
		sinks = append(sinks, db)
	}
	var total recorder.Stats
	did := make([]engine.SignalStatistics, program.Signals())
	for _, file := range files {
		stop := far.show(cmd.OutOrStdout(), cmd.ErrOrStderr(), file)
		stats, err := replayLog(ctx, logRun{name: file, format: f.format, logsource: f.logs, stdin: cmd.InOrStdin(), allOwn: f.asJSON && f.events,
			program: program, matcher: engine.MatcherOptions{DisableSignalsTrie: f.plain}, did: did, ids: ids, sinks: sinks})
		stop()
		if err != nil {
			return err
		}
		total = addStats(total, stats)
	}
	if db != nil {
		if err := db.AddSignalFigures(ctx, daemon.Figures(make([]engine.SignalStatistics, len(did)), did)); err != nil {
			return err
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "seismo: %d records (%d malformed), %d events, %d matches on %d events\n",
		total.Source.Received, total.Source.Malformed, total.Assembled, total.Tags, total.Tagged)
	lost.print(cmd.ErrOrStderr())
	if f.stats {
		if err := writeSignalStats(cmd.ErrOrStderr(), program, did, f.asJSON); err != nil {
			return err
		}
	}
	if f.failOnMatch && total.Tags > 0 {
		return errFindings
	}
	return nil
}

// replayLog runs one log through the loop. That nothing of it could be read is an error.
func replayLog(ctx context.Context, l logRun) (recorder.Stats, error) {
	source, err := l.open()
	if err != nil {
		return recorder.Stats{}, err
	}
	stats, err := l.through(ctx, source)
	if err == nil && stats.Source.Received > 0 && stats.Source.Parsed == 0 {
		err = wrongFormat(l.name, l.formatOf(source), stats.Source.Received)
	}
	return stats, err
}

// runLog runs one log through the loop.
func runLog(ctx context.Context, l logRun) (recorder.Stats, error) {
	source, err := l.open()
	if err != nil {
		return recorder.Stats{}, err
	}
	return l.through(ctx, source)
}

// through runs what source has through the loop, and closes it.
func (l *logRun) through(ctx context.Context, source recorder.Source) (recorder.Stats, error) {
	defer source.Close()
	r, err := recorder.New(recorder.Config{Source: source, Table: process.NewTable(process.Options{MaxProcesses: replayProcesses}), IDs: l.ids,
		Program: l.program, Matcher: l.matcher, Sinks: l.sinks, BatchSize: replayBatch})
	if err != nil {
		return recorder.Stats{}, err
	}
	if err := r.Run(ctx); err != nil {
		return r.Stats(), fmt.Errorf("replay %s: %w", l.name, err)
	}
	r.Ask(func(m *engine.Matcher) {
		for i, s := range m.Statistics() {
			if l.did != nil {
				addStatistics(&l.did[i], s)
			}
		}
	})
	return r.Stats(), ctx.Err()
}

func addStats(a, b recorder.Stats) recorder.Stats {
	a.Source.Received += b.Source.Received
	a.Source.Malformed += b.Source.Malformed
	a.Assembled += b.Assembled
	a.Tags += b.Tags
	a.Tagged += b.Tagged
	return a
}

// parseLogsource reads the values of --logsource.
func parseLogsource(values []string) (*event.Logsource, error) {
	logs, err := sources.ParseLogsource(values)
	if err != nil {
		return nil, fail(exitUsage, "--%v", err)
	}
	return logs, nil
}

// formatUsage says what --format takes.
func formatUsage() string {
	list := ""
	for i, f := range sources.Formats() {
		if i > 0 {
			list += "; "
		}
		list += f.Name + " (" + f.Doc + ")"
	}
	return "format of the logs: " + list + "; default: what their first bytes tell"
}
