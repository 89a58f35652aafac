// SPDX-License-Identifier: Apache-2.0

// This file has a recorder know what the one before it knew: what still runs, with
// its ancestors, and what signals remember, also of the events that were stored
// after process_state.bin was written, by a recorder that was killed.

package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"seismo/engine"
	"seismo/internal/event"
	"seismo/recorder/monitordb"
)

// recalled is what the recorders before knew.
type recalled struct {
	running map[int32]*event.Process // of this boot, by pid: the latest image, if its end is not stored
	matcher *engine.Matcher          // that has the memory
	losses  []event.Loss             // of what could not be recalled
}

// Bounds of what is judged once more at a start. A state is a minute old at most:
// that is 120,000 events at 2,000 a second.
const (
	maxAgain     = 1_000_000        // events
	maxAgainTime = 10 * time.Second // events of the kernel wait in its queue meanwhile
	sayAgain     = time.Second      // how often a recall that takes long is told of
	// lookBack is where it begins if nothing says what was judged: before the last
	// write of the recorder that had no state.
	lookBack = 10 * time.Minute
)

// recall reads what earlier recorders wrote. What can not be read is lost and told,
// it does not stop a recorder.
func (l *life) recall(ctx context.Context, boot string) recalled {
	r := recalled{matcher: l.signals.Program.NewMatcherWith(engine.MatcherOptions{DisableSignalsTrie: l.Config.DisableSignalsTrie})}
	r.losses = l.loadState(l.Paths.State, r.matcher)
	reader, err := monitordb.OpenReader(l.Paths.Database)
	if err == nil {
		r.running, err = l.running(ctx, reader, boot)
		lost, again := l.judgeAgain(ctx, reader, r.matcher)
		r.losses = append(r.losses, lost...)
		err = errors.Join(err, again, reader.Close())
	}
	if err != nil {
		l.Log.Warn().Err(err).Msg("not all that was recorded before is known")
		r.losses = append(r.losses, forgotten(err.Error()))
	}
	return r
}

// running returns the images of this boot that may still run, by pid.
func (l *life) running(ctx context.Context, reader *monitordb.Reader, boot string) (map[int32]*event.Process, error) {
	if boot == "" {
		return nil, nil // nothing tells that it is still the same
	}
	images, err := reader.Running(ctx, boot)
	if err != nil {
		return nil, err
	}
	byPID := make(map[int32]*event.Process, len(images))
	for _, p := range images {
		byPID[p.PID] = p
	}
	return byPID, nil
}

// judgeAgain has m judge the stored events that are not in its memory, the oldest
// first. Nothing of what fires is stored: it was when they happened.
func (l *life) judgeAgain(ctx context.Context, reader *monitordb.Reader, m *engine.Matcher) (lost []event.Loss, err error) {
	q := monitordb.EventQuery{From: m.Through() + 1, Kinds: l.signals.Program.Demand().Kinds}
	if m.Through() == 0 {
		q.From = event.ID(max(l.db.LastSeen().Time-int64(lookBack), 0) / 1000)
	}
	began, said, n := time.Now(), time.Now(), 0
	for b, err := range reader.Events(ctx, q) {
		if err != nil {
			return lost, fmt.Errorf("judge again what was stored after the memory of signals: %w", err)
		}
		if n >= maxAgain || time.Since(began) > maxAgainTime {
			detail := fmt.Sprintf("after a kill only the first %d events that were newer than the memory of signals were judged again", n)
			l.Log.Warn().Msg(detail)
			return append(lost, event.Loss{From: b.Events()[0].Time, To: max(l.db.LastSeen().Time, b.Events()[0].Time),
				Reason: event.LossState, Count: 1, Unit: "times", Detail: detail}), nil
		}
		n += b.Len()
		m.Match(b)
		lost = append(lost, b.Losses...)
		if time.Since(said) > sayAgain {
			said = time.Now()
			l.Log.Info().Int("events", n).Msg("events of the recorder that was killed are judged again, for what signals remember")
		}
	}
	return lost, nil
}

// remember gives the recorder what r recalls of the processes in living. The others
// ended while nobody watched.
func (l *life) remember(r *recalled, living map[event.ProcessKey]bool) {
	r.matcher.Forget(func(key event.ProcessKey) bool { return living[key] })
	l.rec.Ask(func(m *engine.Matcher) { m.TakeOver(r.matcher) })
	r.running, r.matcher = nil, nil
}
