// SPDX-License-Identifier: Apache-2.0

// This file makes the events of system calls that have no kind of their own, and
// of those that failed: their arguments in words, and whom they acted upon.

package audit

import (
	"strconv"

	"seismo/internal/event"
)

// argKind is how an argument of a call is written.
type argKind uint8

const (
	argHex    argKind = iota // a pointer, or what is not known: 0x and hex digits
	argInt                   // a signed number of 32 bits
	argLong                  // a signed number of 64 bits
	argFD                    // a descriptor; AT_FDCWD by name
	argPID                   // a process: whom the call acts upon, if OBJ_PID does not say
	argSignal                //
	argEnum                  // one of names
	argFlags                 // any of names, joined by |
)

// argForm is how one argument is written.
type argForm struct {
	kind  argKind
	names []namedNumber
}

// namedNumber is a value of an enumeration, or bits of a set of flags.
type namedNumber struct {
	n    uint64
	name string
}

var (
	hexArg    = argForm{kind: argHex}
	intArg    = argForm{kind: argInt}
	longArg   = argForm{kind: argLong}
	fdArg     = argForm{kind: argFD}
	pidArg    = argForm{kind: argPID}
	signalArg = argForm{kind: argSignal}
)

func enumArg(names []namedNumber) argForm  { return argForm{argEnum, names} }
func flagsArg(names []namedNumber) argForm { return argForm{argFlags, names} }

// callArgs has the arguments of the calls that people watch, as many as a record
// holds (four). The order and the meaning are those of the manual pages, section 2.
var callArgs = map[string][]argForm{
	"ptrace":            {enumArg(ptraceRequests), pidArg, hexArg, hexArg},
	"process_vm_readv":  {pidArg, hexArg, longArg, hexArg},
	"process_vm_writev": {pidArg, hexArg, longArg, hexArg},
	"process_madvise":   {fdArg, hexArg, longArg, intArg},
	"pidfd_open":        {pidArg, hexArg},
	"pidfd_getfd":       {fdArg, fdArg, hexArg},
	"pidfd_send_signal": {fdArg, signalArg, hexArg, hexArg},
	"kcmp":              {pidArg, intArg, intArg, longArg},
	"kill":              {pidArg, signalArg},
	"tkill":             {pidArg, signalArg},
	"tgkill":            {pidArg, intArg, signalArg},
	"rt_sigqueueinfo":   {pidArg, signalArg, hexArg},
	"bpf":               {enumArg(bpfCommands), hexArg, longArg},
	"mount":             {hexArg, hexArg, hexArg, flagsArg(mountFlags)},
	"umount2":           {hexArg, flagsArg(umountFlags)},
	"umount":            {hexArg},
	"move_mount":        {fdArg, hexArg, fdArg, hexArg},
	"open_tree":         {fdArg, hexArg, hexArg},
	"fsopen":            {hexArg, hexArg},
	"fsconfig":          {fdArg, intArg, hexArg, hexArg},
	"fsmount":           {fdArg, hexArg, hexArg},
	"mount_setattr":     {fdArg, hexArg, hexArg, hexArg},
	"pivot_root":        {hexArg, hexArg},
	"chroot":            {hexArg},
	"unshare":           {flagsArg(cloneFlags)},
	"clone":             {flagsArg(cloneFlags), hexArg, hexArg, hexArg},
	"perf_event_open":   {hexArg, pidArg, intArg, fdArg},
	"setns":             {fdArg, flagsArg(cloneFlags)},
	"memfd_create":      {hexArg, flagsArg(memfdFlags)},
	"memfd_secret":      {hexArg},
	"init_module":       {hexArg, longArg, hexArg},
	"finit_module":      {fdArg, hexArg, flagsArg(moduleFlags)},
	"delete_module":     {hexArg, hexArg},
	"kexec_load":        {hexArg, longArg, hexArg, hexArg},
	"kexec_file_load":   {fdArg, fdArg, longArg, hexArg},
	"io_uring_setup":    {longArg, hexArg},
	"io_uring_enter":    {fdArg, longArg, longArg, hexArg},
	"io_uring_register": {fdArg, intArg, hexArg, longArg},
	"mmap":              {hexArg, longArg, flagsArg(protectionFlags), hexArg},
	"mprotect":          {hexArg, longArg, flagsArg(protectionFlags)},
	"personality":       {hexArg},
	"userfaultfd":       {hexArg},
	"execve":            {hexArg, hexArg, hexArg},
	"execveat":          {fdArg, hexArg, hexArg, hexArg},
	"open":              {hexArg, hexArg, hexArg},
	"openat":            {fdArg, hexArg, hexArg, hexArg},
	"openat2":           {fdArg, hexArg, hexArg, longArg},
	"sethostname":       {hexArg, longArg},
	"setdomainname":     {hexArg, longArg},
	"swapon":            {hexArg, hexArg},
	"swapoff":           {hexArg},
	"iopl":              {intArg},
	"ioperm":            {hexArg, longArg, intArg},
	"acct":              {hexArg},
	"fanotify_init":     {hexArg, hexArg},
	"fanotify_mark":     {fdArg, hexArg, hexArg, fdArg},
	"socket":            {intArg, hexArg, intArg},
	"socketpair":        {intArg, hexArg, intArg, hexArg},
	"bind":              {fdArg, hexArg, longArg},
	"listen":            {fdArg, intArg},
	"accept":            {fdArg, hexArg, hexArg},
	"accept4":           {fdArg, hexArg, hexArg, hexArg},
	"pipe":              {hexArg},
	"pipe2":             {hexArg, hexArg},
	"vfork":             {},
	"fork":              {},
	"exit":              {intArg},
	"exit_group":        {intArg},
	"sendto":            {fdArg, hexArg, longArg, hexArg},
	"sendmsg":           {fdArg, hexArg, hexArg},
	"name_to_handle_at": {fdArg, hexArg, hexArg, hexArg},
	"open_by_handle_at": {fdArg, hexArg, hexArg},
}

// callForm is what callArgs says of the call called name, and which of its
// arguments is a process; none if no one is.
func callForm(name string) (forms []argForm, pid int8) {
	forms = callArgs[name]
	for i := range forms {
		if forms[i].kind == argPID {
			return forms, int8(i)
		}
	}
	return forms, none
}

// decodeSyscall makes the event of a call without a kind of its own, and of one
// that failed.
func (d *Decoder) decodeSyscall(b *event.Batch, c call) *event.Event {
	e := b.Add(event.KindSyscall, event.OpCall)
	d.setCallName(e, event.SyscallName, c)
	forms, pid := callForm(c.name)
	d.setArguments(e, forms)
	d.setTargetPID(e, pid)
	if d.who.has&hasExit != 0 {
		e.SetInt(event.SyscallResult, d.who.exit)
	}
	d.readItems()
	if it := d.firstItem(); it != nil {
		d.setCallPath(e, it, c)
	}
	return e
}

// setTargetPID sets the process that the call acted upon: what OBJ_PID says, and
// without one what the argument numbered pid says. A negative one is a group.
func (d *Decoder) setTargetPID(e *event.Event, pid int8) {
	switch {
	case d.target > 0 && d.target <= 1<<30:
		e.SetInt(event.SyscallTargetPID, d.target)
	case pid != none && d.who.args[pid] != nil:
		if n := int32(uint32(d.who.arg(pid))); n > 0 {
			e.SetInt(event.SyscallTargetPID, int64(n))
		}
	}
}

// setArguments sets the arguments, in the forms that the call is known to have.
func (d *Decoder) setArguments(e *event.Event, forms []argForm) {
	n := len(d.who.args)
	if forms != nil {
		n = len(forms)
	}
	for i, v := range d.who.args[:n] {
		if v == nil {
			continue
		}
		var form argForm
		if forms != nil {
			form = forms[i]
		}
		d.value = form.append(d.value[:0], v)
		e.AppendElement(event.SyscallArguments, d.value)
	}
}

// append appends v, the hex digits of an argument, in form f. What is no number
// stays as it is.
func (f *argForm) append(dst, v []byte) []byte {
	n, ok := parseUint(v, 16)
	if !ok {
		return append(dst, v...)
	}
	switch f.kind {
	case argInt, argPID:
		return strconv.AppendInt(dst, int64(int32(uint32(n))), 10)
	case argLong:
		return strconv.AppendInt(dst, int64(n), 10)
	case argFD:
		if int32(uint32(n)) == atFDCWD {
			return append(dst, "AT_FDCWD"...)
		}
		return strconv.AppendInt(dst, int64(int32(uint32(n))), 10)
	case argSignal:
		return appendSignal(dst, n)
	case argEnum:
		for _, name := range f.names {
			if name.n == n {
				return append(dst, name.name...)
			}
		}
		return strconv.AppendUint(dst, n, 10)
	case argFlags:
		return appendFlags(dst, n, f.names)
	}
	return appendHexNumber(dst, n)
}

func appendHexNumber(dst []byte, n uint64) []byte {
	return strconv.AppendUint(append(dst, "0x"...), n, 16)
}

// appendFlags appends the names of the bits of n, joined by |; what has no name
// stands behind them as a number.
func appendFlags(dst []byte, n uint64, names []namedNumber) []byte {
	from := len(dst)
	for _, name := range names {
		if name.n != 0 && n&name.n == name.n {
			if len(dst) > from {
				dst = append(dst, '|')
			}
			dst = append(dst, name.name...)
			n &^= name.n
		}
	}
	switch {
	case len(dst) == from && n == 0:
		return append(dst, '0')
	case n == 0:
		return dst
	case len(dst) > from:
		dst = append(dst, '|')
	}
	return appendHexNumber(dst, n)
}

// appendSignal appends the name of signal n.
func appendSignal(dst []byte, n uint64) []byte {
	if n < uint64(len(signalNames)) && signalNames[n] != "" {
		return append(append(dst, "SIG"...), signalNames[n]...)
	}
	return strconv.AppendUint(dst, n, 10)
}

// decodeBPF makes the event of a BPF program that was loaded or unloaded. The
// kernel writes BPF records whatever the rules say, and beside them the call that
// was under way: for an unload that is a close, an exit or none at all
// (kernel/bpf/syscall.c, bpf_audit_prog).
func (d *Decoder) decodeBPF(b *event.Batch) *event.Event {
	op, id := findField(d.bpf.Body, "op"), findField(d.bpf.Body, "prog-id")
	load := string(op) == "LOAD"
	e := b.Add(event.KindSyscall, event.OpCall)
	e.SetString(event.SyscallName, "bpf")
	if d.sys == nil {
		d.flags |= d.who.readRecord(d.bpf)
	}
	if forms, _ := callForm("bpf"); load && d.sys != nil && d.call().name == "bpf" {
		d.setArguments(e, forms)
		if d.who.has&hasExit != 0 {
			e.SetInt(event.SyscallResult, d.who.exit)
		}
	} else {
		d.value = append(append(d.value[:0], "BPF_PROG_"...), op...)
		e.AppendElement(event.SyscallArguments, d.value)
	}
	d.value = append(append(d.value[:0], "prog-id="...), id...)
	e.AppendElement(event.SyscallArguments, d.value)
	return e
}

// setCallPath sets the path that a call was about. Of a call that the tables
// know by name only it is not known what a relative name is relative to, so it
// stays as it is.
func (d *Decoder) setCallPath(e *event.Event, it *item, c call) {
	if c.act == actNone && !c.named || c.act == actSymlink {
		if it.name != nil && !isMissing(it.name) {
			if d.name = AppendValue(d.name[:0], it.name); isAbsolute(d.name) {
				d.path = AppendPath(d.path[:0], nil, d.name)
				e.SetText(event.SyscallPath, d.path)
				return
			}
			e.SetText(event.SyscallPath, d.name)
		}
		return
	}
	if path, _, ok := d.resolve(d.path[:0], it, c, d.sideOf(it, c)); ok {
		d.path = path
		e.SetText(event.SyscallPath, path)
	}
}
