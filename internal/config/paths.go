// SPDX-License-Identifier: Apache-2.0

// This file says where the files of a recorder are.

package config

import (
	"path/filepath"
	"runtime"
)

// Paths are the files of one recorder.
type Paths struct {
	Settings  string // recorder.json
	Overrides string // overrides.yml: what this host makes of signals
	Lists     string // folder of the named lists
	Signals   string // signals.bin
	Database  string // monitor.db
	State     string // process_state.bin: what signals remember of processes that run
	Images    string // image_state.bin: hashes of files that were read
	Undo      string // audit_undo.json
	Lock      string // held while a recorder runs
}

// PathsAt returns the files of the recorder at home. With a home folder all are
// in it; without one (an empty home) they are where the system keeps such files:
// on Linux in /etc/seismo, /var/lib/seismo and /run/seismo.
func PathsAt(home string) Paths {
	settings, state, run := home, home, home
	if home == "" {
		switch runtime.GOOS {
		case "windows":
			settings = `C:\ProgramData\seismo`
			state, run = settings, settings
		case "darwin":
			settings = "/Library/Application Support/seismo"
			state, run = settings, settings
		default:
			settings, state, run = "/etc/seismo", "/var/lib/seismo", "/run/seismo"
		}
	}
	return Paths{
		Settings:  filepath.Join(settings, "recorder.json"),
		Overrides: filepath.Join(settings, "overrides.yml"),
		Lists:     filepath.Join(settings, "lists"),
		Signals:   filepath.Join(state, "signals.bin"),
		Database:  filepath.Join(state, "monitor.db"),
		State:     filepath.Join(state, "process_state.bin"),
		Images:    filepath.Join(state, "image_state.bin"),
		Undo:      filepath.Join(state, "audit_undo.json"),
		Lock:      filepath.Join(run, "seismo.lock"),
	}
}

// Folders returns the folders that a recorder writes to, each once.
func (p Paths) Folders() []string {
	state, run := filepath.Dir(p.Database), filepath.Dir(p.Lock)
	if state == run {
		return []string{state}
	}
	return []string{state, run}
}
