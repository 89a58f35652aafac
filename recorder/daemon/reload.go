// SPDX-License-Identifier: Apache-2.0

// This file loads the signals again when their files have changed, and puts them in
// force while the recorder runs.

package daemon

import (
	"context"
	"crypto/sha256"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"seismo/engine"
	"seismo/internal/event"
	"seismo/signals"
)

// patience is how many looks a file that changes at each of them is left alone: who
// writes it may not be done.
const patience = 10

// retryAfter is how long signals wait that could not be put in force for a reason
// that is not theirs.
const retryAfter = 30 * time.Second

// reloader looks whether the files of the signals have changed.
type reloader struct {
	loaded [sha256.Size]byte // the stamp of the files that were loaded last, well or not
	seen   [sha256.Size]byte // the stamp of the last look
	moving int               // looks in a row that found another stamp
	torn   int               // loads in a row during which files changed
	retry  time.Time         // not zero: try again then
}

// due reports whether the signals, which are read from files, are to be loaded now.
func (r *reloader) due(files []string, now time.Time) bool {
	s := stamp(files)
	still := s == r.seen
	r.seen = s
	if !r.retry.IsZero() && now.After(r.retry) {
		return true
	}
	if s == r.loaded {
		r.moving = 0
		return false
	}
	if r.moving++; !still && r.moving < patience {
		return false
	}
	return true
}

// begin notes that what was seen is being loaded.
func (r *reloader) begin() { r.loaded, r.moving, r.retry = r.seen, 0, time.Time{} }

// whole reports whether what was loaded since begin is one state of the files: they
// look as they did then. Else it is loaded again soon. Files that change during each
// of many loads are taken as they were read.
func (r *reloader) whole(files []string) bool {
	if stamp(files) == r.loaded || r.torn+1 >= patience {
		r.torn = 0
		return true
	}
	r.torn++
	return false
}

// demander is a source that follows what signals need.
type demander interface {
	SetDemand(event.Demand) (warnings []string, err error)
}

// definer is a sink that shows signals by their definitions.
type definer interface {
	SetDefinitions([]signals.Definition)
}

// reload loads the signals and swaps them in. What stands in the way is said in the
// log and in the database; the signals before then stay in force.
func (l *life) reload(ctx context.Context) {
	l.reloads.begin()
	next, err := l.load()
	if ctx.Err() != nil || !l.reloads.whole(l.Files) {
		return // the recorder has ended meanwhile, or a file was being written
	}
	if err != nil {
		l.refuse(ctx, err)
		return
	}
	l.warn(next)
	// Until the swap both programs need what they need.
	l.demand(union(l.signals.Program.DemandOn(platform), next.Program.DemandOn(platform)))
	change := next.change(l.signals)
	err = l.rec.Swap(ctx, next.Program, func(old *engine.Matcher) error {
		if err := l.writeFigures(ctx, old); err != nil {
			return err
		}
		load := next.Loaded()
		load.Change = &change
		if err := l.db.SetSignals(ctx, load); err != nil {
			return err
		}
		l.signals, l.counted = next, nil
		l.show()
		return nil
	})
	if err != nil {
		l.Log.Error().Err(err).Msg("the new signals could not be put in force; those before stay")
		l.demand(l.signals.Program.DemandOn(platform))
		l.reloads.retry = time.Now().Add(retryAfter)
		return
	}
	if !l.demand(next.Program.DemandOn(platform)) {
		l.reloads.retry = time.Now().Add(retryAfter)
	}
	l.noteCollection(ctx, becauseSignals)
	_, _ = releaseText() // of what only loading needs
	l.Log.Info().Str("from", next.Source).Int("signals", next.Program.Signals()).Int("added", change.Added).
		Int("removed", change.Removed).Int("changed", change.Changed).Int("disabled", len(next.Program.Disabled())).Msg("signals loaded")
}

// load is Load; a panic is an error: signals that can not be loaded are no reason
// to have no figures.
func (l *life) load() (s *Signals, err error) {
	defer func() {
		if p := recover(); p != nil {
			s, err = nil, fmt.Errorf("load signals: panic: %v\n%s", p, debug.Stack())
		}
	}()
	return l.Load()
}

// show tells those that show matches which signals are in force.
func (l *life) show() {
	l.urgent.set(l.signals.Program)
	if w, ok := l.Watch.(definer); ok {
		w.SetDefinitions(l.signals.Program.Definitions())
	}
}

// refuse says why signals were not loaded.
func (l *life) refuse(ctx context.Context, cause error) {
	l.Log.Error().Err(cause).Msg("the changed signals can not be loaded; those before stay in force")
	if err := l.db.NoteFailedLoad(ctx, l.signals.Source, cause); err != nil {
		l.Log.Error().Err(err).Msg("that the signals could not be loaded is not noted")
	}
}

// warn says what is missing around s.
func (l *life) warn(s *Signals) {
	for _, m := range s.Missing {
		d := s.Written[m.Signal]
		l.Log.Warn().Str("signal", d.Name).Str("id", d.ID).Msg(m.String())
	}
	for _, o := range s.Program.UnknownOverrides(s.Overrides) {
		l.Log.Warn().Str("id", o.ID).Msg("an override is for a signal that is not loaded")
	}
}

// demand tells the source what is needed, and reports whether it could.
func (l *life) demand(d event.Demand) bool {
	src, ok := l.source.(demander)
	if !ok {
		return true
	}
	warnings, err := src.SetDemand(d)
	for _, w := range warnings {
		if !l.warned[w] && len(l.warned) < maxWarned {
			l.warned[w] = true
			l.Log.Warn().Msg(w)
		}
	}
	if err != nil {
		l.Log.Error().Err(err).Msg("what the signals need is not watched in full")
	}
	return err == nil
}

// maxWarned bounds the sentences on what is not watched that are said, each once.
const maxWarned = 1000

// union returns what both need.
func union(a, b event.Demand) event.Demand {
	both := func(a, b []string) []string {
		all := slices.Concat(a, b)
		slices.Sort(all)
		return slices.Compact(all)
	}
	return event.Demand{Kinds: a.Kinds | b.Kinds, Paths: both(a.Paths, b.Paths), Calls: both(a.Calls, b.Calls),
		Records: both(a.Records, b.Records), Unmet: both(a.Unmet, b.Unmet), Own: both(a.Own, b.Own), AllOwn: a.AllOwn || b.AllOwn}
}
