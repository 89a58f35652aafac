// SPDX-License-Identifier: Apache-2.0

// This file compares what a contender recorded with what the load did, operation by
// operation.

package main

import (
	"fmt"
	"strconv"
	"strings"
)

// seen is what was found in a contender's output of one load.
type seen struct {
	mark   string
	port   uint16                 // the load listened there
	serial [kindsSeen]map[int]int // how often each serial number was found
	peers  map[uint16]int         // accepted connections by the port of the other end
	ends   int                    // processes of the load whose end was recorded too
}

func newSeen(mark string, port uint16) *seen {
	s := &seen{mark: mark, port: port, peers: map[uint16]int{}}
	for w := range s.serial {
		s.serial[w] = map[int]int{}
	}
	return s
}

func (s *seen) add(w what, n int) { s.serial[w][n]++ }

// addArgs takes the arguments of a program: its name, the mark, the serial number.
func (s *seen) addArgs(args []string) bool {
	if len(args) != 3 || args[1] != s.mark {
		return false
	}
	n, err := strconv.Atoi(args[2])
	if err != nil {
		return false
	}
	s.add(seenExec, n)
	return true
}

// fileName returns the name of file n before or after it is renamed.
func fileName(mark string, n int, renamed bool) string {
	if renamed {
		return "g-" + mark + "-" + strconv.Itoa(n)
	}
	return "f-" + mark + "-" + strconv.Itoa(n)
}

// file reads a name that fileName made, with or without folders before it.
func (s *seen) file(path string) (n int, renamed, ok bool) {
	name := path[strings.LastIndexByte(path, '/')+1:]
	if len(name) < 2 || name[0] != 'f' && name[0] != 'g' || name[1] != '-' {
		return 0, false, false
	}
	number, ok := strings.CutPrefix(name[2:], s.mark+"-")
	n, err := strconv.Atoi(number)
	return n, name[0] == 'g', ok && err == nil
}

// addFile takes one path of a call: whether it made the name or took it away.
// Creating makes the first name, renaming the second, which unlinking takes away;
// that renaming takes the first one away tells nothing more.
func (s *seen) addFile(path string, made bool) {
	n, renamed, ok := s.file(path)
	switch {
	case !ok:
	case made && !renamed:
		s.add(seenOpen, n)
	case made:
		s.add(seenRename, n)
	case renamed:
		s.add(seenUnlink, n)
	}
}

// addSocket takes the address of a call: connect names our socket, accept the other
// end, which the kernel gives the address 127.0.0.1.
func (s *seen) addSocket(address [4]byte, port uint16) {
	n, ok := serialOf(address)
	if port == s.port && ok {
		s.add(seenConnect, n)
	} else if address == [4]byte{127, 0, 0, 1} {
		s.peers[port]++
	}
}

// score is what seen lacks and has too often.
type score struct {
	Expected int            `json:"expected"`
	Found    int            `json:"found"`
	Twice    int            `json:"twice"`
	Missing  map[string]int `json:"missing,omitempty"` // by what
	First    string         `json:"first_missing,omitempty"`
}

func (sc *score) add(w what, n, times int) {
	sc.Expected++
	switch {
	case times == 0:
		if sc.Missing == nil {
			sc.Missing = map[string]int{}
		}
		if len(sc.Missing) == 0 {
			sc.First = fmt.Sprintf("%v %d", w, n)
		}
		sc.Missing[w.String()]++
		return
	case times > 1:
		sc.Twice += times - 1
	}
	sc.Found++
}

// against scores s by what the load did. Accepted connections have no serial number:
// each port of an other end must be there as often as the load saw it.
func (s *seen) against(m mode, d done) (sc score) {
	for n := range d.Ops {
		for _, w := range m.op(n).events() {
			if w != seenAccept {
				sc.add(w, n, s.serial[w][n])
			}
		}
	}
	left := s.peers
	for i, port := range d.Peers {
		times := min(left[port], 1)
		left[port] -= times
		sc.add(seenAccept, i, times)
	}
	return sc
}
