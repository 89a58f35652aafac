// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"seismo/internal/event"
)

func TestLossesAreSaidTogether(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(1000, 0)
	l := newLossLog(zerolog.New(&out), func() time.Time { return now })
	lose := func(reason string, count uint64) {
		b := event.NewBatch(0)
		b.Losses = append(b.Losses, event.Loss{Reason: reason, Count: count, Unit: "records", Detail: "why"})
		if err := l.Write(context.Background(), []*event.Batch{b}); err != nil {
			t.Fatal(err)
		}
	}
	lose(event.LossKernel, 1)
	for range 5 {
		lose(event.LossKernel, 10)
	}
	lose(event.LossSerialGap, 3)
	now = now.Add(time.Minute)
	lose(event.LossKernel, 100)
	got := strings.Split(strings.TrimSpace(out.String()), "\n")
	want := []string{`"reason":"kernel_lost","count":1,`, `"reason":"serial_gap","count":3,`, `"reason":"kernel_lost","count":150,"unit":"records","losses":6,`}
	if len(got) != len(want) {
		t.Fatalf("lines:\n%s\nwant %d", out.String(), len(want))
	}
	for i := range want {
		if !strings.Contains(got[i], want[i]) {
			t.Errorf("line %d: %s\nwant %s", i, got[i], want[i])
		}
	}
}
