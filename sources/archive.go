// SPDX-License-Identifier: Apache-2.0

// This file reads the members of zip archives, one after the other.

package sources

import (
	"archive/zip"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"seismo/internal/display"
	"seismo/internal/event"
)

// maxMembers bounds the members of an archive.
const maxMembers = 10_000

// maxDirectory bounds the bytes that are read to find them: for 10,000 members 800 each.
const maxDirectory = 8 << 20

var errDirectory = fmt.Errorf("its directory is longer than %d MiB", maxDirectory>>20)

// encrypted is the bit of a member's flags that says so (APPNOTE 6.3, 4.4.4).
const encrypted = 1

// packedEndings are how the names of what is packed itself end.
var packedEndings = []string{".zip", ".gz", ".tgz", ".tar", ".7z", ".rar", ".bz2", ".xz", ".zst"}

// frugal reads a file, but before it is open no more than is left: package zip keeps
// some 300 bytes of each member, however many there are.
type frugal struct {
	file io.ReaderAt
	left int64
	open bool
}

// ReadAt implements io.ReaderAt.
func (f *frugal) ReadAt(p []byte, off int64) (int, error) {
	if !f.open {
		if f.left -= int64(len(p)); f.left < 0 {
			return 0, errDirectory
		}
	}
	return f.file.ReadAt(p, off)
}

// archive is a source of all files of a zip archive, in the order of its directory.
// The input of their events is called ARCHIVE!MEMBER.
type archive struct {
	file    *os.File
	size    int64
	format  format
	o       Options
	members []*zip.File
	at      Source // of the member at hand; nil: none is open
	bounds  expansion
	n       int64             // bytes unpacked so far
	sum     event.SourceStats // of the members before
	found   string            // format of the latest member, see FormatOf
	closed  bool
}

// openArchive returns the source of the archive in file, which it takes over.
func openArchive(file *os.File, size int64, f format, o Options, bounds expansion) (*archive, error) {
	in := &frugal{file: file, left: maxDirectory}
	z, err := zip.NewReader(in, size)
	in.open = true
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) { // nothing is written anywhere
		return nil, fmt.Errorf("open %s: zip archive: %w", o.Name, err)
	}
	a := &archive{file: file, size: size, format: f, o: o, bounds: bounds}
	if len(z.File) > maxMembers {
		return nil, fmt.Errorf("open %s: zip archive of %d members, at most %d are taken", o.Name, len(z.File), maxMembers)
	}
	for _, m := range z.File {
		switch {
		case m.FileInfo().IsDir(), strings.HasPrefix(m.Name, "__MACOSX/"): // what macOS notes of the others
			continue
		case !m.Mode().IsRegular():
			return nil, fmt.Errorf("open %s: member %q is no file", o.Name, m.Name)
		case slices.Contains(packedEndings, strings.ToLower(path.Ext(m.Name))):
			return nil, fmt.Errorf("open %s: member %q is packed itself: unpack the archive first", o.Name, m.Name)
		case m.Flags&encrypted != 0:
			return nil, fmt.Errorf("open %s: member %q is encrypted: unpack the archive first", o.Name, m.Name)
		}
		a.members = append(a.members, m)
	}
	return a, nil
}

// Read implements Source.
func (a *archive) Read(ctx context.Context, b *event.Batch) error {
	for {
		if a.at == nil {
			if len(a.members) == 0 || a.closed {
				return io.EOF
			}
			if err := a.next(); err != nil {
				return err
			}
		}
		err := a.at.Read(ctx, b)
		a.found = FormatOf(a.at)
		if !errors.Is(err, io.EOF) {
			return err
		}
		a.sum = add(a.sum, a.at.Stats())
		err = a.at.Close()
		a.at = nil
		if err != nil {
			return err
		}
	}
}

// next opens the next member.
func (a *archive) next() error {
	m := a.members[0]
	a.members = a.members[1:]
	o := a.o
	o.Name = a.o.Name + "!" + display.Text(m.Name) // in one line, also within errors
	r, err := m.Open()
	if errors.Is(err, io.EOF) { // the place of its head is beyond the end: not the end of the archive
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("open %s: %w", o.Name, err)
	}
	in := bufio.NewReaderSize(r, 64<<10)
	if head, _ := in.Peek(len(zipMagic)); isPacked(head) != "" {
		r.Close()
		return fmt.Errorf("open %s: it is packed itself (%s): unpack the archive first", o.Name, isPacked(head))
	}
	a.at = a.format.open(&member{a, in, r}, o, false)
	return nil
}

// Stats implements Source.
func (a *archive) Stats() event.SourceStats {
	if a.at == nil {
		return a.sum
	}
	return add(a.sum, a.at.Stats())
}

func add(a, b event.SourceStats) event.SourceStats {
	a.Received += b.Received
	a.Parsed += b.Parsed
	a.Malformed += b.Malformed
	a.Assembled += b.Assembled
	a.Incomplete += b.Incomplete
	a.KernelLost += b.KernelLost
	a.SerialGaps += b.SerialGaps
	a.Overruns += b.Overruns
	a.LeftOut += b.LeftOut
	return a
}

// Close implements Source. What the member at hand still holds can be read.
func (a *archive) Close() error {
	if a.closed {
		return nil
	}
	a.closed = true
	var err error
	if a.at != nil {
		err = a.at.Close()
	}
	return errors.Join(err, a.file.Close())
}

// member is the content of a member; it counts for the whole archive.
type member struct {
	a *archive
	r *bufio.Reader
	c io.Closer
}

// Read implements io.Reader.
func (m *member) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	m.a.n += int64(n)
	if over := m.a.bounds.over(m.a.size, m.a.n); over != nil {
		return 0, fmt.Errorf("zip archive: %w", over)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("the zip archive is cut off: %w", err)
	}
	return n, err
}

// Close implements io.Closer.
func (m *member) Close() error { return m.c.Close() }
