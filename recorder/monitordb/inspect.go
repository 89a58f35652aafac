// SPDX-License-Identifier: Apache-2.0

// This file judges a file that stands where a monitor.db is to be, without
// changing it, and sets aside what can not be used.

package monitordb

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// state is what a file turned out to be.
type state uint8

const (
	stateMissing state = iota // no file, or an empty one
	stateSound
	stateDamaged
	stateNewer
)

// inspectParams open the database so that nothing in it is changed: a connection
// that may write would copy the log into a damaged file when it is closed.
const inspectParams = "mode=ro&_query_only=1&_defensive=1&_dqs=0&_busy_timeout=5000&_pragma=trusted_schema(0)&_pragma=mmap_size(0)"

// inspect says what the file at path is, and why it can not be used. The error
// is for what can not be judged, and for sound databases of others.
func inspect(path string) (state, string, error) {
	in, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return stateMissing, "", nil
	}
	if err != nil {
		return 0, "", fmt.Errorf("open %s: %w", path, err)
	}
	if in.Size() == 0 {
		if wal, err := os.Lstat(path + walSuffix); err == nil && wal.Size() > 0 {
			return stateDamaged, "the file is empty, but its write-ahead log is not", nil
		}
		return stateMissing, "", nil
	}
	c, err := dial(path, inspectParams)
	if err != nil {
		return judge(path, err)
	}
	defer c.close()
	version, err := identify(c)
	switch {
	case errors.Is(err, ErrVersion):
		return stateNewer, fmt.Sprintf("schema version %d, newest known is %d", version, schemaVersion), nil
	case errors.Is(err, errHeader):
		return stateDamaged, err.Error(), nil
	case errors.Is(err, ErrNotDatabase):
		return 0, "", fmt.Errorf("open %s: %w; choose another place for monitor.db", path, err)
	case err != nil:
		return judge(path, err)
	}
	row, err := c.one("PRAGMA quick_check(1)")
	if err != nil {
		return judge(path, err)
	}
	if len(row) == 0 || row[0] != "ok" {
		return stateDamaged, fmt.Sprintf("quick_check: %.200v", row), nil
	}
	return stateSound, "", nil
}

func judge(path string, err error) (state, string, error) {
	if damaged(err) {
		return stateDamaged, err.Error(), nil
	}
	return 0, "", fmt.Errorf("open %s: %w", path, err)
}

// errHeader says that a file has our tables, but not our marks in its header.
var errHeader = errors.New("wrong marks in the header")

// identify returns the schema version of the database. The error wraps
// ErrNotDatabase for one of another program and ErrVersion for a newer one. A
// database without any table is version 0: its making was cut short.
func identify(c *conn) (int64, error) {
	id, err := c.number("PRAGMA application_id")
	if err != nil {
		return 0, err
	}
	version, err := c.number("PRAGMA user_version")
	if err != nil {
		return 0, err
	}
	tables, err := c.number("SELECT count(*) FROM sqlite_schema")
	if err != nil {
		return 0, err
	}
	ours, err := c.number("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ('proc_attr', 'signal_match')")
	if err != nil {
		return 0, err
	}
	switch {
	case id == 0 && version == 0 && tables == 0:
		return 0, nil
	case ours == 2 && (id != applicationID || version < 1):
		return version, fmt.Errorf("%w (application id %#x, schema version %d): %w", errHeader, uint32(id), version, ErrNotDatabase)
	case id != applicationID:
		return version, fmt.Errorf("a database of another program (application id %#x): %w", uint32(id), ErrNotDatabase)
	case version > schemaVersion:
		return version, fmt.Errorf("schema version %d, newest known is %d: %w", version, schemaVersion, ErrVersion)
	case version < 1:
		return version, fmt.Errorf("schema version %d: %w", version, ErrNotDatabase)
	}
	return version, nil
}

// setAside renames the database at path and what belongs to it, and returns the
// new name.
func setAside(path string, s state, now time.Time) (string, error) {
	what := "damaged"
	if s == stateNewer {
		what = "newer"
	}
	stamp := path + "." + what + "-" + now.UTC().Format("20060102T150405Z")
	to := stamp
	for n := 2; ; n++ {
		if _, err := os.Lstat(to); errors.Is(err, fs.ErrNotExist) {
			break
		}
		to = fmt.Sprintf("%s-%d", stamp, n)
	}
	// The log goes first: should the rest fail, the next start finds the database
	// still in the way, and a log of an old database never meets a new one.
	for _, suffix := range []string{walSuffix, shmSuffix, ""} {
		if err := os.Rename(path+suffix, to+suffix); err != nil && (suffix == "" || !errors.Is(err, fs.ErrNotExist)) {
			return "", fmt.Errorf("set aside %s: %w", path, err)
		}
	}
	return to, nil
}
