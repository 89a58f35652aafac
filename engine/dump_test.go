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
	names := []string{"strings", "lists", "definitions", "atoms", "terms", "nodes", "residues", "signals", "correlations", "tables", "alone"}
	var at, count [11]int
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
		e := at[2] + 84*i
		fmt.Fprintf(&out, "\ndefinition %d\n", i)
		for k, name := range []string{"id", "name", "description", "status", "author", "response", "text", "revision", "rule name", "product", "category", "service"} {
			fmt.Fprintf(&out, "  %s %s\n", name, str(u32(e+4*k)))
		}
		fmt.Fprintf(&out, "  severity %d, language %d\n", u32(e+48), u32(e+52))
		for k, name := range []string{"techniques", "platforms", "references", "falsepositives", "labels", "suppress", "filters"} {
			fmt.Fprintf(&out, "  %s", name)
			for _, ref := range take(u32(e + 56 + 4*k)) {
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
		e := at[4] + 32*i
		fmt.Fprintf(&out, "term %d: id %016x, field %s, %s, flags %d, own %s, kinds %#x, atoms %v, residue %d\n  %s\n", i, le.Uint64(b[e:]),
			field(int(le.Uint16(b[e+24:]))), signals.Condition(b[e+26]), b[e+27], str(u32(e+12)), u32(e+16), take(u32(e+20)), u32(e+28), str(u32(e+8)))
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
		e := at[6] + 24*i
		fmt.Fprintf(&out, "residue %d: cost %d, fields", i, u64(e+8))
		for _, f := range take(u32(e + 16)) {
			fmt.Fprintf(&out, " %s", field(f))
		}
		fmt.Fprint(&out, ", own")
		for _, ref := range take(u32(e + 20)) {
			fmt.Fprintf(&out, " %s", str(ref))
		}
		fmt.Fprintf(&out, "\n  %s\n  %s\n", str(u32(e)), str(u32(e+4)))
	}
	for i := range count[7] {
		e := at[7] + 28*i
		fmt.Fprintf(&out, "signal %d: root %d, kinds %#x, suppress %v, flags %d, logsource %s %s %s\n", i, u32(e), u32(e+4), take(u32(e+8)),
			u32(e+12), str(u32(e+16)), str(u32(e+20)), str(u32(e+24)))
	}
	for i := range count[8] {
		e := at[8] + 28*i
		rules, groups := u32(e+12), u32(e+16)
		fmt.Fprintf(&out, "correlation %d: type %d, timespan %d, rules %v", i, u32(e), u64(e+4), take(rules))
		for k := range groups + u32(e+20) {
			fmt.Fprintf(&out, ", %s", []string{"by", "of"}[min(1, k/max(groups, 1))])
			for _, ref := range take(rules) {
				fmt.Fprintf(&out, " %s", str(ref))
			}
		}
		fmt.Fprintf(&out, ", counts %v\n", take(3*u32(e+24)))
	}
	fmt.Fprintln(&out)
	dumpTables(&out, b[at[9]:at[9]+count[9]])
	fmt.Fprintln(&out)
	dumpTables(&out, b[at[10]:at[10]+count[10]])
	return out.String()
}

// dumpTables writes a section of frozen tables, b. Of hash tables, tries and gram filters it gives the sizes.
func dumpTables(out *strings.Builder, b []byte) {
	at := 0
	words := func(n int) []int {
		all := make([]int, n)
		for i := range all {
			all[i] = int(binary.LittleEndian.Uint32(b[at:]))
			at += 4
		}
		return all
	}
	pairs := func(p []int) {
		for ; len(p) > 0; p = p[2:] {
			fmt.Fprintf(out, " %d:%#x", p[0], p[1])
		}
		fmt.Fprintln(out)
	}
	head := words(12)
	terms := head[11]
	columns := words(17 * head[0])
	keys, postings, met := words(head[1]), words(head[1]/2+1), words(head[2])
	waits, waiting, known := words(terms+1), words(head[3]), words(terms)
	always, checked, late := words(head[4]), words(head[5]), words(head[6])
	words(head[7])
	for i := range head[0] {
		c := columns[17*i : 17*(i+1)]
		words(c[5] + c[6] + c[7] + c[8] + c[9] + c[10])
		fmt.Fprintf(out, "column %d: group %d, field %d, slots %#x, present %d, whole %d of length %d to %d, begins %d, ends %d, grams %d+%d+%d shift %d coarse %d, lengths %v, probes %v\n",
			i, c[15], c[0], c[1], c[2], c[5], c[3], c[4], c[6], c[7], c[8], c[9], c[10], c[11], c[12], words(c[13]), words(c[14]))
	}
	text := b[at:]
	for k := range head[1] / 2 {
		fmt.Fprintf(out, "key %d: %q meets %v\n", k, text[keys[2*k]:keys[2*k]+keys[2*k+1]], met[postings[k]:postings[k+1]])
	}
	for t := range terms {
		fmt.Fprintf(out, "term %d: known %d, waiting", t, known[t])
		pairs(waiting[2*waits[t] : 2*waits[t+1]])
	}
	fmt.Fprint(out, "always")
	pairs(always)
	fmt.Fprint(out, "checked")
	pairs(checked)
	fmt.Fprint(out, "late")
	pairs(late)
	fmt.Fprintf(out, "own names: %d words, %d to %d bytes, from key %d\n", head[7], head[8], head[9], head[10])
}
