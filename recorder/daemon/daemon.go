// SPDX-License-Identifier: Apache-2.0

// Package daemon is the life around the loop: it takes its folders for
// itself, puts right what an earlier recorder left behind, opens database and
// kernel, runs the loop until it is told to stop, and leaves the kernel as it
// found it.
package daemon

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"seismo/engine"
	"seismo/internal/config"
	"seismo/internal/event"
	"seismo/internal/process"
	"seismo/recorder"
	"seismo/recorder/monitordb"
	"seismo/sources/audit"
)

// Options say how a recorder lives.
type Options struct {
	Paths  config.Paths // folders that are not there are made with mode 0700
	Config config.Config
	// Load reads the signals: at the start, and again whenever one of Files has
	// changed. Files are files, and folders with all that is in them; some may not be
	// there yet.
	Load     func() (*Signals, error)
	Files    []string
	Version  string
	Log      zerolog.Logger
	Watch    recorder.Sink // beside the database; nil: none
	Duration time.Duration // stop by itself after this time; 0: never
}

// Run records until ctx is done. It returns nil after a regular end. Errors wrap
// [ErrRunning] where another recorder holds the folders, and those of
// [audit.OpenKernel].
func Run(ctx context.Context, o Options) (err error) {
	gc := newCollector()
	_, _ = releaseText() // what follows takes fewer pages then
	if o.Duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.Duration)
		defer cancel()
	}
	l := &life{Options: o, gc: gc, warned: map[string]bool{}}
	if err := setTimerSlack(); err != nil {
		o.Log.Debug().Err(err).Msg("the recorder is woken more often than it need be")
	}
	l.reloads.loaded = stamp(o.Files) // what changes from here on is loaded again
	if l.signals, err = o.Load(); err != nil {
		return err
	}
	if err := audit.CheckPrivilege(); err != nil && !onlyReads(&o) {
		return err
	}
	for _, dir := range o.Paths.Folders() {
		if err := ownFolder(dir); err != nil {
			return err
		}
	}
	unlock, err := lock(o.Paths.Lock)
	if err != nil {
		return err
	}
	defer unlock()
	undo := o.Paths.Undo
	if err := undoOthers(undoPlace, undo, o.Log); err != nil {
		return err
	}
	defer func() {
		// Whatever ends this function, a panic included, the kernel gets its
		// settings back; after a regular end there is nothing left to do.
		undoErr := undoLeftOver(undo, o.Log)
		if undoErr == nil {
			forgetPlace(undoPlace, undo)
		}
		err = errors.Join(err, undoErr)
	}()

	db, err := monitordb.Open(o.Paths.Database, monitordb.Options{MatchesPerProcess: o.Config.RecordSignalMatches})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	l.db = db
	return l.record(ctx)
}

// life is one run of a recorder.
type life struct {
	Options
	db     *monitordb.DB
	rec    *recorder.Recorder
	table  *process.Table
	source recorder.Source
	urgent urgency
	gc     *collector
	hashes *hashes // nil: programs are not hashed

	beat <-chan struct{} // each second, see pulse

	// What follows belongs to the goroutine of keep.
	signals    *Signals // in force
	reloads    reloader
	counted    []engine.SignalStatistics // that the database has
	pauses     []engine.Suspension       // that it does not have yet
	warned     map[string]bool           // what was said is not watched
	collecting collecting
	saved      [sha256.Size]byte // of the memory that was written last
	survey     survey
}

func (l *life) record(ctx context.Context) error {
	// A start is not broken off in the middle: one that is told to stop meanwhile
	// ends as every other does, with nothing recorded.
	start := context.WithoutCancel(ctx)
	if aside := l.db.SetAside(); aside != "" {
		l.Log.Warn().Str("file", aside).Msg("the database could not be used and was set aside; a new one is begun")
	}
	if err := l.db.SetSignals(start, l.signals.Loaded()); err != nil {
		return err
	}
	last := l.db.LastSeen()
	host := thisHost()
	l.warn(l.signals)
	l.startHashes()
	defer l.stopHashes()
	position, err := l.db.Position()
	if err != nil {
		return err
	}
	position.Killed = !last.Clean && position.Serial != 0 && position.Boot == host.boot
	src, counts, err := openSource(l, position)
	if err != nil {
		return err
	}
	l.source = src
	known := l.recall(start, host.boot) // events wait in the socket meanwhile
	if err := l.db.NoteHost(start, monitordb.Host{Time: time.Now().UnixNano(), MachineID: host.machineID, Name: host.name,
		Platform: runtime.GOOS, Kernel: host.kernel, TimeZone: host.zone, Version: l.Version, BootID: host.boot, Program: fmt.Sprintf("%x", l.signals.Program.Digest())}); err != nil {
		return errors.Join(err, src.Close())
	}
	l.table = process.NewTable(process.Options{Host: host.machineID, Boot: host.boot, Live: true, ProcFS: os.DirFS("/proc"),
		Users: process.NewUsers(os.DirFS("/etc")), Expiry: l.Config.ProcessExpiration, Stored: func(pid int32) *event.Process { return known.running[pid] }, Hashes: l.knownHashes()})
	sinks := []recorder.Sink{l.db, newLossLog(l.Log, time.Now)}
	l.show()
	if l.Watch != nil {
		sinks = append(sinks, &watch{to: l.Watch, log: l.Log})
	}
	beside, err := l.newRecorder(start, sinks)
	if err != nil {
		return errors.Join(err, src.Close(), closeAll(beside))
	}
	// The rules are in force and events wait in the socket, so no process can
	// begin unseen between this look at /proc and the first read.
	found := event.NewBatch(256)
	found.Platform = "linux"
	if !counts {
		found.Losses = append(found.Losses, notSeen(last)...)
	} // else the source counts what was missed
	n, err := l.takeUp(start, known, last, found)
	if err != nil {
		return errors.Join(err, src.Close(), closeAll(beside))
	}
	if _, err := releaseText(); err != nil {
		l.Log.Debug().Err(err).Msg("pages that only the start needs stay in memory")
	}
	l.Log.Info().Str("database", l.Paths.Database).Int("signals", l.signals.Program.Signals()).Int("processes", n).Msg("recording")
	return l.loop(ctx)
}

// newRecorder makes l.rec of the source, those beside it, which it opens and returns, and
// sinks.
func (l *life) newRecorder(ctx context.Context, sinks []recorder.Sink) (beside []recorder.Beside, err error) {
	beside, kinds, seen := l.besides()
	l.collecting.beside = kinds
	l.noteCollection(ctx, becauseStart)
	beating := newPulse(l.source)
	l.beat = beating.beat
	l.rec, err = recorder.New(recorder.Config{Source: beating, Beside: beside, Patience: l.Config.EventQueueExpiry, Seen: seen, Table: l.table, IDs: l.db.IDs(), Program: l.signals.Program, Sinks: sinks,
		Matcher: engine.MatcherOptions{DisableSignalsTrie: l.Config.DisableSignalsTrie,
			Live: l.Config.SignalWorkLimit > 0, BudgetPerEvent: uint64(l.Config.SignalWorkLimit)},
		BatchSize: l.Config.NewEventLimit, BatchDelay: l.Config.BatchWriteDelay, Urgent: l.urgent.urgent, Live: true})
	return beside, err
}

// takeUp has the processes that run stored with found, the ends of those that no longer
// do, and what signals remember of them ready. It returns how many run.
func (l *life) takeUp(ctx context.Context, known recalled, last monitordb.LastSeen, found *event.Batch) (int, error) {
	if err := l.endEarlier(ctx, known.earlier, last); err != nil {
		return 0, err
	}
	n, err := l.table.Bootstrap(found)
	if err != nil {
		return 0, err
	}
	l.table.Recall(found, slices.Collect(maps.Values(known.running)))
	found.Losses = append(found.Losses, known.losses...)
	l.remember(&known, l.table.Living())
	if err := l.rec.Inject(ctx, found); err != nil {
		return 0, err
	}
	return n, l.noteSurvey(ctx, true)
}

// notSeen returns the loss of the time since a recorder wrote last.
func notSeen(last monitordb.LastSeen) []event.Loss {
	if last.Time == 0 {
		return nil
	}
	why := "the recorder before was killed"
	if last.Clean {
		why = "no recorder was running"
	}
	return []event.Loss{{From: last.Time, To: time.Now().UnixNano(), Reason: event.LossNotSeen, Count: 1, Unit: "times", Detail: why}}
}

// loop runs the recorder; beside it figures and memory are written now and then,
// and signals that have changed are loaded.
func (l *life) loop(ctx context.Context) error {
	keepCtx, stopKeeping := context.WithCancel(context.WithoutCancel(ctx))
	kept := make(chan struct{})
	go func() {
		defer close(kept)
		defer func() {
			if p := recover(); p != nil { // they are not worth the recording
				l.Log.Error().Msgf("figures are no longer written, nor signals loaded: %v\n%s", p, debug.Stack())
			}
		}()
		l.keep(keepCtx)
	}()
	err := l.rec.Run(ctx)
	stopKeeping()
	<-kept
	l.tellSource()
	s := l.rec.Stats()
	end := context.WithoutCancel(ctx)
	l.rec.Ask(func(m *engine.Matcher) { err = errors.Join(err, l.writeFigures(end, m)) })
	err = errors.Join(err, l.writeStats(end), l.saveState(l.Paths.State), l.noteSurvey(end, true))
	l.Log.Info().Uint64("records", s.Source.Received).Uint64("events", s.Assembled).Uint64("stored", s.Stored).
		Uint64("matches", s.Tags).Uint64("kernel_lost", s.Source.KernelLost).Uint64("dropped", s.Dropped).Msg("stopped")
	return err
}

// How often, in seconds, the figures are written ("seismo status" is at most this
// old) and which signals are suspended, and what single signals cost and remember.
const (
	statsEvery = 5
	stateEvery = 60
)

// keep does each second what is due.
func (l *life) keep(ctx context.Context) {
	late := time.NewTimer(lateAfter)
	defer late.Stop()
	said := func(err error, what string) {
		if err != nil && ctx.Err() == nil {
			l.Log.Error().Err(err).Msg(what)
		}
	}
	wide := newWidth(processorTime(), time.Now())
	for n := 0; ; n++ {
		l.gc.follow()
		wide.follow(processorTime(), time.Now())
		if n < 2 || n%statsEvery == 0 { // the first events are to be seen soon
			said(l.writeStats(ctx), "the figures could not be written")
		}
		if n == 1 || n%stateEvery == stateEvery-1 {
			var err error
			l.rec.Ask(func(m *engine.Matcher) { err = l.writeFigures(ctx, m) })
			said(err, "the figures of the signals could not be written")
		} else if n%statsEvery == 0 {
			var err error
			l.rec.Ask(func(m *engine.Matcher) { err = l.writePauses(ctx, m) })
			said(err, "that signals were suspended could not be written")
		}
		if n%stateEvery == stateEvery-1 {
			said(l.saveState(l.Paths.State), "after a restart signals will not know what they do now")
			said(l.noteSurvey(ctx, false), "the next start will take longer")
		}
		select {
		case <-ctx.Done():
			return
		case <-l.beat:
		case <-late.C:
		}
		late.Reset(lateAfter)
		l.tellSource()
		if l.reloads.due(l.Files, time.Now()) {
			l.reload(ctx)
		}
		l.noteChanges(ctx)
	}
}
