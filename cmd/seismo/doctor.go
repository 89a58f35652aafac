// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"seismo/internal/config"
	"seismo/internal/display"
	"seismo/recorder/daemon"
	"seismo/sources/audit"
)

func newDoctor() *cobra.Command {
	var rules, asJSON bool
	var signalsPath string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what stands in the way of recording this host, and what to do",
		Long: `Look at the audit system of this host and at what a recorder needs: who has the audit
role and who else listens, whether the configuration is locked, rules of others that
blind, processes that are not audited, limits that are not the recorder's to set, missing
capabilities, and what a recorder left that was killed. Each finding comes with the next
step. The exit code is 1 with findings, 0 without. Nothing is changed.

--rules prints each audit rule that would be loaded for the settings and signals, with
the reason; then what signals ask for and can not have; then how the rules in force
differ. Without privilege only the last part is missing. With auditRules leave nothing is
planned: then signals that the rules in force do not serve are listed (needs privilege).`,
		Example: "  sudo seismo doctor\n  seismo doctor --rules --home ./var\n  seismo doctor --json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if rules {
				return doctorRules(cmd, signalsPath, asJSON)
			}
			return doctor(cmd, asJSON)
		},
	}
	cmd.Flags().BoolVar(&rules, "rules", false, "print each rule that would be loaded, and why")
	cmd.Flags().StringVar(&signalsPath, "signals", "", signalsUsage+" (with --rules)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object")
	return cmd
}

// doctor prints the findings.
func doctor(cmd *cobra.Command, asJSON bool) error {
	paths := pathsOf(cmd)
	c, err := config.Load(paths.Settings)
	if err != nil {
		return err
	}
	undo := daemon.UndoInForce(paths.Undo)
	in := audit.Inspect(audit.InspectOptions{UndoPath: undo, LeaveRules: c.LeaveRules})
	if undo != paths.Undo {
		in.Facts = append(in.Facts, fmt.Sprintf("the audit configuration was changed by a recorder of another home folder: %s", filepath.Dir(undo)))
	}
	if err := daemon.CanHash(); err != nil && len(c.Hashes) > 0 {
		in.Findings = append(in.Findings, audit.Finding{What: "programs are not hashed: " + err.Error(),
			Next: "use such a build, or set hashes to [] in recorder.json"})
	}
	for _, dir := range paths.Folders() {
		if err := daemon.CheckFolder(dir); errors.Is(err, daemon.ErrFolder) {
			in.Findings = append(in.Findings, audit.Finding{What: "no recorder starts here: " + err.Error(),
				Next: "chown root " + dir + "; chmod go-w " + dir})
		}
	}
	out := cmd.OutOrStdout()
	if asJSON {
		err = display.WriteJSON(out, inspectionJSON(in))
	} else {
		err = writeInspection(out, in)
	}
	if err == nil && len(in.Findings) > 0 {
		err = errFindings
	}
	return err
}

func inspectionJSON(in audit.Inspection) map[string]any {
	findings := []map[string]string{}
	for _, f := range in.Findings {
		findings = append(findings, map[string]string{"finding": f.What, "next": f.Next})
	}
	out := map[string]any{"facts": append([]string{}, in.Facts...), "findings": findings}
	if in.Denied != nil {
		out["not_asked"] = in.Denied.Error()
	}
	return out
}

func writeInspection(w io.Writer, in audit.Inspection) error {
	var b strings.Builder
	for _, f := range in.Facts {
		fmt.Fprintf(&b, "ok: %s\n", display.Text(f))
	}
	switch {
	case errors.Is(in.Denied, audit.ErrPrivilege): // findings say which
		b.WriteString("not known: how the kernel is set up; it can not be asked without privilege\n")
	case in.Denied != nil:
		fmt.Fprintf(&b, "not known: the kernel was not asked: %s\n", display.Text(in.Denied.Error()))
	}
	for _, f := range in.Findings {
		fmt.Fprintf(&b, "finding: %s\n    next: %s\n", display.Text(f.What), display.Text(f.Next))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// doctorRules prints what would be asked of the kernel.
func doctorRules(cmd *cobra.Command, signalsPath string, asJSON bool) error {
	paths := pathsOf(cmd)
	c, err := config.Load(paths.Settings)
	if err != nil {
		return err
	}
	key, err := keyOf(c, paths.Settings)
	if err != nil {
		return err
	}
	all, err := signalSource{signals: signalsPath, overrides: paths.Overrides, key: key}.load(cmd)
	if err != nil {
		return err
	}
	h, err := planFor(cmd, all.Program)
	if err != nil {
		return err
	}
	r, err := h.compare()
	if err != nil {
		return err
	}
	if asJSON {
		return display.WriteJSON(cmd.OutOrStdout(), r)
	}
	return r.write(cmd.OutOrStdout())
}

// rulesReport is what "doctor --rules" tells.
type rulesReport struct {
	Leave   bool         `json:"rules_are_left"` // auditRules is leave: nothing is planned
	Rules   []ruleReport `json:"rules"`          // that would be loaded, in order
	Unmet   []string     `json:"unmet"`          // what is wanted and can not be had
	Asked   bool         `json:"kernel_asked"`   // what follows is known
	Denied  string       `json:"not_asked,omitempty"`
	Missing []string     `json:"not_in_force"` // of Rules
	Surplus []string     `json:"not_planned"`  // in force
}

type ruleReport struct {
	Rule string   `json:"rule"`
	Why  []string `json:"why"`
}

// compare compares what is planned with what the kernel has.
func (h *hostPlan) compare() (rulesReport, error) {
	r := rulesReport{Leave: h.config.LeaveRules, Rules: []ruleReport{}, Missing: []string{}, Surplus: []string{},
		Unmet: append(append([]string{}, h.warnings...), h.patterns...)}
	for _, rule := range h.plan.Rules {
		r.Rules = append(r.Rules, ruleReport{rule.String(), rule.Why})
	}
	for _, u := range h.plan.Unmet {
		r.Unmet = append(r.Unmet, u.String())
	}
	if r.Leave { // nothing is planned, so nothing is refused
		for _, m := range h.mutes() {
			r.Unmet = append(r.Unmet, fmt.Sprintf("signal %q can not fire: %s", m.Name, strings.Join(m.Reasons, "; ")))
		}
	}
	f, err := audit.ReadInForce()
	if err != nil {
		r.Denied = err.Error()
		return r, nil
	}
	r.Asked = true
	missing, err := f.Missing(h.plan)
	if err != nil {
		return r, err
	}
	for _, rule := range missing {
		r.Missing = append(r.Missing, rule.String())
	}
	surplus, err := f.Surplus(h.plan)
	for _, rule := range surplus {
		r.Surplus = append(r.Surplus, rule.Text)
	}
	return r, err
}

func (r *rulesReport) write(w io.Writer) error {
	var b strings.Builder
	list := func(title string, lines []string) {
		fmt.Fprintf(&b, "%s: %d\n", title, len(lines))
		for _, l := range lines {
			fmt.Fprintf(&b, "  %s\n", display.Text(l))
		}
	}
	if r.Leave {
		b.WriteString("auditRules is leave: the rules in force are used, none is planned\n")
	} else {
		fmt.Fprintf(&b, "rules that would be loaded: %d\n", len(r.Rules))
		for _, rule := range r.Rules {
			fmt.Fprintf(&b, "  %s\n      for %s\n", display.Text(rule.Rule), display.Text(strings.Join(rule.Why, ", ")))
		}
	}
	list("wanted and not to be had", r.Unmet)
	if !r.Asked {
		fmt.Fprintf(&b, "what is in force is not known: %s\n", display.Text(r.Denied))
	} else {
		switch {
		case r.Leave:
		case len(r.Missing) == len(r.Rules):
			b.WriteString("none of them is in force\n")
		default:
			list("planned and not in force", r.Missing)
		}
		list("in force and not planned", r.Surplus)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
