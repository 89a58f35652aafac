// SPDX-License-Identifier: Apache-2.0

// This file changes the kernel's audit configuration and puts it back. It
// speaks to the kernel through auditControl, which install_linux.go fills; the
// undo file's form is in undofile_linux.go.

package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"
)

// auditControl is the kernel's side of auditing.
type auditControl interface {
	Status() (auditStatus, error)
	Rules() ([][]byte, error) // as the kernel lists them
	AddRule(wire []byte) error
	DeleteRule(wire []byte) error
	Set(setting string, value uint32) error
	ClearRole() error // registers nobody for the records
}

// auditStatus is what the kernel says of its audit system.
type auditStatus struct {
	PID, Lost, Backlog uint32
	settings           map[string]uint32
}

// The values of the audit system that the recorder changes, by the names that
// auditctl -s has for them.
const (
	settingEnabled  = "enabled"
	settingFailure  = "failure"
	settingRate     = "rate_limit"
	settingBacklog  = "backlog_limit"
	settingWaitTime = "backlog_wait_time"
)

func knownSetting(name string) bool {
	switch name {
	case settingEnabled, settingFailure, settingRate, settingBacklog, settingWaitTime:
		return true
	}
	return false
}

// immutable is the value of enabled that forbids all changes.
const immutable = 2

// minBacklog is the number of records that the kernel may hold for us.
const minBacklog = 65536

// wantedSettings returns what has to change of st, in the order it is done:
// loss is silent and counted, nobody waits for the recorder, and auditing goes
// on only when all else is in place.
func wantedSettings(st auditStatus) []settingChange {
	wanted := []settingChange{
		{Name: settingFailure, New: 0},
		{Name: settingRate, New: 0},
		{Name: settingBacklog, New: max(minBacklog, st.settings[settingBacklog])},
		{Name: settingWaitTime, New: 0},
		{Name: settingEnabled, New: 1},
	}
	changes := wanted[:0]
	for _, s := range wanted {
		if s.Old = st.settings[s.Name]; s.Old != s.New {
			changes = append(changes, s)
		}
	}
	return changes
}

// installation is one recorder's hold on the audit configuration.
type installation struct {
	control auditControl
	path    string
	file    undoFile
	planned []undoRule // of file.Rules, those that were asked for
	missing []undoRule // of planned, those the kernel does not have yet
	locked  bool       // the configuration cannot be changed before the next boot
}

// hold says how much of the audit configuration is taken over.
type hold struct {
	way   Way
	leave bool // the rules are those of others
}

// settings returns the settings that have to change of st.
func (h hold) settings(st auditStatus) []settingChange {
	wanted := wantedSettings(st)
	if h.way == WayUnicast {
		return wanted
	}
	// Limits are the business of whoever reads: only that auditing is on is ours,
	// where nobody else has a say.
	return slices.DeleteFunc(wanted, func(s settingChange) bool {
		return s.Name != settingEnabled || h.leave || otherHolder(st) != ""
	})
}

// prepareInstall finds out what has to change for rules to be in force and
// writes the undo file; the kernel is not touched. self is the caller's part of
// the undo file: boot, process and its start. Where the configuration is locked,
// nothing is planned and the rules in force are used.
func prepareInstall(c auditControl, path string, self undoFile, rules []undoRule, h hold) (*installation, error) {
	st, err := c.Status()
	if err != nil {
		return nil, err
	}
	present, err := c.Rules()
	if err != nil {
		return nil, err
	}
	foreign := 0
	for _, wire := range present {
		if !isOurs(wire) {
			foreign++
		}
	}
	in := &installation{control: c, path: path, file: self, planned: rules}
	in.file.Version, in.file.Written = undoVersion, time.Now().UTC()
	switch enabled := st.settings[settingEnabled]; {
	case enabled == immutable:
		in.locked, in.planned = true, nil
		return in, writeUndoFile(path, in.file)
	case enabled != 0 && foreign > 0 && h.way == WayUnicast && !h.leave:
		return nil, fmt.Errorf("take the audit role: auditing is already on, with %d rules without the key %s: %w", foreign, RuleKey, ErrForeign)
	}
	in.file.Settings = h.settings(st)
	for _, r := range rules {
		in.file.Rules = append(in.file.Rules, r)
		if !slices.ContainsFunc(present, func(w []byte) bool { return sameRule(w, r.Wire) }) {
			in.missing = append(in.missing, r)
		}
	}
	// Rules with our key that are not planned were left by a recorder whose
	// undo file is lost: they are ours, and go when this recording ends. Beside others
	// they may be those of a recorder that runs.
	for _, wire := range present {
		planned := func(r undoRule) bool { return sameRule(wire, r.Wire) }
		if isOurs(wire) && h.way == WayUnicast && !h.leave && !slices.ContainsFunc(rules, planned) {
			in.file.Rules = append(in.file.Rules, undoRule{Text: "left by an earlier recorder", Wire: wire})
		}
	}
	if err := writeUndoFile(path, in.file); err != nil {
		return nil, err
	}
	return in, nil
}

// apply changes the kernel as the undo file tells. takeRole registers the
// caller for the records: after the limits are set, before the first record.
// A watch whose folder has gone is left out and named in skipped. After an
// error the caller undoes.
func (in *installation) apply(takeRole func() error) (skipped []string, err error) {
	settings := in.file.Settings
	last := slices.IndexFunc(settings, func(s settingChange) bool { return s.Name == settingEnabled })
	if last < 0 {
		last = len(settings)
	}
	if err := in.set(settings[:last]); err != nil {
		return nil, err
	}
	if err := takeRole(); err != nil {
		return nil, err
	}
	if skipped, err = in.add(); err != nil {
		return skipped, err
	}
	return skipped, in.set(settings[last:])
}

// add gives the kernel the rules that it lacks, and asks whether it has them. A
// watch whose folder has gone is left out and named in skipped.
func (in *installation) add() (skipped []string, err error) {
	for _, r := range in.missing {
		err := in.control.AddRule(r.Wire)
		if errors.Is(err, fs.ErrNotExist) {
			skipped = append(skipped, r.Text)
			continue
		}
		if err != nil {
			return skipped, fmt.Errorf("add audit rule %q: %w", r.Text, err)
		}
	}
	return skipped, in.verify(len(in.missing) - len(skipped))
}

func (in *installation) set(settings []settingChange) error {
	for _, s := range settings {
		if err := in.control.Set(s.Name, s.New); err != nil {
			return fmt.Errorf("set audit %s to %d: %w", s.Name, s.New, err)
		}
	}
	return nil
}

// verify asks the kernel whether it lists the rules that it was given, in the
// form in which they will be found again. want of in.missing were added.
func (in *installation) verify(want int) error {
	present, err := in.control.Rules()
	if err != nil {
		return err
	}
	got := 0
	for _, r := range in.missing {
		if slices.ContainsFunc(present, func(w []byte) bool { return sameRule(w, r.Wire) }) {
			got++
		}
	}
	if got < want {
		return fmt.Errorf("load audit rules: %d were added, the kernel lists %d of them", want, got)
	}
	return nil
}

// isOurs reports whether a rule carries our key and no other.
func isOurs(wire []byte) bool {
	key, ok := wireKey(wire)
	return ok && key == RuleKey
}

// undoChanges puts back what f tells of: the settings that still have the value
// we wrote, and the rules that are both in f and carry our key. pidGone says
// whether f's process can no longer hold the role. It does as much as it can;
// done again it finds nothing to do.
func undoChanges(c auditControl, f undoFile, pidGone bool) (UndoReport, error) {
	var report UndoReport
	st, err := c.Status()
	if err != nil {
		return report, err
	}
	if st.settings[settingEnabled] == immutable {
		return undoLocked(c, f, pidGone && f.held(st))
	}
	report.Continued = st.settings[settingEnabled] != 0
	var errs []error
	restore := func(s settingChange) {
		switch now := st.settings[s.Name]; now {
		case s.Old:
		case s.New:
			if err := c.Set(s.Name, s.Old); err != nil {
				errs = append(errs, fmt.Errorf("set audit %s back to %d: %w", s.Name, s.Old, err))
				return
			}
			report.Restored = append(report.Restored, fmt.Sprintf("%s %d", s.Name, s.Old))
		default:
			report.Left = append(report.Left, fmt.Sprintf("%s %d", s.Name, now))
		}
	}
	// In reverse: auditing goes off first, so that the rest leaves no records.
	for _, s := range slices.Backward(f.Settings) {
		switch who := otherHolder(st); {
		case s.Name != settingEnabled:
		case who != "" && !f.held(st) && st.settings[s.Name] == s.New:
			report.Left = append(report.Left, fmt.Sprintf("%s %d, for %s", s.Name, s.New, who))
		default:
			restore(s)
		}
	}
	report.Rules, err = deleteRules(c, f)
	errs = append(errs, err)
	report.Continued = report.Continued && report.Rules == len(f.Rules)
	if pidGone && f.held(st) {
		if err := c.ClearRole(); err != nil {
			errs = append(errs, fmt.Errorf("clear the audit role of process %d: %w", st.PID, err))
		} else {
			report.RoleCleared = true
		}
	}
	for _, s := range slices.Backward(f.Settings) {
		if s.Name != settingEnabled {
			restore(s)
		}
	}
	return report, errors.Join(errs...)
}

// undoLocked is undoChanges where the configuration cannot be changed before the next
// boot: only the role can be given up. held says that f's process has it and is gone.
func undoLocked(c auditControl, f undoFile, held bool) (report UndoReport, err error) {
	if held {
		if err := c.ClearRole(); err != nil {
			return report, fmt.Errorf("clear the audit role of process %d: %w", f.PID, err)
		}
		report.RoleCleared = true
	}
	if len(f.Settings)+len(f.Rules) > 0 {
		return report, fmt.Errorf("put back the audit configuration: enabled is 2: %w", ErrImmutable)
	}
	return report, nil
}

// deleteRules deletes the rules of f that the kernel has, and looks whether
// they are gone. It returns how many went.
func deleteRules(c auditControl, f undoFile) (int, error) {
	before, err := ourRules(c, f)
	if err != nil {
		return 0, err
	}
	var errs []error
	for _, wire := range before {
		if err := c.DeleteRule(wire); err != nil {
			errs = append(errs, fmt.Errorf("delete audit rule: %w", err))
		}
	}
	after, err := ourRules(c, f)
	if err == nil && len(after) > 0 {
		err = fmt.Errorf("delete audit rules: %d of %d are still there", len(after), len(before))
	}
	return len(before) - len(after), errors.Join(append(errs, err)...)
}

// ourRules returns the rules of f that the kernel has, in its own form.
func ourRules(c auditControl, f undoFile) ([][]byte, error) {
	present, err := c.Rules()
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(present, func(wire []byte) bool {
		recorded := func(r undoRule) bool { return sameRule(wire, r.Wire) }
		return !isOurs(wire) || !slices.ContainsFunc(f.Rules, recorded)
	}), nil
}
