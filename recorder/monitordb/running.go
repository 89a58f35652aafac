// SPDX-License-Identifier: Apache-2.0

package monitordb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"seismo/internal/event"
)

// maxScan bounds the rows of processes that are looked at where there is no survey, as
// in a database of an earlier version, or an old one: the newest are. It is about half
// a second's work.
const maxScan = 500_000

// maxRunning bounds the processes that are returned. A system has no more than
// 4,194,304 pids (PID_MAX_LIMIT, include/linux/threads.h), and in use a few hundred.
const maxRunning = 50_000

// Running returns, for each pid of each boot of this host, the image that was stored
// last, if its end was not stored: what may still run, or ended while nobody recorded.
// Each has its stored parents and previous images, as far as events have them; processes
// share those. It looks at what ran at the last survey ([DB.NoteSurvey]) and what was stored
// since, at most at 500,000 processes, and returns at most 50,000, the newest. A
// database that is damaged gives an error that wraps [ErrNotDatabase].
func (r *Reader) Running(ctx context.Context) ([]*event.Process, error) {
	images, err := r.running(ctx)
	if err != nil && ctx.Err() == nil && strange(err) && !errors.Is(err, ErrNotDatabase) {
		err = fmt.Errorf("%w (%w)", ErrNotDatabase, err)
	}
	if err != nil {
		return nil, fmt.Errorf("look up running processes in %s: %w", r.path, err)
	}
	return images, nil
}

// A later image of a pid stands for those before it. Processes of replays have no boot,
// those of other hosts a host.
const runningSQL = `SELECT m.id FROM (
	SELECT max(id) AS id FROM (
		SELECT id, boot, pid FROM proc WHERE id > ?1 AND boot IS NOT NULL AND host IS NULL
		UNION ALL
		SELECT id, boot, pid FROM proc WHERE id IN (SELECT value FROM json_each(?2)) AND boot IS NOT NULL AND host IS NULL
	) GROUP BY boot, pid) m
	WHERE NOT EXISTS (SELECT 1 FROM proc_end e WHERE e.proc = m.id) ORDER BY m.id DESC LIMIT ?3`

func (r *Reader) running(ctx context.Context) (images []*event.Process, err error) {
	tx, err := r.conn.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer tx.Rollback()
	top, list, err := survey(ctx, tx)
	if err != nil {
		return nil, err
	}
	var rows []int64
	if err := eachValue(ctx, tx, &rows, runningSQL, top, list, maxRunning); err != nil {
		return nil, err
	}
	var known processes
	if err := known.begin(ctx, tx); err != nil {
		return nil, err
	}
	defer known.end()
	for _, row := range rows {
		p, err := known.get(ctx, row)
		if err != nil {
			return nil, err
		}
		if p != nil {
			images = append(images, p)
		}
	}
	return images, nil
}

// survey returns the row of proc after which all are looked at, and which others are, a
// JSON array.
func survey(ctx context.Context, tx *sql.Tx) (top int64, list string, err error) {
	list = "[]"
	var there int
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master WHERE name = 'survey' AND type = 'table'").Scan(&there); err != nil {
		return 0, "", err
	}
	if there > 0 { // from version 4 on
		// One that can not be true, in a damaged database, counts as none.
		err := tx.QueryRowContext(ctx, "SELECT top, running FROM survey WHERE typeof(top) = 'integer' AND top <= (SELECT ifnull(max(id), 0) FROM proc) AND json_valid(running)").Scan(&top, &list)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return 0, "", err
		}
	}
	var last sql.NullInt64
	if err := tx.QueryRowContext(ctx, lastProcessSQL).Scan(&last); err != nil {
		return 0, "", err
	}
	return max(top, last.Int64-maxScan), list, nil
}

// eachValue appends the one column that query gives to values.
func eachValue(ctx context.Context, tx *sql.Tx, values *[]int64, query string, arguments ...any) error {
	rows, err := tx.QueryContext(ctx, query, arguments...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var v int64
		if err := rows.Scan(&v); err != nil {
			return err
		}
		*values = append(*values, v)
	}
	return rows.Err()
}
