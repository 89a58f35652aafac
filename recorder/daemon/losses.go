// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"seismo/internal/event"
)

// lossLog is a sink that says in the log what was lost, so that nobody has to ask
// the database to hear of it. Losses of one reason that follow each other are said
// together, at most once in quietTime.
type lossLog struct {
	log  zerolog.Logger
	now  func() time.Time
	said map[string]*saidLoss
}

// saidLoss is what is known of the losses of one reason.
type saidLoss struct {
	at    time.Time
	count uint64 // since then
	times int
}

const quietTime = 30 * time.Second

func newLossLog(log zerolog.Logger, now func() time.Time) *lossLog {
	return &lossLog{log: log, now: now, said: map[string]*saidLoss{}}
}

// Write implements recorder.Sink; it never fails.
func (l *lossLog) Write(_ context.Context, batches []*event.Batch) error {
	now := l.now()
	for _, b := range batches {
		for _, loss := range b.Losses {
			s := l.said[loss.Reason] // the reasons are a fixed few
			if s == nil {
				s = &saidLoss{}
				l.said[loss.Reason] = s
			}
			s.count += loss.Count
			s.times++
			if !s.at.IsZero() && now.Sub(s.at) < quietTime {
				continue
			}
			l.log.Warn().Str("reason", loss.Reason).Uint64("count", s.count).Str("unit", loss.Unit).Int("losses", s.times).
				Str("detail", loss.Detail).Msg("something was not recorded; the view losses has when")
			*s = saidLoss{at: now}
		}
	}
	return nil
}
