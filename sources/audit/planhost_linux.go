// SPDX-License-Identifier: Apache-2.0

// This file plans the rules for this host: it finds the folders that are there, as the
// file system spells them, and asks the kernel's version. The plan itself is made in
// plan.go.

package audit

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// PlanHost plans the rules for this host and changes nothing. The warnings are
// sentences on folders that cannot be watched; what signals cannot have is in the plan.
func PlanHost(o HostOptions) (Plan, []string, error) {
	roots := o.Roots
	if roots == nil {
		roots = DefaultRoots()
	}
	r := RuleOptions{Arch: runtime.GOARCH, Monitor: o.Monitor, Calls: o.Calls, Records: o.Records, Uring: hasUringRules()}
	var warnings, more []string
	if o.Monitor.Files {
		r.Roots, warnings = existingRoots(roots)
	}
	r.Exclude, more = existingRoots(o.Exclude)
	r.Watch = demandFolders("/", o.Paths, append(slices.Clone(r.Roots), r.Exclude...))
	p, err := PlanRules(r)
	return p, append(warnings, more...), err
}

// hasUringRules reports whether the kernel has a list of rules on io_uring: since Linux
// 5.16. Older kernels with it brought in from newer ones are not recognised.
func hasUringRules() bool {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return false
	}
	major, minor := release(unix.ByteSliceToString(u.Release[:]))
	return major > 5 || major == 5 && minor >= 16
}

// release returns the first two numbers of a kernel's name.
func release(name string) (major, minor int) {
	numbers := [2]int{}
	for i, part := range strings.SplitN(name, ".", 3) {
		if i == len(numbers) {
			break
		}
		for _, c := range part {
			if c < '0' || c > '9' || numbers[i] > 1000 {
				break
			}
			numbers[i] = 10*numbers[i] + int(c-'0')
		}
	}
	return numbers[0], numbers[1]
}

// demandFolders returns the folders to be watched so that changes of files whose
// paths are, or begin with, one of paths are seen, in whatever letters those are
// written: those that are there, and that are not covered already. top is the root of
// the file system.
func demandFolders(top string, paths []Wanted, covered []string) (folders []Wanted) {
	at := map[string]int{}
	for _, w := range paths {
		p := w.Name
		isCovered := slices.ContainsFunc(covered, func(c string) bool { return inside(filepath.Clean(p), c) })
		if !strings.HasPrefix(p, "/") || strings.IndexByte(p, 0) >= 0 || isCovered {
			continue
		}
		for _, dir := range spelled(top, p) {
			i, known := at[dir]
			if !known {
				i = len(folders)
				at[dir] = i
				folders = append(folders, Wanted{Name: dir})
			}
			folders[i].By = append(folders[i].By, w.By...)
		}
	}
	return folders
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
