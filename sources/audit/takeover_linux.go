// SPDX-License-Identifier: Apache-2.0

// This file goes on with what a recorder of the same folders left in force when it was
// killed: its rules and settings stay, and auditing stays on, so that the kernel
// numbers what happens meanwhile. Where that can not be, all is put back first
// (undo_linux.go) and recording begins as ever.

package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"time"

	"seismo/internal/event"
)

// heritage is what a recorder that was killed left in force.
type heritage struct {
	file    undoFile
	before  auditStatus // the audit system without what that recorder did
	way     Way         // by which records are had now
	missing int         // rules of file that are not in force
}

// String says it in one line, for a person.
func (h *heritage) String() string {
	if h.missing > 0 {
		return fmt.Sprintf("its settings were taken over, and its rules, of which %d of %d were not in force; recording goes on", h.missing, len(h.file.Rules))
	}
	return "its rules and settings were taken over, recording goes on"
}

// readLeft reads the undo file at path for whoever acts on it. report says where there
// is none, or one of an earlier boot. It fails with [ErrRunning] while the recorder that
// wrote it runs in another process, with [ErrUndoFile] if it can not be believed.
func readLeft(path string) (f undoFile, report UndoReport, err error) {
	f, err = readUndoFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, UndoReport{Nothing: true}, nil
	}
	if err != nil {
		return f, report, err
	}
	boot, err := bootID()
	if err != nil {
		return f, report, err
	}
	if f.BootID != boot {
		return f, UndoReport{OtherBoot: true}, nil
	}
	if start, ok := startTicks(f.PID); ok && start == f.Start && f.PID != os.Getpid() {
		return f, report, fmt.Errorf("undo %s: process %d: %w", path, f.PID, ErrRunning)
	}
	return f, report, nil
}

// CheckUndoFile fails as [Undo] of the file at path does before it has changed anything.
func CheckUndoFile(path string) error {
	_, _, err := readLeft(path)
	return err
}

// inherit settles what an earlier recorder left, by the undo file: it is taken over
// (k.heir) where it is in force and serves this one too, and put back otherwise. It
// returns the audit status as it is without that recorder.
func (k *Kernel) inherit() (auditStatus, error) {
	f, found, err := readLeft(k.options.UndoPath)
	if err != nil {
		return auditStatus{}, err
	}
	const how = "an earlier recorder did not end by itself: "
	if !found.Nothing && !found.OtherBoot && f.PID != os.Getpid() {
		if k.heir, err = heirOf(k.control, f, k.options, look); err != nil {
			return auditStatus{}, err
		}
		if k.heir != nil {
			k.continued = k.heir.missing == 0
			k.warnings = append(k.warnings, how+k.heir.String())
			return k.heir.before, nil
		}
	}
	undone, err := Undo(k.options.UndoPath)
	if err != nil {
		return auditStatus{}, err
	}
	if !undone.Nothing {
		k.continued = undone.Continued
		k.warnings = append(k.warnings, how+undone.String())
	}
	return k.control.Status()
}

// heirOf returns what f tells of, if a recording with the options o can go on with it,
// and nil if not: the rules are left to others, the way in is another, auditing is
// off or locked, or a setting that is still as the earlier recorder wrote it would now
// be another.
func heirOf(c auditControl, f undoFile, o KernelOptions, look func(auditStatus) surroundings) (*heritage, error) {
	st, err := c.Status()
	if err != nil {
		return nil, err
	}
	if o.LeaveRules || o.Feed != nil || st.settings[settingEnabled] != 1 {
		return nil, nil
	}
	h := &heritage{file: f, before: st}
	h.before.settings = maps.Clone(st.settings)
	if f.held(st) {
		h.before.PID = 0
	}
	for _, s := range f.Settings {
		if st.settings[s.Name] == s.New {
			h.before.settings[s.Name] = s.Old
		}
	}
	if h.way, _, err = choose(o.Way, look(h.before)); err != nil {
		return nil, nil // it is told when nothing is left in force
	}
	wanted := hold{way: h.way}.settings(h.before)
	for _, s := range f.Settings {
		if s.Old != s.New && st.settings[s.Name] == s.New && !slices.Contains(wanted, s) {
			return nil, nil
		}
	}
	present, err := c.Rules()
	if err != nil {
		return nil, err
	}
	if h.way == WayUnicast && h.before.settings[settingEnabled] != 0 && slices.ContainsFunc(present, func(w []byte) bool { return !isOurs(w) }) {
		return nil, nil // it is refused
	}
	for _, r := range f.Rules {
		if !listed(present, r.Wire) && !watchesNothing(r.Wire) {
			h.missing++
		}
	}
	return h, nil
}

// held reports whether the kernel has a recorder of f for the records that it knows to
// be dead, or this process.
func (f *undoFile) held(st auditStatus) bool {
	return st.PID != 0 && (st.PID == uint32(f.PID) || st.PID == uint32(f.Before))
}

// listed reports whether the rule is among present.
func listed(present [][]byte, wire []byte) bool {
	return slices.ContainsFunc(present, func(w []byte) bool { return sameRule(w, wire) })
}

// watchesNothing reports whether the folder of a watch has gone: the kernel drops the
// rule with it, and nobody misses what it would see.
func watchesNothing(wire []byte) bool {
	r, ok := parseWire(wire)
	return ok && slices.ContainsFunc(r.folders, func(dir string) bool {
		_, err := os.Stat(dir)
		return errors.Is(err, fs.ErrNotExist)
	})
}

// prepareTakeover is prepareInstall where what h tells of stays in force. The undo file
// then has the old values of before that recorder, its rules and the new ones.
func prepareTakeover(c auditControl, path string, self undoFile, h *heritage, rules []undoRule) (*installation, error) {
	st, err := c.Status()
	if err != nil {
		return nil, err
	}
	present, err := c.Rules()
	if err != nil {
		return nil, err
	}
	in := &installation{control: c, path: path, file: self}
	in.file.Version, in.file.Written = undoVersion, time.Now().UTC()
	if h.file.held(st) {
		in.file.Before = int(st.PID)
	}
	in.file.Settings = hold{way: h.way}.settings(h.before)
	among := func(rules []undoRule, wire []byte) bool {
		return slices.ContainsFunc(rules, func(r undoRule) bool { return sameRule(r.Wire, wire) })
	}
	for _, r := range h.file.Rules {
		if listed(present, r.Wire) {
			in.planned = append(in.planned, r)
		}
	}
	in.file.Rules = slices.Clone(in.planned)
	for _, r := range rules {
		if !among(in.file.Rules, r.Wire) {
			in.file.Rules = append(in.file.Rules, r)
		}
	}
	for _, wire := range present { // as in prepareInstall
		if isOurs(wire) && h.way == WayUnicast && !among(in.file.Rules, wire) {
			in.file.Rules = append(in.file.Rules, undoRule{Text: "left by an earlier recorder", Wire: wire})
		}
	}
	if err := writeUndoFile(path, in.file); err != nil {
		return nil, err
	}
	return in, nil
}

// takeOver sets what was not as it must be, and has takeRole register the caller for
// the records. The rules are those of the earlier recorder until replan.
func (in *installation) takeOver(takeRole func() error) error {
	st, err := in.control.Status()
	if err != nil {
		return err
	}
	var differ []settingChange
	for _, s := range in.file.Settings {
		if st.settings[s.Name] != s.New {
			differ = append(differ, s)
		}
	}
	if err := in.set(differ); err != nil {
		return err
	}
	return takeRole()
}

// takeOver is [installation.apply] after prepareTakeover. The new rules are there
// before the old ones go.
func (k *Kernel) takeOver(rules []undoRule) (skipped []string, err error) {
	if err := k.install.takeOver(k.openFeed); err != nil {
		return nil, err
	}
	// What the kernel lost while it had nobody to send to is missing in its numbers,
	// and told by them.
	if st, err := k.control.Status(); err == nil {
		k.status.lost = st.Lost
	}
	return k.loadRules(rules)
}

// Continued reports whether what an earlier recorder had the kernel number went on
// being numbered until this one was opened, or nearly: so that the events between are
// counted, from [KernelOptions].Last on.
func (k *Kernel) Continued() bool { return k.continued }

// lookOnce has the process table look, when the exits that were under way at the start
// are told, which processes of the recording before have ended since.
func (k *Kernel) lookOnce(b *event.Batch, now time.Time) {
	switch {
	case k.looked:
	case k.firstTake.IsZero():
		k.firstTake = now
	case now.Sub(k.firstTake) >= settleAfter:
		k.looked, b.Sweep = true, true
	}
}
