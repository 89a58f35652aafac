// SPDX-License-Identifier: Apache-2.0

// This file watches what others do to the audit system while we record: who has the
// role, whether auditing is on, whether our rules are in force. What is not seen by
// it becomes a loss, and what can be put right is put right, a few times.

package audit

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"seismo/internal/event"
)

const (
	// statusEvery is the time between two looks at the kernel's counters while
	// records come, quietEvery while none do.
	statusEvery = 2 * time.Second
	quietEvery  = 5 * time.Second
	// rulesEvery is the time between two looks at the rules, and the least time
	// between two repairs.
	rulesEvery = 30 * time.Second
	// maxRepairs bounds the repairs in a row: whoever undoes that many means it.
	maxRepairs = 3
	// retell is how often it is told that something unseen goes on.
	retell = time.Minute
)

// statusWatch is what is remembered of the kernel's counters.
type statusWatch struct {
	at   time.Time
	lost uint32
	due  bool   // somebody changed the configuration: look at once
	seen uint64 // records received at the last look
}

// guarded is what is remembered of what others undid.
type guarded struct {
	at      time.Time // when the rules were looked at last
	due     bool      // one of ours was removed: look at the next chance
	since   int64     // when that was, Unix time, nanoseconds; 0: it was not
	gone    []string  // rules whose folders are gone
	rules   repairs
	off     repairs
	stretch stretch // auditing is off
	without stretch // rules are missing, and are left so
}

// repairs bounds how often something is put right.
type repairs struct {
	last  time.Time
	times int // in a row
	given bool
}

// may reports whether it may be put right at now, and counts that.
func (r *repairs) may(now time.Time) bool {
	if r.given || !r.last.IsZero() && now.Sub(r.last) < rulesEvery {
		return false
	}
	r.last = now
	r.times++
	return true
}

// good notes that at now all is as it should be.
func (r *repairs) good(now time.Time) {
	if now.Sub(r.last) >= rulesEvery {
		r.times = 0
	}
}

// over reports, once, that it was put right too often.
func (r *repairs) over() bool {
	if r.times < maxRepairs || r.given {
		return false
	}
	r.given = true
	return true
}

// stretch is a time in which something is not seen. It is told when it begins, now
// and then while it lasts, and when it ends.
type stretch struct{ told int64 } // up to when, Unix time, nanoseconds; 0: there is none

// on returns the part to tell at now of a stretch that lasts; from is its begin.
func (s *stretch) on(from int64, now time.Time) (part event.Loss, tell bool) {
	to := now.UnixNano()
	if s.told == 0 {
		s.told = to
		return event.Loss{From: from, To: to}, true
	}
	if to-s.told < int64(retell) {
		return event.Loss{}, false
	}
	part = event.Loss{From: s.told, To: to}
	s.told = to
	return part, true
}

// end returns what was not told of a stretch that is over.
func (s *stretch) end(now time.Time) (part event.Loss, tell bool) {
	if s.told == 0 {
		return event.Loss{}, false
	}
	part = event.Loss{From: s.told, To: now.UnixNano()}
	s.told = 0
	return part, true
}

// tellPart tells of a part of a stretch.
func (k *Kernel) tellPart(part event.Loss, tell bool, detail string) {
	if tell {
		part.Reason, part.Unit, part.Detail = event.LossNotSeen, "events", detail
		k.lose(part)
	}
}

// noteChange looks whether a record tells of a change of the audit configuration that
// is worth a look of our own (kernel/audit.c, audit_log_config_change;
// kernel/auditfilter.c, audit_log_rule_change; kernel/audit_tree.c).
func (k *Kernel) noteChange(h Header, r Record) {
	if r.Type != unix.AUDIT_CONFIG_CHANGE || k.closed {
		return
	}
	switch {
	case isRuleRemoval(r):
		if k.ownRemovals.one(h.Time) {
			return
		}
		if k.guarded.due = true; k.guarded.since == 0 {
			k.guarded.since = h.Time
		}
	case bytes.Contains(r.Body, []byte("op=set ")):
		k.status.due = true
	}
}

// isRuleRemoval reports whether r tells that a rule with our key was removed.
func isRuleRemoval(r Record) bool {
	return r.Type == unix.AUDIT_CONFIG_CHANGE && bytes.Contains(r.Body, []byte("op=remove_rule ")) &&
		bytes.Contains(r.Body, []byte(` key="`+RuleKey+`" `))
}

// watch does what is due.
func (k *Kernel) watch(now time.Time) {
	if k.handover.wanted != 0 {
		k.giveUp(now)
	}
	every := statusEvery
	if k.stats.Received == k.status.seen {
		every = quietEvery
	}
	if passed := now.Sub(k.status.at); passed >= every || k.status.due && passed >= statusEvery/20 {
		k.watchStatus(now)
	}
	if k.guarded.due && now.Sub(k.guarded.rules.last) >= rulesEvery || now.Sub(k.guarded.at) >= rulesEvery {
		k.watchRules(now)
	}
}

// watchStatus looks at the kernel's own counters and at who has the role.
func (k *Kernel) watchStatus(now time.Time) {
	from := k.status.at.UnixNano()
	k.status.at, k.status.due, k.status.seen = now, false, k.stats.Received
	if now.UnixNano()-k.lastRecord > int64(statusEvery) {
		k.noteGap(k.gaps.Settle(), now.UnixNano())
	}
	st, err := k.control.Status()
	if err != nil {
		k.lose(event.Loss{From: from, To: now.UnixNano(), Reason: event.LossKernel, Unit: "records",
			Detail: "the kernel's counter could not be read: " + err.Error()})
		// An answer that comes late would be taken for the next one.
		if fresh, err := openControl(); err == nil {
			k.control.Close()
			k.control = fresh
		}
		return
	}
	lost := lostSince(k.status.lost, st.Lost)
	k.status.lost = st.Lost
	// Where nobody has the role the kernel prints the records, and counts as lost what
	// it does not print: we have them all the same.
	if lost > 0 && (k.way == WayUnicast || otherHolder(st) != "") {
		k.stats.KernelLost += lost
		k.lose(event.Loss{From: from, To: now.UnixNano(), Reason: event.LossKernel, Count: lost, Unit: "records",
			Detail: "the kernel's own counter: its queue was full, or memory short"})
	}
	if k.closed {
		return
	}
	k.watchEnabled(from, now, st)
	k.changeWay(now, st)
}

const offDetail = "auditing was switched off by somebody else"

// watchEnabled sees whether auditing is on, and switches it on again where the audit
// configuration is ours.
func (k *Kernel) watchEnabled(from int64, now time.Time, st auditStatus) {
	g := &k.guarded
	if st.settings[settingEnabled] != 0 {
		part, tell := g.stretch.end(now)
		k.tellPart(part, tell, offDetail)
		g.off.good(now)
		return
	}
	began := g.stretch.told == 0
	part, tell := g.stretch.on(from, now)
	k.tellPart(part, tell, offDetail)
	switch {
	case k.way != WayUnicast:
		if began {
			k.say(true, "auditing was switched off by somebody else: nothing is recorded until it is on again")
		}
	case g.off.over():
		k.say(true, "auditing was switched off again and again: it is left so, and nothing is recorded until somebody switches it on (auditctl -e 1)")
	case g.off.may(now):
		k.say(true, "auditing was switched off by somebody else: it is switched on again")
		if err := k.control.Set(settingEnabled, 1); err != nil {
			k.say(true, "auditing can not be switched on again: %v", err)
		} else {
			k.status.due = true
		}
	}
}

// watchRules looks whether our rules are in force, and adds those that are not.
func (k *Kernel) watchRules(now time.Time) {
	g := &k.guarded
	before := g.at
	g.at, g.due = now, false
	if k.options.LeaveRules || k.install.locked || k.closed {
		return
	}
	k.install.control = k.control
	missing, err := k.install.lacking()
	if err != nil {
		k.say(true, "whether our audit rules are in force is not known: %v", err)
		return
	}
	missing = slices.DeleteFunc(missing, func(r undoRule) bool { return k.stillGone(r) })
	from := g.since
	if from == 0 {
		from = before.UnixNano()
	}
	const detail = "audit rules of ours were removed by somebody else: what they ask for was not seen"
	if len(missing) == 0 {
		part, tell := g.without.end(now)
		k.tellPart(part, tell, detail)
		g.since = 0
		g.rules.good(now)
		return
	}
	part, tell := g.without.on(from, now)
	part.Count = uint64(len(missing))
	k.tellPart(part, tell, fmt.Sprintf("%s (%d of %d rules)", detail, len(missing), len(k.install.planned)))
	switch {
	case g.rules.over():
		k.say(true, "audit rules of ours were removed again and again: they are left so, and what they ask for is not seen")
	case g.rules.may(now):
		g.since = 0
		k.putBack(missing, now)
	}
}

// putBack adds the rules that somebody has removed.
func (k *Kernel) putBack(missing []undoRule, now time.Time) {
	k.install.missing = missing
	skipped, err := k.install.add()
	k.guarded.gone = append(k.guarded.gone, skipped...)
	added := len(missing) - len(skipped)
	switch {
	case err != nil:
		k.say(true, "%d of our audit rules were removed and can not be put back: %v", len(missing), err)
		return
	case added > 0:
		k.say(true, "%d of our %d audit rules were removed by somebody else: they are put back", added, len(k.install.planned))
	}
	for _, rule := range skipped {
		k.say(true, "a folder has gone, its rule is left out: %s", rule)
	}
	k.guarded.without.told = 0 // told up to now
	k.changed("")
}

// stillGone reports whether r could not be added for want of its folder, and cannot
// be now: the kernel drops the rule with the folder.
func (k *Kernel) stillGone(r undoRule) bool {
	i := slices.Index(k.guarded.gone, r.Text)
	if i < 0 {
		return false
	}
	k.install.missing = []undoRule{r}
	if skipped, err := k.install.add(); err != nil || len(skipped) > 0 {
		return true
	}
	k.guarded.gone = slices.Delete(k.guarded.gone, i, i+1)
	k.say(false, "a folder is there again, and so is its rule: %s", r.Text)
	return true // it is in force now
}

// lacking returns the rules of ours that the kernel does not have.
func (in *installation) lacking() ([]undoRule, error) {
	present, err := in.control.Rules()
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(in.planned), func(r undoRule) bool {
		return slices.ContainsFunc(present, func(w []byte) bool { return sameRule(w, r.Wire) })
	}), nil
}

// lostSince returns by how much the kernel's counter of lost records rose. It
// has 32 bits and runs over; whoever may can set it to 0.
func lostSince(before, now uint32) uint64 {
	rose := now - before
	if rose > 1<<31 {
		return uint64(now) // it was set to 0 in between
	}
	return uint64(rose)
}
