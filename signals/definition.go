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
	Status         string   // one of Statuses, or empty
	Techniques     []string // ATT&CK ids
	Platforms      []string // of the event: linux, windows, macos; empty means any
	Author         string
	References     []string
	FalsePositives []string
	Response       string
	Labels         []string
	Language       string   // that Text is in: one of LanguageSignal and the like
	Text           string   // the expression; of Sigma the document
	Suppress       []string // expressions in the text language: where one is true the signal does not fire

	// Revision is the first 16 hex digits of the SHA-256 of the canonical form
	// of all of the above: the same content has the same revision.
	Revision string

	// What only definitions of Sigma have.
	RuleName  string    // the name by which correlations and filters may refer to the rule
	Logsource Logsource // which logs the rule is for
	// Filters are the texts of the filters that were joined to the rule, sorted.
	Filters []string
	// Correlation says what a correlation is; it has no Expr.
	Correlation *CorrelationRule

	Pos Position // of the definition; not part of the content
	// Original is set for a definition that was read from a document of the original; it
	// is not part of the content.
	Original *Original
	// Expr is the checked expression, and SuppressExprs are those of Suppress; nil in
	// a definition read from signals.bin.
	Expr          *Expr
	SuppressExprs []*Expr
}

// The languages of an expression, which are the keys that it stands under.
const (
	LanguageSignal = "signal"
	LanguageCEL    = "cel"
	// LanguageSigma is that of a rule or a correlation of Sigma: Text is the document.
	LanguageSigma = "sigma"
)

// CorrelationRule is a correlation as its author wrote it. Lower resolves the names.
type CorrelationRule struct {
	Type CorrelationType
	// Rules are ids, names of Sigma rules, or names of other definitions, in the order
	// written, with their places.
	Rules    []Reference
	GroupBy  []string
	Timespan int64 // nanoseconds
	Field    string
	Counts   []Count
	// Aliases gives by alias and rule, as Rules spells it, the field that the alias
	// stands for in events of that rule.
	Aliases map[string]map[string]string
	// Generate says that the rules referred to report their own matches too.
	Generate bool
}

// Reference names another definition.
type Reference struct {
	Name string // an id or a name
	Pos  Position
	Line string // of the file, for messages; empty where it is not known
}

// Filter is a filter of Sigma: an expression that is joined, by AND, to the rules that
// it names.
type Filter struct {
	ID, Name string // Name is its title
	// Rules are the rules it is for; none: all rules of its logsource.
	Rules     []Reference
	Logsource Logsource
	Text      string // the document
	Expr      *Expr
	Pos       Position

	expanded string // the canonical form of the placeholders in it and their values
}

// Position is a place in a file. Line and Column count from 1; Column counts
// characters.
type Position struct {
	File   string
	Line   int
	Column int
}
