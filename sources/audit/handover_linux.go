// SPDX-License-Identifier: Apache-2.0

// This file changes the way that records come by while recording goes on: somebody
// asks for the audit role, takes it, or gives it back. The kernel sends each record to
// the multicast group and then to whoever has the role, in one order. So a record of
// our own, a mark, divides both streams at the same place: the old one counts up to
// it, the new one from there on.

package audit

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"seismo/internal/event"
)

const (
	// markType is the record of a mark. It is the only one of user space that the
	// kernel takes while auditing is off (kernel/audit.c, audit_receive_msg).
	markType = unix.AUDIT_USER_AVC
	markText = "seismo: mark "
	// markWait is how long a mark is waited for: the kernel tries to send to a
	// full socket for half a second (kernel/audit.c, UNICAST_RETRIES).
	markWait = time.Second
	// markSlack is how far serials may lie beyond a mark's that has not come: it is
	// late by less (see gapWindow), so then it was lost.
	markSlack = 64
)

// How long a role that was asked for is left free: who asked was refused by the
// kernel, and has to ask again. Each time doubles it.
const (
	leaveFree    = 30 * time.Second
	maxLeaveFree = time.Hour
	// restartTime is how long a role that others had must be free before it is taken:
	// auditd may only be starting again.
	restartTime = 10 * time.Second
)

// handover is what is known of marks and of the change from one feed to another.
type handover struct {
	wanted uint32 // the process that asks for the role; 0: nobody

	sent     uint64 // marks that were sent
	met      uint64 // the newest that came back
	at       uint32 // its serial
	draining bool   // what follows the mark is taken from the next feed

	skip   int    // what of the new feed came by the old one
	mark   uint64 // where that ends
	serial uint32 // of the mark
	before Gaps   // serials that were seen there

	leave     time.Duration // how long the role was left free last; 0: never
	free      time.Time     // the role is not taken before
	others    bool          // somebody else had the role since it was ours last
	freeSince time.Time     // nobody has it; zero: somebody has
}

// What of a new feed was read before.
const (
	skipNothing = iota
	skipToMark
	skipSeen
)

// asked takes an AUDIT_REPLACE message: the number of the process that asks.
func (h *handover) asked(data []byte) {
	h.wanted = 1<<32 - 1
	if len(data) >= 4 {
		h.wanted = binary.NativeEndian.Uint32(data)
	}
}

// repeats reports whether a record has come, or will come, by the other feed.
func (h *handover) repeats(hd Header, r Record) bool {
	s := uint32(hd.Serial)
	switch {
	case h.draining && h.met == h.sent:
		return true
	case h.skip == skipToMark:
		if n, ok := markOf(r); ok && n == h.mark {
			h.skip = skipNothing
			return true
		}
		if int32(s-h.serial) <= markSlack {
			return true
		}
		h.skip = skipNothing
	case h.skip == skipSeen:
		if int32(s-h.before.top) <= gapWindow {
			return h.before.saw(s)
		}
		h.skip = skipNothing
	}
	return false
}

// isMark reports whether r is a mark of ours, and notes which.
func (h *handover) isMark(r Record, serial uint64) bool {
	n, ok := markOf(r)
	if ok {
		h.met, h.at = n, uint32(serial)
	}
	return ok
}

// markOf returns the number of a mark: a record that we sent ourselves, which the
// kernel says in front of the text.
func markOf(r Record) (uint64, bool) {
	if r.Type != markType || !bytes.HasPrefix(r.Body, fmt.Appendf(nil, "pid=%d ", os.Getpid())) {
		return 0, false
	}
	_, text, ok := bytes.Cut(r.Body, []byte("msg='"+markText))
	if !ok {
		return 0, false
	}
	digits, _, _ := bytes.Cut(text, []byte("'"))
	n, err := strconv.ParseUint(string(digits), 10, 64)
	return n, err == nil
}

// sendMark has the kernel send the next mark. It needs CAP_AUDIT_WRITE.
func (k *Kernel) sendMark() error {
	k.handover.sent++
	return k.control.Echo(markText + strconv.FormatUint(k.handover.sent, 10))
}

// awaitMark reads until the mark has come, or for a while.
func (k *Kernel) awaitMark(end time.Time) (met bool, err error) {
	h := &k.handover
	for until := time.Now().Add(markWait); h.met != h.sent && time.Now().Before(until); {
		if err := k.drainFeed(end, drainPoll); err != nil {
			return false, err
		}
	}
	return h.met == h.sent, nil
}

// switchTo takes records from next on, which is open already, and closes the feed
// before. both says that both get them now. The error is about the one before.
func (k *Kernel) switchTo(next feed, both bool, now time.Time) error {
	h := &k.handover
	h.skip, h.draining = skipNothing, true
	met := false
	var err error
	if both && k.sendMark() == nil {
		met, err = k.awaitMark(time.Now().Add(drainTime))
	} else {
		h.draining = false
		err = k.drainFeed(time.Now().Add(markWait), 0)
	}
	h.draining = false
	if h.skip = skipSeen; met {
		h.skip, h.mark, h.serial = skipToMark, h.met, h.at
	}
	h.before = k.gaps
	if !met {
		k.lose(event.Loss{From: k.lastRead, To: time.Now().UnixNano(), Reason: event.LossNotSeen, Unit: "records",
			Detail: "the way that records come by has changed: some may be missing or cut; events that are missing whole are counted as serial_gap"})
	}
	err = errors.Join(err, k.feed.close())
	k.feed, k.more = next, true
	return err
}

// changeWay does what the state of the audit role asks for.
func (k *Kernel) changeWay(now time.Time, st auditStatus) {
	h := &k.handover
	who := otherHolder(st)
	switch {
	case who != "":
		h.others, h.freeSince = true, time.Time{}
	case h.freeSince.IsZero():
		h.freeSince = now
	}
	switch {
	case k.options.Feed != nil || k.options.Way == WayMulticast:
	case k.way == WayUnicast && st.PID != uint32(os.Getpid()):
		k.roleLost(now, who)
	// Where auditing was on without anybody having the role it is not ours to take.
	case k.way == WayMulticast && who == "" && (h.others || h.leave > 0) &&
		!now.Before(h.free) && now.Sub(h.freeSince) >= restartTime:
		k.takeRole(now, st)
	}
}

// giveUp gives the role up to the process that asks for it, and goes on beside it.
func (k *Kernel) giveUp(now time.Time) {
	who := fmt.Sprintf("process %d (%s)", k.handover.wanted, processName(k.handover.wanted))
	k.handover.wanted = 0
	if k.way != WayUnicast {
		return
	}
	next, _, err := openMulticast()
	if err == nil {
		err = k.besideOthers()
		if err != nil {
			err = errors.Join(err, next.close())
		}
	}
	if err != nil {
		k.say(true, "%s asks for the audit role; it is kept: %v", who, err)
		return
	}
	k.toMulticast(next, true, now, who+" asked for the audit role")
}

// besideOthers sees to it that we are not audited once we have not the role.
func (k *Kernel) besideOthers() error {
	rules, err := k.withSelfRules(k.install.planned)
	if err != nil {
		return err
	}
	_, err = k.loadRules(rules)
	return err
}

// loadRules puts rules in force in place of ours before. A watch whose folder has gone
// is left out and named in skipped.
func (k *Kernel) loadRules(rules []undoRule) (skipped []string, err error) {
	if k.options.LeaveRules || k.install.locked {
		return nil, nil
	}
	k.install.control = k.control // it may have been opened anew
	skipped, removed, err := k.install.replan(rules)
	k.ownRemovals.left += removed
	k.ownRemovals.until = time.Now().Add(ownRemovalTime).UnixNano()
	k.guarded.gone = skipped
	return skipped, err
}

// toMulticast goes on by next, which is open.
func (k *Kernel) toMulticast(next feed, both bool, now time.Time, reason string) {
	err := k.switchTo(next, both, now)
	h := &k.handover
	h.leave = min(max(leaveFree, 2*h.leave), maxLeaveFree)
	h.free = now.Add(h.leave)
	k.way = WayMulticast
	err = errors.Join(err, k.install.returnLimits())
	k.changed(reason)
	k.say(true, "%s: records now come by multicast, beside whoever has it", reason)
	if err != nil {
		k.say(true, "on the way to multicast: %v", err)
	}
}

// roleLost goes on after the kernel has given the role to somebody else, or to nobody.
func (k *Kernel) roleLost(now time.Time, who string) {
	reason := "the kernel no longer sends its records to the recorder"
	if who != "" {
		reason = who + " has taken the audit role"
	}
	next, _, err := openMulticast()
	if err == nil {
		if err := k.besideOthers(); err != nil {
			k.say(true, "the recorder may be audited itself: %v", err)
		}
		k.toMulticast(next, false, now, reason)
		if who == "" {
			k.handover.free = now // nobody waits for it
		}
		return
	}
	k.replaced = fmt.Errorf("%s, and records can not be had beside it (%v): %w", reason, err, ErrReplaced)
}

// takeRole takes the role, which is free, and ends being beside others.
func (k *Kernel) takeRole(now time.Time, st auditStatus) {
	h := &k.handover
	later := func(err error) {
		h.leave = min(max(leaveFree, 2*h.leave), maxLeaveFree)
		h.free = now.Add(h.leave)
		k.say(true, "the audit role is free and can not be taken: %v", err)
	}
	if err := k.install.takeLimits(st); err != nil {
		later(err)
		return
	}
	role, _, err := openRole(k.control)
	if err != nil {
		later(errors.Join(err, k.install.returnLimits()))
		return
	}
	err = k.switchTo(role, true, now)
	k.way, h.others = WayUnicast, false
	_, rulesErr := k.loadRules(withoutSelfRules(k.install.planned))
	err = errors.Join(err, rulesErr)
	const reason = "nobody has the audit role any more"
	k.changed(reason)
	k.say(false, "%s: the recorder has taken it, records come to it alone", reason)
	if err != nil {
		k.say(true, "on the way to the audit role: %v", err)
	}
}

// returnLimits puts back what only matters to whoever has the role. That auditing is
// on stays ours until the end.
func (in *installation) returnLimits() error {
	if in.locked {
		return nil
	}
	st, err := in.control.Status()
	if err != nil {
		return err
	}
	var errs []error
	var kept []settingChange
	for _, s := range slices.Backward(in.file.Settings) {
		if s.Name == settingEnabled {
			kept = append(kept, s)
			continue
		}
		if s.Old != s.New && st.settings[s.Name] == s.New {
			if err := in.control.Set(s.Name, s.Old); err != nil {
				errs = append(errs, fmt.Errorf("set audit %s back to %d: %w", s.Name, s.Old, err))
				kept = append(kept, s)
			}
		}
	}
	slices.Reverse(kept)
	file := in.file
	file.Settings = kept
	if err := writeUndoFile(in.path, file); err != nil {
		return errors.Join(append(errs, err)...)
	}
	in.file = file
	return errors.Join(errs...)
}

// takeLimits sets what matters to whoever has the role; the undo file knows before.
func (in *installation) takeLimits(st auditStatus) error {
	if in.locked {
		return nil
	}
	file := in.file
	had := func(s settingChange) bool {
		return slices.ContainsFunc(file.Settings, func(f settingChange) bool { return f.Name == s.Name })
	}
	changes := slices.Clone(wantedSettings(st))
	file.Settings = append(slices.DeleteFunc(slices.Clone(changes), had), file.Settings...)
	if err := writeUndoFile(in.path, file); err != nil {
		return err
	}
	in.file = file
	return in.set(changes)
}
