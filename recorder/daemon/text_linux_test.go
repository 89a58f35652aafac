// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"
)

// Only pages that are as the file has them are given back.
func TestUnchanged(t *testing.T) {
	const smaps = `00400000-00401000 r-xp 00000000 fe:00 1 /opt/seismo
Size:                  4 kB
Rss:                   4 kB
Anonymous:             0 kB
00401000-00403000 r--p 00001000 fe:00 1 /opt/seismo
Rss:                   8 kB
Anonymous:             0 kB
00403000-00404000 r--p 00003000 fe:00 1 /opt/seismo
Rss:                   4 kB
Anonymous:             4 kB
00404000-00405000 rw-p 00004000 fe:00 1 /opt/seismo
Rss:                   4 kB
Anonymous:             0 kB
00405000-00406000 r--p 00005000 fe:00 1 /opt/seismo
Rss:                   0 kB
Anonymous:             0 kB
7f0000000000-7f0000001000 r-xp 00000000 fe:00 2 /lib/libc.so
Rss:                   4 kB
Anonymous:             0 kB
7f0000001000-7f0000002000 r--p 00000000 fe:00 1 /opt/seismo (deleted)
Rss:                   4 kB
Anonymous:             0 kB
7ffd00000000-7ffd00001000 r-xp 00000000 00:00 0 [vdso]
Rss:                   4 kB
Anonymous:             0 kB
`
	got, resident, err := unchanged(strings.NewReader(smaps), "/opt/seismo")
	if err != nil {
		t.Fatal(err)
	}
	if want := []mapping{{0x400000, 0x401000}, {0x401000, 0x403000}}; !slices.Equal(got, want) || resident != 12<<10 {
		t.Errorf("unchanged() = %x, %d bytes; want %x, %d", got, resident, want, 12<<10)
	}
}

// Where the program's mappings are divided, a page brings few of its neighbours: what is
// not used stays out of memory.
func TestDividedText(t *testing.T) {
	if _, err := releaseText(); err != nil {
		t.Fatal(err)
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(maps)) {
		fields := bytes.Fields([]byte(line))
		m, ok := parseMapping(fields)
		if !ok || len(fields) != 6 || string(fields[1]) != "r-xp" || !strings.HasSuffix(string(fields[5]), ".test") {
			continue
		}
		if n++; m.to-m.from > 2*stretch {
			t.Errorf("a mapping of %d bytes; want at most %d", m.to-m.from, 2*stretch)
		}
	}
	if n < 100 {
		t.Errorf("the code is in %d mappings; want at least 100", n)
	}
}

// A program goes on after its pages were given back.
func TestReleaseText(t *testing.T) {
	n, err := releaseText()
	if err != nil {
		t.Fatal(err)
	}
	if n == 0 {
		t.Error("releaseText() gave nothing back; the code of this test is resident")
	}
	if again, err := releaseText(); err != nil || again >= n {
		t.Errorf("releaseText() gave back %d bytes, then %d (%v); want less", n, again, err)
	}
}
