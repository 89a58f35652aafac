// SPDX-License-Identifier: Apache-2.0

package monitordb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"seismo/internal/event"
)

// Running returns, for each pid of the boot, the image that was stored last, if
// its end was not stored: what may still run after the recorder was away. Each has
// its stored parents and previous images, as far as events have them; processes
// share those. A database that is damaged gives an error that wraps
// [ErrNotDatabase].
func (r *Reader) Running(ctx context.Context, boot string) ([]*event.Process, error) {
	images, err := r.running(ctx, boot)
	if err != nil && ctx.Err() == nil && strange(err) && !errors.Is(err, ErrNotDatabase) {
		err = fmt.Errorf("%w (%w)", ErrNotDatabase, err)
	}
	if err != nil {
		return nil, fmt.Errorf("look up running processes in %s: %w", r.path, err)
	}
	return images, nil
}

// One row a pid: there are no more than the system has pids, 4,194,304 (PID_MAX_LIMIT,
// include/linux/threads.h), and in use a few hundred.
const runningSQL = `SELECT m.id FROM (SELECT max(id) AS id FROM proc WHERE boot = (SELECT id FROM str WHERE s = ?) GROUP BY pid) m
	WHERE NOT EXISTS (SELECT 1 FROM proc_end e WHERE e.proc = m.id)`

func (r *Reader) running(ctx context.Context, boot string) (images []*event.Process, err error) {
	tx, err := r.conn.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer tx.Rollback()
	var rows []int64
	err = eachValue(ctx, tx, &rows, runningSQL, textValue(boot))
	if err != nil {
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
