// SPDX-License-Identifier: Apache-2.0

// This file turns values into the numbers that rows refer to them by: strings,
// paths, command lines and identities. What was looked up lately is remembered;
// after a transaction that failed all of it is forgotten, since it may name rows
// that are not there.

package monitordb

import (
	"database/sql/driver"
	"encoding/binary"
	"strings"

	"seismo/internal/display"
	"seismo/internal/event"
)

// Sizes of the dictionaries in memory, entries of one generation. Together they
// hold about 5 MB when full of values of usual length.
const (
	strCache      = 8192
	pathCache     = 8192
	commandCache  = 2048
	identityCache = 256
	procCache     = 8192
	perProcCache  = 4096
)

// maxCachedKey bounds the bytes of a value that is remembered: long ones seldom
// come again.
const maxCachedKey = 1024

// dictionaries holds the look-ups and what they found lately.
type dictionaries struct {
	strs, paths, commands, identities *cache[string, int64]

	insertStr, findStr, insertPath, findPath    *statement
	insertCommand, insertIdentity, findIdentity *statement
	key                                         []byte
	separators                                  string // of the platform whose paths are at hand
}

func (d *dictionaries) prepare(c *conn, size int) (err error) {
	pick := func(n int) int {
		if size > 0 {
			return size
		}
		return n
	}
	d.strs = newCache[string, int64](pick(strCache))
	d.paths = newCache[string, int64](pick(pathCache))
	d.commands = newCache[string, int64](pick(commandCache))
	d.identities = newCache[string, int64](pick(identityCache))
	for _, p := range []struct {
		to  **statement
		sql string
	}{
		{&d.insertStr, "INSERT INTO str (s) VALUES (?) ON CONFLICT DO NOTHING"},
		{&d.findStr, "SELECT id FROM str WHERE s = ?"},
		{&d.insertPath, "INSERT INTO path (dir, name) VALUES (?, ?) ON CONFLICT DO NOTHING"},
		{&d.findPath, "SELECT id FROM path WHERE dir = ? AND name = ?"},
		{&d.insertCommand, "INSERT INTO command (line, args, head) VALUES (?, ?, ?)"},
		{&d.insertIdentity, "INSERT INTO identity (user_id, user_name, group_id, group_name, effective_id, effective_name, login_id, login_name) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"},
		{&d.findIdentity, "SELECT id FROM identity WHERE user_id IS ? AND user_name IS ? AND group_id IS ? AND group_name IS ? AND effective_id IS ? AND effective_name IS ? AND login_id IS ? AND login_name IS ?"},
	} {
		if *p.to, err = c.prepare(p.sql); err != nil {
			return err
		}
	}
	return nil
}

func (d *dictionaries) reset() {
	d.strs.reset()
	d.paths.reset()
	d.commands.reset()
	d.identities.reset()
}

func remember(c *cache[string, int64], k string, id int64) {
	if len(k) <= maxCachedKey {
		c.put(k, id)
	}
}

// insertOrFind adds a row with insert, or finds the one that is there with find.
func insertOrFind(insert, find *statement, values ...driver.Value) (int64, error) {
	r, err := insert.do(values...)
	if err != nil {
		return 0, err
	}
	if n, err := r.RowsAffected(); err != nil || n == 1 {
		id, _ := r.LastInsertId() // this driver gives no error
		return id, err
	}
	id, _, err := find.number(values...)
	return id, err
}

// str returns the number of v in the dictionary of strings.
func (d *dictionaries) str(v []byte) (int64, error) {
	if id, ok := bytesIn(d.strs, v); ok {
		return id, nil
	}
	return d.addStr(string(v))
}

// strOf is str for a string.
func (d *dictionaries) strOf(v string) (int64, error) {
	if id, ok := d.strs.get(v); ok {
		return id, nil
	}
	return d.addStr(v)
}

// strOrNull is strOf, but NULL for an empty string.
func (d *dictionaries) strOrNull(v string) (driver.Value, error) {
	if v == "" {
		return nil, nil
	}
	return d.strOf(v)
}

func (d *dictionaries) addStr(v string) (int64, error) {
	id, err := insertOrFind(d.insertStr, d.findStr, textValue(v))
	if err == nil {
		remember(d.strs, v, id)
	}
	return id, err
}

// path returns the number of path v.
func (d *dictionaries) path(v []byte) (int64, error) {
	if id, ok := bytesIn(d.paths, v); ok {
		return id, nil
	}
	return d.addPath(string(v))
}

// pathOrNull is path for a string, but NULL for an empty one.
func (d *dictionaries) pathOrNull(v string) (driver.Value, error) {
	if v == "" {
		return nil, nil
	}
	if id, ok := d.paths.get(v); ok {
		return id, nil
	}
	return d.addPath(v)
}

// addPath splits v after its last separator, so that directory and name joined
// are v again, whatever it is.
func (d *dictionaries) addPath(v string) (int64, error) {
	cut := strings.LastIndexAny(v, d.separators) + 1
	dir, err := d.strOf(v[:cut])
	if err != nil {
		return 0, err
	}
	id, err := insertOrFind(d.insertPath, d.findPath, dir, textValue(v[cut:]))
	if err == nil {
		remember(d.paths, v, id)
	}
	return id, err
}

// platform tells which bytes separate the elements of the paths to come.
func (d *dictionaries) platform(name string) {
	separators := `/\`
	if name == "linux" || name == "macos" {
		separators = "/"
	}
	if d.separators != "" && d.separators != separators {
		d.paths.reset() // a path may stand under another pair of directory and name
	}
	d.separators = separators
}

// command returns the number of p's command line and arguments, NULL if neither
// is known.
func (d *dictionaries) command(p *event.Process) (driver.Value, error) {
	line := p.CommandLine
	var args, head driver.Value
	key := line
	rest := line
	switch {
	case p.Args == nil && line == "":
		return nil, nil
	case p.Args == nil:
		key = line + "\x00"
	case splitsAtBlanks(line, p.Args):
		args = int64(1)
		if head = d.head(p); head == nil {
			key = line + "\x00\x01" // the same line may stand without its beginning
			break
		}
		rest = line[len(p.Args[0]):]
	default:
		j := appendStrings(nil, p.Args)
		key = line + "\x00" + string(j)
		args = string(j)
	}
	if id, ok := d.commands.get(key); ok {
		return id, nil
	}
	r, err := d.insertCommand.do(textValue(rest), args, head)
	if err != nil {
		return nil, err
	}
	id, err := r.LastInsertId()
	remember(d.commands, key, id)
	return id, err
}

// What a command line begins with that is not stored in it, column head.
const (
	headPath = 1 // the path of the program
	headName = 2 // the last element of that
)

// head returns what p's arguments begin with, NULL if that is neither its path nor its
// name. It is known from the line alone which of both can be.
func (d *dictionaries) head(p *event.Process) driver.Value {
	switch first := p.Args[0]; {
	case first == "":
		return nil
	case first == p.Path:
		return int64(headPath)
	case first == p.Path[strings.LastIndexAny(p.Path, d.separators)+1:]:
		return int64(headName)
	}
	return nil
}

// splitsAtBlanks reports whether line split at each blank is args. A line that
// is stored as a blob counts as not: SQL could not split it.
func splitsAtBlanks(line string, args []string) bool {
	if !isText(line) || len(args) == 0 {
		return false
	}
	rest := line
	for i, a := range args {
		if strings.IndexByte(a, ' ') >= 0 || !strings.HasPrefix(rest, a) {
			return false
		}
		rest = rest[len(a):]
		if i == len(args)-1 {
			return rest == ""
		}
		if rest == "" || rest[0] != ' ' {
			return false
		}
		rest = rest[1:]
	}
	return false
}

// appendStrings appends list as a JSON array.
func appendStrings(dst []byte, list []string) []byte {
	dst = append(dst, '[')
	for i, v := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = display.AppendJSON(dst, v)
	}
	return append(dst, ']')
}

// who is an identity: numbers and names of user, group, effective and login
// user, each with whether it is known.
type who struct {
	ids      [4]int64
	names    [4][]byte
	hasID    [4]bool
	hasNames [4]bool
}

// identity returns the number of w, NULL if nothing of it is known.
func (d *dictionaries) identity(w *who) (driver.Value, error) {
	d.key = d.key[:0]
	known := false
	for i := range w.ids {
		if w.hasID[i] {
			d.key = binary.AppendVarint(append(d.key, 1), w.ids[i])
		} else {
			d.key = append(d.key, 0)
		}
		if w.hasNames[i] {
			d.key = binary.AppendUvarint(append(d.key, 1), uint64(len(w.names[i])))
			d.key = append(d.key, w.names[i]...)
		} else {
			d.key = append(d.key, 0)
		}
		known = known || w.hasID[i] || w.hasNames[i]
	}
	if !known {
		return nil, nil
	}
	if id, ok := bytesIn(d.identities, d.key); ok {
		return id, nil
	}
	var values [8]driver.Value
	for i := range w.ids {
		if w.hasID[i] {
			values[2*i] = w.ids[i]
		}
		if w.hasNames[i] {
			values[2*i+1] = textValue(string(w.names[i]))
		}
	}
	id, found, err := d.findIdentity.number(values[:]...)
	if err == nil && !found {
		var r driver.Result
		if r, err = d.insertIdentity.do(values[:]...); err == nil {
			id, err = r.LastInsertId()
		}
	}
	if err != nil {
		return nil, err
	}
	remember(d.identities, string(d.key), id)
	return id, nil
}

// eventIdentity is the identity that e tells of its own moment.
func (d *dictionaries) eventIdentity(e *event.Event) (driver.Value, error) {
	var w who
	for i, f := range [...]event.Field{0: event.UserID, 2: event.UserEffectiveID, 3: event.UserLoginID} {
		if f != event.NoField {
			w.ids[i], w.hasID[i] = e.Int(f)
		}
	}
	for i, f := range [...]event.Field{0: event.UserName, 2: event.UserEffectiveName, 3: event.UserLoginName} {
		if f != event.NoField {
			w.names[i], w.hasNames[i] = e.Text(f)
		}
	}
	return d.identity(&w)
}

// processIdentity is the identity that p began with.
func (d *dictionaries) processIdentity(p *event.Process) (driver.Value, error) {
	var w who
	for i, n := range [...]int64{p.UserID, p.GroupID, event.NoID, p.LoginUserID} {
		w.ids[i], w.hasID[i] = n, n != event.NoID
	}
	for i, s := range [...]string{p.UserName, p.GroupName, "", p.LoginUserName} {
		w.names[i], w.hasNames[i] = []byte(s), s != ""
	}
	return d.identity(&w)
}
