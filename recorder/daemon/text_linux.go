// SPDX-License-Identifier: Apache-2.0

// This file gives back what only the start needs of the program's own pages. The
// tables and code that packages initialise themselves from are several times what a
// recorder runs, and count as its memory until the kernel is short of it.

package daemon

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"
	"syscall"
)

// mapping is a stretch of addresses that shows a file.
type mapping struct{ from, to uintptr }

// releaseText unmaps the pages of the program's code and constants: what is used
// comes back from the page cache by itself. It returns how many bytes were resident.
func releaseText() (int, error) {
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return 0, err
	}
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	found, resident, err := unchanged(f, exe)
	if err != nil {
		return 0, err
	}
	for _, m := range found {
		divide(m)
		_, _, errno := syscall.Syscall(syscall.SYS_MADVISE, m.from, m.to-m.from, syscall.MADV_DONTNEED)
		if errno != 0 {
			return 0, fmt.Errorf("give back the pages at %#x: %w", m.from, errno)
		}
	}
	return resident, nil
}

// stretch is the size in bytes of the mappings that the program's own are divided into.
// Where a page is missing the kernel maps those around it that are in the page cache as
// well, 64 KiB in all, but none of another mapping (do_fault_around in mm/memory.c):
// under a load 2.3 MB were in use of 14 that were resident. With mappings of 16 KiB 9 MB
// are, with 8 KiB 7 MB, with 4 KiB 5 MB; each costs the kernel about 200 bytes.
const stretch = 8 << 10

// madvDontDump is MADV_DONTDUMP: it marks a mapping, and two that differ in a mark are
// not joined. A core dump has no pages of files anyway.
const madvDontDump = 0x10

// divide makes mappings of a stretch each of m. What the kernel refuses, where a process
// has as many mappings as it may, stays whole.
func divide(m mapping) {
	for at := m.from; at+stretch < m.to; at += 2 * stretch {
		if _, _, errno := syscall.Syscall(syscall.SYS_MADVISE, at, stretch, madvDontDump); errno != 0 {
			return
		}
	}
}

// unchanged returns the mappings of the file exe in smaps, in the form of
// /proc/PID/smaps, that can not be written to and in which nothing differs from the
// file, and how many bytes of them are resident. Where a loader has moved addresses
// (a position-independent program), pages differ, and must stay.
func unchanged(smaps io.Reader, exe string) (found []mapping, resident int, err error) {
	var at mapping
	var ours bool
	rss := 0
	s := bufio.NewScanner(smaps)
	for s.Scan() {
		fields := bytes.Fields(s.Bytes())
		if len(fields) < 2 {
			continue
		}
		switch string(fields[0]) {
		case "Rss:":
			rss, _ = strconv.Atoi(string(fields[1]))
		case "Anonymous:":
			if ours && rss > 0 && string(fields[1]) == "0" {
				found, resident = append(found, at), resident+rss*1024
			}
			ours = false
		default:
			if m, ok := parseMapping(fields); ok {
				at, rss = m, 0
				perm := string(fields[1])
				ours = (perm == "r-xp" || perm == "r--p") && len(fields) == 6 && string(fields[5]) == exe
			}
		}
	}
	return found, resident, s.Err()
}

// parseMapping reads the first word of a mapping's first line.
func parseMapping(fields [][]byte) (mapping, bool) {
	from, to, ok := bytes.Cut(fields[0], []byte("-"))
	if !ok {
		return mapping{}, false
	}
	a, err1 := strconv.ParseUint(string(from), 16, 64)
	b, err2 := strconv.ParseUint(string(to), 16, 64)
	return mapping{uintptr(a), uintptr(b)}, err1 == nil && err2 == nil && b > a
}
