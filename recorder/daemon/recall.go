// SPDX-License-Identifier: Apache-2.0

// This file has a recorder know what the one before it knew: what still runs, with
// its ancestors, and what signals remember, also of the events that were stored
// after process_state.bin was written, by a recorder that was killed.

package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"seismo/engine"
	"seismo/internal/event"
	"seismo/recorder/monitordb"
)

// recalled is what the recorders before knew.
type recalled struct {
	running map[int32]*event.Process // of this boot, by pid: the latest image, if its end is not stored
	earlier []*event.Process         // the same of earlier boots: they ended with those
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
		r.running, r.earlier, err = running(ctx, reader, boot)
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

// running returns the images that were stored without an end: those of this boot, which
// may still run, by pid, and those of earlier boots.
func running(ctx context.Context, reader *monitordb.Reader, boot string) (byPID map[int32]*event.Process, earlier []*event.Process, err error) {
	if boot == "" {
		return nil, nil, nil // nothing tells that it is still the same
	}
	images, err := reader.Running(ctx)
	if err != nil {
		return nil, nil, err
	}
	byPID = make(map[int32]*event.Process, len(images))
	for _, p := range images {
		if p.Boot == boot {
			byPID[p.PID] = p
		} else {
			earlier = append(earlier, p)
		}
	}
	return byPID, earlier, nil
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
	r.running, r.earlier, r.matcher = nil, nil, nil
}

// endEarlier stores that the processes of earlier boots have ended: at the time at which
// their recorder is known to have run last, and they with it. That is early by what the
// machine ran on without a recorder.
func (l *life) endEarlier(ctx context.Context, images []*event.Process, last monitordb.LastSeen) error {
	when := last.Time
	if now := time.Now().UnixNano(); when == 0 || when > now {
		when = now
	}
	for some := range slices.Chunk(images, 1000) {
		b := event.NewBatch(len(some))
		b.Platform = platform
		for _, p := range some {
			e := b.Add(event.KindProcess, event.OpEnd)
			e.Time, e.PID, e.PPID, e.Process = max(when, p.Start), p.PID, p.PPID, p
			e.SetInt(event.ProcessEndTime, e.Time)
		}
		if err := l.rec.Inject(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// surveyRows is how many processes are stored between two surveys. What is stored after
// one is looked at by the next start.
const surveyRows = 20_000

// survey keeps when what ran was noted.
type survey struct {
	noted int64            // Top of what is in the database
	next  monitordb.Survey // that was made a while ago
}

// lookAround returns what runs now.
func (l *life) lookAround() (s monitordb.Survey, err error) {
	// First the number: what is stored from here on is found by it.
	if s.Top, err = l.db.LastProcess(); err != nil {
		return s, err
	}
	l.rec.Ask(func(*engine.Matcher) {
		for key := range l.table.Living() {
			s.Running = append(s.Running, key)
		}
	})
	return s, nil
}

// noteSurvey notes what ran a while ago, so that the ends that were on their way then are
// stored; now says that none are on their way.
func (l *life) noteSurvey(ctx context.Context, now bool) error {
	s, err := l.lookAround()
	if err != nil {
		return err
	}
	note := l.survey.next
	if l.survey.next = s; now {
		note = s
	} else if note.Top-l.survey.noted < surveyRows {
		return nil
	}
	if err := l.db.NoteSurvey(ctx, note); err != nil {
		return err
	}
	l.survey.noted = note.Top
	return nil
}
