// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"path/filepath"
	"strings"

	"seismo/internal/event"
	"seismo/recorder"
	"seismo/sources/audit"
)

// openSource takes the kernel's audit records by the way that the settings name. last
// is how far the recording before this one is stored. counts says that the source tells
// itself how much was missed since.
func openSource(l *life, last event.Position) (src recorder.Source, counts bool, err error) {
	home, err := filepath.Abs(filepath.Dir(l.Paths.Database))
	if err != nil {
		return nil, false, err
	}
	if real, err := filepath.EvalSymlinks(home); err == nil {
		home = real // the kernel reports the real path
	}
	way, feed, err := openWay(l.Config.Source, last)
	if err != nil {
		return nil, false, err
	}
	k, err := audit.OpenKernel(audit.KernelOptions{
		UndoPath:        l.Paths.Undo,
		Way:             way,
		Feed:            feed,
		LeaveRules:      l.Config.LeaveRules,
		ExcludeChildren: true,
		Last:            last,
		Monitor: &audit.Monitor{Files: l.Config.MonitorFiles, Network: l.Config.MonitorNetwork,
			Security: l.Config.MonitorSecurity, Syscalls: l.Config.MonitorSyscalls},
		Roots:       l.Config.FileRoots,
		Exclude:     []string{home},
		WatchDemand: l.Config.WatchSignalPaths,
		Decode:      audit.DecodeOptions{Demand: l.signals.Program.DemandOn(platform), SocketsSilent: true, SecuritySilent: !l.Config.MonitorSecurity, ProgramFiles: l.hashes != nil},
		BatchEvents: l.Config.NewEventLimit,
	})
	if err != nil {
		return nil, false, err
	}
	for _, w := range k.Warnings() {
		l.warned[w] = true
		l.Log.Warn().Msg(w)
	}
	s := k.State()
	l.Log.Info().Str("source", string(s.Way)).Str("reason", s.Reason).Int("rules", len(s.Rules)).Msg("audit records are taken")
	return k, last.Killed && k.Continued(), nil
}

// onlyReads reports whether what is recorded is read from auditd, which needs no right to
// ask or change the audit system.
func onlyReads(o *Options) bool {
	return o.Config.LeaveRules && (o.Config.Source == string(audit.WayPlugin) || strings.HasPrefix(o.Config.Source, "log:"))
}

// openWay returns the way that the setting source names, and opens what is not the
// kernel's.
func openWay(source string, last event.Position) (audit.Way, *audit.Feed, error) {
	path, isLog := strings.CutPrefix(source, "log:")
	switch {
	case isLog:
		feed, err := followLog(path, last)
		return audit.WayLog, feed, err
	case source == string(audit.WayPlugin):
		feed, err := openPlugin()
		return audit.WayPlugin, feed, err
	}
	return audit.Way(source), nil, nil
}

// noticer is a source that tells what a person should hear of.
type noticer interface{ Notices() []audit.Notice }

// tellSource says what the source has to tell.
func (l *life) tellSource() {
	src, ok := l.source.(noticer)
	if !ok {
		return
	}
	for _, n := range src.Notices() {
		if n.Warning {
			l.Log.Warn().Time("at", n.Time).Msg(n.Text)
		} else {
			l.Log.Info().Time("at", n.Time).Msg(n.Text)
		}
	}
}
