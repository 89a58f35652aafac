// SPDX-License-Identifier: Apache-2.0

// Package monitordb keeps the history of a host in one SQLite file, monitor.db:
// events by kind, the processes they refer to, the signals that fired with their
// proof, and what was lost. It alone knows the tables; people and tools read the
// views (docs/format/monitor-db.md).
//
// [DB] writes: one connection, one transaction for each call of Write, durable
// when it returns. [Reader] answers questions, also while a recorder writes and
// in another process. Nothing in this package opens the database, its -wal or
// its -shm with package os once SQLite has them open: closing such a file would
// strip SQLite's POSIX locks (fcntl(2), "any file descriptor").
package monitordb

import (
	"errors"
	"os"
	"sync"
	"time"

	"seismo/internal/event"
)

var (
	// ErrNotDatabase says that a file is no monitor.db, or a damaged one.
	ErrNotDatabase = errors.New("not a monitor.db, or a damaged one")
	// ErrVersion says that a monitor.db was made by a newer seismo.
	ErrVersion = errors.New("made by a newer version of seismo; read it with that one")
	// ErrClosed says that the database was closed before.
	ErrClosed = errors.New("the database is closed")
)

// The limits of stored matches. Matches beyond them are counted.
const (
	DefaultMatchesPerProcess = 5
	DefaultMatchesPerHour    = 1000
)

// Options say how a database is written. The zero value has the defaults.
type Options struct {
	// MatchesPerProcess bounds the rows in signal_match for each signal and
	// process (RecordSignalMatches); 0 means DefaultMatchesPerProcess, a negative
	// number no bound. It does not hold for events without a process.
	MatchesPerProcess int
	// MatchesPerHour bounds them for each signal and hour in the same way; 0
	// means DefaultMatchesPerHour.
	MatchesPerHour int
	// Refuse says that a file that can not be used stays where it is, and that Open
	// fails with ErrNotDatabase or ErrVersion: for a path that a person typed, which
	// may name a file that was never meant.
	Refuse bool
	// BusyTimeout is how long a write waits for another writer; 0 means 5 s.
	BusyTimeout time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time

	// cacheSize bounds each in-memory dictionary; 0 means its default. Tests
	// make it small.
	cacheSize int
}

func (o Options) withDefaults() Options {
	if o.MatchesPerProcess == 0 {
		o.MatchesPerProcess = DefaultMatchesPerProcess
	}
	if o.MatchesPerHour == 0 {
		o.MatchesPerHour = DefaultMatchesPerHour
	}
	if o.BusyTimeout == 0 {
		o.BusyTimeout = 5 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// DB writes a monitor.db. Its methods may be called from any goroutine; they
// take turns.
type DB struct {
	path  string
	aside string
	opts  Options

	mu       sync.Mutex
	conn     *conn // nil once closed
	st       statements
	dict     dictionaries
	procs    *cache[event.ProcessKey, int64]
	match    matches
	tally    [len(tables)]kindTally // what the transaction at hand adds
	scratch  []byte
	floor    event.ID // no event has a greater id
	lastSeen LastSeen
	host     int64 // row of this run in table host; 0 before NoteHost
}

// Path returns the path that the database was opened with.
func (db *DB) Path() string { return db.path }

// SetAside returns the new name of the file that stood at the path and could not
// be used, or an empty string if there was none.
func (db *DB) SetAside() string { return db.aside }

// Sizes returns the bytes of the database file and of its write-ahead log.
func (db *DB) Sizes() (file, wal int64) { return sizes(db.path) }

func sizes(path string) (file, wal int64) {
	if in, err := os.Stat(path); err == nil {
		file = in.Size()
	}
	if in, err := os.Stat(path + walSuffix); err == nil {
		wal = in.Size()
	}
	return file, wal
}
