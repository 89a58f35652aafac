// SPDX-License-Identifier: Apache-2.0

// This file prints what "seismo compile --report" tells of a program.

package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"seismo/engine"
	"seismo/internal/display"
	"seismo/signals"
)

// compileReport is the report on a program with what did not become a part of it.
type compileReport struct {
	engine.Report
	Refused signals.Diagnostics `json:"refused"`
	LeftOut map[string]int      `json:"left_out"`
	left    string
}

// printReport writes the report on p. What was refused goes to standard error too, as
// every compile says it.
func printReport(cmd *cobra.Command, p *engine.Program, made compiled, asJSON bool) error {
	r := compileReport{Report: p.Report(), Refused: made.refused, LeftOut: made.counts(), left: made.leftOut()}
	out := cmd.OutOrStdout()
	if asJSON {
		if r.Refused == nil {
			r.Refused = signals.Diagnostics{}
		}
		if err := display.WriteJSON(out, r); err != nil {
			return err
		}
	} else if err := writeReport(out, r); err != nil {
		return err
	}
	return made.refused.Write(cmd.ErrOrStderr(), "seismo")
}

// writeReport writes r for people.
func writeReport(out io.Writer, r compileReport) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(cells ...string) {
		for i := range cells {
			cells[i] = display.Text(cells[i])
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	title := func(text string) {
		w.Flush() // columns are as wide as their own table needs
		fmt.Fprintf(out, "\n%s\n", text)
	}
	fmt.Fprintf(out, "%d signals, %d terms, %d atoms, %d bytes of tables\n", r.Signals, r.Terms, r.Atoms, r.Bytes)
	if len(r.Kinds) > 0 {
		fmt.Fprintf(out, "needs events of kind %s\n", strings.Join(r.Kinds, ", "))
	}
	for _, name := range r.Sliced {
		fmt.Fprintf(out, "the dictionary of %s is too large for a trie: a sorted slice took its place\n", display.Text(name))
	}
	columns := func(heading string, all []engine.ColumnReport) {
		if len(all) > 0 {
			title(heading)
		}
		for _, c := range all {
			var parts []string
			for _, how := range slices.Sorted(maps.Keys(c.Literals)) {
				parts = append(parts, fmt.Sprintf("%s %d", how, c.Literals[how]))
			}
			field := c.Field
			if field == signals.AnyField {
				field = "(any field)"
			}
			row(field, strings.Join(parts, ", "), fmt.Sprintf("%d bytes", c.Bytes))
		}
	}
	columns("LITERALS, by field and comparison", r.Columns)
	columns("LITERALS OF SIGMA RULES, by field and comparison, the most first", most(r.OwnColumns))
	title("SIGNALS, by estimated work units for an event")
	writeSignals(out, r.Each)
	if len(r.Residues) > 0 {
		title("CEL that was not lowered, by its bound of work units")
		for _, res := range r.Residues {
			guards := "always"
			if len(res.Guards) > 0 {
				guards = "only after " + strings.Join(cutTerms(res.Guards), " or ")
			}
			row(fmt.Sprint(res.Cost), shortened(strings.Join(strings.Fields(res.Text), " ")), shortened(guards))
		}
	}
	if r.left != "" {
		title("LEFT OUT: " + r.left)
	}
	if len(r.Refused) > 0 {
		title(fmt.Sprintf("REFUSED: %d findings, on standard error", len(r.Refused)))
	}
	return w.Flush()
}

// most returns columns with those first that have the most literals.
func most(columns []engine.ColumnReport) []engine.ColumnReport {
	total := func(c engine.ColumnReport) (n int) {
		for _, k := range c.Literals {
			n += k
		}
		return n
	}
	columns = slices.Clone(columns)
	slices.SortStableFunc(columns, func(a, b engine.ColumnReport) int { return total(b) - total(a) })
	return columns
}

// maxTerm is the length of one of several terms, in characters, from which on its end is
// left out: the others are to be seen too.
const maxTerm = 60

// cutTerms returns terms, of which long ones are cut unless there is but one.
func cutTerms(terms []string) []string {
	if len(terms) < 2 {
		return terms
	}
	terms = slices.Clone(terms)
	for i, t := range terms {
		if r := []rune(t); len(r) > maxTerm {
			terms[i] = string(r[:maxTerm]) + "…"
		}
	}
	return terms
}

// writeSignals writes what each signal waits for, the dearest first.
func writeSignals(out io.Writer, each []engine.SignalReport) {
	each = slices.Clone(each)
	slices.SortStableFunc(each, func(a, b engine.SignalReport) int {
		switch {
		case a.Work > b.Work:
			return -1
		case a.Work < b.Work:
			return 1
		}
		return 0
	})
	for _, s := range each {
		remembers := ""
		if s.Remember {
			remembers = ", remembers"
		}
		fmt.Fprintf(out, "%8d  %s (%s%s)\n", s.Work, display.Text(s.Name), display.Text(s.ID), remembers)
		for _, k := range s.Kinds {
			waits := "judged on every event, no literal to wait for"
			if len(k.Terms) > 0 {
				waits = "waits for " + strings.Join(cutTerms(k.Terms), " or ")
			}
			fmt.Fprintf(out, "          %s: %s\n", k.Kind, shortened(waits))
		}
	}
}
