// SPDX-License-Identifier: Apache-2.0

// This file explains why a signal did or did not fire on an event. The expression
// as a tree is made in explain_tree.go, the values seen are in explain_value.go, the
// verdict is put into words in explain_words.go, and which events and signals came
// nearest is in nearmiss.go.

package engine

import (
	"slices"

	"seismo/internal/event"
)

// Truth is what is known of a part of an expression on one event.
type Truth uint8

// The truths. Redacted values, which would be one more, do not exist yet.
const (
	False        Truth = iota
	True               //
	NotEvaluated       // a sibling has decided
	NotRecorded        // it depends on a value, or on an earlier event, that is not known
)

var truthNames = [...]string{"false", "true", "not evaluated", "not recorded"}

// String returns the truth in words.
func (t Truth) String() string { return truthNames[t] }

// ExplainOptions say what is known of the event at hand. The zero value is for an
// event that comes from its source, after all earlier ones of its process.
type ExplainOptions struct {
	// All judges also those parts that are left out because a sibling has decided.
	All bool
	// Known reports whether e is known to have or not to have a value of f, or of
	// the source's own field called own; nil: always.
	Known func(e *event.Event, f event.Field, own string) bool
	// Forgotten says that it is not known what earlier events of the process met, but
	// for what Latches tells.
	Forgotten bool
	// Latches are items of a stored proof that were met by events before this one.
	Latches []event.ProofItem
}

// Trace is the explanation of one signal on one event. It refers to nothing of the
// event or the matcher.
type Trace struct {
	Signal   uint32 // index in the program
	Event    event.ID
	Time     int64 // of the event, Unix time, nanoseconds
	Ordinal  uint64
	Kind     event.Kind
	Op       event.Op
	Fires    Truth  // True, False or NotRecorded
	Reason   string // why, in words for a person; what comes from the event is not escaped
	Root     *TraceNode
	Suppress []*TraceNode // the expressions that keep the signal from firing
	Near     Nearness
}

// TraceNode is a part of an expression.
type TraceNode struct {
	Op    TraceOp
	Truth Truth
	Text  string       // of a term, as it was written
	Note  string       // why it is false, left out or not known, where that does not show; may be empty
	Kids  []*TraceNode // of AND, OR and group, in text order
	Term  *TermTrace   // of a term that was judged
	Latch *LatchTrace  // of a term or group that an earlier event met, and this one does not
}

// TraceOp says what a TraceNode is.
type TraceOp string

// The forms of a TraceNode.
const (
	TraceTerm  TraceOp = "term"
	TraceAnd   TraceOp = "AND"
	TraceOr    TraceOp = "OR"
	TraceGroup TraceOp = "group"
)

// TermTrace is what a term was judged on.
type TermTrace struct {
	ID      uint64
	Field   event.Field // NoField for an own name and for a part of a CEL expression
	Own     string
	Absent  bool     // there is no value
	Values  []string // the value that was met, else those that were seen; together at most event.MaxProofValue bytes
	Cut     bool     // there are more values or bytes
	Literal string   // that was met
	From    Origin
	// Ancestor is whose value was met, if From is FromAncestor.
	Ancestor *AncestorTrace
	Reads    []ReadTrace // of a part of a CEL expression: the values that it reads
}

// Origin says whose value a term was judged on.
type Origin string

// The origins of a value.
const (
	FromEvent    Origin = "event"
	FromProcess  Origin = "process"
	FromParent   Origin = "parent"
	FromAncestor Origin = "ancestor"
	FromLate     Origin = "late value" // of the process: it arrived after the process was published
)

// AncestorTrace is an ancestor, or a previous image, of the process at hand.
type AncestorTrace struct {
	Steps int // 1 for the next one up
	ID    event.ProcessKey
	PID   int32
	Path  string
}

// ReadTrace is a field that a part of a CEL expression reads.
type ReadTrace struct {
	Name   string
	Values []string // of a list the first of its elements; together at most event.MaxProofValue bytes
	Cut    bool     // there are more values or bytes
	Absent bool     // there is no value
}

// LatchTrace is the earlier event that met a term or group.
type LatchTrace struct {
	Event event.ID
	Time  int64 // Unix time, nanoseconds
	Items []event.ProofItem
}

// Explainer explains signals on the event at hand. It is valid during the call that
// it is handed to, see [Matcher.MatchExplaining].
type Explainer struct {
	m      *Matcher
	o      ExplainOptions
	signal uint32
	alone  bool // terms are judged on the view at hand
}

// MatchExplaining is [Matcher.Match] that calls visit for each event before it is
// judged, with what signals remember at that moment. Explaining changes neither what
// is remembered nor any count.
func (m *Matcher) MatchExplaining(b *event.Batch, visit func(*Explainer)) {
	m.watch = func() { visit(&Explainer{m: m}) }
	defer func() { m.watch = nil }()
	m.Match(b)
}

// Event returns the event at hand.
func (x *Explainer) Event() *event.Event { return x.m.judge.event }

// Explain says why the signal with an index in the program fires on the event at
// hand, or does not.
func (x *Explainer) Explain(signal uint32, o ExplainOptions) *Trace {
	t := x.explain(signal, o)
	if t.Fires == True && x.m.p.signals[signal].silent {
		t.Reason += "; it is not reported, correlations that refer to it count it"
	}
	return t
}

func (x *Explainer) explain(signal uint32, o ExplainOptions) *Trace {
	if x.m.p.correlationOf(signal) != nil {
		return x.explainCorrelation(signal, o)
	}
	restore := x.begin(signal, o)
	defer restore()
	e, p := x.m.judge.event, x.m.p
	t := &Trace{Signal: signal, Event: e.ID, Time: e.Time, Ordinal: e.Ordinal, Kind: e.Kind, Op: e.Op}
	s := &p.signals[signal]
	if s.alone {
		x.explainAlone(t)
		return t
	}
	root := x.node(s.root, true)
	t.Root, t.Near = root.trace, x.near(s.root, true)
	v := verdict{x: x, t: t, low: root.low, high: root.high}
	x.m.remembers = false
	for _, at := range p.suppressRoots[s.from:s.to] {
		n := x.node(at, false)
		t.Suppress = append(t.Suppress, n.trace)
		v.suppress = append(v.suppress, n)
	}
	v.decide()
	return t
}

// Nearness says how near a signal comes to firing on the event at hand. ok is false
// if it can not fire on such an event whatever its values.
func (x *Explainer) Nearness(signal uint32, o ExplainOptions) (n Nearness, ok bool) {
	if x.m.p.correlationOf(signal) != nil {
		return x.nearCorrelation(signal, o)
	}
	p := x.m.p
	if s := &p.signals[signal]; p.isDisabled(signal) || x.foreign(signal) || x.offLogs(signal) || !s.alone && !s.kinds.Has(x.m.judge.event.Kind) {
		return Nearness{}, false
	}
	restore := x.begin(signal, o)
	defer restore()
	if p.signals[signal].alone {
		return x.nearAlone(signal)
	}
	return x.near(p.signals[signal].root, true), true
}

// begin sets what the primitives of the matcher are asked with, and returns what
// sets it back.
func (x *Explainer) begin(signal uint32, o ExplainOptions) (restore func()) {
	x.signal, x.o = signal, o
	before, work := x.m.remembers, x.m.judge.work
	x.m.remembers = x.remembers()
	return func() { x.m.remembers, x.m.judge.work = before, work }
}

// remembers reports whether the signal counts what earlier events of the process
// met.
func (x *Explainer) remembers() bool {
	return x.m.judge.process != nil && len(x.m.p.memory.ofSignal[x.signal]) > 0
}

// foreign reports whether a signal is not for the platform of the batch.
func (x *Explainer) foreign(signal uint32) bool {
	of := x.m.p.definitions[signal].Platforms
	return x.m.platform != "" && len(of) > 0 && !slices.Contains(of, x.m.platform)
}

// known reports whether what t is judged on is known.
func (x *Explainer) known(t *term) bool {
	if x.o.Known == nil {
		return true
	}
	e := x.m.judge.event
	if t.cond == residual {
		r := &x.m.p.residues[t.residue]
		for _, own := range r.own {
			if !x.o.Known(e, event.NoField, own) {
				return false
			}
		}
		for _, f := range r.fields {
			if event.Describe(f).Kinds.Has(e.Kind) && !x.o.Known(e, f, "") {
				return false
			}
		}
		return true
	}
	return x.o.Known(e, t.field, t.own)
}
