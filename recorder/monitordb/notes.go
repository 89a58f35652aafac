// SPDX-License-Identifier: Apache-2.0

// This file writes what the recorder says of itself: starts and stops, losses
// that belong to no batch, and its figures.

package monitordb

import (
	"context"
	"fmt"
	"time"

	"seismo/internal/event"
)

// Host is what is known of the host when recording starts.
type Host struct {
	Time                              int64 // of the start, Unix time, nanoseconds
	MachineID, Name, Platform, Kernel string
	TimeZone, BootID                  string
	Version                           string // of seismo
	Program                           string // digest of the loaded signals
}

// Stats is a row of the two ledgers: Source.Received = Source.Parsed +
// Source.Malformed, and Assembled = Stored + Filtered + Dropped + InFlight.
// Source.Assembled, which has no end events of the process table, is not stored.
type Stats struct {
	Time                                           int64  // Unix time, nanoseconds
	Input                                          string // where the events come from, for a person
	Source                                         event.SourceStats
	Assembled, Stored, Filtered, Dropped, InFlight uint64 // events
	Tags                                           uint64
	RSS                                            uint64        // bytes
	CPU                                            time.Duration // used since the start
	Queue                                          uint64        // batches waiting
	Detail                                         string
}

// maxStats bounds the rows of table stats; with one a minute it is a week.
const maxStats = 10_000

// LastSeen is when a recorder that had told of its start ([DB.NoteHost]) wrote
// the database last. Replays into it do not count.
type LastSeen struct {
	Time  int64 // Unix time, nanoseconds; 0 if there was none
	Clean bool  // it closed the database
}

// LastSeen returns what was found when the database was opened: what happened
// between then and now was not recorded.
func (db *DB) LastSeen() LastSeen { return db.lastSeen }

func readLastSeen(c *conn) (LastSeen, error) {
	var l LastSeen
	var err error
	if l.Time, err = c.number("SELECT time FROM pulse"); err != nil {
		return l, fmt.Errorf("when it was last written: %w", err)
	}
	stop, err := c.number("SELECT stop FROM host ORDER BY id DESC LIMIT 1")
	if err != nil {
		return l, fmt.Errorf("when it was last closed: %w", err)
	}
	l.Clean = stop != 0 && stop >= l.Time
	return l, nil
}

// NoteHost notes that recording starts. Close notes its end.
func (db *DB) NoteHost(ctx context.Context, h Host) error {
	var id int64
	err := db.note(ctx, "note a start in", func() error {
		var err error
		id, err = db.conn.number(`INSERT INTO host (time, machine_id, name, platform, kernel, time_zone, boot_id, version, program)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`, h.Time, textValue(h.MachineID), textValue(h.Name), textValue(h.Platform),
			textValue(h.Kernel), textValue(h.TimeZone), textValue(h.BootID), textValue(h.Version), textValue(h.Program))
		if err == nil {
			_, err = db.st.setPulse.do(db.opts.Now().UnixNano())
		}
		return err
	})
	if err == nil {
		db.mu.Lock()
		db.host = id
		db.mu.Unlock()
	}
	return err
}

// noteStop notes the end of the run that NoteHost began; db.mu is held.
func (db *DB) noteStop() error {
	if db.host == 0 {
		return nil
	}
	now := db.opts.Now().UnixNano()
	if _, err := db.st.begin.run(); err != nil {
		return err
	}
	_, err := db.conn.one("UPDATE host SET stop = ? WHERE id = ?", now, db.host)
	if err == nil {
		err = db.endSuspensions(now)
	}
	if err == nil {
		_, err = db.st.setPulse.do(now)
	}
	if err == nil {
		_, err = db.st.commit.run()
	}
	if err != nil {
		_, _ = db.st.rollback.run()
	}
	return err
}

// NoteLoss stores a loss that belongs to no batch.
func (db *DB) NoteLoss(ctx context.Context, l event.Loss) error {
	return db.note(ctx, "note a loss in", func() error { return db.insertLoss(l) })
}

// WriteStats stores the figures of the recorder as they are now. Old rows go.
func (db *DB) WriteStats(ctx context.Context, s Stats) error {
	return db.note(ctx, "store statistics in", func() error {
		id, err := db.conn.number(`INSERT INTO stats (time, source, received, parsed, malformed, kernel_lost, serial_gaps,
			overruns, incomplete, left_out, assembled, stored, filtered, dropped, in_flight, tags, rss, cpu, queue, detail)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
			s.Time, textValue(s.Input), int64(s.Source.Received), int64(s.Source.Parsed), int64(s.Source.Malformed),
			int64(s.Source.KernelLost), int64(s.Source.SerialGaps), int64(s.Source.Overruns), int64(s.Source.Incomplete), int64(s.Source.LeftOut),
			int64(s.Assembled), int64(s.Stored), int64(s.Filtered), int64(s.Dropped), int64(s.InFlight), int64(s.Tags),
			int64(s.RSS), int64(s.CPU), int64(s.Queue), textValue(s.Detail))
		if err != nil {
			return err
		}
		_, err = db.conn.one("DELETE FROM stats WHERE id <= ?", id-maxStats)
		return err
	})
}

func (db *DB) note(ctx context.Context, doing string, f func() error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s %s: %w", doing, db.path, err)
	}
	return db.transaction(doing, f)
}
