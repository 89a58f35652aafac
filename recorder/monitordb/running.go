// SPDX-License-Identifier: Apache-2.0

package monitordb

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"

	"seismo/internal/event"
)

// Image is a process image as it was stored.
type Image struct {
	Key   event.ProcessKey
	PID   int32
	Path  string
	Began int64 // Unix time, nanoseconds
}

// Running returns, for each pid of the boot, the image that was stored last, if
// its end was not stored: what may still run after the recorder was away.
func (db *DB) Running(ctx context.Context, boot string) ([]Image, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.conn == nil {
		return nil, fmt.Errorf("look up running processes in %s: %w", db.path, ErrClosed)
	}
	images, err := db.conn.running(ctx, boot)
	if err != nil {
		return nil, fmt.Errorf("look up running processes in %s: %w", db.path, err)
	}
	return images, nil
}

const runningSQL = `SELECT p.key, p.pid, coalesce(p.start, p.event * 1000, 0), CAST(coalesce(d.s || x.name, '') AS TEXT)
	FROM (SELECT max(id) AS id FROM proc WHERE boot = (SELECT id FROM str WHERE s = ?) GROUP BY pid) m
	JOIN proc p ON p.id = m.id
	LEFT JOIN path x ON x.id = p.exe
	LEFT JOIN str d ON d.id = x.dir
	WHERE NOT EXISTS (SELECT 1 FROM proc_end e WHERE e.proc = p.id)`

func (c *conn) running(ctx context.Context, boot string) (images []Image, err error) {
	rows, err := c.queryer.QueryContext(ctx, runningSQL, []driver.NamedValue{{Ordinal: 1, Value: textValue(boot)}})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	row := make([]driver.Value, 4)
	for {
		if err := rows.Next(row); err == io.EOF {
			return images, nil
		} else if err != nil {
			return nil, err
		}
		key, _ := row[0].(int64)
		pid, _ := row[1].(int64)
		began, _ := row[2].(int64)
		path, _ := row[3].(string)
		images = append(images, Image{event.ProcessKey(key), int32(pid), path, began})
	}
}
