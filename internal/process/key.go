// SPDX-License-Identifier: Apache-2.0

// This file derives the keys of processes, and keeps strings that come again
// and again once.

package process

import (
	"crypto/sha256"
	"encoding/binary"
	"hash/fnv"
	"strings"

	"seismo/internal/event"
)

// How an image was first seen. The letter is part of its key.
const (
	byExec  = 'x' // a, b, c: time in milliseconds, serial, pid
	byEvent = 'e' // the same, of an event that is no exec
	byFork  = 'f' // time in nanoseconds, pid, 0
	byTicks = 't' // pid, start ticks, hash of the path: found in /proc
)

// key derives the key of a process: the first 8 bytes, little-endian, of the
// SHA-256 of tag, host and boot (each after its length in 4 bytes) and a, b and
// c in 8 bytes each, all little-endian. 0 is never a key. The same records give
// the same keys in every replay with the same host and boot. A table stores them:
// they must not change.
//
// The path is part of the key of a process found in /proc, since a process that
// is found again under another program is another image.
func (t *Table) key(tag byte, host string, a, b, c uint64) event.ProcessKey {
	if host == "" {
		host = t.o.Host
	}
	s := append(t.scratch[:0], tag)
	for _, v := range []string{host, t.o.Boot} {
		s = binary.LittleEndian.AppendUint32(s, uint32(len(v)))
		s = append(s, v...)
	}
	s = binary.LittleEndian.AppendUint64(s, a)
	s = binary.LittleEndian.AppendUint64(s, b)
	s = binary.LittleEndian.AppendUint64(s, c)
	t.scratch = s
	sum := sha256.Sum256(s)
	return event.ProcessKey(max(binary.LittleEndian.Uint64(sum[:8]), 1))
}

// hashPath is the FNV-1a hash of a path. A program that is deleted while it
// runs stays the same.
func hashPath(path string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(strings.TrimSuffix(path, deleted)))
	return h.Sum64()
}

// interner keeps one copy of each string that it is asked for. It is bounded:
// when it is full it begins anew, so that hostile input costs copies, not
// memory.
type interner struct {
	known map[string]string
}

const (
	maxInterned     = 4096
	maxInternedSize = 512 // bytes; longer ones seldom come twice
)

func (n *interner) of(v []byte) string {
	if len(v) == 0 {
		return ""
	}
	if s, ok := n.known[string(v)]; ok {
		return s
	}
	s := string(v)
	if len(s) > maxInternedSize {
		return s
	}
	if n.known == nil || len(n.known) >= maxInterned {
		n.known = make(map[string]string, 64)
	}
	n.known[s] = s
	return s
}
