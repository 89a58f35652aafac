// SPDX-License-Identifier: Apache-2.0

// This file follows the demand of the loaded signals: which folders are watched
// beside the roots, and how the rules of a running source change. Rules are
// planned in rules.go and taken away again in undo_linux.go.

package audit

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
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
	// The plan looks at folders: records need not wait for that.
	rules, warnings, planErr := k.plan(d)
	k.waker.wake() // a Read that waits holds the lock
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return nil, nil
	}
	k.decoder.SetDemand(d)
	if planErr != nil {
		return warnings, planErr
	}
	k.install.control = k.control // it may have been opened anew
	skipped, removed, err := k.install.replan(rules)
	k.ownRemovals.left += removed
	k.ownRemovals.until = time.Now().Add(ownRemovalTime).UnixNano()
	for _, rule := range skipped {
		warnings = append(warnings, "a folder has gone, its rule is left out: "+rule)
	}
	if err != nil {
		err = fmt.Errorf("change the audit rules: %w", err)
	}
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
// out.
func (k *Kernel) plan(d event.Demand) (built []undoRule, warnings []string, err error) {
	roots := k.options.Roots
	if roots == nil {
		roots = DefaultRoots()
	}
	found, warnings := existingRoots(roots)
	exclude, more := existingRoots(k.options.Exclude)
	warnings = append(warnings, more...)
	if k.options.WatchDemand {
		folders, more := demandFolders("/", d.Paths, append(slices.Clone(found), exclude...))
		found, warnings = append(found, folders...), append(warnings, more...)
	}
	rules, err := PlanRules(RuleOptions{Arch: runtime.GOARCH, Roots: found, Exclude: exclude})
	if err != nil {
		return nil, warnings, err
	}
	built, err = buildRules(rules)
	return built, warnings, err
}

// maxDemandFolders bounds the folders that are watched because signals name
// files in them: the kernel walks all rules at the end of every system call.
const maxDemandFolders = 32

// demandFolders returns the folders to be watched so that changes of files whose
// paths are, or begin with, one of paths are seen, unless one of covered has them
// already; as in Demand, letters of paths may be in lower case whatever the file
// system says. Folders are taken as they are below top, which is "/" but in
// tests. The sentences tell of the paths that are not watched.
func demandFolders(top string, paths, covered []string) (folders, warnings []string) {
	isCovered := func(dir string) bool {
		return slices.ContainsFunc(append(covered, folders...), func(c string) bool { return inside(dir, c) })
	}
	left := 0
	for _, p := range paths {
		if !strings.HasPrefix(p, "/") || strings.IndexByte(p, 0) >= 0 || isCovered(filepath.Clean(p)) {
			continue
		}
		for _, dir := range spelled(top, p) {
			switch {
			case isCovered(dir):
			case !watchable(dir):
				warnings = append(warnings, fmt.Sprintf("a signal asks for files that begin with %q: %s as a whole is not watched", p, dir))
			case len(folders) == maxDemandFolders:
				left++
			default:
				folders = append(folders, dir)
			}
		}
	}
	if left > 0 {
		warnings = append(warnings, fmt.Sprintf("signals ask for files in more than %d folders outside of fileRoots: %d are not watched", maxDemandFolders, left))
	}
	return folders, warnings
}

// watchable reports whether changes below dir are worth a rule: nothing in /proc
// and /sys is a file, and devices are written to all the time.
func watchable(dir string) bool {
	for _, no := range []string{"/proc", "/sys"} {
		if inside(dir, no) {
			return false
		}
	}
	return dir != "/" && (!inside(dir, "/dev") || inside(dir, "/dev/shm"))
}

// Bounds of the search for a folder in other letters.
const (
	maxSpellings  = 8
	maxDirEntries = 10_000
)

// spelled returns the folders that hold what p may name, as the file system
// spells them, without symbolic links: p itself where it is a folder, else the
// folder of its last element. There are none if that folder does not exist.
func spelled(top, p string) []string {
	elements := strings.Split(strings.Trim(p, "/"), "/")
	dirs := []string{"/"}
	for i, name := range elements {
		if name == "" || name == "." || name == ".." {
			continue
		}
		var next []string
		for _, dir := range dirs {
			next = append(next, below(top, dir, name)...)
		}
		if len(next) == 0 && i == len(elements)-1 {
			break
		}
		dirs = next[:min(len(next), maxSpellings)]
	}
	var found []string
	for _, dir := range dirs {
		real, err := filepath.EvalSymlinks(filepath.Join(top, dir))
		if err != nil {
			continue
		}
		if rel, err := filepath.Rel(top, real); err == nil {
			found = append(found, filepath.Join("/", rel))
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// below returns the folders in dir that are called name, in whatever letters.
func below(top, dir, name string) (found []string) {
	isFolder := func(p string) bool {
		info, err := os.Stat(filepath.Join(top, p))
		return err == nil && info.IsDir()
	}
	if exact := filepath.Join(dir, name); isFolder(exact) {
		found = append(found, exact)
	}
	f, err := os.Open(filepath.Join(top, dir))
	if err != nil {
		return found
	}
	defer f.Close()
	names, _ := f.Readdirnames(maxDirEntries) // what could be read counts
	for _, n := range names {
		if n != name && len(n) == len(name) && strings.EqualFold(n, name) {
			if p := filepath.Join(dir, n); isFolder(p) {
				found = append(found, p)
			}
		}
	}
	return found
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
