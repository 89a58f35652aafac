// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"

	"github.com/rs/zerolog"

	"seismo/internal/event"
	"seismo/recorder"
)

// watch shows what is recorded to somebody who may go away: a closed pipe ends
// the showing, never the recording.
type watch struct {
	to  recorder.Sink // nil once it has failed
	log zerolog.Logger
}

// Write implements recorder.Sink; it never fails.
func (w *watch) Write(ctx context.Context, batches []*event.Batch) error {
	if w.to == nil {
		return nil
	}
	if err := w.to.Write(ctx, batches); err != nil {
		w.log.Warn().Err(err).Msg("nobody watches any more; recording goes on")
		w.to = nil
	}
	return nil
}
