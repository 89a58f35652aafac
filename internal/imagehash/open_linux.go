// SPDX-License-Identifier: Apache-2.0

// This file opens what ran. No path of a record is opened before it is clear what
// lies there.
//
//   - /proc/PID/exe leads to the very image, whatever became of its path: deleted, made
//     in memory, or in another mount namespace. It counts if the process began before
//     the exec, and if the file is one that the exec went through; for a process that
//     was found running, if the link has the path.
//   - Once the process has ended, the path is looked up without links, as kernel paths
//     have none, and only marked (O_PATH), so that neither pipe nor device notices. It
//     counts if it is a regular file, the very one of the exec, and has not changed
//     since: its change time, which nobody but the kernel sets, is not after the exec.

package imagehash

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
	"seismo/internal/event"
)

// opened is a file that a request led to.
type opened struct {
	fd      int
	file    File
	links   uint64
	running bool
}

var errGone, errRefused, errChanged = errors.New("gone"), errors.New("not what ran"), errors.New("changed")

// openRunning opens the program of the process of r.
func openRunning(r *Request) (opened, error) {
	if r.PID <= 0 {
		return opened{}, errGone
	}
	dir := "/proc/" + strconv.Itoa(int(r.PID))
	fd, err := unix.Open(dir+"/exe", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	if err != nil {
		return opened{}, errGone
	}
	o, err := look(fd)
	if err == nil {
		// After the open: a process that has this pid since then began later.
		switch start, known := started(dir); {
		case !known || start > r.Time+startSlack:
			err = errGone
		case !ofRunning(r, &o, dir):
			err = errRefused
		}
	}
	if err != nil {
		unix.Close(fd)
		return opened{}, err
	}
	o.running = true
	return o, nil
}

// startSlack is how far the start of a process, which has steps of 10 ms and is
// computed over two clocks, may lie after its exec.
const startSlack = int64(30 * time.Millisecond)

// ofRunning reports whether o, the program of the process in dir, is what r is about.
// It need not be: the process may have gone on to execute another file since, and
// one that was part of this exec may be what it chose, such as its loader.
func ofRunning(r *Request, o *opened, dir string) bool {
	if len(r.Files) > 0 && imageOf(r.Files) == o.file.FileID {
		return true
	}
	known := false // is the file one of the exec, on whatever device
	for _, f := range r.Files {
		known = known || f.Inode == o.file.Inode
	}
	// A process found running tells no files. What btrfs and overlays say of device
	// and inode is not what records say.
	if len(r.Files) > 0 && !known && !onOverlay(o.fd) {
		return false
	}
	link, err := os.Readlink(dir + "/exe")
	return err == nil && strings.TrimSuffix(link, deleted) == strings.TrimSuffix(r.Path, deleted)
}

const deleted = " (deleted)"

func onOverlay(fd int) bool {
	var fs unix.Statfs_t
	return unix.Fstatfs(fd, &fs) == nil && uint32(fs.Type) == unix.OVERLAYFS_SUPER_MAGIC
}

// started returns when the process in dir began, Unix time in nanoseconds.
func started(dir string) (int64, bool) {
	b := make([]byte, 1024)
	f, err := unix.Open(dir+"/stat", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, false
	}
	defer unix.Close(f)
	n, err := unix.Read(f, b)
	if err != nil {
		return 0, false
	}
	// The name, between parentheses, may hold anything; field 22 is the 20th after it.
	fields := bytes.Fields(b[bytes.LastIndexByte(b[:n], ')')+1 : n])
	if len(fields) < 20 {
		return 0, false
	}
	ticks, err := strconv.ParseUint(string(fields[19]), 10, 56)
	if err != nil {
		return 0, false
	}
	var up unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &up) != nil {
		return 0, false
	}
	return time.Now().UnixNano() - up.Nano() + int64(ticks)*1e7, true // USER_HZ is 100
}

// openPath opens the file at the path of r, if it is what ran.
func openPath(r *Request) (opened, error) {
	if len(r.Files) == 0 || !strings.HasPrefix(r.Path, "/") || strings.IndexByte(r.Path, 0) >= 0 {
		return opened{}, errGone
	}
	mark, err := unix.Openat2(unix.AT_FDCWD, r.Path, &unix.OpenHow{Flags: unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_SYMLINKS})
	if errors.Is(err, unix.ENOSYS) { // before Linux 5.6; what it leads to is compared all the same
		mark, err = unix.Open(r.Path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	}
	if err != nil {
		return opened{}, errGone
	}
	defer unix.Close(mark)
	o, err := look(mark)
	switch {
	case err != nil:
		return opened{}, err
	case !sameFile(mark, o.file.FileID, imageOf(r.Files)):
		return opened{}, errRefused
	case o.file.CTime/1e6 > r.Time/1e6: // stamps of execs have milliseconds
		return opened{}, errChanged
	}
	fd, err := unix.Open("/proc/self/fd/"+strconv.Itoa(mark), unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	if err != nil {
		return opened{}, err
	}
	o.fd = fd
	return o, nil
}

// look says what fd is; an error if it is no regular file.
func look(fd int) (opened, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return opened{}, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return opened{}, errRefused
	}
	return opened{fd: fd, links: uint64(st.Nlink), file: File{event.FileID{Dev: uint64(st.Dev), Inode: st.Ino},
		st.Size, st.Mtim.Nano(), st.Ctim.Nano()}}, nil
}

// sameFile reports whether the file of fd is the one that a record called want. A
// record has the device of the file system, stat that of a part of it (btrfs).
func sameFile(fd int, have, want event.FileID) bool {
	return have.Inode == want.Inode && (have.Dev == want.Dev || deviceOfMount(fd) == want.Dev)
}

// maxMounts bounds the lines of mountinfo that are read.
const maxMounts = 20_000

// deviceOfMount returns the device of the file system that fd lies on, as the kernel
// has it (proc_pid_mountinfo(5)); 0 if it is not found.
func deviceOfMount(fd int) uint64 {
	var st unix.Statx_t
	if err := unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_MNT_ID, &st); err != nil || st.Mask&unix.STATX_MNT_ID == 0 {
		return 0
	}
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return 0
	}
	defer f.Close()
	return findMount(f, st.Mnt_id)
}

func findMount(r io.Reader, id uint64) uint64 {
	want := strconv.FormatUint(id, 10) + " "
	lines := bufio.NewScanner(r)
	for i := 0; i < maxMounts && lines.Scan(); i++ {
		rest, ok := strings.CutPrefix(lines.Text(), want)
		if !ok {
			continue
		}
		_, rest, _ = strings.Cut(rest, " ")
		dev, _, _ := strings.Cut(rest, " ")
		major, minor, _ := strings.Cut(dev, ":")
		a, err1 := strconv.ParseUint(major, 10, 32)
		b, err2 := strconv.ParseUint(minor, 10, 32)
		if errors.Join(err1, err2) != nil {
			return 0
		}
		return unix.Mkdev(uint32(a), uint32(b))
	}
	return 0
}
