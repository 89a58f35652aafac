// SPDX-License-Identifier: Apache-2.0

// This file writes a signals.bin as text for the golden file. It reads the bytes
// by docs/format/signals-bin.md alone, with none of the package's own reading.

package engine

import (
	"encoding/binary"
	"fmt"
	"strings"

	"seismo/internal/event"
	"seismo/signals"
)

// dump returns the content of b, a valid signals.bin. The fingerprint, which
// changes with the registry, and with it the checksum are left out.
func dump(b []byte) string {
	var out strings.Builder
	le := binary.LittleEndian
	u32 := func(at int) int { return int(le.Uint32(b[at:])) }
	u64 := func(at int) int { return int(le.Uint64(b[at:])) }
	fmt.Fprintf(&out, "magic %q, version %d, %d sections, %d bytes\n", b[:8], u32(8), u32(12), u64(24))
	names := []string{"strings", "lists", "definitions", "atoms", "terms", "nodes", "signals"}
	var at, count [7]int
	for s := range names {
		e := 32 + 24*s
		at[s], count[s] = u64(e+8), u32(e+4)
		fmt.Fprintf(&out, "section %d %s: %d entries at %d, %d bytes\n", u32(e), names[s], count[s], at[s], u64(e+16))
	}
	str := func(i int) string {
		from := 0
		if i > 0 {
			from = u32(at[0] + 4*(i-1))
		}
		blob := b[at[0]+4*count[0]:]
		return fmt.Sprintf("%q", blob[from:u32(at[0]+4*i)])
	}
	list := at[1]
	take := func(n int) []int {
		var refs []int
		for range n {
			refs = append(refs, u32(list))
			list += 4
		}
		return refs
	}
	for i := range count[2] {
		e := at[2] + 56*i
		fmt.Fprintf(&out, "\ndefinition %d\n", i)
		for k, name := range []string{"id", "name", "description", "status", "author", "response", "text", "revision"} {
			fmt.Fprintf(&out, "  %s %s\n", name, str(u32(e+4*k)))
		}
		fmt.Fprintf(&out, "  severity %d\n", u32(e+32))
		for k, name := range []string{"techniques", "platforms", "references", "falsepositives", "labels"} {
			fmt.Fprintf(&out, "  %s", name)
			for _, ref := range take(u32(e + 36 + 4*k)) {
				fmt.Fprintf(&out, " %s", str(ref))
			}
			fmt.Fprintln(&out)
		}
	}
	fmt.Fprintln(&out)
	field := func(f int) string { return fmt.Sprintf("%d (%s)", f, event.Describe(event.Field(f)).Name) }
	for i := range count[3] {
		e := at[3] + 20*i
		fmt.Fprintf(&out, "atom %d: field %s, %s, flags %d, own %s, literal %s, number %d\n", i, field(int(le.Uint16(b[e:]))),
			signals.Condition(b[e+2]), b[e+3], str(u32(e+4)), str(u32(e+8)), int64(le.Uint64(b[e+12:])))
	}
	fmt.Fprintln(&out)
	for i := range count[4] {
		e := at[4] + 28*i
		fmt.Fprintf(&out, "term %d: id %016x, field %s, %s, flags %d, own %s, kinds %#x, atoms %v\n  %s\n", i, le.Uint64(b[e:]),
			field(int(le.Uint16(b[e+24:]))), signals.Condition(b[e+26]), b[e+27], str(u32(e+12)), u32(e+16), take(u32(e+20)), str(u32(e+8)))
	}
	fmt.Fprintln(&out)
	for i := range count[5] {
		e := at[5] + 8*i
		op := []string{"term", "and", "or", "group"}[u32(e)]
		if op == "term" {
			fmt.Fprintf(&out, "node %d: term %d\n", i, u32(e+4))
			continue
		}
		fmt.Fprintf(&out, "node %d: %s %v\n", i, op, take(u32(e+4)))
	}
	fmt.Fprintln(&out)
	for i := range count[6] {
		e := at[6] + 8*i
		fmt.Fprintf(&out, "signal %d: root %d, kinds %#x\n", i, u32(e), u32(e+4))
	}
	return out.String()
}
