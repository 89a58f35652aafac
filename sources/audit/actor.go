// SPDX-License-Identifier: Apache-2.0

// This file reads what a record says of the process that acted, and the numbers
// that records hold.

package audit

import (
	"bytes"

	"seismo/internal/event"
)

// actor is the process that acted, and the call it made if the record is a
// SYSCALL. The slices are raw values inside the record.
type actor struct {
	has     uint32 // a bit for each field that was there, has… below
	success bool
	arch    uint64
	exit    int64
	args    [4][]byte // of the call, hex digits; nil if missing
	syscall []byte
	pid     int64
	ppid    int64
	ids     [numIDs]id
	tty     []byte
	exe     []byte
	key     []byte
	// names that auditd added (UID="root"), raw
	userName, effectiveName, groupName, loginName []byte
}

// id is a number of a user, group or session, or the name that a log of
// interpreted records has in its place.
type id struct {
	n    int64
	name []byte
	set  bool
}

const (
	idUser = iota
	idGroup
	idEffective
	idLogin
	idSession
	numIDs
)

const (
	hasArch = 1 << iota
	hasSyscall
	hasSuccess
	hasExit
	hasPPID
	hasPID
	hasAUID
	hasUID
	hasGID
	hasEUID
	hasTTY
	hasSes
	hasComm
	hasExe
	hasKey
)

// once notes that a field is there. If it was before, the record has it twice:
// the first counts.
func (w *actor) once(bit uint32, flags *event.Flags) bool {
	if w.has&bit != 0 {
		*flags |= event.Duplicate
		return false
	}
	w.has |= bit
	return true
}

// syscallKeys are the fields of a SYSCALL record in the order in which the kernel
// has written them since 2.6.30 (kernel/auditsc.c, audit_log_exit). exit and
// exit_group leave two of them out.
var syscallKeys = [...]string{"arch=", "syscall=", "success=", "exit=", "a0=", "a1=", "a2=", "a3=", "items=",
	"ppid=", "pid=", "auid=", "uid=", "gid=", "euid=", "suid=", "fsuid=", "egid=", "sgid=", "fsgid=", "tty=", "ses=",
	"comm=", "exe="}

// readSyscall reads a SYSCALL record. Those in the usual order are read without
// a look-up for each key, which halves the time (BenchmarkDecode).
func (w *actor) readSyscall(r *Record) event.Flags {
	var flags event.Flags
	rest := r.Body
	var values [len(syscallKeys)][]byte
	if left, ok := splitOrdered(&values, rest); ok {
		rest = left
		w.arch, w.syscall = parseArch(values[0]), values[1]
		w.success = string(Unquote(values[2])) == "yes"
		w.has |= hasArch | hasSyscall | hasSuccess
		w.setExit(values[3])
		copy(w.args[:], values[4:8])
		w.setNumber(&w.ppid, hasPPID, values[9], &flags)
		w.setNumber(&w.pid, hasPID, values[10], &flags)
		w.setID(idLogin, hasAUID, values[11], &flags)
		w.setID(idUser, hasUID, values[12], &flags)
		w.setID(idGroup, hasGID, values[13], &flags)
		w.setID(idEffective, hasEUID, values[14], &flags)
		w.setID(idSession, hasSes, values[21], &flags)
		w.tty, w.exe = values[20], values[23]
		w.has |= hasTTY | hasComm | hasExe
	}
	for s := ScanFields(rest); ; {
		k, v, ok := s.Next()
		if !ok {
			break
		}
		w.syscallField(k, v, &flags)
	}
	w.readEnriched(r.Enriched)
	return flags
}

// splitOrdered takes body apart if it begins with the fields of syscallKeys, in
// that order, each before one blank. It returns what follows them.
func splitOrdered(values *[len(syscallKeys)][]byte, body []byte) (rest []byte, ok bool) {
	b := body
	for n, key := range syscallKeys {
		if len(b) <= len(key) || string(b[:len(key)]) != key {
			return body, false
		}
		b = b[len(key):]
		end := 0
		for end < len(b) && b[end] != ' ' {
			end++
		}
		if end == 0 || end == len(b) || b[0] == '"' && (end < 2 || b[end-1] != '"') || b[0] == '\'' {
			return body, false
		}
		values[n], b = b[:end], b[end+1:]
	}
	return b, true
}

// syscallField takes one field of a SYSCALL record.
func (w *actor) syscallField(k, v []byte, flags *event.Flags) {
	if len(k) == 2 && k[0] == 'a' && k[1]-'0' < 4 {
		if n := k[1] - '0'; w.args[n] == nil {
			w.args[n] = v
		} else {
			*flags |= event.Duplicate
		}
		return
	}
	switch string(k) {
	case "arch":
		if w.once(hasArch, flags) {
			w.arch = parseArch(v)
		}
	case "syscall":
		if w.once(hasSyscall, flags) {
			w.syscall = v
		}
	case "success":
		if w.once(hasSuccess, flags) {
			w.success = string(Unquote(v)) == "yes"
		}
	case "exit":
		if w.has&hasExit != 0 {
			*flags |= event.Duplicate
		}
		w.setExit(v)
	default:
		w.field(k, v, flags)
	}
}

// setExit sets the result of the call, unless it is set already or v is the
// name of an error, as logs of interpreted records have it.
func (w *actor) setExit(v []byte) {
	if n, ok := parseInt(v); ok && w.has&hasExit == 0 {
		w.exit, w.has = n, w.has|hasExit
	}
}

// readRecord reads what any other record says of a process.
func (w *actor) readRecord(r *Record) event.Flags {
	var flags event.Flags
	for s := ScanFields(r.Body); ; {
		k, v, ok := s.Next()
		if !ok {
			break
		}
		w.field(k, v, &flags)
	}
	w.readEnriched(r.Enriched)
	return flags
}

// field takes one field that says who acted.
func (w *actor) field(k, v []byte, flags *event.Flags) {
	switch string(k) {
	case "pid":
		w.setNumber(&w.pid, hasPID, v, flags)
	case "ppid":
		w.setNumber(&w.ppid, hasPPID, v, flags)
	case "uid":
		w.setID(idUser, hasUID, v, flags)
	case "gid":
		w.setID(idGroup, hasGID, v, flags)
	case "euid":
		w.setID(idEffective, hasEUID, v, flags)
	case "auid":
		w.setID(idLogin, hasAUID, v, flags)
	case "ses":
		w.setID(idSession, hasSes, v, flags)
	case "tty":
		if w.once(hasTTY, flags) {
			w.tty = v
		}
	case "comm":
		w.once(hasComm, flags)
	case "exe":
		if w.once(hasExe, flags) {
			w.exe = v
		}
	case "key":
		if w.once(hasKey, flags) {
			w.key = v
		}
	}
}

// unsetID is how the kernel writes the number of nobody: (uid_t)-1.
const unsetID = 0xffffffff

// setNumber sets a number that the record has not had yet; 0 if v is none.
func (w *actor) setNumber(to *int64, bit uint32, v []byte, flags *event.Flags) {
	if w.once(bit, flags) {
		*to, _ = parseInt(v)
	}
}

// setID sets the id numbered n that the record has not had yet.
func (w *actor) setID(n int, bit uint32, v []byte, flags *event.Flags) {
	if !w.once(bit, flags) {
		return
	}
	if num, ok := parseInt(v); ok {
		if num != unsetID && num >= 0 {
			w.ids[n] = id{n: num, set: true}
		}
	} else if !isMissing(v) && string(v) != "unset" {
		w.ids[n].name = v
	}
}

// readEnriched takes the names that auditd added.
func (w *actor) readEnriched(enriched []byte) {
	if len(enriched) == 0 {
		return
	}
	for s := ScanFields(enriched); ; {
		k, v, ok := s.Next()
		if !ok {
			return
		}
		if n := Unquote(v); len(n) == 0 || string(n) == "unset" || string(n) == "unknown" || bytes.HasPrefix(n, []byte("unknown(")) {
			continue
		}
		switch string(k) {
		case "UID":
			w.userName = v
		case "EUID":
			w.effectiveName = v
		case "GID":
			w.groupName = v
		case "AUID":
			w.loginName = v
		}
	}
}

// arg returns argument n of the call, 0 if it is missing.
func (w *actor) arg(n int8) uint64 {
	v, _ := parseUint(w.args[n], 16)
	return v
}

// succeeded reports whether the call succeeded. A record without success= tells
// by its result; exit and exit_group have neither and can not fail.
func (w *actor) succeeded() bool {
	switch {
	case w.has&hasSuccess != 0:
		return w.success
	case w.has&hasExit != 0:
		return w.exit >= 0
	}
	return true
}

// setActor sets what the record says of its process.
func (d *Decoder) setActor(e *event.Event) {
	w := &d.who
	if w.pid > 0 && w.pid <= 1<<30 {
		e.PID = int32(w.pid)
		e.SetInt(event.ProcessPID, w.pid)
	}
	if w.ppid > 0 && w.ppid <= 1<<30 {
		e.PPID = int32(w.ppid)
	}
	if w.exe != nil && !isMissing(w.exe) {
		d.value = AppendValue(d.value[:0], w.exe)
		e.SetText(event.ProcessPath, d.value)
		e.SetText(event.ProcessName, baseName(d.value))
	}
	if w.tty != nil && !isMissing(w.tty) {
		e.SetText(event.ProcessTTY, Unquote(w.tty))
	}
	setID(e, &w.ids[idUser], w.userName, event.ProcessUserID, event.ProcessUserName)
	setID(e, &w.ids[idUser], w.userName, event.UserID, event.UserName)
	setID(e, &w.ids[idGroup], w.groupName, event.ProcessGroupID, event.ProcessGroupName)
	setID(e, &w.ids[idEffective], w.effectiveName, event.UserEffectiveID, event.UserEffectiveName)
	setID(e, &w.ids[idLogin], w.loginName, event.ProcessLoginUserID, event.ProcessLoginUserName)
	setID(e, &w.ids[idLogin], w.loginName, event.UserLoginID, event.UserLoginName)
	if w.ids[idSession].set {
		e.SetInt(event.ProcessSession, w.ids[idSession].n)
	}
}

// setID sets a number, and the name where the record has one.
func setID(e *event.Event, i *id, added []byte, number, name event.Field) {
	if i.set {
		e.SetInt(number, i.n)
	}
	if added != nil {
		e.SetText(name, Unquote(added))
	} else if i.name != nil {
		e.SetText(name, Unquote(i.name))
	}
}

// isMissing reports whether v stands for a value that is not there.
func isMissing(v []byte) bool {
	switch string(Unquote(v)) {
	case "", "(null)", "(none)", "?", "(unknown)":
		return true
	}
	return false
}

// findField returns the raw value of the first field called key, or nil.
func findField(body []byte, key string) []byte {
	for s := ScanFields(body); ; {
		k, v, ok := s.Next()
		if !ok {
			return nil
		}
		if string(k) == key {
			return v
		}
	}
}

// parseUint reads all of v as a number in base 8, 10 or 16. A leading 0x makes
// the base 16.
func parseUint(v []byte, base uint64) (uint64, bool) {
	if t := trimHexPrefix(v); len(t) != len(v) {
		v, base = t, 16
	}
	if len(v) == 0 || len(v) > 22 {
		return 0, false
	}
	n := uint64(0)
	for _, c := range v {
		digit := uint64(digits[c])
		if digit >= base || n > 1<<60 && n > (1<<64-1-digit)/base {
			return 0, false
		}
		n = n*base + digit
	}
	return n, true
}

// digits is the value of a digit of either case; 0xff for a byte that is none.
var digits = func() (t [256]byte) {
	for i := range t {
		t[i] = fromHex(byte(i))
	}
	return t
}()

// parseInt reads all of v as a decimal number, perhaps with a sign.
func parseInt(v []byte) (int64, bool) {
	if len(v) > 0 && v[0] == '-' {
		n, ok := parseUint(v[1:], 10)
		return -int64(n), ok && n <= 1<<63-1
	}
	n, ok := parseUint(v, 10)
	return int64(n), ok && n <= 1<<63-1
}

// parseArch reads an arch= value: hex digits, or the name in a log of
// interpreted records; 0 if it is neither.
func parseArch(v []byte) uint64 {
	switch string(v) {
	case "c000003e", "x86_64":
		return archX86_64
	case "i386":
		return archI386
	case "aarch64":
		return archAarch64
	}
	n, _ := parseUint(v, 16)
	return n
}

func trimHexPrefix(v []byte) []byte {
	if len(v) > 2 && v[0] == '0' && v[1]|0x20 == 'x' {
		return v[2:]
	}
	return v
}
