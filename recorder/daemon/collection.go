// SPDX-License-Identifier: Apache-2.0

// This file notes what is collected, from which moment on: a row at the start, and one
// at each change of the way in, the rules or the signals. A question about the past can
// then be answered by "not collected from A to B".

package daemon

import (
	"context"
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"
	"time"

	"seismo/internal/event"
	"seismo/recorder/monitordb"
	"seismo/sources/audit"
)

// Why a row of what is collected was begun.
const (
	becauseStart   = "start"
	becauseSignals = "signals"
	becauseRules   = "rules"
	becauseSource  = "source"
)

// platform is that of the events that are recorded: those of Linux audit.
const platform = "linux"

// planned is a source that tells what it asks for.
type planned interface {
	State() audit.State
	Plan() audit.Plan
}

// collecting is what was noted last.
type collecting struct {
	beside  event.KindSet // kinds that the sources beside the main one bring
	noted   monitordb.Collection
	changes uint64    // of the state that noted is of
	looked  time.Time // when rules of others were read
	retry   bool      // it could not be written
}

// lookAtRules is how often the rules in force are read where they are not ours.
const lookAtRules = 30 * time.Second

// noteChanges notes what is collected if the source has changed it since.
func (l *life) noteChanges(ctx context.Context) {
	src, ok := l.source.(planned)
	if !ok {
		return
	}
	c, s := &l.collecting, src.State()
	others := l.ofOthers(s) && time.Since(c.looked) >= lookAtRules
	if s.Changes == c.changes && !others && !c.retry {
		return
	}
	reason := becauseRules
	if string(s.Way) != c.noted.Source {
		reason = becauseSource
	}
	l.noteCollection(ctx, reason)
}

// noteCollection notes what is collected now, unless it is what was noted last.
func (l *life) noteCollection(ctx context.Context, reason string) {
	src, ok := l.source.(planned)
	if !ok {
		return
	}
	c, s := &l.collecting, src.State()
	p, demand := l.plan(src, s), l.signals.Program.DemandOn(platform)
	p.Sees.Kinds = l.withSecurity(p.Sees.Kinds, s, demand)
	now := collectionOf(s, p, demand, c.beside, l.Config.WatchSignalPaths)
	if tells, ok := l.source.(interface{ ProcEvents() error }); ok {
		if err := tells.ProcEvents(); err != nil {
			now.Unmet = append(now.Unmet, "forks and the ends of processes are not seen as they happen: "+err.Error())
		}
	}
	c.changes = s.Changes
	now.Start, now.Reason = c.noted.Start, c.noted.Reason
	if reflect.DeepEqual(now, c.noted) {
		return
	}
	now.Start, now.Reason = time.Now().UnixNano(), reason
	if err := l.db.NoteCollection(ctx, now); err != nil {
		if ctx.Err() == nil {
			l.Log.Error().Err(err).Msg("what is collected from now on is not noted")
		}
		c.retry = true
		return
	}
	c.noted, c.retry = now, false
	l.Log.Info().Str("source", now.Source).Str("because", reason).Int("rules", len(now.Rules)).Int("calls", len(now.Calls)).
		Int("folders", len(now.Paths)).Int("unmet", len(now.Unmet)).Msg("what is collected has changed")
}

// withSecurity returns kinds, those that a plan sees, with or without that of security: its
// records need no rule, so the setting and the signals alone decide.
func (l *life) withSecurity(kinds event.KindSet, s audit.State, d event.Demand) event.KindSet {
	security := event.SetOf(event.KindSecurity)
	o := audit.DecodeOptions{Demand: d, SecuritySilent: !l.Config.MonitorSecurity}
	switch {
	case !o.KeepsSecurity():
		return kinds &^ security
	case s.Unknown != "": // nothing is known of any kind
		return kinds
	}
	return kinds | security
}

// ofOthers reports whether the rules in force are none of ours: the settings leave them,
// or the configuration is locked. What is planned always has rules.
func (l *life) ofOthers(s audit.State) bool { return l.Config.LeaveRules || len(s.Rules) == 0 }

// plan is what the source asks for; where the rules are those of others, what they come
// to.
func (l *life) plan(src planned, s audit.State) audit.Plan {
	if !l.ofOthers(s) {
		return src.Plan()
	}
	if s.Unknown != "" {
		return audit.Plan{}
	}
	l.collecting.looked = time.Now()
	f, err := audit.ReadInForce()
	if err != nil {
		return audit.Plan{Unmet: []audit.Unmet{{What: "the rules in force", By: []string{"the recorder"}, Reason: err.Error()}}}
	}
	p := audit.Plan{Sees: f.Sees, InForce: []string{}}
	for _, r := range f.Rules {
		p.InForce = append(p.InForce, r.Text)
	}
	return p
}

// collectionOf says what s and p collect, with the kinds of other sources beside, and
// what of d is not collected.
func collectionOf(s audit.State, p audit.Plan, d event.Demand, beside event.KindSet, watchPaths bool) monitordb.Collection {
	c := monitordb.Collection{Source: string(s.Way), Paths: p.Sees.Folders, Calls: p.Sees.Calls, Own: d.Own, Rules: s.Rules}
	if p.InForce != nil {
		c.Rules = p.InForce
	}
	if d.AllOwn {
		c.Own = []string{"*"}
	}
	kinds := p.Sees.Kinds | beside
	for _, k := range event.Kinds() {
		switch {
		case kinds.Has(k):
			c.Kinds = append(c.Kinds, k.String())
			if k == event.KindSyscall && p.Sees.FailedOnly && d.Kinds.Has(k) && d.Kinds != event.AllKinds && len(d.Calls) == 0 {
				c.Unmet = append(c.Unmet, "loaded signals ask for events of kind syscall, of which only calls that failed are recorded")
			}
		case s.Unknown != "": // it may be recorded, or not
		case d.Kinds.Has(k) && d.Kinds != event.AllKinds:
			c.Unmet = append(c.Unmet, fmt.Sprintf("loaded signals ask for events of kind %s, which are not recorded", k))
		}
	}
	for _, u := range p.Unmet {
		c.Unmet = append(c.Unmet, u.String())
	}
	if s.Unknown != "" {
		c.Unmet = append(c.Unmet, s.Unknown)
	}
	c.Unmet = append(c.Unmet, d.Unmet...)
	for _, missing := range notSeenCalls(p, d.Calls) {
		c.Unmet = append(c.Unmet, "loaded signals ask for system call "+missing+": no rule in force sees it")
	}
	if n := unwatched(p.Sees.Folders, d.Paths); n > 0 && !watchPaths && s.Unknown == "" {
		c.Unmet = append(c.Unmet, fmt.Sprintf("loaded signals name %d paths that are not watched, and watchSignalPaths is false", n))
	}
	return c
}

// notSeenCalls are the calls that rules of others do not see.
func notSeenCalls(p audit.Plan, calls []string) (missing []string) {
	if p.InForce == nil {
		return nil // what could not be planned is said with the reason
	}
	for _, c := range calls {
		if !slices.Contains(p.Sees.Calls, c) {
			missing = append(missing, c)
		}
	}
	return missing
}

// unwatched counts the absolute paths that lie in none of the folders.
func unwatched(folders, paths []string) (n int) {
	for _, p := range paths {
		clean := path.Clean(p)
		if strings.HasPrefix(p, "/") && !slices.ContainsFunc(folders, func(dir string) bool {
			return clean == dir || dir == "/" || strings.HasPrefix(clean, dir+"/")
		}) {
			n++
		}
	}
	return n
}
