// SPDX-License-Identifier: Apache-2.0

// This file decides which folders are watched: those of the settings, and those that
// signals name.

package audit

import (
	"cmp"
	"fmt"
	"slices"
)

// maxDemandFolders is the number of folders outside of the roots up to which signals
// have a rule each. A rule that meets nothing costs the kernel a little at each call.
const maxDemandFolders = 32

// watch is a folder that gets a rule.
type watch struct {
	dir string
	why []string
}

// watched returns the folders of the plan, sorted, none of them inside another. A root
// that cannot be watched is an error.
func (p *planner) watched() ([]watch, error) {
	var kept []watch
	if p.o.Monitor.Files {
		for _, r := range p.o.Roots {
			if err := checkDir(r); err != nil {
				return nil, err
			}
			if noFile(r) {
				return nil, fmt.Errorf("plan audit rules: root %q: nothing below /proc and /sys is a file", r)
			}
		}
		for _, r := range byLength(p.o.Roots, func(r string) string { return r }) {
			if holder(kept, r) < 0 {
				kept = append(kept, watch{r, []string{whyFiles}})
			}
		}
	}
	roots := len(kept)
	for _, w := range byLength(wishes(p.o.Watch), func(w wish) string { return w.name }) {
		what := fmt.Sprintf("files below %s", w.name)
		held := holder(kept, w.name)
		switch {
		case checkDir(w.name) != nil:
			p.unmet(what, w.by, "this is no folder of this system")
		case slices.ContainsFunc(p.o.Exclude, func(dir string) bool { return inside(w.name, dir) }):
			p.unmet(what, w.by, "they are the recorder's own")
		case held >= 0:
			if held >= roots { // a root is there whoever asks
				kept[held].why = append(kept[held].why, w.by...)
			}
		case !watchable(w.name):
			p.unmet(what, w.by, "%s as a whole is not watched", w.name)
		case len(kept)-roots == maxDemandFolders:
			p.unmet(what, w.by, "signals name more than %d folders outside of fileRoots", maxDemandFolders)
		default:
			kept = append(kept, watch{w.name, w.by})
		}
	}
	kept = merged(kept)
	for i := range kept {
		slices.Sort(kept[i].why)
		kept[i].why = slices.Compact(kept[i].why)
	}
	slices.SortFunc(kept, func(a, b watch) int { return cmp.Compare(a.dir, b.dir) })
	return kept, nil
}

// merged returns the folders without those that lie inside another, which is then there
// for both: a signal may name a folder that holds a root.
func merged(all []watch) []watch {
	var kept []watch
	for _, w := range byLength(all, func(w watch) string { return w.dir }) {
		if held := holder(kept, w.dir); held >= 0 {
			kept[held].why = append(kept[held].why, w.why...)
		} else {
			kept = append(kept, w)
		}
	}
	return kept
}

// holder returns the place of the folder that holds dir, or -1.
func holder(kept []watch, dir string) int {
	return slices.IndexFunc(kept, func(w watch) bool { return inside(dir, w.dir) })
}

// byLength returns list ordered so that a folder comes before all that lie in it.
func byLength[T any](list []T, dir func(T) string) []T {
	sorted := slices.Clone(list)
	slices.SortStableFunc(sorted, func(a, b T) int {
		return cmp.Or(cmp.Compare(len(dir(a)), len(dir(b))), cmp.Compare(dir(a), dir(b)))
	})
	return sorted
}

func noFile(dir string) bool { return inside(dir, "/proc") || inside(dir, "/sys") }

// watchable reports whether changes below dir are worth a rule: nothing in /proc
// and /sys is a file, and devices are written to all the time.
func watchable(dir string) bool {
	return !noFile(dir) && dir != "/" && (!inside(dir, "/dev") || inside(dir, "/dev/shm"))
}
