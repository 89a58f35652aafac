// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"seismo/internal/display"
	"seismo/recorder/daemon"
	"seismo/signals"
)

func newSignals() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "signals",
		Short: "List, show, enable, disable, count, export and sign signals",
		Args:  knownVerb,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.SuggestionsMinimumDistance = 2
	var path string
	var asJSON bool
	list := &cobra.Command{
		Use:   "list",
		Short: "List the signals in use",
		Long: `List the signals in use. STATE is on, off (see "seismo signals disable") or silent: not
reported by itself, since only correlations are to see its matches.`,
		Example: "  seismo signals list\n  seismo signals list --json --signals my-signals",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return listSignals(cmd, path, asJSON) },
	}
	show := &cobra.Command{
		Use:     "show NAME|ID",
		Short:   "Show one signal in full",
		Example: "  seismo signals show \"Cron persistence\"",
		Args:    exactArgs(1, "the name or id of a signal"),
		RunE:    func(cmd *cobra.Command, args []string) error { return showSignal(cmd, path, args[0], asJSON) },
	}
	for _, c := range []*cobra.Command{list, show} {
		c.Flags().StringVar(&path, "signals", "", signalsUsage)
		c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a signal")
		cmd.AddCommand(c)
	}
	cmd.AddCommand(newOverrides()...)
	cmd.AddCommand(newCoverage(), newExport())
	cmd.AddCommand(newSigning()...)
	return cmd
}

// inUse returns the signals at path as the overrides of the host leave them.
func inUse(cmd *cobra.Command, path string) (*daemon.Signals, error) {
	return signalSource{signals: path, overrides: pathsOf(cmd).Overrides}.load(cmd)
}

// shown is a signal as it is shown.
type shown struct {
	*signals.Definition // severity as overridden
	written             signals.Severity
	override            *signals.Override
	silent, correlation bool // see engine.Program
}

// allShown returns the signals of s with their overrides.
func allShown(s *daemon.Signals) []shown {
	byID := map[string]*signals.Override{}
	for i := range s.Overrides {
		byID[s.Overrides[i].ID] = &s.Overrides[i]
	}
	all := make([]shown, len(s.Written))
	for i := range all {
		all[i] = shown{&s.Program.Definitions()[i], s.Written[i].Severity, byID[s.Written[i].ID],
			s.Program.Silent(uint32(i)), s.Program.IsCorrelation(uint32(i))}
	}
	return all
}

// enabled reports whether the signal is asked about events at all.
func (s *shown) enabled() bool { return s.override == nil || !s.override.Disabled }

// state says whether the signal is on, and then whether it is reported: one that is
// silent is seen by correlations alone.
func (s *shown) state() string {
	switch {
	case !s.enabled():
		return "off"
	case s.silent:
		return "silent"
	}
	return "on"
}

// logs says which logs the signal is for.
func (s *shown) logs() string {
	if s.correlation {
		return "correlation"
	}
	return logsourceText(s.Logsource)
}

func listSignals(cmd *cobra.Command, path string, asJSON bool) error {
	all, err := inUse(cmd, path)
	if err != nil {
		return err
	}
	warnMissing(cmd, all)
	if asJSON {
		return definitionsJSON(cmd.OutOrStdout(), allShown(all))
	}
	var table bytes.Buffer
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SEVERITY\tSTATE\tSTATUS\tTECHNIQUES\tNAME\tID\tLANGUAGE\tLOGSOURCE")
	for _, d := range allShown(all) { // of a signals.bin that anybody may have made
		cells := []string{d.Severity.String(), d.state(), d.Status, strings.Join(d.Techniques, " "), d.Name, d.ID, d.language(), d.logs()}
		for i := range cells {
			cells[i] = display.Text(cells[i])
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	w.Flush()
	for line := range bytes.Lines(table.Bytes()) { // an empty last cell leaves blanks
		if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s\n", bytes.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

// logsourceText says which logs a signal is for, as in windows/process_creation; * stands
// for a word that it does not ask for.
func logsourceText(l signals.Logsource) string {
	if l == (signals.Logsource{}) {
		return ""
	}
	words := []string{l.Product, l.Category}
	if l.Service != "" {
		words = append(words, l.Service)
	}
	for i := range words {
		if words[i] == "" {
			words[i] = "*"
		}
	}
	return strings.Join(words, "/")
}

// showSignal shows every signal that has the name or the id, or whose id alone begins
// with what is given.
func showSignal(cmd *cobra.Command, path, name string, asJSON bool) error {
	all, err := inUse(cmd, path)
	if err != nil {
		return err
	}
	var found []shown
	list := allShown(all)
	for _, d := range list {
		if strings.EqualFold(d.ID, name) || strings.EqualFold(d.Name, name) {
			found = append(found, d)
		}
	}
	if len(found) == 0 {
		i, err := findSignal(all.Program, name, all.Source)
		if err != nil {
			return err
		}
		found = list[i : i+1]
	}
	if asJSON {
		return definitionsJSON(cmd.OutOrStdout(), found)
	}
	for _, d := range found {
		showDefinition(cmd.OutOrStdout(), d)
	}
	return nil
}

func showDefinition(w io.Writer, d shown) {
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%-16s%s\n", name, display.Text(value))
		}
	}
	line("name", d.Name)
	line("id", d.ID)
	line("revision", d.Revision)
	line("severity", d.Severity.String())
	if o := d.override; o != nil {
		if o.Severity != nil {
			line("defined as", d.written.String())
		}
		line("state", d.state())
		line("reason", o.Reason)
	}
	line("status", d.Status)
	line("language", d.language())
	line("logsource", d.logs())
	if d.silent {
		line("reported", "no: only correlations see its matches")
	}
	line("called", d.RuleName)
	line("techniques", strings.Join(d.Techniques, " "))
	line("platforms", strings.Join(d.Platforms, " "))
	line("author", d.Author)
	line("labels", strings.Join(d.Labels, " "))
	line("description", strings.Join(strings.Fields(d.Description), " "))
	for _, s := range d.FalsePositives {
		line("falsepositive", s)
	}
	line("response", strings.Join(strings.Fields(d.Response), " "))
	for _, s := range d.References {
		line("reference", s)
	}
	expression := func(key, text string) {
		fmt.Fprintln(w, key)
		for _, s := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
			fmt.Fprintf(w, "    %s\n", display.Text(s))
		}
	}
	for _, s := range d.Suppress {
		expression("suppress", s)
	}
	expression(d.language(), d.Text)
	for _, s := range d.Filters {
		expression("filter", s)
	}
}

// language returns the language of the signal, which is the key that its expression
// stands under.
func (s *shown) language() string {
	if s.Language == "" {
		return signals.LanguageSignal
	}
	return s.Language
}

func definitionsJSON(w io.Writer, list []shown) error {
	type override struct {
		Severity string `json:"defined_severity,omitempty"`
		Reason   string `json:"reason,omitempty"`
	}
	type logsource struct {
		Product  string `json:"product,omitempty"`
		Category string `json:"category,omitempty"`
		Service  string `json:"service,omitempty"`
	}
	type line struct {
		ID             string    `json:"id"`
		Name           string    `json:"name"`
		Revision       string    `json:"revision"`
		Description    string    `json:"description,omitempty"`
		Severity       string    `json:"severity"`
		Enabled        bool      `json:"enabled"`
		Silent         bool      `json:"silent,omitempty"`
		Correlation    bool      `json:"correlation,omitempty"`
		Override       *override `json:"override,omitempty"`
		Status         string    `json:"status,omitempty"`
		Techniques     []string  `json:"techniques,omitempty"`
		Platforms      []string  `json:"platforms,omitempty"`
		Author         string    `json:"author,omitempty"`
		References     []string  `json:"references,omitempty"`
		FalsePositives []string  `json:"falsepositives,omitempty"`
		Response       string    `json:"response,omitempty"`
		Labels         []string  `json:"labels,omitempty"`
		Suppress       []string  `json:"suppress,omitempty"`
		Language       string    `json:"language"`
		Signal         string    `json:"signal,omitempty"`
		CEL            string    `json:"cel,omitempty"`
		Sigma          string    `json:"sigma,omitempty"`
		RuleName       string    `json:"rule_name,omitempty"`
		Logsource      logsource `json:"logsource,omitzero"`
		Filters        []string  `json:"filters,omitempty"`
	}
	for _, d := range list {
		l := line{ID: d.ID, Name: d.Name, Revision: d.Revision, Description: d.Description, Severity: d.Severity.String(),
			Enabled: d.enabled(), Silent: d.silent, Correlation: d.correlation, Status: d.Status, Techniques: d.Techniques, Platforms: d.Platforms, Author: d.Author,
			References: d.References, FalsePositives: d.FalsePositives, Response: d.Response, Labels: d.Labels, Suppress: d.Suppress,
			Language: d.language(), RuleName: d.RuleName, Logsource: logsource(d.Logsource), Filters: d.Filters}
		switch d.language() {
		case signals.LanguageCEL:
			l.CEL = d.Text
		case signals.LanguageSigma:
			l.Sigma = d.Text
		default:
			l.Signal = d.Text
		}
		if o := d.override; o != nil {
			l.Override = &override{Reason: o.Reason}
			if o.Severity != nil {
				l.Override.Severity = d.written.String()
			}
		}
		if err := display.WriteJSON(w, l); err != nil {
			return err
		}
	}
	return nil
}
