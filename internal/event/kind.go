// SPDX-License-Identifier: Apache-2.0

// This file names the kinds of event and the operations of each kind. The
// fields they carry are in registry.go.

package event

import "strings"

// Kind is what an event is about. The numbers are stored in signals.bin and in
// monitor.db: they are never reused and new ones go at the end.
type Kind uint8

// The kinds of event.
const (
	KindNone     Kind = iota
	KindProcess       // a process image began, changed or ended
	KindFile          // a process acted on a file
	KindNetwork       // a process used a socket
	KindRegistry      // a process acted on the Windows registry
	KindImage         // a process loaded a library
	KindDriver        // the kernel loaded or unloaded a driver or module
	KindDNS           // a process asked for a name
	KindSecurity      // logon, authentication, privilege, account, policy
	KindSyscall       // a system call that has no kind of its own
	KindRecord        // a record of the source that has no kind at all
	numKinds
)

var kindNames = [numKinds]string{"none", "process", "file", "network", "registry", "image",
	"driver", "dns", "security", "syscall", "record"}

// String returns the name of k as signals, JSON and monitor.db spell it.
func (k Kind) String() string {
	if k < numKinds {
		return kindNames[k]
	}
	return "unknown"
}

// ParseKind returns the kind called name, ignoring the case of ASCII letters.
func ParseKind(name string) (Kind, bool) {
	for k := KindProcess; k < numKinds; k++ {
		if strings.EqualFold(kindNames[k], name) {
			return k, true
		}
	}
	return KindNone, false
}

// Kinds returns every kind in the order of their numbers, without KindNone.
func Kinds() []Kind {
	all := make([]Kind, 0, numKinds-1)
	for k := KindProcess; k < numKinds; k++ {
		all = append(all, k)
	}
	return all
}

// KindSet is a set of kinds, one bit each.
type KindSet uint32

// AllKinds holds every kind.
const AllKinds = KindSet(1<<numKinds-1) &^ 1

// SetOf returns the set of the kinds given.
func SetOf(kinds ...Kind) KindSet {
	var s KindSet
	for _, k := range kinds {
		s |= 1 << k
	}
	return s
}

// Has reports whether k is in s.
func (s KindSet) Has(k Kind) bool { return s&(1<<k) != 0 }

// Op is what was done. Each kind uses a part of them (see [Ops]); the numbers
// are stored in monitor.db: never reused, new ones at the end.
type Op uint8

// The operations, each under the kind that uses it first.
const (
	OpNone   Op = iota
	OpCreate    // process, file
	OpUpdate    // process: a late value (a hash) arrived
	OpEnd       // process

	OpWrite      // file: opened for writing, or truncated
	OpDelete     // file
	OpRename     // file, registry
	OpPermission // file: mode, owner, extended attribute
	OpLink       // file: hard or symbolic
	OpOpen       // file: opened for reading

	OpConnect    // network
	OpAccept     // network
	OpListen     // network: bind and listen
	OpDisconnect // network

	OpCreateKey   // registry
	OpDeleteKey   // registry
	OpSetValue    // registry
	OpDeleteValue // registry

	OpLoad   // image, driver
	OpUnload // driver

	OpQuery // dns

	OpLogon        // security
	OpLogoff       // security
	OpAuthenticate // security
	OpPrivilege    // security: another identity or capability was taken on
	OpAccount      // security: a user or group was made, changed or removed
	OpPolicy       // security: audit, firewall or access policy was changed

	OpCall   // syscall: the name is in syscall.name
	OpRecord // record: the type is in record.type
	numOps
)

var opNames = [numOps]string{"none", "create", "update", "end", "write", "delete", "rename",
	"permission", "link", "open", "connect", "accept", "listen", "disconnect", "create_key",
	"delete_key", "set_value", "delete_value", "load", "unload", "query", "logon", "logoff",
	"authenticate", "privilege", "account", "policy", "call", "record"}

// String returns the name of o as signals, JSON and monitor.db spell it.
func (o Op) String() string {
	if o < numOps {
		return opNames[o]
	}
	return "unknown"
}

var kindOps = [numKinds][]Op{
	KindProcess:  {OpCreate, OpUpdate, OpEnd},
	KindFile:     {OpCreate, OpWrite, OpDelete, OpRename, OpPermission, OpLink, OpOpen},
	KindNetwork:  {OpConnect, OpAccept, OpListen, OpDisconnect},
	KindRegistry: {OpCreateKey, OpDeleteKey, OpSetValue, OpDeleteValue, OpRename},
	KindImage:    {OpLoad},
	KindDriver:   {OpLoad, OpUnload},
	KindDNS:      {OpQuery},
	KindSecurity: {OpLogon, OpLogoff, OpAuthenticate, OpPrivilege, OpAccount, OpPolicy},
	KindSyscall:  {OpCall},
	KindRecord:   {OpRecord},
}

// Ops returns the operations of kind k. The slice is shared: do not change it.
func Ops(k Kind) []Op {
	if k >= numKinds {
		return nil
	}
	return kindOps[k]
}
