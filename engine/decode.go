// SPDX-License-Identifier: Apache-2.0

// This file reads a signals.bin. Nothing in it is believed: sizes are checked
// against the file before memory is taken for them, and the tables then go
// through the checks of validate.go. The layout is in format.go.

package engine

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"

	"seismo/internal/event"
	"seismo/signals"
)

// Load reads a signals.bin of size bytes from r. The file is checked in full: a
// program that is returned would be written with the same bytes. An error wraps
// one of [ErrFormat], [ErrDamaged], [ErrVersion] and [ErrRegistry], or that of r,
// and names the section and the offset in the file.
//
// Load takes no more memory than a small multiple of size, and for a file whose
// checksum is wrong only size.
func Load(r io.ReaderAt, size int64) (*Program, error) {
	if size > maxFile {
		return nil, fmt.Errorf("%d bytes, a signals.bin has at most %d: %w", size, maxFile, ErrFormat)
	}
	head := make([]byte, min(max(size, 0), headerSize))
	if err := readFull(r, head); err != nil {
		return nil, err
	}
	if err := checkHeader(head, size); err != nil {
		return nil, err
	}
	b := make([]byte, size)
	if err := readFull(r, b); err != nil {
		return nil, err
	}
	body, sum := b[:size-checksumSize], [checksumSize]byte(b[size-checksumSize:])
	if sha256.Sum256(body) != sum {
		return nil, fmt.Errorf("checksum at offset %d does not match: %w", size-checksumSize, ErrDamaged)
	}
	// The header may differ between the two readings; from here on b counts, whose
	// checksum holds.
	if err := checkHeader(b[:headerSize], size); err != nil {
		return nil, err
	}
	if have := binary.LittleEndian.Uint64(b[16:]); have != event.Fingerprint() {
		return nil, fmt.Errorf("offset 16: registry fingerprint %#016x, that of this seismo is %#016x: %w", have, event.Fingerprint(), ErrRegistry)
	}
	p, err := decode(body)
	if err != nil {
		return nil, err
	}
	p.digest = sum
	return p, nil
}

func readFull(r io.ReaderAt, b []byte) error {
	n, err := r.ReadAt(b, 0)
	switch {
	case n == len(b):
		return nil
	case err == io.EOF:
		return fmt.Errorf("file ends at offset %d: %w", n, ErrDamaged)
	}
	return fmt.Errorf("read at offset %d: %w", n, err)
}

// checkHeader checks what stands before the section table, without the registry
// fingerprint. A newer format begins in the same way, up to the version.
func checkHeader(head []byte, size int64) error {
	le := binary.LittleEndian
	for i := range min(len(head), len(magic)) {
		if head[i] != magic[i] {
			return fmt.Errorf("offset %d: a signals.bin begins otherwise: %w", i, ErrFormat)
		}
	}
	if len(head) < 12 {
		return fmt.Errorf("header: file ends at offset %d: %w", len(head), ErrDamaged)
	}
	if v := le.Uint32(head[8:]); v != formatVersion {
		return fmt.Errorf("offset 8: format version %d, this seismo reads %d: %w", v, formatVersion, ErrVersion)
	}
	if len(head) < headerSize {
		return fmt.Errorf("header: file ends at offset %d: %w", len(head), ErrDamaged)
	}
	if n := le.Uint32(head[12:]); n != numSections {
		return fmt.Errorf("offset 12: %d sections, there must be %d: %w", n, numSections, ErrDamaged)
	}
	if n := le.Uint64(head[24:]); n != uint64(size) || size < minFile {
		return fmt.Errorf("offset 24: file of %d bytes has %d: %w", n, size, ErrDamaged)
	}
	return nil
}

// section is one section of the file.
type section struct {
	bytes   []byte
	entries int
	offset  int
}

// decoder reads the sections of a file.
type decoder struct {
	sections [numSections]section
	blob     string // the bytes of all strings
	used     []bool // by string: something refers to it
	list     int    // entries of lists that were read
	err      error  // the first one
}

// fail notes what is wrong with entry index of section s.
func (d *decoder) fail(s, index int, format string, args ...any) {
	if d.err != nil {
		return
	}
	at := d.sections[s].offset + index*sections[s].entry
	d.err = fmt.Errorf("section %s, entry %d at offset %d: %s: %w", sections[s].name, index, at, fmt.Sprintf(format, args...), ErrDamaged)
}

// decode reads the sections of body, a file without its checksum.
func decode(body []byte) (*Program, error) {
	var d decoder
	if err := d.readTable(body); err != nil {
		return nil, err
	}
	p := new(Program)
	for _, read := range []func(*Program){
		d.readStrings, d.readDefinitions, d.readAtoms, d.readTerms, d.readNodes, d.readSignals, d.checkEnd,
	} {
		if read(p); d.err != nil {
			return nil, d.err
		}
	}
	if f := p.finish(); f != nil {
		for s := range sections {
			if sections[s].name == f.table {
				d.fail(s, f.index, "%s", f.what)
			}
		}
		return nil, d.err
	}
	return p, nil
}

// readTable reads the section table and checks that the sections fill the file
// without gap or overlap.
func (d *decoder) readTable(body []byte) error {
	le := binary.LittleEndian
	next := uint64(tablesAt)
	for s := range sections {
		at := headerSize + s*sectionEntry
		entry := body[at : at+sectionEntry]
		id, entries := le.Uint32(entry), uint64(le.Uint32(entry[4:]))
		offset, length := le.Uint64(entry[8:]), le.Uint64(entry[16:])
		fixed := entries * uint64(sections[s].entry)
		what := ""
		switch {
		case id != uint32(s+1):
			what = fmt.Sprintf("id %d, must be %d", id, s+1)
		case offset != next:
			what = fmt.Sprintf("begins at offset %d, must begin at %d", offset, next)
		case length > uint64(len(body))-offset:
			what = fmt.Sprintf("%d bytes are more than the file has", length)
		case entries > uint64(sections[s].limit):
			what = fmt.Sprintf("%d entries, the limit is %d", entries, sections[s].limit)
		case length < fixed, length > fixed && s != sectionStrings:
			what = fmt.Sprintf("%d bytes for %d entries of %d", length, entries, sections[s].entry)
		}
		if what != "" {
			return fmt.Errorf("section %s, table at offset %d: %s: %w", sections[s].name, at, what, ErrDamaged)
		}
		next = offset + length
		d.sections[s] = section{body[offset:next], int(entries), int(offset)}
	}
	if next != uint64(len(body)) {
		return fmt.Errorf("section table at offset %d: sections end at offset %d, not at %d: %w", headerSize, next, len(body), ErrDamaged)
	}
	return nil
}

// entry returns the bytes of entry i of section s.
func (d *decoder) entry(s, i int) []byte {
	size := sections[s].entry
	return d.sections[s].bytes[i*size : (i+1)*size]
}

// readStrings checks the strings: each after the one before, the first empty.
// That makes their order the only one possible.
func (d *decoder) readStrings(*Program) {
	sec := &d.sections[sectionStrings]
	d.blob = string(sec.bytes[4*sec.entries:])
	d.used = make([]bool, sec.entries)
	if sec.entries == 0 {
		d.fail(sectionStrings, 0, "no strings")
		return
	}
	before, from := "", uint32(0)
	for i := range sec.entries {
		to := binary.LittleEndian.Uint32(d.entry(sectionStrings, i))
		switch {
		case to < from || uint64(to) > uint64(len(d.blob)):
			d.fail(sectionStrings, i, "string ends at %d, the one before at %d, all of them at %d", to, from, len(d.blob))
			return
		case i == 0 && to != 0:
			d.fail(sectionStrings, i, "the first string is not the empty one")
			return
		case i > 0 && d.blob[from:to] <= before:
			d.fail(sectionStrings, i, "%.80q does not come after %.80q", d.blob[from:to], before)
			return
		}
		before, from = d.blob[from:to], to
	}
	if int(from) != len(d.blob) {
		d.fail(sectionStrings, sec.entries-1, "%d bytes after the last string", len(d.blob)-int(from))
	}
	d.used[0] = true
}

// str returns the string at index ref for entry i of section s.
func (d *decoder) str(s, i int, ref uint32) string {
	if int64(ref) >= int64(len(d.used)) {
		d.fail(s, i, "string %d of %d", ref, len(d.used))
		return ""
	}
	d.used[ref] = true
	if ref == 0 {
		return ""
	}
	le := binary.LittleEndian
	return d.blob[le.Uint32(d.entry(sectionStrings, int(ref)-1)):le.Uint32(d.entry(sectionStrings, int(ref)))]
}

// take returns the index of the first of the next n entries of lists, which
// belong to entry i of section s, or false if there are not so many left.
func (d *decoder) take(s, i int, n uint32) (int, bool) {
	if left := d.sections[sectionLists].entries - d.list; int64(n) > int64(left) {
		d.fail(s, i, "a list of %d entries, %d are left", n, left)
		return 0, false
	}
	from := d.list
	d.list += int(n)
	return from, true
}

// ref returns entry i of lists.
func (d *decoder) ref(i int) uint32 {
	return binary.LittleEndian.Uint32(d.entry(sectionLists, i))
}

func (d *decoder) readDefinitions(p *Program) {
	p.definitions = make([]signals.Definition, d.sections[sectionDefinitions].entries)
	for i := range p.definitions {
		raw := d.entry(sectionDefinitions, i)
		def := &p.definitions[i]
		word := func(k int) uint32 { return binary.LittleEndian.Uint32(raw[4*k:]) }
		for k, s := range definitionStrings(def) {
			*s = d.str(sectionDefinitions, i, word(k))
		}
		if word(8) > uint32(signals.Critical) {
			d.fail(sectionDefinitions, i, "severity %d is unknown", word(8))
			return
		}
		def.Severity = signals.Severity(word(8))
		for k, list := range definitionLists(def) {
			n := word(9 + k)
			from, ok := d.take(sectionDefinitions, i, n)
			if !ok {
				return
			}
			if n > 0 {
				*list = make([]string, n)
			}
			for j := range *list {
				(*list)[j] = d.str(sectionDefinitions, i, d.ref(from+j))
			}
		}
		if d.err != nil {
			return
		}
	}
}

func (d *decoder) readAtoms(p *Program) {
	le := binary.LittleEndian
	p.atoms = make([]atom, d.sections[sectionAtoms].entries)
	for i := range p.atoms {
		raw := d.entry(sectionAtoms, i)
		if raw[3]&^flagCased != 0 {
			d.fail(sectionAtoms, i, "flags %#x are unknown", raw[3])
		}
		p.atoms[i] = atom{
			field: event.Field(le.Uint16(raw)), cond: signals.Condition(raw[2]), cased: raw[3]&flagCased != 0,
			own: d.str(sectionAtoms, i, le.Uint32(raw[4:])), literal: d.str(sectionAtoms, i, le.Uint32(raw[8:])),
			number: int64(le.Uint64(raw[12:])),
		}
		if d.err != nil {
			return
		}
	}
}

func (d *decoder) readTerms(p *Program) {
	le := binary.LittleEndian
	p.terms = make([]term, d.sections[sectionTerms].entries)
	for i := range p.terms {
		raw := d.entry(sectionTerms, i)
		if raw[27]&^(flagCased|flagNegate|flagGroup) != 0 {
			d.fail(sectionTerms, i, "flags %#x are unknown", raw[27])
		}
		n := le.Uint32(raw[20:])
		at, ok := d.take(sectionTerms, i, n)
		if !ok {
			return
		}
		from := uint32(len(p.atomRefs))
		for j := range int(n) {
			p.atomRefs = append(p.atomRefs, d.ref(at+j))
		}
		p.terms[i] = term{
			id: le.Uint64(raw), text: d.str(sectionTerms, i, le.Uint32(raw[8:])), own: d.str(sectionTerms, i, le.Uint32(raw[12:])),
			kinds: event.KindSet(le.Uint32(raw[16:])), field: event.Field(le.Uint16(raw[24:])), cond: signals.Condition(raw[26]),
			cased: raw[27]&flagCased != 0, negate: raw[27]&flagNegate != 0, group: raw[27]&flagGroup != 0,
			from: from, to: from + n,
		}
		if d.err != nil {
			return
		}
	}
}

func (d *decoder) readNodes(p *Program) {
	le := binary.LittleEndian
	p.nodes = make([]node, d.sections[sectionNodes].entries)
	for i := range p.nodes {
		raw := d.entry(sectionNodes, i)
		op, arg := le.Uint32(raw), le.Uint32(raw[4:])
		if op > uint32(signals.NodeGroup) {
			d.fail(sectionNodes, i, "operation %d is unknown", op)
			return
		}
		from := uint32(len(p.kids))
		p.nodes[i] = node{op: signals.NodeOp(op), from: from, to: from}
		if op == uint32(signals.NodeTerm) {
			p.nodes[i].term = arg
			continue
		}
		at, ok := d.take(sectionNodes, i, arg)
		if !ok {
			return
		}
		for j := range int(arg) {
			p.kids = append(p.kids, d.ref(at+j))
		}
		p.nodes[i].to = from + arg
	}
}

func (d *decoder) readSignals(p *Program) {
	le := binary.LittleEndian
	p.signals = make([]signal, d.sections[sectionSignals].entries)
	for i := range p.signals {
		raw := d.entry(sectionSignals, i)
		p.signals[i] = signal{le.Uint32(raw), event.KindSet(le.Uint32(raw[4:]))}
	}
}

// checkEnd checks that nothing was left over.
func (d *decoder) checkEnd(*Program) {
	for i, used := range d.used {
		if !used {
			d.fail(sectionStrings, i, "nothing refers to this string")
		}
	}
	if n := d.sections[sectionLists].entries; d.list != n {
		d.fail(sectionLists, d.list, "%d entries belong to no list", n-d.list)
	}
}
