// SPDX-License-Identifier: Apache-2.0

// This file cuts a stream of bytes into records: lines of text, as in a log and as
// auditd hands them to a plugin with "format = string", or what it hands on with
// "format = binary": a header of four numbers (version, its own length, record type,
// length of the data; struct audit_dispatcher_header of libaudit.h), then the record.

package audit

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// framer cuts records off what is read. What it is given and what it gives lie in one
// buffer: a record is valid until space is asked for again.
type framer struct {
	buf  []byte
	from int // of what is not cut yet
	to   int

	binary  bool
	decided bool // binary is known
	skip    int  // bytes of a record that is too long, or of its padding, still to come
	pad     int  // bytes by which the last record would be padded; 0: it is not
	inLong  bool // a line that is too long is passed over
	offset  uint64
}

const (
	// maxFrame bounds a record: its text, and a binary one's data.
	maxFrame = maxLine
	// frameHeader is the length of the header of a binary record.
	frameHeader = 16
	// frameData is the room for data in auditd's own buffer (MAX_AUDIT_MESSAGE_LENGTH).
	// auditd 3.0.9 hands on the whole of it, padded with NULs, whatever the header says
	// (seen live); others hand on what the header says.
	frameData = 8970
	// maxFrameVersion is the newest header that is known: 0 comes before the kernel's
	// text, 1 before text that begins with its type.
	maxFrameVersion = 1
)

var errFrame = errors.New("no stream of auditd")

// space returns room to read into.
func (f *framer) space() []byte {
	if f.buf == nil {
		f.buf = make([]byte, 2*(maxFrame+frameHeader))
	}
	if f.from > 0 {
		f.to = copy(f.buf, f.buf[f.from:f.to])
		f.from = 0
	}
	return f.buf[f.to:]
}

// filled notes that n bytes were read into what space returned.
func (f *framer) filled(n int) { f.to += n }

// next returns the next whole record. ok is false where more has to be read. Records
// that are longer than maxFrame are given with cut set, without their end. The error
// is that of a binary stream out of step: nothing behind it can be found.
func (f *framer) next() (m message, ok bool, err error) {
	if !f.decided {
		if f.to-f.from == 0 {
			return m, false, nil
		}
		// No line begins with a control character, no header with another: its version
		// is a small number, in either order of bytes.
		f.binary, f.decided = f.buf[f.from] < ' ' && f.buf[f.from] != '\n' && f.buf[f.from] != '\r', true
	}
	if f.binary {
		return f.nextBinary()
	}
	m, ok = f.nextLine()
	return m, ok, nil
}

func (f *framer) take(n int) []byte {
	b := f.buf[f.from : f.from+n]
	f.from += n
	f.offset += uint64(n)
	return b
}

func (f *framer) nextLine() (m message, ok bool) {
	for {
		rest := f.buf[f.from:f.to]
		end := bytes.IndexByte(rest[:min(len(rest), maxFrame)], '\n') // in all pieces the same lines are too long
		if f.inLong {
			end = bytes.IndexByte(rest, '\n')
		}
		switch {
		case end >= 0 && f.inLong:
			f.take(end + 1)
			f.inLong = false
		case end >= 0:
			line := bytes.TrimSuffix(f.take(end + 1)[:end], []byte{'\r'})
			if len(line) > 0 {
				return message{data: line, line: true}, true
			}
		case f.inLong:
			f.take(len(rest))
			return m, false
		case len(rest) >= maxFrame:
			f.inLong = true
			return message{data: f.take(maxFrame), line: true, cut: true}, true
		default:
			return m, false
		}
	}
}

func (f *framer) nextBinary() (m message, ok bool, err error) {
	if f.pad > 0 {
		if f.to-f.from < 8 {
			return m, false, nil
		}
		if binary.NativeEndian.Uint32(f.buf[f.from+4:]) != frameHeader { // no header follows
			f.skip = f.pad
		}
		f.pad = 0
	}
	if f.skip > 0 {
		f.skip -= len(f.take(min(f.skip, f.to-f.from)))
	}
	if f.skip > 0 || f.to-f.from < frameHeader {
		return m, false, nil
	}
	h := f.buf[f.from:]
	order := binary.NativeEndian
	version, length, typ, size := order.Uint32(h), order.Uint32(h[4:]), order.Uint32(h[8:]), order.Uint32(h[12:])
	if version > maxFrameVersion || length != frameHeader || typ > 0xffff || size > 1<<20 {
		return m, false, fmt.Errorf("byte %d: header with version %d, length %d, type %d, size %d: %w", f.offset, version, length, typ, size, errFrame)
	}
	keep := min(int(size), maxFrame)
	if f.to-f.from < frameHeader+keep {
		return m, false, nil
	}
	f.take(frameHeader)
	data := bytes.TrimRight(f.take(keep), "\x00\n")
	f.skip, f.pad = int(size)-keep, max(0, frameData-int(size))
	return message{typ: uint16(typ), data: data, cut: f.skip > 0, line: isLine(data)}, true, nil
}

// isLine reports whether data is a record with its type in front, as auditd gives
// what it has enriched, and not the kernel's own text.
func isLine(data []byte) bool {
	return bytes.HasPrefix(data, []byte("type=")) || bytes.HasPrefix(data, []byte("node="))
}
