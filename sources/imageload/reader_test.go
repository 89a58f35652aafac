// SPDX-License-Identifier: Apache-2.0

package imageload

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"seismo/internal/event"
)

func newBatch() *event.Batch { return event.NewBatch(1000) }

func TestReader(t *testing.T) {
	many := func(n int, each func(i int) [][]byte) (all [][]byte) {
		for i := range n {
			all = append(all, each(i)...)
		}
		return all
	}
	tests := []struct {
		name  string
		rings [][][]byte
		want  string
	}{
		{"start of a program", [][][]byte{{execOf(at(1), 7), file(at(2), 7, 1, "/bin/true"), file(at(2), 7, 2, "/lib/ld.so"),
			mapAs(at(2), 7, 0, 0, 5, name("[vdso]")), file(at(3), 7, 3, "/lib/libc.so.6"), exitOf(at(4), 7)}},
			"2: image load 7 /bin/true by /bin/true\n2: image load 7 /lib/ld.so by /bin/true\n3: image load 7 /lib/libc.so.6 by /bin/true\n"},
		{"pieces of a file are one", [][][]byte{{file(at(1), 7, 1, "/lib/a"), file(at(2), 7, 1, "/lib/a"), file(at(3), 7, 2, "/lib/b"), file(at(4), 7, 1, "/lib/a")}},
			"1: image load 7 /lib/a\n3: image load 7 /lib/b\n"},
		{"each process tells its own", [][][]byte{{file(at(1), 7, 1, "/lib/a"), file(at(1), 8, 1, "/lib/a")}},
			"1: image load 7 /lib/a\n1: image load 8 /lib/a\n"},
		{"a device tells its own", [][][]byte{{mapAs(at(1), 7, 1, 1, 5, name("/a")), mapAs(at(1), 7, 2, 1, 5, name("/b"))}},
			"1: image load 7 /a\n1: image load 7 /b\n"},
		{"a removed file's number is another's", [][][]byte{{file(at(1), 7, 1, "/lib/a"), made(file(at(2), 7, 1, "/lib/a"), 8), file(at(3), 7, 1, "/lib/a")}},
			"1: image load 7 /lib/a\n2: image load 7 /lib/a\n"},
		{"a file under another name", [][][]byte{{file(at(1), 7, 1, "/lib/a"), file(at(2), 7, 1, "/lib/b"), file(at(3), 7, 1, "/lib/a")}},
			"1: image load 7 /lib/a\n2: image load 7 /lib/b\n"},
		{"again after a minute", [][][]byte{{file(at(0), 7, 1, "/lib/a"), file(at(59_999), 7, 1, "/lib/a"), file(at(60_000), 7, 1, "/lib/a"), file(at(60_001), 7, 1, "/lib/a")}},
			"0: image load 7 /lib/a\n60000: image load 7 /lib/a\n"},
		{"again after an exec", [][][]byte{{execOf(at(1), 7), file(at(1), 7, 1, "/bin/env"), file(at(1), 7, 3, "/lib/c"), execOf(at(2), 7), file(at(2), 7, 2, "/bin/id"), file(at(2), 7, 3, "/lib/c")}},
			"1: image load 7 /bin/env by /bin/env\n1: image load 7 /lib/c by /bin/env\n2: image load 7 /bin/id by /bin/id\n2: image load 7 /lib/c by /bin/id\n"},
		{"again in the next process of the pid", [][][]byte{{file(at(1), 7, 1, "/lib/a"), exitOf(at(2), 7), file(at(3), 7, 1, "/lib/a")}},
			"1: image load 7 /lib/a\n3: image load 7 /lib/a\n"},
		{"not after the end of a thread", [][][]byte{{file(at(1), 7, 1, "/lib/a"), task(typeExit, at(2), 7, 9), file(at(3), 7, 1, "/lib/a")}},
			"1: image load 7 /lib/a\n"},
		{"memory by its name", [][][]byte{{mapAs(at(1), 7, 0, 0, 7, name("//anon")), mapAs(at(2), 7, 0, 0, 7, name("//anon")), mapAs(at(3), 7, 0, 0, 7, name("[heap]"))}},
			"1: image load 7 //anon\n3: image load 7 [heap]\n"},
		{"processors in the order of time", [][][]byte{
			{execOf(at(1), 7), file(at(4), 7, 3, "/lib/c"), execOf(at(5), 7)},
			{file(at(2), 7, 1, "/bin/env"), file(at(3), 7, 2, "/lib/ld"), file(at(6), 7, 4, "/bin/id"), file(at(7), 7, 3, "/lib/c")}},
			"2: image load 7 /bin/env by /bin/env\n3: image load 7 /lib/ld by /bin/env\n4: image load 7 /lib/c by /bin/env\n6: image load 7 /bin/id by /bin/id\n7: image load 7 /lib/c by /bin/id\n"},
		{"what may still be written waits", [][][]byte{{file(at(90_000), 7, 1, "/a"), file(at(90_009), 7, 2, "/b")}, {file(at(90_001), 8, 1, "/a")}},
			"90000: image load 7 /a\n90001: image load 8 /a\n"},
		{"a clock set back", [][][]byte{{file(at(5_000_000), 7, 1, "/a"), file(at(2), 7, 2, "/b")}},
			"5000000: image load 7 /a\n2: image load 7 /b\n"},
		{"path that the kernel could not give", [][][]byte{{mapAs(at(1), 7, 3, 4, 5, name("//toolong"))}},
			"1: image load 7 //toolong cut\n"},
		{"process that has ended", [][][]byte{{file(at(1), -1, 1, "/a")}}, "1: image load 0 /a\n"},
		{"losses", [][][]byte{{file(at(1), 7, 1, "/a"), lost(at(5), 3), file(at(5), 7, 1, "/a"), lost(at(9), 4), file(at(9), 8, 1, "/a")}},
			"1: image load 7 /a\n5: image load 7 /a\n9: image load 8 /a\n" +
				"1 to 5: kernel_lost image 3 records: image loads, execs and ends of processor 0 came faster than they were read\n" +
				"5 to 9: kernel_lost image 4 records: image loads, execs and ends of processor 0 came faster than they were read\n"},
		{"damaged records leave the others", [][][]byte{{file(at(1), 7, 1, "/a"), mapAs(at(2), 7, 1, 2, 5, []byte("/abcdefg")), file(at(3), 7, 3, "/c")}},
			"1: image load 7 /a\n3: image load 7 /c\n" +
				"1 to 90010: malformed image 1 records: image loads of processor 0: record of type 10 and 88 bytes: name has no end\n"},
		{"many damaged ones are told in bounds", [][][]byte{many(20, func(int) [][]byte { return [][]byte{mapAs(at(2), 7, 1, 2, 5, make([]byte, 8))} })},
			strings.Repeat("0 to 90010: malformed image 1 records: image loads of processor 0: record of type 10 and 88 bytes: name is empty\n", 7) +
				"0 to 90010: malformed image 13 records: image loads of processor 0: record of type 10 and 88 bytes: name is empty\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var ks []*kernel
			for cpu, records := range tt.rings {
				k := newKernel(cpu, 1<<16, 0)
				for _, raw := range records {
					if !k.write(raw) {
						t.Fatal("the ring is too small")
					}
				}
				ks = append(ks, k)
			}
			r, b := newReader(ks...), newBatch()
			r.read(b, at(90_010), false)
			if got := show(b); got != tt.want {
				t.Errorf("read:\n%swant:\n%s", got, tt.want)
			}
			if r.received != r.parsed+r.malformed || r.events != uint64(b.Len()) {
				t.Errorf("counters %+v for %d events", r.counters, b.Len())
			}
		})
	}
}

// A batch that is full ends a read, and the next goes on there.
func TestReaderFull(t *testing.T) {
	k := newKernel(0, 1<<16, 0)
	for i := range 25 {
		k.write(file(at(1), 7, uint64(i+1), fmt.Sprintf("/lib/%d", i)))
	}
	r := newReader(k)
	r.max = 10
	var got []int
	for left := true; left; {
		b := newBatch()
		left = r.read(b, at(100), false)
		got = append(got, b.Len())
	}
	if want := []int{10, 10, 5}; !slices.Equal(got, want) {
		t.Errorf("batches of %v events, want %v", got, want)
	}
}

// Whatever is written into rings of whatever size, and whenever it is read, all that
// fitted is read in the order of time, and what did not fit is counted.
func TestRingProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var ks []*kernel
		for cpu := range rapid.IntRange(1, 4).Draw(t, "processors") {
			size := 1 << rapid.IntRange(9, 13).Draw(t, "size")
			from := 8 * rapid.Uint64Range(0, 1<<60).Draw(t, "from")
			ks = append(ks, newKernel(cpu, size, from))
		}
		r := newReader(ks...)
		r.max = rapid.IntRange(1, 50).Draw(t, "batch")
		var got, want []string
		var told uint64
		read := func(now int64, all bool) {
			for left := true; left; {
				b := newBatch()
				left = r.read(b, now, all)
				for _, e := range b.Events() {
					path, _ := e.Text(event.ImagePath)
					got = append(got, fmt.Sprintf("%d %d %s", e.Time, e.PID, path))
				}
				for _, l := range b.Losses {
					if l.Reason != event.LossKernel {
						t.Fatalf("loss %+v", l)
					}
					told += l.Count
				}
			}
		}
		now := sec
		for i := range rapid.IntRange(1, 120).Draw(t, "records") {
			now += rapid.Int64Range(1, 3_000_000).Draw(t, "later")
			k := ks[rapid.IntRange(0, len(ks)-1).Draw(t, "processor")]
			switch rapid.IntRange(0, 5).Draw(t, "what") {
			case 0:
				read(now, false)
			case 1:
				k.write(task(7, now, 9, 9))
			case 2:
				k.write(execOf(now, int32(i)))
			default:
				path := "/" + strings.Repeat("x", rapid.IntRange(1, 300).Draw(t, "length"))
				if k.write(file(now, 1, uint64(i+1), path)) {
					want = append(want, fmt.Sprintf("%d %d %s", now, 1, path))
				}
			}
		}
		read(now, true)
		if !slices.Equal(got, want) {
			t.Errorf("read %d events, want %d:\n%q\n%q", len(got), len(want), got, want)
		}
		var lost uint64
		for i, k := range ks {
			b := newBatch()
			r.lose(b, r.lanes[i], k.total, now) // what the kernel says when it is asked
			for _, l := range b.Losses {
				told += l.Count
			}
			lost += k.total
		}
		if told != lost || r.lost != lost || r.received != r.parsed || r.malformed != 0 {
			t.Errorf("%d records lost, told %d, counters %+v", lost, told, r.counters)
		}
	})
}

// What is remembered stays in bounds whatever is mapped.
func TestTrackerBounds(t *testing.T) {
	tr := newTracker()
	path := []byte("/" + strings.Repeat("x", 4000))
	for i := range 3 * maxTracked {
		tr.exec(int32(i))
		for n := range 2 * maxMapped {
			tr.load(&record{what: mapping, time: at(int64(n)), pid: int32(i), device: 1, inode: uint64(n + 1), path: path})
		}
	}
	n := 0
	for p := range tr.order.All() {
		if n++; len(p.mapped) > maxMapped || cap(p.program) > maxProgram {
			t.Fatalf("%d: %d files, program of %d bytes", p.pid, len(p.mapped), cap(p.program))
		}
	}
	if n != maxTracked || len(tr.pids) != maxTracked || len(tr.spare) > maxTracked {
		t.Errorf("%d processes in order, %d by pid, %d spare; want %d", n, len(tr.pids), len(tr.spare), maxTracked)
	}
	// The newest are known, and of their files the last.
	newest := int32(3*maxTracked - 1)
	for _, tt := range []struct {
		pid   int32
		inode uint64
		want  bool
	}{{newest, 2 * maxMapped, false}, {newest, 1, true}, {0, 2 * maxMapped, true}} {
		if got, _ := tr.load(&record{what: mapping, time: at(50), pid: tt.pid, device: 1, inode: tt.inode, path: path}); got != tt.want {
			t.Errorf("file %d of process %d: fresh %v, want %v", tt.inode, tt.pid, got, tt.want)
		}
	}
}

// Whatever stands in a ring and whatever the kernel says of it, a read ends, accounts
// for what it met and leaves nothing.
func FuzzRing(f *testing.F) {
	f.Add(append(file(at(1), 7, 12, "/lib/x"), execOf(at(1), 7)...), uint64(0), uint64(200))
	f.Add(lost(at(1), 3), uint64(16), uint64(48))
	f.Fuzz(func(t *testing.T, data []byte, tail, head uint64) {
		k := newKernel(0, 4096, 0)
		copy(k.data, data)
		k.tail, k.head = tail, head
		r := newReader(k)
		for range 1 << 10 {
			if !r.read(newBatch(), at(1000), true) {
				break
			}
		}
		if k.tail != k.head || r.received != r.parsed+r.malformed {
			t.Errorf("ring from %d to %d: left at %d, %+v", tail, head, k.tail, r.counters)
		}
	})
}
