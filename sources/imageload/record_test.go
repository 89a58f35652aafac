// SPDX-License-Identifier: Apache-2.0

package imageload

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func showRecord(r record) string {
	switch r.what {
	case mapping:
		return fmt.Sprintf("%d mapped %d:%d %d %s", r.pid, r.device>>32, uint32(r.device), r.inode, r.path)
	case execed:
		return fmt.Sprintf("%d execed", r.pid)
	case exited:
		return fmt.Sprintf("%d exited", r.pid)
	case missed:
		return fmt.Sprintf("%d lost", r.lost)
	}
	return "nothing"
}

func TestParse(t *testing.T) {
	const device = 254<<32 | 1
	without := func(raw []byte, n int) []byte { // shorter by n bytes before the time
		return seal(native.Uint32(raw), 0, at(1), raw[headerSize:len(raw)-trailerSize-n])
	}
	tests := []struct {
		name string
		in   []byte
		want string
		err  error
	}{
		{"file", file(at(1), 7, 12, "/usr/lib/libc.so.6"), "7 mapped 254:1 12 /usr/lib/libc.so.6", nil},
		{"name of eight bytes", file(at(1), 7, 12, "/abcdefg"), "7 mapped 254:1 12 /abcdefg", nil},
		{"deleted", file(at(1), 7, 12, "/tmp/x (deleted)"), "7 mapped 254:1 12 /tmp/x (deleted)", nil},
		{"memfd", mapAs(at(1), 7, 1, 2056, 5, name("/memfd:x (deleted)")), "7 mapped 0:1 2056 /memfd:x (deleted)", nil},
		{"memory without a file", mapAs(at(1), 7, 0, 0, 7, name("//anon")), "7 mapped 0:0 0 //anon", nil},
		{"stack", mapAs(at(1), 7, 0, 0, 7, name("[stack]")), "7 mapped 0:0 0 [stack]", nil},
		{"vdso", mapAs(at(1), 7, 0, 0, 5, name("[vdso]")), "nothing", nil},
		{"file of that name", mapAs(at(1), 7, device, 9, 5, name("[vdso]")), "7 mapped 254:1 9 [vdso]", nil},
		{"not to be executed", mapAs(at(1), 7, device, 12, 3, name("/etc/passwd")), "nothing", nil},
		{"what follows the end of the name", mapAs(at(1), 7, device, 12, 5, []byte("/a\x00/b\x00\x00\x00")), "7 mapped 254:1 12 /a", nil},
		{"control characters", file(at(1), 7, 12, "/tmp/\x1b[2J\n\xff"), "7 mapped 254:1 12 /tmp/\x1b[2J\n\xff", nil},
		{"longest path", file(at(1), 7, 12, "/"+strings.Repeat("a", 4086)), "7 mapped 254:1 12 /" + strings.Repeat("a", 4086), nil},
		{"name without end", mapAs(at(1), 7, device, 12, 5, []byte("/abcdefg")), "nothing", errNoName},
		{"no name", mapAs(at(1), 7, device, 12, 5, nil), "nothing", errNoName},
		{"empty name", mapAs(at(1), 7, device, 12, 5, make([]byte, 8)), "nothing", errNoBytes},
		{"short mapping", without(mapAs(at(1), 7, device, 12, 5, nil), 8), "nothing", errShort},
		{"exec", execOf(at(1), 7), "7 execed", nil},
		{"new name of a thread", comm(at(1), 7, 0), "nothing", nil},
		{"short name", without(execOf(at(1), 7), 16), "nothing", errShort},
		{"exit", exitOf(at(1), 7), "7 exited", nil},
		{"exit of a thread", task(typeExit, at(1), 7, 8), "nothing", nil},
		{"short exit", without(exitOf(at(1), 7), 8), "nothing", errShort},
		{"fork", task(7, at(1), 7, 7), "nothing", nil},
		{"lost", lost(at(1), 300), "300 lost", nil},
		{"short lost", without(lost(at(1), 300), 8), "nothing", errShort},
		{"unknown type", seal(4711, 0, at(1), nil), "nothing", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parse(tt.in)
			if showRecord(got) != tt.want || !errors.Is(err, tt.err) || got.time != at(1) {
				t.Errorf("parse(%x) = %s at %d, %v; want %s at %d, %v", tt.in, showRecord(got), got.time, err, tt.want, at(1), tt.err)
			}
		})
	}
}

// What this kernel (6.18, x86-64) wrote when /usr/bin/true was started, in hex.
func TestParseRecorded(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"mapping of the loader", "0a000000020080008e2100008e21000000f0d2dec07f000000600200000000000010000000000000fe00000000000000cbf8040000000000000000000000000005000000020000002f7573722f6c69622f7838365f36342d6c696e75782d676e752f6c642d6c696e75782d7838362d36342e736f2e3200001d4e9ae8ad81ea18", "8590 mapped 254:0 325835 /usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"},
		{"exec", "03000000002020008e2100008e2100007472756500000000becb97e8ad81ea18", "8590 execed"},
	}
	for _, tt := range tests {
		raw, err := hex.DecodeString(tt.in)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := parse(raw); showRecord(got) != tt.want || err != nil {
			t.Errorf("%s: parse = %s, %v; want %s", tt.name, showRecord(got), err, tt.want)
		}
	}
}

// No bytes make parse panic, and a mapping that it reads is read again from a record
// built of it.
func FuzzParse(f *testing.F) {
	f.Add(file(at(1), 7, 12, "/lib/x"))
	f.Add(execOf(at(1), 7))
	f.Add(exitOf(at(1), 7))
	f.Add(lost(at(1), 3))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) < leastSize || len(raw) > 65528 {
			return
		}
		r, err := parse(raw)
		if err != nil && r.what != nothing {
			t.Errorf("parse(%x) = %s and an error: %v", raw, showRecord(r), err)
		}
		if r.what != mapping {
			return
		}
		if len(r.path) == 0 || bytes.IndexByte(r.path, 0) >= 0 || len(r.path) > len(raw) {
			t.Errorf("parse(%x): path %q", raw, r.path)
		}
		again, err := parse(mapAs(r.time, r.pid, r.device, r.inode, protExec, name(string(r.path))))
		if showRecord(again) != showRecord(r) || again.time != r.time || err != nil {
			t.Errorf("parse(%x) = %s; built again %s, %v", raw, showRecord(r), showRecord(again), err)
		}
	})
}

func TestParseCPUs(t *testing.T) {
	tests := []struct{ in, want string }{
		{"0\n", "[0]"},
		{"0-3,6,8-9\n", "[0 1 2 3 6 8 9]"},
		{"", "error"},
		{"\n", "error"},
		{"3-1", "error"},
		{"0,", "error"},
		{"a", "error"},
		{"-1", "error"},
		{"0-8192", "error"},
		{"0-8191,0-8191", "error"},
		{"0-99999999999999999999", "error"},
	}
	for _, tt := range tests {
		got, err := parseCPUs(tt.in)
		text := fmt.Sprint(got)
		if err != nil {
			text = "error"
		}
		if text != tt.want {
			t.Errorf("parseCPUs(%q) = %s, %v; want %s", tt.in, text, err, tt.want)
		}
	}
}

func TestRingBytes(t *testing.T) {
	tests := []struct {
		o    Options
		cpus int
		want int
	}{
		{Options{}, 2, 512 << 10},
		{Options{}, 32, 512 << 10},
		{Options{}, 33, 256 << 10},
		{Options{}, 256, 64 << 10},
		{Options{}, 1024, 64 << 10},
		{Options{RingBytes: 8192}, 1024, 8192},
	}
	for _, tt := range tests {
		if got := tt.o.ringBytes(tt.cpus); got != tt.want {
			t.Errorf("%+v.ringBytes(%d) = %d, want %d", tt.o, tt.cpus, got, tt.want)
		}
	}
}

// BenchmarkRead reads the records of starts of a small program from a ring: 7 records
// and 3 events each.
func BenchmarkRead(b *testing.B) {
	k := newKernel(0, 512<<10, 0)
	r := newReader(k)
	pid := int32(100)
	const starts = 300
	for range starts {
		pid++
		k.write(task(7, at(1), pid, pid))
		k.write(execOf(at(1), pid))
		k.write(file(at(1), pid, 1, "/usr/bin/true"))
		k.write(file(at(1), pid, 2, "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"))
		k.write(mapAs(at(1), pid, 0, 0, 5, name("[vdso]")))
		k.write(file(at(1), pid, 3, "/usr/lib/x86_64-linux-gnu/libc.so.6"))
		k.write(exitOf(at(1), pid))
	}
	batch := newBatch()
	b.ReportAllocs()
	for b.Loop() {
		k.tail, k.has = 0, false
		batch.Reset()
		r.read(batch, at(1000), false)
		if batch.Len() != 3*starts {
			b.Fatalf("%d events", batch.Len())
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(7*starts), "ns/record")
}
