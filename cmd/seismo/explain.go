// SPDX-License-Identifier: Apache-2.0

// This file is the verb explain: what is asked for, and the run over a log. Stored
// events are explained in explain_db.go, and explain_print.go writes the answer.

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"seismo/engine"
	"seismo/internal/event"
	"seismo/internal/process"
	"seismo/recorder/forward"
	"seismo/recorder/monitordb"
	"seismo/sources"
)

type explainFlags struct {
	signal, event  string
	db, format     string
	signals, lists string
	logsource      []string
	top            int
	all, asJSON    bool
	keepGoing      bool

	program *engine.Program
	id      event.ID // of event; 0 if none is given
	one     bool     // signal is given
	wanted  uint32   // its index
}

func newExplain() *cobra.Command {
	var f explainFlags
	cmd := &cobra.Command{
		Use:   "explain [LOG]",
		Short: "Say why a signal did or did not fire",
		Long: `Show the expression of a signal as a tree, on one event: what each part came to and
which value it saw. The event is one of LOG, a recorded log ("-" is standard input),
which is replayed up to it, or a stored one (--db).

With --signal alone, LOG is replayed as a whole: the first match is explained, or,
where there is none, the events that came nearest are listed and the nearest is
explained. With --event alone, the signals that fire on it are explained, and those
that came nearest are listed. Nearest is the fewest terms unmet, then the greatest
share of terms met.

Each part is marked:
  [true]     it is true
  [false]    it is false
  [skipped]  not evaluated: a part beside it has decided (--all evaluates it)
  [unknown]  it depends on something that was not recorded

Of a stored event it is not known what earlier events of its process met, but for
what a stored match tells, nor those fields of records that were not stored.`,
		Example: `  seismo explain --signal "Cron persistence" audit.log
  seismo explain --signals my-signal.yml --signal "My signal" --event 1795349730224000 audit.log
  seismo explain --event 1795349730224000 --db monitor.db`,
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	cmd.Flags().StringVar(&f.signal, "signal", "", "signal to explain: its id, the beginning of its id, or its name")
	cmd.Flags().StringVar(&f.event, "event", "", "event to explain: its id, as replay --json and the views of monitor.db have it")
	cmd.Flags().StringVar(&f.db, "db", "", "explain an event stored in this database (without LOG; default: HOME/monitor.db)")
	cmd.Flags().StringVar(&f.signals, "signals", "", signalsUsage)
	cmd.Flags().StringVar(&f.lists, "lists", "", listsUsage)
	cmd.Flags().BoolVar(&f.keepGoing, keepGoingFlag, false, keepGoingUsage)
	cmd.Flags().StringVar(&f.format, "format", "", formatUsage())
	cmd.Flags().StringArrayVar(&f.logsource, "logsource", nil, sources.LogsourceUsage)
	cmd.Flags().IntVar(&f.top, "top", 5, "near misses to list")
	cmd.Flags().BoolVar(&f.all, "all", false, "evaluate every part, also where one beside it has decided")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print one JSON object")
	return cmd
}

func (f *explainFlags) run(cmd *cobra.Command, args []string) error {
	if err := f.check(cmd, args); err != nil {
		return err
	}
	a := answer{f: f, lines: map[event.ID]string{}, near: engine.NearMisses{Top: f.top}}
	var err error
	if len(args) == 1 {
		err = f.replay(cmd, args[0], &a)
	} else {
		err = f.ask(cmd, &a)
	}
	if err != nil {
		return err
	}
	return a.write(cmd.OutOrStdout())
}

// check reads the flags and finds the signal.
func (f *explainFlags) check(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) > 1:
		return fail(exitUsage, "explain takes one log; \"seismo explain --help\" shows how")
	case len(args) == 1 && f.db != "":
		return fail(exitUsage, "explain takes a log or --db, not both")
	case f.signal == "" && f.event == "":
		return fail(exitUsage, "explain needs --signal, --event or both; \"seismo explain --help\" shows how")
	case len(args) == 0 && f.event == "":
		return fail(exitUsage, "explain needs a log, or --event for a stored event; \"seismo explain --help\" shows how")
	case f.top < 0:
		return fail(exitUsage, "--top %d: a number is not negative", f.top)
	}
	if f.event != "" {
		n, err := strconv.ParseInt(f.event, 10, 64)
		if err != nil || n < 1 {
			return fail(exitUsage, "--event %.40q: the id of an event is a number, as in 1795349730224000", f.event)
		}
		f.id = event.ID(n)
	}
	from := signalSource{signals: f.signals, lists: f.lists, keepGoing: f.keepGoing}
	if f.signals == "" { // those of the host, as it has them
		from.overrides = pathsOf(cmd).Overrides
	}
	all, err := from.load(cmd)
	if err != nil {
		return err
	}
	warnMissing(cmd, all)
	f.program = all.Program
	if f.signal != "" {
		f.one = true
		f.wanted, err = findSignal(f.program, f.signal, all.Source)
	}
	return err
}

// findSignal returns the index of the signal with an id, the only one whose id
// begins so, or the only one with that name.
func findSignal(p *engine.Program, what, from string) (uint32, error) {
	what = strings.TrimSpace(what)
	var named, begun []uint32
	for i, d := range p.Definitions() {
		switch {
		case strings.EqualFold(d.ID, what):
			return uint32(i), nil
		case strings.EqualFold(d.Name, what), d.RuleName != "" && d.RuleName == what:
			named = append(named, uint32(i))
		case len(what) >= 4 && len(what) <= len(d.ID) && strings.EqualFold(d.ID[:len(what)], what):
			begun = append(begun, uint32(i))
		}
	}
	if len(named) == 0 {
		named = begun
	}
	switch len(named) {
	case 0:
		return 0, fail(exitUsage, "no signal is called %q in %s; \"seismo signals list\" lists them", what, from)
	case 1:
		return named[0], nil
	}
	return 0, fail(exitUsage, "%d signals are called %q in %s; use the id", len(named), what, from)
}

// replay runs the log through a matcher and explains on the way, while the matcher
// remembers just what came before.
func (f *explainFlags) replay(cmd *cobra.Command, name string, a *answer) error {
	if path := sources.Path(name); path != "-" {
		if _, err := os.Stat(path); err != nil {
			return err
		}
	}
	logs, err := parseLogsource(f.logsource)
	if err != nil {
		return err
	}
	run := logRun{name: name, format: f.format, logsource: logs, stdin: cmd.InOrStdin(), program: f.program}
	source, err := run.open()
	if err != nil {
		return err
	}
	defer source.Close()
	ctx := cmd.Context()
	ids, table := &event.IDs{}, process.NewTable(process.Options{MaxProcesses: replayProcesses})
	matcher, b, expired := f.program.NewMatcher(), event.NewBatch(replayBatch), new(event.Batch)
	for err == nil && ctx.Err() == nil {
		b.Reset()
		if err = source.Read(ctx, b); err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("replay %s: %w", name, err)
		}
		table.Apply(b)
		ids.Assign(b)
		matcher.MatchExplaining(b, func(x *engine.Explainer) { a.look(x, engine.ExplainOptions{All: f.all}) })
		if f.id != 0 && a.found {
			return nil
		}
		if n := b.Len(); n > 0 {
			expired.Reset()
			table.Expire(b.Events()[n-1].Time, expired)
			matcher.Match(expired)
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if s := source.Stats(); s.Received > 0 && s.Parsed == 0 {
		return wrongFormat(name, run.formatOf(source), s.Received)
	}
	if f.id != 0 {
		return fail(exitUsage, "%s has no event %d; \"seismo replay --json --events\" lists their ids", name, f.id)
	}
	return nil
}

// answer is what was found.
type answer struct {
	f      *explainFlags
	found  bool // the event that is asked for
	events int  // that were judged
	fired  int  // of those, the events that the signal fired on
	traces []*engine.Trace
	lines  map[event.ID]string // of the events that traces and near are about
	near   engine.NearMisses
	stored []monitordb.StoredMatch // of the event, where it comes from a database
}

// look explains what is asked for on the event at hand.
func (a *answer) look(x *engine.Explainer, o engine.ExplainOptions) {
	e := x.Event()
	a.events++
	switch {
	case a.f.id == 0:
		a.lookForMatch(x, o)
	case a.f.id == e.ID && a.f.one:
		a.found = true
		a.keep(e, x.Explain(a.f.wanted, o))
	case a.f.id == e.ID:
		a.found = true
		a.lines[e.ID] = forward.Line(e)
		for i := range uint32(a.f.program.Signals()) {
			a.lookAt(x, i, o)
		}
	}
}

// lookAt keeps signal i if it fires on the event at hand, or comes near.
func (a *answer) lookAt(x *engine.Explainer, i uint32, o engine.ExplainOptions) {
	if a.near.Consider(x, i, o) {
		return
	}
	if near, ok := x.Nearness(i, o); ok && near.Unmet+near.Unknown == 0 {
		if t := x.Explain(i, o); t.Fires == engine.True {
			a.keep(x.Event(), t)
		}
	}
}

// lookForMatch keeps the first match of the signal and, until there is one, what
// came nearest.
func (a *answer) lookForMatch(x *engine.Explainer, o engine.ExplainOptions) {
	near, ok := x.Nearness(a.f.wanted, o)
	if !ok {
		return
	}
	if near.Unmet == 0 {
		if t := x.Explain(a.f.wanted, o); t.Fires == engine.True {
			if a.fired++; a.fired == 1 {
				a.keep(x.Event(), t)
			}
			return
		}
	}
	if a.fired == 0 && a.near.Consider(x, a.f.wanted, o) {
		a.lines[x.Event().ID] = forward.Line(x.Event())
		a.forgetLines()
	}
}

func (a *answer) keep(e *event.Event, t *engine.Trace) {
	a.traces = append(a.traces, t)
	a.lines[e.ID] = forward.Line(e)
}

// forgetLines drops the lines of events that are no near miss any more.
func (a *answer) forgetLines() {
	if len(a.lines) <= 4*(a.f.top+1) {
		return
	}
	kept := map[event.ID]string{}
	for _, n := range a.near.List() {
		kept[n.Event] = a.lines[n.Event]
	}
	a.lines = kept
}

// write prints the answer.
func (a *answer) write(w io.Writer) error {
	if a.f.asJSON {
		return a.writeJSON(w)
	}
	return a.writeText(w)
}
