// SPDX-License-Identifier: Apache-2.0

// This file reads definitions for every verb that takes some: our own, Sigma files
// beside them, and the lists that stand for placeholders in those.

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"seismo/internal/namedlist"
	"seismo/rules"
	"seismo/signals"
	"seismo/signals/sigma"
)

// readOptions says how the definitions at paths are read; lists is the folder of lists
// that was asked for.
func readOptions(cmd *cobra.Command, lists string, paths ...string) signals.Options {
	return signals.Options{
		Languages:   []signals.Language{sigma.Language{}},
		Placeholder: placeholders(listsDir(cmd, lists, paths...)),
	}
}

// maxPlaceholder is the number of values of a list that may stand for a placeholder:
// they become a part of the signals.
const maxPlaceholder = 10_000

// placeholders returns the values of the lists in dir: %Name% stands for those of
// name.txt. Each list is read once.
func placeholders(dir string) func(name string) ([]string, error) {
	type result struct {
		values []string
		err    error
	}
	var mu sync.Mutex
	known := map[string]result{}
	return func(name string) ([]string, error) {
		mu.Lock()
		defer mu.Unlock()
		name = strings.ToLower(name)
		r, ok := known[name]
		if !ok {
			r.values, r.err = listValues(dir, name)
			known[name] = r
		}
		return r.values, r.err
	}
}

// listValues reads the values of the list called name, in their order.
func listValues(dir, name string) ([]string, error) {
	if !namedlist.ValidName(name) {
		return nil, errors.New("its values would be in a list of that name, and lists are called by a-z, 0-9, - and _")
	}
	path := filepath.Join(dir, name+".txt")
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("its values, one a line, belong into %s, which is not there (--lists names another folder)", path)
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular(): // opening a pipe waits for a writer
		return nil, fmt.Errorf("its values would be in %s, which is no regular file", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	list, err := namedlist.Read(name, file)
	if err != nil {
		return nil, err
	}
	if list.Len() > maxPlaceholder {
		return nil, fmt.Errorf("%s has %d values, at most %d can stand for a placeholder", path, list.Len(), maxPlaceholder)
	}
	return list.AppendValues(nil, true), nil
}

// loadInput reads the definitions at paths, or the shipped ones where none are given.
// The error is that of [signals.LoadWith]; what was read is there with it.
func loadInput(cmd *cobra.Command, lists string, paths []string) (signals.Input, error) {
	return loadInputWith(readOptions(cmd, lists, paths...), paths)
}

func loadInputWith(o signals.Options, paths []string) (signals.Input, error) {
	var loaded *signals.Loaded
	var err error
	if len(paths) == 0 {
		loaded, err = signals.LoadFSWith(rules.FS, o)
	} else {
		loaded, err = signals.LoadWith(paths, o)
	}
	return signals.Input{Definitions: loaded.Definitions, Filters: loaded.Filters, Refused: loaded.Refused}, err
}

// loadDefinitions reads the definitions at paths, or the shipped ones where none are
// given, without those that say of themselves that they can not be used, for verbs that
// only look at what they say of themselves.
func loadDefinitions(cmd *cobra.Command, paths []string) ([]signals.Definition, error) {
	in, err := loadInput(cmd, "", paths)
	if err == nil {
		in, _, _ = signals.Selection{}.Apply(in)
	}
	return in.Definitions, err
}
