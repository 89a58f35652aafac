// SPDX-License-Identifier: Apache-2.0

// This file holds the lowered form of signals, the IR: boolean programs over
// terms, and terms over atoms that all signals share. Every front end lowers to
// it; package engine builds the compiled form from it and nothing else.

package signals

import "seismo/internal/event"

// Set is a set of signals in lowered form. It is the same for the same
// definitions, whatever the order of files or the host.
type Set struct {
	Definitions []Definition // sorted by ID
	Signals     []Signal     // Signals[i] is the program of Definitions[i]
	Nodes       []Node
	Terms       []Term
	Atoms       []Atom
}

// Signal is the program of one definition.
type Signal struct {
	Root  uint32        // index into Set.Nodes
	Kinds event.KindSet // the kinds of event that it can fire on
}

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
	ID     uint64
	Text   string // as written, on one line
	Field  event.Field
	Own    string // the source's own field name, for record.'Own Name'
	Kinds  event.KindSet
	Cond   Condition
	Negate bool
	Cased  bool
	Group  bool     // stands inside group( )
	Atoms  []uint32 // indexes into Set.Atoms: the term is met if any atom is (none of them, if Negate)
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
	numConditions
)

var conditionNames = [numConditions]string{"is", "contains", "begins with", "ends with",
	"exists", "<", "<=", ">", ">=", "in cidr"}

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
type Atom struct {
	Field   event.Field
	Own     string
	Cond    Condition
	Cased   bool
	Literal string
	Number  int64
}
