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
)

// Load reads a signals.bin of size bytes from r. The file is checked in full: a
// program that is returned would be written with the same bytes. An error wraps
// one of [ErrFormat], [ErrDamaged], [ErrVersion] and [ErrRegistry], or that of r,
// and names the section and the offset in the file.
//
// Load takes no more memory than a small multiple of size, and about 64 MB for globs
// and regular expressions; for a file whose checksum is wrong only size.
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
	// The header may differ between the two readings; from here on b counts.
	if err := checkHeader(b[:headerSize], size); err != nil {
		return nil, err
	}
	end := int(binary.LittleEndian.Uint64(b[24:])) // without the signature
	body, sum := b[:end-checksumSize], [checksumSize]byte(b[end-checksumSize:end])
	if sha256.Sum256(body) != sum {
		return nil, fmt.Errorf("checksum at offset %d does not match: %w", end-checksumSize, ErrDamaged)
	}
	signature, err := decodeSignature(b[end:], end)
	if err != nil {
		return nil, err
	}
	if have := binary.LittleEndian.Uint64(b[16:]); have != event.Fingerprint() {
		return nil, fmt.Errorf("offset 16: registry fingerprint %#016x, that of this seismo is %#016x: %w", have, event.Fingerprint(), ErrRegistry)
	}
	p, err := decode(body)
	if err != nil {
		return nil, err
	}
	p.digest, p.signature = sum, signature
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
	if n := le.Uint64(head[24:]); n != uint64(size) && n+uint64(signatureSize) != uint64(size) || n < minFile {
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
	blob     string   // the bytes of all strings
	used     []bool   // by string: something refers to it
	list     int      // entries of lists that were read
	texts    []string // the backing of lists of strings
	err      error    // the first one
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
		d.readStrings, d.readDefinitions, d.readAtoms, d.readTerms, d.readNodes, d.readResidues, d.readSignals, d.readCorrelations, d.checkEnd,
	} {
		if read(p); d.err != nil {
			return nil, d.err
		}
	}
	f := p.finish()
	if f == nil {
		p.tables, f = decodeTables(d.sections[sectionTables].bytes, p, tableTables, len(p.terms))
	}
	if f == nil {
		p.alone, f = decodeAlone(d.sections[sectionAlone].bytes, p)
	}
	if f != nil {
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
