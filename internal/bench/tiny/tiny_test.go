// SPDX-License-Identifier: Apache-2.0

package tiny

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"testing"
)

// The programs that are made are files that an ELF reader takes, with all of their
// code in the one segment that the entry lies in.
func TestProgram(t *testing.T) {
	for arch, machine := range map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64} {
		for _, what := range []What{Exit, Fork} {
			b, ok := Program(arch, what)
			f, err := elf.NewFile(bytes.NewReader(b))
			if !ok || err != nil {
				t.Fatalf("Program(%s, %d): %v, %v", arch, what, ok, err)
			}
			if f.Machine != machine || f.Type != elf.ET_EXEC || len(f.Progs) != 1 {
				t.Fatalf("Program(%s, %d) is %v %v with %d segments", arch, what, f.Machine, f.Type, len(f.Progs))
			}
			p := f.Progs[0]
			if p.Type != elf.PT_LOAD || p.Filesz != uint64(len(b)) || p.Memsz != p.Filesz || p.Flags != elf.PF_R|elf.PF_X || f.Entry <= p.Vaddr || f.Entry >= p.Vaddr+p.Memsz {
				t.Errorf("Program(%s, %d): entry %#x, segment %+v of a file of %d bytes", arch, what, f.Entry, p.ProgHeader, len(b))
			}
		}
	}
	if _, ok := Program("mips", Exit); ok {
		t.Error("Program(mips) is known")
	}
}

// A branch that leads past the code would run whatever stands there: the jump of each
// program that forks leads to the instructions that end the child.
func TestForkJumps(t *testing.T) {
	x := codes["amd64"].code
	at := bytes.IndexByte(x[Fork], 0x74) // jz, relative to the next instruction
	if to := at + 2 + int(x[Fork][at+1]); !bytes.Equal(x[Fork][to:], x[Exit]) {
		t.Errorf("amd64: the child goes on at %d: % x", to, x[Fork][min(to, len(x[Fork])):])
	}
	a := codes["arm64"].code
	for i := 0; i < len(a[Fork]); i += 4 {
		w := binary.LittleEndian.Uint32(a[Fork][i:])
		if w>>24 != 0xb4 { // cbz of a 64-bit register; bits 5 to 23 count instructions
			continue
		}
		if to := i + 4*int(w>>5&0x7ffff); to >= len(a[Fork]) || !bytes.Equal(a[Fork][to:], a[Exit]) {
			t.Errorf("arm64: the child goes on at %d of %d", to, len(a[Fork]))
		}
	}
}
