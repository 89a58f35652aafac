// SPDX-License-Identifier: Apache-2.0

// This file finds the path of a file that a process named by descriptor.

package audit

import (
	"container/list"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"seismo/internal/event"
)

// maxDirs bounds the directories that a dirResolver remembers.
const maxDirs = 4096

// dirResolver finds paths by what a process's descriptor refers to, and remembers
// those of directories by device and inode: most processes are gone when their
// records are read. A directory that is renamed or removed makes what is remembered
// untrue: the decoded events tell, see learn.
type dirResolver struct {
	known map[dirKey]*list.Element
	order *list.List // of *knownDir, the one used last in front
}

type dirKey struct {
	dev   string
	inode uint64
}

type knownDir struct {
	key  dirKey
	path string
}

func newDirResolver() *dirResolver {
	return &dirResolver{known: make(map[dirKey]*list.Element), order: list.New()}
}

// resolve serves as [DecodeOptions.ResolveDir]. Without a device to check by it
// finds nothing: the descriptor may be another file by now. It opens nothing and
// asks no file system's server, so that a look cannot be made to hang.
func (r *dirResolver) resolve(pid, fd int32, dev string, inode uint64) (string, bool) {
	if dev == "" {
		return "", false
	}
	key := dirKey{dev, inode}
	link := "/proc/" + strconv.Itoa(int(pid)) + "/fd/" + strconv.Itoa(int(fd))
	var st unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, link, unix.AT_STATX_DONT_SYNC|unix.AT_NO_AUTOMOUNT, unix.STATX_INO|unix.STATX_TYPE, &st)
	if err == nil && st.Ino == inode && dev == deviceText(&st) {
		path, err := os.Readlink(link)
		// What was removed has " (deleted)" at its end; what lies outside of the
		// process's root has no slash at its beginning.
		if err == nil && strings.HasPrefix(path, "/") && !strings.HasSuffix(path, " (deleted)") {
			if st.Mode&unix.S_IFMT == unix.S_IFDIR {
				r.remember(key, path)
			}
			return path, true
		}
	}
	if at, ok := r.known[key]; ok {
		r.order.MoveToFront(at)
		return at.Value.(*knownDir).path, true
	}
	return "", false
}

// learn takes from a decoded event what became of directories: after a rename
// every path that is remembered may lie below the old name, and the inode of a
// removed one is used again.
func (r *dirResolver) learn(e *event.Event) {
	if e.Kind != event.KindFile || e.Op != event.OpRename && e.Op != event.OpDelete {
		return
	}
	if mode, ok := e.Int(event.FileMode); !ok || mode&unix.S_IFMT != unix.S_IFDIR {
		return
	}
	if e.Op == event.OpRename {
		clear(r.known)
		r.order.Init()
		return
	}
	inode, _ := e.Int(event.FileInode)
	for key, at := range r.known {
		if key.inode == uint64(inode) {
			delete(r.known, key)
			r.order.Remove(at)
		}
	}
}

// deviceText writes a device as records do: major and minor in hex
// (kernel/auditsc.c, audit_log_name).
func deviceText(st *unix.Statx_t) string {
	hex := func(n uint32) string {
		s := strconv.FormatUint(uint64(n), 16)
		if len(s) < 2 {
			s = "0" + s
		}
		return s
	}
	return hex(st.Dev_major) + ":" + hex(st.Dev_minor)
}

func (r *dirResolver) remember(key dirKey, path string) {
	if at, ok := r.known[key]; ok {
		at.Value.(*knownDir).path = path
		r.order.MoveToFront(at)
		return
	}
	if r.order.Len() >= maxDirs {
		oldest := r.order.Back()
		delete(r.known, oldest.Value.(*knownDir).key)
		r.order.Remove(oldest)
	}
	r.known[key] = r.order.PushFront(&knownDir{key, path})
}
