// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"fmt"
	"os"
	"time"

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
