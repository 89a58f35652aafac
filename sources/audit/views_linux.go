// SPDX-License-Identifier: Apache-2.0

// This file knows what processes see of the file tree: which root they have, and in
// which mount namespace.

package audit

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"seismo/internal/event"
)

// view is what a process sees of the file tree: its root directory.
type view struct {
	id     uint32
	prefix string // where its root is, as the kernel tells us: "" if that is /
	// foreign says that the root lies in another mount namespace. The kernel tells
	// paths there from the root of that namespace.
	foreign bool
}

// noView stands for one that is not ours and not known.
var noView = &view{id: 1<<32 - 1}

// number returns what tells seen from other views, 0 for ours.
func (seen *view) number() uint32 {
	if seen == nil {
		return 0
	}
	return seen.id
}

const (
	// maxViews bounds the views that are told apart, maxViewers the processes with one
	// that is not ours. Beyond either all are forgotten: then it is not known who sees
	// what, until they are looked at.
	maxViews   = 4096
	maxViewers = 65536
)

// rootKey tells one root from another: its mount and its inode.
type rootKey struct {
	mount uint64
	dev   uint64
	inode uint64
	space uint64 // the mount namespace, where mounts have no number of their own
}

// views remembers what processes see. Processes that it does not know see what we see:
// so those with another view are looked for when it is made, their children follow them
// (see forked), and whoever changes its view is told of by the records (see changed).
type views struct {
	ours    rootKey
	space   uint64 // our mount namespace
	byRoot  map[rootKey]*view
	of      map[int32]*view // processes whose view is not ours, or not known
	leaving []leaver        // of those, the ones that have ended
	last    uint32          // id given last
	answer  answer          // the last
	// tracked says that the records tell who changes its view.
	tracked bool
	// unsure says that a process that is not known may have another view.
	unsure bool
}

// leaver is a process that has ended. Records of it may still come.
type leaver struct {
	pid int32
	at  int64 // Unix time, nanoseconds
}

// stayTime is how long what an ended process saw is remembered.
const stayTime = int64(2 * time.Second)

func newViews() *views {
	v := &views{byRoot: make(map[rootKey]*view), of: make(map[int32]*view)}
	v.ours, _ = rootOf("/proc/self/root")
	v.space = inodeOf("/proc/self/ns/mnt")
	return v
}

// rootOf looks at a root, without asking a file system's server.
func rootOf(link string) (rootKey, bool) {
	var st unix.Statx_t
	const want = unix.STATX_INO | unix.STATX_MNT_ID_UNIQUE
	if err := unix.Statx(unix.AT_FDCWD, link, unix.AT_STATX_DONT_SYNC, want, &st); err != nil {
		return rootKey{}, false
	}
	key := rootKey{dev: uint64(st.Dev_major)<<32 | uint64(st.Dev_minor), inode: st.Ino}
	if st.Mask&unix.STATX_MNT_ID_UNIQUE != 0 {
		key.mount = st.Mnt_id
	} else { // before Linux 6.8
		key.space = inodeOf(strings.TrimSuffix(link, "root") + "ns/mnt")
	}
	return key, true
}

func inodeOf(path string) uint64 {
	var st unix.Statx_t
	if unix.Statx(unix.AT_FDCWD, path, unix.AT_STATX_DONT_SYNC, unix.STATX_INO, &st) != nil {
		return 0
	}
	return st.Ino
}

func procLink(pid int32, name string) string { return "/proc/" + strconv.Itoa(int(pid)) + "/" + name }

// sweep looks at all processes.
func (v *views) sweep() {
	dir, err := os.Open("/proc")
	if err != nil {
		v.unsure = true
		return
	}
	defer dir.Close()
	names, err := dir.Readdirnames(0)
	v.unsure = v.unsure || err != nil
	for _, name := range names {
		if pid, err := strconv.ParseInt(name, 10, 32); err == nil {
			v.look(int32(pid))
		}
	}
}

// look returns what process pid sees now; false if it is gone.
func (v *views) look(pid int32) (seen *view, alive bool) {
	link := procLink(pid, "root")
	key, ok := rootOf(link)
	switch {
	case !ok:
		return nil, false
	case key == v.ours:
		if len(v.of) > 0 {
			delete(v.of, pid)
		}
		return nil, true
	}
	seen = v.byRoot[key]
	if seen == nil {
		seen = v.add(link, pid, key)
	}
	v.set(pid, seen)
	return seen, true
}

// add remembers a view that was not met before. The process may change it meanwhile: the
// name is that of a root that was looked at, and counts if it is still the same.
func (v *views) add(link string, pid int32, key rootKey) *view {
	fd, err := unix.Open(link, unix.O_PATH|unix.O_CLOEXEC|unix.O_DIRECTORY, 0)
	if err != nil {
		return noView
	}
	defer unix.Close(fd)
	prefix, ok := readDescriptor("/proc/self/fd/" + strconv.Itoa(fd))
	space := inodeOf(procLink(pid, "ns/mnt"))
	if now, alive := rootOf(link); !ok || !alive || now != key || !isRoot(fd, key) {
		return noView
	}
	return v.keep(key, view{prefix: strings.TrimSuffix(prefix, "/"), foreign: space != v.space})
}

// isRoot reports whether fd is the root that key says.
func isRoot(fd int, key rootKey) bool {
	is, ok := rootOf("/proc/self/fd/" + strconv.Itoa(fd))
	return ok && is.dev == key.dev && is.inode == key.inode && is.mount == key.mount
}

// keep gives a view its number.
func (v *views) keep(key rootKey, seen view) *view {
	if len(v.byRoot) >= maxViews {
		clear(v.byRoot)
	}
	v.last++
	seen.id = v.last
	v.byRoot[key] = &seen
	return &seen
}

// set notes that pid has the view seen.
func (v *views) set(pid int32, seen *view) {
	if _, known := v.of[pid]; !known && len(v.of) >= maxViewers {
		clear(v.of)
		v.unsure = true
	}
	v.of[pid] = seen
}

// answer is what find says of a process.
type answer struct {
	pid   int32 // 0: none
	seen  *view // nil: ours
	alive bool
	known bool
}

// find returns what process pid saw, whose parent is ppid. An answer counts until
// forget: one process asks for many paths.
func (v *views) find(pid, ppid int32) answer {
	if v.answer.pid != pid || pid == 0 {
		v.answer = v.ask(pid, ppid)
	}
	return v.answer
}

// forget has find look again.
func (v *views) forget() { v.answer = answer{} }

func (v *views) ask(pid, ppid int32) answer {
	seen, alive := v.look(pid)
	if !alive {
		seen = v.of[pid]
	}
	switch {
	case alive || seen != nil:
		return answer{pid, seen, alive, seen != noView}
	case len(v.of) == 0 && !v.unsure:
		return answer{pid: pid, known: true}
	case !v.tracked || v.unsure:
		return answer{pid: pid, seen: noView} // it may have had another root at its end
	}
	// It may have begun after the forks were read last.
	seen = v.of[ppid]
	return answer{pid, seen, false, seen != noView}
}

// differ reports whether any process is known to have another view than ours.
func (v *views) differ() bool { return len(v.of) > 0 }

// hint returns what is remembered of pid's view, without looking.
func (v *views) hint(pid int32) *view {
	if len(v.of) == 0 {
		return nil
	}
	return v.of[pid]
}

// forked takes in which processes began and ended.
func (v *views) forked(changes []event.Change) {
	v.forget()
	if len(v.of) == 0 {
		v.leaving = v.leaving[:0]
		return
	}
	n := 0
	for now := time.Now().UnixNano(); n < len(v.leaving) && v.leaving[n].at < now-stayTime; n++ {
		delete(v.of, v.leaving[n].pid)
	}
	v.leaving = slices.Delete(v.leaving, 0, n)
	for i := range changes {
		switch c := &changes[i]; {
		case c.Exec:
		case c.Exit:
			if v.of[c.PID] != nil {
				v.leaving = append(v.leaving, leaver{c.PID, c.Time})
			}
		default:
			if v.of[c.PID] != nil { // it was another's
				v.leaving = slices.DeleteFunc(v.leaving, func(l leaver) bool { return l.pid == c.PID })
				delete(v.of, c.PID)
			}
			if seen := v.of[c.Parent]; seen != nil {
				v.set(c.PID, seen)
			}
		}
	}
}

// changesView reports whether e is a call that may give its process another view, and
// returns the process.
func changesView(e *event.Event) (pid int32, changes bool) {
	if e.Kind != event.KindSyscall {
		return 0, false
	}
	name, _ := e.Text(event.SyscallName)
	result, _ := e.Int(event.SyscallResult)
	switch string(name) {
	case "chroot", "pivot_root", "setns", "unshare", "mount", "move_mount", "fsmount":
		return e.PID, result >= 0
	case "clone": // of the child
		return int32(result), result > 0
	}
	return 0, false
}

// changed takes from a decoded event whose view is another now.
func (v *views) changed(e *event.Event) (pid int32, changed bool) {
	if pid, changed = changesView(e); changed {
		v.forget()
		if _, alive := v.look(pid); !alive {
			v.set(pid, v.rooted(e))
		}
	}
	return pid, changed
}

// rooted returns the view of a process that is gone after e: of a chroot, from our own
// view, into a directory that is still there by the name that was given, with no link on
// the way.
func (v *views) rooted(e *event.Event) *view {
	name, _ := e.Text(event.SyscallName)
	path, ok := e.Text(event.SyscallPath)
	if string(name) != "chroot" || !ok || !isAbsolute(path) || v.of[e.PID] != nil || len(v.of) > 0 && v.of[e.PPID] != nil {
		return noView
	}
	prefix := string(path)
	fd, err := unix.Openat2(unix.AT_FDCWD, prefix, &unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_CLOEXEC | unix.O_DIRECTORY,
		Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS | resolveCached,
	})
	if err != nil {
		return noView
	}
	defer unix.Close(fd)
	key, ok := rootOf("/proc/self/fd/" + strconv.Itoa(fd))
	if !ok || key.mount == 0 {
		return noView
	}
	if seen := v.byRoot[key]; seen != nil {
		return seen
	}
	return v.keep(key, view{prefix: strings.TrimSuffix(prefix, "/")})
}

// cut returns path, which the kernel told us, as it is in view seen; false if it lies
// outside of its root.
func (seen *view) cut(path string) (string, bool) {
	if seen == nil || seen.prefix == "" {
		return path, true
	}
	rest, ok := strings.CutPrefix(path, seen.prefix)
	switch {
	case !ok || rest != "" && rest[0] != '/':
		return "", false
	case rest == "":
		return "/", true
	}
	return rest, true
}

// lookIn looks whether path, in the view of the living process pid, is the file that key
// says. See lookAt.
func lookIn(pid int32, path string, key dirKey) int {
	root, err := unix.Open(procLink(pid, "root"), unix.O_PATH|unix.O_CLOEXEC|unix.O_DIRECTORY, 0)
	if err != nil {
		return lookNothing
	}
	defer unix.Close(root)
	return lookFrom(root, path, 0, unix.RESOLVE_IN_ROOT, key)
}
