// SPDX-License-Identifier: Apache-2.0

// This file makes processes of the rows of table proc, with their parents and
// previous images: the reverse of process.go.

package monitordb

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"seismo/internal/event"
)

// processes reads processes and keeps those that were read lately, by row.
type processes struct {
	stmt *sql.Stmt // for the transaction at hand
	read int       // bytes of the processes that were read in it

	whole map[int64]*event.Process // with all that is stored of their ancestors
	size  int                      // bytes of them
	cut   map[int64]*event.Process // of this transaction: whose ancestors were more than are read
	left  int                      // rows that may still be read for the process at hand
	open  map[int64]bool           // rows whose ancestors are being read
}

// Bounds of what is kept of processes, and of the ancestors that are read for one
// event; the writer makes no longer chains than maxDepth.
const (
	maxProcesses    = 50_000
	maxProcessBytes = 64 << 20
	maxAncestors    = 4096
)

// lineSQL is the whole command line; see dictionaries.head.
const lineSQL = "CASE c.head WHEN 1 THEN d.s || x.name || c.line WHEN 2 THEN x.name || c.line ELSE c.line END"

const processSQL = `SELECT t.key, t.learned, t.event, t.start, t.pid, t.ppid, t.parent, t.previous, t.session, t.ticks,
	d.s, x.name, ` + lineSQL + `, c.args, w.s, tt.s, b.s, hs.s, cn.s, h.s,
	i.user_id, i.user_name, i.group_id, i.group_name, i.login_id, i.login_name, t.facts
FROM proc t
LEFT JOIN path x ON x.id = t.exe LEFT JOIN str d ON d.id = x.dir
LEFT JOIN command c ON c.id = t.command LEFT JOIN str w ON w.id = t.cwd
LEFT JOIN str tt ON tt.id = t.tty LEFT JOIN str b ON b.id = t.boot
LEFT JOIN str hs ON hs.id = t.host LEFT JOIN str cn ON cn.id = t.container
LEFT JOIN str h ON h.id = t.hash LEFT JOIN identity i ON i.id = t.identity
WHERE t.id = ?`

// processColumns is the number of columns of processSQL.
const processColumns = 27

// begin makes ready for a transaction.
func (p *processes) begin(ctx context.Context, tx *sql.Tx) (err error) {
	if p.whole == nil || len(p.whole) > maxProcesses || p.size > maxProcessBytes {
		p.whole, p.size = map[int64]*event.Process{}, 0
	}
	p.cut, p.open, p.read = map[int64]*event.Process{}, map[int64]bool{}, 0
	var version int
	if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	question := processSQL
	if version < 4 {
		question = strings.Replace(question, lineSQL, "c.line", 1)
	}
	if version < 3 {
		question = strings.Replace(question, "t.facts", "NULL", 1)
	}
	p.stmt, err = tx.PrepareContext(ctx, question)
	return err
}

func (p *processes) end() { p.stmt.Close() }

// get returns the process of a row, nil if there is no such row.
func (p *processes) get(ctx context.Context, row int64) (*event.Process, error) {
	if known, ok := p.whole[row]; ok {
		return known, nil
	}
	if known, ok := p.cut[row]; ok {
		return known, nil
	}
	p.left = maxAncestors
	q, whole, err := p.build(ctx, row, 0)
	if err == nil && !whole {
		p.cut[row] = q
	}
	return q, err
}

// build reads a row and its ancestors. It reports whether all of them are there
// that are stored; only such processes are shared, since another event may reach
// further.
func (p *processes) build(ctx context.Context, row int64, depth int) (q *event.Process, whole bool, err error) {
	if known, ok := p.whole[row]; ok {
		return known, true, nil
	}
	if p.open[row] {
		return nil, false, fmt.Errorf("table proc, row %d: it is its own ancestor: %w", row, ErrNotDatabase)
	}
	if depth > maxDepth || p.left <= 0 {
		return nil, false, nil
	}
	p.left--
	values := make([]any, processColumns)
	to := make([]any, len(values))
	for i := range values {
		to[i] = &values[i]
	}
	if err := p.stmt.QueryRowContext(ctx, row).Scan(to...); errors.Is(err, sql.ErrNoRows) {
		return nil, true, nil
	} else if err != nil {
		return nil, false, err
	}
	size := sizeOf(values)
	if p.read += size; p.read > maxBatchBytes && depth > 0 {
		return nil, false, nil
	}
	q, parent, previous, err := processOfRow(values)
	if err != nil {
		return nil, false, fmt.Errorf("table proc, row %d: %w", row, err)
	}
	p.open[row] = true
	defer delete(p.open, row)
	whole = true
	for _, link := range []struct {
		to  **event.Process
		row int64
	}{{&q.Parent, parent}, {&q.Previous, previous}} {
		if link.row == 0 {
			continue
		}
		var all bool
		if *link.to, all, err = p.build(ctx, link.row, depth+1); err != nil {
			return nil, false, err
		}
		whole = whole && all
	}
	if q.PPID == 0 && q.Parent != nil {
		q.PPID = q.Parent.PID
	}
	if whole {
		p.whole[row] = q
		p.size += size
	}
	return q, whole, nil
}

// processOfRow makes a process of what processSQL gives, and returns the rows of
// its parent and of its previous image.
func processOfRow(values []any) (p *event.Process, parent, previous int64, err error) {
	at := 0
	number := func(missing int64) int64 {
		v := values[at]
		at++
		switch n := v.(type) {
		case int64:
			return n
		case nil:
			return missing
		}
		err = errors.Join(err, fmt.Errorf("%.40v is no integer: %w", v, ErrNotDatabase))
		return missing
	}
	text := func() string {
		v := values[at]
		at++
		s, ok := textOf(v)
		if !ok && v != nil {
			err = errors.Join(err, fmt.Errorf("%.40v is no text: %w", v, ErrNotDatabase))
		}
		return s
	}
	p = &event.Process{ID: event.ProcessKey(number(0))}
	switch number(0) {
	case learnedRunning:
		p.SeenRunning = true
	case learnedFork:
		p.Forked = true
	case learnedInferred:
		p.Inferred = true
	}
	created := number(0)
	p.Start = number(created * 1000)
	p.PID, p.PPID = int32(number(0)), int32(number(0))
	parent, previous = number(0), number(0)
	p.Session, p.StartTicks = number(event.NoID), uint64(number(0))
	dir := text()
	p.Path = dir + text()
	p.CommandLine = text()
	args := values[at]
	at++
	p.Cwd, p.TTY, p.Boot, p.Host, p.ContainerID = text(), text(), text(), text(), text()
	if h := text(); h != "" {
		list, bad := stringsOf(h, true)
		p.Hash, err = list, errors.Join(err, bad)
	}
	p.UserID, p.UserName = number(event.NoID), text()
	p.GroupID, p.GroupName = number(event.NoID), text()
	p.LoginUserID, p.LoginUserName = number(event.NoID), text()
	if v := text(); v != "" {
		var known map[string]jsonText
		if bad := json.Unmarshal([]byte(v), &known); bad != nil {
			err = errors.Join(err, fmt.Errorf("facts %.40q: %w", v, ErrNotDatabase))
		}
		p.Windows = event.MakeWindowsFacts(func(f event.Field) string { return string(known[event.Describe(f).Name]) })
	}
	switch a := args.(type) {
	case nil:
	case int64:
		p.Args = strings.Split(p.CommandLine, " ")
	default:
		s, _ := textOf(a)
		list, bad := stringsOf(s, false)
		p.Args, err = list, errors.Join(err, bad)
	}
	return p, parent, previous, err
}
