// SPDX-License-Identifier: Apache-2.0

// This file holds the records of one audit event: what the memory of a group is,
// and how it is told whether the event is complete. One record's grammar is in
// record.go, which group a record belongs to in reassemble.go, and what the event
// means in decode.go.

package audit

import (
	"strings"
	"time"
	"unsafe"

	"seismo/internal/event"
)

// Record is one audit record. Body and Enriched point into memory of the
// reassembler: they are valid until the group they came in is released.
type Record struct {
	Type     uint16
	Ordinal  uint64 // 1-based place in the input
	Body     []byte // what follows "audit(…): ", without what auditd added
	Enriched []byte // what auditd added after the 0x1d mark; nil without one
}

// Group is all records of one audit event, in order of arrival.
type Group struct {
	Time    int64 // Unix time, nanoseconds (the kernel stamps milliseconds)
	Serial  uint64
	Node    []byte // the node= of its records; empty without one
	Records []Record
	Flags   event.Flags // Incomplete, Truncated

	own assembly
}

// assembly is what the reassembler knows of a group beside its records.
type assembly struct {
	buf   []byte // the bytes of all records, one after the other
	node  *node
	since time.Duration // when the first record came
	spare bool          // it has been released

	call    bool // it has a SYSCALL or URINGOP record
	eoe     bool // it has an EOE record
	alone   bool // all of its records are of types that come alone
	part    bool // it has a record that comes with SYSCALL or URINGOP only
	queue   bool // it has an MQ_OPEN record
	evicted bool // it was emitted to make room
	paths   int
	execves int
}

// recordSize is the memory of a Record without its bytes.
const recordSize = int(unsafe.Sizeof(Record{}))

// held returns the bytes of memory that g holds.
func (g *Group) held() int { return cap(g.own.buf) + cap(g.Records)*recordSize }

// add takes a copy of r.
func (g *Group) add(r Record) {
	need := len(r.Body) + len(r.Enriched)
	if len(g.own.buf)+need > cap(g.own.buf) {
		g.grow(need)
	}
	from := len(g.own.buf)
	buf := append(g.own.buf, r.Body...)
	middle := len(buf)
	buf = append(buf, r.Enriched...)
	g.own.buf = buf
	r.Body = buf[from:middle:middle]
	if r.Enriched != nil {
		r.Enriched = buf[middle:len(buf):len(buf)]
	}
	g.Records = append(g.Records, r)
	g.own.note(r.Type)
}

// firstBytes and firstRecords are what a group begins with: an exec event of this
// machine has 7 records of 1.1 KB in all.
const (
	firstBytes   = 2048
	firstRecords = 8
)

// grow makes room for need more bytes, and lets the records point into it.
func (g *Group) grow(need int) {
	old := g.own.buf
	buf := make([]byte, len(old), max(2*cap(old), len(old)+need, firstBytes))
	copy(buf, old)
	from := 0
	for i := range g.Records {
		r := &g.Records[i]
		to := from + len(r.Body)
		r.Body, from = buf[from:to:to], to
		if r.Enriched != nil {
			to = from + len(r.Enriched)
			r.Enriched, from = buf[from:to:to], to
		}
	}
	g.own.buf = buf
}

// dropMiddle drops the EXECVE records that begin between from and to, places in
// the bytes of all records, and returns how many. Of too many arguments the head
// and the tail are kept: padding in front must not push the payload out.
func (g *Group) dropMiddle(from, to int) (dropped int) {
	buf, kept := g.own.buf[:0], g.Records[:0]
	at := 0
	for _, r := range g.Records {
		begin := at
		at += len(r.Body) + len(r.Enriched)
		if r.Type == TypeExecve && begin >= from && begin < to {
			dropped++
			continue
		}
		// The bytes move towards the front of the buffer that they are in.
		start := len(buf)
		buf = append(buf, r.Body...)
		middle := len(buf)
		if r.Enriched != nil {
			buf = append(buf, r.Enriched...)
			r.Enriched = buf[middle:len(buf):len(buf)]
		}
		r.Body = buf[start:middle:middle]
		kept = append(kept, r)
	}
	clear(g.Records[len(kept):])
	g.own.buf, g.Records = buf, kept
	g.own.execves -= dropped
	return dropped
}

// note remembers what a record of type t says about completeness.
func (a *assembly) note(t uint16) {
	switch t {
	case TypeSyscall, TypeUringop:
		a.call = true
	case TypePath:
		a.paths++
		a.part = true
	case TypeExecve:
		a.execves++
		a.part = true
	case TypeEOE:
		a.eoe = true
		a.part = true
	case TypeMQOpen:
		a.queue = true
		a.part = true
	case TypeCWD, TypeSockaddr, TypeProctitle, TypeSocketcall, TypeBPRMFcaps, TypeCapset, TypeMmap,
		TypeObjPID, TypeFDPair, TypeOpenat2, TypeIPC:
		a.part = true
	}
	if !comesAlone(t) {
		a.alone = false
	}
}

// comesAlone reports whether records of type t are events of one record. Those of
// user space are, unless the call that sent one is audited itself: then the
// kernel gives both the same serial. So are the two that the kernel writes of a
// process that it kills.
func comesAlone(t uint16) bool {
	switch {
	case t == TypeUser, t >= 1100 && t <= 1299, t >= 2100 && t <= 2999:
		return true
	}
	return t == TypeAbend || t == TypeSeccomp
}

// finish sets the flags of a group that is about to be emitted.
func (g *Group) finish() {
	if g.lacksRecord() {
		g.Flags |= event.Incomplete
	}
}

// lacksRecord reports whether g is known to lack a record that the kernel wrote
// or was to write. What an exclude rule keeps away cannot be told from what was
// lost.
func (g *Group) lacksRecord() bool {
	a := &g.own
	if !a.call {
		return a.part || a.evicted && !a.alone
	}
	if a.evicted || !a.eoe && a.node.sendsEOE {
		return true
	}
	for i := range g.Records {
		if t := g.Records[i].Type; t == TypeSyscall || t == TypeUringop {
			return a.lacks(g.Records[i].Body)
		}
	}
	return false
}

// lacks reports whether the records fall short of what the body of their SYSCALL
// record promises: items= PATH records, and EXECVE where an exec succeeded. Of
// message queues the kernel counts the directory too, but does not write it
// (fs/namei.c, audit_inode_parent_hidden).
func (a *assembly) lacks(body []byte) bool {
	c := callOf(body)
	if c.success && a.execves == 0 && theCalls.find(c.arch, c.nr).act == actExec {
		return true
	}
	if c.items <= uint64(a.paths) || a.queue {
		return false
	}
	return !strings.HasPrefix(SyscallName(c.arch, c.nr), "mq_")
}

// promise is what a SYSCALL record says that decides about other records.
type promise struct {
	arch    uint32
	nr      uint64 // 2^64-1 where it is no number
	success bool
	items   uint64
}

// callOf reads the start of a SYSCALL or URINGOP record, up to items=.
func callOf(body []byte) promise {
	c := promise{nr: tooLarge}
	if hasPrefix(body, "arch=") {
		for i := len("arch="); i < len(body) && body[i] != ' '; i++ {
			c.arch = c.arch<<4 | uint32(fromHex(body[i])&0xf)
		}
	}
	for i := 0; i < len(body); i++ {
		if body[i] != ' ' {
			continue
		}
		switch field := body[i+1:]; {
		case hasPrefix(field, "items="):
			c.items, _, _ = parseDecimal(field, len("items="))
			return c
		case hasPrefix(field, "syscall="):
			if v, end, ok := parseDecimal(field, len("syscall=")); ok && end < len(field) && field[end] == ' ' {
				c.nr = v
			}
		case hasPrefix(field, "success=yes"):
			c.success = true
		}
	}
	return c
}
