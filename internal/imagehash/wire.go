// SPDX-License-Identifier: Apache-2.0

// This file holds what the recorder and its helper say to each other. Each side takes
// the other's bytes for hostile: a helper reads what attackers wrote.
//
// A frame is its length in 2 bytes and that many bytes; numbers are little-endian.

package imagehash

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"seismo/internal/event"
)

// ErrProtocol is wrapped where the other side said something that can not be.
var ErrProtocol = errors.New("not a frame of the hash helper")

// Request asks for the hashes of the program that a process runs, or ran.
type Request struct {
	ID   uint32
	PID  int32 // whose program it is; 0: it has ended
	Read bool  // the file may be read; else only looked at
	Want Algorithms
	Time int64 // when the process executed it, Unix time, nanoseconds
	Max  int64 // bytes; a larger file is not read
	// Files are what the exec went through; empty if the source does not tell.
	Files []event.FileID
	Path  string
}

// Status says what came of a request.
type Status uint8

// What came of a request.
const (
	Ready    Status = iota // no answer: the helper has begun
	Busy                   // no answer: the helper still reads, and the disk gives
	Hashed                 // File and Sums are set
	Looked                 // File is set; it was not read
	TooLarge               // File is set
	Gone                   // neither process nor path lead to the file
	Refused                // what is there now is not what ran, or no regular file
	Changed                // it changed while it was read, or after it ran
	Failed                 // it could not be read
	numStatus
)

// Answer is what the helper found.
type Answer struct {
	ID     uint32
	Status Status
	// Watch is the number by which the kernel tells that the file may have changed
	// after At (an inotify watch descriptor); 0: it does not tell.
	Watch int32
	At    int64 // when the file was last seen to be File, Unix time, nanoseconds
	// Running says that it was reached through the process of the request: whatever
	// its times say, it is what that process runs.
	Running bool
	File    File
	Sums    Sums
}

// Sizes of frames without their length.
const (
	requestSize = 4 + 4 + 1 + 1 + 8 + 8 + 1 // and files, and the path
	answerSize  = 4 + 1 + 1 + 4 + 8 + 5*8 + 1 + 32 + 16
	maxFrame    = requestSize + MaxFiles*16 + MaxPath
)

var le = binary.LittleEndian

func appendBool(dst []byte, b bool) []byte {
	if b {
		return append(dst, 1)
	}
	return append(dst, 0)
}

// AppendRequest appends the frame of r. Its path and files must be within bounds.
func AppendRequest(dst []byte, r *Request) []byte {
	dst = le.AppendUint16(dst, uint16(requestSize+len(r.Files)*16+len(r.Path)))
	dst = le.AppendUint32(dst, r.ID)
	dst = le.AppendUint32(dst, uint32(r.PID))
	dst = appendBool(dst, r.Read)
	dst = append(dst, byte(r.Want))
	dst = le.AppendUint64(dst, uint64(r.Time))
	dst = le.AppendUint64(dst, uint64(r.Max))
	dst = append(dst, byte(len(r.Files)))
	for _, f := range r.Files {
		dst = le.AppendUint64(le.AppendUint64(dst, f.Dev), f.Inode)
	}
	return append(dst, r.Path...)
}

// ParseRequest reads the frame b, without its length, into r. The error wraps
// [ErrProtocol].
func ParseRequest(b []byte, r *Request) error {
	if len(b) < requestSize {
		return fmt.Errorf("request of %d bytes: %w", len(b), ErrProtocol)
	}
	*r = Request{ID: le.Uint32(b), PID: int32(le.Uint32(b[4:])), Read: b[8] == 1, Want: Algorithms(b[9]),
		Time: int64(le.Uint64(b[10:])), Max: int64(le.Uint64(b[18:])), Files: r.Files[:0]}
	n, rest := int(b[26]), b[requestSize:]
	if b[8] > 1 || r.PID < 0 || r.Want == 0 || r.Want&^allAlgorithms != 0 || r.Max < 0 || n > MaxFiles || len(rest) < 16*n {
		return fmt.Errorf("request %d: a value out of range: %w", r.ID, ErrProtocol)
	}
	for ; n > 0; n-- {
		r.Files = append(r.Files, event.FileID{Dev: le.Uint64(rest), Inode: le.Uint64(rest[8:])})
		rest = rest[16:]
	}
	if len(rest) > MaxPath {
		return fmt.Errorf("request %d: a path of %d bytes: %w", r.ID, len(rest), ErrProtocol)
	}
	r.Path = string(rest)
	return nil
}

// AppendAnswer appends the frame of a.
func AppendAnswer(dst []byte, a *Answer) []byte {
	dst = le.AppendUint16(dst, answerSize)
	dst = le.AppendUint32(dst, a.ID)
	dst = append(dst, byte(a.Status))
	dst = appendBool(dst, a.Running)
	dst = le.AppendUint32(dst, uint32(a.Watch))
	dst = le.AppendUint64(dst, uint64(a.At))
	dst = appendFile(dst, &a.File)
	dst = append(dst, byte(a.Sums.Have))
	dst = append(dst, a.Sums.SHA256[:]...)
	return append(dst, a.Sums.MD5[:]...)
}

// ParseAnswer reads the frame b, without its length, into a. The error wraps
// [ErrProtocol].
func ParseAnswer(b []byte, a *Answer) error {
	if len(b) != answerSize {
		return fmt.Errorf("answer of %d bytes: %w", len(b), ErrProtocol)
	}
	*a = Answer{ID: le.Uint32(b), Status: Status(b[4]), Running: b[5] == 1, Watch: int32(le.Uint32(b[6:])), At: int64(le.Uint64(b[10:]))}
	a.File = parseFile(b[18:])
	a.Sums.Have = Algorithms(b[58])
	copy(a.Sums.SHA256[:], b[59:])
	copy(a.Sums.MD5[:], b[91:])
	if a.Status >= numStatus || b[5] > 1 || a.Watch < 0 || a.Sums.Have&^allAlgorithms != 0 || (a.Status == Hashed) != (a.Sums.Have != 0) {
		return fmt.Errorf("answer %d: a value out of range: %w", a.ID, ErrProtocol)
	}
	return nil
}

// fileSize is the size of a File as it is written.
const fileSize = 5 * 8

func appendFile(dst []byte, f *File) []byte {
	for _, v := range [...]uint64{f.Dev, f.Inode, uint64(f.Size), uint64(f.MTime), uint64(f.CTime)} {
		dst = le.AppendUint64(dst, v)
	}
	return dst
}

func parseFile(b []byte) File {
	return File{event.FileID{Dev: le.Uint64(b), Inode: le.Uint64(b[8:])},
		int64(le.Uint64(b[16:])), int64(le.Uint64(b[24:])), int64(le.Uint64(b[32:]))}
}

// readFrame reads the next frame of r into buf, which has room for maxFrame bytes.
// The error is io.EOF where the other side has ended between two frames.
func readFrame(r io.Reader, buf []byte) ([]byte, error) {
	if _, err := io.ReadFull(r, buf[:2]); err != nil {
		return nil, err
	}
	n := int(le.Uint16(buf))
	if n > maxFrame {
		return nil, fmt.Errorf("a frame of %d bytes: %w", n, ErrProtocol)
	}
	if _, err := io.ReadFull(r, buf[:n]); err != nil {
		return nil, fmt.Errorf("a frame is cut: %w", err)
	}
	return buf[:n], nil
}
