// SPDX-License-Identifier: Apache-2.0

// This file says which system call interfaces a machine has, and what a call that
// somebody names is on each of them.

package audit

import (
	"fmt"
	"slices"
	"strconv"
)

// abi is one system call interface of a machine.
type abi struct {
	arch  string // b64 or b32, as rules call it
	value uint32 // of the field arch, in rules and records
	calls map[string]uint32
	// multiplexed says that programs may also reach the socket calls through
	// socketcall(2), which has the call's number as its first argument.
	multiplexed bool
}

// maxCall bounds the numbers of calls that the bit mask of a rule holds: it has 64
// words, of which the last bits stand for classes (AUDIT_BITMASK_SIZE and
// AUDIT_SYSCALL_CLASSES of include/uapi/linux/audit.h). What lies beyond, as the calls
// of the x32 interface do (bit 30 is set in their numbers), no rule that names calls
// ever sees.
const maxCall = 64*32 - 16

// firstX32 is the number from which on the table of x86_64 holds calls of x32.
const firstX32 = 512

// machineABIs returns the system call interfaces of the machine called by its
// GOARCH name. Every 64-bit one comes with the 32-bit one that the kernel may
// offer beside it: a rule for one never sees the calls of the other.
func machineABIs(arch string) ([]abi, error) {
	x86_64 := abi{arch: "b64", value: archX86_64, calls: numbered(callsX86_64[:firstX32])}
	i386 := abi{arch: "b32", value: archI386, calls: numbered(callsI386[:]), multiplexed: true}
	aarch64 := abi{arch: "b64", value: archAarch64, calls: numbered(callsGeneric[:])}
	eabi := abi{arch: "b32", value: archEABI, calls: numbered(callsEABI[:])}
	switch arch {
	case "amd64":
		return []abi{x86_64, i386}, nil
	case "386":
		return []abi{i386}, nil
	case "arm64":
		return []abi{aarch64, eabi}, nil
	case "arm":
		return []abi{eabi}, nil
	}
	return nil, fmt.Errorf("plan audit rules: architecture %q is not supported", arch)
}

func numbered(names []string) map[string]uint32 {
	numbers := make(map[string]uint32, len(names))
	for n, name := range names {
		if name != "" && n < maxCall {
			numbers[name] = uint32(n)
		}
	}
	return numbers
}

// oneCall is a call on one interface. With a number of socketcall it is that call,
// carried by socketcall(2).
type oneCall struct {
	name    string
	number  uint32
	carried string // the first argument of socketcall; "" if it is a call of its own
}

// named returns what name is on a, in whatever spellings the interface has for it: on
// 32 bits many calls exist twice, the newer with 32 or 64 behind its name. A name may
// be a number: then it is the call of that number.
func (a *abi) named(name string) []oneCall {
	if n, err := strconv.ParseUint(name, 10, 32); err == nil {
		if n >= maxCall {
			return nil
		}
		// A call that is newer than our tables is asked for all the same.
		return []oneCall{{name: a.nameOf(uint32(n)), number: uint32(n)}}
	}
	var found []oneCall
	add := func(name string) {
		if n, ok := a.calls[name]; ok {
			found = append(found, oneCall{name: name, number: n})
		}
	}
	add(name)
	if a.arch == "b32" {
		add(name + "32")
		add(name + "64")
	}
	if a.multiplexed {
		if n := socketcallNumber(name); n > 0 {
			found = append(found, oneCall{name: "socketcall", number: a.calls["socketcall"], carried: strconv.Itoa(n)})
		}
	}
	return found
}

// nameOf returns the name of call n, or its number where the name is not known.
func (a *abi) nameOf(n uint32) string {
	for name, number := range a.calls {
		if number == n {
			return name
		}
	}
	return strconv.FormatUint(uint64(n), 10)
}

// carriedCalls are the calls of socketcall(2), from 1 on (include/uapi/linux/net.h).
var carriedCalls = [...]string{"socket", "bind", "connect", "listen", "accept", "getsockname", "getpeername",
	"socketpair", "send", "recv", "sendto", "recvfrom", "shutdown", "setsockopt", "getsockopt", "sendmsg", "recvmsg",
	"accept4", "recvmmsg", "sendmmsg"}

// socketcallNumber returns the number that socketcall(2) has for a call, 0 if it
// carries none of that name.
func socketcallNumber(name string) int { return slices.Index(carriedCalls[:], name) + 1 }
