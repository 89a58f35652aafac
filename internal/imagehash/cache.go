// SPDX-License-Identifier: Apache-2.0

// This file holds the hashes of files that were read, and the file that keeps them
// over a restart. docs/format/image-state.md describes it.

package imagehash

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"

	"seismo/internal/recent"
)

// MaxCached is how many files a [Cache] knows; beyond it the one that was asked for
// longest ago is forgotten. A full one has 15 MB, its file 6 MB.
const MaxCached = 65_536

// Cache has the hashes of files. One goroutine uses it.
type Cache struct {
	want  Algorithms
	files map[File]*cached
	// inodes counts the files by inode: a file whose inode is not there was surely
	// not read yet.
	inodes map[uint64]int32
	order  recent.List[*cached]
	dirty  bool
}

type cached struct {
	recent.Links[*cached]
	file File
	sums Sums
}

// NewCache returns an empty cache for hashes of want.
func NewCache(want Algorithms) *Cache {
	return &Cache{want: want, files: map[File]*cached{}, inodes: map[uint64]int32{}}
}

// Len returns the number of files.
func (c *Cache) Len() int { return len(c.files) }

// Get returns the hashes of f.
func (c *Cache) Get(f File) (Sums, bool) {
	e := c.files[f]
	if e == nil {
		return Sums{}, false
	}
	c.order.Touch(e)
	return e.sums, true
}

// MayHave reports whether a file of that inode is known, perhaps as it was before or
// on another device.
func (c *Cache) MayHave(inode uint64) bool { return c.inodes[inode] > 0 }

// Put notes the hashes of f.
func (c *Cache) Put(f File, s Sums) {
	if s.Have&c.want != c.want {
		return
	}
	c.dirty = true
	if e := c.files[f]; e != nil {
		e.sums = s
		c.order.Touch(e)
		return
	}
	if len(c.files) >= MaxCached {
		c.forget(c.order.Oldest())
	}
	e := &cached{file: f, sums: s}
	c.files[f] = e
	c.inodes[f.Inode]++
	c.order.Push(e)
}

func (c *Cache) forget(e *cached) {
	c.order.Remove(e)
	delete(c.files, e.file)
	if c.inodes[e.file.Inode]--; c.inodes[e.file.Inode] == 0 {
		delete(c.inodes, e.file.Inode)
	}
}

// The file: a head, a record for each file, the one asked for longest ago first, and
// the SHA-256 of all that.
const (
	stateMagic   = "seismoIH"
	stateVersion = 1
	stateHead    = len(stateMagic) + 4 + 4 + 4 // version, algorithms, number of records
	stateRecord  = fileSize + 32 + 16
)

// Errors of a state file.
var (
	ErrState   = errors.New("damaged")
	ErrVersion = errors.New("of another version")
)

// MaxState is the size of the largest state file, in bytes.
const MaxState = stateHead + MaxCached*stateRecord + sha256.Size

// Marshal returns the state file of c.
func (c *Cache) Marshal() []byte {
	b := make([]byte, 0, stateHead+len(c.files)*stateRecord+sha256.Size)
	b = append(b, stateMagic...)
	b = le.AppendUint32(b, stateVersion)
	b = le.AppendUint32(b, uint32(c.want))
	b = le.AppendUint32(b, uint32(len(c.files)))
	for e := range c.order.All() {
		b = appendFile(b, &e.file)
		b = append(b, e.sums.SHA256[:]...)
		b = append(b, e.sums.MD5[:]...)
	}
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

// Unmarshal adds what the state file b has to c, which is empty. A file with fewer
// algorithms than c wants adds nothing. The error wraps [ErrState] or [ErrVersion];
// c is then as it was.
func (c *Cache) Unmarshal(b []byte) error {
	if len(b) < stateHead || string(b[:len(stateMagic)]) != stateMagic {
		return fmt.Errorf("image state of %d bytes: no head: %w", len(b), ErrState)
	}
	head := b[len(stateMagic):]
	if v := le.Uint32(head); v != stateVersion {
		return fmt.Errorf("image state: version %d, known is %d: %w", v, stateVersion, ErrVersion)
	}
	have, n := le.Uint32(head[4:]), le.Uint32(head[8:])
	if n > MaxCached || len(b) != stateHead+int(n)*stateRecord+sha256.Size {
		return fmt.Errorf("image state: %d files in %d bytes: %w", n, len(b), ErrState)
	}
	body := b[:len(b)-sha256.Size]
	if sum := sha256.Sum256(body); !bytes.Equal(sum[:], b[len(body):]) {
		return fmt.Errorf("image state: the checksum is wrong: %w", ErrState)
	}
	if have == 0 || have&^uint32(allAlgorithms) != 0 {
		return fmt.Errorf("image state: algorithms %#x: %w", have, ErrState)
	}
	if Algorithms(have)&c.want != c.want {
		return nil
	}
	for r := body[stateHead:]; len(r) > 0; r = r[stateRecord:] {
		s := Sums{Have: Algorithms(have)}
		copy(s.SHA256[:], r[fileSize:])
		copy(s.MD5[:], r[fileSize+32:])
		c.Put(parseFile(r), s)
	}
	c.dirty = false
	return nil
}
