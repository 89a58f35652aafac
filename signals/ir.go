// SPDX-License-Identifier: Apache-2.0

// This file holds the lowered form of signals, the IR: boolean programs over
// terms, and terms over atoms that all signals share. Every front end lowers to
// it; package engine builds the compiled form from it and nothing else.

package signals

import (
	"slices"

	"seismo/internal/event"
)

// Set is a set of signals in lowered form. It is the same for the same
// definitions, whatever the order of files or the host.
type Set struct {
	Definitions []Definition // sorted by ID; without Expr and SuppressExprs
	Signals     []Signal     // Signals[i] is the program of Definitions[i]
	Nodes       []Node
	Terms       []Term
	Atoms       []Atom
	Residues    []Residue
}

// Signal is the program of one definition.
type Signal struct {
	Root  uint32        // index into Set.Nodes
	Kinds event.KindSet // the kinds of event that it can fire on or remember something of
	// Suppress are the roots of expressions, each judged as one group on the event
	// at hand, without memory: where one is true the signal does not fire.
	Suppress []uint32

	// Alone says that the signal is judged on the event at hand alone, without memory:
	// it fires on every event that belongs to Logsource and on which the expression is
	// true. Signals of Sigma are.
	Alone     bool
	Logsource Logsource
	// Silent says that a match is not reported: it only feeds correlations.
	Silent bool
	// Correlation is set for a signal that fires on matches of others; Root is then 0 and
	// without meaning.
	Correlation *Correlation
}

// Logsource is which logs a signal is for, in Sigma's words; an empty one asks for
// nothing.
type Logsource struct {
	Product, Category, Service string
}

// CorrelationType is what a correlation counts.
type CorrelationType uint8

// The types. The numbers are stored in signals.bin.
const (
	EventCount CorrelationType = iota
	ValueCount
	Temporal
	TemporalOrdered
	numCorrelationTypes
)

var correlationTypeNames = [numCorrelationTypes]string{"event_count", "value_count", "temporal", "temporal_ordered"}

// String returns the type as Sigma spells it.
func (t CorrelationType) String() string {
	if t < numCorrelationTypes {
		return correlationTypeNames[t]
	}
	return "unknown"
}

// Valid reports whether t is a type of this version.
func (t CorrelationType) Valid() bool { return t < numCorrelationTypes }

// Correlation fires on matches of other signals. What it means is in DESIGN.md
// section 5: the window of a match at t is (t - Timespan, t] in event time.
type Correlation struct {
	Type     CorrelationType
	Rules    []uint32 // indexes into Set.Signals, in the order written, none of them the correlation itself or one that leads back to it
	Timespan int64    // nanoseconds, above 0
	// GroupBy and Field have the name of the field for each of Rules, aliases resolved:
	// GroupBy[i][r] is group-by field i in events that Rules[r] fires on. Field is only
	// for ValueCount. A name is an own name or, with a dot, a field of the registry.
	GroupBy [][]string
	Field   []string
	// Counts must all hold for what is counted: events, distinct values, or for the
	// temporal types the number of different Rules that fired in the window.
	Counts []Count
}

// Count is one bound of a correlation.
type Count struct {
	Op CountOp
	N  uint64
}

// CountOp compares what is counted with a number.
type CountOp uint8

// The comparisons. The numbers are stored in signals.bin.
const (
	CountGreater CountOp = iota
	CountGreaterEqual
	CountLess
	CountLessEqual
	CountEqual
	CountNotEqual
	numCountOps
)

var countOpNames = [numCountOps]string{"gt", "gte", "lt", "lte", "eq", "neq"}

// String returns the comparison as Sigma spells it.
func (o CountOp) String() string {
	if o < numCountOps {
		return countOpNames[o]
	}
	return "unknown"
}

// Valid reports whether o is a comparison of this version.
func (o CountOp) Valid() bool { return o < numCountOps }

// AnyField as an own name stands for every value that the source delivered: keywords
// of Sigma are terms on it.
const AnyField = "*"

// NodeOp is what a node does with its children.
type NodeOp uint8

// The operations of a node. NOT is not among them: lowering pushes it down into
// the terms.
const (
	NodeTerm  NodeOp = iota // Term says which
	NodeAnd                 // all children
	NodeOr                  // any child
	NodeGroup               // one child, true on one event alone, latched as a whole
)

// Node is one node of a signal's expression. Children stand in text order.
type Node struct {
	Op   NodeOp
	Term uint32   // NodeTerm: index into Set.Terms
	Kids []uint32 // else: indexes into Set.Nodes, each less than the node's own
}

// Term is one test on one field, as it was written. Equal terms of a signal set
// are one Term.
type Term struct {
	// ID is the 64-bit hash of object, property, condition, negation, case,
	// values and group: it stays the same over edits of other terms.
	ID    uint64
	Text  string // as written, on one line
	Field event.Field
	Own   string // the source's own field name, for record.'Own Name'
	// Kinds are the kinds of event that can meet it. A negated exists of CEL (!has) is
	// met by an event of a kind that has no such field, too.
	Kinds  event.KindSet
	Cond   Condition
	Negate bool
	Cased  bool
	// Part is what is taken of a date before it is compared, as a number; 0: nothing is.
	Part  DatePart
	Group bool     // stands inside group( )
	Atoms []uint32 // indexes into Set.Atoms: the term is met if any atom is (none of them, if Negate)
	// Residue is the index into Set.Residues for the condition Residual, else 0. Its
	// Atoms, which may be on several fields, are then what the residue can not be true
	// without: one of them must be met. None means that nothing is known.
	Residue uint32
}

// Residue is a part of a CEL expression that is no combination of terms. It is
// evaluated by package celenv.
type Residue struct {
	Text    string // the part, as CEL
	Checked []byte // its checked syntax tree: a cel.expr CheckedExpr without source information
	// Fields and Own are what it reads, each sorted and once. It is a term on the event
	// if one of them is of the event, else one on the process.
	Fields []event.Field
	Own    []string
	Cost   uint64 // bound on its work units for one event
}

// OnEvent reports whether r reads a field of the event.
func (r *Residue) OnEvent() bool {
	return len(r.Own) > 0 || slices.ContainsFunc(r.Fields, func(f event.Field) bool { return event.Describe(f).Scope == event.ScopeEvent })
}

// Condition is how a field is compared with a value.
type Condition uint8

// The conditions. The numbers are stored in signals.bin.
const (
	Is Condition = iota
	Contains
	BeginsWith
	EndsWith
	Exists
	Less
	LessEqual
	Greater
	GreaterEqual
	InCIDR
	Glob     // * and ? stand for any bytes
	PathGlob // * and ? stand for any bytes but separators, ** for any
	Regex    // RE2, unanchored, on bytes
	InList   // is any value of a named list
	Residual // a part of a CEL expression
	// Comparisons with the value of another own field of the same record, whose name is
	// the literal: all that follows is for own fields only.
	IsField
	ContainsField
	BeginsWithField
	EndsWithField
	numConditions
)

var conditionNames = [numConditions]string{"is", "contains", "begins with", "ends with",
	"exists", "<", "<=", ">", ">=", "in cidr",
	"glob", "path glob", "regex", "in list", "cel",
	"is field", "contains field", "begins with field", "ends with field"}

// DatePart is a number that is taken of a date.
type DatePart uint8

// The parts. The numbers are stored in signals.bin.
const (
	NoPart DatePart = iota
	Minute
	Hour
	Day   // of the month
	Week  // of the year, as ISO 8601 counts
	Month // 1 is January
	Year
	numDateParts
)

var datePartNames = [numDateParts]string{"", "minute", "hour", "day", "week", "month", "year"}

// String returns the part as Sigma spells it.
func (p DatePart) String() string {
	if p < numDateParts {
		return datePartNames[p]
	}
	return "unknown"
}

// Valid reports whether p is a part of this version.
func (p DatePart) Valid() bool { return p < numDateParts }

// String returns the condition as signals spell it.
func (c Condition) String() string {
	if c < numConditions {
		return conditionNames[c]
	}
	return "unknown"
}

// Valid reports whether c is a condition of this version.
func (c Condition) Valid() bool { return c < numConditions }

// Atom is one comparison of one field with one value, shared by all signals.
// Which of Literal and Number is used follows from the field's type and the
// condition:
//
//   - string, list, hash, own fields: Literal, with ASCII letters in lower case
//     unless Cased
//   - integer, identifier, time: Number (an identifier's bits; a time in
//     nanoseconds)
//   - address: Literal, the canonical text of a netip.Addr (Is) or of a masked
//     netip.Prefix (InCIDR); contains, begins with and ends with compare the
//     canonical text
//   - Exists: neither
//   - Glob, PathGlob, Regex: Literal, the pattern of package pattern; a glob has
//     ASCII letters in lower case unless Cased
//   - InList: Literal, the name of the list
//   - Less and the like on an own field: Literal, the number in decimal as written; the
//     value is read as a decimal number, and what is none meets nothing
//   - any condition with a Part: Number; the value is read as a date
//   - InCIDR on an own field: Literal, the text of a masked netip.Prefix; the value is
//     read as an address
//   - IsField and the like: Literal, the name of the other field
//   - Residual: never
type Atom struct {
	Field   event.Field
	Own     string
	Cond    Condition
	Cased   bool
	Literal string
	Number  int64
	Part    DatePart
}
