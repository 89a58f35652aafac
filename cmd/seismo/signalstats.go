// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"seismo/engine"
	"seismo/internal/display"
)

func addStatistics(sum *engine.SignalStatistics, s engine.SignalStatistics) {
	sum.Candidates += s.Candidates
	sum.Skipped += s.Skipped
	sum.Evaluations += s.Evaluations
	sum.Matches += s.Matches
	sum.Suppressed += s.Suppressed
	sum.Work += s.Work
}

// writeSignalStats writes what each signal of p did and cost, the dearest first.
func writeSignalStats(out io.Writer, p *engine.Program, did []engine.SignalStatistics, asJSON bool) error {
	order := make([]int, len(did))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case did[a].Work > did[b].Work:
			return -1
		case did[a].Work < did[b].Work:
			return 1
		}
		return 0
	})
	type line struct {
		ID          string `json:"id"`
		Name        string `json:"name"`
		Candidates  uint64 `json:"candidates"`
		Evaluations uint64 `json:"evaluations"`
		Matches     uint64 `json:"matches"`
		Suppressed  uint64 `json:"suppressed"`
		Work        uint64 `json:"work"`
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if !asJSON {
		fmt.Fprintln(w, "WORK\tCANDIDATES\tEVALUATIONS\tMATCHES\tSUPPRESSED\tSIGNAL")
	}
	for _, i := range order {
		d, s := &p.Definitions()[i], &did[i]
		if asJSON {
			if err := display.WriteJSON(out, line{d.ID, d.Name, s.Candidates, s.Evaluations, s.Matches, s.Suppressed, s.Work}); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(w, "%d\t%d\t%d\t%d\t%d\t%s\n", s.Work, s.Candidates, s.Evaluations, s.Matches, s.Suppressed, display.Text(d.Name))
	}
	return w.Flush()
}
