// SPDX-License-Identifier: Apache-2.0

// This file says what the loads are: which operations, how often, and which events
// of them a recorder must have. The operations themselves are in load_linux.go.

package main

import "fmt"

// op is one operation of a load. Each carries its serial number: in the arguments of
// the program, in the name of the file, in the address that is connected to.
type op int

const (
	opTrue op = iota // start /bin/true
	opTiny           // start a static program that ends at once
	opFork           // start a static program that forks once
	opConn           // connect to a socket of our own and accept it
	opFile           // create, write, rename and unlink a file in the watched folder
)

// what is one event that is expected of an operation.
type what int

const (
	seenExec what = iota
	seenConnect
	seenAccept
	seenOpen // a file that is made and opened for writing: one call, one event
	seenRename
	seenUnlink
	kindsSeen // how many there are
)

var whatNames = [kindsSeen]string{"exec", "connect", "accept", "open", "rename", "unlink"}

func (w what) String() string { return whatNames[w] }

// events returns what is expected of o.
func (o op) events() []what {
	switch o {
	case opConn:
		return []what{seenConnect, seenAccept}
	case opFile:
		return []what{seenOpen, seenRename, seenUnlink}
	}
	return []what{seenExec}
}

// mode is one load.
type mode struct {
	Name  string
	About string
	Rate  float64 // operations a second; 0: as fast as it goes
	Ops   []op    // operation n is Ops[n % len(Ops)]; none: nothing is done
	Kind  report  // what is told of it
}

// report says which figures a load is for.
type report int

const (
	reportCost    report = iota // what an operation costs
	reportRest                  // what time costs: share of a core, wake-ups
	reportLatency               // how long a match takes to be in the database
)

var everyOp = []op{opTiny, opTiny, opFork, opConn, opFile}

var modes = []mode{
	{"exec500", "start /bin/true 500 times a second", 500, []op{opTrue}, reportCost},
	{"exec2000", "start a static program 2,000 times a second", 2000, []op{opTiny}, reportCost},
	{"execmax", "start a static program as often as it goes", 0, []op{opTiny}, reportCost},
	{"conn2000", "connect to a socket of its own and accept, 2,000 times a second", 2000, []op{opConn}, reportCost},
	{"file1000", "create, write, rename and unlink a file, 1,000 times a second", 1000, []op{opFile}, reportCost},
	{"mix", "programs, forks, connections and files, 1,000 operations a second", 1000, everyOp, reportCost},
	{"idle", "nothing", 0, nil, reportRest},
	{"rate100", "the same mix, 100 events a second: starts of programs, both ends of connections, changes of files; beside them go about 50 ends of programs and as many forks",
		100 / eventsPerOp(everyOp), everyOp, reportRest},
	{"latency", "start a program that a signal of high severity names, 10 times a second, and in between one that another names", 20, []op{opTiny, opFork}, reportLatency},
}

func modeOf(name string) (mode, error) {
	for _, m := range modes {
		if m.Name == name {
			return m, nil
		}
	}
	return mode{}, fmt.Errorf("no load is called %q", name)
}

// eventsPerOp returns how many events an operation of the mix has on average.
func eventsPerOp(mix []op) float64 {
	n := 0
	for _, o := range mix {
		n += len(o.events())
	}
	return float64(n) / float64(max(len(mix), 1))
}

func (m mode) op(n int) op { return m.Ops[n%len(m.Ops)] }

// order is what the load's process is told, as JSON on its standard input.
type order struct {
	Mode    string  `json:"mode"`
	Seconds float64 `json:"seconds"`
	Mark    string  `json:"mark"` // stands in every name and command line of this run
	Watched string  `json:"watched"`
	Tiny    string  `json:"tiny"`
	Fork    string  `json:"fork"`
	Times   bool    `json:"times"` // tell when each operation began
}

// done is what the load's process tells of itself, as JSON on its standard output.
type done struct {
	Ops     int      `json:"ops"`
	Seconds float64  `json:"seconds"`
	CPU     int64    `json:"cpu"`             // nanoseconds, of it and of the programs it started
	Late    int64    `json:"late"`            // nanoseconds that the latest operation began behind its time
	Port    uint16   `json:"port,omitempty"`  // that it listened on
	Peers   []uint16 `json:"peers,omitempty"` // port of the other end of each accepted connection
	Began   []int64  `json:"began,omitempty"` // Unix time in nanoseconds of each operation, by serial number
}

// Serial number n is connected to as the address 127.0.0.0 + n + firstAddress:
// every address below 127 is this host, and those up to 127.0.0.255 have other uses.
const firstAddress = 256

func addressOf(n int) [4]byte {
	n += firstAddress
	return [4]byte{127, byte(n >> 16), byte(n >> 8), byte(n)}
}

// serialOf is the inverse of addressOf.
func serialOf(a [4]byte) (int, bool) {
	n := int(a[1])<<16 | int(a[2])<<8 | int(a[3])
	return n - firstAddress, a[0] == 127 && n >= firstAddress
}
