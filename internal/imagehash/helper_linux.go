// SPDX-License-Identifier: Apache-2.0

// This file is the helper: a process that is asked for files and reads them, one after
// the other. What it may open is in open_linux.go, what it gives up at its start in
// confine_linux.go.

package imagehash

import (
	"bufio"
	"crypto/md5"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// The descriptors that a helper is started with.
const (
	talkFD  = 3 // a stream socket to the recorder
	watchFD = 4 // an inotify instance that the recorder reads
)

const (
	chunk     = 128 << 10       // bytes of one read
	sayBusy   = time.Second     // how often a helper that reads says so
	maxTime   = 2 * time.Minute // for one file
	helperMem = 24 << 20        // bytes of heap that the collector aims at
)

// Serve answers requests until the recorder closes the socket. It expects to be a
// process of its own, started by [Start], and confines it.
func Serve() error {
	runtime.LockOSThread()
	debug.SetMemoryLimit(helperMem)
	if err := confine(); err != nil {
		return fmt.Errorf("confine the hash helper: %w", err)
	}
	h := &helper{out: socket(talkFD), watch: watchFD, buf: make([]byte, chunk), sha256: sha256.New(), md5: md5.New()}
	if err := h.say(&Answer{Status: Ready}); err != nil {
		return nil // nobody listens any more
	}
	return h.serve(bufio.NewReaderSize(socket(talkFD), 16<<10))
}

// socket reads and writes a descriptor without the runtime's poller.
type socket int

func (s socket) Read(b []byte) (int, error) {
	for {
		n, err := unix.Read(int(s), b)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return 0, err
		case n == 0:
			return 0, io.EOF
		}
		return n, nil
	}
}

func (s socket) Write(b []byte) (n int, err error) {
	for n < len(b) {
		m, err := unix.SendmsgN(int(s), b[n:], nil, nil, unix.MSG_NOSIGNAL)
		if errors.Is(err, unix.EINTR) {
			continue
		} else if err != nil {
			return n, err
		}
		n += m
	}
	return n, nil
}

// helper is the state of a helper.
type helper struct {
	out          io.Writer
	watch        int // descriptor; -1: changes are not watched
	buf          []byte
	answers      []byte // to be sent together
	sha256, md5  hash.Hash
	began, spoke time.Time // of the file at hand
}

// serve answers the requests of in. What in holds already is answered together.
func (h *helper) serve(in *bufio.Reader) error {
	frame := make([]byte, maxFrame)
	var r Request
	for {
		b, err := readFrame(in, frame)
		if errors.Is(err, io.EOF) || errors.Is(err, unix.ECONNRESET) {
			return nil
		} else if err != nil {
			return err
		}
		if err := ParseRequest(b, &r); err != nil {
			return err
		}
		a, err := h.answer(&r)
		if err == nil {
			h.answers = AppendAnswer(h.answers, &a)
			if in.Buffered() == 0 || len(h.answers) > 2<<10 {
				err = h.flush()
			}
		}
		if err != nil {
			return nil // nobody listens any more
		}
	}
}

func (h *helper) flush() error {
	_, err := h.out.Write(h.answers)
	h.answers = h.answers[:0]
	return err
}

// say sends a at once, behind what waits to be sent.
func (h *helper) say(a *Answer) error {
	h.answers = AppendAnswer(h.answers, a)
	return h.flush()
}

// answer finds out what r asks for. The error says that nobody listens any more.
func (h *helper) answer(r *Request) (Answer, error) {
	a := Answer{ID: r.ID}
	o, err := openRunning(r)
	if err != nil {
		running := err
		if o, err = openPath(r); errors.Is(err, errGone) {
			err = running
		}
	}
	if err == nil {
		defer unix.Close(o.fd)
		a.Running = o.running
		if o.links > 0 {
			a.Watch = h.watchFile(o.fd)
		}
		// Once more, behind the watch: what happens from here on is told.
		var again opened
		if again, err = look(o.fd); err == nil && again.file != o.file && !o.running {
			err = errChanged
		}
		o.file, a.At = again.file, time.Now().UnixNano()
	}
	switch {
	case errors.Is(err, errGone):
		a.Status = Gone
	case errors.Is(err, errRefused):
		a.Status = Refused
	case errors.Is(err, errChanged):
		a.Status = Changed
	case err != nil:
		a.Status = Failed
	case o.file.Size > r.Max:
		a.Status, a.File = TooLarge, o.file
	case !r.Read:
		a.Status, a.File = Looked, o.file
	default:
		return h.read(r, a, &o)
	}
	return a, nil
}

// read reads o and hashes it.
func (h *helper) read(r *Request, a Answer, o *opened) (Answer, error) {
	h.began = time.Now()
	h.spoke = h.began
	h.sha256.Reset()
	h.md5.Reset()
	size := int64(0)
	for {
		n, err := unix.Read(o.fd, h.buf)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		now := time.Now()
		if size += int64(n); err != nil || now.Sub(h.began) > maxTime {
			a.Status = Failed
			return a, nil
		}
		if n <= 0 {
			break
		}
		if size > o.file.Size {
			a.Status = Changed
			return a, nil
		}
		if r.Want&SHA256 != 0 {
			h.sha256.Write(h.buf[:n])
		}
		if r.Want&MD5 != 0 {
			h.md5.Write(h.buf[:n])
		}
		if now.Sub(h.spoke) >= sayBusy {
			h.spoke = now
			if err := h.say(&Answer{Status: Busy}); err != nil {
				return a, err
			}
		}
	}
	after, err := look(o.fd)
	a.At = time.Now().UnixNano()
	// A running program can not be written to; that it was renamed or deleted
	// meanwhile changes only its change time.
	before := o.file
	if o.running {
		before.CTime = after.file.CTime
	}
	if err != nil || after.file != before || size != before.Size {
		a.Status = Changed
		return a, nil
	}
	a.Status, a.File, a.Sums.Have = Hashed, after.file, r.Want
	if r.Want&SHA256 != 0 {
		h.sha256.Sum(a.Sums.SHA256[:0])
	}
	if r.Want&MD5 != 0 {
		h.md5.Sum(a.Sums.MD5[:0])
	}
	return a, nil
}

// watchEvents are the changes that a watch tells. A write through a mapping is told
// when the file is closed after it; until then it can not be executed. That the last
// name is gone comes as a change of attributes.
const watchEvents = unix.IN_MODIFY | unix.IN_ATTRIB | unix.IN_CLOSE_WRITE | unix.IN_DELETE_SELF

// watchFile has changes of the file of fd told, and returns the number of the watch;
// 0 if they can not be told, or not all of them.
func (h *helper) watchFile(fd int) int32 {
	if h.watch < 0 || !isLocal(fd) {
		return 0
	}
	n, err := unix.InotifyAddWatch(h.watch, "/proc/self/fd/"+strconv.Itoa(fd), watchEvents)
	if err != nil || n < 0 {
		return 0
	}
	return int32(n)
}

// isLocal reports whether the file of fd lies on a file system that only this kernel
// changes.
func isLocal(fd int) bool {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil {
		return false
	}
	switch uint32(fs.Type) {
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.TMPFS_MAGIC, unix.OVERLAYFS_SUPER_MAGIC,
		unix.F2FS_SUPER_MAGIC, unix.SQUASHFS_MAGIC, unix.EROFS_SUPER_MAGIC_V1, unix.BCACHEFS_SUPER_MAGIC, zfsMagic:
		return true // EXT4_SUPER_MAGIC is that of ext2 and ext3 as well
	}
	return false
}

const zfsMagic = 0x2fc12fc1 // ZFS_SUPER_MAGIC of OpenZFS
