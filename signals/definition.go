// SPDX-License-Identifier: Apache-2.0

// This file says what a signal definition is. Reading one from YAML is in
// yaml.go; its expression's language is in lexer.go and parser.go.

package signals

// Severity is how much a match matters.
type Severity uint8

// The severities, in rising order. The numbers are stored.
const (
	Informational Severity = iota
	Low
	Medium
	High
	Critical
	numSeverities
)

var severityNames = [numSeverities]string{"informational", "low", "medium", "high", "critical"}

// String returns the severity as definitions spell it.
func (s Severity) String() string {
	if s < numSeverities {
		return severityNames[s]
	}
	return "unknown"
}

// Definition is a signal as its author wrote it.
type Definition struct {
	ID             string // UUID, lower case
	Name           string
	Description    string
	Severity       Severity
	Status         string   // experimental, test, stable, deprecated
	Techniques     []string // ATT&CK ids
	Platforms      []string // of the event: linux, windows, macos; empty means any
	Author         string
	References     []string
	FalsePositives []string
	Response       string
	Labels         []string
	Language       string   // that Text is in: LanguageSignal or LanguageCEL
	Text           string   // the expression
	Suppress       []string // expressions in the text language: where one is true the signal does not fire

	// Revision is the first 16 hex digits of the SHA-256 of the canonical form
	// of all of the above: the same content has the same revision.
	Revision string

	Pos Position // of the definition; not part of the content
	// Expr is the checked expression, and SuppressExprs are those of Suppress; nil in
	// a definition read from signals.bin.
	Expr          *Expr
	SuppressExprs []*Expr
}

// The languages of an expression, which are the keys that it stands under.
const (
	LanguageSignal = "signal"
	LanguageCEL    = "cel"
)

// Position is a place in a file. Line and Column count from 1; Column counts
// characters.
type Position struct {
	File   string
	Line   int
	Column int
}
