// SPDX-License-Identifier: Apache-2.0

// Package imagehash knows the hashes of the programs that processes run, and how
// they come to be known without anybody waiting for a disk.
//
// A [Client] is told of processes ([Client.Seen]) and answers at once what it knows
// ([Client.Known]); what it does not know it asks a helper, a process of its own
// that does nothing but open, check and read files ([Serve]), and gives the answer
// later, as an event ([Client.Read]). What was read once is kept by device, inode,
// size and times ([Cache]), over restarts too, so that a known file costs a look at
// it and no reading.
//
// A hash is given only where it can be shown to be of what ran: a wrong one is worse
// than none. open_linux.go has the rules, known.go those for what is kept.
package imagehash

import (
	"encoding/hex"
	"fmt"

	"seismo/internal/event"
)

// Algorithms is a set of hash algorithms.
type Algorithms uint8

// The algorithms.
const (
	SHA256 Algorithms = 1 << iota
	MD5
	allAlgorithms = SHA256 | MD5
)

// ParseAlgorithms returns the set of the names sha256 and md5.
func ParseAlgorithms(names []string) (Algorithms, error) {
	var a Algorithms
	for _, n := range names {
		switch n {
		case "sha256":
			a |= SHA256
		case "md5":
			a |= MD5
		default:
			return 0, fmt.Errorf("hash algorithm %.40q: want sha256 or md5", n)
		}
	}
	return a, nil
}

// File is a file at one point of its life: what it holds changes none of its bytes
// without changing one of these. Times are Unix time in nanoseconds.
type File struct {
	event.FileID
	Size, MTime, CTime int64
}

// Sums are the hashes of a file.
type Sums struct {
	Have   Algorithms
	SHA256 [32]byte
	MD5    [16]byte
}

// elements returns what s has of want in the form of process.hash.
func (s *Sums) elements(want Algorithms) []string {
	var list []string
	if s.Have&want&SHA256 != 0 {
		list = append(list, "SHA256="+hex.EncodeToString(s.SHA256[:]))
	}
	if s.Have&want&MD5 != 0 {
		list = append(list, "MD5="+hex.EncodeToString(s.MD5[:]))
	}
	return list
}

// Bounds of what is asked for.
const (
	MaxPath = 4096 // bytes of a path (PATH_MAX)
	// MaxFiles is how many files of one exec are told apart: four scripts that name
	// each other, a program and its loader. The kernel follows five (BINPRM_MAX_RECURSION).
	MaxFiles = 6
)
