// SPDX-License-Identifier: Apache-2.0

// This file counts which ATT&CK techniques a set of signals covers. The layer for the
// ATT&CK Navigator is in coverage_layer.go.

package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"seismo/engine"
	"seismo/internal/display"
	"seismo/signals"
)

func newCoverage() *cobra.Command {
	var asJSON bool
	var layer string
	cmd := &cobra.Command{
		Use:   "coverage [PATH...]",
		Short: "Tell which ATT&CK techniques signals cover",
		Long: `Count the signals for each ATT&CK technique that they name, by severity and status. A
path is a .yml or signals.json file, a folder of them, or a signals.bin; without one
the shipped signals are counted. A sub-technique counts for its technique too.
Definitions that are wrong are named and not counted; the exit code is 1 then.

--layer writes a layer for the ATT&CK Navigator (layer format 4.5): the score of a
technique is the number of its signals.`,
		Example: "  seismo signals coverage\n  seismo signals coverage --layer mine.json my-signals",
		RunE: func(cmd *cobra.Command, args []string) error {
			defer limitMemory()()
			c, refused, err := coverageOf(cmd, args)
			if err != nil {
				return err
			}
			if len(refused) > 0 {
				refused.Write(cmd.ErrOrStderr(), "seismo")
				fmt.Fprintln(cmd.ErrOrStderr(), "seismo: what is wrong is not counted")
			}
			if layer != "" {
				if err := writeLayer(layer, c, args); err != nil {
					return err
				}
				fmt.Fprintf(cmd.ErrOrStderr(), "seismo: %s: layer of %d techniques\n", display.Text(layer), len(c.techniques))
			}
			show := c.print
			if asJSON {
				show = c.printJSON
			}
			if err := show(cmd.OutOrStdout()); err != nil || len(refused) == 0 {
				return err
			}
			return errFindings
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a technique")
	cmd.Flags().StringVar(&layer, "layer", "", "file to write a layer for the ATT&CK Navigator to")
	return cmd
}

// coverage is what a set of signals covers.
type coverage struct {
	signals    int // all of them
	without    int // those that name no technique
	techniques []technique
}

// technique is a technique or sub-technique with the signals that name it, and, for a
// technique, those that name its sub-techniques.
type technique struct {
	id      string
	direct  int // signals that name id itself
	signals []*signals.Definition
}

// parent returns the technique of a sub-technique; empty for a technique.
func parent(id string) string {
	if above, _, sub := strings.Cut(id, "."); sub {
		return above
	}
	return ""
}

// coverageOf reads the signals at paths, the shipped ones without a path, and returns
// beside what they cover what is wrong in them.
func coverageOf(cmd *cobra.Command, paths []string) (*coverage, signals.Diagnostics, error) {
	var sources []string
	var defs []signals.Definition
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil && !info.IsDir() && !isDefinition(path) {
			p, err := engine.LoadFile(path)
			if err != nil {
				return nil, nil, err
			}
			defs = append(defs, p.Definitions()...)
			continue
		}
		sources = append(sources, path)
	}
	var refused signals.Diagnostics
	if len(sources) > 0 || len(paths) == 0 {
		in, err := loadInput(cmd, "", sources)
		if err != nil && (!errors.As(err, &refused) || len(in.Definitions)+len(defs) == 0) {
			return nil, nil, err
		}
		in, _, _ = signals.Selection{}.Apply(in)
		defs = append(defs, in.Definitions...)
	}
	return countCoverage(defs), refused, nil
}

// countCoverage counts defs, which it sorts.
func countCoverage(defs []signals.Definition) *coverage {
	slices.SortStableFunc(defs, func(a, b signals.Definition) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID))
	})
	c := &coverage{}
	byID := map[string]*technique{}
	add := func(id string, d *signals.Definition, direct bool) {
		t := byID[id]
		if t == nil {
			t = &technique{id: id}
			byID[id] = t
		}
		if n := len(t.signals); n == 0 || t.signals[n-1] != d { // of several sub-techniques it counts once
			t.signals = append(t.signals, d)
		}
		if direct {
			t.direct++
		}
	}
	seen := map[string]bool{}
	for i := range defs {
		d := &defs[i]
		if seen[d.ID] { // a signals.bin beside what it was made of
			continue
		}
		seen[d.ID] = true
		c.signals++
		if len(d.Techniques) == 0 {
			c.without++
		}
		named := slices.Clone(d.Techniques)
		slices.Sort(named)
		for _, id := range slices.Compact(named) {
			add(id, d, true)
			if above := parent(id); above != "" {
				add(above, d, false)
			}
		}
	}
	for _, t := range byID {
		c.techniques = append(c.techniques, *t)
	}
	slices.SortFunc(c.techniques, func(a, b technique) int { return strings.Compare(a.id, b.id) })
	return c
}

// severities counts the signals of t by severity, from informational on.
func (t *technique) severities() (counts [signals.Critical + 1]int) {
	for _, d := range t.signals {
		counts[d.Severity]++
	}
	return counts
}

// statuses counts the signals of t by status, the greatest trust first, those
// without one last.
func (t *technique) statuses() (names []string, counts map[string]int) {
	counts = map[string]int{}
	for _, d := range t.signals {
		counts[d.Status]++
	}
	for _, s := range slices.Backward(signals.Statuses()) {
		if counts[s] > 0 {
			names = append(names, s)
		}
	}
	if counts[""] > 0 {
		names = append(names, "")
	}
	return names, counts
}

// maxNames is the number of signals that a row of the table names.
const maxNames = 3

func (c *coverage) print(w io.Writer) error {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "TECHNIQUE\tSIGNALS\tSEVERITY\tSTATUS\tNAMES")
	above := 0
	for i := range c.techniques {
		t := &c.techniques[i]
		id := t.id
		if parent(id) != "" {
			id = "  ." + strings.TrimPrefix(id, parent(id)+".")
		} else {
			above++
		}
		fmt.Fprintf(out, "%s\t%d\t%s\t%s\t%s\n", id, len(t.signals), t.severityText(), t.statusText(), t.names())
	}
	if err := out.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%d signals, %d of them without a technique; %d techniques, %d sub-techniques\n", c.signals, c.without, above, len(c.techniques)-above)
	return err
}

func (t *technique) severityText() string {
	var parts []string
	counts := t.severities()
	for s := signals.Critical; ; s-- {
		if counts[s] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[s], s))
		}
		if s == signals.Informational {
			return strings.Join(parts, ", ")
		}
	}
}

func (t *technique) statusText() string {
	names, counts := t.statuses()
	var parts []string
	for _, s := range names {
		parts = append(parts, fmt.Sprintf("%d %s", counts[s], cmp.Or(s, "without")))
	}
	return strings.Join(parts, ", ")
}

// names returns the first names of the signals.
func (t *technique) names() string {
	var parts []string
	for i, d := range t.signals {
		if i == maxNames {
			parts = append(parts, fmt.Sprintf("and %d more", len(t.signals)-maxNames))
			break
		}
		parts = append(parts, display.Text(d.Name))
	}
	return strings.Join(parts, "; ")
}

func (c *coverage) printJSON(w io.Writer) error {
	type signal struct {
		ID       string `json:"id"`
		Name     string `json:"name"`
		Severity string `json:"severity"`
		Status   string `json:"status,omitempty"`
	}
	type line struct {
		Technique  string         `json:"technique"`
		Parent     string         `json:"parent,omitempty"`
		Count      int            `json:"count"`
		Direct     int            `json:"direct"`
		Severities map[string]int `json:"severities"`
		Statuses   map[string]int `json:"statuses"`
		Signals    []signal       `json:"signals"`
	}
	for i := range c.techniques {
		t := &c.techniques[i]
		l := line{Technique: t.id, Parent: parent(t.id), Count: len(t.signals), Direct: t.direct, Severities: map[string]int{}, Statuses: map[string]int{}}
		for s, n := range t.severities() {
			if n > 0 {
				l.Severities[signals.Severity(s).String()] = n
			}
		}
		names, counts := t.statuses()
		for _, s := range names {
			l.Statuses[cmp.Or(s, "none")] = counts[s]
		}
		for _, d := range t.signals {
			l.Signals = append(l.Signals, signal{d.ID, d.Name, d.Severity.String(), d.Status})
		}
		if err := display.WriteJSON(w, l); err != nil {
			return err
		}
	}
	return nil
}
