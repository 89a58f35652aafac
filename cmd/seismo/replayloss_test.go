// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"testing"

	"seismo/internal/event"
)

// Losses of all batches are summed by reason; malformed records are told elsewhere.
func TestLossSum(t *testing.T) {
	first, second := event.NewBatch(0), event.NewBatch(0)
	first.Losses = []event.Loss{{Reason: event.LossLatches, Unit: "latches", Count: 3}, {Reason: event.LossMalformed, Unit: "records", Count: 9}}
	second.Losses = []event.Loss{{Reason: event.LossSerialGap, Unit: "events"}, {Reason: event.LossLatches, Unit: "latches", Count: 4}}
	for _, tt := range []struct {
		name    string
		batches []*event.Batch
		want    string
	}{
		{"nothing", []*event.Batch{event.NewBatch(0)}, ""},
		{"malformed records alone", []*event.Batch{{Losses: first.Losses[1:]}}, ""},
		{"two batches", []*event.Batch{first, second},
			"seismo: lost: 7 latches (latches_over_limit), an unknown number of events (serial_gap); what would have matched is not known\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var s lossSum
			if err := s.Write(context.Background(), tt.batches); err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			if s.print(&got); got.String() != tt.want {
				t.Errorf("print = %q, want %q", got.String(), tt.want)
			}
		})
	}
}
