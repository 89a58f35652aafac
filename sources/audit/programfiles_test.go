// SPDX-License-Identifier: Apache-2.0

package audit_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"seismo/internal/event"
	"seismo/sources/audit"
)

// An exec carries the files that it went through, all of them or none, if it is asked
// to; a name that looks like a field is none.
func TestProgramFiles(t *testing.T) {
	file := func(inode, dev string) string {
		return fmt.Sprintf(`PATH item=0 name="/x" inode=%s dev=%s mode=0100755 ouid=0 ogid=0 rdev=00:00 nametype=NORMAL`, inode, dev)
	}
	exec := func(paths ...string) string {
		return lines(append([]string{syscall(59, "yes", 0), `EXECVE argc=1 a0="x"`, cwd}, paths...)...)
	}
	five := event.FileID{Dev: 0xfe00, Inode: 5}
	many := slices.Repeat([]string{file("5", "fe:00")}, 7)
	tests := []struct {
		name string
		text string
		ask  bool
		want []event.FileID
	}{
		{"program and loader", exec(file("5", "fe:00"), file("6", "fe:00")), true, []event.FileID{five, {Dev: 0xfe00, Inode: 6}}},
		{"great numbers of a device", exec(file("18446744073709551615", "fff:fffff")), true, []event.FileID{{Dev: 0xfff<<8 | 0xff | 0xfff00<<12, Inode: 1<<64 - 1}}},
		{"not asked for", exec(file("5", "fe:00")), false, nil},
		{"none", exec(), true, nil},
		{"six", exec(many[:6]...), true, slices.Repeat([]event.FileID{five}, 6)},
		{"seven", exec(many...), true, nil},
		{"one without inode", exec(file("5", "fe:00"), `PATH item=1 name="/y" nametype=UNKNOWN`), true, nil},
		{"no number", exec(file("x", "fe:00")), true, nil},
		{"no device", exec(file("5", "fe")), true, nil},
		{"a name in hex", exec(`PATH item=0 name=20696E6F64653D3939206465763D30303A3030 inode=5 dev=fe:00 nametype=NORMAL`), true, []event.FileID{five}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := audit.NewStream(bytes.NewReader([]byte(tt.text)), audit.StreamOptions{Name: "test", Decode: audit.DecodeOptions{ProgramFiles: tt.ask}})
			defer s.Close()
			b := event.NewBatch(1)
			if err := s.Read(t.Context(), b); err != nil && b.Len() == 0 {
				t.Fatal(err)
			}
			e := b.Events()[0]
			if got := e.AppendProgramFiles(nil); !slices.Equal(got, tt.want) {
				t.Errorf("files of %s: %v, want %v", tt.text, got, tt.want)
			}
			if line, _ := e.Text(event.ProcessCommandLine); string(line) != "x" {
				t.Errorf("command line %q, want x", line)
			}
		})
	}
}

// What it costs to tell the files of an exec.
func BenchmarkProgramFiles(b *testing.B) {
	path := `PATH item=0 name="/usr/bin/x" inode=10485820 dev=fe:00 mode=0100755 ouid=0 ogid=0 rdev=00:00 nametype=NORMAL cap_fp=0 cap_fi=0 cap_fe=0 cap_fver=0 cap_frootid=0`
	text := lines(syscall(59, "yes", 0), `EXECVE argc=2 a0="x" a1=612062`, cwd, path, path, `PROCTITLE proctitle="x"`, "EOE ")
	for _, ask := range []bool{false, true} {
		b.Run(fmt.Sprintf("files=%v", ask), func(b *testing.B) {
			asm, dec, batch := audit.NewReassembler(audit.Limits{}), audit.NewDecoder(audit.DecodeOptions{ProgramFiles: ask}), event.NewBatch(8)
			all := slices.Collect(bytes.Lines([]byte(text)))
			b.ReportAllocs()
			for b.Loop() {
				for _, line := range all {
					h, r, err := audit.ParseLine(line)
					if err != nil {
						b.Fatal(err)
					}
					asm.Push(h, r, 0)
				}
				batch.Reset()
				g := asm.Pop()
				dec.Decode(g, batch)
				asm.Release(g)
			}
		})
	}
}
