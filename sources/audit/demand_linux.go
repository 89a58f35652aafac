// SPDX-License-Identifier: Apache-2.0

// This file follows the demand of the loaded signals: how the rules of a running
// source change. Rules are planned in plan.go and planhost_linux.go and taken away
// again in undo_linux.go.

package audit

import (
	"fmt"
	"slices"
	"time"

	"seismo/internal/event"
)

// SetDemand says what the signals need from now on: the own names that the
// decoder keeps, and with [KernelOptions.WatchDemand] the folders that are
// watched. Only rules that differ are added or removed; the undo file knows of a
// rule before the kernel does. The warnings are sentences on what is not watched.
// After an error the rules may be those of both demands, and Close takes all of
// them away; the own names count even so. It may be called while another
// goroutine reads.
func (k *Kernel) SetDemand(d event.Demand) (warnings []string, err error) {
	var rules []undoRule
	var planErr error
	if !k.options.LeaveRules {
		// The plan looks at folders: records need not wait for that.
		rules, warnings, planErr = k.plan(d)
	}
	k.waker.wake() // a Read that waits holds the lock
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return nil, nil
	}
	k.decoder.SetDemand(d)
	if planErr != nil || k.options.LeaveRules || k.install.locked {
		return warnings, planErr
	}
	if k.way != WayUnicast {
		if rules, err = k.withSelfRules(rules); err != nil {
			return warnings, err
		}
	}
	skipped, err := k.loadRules(rules)
	for _, rule := range skipped {
		warnings = append(warnings, "a folder has gone, its rule is left out: "+rule)
	}
	if err != nil {
		err = fmt.Errorf("change the audit rules: %w", err)
	}
	k.changed("")
	return warnings, err
}

// ownRemovals counts the rules that the source itself has taken away: the kernel
// writes a record of each, which is no reason to tell of a gap.
type ownRemovals struct {
	left  int
	until int64 // Unix time, nanoseconds: what has not come by then was lost
}

const ownRemovalTime = 10 * time.Second

// one reports whether the removal of a rule at time at was our own.
func (o *ownRemovals) one(at int64) bool {
	if o.left == 0 || at > o.until {
		o.left = 0
		return false
	}
	o.left--
	return true
}

// plan returns the rules in the kernel's form, and sentences on what they leave
// out. What they see is kept for [Kernel.Collected].
func (k *Kernel) plan(d event.Demand) (built []undoRule, warnings []string, err error) {
	o := HostOptions{Monitor: MonitorAll(), Roots: k.options.Roots, Exclude: k.options.Exclude,
		Calls: unnamed(d.Calls), Records: unnamed(d.Records)}
	if k.options.Monitor != nil {
		o.Monitor = *k.options.Monitor
	}
	if k.options.WatchDemand {
		o.Paths = unnamed(d.Paths)
	}
	p, warnings, err := PlanHost(o)
	if err != nil {
		return nil, warnings, err
	}
	for _, u := range p.Unmet {
		warnings = append(warnings, u.String())
	}
	if built, err = buildRules(p.Rules); err != nil {
		return nil, warnings, err
	}
	k.publicMu.Lock()
	k.planned = p
	k.publicMu.Unlock()
	return built, warnings, nil
}

// unnamed are names that are wanted by nobody in particular.
func unnamed(names []string) []Wanted {
	list := make([]Wanted, len(names))
	for i, n := range names {
		list[i].Name = n
	}
	return list
}

// Plan returns what was planned last. With [KernelOptions.LeaveRules] nothing is:
// [InForce] tells what is seen then.
func (k *Kernel) Plan() Plan {
	k.publicMu.Lock()
	defer k.publicMu.Unlock()
	return k.planned
}

// replan puts rules in force in place of those that were planned before. The undo
// file names both until the old ones are gone; removed is how many went.
func (in *installation) replan(rules []undoRule) (skipped []string, removed int, err error) {
	among := func(rules []undoRule, wire []byte) bool {
		return slices.ContainsFunc(rules, func(r undoRule) bool { return sameRule(r.Wire, wire) })
	}
	present, err := in.control.Rules()
	if err != nil {
		return nil, 0, err
	}
	var surplus []undoRule
	for _, r := range in.planned {
		if !among(rules, r.Wire) {
			surplus = append(surplus, r)
		}
	}
	in.missing = nil
	all := in.file
	all.Rules = slices.Clone(all.Rules)
	for _, r := range rules {
		if !among(all.Rules, r.Wire) {
			all.Rules = append(all.Rules, r)
		}
		if !slices.ContainsFunc(present, func(w []byte) bool { return sameRule(w, r.Wire) }) {
			in.missing = append(in.missing, r)
		}
	}
	if len(in.missing) == 0 && len(surplus) == 0 {
		return nil, 0, nil
	}
	if err := writeUndoFile(in.path, all); err != nil {
		return nil, 0, err
	}
	in.file, in.planned = all, append(slices.Clone(rules), surplus...)
	if skipped, err = in.add(); err != nil {
		return skipped, 0, err
	}
	// In reverse: what leaves something out goes after what it is left out of.
	for _, r := range slices.Backward(surplus) {
		if !slices.ContainsFunc(present, func(w []byte) bool { return sameRule(w, r.Wire) }) {
			continue
		}
		if err := in.control.DeleteRule(r.Wire); err != nil {
			return skipped, removed, fmt.Errorf("delete audit rule %q: %w", r.Text, err)
		}
		removed++
	}
	all.Rules = slices.DeleteFunc(slices.Clone(all.Rules), func(r undoRule) bool { return among(surplus, r.Wire) })
	in.planned = rules
	if err := writeUndoFile(in.path, all); err != nil {
		return skipped, removed, err
	}
	in.file = all
	return skipped, removed, nil
}
