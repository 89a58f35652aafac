// SPDX-License-Identifier: Apache-2.0

// This file is what goes on beside a load: the database is locked now and then, or
// asked all the time whether a match is there.

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"seismo/recorder/monitordb"
)

// stallEvery is how often the database is locked.
const stallEvery = 3 * time.Second

// SQLite's lock on writing to a database in WAL mode is byte 120 of its -shm file
// (sqlite.org/walformat.html, section 2.3.1), held by fcntl. Whoever has it is, to
// all others, a connection that has done BEGIN IMMEDIATE.
const (
	shmSuffix    = "-shm"
	walWriteLock = 120
)

// lockWriters waits for the lock on writing and holds it until the file is closed.
func lockWriters(database string) (*os.File, error) {
	f, err := os.OpenFile(database+shmSuffix, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	lock := unix.Flock_t{Type: unix.F_WRLCK, Start: walWriteLock, Len: 1}
	for range 2000 {
		if err = unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &lock); err == nil {
			return f, nil
		}
		time.Sleep(time.Millisecond)
	}
	return nil, errors.Join(fmt.Errorf("lock %s: %w", f.Name(), err), f.Close())
}

// stallWriter keeps the recorder from writing for r.stall, again and again.
func (r *cellRun) stallWriter(own *seismo) (end func() error, err error) {
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(stallEvery):
			}
			f, e := lockWriters(own.database())
			if e != nil {
				err = e
				return
			}
			time.Sleep(r.stall)
			err = f.Close()
			r.cell.Stalls++
		}
	})
	return func() error {
		close(stop)
		wg.Wait()
		return err
	}, nil
}

// pollEvery is how often the database is asked for new matches: what a latency is
// uncertain by, beside the time of one answer.
const pollEvery = 2 * time.Millisecond

// watchMatches asks the database for matches until it is told to end, and then sets
// the latencies.
func (r *cellRun) watchMatches(own *seismo) (end func() error, err error) {
	db, err := monitordb.OpenReader(own.database())
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	visible := map[int]int64{} // Unix time in nanoseconds, by serial number
	var wg sync.WaitGroup
	wg.Go(func() {
		last := int64(0)
		for ctx.Err() == nil && err == nil {
			query := fmt.Sprintf("SELECT id, process_command_line FROM signal_matches WHERE id > %d", last)
			var ids []int64
			var lines []string
			_, err = db.Query(context.Background(), query, monitordb.QueryOptions{Timeout: time.Minute},
				func([]string) error { return nil }, func(row []any) error {
					id, _ := row[0].(int64)
					ids, lines = append(ids, id), append(lines, text(row[1]))
					return nil
				})
			now := time.Now().UnixNano()
			for i, line := range lines {
				last = max(last, ids[i])
				if f := strings.Fields(line); len(f) == 3 && f[1] == r.mark {
					if n, e := strconv.Atoi(f[2]); e == nil {
						visible[n] = now
					}
				}
			}
			time.Sleep(pollEvery)
		}
	})
	return func() error {
		stop()
		wg.Wait()
		r.cell.Latency = latencies(r.done.Began, visible, func(n int) bool { return r.mode.op(n) == opTiny })
		r.cell.Ordinary = latencies(r.done.Began, visible, func(n int) bool { return r.mode.op(n) != opTiny })
		return errors.Join(err, db.Close())
	}, nil
}

// latencies returns, sorted, the times from begin to visible of those that have both, of
// the operations of which counts says so.
func latencies(began []int64, visible map[int]int64, counts func(n int) bool) (all []int64) {
	for n, at := range began {
		if v, ok := visible[n]; ok && at != 0 && counts(n) {
			all = append(all, v-at)
		}
	}
	slices.Sort(all)
	return all
}
