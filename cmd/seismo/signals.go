// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"seismo/internal/display"
	"seismo/signals"
)

func newSignals() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "signals",
		Short: "List and show signals",
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var path string
	var asJSON bool
	list := &cobra.Command{
		Use:     "list",
		Short:   "List the signals in use",
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
	return cmd
}

func listSignals(cmd *cobra.Command, path string, asJSON bool) error {
	p, _, err := loadProgram(cmd, path)
	if err != nil {
		return err
	}
	if asJSON {
		return definitionsJSON(cmd.OutOrStdout(), p.Definitions())
	}
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SEVERITY\tSTATUS\tTECHNIQUES\tNAME\tID")
	for _, d := range p.Definitions() { // of a signals.bin that anybody may have made
		cells := []string{d.Severity.String(), d.Status, strings.Join(d.Techniques, " "), d.Name, d.ID}
		for i := range cells {
			cells[i] = display.Text(cells[i])
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	return w.Flush()
}

// showSignal shows every signal that has the name or the id.
func showSignal(cmd *cobra.Command, path, name string, asJSON bool) error {
	p, from, err := loadProgram(cmd, path)
	if err != nil {
		return err
	}
	var found []signals.Definition
	for _, d := range p.Definitions() {
		if strings.EqualFold(d.ID, name) || strings.EqualFold(d.Name, name) {
			found = append(found, d)
		}
	}
	if len(found) == 0 {
		return fail(exitUsage, "no signal is called %q in %s; \"seismo signals list\" lists them", name, from)
	}
	if asJSON {
		return definitionsJSON(cmd.OutOrStdout(), found)
	}
	for _, d := range found {
		showDefinition(cmd.OutOrStdout(), d)
	}
	return nil
}

func showDefinition(w io.Writer, d signals.Definition) {
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%-16s%s\n", name, display.Text(value))
		}
	}
	line("name", d.Name)
	line("id", d.ID)
	line("revision", d.Revision)
	line("severity", d.Severity.String())
	line("status", d.Status)
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
	fmt.Fprintln(w, "signal")
	for _, s := range strings.Split(strings.TrimRight(d.Text, "\n"), "\n") {
		fmt.Fprintf(w, "    %s\n", display.Text(s))
	}
}

func definitionsJSON(w io.Writer, defs []signals.Definition) error {
	type line struct {
		ID             string   `json:"id"`
		Name           string   `json:"name"`
		Revision       string   `json:"revision"`
		Description    string   `json:"description,omitempty"`
		Severity       string   `json:"severity"`
		Status         string   `json:"status,omitempty"`
		Techniques     []string `json:"techniques,omitempty"`
		Platforms      []string `json:"platforms,omitempty"`
		Author         string   `json:"author,omitempty"`
		References     []string `json:"references,omitempty"`
		FalsePositives []string `json:"falsepositives,omitempty"`
		Response       string   `json:"response,omitempty"`
		Labels         []string `json:"labels,omitempty"`
		Signal         string   `json:"signal"`
	}
	for _, d := range defs {
		if err := display.WriteJSON(w, line{d.ID, d.Name, d.Revision, d.Description, d.Severity.String(), d.Status, d.Techniques, d.Platforms,
			d.Author, d.References, d.FalsePositives, d.Response, d.Labels, d.Text}); err != nil {
			return err
		}
	}
	return nil
}
