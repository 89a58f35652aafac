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
// records are read.
//
// A path is remembered only after a look of our own has found that very directory
// at its end, without following a link on the way: what a process or a record
// calls a directory is a hint where to look, no more, since whoever names it may
// have put links there. The path is the one that this recorder sees, whatever
// root or mounts the process has. A directory that is renamed or removed makes
// what is remembered untrue: the decoded events tell, see learn, and each use
// looks whether another directory has taken the place.
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

// hook fills in what the decoder asks.
func (r *dirResolver) hook(o *DecodeOptions) {
	o.ResolveDir, o.ResolveBelow, o.SawDir = r.resolve, r.resolveBelow, r.saw
}

// resolve serves as [DecodeOptions.ResolveDir]. Without a device to check by it
// finds nothing: the descriptor may be another file by now. It only marks files
// (O_PATH) and asks no file system's server, so that a look cannot be made to hang.
func (r *dirResolver) resolve(pid, fd int32, dev string, inode uint64) (string, bool) {
	if dev == "" {
		return "", false
	}
	key := dirKey{dev, inode}
	if path, ok := r.descriptor(pid, fd, key); ok {
		return path, true
	}
	at, ok := r.known[key]
	if !ok {
		return "", false
	}
	path := at.Value.(*knownDir).path
	if lookAt(path, unix.O_DIRECTORY, key) == lookOther {
		r.forget(at)
		return "", false
	}
	r.order.MoveToFront(at)
	return path, true
}

// descriptor returns the path of what a descriptor refers to, if that is key. The
// look and the name are of one descriptor of our own: the process may put another
// file at its own in between. A name is remembered only if it leads there for us as
// well: a process can mount any directory it can reach at any name it likes.
func (r *dirResolver) descriptor(pid, fd int32, key dirKey) (string, bool) {
	if fd < 0 {
		return "", false
	}
	own, err := unix.Open(descriptorLink(pid, fd), unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", false
	}
	defer unix.Close(own)
	var st unix.Statx_t
	err = unix.Statx(own, "", unix.AT_EMPTY_PATH|unix.AT_STATX_DONT_SYNC, unix.STATX_INO|unix.STATX_TYPE, &st)
	if err != nil || st.Ino != key.inode || key.dev != deviceText(&st) {
		return "", false
	}
	path, ok := readDescriptor("/proc/self/fd/" + strconv.Itoa(own))
	if ok && st.Mode&unix.S_IFMT == unix.S_IFDIR && lookAt(path, unix.O_DIRECTORY, key) == lookSame {
		r.remember(key, path)
	}
	return path, ok
}

func descriptorLink(pid, fd int32) string {
	return "/proc/" + strconv.Itoa(int(pid)) + "/fd/" + strconv.Itoa(int(fd))
}

// readDescriptor reads a link of /proc. What was removed has " (deleted)" at its
// end; what lies outside of our root has no slash at its beginning.
func readDescriptor(link string) (string, bool) {
	path, err := os.Readlink(link)
	return path, err == nil && strings.HasPrefix(path, "/") && !strings.HasSuffix(path, " (deleted)")
}

// resolveBelow serves as [DecodeOptions.ResolveBelow]: that the file is found
// there shows that the descriptor is still what it was.
func (r *dirResolver) resolveBelow(pid, fd int32, rel, dev string, inode uint64) (string, bool) {
	if dev == "" || fd < 0 {
		return "", false
	}
	dir, ok := readDescriptor(descriptorLink(pid, fd))
	if !ok {
		return "", false
	}
	path := string(AppendPath(nil, []byte(dir), []byte(rel)))
	return path, lookAt(path, 0, dirKey{dev, inode}) == lookSame
}

// saw serves as [DecodeOptions.SawDir].
func (r *dirResolver) saw(dev []byte, inode uint64, path []byte) {
	if len(dev) == 0 || len(path) == 0 || path[0] != '/' {
		return
	}
	at, ok := r.known[dirKey{string(dev), inode}] // does not allocate
	if ok && at.Value.(*knownDir).path == string(path) {
		return
	}
	key := dirKey{string(dev), inode}
	if name := string(path); lookAt(name, unix.O_DIRECTORY, key) == lookSame {
		if ok {
			r.forgetBelow(at.Value.(*knownDir).path) // it has moved
		}
		r.remember(key, name)
	}
}

// resolveCached is RESOLVE_CACHED of include/uapi/linux/openat2.h (Linux 5.12),
// which package unix does not have. Older kernels refuse it: nothing is seen.
const resolveCached = 0x20

// What a look at a path can show.
const (
	lookNothing = iota // nothing is there, or it can not be told
	lookSame
	lookOther
)

// lookAt looks whether path is the file that key says, following no link. It is
// answered from what the kernel has in memory or not at all (RESOLVE_CACHED), so
// that no file system can make it wait; nothing is opened (O_PATH).
func lookAt(path string, flags uint64, key dirKey) int {
	fd, err := unix.Openat2(unix.AT_FDCWD, path, &unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC | flags,
		Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS | resolveCached,
	})
	switch err {
	case nil:
	case unix.ELOOP, unix.ENOTDIR:
		return lookOther
	default:
		return lookNothing
	}
	defer unix.Close(fd)
	var st unix.Statx_t
	err = unix.Statx(fd, "", unix.AT_EMPTY_PATH|unix.AT_STATX_DONT_SYNC, unix.STATX_INO, &st)
	switch {
	case err != nil:
		return lookNothing
	case st.Ino == key.inode && deviceText(&st) == key.dev:
		return lookSame
	}
	return lookOther
}

// learn takes from a decoded event what became of directories: after a rename
// what is remembered may lie below the old name, and the inode of a removed one
// is used again.
func (r *dirResolver) learn(e *event.Event) {
	if e.Kind != event.KindFile || e.Op != event.OpRename && e.Op != event.OpDelete {
		return
	}
	if mode, ok := e.Int(event.FileMode); !ok || mode&unix.S_IFMT != unix.S_IFDIR {
		return
	}
	inode, _ := e.Int(event.FileInode)
	var same []*list.Element
	for key, at := range r.known {
		if key.inode == uint64(inode) {
			same = append(same, at)
		}
	}
	for _, at := range same {
		d := at.Value.(*knownDir)
		switch {
		case e.Op == event.OpDelete:
			r.forget(at)
		case lookAt(d.path, unix.O_DIRECTORY, d.key) != lookSame: // else it is the new name, see saw
			r.forgetBelow(d.path)
		}
	}
	if e.Op == event.OpRename && len(same) == 0 {
		// Where it was, as we see it, is not known: it may be above any other.
		clear(r.known)
		r.order.Init()
	}
}

func (r *dirResolver) forget(at *list.Element) {
	delete(r.known, at.Value.(*knownDir).key)
	r.order.Remove(at)
}

// forgetBelow forgets path and all below it.
func (r *dirResolver) forgetBelow(path string) {
	for _, at := range r.known {
		if p := at.Value.(*knownDir).path; strings.HasPrefix(p, path) && (len(p) == len(path) || p[len(path)] == '/') {
			r.forget(at)
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
