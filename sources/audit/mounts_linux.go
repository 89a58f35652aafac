// SPDX-License-Identifier: Apache-2.0

// This file extends rules on folders to what is mounted below them while recording
// goes on. When a rule is added the kernel marks the root of each file system that is
// mounted below the folder, and a file belongs to the rule if a mark lies above it
// within its own file system (kernel/audit_tree.c). What is mounted later has no mark
// until somebody asks for it (AUDIT_MAKE_EQUIV).

package audit

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"seismo/internal/event"
)

const (
	// maxMountTable bounds the table of mounts that is read: 100,000 mounts of a
	// namespace, the kernel's default bound (sysctl fs.mount-max), of 160 bytes each.
	maxMountTable = 16 << 20
	// maxTags bounds the mounts that are marked in one look; the others wait for the
	// next.
	maxTags = 2000
	// namedMounts is how many mount points a loss names.
	namedMounts = 3
)

// mount is a line of the table of mounts (proc_pid_mountinfo(5)).
type mount struct {
	id    uint64
	point string
	kind  string // of file system
	key   string // the line up to the mount point: it tells one mount from others
	late  bool   // it came after the rule on the folder
}

// parseMount reads a line. What the kernel escapes in a path is octal.
func parseMount(line string) (m mount, ok bool) {
	var at [6]int // the ends of the first fields
	n := 0
	for i := 0; i < len(line) && n < len(at); i++ {
		if line[i] == ' ' {
			at[n] = i
			n++
		}
	}
	if n < len(at) {
		return mount{}, false
	}
	id, err := strconv.ParseUint(line[:at[0]], 10, 64)
	_, rest, ok := strings.Cut(line[at[5]:], " - ")
	kind, _, _ := strings.Cut(rest, " ")
	m = mount{id: id, point: unescapeMount(line[at[3]+1 : at[4]]), kind: kind, key: line[:at[4]]}
	return m, ok && err == nil
}

// unescapeMount undoes what seq_path does to blanks, tabs, line ends, backslashes and
// number signs.
func unescapeMount(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b []byte
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b = append(b, byte(n))
				i += 3
				continue
			}
		}
		b = append(b, s[i])
	}
	return string(b)
}

// notFiles are file systems that hold no files but switches of the kernel, devices and
// triggers. Of most, one instance is shared by all places where it is mounted, so a mark
// would have all that is done there recorded, by whatever name.
func notFiles(kind string) bool {
	switch kind {
	case "proc", "sysfs", "devtmpfs", "devpts", "cgroup", "cgroup2", "securityfs", "debugfs", "tracefs", "bpf", "mqueue",
		"pstore", "configfs", "efivarfs", "binfmt_misc", "autofs", "fusectl", "rpc_pipefs", "nsfs", "selinuxfs", "hugetlbfs":
		return true
	}
	return false
}

// mayAsk reports whether a look at the root of a mounted file system may ask its server,
// and wait for it (those with a d_weak_revalidate of their own).
func mayAsk(kind string) bool {
	switch kind {
	case "nfs", "nfs4", "9p", "cifs", "smb3", "ceph", "afs", "orangefs":
		return true
	}
	return false
}

// mountTable knows which mounts below watched folders the kernel has marked.
type mountTable struct {
	marked map[string]uint64 // by mount.key: the unique id, 0 on kernels without
	next   map[string]uint64
	dirs   []string // that were watched at the last look
}

// watchedDirs returns the folders that rules of ours in kernel form are about.
func watchedDirs(rules []undoRule) (dirs []string) {
	for _, r := range rules {
		if dir, always := wireDir(r.Wire); always && dir != "" && !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// wireDir returns the folder of a rule in wire form, and whether the rule asks for
// records.
func wireDir(wire []byte) (dir string, always bool) {
	const dirField, alwaysAction = 107, 2 // AUDIT_DIR, AUDIT_ALWAYS
	if len(wire) < wireHeader {
		return "", false
	}
	word := func(at int) uint32 { return binary.NativeEndian.Uint32(wire[at:]) }
	rest := wire[wireHeader:]
	for i := range int(min(word(8), wireMaxFields)) {
		field, n := word(wireFields+4*i), word(wireValues+4*i)
		if !hasWireString(field) {
			continue
		}
		if uint64(n) > uint64(len(rest)) {
			break
		}
		if field == dirField {
			return string(rest[:n]), word(4) == alwaysAction
		}
		rest = rest[n:]
	}
	return "", false
}

// foundMounts is what a look at the mounts shows.
type foundMounts struct {
	fresh []mount // not marked yet, in the order of the table, then those of which it is not sure
	left  bool    // there are more than may be marked at once
}

// look compares the mounts with those that are marked. table is what the kernel says,
// dirs are the watched folders. unique tells a mount from an earlier one with the same
// line; false says that it can not be reached now.
func (t *mountTable) look(table []byte, dirs []string, unique func(mount) (uint64, bool)) (f foundMounts) {
	if t.next == nil {
		t.next = make(map[string]uint64)
	}
	clear(t.next)
	var again []mount
	for line := range bytes.Lines(table) {
		m, ok := parseMount(string(line))
		if !ok || notFiles(m.kind) || !slices.ContainsFunc(dirs, m.concerns) {
			continue
		}
		id, reached := unique(m)
		was, known := t.marked[m.key]
		switch {
		case !reached && known:
			t.next[m.key] = was // it lies under another one, and keeps its mark
		case !reached:
		case known && was == id && (id != 0 || mayAsk(m.kind)):
			t.next[m.key] = id
		case known && was == id: // another one with the same line may have taken its place
			t.next[m.key] = id
			if len(again) < maxTags {
				again = append(again, m)
			}
		case len(f.fresh) >= maxTags:
			f.left = true
		default:
			// A rule that is new has had the kernel mark what was there.
			m.late = !known && slices.ContainsFunc(t.dirs, m.concerns) || known && was != id
			f.fresh = append(f.fresh, m)
			t.next[m.key] = id
		}
	}
	f.fresh = append(f.fresh, again[:min(len(again), maxTags-len(f.fresh))]...)
	t.marked, t.next = t.next, t.marked
	t.dirs = slices.Clone(dirs)
	return f
}

// gone reports whether m is no longer there since the last look: the next tells what is
// in its place.
func (t *mountTable) gone(m mount, unique func(mount) (uint64, bool)) bool {
	now, reached := unique(m)
	was, known := t.marked[m.key]
	return !reached || known && now != was
}

// concerns reports whether m shows files below dir: it lies there, or dir lies in it.
func (m *mount) concerns(dir string) bool { return inside(m.point, dir) || inside(dir, m.point) }

// openMount marks the root of m for us (O_PATH) and returns its unique id, 0 where the
// kernel has none (before 6.8). It is answered from what the kernel has in memory: of a
// mount point, and of all above it, that is always so; no file system can make us
// wait. It fails if another mount lies over m.
func openMount(m mount) (fd int, unique uint64, err error) {
	for range 4 { // a rename anywhere at the same time makes the kernel give up
		fd, err = unix.Openat2(unix.AT_FDCWD, m.point, &unix.OpenHow{
			Flags:   unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC,
			Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS | resolveCached,
		})
		if !errors.Is(err, unix.EAGAIN) {
			break
		}
	}
	if errors.Is(err, unix.EINVAL) { // before 5.12
		fd, err = unix.Open(m.point, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	}
	if err != nil {
		return -1, 0, err
	}
	var st unix.Statx_t
	const flags = unix.AT_EMPTY_PATH | unix.AT_STATX_DONT_SYNC
	if err := unix.Statx(fd, "", flags, unix.STATX_MNT_ID, &st); err != nil || st.Mask&unix.STATX_MNT_ID != 0 && st.Mnt_id != m.id {
		return -1, 0, errors.Join(fmt.Errorf("mount %d is not what is seen at %s", m.id, m.point), err, unix.Close(fd))
	}
	if err := unix.Statx(fd, "", flags, unix.STATX_MNT_ID_UNIQUE, &st); err == nil && st.Mask&unix.STATX_MNT_ID_UNIQUE != 0 {
		unique = st.Mnt_id
	}
	return fd, unique, nil
}

// uniqueID returns what tells m from another mount with the same line, 0 where that is
// not asked.
func uniqueID(m mount) (uint64, bool) {
	if mayAsk(m.kind) {
		return 0, true
	}
	fd, unique, err := openMount(m)
	if err != nil {
		return 0, false
	}
	unix.Close(fd)
	return unique, true
}

// readMounts reads the table of mounts of this mount namespace.
func readMounts() ([]byte, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var table bytes.Buffer
	if _, err := table.ReadFrom(&limited{f, maxMountTable}); err != nil {
		return nil, fmt.Errorf("read the table of mounts: %w", err)
	}
	return table.Bytes(), nil
}

// limited reads no more than left bytes and then fails.
type limited struct {
	f    *os.File
	left int
}

func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, fmt.Errorf("it has more than %d bytes", maxMountTable)
	}
	n, err := l.f.Read(p[:min(len(p), l.left)])
	l.left -= n
	return n, err
}

// openMounts begins to watch the mounts. Those that are there have been marked with the
// rules, unless a rule on the same folder was there before: the kernel then has both use
// the marks that are there.
func (k *Kernel) openMounts() {
	if k.options.LeaveRules || k.install.locked {
		return
	}
	present, err := k.control.Rules()
	shared := k.heir != nil || err != nil || slices.ContainsFunc(present, func(w []byte) bool {
		dir, _ := wireDir(w)
		return dir != "" && !isOurs(w)
	})
	k.mountNotice, err = openMountNotice(k.waker.wake)
	table, readErr := readMounts()
	if err = errors.Join(err, readErr); err != nil {
		k.warnings = append(k.warnings, "file systems that are mounted from now on are not watched: "+err.Error())
		return
	}
	dirs := watchedDirs(k.install.planned)
	if f := k.mountTable.look(table, dirs, uniqueID); shared {
		k.mark(f.fresh, dirs) // as well as it goes
	}
}

// watchMounts marks what was mounted below watched folders, if anything was mounted
// or unmounted.
func (k *Kernel) watchMounts() {
	if k.mountNotice == nil || k.closed {
		return
	}
	from := k.mountNotice.from.Swap(0)
	if from == 0 {
		return
	}
	table, err := readMounts()
	if err != nil {
		k.say(true, "what was mounted is not known, and not watched: %v", err)
		return
	}
	dirs := watchedDirs(k.install.planned)
	f := k.mountTable.look(table, dirs, uniqueID)
	late, err := k.mark(f.fresh, dirs)
	if err != nil {
		k.say(true, "a file system was mounted and is not watched: %v", err)
		k.lose(event.Loss{From: from, To: time.Now().UnixNano(), Reason: event.LossNotSeen, Kind: event.KindFile, Unit: "events",
			Detail: "mounted below a watched folder, and not watched from then on: " + err.Error()})
	}
	if f.left {
		k.mountNotice.again(k.waker.wake)
	}
	if len(late) > 0 {
		k.lose(event.Loss{From: from, To: time.Now().UnixNano(), Reason: event.LossNotSeen, Kind: event.KindFile, Unit: "events",
			Detail: "mounted below a watched folder, not watched until now: " + namesOf(late)})
	}
}

// mark has the kernel mark the mounts, and returns where those are that came late. What
// was unmounted again, or lies under another, is left for the next look. The error is
// about the first that the kernel refused.
func (k *Kernel) mark(fresh []mount, dirs []string) (late []string, err error) {
	for _, m := range fresh {
		if !m.late && mayAsk(m.kind) {
			continue // it was mounted long ago: its server may be gone
		}
		var points []string // what of m lies below a watched folder
		if slices.ContainsFunc(dirs, func(dir string) bool { return inside(m.point, dir) }) {
			points = []string{m.point}
		} else {
			points = slices.DeleteFunc(slices.Clone(dirs), func(dir string) bool { return !inside(dir, m.point) })
		}
		for _, point := range points {
			fd, openErr := openPoint(m, point)
			if openErr != nil {
				delete(k.mountTable.marked, m.key)
				continue
			}
			request := k.control.request(unix.AUDIT_MAKE_EQUIV, equivRequest(fd))
			unix.Close(fd)
			switch {
			case request != nil && k.mountTable.gone(m, uniqueID):
				delete(k.mountTable.marked, m.key)
			case request != nil && !errors.Is(request, unix.ENOENT) && err == nil:
				err = fmt.Errorf("mark %q: %w", point, request)
			case request == nil && m.late:
				late = append(late, point)
			}
		}
	}
	return late, err
}

// openPoint opens the root of m, or a watched folder in it.
func openPoint(m mount, point string) (int, error) {
	if point == m.point {
		fd, _, err := openMount(m)
		return fd, err
	}
	return unix.Open(point, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
}

// equivRequest is the message that has the kernel mark what is mounted at fd, and below
// it, for the rules on folders above it: the lengths of the name of the one place and of
// the other, then the names (kernel/audit.c, audit_receive_msg). The kernel finds fd by a
// link of its own, and looks nowhere else whatever somebody puts in the way of a path.
func equivRequest(fd int) []byte {
	name := "/proc/self/fd/" + strconv.Itoa(fd) + "/." // the last step may be no link
	data := binary.NativeEndian.AppendUint32(nil, uint32(len(name)))
	data = binary.NativeEndian.AppendUint32(data, uint32(len(name)))
	return append(append(data, name...), name...)
}

// namesOf names the first of points.
func namesOf(points []string) string {
	var b strings.Builder
	for i, point := range points[:min(len(points), namedMounts)] {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(strconv.Quote(point))
	}
	if more := len(points) - namedMounts; more > 0 {
		fmt.Fprintf(&b, " and %d more", more)
	}
	return b.String()
}

// isOwnMark reports whether r tells that we marked a mount.
func isOwnMark(r Record) bool {
	return r.Type == unix.AUDIT_CONFIG_CHANGE && bytes.Contains(r.Body, []byte(" op=make_equiv ")) &&
		bytes.HasPrefix(r.Body, fmt.Appendf(nil, "pid=%d ", os.Getpid()))
}
