// SPDX-License-Identifier: Apache-2.0

// This file says what somebody downstream needs of a source, and what a signal
// that fired leaves on an event.

package event

// Demand is what the loaded signals, watchlist and correlations need beyond the
// baseline. Sources read it; nobody calls back.
type Demand struct {
	Kinds KindSet
	Paths []string // file paths, or beginnings of paths, that must be watched
	// Calls are the system calls that signals name where nothing else tells of them
	// (syscall.name, or SYSCALL of an audit record), in lower case, sorted.
	Calls []string
	// Records are the types of audit records that signals name, in upper case, sorted.
	Records []string
	// Unmet are sentences on what signals name in a way that no source can be told,
	// sorted.
	Unmet []string
	Own   []string // names of the source's own fields that a signal reads, sorted
	// AllOwn asks for every own field of every event, whatever Own says: replay
	// prints them.
	AllOwn bool
}

// Tag says that a signal fired on the event that carries it.
type Tag struct {
	Signal uint32 // index in the program that judged the event
	Proof  []ProofItem
}

// MaxProofValue is the number of bytes that a proof keeps of a value.
const MaxProofValue = 256

// ProofItem is one term that was true, on one event. It copies what it says, so
// that it outlives the event.
type ProofItem struct {
	Term    uint64 // term id
	Text    string // the term as it was written
	Event   ID     // the event that met the term
	Time    int64  // its time, Unix time, nanoseconds
	Ordinal uint64 // its ordinal in its input
	Field   Field
	Own     string // the own name, for a field of the source's own
	Value   string // the value seen, at most MaxProofValue bytes; for a missing field empty
	Absent  bool   // the field was absent: a negated term is met by that
	Literal string // the literal that was met; empty for a negated term
}

// Computed reports whether p is about a part of a CEL expression that is evaluated as
// such: it has no field, and no one value.
func (p *ProofItem) Computed() bool { return p.Field == NoField && p.Own == "" }
