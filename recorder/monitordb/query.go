// SPDX-License-Identifier: Apache-2.0

// This file runs one statement of a user: bounded in rows and time, and in a
// transaction that does not last while somebody looks at the answer.

package monitordb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"modernc.org/sqlite"
)

// ErrStatement says that a query is not one statement that reads.
var ErrStatement = errors.New("only one SELECT, WITH, VALUES, EXPLAIN or PRAGMA is run")

// QueryOptions bound a query.
type QueryOptions struct {
	Limit   int           // rows; 0 means all
	Timeout time.Duration // 0 means none
}

// maxHeld bounds the bytes of an answer that are held in memory before they are
// handed on. While SQLite reads, a recorder's log can not be emptied, so an
// answer that is not larger is read to its end before anybody sees it.
const maxHeld = 32 << 20

// Query runs one statement and hands its column names to columns and each row to
// row; a value is nil, int64, float64, string or []byte. It reports whether the
// answer was cut at o.Limit rows. An error of columns or row ends the query and
// is returned. The values handed to row may be kept, the slice may not.
func (r *Reader) Query(ctx context.Context, query string, o QueryOptions, columns func([]string) error, row func([]any) error) (cut bool, err error) {
	text, verb, err := statementText(query)
	if err != nil {
		return false, err
	}
	if o.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, o.Timeout, fmt.Errorf("it took longer than %s", o.Timeout))
		defer cancel()
	}
	cut, err = r.run(ctx, text, verb, o, columns, row)
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	if err != nil {
		return cut, fmt.Errorf("query %s: %w", r.path, notDatabase(err))
	}
	return cut, nil
}

func (r *Reader) run(ctx context.Context, text, verb string, o QueryOptions, columns func([]string) error, row func([]any) error) (cut bool, err error) {
	names, wrapped := []string(nil), text
	if verb == "SELECT" || verb == "WITH" || verb == "VALUES" {
		if names, err = r.names(text); err != nil {
			return false, err
		}
		wrapped = materialized(text, o.Limit)
	}
	rows, err := r.conn.QueryContext(ctx, wrapped)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	got, err := rows.Columns()
	if err != nil {
		return false, err
	}
	if len(names) != len(got) {
		names = got
	}
	var held [][]any
	size, count := 0, 0
	for rows.Next() {
		if o.Limit > 0 && count == o.Limit {
			cut = true
			break
		}
		values, err := scan(rows, len(got))
		if err != nil {
			return cut, err
		}
		count++
		held = append(held, values)
		if size += sizeOf(values); size > maxHeld {
			if err := hand(&names, held, columns, row); err != nil {
				return cut, err
			}
			held, size = held[:0], 0
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return cut, err
	}
	return cut, hand(&names, held, columns, row)
}

// materialized wraps a SELECT so that SQLite computes all rows, one more than
// limit, within its first step: only a step can be interrupted when the time is
// up, not what happens between two of them.
func materialized(text string, limit int) string {
	inner := "SELECT * FROM (" + text + "\n)"
	if limit > 0 {
		inner += fmt.Sprintf(" LIMIT %d", int64(limit)+1)
	}
	return "WITH answer AS MATERIALIZED (" + inner + ") SELECT * FROM answer"
}

// names returns the column names of a statement as its writer gave them.
func (r *Reader) names(text string) (names []string, err error) {
	err = r.conn.Raw(func(c any) error {
		about, ok := c.(interface {
			ColumnInfo(query string) ([]sqlite.ColumnInfo, error)
		})
		if !ok {
			return errors.New("the driver does not tell column names")
		}
		infos, err := about.ColumnInfo(text)
		for _, in := range infos {
			names = append(names, in.Name)
		}
		return err
	})
	return names, err
}

func scan(rows *sql.Rows, n int) ([]any, error) {
	values := make([]any, n)
	to := make([]any, n)
	for i := range values {
		to[i] = &values[i]
	}
	return values, rows.Scan(to...)
}

func sizeOf(values []any) int {
	n := 16 * len(values)
	for _, v := range values {
		switch v := v.(type) {
		case string:
			n += len(v)
		case []byte:
			n += len(v)
		}
	}
	return n
}

// hand passes the names, once, and rows on.
func hand(names *[]string, held [][]any, columns func([]string) error, row func([]any) error) error {
	if *names != nil {
		if err := columns(*names); err != nil {
			return err
		}
		*names = nil
	}
	for _, values := range held {
		if err := row(values); err != nil {
			return err
		}
	}
	return nil
}

// statementText returns the one statement in query without what follows it, and
// its verb in upper case. Comments, quotes and semicolons are found as SQLite's
// tokenizer finds them (https://www.sqlite.org/lang.html).
func statementText(query string) (text, verb string, err error) {
	if strings.IndexByte(query, 0) >= 0 {
		return "", "", fmt.Errorf("a NUL byte in the statement: %w", ErrStatement)
	}
	begin, end, ended := -1, 0, false
	for i := 0; i < len(query); {
		n, kind := token(query[i:])
		switch kind {
		case tokenEnd:
			ended = begin >= 0
		case tokenText:
			if ended {
				return "", "", fmt.Errorf("a second statement at %.20q: %w", query[i:], ErrStatement)
			}
			if begin < 0 {
				begin = i
			}
			end = i + n
		}
		i += n
	}
	if begin < 0 {
		return "", "", fmt.Errorf("no statement: %w", ErrStatement)
	}
	text = query[begin:end]
	n := 0
	for n < len(text) && isLetter(text[n]) {
		n++
	}
	switch verb = strings.ToUpper(text[:n]); verb {
	case "SELECT", "WITH", "VALUES", "EXPLAIN", "PRAGMA":
		return text, verb, nil
	}
	return "", "", fmt.Errorf("%.20q: %w", text, ErrStatement)
}

type tokenKind uint8

const (
	tokenText tokenKind = iota
	tokenSpace
	tokenEnd // a semicolon
)

// token returns the length and kind of what s, which is not empty, begins with.
// What is quoted or a comment counts to its end, or to the end of s.
func token(s string) (int, tokenKind) {
	upTo := func(from int, close string) int {
		if i := strings.Index(s[from:], close); i >= 0 {
			return from + i + len(close)
		}
		return len(s)
	}
	switch c := s[0]; {
	case c == ';':
		return 1, tokenEnd
	case c == ' ' || c >= '\t' && c <= '\r':
		return 1, tokenSpace
	case strings.HasPrefix(s, "--"):
		return upTo(2, "\n"), tokenSpace
	case strings.HasPrefix(s, "/*"):
		return upTo(2, "*/"), tokenSpace
	case c == '\'' || c == '"' || c == '`':
		return upTo(1, s[:1]), tokenText // a doubled quote begins the next token
	case c == '[':
		return upTo(1, "]"), tokenText
	}
	return 1, tokenText
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
