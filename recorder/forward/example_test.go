// SPDX-License-Identifier: Apache-2.0

package forward_test

import (
	"context"
	"fmt"
	"os"

	"seismo/internal/event"
	"seismo/recorder/forward"
)

// Every event as a line for people, and as a line of JSON.
func Example() {
	b := event.NewBatch(1)
	b.Input = "audit.log"
	e := b.Add(event.KindFile, event.OpWrite)
	e.ID, e.Time, e.PID, e.Ordinal = 1604996096155000, 1604996096155_000_000, 4242, 17
	e.SetString(event.FilePath, "/etc/cron.d/\x1b[2Jx")

	for _, sink := range []interface {
		Write(context.Context, []*event.Batch) error
	}{
		&forward.Text{W: os.Stdout, Events: true},
		forward.New(forward.Options{W: os.Stdout, Events: true}),
	} {
		if err := sink.Write(context.Background(), []*event.Batch{b}); err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// 2020-11-10 08:14:56.155 file     write       /etc/cron.d/\x1b[2Jx pid 4242
	// {"time":"2020-11-10T08:14:56.155000000Z","event":{"id":"1604996096155000","kind":"file","operation":"write","file.path":"/etc/cron.d/\u001b[2Jx"},"input":{"file":"audit.log","record":17}}
}
