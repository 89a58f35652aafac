// SPDX-License-Identifier: Apache-2.0

// This file is the thin layer over the SQLite driver that the writer works with:
// one connection without database/sql, whose bookkeeping costs as much as a
// small insert.

package monitordb

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"runtime"
	"strings"
	"unicode/utf8"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// conn is a connection to a database file. One goroutine uses it at a time.
type conn struct {
	c       driver.Conn
	execer  driver.ExecerContext
	queryer driver.QueryerContext

	prepared []*statement
}

// prepareProcess sets what holds for every connection of the process. With OFD
// locks a file of the database that somebody in this process opens and closes
// takes no lock away (Linux; elsewhere there are none, and POSIX locks remain).
func prepareProcess() error {
	sqlite.StrictPragmas(true)
	if _, err := sqlite.OFDLocking(true); err != nil && runtime.GOOS == "linux" {
		return fmt.Errorf("switch on open file description locks: %w", err)
	}
	return nil
}

// source returns the data source name of the file at path. The path is escaped
// as a whole: no byte of it can become a parameter.
func source(path, params string) (string, error) {
	if strings.IndexByte(path, 0) >= 0 {
		return "", fmt.Errorf("path %q: a NUL byte", path)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("path %s: %w", path, err)
	}
	abs = filepath.ToSlash(abs)
	if !strings.HasPrefix(abs, "/") { // C:/…
		abs = "/" + abs
	}
	return "file://" + strings.ReplaceAll(url.PathEscape(abs), "%2F", "/") + "?" + params, nil
}

// dial opens the file at path with the parameters params.
func dial(path, params string) (*conn, error) {
	if err := prepareProcess(); err != nil {
		return nil, err
	}
	dsn, err := source(path, params)
	if err != nil {
		return nil, err
	}
	connector, err := sqlite.NewConnector(dsn)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	c, err := connector.Connect(context.Background())
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	execer, _ := c.(driver.ExecerContext)
	queryer, _ := c.(driver.QueryerContext)
	if execer == nil || queryer == nil {
		c.Close()
		return nil, fmt.Errorf("open %s: the driver's connection lacks ExecContext or QueryContext", path)
	}
	return &conn{c: c, execer: execer, queryer: queryer}, nil
}

// close ends the prepared statements and the connection.
func (c *conn) close() error {
	var errs []error
	for _, s := range c.prepared {
		errs = append(errs, s.s.Close())
	}
	c.prepared = nil
	return errors.Join(append(errs, c.c.Close())...)
}

// exec runs one or more statements.
func (c *conn) exec(sql string) error {
	_, err := c.execer.ExecContext(context.Background(), sql, nil)
	return err
}

// one returns the first row of a query, or nil if there is none.
func (c *conn) one(sql string, args ...driver.Value) ([]driver.Value, error) {
	named := make([]driver.NamedValue, len(args))
	for i, a := range args {
		named[i] = driver.NamedValue{Ordinal: i + 1, Value: a}
	}
	rows, err := c.queryer.QueryContext(context.Background(), sql, named)
	if err != nil {
		return nil, err
	}
	return first(rows)
}

// number returns the first column of the first row, 0 if it is NULL or missing.
func (c *conn) number(sql string, args ...driver.Value) (int64, error) {
	row, err := c.one(sql, args...)
	if err != nil || row == nil {
		return 0, err
	}
	n, _ := row[0].(int64)
	return n, nil
}

func first(rows driver.Rows) ([]driver.Value, error) {
	row := make([]driver.Value, len(rows.Columns()))
	err := rows.Next(row)
	if closeErr := rows.Close(); err == nil {
		err = closeErr
	}
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	return row, err
}

// statement is a prepared statement with its arguments; they are kept between
// runs so that a run allocates no list.
type statement struct {
	s     driver.Stmt
	exec  driver.StmtExecContext
	query driver.StmtQueryContext
	args  []driver.NamedValue
}

func (c *conn) prepare(sql string) (*statement, error) {
	s, err := c.c.Prepare(sql)
	if err != nil {
		return nil, fmt.Errorf("prepare %.60q: %w", sql, err)
	}
	st := &statement{s: s}
	var ok bool
	if st.exec, ok = s.(driver.StmtExecContext); ok {
		st.query, ok = s.(driver.StmtQueryContext)
	}
	if !ok {
		s.Close()
		return nil, fmt.Errorf("prepare %.60q: the driver's statement lacks ExecContext or QueryContext", sql)
	}
	n := strings.Count(sql, "?")
	if strings.Contains(sql, "?1") {
		n = 1 // the same argument in each place
	}
	st.args = make([]driver.NamedValue, n)
	for i := range st.args {
		st.args[i].Ordinal = i + 1
	}
	c.prepared = append(c.prepared, st)
	return st, nil
}

// set gives the arguments from number at on; positions count from 0.
func (s *statement) set(at int, values ...driver.Value) {
	for i, v := range values {
		s.args[at+i].Value = v
	}
}

// run executes the statement with the arguments set.
func (s *statement) run() (driver.Result, error) {
	return s.exec.ExecContext(context.Background(), s.args)
}

// do executes the statement with values as its arguments.
func (s *statement) do(values ...driver.Value) (driver.Result, error) {
	s.set(0, values...)
	return s.run()
}

// one returns the first row that the statement gives for values, or nil.
func (s *statement) one(values ...driver.Value) ([]driver.Value, error) {
	s.set(0, values...)
	rows, err := s.query.QueryContext(context.Background(), s.args)
	if err != nil {
		return nil, err
	}
	return first(rows)
}

// number returns the first column of the first row and whether there is one.
func (s *statement) number(values ...driver.Value) (int64, bool, error) {
	row, err := s.one(values...)
	if err != nil || row == nil {
		return 0, false, err
	}
	n, ok := row[0].(int64)
	return n, ok, nil
}

// isText reports whether every tool reads v back exactly when it is stored as
// text: it is UTF-8 and has no NUL.
func isText(v string) bool { return utf8.ValidString(v) && strings.IndexByte(v, 0) < 0 }

// textValue returns v as it is stored: text, or a blob where it is none.
func textValue(v string) driver.Value {
	if !isText(v) {
		return []byte(v)
	}
	return v
}

// orNull returns NULL for 0.
func orNull(n int64) driver.Value {
	if n == 0 {
		return nil
	}
	return n
}

// damaged reports whether err says that the file is no sound database, as
// opposed to one that can not be read right now.
func damaged(err error) bool {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	code := e.Code() & 0xff
	return code == sqlite3.SQLITE_CORRUPT || code == sqlite3.SQLITE_NOTADB
}
