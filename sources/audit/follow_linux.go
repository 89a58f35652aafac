// SPDX-License-Identifier: Apache-2.0

// This file follows a log that auditd writes, over its rotation: the log is renamed to
// NAME.1, what was NAME.1 to NAME.2 and so on, and a new one is begun.

package audit

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// FollowOptions say where in a log the following begins.
type FollowOptions struct {
	// Since is the time from which on records are taken, Unix time in nanoseconds: the
	// log, and rotated ones that were written since, are read from their beginning. 0:
	// what is in the log already is left out.
	Since int64
	// Serial is the number of the last record that is known from before; those up to it
	// are left out too, if their time is not after Since by more than clockSlack.
	Serial uint32
}

// maxRotated bounds the rotated logs that are looked for.
const maxRotated = 99

// FollowLog returns the way in over the log at path. The log need not be there yet; its
// folder must be.
func FollowLog(path string, o FollowOptions) (*Feed, error) {
	// File systems stamp with a clock that is a few milliseconds late.
	f := &logFeed{path: path, since: o.Since, serial: o.Serial, notify: -1, began: time.Now().Add(-10 * time.Millisecond)}
	_, err := os.Stat(filepath.Dir(path))
	if err == nil {
		err = f.begin(o.Since != 0)
	}
	if err != nil {
		return nil, fmt.Errorf("follow the log %s (log_file in auditd.conf names it): %w", path, err)
	}
	f.watch()
	return &Feed{Way: WayLog, Name: path, from: f}, nil
}

// logFeed reads a log and those that it was rotated to.
type logFeed struct {
	path   string
	file   *os.File   // the log that is read; nil: there is none yet
	next   []*os.File // logs that come after file, oldest first, all of them open
	frames framer
	at     int64 // bytes of file that were read
	notify int   // inotify descriptor of the folder; -1: the log is looked at now and then

	since  int64
	serial uint32
	began  time.Time
	gone   bool // file has been rotated: at its end the next one follows
}

// openLog opens a log for reading. Pipes and devices are refused without waiting.
func openLog(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no regular file", path)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// begin opens the log and, with all set, the rotated ones that were written since.
func (f *logFeed) begin(all bool) error {
	log, err := openLog(f.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if all {
		f.next = f.rotated(func(info fs.FileInfo) bool { return info.ModTime().UnixNano() >= f.since })
	}
	if log != nil {
		f.next = append(f.next, log)
	}
	if len(f.next) == 0 {
		return nil
	}
	f.advance()
	if all {
		return nil
	}
	// What was written before is passed over, but for a line that is not complete.
	if f.at, err = f.file.Seek(0, io.SeekEnd); err != nil {
		return err
	}
	f.frames.inLong, f.frames.decided = f.at > 0 && !endsLine(f.file, f.at), f.at > 0
	return nil
}

// endsLine reports whether the byte before offset at ends a line.
func endsLine(f *os.File, at int64) bool {
	var last [1]byte
	_, err := f.ReadAt(last[:], at-1)
	return err == nil && last[0] == '\n'
}

// rotated opens the logs path.1, path.2 … up to the first that is not there or that wanted
// does not want, and returns them oldest first.
func (f *logFeed) rotated(wanted func(fs.FileInfo) bool) []*os.File {
	var found []*os.File
	for i := 1; i <= maxRotated; i++ {
		old, err := openLog(f.path + "." + strconv.Itoa(i))
		if err != nil {
			break
		}
		info, err := old.Stat()
		if err != nil || !wanted(info) || len(found) > 0 && isFile(found[0], info) { // it was renamed meanwhile
			old.Close()
			break
		}
		found = slices.Insert(found, 0, old)
	}
	return found
}

// isFile reports whether f is the file that info is of.
func isFile(f *os.File, info fs.FileInfo) bool {
	have, err := f.Stat()
	return err == nil && os.SameFile(have, info)
}

// advance goes on with the next log.
func (f *logFeed) advance() {
	if f.file != nil {
		f.file.Close()
	}
	f.file, f.next = f.next[0], f.next[1:]
	f.at, f.gone = 0, len(f.next) > 0
	f.frames = framer{buf: f.frames.buf}
}

// watch has the folder wake whoever waits for records.
func (f *logFeed) watch() {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return
	}
	const events = unix.IN_MODIFY | unix.IN_CREATE | unix.IN_MOVED_TO | unix.IN_CLOSE_WRITE
	if _, err := unix.InotifyAddWatch(fd, filepath.Dir(f.path), events); err != nil {
		unix.Close(fd)
		return
	}
	f.notify = fd
}

func (f *logFeed) waitFD() int { return f.notify }

func (f *logFeed) close() error {
	var errs []error
	for _, log := range append(f.next, f.file) {
		if log != nil {
			errs = append(errs, log.Close())
		}
	}
	if f.notify >= 0 {
		errs = append(errs, unix.Close(f.notify))
	}
	return errors.Join(errs...)
}

func (f *logFeed) read(use func(message)) (more bool, err error) {
	f.quiet()
	if f.file == nil {
		if err := f.first(); f.file == nil {
			return false, err
		}
	}
	room := f.frames.space()
	n, err := f.file.Read(room)
	if err != nil && !errors.Is(err, io.EOF) {
		return false, fmt.Errorf("follow the log %s at byte %d: %w", f.path, f.at, err)
	}
	f.at += int64(n)
	f.frames.filled(n)
	for {
		m, ok, err := f.frames.next()
		if err != nil {
			return false, fmt.Errorf("follow the log %s: %w", f.path, err)
		}
		if !ok {
			break
		}
		if !f.known(m) {
			use(m)
		}
	}
	if n > 0 {
		return true, nil
	}
	return f.atEnd()
}

// first opens the log that was not there when the following began, and what it was
// rotated to since.
func (f *logFeed) first() error {
	log, err := openLog(f.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("follow a log: %w", err)
	}
	f.next = f.rotated(func(info fs.FileInfo) bool { return info.ModTime().After(f.began) })
	if log != nil {
		f.next = append(f.next, log)
	}
	if len(f.next) > 0 {
		f.advance()
	}
	return nil
}

// quiet takes what the folder told: that something has changed is all that counts.
func (f *logFeed) quiet() {
	if f.notify < 0 {
		return
	}
	var told [4096]byte
	for {
		if n, err := unix.Read(f.notify, told[:]); n < len(told)/2 || err != nil {
			return
		}
	}
}

// atEnd looks whether the log was rotated or truncated when all of it has been read.
func (f *logFeed) atEnd() (more bool, err error) {
	if f.gone {
		if len(f.next) > 0 {
			f.advance()
			return true, nil
		}
		f.gone = false
	}
	have, err := f.file.Stat()
	if err != nil {
		return false, fmt.Errorf("follow the log %s: %w", f.path, err)
	}
	now, err := os.Stat(f.path)
	if err != nil { // between the two steps of a rotation there is none
		f.gone = f.younger(have)
		return f.gone, nil
	}
	if os.SameFile(have, now) {
		if have.Size() < f.at { // truncated in place: it begins anew
			if f.at, err = f.file.Seek(0, io.SeekStart); err != nil {
				return false, fmt.Errorf("follow the log %s: %w", f.path, err)
			}
			f.frames = framer{buf: f.frames.buf}
			return true, nil
		}
		return false, nil
	}
	// What was written to ours between our last read and its renaming is read before.
	f.gone = f.younger(have)
	return f.gone, nil
}

// younger opens the logs that came after the one that is read, have, and reports
// whether it could: where another rotation comes in between, it is tried again later.
func (f *logFeed) younger(have fs.FileInfo) bool {
	log, _ := openLog(f.path) // there may be none just now
	// Several rotations may have passed.
	next := f.rotated(func(info fs.FileInfo) bool { return !os.SameFile(info, have) })
	newest, err := os.Stat(f.path + ".1")
	whole := err != nil && len(next) == 0 || err == nil && len(next) == 0 && os.SameFile(newest, have) ||
		err == nil && len(next) > 0 && isFile(next[len(next)-1], newest)
	if log != nil {
		now, err := os.Stat(f.path)
		whole = whole && err == nil && isFile(log, now)
		next = append(next, log)
	}
	if whole {
		f.next = next
		return len(next) > 0
	}
	for _, old := range next {
		old.Close()
	}
	return false
}

// clockSlack is how far the stamp of a record may lie behind that of one before.
const clockSlack = int64(1e9)

// known reports whether m is from before the following was to begin.
func (f *logFeed) known(m message) bool {
	if f.since == 0 {
		return false
	}
	h, _, err := ParseLine(m.data)
	if err != nil {
		return false
	}
	switch {
	case h.Time < f.since-clockSlack:
		return true
	case h.Time > f.since+clockSlack:
		f.since = 0 // from here on all is new
		return false
	}
	return f.serial != 0 && int32(uint32(h.Serial)-f.serial) <= 0
}
