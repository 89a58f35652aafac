// SPDX-License-Identifier: Apache-2.0

// This file says how signals.bin is laid out; docs/format/signals-bin.md says it
// to people. Writing is in encode.go, reading in decode.go, files in file.go.

package engine

import "errors"

// What can be wrong with a signals.bin. Errors of [Load] and [LoadFile] wrap one
// of them, or an error of reading.
var (
	// ErrFormat says that the file is something else.
	ErrFormat = errors.New(`not a signals.bin; "seismo compile" makes one`)
	// ErrDamaged says that the file was cut short or changed, or was not written
	// by seismo.
	ErrDamaged = errors.New(`signals.bin is damaged; run "seismo compile" again`)
	// ErrVersion says that the file has another format version.
	ErrVersion = errors.New(`signals.bin is of another format version; run "seismo compile" again with this seismo`)
	// ErrRegistry says that the file was compiled for another list of fields.
	ErrRegistry = errors.New(`signals.bin was compiled for another field registry; run "seismo compile" again with this seismo`)
)

const (
	magic         = "\x7fSEISMO\n"
	formatVersion = 3
	maxFile       = 256 << 20 // bytes; 20,000 signals of 14 literals come to 54 MB

	headerSize   = 32 // magic, version, section count, registry fingerprint, file size
	sectionEntry = 24 // id, entries, offset, length
	checksumSize = 32 // SHA-256 of everything before it
	tablesAt     = headerSize + numSections*sectionEntry
	minFile      = tablesAt + checksumSize
)

// The sections, in the order of the file. The id of a section is its index plus 1.
const (
	sectionStrings = iota
	sectionLists
	sectionDefinitions
	sectionAtoms
	sectionTerms
	sectionNodes
	sectionResidues
	sectionSignals
	sectionCorrelations
	sectionTables
	sectionAlone
	numSections
)

// sections says what each section is made of: entries of a fixed size, at most
// limit of them. The bytes of the strings follow their entries; the entries of the
// two sections of tables are bytes, whose meaning is in tables_format.go.
var sections = [numSections]struct {
	name         string
	entry, limit int
}{
	sectionStrings:      {tableStrings, 4, maxStrings},
	sectionLists:        {tableLists, 4, 6 * maxRefs},
	sectionDefinitions:  {tableDefinitions, 84, maxSignals},
	sectionAtoms:        {tableAtoms, 20, maxAtoms},
	sectionTerms:        {tableTerms, 32, maxTerms},
	sectionNodes:        {tableNodes, 8, maxNodes},
	sectionResidues:     {tableResidues, 24, maxResidues},
	sectionSignals:      {tableSignals, 28, maxSignals},
	sectionCorrelations: {tableCorrelations, 28, maxSignals},
	sectionTables:       {tableTables, 1, maxFile},
	sectionAlone:        {tableAlone, 1, maxFile},
}

// maxStrings bounds the distinct strings of a file.
const maxStrings = 5_000_000

// The flags of an atom and a term.
const (
	flagCased  = 1 << iota // atom, term
	flagNegate             // term
	flagGroup              // term

	partShift = 4 // the date part stands above the flags of an atom and a term
)

// The flags of a signal.
const (
	flagAlone = 1 << iota
	flagSilent
	flagCorrelation
)
