// SPDX-License-Identifier: Apache-2.0

// This file works out what would be recorded on this host with some signals, and which
// of them can not fire here: "seismo compile --for-this-host" and "seismo doctor".

package main

import (
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"seismo/engine"
	"seismo/internal/config"
	"seismo/internal/display"
	"seismo/internal/event"
	"seismo/sources/audit"
)

// hostPlan is what is asked of this host's kernel for some signals.
type hostPlan struct {
	config   config.Config
	program  *engine.Program
	plan     audit.Plan
	warnings []string
	// patterns are sentences on what signals name in a way that can not be asked for.
	patterns []string
}

// planFor plans for p as the settings of cmd's home say. It changes nothing.
func planFor(cmd *cobra.Command, p *engine.Program) (*hostPlan, error) {
	paths := pathsOf(cmd)
	c, err := config.Load(paths.Settings)
	if err != nil {
		return nil, err
	}
	h := &hostPlan{config: c, program: p}
	if c.LeaveRules {
		return h, h.planOfOthers()
	}
	o := audit.HostOptions{Roots: c.FileRoots, Exclude: []string{realFolder(paths.Database)},
		Monitor: audit.Monitor{Files: c.MonitorFiles, Network: c.MonitorNetwork, Security: c.MonitorSecurity, Syscalls: c.MonitorSyscalls}}
	h.gather(&o)
	h.plan, h.warnings, err = audit.PlanHost(o)
	return h, err
}

// planOfOthers takes the rules in force for the plan: the settings say to leave them.
func (h *hostPlan) planOfOthers() error {
	f, err := audit.ReadInForce()
	if err != nil {
		return fmt.Errorf("auditRules is leave: what the rules in force see: %w", err)
	}
	h.plan.Sees = f.Sees
	return nil
}

// realFolder returns the folder of a file without symbolic links, where that is there.
func realFolder(file string) string {
	dir, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return "/"
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		return real
	}
	return dir
}

// gather tells o what each signal asks for.
func (h *hostPlan) gather(o *audit.HostOptions) {
	disabled := h.program.Disabled()
	add := func(to *[]audit.Wanted, names []string, by string) {
		for _, n := range names {
			*to = append(*to, audit.Wanted{Name: n, By: []string{by}})
		}
	}
	for i, d := range h.program.Definitions() {
		if slices.Contains(disabled, uint32(i)) || !h.program.IsFor(i, thisPlatform()) {
			continue
		}
		need := h.program.DemandOf(i)
		if h.config.WatchSignalPaths {
			add(&o.Paths, need.Paths, d.Name)
		}
		add(&o.Calls, need.Calls, d.Name)
		add(&o.Records, need.Records, d.Name)
		h.patterns = append(h.patterns, need.Unmet...)
	}
}

// reach is what is seen on this host.
func (h *hostPlan) reach() engine.Reach {
	sees, c := h.plan.Sees, h.config
	kinds := sees.Kinds
	for k, on := range map[event.Kind]bool{event.KindDNS: c.MonitorDNS, event.KindImage: c.MonitorImageLoad, event.KindSecurity: true} { // of security is recorded what a signal asks for
		if kinds &^= event.SetOf(k); on {
			kinds |= event.SetOf(k)
		}
	}
	logged := c.Source == "plugin" || strings.HasPrefix(c.Source, "log:")
	path := func(p string) bool { return sees.HasPath(p) || sees.HasPath(throughLinks(p)) }
	return engine.Reach{Kinds: kinds, Path: path,
		Call:   func(name string) bool { return sees.HasCall(runtime.GOARCH, name) },
		Record: func(name string) bool { return sees.HasRecord(runtime.GOARCH, name, logged) }}
}

// throughLinks returns p with the folder that it is in as the file system has it: that is
// what is watched.
func throughLinks(p string) string {
	if dir, err := filepath.EvalSymlinks(filepath.Dir(p)); err == nil {
		return filepath.Join(dir, filepath.Base(p))
	}
	return p
}

// mute is a signal that can not fire on this host.
type mute struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Reasons []string `json:"reasons"`
	system  string   // that it is for, if that is the reason
}

// mutes returns the signals that can not fire on this host.
func (h *hostPlan) mutes() []mute {
	list := []mute{}
	reach := h.reach()
	for i, d := range h.program.Definitions() {
		why, of := h.program.CannotFire(i, reach), ""
		if !h.program.IsFor(i, thisPlatform()) {
			of = strings.Join(d.Platforms, ", ")
			if l, alone := h.program.Log(i); alone && l.Product != "" {
				of = l.Product
			}
			why = []string{"it is for events of " + of}
		}
		if why != nil {
			list = append(list, mute{d.ID, d.Name, why, of})
		}
	}
	return list
}

// thisPlatform is what definitions call this system.
func thisPlatform() string {
	if runtime.GOOS == "darwin" {
		return "macos"
	}
	return runtime.GOOS
}

// maxForeign is how many signals for another system are named: a collection of rules
// has thousands, between which those that a person can do something about are lost.
const maxForeign = 10

// sayMutes lists the signals that can not fire.
func sayMutes(w io.Writer, list []mute, of int) {
	foreign := map[string]int{}
	for _, m := range list {
		foreign[m.system]++
	}
	for _, system := range slices.Sorted(maps.Keys(foreign)) {
		if n := foreign[system]; system != "" && n > maxForeign {
			fmt.Fprintf(w, "seismo: %d signals are for events of %s (--json names them)\n", n, display.Text(system))
		}
	}
	for _, m := range list {
		if m.system != "" && foreign[m.system] > maxForeign {
			continue
		}
		fmt.Fprintf(w, "seismo: signal %q can not fire on this host: %s\n", display.Text(m.Name), display.Text(strings.Join(m.Reasons, "; ")))
	}
	if len(list) == 0 {
		fmt.Fprintln(w, "seismo: nothing keeps the signals from firing on this host, as far as can be known")
		return
	}
	fmt.Fprintf(w, "seismo: %d of %s can not fire on this host\n", len(list), count(of, "signal"))
}

// forThisHost returns the signals of p, which was compiled from paths, that can not fire
// on this host; nil if nobody asks.
func (f *compileFlags) forThisHost(cmd *cobra.Command, p *engine.Program, paths []string) ([]mute, error) {
	if !f.host {
		return nil, nil
	}
	source := signalSource{lists: f.lists, overrides: pathsOf(cmd).Overrides}
	if len(paths) > 0 {
		source.signals = paths[0]
	}
	all, err := source.complete(cmd, p, "")
	if err != nil {
		return nil, err
	}
	h, err := planFor(cmd, all.Program)
	if err != nil {
		return nil, err
	}
	return h.mutes(), nil
}
