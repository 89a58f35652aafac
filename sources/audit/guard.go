// SPDX-License-Identifier: Apache-2.0

// This file keeps one record from ending the recorder.

package audit

import (
	"fmt"

	"seismo/internal/event"
)

// decodeGuarded is Decode for records that come from outside. A panic in there is
// a bug of ours that a record brought out: it becomes a loss, and recording goes
// on. input names where the record came from.
func (d *Decoder) decodeGuarded(g *Group, b *event.Batch, input string) {
	defer func() {
		if p := recover(); p != nil {
			b.Losses = append(b.Losses, event.Loss{From: g.Time, To: g.Time, Reason: event.LossMalformed, Count: 1,
				Unit: "events", Detail: fmt.Sprintf("%s: event %d: decoder panicked: %.200s", input, g.Serial, fmt.Sprint(p))})
		}
	}()
	d.Decode(g, b)
}
