// SPDX-License-Identifier: Apache-2.0

// This file reads the definitions of many files. One file's content is read in
// yaml.go.

package signals

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Load reads the definitions of all paths: files as they are, directories with
// everything below them that is called *.yml, *.yaml or signals.json, in the order of their
// names. Symbolic links to files are followed, those to directories are not. A
// file that several paths lead to is read once.
//
// The error is a [Diagnostics] with all that is wrong in all files, a file that
// can not be read and an id that stands twice among it; the definitions returned
// with it are those in which nothing is wrong.
func Load(paths []string) ([]Definition, error) {
	loaded, err := LoadWith(paths, Options{})
	return loaded.Definitions, err
}

// LoadWith is [Load] for files that may hold documents in other languages too. What
// was read is never nil.
func LoadWith(paths []string, o Options) (*Loaded, error) {
	l := &loader{
		open:    func(path string) (fs.File, error) { return os.Open(path) },
		stat:    os.Stat,
		same:    (&realPaths{map[string]string{}}).of,
		seen:    map[string]bool{},
		options: o,
	}
	for _, path := range paths {
		info, err := os.Stat(path)
		switch {
		case err != nil:
			l.fail(path, err)
		case info.IsDir():
			l.directory(path, func(walk fs.WalkDirFunc) error { return filepath.WalkDir(path, walk) })
		default:
			l.entry(path)
		}
	}
	return l.result()
}

// LoadFS reads the definitions of all files in fsys that are called *.yml,
// *.yaml or signals.json, as [Load] does.
func LoadFS(fsys fs.FS) ([]Definition, error) {
	loaded, err := LoadFSWith(fsys, Options{})
	return loaded.Definitions, err
}

// LoadFSWith is [LoadFS] for files that may hold documents in other languages too.
// What was read is never nil.
func LoadFSWith(fsys fs.FS, o Options) (*Loaded, error) {
	l := &loader{
		open:    fsys.Open,
		stat:    func(path string) (fs.FileInfo, error) { return fs.Stat(fsys, path) },
		same:    func(path string) string { return path },
		seen:    map[string]bool{},
		options: o,
	}
	l.directory(".", func(walk fs.WalkDirFunc) error { return fs.WalkDir(fsys, ".", walk) })
	return l.result()
}

// loader gathers the definitions and diagnostics of many files.
type loader struct {
	open  func(path string) (fs.File, error)
	stat  func(path string) (fs.FileInfo, error)
	same  func(path string) string // gives the same for all paths to one file
	seen  map[string]bool          // what same gave for files that have been read
	ids   idPlaces
	diags Diagnostics
	size  size // of loaded
	full  bool // there are more definitions than are taken: the other files are not read

	options Options
	loaded  Loaded
}

// realPaths finds out which paths lead to one file. The folders that it has resolved
// are kept: of 3,181 files in 394 folders that saves a tenth of the time of reading.
type realPaths struct{ folders map[string]string }

// of returns the absolute path of a file without symbolic links; where they can not be
// followed, reading it says why.
func (r *realPaths) of(path string) string {
	if whole, err := filepath.Abs(path); err == nil {
		path = whole
	}
	if info, err := os.Lstat(path); err != nil || info.Mode()&fs.ModeSymlink != 0 {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			return real
		}
	}
	folder, name := filepath.Split(path)
	real, known := r.folders[folder]
	if !known {
		real = folder
		if resolved, err := filepath.EvalSymlinks(folder); err == nil {
			real = resolved
		}
		r.folders[folder] = real
	}
	return filepath.Join(real, name)
}

// fail reports that path can not be read.
func (l *loader) fail(path string, err error) {
	// The place is said already: only the cause is left to say.
	if at := new(fs.PathError); errors.As(err, &at) {
		err = at.Err
	}
	l.diags = append(l.diags, Diagnostic{Pos: Position{File: path}, Message: fmt.Sprintf("can not be read: %v", err)})
	l.loaded.Refused = append(l.loaded.Refused, Refused{Pos: Position{File: path}})
}

func (l *loader) directory(path string, walk func(fs.WalkDirFunc) error) {
	found := false
	err := walk(func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			l.fail(name, err)
			if entry != nil && entry.IsDir() {
				return fs.SkipDir
			}
		case entry.IsDir():
		case strings.HasSuffix(name, ".yml") || strings.HasSuffix(name, ".yaml") || entry.Name() == "signals.json":
			found = true
			l.entry(name)
		}
		return nil
	})
	if err != nil {
		l.fail(path, err)
	}
	if !found && err == nil {
		l.diags = append(l.diags, Diagnostic{Pos: Position{File: path}, Message: "directory holds no file called *.yml, *.yaml or signals.json"})
	}
}

// entry reads the file called name. What is no regular file is refused before it
// is opened: opening a pipe waits for a writer.
func (l *loader) entry(name string) {
	info, err := l.stat(name)
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	if err != nil {
		l.fail(name, err)
		return
	}
	l.file(filepath.Clean(name))
}

// file reads one file.
func (l *loader) file(name string) {
	same := l.same(name)
	if l.full || l.seen[same] {
		return
	}
	if l.options.Reading != nil {
		l.options.Reading(len(l.seen))
	}
	l.seen[same] = true
	file, err := l.open(name)
	if err != nil {
		l.fail(name, err)
		return
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, int64(fileLimit(name))+1))
	if err != nil {
		l.fail(name, err)
		return
	}
	f := parseFile(name, content, &l.ids, &l.options)
	l.diags = append(l.diags, f.diags...)
	l.loaded.Refused = append(l.loaded.Refused, f.refused...)
	for i := range f.defs {
		l.size.add(&f.defs[i])
		if l.tooMuch(f.defs[i].Pos) {
			return
		}
	}
	for i := range f.filters {
		l.size.addFilter(&f.filters[i])
		if l.tooMuch(f.filters[i].Pos) {
			return
		}
	}
	l.loaded.Definitions = append(l.loaded.Definitions, f.defs...)
	l.loaded.Filters = append(l.loaded.Filters, f.filters...)
}

// tooMuch reports that there is more than is taken, found out at pos.
func (l *loader) tooMuch(pos Position) bool {
	what := l.size.excess()
	if what == "" {
		return false
	}
	l.diags = append(l.diags, Diagnostic{Pos: pos, Message: "more than " + what + " in all definitions"})
	l.full = true
	return true
}

// result returns what was read.
func (l *loader) result() (*Loaded, error) { return &l.loaded, l.diags.err() }
