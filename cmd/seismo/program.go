// SPDX-License-Identifier: Apache-2.0

// This file finds the signals that a verb works with: a compiled signals.bin,
// definitions that are compiled on the spot, or those that ship with seismo.

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"seismo/engine"
	"seismo/internal/config"
	"seismo/signals"
)

const signalsUsage = "signals to use: a signals.bin, or definitions (a .yml or signals.json file, or a folder of them); default: HOME/signals.bin, else the shipped signals"

// pathsOf returns the files of the recorder that --home or SEISMO_HOME names, or
// of the system's.
func pathsOf(cmd *cobra.Command) config.Paths {
	home, _ := cmd.Flags().GetString("home")
	return config.PathsAt(home)
}

// program returns the program that s asks for, and what it came from.
func (s signalSource) program(cmd *cobra.Command) (*engine.Program, string, error) {
	path := s.signals
	if path == "" {
		bin := pathsOf(cmd).Signals
		if _, err := os.Stat(bin); err == nil {
			path = bin
		} else if errors.Is(err, fs.ErrPermission) {
			fmt.Fprintf(cmd.ErrOrStderr(), "seismo: %s can not be read: the shipped signals are used (--signals names others)\n", bin)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, "", err
		}
	}
	if path == "" {
		p, err := s.build(cmd)
		return p, "the shipped signals", err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, "", fmt.Errorf("signals: %w", err)
	}
	if info.IsDir() || isDefinition(path) {
		p, err := s.build(cmd, path)
		return p, path, err
	}
	key, err := configuredKey(cmd)
	if err != nil {
		return nil, "", err
	}
	p, err := loadSigned(path, key)
	return p, path, err
}

func isDefinition(path string) bool {
	ext := strings.ToLower(filepath.Ext(path))
	return ext == ".yml" || ext == ".yaml" || ext == ".json"
}

func build(defs []signals.Definition) (*engine.Program, error) {
	return buildInput(signals.Input{Definitions: defs})
}

func buildInput(in signals.Input) (*engine.Program, error) {
	set, err := signals.LowerInput(in)
	if err != nil {
		return nil, err
	}
	p, err := engine.Build(set)
	if err != nil { // signals that are right one by one, but too many
		return nil, &failure{exitBroken, err}
	}
	return p, nil
}
