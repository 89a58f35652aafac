// SPDX-License-Identifier: Apache-2.0

// This file unpacks what is compressed, on the way and within bounds: gzip streams
// here, zip archives in archive.go. What a file is, its first bytes tell.

package sources

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
)

// ErrExpansion is wrapped by the error about packed data that unpacks to more than is
// taken.
var ErrExpansion = errors.New("unpacks to too much")

// expansion bounds what one file unpacks to. Recorded logs shrink to a tenth or a
// thirtieth; what shrinks to less than a two-hundredth was made to fill a disk.
type expansion struct {
	total int64 // bytes in all
	ratio int64 // unpacked bytes for a packed one, beyond the first free bytes
	free  int64
}

var usualExpansion = expansion{total: 4 << 30, ratio: 200, free: 64 << 20}

// over returns an error if out bytes unpacked from in are too many.
func (x expansion) over(in, out int64) error {
	switch {
	case out > x.total:
		return fmt.Errorf("more than %d MiB: %w", x.total>>20, ErrExpansion)
	case out > x.free && out/x.ratio > in:
		return fmt.Errorf("%d MiB from %d bytes, more than %d for one: %w", out>>20, in, x.ratio, ErrExpansion)
	}
	return nil
}

// The first bytes of packed data.
var (
	gzipMagic = []byte{0x1f, 0x8b}
	zipMagic  = []byte("PK\x03\x04")
	zipEmpty  = []byte("PK\x05\x06") // an archive without members
)

// isPacked says what head begins: "gzip", "zip", or nothing that is known here.
func isPacked(head []byte) string {
	switch {
	case bytes.HasPrefix(head, gzipMagic):
		return "gzip"
	case bytes.HasPrefix(head, zipMagic), bytes.HasPrefix(head, zipEmpty):
		return "zip"
	}
	return ""
}

// unpacker reads a stream as it is or, if it is gzip, what it unpacks to; a gzip
// stream may have several members. It looks at the stream with the first read.
type unpacker struct {
	in     *bufio.Reader
	closer io.Closer // nil: nothing is closed
	bounds expansion
	out    io.Reader
	packed counted
	n      int64 // bytes unpacked
	gzip   bool
	err    error
}

// counted counts the bytes that are read.
type counted struct {
	r *bufio.Reader
	n int64
}

// Read implements io.Reader.
func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// ReadByte implements io.ByteReader: gzip then reads no further than it must.
func (c *counted) ReadByte() (byte, error) {
	b, err := c.r.ReadByte()
	if err == nil {
		c.n++
	}
	return b, err
}

func newUnpacker(r io.Reader, bounds expansion) *unpacker {
	u := &unpacker{in: bufio.NewReaderSize(r, 64<<10), bounds: bounds}
	u.closer, _ = r.(io.Closer)
	return u
}

// Read implements io.Reader. An error about packed data tells how far it was read.
func (u *unpacker) Read(p []byte) (int, error) {
	if u.out == nil && u.err == nil {
		u.begin()
	}
	if u.err != nil {
		return 0, u.err
	}
	n, err := u.out.Read(p)
	u.n += int64(n)
	switch {
	case !u.gzip || errors.Is(err, io.EOF):
	case errors.Is(err, io.ErrUnexpectedEOF):
		err = fmt.Errorf("the gzip data is cut off after %d bytes, %d unpacked: %w", u.packed.n, u.n, err)
	case err != nil:
		err = fmt.Errorf("gzip, after %d bytes, %d unpacked: %w", u.packed.n, u.n, err)
	default:
		err = u.bounds.over(u.packed.n, u.n)
	}
	u.err = err
	return n, err
}

// begin looks what the stream is.
func (u *unpacker) begin() {
	head, _ := u.in.Peek(len(zipMagic))
	switch isPacked(head) {
	case "":
		u.out = u.in
		return
	case "zip":
		u.err = errors.New("it is a zip archive: those are read from a file, not from a stream or another archive")
		return
	}
	u.gzip, u.packed.r = true, u.in
	z, err := gzip.NewReader(&u.packed)
	if err != nil {
		u.err = fmt.Errorf("gzip: %w", err)
		return
	}
	inner := bufio.NewReaderSize(z, 64<<10)
	if head, _ := inner.Peek(len(zipMagic)); isPacked(head) != "" {
		u.err = fmt.Errorf("within the gzip data is %s: unpack it first", isPacked(head))
		return
	}
	u.out = inner
}

// Close closes what is below, if it can be closed.
func (u *unpacker) Close() error {
	if u.closer == nil {
		return nil
	}
	return u.closer.Close()
}
