// SPDX-License-Identifier: Apache-2.0

// Package tiny makes programs for loads and live tests: a few instructions without a
// compiler and without a library, so that a small machine can start enough of them.
package tiny

import (
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
)

// What says what a made program does.
type What int

const (
	// Exit ends with status 0.
	Exit What = iota
	// Fork forks once, waits for the child and ends with status 0.
	Fork
)

// codes is the machine code by architecture, as Go names it.
var codes = map[string]struct {
	machine uint16 // e_machine of the ELF header
	code    [2][]byte
}{
	"amd64": {62, [2][]byte{
		{
			0x31, 0xff, // xor edi, edi
			0xb8, 0xe7, 0, 0, 0, // mov eax, 231 (exit_group)
			0x0f, 0x05, // syscall
		},
		{
			0xb8, 57, 0, 0, 0, // mov eax, 57 (fork)
			0x0f, 0x05, // syscall
			0x85, 0xc0, // test eax, eax
			0x74, 0x13, // jz exit: the child
			0xbf, 0xff, 0xff, 0xff, 0xff, // mov edi, -1
			0x31, 0xf6, // xor esi, esi
			0x31, 0xd2, // xor edx, edx
			0x45, 0x31, 0xd2, // xor r10d, r10d
			0xb8, 61, 0, 0, 0, // mov eax, 61 (wait4)
			0x0f, 0x05, // syscall
			0x31, 0xff, // exit: xor edi, edi
			0xb8, 0xe7, 0, 0, 0, // mov eax, 231 (exit_group)
			0x0f, 0x05, // syscall
		},
	}},
	"arm64": {183, [2][]byte{
		words(
			0xd2800000, // mov x0, #0
			0xd2800bc8, // mov x8, #94 (exit_group)
			0xd4000001, // svc #0
		),
		words(
			0xd2800220, // mov x0, #17 (SIGCHLD)
			0xd2800001, // mov x1, #0
			0xd2800002, // mov x2, #0
			0xd2800003, // mov x3, #0
			0xd2800004, // mov x4, #0
			0xd2801b88, // mov x8, #220 (clone)
			0xd4000001, // svc #0
			0xb40000e0, // cbz x0, exit: the child
			0x92800000, // mov x0, #-1
			0xd2800001, // mov x1, #0
			0xd2800002, // mov x2, #0
			0xd2800003, // mov x3, #0
			0xd2802088, // mov x8, #260 (wait4)
			0xd4000001, // svc #0
			0xd2800000, // exit: mov x0, #0
			0xd2800bc8, // mov x8, #94 (exit_group)
			0xd4000001, // svc #0
		),
	}},
}

func words(list ...uint32) (code []byte) {
	for _, w := range list {
		code = binary.LittleEndian.AppendUint32(code, w)
	}
	return code
}

// Program returns a static ELF file for the architecture, which Go names arch;
// false where its instructions are not known here. The form is that of elf(5): one
// header, one loadable segment that is the whole file.
func Program(arch string, what What) ([]byte, bool) {
	c, ok := codes[arch]
	if !ok {
		return nil, false
	}
	const base, headers = 0x400000, 64 + 56
	size := uint64(headers + len(c.code[what]))
	le := binary.LittleEndian
	elf := make([]byte, headers, size)
	copy(elf, "\x7fELF\x02\x01\x01") // 64 bits, little endian, version 1
	le.PutUint16(elf[16:], 2)        // ET_EXEC
	le.PutUint16(elf[18:], c.machine)
	le.PutUint32(elf[20:], 1)
	le.PutUint64(elf[24:], base+headers) // entry
	le.PutUint64(elf[32:], 64)           // where the program header is
	le.PutUint16(elf[52:], 64)
	le.PutUint16(elf[54:], 56)
	le.PutUint16(elf[56:], 1)
	le.PutUint32(elf[64:], 1) // PT_LOAD
	le.PutUint32(elf[68:], 5) // readable, executable
	le.PutUint64(elf[80:], base)
	le.PutUint64(elf[88:], base)
	le.PutUint64(elf[96:], size)
	le.PutUint64(elf[104:], size)
	le.PutUint64(elf[112:], 0x1000)
	return append(elf, c.code[what]...), true
}

// Write writes the program for this machine to path; where its instructions are not
// known here, path is a link to the system's true.
func Write(path string, what What) error {
	code, known := Program(runtime.GOARCH, what)
	if !known {
		return os.Symlink("/bin/true", path)
	}
	if err := os.WriteFile(path, code, 0o755); err != nil {
		return fmt.Errorf("make a program: %w", err)
	}
	return nil
}
