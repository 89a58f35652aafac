// SPDX-License-Identifier: Apache-2.0

// This file finds what stands beside the signals of program.go: the named lists
// that they refer to, and the overrides of the host.

package main

import (
	"crypto/ed25519"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"seismo/engine"
	"seismo/internal/display"
	"seismo/internal/namedlist"
	"seismo/recorder/daemon"
	"seismo/signals"
)

const listsUsage = "folder of the named lists; default: lists/ in or beside the folder of the definitions, else HOME/lists"

// signalSource says which signals, lists and overrides a verb works with.
type signalSource struct {
	signals   string // as --signals: a signals.bin, or definitions; empty: the default
	lists     string // as --lists: a folder; empty: the default
	overrides string // the file of them; empty: none
	// keepGoing asks for the definitions that nothing is wrong in, where some are.
	keepGoing bool
	// key is set where only a signals.bin that was signed with it will do.
	key ed25519.PublicKey
}

// listsDir returns the folder that the lists are looked for in. paths are those of
// the definitions, or of a signals.bin.
func listsDir(cmd *cobra.Command, flag string, paths ...string) string {
	places := listsPlaces(cmd, flag, paths...)
	for _, dir := range places {
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			return dir
		}
	}
	return places[len(places)-1]
}

// listsPlaces returns the folders that may have the lists, the first that is there
// counts.
func listsPlaces(cmd *cobra.Command, flag string, paths ...string) []string {
	if flag != "" {
		return []string{flag}
	}
	var places []string
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil || !info.IsDir() && !isDefinition(path) {
			continue
		}
		if info.IsDir() {
			places = append(places, filepath.Join(path, "lists"))
		}
		places = append(places, filepath.Join(filepath.Dir(filepath.Clean(path)), "lists"))
	}
	return append(places, pathsOf(cmd).Lists)
}

// load reads the signals with what stands beside them.
func (s signalSource) load(cmd *cobra.Command) (*daemon.Signals, error) {
	if s.key != nil {
		base, from, err := loadOnlySigned(cmd, s.signals, s.key)
		if err != nil {
			return nil, err
		}
		return s.complete(cmd, base, from)
	}
	base, from, err := s.program(cmd)
	if err != nil {
		return nil, err
	}
	return s.complete(cmd, base, from)
}

// complete gives base, which was read from what from names, its lists and overrides.
func (s signalSource) complete(cmd *cobra.Command, base *engine.Program, from string) (*daemon.Signals, error) {
	return s.completeFrom(cmd, base, from, listsDir(cmd, s.lists, s.signals))
}

// completeFrom is complete with the lists of dir.
func (s signalSource) completeFrom(cmd *cobra.Command, base *engine.Program, from, dir string) (*daemon.Signals, error) {
	if s.lists != "" {
		if info, err := os.Stat(s.lists); err != nil || !info.IsDir() {
			return nil, fail(exitUsage, "--lists %s: no folder is there", s.lists)
		}
	}
	lists, err := namedlist.Load(dir)
	if err != nil {
		return nil, err
	}
	var overrides []signals.Override
	if s.overrides != "" {
		if overrides, err = signals.LoadOverrides(s.overrides); err != nil {
			return nil, err
		}
	}
	all := &daemon.Signals{Program: base.With(engine.Options{Lists: lists, Overrides: overrides}), Written: base.Definitions(),
		Source: from, Overrides: overrides}
	for _, m := range all.Program.MissingLists() {
		all.Missing = append(all.Missing, daemon.MissingList{Signal: int(m.Signal), List: m.List, Place: filepath.Join(dir, m.List+".txt")})
	}
	return all, nil
}

// files returns what the signals are read from.
func (s signalSource) files(cmd *cobra.Command) []string {
	path := s.signals
	if path == "" {
		path = pathsOf(cmd).Signals
	}
	files := append([]string{path}, listsPlaces(cmd, s.lists, s.signals)...)
	if s.overrides != "" {
		files = append(files, s.overrides)
	}
	return files
}

// warnMissing names on standard error the lists that are not there.
func warnMissing(cmd *cobra.Command, s *daemon.Signals) {
	for _, m := range s.Missing {
		fmt.Fprintf(cmd.ErrOrStderr(), "seismo: warning: signal %q: %s\n", display.Text(s.Written[m.Signal].Name), display.Text(m.String()))
	}
}

// loadWithLists reads the signals that path asks for with their lists, and names
// those that are missing.
func loadWithLists(cmd *cobra.Command, s signalSource) (*engine.Program, error) {
	all, err := s.load(cmd)
	if err != nil {
		return nil, err
	}
	warnMissing(cmd, all)
	return all.Program, nil
}

// warnOfLists names the lists that are missing for p, whose definitions were read
// from paths; lists is the folder that was asked for.
func warnOfLists(cmd *cobra.Command, lists string, paths []string, p *engine.Program) error {
	all, err := signalSource{lists: lists}.completeFrom(cmd, p, "", listsDir(cmd, lists, paths...))
	if err != nil {
		return err
	}
	warnMissing(cmd, all)
	return nil
}
