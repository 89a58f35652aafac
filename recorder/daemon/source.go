// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"path/filepath"

	"seismo/recorder"
	"seismo/sources/audit"
)

// openSource takes the kernel's audit records.
func openSource(l *life) (recorder.Source, error) {
	home, err := filepath.Abs(filepath.Dir(l.Paths.Database))
	if err != nil {
		return nil, err
	}
	if real, err := filepath.EvalSymlinks(home); err == nil {
		home = real // the kernel reports the real path
	}
	k, err := audit.OpenKernel(audit.KernelOptions{
		UndoPath:    l.Paths.Undo,
		Roots:       l.Config.FileRoots,
		Exclude:     []string{home},
		WatchDemand: l.Config.WatchSignalPaths,
		Decode:      audit.DecodeOptions{Demand: l.signals.Program.Demand(), SocketsSilent: true},
		BatchEvents: l.Config.NewEventLimit,
	})
	if err != nil {
		return nil, err
	}
	for _, w := range k.Warnings() {
		l.warned[w] = true
		l.Log.Warn().Msg(w)
	}
	return k, nil
}
