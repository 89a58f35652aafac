// SPDX-License-Identifier: Apache-2.0

// This file explains an event that is stored in a monitor.db.

package main

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"seismo/engine"
	"seismo/internal/event"
	"seismo/recorder/forward"
	"seismo/recorder/monitordb"
)

// ask explains a stored event.
func (f *explainFlags) ask(cmd *cobra.Command, a *answer) error {
	ctx, path := cmd.Context(), f.db
	if path == "" {
		path = pathsOf(cmd).Database
	}
	r, err := monitordb.OpenReader(path)
	if err != nil {
		return err
	}
	defer r.Close()
	matcher := f.program.NewMatcher()
	b, err := r.Event(ctx, f.id)
	if err != nil {
		return storedError(err)
	}
	if err := learnStored(ctx, r, matcher, b.Events()[0]); err != nil {
		return err
	}
	if a.stored, err = r.Matches(ctx, f.id); err != nil {
		return err
	}
	matcher.MatchExplaining(b, func(x *engine.Explainer) {
		a.found = true
		a.lines[f.id] = forward.Line(x.Event())
		for i, d := range f.program.Definitions() {
			if f.one && uint32(i) != f.wanted {
				continue
			}
			o := engine.ExplainOptions{All: f.all, Known: knownOfStored, Forgotten: true}
			for _, m := range a.stored {
				if strings.EqualFold(m.Signal, d.ID) {
					o.Latches = append(o.Latches, m.Proof...)
				}
			}
			if f.one {
				a.keep(x.Event(), x.Explain(f.wanted, o))
			} else {
				a.lookAt(x, uint32(i), o)
			}
		}
	})
	return nil
}

// storedError says what an event that is not there means for the command.
func storedError(err error) error {
	if errors.Is(err, monitordb.ErrNoEvent) {
		return &failure{exitUsage, err}
	}
	return err
}

// knownOfStored reports whether a stored event tells of a field, or of an own name.
func knownOfStored(e *event.Event, f event.Field, own string) bool {
	if own != "" {
		return monitordb.StoredOwn(e, own)
	}
	return monitordb.Stored(f, e.Kind, e.Op)
}

// maxLearned bounds the ancestors whose late values are looked up.
const maxLearned = 64

// learnStored lets m judge the updates of the process of e and of its ancestors
// that were stored before e: they bring late values, which count for e.
func learnStored(ctx context.Context, r *monitordb.Reader, m *engine.Matcher, e *event.Event) error {
	if e.Process == nil {
		return nil
	}
	n := 0
	for p := range e.Process.Ancestry() {
		if n++; n > maxLearned {
			break
		}
		q := monitordb.EventQuery{To: e.ID - 1, Kinds: event.SetOf(event.KindProcess), Process: p.ID}
		for b, err := range r.Events(ctx, q) {
			if err != nil {
				return err
			}
			b.Keep(func(e *event.Event) bool { return e.Op == event.OpUpdate })
			m.Match(b)
		}
	}
	return nil
}
