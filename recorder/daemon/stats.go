// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"fmt"
	"os"
	"time"

	"seismo/engine"
	"seismo/recorder/monitordb"
)

// writeStats writes one row of figures: the two ledgers, what the kernel lost,
// and what the recorder itself costs.
func (l *life) writeStats(ctx context.Context) error {
	s := l.rec.Stats()
	user, system, rss := usage()
	return l.db.WriteStats(ctx, monitordb.Stats{
		Time: time.Now().UnixNano(), Input: "audit", Source: s.Source,
		Assembled: s.Assembled, Stored: s.Stored, Filtered: s.Filtered, Dropped: s.Dropped, InFlight: s.InFlight,
		Tags: s.Tags, RSS: uint64(rss), CPU: user + system, Queue: s.Queue,
		Detail: fmt.Sprintf("pid %d", os.Getpid()),
	})
}

// processorTime returns the processor time that we have used until now.
func processorTime() time.Duration {
	user, system, _ := usage()
	return user + system
}

// writeFigures adds what the signals did and cost since the last call, and tells of
// those that were suspended. m judges with the program that the database knows of:
// nobody swaps it meanwhile.
func (l *life) writeFigures(ctx context.Context, m *engine.Matcher) error {
	now := m.Statistics()
	if l.counted == nil {
		l.counted = make([]engine.SignalStatistics, len(now))
	}
	if err := l.db.AddSignalFigures(ctx, Figures(l.counted, now)); err != nil {
		return err
	}
	l.counted = now
	return l.writePauses(ctx, m)
}

// writePauses tells of the signals that were suspended, or are judged again, since
// the last call. What writeFigures says of m holds here too.
func (l *life) writePauses(ctx context.Context, m *engine.Matcher) error {
	l.pauses = append(l.pauses, m.Suspensions()...)
	changes := make([]monitordb.Suspension, len(l.pauses))
	for i, s := range l.pauses {
		changes[i] = monitordb.Suspension{Signal: int(s.Signal), Begin: s.Begin, Time: s.Time, Work: s.WorkPerEvent,
			Reason: fmt.Sprintf("used %d work units an event; signalWorkLimit is %d", s.WorkPerEvent, l.Config.SignalWorkLimit)}
	}
	if err := l.db.NoteSuspensions(ctx, changes); err != nil {
		return err
	}
	for _, s := range l.pauses {
		d := m.Program().Definitions()[s.Signal]
		if s.Begin {
			l.Log.Warn().Str("signal", d.Name).Str("id", d.ID).Uint64("work_per_event", s.WorkPerEvent).
				Uint64("events", s.Windows*engine.WindowEvents).Msg("the signal costs too much and is suspended")
		} else {
			l.Log.Info().Str("signal", d.Name).Str("id", d.ID).Msg("the signal is judged again")
		}
	}
	l.pauses = l.pauses[:0]
	return nil
}

// Figures returns what each signal did and cost between two counts of one matcher.
func Figures(before, now []engine.SignalStatistics) []monitordb.SignalFigures {
	var figures []monitordb.SignalFigures
	for i := range now {
		b, n := &before[i], &now[i]
		if *b == *n {
			continue
		}
		figures = append(figures, monitordb.SignalFigures{Signal: i, Candidates: n.Candidates - b.Candidates, Skipped: n.Skipped - b.Skipped,
			Evaluations: n.Evaluations - b.Evaluations, Suppressed: n.Suppressed - b.Suppressed, Work: n.Work - b.Work})
	}
	return figures
}
