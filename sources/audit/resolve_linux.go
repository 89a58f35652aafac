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
// have put links there. Of a process with another root than ours the path is cut to
// what it sees; what a process in another mount namespace sees is remembered for
// those with the same root only. A directory that is renamed or removed makes
// what is remembered untrue: the decoded events tell, see learn, and each use
// looks whether another directory has taken the place.
type dirResolver struct {
	known   map[dirKey]*list.Element
	byInode map[uint64]*list.Element // the first of those with one inode, see knownDir.next
	order   *list.List               // of *knownDir, the one used last in front
	views   *views
	who     *actor // of the group at hand; nil: there is none
	late    latePaths
}

type dirKey struct {
	dev   string
	inode uint64
	view  uint32 // of a view in another mount namespace, else 0
}

type knownDir struct {
	key  dirKey
	path string        // as we see it, or as it is in key.view
	next *list.Element // another with the same inode
}

func newDirResolver() *dirResolver {
	return &dirResolver{known: make(map[dirKey]*list.Element), byInode: make(map[uint64]*list.Element), order: list.New(), views: newViews()}
}

// hook fills in what the decoder asks.
func (r *dirResolver) hook(o *DecodeOptions) {
	o.ResolveDir, o.ResolveBelow, o.SawDir = r.resolve, r.resolveBelow, r.saw
}

// settle puts the paths of a batch right that is about to be handed over.
func (r *dirResolver) settle() {
	defer r.views.forget()
	r.late.settle(func(e *event.Event, dev string, inode uint64) (string, bool) {
		return r.find(e.PID, e.PPID, noFD, dirKey{dev: dev, inode: inode})
	})
}

// begin looks at what is there when recording begins: the processes with a root of their
// own, and the watched folders. tracked says that the records will tell of others.
func (r *dirResolver) begin(watched []string, tracked bool) {
	r.views.sweep()
	r.views.tracked = tracked
	for _, dir := range watched {
		var st unix.Statx_t
		if unix.Statx(unix.AT_FDCWD, dir, unix.AT_STATX_DONT_SYNC, unix.STATX_INO, &st) == nil {
			r.saw([]byte(deviceText(&st)), st.Ino, []byte(dir))
		}
	}
}

// parent returns the parent of the process that the group at hand is of.
func (r *dirResolver) parent() int32 {
	if r.who == nil || r.who.ppid <= 0 || r.who.ppid > 1<<30 {
		return 0
	}
	return int32(r.who.ppid)
}

// resolve serves as [DecodeOptions.ResolveDir]. Without a device to check by it
// finds nothing: the descriptor may be another file by now. It only marks files
// (O_PATH) and asks no file system's server, so that a look cannot be made to hang.
func (r *dirResolver) resolve(pid, fd int32, dev string, inode uint64) (string, bool) {
	return r.find(pid, r.parent(), fd, dirKey{dev: dev, inode: inode})
}

// find is resolve for a process whose parent is ppid.
func (r *dirResolver) find(pid, ppid, fd int32, key dirKey) (string, bool) {
	if key.dev == "" {
		return "", false
	}
	a := r.views.find(pid, ppid)
	r.late.view = a.seen.number()
	if !a.known {
		return "", false
	}
	if a.alive {
		if path, is := r.descriptor(pid, fd, key, a.seen); is {
			return path, path != ""
		}
	}
	return r.remembered(pid, a.seen, key)
}

// remembered returns the path that the directory key has in view seen.
func (r *dirResolver) remembered(pid int32, seen *view, key dirKey) (string, bool) {
	if seen != nil && seen.foreign {
		key.view = seen.id
	}
	at, ok := r.known[key]
	if !ok {
		return "", false
	}
	path := at.Value.(*knownDir).path
	var shown int
	if key.view != 0 {
		shown = lookIn(pid, path, key) // nothing where the process is gone
	} else {
		shown = lookAt(path, unix.O_DIRECTORY, key)
	}
	if shown == lookOther {
		r.forget(at)
		return "", false
	}
	r.order.MoveToFront(at)
	if key.view != 0 {
		return path, true
	}
	return seen.cut(path)
}

// descriptor returns the path, in view seen, of what a descriptor refers to, if that is
// key; an empty one if it is key, and has no path in that view. The look and the name
// are of one descriptor of our own: the process may put another file at its own in
// between. A name is remembered only if it leads there for us, or for the process, as
// well: a process can mount any directory it can reach at any name it likes, and can
// have been handed a directory from outside of what it sees.
func (r *dirResolver) descriptor(pid, fd int32, key dirKey, seen *view) (path string, is bool) {
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
	if !ok {
		return "", false // it has gone: what is remembered may know it
	}
	isDir := st.Mode&unix.S_IFMT == unix.S_IFDIR
	if isDir && (seen == nil || !seen.foreign) && lookAt(path, unix.O_DIRECTORY, key) == lookSame {
		r.remember(key, path)
	}
	if seen == nil {
		return path, true
	}
	path, ok = seen.cut(path)
	if !ok || lookIn(pid, path, key) != lookSame {
		return "", true
	}
	if seen.foreign && isDir && r.views.ours.mount != 0 { // else another may get the number of this root
		r.remember(dirKey{key.dev, key.inode, seen.id}, path)
	}
	return path, true
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
	key := dirKey{dev: dev, inode: inode}
	a := r.views.find(pid, r.parent())
	r.late.view = a.seen.number()
	if !a.known {
		return "", false
	}
	if dir, ok = a.seen.cut(dir); !ok {
		return "", false
	}
	path := string(AppendPath(nil, []byte(dir), []byte(rel)))
	if a.seen != nil {
		return path, lookIn(pid, path, key) == lookSame
	}
	return path, lookAt(path, 0, key) == lookSame
}

// saw serves as [DecodeOptions.SawDir].
func (r *dirResolver) saw(dev []byte, inode uint64, path []byte) {
	if len(dev) == 0 || len(path) == 0 || path[0] != '/' {
		return
	}
	var seen *view
	if r.who != nil {
		if seen = r.views.hint(int32(r.who.pid)); seen == noView || seen != nil && seen.foreign {
			return // its name is not ours
		}
	}
	at, ok := r.known[dirKey{dev: string(dev), inode: inode}] // does not allocate
	if ok && seen == nil && at.Value.(*knownDir).path == string(path) {
		return
	}
	key := dirKey{dev: string(dev), inode: inode}
	name := string(path)
	if seen != nil && seen.prefix != "" {
		name = strings.TrimSuffix(seen.prefix+name, "/")
	}
	if lookAt(name, unix.O_DIRECTORY, key) == lookSame {
		if ok && at.Value.(*knownDir).path != name {
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
	return lookFrom(unix.AT_FDCWD, path, flags, 0, key)
}

// lookFrom is lookAt from directory dir, with more conditions on the way.
func lookFrom(dir int, path string, flags, resolve uint64, key dirKey) int {
	fd, err := unix.Openat2(dir, path, &unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC | flags,
		Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS | resolveCached | resolve,
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
	if e.Kind == event.KindSyscall {
		if pid, changes := r.views.changed(e); changes && len(r.late.turns) < maxDirFacts {
			r.late.turns = append(r.late.turns, viewTurn{pid, e.Serial, e.Time})
		}
		return
	}
	if e.Kind != event.KindFile || e.Op != event.OpRename && e.Op != event.OpDelete {
		return
	}
	if mode, ok := e.Int(event.FileMode); !ok || mode&unix.S_IFMT != unix.S_IFDIR {
		return
	}
	if e.Op == event.OpRename && len(r.late.renames) < maxDirFacts {
		r.late.renames = append(r.late.renames, dirRename{e, e.Serial, r.views.hint(e.PID).number()})
	}
	inode, _ := e.Int(event.FileInode)
	var same []*list.Element
	for at := r.byInode[uint64(inode)]; at != nil; at = at.Value.(*knownDir).next {
		same = append(same, at)
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
		clear(r.byInode)
		r.order.Init()
	}
}

func (r *dirResolver) forget(at *list.Element) {
	d := at.Value.(*knownDir)
	delete(r.known, d.key)
	r.order.Remove(at)
	first := r.byInode[d.key.inode]
	switch {
	case first != at:
		before := first.Value.(*knownDir)
		for before.next != at {
			before = before.next.Value.(*knownDir)
		}
		before.next = d.next
	case d.next != nil:
		r.byInode[d.key.inode] = d.next
	default:
		delete(r.byInode, d.key.inode)
	}
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
	return deviceName(uint64(st.Dev_major)<<32 | uint64(st.Dev_minor))
}

func (r *dirResolver) remember(key dirKey, path string) {
	if at, ok := r.known[key]; ok {
		at.Value.(*knownDir).path = path
		r.order.MoveToFront(at)
		return
	}
	if r.order.Len() >= maxDirs {
		r.forget(r.order.Back())
	}
	at := r.order.PushFront(&knownDir{key, path, r.byInode[key.inode]})
	r.known[key], r.byInode[key.inode] = at, at
}
