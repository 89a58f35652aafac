// SPDX-License-Identifier: Apache-2.0

// This file puts the arguments of an execve together and makes its event.

package audit

import (
	"bytes"

	"seismo/internal/event"
)

// Bounds of what is kept of the arguments of one execve. Of more, the head and
// the tail are kept: padding in front must not push the payload out.
const (
	maxArgs     = 4096
	maxArgsTail = 1024 // of maxArgs, the last ones
	maxArgBytes = 32 << 10
	maxArgTail  = 8 << 10 // of maxArgBytes, the last ones
)

// maxSpareArgs bounds the scratch memory that is held on to between events.
const maxSpareArgs = 256 << 10

// arguments are the arguments of an execve, put together from its records. The
// kernel spreads many over several records, and splits one that is longer than
// about 7.5 KB of text (kernel/auditsc.c, audit_log_execve_info):
//
//	argc=3 a0="sh" a1="-c" a2_len=9000 a2[0]=61626…
//	a2[1]=6364…
type arguments struct {
	bytes []byte // decoded, one after the other
	list  []argument
	argc  int64 // what the first record says; -1 without
	next  int64 // number of the argument that comes next
	want  int64 // length that aN_len told for argument wantN; -1 if none
	wantN int64
	bad   bool // one is missing, in whole or in part
	whole int  // bytes of all, joined by blanks, if they were cut; else 0
}

// argument is one argument: bytes[from:to].
type argument struct {
	from, to uint32
	n        uint32 // its number
	record   uint16 // index of the record where it begins
}

func (a *arguments) reset() {
	if cap(a.bytes) > maxSpareArgs {
		a.bytes = nil
	}
	if cap(a.list) > maxSpareArgs/16 {
		a.list = nil
	}
	a.bytes, a.list = a.bytes[:0], a.list[:0]
	a.argc, a.next, a.want, a.wantN, a.bad, a.whole = -1, 0, -1, -1, false, 0
}

// read takes one EXECVE record, the record'th of its group.
func (a *arguments) read(body []byte, record uint16) (flags event.Flags) {
	for s := ScanFields(body); ; {
		k, v, ok := s.Next()
		if !ok {
			return flags
		}
		n, rest, isArg := argNumber(k)
		switch {
		case !isArg:
			if string(k) == "argc" {
				if argc, ok := parseInt(v); ok && a.argc < 0 {
					a.argc = argc
				} else {
					flags |= event.Duplicate
				}
			}
		case string(rest) == "_len":
			if want, ok := parseInt(v); ok && n == a.next {
				a.checkLength()
				a.want, a.wantN = want, n
			}
		case len(rest) == 0 || rest[0] == '[' && n >= a.next:
			if n < a.next {
				flags |= event.Duplicate
				continue
			}
			a.bad = a.bad || n > a.next || len(rest) > 0 && string(rest) != "[0]"
			a.add(v, n, record)
		case rest[0] == '[' && n == a.next-1 && len(a.list) > 0:
			a.bytes = AppendValue(a.bytes, v)
			a.list[len(a.list)-1].to = uint32(len(a.bytes))
		default:
			a.bad = true
		}
	}
}

func (a *arguments) add(v []byte, n int64, record uint16) {
	if a.wantN != n {
		a.checkLength()
	}
	from := len(a.bytes)
	a.bytes = AppendValue(a.bytes, v)
	a.list = append(a.list, argument{uint32(from), uint32(len(a.bytes)), uint32(n), record})
	a.next = n + 1
}

// checkLength compares the last argument with the length that was told for it:
// that of its text, in hex digits or between quotes.
func (a *arguments) checkLength() {
	if a.want >= 0 && len(a.list) > 0 && a.wantN == a.next-1 {
		last := a.list[len(a.list)-1]
		if n := int64(last.to - last.from); n*2 != a.want && n != a.want {
			a.bad = true
		}
	}
	a.want = -1
}

// complete reports whether all arguments are there.
func (a *arguments) complete() bool {
	a.checkLength()
	return !a.bad && a.argc == int64(len(a.list))
}

// argNumber reads a key of an EXECVE record: a12 gives 12; a12_len and a12[3]
// give 12 and what follows it.
func argNumber(k []byte) (n int64, rest []byte, ok bool) {
	if len(k) < 2 || k[0] != 'a' {
		return 0, nil, false
	}
	i := 1
	for ; i < len(k) && k[i]-'0' < 10 && i < 12; i++ {
		n = n*10 + int64(k[i]-'0')
	}
	return n, k[i:], i > 1
}

// decodeExec makes the event of a new image.
func (d *Decoder) decodeExec(b *event.Batch) *event.Event {
	e := b.Add(event.KindProcess, event.OpCreate)
	if d.exec {
		d.setArgs(e)
	} else {
		d.flags |= event.Incomplete
	}
	if d.cwd != nil && !isMissing(d.cwd) {
		d.value = AppendValue(d.value[:0], d.cwd)
		e.SetText(event.ProcessCwd, d.value)
	}
	if d.opts.ProgramFiles {
		d.addProgramFiles(e)
	}
	return e
}

// maxProgramFiles bounds the files that are told of one exec: four scripts that name
// each other, a program and its loader.
const maxProgramFiles = 6

// addProgramFiles notes the files that the exec went through: its PATH records, in
// the order of their items. All of them or none: which of them is the program shows
// only when they are all there.
func (d *Decoder) addProgramFiles(e *event.Event) {
	var files [maxProgramFiles]event.FileID
	if len(d.paths) > maxProgramFiles {
		return
	}
	for i, body := range d.paths {
		var ok bool
		if files[i], ok = fileOf(body); !ok {
			return
		}
	}
	for _, f := range files[:len(d.paths)] {
		e.AddProgramFile(f)
	}
}

// fileOf reads device and inode of the body of a PATH record, and nothing behind them.
func fileOf(body []byte) (f event.FileID, ok bool) {
	hasInode := false
	for s := ScanFields(body); ; {
		k, v, more := s.Next()
		if !more {
			return f, false
		}
		switch string(k) {
		case "inode":
			if f.Inode, hasInode = parseUint(v, 10); !hasInode {
				return f, false
			}
		case "dev":
			f.Dev, ok = deviceNumber(v)
			return f, ok && hasInode
		}
	}
}

// deviceNumber reads a dev= value, major and minor in hex, in the form that
// unix.Mkdev gives.
func deviceNumber(v []byte) (uint64, bool) {
	i := bytes.IndexByte(v, ':')
	if i < 0 {
		return 0, false
	}
	major, ok := parseUint(v[:i], 16)
	minor, ok2 := parseUint(v[i+1:], 16)
	if !ok || !ok2 || major > 1<<32-1 || minor > 1<<32-1 {
		return 0, false
	}
	return major&0xfff<<8 | major&0xfffff000<<32 | minor&0xff | minor&0xffffff00<<12, true
}

func (d *Decoder) setArgs(e *event.Event) {
	a := &d.args
	if a.whole > 0 {
		e.SetInt(event.ProcessCommandLineLength, int64(a.whole))
	}
	for _, arg := range a.list {
		e.AppendElement(event.ProcessArgs, a.bytes[arg.from:arg.to])
	}
	e.SetTextFunc(event.ProcessCommandLine, func(dst []byte) []byte {
		for i, arg := range a.list {
			if i > 0 {
				dst = append(dst, ' ')
			}
			dst = append(dst, a.bytes[arg.from:arg.to]...)
		}
		return dst
	})
}

// cut brings the arguments within their bounds and reports whether it had to.
// Where an argument lies across a bound, its head and its tail become two.
func (a *arguments) cut() bool {
	total := max(len(a.list)-1, 0)
	for _, arg := range a.list {
		total += int(arg.to - arg.from)
	}
	if len(a.list) <= maxArgs && total <= maxArgBytes {
		return false
	}
	a.whole = total
	head, room := 0, maxArgBytes-maxArgTail
	var headCut argument
	split := false
	for ; head < len(a.list) && head < maxArgs-maxArgsTail && room > 0; head++ {
		arg := &a.list[head]
		if n := int(arg.to - arg.from); n > room {
			headCut, split = *arg, true
			headCut.to = arg.from + uint32(room)
			break
		}
		room -= int(arg.to-arg.from) + 1
	}
	tail, room := len(a.list), maxArgTail
	for ; tail > head && len(a.list)-tail < maxArgsTail && room > 0; tail-- {
		arg := &a.list[tail-1]
		if n := int(arg.to - arg.from); n > room {
			arg.from = arg.to - uint32(room)
			tail--
			break
		}
		room -= int(arg.to-arg.from) + 1
	}
	if split {
		// The argument across the bound may be the one that the tail ends in.
		if tail == head {
			headCut.to = min(headCut.to, a.list[head].from)
			a.list = append(a.list, argument{})
			copy(a.list[head+1:], a.list[head:])
			tail++
		}
		a.list[head] = headCut
		head++
	}
	a.list = append(a.list[:head], a.list[tail:]...)
	return true
}
