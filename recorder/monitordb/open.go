// SPDX-License-Identifier: Apache-2.0

// This file opens a monitor.db for writing, and makes it where there is none.
// What stands in the way is judged in inspect.go.

package monitordb

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"modernc.org/sqlite"

	"seismo/internal/event"
)

const (
	walSuffix = "-wal"
	shmSuffix = "-shm"
)

// writerParams are the parameters of the writing connection. The page size and
// auto_vacuum take effect in a file that is still empty. synchronous FULL makes
// each commit durable; the log is cut back to 32 MB when a checkpoint has
// emptied it. A cache of 256 pages costs 15 % more processor time (BenchmarkWrite), one of 1,000
// spares none. See [packPages] for what it takes.
const writerParams = "_dqs=0&_defensive=1&_pragma=page_size(4096)&_auto_vacuum=INCREMENTAL&_journal_mode=WAL" +
	"&_synchronous=FULL&_pragma=cache_size(700)&_pragma=journal_size_limit(33554432)" +
	"&_pragma=temp_store(MEMORY)&_pragma=trusted_schema(0)&_pragma=mmap_size(0)"

// Open opens the monitor.db at path for writing and makes it if it is not there;
// its directory must exist. Only one process may have it open for writing: the
// caller sees to that.
//
// The file and what SQLite puts beside it can be read by their owner only,
// whatever the umask; a path that is a symbolic link or no regular file is
// refused. A file that is damaged, or was made by a newer version, is set aside
// under a new name, told by [DB.SetAside] and as a loss, and a new one begun; with
// o.Refuse it is refused instead. A sound database of another program is always
// refused with [ErrNotDatabase]. A file that is refused is left as it was.
func Open(path string, o Options) (*DB, error) {
	o = o.withDefaults()
	if err := checkPlace(path); err != nil {
		return nil, err
	}
	if err := packPages(); err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	state, reason, err := inspect(path)
	if err != nil {
		return nil, err
	}
	switch {
	case state == stateDamaged && o.Refuse:
		return nil, fmt.Errorf("open %s: %w (%s)", path, ErrNotDatabase, reason)
	case state == stateNewer && o.Refuse:
		return nil, fmt.Errorf("open %s: %w (%s)", path, ErrVersion, reason)
	}
	if err := closeToOthers(path); err != nil {
		return nil, err
	}
	db := &DB{path: path, opts: o}
	if state == stateDamaged || state == stateNewer {
		if db.aside, err = setAside(path, state, o.Now()); err != nil {
			return nil, err
		}
		state = stateMissing
	}
	if state == stateMissing {
		if err := create(path); err != nil {
			return nil, err
		}
	}
	if err := db.connect(); err != nil {
		return nil, err
	}
	if db.aside != "" {
		err := db.transaction("note a loss in", func() error {
			return db.insertLoss(event.Loss{To: o.Now().UnixNano(), Reason: event.LossSetAside, Unit: "databases", Count: 1,
				Detail: "set aside as " + filepath.Base(db.aside) + ": " + reason})
		})
		if err != nil {
			return nil, errors.Join(err, db.Close())
		}
	}
	return db, nil
}

// checkPlace checks what can be checked without opening the file.
func checkPlace(path string) error {
	dir := filepath.Dir(path)
	in, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("open %s: its directory: %w", path, err)
	}
	if !in.IsDir() {
		return fmt.Errorf("open %s: %s is no directory", path, dir)
	}
	for _, p := range []string{path, path + walSuffix, path + shmSuffix} {
		in, err := os.Lstat(p)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return fmt.Errorf("open %s: %w", path, err)
		case !in.Mode().IsRegular():
			return fmt.Errorf("open %s: %s is no regular file (%s)", path, p, in.Mode().Type())
		}
	}
	return nil
}

// closeToOthers takes from others the right to read the files of the database.
func closeToOthers(path string) error {
	for _, p := range []string{path, path + walSuffix, path + shmSuffix} {
		in, err := os.Lstat(p)
		if err == nil && in.Mode().Perm()&0o177 != 0 {
			err = os.Chmod(p, 0o600)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("open %s: it can be read by others: %w", path, err)
		}
	}
	return nil
}

// create makes an empty file for the owner alone. That it did not exist before
// is why closing it here takes no lock from anybody.
func create(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) { // an empty one
		return nil
	}
	if err != nil {
		return fmt.Errorf("create %s: %w", path, err)
	}
	err = f.Chmod(0o600)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("create %s: %w", path, err)
	}
	return nil
}

// connect opens the connection and prepares all that the writer needs.
func (db *DB) connect() (err error) {
	params := fmt.Sprintf("%s&_busy_timeout=%d", writerParams, db.opts.BusyTimeout.Milliseconds())
	c, err := dial(db.path, params)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("open %s: %w", db.path, err)
			c.close()
		}
	}()
	version, err := c.number("PRAGMA user_version")
	if err != nil {
		return err
	}
	if err = migrate(c, version); err != nil {
		return err
	}
	if err := locksHold(); err != nil {
		return err
	}
	if db.floor, err = greatestID(c); err != nil {
		return err
	}
	if db.lastSeen, err = readLastSeen(c); err != nil {
		return err
	}
	if err = db.st.prepare(c); err != nil {
		return err
	}
	if err = db.dict.prepare(c, db.opts.cacheSize); err != nil {
		return err
	}
	if err = db.match.prepare(c, db.opts.cacheSize); err != nil {
		return err
	}
	size := procCache
	if db.opts.cacheSize > 0 {
		size = db.opts.cacheSize
	}
	db.procs = newCache[event.ProcessKey, int64](size)
	db.conn = c
	return nil
}

// locksHold reports whether the locks are those that were asked for: SQLite goes
// back to POSIX locks by itself where a file system has no others.
func locksHold() error {
	if runtime.GOOS == "linux" && !sqlite.OFDLockingEnabled() {
		return errors.New("the file system has no open file description locks")
	}
	return nil
}

// Close copies the write-ahead log into the database and closes it. If nobody
// else has the database open, the log is gone afterwards. A second Close does
// nothing.
func (db *DB) Close() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.conn == nil {
		return nil
	}
	c := db.conn
	stopErr := db.noteStop()
	db.conn = nil
	// A reader in the way is not waited for long: the log stays then, which is no
	// error and loses nothing.
	checkpointErr := c.exec("PRAGMA busy_timeout = 200; PRAGMA wal_checkpoint(TRUNCATE)")
	if err := errors.Join(stopErr, checkpointErr, c.close()); err != nil {
		return fmt.Errorf("close %s: %w", db.path, err)
	}
	return nil
}
