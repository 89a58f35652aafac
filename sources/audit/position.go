// SPDX-License-Identifier: Apache-2.0

// This file follows how far a recording is in the kernel's numbering of events, and
// counts from that what was missed while no recorder ran.

package audit

import (
	"slices"
	"time"

	"seismo/internal/event"
)

// position is how far the events are that were handed on.
type position struct {
	boot   string
	known  bool
	serial uint32 // the greatest
	time   int64  // of the newest, Unix time, nanoseconds
}

// handed notes that the events of g are in a batch.
func (p *position) handed(g *Group) {
	if len(g.Records) > 0 && g.Records[0].Type >= 1200 && g.Records[0].Type <= 1299 {
		return // auditd numbers its own by itself
	}
	if s := uint32(g.Serial); !p.known || int32(s-p.serial) > 0 {
		p.known, p.serial = true, s
	}
	p.time = max(p.time, g.Time)
}

// after returns the position with what is still held: events that are not complete,
// and those that may yet come.
func (p *position) after(a *Reassembler, gaps *Gaps) event.Position {
	if !p.known {
		return event.Position{}
	}
	open := gaps.pendingUpTo(p.serial)
	for _, g := range slices.Concat(a.open, a.ready[a.next:]) {
		if int32(uint32(g.Serial)-p.serial) <= 0 {
			open++
		}
	}
	return event.Position{Boot: p.boot, Serial: uint64(p.serial), Open: open, Time: p.time}
}

// pendingUpTo returns how many of the serials up to last are being waited for.
func (g *Gaps) pendingUpTo(last uint32) (n uint64) {
	if g.Pending() == 0 {
		return 0
	}
	for i := uint32(1); i <= g.behind; i++ {
		if s := g.top - i; !g.has(s) && int32(s-last) <= 0 {
			n++
		}
	}
	return n
}

// saw reports whether serial s came, or is known to be missing.
func (g *Gaps) saw(s uint32) bool {
	behind := int32(g.top - s)
	return g.started && behind >= 0 && (uint32(behind) > g.behind || g.has(s))
}

// downtime counts the events between the recording before and this one.
type downtime struct {
	last    event.Position
	waiting bool   // for the first event, or for those that come late
	begun   bool   // an event has come
	first   uint32 // its serial
	time    int64  // its time
	at      time.Time
	early   []uint32 // lower serials that came after it
	// numbered says that auditing stayed on with the rules of a recorder that was
	// killed: nothing is without a number.
	numbered bool
}

// maxEarly bounds the events that come before the first in number and after it in
// time; measured: one at a time on two cores.
const maxEarly = gapWindow

// begin says where the recording before ended.
func (d *downtime) begin(last event.Position, boot string) {
	*d = downtime{last: last, waiting: last.Serial != 0 && last.Boot == boot, numbered: d.numbered}
}

// seen takes the header of a record. One that only says that its event is over shows no
// event: the others of it went to nobody.
func (d *downtime) seen(h Header) {
	if !d.waiting || h.Type == TypeEOE {
		return
	}
	s := uint32(h.Serial)
	switch {
	case !d.begun:
		d.begun, d.first, d.time, d.at = true, s, h.Time, time.Now()
	case int32(s-d.first) < 0 && int32(s-uint32(d.last.Serial)) > 0 && len(d.early) < maxEarly && !slices.Contains(d.early, s):
		d.early = append(d.early, s)
	}
}

// tell returns the loss, once all that is late has come; final says that nothing
// comes any more. again says that the numbering has begun anew.
func (d *downtime) tell(now time.Time, final bool) (loss event.Loss, missing, again bool) {
	if !d.waiting || !d.begun && !(final && d.last.Killed) || !final && now.Sub(d.at) < settleTime {
		return event.Loss{}, false, false
	}
	d.waiting = false
	if !d.begun { // and nothing happened since
		d.first, d.time = uint32(d.last.Serial)+1, now.UnixNano()
	}
	loss = event.Loss{From: d.last.Time, To: max(d.time, d.last.Time), Reason: event.LossNotSeen, Unit: "events"}
	n, again := d.missed()
	if again {
		loss.Detail = "no recorder ran, and the kernel's numbering has begun anew: how many events were missed is not known"
		return loss, true, true
	}
	if n <= 0 && !d.last.Killed {
		return event.Loss{}, false, false
	}
	loss.Count = uint64(max(n, 0))
	loss.Detail = d.detail(n)
	return loss, true, false
}

// missed returns how many events were missed before the first that has come; again says
// that the numbering has begun anew, so that nobody knows.
func (d *downtime) missed() (n int64, again bool) {
	jump := int64(int32(d.first - uint32(d.last.Serial)))
	return max(jump-1, 0) - int64(len(d.early)) + int64(d.last.Open), jump <= -gapWindow
}

// keep has p, a position after the first event, tell of what was missed before it, as
// long as no loss does: whoever comes after a kill counts from p on.
func (d *downtime) keep(p *event.Position) {
	if !d.waiting || !d.begun {
		return
	}
	if n, again := d.missed(); n > 0 && !again {
		p.Open += uint64(n)
		p.Time = min(p.Time, d.last.Time)
	}
}

// detail says what the count n of missing events is of.
func (d *downtime) detail(n int64) string {
	text := "no recorder ran"
	if d.last.Killed {
		text = "the recorder before was killed"
	}
	switch {
	case d.numbered && n <= 0:
		return text + "; by the kernel's numbers, which went on, no audit event is missing. Name queries, image loads, forks and exits of that time have no numbers"
	case d.numbered:
		return text + "; audit events, counted by the kernel's numbers, which went on. Name queries, image loads, forks and exits of that time have none"
	}
	return text + "; counted by the kernel's numbers. What happened while auditing was off, at the least while the rules were loaded again, has none"
}

// settleTime is how long after the first event others may come that are older.
const settleTime = time.Second
