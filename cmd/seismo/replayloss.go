// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"seismo/internal/event"
)

// lossSum is a sink that adds up what was lost: an answer such as "no match" is to
// say so. Malformed records are left out, replay counts them by itself.
type lossSum struct{ sums []lossLine }

type lossLine struct {
	reason, unit string
	count        uint64
	unknown      bool // some of it could not be counted
}

// Write adds the losses of the batches.
func (s *lossSum) Write(_ context.Context, batches []*event.Batch) error {
	for _, b := range batches {
		for _, l := range b.Losses {
			if l.Reason == event.LossMalformed {
				continue
			}
			i := slices.IndexFunc(s.sums, func(have lossLine) bool { return have.reason == l.Reason && have.unit == l.Unit })
			if i < 0 {
				i = len(s.sums)
				s.sums = append(s.sums, lossLine{reason: l.Reason, unit: l.Unit})
			}
			s.sums[i].count += l.Count
			s.sums[i].unknown = s.sums[i].unknown || l.Count == 0
		}
	}
	return nil
}

// print writes one line, or nothing if nothing was lost.
func (s *lossSum) print(w io.Writer) {
	if len(s.sums) == 0 {
		return
	}
	parts := make([]string, len(s.sums))
	for i, l := range s.sums {
		parts[i] = fmt.Sprintf("%d %s (%s)", l.count, l.unit, l.reason)
		switch {
		case l.unknown && l.count == 0:
			parts[i] = fmt.Sprintf("an unknown number of %s (%s)", l.unit, l.reason)
		case l.unknown:
			parts[i] = "at least " + parts[i]
		}
	}
	fmt.Fprintf(w, "seismo: lost: %s; what would have matched is not known\n", strings.Join(parts, ", "))
}
