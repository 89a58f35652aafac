// SPDX-License-Identifier: Apache-2.0

// This file makes events of groups of records. What a record says of the process
// that acted is read in actor.go; each kind of event has a file of its own:
// exec.go, file.go, network.go, security.go, callargs.go for calls without a kind of
// their own, uring.go; syscall.go says what a call is.

package audit

import "seismo/internal/event"

// DecodeOptions say what the decoder keeps and whom it asks. The hooks may be
// nil; a replay has none, so that it gives the same events everywhere.
type DecodeOptions struct {
	// Demand says which of the records' own fields are kept.
	Demand event.Demand
	// ResolveDir returns the path of what descriptor fd of process pid refers
	// to. dev ("fe:00", as records write it) and inode are those that it must
	// have; dev is empty where the record does not say.
	ResolveDir func(pid, fd int32, dev string, inode uint64) (string, bool)
	// ResolveBelow returns the path of the directory rel below what descriptor fd
	// of process pid refers to. It must have dev and inode.
	ResolveBelow func(pid, fd int32, rel, dev string, inode uint64) (string, bool)
	// SawDir is told of directories that a record names whole: path, as the process
	// gave it, and what the record says that it was. The path may lead over links
	// that are somebody's own, so it is worth no more than a hint. The arguments are
	// valid during the call.
	SawDir func(dev []byte, inode uint64, path []byte)
	// Protocol returns the protocol of the socket fd of process pid. It is asked
	// before the socket calls that the decoder has seen itself.
	Protocol func(pid, fd int32) (string, bool)
	// AskEnds is told of an event of a socket of IP whose ends the records do not
	// have in full, to set them as long as the batch is the caller's.
	AskEnds func(e *event.Event, q SocketQuestion)
	// SocketsSilent drops the events of socket calls. They are there to tell the
	// protocol of later calls.
	SocketsSilent bool
	// SecuritySilent drops the records of logins, authentication, accounts, policy
	// and services, but for those that Demand names or asks for by their kind
	// ([DecodeOptions.KeepsSecurity]; [Decoder.Dropped] counts what was dropped).
	SecuritySilent bool
	// ProgramFiles notes with the event of an exec which files the kernel went
	// through ([event.Event.AddProgramFile]).
	ProgramFiles bool
}

// Decoder makes events of groups. One goroutine uses it. After warm-up it
// allocates nothing for the common events.
type Decoder struct {
	opts DecodeOptions

	// What the group at hand says. The slices point into its records.
	who      actor
	sys      *Record  // its SYSCALL record
	exec     bool     // it has an EXECVE record
	cwd      []byte   // raw; nil without a CWD record
	paths    [][]byte // the bodies of its PATH records
	items    []item   // what is in paths, once readItems was called
	oflag    uint64   // flags of OPENAT2
	sock     Sockaddr
	hasSock  bool
	sockArgs [4][]byte // of SOCKETCALL, raw
	module   []byte    // raw name of KERN_MODULE
	capset   []byte    // body of CAPSET
	special  *Record   // the record that decides the kind in spite of SYSCALL
	avc      *Record   // an access decision of SELinux: an event beside the call's
	bpf      *Record   // a BPF program that was loaded or unloaded
	uring    *Record   // an operation of io_uring
	target   int64     // opid of OBJ_PID; 0 without
	flags    event.Flags

	args    arguments
	sockets sockets
	host    string // the node of the group; made a string only when it changes
	serial  uint64 // of the group
	order   renameOrder
	dropped uint64 // events that SecuritySilent dropped

	how  uint8      // how the path of the item at hand was found
	late *latePaths // what is noted for the end of the batch; nil: nothing

	name, dir, path, path2, value []byte // scratch
}

// NewDecoder returns a decoder.
func NewDecoder(o DecodeOptions) *Decoder { return &Decoder{opts: o} }

// SetDemand says what is wanted of the events that are decoded from now on.
func (d *Decoder) SetDemand(demand event.Demand) { d.opts.Demand = demand }

// maxItems bounds the PATH records that are looked at; the kernel writes at most
// five that matter. Own fields are taken from all.
const maxItems = 64

// Dropped returns how many events were left out for [DecodeOptions.SecuritySilent].
// They are no loss.
func (d *Decoder) Dropped() uint64 { return d.dropped }

// Decode appends the event that g is to b and reports whether it did: a socket
// call makes none if [DecodeOptions.SocketsSilent] is set, nor does what
// [DecodeOptions.SecuritySilent] drops. Everything else makes one, but for two
// that make two: an exchange of names is a rename each way, and a decision of
// SELinux stands beside the call that it was about. b copies what it keeps: g may
// be released afterwards.
//
// Paths are absolute where the records allow it: a relative name is joined to
// the working directory, or to what ResolveDir says of the descriptor that the
// call names, and cleaned lexically ([AppendPath]). A name relative to a
// descriptor that nobody resolves stays as it is and file.path_status is
// "partial"; the working directory is never used for it, nor is the name of the
// PARENT item, where the kernel writes the working directory even then
// (kernel/auditsc.c, audit_log_name). process.path is what the kernel says:
// " (deleted)" at its end means that the file had no name any more.
//
// What PROCTITLE says is an own field and nothing else: after an exec it shows
// the command line of the image before.
func (d *Decoder) Decode(g *Group, b *event.Batch) bool {
	d.gather(g)
	main := d.main(g)
	from := b.Len()
	switch {
	case main == nil: // no record at all
		return false
	case d.special != nil:
		if d.isUnwanted(d.special.Type) {
			d.dropped++
			return false
		}
		d.decodeSpecial(b)
	case d.bpf != nil:
		d.decodeBPF(b)
	case d.sys != nil:
		c := d.call()
		if c.act == actSocket {
			d.noteSocket()
			if d.opts.SocketsSilent && d.avc == nil {
				return false
			}
		}
		if d.avc == nil || d.isAskedFor(c) {
			d.decodeCall(b, c)
		}
		if d.avc != nil {
			d.decodeRecord(b, d.avc)
		}
	case d.uring != nil:
		d.decodeUring(b)
	case d.exec:
		d.flags |= event.Incomplete
		d.decodeExec(b)
	case d.module != nil:
		d.flags |= event.Incomplete
		d.decodeModule(b, event.OpLoad)
	default:
		d.decodeRecord(b, main)
	}
	for _, e := range b.Events()[from:] {
		d.finish(e, g)
	}
	return true
}

// isAskedFor reports whether a call is told of beside a decision of SELinux: the
// kernel writes the call of each decision, whether a rule asks for it or not.
func (d *Decoder) isAskedFor(c call) bool {
	return c.act == actExec && d.who.succeeded() || d.who.key != nil && !isMissing(d.who.key)
}

// gather reads the records of g into d.
func (d *Decoder) gather(g *Group) {
	d.clear(g)
	for i := range g.Records {
		r := &g.Records[i]
		switch r.Type {
		case TypeSyscall:
			if d.sys == nil {
				d.sys = r
				d.flags |= d.who.readSyscall(r)
			}
		case TypeExecve:
			d.exec = true
			d.flags |= d.args.read(r.Body, uint16(min(i, 0xffff)))
		case TypeCWD:
			if d.cwd == nil {
				d.cwd = findField(r.Body, "cwd")
			}
		case TypePath:
			if len(d.paths) < maxItems {
				d.paths = append(d.paths, r.Body)
			}
		case TypeSockaddr:
			if v := findField(r.Body, "saddr"); v != nil && !d.hasSock {
				d.hasSock = d.sock.Parse(v) == nil
			}
		case TypeSocketcall:
			d.readSocketcall(r.Body)
		case TypeOpenat2:
			d.oflag, _ = parseUint(findField(r.Body, "oflag"), 8)
		case TypeKernModule:
			d.module = findField(r.Body, "name")
		case TypeCapset:
			d.capset = r.Body
		case TypeObjPID:
			if d.target == 0 {
				d.target, _ = parseInt(findField(r.Body, "opid"))
			}
		case TypeBPF:
			d.bpf = firstOf(d.bpf, r)
		case TypeUringop:
			d.uring = firstOf(d.uring, r)
		case TypeAVC:
			d.avc = firstOf(d.avc, r)
		case TypeProctitle, TypeEOE:
		default:
			if d.special == nil && (securityOp(r.Type) != event.OpNone || isAnomaly(r.Type) || fromUserSpace(r.Type)) {
				d.special = r
			}
		}
	}
	if d.exec {
		if !d.args.complete() {
			d.flags |= event.Incomplete
		}
		if d.args.cut() {
			d.flags |= event.Truncated
		}
	}
}

// clear forgets what the group before g held.
func (d *Decoder) clear(g *Group) {
	if string(g.Node) != d.host {
		d.host = string(g.Node)
	}
	d.who = actor{}
	d.sys, d.special, d.cwd, d.module, d.capset = nil, nil, nil, nil, nil
	d.avc, d.bpf, d.uring, d.target = nil, nil, nil, 0
	d.exec, d.hasSock, d.oflag = false, false, 0
	d.paths, d.items = d.paths[:0], d.items[:0]
	d.sockArgs = [4][]byte{}
	d.args.reset()
	d.flags, d.serial = g.Flags, g.Serial
}

func firstOf(have, r *Record) *Record {
	if have != nil {
		return have
	}
	return r
}

// main returns the record that a record event is made of: the first that does
// not only accompany another.
func (d *Decoder) main(g *Group) *Record {
	for i := range g.Records {
		switch g.Records[i].Type {
		case TypePath, TypeCWD, TypeExecve, TypeSockaddr, TypeProctitle, TypeEOE:
		default:
			return &g.Records[i]
		}
	}
	if len(g.Records) == 0 {
		return nil
	}
	return &g.Records[0]
}

// isAnomaly reports whether the kernel writes records of type t of something
// unusual (ANOM_*). They stay record events of their own type even beside a
// SYSCALL record: the call that the process happened to be in says less. So do
// the records of user space, beside which stands the call that sent them.
func isAnomaly(t uint16) bool { return t >= 1700 && t <= 1799 }

// decodeSpecial makes the event of a record that decides the kind by itself.
func (d *Decoder) decodeSpecial(b *event.Batch) *event.Event {
	if op := securityOp(d.special.Type); op != event.OpNone {
		return d.decodeSecurity(b, d.special, op)
	}
	return d.decodeRecord(b, d.special)
}

// decodeRecord makes a record event of r.
func (d *Decoder) decodeRecord(b *event.Batch, r *Record) *event.Event {
	if d.sys == nil {
		d.flags |= d.who.readRecord(r)
		switch r.Type {
		case TypePath, TypeCWD, TypeExecve, TypeSockaddr, TypeProctitle:
			d.flags |= event.Incomplete
		}
	}
	e := b.Add(event.KindRecord, event.OpRecord)
	e.SetString(event.RecordType, TypeName(r.Type))
	e.SetText(event.RecordText, r.Body)
	return e
}

// decodeCall makes the event of a system call.
func (d *Decoder) decodeCall(b *event.Batch, c call) *event.Event {
	ok := d.who.succeeded()
	switch c.act {
	case actExec:
		if ok {
			return d.decodeExec(b)
		}
	case actOpen, actCreate, actDelete, actRename, actLink, actSymlink, actMode, actAttribute, actTruncate:
		if ok {
			return d.decodeFile(b, c)
		}
	case actConnect:
		return d.decodeNetwork(b, c)
	case actBind, actListen:
		if ok && !d.otherTells(c.act) {
			return d.decodeNetwork(b, c)
		}
	case actAccept:
		if ok {
			return d.decodeNetwork(b, c)
		}
	case actLoad:
		if ok {
			return d.decodeModule(b, event.OpLoad)
		}
	case actUnload:
		if ok {
			return d.decodeModule(b, event.OpUnload)
		}
	case actPrivilege:
		return d.decodePrivilege(b, c)
	}
	return d.decodeSyscall(b, c)
}

// decodeModule makes the event of a kernel module that was loaded or unloaded.
// Its name is in KERN_MODULE only: the file that it came from is not recorded.
func (d *Decoder) decodeModule(b *event.Batch, op event.Op) *event.Event {
	e := b.Add(event.KindDriver, op)
	if d.module == nil {
		d.flags |= event.Incomplete
		return e
	}
	d.value = AppendValue(d.value[:0], d.module)
	e.SetText(event.DriverName, d.value)
	return e
}

// setCallName sets f to the name of the call, or to what the record says.
func (d *Decoder) setCallName(e *event.Event, f event.Field, c call) {
	if c.name != "" {
		e.SetString(f, c.name)
	} else if d.who.syscall != nil {
		e.SetText(f, d.who.syscall)
	}
}

// call returns what the group's SYSCALL record is a call of.
func (d *Decoder) call() call {
	w := &d.who
	nr, ok := parseUint(w.syscall, 10)
	if !ok { // ausearch -i and its like write names
		if c, known := theCalls.byName[string(w.syscall)]; known {
			return c
		}
		return act("", actNone)
	}
	c := theCalls.find(uint32(w.arch), nr)
	if c.act == actSocketcall {
		name, known := socketcalls[w.arg(0)]
		if !known {
			return c
		}
		w.args = d.sockArgs
		return theCalls.byName[name]
	}
	return c
}

func (d *Decoder) readSocketcall(body []byte) {
	for s := ScanFields(body); ; {
		k, v, ok := s.Next()
		if !ok {
			return
		}
		if len(k) == 2 && k[0] == 'a' && k[1] >= '0' && k[1] <= '3' {
			d.sockArgs[k[1]-'0'] = v
		}
	}
}

// finish sets what every event has.
func (d *Decoder) finish(e *event.Event, g *Group) {
	e.Time, e.Serial = g.Time, g.Serial
	e.Host = d.host
	e.Ordinal = g.Records[0].Ordinal
	for i := range g.Records {
		r := &g.Records[i]
		e.Ordinal = min(e.Ordinal, r.Ordinal)
		e.AddRecordType(r.Type)
		if fromUserSpace(r.Type) {
			d.flags |= event.Untrusted
		}
	}
	d.setActor(e)
	if d.opts.Demand.AllOwn || len(d.opts.Demand.Own) > 0 {
		d.addOwn(e, g)
	}
	e.Flags |= d.flags
}

// fromUserSpace reports whether records of type t are written by programs, not
// by the kernel: the message ranges of include/uapi/linux/audit.h.
func fromUserSpace(t uint16) bool {
	return t == 1005 || t >= 1100 && t <= 1299 || t >= 2100 && t <= 2999
}
