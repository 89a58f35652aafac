// SPDX-License-Identifier: Apache-2.0

package event_test

import (
	"slices"
	"testing"

	"seismo/internal/event"
)

// A loss that goes on stays one; what differs in more than time and count does not.
func TestAddLoss(t *testing.T) {
	first := event.Loss{From: 5, To: 6, Reason: event.LossShed, Kind: event.KindDNS, Count: 2, Unit: "events", Detail: "d"}
	again, other, kind := first, first, first
	again.From, again.To, again.Count = 3, 4, 1
	other.Detail = "e"
	kind.Kind = event.KindImage
	var got []event.Loss
	for _, l := range []event.Loss{first, again, other, kind, again} {
		got = event.AddLoss(got, l)
	}
	whole := first
	whole.From, whole.Count = 3, 4
	if want := []event.Loss{whole, other, kind}; !slices.Equal(got, want) {
		t.Errorf("AddLoss gives %+v; want %+v", got, want)
	}
}
