// SPDX-License-Identifier: Apache-2.0

// This file reads the names of users and groups from /etc. It asks no name
// service: a look-up must not wait for a network, nor make events of its own. Users
// of LDAP, SSSD and the like have their numbers and no name.

package process

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"time"
	"unicode/utf8"
)

// Bounds of the files: bytes read, names kept, bytes of a name. useradd takes 32
// bytes at most.
const (
	maxNameFile = 16 << 20
	maxNames    = 200_000
	maxNameSize = 256
)

// refreshEvery is how often the files are looked at again: it costs two stat(2),
// and an id may have another name by then.
const refreshEvery = int64(time.Second)

// Users holds the names of passwd and group, two files of /etc. Ids that stand
// in neither have no name. One goroutine uses it.
type Users struct {
	fs            fs.FS
	users, groups nameFile
	looked        int64
	done          bool // looked at least once
	again         bool // an id without a name may look, once before the next Refresh
}

// nameFile is one of the files, as it was when it was last read.
type nameFile struct {
	name    string
	size    int64
	changed time.Time
	names   map[int64]string
}

// NewUsers reads the names of etc, which is what /etc shows. A file that can not
// be read has no names yet: the first Refresh looks again and tells the error.
func NewUsers(etc fs.FS) *Users {
	u := &Users{fs: etc, users: nameFile{name: "passwd"}, groups: nameFile{name: "group"}}
	_, _ = u.users.refresh(etc), u.groups.refresh(etc)
	return u
}

// UserName returns the name of a user id. Of several the first counts.
func (u *Users) UserName(uid int64) (string, bool) { return u.name(&u.users, uid) }

// GroupName returns the name of a group id.
func (u *Users) GroupName(gid int64) (string, bool) { return u.name(&u.groups, gid) }

// name looks up id in n. For one that has no name the files are looked at first,
// once between two calls of Refresh: whoever makes an account acts as it at once.
func (u *Users) name(n *nameFile, id int64) (string, bool) {
	s, ok := n.names[id]
	if !ok && u.again && id >= 0 && id < 1<<32-1 {
		u.again = false
		_ = u.look() // on an error the names known so far stay in force
		s, ok = n.names[id]
	}
	return s, ok
}

// Refresh reads the files again if they have changed, by size or time, and the
// last look was a second or more before now (Unix time, nanoseconds), or after
// it: the clock was set back. A file that can not be read keeps the names it
// had, and the error says which.
func (u *Users) Refresh(now int64) error {
	u.again = true
	if u.done && now >= u.looked && now-u.looked < refreshEvery {
		return nil
	}
	u.done, u.looked = true, now
	return u.look()
}

func (u *Users) look() error {
	return errors.Join(u.users.refresh(u.fs), u.groups.refresh(u.fs))
}

func (n *nameFile) refresh(etc fs.FS) error {
	info, err := fs.Stat(etc, n.name)
	if err == nil && !info.Mode().IsRegular() { // opening a pipe waits for a writer
		err = errors.New("no regular file")
	}
	if err != nil {
		return fmt.Errorf("names of %s: %w", n.name, err)
	}
	if n.names != nil && info.Size() == n.size && info.ModTime().Equal(n.changed) {
		return nil
	}
	f, err := etc.Open(n.name)
	if err != nil {
		return fmt.Errorf("names of %s: %w", n.name, err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxNameFile))
	if err != nil {
		return fmt.Errorf("names of %s: %w", n.name, err)
	}
	n.names, n.size, n.changed = parseNames(b), info.Size(), info.ModTime()
	return nil
}

// parseNames reads the first and third fields of lines of passwd(5) or
// group(5). A line that is not of that form is left out, as is a name that
// could be taken for something else: with control characters or not UTF-8.
func parseNames(b []byte) map[int64]string {
	names := map[int64]string{}
	for line := range bytes.Lines(b) {
		name, rest, ok := bytes.Cut(bytes.TrimSuffix(line, []byte("\n")), []byte(":"))
		if !ok || !plainName(name) {
			continue
		}
		_, rest, ok1 := bytes.Cut(rest, []byte(":"))
		number, _, ok2 := bytes.Cut(rest, []byte(":"))
		id, err := strconv.ParseUint(string(number), 10, 32)
		if !ok1 || !ok2 || err != nil || id == 1<<32-1 {
			continue
		}
		if _, twice := names[int64(id)]; !twice {
			names[int64(id)] = string(name)
		}
		if len(names) >= maxNames {
			break
		}
	}
	return names
}

func plainName(name []byte) bool {
	if len(name) == 0 || len(name) > maxNameSize || name[0] == '+' || name[0] == '-' || name[0] == '#' || !utf8.Valid(name) {
		return false // + and - include a name service, # begins a comment
	}
	for _, c := range name {
		if c <= ' ' || c == 0x7f {
			return false
		}
	}
	return true
}
