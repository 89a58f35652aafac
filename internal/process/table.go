// SPDX-License-Identifier: Apache-2.0

// Package process knows which process an event belongs to. Its [Table] follows
// the forks, images and ends of processes, makes the immutable [event.Process]
// of each image, and gives every event that names a pid its process, also when
// the event comes late or the kernel's messages come in another order than
// things happened.
//
// One goroutine owns a table. Time comes from the events and from the caller;
// the package reads no clock. It reads /proc only through the file system given
// in [Options], so that a replay never looks at the host that it runs on.
//
// The processes that the table hands out are never changed. Where a chain of
// them grows too long, the nearest are copied and the copies linked to less: a
// process may then be met under two pointers, always with the same ID.
package process

import (
	"io/fs"
	"time"

	"seismo/internal/event"
)

// UserNames gives the names of user and group ids.
type UserNames interface {
	UserName(uid int64) (string, bool)
	GroupName(gid int64) (string, bool)
}

// Hashes knows what programs hold. It answers at once.
type Hashes interface {
	// Known returns the hashes of the program that e, an exec, began, each as
	// NAME=hex; nil if they are not known now. The list is shared and never changes.
	Known(e *event.Event) []string
}

// Options say what a table works for.
type Options struct {
	// Host and Boot enter the keys of processes: the identity of the computer
	// where an event does not name one, and of its boot (empty in a replay).
	Host, Boot string
	// Live says that the events are of the computer that ProcFS shows, now.
	Live bool
	// ProcFS is what /proc shows; nil in a replay.
	ProcFS fs.FS
	// Users gives the names of ids where the source does not; nil: none are
	// filled. If it has a method Refresh(now int64) error, as [Users] has,
	// Expire calls it.
	Users UserNames
	// Hashes gives the hashes of programs where the source does not; nil: none are
	// filled.
	Hashes Hashes
	// Expiry is how long an ended process is kept for events that come late.
	// 0 means 180 s, the original's default (ProcessExpirationSeconds).
	Expiry time.Duration
	// EndedBytes bounds, in bytes, what is kept of ended processes from which
	// nothing that runs descends: under a storm of short processes they expire
	// sooner, the oldest first. 0 means 2.5 MiB, over 20,000 usual commands: the
	// ends of 10 s at 2,000 a second. An event that comes later than that, of a
	// process of which nothing runs any more, gets one that is inferred from it.
	EndedBytes int
	// MaxProcesses bounds the processes kept in all. Beyond it the oldest ended
	// go first, then running ones that no event has named for longest; each is
	// counted as a loss. 0 means 1,000,000.
	MaxProcesses int
	// Stored returns the image of a pid of this boot that was stored last and
	// whose end was not, with its parents and previous images, or nil: where it
	// still runs, Bootstrap takes it up as it is and does not publish it again.
	// nil: none is stored.
	Stored func(pid int32) *event.Process
}

const (
	defaultExpiry     = 180 * time.Second
	defaultEndedBytes = 5 << 19
	defaultProcesses  = 1_000_000
)

// slack is how far stamps of one moment may lie apart. Audit stamps events with
// the time of the last tick (ktime_get_coarse_real_ts64), up to 10 ms early;
// the proc connector has a fine clock. So the first events of a process may be
// stamped before its fork.
const slack = int64(20 * time.Millisecond)

// Table follows processes. The zero value is not ready; use [NewTable].
type Table struct {
	o      Options
	proc   *procFS // nil unless live
	index  index
	living list
	ended  list   // whole; oldest end first
	packed list   // ended before those, and can not be relics
	held   list   // expired, but ancestors of what is kept
	relics relics // the others that ended before those in ended
	relic  relic  // that is being made
	bytes  int    // cost of the entries in ended and packed
	fresh  int    // of that, of those in ended

	settings [settingSlots]*setting
	commands commands
	spare    []*entry // to be used again

	contained map[*entry]string // containers that were heard of late

	names   interner
	scratch []byte
	ending  []*entry           // ends that the batch must tell of
	gone    []event.ProcessKey // for Batch.Ended
	orphans event.Loss         // events of processes of which nothing is known
	cut     uint64             // ancestors given up for the length of their chain,
	cutAt   int64              // when the last was
	serial  uint64             // greatest serial seen
	found   int64              // when Bootstrap looked; 0: it did not
	told    bool               // forks and exits arrive as changes
	depth   int                // of nested looks at /proc
}

// NewTable returns an empty table.
func NewTable(o Options) *Table {
	if o.Expiry == 0 {
		o.Expiry = defaultExpiry
	}
	if o.EndedBytes == 0 {
		o.EndedBytes = defaultEndedBytes
	}
	if o.MaxProcesses == 0 {
		o.MaxProcesses = defaultProcesses
	}
	t := &Table{o: o}
	if o.Live && o.ProcFS != nil {
		t.proc = newProcFS(o.ProcFS)
	}
	return t
}

// Len returns the number of processes kept, running and ended.
func (t *Table) Len() int { return t.living.n + t.ended.n + t.packed.n + t.held.n + t.relics.n }

// Running returns the number of processes that have not ended.
func (t *Table) Running() int { return t.living.n }

// Apply acts on the forks and exits of b, gives every event that names a pid
// its process, fills user names, and appends an end event for each process that
// ended and was published or referred to. Events that have a process already
// keep it. Images that an exec replaced have no end event: the next image tells
// it. Apply appends to b.Losses, and to b.Ended the keys of what it dropped.
//
// A pid is the thread group's: audit's pid= is task_tgid_nr (Linux 4.9 and
// later, kernel/audit.c audit_log_task_info) and ppid= the thread group of the
// parent, so threads, and an exec by a thread, need nothing of their own.
//
// All changes are marked before the events are looked at, since a process is
// sought by the time of the event: one that ended in the same batch, or an
// earlier one, is still found by what it did while it ran.
func (t *Table) Apply(b *event.Batch) {
	t.refreshUsers(b)
	for i := range b.Changes {
		c := &b.Changes[i]
		t.told = true
		switch {
		case c.PID <= 0:
		case c.Exit:
			t.exit(c)
		case c.Exec:
			t.mark(c)
		default:
			t.fork(c)
		}
	}
	for _, e := range b.Events() {
		t.nameUsers(e)
		if e.Process != nil && e.Kind == event.KindProcess && e.Op == event.OpUpdate {
			t.learn(e)
		}
		if e.PID <= 0 || e.Process != nil || e.Logsource != nil { // with logs, the record names its process itself (Named)
			continue
		}
		switch {
		case e.Kind == event.KindProcess && e.Op == event.OpCreate:
			t.exec(e)
		case e.Kind == event.KindProcess && e.Op == event.OpEnd:
			t.ends(e)
		default:
			t.refer(e)
		}
		t.serial = max(t.serial, e.Serial)
	}
	t.finish(b)
}

// finish tells b what Apply, Expire or Sweep came to.
func (t *Table) finish(b *event.Batch) {
	for _, en := range t.ending {
		t.announce(b, en)
	}
	clear(t.ending)
	if t.ending = t.ending[:0]; cap(t.ending) > maxScratch/8 {
		t.ending = nil
	}
	if t.orphans.Count > 0 {
		b.Losses = append(b.Losses, t.orphans)
		t.orphans = event.Loss{}
	}
	t.bound(b)
	b.Ended = append(b.Ended, t.gone...)
	if t.gone = t.gone[:0]; cap(t.gone) > maxScratch/8 {
		t.gone = nil
	}
}

// noteOrphan notes that of the process of e nothing is known: its fork and its exec
// were not seen, and /proc had it no more. There is nothing to wait for: a live source
// tells the forks and exits after the records that need them (event.Change), and
// events of other sources have waited until the main source told all (Batch.Until).
func (t *Table) noteOrphan(e *event.Event) {
	o := &t.orphans
	if o.Count == 0 {
		*o = event.Loss{From: e.Time, To: e.Time, Reason: event.LossExpired, Kind: e.Kind, Unit: "events",
			Detail: "nothing is known of the process that they are of: neither its start was seen, nor was it in /proc"}
	}
	if o.Count++; o.Kind != e.Kind {
		o.Kind = event.KindNone
	}
	o.From, o.To = min(o.From, e.Time), max(o.To, e.Time)
}

// announce appends the end event of en, once for each image that it ended with.
func (t *Table) announce(b *event.Batch, en *entry) {
	if !en.ended || en.said || !en.referred || en.image == nil {
		return
	}
	en.said = true
	e := b.Add(event.KindProcess, event.OpEnd)
	e.Time, e.PID, e.PPID, e.Host = en.end, en.key.pid, en.ppid, en.key.host
	e.Process = en.image
	e.SetInt(event.ProcessEndTime, en.end)
	if !en.noCode {
		e.SetInt(event.ProcessExitCode, int64(en.code))
	}
}

// refreshUsers has the names of users looked at again, as of the time of b.
func (t *Table) refreshUsers(b *event.Batch) {
	r, ok := t.o.Users.(interface{ Refresh(now int64) error })
	if n := b.Len(); ok && n > 0 {
		// On an error the names known so far stay in force.
		_ = r.Refresh(b.Events()[n-1].Time)
	}
}

// nameUsers gives the user ids of e their names, where the source gave none.
func (t *Table) nameUsers(e *event.Event) {
	if t.o.Users == nil {
		return
	}
	t.nameUser(e, event.UserID, event.UserName)
	t.nameUser(e, event.UserEffectiveID, event.UserEffectiveName)
	t.nameUser(e, event.UserLoginID, event.UserLoginName)
}

func (t *Table) nameUser(e *event.Event, number, name event.Field) {
	id, ok := e.Int(number)
	if !ok || e.Has(name) {
		return
	}
	if s, ok := t.o.Users.UserName(id); ok {
		e.SetString(name, s)
	}
}
