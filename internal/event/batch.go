// SPDX-License-Identifier: Apache-2.0

// This file holds the batch: the value that makes the trip from a source to the
// sinks, and the memory that the values of its events live in.

package event

// Batch is a run of events in the order they are judged and stored, with what
// was lost around them. It is handed on, never shared: a stage that has passed
// it on does not touch it again. Reset makes it ready for reuse; after warm-up
// filling it again allocates nothing.
//
// Events are pointers into the batch: they are valid until Reset.
type Batch struct {
	// Platform is the operating system the events are of: linux, windows or
	// macos. It is not the host that reads them.
	Platform string
	// Input names the file the events came from; empty for a live source.
	Input string
	// Changes are the forks and exits that the source saw, in order. They are no
	// events: the process table acts on them, and makes an end event where the
	// process was published.
	Changes []Change
	// Sweep says that forks or exits were missed: the process table has to look
	// which processes still run.
	Sweep bool
	// Until says how far a live source is: what it has to tell of up to this time
	// (Unix time, nanoseconds) is in this batch or was in one before. 0: not known.
	Until int64
	// Position is how far a source that numbers its events is with this batch; without
	// a serial it does not say.
	Position Position
	// Losses are what was lost while the batch was filled.
	Losses []Loss
	// Ended are processes that ended or expired; what is kept under their ids
	// may be dropped once the batch has been judged.
	Ended []ProcessKey

	events []*Event
	spare  []*Event
	arena  []byte
	own    []ownPair
	types  []uint16
}

// ownPair is one field of a source's record under its own name.
type ownPair struct {
	record     uint16 // index in the event's record types
	key, value span
}

// span is a stretch of the batch's arena.
type span struct{ off, len uint32 }

// MaxArena bounds the bytes of values that one batch holds. A source closes the
// batch when it is reached; [Batch.Full] says so.
const MaxArena = 64 << 20

// NewBatch returns an empty batch with room for n events.
func NewBatch(n int) *Batch {
	return &Batch{events: make([]*Event, 0, n), arena: make([]byte, 0, n*256)}
}

// Add appends an event of kind k and operation op and returns it, empty.
func (b *Batch) Add(k Kind, op Op) *Event {
	var e *Event
	if n := len(b.spare); n > 0 {
		e = b.spare[n-1]
		b.spare = b.spare[:n-1]
		e.reset()
	} else {
		e = new(Event)
	}
	e.batch = b
	e.Kind, e.Op = k, op
	b.events = append(b.events, e)
	return e
}

// Bytes returns the memory that the values of the events take.
func (b *Batch) Bytes() int { return cap(b.arena) }

// Len returns the number of events.
func (b *Batch) Len() int { return len(b.events) }

// Full reports whether the batch holds n events or as many bytes as it may.
func (b *Batch) Full(n int) bool { return len(b.events) >= n || len(b.arena) >= MaxArena }

// Events returns the events in order. The slice belongs to the batch: its
// elements may be reordered in place, and [Batch.Keep] drops some.
func (b *Batch) Events() []*Event { return b.events }

// Keep drops the events for which keep is false; the order stays.
func (b *Batch) Keep(keep func(*Event) bool) {
	kept := b.events[:0]
	for _, e := range b.events {
		if keep(e) {
			kept = append(kept, e)
		} else {
			b.spare = append(b.spare, e)
		}
	}
	b.events = kept
}

func (b *Batch) put(v []byte) span {
	s := span{uint32(len(b.arena)), uint32(len(v))}
	b.arena = append(b.arena, v...)
	return s
}

func (b *Batch) bytes(s span) []byte { return b.arena[s.off : s.off+s.len : s.off+s.len] }

// maxSpareArena bounds the memory that an empty batch holds on to: one batch of
// very long values must not stay in memory for ever.
const maxSpareArena = 4 << 20

// Reset empties the batch and keeps its memory.
func (b *Batch) Reset() {
	used := len(b.events)
	for _, e := range b.events {
		e.Process = nil // it must not stay for the sake of an event that waits for reuse,
		clear(e.Tags)   // nor a proof
	}
	b.spare = append(b.spare, b.events...)
	// What an uncommonly large batch needed is given back by and by.
	if surplus := len(b.spare) - used; surplus > 0 {
		keep := len(b.spare) - (surplus+7)/8
		clear(b.spare[keep:])
		b.spare = b.spare[:keep]
	}
	clear(b.events)
	b.events = b.events[:0]
	if cap(b.arena) > maxSpareArena {
		b.arena = nil
	}
	b.arena, b.own, b.types = b.arena[:0], b.own[:0], b.types[:0]
	b.Changes, b.Losses, b.Ended, b.Input = b.Changes[:0], b.Losses[:0], b.Ended[:0], ""
	b.Platform, b.Sweep, b.Until, b.Position = "", false, 0, Position{}
}

// Position is a place in the numbering of a source's events. What lies beyond it, and
// Open events below it, were not handed on.
type Position struct {
	Boot   string // that the numbers are of
	Serial uint64 // the greatest that was handed on; 0: not known
	Open   uint64 // how many below it were not
	Time   int64  // of the newest event, Unix time, nanoseconds
	// Killed says that the recording before did not end by itself: that it ended is
	// told even where nothing was missed.
	Killed bool
}

// Change is a fork or the end of a process, as the kernel told it, or a mark that
// a process executed a program: the event of that comes by another way, and the
// mark tells only which forks were before it and which after.
type Change struct {
	Time   int64 // Unix time, nanoseconds
	PID    int32 // the process that began or ended
	Parent int32 // for a fork, the process that forked
	Exit   bool  // an end; neither Exit nor Exec: a fork
	Exec   bool  // the mark of an exec
	Code   int32 // for an end: exit code, or 128 plus the signal
	NoCode bool  // for an end: the code is not known
}

// SourceStats counts what a source saw since it was opened. Two ledgers hold:
// Received = Parsed + Malformed, and Assembled is the number of events that the
// source put into batches. KernelLost, SerialGaps and Overruns count different
// things and are never added to each other.
type SourceStats struct {
	Received, Parsed, Malformed uint64 // records
	Assembled                   uint64 // events
	Incomplete                  uint64 // of those, events that lacked a record
	KernelLost                  uint64 // records: the kernel's counter, since this source was opened
	SerialGaps                  uint64 // events: missing serials
	Overruns                    uint64 // times: the socket's buffer ran over
	LeftOut                     uint64 // events that the settings do not want: they are not assembled, and no loss
}

// Loss is something that was not seen or not kept. It becomes a row of the
// losses view.
type Loss struct {
	From, To int64  // the stretch of time it lies in, Unix time, nanoseconds
	Reason   string // one of the Loss constants
	Kind     Kind   // the kind that was lost, KindNone if not known
	Count    uint64 // in Unit; 0 if the number is not known
	Unit     string // "records", "events", "times", "processes"
	Detail   string // for a person
}

// Cover widens the stretch of time of l to take in from and to.
func (l *Loss) Cover(from, to int64) {
	if l.From == 0 || from < l.From {
		l.From = from
	}
	l.To = max(l.To, to)
}

// AddLoss adds l to losses. One that goes on stays one: those that differ in nothing
// but time and count are added up.
func AddLoss(losses []Loss, l Loss) []Loss {
	for i := range losses {
		if p := &losses[i]; p.Reason == l.Reason && p.Kind == l.Kind && p.Unit == l.Unit && p.Detail == l.Detail {
			p.Cover(l.From, l.To)
			p.Count += l.Count
			return losses
		}
	}
	return append(losses, l)
}

// The reasons of a loss. A reason keeps its meaning for ever: hunts over old
// databases read them.
const (
	LossKernel    = "kernel_lost" // the kernel's own lost counter rose
	LossSerialGap = "serial_gap"  // record serials are missing
	LossOverrun   = "overrun"     // the socket's buffer ran over (ENOBUFS)
	LossMalformed = "malformed"   // a record could not be parsed
	LossOversize  = "oversize"    // a record or event was cut at a limit
	LossNotSeen   = "not_recording"
	LossWrite     = "write_error"          // a batch could not be written
	LossShed      = "shed"                 // events were dropped because more came than could be judged
	LossExpired   = "expired"              // events waited in vain for the process that they are of
	LossSetAside  = "database_set_aside"   // monitor.db could not be used; a new one was begun
	LossProcesses = "processes_over_limit" // the process table was full: some were forgotten
	LossState     = "state_unusable"       // what signals remembered before a restart could not be read
	LossLatches   = "latches_over_limit"   // what signals remembered of processes was full: some was forgotten
	// What correlations remembered of the matches of other signals was full: some was
	// forgotten. Its unit is "matches".
	LossCorrelation = "correlations_over_limit"
)
